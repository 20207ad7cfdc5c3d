"""Persons, not rows: what the records of a group come to as one.

A person is in the training data with all of their records or with none, so the person
is what an attack names, and what a rate counts. Groups are given by a key for each
record, as in :mod:`sklearn.model_selection`; everything here answers in the order of
the sorted keys, whatever the order of the records.
"""

import math
from numbers import Real

import numpy as np

from sklearn_mia import checks


def group_scores(scores, groups):
    r"""Score of each group: the sum of the scores of its records.

    .. math:: S_g = \sum_{i \in g} s_i

    A score that is a log-likelihood ratio, ``log p(answer | member) - log p(answer |
    not)``, adds up over records that are independent once membership is known: the sum
    is the log-likelihood ratio of the group, however many records it has, and no other
    ranking finds more members at any false-positive rate (Neyman and Pearson). Dividing
    by the number of records or its root, standardising, the mean and the maximum all
    lose. On hospital stays (1,500 patients of 3 to 5 stays, half of them members,
    gradient boosting, RMIA with 8 shadows drawn by patient) the share of members found
    at a false-positive rate of 1 % was .181 for single stays, and for patients .581 by
    the sum, .535 by the mean, .444 by the maximum.

    Where the records of a group resemble each other beyond their membership, the sum
    counts the same evidence several times. It is then no longer a likelihood ratio, but
    a ranking that stays useful: discounting by an estimated correlation found no more.
    Groups of many records reach both ends of the ranking more often than others, false
    alarms included, see :func:`rates_by_size` and :func:`thresholds_by_size`.

    Parameters
    ----------
    scores : array-like of shape (n_records,)
        Finite scores on the scale of a log-likelihood ratio: 0 for a record that says
        nothing, higher for a likelier member. Those of LiRA and RMIA are; bring others
        there by :func:`as_log_ratios`, since the sum of scores with a level of its own
        ranks groups by their number of records.

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
