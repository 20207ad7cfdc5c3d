"""Score and membership of a group, from those of its records."""

import math

import numpy as np

from sklearn_mia import checks
from sklearn_mia.groups._keys import group_codes


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
    patient, mean over three draws; ``benchmarks/bench_person_scores.py``):

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
