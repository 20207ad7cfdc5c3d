"""Numbers against limits: kept, exceeded, or not to be told by this audit."""

import math
import warnings

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import betabinom

from sklearn_mia.metrics import min_nonmembers_for_fpr, tpr_at_fpr_interval
from sklearn_mia.metrics._power import null_auc_sd

# All that an audit states is wrong in no more than 1 - confidence of the audits: three
# fifths are for the headline, one for the slices, one for what is beside them.
HEADLINE_SHARE = 0.6
SLICE_SHARE = 0.2
SWAPPED_SHARE = 0.05
DIFFERENCE_SHARE = 0.1
BASELINE_SHARE = 0.05

_SHARES = {
    "the headline": HEADLINE_SHARE,
    "groups of records": SLICE_SHARE,
    "the check for exchanged sides": SWAPPED_SHARE,
    "differences between groups": DIFFERENCE_SHARE,
    "a comparison with an earlier model": BASELINE_SHARE,
}

# A slice without a leak passes with this probability, or it is too small to gate.
_PASSES = 0.985
# How far the upper end of a rate reaches hangs on more than the threshold: at this
# quantile of the members found, .97 to .998 of slices of many sizes passed.
_PASSES_BY_RATE = 0.997
# As many times as many records can be had, if any.
MOST_TIMES = 20
# Below as many on a side they can be had, and a value says little of its limit.
FEWEST_TO_BE_CLOSE = 100
_ROUNDING = 1e-9
# What keeps limits from being shown: a check that failed, a part not tried, or records
# that spoil the shadow models or the count of false alarms.
_NOT_CHECKED = "MIA020"
NO_SHADOWS = "MIA030"
NOT_TRIED = {
    "MIA029": "Not all that attacks ask about was asked (MIA029): what was not is not "
    "shown to be safe.",
    NO_SHADOWS: "No attack trained models like this one (MIA030): who does can tell at "
    "least this.",
    "MIA031": "A few values to predict are far outside all others (MIA031), and may "
    "spoil the models that attacks compare with: no limit is shown to be kept.",
    "MIA034": "Training records are among the non-members (MIA034) and hide leakage: "
    "no limit is shown to be kept.",
}
ONLY_PREDICTIONS = "MIA017"
FILE_NOT_READ = ("MIA027", "MIA028", "MIA033")

NOT_WHOLE = (
    "not all of it was attacked, or not to the end, or not with all training records, "
    "or no group was large enough for its limit."
)
READ_REVERSED = "read the other way round"
_TURNED = {"estimate": "estimate", "low": "high", "high": "low"}

OUTCOMES = ("kept", "exceeded", "undecided", "unresolvable", "cannot_tell")
# Of one value since a baseline, and of all of them.
CHANGES = ("more", "less", "open", "unknown")
COMPARED = ("more", "not_shown", "not_interpretable")


def confidence_of(share, confidence):
    """Confidence of a part of the report that may use a share of the error.

    Parameters
    ----------
    share : float

    confidence : float
        Of the whole report.

    Returns
    -------
    confidence : float
    """
    return 1 - share * (1 - confidence)


def shares_of_error(confidence):
    """How often each part of a report may state what is not so.

    Parameters
    ----------
    confidence : float
        Of the whole report.

    Returns
    -------
    shares : dict
        Name of each part mapped to its share of ``1 - confidence``.
    """
    return {name: share * (1 - confidence) for name, share in _SHARES.items()}


def confidence_at(reach):
    """Confidence of an interval that reaches so many standard deviations."""
    return float(2 * ndtr(reach) - 1)


def reach_of(confidence):
    """Standard deviations that an interval of this confidence reaches."""
    return float(ndtri((1 + confidence) / 2))


def outcome_of(low, high, limit):
    """Say on which side of a limit an interval lies."""
    if low is None:
        return "undecided"
    if low > limit:
        return "exceeded"
    return "kept" if high <= limit else "undecided"


def change_of(low, high):
    """Say what an interval of new less old shows: an increase, a decrease, neither."""
    if low > 0:
        return "more"
    return "less" if high < 0 else "open"


def is_reversed(auc):
    """Tell whether a whole interval of the AUC is below that of guessing."""
    return auc["high"] is not None and auc["high"] < 0.5


def turned_round(auc):
    """The AUC of the reversed ranking."""
    return auc | {name: 1 - auc[end] for name, end in _TURNED.items()}


def either_way(auc):
    """The AUC, or that of the ranking turned round if the ranking is reversed."""
    return turned_round(auc) if is_reversed(auc) else auc


def together(of_limits, of_slices=(), codes=(), *, tested=True):
    """What all limits and groups of records say: the worst, or what was shown.

    Parameters
    ----------
    of_limits, of_slices : iterable of (str or None)
        Outcomes from :func:`judge_limits` and :func:`worst_outcome`.

    codes : iterable of str, default=()
        Codes of the findings: what failed to be checked was not shown.

    tested : bool, default=True
        Whether any attack used all that an attacker has.

    Returns
    -------
    outcome : {"exceeded", "undecided", "kept"}
        "kept" only if there is a limit, and nothing that keeps it from being shown.
    """
    of_limits, of_slices = set(of_limits), set(of_slices)
    outcomes = of_limits | of_slices
    if "exceeded" in outcomes:
        return "exceeded"
    is_open = outcomes & {"undecided", "unresolvable"}
    is_open = is_open or {_NOT_CHECKED, *NOT_TRIED} & set(codes)
    is_open = is_open or not tested
    return "kept" if of_limits and not is_open else "undecided"


def outcomes_of(rows):
    """Outcomes of the limits, or of the slices, of a report."""
    return [row["outcome"] for row in rows]


def _judge_rate(row, limit):
    """Outcome of a rate, and the interval that tells it.

    One that ties hide is bounded by the rates beside it, and shown to be above by
    someone who picks among equals by lot.
    """
    tpr, by_lot = row["tpr"], row["by_lot"]
    if row["resolvable"]:
        return outcome_of(tpr["low"], tpr["high"], limit), tpr
    if row["least"] is not None and row["least"] > limit:
        return "exceeded", tpr
    if by_lot is not None and outcome_of(by_lot["low"], 1.0, limit) == "exceeded":
        return "exceeded", by_lot
    if row["most"] is not None and row["most"] <= limit:
        return "kept", tpr
    return "unresolvable", tpr


def _kept_by_lot(row, limit):
    """Whether a hidden rate is within the limit for who picks among equals by lot."""
    by_lot = row["by_lot"]
    if by_lot is None:
        return False
    return outcome_of(by_lot["low"], by_lot["high"], limit) == "kept"


def judge_limits(limits, attacks, auc_of, rate_of):
    """Compare all attacks with each limit.

    A limit is kept only if the whole interval of every attack is. An attack whose rate
    is hidden by ties does not stand against it if, picking among equals by lot, it is
    within the limit, and another attack whose rate can be seen is.

    Parameters
    ----------
    limits : list of (str, float or None, float)
        From :func:`~sklearn_mia.auditing._verdict.check_limits`.

    attacks : list of str
        Names.

    auc_of : callable
        ``auc_of(attack)`` gives the AUC with its interval.

    rate_of : callable
        ``rate_of(attack, fpr)`` gives the row of `_evaluation.tpr_row`.

    Returns
    -------
    judged : list of dict
        "outcome" is "kept" (all intervals end at or below the limit), "exceeded" (one
        begins above it), "undecided" or "unresolvable"; "attack" and "interval" are
        those that decide, or keep it from being decided.
    """
    return [
        judge_limit(limit, attacks, auc_of=auc_of, rate_of=rate_of) for limit in limits
    ]


def judge_limit(limit, attacks, *, auc_of, rate_of, large=True):
    """Compare all attacks with one limit, over all records or in a slice of them.

    Parameters
    ----------
    limit : (str, float or None, float)

    attacks, auc_of, rate_of
        As in :func:`judge_limits`.

    large : bool, default=True
        From :func:`can_tell` or :func:`can_tell_rate`. In a small slice the outcome is
        "cannot_tell" unless the limit is clearly exceeded.

    Returns
    -------
    judged : dict
        As in :func:`judge_limits`.
    """
    key, fpr, value = limit
    if fpr is None:
        rows = [_auc_row(name, auc_of(name), value) for name in attacks]
    else:
        rows = _rate_rows({n: rate_of(n, fpr) for n in attacks}, value)
    outcome, name, interval, note = _deciding(rows)
    if not large and outcome != "exceeded":
        outcome = "cannot_tell"
    return {
        "limit": key,
        "value": value,
        "attack": name,
        "interval": interval,
        "outcome": outcome,
        "times": times_to_decide(interval, value) if outcome == "undecided" else None,
        "note": note,
    }


def _auc_row(name, auc, limit):
    note = READ_REVERSED if is_reversed(auc) else ""
    auc = either_way(auc)
    return outcome_of(auc["low"], auc["high"], limit), name, auc, note


def _rate_rows(rates, limit):
    seen = {n: row for n, row in rates.items() if not _kept_by_lot(row, limit)}
    notes = {"unresolvable": lambda row: row["tpr"]["note"]}
    if 0 < len(seen) < len(rates):
        hidden = " and ".join(n for n in rates if n not in seen)
        notes["kept"] = lambda row: f"{hidden} if picking among equal scores by lot"
    rows = []
    for name, row in (seen or rates).items():
        outcome, interval = _judge_rate(row, limit)
        note = notes[outcome](row) if outcome in notes else ""
        rows.append((outcome, name, interval, note))
    return rows


def _deciding(rows):
    """The attack that decides, or keeps it from being decided: the worst outcome."""
    for wanted in ("exceeded", "undecided", "unresolvable", "kept"):
        alike = [row for row in rows if row[0] == wanted]
        if alike:
            break
    if wanted == "exceeded":
        # All of them are above: the strongest is named.
        return max(alike, key=lambda row: (row[2]["estimate"], _end(row[2], "low")))
    return max(alike, key=lambda row: (_end(row[2], "high"), row[2]["estimate"]))


def _end(interval, end):
    value = interval[end]
    return interval["estimate"] if value is None else value


def times_to_decide(interval, limit):
    """How many times as many records would decide, if the estimate stays.

    The width of an interval falls with the root of the number of records.

    Returns
    -------
    times : float or None
        None where it takes more than 20 times as many, or the width is not known.
    """
    if interval["low"] is None:
        return None
    gap = abs(limit - interval["estimate"])
    end = interval["high"] if interval["estimate"] <= limit else interval["low"]
    reach = abs(end - interval["estimate"])
    if gap == 0 or reach / gap > MOST_TIMES**0.5:
        return None
    return float((reach / gap) ** 2)


def can_tell(n_members, n_nonmembers, reach, limit):
    """Tell whether a slice of this size, without a leak, would nearly always pass.

    Its sizes alone decide, so that the choice of slices does not depend on what was
    found in them.

    Parameters
    ----------
    n_members, n_nonmembers : int

    reach : float
        Half the width of an interval, in standard deviations of the AUC.

    limit : float
        Of the AUC.

    Returns
    -------
    can_tell : bool
    """
    sd = null_auc_sd(n_members, n_nonmembers)
    return (reach + ndtri(_PASSES)) * sd <= limit - 0.5


def can_tell_rate(n_members, n_nonmembers, confidence, fpr, limit):
    """Tell the same of the TPR at a false-positive rate.

    Without a leak the number of members above the threshold follows a beta-binomial
    law, whatever the scores. The slice that is looked at has as many as very few
    exceed, spread as chance spreads them.

    Parameters
    ----------
    n_members, n_nonmembers : int

    confidence : float
        Of the interval.

    fpr : float

    limit : float
        Of the TPR.

    Returns
    -------
    can_tell : bool
    """
    if n_nonmembers < min_nonmembers_for_fpr(fpr):
        return False
    cut = math.floor(fpr * n_nonmembers + _ROUNDING) + 1
    found = int(betabinom.ppf(_PASSES_BY_RATE, n_members, cut, n_nonmembers - cut + 1))
    above = cut * (np.arange(found) + 0.5) / max(found, 1)
    rest = n_members - found
    below = cut + (n_nonmembers + 1 - cut) * (np.arange(rest) + 0.5) / max(rest, 1)
    scores = -np.concatenate([above, below, np.arange(1, n_nonmembers + 1)])
    is_member = np.arange(len(scores)) < n_members
    with warnings.catch_warnings():
        # That the rate has few false alarms widens the interval already.
        warnings.simplefilter("ignore", UserWarning)
        interval = tpr_at_fpr_interval(
            is_member, scores, max_fpr=fpr, confidence=confidence
        )
    return interval.high <= limit


def worst_outcome(judged):
    """What several limits come to in one slice: None without a limit."""
    outcomes = set(outcomes_of(judged))
    order = ("exceeded", "undecided", "unresolvable", "cannot_tell", "kept")
    return next((outcome for outcome in order if outcome in outcomes), None)


def passes(content):
    """Tell whether a model passes: whether it was shown to be within all limits.

    Parameters
    ----------
    content : dict
        Of a report.

    Returns
    -------
    passes : {"yes", "no", "more", "not shown"}
        By every access that the report has a verdict on; "more" if it was, but gives
        away more than the baseline. Predictions can fail a model, not clear it.
    """
    found = set(passes_by_access(content).values())
    return next(word for word in ("no", "more", "not shown", "yes") if word in found)


def passes_by_access(content):
    """The same for each access.

    Parameters
    ----------
    content : dict
        Of a report.

    Returns
    -------
    passes : dict
        Access mapped to "yes", "no", "more" or "not shown".
    """
    codes = {finding["code"] for finding in content["findings"]}
    within = "more" if gives_away_more(content) else "yes"
    found = {part["access"]: _passes(part, codes) for part in parts_of(content)}
    return {a: within if word == "yes" else word for a, word in found.items()}


def gives_away_more(content):
    """Tell whether a model was shown to give away more than its baseline."""
    baseline = content.get("baseline")
    return baseline is not None and baseline["outcome"] == "more"


def parts_of(content):
    """What a report says by access, the stronger one first."""
    beside = content.get("beside")
    return [content] if beside is None else [content, beside]


def _passes(part, codes):
    if part["verdict"]["level"] == "not_interpretable":
        return "not shown"
    of_limits, of_slices = (outcomes_of(part[key]) for key in ("limits", "slices"))
    found = together(of_limits, of_slices, codes, tested=part["tested"])
    if found == "exceeded":
        return "no"
    limited = {row.get("limit") for row in part["limits"]}
    # Older reports compared no group of records with the limit.
    is_open = "auc" in limited and None in of_slices
    is_shown = found == "kept" and not is_open and ONLY_PREDICTIONS not in codes
    return "yes" if is_shown else "not shown"
