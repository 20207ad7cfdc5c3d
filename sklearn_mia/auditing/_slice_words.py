"""What is said of groups of records: which they are, and what was found in them."""

from sklearn_mia.auditing._nouns import RECORDS


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
        has = "has" if value == "no one else" else "have"
        return f"the records with two values that {value} {has} together"
    if row["slice"] == "size":
        return f"the {nouns.many} with {value} record{'' if value == '1' else 's'}"
    return f"the records with {row['slice']} {value}"


def slicing_told(slicing, nouns):
    """What the records of a slicing are told apart by."""
    return {
        "loss": "by how wrong models get a record that they were not trained on (their "
        "loss), in tenths, the easiest first",
        "rarity": "by how many others have the same two values together, for the two "
        "that are rarest",
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
        row for row in compared if row["difference"]["p_corrected"] <= 1 - confidence
    ]
    detectable = [row["difference"]["detectable"] for row in compared]
    power = (
        f"Differences of less than {min(detectable):.3f} in the largest groups, and of "
        f"less than {max(detectable):.3f} in the smallest, may have been missed."
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
            f"that of all others by more than chance. {power}{of_whom}"
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
        f"compared {len(compared)} groups. {' '.join(told)} {power}{of_whom}"
    )


def _difference_told(row, nouns):
    found = row["difference"]
    return (
        f"{records_told(row, nouns)} ({found['difference']:+.3f}, {found['low']:+.3f} "
        f"to {found['high']:+.3f})"
    )


def limit_told(slices, outcome, limit, nouns=RECORDS, most=3):
    """What the limit of the AUC comes to in groups of one outcome, in a sentence.

    Parameters
    ----------
    slices : list of dict

    outcome : {"exceeded", "undecided"}

    limit : float

    nouns : Nouns, default=RECORDS

    most : int, default=3
        Groups that are named.

    Returns
    -------
    sentence : str
        Empty if there is no such group.
    """
    rows = [row for row in slices if row["outcome"] == outcome and row["decides"]]
    if not rows:
        return ""
    end = "low" if outcome == "exceeded" else "high"
    rows.sort(key=lambda row: -row["decides"]["auc"][end])
    shown = "; ".join(_limit_of_group(row, outcome, nouns) for row in rows[:most])
    more = len(rows) - most
    if more > 0:
        shown += f"; and {more} more group{'s' if more > 1 else ''}, see the table"
    lies = {
        "exceeded": "It is exceeded",
        "undecided": "It cannot be decided, since the interval lies on both sides,",
    }[outcome]
    return (
        f"The limit of the AUC, {limit:g}, holds for every group of records that is "
        f"large enough, too. {lies} among {shown}."
    )


def _limit_of_group(row, outcome, nouns):
    auc, times = row["decides"]["auc"], row["decides"]["times"]
    told = (
        f"{records_told(row, nouns)} ({row['n_members']} {nouns.members}; "
        f"{row['decides']['attack']} {auc['estimate']:.3f}, {auc['low']:.3f} to "
        f"{auc['high']:.3f}"
    )
    if outcome == "undecided" and times is not None:
        told += (
            f"; {max(times, 1.1):.2g} times as many {nouns.many} would decide, if they "
            "give the same value"
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
