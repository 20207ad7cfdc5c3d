"""What is said of groups of records: which they are, and what was found in them."""

import re

from sklearn_mia.auditing._nouns import RECORDS
from sklearn_mia.auditing._percent import percent_interval, rate, times_as_many

_LEAST_TOLD = 0.0005
# As `slice_groups` calls what it does not name.
_RAREST = re.compile(r"the (rarest value|\d+ rarest values)")


def records_told(row, nouns=RECORDS):
    """Which records a slice has, in words."""
    value = row["value"]
    if row["slice"] == "loss":
        tenth, _, ends = value.partition(": ")
        loss = f" (a loss of {ends})" if ends else ""
        if tenth == "tenth 10":
            return f"the tenth of the records that models get most wrong{loss}"
        return f"the records in {tenth} by how wrong models get them{loss}"
    if row["slice"] == "rarity":
        if value == "no one else":
            return "the records with two values that no other record has together"
        others = value.replace("others", "other records")
        return f"the records whose rarest two values {others} have together"
    if row["slice"] == "size":
        return f"the {nouns.many} with {value} record{'' if value == '1' else 's'}"
    if row["slice"] == "length":
        return f"the records of a length of {value}"
    if _RAREST.fullmatch(value):
        one_of = "one of " if value.endswith("s") else ""
        return f"the records with {one_of}{value} of {row['slice']}"
    return f"the records with {row['slice']} {value}"


def slicing_told(slicing, nouns):
    """What the records of a slicing are told apart by."""
    return {
        "loss": "by how wrong models get a record that they were not trained on (their "
        "loss), in tenths, the easiest first",
        "rarity": "by how many other records have the same two values together, for "
        "the two that are rarest",
        "length": "by length: the characters of a text, or the entries of what is no "
        "text",
        "size": f"by the number of records of a {nouns.one}",
    }.get(slicing, f"by {slicing}")


def differences_told(slices, confidence, attack, nouns=RECORDS):
    """Whether slices differ by more than chance, in a sentence.

    Parameters
    ----------
    slices : list of dict
        With "difference" from :func:`slice_differences`.

    confidence : float
        Of all of them together.

    attack : str
        The one whose AUC is compared.

    nouns : Nouns, default=RECORDS

    Returns
    -------
    sentence : str
        Empty if no slice could be compared.
    """
    compared = [
        r for r in slices if r["difference"] and r["difference"]["low"] is not None
    ]
    if not compared:
        return ""
    found = [
        row
        for row in compared
        if row["difference"]["p_corrected"] <= 1 - confidence
        and not row["difference"]["low"] <= 0 <= row["difference"]["high"]
    ]
    detectable = [row["difference"]["detectable"] for row in compared]
    power = ""
    if max(detectable) >= _LEAST_TOLD:
        power = (
            f"Differences of less than {min(detectable):.3f} in the largest groups, "
            f"and of less than {max(detectable):.3f} in the smallest, may have been "
            "missed."
        )
    of_whom = ""
    if nouns != RECORDS:
        of_whom = (
            f" Compared are {nouns.many} who have a record in the group with those who "
            "have none, each with all of their records."
        )
    if not found:
        return (
            f"In none of {len(compared)} groups does the AUC of {attack} differ from "
            f"that of all others by more than chance. {power}{of_whom}".rstrip()
        )
    told = []
    for words, sign in (("Higher", 1), ("Lower", -1)):
        part = [row for row in found if sign * row["difference"]["difference"] > 0]
        part.sort(key=lambda row: -abs(row["difference"]["difference"]))
        if part:
            shown = "; ".join(_difference_told(row, nouns) for row in part)
            told.append(f"{words} by more than chance among {shown}.")
    return (
        f"The AUC of {attack} in a group less that of all others, corrected for having "
        f"compared {len(compared)} groups. {' '.join(told)} {power}{of_whom}".rstrip()
    )


def _difference_told(row, nouns):
    found = row["difference"]
    return (
        f"{records_told(row, nouns)} ({found['difference']:+.3f}, {found['low']:+.3f} "
        f"to {found['high']:+.3f})"
    )


def limit_in_words(row, nouns=RECORDS):
    """A limit: an AUC, or a share of the members at a rate of false alarms."""
    if row["limit"] == "auc":
        return f"an AUC of {row['value']:g}"
    fpr = float(row["limit"].partition("=")[2])
    return f"{rate(row['value'])} of the {nouns.members} at {rate(fpr)} false alarms"


_OUTCOMES = {
    "kept": "below it",
    "exceeded": "above it",
    "undecided": "on both sides",
    "unresolvable": "cannot be seen",
    "cannot_tell": "too small to tell",
}


def rate_limits(slices):
    """The limits of the TPR that groups of records are held to."""
    held = next((row["limits"] for row in slices if row["limits"]), [])
    return [judged for judged in held if judged["limit"] != "auc"]


def rate_in_slice(row, limit):
    """The rate in a group of records beside its limit, in words.

    Parameters
    ----------
    row : dict

    limit : str
        Its key.

    Returns
    -------
    found : dict or None
        "attack", "told" and "outcome"; None of a group that is too small.
    """
    for judged in row["limits"]:
        if judged["limit"] == limit:
            return {
                "attack": judged["attack"],
                "told": percent_interval(judged["interval"]),
                "outcome": _OUTCOMES[judged["outcome"]],
            }
    return None


def limits_told(slices, outcome, nouns=RECORDS, most=3):
    """What each limit comes to in the groups of one outcome, a sentence a limit.

    Parameters
    ----------
    slices : list of dict

    outcome : {"exceeded", "undecided"}
        A rate that cannot be looked at counts as undecided.

    nouns : Nouns, default=RECORDS

    most : int, default=3
        Groups that are named.

    Returns
    -------
    sentences : list of str
        None of a limit without such a group.
    """
    outcomes = {outcome, "unresolvable"} if outcome == "undecided" else {outcome}
    of_limit = {}
    for row in slices:
        for judged in row["limits"]:
            if judged["outcome"] in outcomes:
                of_limit.setdefault(judged["limit"], []).append((row, judged))
    return [_limit_told(pairs, outcome, nouns, most) for pairs in of_limit.values()]


def _limit_told(pairs, outcome, nouns, most):
    end = "low" if outcome == "exceeded" else "high"

    def by_end(pair):
        interval = pair[1]["interval"]
        value = interval[end]
        return -(interval["estimate"] if value is None else value)

    pairs.sort(key=by_end)
    shown = "; ".join(_limit_of_group(*pair, nouns) for pair in pairs[:most])
    more = len(pairs) - most
    if more > 0:
        shown += f"; and {more} more group{'s' if more > 1 else ''}, see the tables"
    limit = limit_in_words(pairs[0][1], nouns)
    if outcome == "exceeded":
        lies = "It is exceeded"
    elif any(judged["outcome"] == "unresolvable" for _, judged in pairs):
        lies = "It cannot be decided"
    else:
        lies = "It cannot be decided, since the interval lies on both sides,"
    return (
        f"The limit of groups of records, {limit}, applies to each that is large "
        f"enough. {lies} among {shown}."
    )


def _limit_of_group(row, judged, nouns):
    interval, times = judged["interval"], judged["times"]
    if interval["low"] is None:
        seen = interval["note"]
    elif judged["limit"] == "auc":
        seen = (
            f"{interval['estimate']:.3f}, {interval['low']:.3f} to "
            f"{interval['high']:.3f}"
        )
    else:
        seen = percent_interval(interval)
    told = (
        f"{records_told(row, nouns)} ({row['n_members']} {nouns.members}; "
        f"{judged['attack']} {seen}"
    )
    if times is not None:
        told += (
            f"; {times_as_many(times)} times as many {nouns.many} would decide, if "
            "they give the same value"
        )
    return f"{told})"


def group_told(row, nouns=RECORDS):
    """What was seen in a group of records, in the words of verdict and finding."""
    auc = row["auc"]
    return (
        f"{records_told(row, nouns)} ({row['n_members']} {nouns.members}), "
        f"{row['attack']} has an AUC of {auc['estimate']:.3f} ({auc['low']:.3f} to "
        f"{auc['high']:.3f}, corrected for all groups)"
    )
