"""Means over IN and OUT shadows, and the gap that stands in for a missing side."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_mia.base._sides import (
    MeanGap,
    MeanShare,
    side_count,
    side_mean,
    side_sum,
)


def test_a_missing_cell_neither_adds_nor_counts():
    values = np.array([[1.0, np.nan, 5.0], [np.nan, np.nan, 9.0], [4.0, 2.0, 0.5]])
    members = np.array([[True, True, True], [True, True, False], [True, False, False]])
    total, count = side_sum(values, members, True)
    assert_array_equal(total, [5.0, 0.0, 5.0])
    assert_array_equal(count, [2, 0, 1])
    assert_array_equal(side_count(values, members, True), count)
    assert_array_equal(side_count(values, members, False), [0, 1, 2])
    assert_array_equal(side_mean(values, members, True), [2.5, np.nan, 5.0])
    assert_array_equal(side_mean(values, members, False), [np.nan, 2.0, 4.75])


@pytest.mark.parametrize(
    ("n_records", "n_bins"), [(1, 1), (99, 1), (100, 2), (520, 10), (5000, 20)]
)
def test_the_gap_is_a_mean_over_about_fifty_records_in_at_most_twenty_bins(
    n_records, n_bins
):
    rng = np.random.default_rng(0)
    mean_out, added = rng.normal(size=n_records), rng.random(n_records)
    gap = MeanGap(mean_out + added, mean_out)
    bins = np.array_split(np.argsort(mean_out), n_bins)
    centers = [mean_out[b].mean() for b in bins]
    assert_allclose(gap.above(np.array(centers)), [added[b].mean() for b in bins])
    # Straight lines between the bins, and level beyond them.
    if n_bins > 1:
        middle = np.array([(centers[0] + centers[1]) / 2, -99.0])
        first, second = (added[b].mean() for b in bins[:2])
        assert_allclose(gap.above(middle), [(first + second) / 2, first])


def test_records_of_equal_means_share_one_gap():
    added = np.arange(101.0) ** 2
    gap = MeanGap(0.4 + added, np.full(101, 0.4))
    assert_allclose(gap.above(np.array([0.4])), added.mean())


def test_records_without_one_side_say_nothing_about_the_gap():
    rng = np.random.default_rng(0)
    mean_out = rng.random(300)
    mean_in = mean_out + 0.3 + rng.random(300) / 10
    without = np.arange(300) % 7 == 0
    some_in, some_out = mean_in.copy(), mean_out.copy()
    some_in[without] = np.nan
    some_out[np.arange(300) % 7 == 1] = np.nan
    both = np.isfinite(some_in) & np.isfinite(some_out)
    at = np.linspace(0, 1, 9)
    expected = MeanGap(mean_in[both], mean_out[both]).above(at)
    assert_array_equal(MeanGap(some_in, some_out).above(at), expected)
    nothing = np.full(3, np.nan)
    assert_array_equal(MeanGap(nothing, nothing).above(at), np.zeros(9))


def test_each_record_gets_both_sides():
    rng = np.random.default_rng(0)
    mean_out = rng.random(1000)
    gap = MeanGap(mean_out + 0.5 * (1 - mean_out), mean_out)
    # In the pool with both sides, with one, and outside with both, with one.
    in_pool = np.array([True, True, True, False, False, False])
    given_in = np.array([0.9, np.nan, 0.7, 0.5, np.nan, 0.7])
    given_out = np.array([0.2, 0.4, np.nan, 0.4, 0.4, np.nan])
    found_in, found_out = gap.complete(given_in, given_out, in_pool)
    above = gap.above(np.array([0.4]))[0]
    assert above == pytest.approx(0.3, abs=0.01)
    # Outside the pool those that play IN are raised by the gap at the OUT mean.
    expected = [0.9, 0.4 + above, 0.7, 0.5 + above, 0.4 + above, 0.7]
    assert_allclose(found_in, expected)
    # An IN mean of .7 is an OUT mean of .4 and the gap; outside the pool it is OUT.
    assert_allclose(found_out, [0.2, 0.4, 0.4, 0.4, 0.4, 0.7], atol=0.01)
    assert found_out[5] == 0.7


def test_what_residuals_lose_is_a_share_of_them_that_goes_on_beyond_the_largest():
    rng = np.random.default_rng(0)
    mean_out = rng.normal(size=1000)
    mean_in = 0.6 * mean_out + rng.normal(scale=0.01, size=1000)
    share = MeanShare(mean_in, mean_out)
    bins = np.array_split(np.argsort(np.abs(mean_out)), 20)
    taken = [
        (np.sign(mean_out) * (mean_in - mean_out))[b].sum() / np.abs(mean_out[b]).sum()
        for b in bins
    ]
    at = np.array([np.abs(mean_out[b]).mean() for b in bins])
    assert_allclose(share.above(at), taken * at)
    assert_allclose(share.above(-at), taken * -at)
    assert_allclose(
        share.above(np.array([-50.0, 50.0])), taken[-1] * np.array([-50.0, 50.0])
    )
    # The other way round, for a record that no OUT shadow has.
    found_in, found_out = share.complete(
        np.array([0.6, np.nan]), np.array([np.nan, -1.0]), np.array([True, True])
    )
    assert_allclose(found_in, [0.6, -0.6], atol=0.01)
    assert_allclose(found_out, [1.0, -1.0], atol=0.02)


def test_residuals_that_no_model_fits_better_have_no_gap():
    residuals = np.linspace(-1, 1, 200)
    assert_array_equal(MeanShare(2 * residuals, residuals).above(residuals), 0)
    assert_array_equal(MeanShare(residuals, 0 * residuals).above(residuals), 0)
    # All fitted exactly.
    found = MeanShare(0 * residuals, residuals).above(residuals)
    assert_allclose(found, -residuals)
