import numpy as np
import pytest
import sklearn
from helpers.selection import LOSS, X, Y, forest, tied_rates, tree
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    StratifiedKFold,
    cross_val_score,
    cross_validate,
)
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import RMIA, LiRA, as_records
from sklearn_mia.model_selection import (
    AuditableClassifier,
    cross_validate_leakage,
    make_leakage_scorer,
)

FIRST_RECORD = X[0]


class CountingTree(DecisionTreeClassifier):
    """A tree that counts how often any of its kind was fitted."""

    n_fits = 0

    def fit(self, X, y, check_input=True):
        CountingTree.n_fits += 1
        return super().fit(X, y, check_input=check_input)


@tied_rates
@pytest.mark.filterwarnings("ignore:max_fpr=.* cannot be resolved:UserWarning")
def test_columns_of_cross_validation_equal_the_scorers():
    scores = cross_validate_leakage(
        forest(),
        X,
        Y,
        attack=LOSS,
        cv=4,
        scoring=["accuracy", "roc_auc"],
        return_train_score=True,
    )
    plain = cross_validate(
        forest(), X, Y, cv=4, scoring=["accuracy", "roc_auc"], return_train_score=True
    )
    for key in set(plain) - {"fit_time", "score_time"}:
        np.testing.assert_array_equal(scores[key], plain[key])
    for metric, options in {
        "advantage": {},
        "roc_auc": {},
        "tpr_at_fpr_0.1": {"max_fpr": 0.1},
        "tpr_at_fpr_0.01": {"max_fpr": 0.01},
    }.items():
        scorer = make_leakage_scorer(
            LOSS,
            metric=metric.removesuffix("_0.1").removesuffix("_0.01"),
            greater_is_better=True,
            **options,
        )
        expected = cross_val_score(
            AuditableClassifier(forest()), X, Y, cv=4, scoring=scorer
        )
        np.testing.assert_allclose(scores[f"leakage_{metric}"], expected, atol=1e-12)
    assert scores["leakage_n_members"].tolist() == [100, 100, 100, 100]
    assert "estimator" not in scores
    assert "indices" not in scores


@tied_rates
def test_shadows_are_trained_once_for_all_folds():
    CountingTree.n_fits = 0
    attack = RMIA(n_shadows=6)
    scores = cross_validate_leakage(
        CountingTree(min_samples_leaf=3, random_state=0), X, Y, cv=3, attack=attack
    )
    assert CountingTree.n_fits == 3 + 6
    assert np.all(scores["leakage_roc_auc"] > 0.6)
    assert attack.get_params()["random_state"] is None


def test_shared_shadows_equal_an_attack_by_hand():
    folds = StratifiedKFold(2)
    attack = LiRA(n_shadows=4, random_state=1)
    found = cross_validate_leakage(forest(5), X, Y, cv=folds, attack=attack)
    records = as_records(X, Y)
    for k, (train, test) in enumerate(folds.split(X, Y)):
        own = clone(attack).set_params(
            target_estimator=forest(5).fit(X[train], Y[train])
        )
        is_member = np.isin(np.arange(400), train)
        auc = roc_auc_score(is_member, own.fit(records).score_samples(records))
        assert found["leakage_roc_auc"][k] == pytest.approx(auc, abs=1e-12)
        assert len(test) == 200


def test_cross_validation_in_workers():
    alone, together = (
        cross_validate_leakage(
            forest(5), X, Y, cv=2, n_jobs=n_jobs, attack=RMIA(n_shadows=2)
        )
        for n_jobs in (1, 2)
    )
    for key in ("test_score", "leakage_roc_auc", "leakage_tpr_at_fpr_0.1"):
        np.testing.assert_array_equal(alone[key], together[key])


@tied_rates
def test_groups_and_returned_models():
    groups = np.repeat(np.arange(80), 5)
    scores = cross_validate_leakage(
        tree(),
        X,
        Y,
        groups=groups,
        cv=GroupKFold(2),
        return_estimator=True,
        return_indices=True,
    )
    assert [type(e) for e in scores["estimator"]] == [DecisionTreeClassifier] * 2
    train, test = (scores["indices"][side][0] for side in ("train", "test"))
    assert not set(groups[train]) & set(groups[test])


class Fussy(ClassifierMixin, BaseEstimator):
    """Fails on the folds that hold the first row."""

    def fit(self, X, y):
        if FIRST_RECORD.tolist() in X.tolist():
            raise ValueError("no")
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        return np.full((len(X), 2), 0.5)

    def predict(self, X):
        return np.zeros(len(X), dtype=int)


@tied_rates
def test_a_fold_that_fails_is_nan():
    with pytest.warns(sklearn.exceptions.FitFailedWarning):
        scores = cross_validate_leakage(Fussy(), X, Y, attack=LOSS, cv=KFold(2))
    assert np.isnan(scores["leakage_advantage"]).tolist() == [False, True]
    with pytest.raises(ValueError, match="no"):
        cross_validate_leakage(Fussy(), X, Y, cv=2, error_score="raise")


def test_folds_without_non_members_are_told():
    with pytest.raises(ValueError, match="No non-members: of 200 records, 200 are"):
        cross_validate_leakage(tree(), X, Y, cv=[(np.arange(400), np.arange(200))])
    doubled, labels = np.vstack([X, X]), np.concatenate([Y, Y])
    with pytest.raises(ValueError, match="No non-members"):
        cross_validate_leakage(tree(), doubled, labels, cv=KFold(2))


@tied_rates
def test_a_class_unseen_in_training_is_left_out():
    labels = Y.copy()
    labels[:3] = 2
    with pytest.warns(UserWarning, match="3 of 200 test records have a class"):
        scores = cross_validate_leakage(
            tree(), X, labels, cv=[(np.arange(200, 400), np.arange(200))]
        )
    assert scores["leakage_n_members"].tolist() == [197]


def test_rates_that_folds_cannot_show_are_told():
    with pytest.warns(UserWarning, match=r"needs 1000 of them"):
        scores = cross_validate_leakage(LogisticRegression(), X, Y, cv=2, fprs=[0.001])
    assert np.all(scores["leakage_tpr_at_fpr_0.001"] >= 0)


def test_a_rate_that_ties_hide_is_nan_and_the_next_one_told():
    """Each pure leaf gives its members, and two of three others, the top score."""
    wanted = (
        r"In 2 of 2 folds fprs=0.1 cannot be resolved and the TPR at it is NaN: .* "
        r"attained is 0 \(TPR 0\), the next one 0.6[0-9]* \(TPR 1\): ask for "
        r"fprs=0.6[0-9]* or more, or use an attack whose scores tie less."
    )
    with pytest.warns(UserWarning, match=wanted):
        scores = cross_validate_leakage(
            tree(), X, Y, attack=LOSS, cv=2, fprs=[0.1, 0.9]
        )
    assert np.all(np.isnan(scores["leakage_tpr_at_fpr_0.1"]))
    assert_array_equal(scores["leakage_tpr_at_fpr_0.9"], 1)
    assert np.all(scores["leakage_advantage"] > 0.2)


class PickyTree(DecisionTreeClassifier):
    """A tree that insists on the weights of its own records."""

    def fit(self, X, y, sample_weight=None, check_input=True):
        np.testing.assert_array_equal(sample_weight, 1 + np.abs(X[:, 0]))
        return super().fit(X, y, sample_weight, check_input)


@tied_rates
def test_shadows_get_parameters_of_fit_and_groups():
    groups = np.repeat(np.arange(80), 5)
    for attack in (LOSS, RMIA(n_shadows=2, random_state=0)):
        scores = cross_validate_leakage(
            PickyTree(random_state=0),
            X,
            Y,
            attack=attack,
            groups=groups,
            cv=GroupKFold(2),
            params={"sample_weight": 1 + np.abs(X[:, 0])},
        )
        assert np.all(scores["leakage_roc_auc"] > 0.55)
