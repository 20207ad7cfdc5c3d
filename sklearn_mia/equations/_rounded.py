"""Trees with rounded values: how to round them, and what is told all the same."""

from dataclasses import replace
from numbers import Integral

import numpy as np
from scipy.special import ndtr
from scipy.stats import norm
from sklearn.utils._param_validation import Interval, validate_params

from sklearn_mia.equations._stripped import (
    HISTOGRAMS,
    STAGES,
    as_equation,
    stripped_copy,
    trees_of,
)
from sklearn_mia.identity import record_ids
from sklearn_mia.models import open_model
from sklearn_mia.regression import is_regressor_model
from sklearn_mia.response import rounded

TINY = 1e-9
GROWN = {
    "max_depth": None,
    "max_leaf_nodes": None,
    "min_samples_split": 2,
    "min_samples_leaf": 1,
    "min_weight_fraction_leaf": 0,
    "min_impurity_decrease": 0,
    "ccp_alpha": 0,
}


@validate_params(
    {"decimals": [Interval(Integral, -9, 9, closed="both")]},
    prefer_skip_nested_validation=True,
)
def round_values(model, decimals):
    r"""Copy of a model of trees without counts and with rounded values of its leaves.

    Beside what :func:`strip_counts` removes, the values of the leaves lose detail, from
    which the attack on the file reads how many records of each class there were. It
    needs no training. With T trees, answers change by no more than:

    - half of :math:`10^{-\text{decimals}}` for a probability of a tree, a forest or
      bagged trees and two classes, and less than all of it for more classes;
    - T times half of it for a decision function of boosting, mostly far less, as the
      errors of the trees are of both signs; half of that for a probability;
    - half of it for a tree, a forest or bagged trees of values, and T times that for
      what boosting adds up, of squared errors the prediction.

    Fully grown trees have hardly any fractions to round; boosting, whose leaves add
    little each, gives way first. What it is worth is for an attack on the copy to show,
    and the copy tells how it was rounded (``benchmarks/bench_file_defences.py``).

    Parameters
    ----------
    model : classifier or regressor
        A fitted decision tree, forest, extra trees, bagging of trees, gradient boosting
        or histogram gradient boosting of scikit-learn, alone or within wrappers. It
        stays as it is.

    decimals : int
        Decimals that are left, from 0 to 9: of the fractions of a tree or forest, and
        of what a leaf of boosting adds to the decision function. For a regressor from
        -9 to 9, in the unit of the values to predict: -1 leaves whole tens.

    Returns
    -------
    rounded : classifier or regressor
        Of the same classes; its trees have an attribute `decimals_`.

    Raises
    ------
    TypeError
        If there are no such trees in it.
    ValueError
        If `decimals` is out of its range.
    NotFittedError
        If it is not fitted.

    See Also
    --------
    sklearn_mia.strip_counts : Without any change of the answers.
    sklearn_mia.LinearReconstructionAttack : Reads what the copy still tells.
    sklearn_mia.CoarsenedClassifier : Rounds the answers instead.

    Notes
    -----
    The fractions of a leaf still sum to 1, by largest remainders. A model of trees that
    gradient boosting starts from (`init`) loses its counts alone. Linear models have
    nothing like it: their coefficients are sums over all records, and would have to be
    off by so much that they answer something else.

    The attack takes each leaf as rounded by itself, as if the errors of one had nothing
    to do with those of the others. Someone who solves for them may find more: it is no
    guarantee.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_mia import round_values
    >>> X, y = load_iris(return_X_y=True)
    >>> forest = RandomForestClassifier(min_samples_leaf=5, random_state=0).fit(X, y)
    >>> rounded = round_values(forest, 1)
    >>> off = rounded.predict_proba(X) - forest.predict_proba(X)
    >>> float(np.abs(off).max()) < 0.1
    True
    """
    model = stripped_copy(model, "round_values")
    inner = open_model(model).classifier
    trees, of_values = trees_of(inner), is_regressor_model(inner)
    if decimals < 0 and not of_values:
        raise ValueError(
            "The 'decimals' parameter of round_values must be an int in the range "
            f"[0, 9] for a classifier. Got {decimals!r} instead."
        )
    # What was rounded before is as coarse as that.
    decimals = min(decimals, decimals_of(inner, 9))
    if type(inner) in HISTOGRAMS:
        for tree in (tree for stage in inner._predictors for tree in stage):
            tree.nodes["value"] = np.round(tree.nodes["value"], decimals)
    elif type(inner) in STAGES:
        rate = inner.learning_rate or 1.0
        for tree in trees:
            tree.tree_.value[:] = np.round(rate * tree.tree_.value, decimals) / rate
    else:
        for tree in trees:
            leaf = tree.tree_.children_left < 0
            values = tree.tree_.value[leaf]
            if of_values:
                tree.tree_.value[leaf] = np.round(values, decimals)
                continue
            shares = rounded(values.reshape(-1, values.shape[2]), decimals)
            tree.tree_.value[leaf] = shares.reshape(values.shape)
    for part in (inner, *trees):
        part.decimals_ = int(decimals)
    return model


def decimals_of(estimator, default=None):
    """Decimals of the values of the leaves, the default if they were not rounded."""
    return getattr(estimator, "decimals_", default)


def largest_error(decimals, n_classes):
    """Most that a rounded fraction may be off."""
    # Of several classes the largest remainders may be anything up to a step.
    return 10.0**-decimals / (2 if n_classes == 2 else 1)


def fits_rounded(draws, shares, decimals):
    """Whether a leaf of so many draws may have these fractions after rounding.

    Parameters
    ----------
    draws : ndarray of shape (n_numbers,)

    shares : ndarray of shape (n_classes,)
        The fractions, in units of the last decimal.

    decimals : int

    Returns
    -------
    fits : ndarray of shape (n_numbers,), dtype bool
    """
    most_off = largest_error(decimals, len(shares)) + TINY
    fractions = shares / 10.0**decimals
    draws = np.asarray(draws, dtype=float)[:, None]
    low = np.ceil(draws * np.maximum(fractions - most_off, 0))
    high = np.floor(draws * np.minimum(fractions + most_off, 1))
    fits = (low <= high).all(axis=1) & (low.sum(axis=1) <= draws[:, 0])
    return fits & (high.sum(axis=1) >= draws[:, 0])


def possible_classes(shares, most, decimals, *, are_pure):
    """Which classes a leaf may have had records of, by rounded fractions.

    Parameters
    ----------
    shares : ndarray of shape (n_leaves, n_classes)
        In units of the last decimal.

    most : ndarray of shape (n_leaves,)
        Draws that a leaf may have had.

    decimals : int

    are_pure : bool
        Whether a leaf that shows one class had no other.

    Returns
    -------
    possible_classes : ndarray of shape (n_leaves, n_classes), dtype bool
    """
    most_off = largest_error(decimals, shares.shape[1])
    hidden = most * most_off >= 1
    if are_pure:
        hidden &= (shares > 0).sum(axis=1) > 1
    return (shares > 0) | hidden[:, None]


def leaves_are_pure(tree, table):
    """Whether leaves that are rounded to one class had no other.

    Those of a fully grown tree with several classes have equal records, of which there
    must be as many as a fraction needs that is rounded to 0.

    Parameters
    ----------
    tree : DecisionTreeClassifier or ExtraTreeClassifier

    table : {ndarray, sparse matrix} of shape (n_records, n_features)
        As the tree sees the pool.

    Returns
    -------
    are_pure : bool
    """
    if any(getattr(tree, name) != value for name, value in GROWN.items()):
        return False
    copies = np.unique(record_ids(table), return_counts=True)[1]
    return bool(copies.max() < 10 ** decimals_of(tree))


def told_by_bounds(mean, variance, low, high):
    r"""Equation that says as much of a sum as that it is between two bounds.

    A normal sum of a mean :math:`E_0` and a variance :math:`V_0` that is within the
    bounds has a mean E and a variance V. The equation has the variance
    :math:`r = 1 / (1 / V - 1 / V_0)` and :math:`b = r (E / V - E_0 / V_0)`.

    Parameters
    ----------
    mean, variance : ndarray of shape (n_rows,)
        Before looking.

    low, high : ndarray of shape (n_rows,)

    Returns
    -------
    b : ndarray of shape (n_rows,)
        NaN where nothing is told.

    variance : ndarray of shape (n_rows,)
    """
    center, width = (low + high) / 2, high - low
    even = width**2 / 12
    with np.errstate(all="ignore"):
        sd = np.sqrt(variance)
        below, above = (low - mean) / sd, (high - mean) / sd
        # The upper tail is as exact as the lower one once it is turned over.
        turned = below > 0
        below, above = np.where(turned, -above, below), np.where(turned, -below, above)
        mass = ndtr(above) - ndtr(below)
        at_low, at_high = norm.pdf(below), norm.pdf(above)
        shift = (at_low - at_high) / mass
        left = 1 + (below * at_low - above * at_high) / mass - shift**2
        shift = np.where(turned, -shift, shift)
        b, told = as_equation(mean, variance, mean + shift * sd, left * variance)
    # Bounds that are narrow or far away: any sum between them is as likely.
    is_even = ~(mass > 1e-9) | (even < 1e-6 * variance) | ~(left > 0)
    told, b = np.where(is_even, even, told), np.where(is_even, center, b)
    nothing = (variance == 0) | (~is_even & (left > 1 - 1e-6))
    return np.where(nothing, np.nan, b), np.where(nothing, 0.0, told)


def with_rounded_steps(
    rows, leaves, sizes, hessians, slopes, *, n_scores, rate, ridge, decimals
):
    r"""What rounded values of leaves tell of the sums that exact ones would make 0.

    .. math:: -\frac{s}{2 \eta} \Big(\lambda + \sum_l m h\Big) \le
        \sum_l m (g + v h) + \lambda v + \xi \le
        \frac{s}{2 \eta} \Big(\lambda + \sum_l m h\Big)

    with s the last decimal, v the value before the learning rate :math:`\eta`, and
    :math:`\xi` what the rounding of the leaves a of the trees before changes, of
    variance :math:`\frac{s^2}{12} \sum_a (\sum_{l \cap a} m d)^2` with d what a term
    changes with the score. With several classes the scores of the others are off as
    well, and together no more than that of the class. Where m is not known half of the
    records count.

    Parameters
    ----------
    rows : Equations
        "leaf value", as if the values were exact.

    leaves : ndarray of shape (n_records, n_trees), dtype int
        Leaf of each record.

    sizes : sequence of int of shape (n_trees,)
        Leaves of each tree.

    hessians, slopes : ndarray of shape (n_records, n_trees)
        The h and d.

    n_scores : int
        Trees of a stage.

    rate, ridge : float
        The learning rate and the l2 regularisation.

    decimals : int

    Returns
    -------
    rows : Equations
    """
    step, widths, drifts = 10.0**-decimals, [], []
    others = 1 if n_scores == 1 else 2
    for t, size in enumerate(sizes):
        own, slope = leaves[:, t], slopes[:, t] / 2
        half = np.bincount(own, weights=hessians[:, t] / 2, minlength=size)
        widths.append((half + ridge) * step / rate)
        drift = np.zeros(size)
        for s in range(t % n_scores, t, n_scores):
            both = own * sizes[s] + leaves[:, s]
            shared = np.bincount(both, weights=slope, minlength=size * sizes[s])
            drift += others * (shared.reshape(size, sizes[s]) ** 2).sum(axis=1)
        drifts.append(drift * step**2 / 12)
    width, drift = np.concatenate(widths), np.concatenate(drifts)
    squares = rows.matrix.multiply(rows.matrix).sum(axis=1)
    before = (1 / 4 + rows.sampling / 2) * squares + drift
    mean = rows.matrix.sum(axis=1) / 2 - rows.b
    b, told = told_by_bounds(mean, before, -width / 2, width / 2)
    sampling = rows.sampling + (told + drift) / np.maximum(squares / 2, TINY)
    return replace(rows, b=rows.b + b, sampling=sampling, of_pool=True)
