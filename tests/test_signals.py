import re

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


@pytest.mark.parametrize("log_odds", [40.0, 300.0])
def test_modified_entropy_does_not_cancel_beside_certainty(log_odds):
    rest, sure = -np.logaddexp(0, log_odds), -np.logaddexp(0, -log_odds)
    pair = np.array([[rest, sure]])
    found = [signals.modified_entropy(pair, np.array([label]))[0] for label in (1, 0)]
    by_hand = [2 * np.exp(rest) * sure, 2 * np.exp(sure) * rest]
    assert_allclose(found, by_hand, rtol=1e-12)


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


def test_the_loss_of_a_regressor_is_read_back_from_its_errors():
    prediction, values = RNG.normal(size=(2, 50))
    for signal in (signals.squared_error, signals.absolute_error, signals.residual):
        found = signals.true_log_proba(signal, signal(prediction, values))
        assert_allclose(found, -((values - prediction) ** 2), rtol=1e-12)
    assert signals.true_log_proba(signals.margin, np.zeros(3)) is None
    off = np.abs(values - prediction)
    assert_allclose(signals.absolute_error(prediction, values), -off)
    assert_allclose(signals.residual(prediction, values), values - prediction)


def test_a_signal_of_a_user_is_checked_and_one_of_the_package_is_returned():
    def mine(log_proba, labels):
        return log_proba

    for own in (signals.as_signal(mine), signals.as_signal("mine", {"mine": mine})):
        assert own.name == own.__name__ == signals.signal_name(mine) == "mine"
        assert signals.as_signal(own) is own
        with pytest.raises(ValueError, match="The signal 'mine' returned"):
            own(np.log(PROBA), LABELS)
    of_package = (*signals.SIGNALS.values(), *signals.VALUE_SIGNALS.values())
    for function in (*of_package, signals.residual):
        assert signals.as_signal(function) is function


@pytest.mark.parametrize("signal", [3, ["loss"]])
def test_what_is_no_signal_is_refused(signal):
    message = (
        f"signal={signal!r} is not known; expected a callable or one of "
        f"{', '.join(map(repr, signals.SIGNALS))}. A worker process does not know a "
        "name that was added to SIGNALS in another one: pass the callable itself."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        signals.as_signal(signal)
