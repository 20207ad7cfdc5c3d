"""The ROC AUC with an interval: of single records, or of groups of them."""

import math

import numpy as np
from scipy import special, stats
from sklearn.utils.validation import column_or_1d

from sklearn_mia.checks import check_fraction, check_same_length
from sklearn_mia.metrics._intervals import Interval
from sklearn_mia.metrics._rates import sides_of

_FEWEST_GROUPS = 10


def placements(members, nonmembers):
    """Return, for each record, the share of the other side it beats; ties count half.

    Mid-ranks in the pooled sample less mid-ranks within the own side count the records
    of the other side below, so no table of pairs is needed.
    """
    n1, n0 = members.size, nonmembers.size
    pooled = stats.rankdata(np.concatenate([members, nonmembers]))
    of_members = (pooled[:n1] - stats.rankdata(members)) / n0
    of_nonmembers = 1 - (pooled[n1:] - stats.rankdata(nonmembers)) / n1
    return of_members, of_nonmembers


def delong_variance(of_members, of_nonmembers):
    """Return the variance of a mean of placements (or of their differences)."""
    return (
        of_members.var(ddof=1) / of_members.size
        + of_nonmembers.var(ddof=1) / of_nonmembers.size
    )


def effective_number(sizes):
    """Return how many groups of equal size tell as much as groups of these sizes."""
    return float(sizes.sum() ** 2 / (sizes**2).sum())


def cluster_variance(placed, groups):
    """Return the variance of the AUC, and the degrees of freedom it rests on.

    Of each side the placements, less their mean, are summed by group and divided by the
    number of records outside the group (the jackknife of a mean that leaves out a group
    at a time). A group on both sides adds the product of its two sums; where that is
    negative, since what a group has in common cancels, the variance is not below that
    of unrelated records. The degrees of freedom are those of Satterthwaite.

    Parameters
    ----------
    placed : pair of ndarray
        The placements of members and of non-members.

    groups : pair of ndarray, dtype int
        Codes from 0 of the groups of the same records.
    """
    n_groups = 1 + max(codes.max() for codes in groups)
    sums, parts, freedom = [], [], []
    for values, codes in zip(placed, groups, strict=True):
        sizes = np.bincount(codes, minlength=n_groups)
        total = np.bincount(codes, weights=values - values.mean(), minlength=n_groups)
        total = total / (values.size - sizes)
        n_present = np.count_nonzero(sizes)
        sums.append(total)
        parts.append((n_present - 1) / n_present * float(total @ total))
        freedom.append(effective_number(sizes) - 1)
    if sum(parts) == 0:
        return 0.0, math.inf
    shared = 2 * float(sums[0] @ sums[1])
    below = sum(part**2 / df for part, df in zip(parts, freedom, strict=True))
    variance = sum(parts) + shared
    if shared < 0:
        variance = max(variance, min(sum(parts), delong_variance(*placed)))
    return variance, sum(parts) ** 2 / below


def weighted_poisson_ends(total, variance, largest, tail):
    """Return the ends of a sum of weights, each counted a Poisson number of times.

    With equal weights they are the exact ends of a Poisson mean; `largest` is what one
    more event could weigh.
    """
    low = high = total
    if total > 0:
        low = variance / (2 * total) * stats.chi2.ppf(tail, 2 * total**2 / variance)
    if largest > 0:
        total, variance = total + largest, variance + largest**2
        high = variance / (2 * total) * stats.chi2.isf(tail, 2 * total**2 / variance)
    return float(low), float(high)


def rare_event_ends(auc, scores, placed, groups, variance, tail):
    """Return the ends of the AUC that few events leave open, or None.

    Where most members have one score and most non-members one, only the others move
    the AUC, up or down, and there may be few of them: their sums are those of weighted
    Poisson counts, with ends of their own. None where no score is that of the most on
    a side: then the events are not rare.
    """
    events = np.zeros(1 + max(codes.max() for codes in groups))
    largest = np.zeros(2)
    for side, values, codes in zip(scores, placed, groups, strict=True):
        _, first, counts = np.unique(side, return_index=True, return_counts=True)
        if 2 * counts.max() <= side.size:
            return None
        usual = values[first[counts.argmax()]]
        moved = (values - usual) / side.size
        events += np.bincount(codes, weights=moved, minlength=events.size)
        most = np.bincount(codes).max() / side.size
        largest = np.maximum(largest, [(1 - usual) * most, usual * most])
    offs = []
    squares = float(events @ events)
    # Counts of some out of n vary less than Poisson counts.
    binomial = 1.0 if squares == 0 else min(1.0, math.sqrt(variance / squares))
    for sign, weight in zip((1, -1), largest, strict=True):
        moved = np.sort(np.maximum(sign * events, 0))
        total = float(moved.sum())
        low, high = weighted_poisson_ends(total, float(moved @ moved), weight, tail)
        offs.append((binomial * (total - low), binomial * (high - total)))
    (up_less, up_more), (down_less, down_more) = offs
    return auc - math.hypot(up_less, down_more), auc + math.hypot(up_more, down_less)


def _group_codes(groups, is_member):
    """Return the codes of the groups of members, and of those of non-members."""
    if groups is None:
        n_members = np.count_nonzero(is_member)
        return np.arange(n_members), np.arange(n_members, is_member.size)
    groups = column_or_1d(groups)
    check_same_length(is_member.size, groups.size, "groups")
    codes = np.unique(groups, return_inverse=True)[1].ravel()
    return codes[is_member], codes[~is_member]


def _without_interval(auc, confidence, what, needed, counts):
    note = (
        f"interval not available: needs {needed} {what}members and {needed} {what}"
        f"non-members, got {counts[0]} and {counts[1]}"
    )
    return Interval(auc, None, None, confidence, "none", note)


def roc_auc_interval(y_true, y_score, *, confidence=0.95, groups=None, pos_label=None):
    """ROC AUC with DeLong's interval, on the logit scale.

    ``logit(AUC) -+ t * sd / (AUC * (1 - AUC))``, where ``sd`` is from the placements
    (for each record the share of the other side it beats, ties counting half), computed
    by mid-ranks in O(n log n), and ``t`` is the quantile of Student's law with the
    degrees of freedom of Satterthwaite, as Brunner and Munzel use it: with 20 records
    on one side the normal quantile is too small.

    Two floors hold where ``sd`` rests on few records. At AUC 1 it is 0; the lower end
    is then what ``min(n1, n0)`` records without one contrary event allow, ``((1 -
    confidence) / 2) ** (1 / min(n1, n0))``. An AUC below 1 never has a higher lower end
    than that, and likewise towards 0. Scores that are all tied end half as far from
    0.5. And where most members share one score and most non-members too (an accurate
    model that errs on a few, a few exposed records above a tied rest), the AUC moves by
    few events: the ends are then at least as far as those of Fay and Feuer for weighted
    Poisson counts, of what moves it up and of what moves it down.

    With `groups` a group is one observation: its placements are summed, as Obuchowski
    does, and counts of records become counts of groups.

    Parameters
    ----------
    y_true, y_score : array-like of shape (n_records,)
        Membership (``True`` or 1 for members) and finite scores. Higher means more
        likely a member.

    confidence : float, default=0.95
        Confidence level, a fraction in (0, 1).

    groups : array-like of shape (n_records,) or None, default=None
        Group of each record, for example the person: records of a group go together,
        and without this the interval is too narrow. A group may lie on both sides.

    pos_label : int, float, bool or str, default=None
        The label of members, if it is not ``True`` or 1.

    Returns
    -------
    interval : Interval
        The AUC and its interval, for this one trained model. With one member or one
        non-member, or fewer than 10 groups on a side, the ends are ``None``.

    See Also
    --------
    compare_attacks : The difference between two attacks on the same records.

    References
    ----------
    .. [1] E. R. DeLong, D. M. DeLong and D. L. Clarke-Pearson (1988). Comparing the
       Areas under Two or More Correlated ROC Curves. Biometrics 44.
    .. [2] X. Sun and W. Xu (2014). Fast Implementation of DeLong's Algorithm. IEEE
       Signal Processing Letters 21.
    .. [3] E. Brunner and U. Munzel (2000). The Nonparametric Behrens-Fisher Problem:
       Asymptotic Theory and a Small-Sample Approximation. Biometrical Journal 42.
    .. [4] M. P. Fay and E. J. Feuer (1997). Confidence Intervals for Directly
       Standardized Rates: A Method Based on the Gamma Distribution. Statistics in
       Medicine 16.
    .. [5] N. A. Obuchowski (1997). Nonparametric Analysis of Clustered ROC Curve Data.
       Biometrics 53.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mia.metrics import roc_auc_interval
    >>> is_member = np.arange(400) < 200
    >>> person = np.arange(400) // 5
    >>> score = np.random.default_rng(0).normal(size=80)[person] + is_member
    >>> print(roc_auc_interval(is_member, score))
    0.666 [0.61, 0.717]
    >>> print(roc_auc_interval(is_member, score, groups=person))
    0.666 [0.534, 0.776]
    """
    confidence = check_fraction(confidence, "confidence")
    all_scores, is_member = sides_of(y_true, y_score, pos_label)
    codes = _group_codes(groups, is_member)
    scores = all_scores[is_member], all_scores[~is_member]
    if groups is None:
        # So that rounding does not depend on the order of the records.
        scores = tuple(map(np.sort, scores))
    placed = placements(*scores)
    auc = float(placed[0].mean())
    counts = [len(np.unique(side)) for side in codes]
    if groups is not None and min(counts) < _FEWEST_GROUPS:
        return _without_interval(auc, confidence, "groups of ", _FEWEST_GROUPS, counts)
    if min(counts) < 2:
        return _without_interval(auc, confidence, "", 2, counts)
    tail = (1 - confidence) / 2
    # What so few records allow when not one of them contradicts AUC 1 (or 0).
    fewest = min(effective_number(np.bincount(side)) for side in codes)
    lowest_at_one = tail ** (1 / fewest)
    variance, freedom = cluster_variance(placed, codes)
    if variance > 0:
        centre = special.logit(auc)
        half = stats.t.isf(tail, freedom) * math.sqrt(variance) / (auc * (1 - auc))
        low, high = special.expit([centre - half, centre + half])
        rare = rare_event_ends(auc, scores, placed, codes, variance, tail)
        rare = rare or (low, high)
        return Interval(
            auc,
            max(0.0, float(min(low, lowest_at_one, rare[0]))),
            min(1.0, float(max(high, 1 - lowest_at_one, rare[1]))),
            confidence,
            "DeLong, logit scale" + ("" if groups is None else ", by group"),
        )
    return Interval(
        auc,
        auc * lowest_at_one,
        1 - (1 - auc) * lowest_at_one,
        confidence,
        "exact for no contrary event",
        "every record is placed alike, so the ends rest on the number of "
        f"{'records' if groups is None else 'groups'} alone",
    )
