"""The verdict: what was found, in plain words, against limits that can be set."""

import re

from sklearn_mia.checks import check_probability

# A rate of .05 at .01 is five true accusations for each false one between equally
# many members and non-members. Both numbers are conventions; see `audit`.
DEFAULT_LIMITS = {"auc": 0.6, "tpr@fpr=0.01": 0.05}

LEVELS = ("nothing_found", "below_limits", "above_limits", "not_interpretable")


def check_limits(limits):
    """Check limits and give each as ``(key, fpr, value)``; `fpr` is None for the AUC.

    Parameters
    ----------
    limits : dict or None
        Keys "auc" and "tpr@fpr=<fraction>", values fractions; None takes
        `DEFAULT_LIMITS`.

    Returns
    -------
    checked : list of (str, float or None, float)
    """
    limits = DEFAULT_LIMITS if limits is None else limits
    if not isinstance(limits, dict):
        raise TypeError(
            f"limits={limits!r} is not a dict; expected for example "
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
                    f"limits has the key {key!r}; expected 'auc' or 'tpr@fpr=0.01', "
                    "the rate being a fraction in (0, 1), not percent."
                )
        value = check_probability(value, f"limits[{key!r}]", zero=False)
        checked.append((str(key), fpr, value))
    return checked


def percent(share):
    """A share as percent, for people."""
    if share is None:
        return "n/a"
    value = 100 * share
    if 0 < abs(value) < 0.1:
        return f"{value:.2g} %"
    return f"{value:.1f} %"


def rate(fraction):
    """A rate that was asked for, as percent: 0.01 is 1 %."""
    return f"{100 * fraction:g} %"


def percent_interval(interval):
    """An estimate and its ends as percent, for people."""
    text = percent(interval["estimate"])
    if interval["low"] is None:
        return text
    low, high = f"{100 * interval['low']:.1f}", f"{100 * interval['high']:.1f}"
    return f"{text} ({low} to {high} %)"


def judge_limits(limits, attacks, auc_of, rate_of, leak_found):
    """Compare the strongest attack with each limit.

    Parameters
    ----------
    limits : list of (str, float or None, float)
        From :func:`check_limits`.

    attacks : list of str
        Names.

    auc_of : callable
        ``auc_of(attack)`` gives the AUC with its interval.

    rate_of : callable
        ``rate_of(attack, fpr)`` gives the row of `_evaluation.tpr_row`.

    leak_found : bool
        Whether the corrected test found a leak.

    Returns
    -------
    judged : list of dict
        "outcome" is "kept", "exceeded" (a leak was found and the estimate is above
        the limit), "undecided" (it is above, but no leak was found) or
        "unresolvable"; "surely" says whether the whole interval is on that side.
    """
    judged = []
    for key, fpr, limit in limits:
        candidates = []
        for name in attacks:
            rate = None if fpr is None else rate_of(name, fpr)
            if rate is None or rate["resolvable"]:
                interval = auc_of(name) if rate is None else rate["tpr"]
                candidates.append((interval["estimate"], name, interval))
        row = {"limit": key, "value": limit, "attack": None, "interval": None}
        judged.append(row)
        if not candidates:
            row |= {
                "outcome": "unresolvable",
                "surely": False,
                "note": "too few non-members for this false-positive rate",
            }
            continue
        estimate, name, interval = max(candidates, key=lambda c: c[0])
        above, low = estimate > limit, interval["low"]
        row |= {
            "attack": name,
            "interval": interval,
            "outcome": "kept",
            "surely": low is not None
            and (low > limit if above else interval["high"] <= limit),
            "note": "",
        }
        if above:
            row["outcome"] = "exceeded" if leak_found else "undecided"
    return judged


def state_verdict(correction, judged, power, critical, headline, model):
    """Write the verdict.

    Parameters
    ----------
    correction : dict
        "p_value", "confidence".

    judged : list of dict
        From :func:`judge_limits`.

    power : dict
        From `_evaluation.what_would_be_seen`.

    critical : list of Finding
        Findings after which the headline is not to be interpreted.

    headline : dict
        "attack", the strongest; "n_attacks"; "auc" and "rate", its row at 1 % false
        alarms, with intervals that hold for all attacks together.

    model : str
        What the model is called.

    Returns
    -------
    verdict : dict
        "level", "title", "sentences" and, for each of them, what it is about: "kinds".
    """
    p_value, alpha = correction["p_value"], 1 - correction["confidence"]
    leak = p_value <= alpha
    exceeded = any(row["outcome"] == "exceeded" for row in judged)
    if critical:
        level, title = "not_interpretable", _TITLES["not_interpretable"]
    elif not leak:
        level, title = "nothing_found", _TITLES["nothing_found"]
    else:
        level = "above_limits" if exceeded else "below_limits"
        title = _TITLES[level]
    told = [("reason", finding.message) for finding in critical]
    told += [("seen", sentence) for sentence in _what_was_seen(headline)]
    told.append(("chance", _chance_sentence(p_value, leak, bool(critical))))
    if not leak:
        told.append(("power", _power_sentence(power)))
    if not critical:
        told += [("limit", _limit_sentence(row)) for row in judged]
    told.append(
        (
            "scope",
            f"All of this is about {_one_trained(model)}. Training again on another "
            "random draw of the same data moves the values by about as much again as "
            "the intervals say; a statement about the training procedure needs several "
            "models (audit_recipe).",
        )
    )
    return {
        "level": level,
        "title": title,
        "sentences": [sentence for _, sentence in told],
        "kinds": [kind for kind, _ in told],
    }


def _one_trained(model):
    if model.startswith("the model"):
        return model.replace("the model", "this one trained model", 1)
    return f"this one trained {model}"


_TITLES = {
    "not_interpretable": "These numbers cannot be read as leakage of the model.",
    "nothing_found": "No membership leakage was found.",
    "above_limits": "The model reveals who was in its training data, more than the "
    "limits allow.",
    "below_limits": "The model reveals something of who was in its training data, "
    "within the limits.",
}


def _limit_sentence(row):
    limit = f"The limit is an AUC of {row['value']:g}"
    if row["limit"] != "auc":
        fpr = float(row["limit"].partition("=")[2])
        limit = (
            f"The limit is {rate(row['value'])} of the members at {rate(fpr)} false "
            "alarms"
        )
    if row["outcome"] == "unresolvable":
        return f"{limit}; it cannot be judged: {row['note']}."
    if row["outcome"] == "exceeded":
        sure = (
            "and so is its whole interval"
            if row["surely"]
            else "though its interval reaches below it"
        )
        return f"{limit}; {row['attack']} is above it, {sure}."
    if row["outcome"] == "undecided":
        return (
            f"{limit}; {row['attack']} is above it, but by no more than chance "
            "explains: this audit is too small to judge."
        )
    if row["surely"]:
        return f"{limit}; every attack is below it, intervals included."
    return (
        f"{limit}; every attack is below it, but the interval of {row['attack']} "
        "reaches above it, which this audit cannot rule out."
    )


def _what_was_seen(headline):
    name, row, auc = headline["attack"], headline["rate"], headline["auc"]
    n_attacks = headline["n_attacks"]
    strongest = "attack" if n_attacks == 1 else f"of {n_attacks} attacks"
    fpr = rate(row["max_fpr"])
    if row["resolvable"]:
        first = (
            f"The strongest {strongest}, {name}, recognises "
            f"{percent_interval(row['tpr'])} of the members while it wrongly accuses "
            f"at most {fpr} of the people who were not in the data; guessing would "
            f"recognise {fpr}."
        )
    else:
        first = (
            f"The strongest {strongest} is {name}. So few non-members cannot show what "
            f"it does at {fpr} false alarms."
        )
    ends = (
        f"{auc['low']:.3f} to {auc['high']:.3f}"
        if auc["low"] is not None
        else auc["note"]
    )
    return [
        first,
        "Shown one member and one non-member, it tells which is which in "
        f"{percent(auc['estimate'])} of cases (AUC {auc['estimate']:.3f}, {ends}); "
        "guessing is right in 50 %.",
    ]


def _chance_sentence(p_value, leak, critical):
    reading = "so this is not chance" if leak else "so it may well be chance"
    if critical:
        reading = "if nothing else told the two sides apart"
    share = "no more than 0.1 %" if p_value <= 0.001 else f"about {percent(p_value)}"
    return (
        "Without any leak, a result this strong from any of the attacks would come up "
        f"in {share} of audits, {reading}."
    )


def _power_sentence(power):
    text = (
        f"An audit of this size finds, with probability {power['power']:g} or more, a "
        f"leak that raises the AUC to {power['auc']:.3f}"
    )
    if power["exposed_share"] is not None:
        text += (
            f", or one that fully exposes {percent(power['exposed_share'])} of the "
            "members"
        )
    return text + "; weaker leaks remain possible."
