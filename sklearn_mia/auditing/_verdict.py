"""The verdict: what was found, in plain words, against limits that can be set."""

import re

from sklearn_mia.auditing._judging import (
    FEWEST_TO_BE_CLOSE,
    FILE_NOT_READ,
    MOST_TIMES,
    NO_SHADOWS,
    NOT_TRIED,
    ONLY_PREDICTIONS,
    outcomes_of,
    together,
)
from sklearn_mia.auditing._nouns import RECORDS
from sklearn_mia.auditing._percent import (
    percent,
    percent_interval,
    rate,
    times_as_many,
)
from sklearn_mia.auditing._slice_words import group_told, limit_in_words, limits_told
from sklearn_mia.checks import check_probability
from sklearn_mia.metrics import expected_fpr

# A rate of .05 at .01 is five true accusations for each false one between equally
# many members and non-members. Both numbers are conventions; see `audit`.
DEFAULT_LIMITS = {"auc": 0.6, "tpr@fpr=0.01": 0.05}

LEVELS = (
    "above_limits",
    "at_limits",
    "within_limits",
    "nothing_found",
    "not_interpretable",
)


def check_limits(limits, name="limits"):
    """Check limits and give each as ``(key, fpr, value)``; `fpr` is None for the AUC.

    Parameters
    ----------
    limits : dict or None
        Keys "auc" and "tpr@fpr=<fraction>", values fractions; None takes
        `DEFAULT_LIMITS`.

    name : str, default="limits"
        What errors call it.

    Returns
    -------
    checked : list of (str, float or None, float)
    """
    limits = DEFAULT_LIMITS if limits is None else limits
    if not isinstance(limits, dict):
        raise TypeError(
            f"{name}={limits!r} is not a dict; expected for example "
            "{'auc': 0.6, 'tpr@fpr=0.01': 0.05}."
        )
    checked = []
    for key, value in limits.items():
        fpr = None
        if key != "auc":
            match = re.fullmatch(r"tpr@fpr=(\S+)", str(key))
            try:
                fpr = float(match[1]) if match else None
            except ValueError:
                fpr = None
            if fpr is None or not 0 < fpr < 1:
                raise ValueError(
                    f"{name} has the key {key!r}; expected 'auc' or 'tpr@fpr=0.01', "
                    "the rate being a fraction in (0, 1), not percent."
                )
        value = check_probability(value, f"{name}[{key!r}]", zero=False)
        checked.append((str(key), fpr, value))
    return checked


def state_verdict(
    correction,
    judged,
    power,
    critical,
    headline,
    model,
    *,
    others=None,
    worst_slice=None,
    slices=(),
    codes=(),
    named="",
    nouns=RECORDS,
    access="interface",
    tested=True,
    has_file_attack=True,
    unjudged=(),
    n_fewest=None,
):
    """Write the verdict.

    Parameters
    ----------
    correction : dict
        "p_value", of the headline, and its "confidence".

    judged : list of dict
        From :func:`~sklearn_mia.auditing._judging.judge_limits`.

    power : dict
        From `_evaluation.what_would_be_seen`.

    critical : list of Finding
        Findings after which the headline is not to be interpreted.

    headline : dict
        "attack", the strongest; "n_attacks"; "auc" and "rate", its row at 1 % false
        alarms, with intervals that hold for all attacks together.

    model : str
        What the model is called.

    others : dict or None, default=None
        The other attacks, each with its AUC and its rate, as in the headline.

    worst_slice : dict or None, default=None
        Row of the group of records in which a leak is surest, if one was found in any.

    slices : list of dict, default=()
        Rows of all groups of records.

    codes : iterable of str, default=()
        Of all findings.

    named : str, default=""
        How many members can be named, told if a leak was found.

    nouns : Nouns, default=RECORDS
        From :func:`~sklearn_mia.auditing._nouns.nouns_of`.

    access : {"interface", "file"}, default="interface"
        What the attacker of this verdict holds.

    tested : bool, default=True
        Whether any attack used all of that.

    has_file_attack : bool, default=True
        Whether any attack used the file at all, where the attacker holds it.

    unjudged : sequence of (str, float or None, float), default=()
        Limits of groups of records that no group was large enough for.

    n_fewest : int or None, default=None
        How many are on the smaller side; None is enough to judge by.

    Returns
    -------
    verdict : dict
        "level", "title", "sentences" and, for each of them, what it is about: "kinds".
    """
    p_value, alpha = correction["p_value"], 1 - correction["confidence"]
    leak = p_value <= alpha
    of_limits = outcomes_of(judged)
    is_whole = tested and not unjudged
    found = together(of_limits, outcomes_of(slices), codes, tested=is_whole)
    kept = found == "kept"
    if critical:
        level = title = "not_interpretable"
    elif found == "exceeded":
        level = "above_limits"
        title = level if "exceeded" in of_limits else "slice_above"
    elif leak or worst_slice is not None:
        level = "within_limits" if kept else "at_limits"
        is_limited = judged or any(row["limits"] for row in slices)
        title = level if is_limited else "no_limits"
    else:
        level, title = "nothing_found", "nothing_found" if kept else "nothing_seen"
    told = [("reason", finding.message) for finding in critical]
    if not tested:
        told.append(
            (
                "reason",
                "Not all of the file was attacked, or not to the end, or not with all "
                f"training records{_named(FILE_NOT_READ, codes)}: who has it can tell "
                "at least this.",
            )
        )
    if not critical:
        told += [("reason", NOT_TRIED[code]) for code in codes if code in NOT_TRIED]
    if level == "nothing_found" and not kept:
        told.append(("power", _too_small_sentence(judged, power)))
    told += [("seen", sentence) for sentence in _what_was_seen(headline, nouns)]
    told += [("seen", sentence) for sentence in _told_of_others(headline, others or {})]
    if leak and named:
        told.append(("seen", named))
    if worst_slice is not None:
        told.append(
            (
                "slice",
                f"Not all {nouns.many} are at the same risk: among "
                f"{group_told(worst_slice, nouns)}.",
            )
        )
    told.append(("chance", _chance_sentence(p_value, alpha, bool(critical))))
    if not leak:
        told.append(("power", _power_sentence(power, nouns)))
    if not critical:
        told += [("limit", _limit_sentence(row, nouns, n_fewest)) for row in judged]
        told += [("limit", text) for text in _slice_sentences(slices, nouns, found)]
        for key, _, value in unjudged:
            limit = limit_in_words({"limit": key, "value": value}, nouns)
            told.append(
                (
                    "limit",
                    f"The limit of groups of records, {limit}, was compared with none: "
                    "no group is large enough.",
                )
            )
    assumed = access if has_file_attack else "interface"
    if assumed == "interface" and {ONLY_PREDICTIONS, NO_SHADOWS} & set(codes):
        assumed = "answers"
    told.append(
        (
            "scope",
            f"{_ASSUMED[assumed]} All of this is about "
            f"{_one_trained(model)}. Another training run would give other values, "
            "which may lie outside these intervals, by about their width; a statement "
            "about the training procedure needs several models (audit_recipe).",
        )
    )
    return {
        "level": level,
        "title": _title(title, nouns),
        "sentences": [sentence for _, sentence in told],
        "kinds": [kind for kind, _ in told],
    }


def _named(wanted, codes):
    """The findings that say which of several reasons holds, in parentheses."""
    found = ", ".join(sorted(set(wanted) & set(codes)))
    return f" ({found})" if found else ""


_ASSUMED = {
    "answers": "The attacks assume someone who holds the records in question and "
    "can ask the model about them, but trains no models like it.",
    "interface": "The attacks assume someone who holds the records in question, can "
    "ask the model about them and train models like it.",
    "file": "The attacks assume someone who holds the records in question and the file "
    "of the model, can ask it and train models like it; the one that reads what the "
    "file stores, someone who has all of its training records as candidates.",
}


def _one_trained(model):
    if model.startswith("the model"):
        return model.replace("the model", "this one trained model", 1)
    return f"this one trained {model}"


_TITLES = {
    "not_interpretable": "These numbers cannot be read as leakage of the model.",
    "above_limits": "The model reveals {who} in its training data, clearly more than "
    "the limits allow.",
    "slice_above": "For a part of the {many}, the model reveals {who} in its "
    "training data, clearly more than the limits allow.",
    "at_limits": "The model reveals something of {who} in its training data. Whether "
    "that is more than the limits allow, this audit cannot decide.",
    "no_limits": "The model reveals something of {who} in its training data. No "
    "limit was set to compare it with.",
    "within_limits": "The model reveals something of {who} in its training data, "
    "clearly within the limits.",
    "nothing_found": "No membership leakage was found, and a leak as large as the "
    "limits would have been.",
    "nothing_seen": "A leak larger than the limits could have been missed. None was "
    "found.",
}


def _title(title, nouns):
    """Title of a verdict, in the words of those whom it is about."""
    who = "who was" if nouns.people == RECORDS.people else f"which {nouns.many} were"
    return _TITLES[title].format(who=who, many=nouns.many)


def _limit_sentence(row, nouns, n_fewest):
    limit = f"The limit is {limit_in_words(row, nouns)}"
    if row["outcome"] == "unresolvable":
        return f"{limit}; it cannot be judged by {row['attack']}: {row['note']}."
    if row["outcome"] == "exceeded":
        name = row["attack"] + (f", {row['note']}," if row["note"] else "")
        return f"{limit}; {name} is above it, and so is its whole interval."
    if row["outcome"] == "kept":
        note = f" ({row['note']})" if row["note"] else ""
        return (
            f"{limit}; over all {nouns.many}, every attack is below it, intervals "
            f"included{note}."
        )
    return f"{limit}; the interval of {row['attack']} lies on both sides of it. " + (
        _times_sentence(row["times"], nouns, n_fewest)
    )


def _times_sentence(times, nouns, n_fewest):
    if times is None and n_fewest is not None and n_fewest < FEWEST_TO_BE_CLOSE:
        return (
            f"With {n_fewest!r} {nouns.many} on a side nothing tells how close the "
            "value is to it: audit with many more."
        )
    if times is None:
        return (
            f"More {nouns.many} would not decide so close a call: it takes more than "
            f"{MOST_TIMES} times as many."
        )
    return (
        f"An audit with about {times_as_many(times)} times as many {nouns.many} on "
        "both sides would decide, if it gives the same value."
    )


def _slice_sentences(slices, nouns, found):
    """What the limits come to in groups of records, if anything is open."""
    if found != "kept":
        return limits_told(slices, found, nouns)
    n_small = sum(row["outcome"] == "cannot_tell" for row in slices)
    if not n_small:
        return []
    groups = "one group" if n_small == 1 else f"{n_small} groups"
    limit = "the limit" if len(slices[0]["limits"]) == 1 else "the limits"
    return [
        f"The audit cannot tell of {groups} of records, which are too small to be "
        f"shown below {limit}, and are not clearly above it."
    ]


def _what_was_seen(headline, nouns):
    name, row, auc = headline["attack"], headline["rate"], headline["auc"]
    n_attacks = headline["n_attacks"]
    strongest = "attack" if n_attacks == 1 else f"of {n_attacks} attacks"
    fpr = rate(row["max_fpr"])
    if row["resolvable"]:
        k = row["n_false_alarms"]
        accused = f"{k} of the {headline['n_nonmembers']} {nouns.people}"
        by_guessing = expected_fpr(k, headline["n_nonmembers"])
        first = (
            f"The strongest {strongest}, {name}, recognises "
            f"{percent_interval(row['tpr'])} of the {nouns.members} at a threshold "
            f"that wrongly accuses {accused}; guessing with as few false "
            f"accusations would recognise {percent(by_guessing)}."
        )
    elif row["tied"]:
        first = (
            f"The strongest {strongest} is {name}. What it recognises at {fpr} false "
            f"alarms cannot be told, as {row['tpr']['note']}."
        )
    else:
        first = (
            f"The strongest {strongest} is {name}. So few {nouns.nonmembers} cannot "
            f"show what it does at {fpr} false alarms."
        )
    return [
        first,
        f"Shown {nouns.a_member} and {nouns.a_nonmember}, the attack tells which is "
        "which in "
        f"{percent(auc['estimate'])} of cases (AUC {_auc_with_ends(auc)}); "
        "guessing is right in 50 %.",
    ]


def _auc_with_ends(auc):
    if auc["low"] is None:
        return f"{auc['estimate']:.3f}, {auc['note']}"
    return f"{auc['estimate']:.3f}, {auc['low']:.3f} to {auc['high']:.3f}"


def _told_of_others(headline, others):
    """Attacks that do as well as the strongest, or better by one of both numbers."""

    def shown(auc, row):
        return round(auc["estimate"], 3), round(row["tpr"]["estimate"], 3)

    auc, found = shown(headline["auc"], headline["rate"])
    values = {name: shown(*own) for name, own in others.items()}
    equal = [name for name, own in values.items() if own == (auc, found)]
    told = []
    if equal:
        do = "does" if len(equal) == 1 else "do"
        told.append(f"{' and '.join(equal)} {do} as well.")
    by_auc = max(values, key=lambda name: values[name][0], default=None)
    if by_auc is not None and values[by_auc][0] > auc:
        other = others[by_auc][0]
        told.append(f"{by_auc} has a larger AUC ({_auc_with_ends(other)}).")
    seen = [name for name, (_, row) in others.items() if row["resolvable"]]
    by_rate = max(seen, key=lambda name: values[name][1], default=None)
    if by_rate is not None and values[by_rate][1] > found:
        row = others[by_rate][1]
        told.append(
            f"{by_rate} recognises more at {rate(row['max_fpr'])} false alarms, "
            f"{percent_interval(row['tpr'])}."
        )
    return told


def _chance_sentence(p_value, alpha, critical):
    if critical:
        reading = "if nothing else told the two sides apart"
    elif p_value <= alpha:
        level = rate(round(alpha, 6))
        reading = f"no more than the {level} up to which this is called a leak"
    else:
        reading = "so it may well be chance"
    share = "no more than 0.1 %" if p_value <= 0.001 else f"about {percent(p_value)}"
    return (
        "If the model gave nothing away, one of the attacks would do as well as this "
        f"by chance in {share} of audits, {reading}."
    )


def _too_small_sentence(judged, power):
    if not judged:
        return "No limit was set, so it is not said how much could have been missed."
    limit = next((row["value"] for row in judged if row["limit"] == "auc"), None)
    if limit is not None and power["auc"] > limit:
        return (
            "This audit is too small to have seen a leak of the size of the limit (AUC "
            f"{limit:g}). It is no argument for the safety of the model."
        )
    return (
        "This audit cannot rule out a leak above the limits: the intervals below reach "
        "over them, or a rate or a group could not be looked at."
    )


def _power_sentence(power, nouns):
    text = (
        f"With probability {power['power']:g} or more, an audit of this size would "
        f"have found a leak that raises the AUC to {power['auc']:.3f}"
    )
    if power["exposed_share"] is not None:
        text += (
            f", or one that fully exposes {percent(power['exposed_share'])} of the "
            f"{nouns.members}"
        )
    return text + "; weaker leaks remain possible."
