import math

import pytest
from scipy.stats import norm

from sklearn_mia.metrics import detectable_auc, min_nonmembers_for_fpr
from sklearn_mia.metrics._power import detectable_effect
from sklearn_mia.metrics._rates import n_permitted


def test_min_nonmembers_is_the_smallest_number_that_permits_the_false_alarms():
    assert min_nonmembers_for_fpr(0.001) == 1000
    assert min_nonmembers_for_fpr(0.01, false_alarms=10) == 1000
    for max_fpr in (0.29, 0.07, 0.003, 1e-5, 1 / 3):
        for k in (1, 7, 10):
            n = min_nonmembers_for_fpr(max_fpr, false_alarms=k)
            assert n_permitted(max_fpr, n) >= k
            assert n_permitted(max_fpr, n - 1) < k if n > 1 else True


def test_detectable_auc_at_the_sizes_of_the_report():
    expected = {200: 0.572, 1000: 0.532, 5000: 0.514}
    for n, auc in expected.items():
        assert round(detectable_auc(n, n), 3) == auc
    assert detectable_auc(1, 1) == 1


def test_as_many_nonmembers_as_the_rate_is_a_share_of():
    for n in (29, 3249, 3346, 4434):
        for k in (1, 6, 7, 14):
            # Rounding up k / (k / n) gives n + 1 for some of them.
            assert min_nonmembers_for_fpr(k / n, false_alarms=k) == n
            below = math.nextafter(k / n, 0)
            assert min_nonmembers_for_fpr(below, false_alarms=k) == n + 1


def test_detectable_auc_is_that_of_a_one_sided_rank_test():
    # The variance of the AUC of unrelated scores, with the 1 of few records.
    sd = math.sqrt((5 + 8 + 1) / (12 * 5 * 8))
    expected = 0.5 + (norm.isf(0.01) + norm.ppf(0.6)) * sd
    found = detectable_auc(5, 8, power=0.6, significance=0.01)
    assert found == pytest.approx(expected)


def test_an_effect_is_found_with_the_power_stated():
    """A normal statistic of mean .3 and deviation .1 exceeds 2.2 deviations."""
    for power in (0.5, 0.8, 0.95):
        effect = detectable_effect(0.1, 2.2, power=power)
        assert norm.sf(2.2 * 0.1, loc=effect, scale=0.1) == pytest.approx(power)
    assert 0.5 + detectable_effect(0.0129, norm.isf(0.05)) == pytest.approx(
        detectable_auc(1000, 1000), abs=1e-4
    )
