"""Whether the AUC differs between slices of the records by more than chance.

An exactly correct test at .05 alarms in more than .079 of 500 draws in one of 500
cells.
"""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import stats
from sklearn.metrics import roc_auc_score

from sklearn_mia.auditing._multiplicity import (
    _PRIOR_RECORDS,
    SliceDifferences,
    SlicePermuter,
)
from sklearn_mia.auditing._slices import slice_differences
from sklearn_mia.metrics._auc import delong_variance, placements


def differences(slicings, scores, is_member, **params):
    params = {
        "min_size": 10,
        "confidence": 0.95,
        "n_permutations": 199,
        "seed": 0,
        **params,
    }
    return slice_differences(slicings, scores, is_member, **params)


def drawn(rng, n=400, n_slices=4):
    is_member = rng.permutation(n) < n // 2
    column = rng.integers(n_slices, size=n)
    return is_member, [(str(k), column == k) for k in range(n_slices)]


@pytest.mark.parametrize("n_levels", [5, 10_000])
def test_the_statistic_is_the_studentised_difference_of_aucs(n_levels):
    rng = np.random.default_rng(0)
    is_member, groups = drawn(rng)
    scores = rng.integers(n_levels, size=400) + n_levels / 4 * is_member
    statistic = SliceDifferences(scores, is_member, np.array([g for _, g in groups]))
    orders = SlicePermuter(is_member).draw(5, rng)
    values = statistic(orders)
    assert values.shape == (8, 5)
    assert_array_equal(values[4:], -values[:4])
    pooled = [
        placed.var(ddof=1)
        for placed in placements(scores[is_member], scores[~is_member])
    ]
    for k, (_, inside) in enumerate(groups):
        for column, order in enumerate(orders):
            aucs, variance = [], 0
            for part in (inside[order], ~inside[order]):
                members, others = scores[part & is_member], scores[part & ~is_member]
                placed = placements(members, others)
                aucs.append(roc_auc_score(is_member[part], scores[part]))
                for own, spread in zip(placed, pooled, strict=True):
                    n = own.size
                    squares = (n - 1) * own.var(ddof=1) + _PRIOR_RECORDS * spread
                    variance += squares / (n - 1 + _PRIOR_RECORDS) / n
            expected = (aucs[0] - aucs[1]) / np.sqrt(variance)
            assert values[k, column] == pytest.approx(expected, abs=1e-9)


def test_of_many_records_the_variance_is_that_of_delong():
    rng = np.random.default_rng(0)
    is_member, groups = drawn(rng, 20_000, 2)
    scores = rng.normal(size=20_000) + is_member
    inside = groups[0][1]
    _, _, sd = SliceDifferences(scores, is_member, inside[None]).describe()[0]
    parts = [
        placements(scores[part & is_member], scores[part & ~is_member])
        for part in (inside, ~inside)
    ]
    assert_allclose(sd**2, sum(delong_variance(*placed) for placed in parts), rtol=0.01)


def test_slices_move_within_a_side_only():
    is_member = np.arange(100) % 3 == 0
    orders = SlicePermuter(is_member).draw(20, np.random.default_rng(0))
    assert_array_equal(np.sort(orders, axis=1), np.tile(np.arange(100), (20, 1)))
    assert_array_equal(is_member[orders], np.tile(is_member, (20, 1)))
    assert len(np.unique(orders, axis=0)) == 20


def test_a_row_a_slice():
    rng = np.random.default_rng(0)
    is_member, groups = drawn(rng)
    scores = rng.normal(size=400) + is_member * (1 + groups[2][1])
    rows = differences(
        {"column": groups, "few": [("x", np.arange(400) < 15)]}, scores, is_member
    )
    assert [(row["slice"], row["value"]) for row in rows] == [
        *[("column", str(k)) for k in range(4)],
        ("few", "x"),
    ]
    for row, (_, inside) in zip(rows[:4], groups, strict=True):
        assert row["n_members"] == np.sum(inside & is_member)
        auc, rest = (
            roc_auc_score(is_member[part], scores[part]) for part in (inside, ~inside)
        )
        assert row["auc"] == pytest.approx(auc)
        assert row["auc_rest"] == pytest.approx(rest)
        assert row["difference"] == pytest.approx(auc - rest)
        assert row["low"] < row["difference"] < row["high"]
        assert row["note"] == ""
        assert (row["p_corrected"] <= 0.05) == (not row["low"] < 0 < row["high"])
    assert rows[2]["p_corrected"] <= 0.05 < rows[0]["p_corrected"]
    few = rows[4]
    assert few["auc"] is few["p_corrected"] is few["detectable"] is None
    assert few["note"] == (
        "fewer than 10 members or 10 non-members in the slice: too few to say anything"
    )


def test_the_rest_has_to_be_large_enough_too():
    is_member = np.arange(60) % 2 == 0
    scores = np.random.default_rng(0).normal(size=60)
    most = [("most", np.arange(60) < 50)]
    (row,) = differences({"column": most}, scores, is_member)
    assert row["note"].startswith("fewer than 10 members or 10 non-members outside it")
    assert row["difference"] is None


def test_scores_that_all_tie_prove_no_difference():
    is_member, groups = drawn(np.random.default_rng(0))
    rows = differences({"column": groups}, np.zeros(400), is_member)
    assert {row["p_corrected"] for row in rows} == {1}
    assert {row["difference"] for row in rows} == {0}


def test_no_slice_no_row():
    assert differences({}, np.zeros(4), np.array([True, False, True, False])) == []


def alarms(draw, n_draws, **params):
    hits = 0
    for seed in range(n_draws):
        rng = np.random.default_rng(seed)
        scores, is_member, groups = draw(rng)
        rows = differences({"c": groups}, scores, is_member, seed=seed, **params)
        hits += min(row["p_corrected"] for row in rows if row["auc"]) <= 0.05
    return hits / n_draws


def alike(rng, n=600, n_slices=12, law=stats.norm, shift=1.0):
    is_member, groups = drawn(rng, n, n_slices)
    return law.rvs(size=n, random_state=rng) + shift * is_member, is_member, groups


def of_other_difficulty(rng, share):
    """A slice whose scores differ in level and spread, and not in the AUC."""
    inside = rng.random(600) < share
    is_member = rng.permutation(600) < 300
    scores = (1 + 3 * inside) * (rng.normal(size=600) + is_member) + 2 * inside
    return scores, is_member, [("x", inside)]


def test_many_slices_alarm_rarely_where_they_differ_by_chance():
    assert alarms(alike, 40, n_permutations=39) <= 0.15


@pytest.mark.slow
@pytest.mark.parametrize(
    "draw",
    [
        alike,
        lambda rng: alike(rng, shift=0),
        lambda rng: alike(rng, shift=4),
        lambda rng: alike(rng, law=stats.cauchy, shift=3),
        lambda rng: alike(rng, n=300, n_slices=6, shift=4),
        lambda rng: of_other_difficulty(rng, 0.1),
        lambda rng: of_other_difficulty(rng, 0.5),
    ],
)
def test_alarms_are_rare_without_a_difference(draw):
    assert alarms(draw, 500) <= 0.079


@pytest.mark.slow
def test_the_difference_told_to_be_detectable_is_detected():
    is_member, groups = drawn(np.random.default_rng(0), 1200, 6)
    inside = groups[0][1]

    def draw(rng, more):
        scores = rng.normal(size=1200) + is_member * (1 + more * inside)
        return scores, is_member, groups

    rows = [
        differences({"c": groups}, draw(np.random.default_rng(seed), 0)[0], is_member)
        for seed in range(20)
    ]
    told = np.mean([row[0]["detectable"] for row in rows])
    # AUC of a shift d: Phi(d / sqrt(2)).
    auc = stats.norm.cdf(1 / 2**0.5)
    more = 2**0.5 * stats.norm.ppf(auc + told) - 1
    # A higher AUC varies less, so a little more than .8 is expected.
    assert 0.75 <= alarms(lambda rng: draw(rng, more), 300) <= 0.95
