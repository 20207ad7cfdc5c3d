"""From scores and membership to the numbers of a report, as plain dictionaries."""

import math
import warnings
from itertools import pairwise

import numpy as np
from scipy.stats import rankdata

from sklearn_mia.auditing._multiplicity import (
    AucStatistic,
    TprStatistic,
    max_statistic_test,
)
from sklearn_mia.identity import cell_values
from sklearn_mia.metrics import (
    epsilon_lower_bound,
    membership_advantage_interval,
    min_nonmembers_for_fpr,
    positive_predictive_value,
    rate_interval,
    roc_auc_interval,
    threshold_at_fpr,
    tpr_at_fpr_interval,
)
from sklearn_mia.metrics._power import detectable_effect, null_auc_sd
from sklearn_mia.tables import as_numbers

HEADLINE_FPR = 0.01
POWER = 0.8

_CURVE_POINTS = 120
_BAND_POINTS = 24
_BINS = 40
_MOST_CATEGORIES = 12
_QUANTILE_BINS = 5
_LOSS_BINS = 10
_FEWEST_TO_EXPOSE = 200


def plain_interval(interval):
    """An `Interval` as a dictionary of plain numbers."""
    return {
        "estimate": float(interval.estimate),
        "low": None if interval.low is None else float(interval.low),
        "high": None if interval.high is None else float(interval.high),
        "confidence": float(interval.confidence),
        "method": interval.method,
        "note": interval.note,
    }


def is_resolvable(fpr, n_nonmembers):
    """Tell whether the rate permits at least one false alarm."""
    return n_nonmembers >= min_nonmembers_for_fpr(fpr)


def tpr_row(is_member, scores, fpr, confidence):
    """TPR at a false-positive rate, with the rate attained.

    A rate too fine for the non-members is answered at no false alarm at all, without
    an interval and with the reason.

    Parameters
    ----------
    is_member : ndarray of shape (n_records,), dtype bool

    scores : ndarray of shape (n_records,)

    fpr : float

    confidence : float

    Returns
    -------
    row : dict
    """
    n0 = int(np.count_nonzero(~is_member))
    resolvable = is_resolvable(fpr, n0)
    if resolvable:
        with warnings.catch_warnings():
            # The number of false alarms is in the row.
            warnings.simplefilter("ignore", UserWarning)
            interval = tpr_at_fpr_interval(
                is_member, scores, max_fpr=fpr, confidence=confidence
            )
        tpr = plain_interval(interval)
    threshold = threshold_at_fpr(scores[~is_member], fpr)
    n_alarms = int(np.count_nonzero(scores[~is_member] > threshold))
    n_found = int(np.count_nonzero(scores[is_member] > threshold))
    if not resolvable:
        tpr = {
            "estimate": n_found / int(is_member.sum()),
            "low": None,
            "high": None,
            "confidence": confidence,
            "method": "none",
            "note": f"value at 0 of {n0} false alarms; a false-positive rate of "
            f"{fpr:g} needs at least {min_nonmembers_for_fpr(fpr)} non-members",
        }
    return {
        "max_fpr": fpr,
        "resolvable": resolvable,
        "tpr": tpr,
        "n_found": n_found,
        "n_false_alarms": n_alarms,
        "fpr": plain_interval(rate_interval(n_alarms, n0, confidence=confidence)),
    }


def roc_points(is_member, scores, confidence):
    """Attained ROC curve at log-spaced numbers of false alarms, with a band.

    Parameters
    ----------
    is_member : ndarray of shape (n_records,), dtype bool

    scores : ndarray of shape (n_records,)

    confidence : float
        Of the band at each point by itself.

    Returns
    -------
    roc : dict
        "fpr" and "tpr" of the curve, from no false alarm to all; "band_fpr",
        "band_low", "band_high".
    """
    members, nonmembers = np.sort(scores[is_member]), np.sort(scores[~is_member])[::-1]
    n0 = len(nonmembers)
    permitted = np.unique(
        np.r_[0, np.geomspace(1, n0, _CURVE_POINTS).round().astype(int)]
    )
    cuts = np.r_[nonmembers, -np.inf][permitted]
    tpr = 1 - np.searchsorted(members, cuts, side="right") / len(members)
    # With ties fewer false alarms are attained than are permitted.
    attained = np.searchsorted(-nonmembers, -cuts, side="left")
    keep = np.r_[True, np.diff(attained) > 0]
    band = np.unique(np.geomspace(1, n0, _BAND_POINTS).round().astype(int))
    band = band[band < n0]
    low, high = [], []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        for k in band:
            interval = tpr_at_fpr_interval(
                is_member, scores, max_fpr=k / n0, confidence=confidence
            )
            low.append(interval.low)
            high.append(interval.high)
    return {
        "fpr": (attained[keep] / n0).tolist(),
        "tpr": tpr[keep].tolist(),
        "band_fpr": (band / n0).tolist(),
        "band_low": low,
        "band_high": high,
    }


def score_distribution(is_member, scores):
    """Shares of members and of non-members over bins of the score.

    The outer bins hold all that lies beyond the 1st and the 99th percentile.
    """
    low, high = np.quantile(scores, [0.01, 0.99])
    if not high > low:
        low, high = scores.min() - 0.5, scores.max() + 0.5
    edges = np.linspace(low, high, _BINS + 1)
    clipped = np.clip(scores, low, high)
    shares = {
        name: (np.histogram(clipped[side], edges)[0] / side.sum()).tolist()
        for name, side in (("members", is_member), ("nonmembers", ~is_member))
    }
    return {"edges": edges.tolist(), **shares}


def evaluate_scores(
    is_member,
    scores,
    *,
    fprs,
    confidence,
    prior,
    inclusion_probability,
    seed,
    bounded=epsilon_lower_bound,
):
    """All numbers about one attack.

    Parameters
    ----------
    is_member : ndarray of shape (n_records,), dtype bool

    scores : ndarray of shape (n_records,)

    fprs : tuple of float

    confidence : float

    prior : float

    inclusion_probability : float or None
        None: membership was not drawn by independent coins.

    seed : int

    bounded : callable, default=epsilon_lower_bound

    Returns
    -------
    row : dict
    """
    rates = [tpr_row(is_member, scores, fpr, confidence) for fpr in fprs]
    for rate in rates:
        tpr, fpr = rate["tpr"]["estimate"], rate["fpr"]["estimate"]
        rate["ppv"] = (
            None if tpr == fpr == 0 else positive_predictive_value(tpr, fpr, prior)
        )
        rate["ppv_note"] = (
            "no record is accused"
            if rate["ppv"] is None
            else f"at a prior of {prior:g}"
        )
    bound = bounded(
        is_member,
        scores,
        confidence=confidence,
        random_inclusion=inclusion_probability is not None,
        inclusion_probability=(
            0.5 if inclusion_probability is None else inclusion_probability
        ),
        random_state=seed,
    )
    return {
        "n_members": int(is_member.sum()),
        "n_nonmembers": int((~is_member).sum()),
        "n_distinct_scores": len(np.unique(scores)),
        "auc": plain_interval(
            roc_auc_interval(is_member, scores, confidence=confidence)
        ),
        "advantage": plain_interval(
            membership_advantage_interval(is_member, scores, confidence=confidence)
        ),
        "tpr_at_fpr": rates,
        "epsilon": {
            "low": bound.epsilon,
            "delta": bound.delta,
            "confidence": bound.confidence,
            "method": bound.method,
            "statement": bound.statement,
        },
        "roc": roc_points(is_member, scores, confidence),
        "distribution": score_distribution(is_member, scores),
    }


def headline_statistics(scores, used, n_nonmembers):
    """Statistics of the corrected headline: AUC and, if resolvable, TPR@1% of each.

    Parameters
    ----------
    scores : dict
        Name of each attack mapped to its scores, of shape (n_records,).

    used : dict
        Name of each attack mapped to the records that it is judged on.

    n_nonmembers : dict
        Name of each attack mapped to the number of non-members among them.

    Returns
    -------
    labels : list of (str, str)
        Attack and metric, "auc" or "tpr".

    statistics : list of callable
    """
    labels, statistics = [], []
    for name, values in scores.items():
        labels.append((name, "auc"))
        statistics.append(AucStatistic(values, used[name]))
        if is_resolvable(HEADLINE_FPR, n_nonmembers[name]):
            labels.append((name, "tpr"))
            statistics.append(TprStatistic(values, HEADLINE_FPR, used[name]))
    return labels, statistics


def what_would_be_seen(correction, labels, n_members, n_nonmembers):
    """How strong a leak the corrected test would probably have found.

    A statistic is seen when it lies `Correction.critical` of its permutation standard
    deviations above chance, corrected for all that were looked at. The deviation is
    the largest of all attacks: that of the smallest would promise to see what only an
    attack with many ties can. Nor is it below that of scores without ties: where few
    records differ, a leak itself makes the permutations vary more.

    Parameters
    ----------
    correction : Correction

    labels : list of (str, str)
        From :func:`headline_statistics`.

    n_members, n_nonmembers : int

    Returns
    -------
    power : dict
        "auc": the smallest ROC AUC found with probability `POWER`, by whichever attack
        reaches it; "exposed_share": the smallest share of members that, if they were
        told with certainty, would be found with it through TPR@1%, in whole records
        and one more; None below 200 on a side, where a record is too much of it.
    """
    sds = {"auc": [null_auc_sd(n_members, n_nonmembers)], "tpr": []}
    for (_, metric), sd in zip(labels, correction.sd, strict=True):
        if sd > 0:
            sds[metric].append(sd)

    def reach(metric):
        return detectable_effect(max(sds[metric]), correction.critical, power=POWER)

    exposed, note = None, ""
    if not sds["tpr"]:
        note = f"a false-positive rate of {HEADLINE_FPR:g} is not resolvable"
    elif min(n_members, n_nonmembers) < _FEWEST_TO_EXPOSE:
        note = f"fewer than {_FEWEST_TO_EXPOSE} records on a side"
    else:
        n_exposed = math.ceil(reach("tpr") / (1 - HEADLINE_FPR) * n_members) + 1
        exposed = min(1.0, n_exposed / n_members)
    return {
        "power": POWER,
        "auc": min(1.0, 0.5 + reach("auc")),
        "exposed_share": exposed,
        "note": note,
    }


# Slices


def slice_groups(values, n_bins=_QUANTILE_BINS):
    """Group the records by one column: categories, or quantile bins of a number.

    Parameters
    ----------
    values : array-like of shape (n_records,)

    n_bins : int, default=5

    Returns
    -------
    groups : list of (str, ndarray of shape (n_records,), dtype bool)
        Label and records of each group.
    """
    numbers = as_numbers(values)
    array = np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
    is_number = array.dtype.kind in "iuf"
    if is_number and len(np.unique(cell_values(array))) > _MOST_CATEGORIES:
        return _quantile_groups(numbers, n_bins)
    text = np.array([_shown_value(v) for v in array.tolist()], dtype=object)
    labels, counts = np.unique(text.astype(str), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    kept = sorted(order[:_MOST_CATEGORIES], key=lambda i: labels[i])
    groups = [(str(labels[i]), text == labels[i]) for i in kept]
    if len(order) > _MOST_CATEGORIES:
        rest = np.isin(text.astype(str), labels[order[_MOST_CATEGORIES:]])
        n_rest = len(order) - _MOST_CATEGORIES
        groups.append((f"{n_rest} other values", rest))
    return groups


def _shown_value(value):
    if value is None or value != value:
        return "missing"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _quantile_groups(numbers, n_bins):
    known = np.isfinite(numbers)
    edges = np.unique(np.quantile(numbers[known], np.linspace(0, 1, n_bins + 1)))
    groups = []
    for i, (low, high) in enumerate(pairwise(edges)):
        last = i == len(edges) - 2
        inside = (
            known & (numbers >= low) & (numbers <= high if last else numbers < high)
        )
        groups.append((f"{low:.4g} to {'' if last else 'below '}{high:.4g}", inside))
    if not known.all():
        groups.append(("missing", ~known))
    return groups


def loss_groups(loss):
    """Ten groups of about equal size by loss, smallest first; ties go together."""
    # Rounded, so that ties do not depend on the order of a sum.
    loss = np.round(loss, 12)
    _, place, counts = np.unique(loss, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    decile = (middle * _LOSS_BINS / len(loss)).astype(int)[place]
    return [
        (
            f"tenth {d + 1}: {loss[decile == d].min():.2g} to "
            f"{loss[decile == d].max():.2g}",
            decile == d,
        )
        for d in np.unique(decile)
    ]


def evaluate_slices(
    slicings,
    scores,
    used,
    is_member,
    permuter,
    *,
    min_size,
    confidence,
    n_permutations,
    seed,
):
    """ROC AUC of each attack within each slice, corrected for all of them.

    Parameters
    ----------
    slicings : dict
        Name of each slicing mapped to its groups, from :func:`slice_groups`.

    scores, used : dict
        As in :func:`headline_statistics`.

    is_member : ndarray of shape (n_records,), dtype bool

    permuter : MembershipPermuter

    min_size : int
        Members, and non-members, that a slice needs.

    confidence : float
        Of all intervals together.

    n_permutations, seed : int

    Returns
    -------
    rows : list of dict
        One a slice, with the attack that has the smallest corrected p-value in it.
    """
    rows, statistics, places = [], [], []
    for slicing, groups in slicings.items():
        for label, inside in groups:
            row = {
                "slice": slicing,
                "value": label,
                "n_members": int((inside & is_member).sum()),
                "n_nonmembers": int((inside & ~is_member).sum()),
                "attack": None,
                "auc": None,
                "p_corrected": None,
                "note": "",
            }
            rows.append(row)
            judged = {
                name: inside & (True if u is None else u) for name, u in used.items()
            }
            for name, rows_used in judged.items():
                sides = is_member[rows_used]
                if min(sides.sum(), (~sides).sum()) >= min_size:
                    statistics.append(AucStatistic(scores[name], rows_used))
                    places.append((len(rows) - 1, name, rows_used))
    tested = {i for i, _, _ in places}
    for i, row in enumerate(rows):
        if i not in tested:
            row["note"] = (
                f"fewer than {min_size} members or {min_size} non-members: too few "
                "to say anything"
            )
    if not statistics:
        return rows
    correction = max_statistic_test(
        statistics,
        is_member,
        permuter,
        n_permutations=n_permutations,
        confidence=confidence,
        seed=seed,
    )
    level = 1 - (1 - confidence) / len(places)
    best = {}
    for place, p_value, z in zip(
        places, correction.adjusted, correction.studentised, strict=True
    ):
        row = place[0]
        if row not in best or z > best[row][0]:
            best[row] = (z, float(p_value), place)
    for i, (_, p_value, (_, name, inside)) in best.items():
        interval = roc_auc_interval(
            is_member[inside], scores[name][inside], confidence=level
        )
        rows[i].update(attack=name, auc=plain_interval(interval), p_corrected=p_value)
    return rows


# Records


def percentiles(scores, is_member):
    """Share of the non-members below each score, ties counting half.

    Parameters
    ----------
    scores : ndarray of shape (n_records,)
        NaN for a record that the attack did not score.

    is_member : ndarray of shape (n_records,), dtype bool

    Returns
    -------
    percentiles : ndarray of shape (n_records,)
        In [0, 1]; NaN where the score is.
    """
    known = np.isfinite(scores)
    reference = np.sort(scores[known & ~is_member])
    below = np.searchsorted(reference, scores[known], side="left")
    upto = np.searchsorted(reference, scores[known], side="right")
    result = np.full(len(scores), np.nan)
    result[known] = (below + upto) / 2 / len(reference)
    return result


def exposure(scores, is_member):
    """False-positive rate at which each record would be accused.

    The rank of the record among the non-members, itself included: without a leak it
    is spread evenly over (0, 1], for members as for non-members.

    Parameters
    ----------
    scores : ndarray of shape (n_records,)
        NaN for a record that the attack did not score.

    is_member : ndarray of shape (n_records,), dtype bool

    Returns
    -------
    fpr : ndarray of shape (n_records,)
        In (0, 1]; NaN where the score is.
    """
    known = np.isfinite(scores)
    reference = np.sort(scores[known & ~is_member])
    above = len(reference) - np.searchsorted(reference, scores[known], side="left")
    is_new = is_member[known]
    result = np.full(len(scores), np.nan)
    result[known] = (above + is_new) / (len(reference) + is_new)
    return result


def consensus(exposures):
    """What all attacks together say of each record.

    The geometric mean of the false-positive rates: an attack that is nearly sure
    counts, also where another sees nothing.

    Parameters
    ----------
    exposures : ndarray of shape (n_attacks, n_records)
        From :func:`exposure`.

    Returns
    -------
    risk : ndarray of shape (n_records,)
        One less the mean; NaN for a record that no attack scored, which comes last.

    rank : ndarray of shape (n_records,), dtype int
        1 for the record most exposed. Equal risks share the better rank.
    """
    known = np.isfinite(exposures)
    total = np.log(np.where(known, exposures, 1.0)).sum(axis=0)
    count = known.sum(axis=0)
    mean = np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)
    # Rounded, so that ties do not depend on the order of the sum.
    order = np.where(count > 0, mean, np.inf).round(12)
    return 1 - np.exp(mean), rankdata(order, method="min").astype(int)
