"""Groups of few and of many records: how often each are named, and from where on."""

from dataclasses import dataclass

import numpy as np

from sklearn_mia import checks
from sklearn_mia._views import TableViewMixin
from sklearn_mia.metrics import Interval, rate_interval, threshold_at_fpr
from sklearn_mia.metrics._rates import check_permitted, n_permitted

_SIZES = ("1", "2", "3-5", "6+")
_SMALLEST = np.array([1, 2, 3, 6])


@dataclass(frozen=True)
class SizeRates(TableViewMixin):
    """How many groups of about one number of records are named.

    Attributes
    ----------
    size : str
        Number of records a group: "1", "2", "3-5" or "6+".

    n_members, n_nonmembers : int
        Number of groups on each side.

    tpr, fpr : Interval or None
        Share of members, and of non-members, above the threshold, with the exact
        interval of a rate; ``None`` where the side has no such group.
    """

    size: str
    n_members: int
    n_nonmembers: int
    tpr: Interval | None
    fpr: Interval | None


def rates_by_size(scores, is_member, n_records, threshold, *, confidence=0.95):
    """TPR and FPR of groups by their number of records.

    One threshold for all does not treat groups alike: the more records, the more
    members are found, and non-members are accused more often, or less often. Share of
    hospital patients who are no members above a threshold set on others, the same for
    all, at a false-positive rate of 1 % (RMIA, ``benchmarks/bench_person_scores.py``):

    ===================  =====  =====  ======  ==========
    stays                  1      2    3 to 5  6 and more
    ===================  =====  =====  ======  ==========
    gradient boosting     .8 %  1.5 %   1.4 %    1.3 %
    forest, leaf 5       1.3 %   .8 %    .6 %     .0 %
    logistic regression   .3 %  1.5 %   5.9 %   11.5 %
    ===================  =====  =====  ======  ==========

    Parameters
    ----------
    scores : array-like of shape (n_groups,)
        Finite scores of groups, from :func:`group_scores`.

    is_member : array-like of shape (n_groups,)
        Membership of the groups.

    n_records : array-like of shape (n_groups,), dtype int
        Their numbers of records.

    threshold : float or array-like of shape (n_groups,)
        The score above which a group is named, set beforehand: on the same groups the
        intervals are too narrow.

    confidence : float, default=0.95
        Confidence level of each interval by itself, a fraction in (0, 1).

    Returns
    -------
    rates : list of SizeRates
        One for each of 1, 2, 3 to 5, and 6 or more records that any group has.

    See Also
    --------
    thresholds_by_size : A threshold for each number of records.

    Examples
    --------
    >>> from sklearn_mia.groups import rates_by_size
    >>> for rates in rates_by_size([3, 1, 2, 0], [1, 1, 0, 0], [4, 1, 3, 1], 1.5):
    ...     print(rates.size, rates.tpr, rates.fpr)
    1 0 [0, 0.975] 0 [0, 0.975]
    3-5 1 [0.025, 1] 1 [0.025, 1]
    """
    scores = checks.check_scores(scores, "scores")
    is_member = checks.check_membership(is_member, None, "is_member")
    bins = _bins(n_records, scores.size)
    _check_groups(is_member.size, scores.size, "is_member")
    threshold = np.asarray(threshold, dtype=np.float64)
    if threshold.ndim:
        _check_groups(threshold.size, scores.size, "threshold")
    n_missing = int(np.count_nonzero(np.isnan(threshold)))
    if n_missing:
        raise ValueError(
            f"threshold has {n_missing!r} NaN; expected a score, or infinity to name "
            "nobody."
        )
    named = scores > threshold
    rows = []
    for place in np.unique(bins):
        inside = bins == place
        sides = [inside & is_member, inside & ~is_member]
        counts = [int(np.count_nonzero(side)) for side in sides]
        tpr, fpr = (
            rate_interval(
                int(np.count_nonzero(named[side])), count, confidence=confidence
            )
            if count
            else None
            for side, count in zip(sides, counts, strict=True)
        )
        rows.append(SizeRates(_SIZES[place], *counts, tpr, fpr))
    return rows


@dataclass(frozen=True)
class SizeThresholds(TableViewMixin):
    """Thresholds that accuse groups of any number of records equally rarely.

    Attributes
    ----------
    sizes : tuple of str
        Number of records a group: "1", "2", "3-5" and "6+".

    thresholds : tuple of float
        A group of such a number of records is named above it.

    n_nonmembers, n_false_alarms : tuple of int
        Reference groups of such a number of records, and those above.

    resolved : tuple of bool
        Whether there are enough of them for a threshold of their own. Where not, the
        threshold is at least as high as each of the others, as the common one, and as
        their own highest score: fewer are found, and of new groups still more than
        `max_fpr` may be accused.

    max_fpr : float
        As asked for.
    """

    sizes: tuple
    thresholds: tuple
    n_nonmembers: tuple
    n_false_alarms: tuple
    resolved: tuple
    max_fpr: float

    def of(self, n_records):
        """Threshold for each of some groups.

        Parameters
        ----------
        n_records : array-like of shape (n_groups,), dtype int
            Their numbers of records.

        Returns
        -------
        thresholds : ndarray of shape (n_groups,)
            The score above which each is named.
        """
        return np.array(self.thresholds)[_bins(n_records, np.size(n_records))]


def thresholds_by_size(nonmember_scores, n_records, *, max_fpr=0.01):
    """Threshold for each number of records, each with few false alarms.

    Groups of 1, of 2, of 3 to 5 and of 6 or more records get the threshold of
    :func:`~sklearn_mia.metrics.threshold_at_fpr` on their own reference groups, if at
    least one false alarm among them is permitted. Else they get the highest of all
    thresholds there are, of the common threshold of all reference groups, and of their
    own scores. So of the reference at most `max_fpr` is accused of any number of
    records, and no threshold is looser than was measured.

    Alike false alarms have a price. Of 2,000 hospital patients among 4,000, RMIA at 1 %
    recognises with the common threshold, with these, and with those of someone who
    knows the scores of all non-members (``benchmarks/bench_person_scores.py``):

    ===================  ======  =======  =====
    target               common  by size  known
    ===================  ======  =======  =====
    forest                 .978     .971   .974
    forest, leaf 5         .435     .418   .432
    gradient boosting      .226     .195   .198
    logistic regression    .017     .016   .015
    ===================  ======  =======  =====

    Parameters
    ----------
    nonmember_scores : array-like of shape (n_groups,)
        Scores of groups known to be no members, from :func:`group_scores`.

    n_records : array-like of shape (n_groups,), dtype int
        Their numbers of records.

    max_fpr : float, default=0.01
        The highest false-positive rate, a fraction in (0, 1).

    Returns
    -------
    thresholds : SizeThresholds
        Threshold, reference and false alarms of each number of records.

    Raises
    ------
    ValueError
        If all reference groups together permit no false alarm.

    See Also
    --------
    rates_by_size : The rates that they attain.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mia.groups import thresholds_by_size
    >>> size = np.repeat([1, 4, 9], [300, 200, 20])
    >>> score = np.random.default_rng(0).normal(size=520) * size**0.5
    >>> found = thresholds_by_size(score, size)
    >>> [round(threshold, 1) for threshold in found.thresholds]
    [2.3, 4.1, 4.1, 5.8]
    >>> found.resolved, found.n_false_alarms
    ((True, False, True, False), (3, 0, 2, 0))
    """
    scores = checks.check_scores(nonmember_scores, "nonmember_scores")
    max_fpr = checks.check_fraction(max_fpr, "max_fpr")
    bins = _bins(n_records, scores.size)
    if not scores.size:
        raise ValueError(
            "nonmember_scores has 0 scores; expected those of groups known to be no "
            "members."
        )
    check_permitted(max_fpr, scores.size)
    own = [scores[bins == place] for place in range(len(_SIZES))]
    resolved = [len(of) > 0 and n_permitted(max_fpr, len(of)) >= 1 for of in own]
    thresholds = [
        threshold_at_fpr(of, max_fpr) if enough else None
        for of, enough in zip(own, resolved, strict=True)
    ]
    highest = max(
        [threshold_at_fpr(scores, max_fpr), *(t for t in thresholds if t is not None)]
    )
    thresholds = [
        max([highest, *of]) if threshold is None else threshold
        for of, threshold in zip(own, thresholds, strict=True)
    ]
    return SizeThresholds(
        _SIZES,
        tuple(map(float, thresholds)),
        tuple(map(len, own)),
        tuple(
            int(np.count_nonzero(of > threshold))
            for of, threshold in zip(own, thresholds, strict=True)
        ),
        tuple(resolved),
        max_fpr,
    )


def _bins(n_records, n_groups):
    """Return the place in `_SIZES` of each number of records."""
    n_records = np.asarray(n_records)
    _check_groups(n_records.size, n_groups, "n_records")
    if n_records.size and (n_records.dtype.kind not in "iu" or n_records.min() < 1):
        raise ValueError(
            "n_records has values that are no counts; expected for each group its "
            "number of records, an integer >= 1: pass what group_members returns."
        )
    return np.searchsorted(_SMALLEST, n_records.ravel(), side="right") - 1


def _check_groups(n_given, n_groups, name):
    if n_given != n_groups:
        raise ValueError(
            f"{name} has {n_given!r} values for {n_groups!r} groups; expected one for "
            "each group, in the same order."
        )
