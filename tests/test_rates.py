import math

import numpy as np
import pytest
from helpers.metrics import leaky, permutations
from numpy.testing import assert_array_equal
from sklearn.metrics import roc_curve

from sklearn_mia.metrics import (
    membership_advantage_score,
    positive_predictive_value,
    roc_auc_interval,
    threshold_at_fpr,
    tpr_at_fpr_score,
)
from sklearn_mia.metrics._rates import attained_rates, n_permitted


def test_threshold_is_the_score_below_the_permitted_false_alarms():
    scores = np.random.default_rng(0).permutation(100) * 1.0
    for k in range(100):
        assert threshold_at_fpr(scores, k / 100) == 99 - k
        assert np.count_nonzero(scores > threshold_at_fpr(scores, k / 100)) == k


def test_threshold_permitting_no_false_alarm_is_the_highest_nonmember():
    assert threshold_at_fpr([3, 1, 2], 0) == 3
    assert threshold_at_fpr([3, 1, 2], 0.3) == 3
    assert threshold_at_fpr([5], 0.99) == 5


def test_rounding_of_the_product_does_not_lose_a_false_alarm():
    assert int(0.29 * 100) == 28
    scores = np.arange(100)
    assert np.count_nonzero(scores > threshold_at_fpr(scores, 0.29)) == 29


def test_every_decimal_rate_permits_exactly_the_rate():
    for n in (10, 100, 1000, 3000):
        for k in range(n):
            assert n_permitted(k / n, n) == k


def test_tpr_is_the_best_vertex_of_the_roc_curve_within_the_rate():
    for seed in range(20):
        is_member, scores = leaky(40, seed=seed, decimals=seed % 3)
        fpr, tpr, _ = roc_curve(is_member, scores, drop_intermediate=False)
        for max_fpr in (0, 0.01, 0.024, 0.025, 0.1, 0.5, 0.99):
            assert (
                tpr_at_fpr_score(is_member, scores, max_fpr=max_fpr)
                == tpr[fpr <= max_fpr].max()
            )
        assert membership_advantage_score(is_member, scores) == pytest.approx(
            np.max(tpr - fpr)
        )


def test_a_coin_flip_with_two_scores_shows_nothing_in_any_order():
    for y, scores in permutations([1, 0, 1, 0], [9, 9, 5, 5]):
        assert tpr_at_fpr_score(y, scores, max_fpr=0) == 0
        assert tpr_at_fpr_score(y, scores, max_fpr=0.5) == 0.5
        assert membership_advantage_score(y, scores) == 0
        assert roc_auc_interval(y, scores).estimate == 0.5


@pytest.mark.parametrize("max_fpr", [0, 0.01, 0.5, 0.99])
def test_constant_scores_find_nobody_at_any_rate(max_fpr):
    y, scores = np.repeat([1, 0], [900, 100]), np.full(1000, 0.9)
    assert tpr_at_fpr_score(y, scores, max_fpr=max_fpr) == 0
    assert membership_advantage_score(y, scores) == 0
    auc = roc_auc_interval(y, scores)
    assert auc.estimate == 0.5
    assert auc.low < 0.5 < auc.high


def test_a_perfect_attack_is_perfect_at_every_rate_and_its_reverse_finds_nobody():
    is_member = np.arange(100) < 50
    scores = np.concatenate([2 + np.arange(50) / 50, 1 + np.arange(50) / 51])
    for max_fpr in (0, 0.001, 0.01):
        assert tpr_at_fpr_score(is_member, scores, max_fpr=max_fpr) == 1
        assert tpr_at_fpr_score(is_member, -scores, max_fpr=max_fpr) == 0
    assert membership_advantage_score(is_member, scores) == 1
    assert membership_advantage_score(is_member, -scores) == 0


def test_tpr_is_never_interpolated_to_a_rate_that_no_threshold_attains():
    # One non-member above a block that holds most records of both sides.
    is_member = np.array([0] + [1] * 40 + [0] * 19)
    scores = np.array([9.0] + [5.0] * 40 + [5.0] * 15 + [1.0] * 4)
    interpolated = np.interp(0.1, *roc_curve(is_member, scores)[:2])
    assert interpolated > 0
    assert tpr_at_fpr_score(is_member, scores, max_fpr=0.1) == 0
    assert tpr_at_fpr_score(is_member, scores, max_fpr=0.8) == 1


def test_ppv_falls_with_the_share_of_members():
    assert positive_predictive_value(0.2, 0.01, 0.5) == pytest.approx(20 / 21)
    assert positive_predictive_value(0.2, 0.01, 0.01) == pytest.approx(0.2 / 1.19)
    assert positive_predictive_value(0.1, 0, 0.01) == 1
    with pytest.raises(ValueError, match="tpr=0 and fpr=0: no record is accused"):
        positive_predictive_value(0, 0, 0.5)


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
