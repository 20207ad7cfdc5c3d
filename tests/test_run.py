from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold

from sklearn_mia import SupervisedAttack, ThresholdAttack
from sklearn_mia.auditing import audit, default_attacks
from sklearn_mia.auditing._case import make_case
from sklearn_mia.auditing._run import _half, _run_attack

N_RECORDS = 400
IS_MEMBER = np.arange(N_RECORDS) < 200


@pytest.fixture
def learner():
    """An attack that keeps what it learns from and what it is asked about.

    The first column of a record, its number, is its score.
    """

    class Learner(ClassifierMixin, BaseEstimator):
        learned, judged = [], []

        def fit(self, X, y):
            self.classes_ = np.unique(y)
            self.learned.append((X[:, 0].astype(int), y))
            return self

        def decision_function(self, X):
            self.judged.append(X[:, 0].astype(int))
            return X[:, 0]

    return Learner()


def audited(learner, **params):
    """Report of an audit whose records carry their number in the first column."""
    X, y = make_classification(N_RECORDS, 5, random_state=0)
    X[:, 0] = np.arange(N_RECORDS)
    model = LogisticRegression().fit(X[IS_MEMBER][:, 1:], y[IS_MEMBER])
    model = NumberIgnored(model).fit(X, y)
    sides = X[IS_MEMBER], y[IS_MEMBER], X[~IS_MEMBER], y[~IS_MEMBER]
    return audit(
        model,
        *sides,
        attacks={"learner": learner, "loss": ThresholdAttack()},
        slices=None,
        n_permutations=99,
        random_state=0,
        **params,
    )


class NumberIgnored(ClassifierMixin, BaseEstimator):
    """A trained model that does not look at the first column."""

    def __init__(self, model):
        self.model = model

    def fit(self, X, y):
        self.classes_ = self.model.classes_
        return self

    def predict(self, X):
        return self.model.predict(X[:, 1:])

    def predict_proba(self, X):
        return self.model.predict_proba(X[:, 1:])


def test_what_learns_from_membership_is_asked_about_the_other_records_alone(learner):
    report = audited(learner)
    ((learned, membership),) = learner.learned
    (judged,) = learner.judged
    assert_array_equal(np.sort(np.r_[learned, judged]), np.arange(N_RECORDS))
    assert len(learned) == len(judged) == 200
    assert_array_equal(membership, IS_MEMBER[learned])
    scores = report.to_dict(name_records=True)["records"]["score_learner"]
    expected = np.full(N_RECORDS, None)
    expected[judged] = judged
    assert scores == expected.tolist()
    row = next(a for a in report.attacks if a["name"] == "learner")
    assert row["n_members"] == IS_MEMBER[judged].sum()
    assert row["n_nonmembers"] == 200 - IS_MEMBER[judged].sum()


def test_a_person_is_either_learned_from_or_judged(learner):
    # Persons of one to six records, some of them on both sides.
    persons = np.repeat(np.arange(120), np.arange(120) % 6 + 1)[:N_RECORDS]
    persons = np.random.default_rng(0).permutation(persons)
    audited(learner, groups_train=persons[IS_MEMBER], groups_test=persons[~IS_MEMBER])
    ((learned, _),) = learner.learned
    (judged,) = learner.judged
    assert not set(persons[learned]) & set(persons[judged])
    n_persons = len(np.unique(persons))
    assert len(np.unique(persons[learned])) == n_persons // 2


def test_a_search_over_an_attack_gets_the_groups_of_its_half(half):
    model = RandomForestClassifier(10, random_state=0).fit(*half[:2])
    seen = []

    class Folds(GroupKFold):
        def split(self, X, y=None, groups=None):
            seen.append(groups)
            return super().split(X, y, groups)

    attack = SupervisedAttack(model, estimator=LogisticRegression())
    search = GridSearchCV(attack, {"random_state": [0]}, cv=Folds(2))
    persons = np.arange(400) // 2
    case = make_case(model, *half, groups=(persons[:200], persons[200:]))
    chosen = _half(case, 0)
    scored = _run_attack(search, case, chosen)
    (groups,) = seen
    assert_array_equal(groups, case.groups[chosen])
    assert len(np.unique(groups)) == 100
    assert_array_equal(scored.used, ~chosen)
    assert_array_equal(np.isfinite(scored.scores), ~chosen)


def test_an_attack_whose_scores_are_not_finite_is_named(learner):
    type(learner).decision_function = lambda self, X: np.full(len(X), np.nan)
    message = "^The attack learner gave 200 scores that are not finite[.]$"
    with pytest.raises(ValueError, match=message):
        audited(learner)


def test_a_half_is_a_random_half_of_the_units():
    units = np.random.default_rng(0).permutation(
        np.repeat(np.arange(41), np.arange(41) % 4 + 1)
    )
    case = SimpleNamespace(units=units)
    times_chosen = np.zeros(41)
    for seed in range(300):
        half = _half(case, seed)
        assert_array_equal(half, _half(case, seed))
        inside = np.bincount(units, weights=half)
        assert_array_equal(inside[inside > 0], np.bincount(units)[inside > 0])
        assert np.count_nonzero(inside) == 20
        times_chosen += inside > 0
    # A share of 20/41, each time drawn again: 4 standard errors of 300 draws.
    assert_allclose(times_chosen / 300, 20 / 41, atol=4 * 0.5 / np.sqrt(300))


def test_default_attacks_fit_the_model(half):
    forest = RandomForestClassifier(5, random_state=0).fit(*half[:2])
    others = default_attacks(LogisticRegression().fit(*half[:2]))
    on_file = "LinearReconstructionAttack"
    assert list(others) == ["ThresholdAttack", "RMIA", "LiRA", on_file]
    assert list(default_attacks(forest)) == [
        "ThresholdAttack",
        "BaggingAttack",
        on_file,
    ]


@pytest.mark.parametrize(
    ("n_trees", "n_shadows", "expected"),
    [(100, 6, 400), (100, 2, 100), (300, 6, 1200), (20, 6, 100), (50, 64, 800)],
)
def test_bagging_costs_two_shadows_less_but_100_trees_and_at_most_16_fits(
    n_trees, n_shadows, expected, whole_bagging
):
    X, y = make_classification(40, 5, random_state=0)
    forest = RandomForestClassifier(n_trees, max_depth=1, random_state=0)
    attacks = default_attacks(forest.fit(X, y), n_shadows=n_shadows, random_state=3)
    assert attacks["BaggingAttack"].n_trees == expected
    assert attacks["BaggingAttack"].random_state == 3
    assert not attacks["BaggingAttack"].keep_models


def test_attacks_with_shadows_share_them():
    X, y = make_classification(40, 5, random_state=0)
    attacks = default_attacks(LogisticRegression().fit(X, y), random_state=3)
    shared = [
        {
            name: value
            for name, value in attacks[name].get_params(deep=False).items()
            if name in ("n_shadows", "keep_models", "random_state", "target_estimator")
        }
        for name in ("RMIA", "LiRA")
    ]
    assert shared[0] == shared[1]
    assert shared[0]["n_shadows"] == 6
    # Of a forest of values, too: thin shadows would be no shadows of LiRA.
    assert attacks["RMIA"].trees_per_shadow is None


@pytest.mark.parametrize(
    ("effort", "max_iter", "exact"),
    [("quick", 30, False), ("standard", 100, False), ("thorough", 1000, True)],
)
def test_effort_is_a_number_of_iterations_on_the_file(half, effort, max_iter, exact):
    model = LogisticRegression().fit(*half[:2])
    on_file = default_attacks(model, effort=effort)["LinearReconstructionAttack"]
    assert (on_file.max_iter, on_file.exact) == (max_iter, exact)
    with pytest.raises(ValueError, match="effort='fast'; expected one of 'quick'"):
        default_attacks(model, effort="fast")


def test_all_attacks_of_an_audit_share_one_answer_of_the_model(half, monkeypatch):
    model = RandomForestClassifier(10, random_state=0).fit(*half[:2])
    asked, predict_proba = [], RandomForestClassifier.predict_proba

    def counted(self, X):
        asked.append(self is model and len(X) == 400)
        return predict_proba(self, X)

    monkeypatch.setattr(RandomForestClassifier, "predict_proba", counted)
    audit(model, *half, slices=(), n_permutations=99, random_state=0)
    # Once for its probabilities, and within `predict` for its classes.
    assert sum(asked) == 2


def test_callbacks_without_scikit_learn_1_9_are_refused(monkeypatch):
    X, y = make_classification(60, random_state=0)
    model = LogisticRegression().fit(X[:30], y[:30])
    monkeypatch.setattr("sklearn_mia._compat.HAS_CALLBACKS", False)
    with pytest.raises(ValueError, match=r"need scikit-learn 1\.9 or newer; running"):
        audit(model, X[:30], y[:30], X[30:], y[30:], callbacks=[object()])
