from functools import cache

import numpy as np
import pytest
from helpers import in_turn
from helpers.targets import N_RECORDS, TARGETS, Fixed, answers, ask, table
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import softmax
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia.response import Responder, check_target, encode_labels, make_responder

# Labels whose alphabetical order is that of 0, 1, 2.
NAMINGS = {
    "text": ["high", "low", "mid"],
    "from 1": [1, 2, 3],
    "negative": [-1, 1, 7],
    "objects": np.array(["high", "low", "mid"], dtype=object),
}


class _Seen:
    def predict_proba(self, X):
        self.layouts_ = X.flags.c_contiguous, X.flags.f_contiguous
        X[:] = 0.0
        return np.full((len(X), 2), 0.5)


class _SeenForest(_Seen, RandomForestClassifier):
    pass


class _SeenBoosting(_Seen, HistGradientBoostingClassifier):
    pass


@pytest.mark.parametrize("order", ["C", "F"])
def test_models_get_a_copy_and_histogram_boosting_its_columns_in_one_piece(order):
    X, y = table(2)
    X = np.array(X, order=order)
    kept = X.copy()
    for kind in (_SeenForest, _SeenBoosting):
        model = kind().fit(X, y)
        Responder("predict_proba", model.classes_, 1e-3).answer(model, X)
        in_columns = kind is _SeenBoosting or order == "F"
        assert model.layouts_ == (not in_columns, in_columns)
        assert_array_equal(X, kept)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", TARGETS)
def test_every_kind_of_target_answers(name, n_classes):
    make, kind = TARGETS[name]
    X, _ = table(n_classes)
    target, responder, log_proba = answers(make, n_classes)
    if name == "LightGBM" and not hasattr(target, "decision_function"):
        kind = "predict_proba"  # before LightGBM 4.7
    assert responder.kind == kind
    assert log_proba.shape == (N_RECORDS, n_classes)
    assert log_proba.dtype == np.float64
    assert np.isfinite(log_proba).all()
    assert_array_equal(responder.answer(target, X), log_proba)
    if kind == "predict_proba":
        proba = np.asarray(target.predict_proba(X), dtype=np.float64)
        floor = responder.floor
        kept_off = (1 - 2 * floor) * proba + 2 * floor / n_classes
        assert_allclose(np.exp(log_proba), kept_off, rtol=1e-12)
    elif kind == "predict":
        expected = np.full((N_RECORDS, n_classes), 0.25 / (n_classes - 1))
        expected[np.arange(N_RECORDS), target.predict(X)] = 0.75
        assert_allclose(np.exp(log_proba), expected, rtol=1e-15)
    else:
        decision = target.decision_function(X)
        if n_classes == 2:
            log_odds = log_proba[:, 1] - log_proba[:, 0]
            assert_allclose(log_odds, decision, rtol=1e-12, atol=1e-12)
        else:
            assert_allclose(np.exp(log_proba), softmax(decision, axis=1), rtol=1e-12)
        if kind == "log_odds":
            assert_allclose(np.exp(log_proba), target.predict_proba(X), atol=1e-9)


@cache
def plain_answers(name):
    return answers(TARGETS[name][0], 3)[-1]


# XGBoost takes no labels but 0, 1, 2.
@in_turn(("name", "naming"), [name for name in TARGETS if name != "XGBoost"], NAMINGS)
def test_names_of_the_classes_change_no_answer(name, naming):
    *_, log_proba = answers(TARGETS[name][0], 3, NAMINGS[naming])
    assert_array_equal(log_proba, plain_answers(name))


@pytest.mark.parametrize("names", [[False, True], [-1, 1], ["no", "yes"], [1.0, 2.0]])
def test_names_of_two_classes_change_no_answer(names):
    for name in ("logistic", "forest", "linear SVM", "only labels"):
        make, _ = TARGETS[name]
        *_, expected = answers(make, 2)
        *_, log_proba = answers(make, 2, names)
        assert_array_equal(log_proba, expected)


def test_columns_are_read_through_the_classes_whatever_their_order():
    proba = np.array([[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]])
    target = Fixed(["b", "c", "a"], predict_proba=proba)
    responder, log_proba = ask(target)
    labels = encode_labels(np.array(["b", "a"]), target.classes_)
    assert labels.tolist() == [0, 2]
    true = np.exp(log_proba[np.arange(2), labels])
    floor = responder.floor
    expected = (1 - 2 * floor) * np.array([0.7, 0.6]) + 2 * floor / 3
    assert_allclose(true, expected, rtol=1e-12)


def test_a_model_with_fewer_classes_is_aligned_and_the_unseen_class_is_masked():
    responder = Responder("predict_proba", np.array(["a", "b", "c"]), floor=0.01)
    model = Fixed(["c", "a"], predict_proba=np.array([[0.75, 0.25], [1.0, 0.0]]))
    seen = encode_labels(model.classes_, responder.classes)
    assert seen.tolist() == [2, 0]
    answer = responder.ask(model, np.zeros((2, 1)), responder.classes[seen])
    # Its two classes share what the floor takes; the third gets nothing.
    expected = np.array([[0.255, 0.0, 0.745], [0.01, 0.0, 0.99]])
    log_proba = responder.align(answer, seen)
    assert_array_equal(log_proba[:, 1], -np.inf)
    assert_allclose(np.exp(log_proba), expected, rtol=1e-12)


def test_the_native_log_odds_do_not_saturate():
    X = np.array([[-1.0], [1.0], [40.0], [50.0]])
    target = LogisticRegression(C=np.inf).fit(X[[0, 0, 1, 1]], [0, 1, 1, 1])
    target.coef_, target.intercept_ = np.array([[1.0]]), np.array([0.0])
    assert target.predict_proba(X)[2:, 1].tolist() == [1.0, 1.0]
    responder, log_proba = make_responder(target, X, target.classes_)
    assert responder.kind == "log_odds"
    assert_allclose(log_proba[:, 1] - log_proba[:, 0], X[:, 0], rtol=1e-15)


def test_a_decision_that_disagrees_with_the_probabilities_is_not_asked():
    proba = np.array([[0.2, 0.8], [0.6, 0.4]])
    log_odds = np.log(proba[:, 1] / proba[:, 0])
    agreeing = Fixed(predict_proba=proba, decision_function=log_odds)
    assert ask(agreeing)[0].kind == "log_odds"
    for decision in (-log_odds, 2 * log_odds, log_odds + 1e-4, log_odds[:, None]):
        other = Fixed(predict_proba=proba, decision_function=decision)
        assert ask(other)[0].kind == "predict_proba"


@pytest.mark.parametrize("method", ["predict_proba", "decision_function", "predict"])
def test_the_response_method_can_be_chosen(method):
    X, y = table(2)
    target = LogisticRegression().fit(X, y)
    responder, _ = make_responder(target, X, target.classes_, method)
    assert responder.kind == method


@pytest.mark.parametrize(
    ("target", "floor"),
    [
        (RandomForestClassifier(10, random_state=0), 1 / 20),
        (RandomForestClassifier(40, random_state=0), 1 / 80),
        (KNeighborsClassifier(20), 1 / 40),
        (KNeighborsClassifier(10), 1 / 20),
        # No floor above 1 / 20, however few the neighbours.
        (KNeighborsClassifier(3), 1 / 20),
        (DecisionTreeClassifier(random_state=0), 0.005),
        (KNeighborsClassifier(1), 0.005),
    ],
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_floor_is_half_of_one_vote(target, floor, n_classes):
    # From one class to the next votes change one by one.
    X = np.linspace(0, n_classes, 60 * n_classes, endpoint=False)[:, None]
    target.fit(X, X.ravel().astype(int))
    X = np.linspace(0, n_classes, 3000)[:, None]
    responder, log_proba = make_responder(target, X, target.classes_)
    assert_allclose(responder.floor, floor, rtol=1e-12)
    assert (target.predict_proba(X) == 0).any()
    assert_allclose(log_proba.min(), np.log(2 * floor / n_classes), rtol=1e-12)


def test_the_floor_of_a_smooth_model_is_tiny():
    target = Fixed(predict_proba=np.array([[1e-200, 1.0], [0.4, 0.6]]))
    responder, log_proba = ask(target)
    assert responder.floor == 1e-15
    assert_allclose(np.exp(log_proba), [[1e-15, 1], [0.4, 0.6]], rtol=1e-12)
    assert log_proba[0, 1] < 0


def test_float32_probabilities_are_read_as_float64():
    sure = np.array([0.999, 0.9999, 1.0], dtype=np.float32)
    proba = np.column_stack([1 - sure, sure])
    assert proba.dtype == np.float32
    _, log_proba = ask(Fixed(predict_proba=proba))
    log_odds = log_proba[:, 1] - log_proba[:, 0]
    assert log_proba.dtype == np.float64
    assert np.isfinite(log_odds).all()
    assert (np.diff(log_odds) > 0).all()


def test_a_large_decision_stays_finite():
    decision = np.array([-1e6, 0.0, 1e6])
    target = Fixed(
        decision_function=decision, predict=decision > 0, classes=[False, True]
    )
    _, log_proba = ask(target)
    assert_array_equal(log_proba[:, 1] - log_proba[:, 0], decision)


def test_two_classes_are_one_pair():
    X, y = table(2)
    pairs = SVC(decision_function_shape="ovo").fit(X, y)
    *_, expected = answers(SVC, 2)
    assert_array_equal(make_responder(pairs, X, pairs.classes_)[1], expected)


@pytest.mark.parametrize("name", ["forest", "pipeline", "search", "linear SVM"])
def test_a_frozen_target_answers_as_what_it_holds(name):
    X, _ = table(3)
    target, responder, log_proba = answers(TARGETS[name][0], 3)
    frozen = FrozenEstimator(target)
    frozen_responder, frozen_log_proba = make_responder(frozen, X, check_target(frozen))
    assert frozen_responder.kind == responder.kind
    assert frozen_responder.floor == responder.floor
    assert_array_equal(frozen_log_proba, log_proba)


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (np.array([1, 0, 1]), np.array([0, 1])),
        (np.array([1.0, 0.0, 1.0]), np.array([0, 1])),
        (np.array([1.0, -0.0, True], dtype=object), np.array([0, 1])),
        (np.array([1, 0, 1]), np.array([False, True])),
        (np.array([True, False, True]), np.array([0.0, 1.0])),
        (np.array(["b", "a", "b"]), np.array(["a", "b"], dtype=object)),
        (np.array(["b", "a", "b"], dtype=object), np.array(["a", "b"])),
        (np.array(["a", "b", "a"]), np.array(["b", "a"])),
        (np.array([300, 2, 300], dtype=np.int16), np.array([2, 300], dtype=object)),
    ],
)
def test_labels_are_matched_by_value(labels, classes):
    codes = encode_labels(labels, classes)
    assert codes.tolist() == [1, 0, 1]
    assert codes.dtype == np.intp


def test_votes_of_a_target_are_read_through_its_classes():
    target = Fixed(["b", "a"], predict=np.array(["a", "b", "a"]))
    responder, log_proba = ask(target)
    assert responder.kind == "predict"
    assert log_proba.argmax(axis=1).tolist() == [1, 0, 1]
