"""What trees, forests and bagged trees store: counts of records in leaves."""

from dataclasses import replace
from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    RandomForestClassifier,
)
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from sklearn_mia._compat import TREES_MISPLACE_MISSING
from sklearn_mia.equations._parts import draws_of
from sklearn_mia.equations._registry import register_equations
from sklearn_mia.equations._rounded import (
    TINY,
    decimals_of,
    fits_rounded,
    largest_error,
    leaves_are_pure,
    possible_classes,
    told_by_bounds,
)
from sklearn_mia.equations._stripped import (
    is_stripped,
    lowest_terms,
    most_draws,
    total_equations,
)
from sklearn_mia.equations._system import Equations, grouped
from sklearn_mia.models import forest_table
from sklearn_mia.response import find_labels
from sklearn_mia.tables import as_array

# A count is a fraction of float64 times a sum.
_WHOLE = 1e-4
_MOST_COPIES = 60


@register_equations(DecisionTreeClassifier, ExtraTreeClassifier)
def equations_of_a_tree(estimator, X, y):
    r"""Counts of each class in each leaf of one tree.

    .. math:: \sum_{i: l(i) = l, y_i = c} m_i = n_{lc}
        = \text{value}_{lc} \, \text{weighted\_n\_node\_samples}_l / w_c

    with :math:`w_c` the weight of the class. The equation is exact. A tree whose counts
    are not whole was trained with weights of its records, and gives nothing; so does
    one with monotonic constraints, which change the values of leaves. Balanced weights
    follow from the sums; a tree whose sums could be those of other counts gives
    nothing.

    Parameters
    ----------
    estimator : DecisionTreeClassifier or ExtraTreeClassifier
        With any class weights.

    X : {array-like, sparse matrix} of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "leaf count".
    """
    if estimator.monotonic_cst is not None or estimator.n_outputs_ > 1:
        return []
    table = forest_table(X)
    if misplaces_missing(table):
        return []
    n_members = estimator.tree_.n_node_samples[0] or None
    counts = _leaf_counts(
        [estimator], estimator.class_weight, estimator.classes_, n_members
    )
    leaves = estimator.tree_.apply(table)
    codes = find_labels(np.asarray(y), estimator.classes_)
    return _count_equations(
        [estimator], [leaves], [codes], counts, n_members, table=table
    )


@register_equations(RandomForestClassifier, ExtraTreesClassifier)
def equations_of_a_forest(estimator, X, y):
    r"""Counts of each class in each leaf of each tree of a forest.

    Without a bootstrap as for one tree, exact. With one,

    .. math:: q \sum_{i: l(i) = l} m_i = d_l, \qquad
        \frac{B}{N} \sum_{i: l(i) = l, y_i \ge c} m_i
        \Big([y_i = c] - \frac{n_{lc}}{\sum_{k \ge c} n_{lk}}\Big) = 0,
        \qquad q = 1 - (1 - 1/N)^B

    with :math:`d_l` the different records that were drawn into the leaf,
    :math:`n_{lc}` the draws by class, and B those of the tree among the N training
    records. The sums are over the classes that were drawn into the leaf; of each other
    class the first sum is 0 by itself. The variances are :math:`q (1 - q) \sum m_i`
    and :math:`N / B \sum m_i a_i^2`, with a the coefficients: given how many records
    were drawn, how often each was tells nothing more about their number. Where class
    weights were chances to be drawn, B / N is one a class. A tree gives nothing whose
    counts, with balanced weights, do not add up to B.

    Parameters
    ----------
    estimator : RandomForestClassifier or ExtraTreesClassifier
        With any class weights.

    X : {array-like, sparse matrix} of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "leaf count" without a bootstrap, else "leaf size" and "leaf fraction".
    """
    drawn, table = draws_of(estimator), forest_table(X)
    if drawn is None or estimator.monotonic_cst is not None or estimator.n_outputs_ > 1:
        return []
    if misplaces_missing(table):
        return []
    trees, asked = estimator.estimators_, estimator.class_weight
    if asked is None and getattr(estimator, "_sample_weight", None) is not None:
        return []
    codes = find_labels(np.asarray(y), estimator.classes_)
    if estimator.bootstrap:
        n_members = estimator._n_samples
    else:
        n_members = trees[0].tree_.n_node_samples[0] or None
    by_chance = estimator.bootstrap and hasattr(estimator, "_sample_weight")
    if asked not in (None, "balanced_subsample") and by_chance:
        # From scikit-learn 1.9 on the weights of classes are chances to be drawn. How
        # large each class is the pool has to tell.
        counts = _leaf_counts(trees, None, ())
        if any(c is None for c in counts):
            return []
        sizes = np.bincount(codes, minlength=len(estimator.classes_)) / len(codes)
        sizes = sizes.clip(1 / len(codes)) * estimator._n_samples
        drawn = np.mean([c.sum(axis=0) for c in counts], axis=0) / sizes, drawn[1]
    else:
        n_drawn = None if n_members is None else round(drawn[0] * n_members)
        counts = _leaf_counts(trees, asked, estimator.classes_, n_drawn)
    leaves = [tree.tree_.apply(table) for tree in trees]
    found = _count_equations(
        trees, leaves, [codes] * len(trees), counts, n_members, *drawn, table=table
    )
    # Rates by class are those of the pool.
    of_pool = np.ndim(drawn[0]) > 0
    return [replace(rows, of_pool=rows.of_pool or of_pool) for rows in found]


@register_equations(BaggingClassifier)
def equations_of_bagged_trees(estimator, X, y):
    r"""Counts of each class in each leaf of each tree that was bagged.

    As for a forest; records that are drawn without replacement, B of N, have a
    variance of :math:`(N / B - 1) \sum m_i`.

    Parameters
    ----------
    estimator : BaggingClassifier
        Of decision trees.

    X : {array-like, sparse matrix} of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "leaf count", or "leaf size" and "leaf fraction".
    """
    drawn, trees = draws_of(estimator), estimator.estimators_
    if (
        drawn is None
        or getattr(estimator, "_sample_weight", None) is not None
        or type(trees[0]) not in (DecisionTreeClassifier, ExtraTreeClassifier)
        or trees[0].monotonic_cst is not None
    ):
        return []
    if misplaces_missing(forest_table(X)):
        return []
    weights = trees[0].class_weight
    n_members = getattr(estimator, "_n_samples", None)
    n_drawn = None if n_members is None else round(drawn[0] * n_members)
    asked = None if weights is None else "balanced_subsample"
    counts = _leaf_counts(trees, asked, (), n_drawn)
    table = as_array(X)
    own = find_labels(np.asarray(y), estimator.classes_)
    leaves, codes = [], []
    for tree, columns in zip(trees, estimator.estimators_features_, strict=True):
        leaves.append(tree.tree_.apply(forest_table(table[:, columns])))
        # Trees are trained on the positions of the classes, perhaps not on all.
        codes.append(find_labels(own, tree.classes_))
    whole = estimator.max_features == 1.0 and not estimator.bootstrap_features
    seen = forest_table(X) if whole else None
    return _count_equations(trees, leaves, codes, counts, n_members, *drawn, table=seen)


def misplaces_missing(table):
    """Whether trees may not find the leaf again in which they counted a record.

    Parameters
    ----------
    table : {ndarray, sparse matrix} of shape (n_records, n_features)
        From :func:`~sklearn_mia.models.forest_table`.

    Returns
    -------
    misplaces_missing : bool
    """
    values = table.data if sp.issparse(table) else table
    return TREES_MISPLACE_MISSING and bool(np.isnan(values).any())


def _leaf_counts(trees, class_weight, classes, n_drawn=None):
    """Records of each class in each leaf of each tree, None where they are not whole.

    Each of shape (n_leaves, n_classes). Without counts they are the lowest terms of the
    fractions, and of rounded ones the units of the last decimal. Where the weights have
    to be found, counts that do not add up to `n_drawn` are None, too.
    """
    weighted = []
    if class_weight is not None and any(is_stripped(tree.tree_) for tree in trees):
        return [None] * len(trees)
    for tree in trees:
        inner = tree.tree_
        leaf = inner.children_left < 0
        totals = inner.weighted_n_node_samples[leaf]
        if is_stripped(inner):
            shares, decimals = inner.value[leaf, 0, :], decimals_of(tree)
            if decimals is None:
                weighted.append(lowest_terms(shares))
            else:
                weighted.append(shares * 10**decimals)
            continue
        weighted.append(inner.value[leaf, 0, :] * totals[:, None])
    if isinstance(class_weight, str):
        # The weights follow from the unknown sizes of the classes: a weight is the
        # number of which all sums of the class are multiples.
        if class_weight == "balanced":
            together = np.concatenate(weighted)
            units = np.array([common_unit(column) for column in together.T])
            counts = [w / units for w in weighted]
        else:
            counts = [w / np.array([common_unit(c) for c in w.T]) for w in weighted]
        return [
            _of_all_draws(tree.tree_, _if_whole(c), n_drawn)
            for tree, c in zip(trees, counts, strict=True)
        ]
    given = class_weight or {}
    weights = np.array([given.get(c, 1.0) for c in np.asarray(classes).tolist()])
    counts = [w / weights if len(weights) else w for w in weighted]
    return [_if_whole(c) for c in counts]


def _of_all_draws(inner, counts, n_drawn):
    """Counts times what all those of a class have in common, None if not known.

    Without it they are too few. It is found from the records in the leaves, where none
    was drawn twice.
    """
    if counts is None or counts.sum() == n_drawn:
        return counts
    sizes = inner.n_node_samples[inner.children_left < 0]
    factors, _, rank, _ = np.linalg.lstsq(counts, sizes.astype(float))
    counts = counts * np.rint(factors)
    is_met = np.array_equal(counts.sum(axis=1), sizes) and sizes.sum() == n_drawn
    return counts if rank == len(factors) and is_met else None


def common_unit(values):
    """The largest number of which all values are whole multiples, NaN for none."""
    values = values[values > 1e-9 * values.max(initial=0.0)]
    if not len(values):
        return 1.0
    for k in range(1, _MOST_COPIES):
        unit = values.min() / k
        multiples = values / unit
        if np.abs(multiples - np.rint(multiples)).max() < _WHOLE:
            return unit
    return np.nan


def _if_whole(counts):
    whole = np.rint(counts)
    return whole if np.all(np.abs(counts - whole) < _WHOLE) else None


def _count_equations(
    trees, leaves, codes, counts, n_members, share=1.0, sampling=0.0, *, table
):
    """Counts in leaves, of trees whose counts are whole."""
    kept = [t for t, c in enumerate(counts) if c is not None]
    if not kept:
        return []
    n_members = None if n_members is None else float(n_members)
    places = [np.cumsum(trees[t].tree_.children_left < 0) - 1 for t in kept]
    leaves = np.column_stack([p[leaves[t]] for p, t in zip(places, kept, strict=True)])
    codes = np.column_stack([codes[t] for t in kept])
    counts = [counts[t] for t in kept]
    stripped = [is_stripped(trees[t].tree_) for t in kept]
    if any(stripped):
        told = leaves, codes, counts, n_members, share, sampling
        return (
            _stripped_equations(trees[kept[0]], table, *told) if all(stripped) else []
        )
    distinct = [_distinct(trees[t].tree_, c) for t, c in zip(kept, counts, strict=True)]
    rates = np.broadcast_to(share, max(c.shape[1] for c in counts)).astype(float)
    if n_members is None or any(d is None for d in distinct):
        sizes = np.array([c.shape[1] for c in counts])
        groups = np.where(codes < 0, -1, leaves * sizes + codes)
        matrix = grouped(groups, [c.size for c in counts])
        b = np.concatenate([np.ravel(c / rates[: c.shape[1]]) for c in counts])
        return [Equations("leaf count", matrix, b, 0.0, sampling, n_members)]
    chances = 1 - np.exp(rates * n_members * np.log1p(-1 / n_members))
    drawn = [count > 0 for count in counts]
    return [
        _distinct_equations(leaves, codes, counts, drawn, distinct, chances, n_members),
        _fraction_equations(leaves, codes, counts, drawn, rates, 1 / rates.mean()),
    ]


def _stripped_equations(tree, table, leaves, codes, counts, n_members, share, sampling):
    """Fractions of leaves, classes that have none, and what numbers they allow."""
    n_records, n_classes = len(leaves), max(c.shape[1] for c in counts)
    rates = np.broadcast_to(share, n_classes).astype(float)
    rate, chances = rates.mean(), np.ones(n_classes)
    if sampling:
        n = n_records / 2 if n_members is None else n_members
        chances = 1 - np.exp(rates * n * np.log1p(-1 / n))
    held = 0.5 if n_members is None else n_members / n_records
    decimals, rounding = decimals_of(tree), None
    if decimals is None:
        possible = [count > 0 for count in counts]
        totals = np.concatenate([count.sum(axis=1) for count in counts])
        kinds = np.rint(totals).astype(int)

        def fits(draws, term):
            return draws % term == 0
    else:
        are_pure = table is not None and leaves_are_pure(tree, table)
        possible = []
        for t, count in enumerate(counts):
            size = np.bincount(leaves[:, t], minlength=len(count)) * max(held, 1.0)
            most = most_draws(size, rate) if sampling or held > 1 else size
            possible.append(possible_classes(count, most, decimals, are_pure=are_pure))
        widths = [np.pad(c, ((0, 0), (0, n_classes - c.shape[1]))) for c in counts]
        rows, back = np.unique(np.vstack(widths), axis=0, return_inverse=True)
        kinds = np.ravel(back)
        rounding = held, decimals, largest_error(decimals, n_classes)

        def fits(draws, kind):
            return fits_rounded(draws, rows[kind], decimals)

    fewest = tree.min_samples_leaf
    fewest = fewest if isinstance(fewest, Integral) else 1
    drawn = min(held, 1.0), rate, sampling, fewest
    return [
        _distinct_equations(leaves, codes, counts, possible, None, chances, n_members),
        _fraction_equations(leaves, codes, counts, possible, rates, sampling, rounding),
        total_equations(leaves, codes, possible, kinds, fits, *drawn),
    ]


def _distinct(inner, counts):
    """Different records in each leaf where draws were counted too, else None."""
    leaf = inner.children_left < 0
    if inner.n_node_samples[0] == counts.sum():
        return None
    return inner.n_node_samples[leaf]


def _distinct_equations(leaves, codes, counts, drawn, distinct, chances, n_members):
    """Records of the classes drawn into a leaf, and that there are none of others."""
    groups, b, variances = np.empty(leaves.shape, dtype=np.int32), [], []
    for t, (count, possible) in enumerate(zip(counts, drawn, strict=True)):
        n_classes = count.shape[1]
        first = possible.argmax(axis=1)
        at, own = leaves[:, t], np.maximum(codes[:, t], 0)
        slot = np.where(possible[at, own], first[at], own)
        groups[:, t] = np.where(codes[:, t] < 0, -1, at * n_classes + slot)
        told = np.where(possible, np.nan, 0.0)
        told[np.arange(len(count)), first] = np.nan if distinct is None else distinct[t]
        b.append(np.ravel(told))
        chance = np.tile(chances[:n_classes], (len(count), 1))
        mean = count @ chances[:n_classes] / count.sum(axis=1)
        chance[np.arange(len(count)), first] = mean
        variances.append(np.ravel((1 - chance) / chance))
    matrix = grouped(groups, [c.size for c in counts], chances[np.maximum(codes, 0)])
    b, variances = np.concatenate(b), np.concatenate(variances)
    return Equations("leaf size", matrix, b, 0.0, variances, n_members)


def _fraction_equations(leaves, codes, counts, drawn, rates, variance, rounding=None):
    """Each class that was drawn into a leaf against those after it, one by one.

    Given how many draws the rest had, those of a class are binomial: the noises of
    these rows are independent. Of rounded fractions there are given the share of the
    pool that is in the training data, the decimals and the largest error.
    """
    sizes = np.array([len(count) for count in counts])
    starts, n_records = np.cumsum(sizes) - sizes, len(leaves)
    cells = [[np.empty(0, int)], [np.empty(0, int)], [np.empty(0)]]
    n_rows, bounds = 0, ([np.empty(0)], [np.empty(0)])
    for c in range(max(count.shape[1] for count in counts) - 1):
        for t, (count, possible) in enumerate(zip(counts, drawn, strict=True)):
            for ends in bounds:
                ends.append(np.zeros(len(count)))
            if c >= count.shape[1] - 1:
                continue
            rest = count[:, c:].sum(axis=1)
            split = possible[:, c] & possible[:, c + 1 :].any(axis=1) & (rest > 0)
            at, own = leaves[:, t], codes[:, t]
            inside = split[at] & (own >= c) & possible[at, np.maximum(own, 0)]
            inside = np.flatnonzero(inside)
            at, own = at[inside], own[inside]
            off = (own == c) - count[at, c] / rest[at]
            for found, new in zip(
                cells, (n_rows + starts[t] + at, inside, off * rates[own]), strict=True
            ):
                found.append(new)
            if rounding is not None:
                held, decimals, error = rounding
                draws = np.bincount(at, weights=rates[own], minlength=len(count)) * held
                share = count[:, c] / np.maximum(rest, 1)
                most = error * 10**decimals / np.maximum(rest, 1)
                bounds[0][-1] = -np.minimum(most, share) * draws
                bounds[1][-1] = np.minimum(most, 1 - share) * draws
        n_rows += sizes.sum()
    rows, columns, values = map(np.concatenate, cells)
    shape = n_rows, n_records
    matrix = sp.csc_array((values, (rows, columns)), shape=shape)
    b = np.zeros(n_rows)
    if rounding is not None:
        squares = matrix.multiply(matrix).sum(axis=1)
        before = held * (1 - min(held, 0.99) + variance) * squares
        mean = held * matrix.sum(axis=1)
        b, told = told_by_bounds(mean, before, *map(np.concatenate, bounds))
        variance = variance + told / np.maximum(held * squares, TINY)
    return Equations(
        "leaf fraction", matrix, b, 0.0, variance, of_pool=rounding is not None
    )
