"""Persons, not rows.

Of 4,000 draws an exactly correct 95 % interval holds fewer than .935 in one of 10,000
cells.
"""

import re
from datetime import date

import numpy as np
import pytest
from helpers.laws import Persons, held
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score

from sklearn_mia.groups import (
    centred_scores,
    group_codes,
    group_members,
    group_scores,
    rates_by_size,
    thresholds_by_size,
)
from sklearn_mia.metrics import (
    membership_advantage_interval,
    rate_interval,
    roc_auc_interval,
    threshold_at_fpr,
    tpr_at_fpr_interval,
    tpr_at_fpr_score,
)


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
        ([{}, {}, {}], "keys of type dict that cannot be put in order"),
        (np.zeros((3, 2)), r"groups has shape \(3, 2\); expected one key"),
        ([1, 2], "groups has 2 keys for 3 records; expected one for each"),
        ([("a", np.nan), ("a", 1.0), ("b", 1.0)], "no key for 1 of 3 records"),
        ([(1, ("a", None)), (1, ("a", "b")), (2, ("a", "b"))], "no key for 1 of 3"),
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


def test_a_list_of_one_type_becomes_an_array_of_it():
    for groups, kind in (
        ([2, 1], "i"),
        ([2.5, 1.0], "f"),
        (["b", "a"], "U"),
        ([True, False], "b"),
        ([2, 1.5], "O"),
        ([2**70, 1], "O"),
        ([2**63, -1], "O"),
        ([np.str_("b"), "a"], "O"),
        ([np.int64(2), 1], "O"),
        ([np.True_, False], "O"),
        ([date(2020, 1, 2), date(2020, 1, 1)], "O"),
    ):
        keys, codes = group_codes(groups, 2)
        assert keys.dtype.kind == kind
        assert keys.tolist() == groups[::-1]
        assert codes.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("key", "same"),
    [
        ("12", "12.0"),
        ("12", "12."),
        ("12", "00012"),
        ("0", "00"),
        ("12", " 12"),
        ("Ann  Lee", "Ann Lee "),
        ("m\u00fcller", "mu\u0308ller"),
        ("12", "\uff11\uff12"),
    ],
)
def test_one_person_written_in_two_ways_is_not_counted_as_two(key, same):
    message = (
        "groups has 1 of 3 keys that equal another but for spaces or how a number is "
        "written (zeros in front, .0 behind); they may be one person or two. Write the "
        "key of a person in one way throughout, or number the persons if all of them "
        "are different."
    )
    for keys in ([key, "b", same], np.array([key, "b", same], dtype=object)):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            group_codes(keys, 3)


def test_keys_that_differ_in_more_are_different_persons():
    keys = [
        "a.Inf",
        "a.inf",
        "12",
        "12.5",
        "120",
        "1 2",
        "-12",
        "p12",
        "p012",
        "0x12",
        ".0",
        "a",
    ]
    assert group_codes(keys, len(keys))[1].max() == len(keys) - 1
    # Numbers are no text.
    assert group_codes([12, 12.0, 120], 3)[1].tolist() == [0, 0, 1]


def test_blank_text_is_no_key():
    for groups in (np.array(["b", " ", "a"]), ["b", "", "a"], ["b", " ", (1, 2)]):
        with pytest.raises(ValueError, match="no key for 1 of 3 records"):
            group_scores([1, 2, 3], groups)


def test_masked_keys_are_missing():
    for values in ([2, 1, 1], ["b", "a", "a"]):
        whole = np.ma.array(values, mask=[False, False, False])
        keys, sums = group_scores([1, 2, 3], whole)
        assert keys.tolist() == [values[1], values[0]]
        assert sums.tolist() == [5, 1]
        with pytest.raises(ValueError, match="no key for 1 of 3 records"):
            group_scores([1, 2, 3], np.ma.array(values, mask=[False, True, False]))


def test_scores_that_are_not_numbers_are_refused():
    with pytest.raises(ValueError, match="scores has 1 values that are NaN"):
        group_scores([1, np.nan], [1, 2])


def test_the_sum_finds_more_than_other_scores_of_a_group():
    scores, is_member, person = Persons(0.7, 0).rows(
        np.random.default_rng(0), 2000, 2000
    )
    keys, sums = group_scores(scores, person)
    members, n_records = (group_members(is_member, person)[i] for i in (1, 3))
    largest = [np.max(scores[person == key]) for key in keys]
    found = [
        (roc_auc_score(members, s), tpr_at_fpr_score(members, s, max_fpr=0.01))
        for s in (sums, sums / n_records, largest)
    ]
    assert np.all(np.array(found[0]) > np.array(found[1:]))


def test_centred_scores_have_mean_zero_and_keep_the_ranking():
    rng, _, scores = persons()
    centred = centred_scores(scores)
    assert_allclose(centred, scores - scores.mean())
    order = rng.permutation(scores.size)
    assert_array_equal(centred_scores(scores[order]), centred[order])


def test_the_mean_of_models_without_the_record_is_taken_off():
    rng = np.random.default_rng(0)
    scores, out = rng.normal(size=50), rng.normal(size=(6, 50))
    out[rng.random(out.shape) < 0.5] = np.nan
    out[:, 3] = np.nan
    out[0, 4] = 0.5
    known = np.arange(50) != 3
    expected = scores[known] - np.nanmean(out[:, known], axis=0)
    centred = centred_scores(scores, out)
    assert_allclose(centred[known], expected - expected.mean())
    assert centred[3] == 0
    assert_array_equal(centred_scores(scores, np.full((2, 50), np.nan)), 0)


def test_centred_normal_scores_are_log_ratios_but_for_a_factor():
    rng = np.random.default_rng(0)
    is_member = np.arange(200_000) < 100_000
    scores = 5 + 2 * rng.normal(size=is_member.size) + 3 * is_member
    ratio = ((scores - 5) ** 2 - (scores - 8) ** 2) / 8
    assert_allclose(centred_scores(scores) * 3 / 4, ratio, atol=0.02)


def test_scores_off_their_level_rank_persons_by_their_number_of_records():
    scores, is_member, person = Persons(0.7, 0).rows(np.random.default_rng(0), 500, 500)
    members = group_members(is_member, person)[1]
    off, centred = (
        roc_auc_score(members, group_scores(s, person)[1])
        for s in (scores + 9, centred_scores(scores + 9))
    )
    assert off < 0.7 < 0.8 < centred


@pytest.mark.parametrize(
    ("out_scores", "message"),
    [
        (np.zeros((2, 4)), r"out_scores has shape \(2, 4\) for 3 records"),
        (np.zeros(3), r"out_scores has shape \(3,\) for 3 records"),
        ([[np.inf, 0, 0]], "out_scores has 1 infinite values"),
    ],
)
def test_scores_without_the_record_that_do_not_fit(out_scores, message):
    with pytest.raises(ValueError, match=message):
        centred_scores([1, 2, 3], out_scores)


def test_rates_by_size_count_what_lies_above():
    rng = np.random.default_rng(0)
    size, is_member = rng.choice([1, 2, 3, 4, 5, 7], 300), rng.random(300) < 0.5
    scores = rng.integers(4, size=300)
    rates = rates_by_size(scores, is_member, size, 2, confidence=0.9)
    inside = {"1": size == 1, "2": size == 2, "3-5": (size > 2) & (size < 6)}
    inside["6+"] = size > 5
    assert [row.size for row in rates] == list(inside)
    for row in rates:
        for side, n, rate in (
            (is_member, row.n_members, row.tpr),
            (~is_member, row.n_nonmembers, row.fpr),
        ):
            chosen = inside[row.size] & side
            assert n == chosen.sum()
            k = int(np.sum(scores[chosen] > 2))
            assert rate == rate_interval(k, n, confidence=0.9)


def test_sizes_that_no_group_has_are_left_out():
    only, more = rates_by_size([1, 2, 3], [1, 0, 1], [1, 1, 6], 0)
    assert (only.size, more.size) == ("1", "6+")
    assert (more.n_members, more.n_nonmembers, more.fpr) == (1, 0, None)
    assert more.tpr.estimate == 1


def test_a_threshold_for_each_size_keeps_each_rate():
    rng = np.random.default_rng(0)
    size = np.repeat([1, 2, 4, 9], [1000, 300, 200, 150])
    scores = rng.normal(size=size.size) * size
    found = thresholds_by_size(scores, size, max_fpr=0.01)
    assert found.sizes == ("1", "2", "3-5", "6+")
    assert found.resolved == (True,) * 4
    assert found.n_nonmembers == (1000, 300, 200, 150)
    assert found.n_false_alarms == (10, 3, 2, 1)
    expected = [threshold_at_fpr(scores[size == k], 0.01) for k in (1, 2, 4, 9)]
    assert found.thresholds == tuple(expected)
    assert_array_equal(found.of([9, 1, 5, 2, 40]), np.take(expected, [3, 0, 2, 1, 3]))
    named = scores > found.of(size)
    assert [int(named[size == k].sum()) for k in (1, 2, 4, 9)] == [10, 3, 2, 1]


def test_a_size_of_few_groups_gets_no_looser_threshold():
    rng = np.random.default_rng(0)
    size = np.repeat([1, 2, 9], [500, 99, 4])
    for seed in range(20):
        scores = np.random.default_rng(seed).normal(size=size.size)
        found = thresholds_by_size(scores, size, max_fpr=0.01)
        assert found.resolved == (True, False, False, False)
        common = threshold_at_fpr(scores, 0.01)
        own = threshold_at_fpr(scores[size == 1], 0.01)
        two, three, six = found.thresholds[1:]
        assert two == max(common, own, scores[size == 2].max())
        assert three == max(common, own)
        assert six == max(common, own, scores[size == 9].max())
        assert found.n_false_alarms[1:] == (0, 0, 0)
    order = rng.permutation(size.size)
    assert thresholds_by_size(scores[order], size[order]) == found


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: thresholds_by_size([1, 2], [1, 1]), "permits no false alarm among 2"),
        (lambda: thresholds_by_size([], []), "nonmember_scores has 0 scores"),
        (
            lambda: thresholds_by_size([1, 2], [1]),
            "n_records has 1 values for 2 groups",
        ),
        (lambda: thresholds_by_size([1, 2], [1, 0]), "values that are no counts"),
        (lambda: thresholds_by_size([1, 2], [1, 1.5]), "values that are no counts"),
        (
            lambda: rates_by_size([1, 2], [1, 0, 1], [1, 1], 0),
            "is_member has 3 values for 2 groups",
        ),
        (
            lambda: rates_by_size([1, 2], [1, 0], [1, 1], [0, 0, 0]),
            "threshold has 3 values for 2 groups",
        ),
        (lambda: rates_by_size([1, 2], [1, 0], [1, 1], np.nan), "threshold has 1 NaN"),
    ],
)
def test_sizes_and_thresholds_that_do_not_fit(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.slow
@pytest.mark.parametrize("alike", [0, 0.5])
@pytest.mark.parametrize("shift", [0, 0.5, 2])
def test_intervals_hold_for_persons_of_1_to_40_alike_records(shift, alike):
    law, n_draws = Persons(shift, alike), 4000
    for metric, true, n in (
        (roc_auc_interval, law.auc(), 50),
        (roc_auc_interval, law.auc(), 300),
        (membership_advantage_interval, law.advantage(), 300),
        (
            lambda y, s: tpr_at_fpr_interval(y, s, max_fpr=0.05),
            law.tpr_at(0.05),
            300,
        ),
    ):
        assert held(metric, law, true, n, n, n_draws) >= 0.935 * n_draws
