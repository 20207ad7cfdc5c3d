import numpy as np
import pytest
from helpers.metrics import leaky, pairwise_placements
from scipy import stats
from sklearn.metrics import roc_auc_score

from sklearn_mia.metrics import compare_attacks, roc_auc_interval
from sklearn_mia.metrics._comparison import _resampled_thresholds


def test_paired_comparison_is_delong_computed_from_all_pairs():
    is_member, a = leaky(80, decimals=1)
    b = a + np.random.default_rng(1).normal(size=160)
    (a1, a0), (b1, b0) = (pairwise_placements(is_member, s) for s in (a, b))
    sd = np.sqrt((a1 - b1).var(ddof=1) / 80 + (a0 - b0).var(ddof=1) / 80)
    result = compare_attacks(is_member, a, b)
    difference = roc_auc_score(is_member, a) - roc_auc_score(is_member, b)
    assert result.difference.estimate == pytest.approx(difference)
    assert result.difference.high - difference == pytest.approx(1.959964 * sd)
    assert result.p_value == pytest.approx(2 * stats.norm.sf(abs(difference) / sd))


@pytest.mark.parametrize("metric", ["roc_auc", "tpr_at_fpr"])
def test_an_attack_is_not_different_from_itself_on_another_scale(metric):
    is_member, scores = leaky(500)
    result = compare_attacks(is_member, scores, np.exp(scores), metric=metric)
    assert result.difference.estimate == 0
    assert result.difference.low < 0 < result.difference.high
    assert result.p_value == 1


@pytest.mark.parametrize("metric", ["roc_auc", "tpr_at_fpr"])
def test_exchanging_the_attacks_turns_the_difference_round(metric):
    is_member, a = leaky(1000)
    b = np.random.default_rng(1).normal(size=2000)
    forth = compare_attacks(is_member, a, b, metric=metric, max_fpr=0.05)
    back = compare_attacks(is_member, b, a, metric=metric, max_fpr=0.05)
    assert forth.difference.estimate == -back.difference.estimate > 0
    assert forth.difference.low > 0 > back.difference.high
    assert forth.p_value < 0.01


def test_shared_noise_makes_a_paired_comparison_sharper_than_two_intervals():
    is_member, base = leaky(500, shift=0)
    a, b = base + 1.0 * is_member, base + 0.9 * is_member
    assert compare_attacks(is_member, a, b).p_value < 0.01
    assert roc_auc_interval(is_member, a).low < roc_auc_interval(is_member, b).high


def test_comparison_refuses_an_unknown_metric():
    with pytest.raises(
        ValueError,
        match=r"metric='accuracy' is not known; expected 'roc_auc' or 'tpr_at_fpr'\.",
    ):
        compare_attacks([1, 0], [1, 0], [1, 0], metric="accuracy")


@pytest.mark.slow
@pytest.mark.parametrize(("shift", "correlation"), [(0, 0.0), (1, 0.5), (2, 0.8)])
@pytest.mark.parametrize("metric", ["roc_auc", "tpr_at_fpr"])
def test_equally_strong_attacks_are_called_different_in_few_runs(
    metric, shift, correlation
):
    """At most 7.9 % of 500 draws; an exactly correct 5 % test fails in .3 % of runs."""
    rng, is_member = np.random.default_rng(0), np.arange(1000) < 500
    alarms = 0
    for _ in range(500):
        shared, a, b = rng.normal(size=(3, 1000))
        a, b = (
            np.sqrt(correlation) * shared
            + np.sqrt(1 - correlation) * own
            + shift * is_member
            for own in (a, b)
        )
        alarms += (
            compare_attacks(
                is_member, a, b, metric=metric, max_fpr=0.02, n_resamples=400
            ).p_value
            < 0.05
        )
    assert alarms <= 0.079 * 500


def found_by(n_found):
    """20 members, of whom the first are found, and 200 others of distinct scores."""
    others = -np.arange(200.0)
    return np.r_[np.where(np.arange(20) < n_found, 1.0, -1000.0), others]


def bonett_and_price(n_only_a):
    p, q = (n_only_a + 1) / 22, 1 / 22
    return p - q, np.sqrt((p + q - (p - q) ** 2) / 22)


def test_few_records_found_by_one_attack_alone_are_judged_by_bonett_and_price():
    is_member = np.arange(220) < 20
    result = compare_attacks(
        is_member, found_by(5), found_by(0), metric="tpr_at_fpr", max_fpr=0.05
    )
    difference, sd = bonett_and_price(5)
    assert result.difference.estimate == 5 / 20
    assert result.difference.low == pytest.approx(difference - 1.959964 * sd)
    assert result.p_value == pytest.approx(2 * stats.norm.sf(difference / sd))


def test_a_bootstrap_that_never_changes_its_mind_has_one_run_of_doubt():
    is_member = np.arange(220) < 20
    result = compare_attacks(
        is_member,
        found_by(20),
        found_by(0),
        metric="tpr_at_fpr",
        max_fpr=0.05,
        n_resamples=100,
    )
    assert result.p_value == pytest.approx(2 / 101)


@pytest.mark.parametrize("k", [0, 3, 20])
def test_redrawn_thresholds_lie_as_deep_as_draws_with_replacement_put_them(k):
    n, n_resamples = 300, 4000
    scores = -np.arange(float(n))
    thresholds = _resampled_thresholds(
        scores, scores, k, n_resamples, np.random.default_rng(0)
    )
    np.testing.assert_array_equal(thresholds[:, 0], thresholds[:, 1])
    # Deeper than place r if at most k of n draws are among the first r + 1.
    for r in (k // 2, k, k + 3, 2 * k + 2):
        expected = stats.binom.cdf(k, n, (r + 1) / n)
        deeper = np.mean(-thresholds[:, 0] > r)
        assert deeper == pytest.approx(expected, abs=4 * 0.5 / np.sqrt(n_resamples))


def test_a_perfect_attack_against_a_constant_one_has_an_exact_p_value():
    is_member = np.arange(13) < 3
    result = compare_attacks(is_member, is_member * 1.0, np.zeros(13))
    assert result.difference.estimate == 0.5
    assert result.p_value == pytest.approx(2 * 0.5**3)
    half = 1 - 0.025 ** (1 / 3)
    assert result.difference.low == pytest.approx(0.5 - half)
    assert result.difference.high == 1


def test_one_record_of_a_side_tells_of_no_difference_of_aucs():
    is_member, scores = [1, 0, 0], [0.5, 0.1, 0.2]
    with pytest.raises(ValueError, match="got 1 members and 2 non-members; expected"):
        compare_attacks(is_member, scores, scores[::-1], metric="roc_auc")
