import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import spearmanr
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import accuracy_score, balanced_accuracy_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import ThresholdAttack, as_records
from sklearn_mia.signals import SIGNALS


@pytest.fixture(scope="module")
def table():
    return make_classification(
        400,
        8,
        n_informative=5,
        n_classes=3,
        n_clusters_per_class=1,
        flip_y=0.3,
        random_state=0,
    )


@pytest.fixture(scope="module")
def forest(table):
    X, y = table
    return RandomForestClassifier(30, random_state=0).fit(X[:200], y[:200])


@pytest.mark.parametrize("signal", SIGNALS)
def test_score_is_the_signal_and_members_score_higher(table, forest, signal):
    X, y = table
    records, is_member = as_records(X, y), np.arange(400) < 200
    attack = ThresholdAttack(forest, signal=signal).fit(records)
    scores = attack.score_samples(records)
    proba = forest.predict_proba(X)
    floor = np.clip(proba[proba > 0].min() / 2, 1e-15, 0.05)
    expected = SIGNALS[signal](np.log((1 - 2 * floor) * proba + 2 * floor / 3), y)
    assert_allclose(scores, expected)
    assert scores[is_member].mean() > scores[~is_member].mean()
    assert attack.score(records, is_member) > 0.55


def test_gap_attack_is_half_plus_half_the_gap_in_accuracy(table, forest):
    X, y = table
    records, is_member = as_records(X, y), np.arange(400) < 200
    attack = ThresholdAttack(forest, signal="correctness").fit(records)
    called = attack.score_samples(records) == 1
    gap = accuracy_score(y[:200], forest.predict(X[:200])) - accuracy_score(
        y[200:], forest.predict(X[200:])
    )
    assert balanced_accuracy_score(is_member, called) == pytest.approx(0.5 + gap / 2)


def test_logit_loss_and_confidence_rank_alike(table, forest):
    records = as_records(*table)
    scores = [
        ThresholdAttack(forest, signal=s).fit(records).score_samples(records)
        for s in ("logit", "loss", "confidence")
    ]
    # Rounded, because sums of other classes differ in their last bits.
    assert spearmanr(np.round(scores, 9), axis=1)[0] == pytest.approx(np.ones((3, 3)))


def test_per_class_scores_are_in_units_of_the_class(table, forest):
    X, y = table
    records = as_records(X, y)
    plain = ThresholdAttack(forest).fit(records).score_samples(records)
    attack = ThresholdAttack(forest, per_class=True).fit(records)
    scores = attack.score_samples(records)
    for c in range(3):
        own = plain[y == c]
        assert_allclose(scores[y == c], (own - own.mean()) / own.std())
    again = ThresholdAttack(forest, per_class=True).fit(records, np.arange(400) < 9)
    assert_array_equal(again.score_samples(records), scores)


def test_a_rare_class_uses_all_records(table, forest):
    X, y = table
    kept = (y != 2) | (np.cumsum(y == 2) <= 5)
    records = as_records(X[kept], y[kept])
    plain = ThresholdAttack(forest).fit(records).score_samples(records)
    scores = ThresholdAttack(forest, per_class=True).fit(records).score_samples(records)
    rare = y[kept] == 2
    assert_allclose(scores[rare], (plain[rare] - plain.mean()) / plain.std())


def test_without_labels_the_own_prediction_stands_in(table, forest):
    X, _ = table
    attack = ThresholdAttack(forest, signal="confidence", label_column=None).fit(X)
    surest = forest.predict_proba(X).max(axis=1)
    assert spearmanr(attack.score_samples(X), surest)[0] == pytest.approx(1)
    assert attack.label_column_ is None
    assert attack.n_features_in_ == 8


@pytest.mark.parametrize("max_fpr", [0.0, 0.013, 0.05, 0.5])
def test_threshold_is_the_smallest_with_at_most_max_fpr(table, forest, max_fpr):
    records, is_member = as_records(*table), np.arange(400) < 200
    attack = ThresholdAttack(forest, max_fpr=max_fpr).fit(records, is_member)
    others = attack.score_samples(records)[~is_member]
    assert attack.predict(records)[~is_member].sum() <= max_fpr * 200
    # Any lower threshold that is a score gives too many.
    lower = others[others < attack.offset_]
    if len(lower):
        assert np.sum(others > lower.max()) > max_fpr * 200


def test_without_membership_the_pool_is_the_reference(table, forest):
    records = as_records(*table)
    attack = ThresholdAttack(forest, max_fpr=0.1).fit(records)
    assert attack.predict(records).mean() <= 0.1
    assert_array_equal(attack.classes_, [False, True])


@pytest.mark.parametrize(
    "target", [KNeighborsClassifier(1), DecisionTreeClassifier(random_state=0)]
)
def test_a_model_that_answers_0_and_1_gives_finite_scores(table, target):
    X, y = table
    target = target.fit(X[:200], y[:200])
    records = as_records(X, y)
    scores = ThresholdAttack(target).fit(records).score_samples(records)
    assert np.isfinite(scores).all()
    assert len(np.unique(scores)) == 2


def test_text_membership_without_a_member_label_is_told(table, forest):
    records = as_records(*table)
    y = np.where(np.arange(400) < 200, "trained", "other")
    with pytest.warns(UserWarning, match="'trained', which sorts last, is taken as"):
        attack = ThresholdAttack(forest).fit(records, y)
    assert_array_equal(attack.classes_, ["other", "trained"])
    assert attack.score(records, y) > 0.6


def test_a_label_that_says_member_is_taken_as_member(table, forest):
    records = as_records(*table)
    y = np.where(np.arange(400) < 200, "member", "nonmember")
    with (
        pytest.warns(UserWarning, match="'member' is taken as member"),
        pytest.warns(UserWarning, match="would read 1 - AUC"),
    ):
        attack = ThresholdAttack(forest).fit(records, y)
    assert attack.score(records, y) > 0.6


def test_member_label_that_sorts_first_keeps_the_direction(table, forest):
    records = as_records(*table)
    y = np.where(np.arange(400) < 200, "member", "nonmember")
    attack = ThresholdAttack(forest, member_label="member", max_fpr=0.1)
    with pytest.warns(UserWarning, match="would read 1 - AUC"):
        attack.fit(records, y)
    assert_array_equal(attack.classes_, ["nonmember", "member"])
    assert attack.score(records, y) > 0.6
    called = attack.predict(records) == "member"
    assert called[:200].mean() > called[200:].mean()
    with pytest.raises(ValueError, match="member_label='x' is not a value of y"):
        ThresholdAttack(forest, member_label="x").fit(records, y)
