import warnings

import numpy as np
import pytest

from sklearn_mia.auditing import audit
from sklearn_mia.auditing._judging import (
    can_tell,
    can_tell_rate,
    judge_limit,
    judge_limits,
    worst_outcome,
)
from sklearn_mia.auditing._settings import Settings
from sklearn_mia.auditing._verdict import check_limits, state_verdict
from sklearn_mia.metrics import tpr_at_fpr_interval

AUC = [("auc", None, 0.6)]
RATE = [("tpr@fpr=0.01", 0.01, 0.05)]
POWER = {"power": 0.8, "auc": 0.58, "exposed_share": None}


def interval(estimate, low, high):
    return {"estimate": estimate, "low": low, "high": high, "note": ""}


def tied(least, most, by_lot=(0.03, 0.0, 1.0)):
    return {
        "resolvable": False,
        "tied": True,
        "least": least,
        "most": most,
        "by_lot": interval(*by_lot),
        "tpr": interval(0.0, None, None) | {"note": "ties"},
    }


def test_default_limits_are_those_documented():
    assert check_limits(None) == [
        ("auc", None, 0.6),
        ("tpr@fpr=0.01", 0.01, 0.05),
    ]
    assert "0.05" in audit.__doc__


@pytest.mark.parametrize(
    ("strong", "weak", "outcome", "attack"),
    [
        ((0.7, 0.65, 0.75), (0.5, 0.4, 0.55), "exceeded", "strong"),
        ((0.7, 0.55, 0.8), (0.5, 0.4, 0.55), "undecided", "strong"),
        ((0.55, 0.52, 0.58), (0.5, 0.4, 0.55), "kept", "strong"),
        # The attack with the lower estimate reaches over the limit.
        ((0.58, 0.55, 0.598), (0.575, 0.52, 0.63), "undecided", "weak"),
        ((0.7, None, None), (0.5, 0.4, 0.55), "undecided", "strong"),
    ],
)
def test_a_limit_is_kept_only_by_the_whole_interval_of_every_attack(
    strong, weak, outcome, attack
):
    intervals = {"weak": interval(*weak), "strong": interval(*strong)}
    (row,) = judge_limits(AUC, intervals, intervals.get, None)
    assert (row["outcome"], row["attack"]) == (outcome, attack)


@pytest.mark.parametrize(
    ("least", "most", "outcome"),
    [
        (0.0, 1.0, "unresolvable"),
        (0.0, 0.04, "kept"),
        (0.06, 1.0, "exceeded"),
        (0.0, 0.05, "kept"),
        (0.05, 0.06, "unresolvable"),
    ],
)
def test_a_rate_that_ties_hide_is_judged_by_those_beside_it(least, most, outcome):
    (row,) = judge_limits(RATE, ["A"], None, lambda name, fpr: tied(least, most))
    assert row["outcome"] == outcome
    assert row["note"] == ("ties" if outcome == "unresolvable" else "")


def seen(estimate, low, high):
    shown = {"resolvable": True, "tied": False, "by_lot": None}
    return shown | {"tpr": interval(estimate, low, high)}


@pytest.mark.parametrize(
    ("by_lot", "other", "outcome"),
    [
        # Who picks among equals by lot has no more than the limit, and another attack
        # shows that its rate is below.
        ((0.01, 0.005, 0.03), (0.02, 0.01, 0.04), "kept"),
        ((0.01, 0.005, 0.03), (0.02, 0.01, 0.06), "undecided"),
        ((0.01, 0.005, 0.03), None, "unresolvable"),
        ((0.04, 0.02, 0.06), (0.02, 0.01, 0.04), "unresolvable"),
        # Picking by lot is an attack like any other.
        ((0.08, 0.06, 0.1), (0.02, 0.01, 0.04), "exceeded"),
        ((0.08, 0.06, 0.1), None, "exceeded"),
    ],
)
def test_a_hidden_rate_does_not_stand_against_one_that_can_be_seen(
    by_lot, other, outcome
):
    rates = {"trees": tied(0.0, 1.0, by_lot)}
    if other is not None:
        rates["shadows"] = seen(*other)
    (row,) = judge_limits(RATE, list(rates), None, lambda name, fpr: rates[name])
    assert row["outcome"] == outcome
    assert row["note"] == {
        "kept": "trees if picking among equal scores by lot",
        "unresolvable": "ties",
    }.get(outcome, "")


@pytest.mark.parametrize(
    ("found", "times"),
    [
        # An interval of .1 to a limit at .05: half as wide with four times as many.
        (interval(0.55, 0.45, 0.65), 4.0),
        (interval(0.65, 0.55, 0.75), 4.0),
        (interval(0.6, 0.55, 0.65), None),
        (interval(0.599, 0.5, 0.7), None),
        # At most 20 times as many.
        (interval(0.5, 0.02, 0.94), 0.44**2 / 0.1**2),
        (interval(0.5, 0.02, 0.95), None),
    ],
)
def test_how_many_more_records_would_decide(found, times):
    (row,) = judge_limits(AUC, ["A"], lambda name: found, None)
    assert row["outcome"] == "undecided"
    assert row["times"] == (None if times is None else pytest.approx(times))


@pytest.mark.parametrize(
    ("found", "outcome"),
    [
        ((0.3, 0.25, 0.35), "exceeded"),
        ((0.42, 0.36, 0.48), "undecided"),
        ((0.45, 0.42, 0.49), "kept"),
        ((0.45, 0.35, 0.55), "kept"),
    ],
)
def test_a_reversed_ranking_tells_as_much_as_one_that_is_not(found, outcome):
    (row,) = judge_limits(AUC, ["A"], lambda name: interval(*found), None)
    assert row["outcome"] == outcome
    is_reversed = found[2] < 0.5
    assert row["note"] == ("read the other way round" if is_reversed else "")
    low, high = found[1:]
    if is_reversed:
        low, high = 1 - high, 1 - low
    assert (row["interval"]["low"], row["interval"]["high"]) == (low, high)


def judged_slice(aucs, large):
    row = judge_limit(AUC[0], list(aucs), auc_of=aucs.get, rate_of=None, large=large)
    return row["outcome"], row["attack"]


def test_a_slice_is_large_by_its_sizes_alone():
    # 3.24 is two-sided .05 over 42 tests: the sizes are then about 490.
    assert can_tell(495, 495, 3.24, 0.6)
    assert not can_tell(480, 480, 3.24, 0.6)
    assert not can_tell(10_000, 100, 3.24, 0.6)
    above, within = interval(0.7, 0.65, 0.75), interval(0.55, 0.5, 0.58)
    between = interval(0.6, 0.5, 0.7)
    for large in (True, False):
        both = {"A": within, "B": above}
        assert judged_slice(both, large) == ("exceeded", "B")
    assert judged_slice({"A": within}, True) == ("kept", "A")
    both = {"A": within, "B": between}
    assert judged_slice(both, True) == ("undecided", "B")
    assert judged_slice(both, False) == ("cannot_tell", "B")
    alike = {"A": interval(0.65, 0.62, 0.7), "B": interval(0.66, 0.62, 0.7)}
    assert judged_slice(alike, True) == ("exceeded", "B")


def test_a_slice_is_large_enough_for_a_rate_by_its_sizes_alone():
    single = 1 - 0.005 / 36
    assert can_tell_rate(500, 500, single, 0.05, 0.17)
    assert not can_tell_rate(500, 500, single, 0.05, 0.15)
    assert not can_tell_rate(500, 19, single, 0.05, 0.99)
    assert not can_tell_rate(500, 500, 1 - 0.005 / 3600, 0.05, 0.17)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n_members", "n_nonmembers", "fpr"),
    [(500, 500, 0.05), (300, 300, 0.01), (200, 2000, 0.05), (2000, 200, 0.05)],
)
def test_a_slice_without_a_leak_that_is_large_enough_passes(
    n_members, n_nonmembers, fpr
):
    # The lowest limit, to a hundredth, of which a slice of this size can tell. Stated
    # is .985; of 600 draws at .97 the share is below .95 in 2 of 1,000 runs.
    single, limit = 1 - 0.005 / 36, fpr
    while not can_tell_rate(n_members, n_nonmembers, single, fpr, limit):
        limit += 0.01
    is_member = np.arange(n_members + n_nonmembers) < n_members
    rng = np.random.default_rng(11)
    n_kept = 0
    for _ in range(600):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)
            interval = tpr_at_fpr_interval(
                is_member,
                rng.normal(size=len(is_member)),
                max_fpr=fpr,
                confidence=single,
            )
        n_kept += interval.high <= limit
    assert n_kept / 600 >= 0.95


def test_groups_of_records_have_the_limit_of_the_auc_and_those_of_their_own():
    assert Settings().slice_limits == (("auc", None, 0.6),)
    assert Settings(limits={"auc": 0.7}).slice_limits == (("auc", None, 0.7),)
    rate = {"tpr@fpr=0.05": 0.2}
    assert Settings(slice_limits=rate).slice_limits == (
        ("auc", None, 0.6),
        ("tpr@fpr=0.05", 0.05, 0.2),
    )
    assert Settings(slice_limits={"auc": 0.8}).slice_limits == (("auc", None, 0.8),)
    assert Settings(limits={}).slice_limits == ()
    with pytest.raises(ValueError, match=r"slice_limits has the key 'tpr'; expected"):
        Settings(slice_limits={"tpr": 0.2})
    with pytest.raises(ValueError, match=r"slice_limits\['auc'\]=60 is not a number"):
        Settings(slice_limits={"auc": 60})
    with pytest.raises(TypeError, match=r"slice_limits=0\.6 is not a dict"):
        Settings(slice_limits=0.6)


def test_the_worst_limit_speaks_for_a_slice():
    def judged(*outcomes):
        return worst_outcome([{"outcome": outcome} for outcome in outcomes])

    assert judged() is None
    assert judged("kept", "kept") == "kept"
    assert judged("kept", "cannot_tell") == "cannot_tell"
    assert judged("cannot_tell", "unresolvable") == "unresolvable"
    assert judged("unresolvable", "undecided") == "undecided"
    assert judged("exceeded", "undecided") == "exceeded"


WORST = {
    "slice": "loss",
    "value": "tenth 10",
    "n_members": 500,
    "attack": "A",
    "auc": interval(0.71, 0.687, 0.735),
}


def verdict(
    p_value,
    outcomes,
    *,
    power=0.58,
    worst=None,
    slices=(),
    critical=(),
    times=2.0,
    **more,
):
    judged = [
        {
            "limit": "auc",
            "value": 0.6,
            "attack": "A",
            "outcome": outcome,
            "times": times,
            "note": "why",
            "interval": interval(0.6, 0.5, 0.7),
        }
        for outcome in outcomes
    ]
    rate = {
        "max_fpr": 0.01,
        "resolvable": True,
        "tied": False,
        "tpr": interval(0.1, 0.05, 0.2),
        "n_false_alarms": 3,
    }
    headline = {
        "attack": "A",
        "n_attacks": 2,
        "n_nonmembers": 299,
        "auc": interval(0.6, 0.5, 0.7),
        "rate": rate,
    }
    return state_verdict(
        {"p_value": p_value, "confidence": 0.97},
        judged,
        POWER | {"auc": power},
        critical,
        headline,
        "Forest",
        worst_slice=worst,
        slices=[slice_row(outcome) for outcome in slices],
        **more,
    )


def slice_row(outcome):
    judged = {
        "limit": "auc",
        "value": 0.6,
        "attack": "A",
        "interval": interval(0.585, 0.533, 0.635),
        "outcome": outcome,
        "times": 3.0,
        "note": "",
    }
    return WORST | {"outcome": outcome, "limits": [judged]}


@pytest.mark.parametrize(
    ("told", "level", "title"),
    [
        (verdict(0.001, ["exceeded", "kept"]), "above_limits", "clearly more than"),
        (verdict(0.001, ["kept", "undecided"]), "at_limits", "cannot decide"),
        (verdict(0.001, ["kept", "unresolvable"]), "at_limits", "cannot decide"),
        (verdict(0.001, []), "at_limits", "No limit was set"),
        (verdict(0.001, ["kept", "kept"]), "within_limits", "clearly within"),
        (verdict(0.03, ["kept"]), "within_limits", "clearly within"),
        (verdict(0.04, ["kept"]), "nothing_found", "would have been"),
        (verdict(0.04, ["undecided"]), "nothing_found", "could have been missed"),
        (verdict(0.04, []), "nothing_found", "could have been missed"),
        (
            verdict(0.5, ["kept"], worst=WORST, slices=["exceeded"]),
            "above_limits",
            "For a part of the records",
        ),
        (
            verdict(0.5, ["kept"], worst=WORST, slices=["kept", "undecided"]),
            "at_limits",
            "cannot decide",
        ),
        (
            verdict(0.5, ["kept"], worst=WORST, slices=["cannot_tell"]),
            "within_limits",
            "clearly within",
        ),
        (verdict(0.5, ["kept"], slices=["undecided"]), "nothing_found", "missed"),
    ],
)
def test_five_levels_by_certainty_and_size(told, level, title):
    assert told["level"] == level
    assert title in told["title"]
    assert len(told["kinds"]) == len(told["sentences"])


@pytest.mark.parametrize(
    ("n_fewest", "told"),
    [
        (
            99,
            "With 99 records on a side nothing tells how close the value is to it: "
            "audit with many more.",
        ),
        (
            100,
            "More records would not decide so close a call: it takes more than 20 "
            "times as many.",
        ),
    ],
)
def test_more_records_are_no_use_where_many_were_looked_at(n_fewest, told):
    sentences = verdict(0.001, ["undecided"], times=None, n_fewest=n_fewest)
    assert (
        "The limit is an AUC of 0.6; the interval of A lies on both sides of it. "
        + told
    ) in sentences["sentences"]


def test_an_audit_too_small_for_the_limit_says_so_first():
    told = verdict(0.4, ["undecided"], power=0.7)
    assert told["sentences"][0] == (
        "This audit is too small to have seen a leak of the size of the limit (AUC "
        "0.6). It is no argument for the safety of the model."
    )
    larger = verdict(0.4, ["undecided"], power=0.59)
    assert larger["sentences"][0].startswith("This audit cannot rule out a leak")


def test_the_worst_group_is_in_the_verdict():
    told = verdict(0.001, ["kept"], worst=WORST, slices=["cannot_tell"])
    assert (
        "Not all records are at the same risk: among the tenth of the records that "
        "models get most wrong (500 members), A has an AUC of 0.710 (0.687 to 0.735, "
        "corrected for all groups)."
    ) in told["sentences"]


def test_guessing_recognises_one_more_than_it_accuses():
    (first,) = [s for s in verdict(0.01, ["kept"])["sentences"] if "strongest" in s]
    assert first.endswith(
        "wrongly accuses 3 of the 299 people who were not in the data; guessing with "
        "as few false accusations would recognise 1.3 %."
    )


def test_close_calls_say_how_many_more_records_would_decide():
    told = " ".join(verdict(0.001, ["undecided"])["sentences"])
    assert "An audit with about 2 times as many records on both sides" in told
    # Groups of records are held to the limit, too; the one that is open is named.
    told = " ".join(verdict(0.001, ["kept"], slices=["kept", "undecided"])["sentences"])
    assert (
        "The limit of groups of records, an AUC of 0.6, applies to each that is large "
        "enough. It cannot be decided, since the interval lies on both sides, "
        "among the tenth of the records that models get most wrong (500 members; A "
        "0.585, 0.533 to 0.635; 3 times as many records would decide, if they give "
        "the same value)."
    ) in told
    told = " ".join(verdict(0.001, ["kept"], slices=["cannot_tell"])["sentences"])
    assert "The audit cannot tell of one group of records, which are too small" in told
