from itertools import count

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin

from sklearn_mia.auditing import _blind
from sklearn_mia.auditing._blind import blind_auc
from sklearn_mia.metrics import roc_auc_interval
from sklearn_mia.metrics._intervals import Interval


@pytest.fixture
def sides():
    return np.arange(200) % 2 == 0


@pytest.fixture
def table():
    return np.random.default_rng(0).normal(size=(200, 3))


class Recorder(ClassifierMixin, BaseEstimator):
    """Answers with the first column, and keeps the rows it learned from."""

    def __init__(self, log):
        self.log = log

    def fit(self, X, y):
        self.classes_ = np.array([False, True])
        self.log.append((X[:, 0].astype(int), y))
        return self

    def decision_function(self, X):
        self.log.append(X[:, 0].astype(int))
        return X[:, 1]


@pytest.mark.parametrize("confidence", [0.9, 0.95])
@pytest.mark.parametrize(
    ("container", "most_cells", "n_learners"),
    [(np.asarray, 0, 2), (sp.csr_array, 600, 2), (sp.csr_array, 599, 1)],
)
def test_half_the_error_is_shared_by_the_learners(
    table, sides, monkeypatch, confidence, container, most_cells, n_learners
):
    monkeypatch.setattr(_blind, "_MOST_DENSE_CELLS", most_cells)
    levels = []

    def spy(y_true, scores, *, confidence):
        levels.append(confidence)
        return roc_auc_interval(y_true, scores, confidence=confidence)

    monkeypatch.setattr(_blind, "roc_auc_interval", spy)
    found = blind_auc(container(table), sides, np.arange(200), confidence=confidence)
    error = (1 - confidence) / 2 / n_learners
    assert levels == pytest.approx([1 - error] * 2 * n_learners)
    assert found["n_records"] == 200


def test_the_answer_is_the_mean_of_both_turns(table, sides, monkeypatch):
    ends = zip([0.9, 0.3], [0.8, 0.2], strict=True)

    def next_of(*args, confidence):
        estimate, low = next(ends)
        return Interval(estimate, low, estimate + 0.01, confidence, "given")

    monkeypatch.setattr(_blind, "roc_auc_interval", next_of)
    monkeypatch.setattr(_blind, "_MOST_DENSE_CELLS", 0)
    found = blind_auc(sp.csr_array(table), sides, np.arange(200))
    assert [found[k] for k in ("auc", "low", "high")] == pytest.approx([0.6, 0.5, 0.61])


def test_the_learner_with_the_highest_lower_end_speaks(table, sides, monkeypatch):
    calls = count()

    def by_turns(*args, confidence):
        boosting = next(calls) % 2 == 0
        low = 0.6 if boosting else 0.7
        return Interval(0.9 if boosting else 0.8, low, 1.0, confidence, "given")

    monkeypatch.setattr(_blind, "roc_auc_interval", by_turns)
    found = blind_auc(table, sides, np.arange(200))
    assert (found["learner"], found["auc"]) == ("logistic regression", 0.8)


def test_each_half_of_the_units_learns_and_judges_the_other(sides, monkeypatch):
    # 80 units of one to four records.
    units = np.repeat(np.arange(80), np.arange(80) % 4 + 1)
    units = np.random.default_rng(0).permutation(units)
    table = np.column_stack([np.arange(200.0), np.random.default_rng(1).random(200)])
    log = []
    monkeypatch.setattr(_blind, "_blind_learners", lambda *_: {"only": Recorder(log)})
    blind_auc(table, sides, units)
    splits = list(zip(log[::2], log[1::2], strict=True))
    assert len(splits) == 2
    for (learned, membership), judged in splits:
        assert_array_equal(np.sort(np.r_[learned, judged]), np.arange(200))
        assert not set(units[learned]) & set(units[judged])
        assert len(set(units[learned])) == 40
        assert_array_equal(membership, sides[learned])
    ((first, _), judged_by_first), ((second, _), _) = splits
    assert_array_equal(second, judged_by_first)
    assert not set(first) & set(second)


def test_sides_too_small_to_be_split_have_no_baseline(table):
    sides = np.arange(200) < 2
    assert blind_auc(table, sides, np.arange(200)) is None
