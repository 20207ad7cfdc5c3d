"""Persons, not rows."""

from datetime import date

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_mia.groups import group_members, group_scores


def persons(n_groups=60, seed=0):
    rng = np.random.default_rng(seed)
    groups = np.repeat(rng.permutation(1000)[:n_groups], rng.integers(1, 12, n_groups))
    return rng, groups, rng.normal(size=groups.size) * 1e3 ** rng.random(groups.size)


def test_a_group_has_the_sum_of_its_records():
    _, groups, scores = persons()
    keys, sums = group_scores(scores, groups)
    assert_array_equal(keys, sorted(set(groups.tolist())))
    assert_allclose(sums, [scores[groups == key].sum() for key in keys])
    assert_array_equal(group_scores(-scores, groups)[1], -sums)
    assert_array_equal(group_scores(scores, -groups)[1], sums[::-1])


def test_the_order_of_the_records_does_not_matter():
    rng, groups, scores = persons()
    order = rng.permutation(groups.size)
    for a, b in zip(
        group_scores(scores, groups),
        group_scores(scores[order], groups[order]),
        strict=True,
    ):
        assert_array_equal(a, b)
    is_member = rng.random(groups.size) < 0.5
    for a, b in zip(
        group_members(is_member, groups),
        group_members(is_member[order], groups[order]),
        strict=True,
    ):
        assert_array_equal(a, b)


def test_records_of_their_own_keep_their_scores():
    _, _, scores = persons()
    keys, sums = group_scores(scores, np.arange(scores.size))
    assert_array_equal(keys, np.arange(scores.size))
    assert_array_equal(sums, scores)


def test_members_mixed_groups_and_sizes():
    keys, is_member, is_mixed, n_records = group_members(
        [1, 1, 0, 0, 1, 0], ["b", "a", "a", "c", "b", "a"]
    )
    assert keys.tolist() == ["a", "b", "c"]
    assert is_member.tolist() == [True, True, False]
    assert is_mixed.tolist() == [True, False, False]
    assert n_records.tolist() == [3, 2, 1]


@pytest.mark.parametrize(
    "groups",
    [
        [2, 1, 1],
        [2**70, 1, 1],
        [2**63, -1, -1],
        ["b", "a", "a"],
        [2.5, -1.0, -1.0],
        [True, False, False],
        [date(2020, 1, 2), date(2020, 1, 1), date(2020, 1, 1)],
        [(1, "b"), (1, "a"), (1, "a")],
        np.array([2, 1, 1], dtype=np.uint8),
        np.array(["2020-01-02", "2020-01-01", "2020-01-01"], dtype="M8[D]"),
        np.array([[2], [1], [1]]),
    ],
)
def test_keys_keep_their_values_and_types(groups):
    keys, sums = group_scores([1, 2, 3], groups)
    flat = groups.ravel().tolist() if hasattr(groups, "ravel") else groups
    assert keys.tolist() == [flat[1], flat[0]]
    assert [type(key) for key in keys.tolist()] == [type(flat[1])] * 2
    assert sums.tolist() == [5, 1]


def test_keys_come_from_any_column():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    for values in (["b", "a", "a"], [2, 1, 1]):
        for column in (
            np.array(values),
            np.array(values, dtype=object),
            pd.Series(values, index=[5, 5, 9]),
            pd.Series(values, dtype="category"),
            pd.Series(values).convert_dtypes(),
            pd.DataFrame({"person": values}),
            pl.Series(values),
        ):
            keys, sums = group_scores([1, 2, 3], column)
            assert keys.tolist() == [values[1], values[0]]
            assert sums.tolist() == [5, 1]


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([1, None, 2], "no key for 1 of 3 records"),
        ([np.nan, 1.0, np.nan], "no key for 2 of 3 records"),
        (["a", np.nan, "b"], "no key for 1 of 3 records"),
        (np.array(["2020", "NaT", "2020"], dtype="M8[D]"), "no key for 1 of 3"),
        ([1, "1", 2], "keys of 2 kinds, number, str; expected one"),
        ([1, True, 2], "keys of 2 kinds, bool, number"),
        ([{}, {}, {}], "keys of type dict, which have no order"),
        (np.zeros((3, 2)), r"groups has shape \(3, 2\); expected one key"),
        ([1, 2], "groups has 2 keys for 3 records; expected one for each"),
    ],
)
def test_keys_that_name_no_group(groups, message):
    with pytest.raises(ValueError, match=message):
        group_scores([1, 2, 3], groups)
    with pytest.raises(ValueError, match=message):
        group_members([True, True, False], groups)


def test_a_column_with_gaps_is_refused():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    for values in (["b", None, "a"], [2, None, 1]):
        for column in (pd.Series(values).convert_dtypes(), pl.Series(values)):
            with pytest.raises(ValueError, match="no key for 1 of 3 records"):
                group_scores([1, 2, 3], column)


def test_scores_that_are_not_numbers_are_refused():
    with pytest.raises(ValueError, match="scores has 1 values that are NaN"):
        group_scores([1, np.nan], [1, 2])
