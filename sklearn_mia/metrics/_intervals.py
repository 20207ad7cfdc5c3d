"""Rates, AUC and advantage, each with an interval that holds."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special, stats

from sklearn_mia._views import TableViewMixin
from sklearn_mia._warn import warn
from sklearn_mia.checks import check_count, check_fraction
from sklearn_mia.metrics._power import min_nonmembers_for_fpr
from sklearn_mia.metrics._rates import (
    attained_rate,
    attained_rates,
    check_permitted,
    split_scores,
)

_FEW = 10
_RARELY = 0.2


@dataclass(frozen=True)
class Interval(TableViewMixin):
    """An estimate and its confidence interval.

    Attributes
    ----------
    estimate : float
        The value on these records.

    low, high : float or None
        The ends of the interval, both ``None`` where no interval exists; `note` then
        says why.

    confidence : float
        The confidence level, a fraction.

    method : str
        The procedure that gave the ends.

    note : str, default=""
        What a reader has to know about this interval, if anything.

    fpr : float or None, default=None
        The false-positive rate attained on these records, where one was asked for.

    Examples
    --------
    >>> from sklearn_mia.metrics import rate_interval
    >>> print(rate_interval(8, 10))
    0.8 [0.444, 0.975]
    """

    estimate: float
    low: float | None
    high: float | None
    confidence: float
    method: str
    note: str = ""
    fpr: float | None = None

    def __str__(self):
        """Return the estimate and the ends, or why there are none."""
        if self.low is None:
            return f"{self.estimate:.3g} ({self.note})"
        return f"{self.estimate:.3g} [{self.low:.3g}, {self.high:.3g}]"


def clopper_pearson(k, n, tail):
    """Return the ends that each leave out `tail`, for k events in n trials."""
    low = special.betaincinv(k, n - k + 1, tail) if k > 0 else 0.0
    high = special.betaincinv(k + 1, n - k, 1 - tail) if k < n else 1.0
    return float(low), float(high)


def _mixture_quantile(level, weights, n_trials, probabilities):
    """Return the smallest x with P(X <= x) >= level, X a mixture of binomials."""
    low, high = 0, n_trials
    while low < high:
        middle = (low + high) // 2
        if weights @ special.bdtr(middle, n_trials, probabilities) >= level:
            high = middle
        else:
            low = middle + 1
    return low


@lru_cache(maxsize=64)
def _law_of_rank(n_nonmembers, max_fpr):
    """Return how many non-members may lie above the true threshold, and how likely."""
    rank = np.arange(n_nonmembers + 1)
    weights = stats.binom.pmf(rank, n_nonmembers, max_fpr)
    return rank[weights > 1e-12], weights[weights > 1e-12]


def _chosen_threshold_interval(members, nonmembers, max_fpr, tail):
    """Return the ends of the TPR above a threshold known only by its rank.

    How many of n0 non-members lie above the true threshold is K ~ Bin(n0, max_fpr), so
    it lies between the K-th and the (K+1)-th largest score, and the count of members
    above either is binomial again. Both laws are summed over, not drawn.
    """
    n1 = members.size
    rank, weights = _law_of_rank(nonmembers.size, max_fpr)
    descending = np.concatenate([[np.inf], np.sort(nonmembers)[::-1], [-np.inf]])
    members = np.sort(members)
    ends = []
    for shift, level in ((0, tail), (1, 1 - tail)):
        above = n1 - np.searchsorted(members, descending[rank + shift], side="right")
        above, group = np.unique(above, return_inverse=True)
        weight = np.bincount(group, weights) / weights.sum()
        ends.append(_mixture_quantile(level, weight, n1, above / n1) / n1)
    return tuple(ends)


def _tied_end(rate, n_members, n_nonmembers, tail):
    """Return the upper end of the TPR at the next threshold, where ties forbade it.

    Too many false alarms there may be chance: the threshold is left out only if
    `max_fpr` has them in fewer than `_RARELY` of a share `tail`.
    """
    wrong = round(rate.next_fpr * n_nonmembers)
    n_tied = wrong - round(rate.fpr * n_nonmembers)
    if n_tied == 1:
        return 0.0
    if stats.binom.sf(wrong - 1, n_nonmembers, rate.max_fpr) < _RARELY * tail:
        return 0.0
    return clopper_pearson(round(rate.next_tpr * n_members), n_members, tail)[1]


def wilson_interval(p, n, z):
    """Return the Wilson interval of an observed share `p` of `n`."""
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return centre - half, centre + half


def _rate_ends(p, n, tail):
    """Return the ends of Wilson, or the exact ones where either count is below 10."""
    low, high = wilson_interval(p, n, special.ndtri(1 - tail))
    k = np.rint(p * n)
    few = np.flatnonzero(np.minimum(k, n - k) < _FEW)
    for i in few:
        low[i], high[i] = clopper_pearson(k[i], n, tail)
    return low, high


def rate_interval(n_events, n_trials, *, confidence=0.95):
    """Exact (Clopper-Pearson) interval of a rate.

    For a rate at a threshold fixed beforehand. For a threshold chosen on the same
    records use :func:`tpr_at_fpr_interval`.

    Parameters
    ----------
    n_events, n_trials : int
        Events counted, and records looked at.

    confidence : float, default=0.95
        Confidence level, a fraction in (0, 1).

    Returns
    -------
    interval : Interval
        The rate and its interval; the ends are 0 and 1 at no and at all events.

    References
    ----------
    .. [1] C. J. Clopper and E. S. Pearson (1934). The Use of Confidence or Fiducial
       Limits Illustrated in the Case of the Binomial. Biometrika 26.

    Examples
    --------
    >>> from sklearn_mia.metrics import rate_interval
    >>> print(rate_interval(0, 200))
    0 [0, 0.0183]
    """
    n_trials = check_count(n_trials, "n_trials", 1)
    n_events = check_count(n_events, "n_events", 0)
    confidence = check_fraction(confidence, "confidence")
    if n_events > n_trials:
        raise ValueError(
            f"n_events={n_events!r} is more than n_trials={n_trials!r}; expected the "
            "number of events among the trials: pass the counts in this order."
        )
    low, high = clopper_pearson(n_events, n_trials, (1 - confidence) / 2)
    return Interval(n_events / n_trials, low, high, confidence, "Clopper-Pearson")


def tpr_at_fpr_interval(
    y_true, y_score, *, max_fpr=0.01, confidence=0.95, pos_label=None
):
    """TPR at a false-positive rate, with an interval for a threshold that was chosen.

    A Clopper-Pearson interval alone takes the threshold for given and covers far too
    rarely. How many of the ``n0`` non-members lie above the true threshold is
    ``K ~ Bin(n0, max_fpr)``, whatever the scores look like, so it lies between their
    K-th and (K+1)-th largest score. The ends are the quantiles of the share of members,
    itself binomial, above the first and above the second, summed over K, united with
    Clopper-Pearson at the observed threshold. Where non-members tie at the cut, and
    `max_fpr` would have as many of them by chance, the upper end is also that of the
    next threshold below. Below ``max_fpr * n0 = 3.7`` (at 0.95) K may well be 0: then
    no data bounds the TPR from below, the lower end is 0 even for a perfect attack, and
    `note` says how many non-members change that.

    Parameters
    ----------
    y_true, y_score : array-like of shape (n_records,)
        Membership (``True`` or 1 for members) and finite scores. Higher means more
        likely a member.

    max_fpr : float, default=0.01
        The highest false-positive rate, a fraction in (0, 1).

    confidence : float, default=0.95
        Confidence level, a fraction in (0, 1).

    pos_label : int, float, bool or str, default=None
        The label of members, if it is not ``True`` or 1.

    Returns
    -------
    interval : Interval
        The attained TPR, its interval, and in `fpr` the attained false-positive rate.
        Where ties keep `max_fpr` from being looked at, `note` tells the next pair.

    Raises
    ------
    ValueError
        If `max_fpr` permits no false alarm on so few non-members.

    Warns
    -----
    UserWarning
        If `max_fpr` permits fewer than 10 false alarms.

    See Also
    --------
    min_nonmembers_for_fpr : How many non-members a rate needs.
    resolve_rate : Whether ties let the rate be looked at.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mia.metrics import tpr_at_fpr_interval
    >>> is_member = np.arange(2000) < 1000
    >>> score = np.random.default_rng(0).normal(size=2000) + is_member
    >>> print(tpr_at_fpr_interval(is_member, score, max_fpr=0.05))
    0.243 [0.198, 0.278]
    """
    confidence = check_fraction(confidence, "confidence")
    max_fpr = check_fraction(max_fpr, "max_fpr")
    members, nonmembers = split_scores(y_true, y_score, pos_label)
    n0 = nonmembers.size
    k = check_permitted(max_fpr, n0)
    if k < 10:
        warn(
            f"max_fpr={max_fpr!r} permits {k!r} false alarms among {n0!r} non-members; "
            "the interval is stable from 10, that is from "
            f"{min_nonmembers_for_fpr(max_fpr, false_alarms=10)} non-members."
        )
    tail = (1 - confidence) / 2
    ends = _chosen_threshold_interval(members, nonmembers, max_fpr, tail)
    rate = attained_rate(members, nonmembers, max_fpr)
    fixed = clopper_pearson(round(rate.tpr * members.size), members.size, tail)
    notes = []
    if (1 - max_fpr) ** n0 >= tail:
        needed = math.ceil(math.log(tail) / math.log1p(-max_fpr))
        notes.append(f"a lower end above 0 needs {needed} non-members")
    if not rate.resolvable:
        notes.append(
            f"tied scores stop at a false-positive rate of {rate.fpr:.3g}; the next is "
            f"{rate.next_fpr:.3g}, with a TPR of {rate.next_tpr:.3g}"
        )
    return Interval(
        rate.tpr,
        min(ends[0], fixed[0]),
        max(ends[1], fixed[1], _tied_end(rate, members.size, n0, tail)),
        confidence,
        "law of the threshold's rank, united with Clopper-Pearson",
        "; ".join(notes),
        rate.fpr,
    )


def membership_advantage_interval(y_true, y_score, *, confidence=0.95, pos_label=None):
    """Membership advantage with an interval that allows for the chosen threshold.

    With ``b = (1 - confidence) / 2`` the lower end is the observed advantage less
    ``sqrt(log(1 / b) / 2 * (1 / n1 + 1 / n0))``, the one-sided Kolmogorov-Smirnov band:
    it is 0 in all but a share ``b`` of audits without a leak, whichever threshold
    looked best. The upper end is the largest Newcombe upper end of TPR - FPR over all
    thresholds, none of the records and all of them included, which is above that of the
    true best threshold. Below 10 counts the ends of a rate in it are Clopper-Pearson's,
    else Wilson's.

    Parameters
    ----------
    y_true, y_score : array-like of shape (n_records,)
        Membership (``True`` or 1 for members) and finite scores. Higher means more
        likely a member.

    confidence : float, default=0.95
        Confidence level, a fraction in (0, 1).

    pos_label : int, float, bool or str, default=None
        The label of members, if it is not ``True`` or 1.

    Returns
    -------
    interval : Interval
        The advantage and its interval.

    References
    ----------
    .. [1] R. G. Newcombe (1998). Interval Estimation for the Difference between
       Independent Proportions. Statistics in Medicine 17.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mia.metrics import membership_advantage_interval
    >>> is_member = np.arange(2000) < 1000
    >>> score = np.random.default_rng(0).normal(size=2000) + is_member
    >>> print(membership_advantage_interval(is_member, score))
    0.375 [0.314, 0.414]
    """
    confidence = check_fraction(confidence, "confidence")
    members, nonmembers = split_scores(y_true, y_score, pos_label)
    n1, n0 = members.size, nonmembers.size
    fpr, tpr = attained_rates(members, nonmembers)
    tail = (1 - confidence) / 2
    advantage = float(np.max(tpr - fpr))
    band = math.sqrt(math.log(1 / tail) / 2 * (1 / n1 + 1 / n0))
    highest, lowest = _rate_ends(tpr, n1, tail)[1], _rate_ends(fpr, n0, tail)[0]
    upper = tpr - fpr + np.hypot(highest - tpr, fpr - lowest)
    low, high = max(0.0, advantage - band), min(1.0, float(np.max(upper)))
    return Interval(advantage, low, high, confidence, "Kolmogorov-Smirnov and Newcombe")
