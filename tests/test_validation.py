import re

import numpy as np
import pytest
import sklearn
from helpers.selection import (
    LOSS,
    PERSONS,
    X,
    Y,
    forest,
    group_auc,
    log_likelihood,
    tied_rates,
    tree,
)
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

from sklearn_mia import RMIA, LiRA, SupervisedAttack, as_records, audit
from sklearn_mia.model_selection import (
    AuditableClassifier,
    cross_validate_leakage,
    make_leakage_scorer,
)
from sklearn_mia.model_selection._leakage import _folds

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


@pytest.mark.slow
def test_cross_validation_in_workers():
    alone, together = (
        cross_validate_leakage(
            forest(5), X, Y, cv=2, n_jobs=n_jobs, attack=RMIA(n_shadows=2)
        )
        for n_jobs in (1, 2)
    )
    for key in ("test_score", "leakage_roc_auc", "leakage_tpr_at_fpr_0.1"):
        np.testing.assert_array_equal(alone[key], together[key])


def test_groups_and_returned_models():
    groups = np.repeat(np.arange(80), 5)
    scores = cross_validate_leakage(
        tree(),
        X,
        Y,
        groups=groups,
        cv=GroupKFold(2),
        fprs=[0.1],
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
            fprs=[0.5],
            params={"sample_weight": 1 + np.abs(X[:, 0])},
        )
        assert np.all(scores["leakage_roc_auc"] > 0.55)


# Persons

HALVES = [(np.arange(200), np.arange(200, 400))]


def by_person(estimator, **options):
    options = {"attack": LOSS, "cv": GroupKFold(2), "fprs": [0.1]} | options
    return cross_validate_leakage(estimator, X, Y, **{"groups": PERSONS} | options)


def test_with_groups_leakage_is_that_of_persons():
    found = by_person(LogisticRegression(C=100), return_indices=True)
    for fold, train in enumerate(found["indices"]["train"]):
        model = LogisticRegression(C=100).fit(X[train], Y[train])
        scores, is_member = log_likelihood(model, X, Y), np.isin(np.arange(400), train)
        auc = group_auc(scores, is_member, PERSONS)
        assert found["leakage_roc_auc"][fold] == pytest.approx(auc, abs=1e-12)
        auc = roc_auc_score(is_member, scores)
        assert found["leakage_of_records_roc_auc"][fold] == pytest.approx(auc)
        assert found["leakage_n_members"][fold] == 80
        assert found["leakage_n_mixed"][fold] == 0
        assert found["leakage_of_records_n_members"][fold] == len(train)
        assert found["leakage_of_records_n_nonmembers"][fold] == 400 - len(train)
    plain = by_person(LogisticRegression(), groups=None, cv=2)
    assert not [name for name in plain if "records" in name or "mixed" in name]


@pytest.mark.parametrize(
    "attack", [LOSS, RMIA(n_shadows=4, random_state=0)], ids=["loss", "RMIA"]
)
def test_leakage_by_person_is_that_of_an_audit(attack):
    found = by_person(forest(), attack=attack, cv=HALVES)
    audited = audit(
        forest().fit(X[:200], Y[:200]),
        *(X[:200], Y[:200], X[200:], Y[200:]),
        groups_train=PERSONS[:200],
        groups_test=PERSONS[200:],
        attacks=attack,
        fprs=[0.1],
        n_permutations=99,
    ).attacks[0]
    assert found["leakage_roc_auc"] == pytest.approx(audited["auc"]["estimate"])
    tpr = audited["tpr_at_fpr"][0]["tpr"]["estimate"]
    assert found["leakage_tpr_at_fpr_0.1"] == tpr
    assert found["leakage_advantage"] == pytest.approx(audited["advantage"]["estimate"])
    of_records = audited["of_records"]["auc"]["estimate"]
    assert found["leakage_of_records_roc_auc"] == pytest.approx(of_records, abs=1e-12)


def test_neither_the_order_of_records_nor_the_name_of_a_person_matters():
    rng = np.random.default_rng(0)
    order, names = rng.permutation(400), rng.permutation(160)
    words = np.array([f"p{name}" for name in names])[PERSONS]
    place = np.argsort(order)
    folds = [(np.sort(place[train]), np.sort(place[test])) for train, test in HALVES]
    one = by_person(tree(min_samples_leaf=5), cv=HALVES)
    for groups in (words[order], words[order].tolist(), words[order].astype(object)):
        two = cross_validate_leakage(
            tree(min_samples_leaf=5),
            *(X[order], Y[order]),
            groups=groups,
            attack=LOSS,
            cv=folds,
            fprs=[0.1],
        )
        for name in set(one) - {"fit_time", "score_time", "leakage_time"}:
            assert_array_equal(one[name], two[name])


def test_as_many_whole_persons_are_compared():
    found = by_person(tree(), cv=GroupKFold(4), return_indices=True)
    for fold, test in enumerate(found["indices"]["test"]):
        assert found["leakage_n_members"][fold] == len(set(PERSONS[test]))
        assert found["leakage_of_records_n_nonmembers"][fold] == len(test)
        assert found["leakage_of_records_n_members"][fold] != len(test)


def test_persons_with_training_records_and_others_are_left_out():
    message = (
        "In 1 of 1 folds up to 1 of 160 groups have training records and others. They "
        "are no members as a whole, and left out. Pass a splitter of groups, such as "
        "cv=GroupKFold()."
    )
    # Rows 193 to 195 are one person, with the third record in the test set or nowhere.
    for start, n_others in ((195, 81), (200, 80)):
        folds = [(np.arange(195), np.arange(start, 400))]
        with pytest.warns(UserWarning, match=f"^{re.escape(message)}$"):
            found = by_person(LogisticRegression(), cv=folds)
        assert found["leakage_n_mixed"] == 1
        assert found["leakage_n_members"] == min(78, n_others) == 78
        assert found["leakage_of_records_n_members"] == 193


def test_a_splitter_that_leaves_no_whole_person_is_told():
    message = (
        "groups has 0 of 50 groups wholly among the members, and 50 with records on "
        "both sides; expected at least 2. Pass a splitter of groups, such as "
        "cv=GroupKFold()."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        by_person(
            LogisticRegression(),
            groups=np.arange(400) % 50,
            attack=RMIA(n_shadows=10_000),
            cv=HALVES,
        )


def test_groups_of_another_length_or_without_a_key_are_told():
    with pytest.raises(ValueError, match="groups has 2 keys for 400 records"):
        by_person(LogisticRegression(), groups=[1, 2], cv=HALVES)
    groups = PERSONS.astype(object)
    groups[3] = None
    with pytest.raises(ValueError, match="groups has no key for 1 of 400 records"):
        by_person(LogisticRegression(), groups=groups, cv=HALVES)


def test_of_a_person_the_copies_of_training_records_do_not_count():
    data, labels = X.copy(), Y.copy()
    data[200:203], labels[200:203] = data[:3], labels[:3]
    # All of the first person of the second half, and both records of the next.
    assert PERSONS[200:203].tolist() == [80, 81, 81]
    found = cross_validate_leakage(
        LogisticRegression(),
        *(data, labels),
        groups=PERSONS,
        attack=LOSS,
        cv=HALVES,
        fprs=[0.1],
    )
    assert found["leakage_n_members"] == 78
    assert found["leakage_of_records_n_nonmembers"] == 197


def test_an_attack_that_learns_never_sees_the_person_that_it_scores():
    folds = list(_folds(SupervisedAttack(), np.arange(400) < 200, PERSONS))
    assert len(folds) == 5
    for train, test in folds:
        assert not set(PERSONS[train]) & set(PERSONS[test])
        assert set(train) | set(test) == set(range(400))
    by_record = list(_folds(SupervisedAttack(), np.arange(400) < 200, None))
    expected = StratifiedKFold(5, shuffle=True, random_state=0)
    for one, two in zip(
        by_record, expected.split(X, np.arange(400) < 200), strict=True
    ):
        assert_array_equal(one[1], two[1])
    attack = SupervisedAttack(estimator=LogisticRegression())
    found = by_person(forest(), attack=attack, cv=HALVES)
    assert found["leakage_roc_auc"] > found["leakage_of_records_roc_auc"] > 0.7
    with pytest.raises(ValueError, match="2 non-members, got 2 and 1"):
        list(_folds(attack, np.array([1, 1, 1, 0]) > 0, np.array([5, 5, 7, 8])))


def test_with_metadata_routing_groups_are_a_parameter():
    by_hand = by_person(forest())
    with sklearn.config_context(enable_metadata_routing=True):
        found = by_person(forest(), groups=None, params={"groups": PERSONS})
    assert_array_equal(found["leakage_roc_auc"], by_hand["leakage_roc_auc"])
    assert_array_equal(found["leakage_n_members"], [80, 80])


def test_too_few_groups_for_a_rate_are_told_as_groups():
    with pytest.warns(UserWarning, match="among the 80 groups of non-members of a fo"):
        by_person(LogisticRegression(), fprs=[0.01])
