import math

import numpy as np
import pytest
from helpers.metrics import leaky, permutations
from numpy.testing import assert_array_equal
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_curve
from sklearn.neighbors import KNeighborsClassifier
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import ThresholdAttack, as_records
from sklearn_mia.metrics import (
    AttainedRate,
    expected_fpr,
    membership_advantage_score,
    min_nonmembers_for_fpr,
    positive_predictive_value,
    resolve_rate,
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
    # At 0, 1, 2 and 3, and above.
    assert_array_equal(fpr, [1, 0.5, 0, 0, 0])
    assert_array_equal(tpr, [1, 1, 0.75, 0.25, 0])


def test_ppv_is_the_share_of_members_among_the_accused():
    # Of 1,000 records 200 are members: 60 of them and 40 others are accused.
    assert positive_predictive_value(0.3, 0.05, 0.2) == pytest.approx(60 / 100)


# Rates that ties keep from being looked at


def test_a_tied_top_is_no_measured_zero():
    """The votes of a forest agree on 60 % of the members and a fifth of the others."""
    is_member = np.arange(4000) < 2000
    scores = np.random.default_rng(0).integers(25, 50, size=4000) / 50
    scores[:1200] = scores[2000:2394] = 1.0
    assert tpr_at_fpr_score(is_member, scores, max_fpr=0.01) == 0
    assert resolve_rate(is_member, scores, max_fpr=0.01) == AttainedRate(
        max_fpr=0.01, fpr=0, tpr=0, resolvable=False, next_fpr=0.197, next_tpr=0.6
    )


@pytest.mark.parametrize("n_above", [1, 3])
def test_a_few_nonmembers_above_a_tied_block_do_not_make_a_zero_of_it(n_above):
    is_member = np.arange(2000) < 1000
    scores = np.zeros(2000)
    scores[:600] = scores[1000:1200] = 1
    scores[1000 : 1000 + n_above] = 2
    rate = resolve_rate(is_member, scores, max_fpr=0.01)
    assert (rate.fpr, rate.tpr) == (n_above / 1000, 0)
    assert not rate.resolvable
    assert (rate.next_fpr, rate.next_tpr) == (0.2, 0.6)


def test_half_of_the_rate_will_do():
    is_member = np.arange(2000) < 1000
    scores = np.zeros(2000)
    for n_above, resolvable in ((4, False), (5, True)):
        scores[1000 : 1000 + n_above] = 1
        assert resolve_rate(is_member, scores, max_fpr=0.01).resolvable is resolvable


TABLE, LABELS = make_classification(
    2000, 8, n_informative=5, flip_y=0.2, random_state=0
)


@pytest.mark.parametrize(
    ("model", "signal", "decimals"),
    [
        (RandomForestClassifier(20, random_state=0), "confidence", None),
        (DecisionTreeClassifier(random_state=0), "loss", None),
        (KNeighborsClassifier(3), "confidence", None),
        (RandomForestClassifier(20, random_state=0), "correctness", None),
        (RandomForestClassifier(100, random_state=0), "confidence", 1),
    ],
    ids=["votes", "tree", "neighbours", "correctness", "rounded"],
)
def test_what_ties_at_the_top_is_not_resolvable_and_the_next_pair_is_attained(
    model, signal, decimals
):
    records, is_member = as_records(TABLE, LABELS), np.arange(2000) < 1000
    model.fit(TABLE[:1000], LABELS[:1000])
    scores = ThresholdAttack(model, signal=signal).fit(records).score_samples(records)
    scores = scores if decimals is None else scores.round(decimals)
    rate = resolve_rate(is_member, scores, max_fpr=0.01)
    assert not rate.resolvable
    assert rate.tpr == tpr_at_fpr_score(is_member, scores, max_fpr=0.01) < 0.1
    assert rate.next_fpr > 0.01
    assert rate.next_tpr == tpr_at_fpr_score(is_member, scores, max_fpr=rate.next_fpr)
    again = resolve_rate(is_member, scores, max_fpr=rate.next_fpr)
    assert again.resolvable
    assert again.fpr == rate.next_fpr


def test_the_attained_and_the_next_pair_are_neighbours_on_the_curve():
    for seed in range(60):
        n = 20 + 7 * seed
        is_member, scores = leaky(n, seed=seed, decimals=seed % 3)
        fpr, tpr, _ = roc_curve(is_member, scores, drop_intermediate=False)
        for max_fpr in (0, 0.01, 0.024, 0.1, 0.5, 0.99):
            rate = resolve_rate(is_member, scores, max_fpr=max_fpr)
            within, beyond = fpr <= max_fpr, fpr > max_fpr
            assert rate.fpr == pytest.approx(fpr[within].max())
            assert rate.tpr == pytest.approx(tpr[within].max())
            assert rate.next_fpr == pytest.approx(fpr[beyond].min())
            following = np.isclose(fpr, fpr[beyond].min())
            assert rate.next_tpr == pytest.approx(tpr[following].min())
            tied = rate.next_fpr - rate.fpr
            if n >= min_nonmembers_for_fpr(max_fpr or 0.5):
                # Said either way: half is attained, or what stops it is small.
                hidden = rate.next_tpr > rate.tpr
                assert rate.resolvable == (rate.fpr >= max_fpr / 2 or not hidden)
                assert rate.resolvable or tied > max_fpr / 2


@pytest.mark.parametrize("max_fpr", [0, 0.001, 0.01, 0.3])
def test_where_no_member_is_in_the_tied_block_nothing_is_hidden(max_fpr):
    is_member = np.arange(400) < 200
    for scores, tpr in ((is_member, 1), (~is_member, 0)):
        rate = resolve_rate(is_member, scores * 1.0, max_fpr=max_fpr)
        assert rate.resolvable
        assert (rate.fpr, rate.tpr, rate.next_fpr, rate.next_tpr) == (0, tpr, 1, tpr)


def test_scores_that_do_not_tie_are_always_resolvable():
    for n in (7, 60, 150, 1000):
        is_member, scores = leaky(n)
        for max_fpr in (0, 0.001, 0.01, 0.05, 0.3):
            assert resolve_rate(is_member, scores, max_fpr=max_fpr).resolvable


def test_too_few_nonmembers_are_looked_at_without_a_false_alarm():
    """50 non-members permit none at .01: the rate is 0 of 50 unless ties hide it."""
    is_member = np.arange(100) < 50
    scores = np.r_[np.full(20, 3.0), np.full(30, 1.0), 2.0, np.zeros(49)]
    assert resolve_rate(is_member, scores, max_fpr=0.01).resolvable
    beaten = np.r_[np.full(50, 1.0), 2.0, np.zeros(49)]
    assert resolve_rate(is_member, beaten, max_fpr=0.01).resolvable
    hidden = np.r_[np.full(50, 2.0), 2.0, np.zeros(49)]
    assert not resolve_rate(is_member, hidden, max_fpr=0.01).resolvable
    shared = np.r_[3.0, np.full(49, 2.0), np.full(20, 2.0), np.zeros(30)]
    assert not resolve_rate(is_member, shared, max_fpr=0.01).resolvable


def test_a_threshold_accuses_new_people_in_one_rank_more():
    assert expected_fpr(1, 100) == 2 / 101
    assert expected_fpr(0, 149) == 1 / 150
    with pytest.raises(ValueError, match="n_false_alarms=3 is more than n_nonmembers"):
        expected_fpr(3, 2)


def test_guessing_recognises_the_expected_share():
    """Without a leak; 4 standard errors: false alarms in fewer than 1 of 10,000."""
    rng = np.random.default_rng(0)
    for n0, max_fpr in ((100, 0.01), (150, 0.01), (99, 0.05)):
        scores = rng.random((4000, n0 + 1))
        k = n_permitted(max_fpr, n0)
        cuts = np.sort(scores[:, 1:], axis=1)[:, n0 - 1 - k]
        accused = np.mean(scores[:, 0] > cuts)
        error = np.sqrt(expected_fpr(k, n0) / 4000)
        assert abs(accused - expected_fpr(k, n0)) < 4 * error
