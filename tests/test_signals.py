import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import spearmanr

from sklearn_mia import signals

RNG = np.random.default_rng(0)
PROBA = RNG.dirichlet(np.ones(4), size=50)
LABELS = RNG.integers(4, size=50)
TRUE = PROBA[np.arange(50), LABELS]

BY_HAND = {
    "logit": lambda p, y: np.log(p[y] / (p.sum() - p[y])),
    "loss": lambda p, y: np.log(p[y]),
    "confidence": lambda p, y: p[y],
    "margin": lambda p, y: p[y] - max(np.delete(p, y)),
    "entropy": lambda p, y: sum(q * np.log(q) for q in p),
    "modified_entropy": lambda p, y: (
        (1 - p[y]) * np.log(p[y])
        + sum(q * np.log(1 - q) for j, q in enumerate(p) if j != y)
    ),
    "correctness": lambda p, y: float(max(p) == p[y]),
    "max_confidence": lambda p, y: max(p),
    "spread": lambda p, y: np.sqrt(np.mean((p - np.mean(p)) ** 2)),
}


@pytest.mark.parametrize("name", signals.SIGNALS)
def test_signal_equals_its_formula_by_hand(name):
    values = signals.SIGNALS[name](np.log(PROBA), LABELS)
    by_hand = [BY_HAND[name](p, y) for p, y in zip(PROBA, LABELS, strict=True)]
    assert_allclose(values, by_hand, rtol=1e-10)


@pytest.mark.parametrize("name", signals.SIGNALS)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_signal_is_higher_for_a_surer_right_answer(name, n_classes):
    sure = np.array([[0.9, *[0.1 / (n_classes - 1)] * (n_classes - 1)]])
    unsure = np.array([[0.3, 0.7, *[0.0] * (n_classes - 2)]]) + 1e-12
    right = np.array([0])
    high = signals.SIGNALS[name](np.log(sure), right)
    low = signals.SIGNALS[name](np.log(unsure), right)
    assert high[0] > low[0]


def test_two_class_modified_entropy_ranks_like_the_loss():
    p = RNG.uniform(size=200)
    log_proba = np.log(np.column_stack([p, 1 - p]))
    labels = RNG.integers(2, size=200)
    modified = signals.modified_entropy(log_proba, labels)
    true = signals.confidence(log_proba, labels)
    assert_allclose(modified, 2 * (1 - true) * np.log(true), rtol=1e-9)
    assert spearmanr(modified, signals.loss(log_proba, labels))[0] == pytest.approx(1)


@pytest.mark.parametrize("log_odds", [40.0, 300.0, 700.0])
def test_logit_does_not_saturate(log_odds):
    pair = np.array([[-np.logaddexp(0, log_odds), -np.logaddexp(0, -log_odds)]])
    assert_allclose(signals.logit(pair, np.array([1])), log_odds)
    assert_allclose(signals.logit(pair, np.array([0])), -log_odds)
    three = np.array([[-log_odds, -log_odds, 0.0]])
    assert_allclose(
        signals.logit(three, np.array([2])), log_odds - np.log(2), rtol=1e-12
    )


@pytest.mark.parametrize("name", signals.SIGNALS)
def test_signals_do_not_change_with_the_order_of_records_or_wrong_classes(name):
    signal = signals.SIGNALS[name]
    values = signal(np.log(PROBA), LABELS)
    order = RNG.permutation(50)
    assert_array_equal(signal(np.log(PROBA)[order], LABELS[order]), values[order])
    classes = np.array([2, 0, 3, 1])
    renamed = np.argsort(classes)[LABELS]
    assert_allclose(signal(np.log(PROBA)[:, classes], renamed), values, rtol=1e-12)


@pytest.mark.parametrize("name", signals.SIGNALS)
def test_signals_are_finite_at_the_floor_and_beside_an_unseen_class(name):
    floored = np.log(np.array([[1.0, 1e-15, 1e-15], [1e-15, 1.0, 1e-15]]))
    for labels in ([0, 0], [1, 1], [2, 2]):
        assert np.isfinite(signals.SIGNALS[name](floored, np.array(labels))).all()
    unseen = np.array([[np.log(0.6), -np.inf, np.log(0.4)]])
    assert np.isfinite(signals.SIGNALS[name](unseen, np.array([0]))).all()
