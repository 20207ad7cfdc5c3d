import pickle
import re

import numpy as np
import pytest
from helpers.metrics import every_scored, few_alarms, leaky, permutations

from sklearn_mia.checks import check_same_rows
from sklearn_mia.metrics import (
    compare_attacks,
    detectable_auc,
    epsilon_lower_bound,
    gaussian_dp_lower_bound,
    min_nonmembers_for_fpr,
    positive_predictive_value,
    rate_interval,
    roc_auc_interval,
    threshold_at_fpr,
    tpr_at_fpr_interval,
    tpr_at_fpr_score,
    tpr_at_fpr_scorer,
)


@few_alarms
@every_scored
def test_no_value_depends_on_the_order_of_the_records(function):
    is_member, scores = leaky(30, decimals=0)
    expected = function(is_member, scores)
    for y, shuffled in permutations(is_member, scores):
        assert function(y, shuffled) == expected


def test_scores_are_refused_rather_than_patched_when_they_are_not_finite():
    with pytest.raises(
        ValueError,
        match=re.escape(
            "y_score has 2 values that are NaN or infinite; expected finite scores: "
            "give such records the lowest score, or leave them out and say so."
        ),
    ):
        tpr_at_fpr_score([1, 0, 1], [np.nan, 0, np.inf])


@every_scored
def test_labels_in_the_place_of_scores_are_told_by_type(function):
    message = (
        "y_score has scores of type str that are no numbers; expected one score a "
        "record: pass decision_function(X) or predict_proba(X)[:, 1]."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        function([1, 0, 1, 0], ["Ann", "Bob", "Ann", "Bob"])


@every_scored
@few_alarms
def test_membership_can_be_written_in_every_usual_way(function):
    is_member, scores = leaky(20)
    expected = function(is_member, scores)
    for y in (
        is_member.tolist(),
        is_member.astype(int),
        is_member.astype(float),
        np.where(is_member, 1, -1),
        is_member.astype(object),
        is_member[:, None],
    ):
        assert function(y, scores.tolist()) == expected
    text = np.where(is_member, "member", "nonmember")
    assert function(text, scores, pos_label="member") == expected
    assert function(~is_member, scores, pos_label=0) == expected


@every_scored
def test_membership_that_says_too_little_is_refused(function):
    scores = np.arange(4.0)
    for y, options, message in [
        (
            ["in", "out", "in", "out"],
            {},
            "y_true has the labels ['in', 'out'] and pos_label=None; expected "
            "True/False or 1/0: pass the label of members as pos_label.",
        ),
        (
            [1, 0, 1, 0],
            {"pos_label": "in"},
            "pos_label='in' is not among the labels [0, 1] of y_true; pass the label "
            "of members.",
        ),
        (
            [0, 1, 2, 1],
            {},
            "y_true has 3 different labels; expected members and non-members only: "
            "pass y_true == member_label.",
        ),
        (
            [1, 1, 1, 1],
            {},
            "y_true has 4 members and 0 non-members; expected at least one of each: "
            "add records of the other kind.",
        ),
        (
            [1, None, 0, 1],
            {},
            "y_true has missing values; expected the membership of every record: leave "
            "out the records whose membership is unknown.",
        ),
        (
            [1, 0, 1],
            {},
            "y_true has 3 records and y_score has 4; expected one score for each "
            "record, in the same order.",
        ),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)):
            function(y, scores, **options)


@every_scored
def test_two_columns_of_probabilities_are_not_taken_for_scores(function):
    with pytest.raises(
        ValueError,
        match=re.escape(
            "y_score has shape (4, 2); expected one score a record: pass "
            "decision_function(X) or predict_proba(X)[:, 1]."
        ),
    ):
        function([1, 0, 1, 0], np.ones((4, 2)))


@pytest.mark.parametrize("value", [5, 1, 1.0, -0.1, np.nan, "1%", True, None])
def test_a_percentage_is_refused_and_the_unit_named(value):
    y, s = [1, 0], [1.0, 0.0]
    for call, name, bracket in [
        (lambda: tpr_at_fpr_score(y, s, max_fpr=value), "max_fpr", "["),
        (lambda: threshold_at_fpr(s, value), "max_fpr", "["),
        (lambda: tpr_at_fpr_scorer(value), "max_fpr", "["),
        (lambda: tpr_at_fpr_interval(y, s, max_fpr=value), "max_fpr", "("),
        (lambda: min_nonmembers_for_fpr(value), "max_fpr", "("),
        (lambda: roc_auc_interval(y, s, confidence=value), "confidence", "("),
        (lambda: rate_interval(1, 2, confidence=value), "confidence", "("),
        (lambda: epsilon_lower_bound(y, s, delta=value), "delta", "["),
        (lambda: gaussian_dp_lower_bound(y, s, delta=value), "delta", "("),
        (lambda: positive_predictive_value(0.1, 0.1, value), "prior", "("),
        (lambda: detectable_auc(9, 9, power=value), "power", "("),
    ]:
        with pytest.raises(
            ValueError,
            match=re.escape(
                f"{name}={value!r} is not a number in {bracket}0, 1); rates are "
                "fractions, not percent: write 0.05 for 5 %."
            ),
        ):
            call()


def test_counts_that_are_not_counts_are_refused():
    with pytest.raises(
        ValueError, match=r"n_events=0\.5 is not a count; expected an integer >= 0\."
    ):
        rate_interval(0.5, 2)
    with pytest.raises(ValueError, match="n_events=3 is more than n_trials=2"):
        rate_interval(3, 2)
    with pytest.raises(ValueError, match="nonmember_scores has 0 scores"):
        threshold_at_fpr([], 0.1)


def test_nothing_given_is_written_to_and_no_generator_is_advanced():
    is_member, scores = leaky(300)
    is_member.flags.writeable = scores.flags.writeable = False
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    for generator in (np.random.default_rng(0), np.random.RandomState(0), None):
        state = pickle.dumps(generator)
        epsilon_lower_bound(is_member, scores, random_state=generator)
        gaussian_dp_lower_bound(is_member, scores, random_state=generator)
        compare_attacks(
            is_member,
            scores,
            -scores,
            metric="tpr_at_fpr",
            max_fpr=0.05,
            n_resamples=100,
            random_state=generator,
        )
        assert pickle.dumps(generator) == state
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_the_same_rows_in_another_order_are_refused():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame({"age": [30, 40, 50]}, index=["a", "b", "c"])
    y = pd.Series([1, 0, 1], index=["c", "a", "b"])
    message = (
        "y has the rows of X in another order: its index has the same values. They are "
        "matched by position; pass y.loc[X.index], or reset_index(drop=True) of both "
        "if they match as they are."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        check_same_rows(X=X, y=y)
    with pytest.raises(ValueError, match=r"groups has the rows of X in another order"):
        check_same_rows(X=X, y=y.loc[X.index], groups=y.to_frame())
    # The first with an index is what others are compared with.
    with pytest.raises(ValueError, match=r"pass groups\.loc\[y\.index\]"):
        check_same_rows(X=X.to_numpy(), y=y, groups=y.sort_index())


def test_rows_without_one_name_each_are_taken_as_they_stand():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame({"age": [30, 40, 50]}, index=["a", "b", "c"])
    for index in (["a", "b", "c"], [0, 1, 2], ["b", "a", "d"], ["b", "a", "a"]):
        check_same_rows(X=X, y=pd.Series([1, 0, 1], index=index))
    twice = X.set_axis(["a", "b", "a"])
    check_same_rows(X=twice, y=pd.Series([1, 0, 1], index=["a", "a", "b"]))
    check_same_rows(X=X, y=[1, 0, 1], groups=None)
    # A new series has no names of its own.
    shuffled = X.set_axis([2, 0, 1])
    check_same_rows(X=shuffled, y=pd.Series([1, 0, 1]))
    with pytest.raises(ValueError, match="y has the rows of X in another order"):
        check_same_rows(X=shuffled, y=pd.Series([1, 0, 1], index=[0, 1, 2]))
