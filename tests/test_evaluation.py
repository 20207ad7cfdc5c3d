import numpy as np
import pytest
from helpers.subjects import subjects_of_scores
from numpy.testing import assert_allclose, assert_array_equal
from scipy.stats import norm

from sklearn_mia.auditing._evaluation import (
    consensus,
    evaluate_scores,
    exposure,
    headline_statistics,
    percentiles,
    plain_interval,
    tpr_row,
    what_would_be_seen,
)
from sklearn_mia.auditing._multiplicity import Correction
from sklearn_mia.auditing._partitions import loss_groups, slice_groups
from sklearn_mia.auditing._percent import percent_interval
from sklearn_mia.auditing._slice_words import limits_told, records_told
from sklearn_mia.auditing._slices import evaluate_slices
from sklearn_mia.auditing._text import slice_name
from sklearn_mia.metrics import (
    epsilon_lower_bound,
    membership_advantage_interval,
    roc_auc_interval,
    tpr_at_fpr_interval,
)


def test_percentiles_among_the_nonmembers():
    scores = np.array([3.0, 1.0, 0.0, 1.0, 2.0, np.nan])
    is_member = np.array([True, True, False, False, False, True])
    assert_allclose(percentiles(scores, is_member), [1, 0.5, 1 / 6, 0.5, 5 / 6, np.nan])


def test_exposure_is_a_rank_among_the_nonmembers():
    scores = np.array([3.0, 1.0, 0.0, 1.0, 2.0, np.nan])
    is_member = np.array([True, True, False, False, False, True])
    assert_allclose(
        exposure(scores, is_member), [1 / 4, 3 / 4, 1, 2 / 3, 1 / 3, np.nan]
    )


def test_a_sure_attack_counts_where_another_sees_nothing():
    exposures = np.array([[0.001, 0.1, np.nan], [0.9, 0.1, np.nan]])
    risk, rank = consensus(exposures)
    assert_allclose(risk, [0.97, 0.9, np.nan])
    assert_array_equal(rank, [1, 2, 3])


def test_slices_of_categories_and_numbers():
    pd = pytest.importorskip("pandas")
    labels = [label for label, _ in slice_groups(np.array(["b", "a", "b"]))]
    assert labels == ["a", "b"]
    groups = slice_groups(pd.Series([*range(100), None]))
    assert [inside.sum() for _, inside in groups] == [20, 20, 20, 20, 20, 1]
    assert [label for label, _ in groups] == [
        "below 19.8",
        "19.8 to below 39.6",
        "39.6 to below 59.4",
        "59.4 to below 79.2",
        "79.2 or more",
        "missing",
    ]
    one = slice_groups(np.r_[np.zeros(990), np.arange(10), np.arange(20)])
    assert [label for label, _ in one] == ["known values"]
    many = slice_groups(np.array([f"v{i}" for i in range(30)]))
    assert many[-1][0] == "the 18 rarest values"
    assert sum(inside.sum() for _, inside in many) == 30
    rare = slice_groups(np.array(["a"] * 10 + ["b"] * 9 + ["c"]), fewest=10)
    assert [(label, inside.sum()) for label, inside in rare] == [
        ("a", 10),
        ("the 2 rarest values", 10),
    ]
    (_, alone) = slice_groups(np.array(["a"] * 10 + ["b"] * 9), fewest=10)
    assert alone[0] == "the rarest value"


@pytest.mark.parametrize(
    ("column", "value", "told", "short"),
    [
        (
            "category",
            "the 6 rarest values",
            "one of the 6 rarest values of category",
            "category = the 6 rarest values",
        ),
        (
            "job",
            "the rarest value",
            "the rarest value of job",
            "job = the rarest value",
        ),
        ("job", "the arts", "job the arts", "job = the arts"),
        # Of a long column the beginning, so that its values are told apart.
        (
            "previous_loan_category",
            "the 6 rarest values",
            "one of the 6 rarest values of previous_loan_category",
            "previous_l… = the 6 rarest values",
        ),
        ("job", "x" * 40, f"job {'x' * 40}", f"job = {'x' * 26}…"),
    ],
)
def test_rare_values_are_told_by_their_number(column, value, told, short):
    row = {"slice": column, "value": value}
    assert records_told(row) == f"the records with {told}"
    assert slice_name(row) == short
    assert len(short) <= 33


def test_tied_losses_share_a_group():
    loss = np.repeat([0.0, 1.0, 2.0], [50, 30, 20])
    for order in (np.arange(100), np.random.default_rng(0).permutation(100)):
        groups = loss_groups(loss[order])
        assert [inside.sum() for _, inside in groups] == [50, 30, 20]


def test_two_valued_random_scores_are_at_chance():
    # A peer reports AUC .136 here: it cuts blocks of ties by the order of the rows.
    rng = np.random.default_rng(0)
    is_member = np.arange(2000) < 1000
    for n_levels in (2, 5, 20):
        scores = rng.integers(n_levels, size=2000).astype(float)
        row = evaluate_scores(
            is_member,
            scores,
            fprs=(0.01,),
            confidence=0.95,
            prior=0.5,
            inclusion_probability=None,
            seed=0,
        )
        assert row["auc"]["low"] < 0.5 < row["auc"]["high"]
        assert (row["roc"]["fpr"][-1], row["roc"]["tpr"][-1]) == (1, 1)


def test_no_rate_is_interpolated():
    # A peer reports .097 at 5 % false alarms, which no threshold attains.
    is_member = np.arange(200) < 100
    scores = np.where(is_member, 1.0, 0.0)
    scores[:50] = 0.0
    scores[100] = 2.0
    scores[101:111] = 1.0
    row = tpr_row(is_member, scores, 0.05, 0.95)
    assert row["tpr"]["estimate"] == 0
    assert row["n_false_alarms"] == 1


def test_no_rate_beyond_the_data():
    # Peers print the TPR at a false-positive rate of 1e-7 for 200 records.
    is_member = np.arange(400) < 200
    scores = np.random.default_rng(0).normal(size=400)
    row = tpr_row(is_member, scores, 1e-7, 0.95)
    assert not row["resolvable"]
    assert row["tpr"]["low"] is None
    assert "at least 10000000 are needed" in row["tpr"]["note"]


def test_epsilon_and_advantage_without_a_leak():
    # Peers report a positive epsilon in 35 to 98 % of such runs.
    rng = np.random.default_rng(0)
    is_member = np.arange(400) < 200
    positive = advantage = 0
    for _ in range(100):
        scores = rng.normal(size=400)
        positive += epsilon_lower_bound(is_member, scores).epsilon > 0
        advantage += membership_advantage_interval(is_member, scores).low > 0
    assert positive <= 9
    assert advantage <= 7


def test_slices_too_small_to_be_tested_do_not_widen_the_others():
    rng = np.random.default_rng(0)
    is_member = np.arange(400) % 2 == 0
    kind = np.repeat(["a", "b", "c"], [200, 190, 10])
    # The first attack sees members in "a", the second in "b".
    scores = {
        "first": rng.normal(size=400) + (is_member & (kind == "a")),
        "second": rng.normal(size=400) + (is_member & (kind == "b")),
    }
    rows = evaluate_slices(
        {"kind": [(value, kind == value) for value in "abc"]},
        subjects_of_scores(is_member, scores),
        {"interface": list(scores), "file": ["second"]},
        min_size=30,
        confidence=0.9,
        n_permutations=999,
        seed=0,
    )
    # What else is told by access changes no interval.
    assert rows["file"][1] == rows["interface"][1]
    assert [row["attack"] for row in rows["file"]] == ["second", "second", None]
    rows = rows["interface"]
    assert [row["attack"] for row in rows] == ["first", "second", None]
    first, second = (row["auc"]["confidence"] for row in rows[:2])
    # Of four tests that hardly depend on each other; of six it would be .983.
    assert first == second == pytest.approx(1 - 0.1 / 4, abs=0.006)
    for row in rows[:2]:
        inside = kind == row["value"]
        interval = roc_auc_interval(
            is_member[inside],
            scores[row["attack"]][inside],
            confidence=row["auc"]["confidence"],
        )
        assert row["auc"] == plain_interval(interval)
        assert row["p_corrected"] == 0.001
        assert row["note"] == ""
    assert rows[2]["n_members"] == rows[2]["n_nonmembers"] == 5
    assert rows[2]["auc"] is rows[2]["p_corrected"] is None
    assert rows[2]["note"] == (
        "fewer than 30 members or 30 non-members: too few to say anything"
    )


def test_a_rate_in_a_slice_is_held_to_a_limit_of_its_own():
    # One member in five of "a" is told with certainty: an AUC of about .6.
    rng = np.random.default_rng(3)
    is_member = np.arange(2400) % 2 == 0
    kind = np.repeat(["a", "b", "c"], [1200, 1100, 100])
    scores = rng.normal(size=2400)
    scores[is_member & (kind == "a") & (rng.random(2400) < 1 / 5)] += 10
    limits = [("auc", None, 0.7), ("tpr@fpr=0.05", 0.05, 0.15)]
    kinds = {"kind": [(value, kind == value) for value in "abc"]}

    def evaluated(limits):
        return evaluate_slices(
            kinds,
            subjects_of_scores(is_member, {"A": scores}),
            {"interface": ["A"]},
            min_size=30,
            confidence=0.995,
            limits=limits,
            n_permutations=999,
            seed=0,
        )["interface"]

    rows = evaluated(limits)
    outcomes = [[judged["outcome"] for judged in row["limits"]] for row in rows]
    assert outcomes == [
        ["kept", "exceeded"],
        ["kept", "kept"],
        ["cannot_tell", "cannot_tell"],
    ]
    assert [row["outcome"] for row in rows] == ["exceeded", "kept", "cannot_tell"]
    inside = kind == "a"
    interval = tpr_at_fpr_interval(
        is_member[inside],
        scores[inside],
        max_fpr=0.05,
        # Three rates were looked at.
        confidence=1 - 0.005 / 3,
    )
    judged = rows[0]["limits"][1]
    assert judged["interval"] == plain_interval(interval)
    assert judged["interval"]["low"] > 0.15
    assert limits_told(rows, "exceeded") == [
        "The limit of groups of records, 15 % of the members at 5 % false alarms, "
        "applies to each that is large enough. It is exceeded among the records with "
        f"kind a (600 members; A {percent_interval(judged['interval'])})."
    ]
    # The limit of a rate takes nothing from the intervals of the AUC.
    for row, alone in zip(rows, evaluated(limits[:1]), strict=True):
        assert row["auc"] == alone["auc"]
        assert row["limits"][:1] == alone["limits"]


def corrected(sd, critical=2.0):
    nothing = np.zeros(len(sd))
    return Correction(1.0, nothing, critical, 2.2, nothing, np.array(sd), 999)


def test_what_would_be_seen_is_the_critical_value_and_the_power_beyond_it():
    labels = [("A", "auc"), ("A", "tpr"), ("B", "auc"), ("B", "tpr"), ("C", "tpr")]
    correction = corrected([0.03, 0.004, 0.02, 0.01, 0.006])
    power = what_would_be_seen(correction, labels, 500, 500)
    reach = 2.0 + norm.ppf(0.8)
    # What the attack that varies most can see; one whole record more.
    assert power["auc"] == pytest.approx(0.5 + reach * 0.03)
    assert power["exposed_share"] == (np.ceil(reach * 0.01 / 0.99 * 500) + 1) / 500
    assert power["note"] == ""


def test_what_would_be_seen_without_a_rate_or_without_scores_that_vary():
    power = what_would_be_seen(corrected([0.02]), [("A", "auc")], 50, 50)
    assert power["exposed_share"] is None
    assert power["note"] == "a false-positive rate of 0.01 is not resolvable"
    labels = [("A", "auc"), ("A", "tpr")]
    power = what_would_be_seen(corrected([0.0, 0.5]), labels, 1000, 1000)
    reach = 2.0 + norm.ppf(0.8)
    assert power["auc"] == pytest.approx(0.5 + reach * np.sqrt(2001 / 12e6))
    assert power["exposed_share"] == 1


def test_below_200_records_a_side_no_share_of_exposed_records_is_stated():
    labels = [("one", "auc"), ("one", "tpr")]
    result = corrected([0.03, 0.01])
    assert what_would_be_seen(result, labels, 199, 1000)["exposed_share"] is None
    power = what_would_be_seen(result, labels, 1000, 199)
    assert power["note"] == "fewer than 200 records on a side"
    power = what_would_be_seen(result, labels, 200, 200)
    assert power["exposed_share"] == pytest.approx(
        round(power["exposed_share"] * 200) / 200
    )
    assert power["note"] == ""


@pytest.mark.parametrize(("n_nonmembers", "metrics"), [(99, 1), (100, 2)])
def test_a_rate_is_tested_where_it_permits_a_false_alarm(n_nonmembers, metrics):
    is_member = np.arange(300) >= n_nonmembers
    scores = {"A": np.arange(300.0), "B": np.arange(300.0)}
    subjects = subjects_of_scores(is_member, scores)
    labels, statistics = headline_statistics(subjects, list(scores))
    kinds = ["auc", "reversed", "tpr"][: metrics + 1]
    assert labels == [(name, kind) for name in "AB" for kind in kinds]
    assert [s.chance for s in statistics] == [0.5, 0.5, 0.01][: metrics + 1] * 2


def test_groups_of_equal_losses_stand_where_their_middle_is():
    groups = loss_groups(np.repeat([0.0, 1.0, 3.0], [4, 6, 10]))
    # Middles at 2, 7 and 15 of 20 records.
    names = [name.partition(":")[0] for name, _ in groups]
    assert names == ["tenth 2", "tenth 4", "tenth 8"]
    assert [inside.sum() for _, inside in groups] == [4, 6, 10]


def test_an_attack_that_did_not_score_a_record_has_no_say():
    risk, rank = consensus(np.array([[0.25, 0.01, np.nan], [0.25, np.nan, 0.5]]))
    assert_allclose(risk, [0.75, 0.99, 0.5])
    assert_array_equal(rank, [2, 1, 3])


@pytest.mark.parametrize("probability", [None, 0.3])
def test_epsilon_is_about_the_coin_that_drew_the_members(probability):
    rng = np.random.default_rng(0)
    is_member = rng.random(600) < 0.3
    scores = rng.normal(size=600) + 2 * is_member
    row = evaluate_scores(
        is_member,
        scores,
        fprs=(0.01, 0.1),
        confidence=0.9,
        prior=0.2,
        inclusion_probability=probability,
        seed=3,
    )
    bound = epsilon_lower_bound(
        is_member,
        scores,
        confidence=0.9,
        random_inclusion=probability is not None,
        inclusion_probability=probability or 0.5,
        random_state=3,
    )
    assert row["epsilon"]["low"] == bound.epsilon > 0
    assert row["epsilon"]["statement"] == bound.statement


@pytest.mark.parametrize(
    ("n_found", "n_alarms", "ppv"),
    [(20, 5, 0.1 * 0.2 / (0.1 * 0.2 + 0.9 * 0.05)), (0, 5, 0.0), (20, 0, 1.0)],
)
def test_who_is_accused_and_how_many_of_them_are_members(n_found, n_alarms, ppv):
    is_member = np.arange(200) < 100
    scores = np.zeros(200)
    scores[:n_found] = scores[100 : 100 + n_alarms] = 9
    row = rates_of(is_member, scores, 0.05)
    assert (row["n_found"], row["n_false_alarms"]) == (n_found, n_alarms)
    assert row["ppv"] == pytest.approx(ppv)
    assert row["ppv_note"] == "at a prior of 0.1"
    # One permitted false alarm of five that are tied accuses nobody.
    row = rates_of(is_member, scores, 0.01)
    if n_alarms:
        assert row["n_found"] == row["n_false_alarms"] == 0
        assert row["ppv"] is None
        assert row["ppv_note"] == "no record is accused"


def rates_of(is_member, scores, fpr):
    row = evaluate_scores(
        is_member,
        scores,
        fprs=(fpr,),
        confidence=0.95,
        prior=0.1,
        inclusion_probability=None,
        seed=0,
    )
    return row["tpr_at_fpr"][0]
