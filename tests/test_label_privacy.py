import re

import numpy as np
import pandas as pd
import pytest
from scipy import special
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import make_label_canaries
from sklearn_mia.metrics import epsilon_lower_bound

X, Y = make_classification(
    1500, n_classes=3, n_informative=6, flip_y=0.1, random_state=0
)


@pytest.mark.parametrize("kind", [int, str])
def test_coins_choose_between_the_label_and_another_and_nothing_else_changes(kind):
    y = Y.astype(kind)
    before = y.copy()
    canaries = make_label_canaries(y, 600, random_state=3)
    np.testing.assert_array_equal(y, before)
    others = np.setdiff1d(np.arange(1500), canaries.positions)
    assert len(canaries.positions) == 600
    np.testing.assert_array_equal(canaries.y[others], y[others])
    np.testing.assert_array_equal(canaries.first, y[canaries.positions])
    assert np.all(canaries.first != canaries.second)
    chosen = np.where(canaries.is_first, canaries.first, canaries.second)
    np.testing.assert_array_equal(canaries.y[canaries.positions], chosen)
    assert canaries.y.dtype == y.dtype
    # Each of the other classes, and both sides of the coin, in about half.
    after = np.searchsorted(np.unique(y), canaries.second)
    step = (after - np.searchsorted(np.unique(y), canaries.first)) % 3
    assert 240 < np.sum(step == 1) < 360
    assert 240 < canaries.is_first.sum() < 360
    assert repr(canaries) == "LabelCanaries(600 of 1500 labels)"


def test_a_seed_gives_the_same_coins_and_all_records_are_taken_if_there_are_fewer():
    first, again = (make_label_canaries(Y, 5000, random_state=1) for _ in range(2))
    np.testing.assert_array_equal(first.y, again.y)
    np.testing.assert_array_equal(first.positions, np.arange(1500))
    generator = np.random.default_rng(0)
    make_label_canaries(Y, random_state=generator)
    assert generator.random() == np.random.default_rng(0).random()


@pytest.mark.parametrize("container", [np.asarray, pd.DataFrame])
def test_a_score_is_the_log_odds_of_the_first_candidate(container):
    canaries = make_label_canaries(Y, 400)
    features = container(X)
    model = LogisticRegression().fit(features, canaries.y)
    proba = np.log(model.predict_proba(features)[canaries.positions])
    rows = np.arange(400)
    expected = proba[rows, canaries.first] - proba[rows, canaries.second]
    np.testing.assert_allclose(canaries.score_samples(model, features), expected)


def test_a_label_that_the_model_never_saw_is_the_less_likely():
    canaries = make_label_canaries(Y, 400)
    seen = canaries.y != 2
    model = LogisticRegression().fit(X[seen], canaries.y[seen])
    scores = canaries.score_samples(model, X)
    assert np.isfinite(scores).all()
    assert scores[canaries.second == 2].min() > 100
    assert scores[canaries.first == 2].max() < -100


def told_by(epsilon, seed):
    """Labels behind randomised response, and a model that learns them by heart."""
    rng = np.random.default_rng(seed)
    canaries = make_label_canaries(Y > 0, 1000, random_state=seed)
    kept = rng.random(len(Y)) < special.expit(epsilon)
    model = DecisionTreeClassifier(random_state=0)
    model.fit(X, np.where(kept, canaries.y, ~canaries.y))
    scores = canaries.score_samples(model, X)
    return epsilon_lower_bound(canaries.is_first, scores, neighbours="label").epsilon


def test_what_randomised_response_promises_of_labels_is_nearly_found():
    found = [told_by(1.0, seed) for seed in range(8)]
    assert 0.6 < np.median(found) < 1
    # Of 8 more than 2 are false with probability .006 if 5 % are.
    assert np.sum(np.array(found) > 1) <= 2


def test_a_tree_that_learns_labels_by_heart_gives_them_away():
    canaries = make_label_canaries(Y, 1000)
    model = DecisionTreeClassifier(random_state=0).fit(X, canaries.y)
    scores = canaries.score_samples(model, X)
    bound = epsilon_lower_bound(canaries.is_first, scores, neighbours="label")
    assert bound.epsilon > 4


def test_what_has_no_candidates_is_refused():
    gap = "y has 1 missing labels among 3; expected one for each record: leave out the"
    for y, message in (
        ([1, 1, 1], "y has 3 labels and 1 classes; expected at least two classes"),
        ([1.0, 2.0, np.nan], gap),
        (np.array(["a", "b", None], dtype=object), gap),
        (pd.Series([1, 2, None], dtype="Int64"), gap),
        (np.array(["2020-01-01", "NaT", "2020-01-02"], dtype="M8[D]"), gap),
        (
            X[:, 0],
            "y has 1500 different numbers, some with a fraction: values to predict, "
            "and no classes; expected class labels, as whole numbers or text.",
        ),
        (
            np.array([1, "a", 2], dtype=object),
            "y has labels of the types int, str, which have no order; expected labels",
        ),
        (X, "y must have one dimension, got shape (1500, 20)"),
    ):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
            make_label_canaries(y)
    with pytest.raises(ValueError, match="n=0 is not a count"):
        make_label_canaries(Y, 0)
    canaries = make_label_canaries(Y, 100)
    model = LogisticRegression().fit(X, canaries.y)
    with pytest.raises(ValueError, match="1500 records and X has 7"):
        canaries.score_samples(model, X[:7])
