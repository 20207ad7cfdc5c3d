"""Who is compared in one measurement of leakage: records, or whole groups of them."""

from dataclasses import dataclass

import numpy as np

from sklearn_mia.auditing._case import check_sides_of_groups
from sklearn_mia.groups import group_codes, group_members, group_scores
from sklearn_mia.model_selection._leakage import balanced_rows, membership_scores

_ADVICE = "Pass a splitter of groups, such as cv=GroupKFold()."


@dataclass(frozen=True, repr=False)
class Sides:
    """Both sides of one measurement. A pickle of it holds the records.

    Attributes
    ----------
    X, y : features and class labels of the pool that an attack is fitted on

    rows : ndarray of shape (n_compared,)
        The records of the pool that are compared.

    is_member : ndarray of shape (n_compared,), dtype bool

    groups : ndarray of shape (n_pool,) or None
        Group of each record of the pool.
    """

    X: object
    y: np.ndarray
    rows: np.ndarray
    is_member: np.ndarray
    groups: np.ndarray | None = None


def joint_codes(first, second):
    """Codes of the groups of two tables, whose keys are those of one list of groups.

    Parameters
    ----------
    first, second : array-like of shape (n_records,)

    Returns
    -------
    codes : ndarray of shape (n_first_records + n_second_records,)
    """
    keys = [*first, *second]
    return group_codes(keys, len(keys))[1]


def balanced_groups(groups, is_member, usable, max_samples, random_state):
    """Rows of as many whole groups on each side.

    Parameters
    ----------
    groups : ndarray of shape (n_records,)
        Codes.

    is_member : ndarray of shape (n_records,), dtype bool

    usable : ndarray of shape (n_records,), dtype bool
        The records that may be compared; of a group those that are.

    max_samples : int or None
        Most groups of a side.

    random_state : int, RandomState instance or None

    Returns
    -------
    rows : ndarray of shape (n_rows,)
        Ascending.

    n_mixed : int
        Groups with members and others, which are left out.
    """
    codes, of_group, is_mixed, _ = group_members(is_member, groups)
    present = is_mixed | np.isin(codes, groups[usable])
    codes, of_group, is_mixed = codes[present], of_group[present], is_mixed[present]
    check_sides_of_groups(of_group, is_mixed, whole=True, advice=_ADVICE)
    sides = codes[of_group & ~is_mixed], codes[~of_group]
    picked = balanced_rows(*map(len, sides), max_samples, random_state)
    kept = np.concatenate([side[p] for side, p in zip(sides, picked, strict=True)])
    return np.flatnonzero(usable & np.isin(groups, kept)), int(is_mixed.sum())


def mixed_message(n_mixed, n_groups, where=""):
    """What to say of groups with records on both sides.

    Parameters
    ----------
    n_mixed, n_groups : int

    where : str, default=""

    Returns
    -------
    message : str
    """
    return (
        f"{where}{n_mixed} of {n_groups} groups have training records and others. They "
        f"are no members as a whole, and left out. {_ADVICE}"
    )


def compare(attack, target, sides, fit_params=None):
    """What an attack says of both sides.

    Parameters
    ----------
    attack : attack instance
        Without a target; cloned.

    target : fitted classifier

    sides : Sides

    fit_params : dict or None, default=None
        For the `fit` of an attack with shadows.

    Returns
    -------
    of_units : tuple of ndarray
        Membership and scores, one a group if there are groups, else one a record.

    of_records : tuple of ndarray or None
        The same record by record, if there are groups.
    """
    scores, ratios = membership_scores(
        attack, target, sides.X, sides.y, sides.is_member, sides.groups, fit_params
    )
    of_records = sides.is_member, scores[sides.rows]
    if sides.groups is None:
        return of_records, None
    groups = sides.groups[sides.rows]
    _, sums = group_scores(ratios[sides.rows], groups)
    return (group_members(sides.is_member, groups)[1], sums), of_records
