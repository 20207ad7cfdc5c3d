import math

import pytest
from scipy.stats import norm

from sklearn_mia.metrics import detectable_auc, min_nonmembers_for_fpr


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
