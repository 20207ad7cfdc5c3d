"""Every interval, by its formula and by how often it holds.

Of the slow tests, 4,000 draws put an exactly correct 95 % interval below .935 in fewer
than one of 10,000 cells, 2,000 draws in one of 1,000. Seeds are fixed.
"""

import re
import tracemalloc

import numpy as np
import pytest
from helpers.laws import Levels, Shifted, exposed, held, wrong
from helpers.metrics import few_alarms, leaky, pairwise_placements
from scipy import stats
from sklearn.metrics import roc_auc_score

from sklearn_mia.metrics import (
    compare_attacks,
    epsilon_lower_bound,
    membership_advantage_interval,
    rate_interval,
    roc_auc_interval,
    threshold_at_fpr,
    tpr_at_fpr_interval,
    tpr_at_fpr_score,
)
from sklearn_mia.metrics._auc import placements
from sklearn_mia.metrics._intervals import wilson_interval


def test_auc_of_few_valued_scores_is_not_biased():
    rng = np.random.default_rng(0)
    is_member = np.arange(1000) < 500
    for n_values in (2, 5, 20):
        scores = rng.integers(n_values, size=1000)
        interval = roc_auc_interval(is_member, scores)
        assert interval.estimate == pytest.approx(roc_auc_score(is_member, scores))
        assert interval.low < 0.5 < interval.high


def test_members_listed_first_do_not_make_tied_scores_significant():
    is_member = np.arange(1000) < 500
    scores = np.random.default_rng(1).integers(2, size=1000)
    forward = roc_auc_interval(is_member, scores)
    backward = roc_auc_interval(is_member[::-1], scores[::-1])
    assert forward == backward
    assert forward.low < 0.5 < forward.high


def test_no_event_among_200_is_compatible_with_a_rate_of_1_83_percent():
    interval = rate_interval(0, 200)
    assert interval.estimate == interval.low == 0
    assert interval.high == pytest.approx(1 - 0.025 ** (1 / 200))
    assert round(interval.high, 4) == 0.0183


def test_rate_interval_is_the_exact_one_of_scipy():
    for k, n in [(0, 5), (3, 10), (10, 10), (487, 1000)]:
        expected = stats.binomtest(k, n).proportion_ci(0.9)
        interval = rate_interval(k, n, confidence=0.9)
        assert (interval.low, interval.high) == pytest.approx(tuple(expected))


@pytest.mark.parametrize("decimals", [None, 1, 0])
def test_auc_interval_is_delong_computed_from_all_pairs(decimals):
    is_member, scores = leaky(60, decimals=decimals)
    v1, v0 = pairwise_placements(is_member, scores)
    auc, sd = v1.mean(), np.sqrt((v1.var(ddof=1) + v0.var(ddof=1)) / 60)
    parts = np.array([v1.var(ddof=1), v0.var(ddof=1)]) / 60
    freedom = parts.sum() ** 2 / np.sum(parts**2 / 59)
    half = stats.t.ppf(0.975, freedom) * sd / auc / (1 - auc)
    logit = np.log(auc / (1 - auc)) + np.array([-1, 1]) * half
    interval = roc_auc_interval(is_member, scores)
    assert interval.estimate == pytest.approx(roc_auc_score(is_member, scores))
    assert [interval.low, interval.high] == pytest.approx(1 / (1 + np.exp(-logit)))


def test_auc_interval_of_four_records_with_ties():
    is_member, scores = np.array([1, 0, 1, 0]) == 1, np.array([9.0, 9, 5, 5])
    v1, v0 = pairwise_placements(is_member, scores)
    assert v1.var(ddof=1) / 2 + v0.var(ddof=1) / 2 == 0.125
    interval = roc_auc_interval(is_member, scores)
    # Two records a side: Student's law with 2 degrees of freedom.
    ends = 1 / (1 + np.exp(np.array([1, -1]) * 4.302653 * np.sqrt(0.125) / 0.25))
    assert [interval.low, interval.high] == pytest.approx(ends)


def test_a_perfect_auc_has_a_lower_end_that_knows_how_few_records_there_are():
    interval = roc_auc_interval([1, 1, 0, 0], [4, 3, 2, 1])
    assert interval.estimate == interval.high == 1
    assert interval.low == pytest.approx(0.025**0.5)
    assert interval.note
    reverse = roc_auc_interval([0, 0, 1, 1], [4, 3, 2, 1])
    assert reverse.estimate == reverse.low == 0
    assert reverse.high == pytest.approx(1 - 0.025**0.5)


def test_one_wrong_pair_does_not_raise_the_lower_end_above_the_perfect_one():
    is_member = np.arange(200) < 100
    perfect = np.arange(200)[::-1].astype(float)
    almost = perfect.copy()
    almost[[99, 100]] = almost[[100, 99]]
    assert (
        roc_auc_interval(is_member, almost).low
        <= roc_auc_interval(is_member, perfect).low
    )


def test_one_member_has_an_auc_but_no_interval():
    interval = roc_auc_interval([1] + [0] * 50, np.arange(51))
    assert interval.estimate == 0
    assert interval.low is None
    assert interval.high is None
    assert interval.note == (
        "interval not available: needs 2 members and 2 non-members, got 1 and 50"
    )
    assert str(interval) == f"0 ({interval.note})"


def test_auc_mirrors_when_the_scores_are_negated():
    is_member, scores = leaky(50)
    up, down = (roc_auc_interval(is_member, sign * scores) for sign in (1, -1))
    assert (up.estimate, up.low, up.high) == pytest.approx(
        (1 - down.estimate, 1 - down.high, 1 - down.low)
    )


def test_tpr_interval_is_that_of_a_threshold_known_only_by_its_rank():
    is_member, scores = leaky(300, decimals=2)
    interval = tpr_at_fpr_interval(is_member, scores, max_fpr=0.05)
    rng = np.random.default_rng(0)
    descending = np.r_[np.inf, np.sort(scores[~is_member])[::-1]]
    above = rng.binomial(300, 0.05, size=40_000)
    ends = []
    for shift, level in ((0, 0.025), (1, 0.975)):
        cuts = descending[above + shift]
        share = np.mean(scores[is_member] > cuts[:, None], axis=1)
        ends.append(np.quantile(rng.binomial(300, share) / 300, level))
    found = round(interval.estimate * 300)
    fixed = rate_interval(found, 300)
    assert interval.low == pytest.approx(min(ends[0], fixed.low), abs=0.004)
    assert interval.high == pytest.approx(max(ends[1], fixed.high), abs=0.004)
    assert interval.estimate == tpr_at_fpr_score(is_member, scores, max_fpr=0.05)


def test_tpr_interval_tells_the_false_positive_rate_that_was_attained():
    is_member, scores = leaky(1000, decimals=1)
    interval = tpr_at_fpr_interval(is_member, scores, max_fpr=0.0125)
    threshold = threshold_at_fpr(scores[~is_member], 0.0125)
    assert interval.fpr == np.mean(scores[~is_member] > threshold)
    assert interval.fpr < 0.0125


def test_tpr_interval_contains_the_one_for_a_threshold_fixed_beforehand():
    is_member, scores = leaky(500)
    for max_fpr in (0.02, 0.1, 0.5):
        interval = tpr_at_fpr_interval(is_member, scores, max_fpr=max_fpr)
        fixed = rate_interval(round(interval.estimate * 500), 500)
        assert interval.low <= fixed.low
        assert fixed.high <= interval.high


def test_a_rate_finer_than_the_data_is_refused_with_the_number_needed():
    is_member, scores = leaky(200)
    assert 0 <= tpr_at_fpr_score(is_member, scores, max_fpr=0.001) <= 1
    message = (
        "max_fpr=0.001 permits no false alarm among 200 non-members; expected at least "
        "1000 non-members: pass more, or max_fpr=0.005 or higher."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        tpr_at_fpr_interval(is_member, scores, max_fpr=0.001)
    with pytest.raises(ValueError, match=re.escape(message)):
        compare_attacks(is_member, scores, scores, metric="tpr_at_fpr", max_fpr=0.001)


def test_fewer_than_ten_permitted_false_alarms_warn():
    is_member, scores = leaky(200)
    with pytest.warns(
        UserWarning,
        match=re.escape(
            "max_fpr=0.01 permits 2 false alarms among 200 non-members; the interval "
            "is stable from 10, that is from 1000 non-members."
        ),
    ):
        tpr_at_fpr_interval(is_member, scores, max_fpr=0.01)
    tpr_at_fpr_interval(is_member, scores, max_fpr=0.05)


@few_alarms
def test_where_no_data_bounds_the_tpr_from_below_the_interval_says_so():
    is_member = np.arange(1000) < 500
    scores = is_member + np.arange(1000) / 1e4
    short = tpr_at_fpr_interval(is_member, scores, max_fpr=0.005)
    assert short.estimate == 1
    assert short.low == 0
    assert short.note == "a lower end above 0 needs 736 non-members"
    assert 0.995**736 < 0.025 < 0.995**735
    enough = tpr_at_fpr_interval(is_member, scores, max_fpr=0.01)
    assert enough.low == pytest.approx(0.025 ** (1 / 500))
    assert enough.note == ""


def test_advantage_is_zero_within_the_band_without_a_leak():
    is_member, scores = leaky(1000, shift=0)
    interval = membership_advantage_interval(is_member, scores)
    assert 0 < interval.estimate < np.sqrt(np.log(40) / 2 * 2 / 1000)
    assert interval.low == 0
    assert interval.high > interval.estimate


def test_advantage_interval_ends_at_one_for_a_perfect_attack():
    is_member = np.arange(400) < 200
    interval = membership_advantage_interval(is_member, is_member * 1.0)
    assert interval.estimate == interval.high == 1
    assert interval.low == pytest.approx(1 - np.sqrt(np.log(40) / 200))


@few_alarms
@pytest.mark.parametrize(
    "function", [roc_auc_interval, tpr_at_fpr_interval, membership_advantage_interval]
)
def test_more_confidence_is_wider_and_holds_the_estimate(function):
    is_member, scores = leaky(200, decimals=1)
    narrow, wide = (function(is_member, scores, confidence=c) for c in (0.5, 0.99))
    assert 0 <= wide.low <= narrow.low <= narrow.estimate
    assert narrow.estimate <= narrow.high <= wide.high <= 1


BIG = {
    "AUC": roc_auc_interval,
    "TPR": lambda y, s: tpr_at_fpr_interval(y, s, max_fpr=0.01),
    "advantage": membership_advantage_interval,
    "epsilon": lambda y, s: epsilon_lower_bound(y, s, delta=1e-6),
    "epsilon of a split": lambda y, s: epsilon_lower_bound(
        y, s, random_inclusion=False
    ),
    "AUC of two": lambda y, s: compare_attacks(y, s, -s),
    "TPR of two": lambda y, s: compare_attacks(
        y, s, -s, metric="tpr_at_fpr", n_resamples=100
    ),
}


@pytest.mark.parametrize("name", BIG)
def test_memory_grows_with_the_records_and_not_with_their_pairs(name):
    is_member, scores = leaky(10_000, shift=0.5)
    tracemalloc.start()
    try:
        BIG[name](is_member, scores)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Some columns of floats; one byte a pair would be 5,000 bytes a record.
    assert peak < 200 * 20_000


def test_many_records_have_a_narrow_interval():
    is_member, scores = leaky(50_000, shift=0.5)
    interval = roc_auc_interval(is_member, scores)
    assert 0 < interval.low < interval.estimate < interval.high < 1
    # The AUC of two unit normals half a deviation apart.
    assert interval.low < stats.norm.cdf(0.5 / np.sqrt(2)) < interval.high
    assert interval.high - interval.low < 0.01


def draw(kind, rng, n1, n0):
    members, nonmembers = rng.normal(size=n1), rng.normal(size=n0)
    if kind == "diffuse":
        members += 0.5
    elif kind == "few":
        members[rng.random(n1) < 0.025] += 6
    elif kind == "perfect":
        members += 30
    elif kind == "tied":
        members, nonmembers = np.round(members + 0.5), np.round(nonmembers)
    return np.concatenate([members, nonmembers])


def true_values(kind, max_fprs):
    """(AUC, advantage, TPR at each rate) of the distributions behind `draw`."""
    t = np.linspace(-10, 45, 550_001)
    if kind == "tied":
        t = np.arange(-10, 45) + 0.5
    fpr = stats.norm.sf(t)
    tpr = {
        "none": stats.norm.sf(t),
        "diffuse": stats.norm.sf(t - 0.5),
        "few": 0.975 * stats.norm.sf(t) + 0.025 * stats.norm.sf(t - 6),
        "perfect": stats.norm.sf(t - 30),
        "tied": stats.norm.sf(t - 0.5),
    }[kind]
    auc = -np.trapezoid(tpr, fpr)
    return auc, np.max(tpr - fpr), [tpr[fpr <= a][0] for a in max_fprs]


@pytest.mark.slow
@few_alarms
@pytest.mark.parametrize(("n", "n_draws"), [(200, 4000), (1000, 4000), (5000, 2000)])
@pytest.mark.parametrize("kind", ["none", "diffuse", "few", "perfect", "tied"])
def test_95_percent_intervals_hold_the_true_value(kind, n, n_draws):
    max_fprs = (0.01, 0.05)
    auc, advantage, tprs = true_values(kind, max_fprs)
    rng, is_member = np.random.default_rng(n), np.arange(2 * n) < n
    covered = np.zeros(4)
    for _ in range(n_draws):
        scores = draw(kind, rng, n, n)
        intervals = [
            (roc_auc_interval(is_member, scores), auc),
            (membership_advantage_interval(is_member, scores), advantage),
        ]
        for max_fpr, tpr in zip(max_fprs, tprs, strict=True):
            interval = tpr_at_fpr_interval(is_member, scores, max_fpr=max_fpr)
            intervals.append((interval, tpr))
        covered += [i.low - 1e-6 <= true <= i.high + 1e-6 for i, true in intervals]
    print(f"coverage {kind} {n}: {covered / n_draws}")
    assert np.all(covered / n_draws >= 0.935)


@pytest.mark.slow
@few_alarms
@pytest.mark.parametrize("shift", [0.5, 1, 3])
@pytest.mark.parametrize("n_members", [200, 1000, 5000])
@pytest.mark.parametrize("max_fpr", [0.005, 0.01, 0.0149, 0.02])
def test_tpr_interval_holds_with_few_permitted_alarms(shift, n_members, max_fpr):
    """Strong leaks and many members: where re-chosen thresholds alone cover .87."""
    true = stats.norm.sf(stats.norm.isf(max_fpr) - shift)
    rng, is_member = np.random.default_rng(0), np.arange(n_members + 200) < n_members
    covered = 0
    for _ in range(1000):
        scores = rng.normal(size=n_members + 200) + shift * is_member
        interval = tpr_at_fpr_interval(is_member, scores, max_fpr=max_fpr)
        covered += interval.low <= true <= interval.high
    assert covered >= 935


@pytest.mark.slow
@pytest.mark.parametrize("auc", [0.9, 0.98, 0.999])
def test_auc_interval_holds_close_to_one(auc):
    """One cell of an exact method fails in fewer than one of 1,000 runs."""
    shift = stats.norm.ppf(auc) * np.sqrt(2)
    rng, is_member = np.random.default_rng(0), np.arange(400) < 200
    covered = 0
    for _ in range(2000):
        interval = roc_auc_interval(is_member, rng.normal(size=400) + shift * is_member)
        covered += interval.low <= auc <= interval.high
    assert covered >= 0.935 * 2000


Z = 1.959964


@pytest.mark.parametrize("z", [1.0, Z, 2.8])
@pytest.mark.parametrize(("k", "n"), [(0, 7), (1, 29), (8, 10), (450, 1000), (5, 5)])
def test_ends_of_wilson_are_the_rates_that_the_observed_share_just_contradicts(k, n, z):
    p = k / n
    # (p - r) ** 2 = z ** 2 * r * (1 - r) / n, solved for r.
    expected = np.sort(np.roots([1 + z**2 / n, -2 * p - z**2 / n, p**2]))
    assert np.allclose(wilson_interval(p, n, z), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_as_published(k, n, low, high):
    """Newcombe (1998), Two-sided confidence intervals for the single proportion."""
    assert wilson_interval(k / n, n, Z) == pytest.approx((low, high), abs=5e-5)


def test_upper_end_of_the_advantage_is_the_difference_as_published():
    """Newcombe (1998), Interval estimation for the difference: 56/70 - 48/80."""
    scores = np.r_[np.repeat([1, 0], [56, 14]), np.repeat([1, 0], [48, 32])]
    interval = membership_advantage_interval(np.arange(150) < 70, scores)
    assert interval.estimate == pytest.approx(56 / 70 - 48 / 80)
    assert interval.high == pytest.approx(0.3339, abs=5e-5)


def test_placements_are_shares_of_the_other_side():
    rng = np.random.default_rng(0)
    members, nonmembers = rng.integers(5, size=30), rng.integers(4, size=50)
    wins = np.sign(members[:, None] - nonmembers) / 2 + 0.5
    of_members, of_nonmembers = placements(members, nonmembers)
    np.testing.assert_allclose(of_members, wins.mean(axis=1))
    np.testing.assert_allclose(of_nonmembers, wins.mean(axis=0))


@few_alarms
@pytest.mark.parametrize("decimals", [8, 0])
@pytest.mark.parametrize("max_fpr", [0.05, 0.2])
def test_tpr_interval_is_the_sum_over_all_ranks_of_the_threshold(max_fpr, decimals):
    rng = np.random.default_rng(0)
    members = np.round(rng.normal(1, 1, size=50), decimals)
    nonmembers = np.round(rng.normal(size=60), decimals)
    cuts = np.r_[np.inf, np.sort(nonmembers)[::-1], -np.inf]
    weights = stats.binom.pmf(np.arange(61), 60, max_fpr)
    ends = []
    for shift, level in ((0, 0.025), (1, 0.975)):
        above = np.mean(members > cuts[np.arange(61) + shift, None], axis=1)
        reached = [weights @ stats.binom.cdf(x, 50, above) for x in range(51)]
        ends.append(np.argmax(np.array(reached) >= level) / 50)
    interval = tpr_at_fpr_interval(
        np.arange(110) < 50, np.r_[members, nonmembers], max_fpr=max_fpr
    )
    fixed = stats.binomtest(round(interval.estimate * 50), 50).proportion_ci(0.95)
    assert interval.low == pytest.approx(min(ends[0], fixed.low))
    # Where non-members tie at the cut and all of them may by chance be too many, the
    # cut below counts as well.
    cut = threshold_at_fpr(nonmembers, max_fpr)
    wrong, found = (np.count_nonzero(s >= cut) for s in (nonmembers, members))
    by_chance = stats.binomtest(wrong, 60, max_fpr, alternative="greater").pvalue
    if np.count_nonzero(nonmembers == cut) > 1 and by_chance >= 0.005:
        ends.append(stats.binomtest(found, 50).proportion_ci(0.95).high)
    assert interval.high == pytest.approx(max(*ends[1:], fixed.high))


def test_where_all_scores_are_equal_the_upper_end_is_that_of_no_event():
    interval = tpr_at_fpr_interval(np.arange(300) < 40, np.ones(300), max_fpr=0.1)
    assert interval.estimate == interval.low == 0
    assert interval.high == pytest.approx(1 - 0.025 ** (1 / 40))


@few_alarms
@pytest.mark.parametrize(("n_nonmembers", "told"), [(367, True), (368, False)])
def test_the_number_that_bounds_the_tpr_from_below_is_just_enough(n_nonmembers, told):
    assert 0.99**368 < 0.025 <= 0.99**367
    is_member = np.arange(50 + n_nonmembers) < 50
    interval = tpr_at_fpr_interval(is_member, is_member * 1.0, max_fpr=0.01)
    assert (interval.low == 0) == told
    needed = "a lower end above 0 needs 368 non-members"
    assert interval.note == (needed if told else "")


def test_nine_permitted_false_alarms_warn_and_ten_do_not():
    is_member = np.arange(250) < 50
    scores = np.random.default_rng(0).normal(size=250)
    tpr_at_fpr_interval(is_member, scores, max_fpr=0.05)
    with pytest.warns(UserWarning, match="max_fpr=0.045 permits 9 false alarms"):
        tpr_at_fpr_interval(is_member, scores, max_fpr=0.045)


@pytest.mark.parametrize(("n_members", "n_nonmembers"), [(3, 50), (50, 3)])
def test_a_perfect_auc_rests_on_the_smaller_side(n_members, n_nonmembers):
    is_member = np.arange(n_members + n_nonmembers) < n_members
    interval = roc_auc_interval(is_member, is_member * 1.0)
    assert interval.low == pytest.approx(0.025 ** (1 / 3))


def test_one_right_pair_does_not_lower_the_upper_end_below_the_reverse_of_perfect():
    is_member = np.arange(200) < 100
    reverse = np.arange(200.0)
    almost = reverse.copy()
    almost[[99, 100]] = almost[[100, 99]]
    expected = roc_auc_interval(is_member, reverse).high
    assert roc_auc_interval(is_member, almost).high >= expected


@pytest.mark.parametrize(("n_members", "n_nonmembers"), [(100, 400), (400, 100)])
def test_the_band_of_the_advantage_counts_both_sides(n_members, n_nonmembers):
    is_member = np.arange(500) < n_members
    interval = membership_advantage_interval(is_member, is_member * 1.0)
    band = np.sqrt(np.log(1 / 0.025) / 2 * (1 / n_members + 1 / n_nonmembers))
    assert interval.low == pytest.approx(1 - band)


@few_alarms
def test_an_interval_where_ties_stop_far_below_the_rate_tells_the_next_pair():
    is_member = np.arange(1000) < 500
    scores = np.r_[np.ones(400), np.zeros(100), np.ones(150), np.zeros(350)]
    interval = tpr_at_fpr_interval(is_member, scores, max_fpr=0.05)
    assert interval.estimate == interval.fpr == 0
    assert interval.note == (
        "tied scores stop at a false-positive rate of 0; the next is 0.3, with a TPR "
        "of 0.8"
    )


ADVANTAGES = {
    "a third of a percent exposed, 200 v 5,000": (exposed(0.003), 200, 5000),
    "1 % exposed, 200 v 5,000": (exposed(0.01), 200, 5000),
    "3 % exposed, 20 v 2,000": (exposed(0.03), 20, 2000),
    "a few wrong, 20 v 2,000": (wrong(0.005, 0.03), 20, 2000),
    "all told but 1 %, 100": (Levels([0, 1], [0.99, 0.01]), 100, 100),
    "five levels, 20": (Levels([1, 2, 3, 4, 5], [2, 2, 3, 4, 4]), 20, 20),
    "heavy tails, 20 v 2,000": (Shifted(1, stats.cauchy), 20, 2000),
}
every_advantage = pytest.mark.parametrize(
    ("law", "n1", "n0"), ADVANTAGES.values(), ids=ADVANTAGES
)


@every_advantage
def test_advantage_interval_holds_in_88_of_100_draws(law, n1, n0):
    """Fails an exact interval in 1 of 600 runs."""
    true = law.advantage()
    assert held(membership_advantage_interval, law, true, n1, n0, 100) >= 88


@pytest.mark.slow
@every_advantage
def test_advantage_interval_holds_in_93_5_percent(law, n1, n0):
    """Fails an exact interval in 1 of 1,000 runs."""
    metric, true = membership_advantage_interval, law.advantage()
    share = held(metric, law, true, n1, n0, 2000, seed=1) / 2000
    print(f"coverage {n1} v {n0}: {share}")
    assert share >= 0.935


def test_nobody_found_among_200_members_is_compatible_with_1_83_percent():
    """All scores tie: the threshold above them accuses nobody."""
    is_member = np.arange(5200) < 200
    interval = membership_advantage_interval(is_member, np.zeros(5200))
    assert interval.estimate == interval.low == 0
    assert interval.high == pytest.approx(rate_interval(0, 200).high)


TIED_RATES = [
    (0.009, 0.1),
    (0.0095, 0.03),
    (0.0099, 0.03),
    (0.0099, 0.5),
    (0.0101, 0.5),
]


def level_at(wrong_share, found):
    """A level that so many of either side reach, and the TPR at 1 %."""
    law = Levels([1 - found, found], [1 - wrong_share, wrong_share])
    return law, found if wrong_share <= 0.01 else 0.0


def tpr_at_1_percent(is_member, scores):
    return tpr_at_fpr_interval(is_member, scores, max_fpr=0.01)


@pytest.mark.parametrize(("wrong_share", "found"), TIED_RATES)
def test_tpr_interval_holds_beside_a_tied_level_in_88_of_100_draws(wrong_share, found):
    """Fails an exact interval in 1 of 600 runs."""
    law, true = level_at(wrong_share, found)
    assert held(tpr_at_1_percent, law, true, 1000, 1000, 100) >= 88


@pytest.mark.slow
@few_alarms
@pytest.mark.parametrize(("wrong_share", "found"), TIED_RATES)
@pytest.mark.parametrize(
    ("n1", "n0"), [(200, 1000), (1000, 1000), (3000, 3000), (20, 2000)]
)
def test_tpr_interval_holds_beside_a_tied_level(n1, n0, wrong_share, found):
    """Fails an exact interval in 1 of 1,000 runs."""
    law, true = level_at(wrong_share, found)
    share = held(tpr_at_1_percent, law, true, n1, n0, 2000, seed=1) / 2000
    print(f"coverage {n1} v {n0}, {wrong_share}, {found}: {share}")
    assert share >= 0.935
