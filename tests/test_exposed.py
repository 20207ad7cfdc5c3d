"""Whom an attacker can name with few of those named wrong.

The slow test asks that the mean share of wrong names over 2,000 draws is at most two of
its standard errors above what is promised.
"""

import numpy as np
import pytest
from helpers.laws import Levels, Persons, Shifted
from numpy.testing import assert_array_equal

from sklearn_mia.auditing._evaluation import exposure
from sklearn_mia.metrics import (
    exposed_members,
    min_nonmembers_to_name,
    positive_predictive_value,
)


class Exposed:
    """A share of the members stands well above a rest like the non-members."""

    def __init__(self, share, shift):
        self.share, self.shift = share, shift

    def draw(self, rng, n1, n0):
        scores = rng.normal(size=n1 + n0)
        scores[:n1] += self.shift * (rng.random(n1) < self.share)
        return scores


def sides(n1, n0):
    return np.arange(n1 + n0) < n1


def test_named_is_the_longest_list_that_is_right_enough():
    rng = np.random.default_rng(0)
    for n1, n0, prior, max_fdr in (
        (60, 40, 0.5, 0.1),
        (60, 400, 0.5, 0.3),
        (60, 400, 0.2, 0.1),
        (100, 30, 0.5, 0.2),
    ):
        is_member = sides(n1, n0)
        scores = np.round(4 * rng.normal(size=n1 + n0) + 8 * is_member)
        longest, threshold, wrong = 0, np.inf, 0.0
        for t in sorted(set(scores[is_member].tolist())):
            found = int(np.sum(scores[is_member] >= t))
            alarms = int(np.sum(scores[~is_member] >= t))
            ppv = positive_predictive_value(
                found / n1, (alarms + 1) / (n0 + 1), prior=prior
            )
            if 1 - ppv <= max_fdr and found > longest:
                longest, threshold, wrong = found, t, 1 - ppv
        exposed = exposed_members(is_member, scores, max_fdr=max_fdr, prior=prior)
        assert longest > 0
        assert (exposed.n_named, exposed.threshold) == (longest, threshold)
        assert exposed.false_discoveries == pytest.approx(wrong)
        assert exposed.n_false_alarms == np.sum(scores[~is_member] >= threshold)
        assert_array_equal(exposed.named, is_member & (scores >= threshold))


def test_p_values_are_ranks_among_the_non_members():
    is_member = np.array([True, True, True, False, False, False, False])
    scores = [9, 3, 0, 5, 3, 1, 1]
    p_values = exposed_members(is_member, scores).p_values
    assert_array_equal(p_values, [1 / 5, 3 / 5, 1, 1 / 4, 2 / 4, 1, 1])
    assert_array_equal(exposure(np.array(scores, dtype=float), is_member), p_values)


def test_the_order_of_the_records_does_not_matter():
    rng = np.random.default_rng(0)
    is_member = sides(200, 200)
    scores = rng.integers(6, size=400) + 3.0 * is_member
    order = rng.permutation(400)
    one = exposed_members(is_member, scores)
    other = exposed_members(is_member[order], scores[order])
    assert 0 < one.n_named == other.n_named
    assert one.threshold == other.threshold
    assert_array_equal(one.named[order], other.named)
    assert_array_equal(one.p_values[order], other.p_values)


def test_a_tie_with_one_non_member_too_many_names_nobody():
    is_member = sides(20, 99)
    for n_tied, named in ((0, 20), (9, 20), (10, 20), (11, 0)):
        scores = is_member.astype(float)
        scores[20 : 20 + n_tied] = 1
        # (n_tied + 1) / 100 <= 1 / 9
        assert exposed_members(is_member, scores).n_named == named


def test_the_fewest_non_members_name_every_member_of_a_perfect_attack():
    for max_fdr, prior in ((0.1, 0.5), (0.1, 0.01), (0.3, 0.2), (0.01, 0.5)):
        n0 = min_nonmembers_to_name(max_fdr, prior=prior)
        for n, named in ((n0, 50), (n0 - 1, 0)):
            if n == 0:
                continue
            is_member = sides(50, n)
            exposed = exposed_members(
                is_member, is_member * 1.0, max_fdr=max_fdr, prior=prior
            )
            assert exposed.n_named == named
            assert (exposed.fewest <= 50) == (named > 0)
    assert min_nonmembers_to_name() == 8
    assert min_nonmembers_to_name(0.1, prior=0.01) == 890
    assert min_nonmembers_to_name(0.4, prior=0.5) == 1


def test_the_shortest_list_that_can_be_named():
    is_member = sides(100, 99)
    for n_above, named in ((8, 0), (9, 9)):
        scores = np.zeros(199)
        scores[:n_above] = 1
        exposed = exposed_members(is_member, scores)
        assert (exposed.n_named, exposed.fewest) == (named, 9)


def test_nobody_named_is_said_with_what_would_be_needed():
    exposed = exposed_members(sides(30, 29), np.zeros(59))
    assert str(exposed) == (
        "0 of those known to be members can be named (so few non-members support no "
        "list of fewer than 9 members)"
    )
    assert exposed.threshold == np.inf
    assert not exposed.named.any()
    exposed = exposed_members(sides(30, 7), np.zeros(37))
    assert exposed.note == (
        "7 non-members support no list at all: at least 8 are needed"
    )


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"max_fdr": 0.5}, "naming every one of them is right often enough"),
        ({"prior": 0.95}, "expected max_fdr below 1 - prior"),
        ({"max_fdr": 10}, "max_fdr=10 is not a number in"),
        ({"prior": 0}, "prior=0 is not a number in"),
    ],
)
def test_rates_that_ask_for_nothing(params, message):
    with pytest.raises(ValueError, match=message):
        exposed_members([1, 0], [1, 0], **params)


LAWS = {
    "no leak": Shifted(0),
    "one sd": Shifted(1),
    "two sds": Shifted(2),
    "a twentieth exposed": Exposed(0.05, 6),
    "a fifth exposed": Exposed(0.2, 3),
    "tied": Levels([1, 2, 3, 6], [6, 3, 2, 1]),
    "two scores": Levels([1, 1], [49, 1]),
    "persons": Persons(0.5, 0),
    "persons of alike records": Persons(0.5, 0.5),
}


def share_wrong(law, n1, n0, max_fdr, prior, n_draws):
    """Shares of wrong names among as many candidates as the prior says."""
    rng, n_candidates = np.random.default_rng(0), round(n1 * (1 - prior) / prior)
    shares, is_member = [], sides(n1, n0)
    for _ in range(n_draws):
        exposed = exposed_members(
            is_member, law.draw(rng, n1, n0), max_fdr=max_fdr, prior=prior
        )
        wrong = np.sum(law.draw(rng, 1, n_candidates)[1:] >= exposed.threshold)
        shares.append(wrong / max(1, wrong + exposed.n_named))
    return np.array(shares)


@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_few_of_those_named_are_wrong(law):
    shares = share_wrong(law, 100, 100, 0.1, 0.5, 200)
    assert shares.mean() <= 0.1 + 2 * shares.std() / 200**0.5


@pytest.mark.slow
@pytest.mark.parametrize("law", LAWS.values(), ids=LAWS)
def test_few_of_those_named_are_wrong_at_all_sizes(law):
    for n1, n0 in ((20, 20), (50, 400), (200, 200), (1000, 300)):
        for max_fdr in (0.1, 0.3):
            for prior in (0.5, 0.1):
                shares = share_wrong(law, n1, n0, max_fdr, prior, 2000)
                bound = max_fdr + 2 * shares.std() / 2000**0.5
                assert shares.mean() <= bound, (n1, n0, max_fdr, prior)
