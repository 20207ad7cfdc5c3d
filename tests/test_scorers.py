import pickle
import re

import numpy as np
import pytest
from helpers.metrics import leaky
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mia.metrics import (
    membership_advantage_score,
    membership_advantage_scorer,
    tpr_at_fpr_score,
    tpr_at_fpr_scorer,
)


class Identity(ClassifierMixin, BaseEstimator):
    """The first column is the score; `classes_` as a membership attack has them."""

    def __init__(self, sign=1, classes=None):
        self.sign = sign
        self.classes = classes

    def fit(self, X, y):
        self.classes_ = np.unique(y) if self.classes is None else self.classes
        return self

    def decision_function(self, X):
        self.n_calls_ = getattr(self, "n_calls_", 0) + 1
        return self.sign * np.asarray(X)[:, 0]

    def predict(self, X):
        return np.asarray(self.classes_)[(self.decision_function(X) > 0).astype(int)]


@pytest.mark.parametrize(
    "classes", [(False, True), (0, 1), ("nonmember", "member"), ("a", "b")]
)
def test_scorers_take_the_second_class_for_the_member(classes):
    is_member, scores = leaky(100)
    y, X = np.array(classes)[is_member.astype(int)], scores[:, None]
    attack = Identity(classes=np.array(classes)).fit(X, y)
    assert tpr_at_fpr_scorer(0.1)(attack, X, y) == tpr_at_fpr_score(
        is_member, scores, max_fpr=0.1
    )
    assert membership_advantage_scorer(attack, X, y) == membership_advantage_score(
        is_member, scores
    )


def test_a_scorer_can_be_told_the_label_of_members():
    is_member, scores = leaky(100)
    y, X = np.where(is_member, "member", "nonmember"), scores[:, None]
    model = LogisticRegression().fit(X, y)
    assert model.classes_[1] == "nonmember"
    scorer = tpr_at_fpr_scorer(0.1, pos_label="member")
    assert scorer(model, X, y) == tpr_at_fpr_score(is_member, scores, max_fpr=0.1)


@pytest.mark.parametrize("labels", [(False, True), ("absent", "present")])
def test_scorers_work_in_cross_validation_and_call_the_attack_once_each(labels):
    is_member, scores = leaky(100)
    y, X = np.array(labels)[is_member.astype(int)], scores[:, None]
    result = cross_validate(
        Identity(),
        X,
        y,
        scoring={"tpr": tpr_at_fpr_scorer(0.1), "adv": membership_advantage_scorer},
        return_estimator=True,
        return_indices=True,
        error_score="raise",
    )
    for fold, test in enumerate(result["indices"]["test"]):
        assert result["test_tpr"][fold] == tpr_at_fpr_score(
            is_member[test], scores[test], max_fpr=0.1
        )
        assert result["test_adv"][fold] == membership_advantage_score(
            is_member[test], scores[test]
        )
        assert result["estimator"][fold].n_calls_ == 2


def test_grid_search_finds_the_direction_of_an_attack():
    is_member, scores = leaky(100)
    grid = GridSearchCV(
        make_pipeline(StandardScaler(), Identity()),
        {"identity__sign": [-1, 1]},
        scoring=tpr_at_fpr_scorer(0.1),
        error_score="raise",
    ).fit(scores[:, None], np.where(is_member, "present", "absent"))
    assert grid.best_params_ == {"identity__sign": 1}
    assert grid.best_score_ > 0.2


def test_scorers_pickle_and_say_what_they_are():
    scorer = tpr_at_fpr_scorer(0.05)
    assert repr(scorer) == repr(pickle.loads(pickle.dumps(scorer)))
    assert "tpr_at_fpr_score" in repr(scorer)
    assert "max_fpr=0.05" in repr(scorer)


def test_a_scorer_reads_the_probability_of_the_label_of_members():
    is_member = np.arange(200) < 100
    X = (np.random.default_rng(0).normal(size=200) + is_member)[:, None]
    y = np.where(is_member, "member", "nonmember")
    model = GaussianNB().fit(X, y)
    assert not hasattr(model, "decision_function")
    assert model.classes_.tolist() == ["member", "nonmember"]
    scorer = tpr_at_fpr_scorer(0.1, pos_label="member")
    expected = tpr_at_fpr_score(is_member, model.predict_proba(X)[:, 0], max_fpr=0.1)
    assert scorer(model, X, y) == expected > 0.3


TIED = np.repeat([1.0, 0.0, 1.0, 0.0], [80, 20, 30, 70])[:, None], np.arange(200) < 100


def test_a_rate_that_ties_hide_is_nan_with_what_can_be_asked_instead():
    X, y = TIED
    attack = Identity(classes=np.array([False, True])).fit(X, y)
    message = (
        "max_fpr=0.01 cannot be resolved and the TPR at it is NaN: records with equal "
        "scores raise an alarm together. The false-positive rate attained is 0 (TPR "
        "0), the next one 0.3 (TPR 0.8): ask for max_fpr=0.3 or more, or use an attack "
        "whose scores tie less."
    )
    with pytest.warns(UserWarning, match=re.escape(message)) as told:
        assert np.isnan(tpr_at_fpr_scorer(0.01)(attack, X, y))
    assert told[0].filename == __file__
    assert tpr_at_fpr_scorer(0.3)(attack, X, y) == 0.8


def test_where_all_scores_are_equal_no_other_rate_is_advised():
    X, y = np.ones((200, 1)), TIED[1]
    attack = Identity(classes=np.array([False, True])).fit(X, y)
    with pytest.warns(
        UserWarning, match=r"the next one 1 \(TPR 1\): use an attack whose scores tie"
    ):
        assert np.isnan(tpr_at_fpr_scorer(0.5)(attack, X, y))


def test_a_search_ranks_a_rate_that_ties_hide_last():
    is_member, scores = leaky(200)
    X = np.column_stack([scores, scores > 0])
    search = GridSearchCV(
        Column(), {"column": [1, 0]}, scoring=tpr_at_fpr_scorer(0.05), cv=4
    )
    with (
        pytest.warns(UserWarning, match="max_fpr=0.05 cannot be resolved"),
        pytest.warns(UserWarning, match="test scores are non-finite"),
    ):
        search.fit(X, is_member)
    assert search.best_params_ == {"column": 0}
    assert search.cv_results_["rank_test_score"].tolist() == [2, 1]


class Column(Identity):
    def __init__(self, column=0):
        super().__init__()
        self.column = column

    def decision_function(self, X):
        return np.asarray(X)[:, self.column]
