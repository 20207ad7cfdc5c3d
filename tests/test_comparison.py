import numpy as np
import pytest
from scipy import stats

from sklearn_mia.metrics import compare_attacks
from sklearn_mia.metrics._comparison import _resampled_thresholds


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
