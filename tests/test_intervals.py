import numpy as np
import pytest

from sklearn_mia.metrics import membership_advantage_interval
from sklearn_mia.metrics._intervals import wilson_interval

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
