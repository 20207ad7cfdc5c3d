"""What regressors store in leaves and by heart: counts, sums and records."""

import numpy as np
from sklearn.ensemble import (
    BaggingRegressor,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.neighbors import KNeighborsRegressor, RadiusNeighborsRegressor
from sklearn.svm import SVR, NuSVR
from sklearn.tree import DecisionTreeRegressor, ExtraTreeRegressor

from sklearn_mia.equations._boosting import (
    histogram_counts,
    newton_equations,
    staged_scores,
)
from sklearn_mia.equations._parts import draws_of
from sklearn_mia.equations._registry import register_equations
from sklearn_mia.equations._rounded import decimals_of, with_rounded_steps
from sklearn_mia.equations._stored import copies_of, looked_up
from sklearn_mia.equations._stripped import is_stripped
from sklearn_mia.equations._system import Equations, grouped, with_values
from sklearn_mia.equations._tree_values import (
    ROUNDING,
    equations_of_trees,
    rounding_of_sums,
)
from sklearn_mia.equations._trees import misplaces_missing
from sklearn_mia.models import forest_table
from sklearn_mia.tables import as_array

# Gradients are rounded to float32.
_ROUNDING_OF_FLOATS = 1e-6
_SMALLEST = 1e-13


@register_equations(DecisionTreeRegressor, ExtraTreeRegressor)
def equations_of_a_tree_of_values(estimator, X, y):
    r"""Number of records and sum of their values in each leaf of one tree.

    .. math:: \sum_l m = n_l, \qquad \sum_l m \, (y - v_l) = 0

    with v the value of the leaf. In a leaf without impurity only records of its value
    count, and of the others there are 0. Both are exact. A tree that was trained with
    weights of its records gives nothing, and so does one with monotonic constraints.

    Parameters
    ----------
    estimator : DecisionTreeRegressor or ExtraTreeRegressor
        The values are means for the criteria "squared_error", "friedman_mse" and
        "poisson"; of another one the counts alone are taken.

    X : {array-like, sparse matrix} of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "leaf count", "leaf count of a value" and "leaf mean"; of a copy
        that was stripped of them "leaf size", "leaf mean" and "leaf total".
    """
    table = forest_table(X)
    leaves = [estimator.tree_.apply(table)]
    return equations_of_trees([estimator], leaves, y, table, (1.0, 0.0), None)


@register_equations(RandomForestRegressor, ExtraTreesRegressor)
def equations_of_a_forest_of_values(estimator, X, y):
    r"""Number of records and mean of their values in each leaf of each tree.

    Without a bootstrap as for one tree, exact. With one, of B draws among N records,

    .. math:: q \sum_l m = d_l, \qquad \frac{B}{N} \sum_l m \, (y - v_l) = 0,
        \qquad q = 1 - (1 - 1/N)^B

    with :math:`d_l` the different records that were drawn into the leaf. In a leaf
    without impurity the first sum is over the records of its value, and that over the
    others is 0. The variances are :math:`q (1 - q) \sum m` and
    :math:`B / N \sum m (y - v_l)^2`; in a leaf without impurity the first is divided by
    q, since such a leaf is there for the records that were drawn into it.

    Parameters
    ----------
    estimator : RandomForestRegressor or ExtraTreesRegressor

    X : {array-like, sparse matrix} of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "leaf count" or "leaf size", that of a value, and "leaf mean"; of a copy
        that was stripped of them "leaf size", "leaf mean" and "leaf total".
    """
    drawn, table = draws_of(estimator), forest_table(X)
    if drawn is None or getattr(estimator, "_sample_weight", None) is not None:
        return []
    trees = estimator.estimators_
    leaves = [tree.tree_.apply(table) for tree in trees]
    n_members = estimator._n_samples if estimator.bootstrap else None
    return equations_of_trees(trees, leaves, y, table, drawn, n_members)


@register_equations(BaggingRegressor)
def equations_of_bagged_trees_of_values(estimator, X, y):
    r"""Number of records and mean of their values in each leaf of each bagged tree.

    As for a forest; records that are drawn without replacement, B of N, have a
    variance of :math:`(N / B - 1) \sum m a^2`, with a the coefficients.

    Parameters
    ----------
    estimator : BaggingRegressor
        Of decision trees.

    X : {array-like, sparse matrix} of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "leaf count" or "leaf size", that of a value, and "leaf mean"; of a copy
        that was stripped of them "leaf size", "leaf mean" and "leaf total".
    """
    drawn, trees = draws_of(estimator), estimator.estimators_
    if (
        drawn is None
        or getattr(estimator, "_sample_weight", None) is not None
        or type(trees[0]) not in (DecisionTreeRegressor, ExtraTreeRegressor)
    ):
        return []
    table = as_array(X)
    leaves = [
        tree.tree_.apply(forest_table(table[:, columns]))
        for tree, columns in zip(trees, estimator.estimators_features_, strict=True)
    ]
    n_members = getattr(estimator, "_n_samples", None)
    whole = estimator.max_features == 1.0 and not estimator.bootstrap_features
    return equations_of_trees(
        trees, leaves, y, forest_table(X), drawn, n_members, whole=whole
    )


# First three derivatives of a loss at a raw score, by the value to predict.
_LOSSES = {
    "squared_error": lambda raw, y: (raw - y, np.ones_like(raw), np.zeros_like(raw)),
    "poisson": lambda raw, y: (np.exp(raw) - y, np.exp(raw), np.exp(raw)),
    "gamma": lambda raw, y: (
        1 - y * np.exp(-raw),
        y * np.exp(-raw),
        -y * np.exp(-raw),
    ),
}


@register_equations(HistGradientBoostingRegressor)
def equations_of_histogram_boosting_of_values(estimator, X, y):
    r"""Two sums over each leaf of each tree of histogram gradient boosting.

    With g and h the gradient and the Hessian of the loss before the tree, v the value
    of the leaf before shrinkage and :math:`\lambda` the l2 regularisation:

    .. math:: \sum_l m = n_l, \qquad \sum_l m \, (g + v h) = -\lambda v

    where :math:`g = F - y` and h = 1 for the squared error, with F the raw score; the
    first one is the mean value, another sum. The ranks of the thresholds and the noise
    are those of :func:`equations_of_histogram_boosting`.

    Parameters
    ----------
    estimator : HistGradientBoostingRegressor
        For more than the counts with the loss "squared_error", "poisson" or "gamma",
        without weights and monotonic constraints.

    X : {array-like, DataFrame} of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "leaf count", "bin rank", "leaf value" and "mean".
    """
    found = histogram_counts(estimator, X)
    if found is None:
        return []
    equations, leaves, nodes, start = found
    loss = _LOSSES.get(estimator.loss)
    if (
        loss is None
        or getattr(estimator, "_fitted_with_sw", False)
        or estimator.monotonic_cst is not None
    ):
        return equations
    is_leaf = [tree["is_leaf"].astype(bool) for tree in nodes]
    values = [t["value"][f] for t, f in zip(nodes, is_leaf, strict=True)]
    targets = np.asarray(y, dtype=np.float64)
    scores, _ = staged_scores(
        np.tile(start, (len(leaves), 1)), leaves, values, np.ones(len(leaves))
    )
    g, h, slopes = loss(scores, targets[:, None])
    sizes = [len(v) for v in values]
    matrix = equations[0].matrix if equations else grouped(leaves, sizes)
    # A tree that was not split has the value 0, whatever the slope.
    shown = [v if len(v) > 1 else np.full(1, np.nan) for v in values]
    unknown = np.full(matrix.shape[0], np.nan)
    steps, _ = newton_equations(
        matrix,
        g,
        h,
        np.concatenate(shown) / estimator.learning_rate,
        unknown,
        estimator.l2_regularization,
        rounding=_ROUNDING_OF_FLOATS,
        rounding_of_hessians=0.0,
        smallest=_SMALLEST * max(1.0, np.abs(targets).max(initial=0.0)),
    )
    decimals = decimals_of(estimator)
    if decimals is not None:
        rate = estimator.learning_rate
        at = np.concatenate(values)[matrix.indices.reshape(g.shape)] / rate
        steps = with_rounded_steps(
            steps,
            leaves,
            sizes,
            h,
            h + at * slopes,
            n_scores=1,
            rate=rate,
            ridge=estimator.l2_regularization,
            decimals=decimals,
        )
    mean = start[0] if estimator.loss == "squared_error" else np.exp(start[0])
    return [*equations, steps, _mean(targets, mean)]


def _mean(values, mean):
    """The mean of all values, where boosting starts."""
    off = (values - mean)[None, :]
    largest = np.abs(values).max(initial=0.0)
    scale = ROUNDING * np.sqrt(np.sum(off**2)) + rounding_of_sums(len(values), largest)
    return Equations("mean", off, [0.0], scale)


@register_equations(GradientBoostingRegressor)
def equations_of_gradient_boosting_of_values(estimator, X, y):
    r"""Two sums over each leaf of each tree of gradient boosting.

    With F the prediction before the tree and v the value of the leaf before shrinkage:

    .. math:: \sum_l m = n_l, \qquad \sum_l m \, (y - F - v) = 0

    With `subsample` a tree sees a share s of the records: b is divided by s and the
    variance is :math:`(1/s - 1) \sum m a^2`. Records held out to stop early are in no
    equation.

    Parameters
    ----------
    estimator : GradientBoostingRegressor
        Trained without weights of records. Of another loss than "squared_error" the
        counts alone are taken.

    X : {array-like, sparse matrix} of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "leaf count" and "leaf value".
    """
    trees = [tree.tree_ for tree in np.ravel(estimator.estimators_)]
    table, share = forest_table(X), estimator.subsample
    if misplaces_missing(table):
        return []
    is_leaf = [tree.children_left < 0 for tree in trees]
    leaves = np.column_stack(
        [
            (np.cumsum(leaf) - 1)[tree.apply(table)]
            for leaf, tree in zip(is_leaf, trees, strict=True)
        ]
    )
    pairs = list(zip(trees, is_leaf, strict=True))
    counts = np.concatenate([tree.n_node_samples[leaf] for tree, leaf in pairs])
    weights = [tree.weighted_n_node_samples[leaf] for tree, leaf in pairs]
    matrix = grouped(leaves, [leaf.sum() for leaf in is_leaf])
    found, n_averaged = [], counts
    if any(is_stripped(tree) for tree in trees):
        n_averaged = matrix.sum(axis=1)
    else:
        n_members = trees[0].n_node_samples[0] / share
        noise = 1 / share - 1
        found = [Equations("leaf count", matrix, counts / share, 0, noise, n_members)]
    weighted = not np.allclose(counts, np.concatenate(weights))
    if estimator.loss != "squared_error" or weighted:
        return found
    values = [tree.value[leaf, 0, 0] for tree, leaf in pairs]
    rate, targets = estimator.learning_rate, np.asarray(y, dtype=np.float64)
    first = np.asarray(next(iter(estimator.staged_predict(X))))
    start = (first - rate * values[0][leaves[:, 0]])[:, None]
    shrunk = [rate * v for v in values]
    raw, _ = staged_scores(start, leaves, shrunk, np.ones(len(leaves)))
    at = np.concatenate(values)[matrix.indices.reshape(leaves.shape)]
    off = with_values(matrix, targets[:, None] - raw - at)
    norm = np.sqrt(np.ravel(off.multiply(off).sum(axis=1)))
    largest = np.abs(targets).max(initial=0.0)
    scale = ROUNDING * norm + rounding_of_sums(n_averaged, largest)
    steps = Equations("leaf value", off, np.zeros(len(scale)), scale, 1 / share - 1)
    decimals = decimals_of(estimator)
    if decimals is not None:
        alike = np.ones(leaves.shape)
        told = {"rate": rate or 1.0, "ridge": 0.0, "decimals": decimals}
        sizes = [len(v) for v in values]
        steps = with_rounded_steps(
            steps, leaves, sizes, alike, alike, n_scores=1, **told
        )
    return [*found, steps]


@register_equations(KNeighborsRegressor, RadiusNeighborsRegressor)
def records_of_neighbours_with_values(estimator, X, y):
    r"""Records that a regressor of nearest neighbours holds, with their values.

    .. math:: m_i = \text{number of stored records equal to } i

    As :func:`records_of_neighbours`.

    Parameters
    ----------
    estimator : KNeighborsRegressor or RadiusNeighborsRegressor

    X : {array-like, sparse matrix} of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "stored record".
    """
    # Private, as no public attribute has the records.
    stored = getattr(estimator, "_fit_X", None)
    values = getattr(estimator, "_y", None)
    if stored is None or values is None or np.size(values) != stored.shape[0]:
        return []
    values = np.asarray(np.ravel(values), dtype=np.float64)
    found = copies_of(stored, values, X, np.asarray(y, dtype=np.float64))
    return [looked_up(np.arange(len(found)), found, float(len(values)))]


@register_equations(SVR, NuSVR)
def records_of_support_vectors_of_values(estimator, X, y):
    r"""Records whose features are a support vector, which are members.

    .. math:: m_i = 1

    Others may be members or not. Values are not stored: of records with equal features
    all count as members.

    Parameters
    ----------
    estimator : SVR or NuSVR
        With a kernel of records.

    X : {array-like, sparse matrix} of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "stored record".
    """
    if estimator.kernel == "precomputed":
        return []
    return [_members(estimator.support_vectors_, X, None)]


@register_equations(GaussianProcessRegressor)
def records_of_a_gaussian_process(estimator, X, y):
    r"""Records whose features a Gaussian process holds, all that it was trained on.

    .. math:: m_i = [x_i \text{ is stored}]

    Parameters
    ----------
    estimator : GaussianProcessRegressor

    X : array-like of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "stored record".
    """
    stored = np.asarray(estimator.X_train_)
    found = np.minimum(_found(stored, X), 1.0)
    return [looked_up(np.arange(len(found)), found, float(len(stored)))]


def _found(stored, X):
    nothing = np.zeros(stored.shape[0]), np.zeros(X.shape[0])
    return copies_of(stored, nothing[0], X, nothing[1])


def _members(stored, X, n_members):
    found = _found(stored, X)
    records = np.flatnonzero(found)
    return looked_up(records, np.ones(len(records)), n_members)
