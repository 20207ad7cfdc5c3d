import math

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from sklearn_mia.metrics import positive_predictive_value
from sklearn_mia.metrics._rates import attained_rates, n_permitted


def test_a_rate_a_hair_below_a_share_permits_one_false_alarm_fewer():
    for n in (6, 10, 100, 997, 3000):
        for k in range(1, n):
            assert n_permitted(math.nextafter(k / n, 0), n) == k - 1
            assert n_permitted(math.nextafter(k / n, 1), n) == k


def test_an_alarm_at_a_score_counts_the_records_that_have_it():
    fpr, tpr = attained_rates(np.array([2.0, 1, 2, 3]), np.array([0.0, 1, 1, 0]))
    # At 0, 1, 2 and 3.
    assert_array_equal(fpr, [1, 0.5, 0, 0])
    assert_array_equal(tpr, [1, 1, 0.75, 0.25])


def test_ppv_is_the_share_of_members_among_the_accused():
    # Of 1,000 records 200 are members: 60 of them and 40 others are accused.
    assert positive_predictive_value(0.3, 0.05, 0.2) == pytest.approx(60 / 100)
