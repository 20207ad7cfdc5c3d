"""What gradient boosting stores: counts, gradients and Hessians of leaves."""

from dataclasses import replace

import numpy as np
from scipy.special import expit, softmax
from sklearn.ensemble import (
    AdaBoostClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
)
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia._compat import BINS_AT_MIDPOINTS
from sklearn_mia.equations._ranks import between
from sklearn_mia.equations._registry import register_equations
from sklearn_mia.equations._rounded import decimals_of, with_rounded_steps
from sklearn_mia.equations._system import Equations, grouped, with_values
from sklearn_mia.equations._trees import misplaces_missing
from sklearn_mia.models import forest_table
from sklearn_mia.response import find_labels

# Gradients are rounded to float32.
_ROUNDING = 1e-6
_ROUNDING_OF_GAINS = 1e-14
# Of more records the bins are made from a sample.
_MOST_BINNED = 200_000
_ROUNDING_OF_DOUBLES = 1e-9
_SMALLEST = 1e-13
_SMALLEST_OF_FLOATS = 1e-7
_ROUNDING_OF_HESSIANS = 1e-5


@register_equations(HistGradientBoostingClassifier)
def equations_of_histogram_boosting(estimator, X, y):
    r"""Three sums over each leaf of each tree of histogram gradient boosting.

    With p the probability of the class before the tree, :math:`g = w (p - [y = c])`,
    :math:`h = w p (1 - p)`, v the value of the leaf before shrinkage and
    :math:`\lambda` the l2 regularisation:

    .. math:: \sum_l m = n_l, \qquad \sum_l m \, (g + v h) = -\lambda v,
        \qquad \sum_l m \, h = H_l

    A tree that is a single leaf has no value equation: it is not a step. The Hessians
    :math:`H_L, H_R` of the two children of an inner node P are not
    stored. With :math:`a = H_L + \lambda` and :math:`b = H_R + \lambda` they follow
    from its value and its gain:

    .. math:: (v_L - v_P) a + (v_R - v_P) b = -\lambda v_P, \qquad
        (v_L^2 - v_P^2) a + (v_R^2 - v_P^2) b = \text{gain}_P - \lambda v_P^2

    but for the children of the root, whose value is not stored. The thresholds of a
    column with more values than bins are quantiles: for the k-th of K bins

    .. math:: \sum m [x \le t_k] = \lceil k N / K \rceil

    with the noise of the ranks between two thresholds where several records of the pool
    are at one. Noise of the others:
    :math:`10^{-6}` of the norm of the row, as gradients are float32, and
    :math:`10^{-5}` of a Hessian. With early stopping the records held out are in no
    equation. Class weights that follow from the unknown sizes of the classes leave
    the counts alone, and so do values that monotonic or other constraints may have
    changed.

    Parameters
    ----------
    estimator : HistGradientBoostingClassifier
        With any weights of classes but those of records.

    X : {array-like, DataFrame} of shape (n_records, n_features)
        Missing values and categories go where the trees send them.

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "leaf count", "bin rank", "leaf value" and "leaf Hessian".
    """
    found = histogram_counts(estimator, X)
    if found is None:
        return []
    equations, leaves, nodes, start = found
    is_leaf = [tree["is_leaf"].astype(bool) for tree in nodes]
    sizes = [int(f.sum()) for f in is_leaf]
    stripped = not equations
    matrix = grouped(leaves, sizes) if stripped else equations[0].matrix
    weights = estimator.class_weight or {}
    # Weights of records are not stored.
    weighted = getattr(estimator, "_fitted_with_sw", False)
    if weighted or isinstance(weights, str) or estimator.monotonic_cst is not None:
        return equations
    values = [t["value"][f] for t, f in zip(nodes, is_leaf, strict=True)]
    codes = find_labels(np.asarray(y), estimator.classes_)
    # By position: labels are encoded before weights are looked up.
    of_class = [weights.get(c, 1.0) for c in range(len(estimator.classes_))]
    weight = np.array(of_class)[codes]
    start = np.tile(start, (len(leaves), 1))
    scores, own = staged_scores(start, leaves, values, codes)
    p = probabilities(scores, start.shape[1])
    h = weight[:, None] * p * (1 - p)
    g = weight[:, None] * (p - own)
    rate, ridge = estimator.learning_rate, estimator.l2_regularization
    # A tree that was not split has the value 0, whatever the slope.
    shown = [v if len(v) > 1 else np.full(1, np.nan) for v in values]
    told = [
        np.full((2, len(tree)), np.nan)
        if stripped
        else _leaf_hessians(tree, rate, ridge)
        for tree in nodes
    ]
    hessians, error = np.hstack(
        [np.stack(t)[:, f] for t, f in zip(told, is_leaf, strict=True)]
    )
    steps, *others = newton_equations(
        matrix,
        g,
        h,
        np.concatenate(shown) / rate,
        hessians,
        ridge,
        rounding=_ROUNDING,
        rounding_of_hessians=np.hypot(_ROUNDING_OF_HESSIANS * hessians, error),
        # For several classes 1 is taken from a probability of float32.
        smallest=_SMALLEST if start.shape[1] == 1 else _SMALLEST_OF_FLOATS,
    )
    decimals = decimals_of(estimator)
    if decimals is not None:
        at = np.concatenate(values)[matrix.indices.reshape(g.shape)] / rate
        slopes = h * (1 + at * (1 - 2 * p))
        told = {"rate": rate, "ridge": ridge, "decimals": decimals}
        steps = with_rounded_steps(
            steps, leaves, sizes, h, slopes, n_scores=start.shape[1], **told
        )
    return [*equations, steps, *others]


def histogram_counts(estimator, X):
    """Counts and ranks that histogram boosting stores, and the trees.

    Parameters
    ----------
    estimator : HistGradientBoostingClassifier or HistGradientBoostingRegressor

    X : {array-like, DataFrame} of shape (n_records, n_features)

    Returns
    -------
    equations : list of Equations
        "leaf count" and "bin rank"; none of a model that was stripped of its counts.

    leaves : ndarray of shape (n_records, n_trees), dtype int32

    nodes : list of structured ndarray

    start : ndarray of shape (n_scores,)
        The raw score at the start. Instead of all four None where this version of
        scikit-learn keeps them otherwise.
    """
    try:
        table, leaves, nodes, start = _histogram_trees(estimator, X)
        mapper = estimator._bin_mapper
        edges = [
            None if is_category else own
            for own, is_category in zip(
                mapper.bin_thresholds_, mapper.is_categorical_, strict=True
            )
        ]
    except AttributeError:
        # Private attributes, which another version may not have.
        return None
    is_leaf = [tree["is_leaf"].astype(bool) for tree in nodes]
    counts = np.concatenate(
        [t["count"][f] for t, f in zip(nodes, is_leaf, strict=True)]
    )
    matrix = grouped(leaves, [int(f.sum()) for f in is_leaf])
    n_members = float(nodes[0]["count"][0])
    if n_members == 0:
        # Without its counts a model has no gains and no edges of bins either.
        return [], leaves, nodes, start
    equations = [Equations("leaf count", matrix, counts, n_members=n_members)]
    # Bins follow weights of any kind.
    weighted = getattr(estimator, "_fitted_with_sw", False)
    if not weighted and not getattr(estimator, "class_weight", None):
        equations += _bin_equations(table, edges, estimator.max_bins, int(n_members))
    return equations, leaves, nodes, start


def newton_equations(
    matrix,
    g,
    h,
    values,
    hessians,
    ridge,
    *,
    rounding,
    rounding_of_hessians,
    smallest=_SMALLEST,
    share=1.0,
):
    r"""Sums over leaves that are stored by a Newton step and its Hessian.

    .. math:: \sum_l m \, (g + v h) = -\lambda v, \qquad \sum_l m \, h = H_l

    Parameters
    ----------
    matrix : csc_array of shape (n_leaves, n_records)
        The leaves of all trees, from :func:`grouped`.

    g, h : ndarray of shape (n_records, n_trees)
        Gradient and Hessian of the loss of each record before each tree.

    values, hessians : ndarray of shape (n_leaves,)
        Values before shrinkage and Hessians; NaN where one is not known.

    ridge : float
        The l2 regularisation.

    rounding : float
        Standard deviation of the first rows, of the norm of their terms.

    rounding_of_hessians : float or ndarray of shape (n_leaves,)
        Standard deviation of the second rows.

    smallest : float, default=1e-13
        What a probability may be off, near 0 and 1 too.

    share : float, default=1.0
        Share of the records that each tree was given.

    Returns
    -------
    equations : list of Equations
        "leaf value" and "leaf Hessian".
    """
    known = np.nan_to_num(values)
    at = known[matrix.indices.reshape(g.shape)]
    off = (rounding**2) * (g**2 + (at * h) ** 2) + smallest**2 * (1 + at**2)
    scale = np.sqrt(with_values(matrix, off).sum(axis=1))
    floor = smallest * np.sqrt(matrix.sum(axis=1))
    rows = with_values(matrix, g + at * h), -ridge * values / share
    sampling = 1 / share - 1
    return [
        Equations("leaf value", *rows, scale, sampling),
        Equations(
            "leaf Hessian",
            with_values(matrix, h),
            hessians / share,
            np.hypot(rounding_of_hessians, floor),
            sampling,
        ),
    ]


def _histogram_trees(estimator, X):
    """Features and leaves of the records, the nodes, and the raw score at the start.

    The one place that reads the private attributes of histogram boosting: copies of its
    trees whose values are the numbers of the leaves do the walking.
    """
    # Each tree goes through all records, and looks at a few columns.
    table = np.asfortranarray(estimator._preprocess_X(X, reset=False))
    known, places = estimator._bin_mapper.make_known_categories_bitsets()
    leaves, nodes = [], []
    for trees in estimator._predictors:
        for tree in trees:
            numbered = tree.nodes.copy()
            numbered["value"] = np.cumsum(numbered["is_leaf"]) - 1
            walker = type(tree)(
                numbered, tree.binned_left_cat_bitsets, tree.raw_left_cat_bitsets
            )
            leaves.append(walker.predict(table, known, places, 1))
            nodes.append(tree.nodes)
    start = np.ravel(estimator._baseline_prediction)
    return table, np.column_stack(leaves).astype(np.int32), nodes, start


def _bin_equations(table, edges, n_bins, n_members):
    """Ranks of the thresholds of columns with more values than bins."""
    if n_members > _MOST_BINNED:
        return
    # In the arithmetic of numpy.percentile, whose rounding decides at whole ranks.
    positions = np.linspace(0, 100, num=n_bins + 1)[1:-1] / 100
    if BINS_AT_MIDPOINTS:
        low = np.floor((n_members - 1) * positions) + 1
    else:
        place = n_members * positions - 1
        low = np.floor(place) + 1 + (place % 1 != 0)
    high = np.append(low[1:], n_members)
    for x, own in zip(np.asarray(table).T, edges, strict=True):
        rounding = 1e-9 * np.nanmax(np.abs(x), initial=0.0)
        told = own is not None and len(own) == n_bins - 1 and not np.isnan(x).any()
        if told and np.diff(own).min(initial=np.inf) > 3 * rounding:
            rows = between(x, own, rounding, low, high, n_members, "bin rank")
            # Whether a column has missing values is seen in the pool.
            yield replace(rows, of_pool=True)


def _leaf_hessians(nodes, rate, ridge):
    """Sum of the Hessians in each node that follows from its parent, and its error.

    Where the values of a parent and its children hardly differ, so that the gain is
    rounding, the error is large.
    """
    hessians, error = np.full((2, len(nodes)), np.nan)
    inner = ~nodes["is_leaf"].astype(bool)
    value = np.where(inner, nodes["value"], nodes["value"] / rate)
    # The value of the root is not stored.
    parents = np.flatnonzero(inner)[1:]
    left, right = nodes["left"][parents], nodes["right"][parents]
    v, lower, upper = value[parents], value[left], value[right]
    rest = -ridge * v, nodes["gain"][parents] - ridge * v**2
    with np.errstate(all="ignore"):
        for child, own, other in ((left, lower, upper), (right, upper, lower)):
            scale = (own - v) * (own - other)
            hessians[child] = (rest[1] - rest[0] * (other + v)) / scale - ridge
            size = nodes["count"][parents] * np.maximum(own**2, other**2)
            error[child] = _ROUNDING_OF_GAINS * size / np.abs(scale)
        known = np.isfinite(hessians) & (hessians > 0) & np.isfinite(error)
    return np.where(known, hessians, np.nan), error


def staged_scores(start, leaves, values, codes):
    """Raw score of the class of each tree before it, and whether it is the label.

    For several classes the scores are those of all trees of a stage, side by side.
    """
    n_trees, n_scores = leaves.shape[1], start.shape[1]
    raw = np.array(start, dtype=np.float64)
    scores = np.empty(leaves.shape)
    for first in range(0, n_trees, n_scores):
        scores[:, first : first + n_scores] = raw
        for k in range(n_scores):
            raw[:, k] += values[first + k][leaves[:, first + k]]
    target = np.arange(n_trees) % n_scores if n_scores > 1 else np.ones(n_trees)
    return scores, codes[:, None] == target


def probabilities(scores, n_scores):
    if n_scores == 1:
        return expit(scores)
    stages = scores.reshape(len(scores), -1, n_scores)
    return softmax(stages, axis=2).reshape(scores.shape)


@register_equations(GradientBoostingClassifier)
def equations_of_gradient_boosting(estimator, X, y):
    r"""Two sums over each leaf of each tree of gradient boosting.

    With r the negative gradient and h the Hessian of the loss before the tree, and v
    the value of the leaf before shrinkage:

    .. math:: \sum_l m = n_l, \qquad \sum_l m \, (q r - v h) = 0

    with :math:`r = [y = c] - p`, :math:`h = p (1 - p)`, q = 1 for two classes and
    (K - 1) / K for K of them; for the exponential loss :math:`r = \pm e^{\mp F}` and
    h = abs(r). The noise is that of doubles. With `subsample` a tree sees a share s of
    the records: b is divided by s and the variance is :math:`(1/s - 1) \sum m a^2`.
    Records held out to stop early are in no equation.

    Parameters
    ----------
    estimator : GradientBoostingClassifier
        Trained without weights of records.

    X : {array-like, sparse matrix} of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "leaf count" and "leaf value".
    """
    trees = [tree.tree_ for tree in np.ravel(estimator.estimators_)]
    table = forest_table(X)
    places = [np.cumsum(tree.children_left < 0) - 1 for tree in trees]
    leaves = np.column_stack(
        [p[tree.apply(table)] for p, tree in zip(places, trees, strict=True)]
    )
    is_leaf = [tree.children_left < 0 for tree in trees]
    values = [t.value[f, 0, 0] for t, f in zip(trees, is_leaf, strict=True)]
    counts = [t.n_node_samples[f] for t, f in zip(trees, is_leaf, strict=True)]
    share, rate = estimator.subsample, estimator.learning_rate
    n_scores = estimator.estimators_.shape[1]
    codes = find_labels(np.asarray(y), estimator.classes_)
    first = next(iter(estimator.staged_decision_function(X)))
    first = np.asarray(first).reshape(len(leaves), -1)
    start = first - rate * np.column_stack(
        [values[k][leaves[:, k]] for k in range(n_scores)]
    )
    shrunk = [rate * v for v in values]
    raw, own = staged_scores(start, leaves, shrunk, codes)
    if estimator.loss == "exponential":
        sign = np.where(own, 1.0, -1.0)
        residual = sign * np.exp(-sign * raw)
        hessian = np.abs(residual)
    else:
        p = probabilities(raw, n_scores)
        residual, hessian = own - p, p * (1 - p)
        residual *= (n_scores - 1) / n_scores if n_scores > 1 else 1.0
    matrix = grouped(leaves, [len(v) for v in values])
    at = np.concatenate(values)[matrix.indices.reshape(leaves.shape)]
    off = _ROUNDING_OF_DOUBLES**2 * (residual**2 + (at * hessian) ** 2)
    scale = np.sqrt(with_values(matrix, off + _SMALLEST**2 * (1 + at**2)).sum(axis=1))
    sampling = 1 / share - 1
    count = Equations(
        "leaf count",
        matrix,
        np.concatenate(counts) / share,
        sampling=sampling,
        n_members=trees[0].n_node_samples[0] / share,
    )
    steps = Equations(
        "leaf value",
        with_values(matrix, residual - at * hessian),
        np.zeros(matrix.shape[0]),
        scale,
        sampling,
    )
    decimals = decimals_of(estimator)
    if decimals is not None:
        # Of the exponential loss a bound.
        tilt = np.abs(at) if estimator.loss == "exponential" else at * (1 - 2 * p)
        sizes = [len(v) for v in values]
        told = {"rate": rate or 1.0, "ridge": 0.0, "decimals": decimals}
        steps = with_rounded_steps(
            steps,
            leaves,
            sizes,
            hessian,
            hessian * (1 + tilt),
            n_scores=n_scores,
            **told,
        )
    return [count, steps] if count.n_members else [steps]


@register_equations(AdaBoostClassifier)
def equations_of_adaboost(estimator, X, y):
    r"""Counts and sums of weights in each leaf of each tree of AdaBoost.

    .. math:: \sum_l m = n_l, \qquad \sum_{l, y = c} m w_t
        = \text{value}_{lc} \, \text{weighted\_n\_node\_samples}_l

    with :math:`w_1 = 1 / N` and, for the error :math:`e_t` and the weight
    :math:`\alpha_t` of a tree,

    .. math:: w_{t+1} = w_t \frac{e^{\alpha_t [\text{wrong}]}}
        {1 - e_t + e_t e^{\alpha_t}}

    Where the first tree shows that the weights were others from the start, only the
    counts are taken. Rounding adds up from tree to tree.

    Parameters
    ----------
    estimator : AdaBoostClassifier
        Of decision trees without class weights.

    X : {array-like, sparse matrix} of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "leaf count" and "leaf weight".
    """
    parts = estimator.estimators_
    if (
        type(parts[0]) is not DecisionTreeClassifier
        or parts[0].class_weight is not None
    ):
        return []
    trees, table = [tree.tree_ for tree in parts], forest_table(X)
    if misplaces_missing(table):
        return []
    codes = find_labels(np.asarray(y), estimator.classes_)
    n_classes, n_members = len(estimator.classes_), trees[0].n_node_samples[0]
    leaves, counts, sums, weights = [], [], [], []
    weight = np.full(len(codes), 1 / n_members)
    for t, tree in enumerate(trees):
        at, leaf = tree.apply(table), tree.children_left < 0
        place = np.cumsum(leaf) - 1
        leaves.append(place[at])
        counts.append(tree.n_node_samples[leaf])
        totals = tree.weighted_n_node_samples[leaf]
        sums.append(np.ravel(tree.value[leaf, 0, :] * totals[:, None]))
        weights.append(weight)
        wrong = tree.value[at, 0, :].argmax(axis=1) != codes
        error, stage = estimator.estimator_errors_[t], estimator.estimator_weights_[t]
        weight = weight * np.exp(stage * wrong) / (1 - error + error * np.exp(stage))
        weight = np.maximum(weight, np.finfo(np.float64).eps)
    leaves = np.column_stack(leaves)
    sizes = np.array([len(c) for c in counts])
    n_members = float(n_members)
    count = Equations(
        "leaf count", grouped(leaves, sizes), np.concatenate(counts), 0, 0, n_members
    )
    in_first = sums[0] * n_members
    if np.abs(in_first - np.rint(in_first)).max() > 1e-6 * n_members:
        return [count]
    matrix = grouped(
        leaves * n_classes + codes[:, None], sizes * n_classes, np.column_stack(weights)
    )
    size = np.sqrt(matrix.multiply(matrix).sum(axis=1))
    scale = _ROUNDING_OF_DOUBLES * (size + 1 / n_members)
    return [count, Equations("leaf weight", matrix, np.concatenate(sums), scale)]
