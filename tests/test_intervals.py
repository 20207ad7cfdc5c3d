import numpy as np
import pytest
from scipy import stats

from sklearn_mia.metrics import (
    membership_advantage_interval,
    roc_auc_interval,
    tpr_at_fpr_interval,
)
from sklearn_mia.metrics._intervals import placements, wilson_interval

Z = 1.959964
few_alarms = pytest.mark.filterwarnings("ignore:max_fpr=.*permits:UserWarning")


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
    assert interval.high == pytest.approx(max(ends[1], fixed.high))


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
