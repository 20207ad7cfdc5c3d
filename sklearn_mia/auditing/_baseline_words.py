"""What is said of the change since a baseline."""

import re

import numpy as np

from sklearn_mia.auditing._judging import CHANGES
from sklearn_mia.auditing._percent import percent, rate
from sklearn_mia.metrics._difference import FEWEST_ALARMS


def title(outcome, baseline):
    """What all changes come to; "not shown" is not called safe."""
    if outcome == "more":
        return f"The model leaks more than {baseline}."
    if outcome == "not_shown":
        return (
            f"That the model leaks more than {baseline} was not shown. How much more "
            "it may leak all the same stands with each value."
        )
    return (
        f"Compared with {baseline}: the numbers of this audit cannot be read as "
        "leakage of the model, so no change of them can."
    )


def counts_sentence(changes):
    """How many values rose and fell; those that are open did not stay the same."""
    n = {word: sum(c["outcome"] == word for c in changes) for word in CHANGES}
    told = (
        f"Of {len(changes)} values {n['more']} clearly rose, {n['less']} clearly fell"
    )
    if n["open"]:
        told += f", and {n['open']} may have done either"
    if n["unknown"]:
        told += f"; the change of {n['unknown']} cannot be told"
    return f"{told}."


def sentence_of(change):
    """One change, and the increase that it leaves open."""
    fpr = change["metric"].partition("=")[2]
    attack = change["attack"] + (f" at {rate(float(fpr))} false alarms" if fpr else "")
    if change["outcome"] == "unknown":
        return f"{attack}: the change cannot be told: {change['note']}."
    attack += f" ({change['note']})" if change["note"] else ""
    d = change["difference"]
    if fpr:
        then, now = percent(change["then"]), percent(change["now"])
        what, unit = f"{then} recognised then, {now} now", " points"
        told = [f"{100 * d[end]:+.1f}" for end in ("estimate", "low", "high")]
    else:
        what = f"AUC {change['then']:.3f} then, {change['now']:.3f} now"
        unit = ""
        told = [f"{d[end]:+.3f}" for end in ("estimate", "low", "high")]
    text = f"{attack}: {what}, a change of {told[0]}{unit} ({told[1]} to {told[2]})"
    if change["outcome"] == "more":
        return f"{text}: an increase."
    if change["outcome"] == "less":
        return f"{text}: a decrease."
    return (
        f"{text}: no increase was shown, and one of {told[2].lstrip('+')}{unit} cannot "
        "be excluded."
    )


def unpaired_sentence(why):
    """Why records were not compared with themselves."""
    return (
        f"The comparison is unpaired, since {why}: it takes both audits for "
        "independent, and is less sharp than a paired one of the same records."
    )


def paired_sentence(pairs, joined, nouns):
    """How many were compared with themselves."""
    # An attack that learned from membership has fewer.
    (new, old), rows = max(
        zip(pairs, joined, strict=True), key=lambda pair: len(pair[1][0])
    )
    moved = new.sample.is_member[rows[0]] != old.sample.is_member[rows[1]]
    text = (
        f"The comparison is paired by id: {len(moved)} {nouns.many} are in both, of "
        f"{len(new.sample.names)} in this audit and {len(old.sample.names)} in the "
        "baseline"
    )
    if moved.any():
        text += f"; {np.count_nonzero(moved)} of them are members in one alone"
    return (
        f"{text}. Rates with fewer than {FEWEST_ALARMS} false alarms gain nothing from "
        "that."
    )


def other_attacks(new, old):
    """What cannot be compared, as a list of sentences."""
    lone = [f"{name} (this audit)" for name in new if name not in old]
    lone += [f"{name} (baseline)" for name in old if name not in new]
    if not lone:
        return []
    return [f"Of one audit alone, and not compared: {', '.join(lone)}."]


def other_limits(new, old):
    """Which limits had other values, as a list of sentences."""
    if new == old:
        return []
    return [
        f"The limits differ: the baseline has {old}, this audit {new}. The rates of "
        "all of them were compared; whether a limit is kept was not."
    ]


def other_settings(pairs):
    """Which attacks had other settings, as a list of sentences."""
    told = []
    for new, old in pairs:
        now, then = (_without_seed(a.row["description"]) for a in (new, old))
        if now != then:
            told.append(
                f"{new.row['name']} had other settings, {then} then and {now} now: "
                "what it finds may differ for that reason."
            )
    return told


def closing_sentence(confidence):
    """How far the intervals hold."""
    return (
        f"These intervals hold together with {rate(round(confidence, 6))} confidence. "
        "They are about two trained models; training either again moves its values, "
        "too."
    )


def _without_seed(description):
    return re.sub(r"(?<=\()random_state=\w+, |(, )?random_state=\w+", "", description)
