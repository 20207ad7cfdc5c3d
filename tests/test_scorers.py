import pickle
import re
from functools import partial

import numpy as np
import pytest
import sklearn
from helpers.metrics import leaky
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedGroupKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_mia import ThresholdAttack, as_records
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


# Persons


def attack_and_persons():
    X, y = make_classification(320, 6, n_informative=4, flip_y=0.3, random_state=0)
    model = KNeighborsClassifier(3).fit(X[:160], y[:160])
    persons = np.repeat(np.arange(80), 4)
    attack = ThresholdAttack(model).fit(as_records(X, y), groups=persons)
    return attack, as_records(X, y), np.arange(320) < 160, persons


def test_scorers_count_persons_who_are_wholly_on_a_side():
    attack, records, is_member, persons = attack_and_persons()
    # Of two persons one record is on the other side.
    is_member[[0, 319]] = [False, True]
    _, sums = attack.score_groups(records, persons)
    kept, whole = np.arange(1, 79), np.arange(80) < 40
    for scorer, metric in (
        (membership_advantage_scorer, membership_advantage_score),
        (tpr_at_fpr_scorer(0.25), partial(tpr_at_fpr_score, max_fpr=0.25)),
    ):
        found = scorer(attack, records, is_member, groups=persons)
        assert found == metric(whole[kept], sums[kept])
    scorer = tpr_at_fpr_scorer(0.25, pos_label=False)
    found = scorer(attack, records, is_member, groups=persons)
    assert found == tpr_at_fpr_score(~whole[kept], -sums[kept], max_fpr=0.25)


def test_groups_are_handed_on_to_scorers_by_metadata_routing():
    attack, records, is_member, persons = attack_and_persons()
    folds = StratifiedGroupKFold(2)
    options = {"cv": folds, "params": {"groups": persons}}
    with sklearn.config_context(enable_metadata_routing=True):
        attack.set_fit_request(groups=True)
        found = cross_val_score(
            attack, records, is_member, scoring=tpr_at_fpr_scorer(0.5), **options
        )
        unset = tpr_at_fpr_scorer(0.5).set_score_request(groups=None)
        with pytest.raises(ValueError, match="not explicitly set as requested"):
            cross_val_score(attack, records, is_member, scoring=unset, **options)
    train, test = next(folds.split(records, is_member, persons))
    attack.fit(records[train], is_member[train], groups=persons[train])
    _, sums = attack.score_groups(records[test], persons[test])
    of_persons = np.unique(persons[test]) < 40
    assert found[0] == tpr_at_fpr_score(of_persons, sums, max_fpr=0.5)


def test_persons_that_a_scorer_cannot_count_are_told():
    attack, records, is_member, persons = attack_and_persons()
    message = "groups has none of 1 groups wholly among the members, and 1 with records"
    with pytest.raises(ValueError, match=message):
        membership_advantage_scorer(attack, records, is_member, groups=persons * 0)
    message = (
        "groups has none of 80 groups wholly among the non-members, and 40 with records"
    )
    odd = np.arange(320) % 2 == 1
    with pytest.raises(ValueError, match=message):
        membership_advantage_scorer(attack, records, is_member | odd, groups=persons)
    other = LogisticRegression().fit(records, is_member)
    with pytest.raises(TypeError, match="LogisticRegression scores records only"):
        membership_advantage_scorer(other, records, is_member, groups=persons)
    attack.fit(records)
    with pytest.raises(ValueError, match="ThresholdAttack was fitted without groups"):
        membership_advantage_scorer(attack, records, is_member, groups=persons)
