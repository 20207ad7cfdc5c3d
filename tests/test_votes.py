"""The vote model of bagged forests against its formulas, summed by hand."""

from itertools import combinations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from sklearn_mia.attacks._votes import VoteModel, tree_correlation, vote_model


@pytest.fixture
def ballots():
    """0 or 1 of each OUT tree, one list a forest and record; and the classes."""
    rng = np.random.default_rng(0)
    codes = rng.integers(2, size=30)
    right = rng.beta(3, 1, size=30) * np.where(codes == 1, 1, 0.6)
    of_forest = np.clip(right + rng.normal(0, 0.2, size=(5, 30)), 0, 1)
    sizes = rng.integers(0, 5, size=(5, 30))
    lists = [
        [rng.random(n) < p for n, p in zip(*rows, strict=True)]
        for rows in zip(sizes, of_forest, strict=True)
    ]
    return lists, codes


def counted(lists):
    votes = np.array([[b.sum() for b in forest] for forest in lists], dtype=float)
    return votes, np.array([[b.size for b in forest] for forest in lists], dtype=float)


def test_correlation_is_the_agreement_within_forests_beyond_that_between(ballots):
    lists, _ = ballots
    within, between, shares = [], [], []
    for record in zip(*lists, strict=True):
        voted = [b for b in record if b.size]
        shares += [b.mean() for b in voted]
        within += [
            np.mean([a & b for a, b in combinations(ballot, 2)])
            for ballot in voted
            if ballot.size > 1
        ]
        if len(voted) > 1:
            pairs = combinations([b.mean() for b in voted], 2)
            between.append(np.mean([a * b for a, b in pairs]))
    level = np.mean(between)
    expected = (np.mean(within) - level) / (np.mean(shares) - level)
    assert 0 < expected < 0.5
    assert tree_correlation(*counted(lists)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("votes", "n_out"),
    [
        ([[1.0, 2.0]], [[2.0, 2.0]]),
        ([[1.0, 0.0], [0.0, 1.0]], [[1.0, 1.0], [1.0, 1.0]]),
        ([[2.0, 2.0], [2.0, 2.0]], [[2.0, 2.0], [2.0, 2.0]]),
    ],
    ids=["one forest", "single trees", "all right"],
)
def test_a_correlation_that_cannot_be_seen_is_a_small_one(votes, n_out):
    assert tree_correlation(np.array(votes), np.array(n_out)) == 0.02


def test_correlation_stays_between_none_and_a_half():
    # Trees of a forest agree always, forests never: as if one tree voted.
    n_out = np.full((4, 6), 3.0)
    together = 3.0 * ((np.arange(6) + np.arange(4)[:, None]) % 2)
    assert tree_correlation(together, n_out) == 0.5
    apart = np.tile([1.0, 2.0], 12).reshape(4, 6)
    assert tree_correlation(apart, n_out) == 0


def test_weight_of_the_class_mean_by_hand(ballots):
    lists, codes = ballots
    votes, n_out = counted(lists)
    model = vote_model(votes, n_out, codes, 2)
    total, count = votes.sum(axis=0), n_out.sum(axis=0)
    for c in (0, 1):
        own = codes == c
        expected = total[own].sum() / count[own].sum()
        assert model.class_mean[c] == pytest.approx(expected)
    rho = tree_correlation(votes, n_out)
    assert model.correlation == rho
    mu, share = model.class_mean[codes], total / count
    worth = np.sum(n_out / (1 + np.maximum(n_out - 1, 0) * rho), axis=0)
    noise = np.mean(share * (1 - share) / worth)
    beyond = np.mean((share - mu) ** 2) - noise
    expected = np.mean(mu * (1 - mu)) / beyond - 1
    assert 0.3 < expected < 20
    assert noise > 0.1 * beyond
    assert model.weight == pytest.approx(expected)


def test_weight_of_the_class_mean_has_bounds():
    n_out = np.full((2, 40), 4.0)
    codes = np.zeros(40, dtype=int)
    alike = vote_model(np.full((2, 40), 2.0), n_out, codes, 1)
    assert alike.weight == 20
    opposed = vote_model(np.tile([0.0, 4.0], (2, 20)), n_out, codes, 1)
    assert opposed.weight == 0.3


def test_a_class_without_records_has_the_mean_of_all():
    votes, n_out = np.array([[3.0, 1.0], [2.0, 0.0]]), np.full((2, 2), 4.0)
    model = vote_model(votes, n_out, np.array([0, 2]), 3)
    assert_allclose(model.class_mean, [5 / 8, 6 / 16, 1 / 8])


def test_each_record_is_drawn_to_the_mean_of_its_own_class():
    model = VoteModel(0.0, np.array([0.2, 0.9]), 3.0)
    votes, n_out = np.zeros((1, 3)), np.array([[0.0, 0.0, 6.0]])
    alpha, beta = model.beta(votes, n_out, np.array([0, 1, 1]))
    assert_allclose(alpha / (alpha + beta), [0.2, 0.9, 3 * 0.9 / 9])
    # Without a correlation the trees and the records of the class mean add up.
    assert_allclose(alpha + beta, [3, 3, 9])


def test_trees_that_are_never_right_leave_a_chance():
    model = VoteModel(0.02, np.array([0.0, 1.0]), 3.0)
    votes, n_out = np.array([[0.0, 4.0]]), np.full((1, 2), 4.0)
    alpha, beta = model.beta(votes, n_out, np.array([0, 1]))
    assert_allclose(alpha / (alpha + beta), [1e-6, 1 - 1e-6])
    assert (np.minimum(alpha, beta) > 0).all()
