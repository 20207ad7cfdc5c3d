"""Persons, not rows: what the records of a group come to as one.

A person is in the training data with all of their records or with none, so the person
is what an attack names, and what a rate counts. Groups are given by a key for each
record, as in :mod:`sklearn.model_selection`; everything here answers in the order of
the sorted keys, whatever the order of the records.
"""

import math
from dataclasses import dataclass
from numbers import Real

import numpy as np

from sklearn_mia import checks
from sklearn_mia.metrics import Interval, rate_interval, threshold_at_fpr
from sklearn_mia.metrics._rates import check_permitted, n_permitted

_SIZES = ("1", "2", "3-5", "6+")
_SMALLEST = np.array([1, 2, 3, 6])


def group_scores(scores, groups):
    r"""Score of each group: the sum of the scores of its records.

    .. math:: S_g = \sum_{i \in g} s_i

    A score that is a log-likelihood ratio, ``log p(answer | member) - log p(answer |
    not)``, adds up over records that are independent once membership is known: the sum
    is the log-likelihood ratio of the group, however many records it has, and no other
    ranking finds more members at any false-positive rate (Neyman and Pearson). Dividing
    by the number of records or its root, standardising, the mean and the maximum lose
    or, where all groups have about as many records, change nothing. Share of members
    found at a false-positive rate of 1 %, of hospital stays and of patients, for
    gradient boosting and a forest with leaves of 5 (RMIA with 8 shadows drawn by
    patient, mean over three draws; ``benchmarks/bench_persons.py``):

    ====================  ==========================  =============================
    score                 1,500 patients of 3 to 5    4,000 of any number of stays
    ====================  ==========================  =============================
    of single stays              .17  .21                      .14  .35
    sum                          .56  .70                      .23  .44
    mean                         .57  .68                      .14  .37
    maximum                      .40  .48                      .16  .36
    ====================  ==========================  =============================

    Where the records of a group resemble each other beyond their membership, the sum
    counts the same evidence several times. It is then no longer a likelihood ratio, but
    a ranking that stays useful: discounting by an estimated correlation found no more.
    False alarms may then depend on the number of records, see :func:`rates_by_size` and
    :func:`thresholds_by_size`.

    Parameters
    ----------
    scores : array-like of shape (n_records,)
        Finite scores on the scale of a log-likelihood ratio: 0 for a record that says
        nothing, higher for a likelier member. Those of LiRA, RMIA and BaggingAttack add
        up as they are; bring others there by :func:`centred_scores`, since sums of
        scores that lie about another level rank groups by their number of records.

    groups : array-like of shape (n_records,)
        Key of the group of each record, of one kind: numbers, text, or dates.

    Returns
    -------
    keys : ndarray of shape (n_groups,)
        The different keys, ascending, with the values and the type that they came in.

    scores : ndarray of shape (n_groups,)
        The sums, rounded once: the order of the records does not matter.

    Raises
    ------
    ValueError
        If keys are missing or of several kinds, or the lengths differ.

    See Also
    --------
    group_members : Which of these groups are members.
    centred_scores : Scores that can be added up, from others.

    References
    ----------
    .. [1] J. Neyman and E. S. Pearson (1933). On the Problem of the Most Efficient
       Tests of Statistical Hypotheses. Philosophical Transactions A 231.

    Examples
    --------
    >>> from sklearn_mia.groups import group_scores
    >>> keys, scores = group_scores([0.5, -1, 2, 1], ["b", "a", "b", "c"])
    >>> keys.tolist(), scores.tolist()
    (['a', 'b', 'c'], [-1.0, 2.5, 1.0])
    """
    scores = checks.check_scores(scores, "scores")
    keys, codes = group_codes(groups, scores.size)
    ends = np.cumsum(np.bincount(codes, minlength=len(keys)))
    values = scores[np.argsort(codes, kind="stable")].tolist()
    starts = [0, *ends[:-1].tolist()]
    sums = [math.fsum(values[i:j]) for i, j in zip(starts, ends.tolist(), strict=True)]
    return keys, np.array(sums, dtype=np.float64)


def group_members(is_member, groups):
    """Membership of each group.

    Parameters
    ----------
    is_member : array-like of shape (n_records,)
        Membership of each record: ``True`` or 1 for members.

    groups : array-like of shape (n_records,)
        Key of the group of each record, as in :func:`group_scores`.

    Returns
    -------
    keys : ndarray of shape (n_groups,)
        The different keys, ascending, as :func:`group_scores` returns them.

    is_member : ndarray of shape (n_groups,), dtype bool
        Whether any record of the group is a member: their data were used.

    is_mixed : ndarray of shape (n_groups,), dtype bool
        Whether the group has records on both sides. It is neither a member as a whole
        nor a reference for those that are not: leave it out of rates.

    n_records : ndarray of shape (n_groups,), dtype int
        Number of records.

    Raises
    ------
    ValueError
        If keys are missing or of several kinds, the lengths differ, or one side has no
        record.

    See Also
    --------
    group_scores : Score of each of these groups.

    Examples
    --------
    >>> from sklearn_mia.groups import group_members
    >>> keys, is_member, is_mixed, n_records = group_members(
    ...     [True, True, False, False], [7, 8, 8, 9]
    ... )
    >>> keys.tolist(), is_member.tolist()
    ([7, 8, 9], [True, True, False])
    >>> is_mixed.tolist(), n_records.tolist()
    ([False, True, False], [1, 2, 1])
    """
    is_member = checks.check_membership(is_member, None, "is_member")
    keys, codes = group_codes(groups, is_member.size)
    n_records = np.bincount(codes, minlength=len(keys))
    n_in = np.bincount(codes[is_member], minlength=len(keys))
    return keys, n_in > 0, (n_in > 0) & (n_in < n_records), n_records


def centred_scores(scores, out_scores=None):
    r"""Scores about zero, which can be added up, from scores about any level.

    .. math:: c_i = d_i - \bar d, \quad d_i = s_i \text{ or } s_i - \bar s_{i, out}

    with the mean :math:`\bar d` over the whole pool, members and non-members alike:
    no membership is used. Of two normal laws of equal variance, for members and for
    non-members, in a pool of half members, this is their log-likelihood ratio but for a
    factor; a common factor changes no ranking. Where models without the record are at
    hand (OUT), their mean is taken off first. In a pool of few members the level lies
    too low, and groups of many records rank too high.

    A p-value will not do: its logarithm counts what speaks for membership and not what
    speaks against it. Share of patients found at a false-positive rate of 1 %, mean
    over three draws of hospital stays, of 1,500 patients of 3 to 5 stays and of 4,000
    of any number, for gradient boosting and a forest with leaves of 5:

    ==========================================  =========  =========
    score of a stay, added up                    3 to 5     any
    ==========================================  =========  =========
    loss as it is                               .02  .03   .02  .05
    loss, log of the inverse p-value            .03  .05   .04  .05
    loss, centred                               .05  .03   .08  .07
    loss, centred by class                      .10  .10   .07  .06
    logit less OUT mean, as it is               .20  .34   .14  .28
    logit less OUT mean, inverse p-value        .21  .33   .11  .20
    logit less OUT mean, centred                .20  .39   .17  .36
    RMIA, as it is                              .56  .70   .23  .44
    RMIA, centred                               .54  .70   .23  .44
    ==========================================  =========  =========

    So centre the score of an attack that is not a log ratio (ThresholdAttack, by class;
    DifficultyCalibrationAttack; QuantileRegressionAttack), leave a log ratio alone, and
    prefer it.

    Parameters
    ----------
    scores : array-like of shape (n_records,)
        Finite scores of the pool. Higher means more likely a member.

    out_scores : array-like of shape (n_shadows, n_records) or None, default=None
        The scores of models that did not train on the record, ``NaN`` for models that
        did. A record that every model trained on gets 0.

    Returns
    -------
    centred : ndarray of shape (n_records,)
        Scores whose mean is 0.

    Raises
    ------
    ValueError
        If the shapes do not fit, or a score is not finite.

    See Also
    --------
    group_scores : The sum over the records of a group.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mia.groups import centred_scores
    >>> centred_scores([1, 2, 6]).tolist()
    [-2.0, -1.0, 3.0]
    >>> centred_scores([1, 2, 6], [[0, np.nan, 3], [2, 3, np.nan]]).tolist()
    [-0.66..., -1.66..., 2.33...]
    """
    scores = checks.check_scores(scores, "scores")
    if not scores.size:
        return scores
    known = np.ones(scores.size, dtype=bool)
    if out_scores is not None:
        out_scores = np.asarray(out_scores, dtype=np.float64)
        if out_scores.ndim != 2 or out_scores.shape[1] != scores.size:
            raise ValueError(
                f"out_scores has shape {out_scores.shape!r} for {scores.size!r} "
                "records; expected one row a model and one column a record."
            )
        n_bad = int(np.count_nonzero(np.isinf(out_scores)))
        if n_bad:
            raise ValueError(
                f"out_scores has {n_bad!r} infinite values; expected finite scores, "
                "and NaN for a model that trained on the record."
            )
        n_out = np.count_nonzero(~np.isnan(out_scores), axis=0)
        known = n_out > 0
        scores = scores - np.nansum(out_scores, axis=0) / np.maximum(n_out, 1)
    if not known.any():
        return np.zeros(scores.size)
    return np.where(known, scores - level_of(scores[known]), 0.0)


def level_of(scores):
    """Mean of the scores of a pool, rounded once: their order does not matter.

    Parameters
    ----------
    scores : ndarray of shape (n_records,)
        Finite scores of the pool, at least one.

    Returns
    -------
    level : float
        What :func:`centred_scores` takes off.
    """
    return math.fsum(scores.tolist()) / len(scores)


@dataclass(frozen=True)
class SizeRates:
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
    all, at a false-positive rate of 1 % (RMIA, ``benchmarks/bench_persons.py``):

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
class SizeThresholds:
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


def group_codes(groups, n_records):
    """Different keys of groups, and the place among them of each record's.

    Parameters
    ----------
    groups : array-like of shape (n_records,)
        Key of the group of each record.

    n_records : int
        How many there have to be.

    Returns
    -------
    keys : ndarray of shape (n_groups,)
        The different keys, ascending, with the values and the type that they came in.

    codes : ndarray of shape (n_records,), dtype int
        The place in `keys` of the key of each record.
    """
    groups = _keys(groups)
    if groups.size != n_records:
        raise ValueError(
            f"groups has {groups.size!r} keys for {n_records!r} records; expected one "
            "for each record, in the same order."
        )
    n_missing = int(np.count_nonzero(_is_missing(groups)))
    if n_missing:
        raise ValueError(
            f"groups has no key for {n_missing!r} of {n_records!r} records; expected "
            "one for each: give a record that belongs to no one else a key of its own, "
            "or leave it out."
        )
    if groups.dtype.kind != "O":
        keys, codes = np.unique(groups, return_inverse=True)
        return keys, codes.ravel()
    values = groups.tolist()
    kinds = sorted({_kind(value) for value in values})
    if len(kinds) > 1:
        raise ValueError(
            f"groups has keys of {len(kinds)} kinds, {', '.join(kinds)}; expected one, "
            "since 1 and '1' may be one person or two: make them all text, or all "
            "numbers."
        )
    try:
        ordered = sorted(set(values))
    except TypeError:
        raise ValueError(
            f"groups has keys of type {kinds[0]}, which have no order; expected "
            "numbers, text or dates: pass a name or a number for each group."
        ) from None
    place = {key: i for i, key in enumerate(ordered)}
    keys = np.empty(len(ordered), dtype=object)
    keys[:] = ordered
    return keys, np.array([place[value] for value in values], dtype=np.intp)


def _keys(groups):
    """Return the keys as an array that changed none of them."""
    if hasattr(groups, "to_numpy"):
        groups = groups.to_numpy()
    if not isinstance(groups, np.ndarray):
        # An array of a list with 1 and "a" would hold "1" and "a".
        values = list(groups)
        groups = np.empty(len(values), dtype=object)
        groups[:] = values
        kinds = set(map(type, values))
        if len(kinds) == 1 and kinds <= {bool, int, float, str}:
            typed = np.array(values)
            # Integers that fit no type would become floats.
            groups = groups if int in kinds and typed.dtype.kind == "f" else typed
    if groups.ndim != 1 and groups.shape[1:] != (1,):
        raise ValueError(
            f"groups has shape {groups.shape!r}; expected one key for each record: "
            "pass a single column."
        )
    return groups.ravel()


def _is_missing(keys):
    if keys.dtype.kind == "O":
        return [
            key is None or type(key).__name__ in ("NAType", "NaTType") or key != key
            for key in keys.tolist()
        ]
    return keys != keys


def _kind(key):
    """Return the name of the kind of a key: keys of one kind can be compared."""
    if isinstance(key, (bool, np.bool_)):
        return "bool"
    if isinstance(key, Real):
        return "number"
    return "str" if isinstance(key, str) else type(key).__name__
