"""Metrics on any scores: as counted by hand, in any order, on any scale."""

import math
from dataclasses import astuple, replace
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from helpers.properties import confidences, fprs, holds, rescaling, scored, seeds, st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats

from sklearn_mia.metrics import (
    compare_attacks,
    epsilon_lower_bound,
    expected_fpr,
    exposed_members,
    membership_advantage_interval,
    membership_advantage_score,
    min_nonmembers_for_fpr,
    positive_predictive_value,
    rate_interval,
    resolve_rate,
    roc_auc_interval,
    threshold_at_fpr,
    tpr_at_fpr_interval,
    tpr_at_fpr_score,
)
from sklearn_mia.metrics._auc import delong_variance, placements
from sklearn_mia.metrics._difference import shared_correlation
from sklearn_mia.metrics._intervals import _chosen_threshold_interval, clopper_pearson
from sklearn_mia.metrics._rates import n_permitted

pytestmark = pytest.mark.filterwarnings("ignore:max_fpr=.*permits:UserWarning")


def thresholds(scores):
    """All that can be told apart, an alarm above it; the first names everyone."""
    return [-math.inf, *np.unique(scores)]


def rates(is_member, scores, threshold):
    return tuple(
        Fraction(int(np.count_nonzero(scores[side] > threshold)), int(side.sum()))
        for side in (~is_member, is_member)
    )


def all_measures(is_member, scores, fpr=0.25, confidence=0.9):
    """Everything that the metrics say of scores, but for thresholds."""
    found = [
        tpr_at_fpr_score(is_member, scores, max_fpr=fpr),
        membership_advantage_score(is_member, scores),
        astuple(roc_auc_interval(is_member, scores, confidence=confidence)),
        astuple(membership_advantage_interval(is_member, scores)),
        astuple(resolve_rate(is_member, scores, max_fpr=fpr)),
        epsilon_lower_bound(is_member, scores, random_inclusion=False).epsilon,
    ]
    if n_permitted(fpr, np.count_nonzero(~is_member)):
        interval = tpr_at_fpr_interval(is_member, scores, max_fpr=fpr)
        found.append(astuple(interval))
    return found


# By hand


@holds(60, data=scored())
def test_the_auc_is_the_share_of_pairs_in_order(data):
    is_member, scores = data
    pairs = product(scores[is_member].tolist(), scores[~is_member].tolist())
    won = [Fraction(int(a > b) * 2 + int(a == b), 2) for a, b in pairs]
    estimate = roc_auc_interval(is_member, scores).estimate
    assert estimate == pytest.approx(float(sum(won) / len(won)), abs=1e-12)


@holds(60, data=scored(), fpr=fprs)
def test_the_tpr_is_the_best_of_all_thresholds_within_the_rate(data, fpr):
    is_member, scores = data
    curve = [rates(is_member, scores, t) for t in thresholds(scores)]
    within = [point for point in curve if float(point[0]) <= fpr]
    beyond = [point for point in curve if float(point[0]) > fpr]
    found = resolve_rate(is_member, scores, max_fpr=fpr)
    assert tpr_at_fpr_score(is_member, scores, max_fpr=fpr) == found.tpr
    assert found.tpr == float(max(tpr for _, tpr in within))
    assert found.fpr == float(max(wrong for wrong, _ in within))
    assert found.next_fpr == pytest.approx(float(min(wrong for wrong, _ in beyond)))
    at_next = [tpr for wrong, tpr in beyond if wrong == min(w for w, _ in beyond)]
    assert found.next_tpr == float(min(at_next))
    least = membership_advantage_score(is_member, scores)
    assert least == pytest.approx(float(max(tpr - wrong for wrong, tpr in curve)))


@holds(60, data=scored(), fpr=fprs)
def test_no_lower_threshold_keeps_the_rate(data, fpr):
    is_member, scores = data
    others = scores[~is_member]
    threshold = threshold_at_fpr(others, fpr)
    assert threshold in others
    assert float(rates(is_member, scores, threshold)[0]) <= fpr
    for lower in (t for t in thresholds(others) if t < threshold):
        assert float(rates(is_member, scores, lower)[0]) > fpr


@holds(30, n=st.integers(1, 25), share=st.floats(0, 1), confidence=confidences)
def test_exact_intervals_leave_out_what_they_say(n, share, confidence):
    """Summed over all outcomes, in fractions."""
    k, tail = round(share * n), (1 - confidence) / 2
    low, high = clopper_pearson(k, n, tail)
    interval = rate_interval(k, n, confidence=confidence)
    assert (interval.low, interval.high) == (low, high)

    def mass(p, events):
        p = Fraction(p)
        terms = (math.comb(n, i) * p**i * (1 - p) ** (n - i) for i in events)
        return float(sum(terms))

    if k > 0:
        assert mass(low, range(k, n + 1)) == pytest.approx(tail)
    if k < n:
        assert mass(high, range(k + 1)) == pytest.approx(tail)
    assert (low == 0, high == 1) == (k == 0, k == n)


@holds(25, data=scored(most=8), fpr=fprs, confidence=confidences)
def test_the_law_of_a_chosen_threshold_is_that_of_all_ranks(data, fpr, confidence):
    """Of each rank that the true threshold may have, the law of the members above."""
    is_member, scores = data
    members, others = scores[is_member], np.sort(scores[~is_member])[::-1]
    n1, n0, tail = len(members), len(others), (1 - confidence) / 2
    cuts = [math.inf, *others, -math.inf]
    laws = np.zeros((2, n1 + 1))
    for rank in range(n0 + 1):
        weight = math.comb(n0, rank) * fpr**rank * (1 - fpr) ** (n0 - rank)
        for law, cut in zip(laws, cuts[rank : rank + 2], strict=True):
            share = np.count_nonzero(members > cut) / n1
            for above in range(n1 + 1):
                ways = math.comb(n1, above)
                law[above] += weight * ways * share**above * (1 - share) ** (n1 - above)
    ends = _chosen_threshold_interval(members, others[::-1], fpr, tail)
    for end, law, level in zip(
        ends, np.cumsum(laws, axis=1), (tail, 1 - tail), strict=True
    ):
        place = round(end * n1)
        assert law[place] >= level - 1e-9
        assert place == 0 or law[place - 1] < level + 1e-9


@holds(40, data=scored(most=10), fdr=st.sampled_from([0.05, 0.1, 0.3, 0.45]))
def test_who_is_named_is_who_may_be_by_every_threshold(data, fdr):
    is_member, scores = data
    n1, n0 = int(is_member.sum()), int((~is_member).sum())
    allowed = []
    for value in np.unique(scores[is_member]):
        right = Fraction(int(np.count_nonzero(scores[is_member] >= value)), n1)
        wrong = Fraction(int(np.count_nonzero(scores[~is_member] >= value)) + 1, n0 + 1)
        if float(wrong / (right + wrong)) <= fdr + 1e-12:
            allowed.append(value)
    found = exposed_members(is_member, scores, max_fdr=fdr)
    expected = is_member & (scores >= min(allowed, default=math.inf))
    assert_array_equal(found.named, expected)
    assert found.n_named == expected.sum()
    # Each record's rank among the non-members, itself included.
    for score, member, p in zip(scores, is_member, found.p_values, strict=True):
        above = np.count_nonzero(scores[~is_member] >= score)
        assert p == (above + member) / (n0 + member)


@holds(40, n=st.integers(1, 400), fpr=st.floats(1e-4, 0.999))
def test_permitted_alarms_are_as_many_as_keep_the_rate(n, fpr):
    k = n_permitted(fpr, n)
    assert k / n <= fpr < (k + 1) / n
    least = min_nonmembers_for_fpr(fpr)
    assert n_permitted(fpr, least) >= 1
    assert least == 1 or n_permitted(fpr, least - 1) == 0


@holds(30, n=st.integers(1, 8), k=st.integers(0, 8))
def test_a_new_person_takes_each_rank_as_often(n, k):
    k = min(k, n)
    accused = [rank <= k for rank in range(n + 1)]
    assert expected_fpr(k, n) == pytest.approx(np.mean(accused))


@holds(30, counts=st.tuples(*[st.integers(1, 50)] * 4), seed=seeds)
def test_the_share_of_members_among_the_accused_is_counted(counts, seed):
    right, missed, wrong, spared = counts
    n1, n0 = right + missed, wrong + spared
    value = positive_predictive_value(right / n1, wrong / n0, n1 / (n1 + n0))
    assert value == pytest.approx(right / (right + wrong))


@holds(40, data=scored(fewest=2))
def test_delongs_variance_is_that_of_pairs(data):
    is_member, scores = data
    wins = np.sign(scores[is_member][:, None] - scores[~is_member]) / 2 + 0.5
    of_members, of_others = placements(scores[is_member], scores[~is_member])
    assert_allclose(of_members, wins.mean(axis=1))
    assert_allclose(of_others, wins.mean(axis=0))
    expected = sum(np.var(v, ddof=1) / len(v) for v in (of_members, of_others))
    assert delong_variance(of_members, of_others) == pytest.approx(expected)


# In any order, on any scale


@holds(25, data=scored(), seed=seeds)
def test_the_order_of_the_records_does_not_matter(data, seed):
    is_member, scores = data
    order = np.random.default_rng(seed).permutation(len(scores))
    expected = all_measures(is_member, scores)
    assert all_measures(is_member[order], scores[order]) == expected
    named = exposed_members(is_member, scores, max_fdr=0.4).named
    again = exposed_members(is_member[order], scores[order], max_fdr=0.4).named
    assert_array_equal(again, named[order])


@holds(25, data=scored(), table=rescaling())
def test_a_rising_change_of_scale_does_not_matter(data, table):
    is_member, scores = data
    other = table[scores.astype(int)]
    assert all_measures(is_member, other) == all_measures(is_member, scores)
    for fpr in (0.01, 0.25, 0.5):
        threshold = threshold_at_fpr(scores[~is_member], fpr)
        expected = table[int(threshold)]
        assert threshold_at_fpr(other[~is_member], fpr) == expected


@holds(25, data=scored(), names=st.permutations(["member", "other"]))
def test_the_names_of_the_sides_do_not_matter(data, names):
    is_member, scores = data
    expected = tpr_at_fpr_score(is_member, scores, max_fpr=0.25)
    advantage = membership_advantage_score(is_member, scores)
    for members, others in ((1, 0), (True, False), (-7, 3), names):
        given = np.where(is_member, members, others)
        params = {} if members in (1, True) else {"pos_label": members}
        found = tpr_at_fpr_score(given, scores, max_fpr=0.25, **params)
        assert found == expected
        assert membership_advantage_score(given.tolist(), scores, **params) == advantage


@holds(40, data=scored(fewest=2), confidence=confidences)
def test_sides_exchanged_or_scores_negated_turn_the_auc_around(data, confidence):
    is_member, scores = data
    one = roc_auc_interval(is_member, scores, confidence=confidence)
    for other in (
        roc_auc_interval(~is_member, scores, confidence=confidence),
        roc_auc_interval(is_member, -scores, confidence=confidence),
    ):
        turned = (1 - other.estimate, 1 - other.high, 1 - other.low)
        assert_allclose(turned, (one.estimate, one.low, one.high), atol=1e-9)


@holds(40, data=scored(fewest=2), seed=seeds)
def test_groups_of_one_are_records(data, seed):
    is_member, scores = data
    names = np.random.default_rng(seed).permutation(len(scores)) * 7
    with_groups = roc_auc_interval(is_member, scores, groups=names)
    alone = roc_auc_interval(is_member, scores)
    if with_groups.low is not None:
        assert_allclose(
            (with_groups.estimate, with_groups.low, with_groups.high),
            (alone.estimate, alone.low, alone.high),
            atol=1e-9,
        )


@holds(25, data=scored(fewest=3), seed=seeds)
def test_an_attack_compared_with_another_is_the_other_turned_around(data, seed):
    is_member, scores = data
    other = np.random.default_rng(seed).integers(0, 5, len(scores)) * 1.0
    one = compare_attacks(is_member, scores, other)
    back = compare_attacks(is_member, other, scores)
    assert one.difference.estimate == pytest.approx(-back.difference.estimate)
    assert one.difference.low == pytest.approx(-back.difference.high, abs=1e-9)
    assert one.p_value == pytest.approx(back.p_value)
    same = compare_attacks(is_member, scores, scores)
    assert same.difference.estimate == 0
    assert same.difference.low <= 0 <= same.difference.high


@holds(30, n=st.integers(1, 12), seed=seeds)
def test_estimates_correlate_by_the_records_that_they_share(n, seed):
    rng = np.random.default_rng(seed)
    new, old = rng.normal(size=n), rng.normal(size=n + 3)
    shared = rng.integers(0, n + 1)
    rows_new, rows_old = rng.permutation(n)[:shared], rng.permutation(n + 3)[:shared]
    pairs = zip(rows_new.tolist(), rows_old.tolist(), strict=True)
    product = sum(new[i] * old[j] for i, j in pairs)
    expected = product / math.sqrt(sum(v * v for v in new) * sum(v * v for v in old))
    found = shared_correlation(new, old, rows_new, rows_old)
    assert found == pytest.approx(expected)
    rows = np.arange(n)
    assert shared_correlation(new, new * 3, rows, rows) == pytest.approx(1)
    assert shared_correlation(new, -new, rows, rows) == pytest.approx(-1)
    assert shared_correlation(new, new * 0, rows, rows) == 0


# Surer is wider


@holds(40, data=scored(fewest=2), fpr=fprs, pair=st.tuples(confidences, confidences))
def test_a_surer_interval_holds_the_other(data, fpr, pair):
    is_member, scores = data
    n0 = int(np.count_nonzero(~is_member))
    groups = np.arange(len(scores)) // 2
    intervals = [
        lambda c: roc_auc_interval(is_member, scores, confidence=c),
        lambda c: roc_auc_interval(is_member, scores, confidence=c, groups=groups),
        lambda c: membership_advantage_interval(is_member, scores, confidence=c),
        lambda c: (
            compare_attacks(
                is_member, scores, np.roll(scores, 1), confidence=c
            ).difference
        ),
        lambda c: rate_interval(min(3, n0), n0, confidence=c),
    ]
    if n_permitted(fpr, n0):
        intervals.append(
            lambda c: tpr_at_fpr_interval(is_member, scores, max_fpr=fpr, confidence=c)
        )
    for interval in intervals:
        less, more = (interval(c) for c in sorted(pair))
        assert less.estimate == more.estimate
        if less.low is None:
            assert more.low is None
            continue
        assert more.low <= less.low + 1e-12
        assert less.high <= more.high + 1e-12
        assert less.low - 1e-12 <= less.estimate <= less.high + 1e-12
        assert replace(less, confidence=0, low=0, high=0, note="") == replace(
            more, confidence=0, low=0, high=0, note=""
        )


@holds(40, data=scored(), pair=st.tuples(confidences, confidences))
def test_a_surer_epsilon_is_smaller(data, pair):
    is_member, scores = data
    less, more = (
        epsilon_lower_bound(
            is_member, scores, random_inclusion=False, confidence=c
        ).epsilon
        for c in sorted(pair)
    )
    assert 0 <= more <= less


@holds(25, n=st.integers(2, 300), confidence=confidences)
def test_exact_intervals_hold_the_rate_as_often_as_they_say(n, confidence):
    """Over all outcomes of one rate: the chance that the interval holds it."""
    rate = 0.5 / n if n % 3 else 0.37
    ends = [clopper_pearson(k, n, (1 - confidence) / 2) for k in range(n + 1)]
    within = [low <= rate <= high for low, high in ends]
    assert stats.binom.pmf(np.arange(n + 1), n, rate) @ within >= confidence - 1e-9
