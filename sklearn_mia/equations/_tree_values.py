"""Trees of values: numbers and means of leaves, also where numbers were removed."""

from dataclasses import replace
from numbers import Integral

import numpy as np

from sklearn_mia.equations._rounded import GROWN, TINY, decimals_of, told_by_bounds
from sklearn_mia.equations._stripped import is_stripped, most_draws, total_equations
from sklearn_mia.equations._system import Equations, grouped
from sklearn_mia.equations._trees import common_unit, misplaces_missing
from sklearn_mia.identity import record_ids

# Of the largest value, up to which values are the same.
ROUNDING = 1e-9
_ROUNDING_OF_DOUBLES = np.finfo(np.float64).eps
_WHOLE = 1e-4
_SMALLEST = 1e-13
# Of a mean of values on a grid: decimals of what is left of a step, and its rounding.
_DECIMALS, _ROUNDING_OF_MEANS = 9, 1e-14
# What a leaf has is the mean of its records.
_OF_MEANS = ("squared_error", "friedman_mse", "poisson")
# What is split as long as its values differ.
_SPLIT_TO_THE_END = ("squared_error", "friedman_mse", "absolute_error")


def equations_of_trees(trees, leaves, y, table, drawn, n_members, *, whole=True):
    """Counts of the leaves of trees, and means of those that are not pure.

    Parameters
    ----------
    trees : list of fitted decision tree

    leaves : list of ndarray of shape (n_records,)
        Node of each record, one a tree.

    y : array-like of shape (n_records,)

    table : {ndarray, sparse matrix} of shape (n_records, n_features)
        From :func:`~sklearn_mia.models.forest_table`.

    drawn : tuple of two floats
        From :func:`~sklearn_mia.equations._parts.draws_of`.

    n_members : int or None

    whole : bool, default=True
        Whether each tree sees all columns of `table`.

    Returns
    -------
    equations : list of Equations
        "leaf count" or "leaf size", that of a value, and "leaf mean"; without the
        numbers of the nodes what :func:`_without_counts` tells.
    """
    first = trees[0]
    stripped = [is_stripped(tree.tree_) for tree in trees]
    if (
        first.monotonic_cst is not None
        or first.n_outputs_ > 1
        or misplaces_missing(table)
        or (any(stripped) and not all(stripped))
    ):
        return []
    if all(stripped):
        copied = _has_copies(table) if whole else np.ones(len(y), dtype=bool)
        return _without_counts(trees, leaves, y, copied, drawn, n_members)
    values, (share, sampling) = np.asarray(y, dtype=np.float64), drawn
    if not sampling:
        n_members = first.tree_.n_node_samples[0] or None
    largest = np.abs(values).max(initial=0.0)
    groups, counts, are_pure, same_as, of_value = ([] for _ in range(5))
    impure, off, n_averaged, sizes = [], [], [], []
    for tree, at in zip(trees, leaves, strict=True):
        inner = tree.tree_
        leaf = inner.children_left < 0
        place, value = (np.cumsum(leaf) - 1)[at], inner.value[leaf, 0, 0]
        n_drawn, draws = inner.n_node_samples[leaf], inner.weighted_n_node_samples[leaf]
        if np.abs(draws - np.rint(draws)).max() > _WHOLE or (
            not sampling and np.any(n_drawn != draws)
        ):
            # Weights of records.
            return []
        away = np.abs(values - value[place])
        same = away <= ROUNDING * largest
        noise, hidden = _hidden_by_rounding(first.criterion, value, draws)
        # Values that are not the same, but near enough not to show in the impurity.
        near = ~same & (away <= hidden[place])
        near = np.bincount(place, weights=near, minlength=len(value))
        pure = (inner.impurity[leaf] <= noise) & (near == 0) | (n_drawn == 1)
        # Where no record of the pool has the value, nothing is known of the others.
        pure &= np.bincount(place, weights=same, minlength=len(value)) > 0
        # Of a pure leaf the records of other values count as none.
        in_pure = pure[place]
        groups.append(np.where(in_pure & same, -1, place))
        counts.append(np.where(pure, 0, n_drawn))
        are_pure.append(pure)
        number = np.where(pure, np.cumsum(pure) - 1, -1)
        same_as.append(np.where(same, number[place], -1))
        of_value.append(n_drawn[pure])
        # The mean of a pure leaf tells nothing more.
        impure.append(np.where(pure, -1, np.cumsum(~pure) - 1)[place])
        off.append(np.where(in_pure, 0.0, values - value[place]))
        n_averaged.append(draws[~pure])
        sizes.append((len(value), int(pure.sum()), int((~pure).sum())))
    n_leaves, n_pure, n_impure = zip(*sizes, strict=True)
    chance, kind = 1.0, "leaf count"
    if sampling:
        kind, n = "leaf size", n_members or len(values) / 2
        chance = share
        if np.any(first.tree_.weighted_n_node_samples > first.tree_.n_node_samples):
            chance = -np.expm1(share * n * np.log1p(-1 / n))
    noise = (1 - chance) / chance
    matrix = grouped(np.column_stack(groups), n_leaves) * chance
    # A pure leaf is there because one of its value was drawn: with one such record in
    # the pool the row is off by 1 - q for a member, and by q in trees without it.
    by_choice = noise / chance
    noises = np.where(np.concatenate(are_pure), by_choice, noise)
    found = [Equations(kind, matrix, np.concatenate(counts), 0, noises, n_members)]
    if sum(n_pure):
        matrix = grouped(np.column_stack(same_as), n_pure) * chance
        n_drawn = np.concatenate(of_value)
        found.append(Equations(f"{kind} of a value", matrix, n_drawn, 0, by_choice))
    if first.criterion not in _OF_MEANS or not sum(n_impure):
        return found
    matrix = grouped(np.column_stack(impure), n_impure, share * np.column_stack(off))
    # Given how many were drawn into a leaf, as the fractions of classes.
    replaced = sampling and chance < share * (1 - _WHOLE)
    variance = 1 / share if replaced else sampling
    return [*found, _means(matrix, np.concatenate(n_averaged), largest, variance)]


def _hidden_by_rounding(criterion, value, draws):
    """Impurity that rounding leaves in leaves of equal values, and what it hides.

    Returns
    -------
    noise : ndarray of shape (n_leaves,)
        Impurities are means over the draws, which they come from by subtraction.

    hidden : ndarray of shape (n_leaves,)
        How far from the value of the leaf a single draw may be with no more impurity.
    """
    relative, size = _ROUNDING_OF_DOUBLES * (8 + draws), np.abs(value)
    if criterion == "absolute_error":
        noise = relative * size
        return noise, 2 * noise * draws
    # Of one draw that is away by d a share of d in the mean, the rest in the others.
    spread = draws**2 / np.maximum(draws - 1, 1)
    if criterion == "poisson":
        noise = relative * size * (1 + np.abs(np.log(np.maximum(size, _SMALLEST))))
        return noise, 2 * np.sqrt(2 * size * noise * spread)
    noise = relative * size**2
    return noise, 2 * np.sqrt(noise * spread)


def rounding_of_sums(n_terms, largest):
    """How far sums of so many doubles may be off, from one rounding to the next."""
    return (_SMALLEST + _ROUNDING_OF_DOUBLES * n_terms**1.5) * largest


def _without_counts(trees, leaves, y, copied, drawn, n_members):
    r"""Means of leaves without numbers, values they do not have, and their members.

    .. math:: \frac{B}{N} \sum_l m \, (y - v_l) = 0, \qquad
        q \sum_{l, y \ne v_l} m = 0

    where the second one is of leaves that were split as long as values differed, whose
    records all have their value. Rounded values are off by half of the last decimal s
    at the most: the first sum is then between -n s / 2 and n s / 2, with n the draws
    that are expected in the leaf. Where the values of the pool are on a grid, as whole
    numbers are, a mean is a fraction, and tells what its number of draws is a multiple
    of.

    Parameters
    ----------
    trees, leaves, y, drawn, n_members : as in :func:`equations_of_trees`

    copied : ndarray of shape (n_records,), dtype bool
        Whether trees may not tell a record from another one.

    Returns
    -------
    equations : list of Equations
        "leaf size", "leaf mean" and "leaf total".
    """
    first, values, (rate, sampling) = trees[0], np.asarray(y, dtype=float), drawn
    n_records, largest = len(values), np.abs(values).max(initial=0.0)
    held = 0.5 if n_members is None else n_members / n_records
    decimals = decimals_of(first)
    most_off = 0.0 if decimals is None else 10.0**-decimals / 2
    start, unit = _grid_of(values)
    at, others, mixed, off, parts, sizes = ([] for _ in range(6))
    for tree, nodes in zip(trees, leaves, strict=True):
        leaf = tree.tree_.children_left < 0
        place, value = (np.cumsum(leaf) - 1)[nodes], tree.tree_.value[leaf, 0, 0]
        size = np.bincount(place, minlength=len(value))
        same = np.abs(values - value[place]) <= ROUNDING * largest + most_off
        most = most_draws(size * max(held, 1.0), max(rate, 1.0))
        pure = _are_pure(tree, values, place, value, same, copied, most)
        is_other = pure[place] & ~same
        at.append(np.where(is_other, -1, place))
        others.append(np.where(is_other, (np.cumsum(pure) - 1)[place], -1))
        # The mean of a pure leaf tells nothing more.
        mixed.append(np.where(pure, -1, np.cumsum(~pure) - 1)[place])
        off.append(np.where(pure[place], 0.0, values - value[place]))
        parts.append(np.where(pure, 0.0, ((value - start) / unit) % 1))
        sizes.append((size, pure))
    n_leaves = [len(size) for size, _ in sizes]
    n_pure = [int(pure.sum()) for _, pure in sizes]
    n_mixed = np.subtract(n_leaves, n_pure)
    found, chance = [], 1.0
    if sampling:
        n = n_records / 2 if n_members is None else n_members
        chance = -np.expm1(rate * n * np.log1p(-1 / n))
    if sum(n_pure):
        matrix = grouped(np.column_stack(others), n_pure) * chance
        noise = (1 - chance) / chance**2
        found.append(Equations("leaf size", matrix, np.zeros(sum(n_pure)), 0.0, noise))
    if first.criterion in _OF_MEANS and n_mixed.any():
        matrix = grouped(np.column_stack(mixed), n_mixed, rate * np.column_stack(off))
        held_by = np.concatenate([size[~pure] for size, pure in sizes])
        rows = _means(matrix, rate * held * held_by, largest, sampling)
        if decimals is not None:
            rows = _between(rows, rate * held * held_by * most_off, held)
        found.append(rows)
    parts, kinds = np.unique(
        np.round(np.concatenate(parts), _DECIMALS), return_inverse=True
    )
    error = (most_off + _ROUNDING_OF_MEANS * largest) / unit + 10.0**-_DECIMALS

    def fits(draws, kind):
        if first.criterion not in _OF_MEANS or not np.isfinite(parts[kind]):
            return np.ones(np.shape(draws), dtype=bool)
        return np.floor(draws * (parts[kind] + error)) >= np.ceil(
            draws * (parts[kind] - error)
        )

    fewest = first.min_samples_leaf
    fewest = fewest if isinstance(fewest, Integral) else 1
    at = np.column_stack(at)
    told = total_equations(
        np.maximum(at, 0),
        np.where(at < 0, -1, 0),
        [np.ones((n, 1), dtype=bool) for n in n_leaves],
        np.ravel(kinds),
        fits,
        min(held, 1.0),
        rate,
        sampling,
        fewest,
    )
    n_members = None if n_members is None else float(n_members)
    return [*found, replace(told, n_members=n_members)]


def _has_copies(table):
    """Whether each record has the features of another one."""
    _, first, counts = np.unique(
        record_ids(table), return_inverse=True, return_counts=True
    )
    return counts[np.ravel(first)] > 1


def _grid_of(values):
    """Where a grid with all values starts, and its step; NaN if there is none."""
    known = np.unique(values)
    steps = known[1:] - known[0]
    return known[0], common_unit(steps) if len(steps) else np.nan


def _are_pure(tree, values, place, value, same, copied, most):
    """Which leaves have records of their own value alone, as they were split so far."""
    grown = all(getattr(tree, name) == given for name, given in GROWN.items())
    if not grown or tree.criterion not in _SPLIT_TO_THE_END:
        return np.zeros(len(value), dtype=bool)
    _, hidden = _hidden_by_rounding(tree.criterion, value, most)
    # Less impurity than that counts as none.
    least = np.sqrt(_ROUNDING_OF_DOUBLES * most**2 / np.maximum(most - 1, 1))
    near = np.abs(values - value[place]) <= np.maximum(hidden, least)[place]
    unsure = np.bincount(place, (near | copied) & ~same, minlength=len(value)) > 0
    return ~unsure & (np.bincount(place, same, minlength=len(value)) > 0)


def _means(matrix, n_averaged, largest, sampling):
    """Rows of the means of leaves."""
    norm = np.sqrt(np.ravel(matrix.multiply(matrix).sum(axis=1)))
    scale = ROUNDING * norm + rounding_of_sums(n_averaged, largest)
    return Equations("leaf mean", matrix, np.zeros(len(scale)), scale, sampling)


def _between(rows, width, held):
    """Rows that say of a sum that it is no further from 0 than that."""
    squares = np.ravel(rows.matrix.multiply(rows.matrix).sum(axis=1))
    before = held * (1 - min(held, 0.99) + rows.sampling) * squares
    mean = held * np.ravel(rows.matrix.sum(axis=1))
    b, told = told_by_bounds(mean, before, -width, width)
    sampling = rows.sampling + told / np.maximum(held * squares, TINY)
    return replace(rows, b=b, sampling=sampling, of_pool=True)
