"""Scores of shadow attacks from drawn signals, without a model, by hand in NumPy."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm
from sklearn.metrics import roc_auc_score

from sklearn_mia import RMIA, LiRA
from sklearn_mia.attacks._lira import (
    bounded_squares,
    log_likelihood_ratio,
    ratio_around_the_middle,
    ratio_of_equal_variances,
    within_record_variance,
)
from sklearn_mia.attacks._rmia import median_out, tempered_loss
from sklearn_mia.base import MeanGap, MeanShare
from sklearn_mia.base._sides import played_members, some_rows
from sklearn_mia.identity import mix


class LiRAOfClasses(LiRA):
    _of_values = False


class LiRAOfValues(LiRA):
    _of_values = True


class RMIAOfClasses(RMIA):
    _of_values = False


class RMIAOfValues(RMIA):
    _of_values = True


def drawn(n_shadows, n_records=40, seed=0, level=0.0):
    """Signal of the target and of shadows, higher inside, and which trained on whom."""
    rng = np.random.default_rng(seed)
    first = rng.random((n_shadows // 2, n_records)) < 0.5
    members = np.stack([first, ~first], axis=1).reshape(n_shadows, n_records)
    signals = rng.normal(level, 1.0, n_records) + rng.normal(size=members.shape)
    return rng.normal(level, 1.5, n_records), signals + members, members


def cells(signals, members, inside):
    """Those of each record on one side."""
    chosen = (members == inside) & ~np.isnan(signals)
    return [row[of] for row, of in zip(signals.T, chosen.T, strict=True)]


def scored(attack, target, signals, members):
    attack._calibrate(None, signals, members)
    everywhere = np.ones(members.shape[1], dtype=bool)
    return attack._score(target, signals, members, everywhere)


# The mean gap between both sides


def test_a_missing_side_is_the_other_and_the_gap():
    out = np.linspace(-1, 1, 200)
    gap, share = MeanGap(out + 0.5, out), MeanShare(0.4 * out, out)
    nothing, above, below = np.nan, [2.0], [1.0]
    inside, outside = [True], [False]
    for known, mean_in, mean_out, in_pool, expected in (
        (gap, above, below, inside, [2.0, 1.0]),
        (gap, [nothing], below, inside, [1.5, 1.0]),
        (gap, above, [nothing], inside, [2.0, 1.5]),
        # Who plays IN outside the pool did not see the record either.
        (gap, above, below, outside, [2.5, 1.0]),
        (gap, [nothing], below, outside, [1.5, 1.0]),
        (gap, above, [nothing], outside, [2.0, 2.0]),
        (share, [nothing], [5.0], inside, [2.0, 5.0]),
        (share, [nothing], [-5.0], inside, [-2.0, -5.0]),
        (share, above, [nothing], inside, [2.0, 5.0]),
    ):
        given = map(np.array, (mean_in, mean_out, in_pool))
        assert_allclose(np.ravel(known.complete(*given)), expected)


def test_residuals_that_training_made_larger_have_no_gap():
    out = np.linspace(-1, 1, 200)
    assert_array_equal(MeanShare(1.5 * out, out).above(out), 0 * out)


@pytest.mark.parametrize(("n_records", "n_bins"), [(49, 1), (130, 2), (1500, 20)])
def test_the_gap_is_the_mean_in_bins_of_as_many_records(n_records, n_bins):
    rng = np.random.default_rng(0)
    out, gap = rng.normal(size=(2, n_records))
    out[0], gap[1] = np.nan, np.nan
    bins = np.array_split(2 + np.argsort(out[2:]), n_bins)
    at, expected = ([values[b].mean() for b in bins] for values in (out, gap))
    assert_allclose(MeanGap(out + gap, out).above(np.array(at)), expected)
    between = np.linspace(-4, 4, 50)
    by_hand = np.interp(between, at, expected)
    assert_allclose(MeanGap(out + gap, out).above(between), by_hand)


def test_bins_of_one_value_are_one_and_no_record_shows_no_gap():
    gap = np.arange(100.0)
    assert_allclose(MeanGap(3 + gap, np.full(100, 3.0)).above(np.ones(1)), 49.5)
    assert_array_equal(MeanGap(gap[:0], gap[:0]).above(gap), 0 * gap)
    assert_array_equal(MeanShare(gap, 0 * gap).above(gap), 0 * gap)


def test_a_threshold_looks_at_20_000_records_or_a_few_more_whole_groups():
    assert_array_equal(some_rows(5), np.arange(5))
    assert_array_equal(some_rows(39_999), np.arange(39_999))
    assert_array_equal(some_rows(60_001), np.arange(0, 60_001, 3))
    groups = np.arange(60_000) // 2
    assert_array_equal(some_rows(60_000, groups), np.flatnonzero(groups % 3 == 0))


def test_one_of_each_pair_plays_inside_by_a_coin_of_the_record():
    ids = np.random.default_rng(0).integers(0, 2**63, 4000).astype(np.uint64)
    members = played_members(ids, 6)
    assert_array_equal(members[1::2], ~members[::2])
    first = members[::2]
    assert_allclose(first.mean(axis=1), 0.5, atol=0.04)
    # The coins of a record have nothing to do with each other.
    together = first.astype(float) @ first.T / 4000
    assert_allclose(together[np.triu_indices(3, 1)], 0.25, atol=0.04)
    assert_array_equal(played_members(ids[::-1], 6), members[:, ::-1])
    for pair in range(3):
        coins = [mix(one ^ np.uint64(pair + 1)) for one in ids[:50, None]]
        assert_array_equal(first[pair, :50], [int(coin[0]) % 2 == 1 for coin in coins])


# LiRA


def test_ratios_are_differences_of_normal_log_densities():
    rng = np.random.default_rng(0)
    target, mean_in, mean_out, gap = rng.normal(size=(4, 30))
    var_in, var_out = rng.uniform(0.2, 3.0, size=(2, 30))

    def by_hand(centre_in, centre_out, var_in=var_in, var_out=var_out):
        inside = norm.logpdf(target, centre_in, np.sqrt(var_in))
        return inside - norm.logpdf(target, centre_out, np.sqrt(var_out))

    sides = mean_in, var_in, mean_out, var_out
    assert_allclose(log_likelihood_ratio(target, *sides), by_hand(mean_in, mean_out))
    middle = (mean_in + mean_out) / 2
    found = ratio_around_the_middle(target, *sides, gap)
    assert_allclose(found, by_hand(middle + gap / 2, middle - gap / 2))
    found = ratio_of_equal_variances(
        target, mean_in, mean_out, mean_in - mean_out, var_in
    )
    assert_allclose(found, by_hand(mean_in, mean_out, var_out=var_in), rtol=1e-9)


def test_squares_are_bounded_by_a_hundred_medians_of_those_above_0():
    squares = np.array([0.0, 1.0, 2.0, 3.0, 1000.0])
    assert_array_equal(bounded_squares(squares), [0.0, 1.0, 2.0, 3.0, 250.0])
    assert_array_equal(bounded_squares(np.array([0.0, 0.5])), [0.0, 0.5])
    assert_array_equal(bounded_squares(np.zeros(3)), np.zeros(3))


@pytest.mark.parametrize("bounded", [False, True])
def test_the_variance_within_records_pools_their_cells_with_two_or_more(bounded):
    _, signals, members = drawn(8)
    signals[:, 0] *= 1e4
    signals[3:, 1] = np.nan
    for inside in (True, False):
        own = [c for c in cells(signals, members, inside) if len(c) > 1]
        variances = np.array([c.var(ddof=1) for c in own])
        if bounded:
            variances = np.minimum(variances, 100 * np.median(variances))
        mean = np.array([c.mean() for c in cells(signals, members, inside)])
        found = within_record_variance(mean, signals, members, inside, bounded=bounded)
        expected = np.average(variances, weights=[len(c) - 1 for c in own])
        assert found == pytest.approx(expected)


def test_no_record_with_two_cells_shows_no_variance_within():
    _, signals, members = drawn(2)
    for bounded in (False, True):
        found = within_record_variance(
            signals[0], signals, members, True, bounded=bounded
        )
        assert np.isnan(found)


@pytest.mark.parametrize("n_shadows", [62, 64])
def test_from_64_shadows_each_record_has_its_own_variance(n_shadows):
    target, signals, members = drawn(n_shadows)
    # No variance of its own, one cell outside, and no more than the least share.
    signals[~members[:, 0], 0] = 1.0
    lone = np.flatnonzero(~members[:, 1])
    signals[lone[1:], 1] = np.nan
    found = scored(LiRAOfClasses(mode="offline"), target, signals, members)
    outside = cells(signals, members, False)
    freedom = np.array([len(c) - 1 for c in outside])
    squares = np.array([((c - c.mean()) ** 2).sum() for c in outside])
    pooled = squares.sum() / freedom.sum()
    variance = np.full(len(target), pooled)
    if n_shadows == 64:
        own = np.where(freedom > 0, [c.var() for c in outside], pooled)
        variance = np.maximum(own, 0.1 * pooled)
        assert_allclose(variance[:2] / pooled, [0.1, 1.0])
    mean = [c.mean() for c in outside]
    assert_allclose(found, (target - mean) / np.sqrt(variance))


@pytest.mark.parametrize("variance", ["pooled", "shrunk"])
def test_the_ratio_of_two_sides_with_their_own_variances(variance):
    target, signals, members = drawn(8)
    # One cell a side.
    signals[2:, 0] = np.nan
    attack = LiRAOfClasses(gap="per_record", variance=variance)
    found = scored(attack, target, signals, members)
    log_densities = []
    for inside in (True, False):
        own = cells(signals, members, inside)
        squares = np.array([((c - c.mean()) ** 2).sum() for c in own])
        freedom = np.array([len(c) - 1 for c in own])
        pooled = squares.sum() / freedom.sum()
        scale = np.full(len(target), pooled)
        if variance == "shrunk":
            scale = (4 * pooled + squares) / (4 + freedom)
        mean = [c.mean() for c in own]
        log_densities.append(norm.logpdf(target, mean, np.sqrt(scale)))
    assert_allclose(found, log_densities[0] - log_densities[1])


def test_of_one_pair_the_gaps_show_the_variance():
    _, signals, members = drawn(2)
    attack = LiRAOfClasses()
    attack._calibrate(None, signals, members)
    gap = np.where(members[0], signals[0] - signals[1], signals[1] - signals[0])
    assert attack._var_in == attack._var_out == pytest.approx(np.var(gap) / 2)
    attack = LiRAOfValues()
    attack._calibrate(None, signals, members)
    squares = bounded_squares((gap - np.median(gap)) ** 2)
    assert attack._var_in == attack._var_out == pytest.approx(squares.mean() / 2)


def test_what_shows_no_variance_has_the_smallest():
    _, signals, members = drawn(4)
    shown = [np.ones_like(signals), np.full_like(signals, np.nan)]
    for values in shown:
        attack = LiRAOfClasses()
        attack._calibrate(None, values, members)
        assert attack._var_in == attack._var_out == 1e-12
        assert attack._spread_of_gap == 0
    # Of values in the unit of the median square that is not 0.
    for values, unit in ((3 * shown[0], 9.0), (0 * shown[0], 1.0), (shown[1], 1.0)):
        attack = LiRAOfValues()
        attack._calibrate(None, values, members)
        assert attack._var_in == attack._var_out
        assert attack._var_out == pytest.approx(1e-12 * unit, rel=1e-9, abs=0)


def test_records_given_back_exactly_have_a_hundredth_of_the_other_variance():
    _, signals, members = drawn(8)
    attack = LiRAOfValues()
    attack._calibrate(None, np.where(members, 0.0, signals), members)
    assert attack._var_in == 0.01 * attack._var_out


def test_gaps_spread_by_what_sampling_does_not_explain():
    _, signals, members = drawn(8, n_records=60)
    signals += 2 * np.random.default_rng(1).normal(size=60) * members
    signals[:, 0] = np.nan
    shown = signals, members
    attack = LiRAOfClasses()
    attack._calibrate(None, *shown)
    inside, outside = (
        np.array(
            [c.mean() if len(c) else np.nan for c in cells(signals, members, side)]
        )
        for side in (True, False)
    )
    around = (inside - outside - attack._gap.above(outside))[1:]
    sampling = (attack._var_in + attack._var_out) / 4
    assert attack._spread_of_gap == pytest.approx(np.var(around) - sampling)
    spread = attack._variance_of_gap(*shown)
    assert_allclose(spread, [np.inf, *[sampling] * 59])


def test_the_gap_of_classes_is_shrunk_towards_that_of_its_like():
    target, signals, members = drawn(8)
    attack = LiRAOfClasses()
    found = scored(attack, target, signals, members)
    inside, outside = (
        np.array([c.mean() for c in cells(signals, members, side)])
        for side in (True, False)
    )
    gap = inside - outside
    variance = (attack._var_in + attack._var_out) / 2
    weight = attack._spread_of_gap / (attack._spread_of_gap + variance / 2)
    shrunk = np.maximum(gap.mean() + weight * (gap - gap.mean()), 1e-3)
    assert_allclose(found, shrunk * (target - (inside + outside) / 2) / variance)


@pytest.mark.parametrize("level", [-30.0, 30.0])
def test_offline_residuals_are_looked_at_towards_0(level):
    target, signals, members = drawn(8, level=level)
    attack = LiRAOfValues(mode="offline", variance="pooled")
    found = scored(attack, target, signals, members)
    mean = np.array([c.mean() for c in cells(signals, members, False)])
    expected = np.sign(level) * (mean - target) / np.sqrt(attack._var_out)
    assert_allclose(found, expected)


@pytest.mark.parametrize("gap", ["shrunk", "per_record"])
def test_the_gap_of_residuals_is_a_share_of_those_outside(gap):
    rng = np.random.default_rng(0)
    _, _, members = drawn(8)
    target = rng.normal(0, 5, 40)
    signals = (target + rng.normal(size=(8, 40))) * np.where(members, 0.4, 1.0)
    attack = LiRAOfValues(gap=gap, variance="pooled")
    found = scored(attack, target, signals, members)
    inside, outside = (
        np.array([c.mean() for c in cells(signals, members, side)])
        for side in (True, False)
    )
    middle, half = (inside + outside) / 2, (inside - outside) / 2
    if gap == "shrunk":
        taken_off = np.sign(outside) * (inside - outside)
        half = taken_off.sum() / np.abs(outside).sum() * outside / 2
    by_hand = norm.logpdf(target, middle + half, np.sqrt(attack._var_in))
    by_hand -= norm.logpdf(target, middle - half, np.sqrt(attack._var_out))
    assert_allclose(found, by_hand)


# RMIA


def test_tempered_probabilities_are_normalised_powers():
    proba = np.random.default_rng(0).dirichlet(np.ones(4), size=20)
    labels = np.arange(20) % 4
    powers = proba ** (1 / 3)
    expected = np.log(powers[np.arange(20), labels] / powers.sum(axis=1))
    assert_allclose(tempered_loss(np.log(proba), labels, 3.0), expected)


def test_the_width_is_the_median_square_outside_or_their_mean_or_1():
    members = np.array([[True, False, False], [False, True, False]])
    some = -np.array([[5.0, 0.1, 0.7], [0.2, 9.0, np.nan]])
    assert median_out(some, members) == 0.2
    few = -np.array([[5.0, 0.0, 0.0], [0.0, 9.0, 0.6]])
    assert median_out(few, members) == pytest.approx(0.15)
    assert median_out(0 * few, members) == 1.0
    assert median_out(np.full((2, 3), np.nan), members) == 1.0


def best_a(proba, members):
    """The first a with the most AUC, summed over shadows that play the target."""
    totals = np.zeros(11)
    for shadow in range(0, min(len(members), 8), 2):
        others = np.delete(np.arange(len(members)), [shadow, shadow + 1])
        seen = np.isfinite(proba[others]) & ~members[others]
        with np.errstate(invalid="ignore"):
            mean = np.where(seen, proba[others], 0).sum(axis=0) / seen.sum(axis=0)
        usable = np.isfinite(mean) & np.isfinite(proba[shadow])
        member = members[shadow, usable]
        if 0 < member.sum() < member.size:
            for i in range(11):
                p_bar = 0.5 * ((1 + i / 10) * mean[usable] + 1 - i / 10)
                totals[i] += roc_auc_score(member, proba[shadow, usable] / p_bar)
    return np.argmax(totals) / 10


def test_a_is_that_of_the_best_auc_when_shadows_play_the_target():
    found = []
    for seed in range(5):
        _, signals, members = drawn(10, seed=seed)
        signals = np.log(1 / (1 + np.exp(-signals * (1 + seed))))
        signals[seed, :5] = np.nan
        # A shadow that trained on all, and tells nothing.
        members[2] = members[2] | (seed % 2 == 0)
        attack = RMIAOfClasses(mode="offline")
        attack._calibrate(None, signals, members)
        found.append(attack.offline_a_)
        assert attack.offline_a_ == pytest.approx(best_a(np.exp(signals), members))
    assert len(set(found)) > 2


def test_a_is_found_on_some_records_of_a_large_pool():
    _, signals, members = drawn(4, n_records=10_000)
    signals = np.log(1 / (1 + np.exp(-signals)))
    signals[:, 1::2] = np.where(members[:, 1::2], -9.0, -0.1)
    attack = RMIAOfClasses(mode="offline")
    attack._calibrate(None, signals, members)
    expected = best_a(np.exp(signals[:, ::2]), members[:, ::2])
    assert attack.offline_a_ == pytest.approx(expected)


def test_online_rmia_compares_with_the_mean_of_both_sides():
    target, signals, members = drawn(8, level=-2)
    found = scored(RMIAOfClasses(), target, signals, members)
    means = [
        [np.exp(c).mean() for c in cells(signals, members, side)]
        for side in (True, False)
    ]
    mean = np.clip(means, 0, 1).mean(axis=0)
    assert (np.max(means) > 1, np.min(means) < 1) == (True, True)
    assert_allclose(found, target - np.log(mean))


def test_offline_rmia_knows_no_shadow_inside_for_records_outside_the_pool():
    target, signals, members = drawn(8, level=-2)
    attack = RMIAOfClasses(mode="offline", offline_a=0.3)
    attack._calibrate(None, signals, members)
    assert attack.offline_a_ == 0.3
    in_pool = np.arange(40) % 2 == 0
    found = attack._score(target, signals, members, in_pool)
    outside = cells(signals, members & in_pool, False)
    assert [len(c) for c in outside] == [4, 8] * 20
    mean = np.array([np.exp(c).mean() for c in outside])
    assert_allclose(found, target - np.log(0.5 * (1.3 * mean + 0.7)))


def test_the_density_of_a_regressor_is_normal_and_as_wide_as_the_median_error():
    target, signals, members = drawn(8)
    target, signals = -(target**2), -(signals**2)
    found = scored(RMIAOfValues(temperature=3.0), target, signals, members)
    width = 2 * 3.0 * np.median(-signals[~members])
    mean = [
        [np.exp(c / width).mean() for c in cells(signals, members, side)]
        for side in (True, False)
    ]
    assert_allclose(found, target / width - np.log(np.mean(mean, axis=0)))


def test_the_mean_of_both_sides_is_a_probability_above_0():
    members = np.array([[True, True], [False, False]])
    signals = np.array([[-800.0, 0.5], [-800.0, 0.5]])
    attack = RMIAOfClasses()
    found = scored(attack, np.array([-1.0, -1.0]), signals, members)
    assert_allclose(found, [-1.0 - np.log(1e-300), -1.0])
