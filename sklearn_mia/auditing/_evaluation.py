"""From scores and membership to the numbers of a report, as plain dictionaries."""

import math
import warnings

import numpy as np
from scipy import stats
from scipy.stats import rankdata

from sklearn_mia.auditing._multiplicity import (
    AucStatistic,
    TprStatistic,
)
from sklearn_mia.auditing._percent import in_percent
from sklearn_mia.metrics import (
    epsilon_lower_bound,
    membership_advantage_interval,
    min_nonmembers_for_fpr,
    positive_predictive_value,
    rate_interval,
    resolve_rate,
    roc_auc_interval,
    tpr_at_fpr_interval,
)
from sklearn_mia.metrics._epsilon import check_coins
from sklearn_mia.metrics._exposed import ranks_among_nonmembers
from sklearn_mia.metrics._power import detectable_effect, null_auc_sd

HEADLINE_FPR = 0.01
POWER = 0.8

_CURVE_POINTS = 120
_BAND_POINTS = 24
_BINS = 40
_FEWEST_TO_EXPOSE = 200


def check_coins_of(case, probability):
    """Raise ValueError if members were not drawn by coins of this probability.

    Parameters
    ----------
    case : Case

    probability : float
    """
    is_member, unit = case.is_member, "records"
    if case.groups is not None:
        n_groups = len(case.group_keys)
        is_in, is_out = (
            np.bincount(case.groups[side], minlength=n_groups) > 0
            for side in (is_member, ~is_member)
        )
        if np.any(is_in & is_out):
            raise ValueError(
                f"inclusion_probability={probability!r}, and {np.sum(is_in & is_out)} "
                f"of {n_groups!r} groups have records on both sides; expected one coin "
                "for each group: pass inclusion_probability=None, or no groups."
            )
        is_member, unit = is_in[is_in | is_out], "groups"
    check_coins(
        is_member,
        np.full(len(is_member), probability),
        instead="inclusion_probability=None",
        given="There are",
        unit=unit,
    )
    # Whether so few records could show anything.
    epsilon_lower_bound(
        is_member, np.zeros(len(is_member)), inclusion_probability=probability
    )


def mean_interval(values, confidence):
    """Mean of shares over models, and its interval by the t distribution.

    Parameters
    ----------
    values : list of float
        Two or more, not all equal: what does not vary tells no interval.

    confidence : float

    Returns
    -------
    mean, low, high : float
    """
    mean, n = float(np.mean(values)), len(values)
    half = stats.t.ppf((1 + confidence) / 2, n - 1)
    half *= np.std(values, ddof=1) / np.sqrt(n)
    return mean, float(max(0.0, mean - half)), float(min(1.0, mean + half))


def all_equal(values):
    """Tell whether all models have one value, which says nothing of other models."""
    return len({*values}) == 1


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


def tpr_row(is_member, scores, fpr, confidence, *, seed=0):
    """TPR at a false-positive rate, with the rate attained.

    A rate too fine for the non-members is answered at no false alarm at all, one that
    tied scores hide at the rate attained, both without an interval and with the reason.

    Parameters
    ----------
    is_member : ndarray of shape (n_records,), dtype bool

    scores : ndarray of shape (n_records,)

    fpr : float

    confidence : float

    seed : int, default=0
        Of the lots.

    Returns
    -------
    row : dict
        Where ties hide the rate, "least" and "most" bound the TPR at it by the
        thresholds above and below, and "by_lot" is the TPR of someone who picks among
        equal scores by lot.
    """
    n1, n0 = (int(np.count_nonzero(side)) for side in (is_member, ~is_member))
    permitted = is_resolvable(fpr, n0)
    attained = resolve_rate(is_member, scores, max_fpr=fpr)
    n_alarms, n_found = round(attained.fpr * n0), round(attained.tpr * n1)
    resolvable = permitted and attained.resolvable
    least = most = by_lot = None
    if resolvable:
        tpr = _tpr_interval(is_member, scores, fpr, confidence)
    else:
        note = (
            f"{n0} non-members are too few for a false-positive rate of {fpr:g}; at "
            f"least {min_nonmembers_for_fpr(fpr)} are needed"
        )
        if permitted:
            least, most = _bounds_beside(
                is_member, scores, attained, n_found, confidence
            )
            by_lot = _tpr_by_lot(is_member, scores, fpr, confidence, seed)
            note = (
                "records with equal scores are accused together: at "
                f"{in_percent(attained.fpr)} false alarms, then at "
                f"{in_percent(attained.next_fpr)} with "
                f"{in_percent(attained.next_tpr)} of the members"
            )
        tpr = {
            "estimate": attained.tpr,
            "low": None,
            "high": None,
            "confidence": confidence,
            "method": "none",
            "note": note,
        }
    return {
        "max_fpr": fpr,
        "resolvable": resolvable,
        "tied": permitted and not attained.resolvable,
        "next_fpr": attained.next_fpr,
        "next_tpr": attained.next_tpr,
        "least": least,
        "most": most,
        "by_lot": by_lot,
        "tpr": tpr,
        "n_found": n_found,
        "n_false_alarms": n_alarms,
        "fpr": plain_interval(rate_interval(n_alarms, n0, confidence=confidence)),
    }


def bare_rate(is_member, scores, fpr):
    """TPR at a false-positive rate without an interval; None where it cannot be seen.

    Parameters
    ----------
    is_member : ndarray of shape (n_records,), dtype bool

    scores : ndarray of shape (n_records,)

    fpr : float

    Returns
    -------
    row : dict
        "max_fpr" and "tpr".
    """
    attained = resolve_rate(is_member, scores, max_fpr=fpr)
    seen = attained.resolvable and is_resolvable(fpr, int((~is_member).sum()))
    return {"max_fpr": fpr, "tpr": attained.tpr if seen else None}


def _bounds_beside(is_member, scores, attained, n_found, confidence):
    """Bounds of the TPR at a hidden rate: it is between those of its neighbours."""
    least = rate_interval(n_found, int(is_member.sum()), confidence=confidence).low
    if attained.next_fpr >= 1:
        return float(least), 1.0
    beside = _tpr_interval(is_member, scores, attained.next_fpr, confidence)
    return float(least), 1.0 if beside["high"] is None else beside["high"]


def _tpr_by_lot(is_member, scores, fpr, confidence, seed):
    """TPR if equal scores are put in an order that is drawn."""
    # Sorted first, so that the order of the records does not matter.
    known = np.lexsort((is_member, scores))
    is_member, scores = is_member[known], scores[known]
    lots = np.random.default_rng([seed, 2]).permutation(len(scores))
    order = np.empty(len(scores))
    order[np.lexsort((lots, scores))] = np.arange(len(scores))
    return _tpr_interval(is_member, order, fpr, confidence)


def _tpr_interval(is_member, scores, fpr, confidence):
    with warnings.catch_warnings():
        # The number of false alarms is in the row.
        warnings.simplefilter("ignore", UserWarning)
        return plain_interval(
            tpr_at_fpr_interval(is_member, scores, max_fpr=fpr, confidence=confidence)
        )


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
    rates = [tpr_row(is_member, scores, fpr, confidence, seed=seed) for fpr in fprs]
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


def headline_statistics(subjects, attacks):
    """Statistics of the corrected headline: AUC, its reverse, and TPR@1% of each.

    An attack that ranks members below non-members tells them apart, too.

    Parameters
    ----------
    subjects : Subjects

    attacks : list of str
        Names.

    Returns
    -------
    labels : list of (str, str)
        Attack and metric: "auc", "reversed" or, if resolvable, "tpr".

    statistics : list of callable
    """
    labels, statistics = [], []
    for name in attacks:
        values, used = subjects.judged(name)
        labels.append((name, "auc"))
        statistics.append(AucStatistic(values, used))
        labels.append((name, "reversed"))
        statistics.append(AucStatistic(-values, used))
        others = ~subjects.is_member if used is None else ~subjects.is_member & used
        if is_resolvable(HEADLINE_FPR, int(others.sum())):
            labels.append((name, "tpr"))
            statistics.append(TprStatistic(values, HEADLINE_FPR, used))
    return labels, statistics


def strongest_first(correction, labels):
    """Order attacks by how far above chance their AUC or their rate lies.

    The scale of each metric is the same for all attacks, the largest deviation over
    the permutations: so none comes before another that has more in both. By deviations
    of its own an attack with many ties would.

    Parameters
    ----------
    correction : Correction

    labels : list of (str, str)
        From :func:`headline_statistics`.

    Returns
    -------
    names : list of str
        Of equals, first comes the one with the larger AUC, the larger rate, or that was
        run first.
    """
    observed, sds = {}, {}
    for (name, metric), value, sd in zip(
        labels, correction.observed, correction.sd, strict=True
    ):
        observed.setdefault(name, {})[metric] = value
        sds[metric] = max(sds.get(metric, 0.0), sd)

    def strength(name):
        own = observed[name]
        metrics = [("auc", 0.5), ("tpr", HEADLINE_FPR)]
        away = [
            (own[metric] - chance) / sds[metric]
            for metric, chance in metrics
            if metric in own and sds[metric] > 0
        ]
        return max(away, default=0.0), own["auc"], own.get("tpr", 0.0)

    return sorted(observed, key=strength, reverse=True)


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
    sds = {"auc": [null_auc_sd(n_members, n_nonmembers)], "reversed": [], "tpr": []}
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
    result = np.full(len(scores), np.nan)
    result[known] = ranks_among_nonmembers(scores[known], is_member[known])
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
