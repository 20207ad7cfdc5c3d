"""What linear models store: the sums that vanish at their optimum."""

import numpy as np
import scipy.sparse as sp
from scipy.special import expit, softmax
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
)

from sklearn_mia.equations._registry import register_equations
from sklearn_mia.equations._system import Equations, Products, rounding_of
from sklearn_mia.response import find_labels
from sklearn_mia.tables import as_array

# Of the tolerance times the records: how far from zero the slopes are at the end.
_SLACK = {"sag": 3.0, "saga": 3.0, "liblinear": 4.0}
_USUAL_SLACK = 0.25
# Relative, of the loss: 64 roundings of a double.
_LEAST_FALL = 64 * 2.2e-16
_ROUNDING_OF_DOUBLES = 1e-9
_TOL_OF_LSQR = 1e-6
_OF_ALL_SLOPES = 2.0


@register_equations(LogisticRegression)
def equations_of_logistic_regression(estimator, X, y):
    r"""Slopes of the loss at the optimum, one a coefficient.

    .. math:: \sum_i m_i w_i (p_{ik} - [y_i = k]) (x_i, 1)
        = -\frac{1}{C} (\beta_k, 0)

    with w the weight of the class. liblinear penalises the intercept, which gives
    :math:`-\beta_{k0} / (C s^2)` for the `intercept_scaling` s in the place of 0, or
    its sign over C s. The intercept of sag and saga is not at its optimum for sparse
    features, and left out. With the l1 share :math:`\rho` the right side is
    :math:`-(\rho \, \text{sign} \beta + (1 - \rho) \beta) / C`, for coefficients
    that are not zero. The noise is what the solver left: .25 `tol` times the records of
    the pool, more for those that watch other things than the slope. Balanced class
    weights follow from the unknown sizes of the classes: those of the pool stand in,
    with the noise of a random half.

    Parameters
    ----------
    estimator : LogisticRegression
        Converged, trained without weights of records.

    X : {array-like, sparse matrix} of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "slope".
    """
    if np.max(estimator.n_iter_) >= estimator.max_iter:
        return []
    one_by_one = estimator.solver == "liblinear" or _is_one_against_rest(estimator)
    coef = estimator.coef_
    if one_by_one is None:
        return []
    X, n_classes = _numbers(X), len(estimator.classes_)
    codes = find_labels(np.asarray(y), estimator.classes_)
    scores = np.asarray(X @ coef.T) + estimator.intercept_
    if len(coef) == 1:
        error = expit(scores) - codes[:, None]
    else:
        p = expit(scores) if one_by_one else softmax(scores, axis=1)
        error = p - (codes[:, None] == np.arange(n_classes))
    weight, doubt = _class_weights(estimator, codes)
    strength, l1_share = _penalty(estimator)
    b = -strength * (l1_share * np.sign(coef) + (1 - l1_share) * coef)
    if l1_share > 0:
        b[coef == 0] = np.nan
    b = b.T
    if estimator.fit_intercept:
        last = np.zeros(len(coef))
        if estimator.solver == "liblinear":
            own = estimator.intercept_ / estimator.intercept_scaling
            own = np.where(own == 0, np.nan, np.sign(own)) if l1_share else own
            last = -strength * own / estimator.intercept_scaling
        elif estimator.solver in ("sag", "saga") and sp.issparse(X):
            # Its steps are damped there.
            last[:] = np.nan
        X, b = _with_ones(X), np.vstack([b, last])
    matrix = Products(X, error * weight[:, None])
    slack = _slack(estimator, X, weight)[:, None] * np.ones(len(coef))
    # Balanced weights are those of the pool.
    of_pool = bool(doubt.any())
    scale = np.hypot(np.ravel(slack), _of_classes(matrix, codes, doubt))
    return [Equations("slope", matrix, b, scale, of_pool=of_pool, is_bound=not of_pool)]


@register_equations(RidgeClassifier)
def equations_of_a_ridge_classifier(estimator, X, y):
    r"""Slopes of the squared error at the optimum, one a coefficient.

    .. math:: \sum_i m_i w_i (f_{ik} - t_{ik}) (x_i, 1) = -\alpha (\beta_k, 0)

    with f the decision function, t = 1 for the class and -1 else, and w the weight of
    the class, as for :func:`equations_of_logistic_regression`. The noise is that of
    doubles for the direct solvers. Others leave `tol` of the largest possible row, or
    twice that of the mean slope at the start, :math:`|X^\top t| / \sqrt{p}` for p
    rows, whichever is more.

    Parameters
    ----------
    estimator : RidgeClassifier
        Without `positive`, trained without weights of records.

    X : {array-like, sparse matrix} of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "slope".
    """
    if estimator.positive:
        return []
    rounding = rounding_of(X, _ROUNDING_OF_DOUBLES)
    X, coef = _numbers(X), np.atleast_2d(estimator.coef_)
    codes = find_labels(np.asarray(y), estimator.classes_)
    classes = np.arange(len(coef)) if len(coef) > 1 else np.ones(1)
    aim = np.where(codes[:, None] == classes, 1.0, -1.0)
    error = np.asarray(X @ coef.T) + estimator.intercept_ - aim
    weight, doubt = _class_weights(estimator, codes)
    b = -estimator.alpha * coef.T
    if estimator.fit_intercept:
        X, b = _with_ones(X), np.vstack([b, np.zeros(len(coef))])
    matrix = Products(X, error * weight[:, None])
    largest = Products(abs(X), np.ones((len(codes), len(coef)))) @ weight
    slack = rounding * largest
    in_steps, of_pool = not _is_solved_directly(estimator, X), bool(doubt.any())
    if in_steps:
        slack = _left_by_steps(estimator.tol, X, aim * weight[:, None], largest)
    scale = np.hypot(slack, _of_classes(matrix, codes, doubt))
    is_bound = in_steps and not of_pool
    return [Equations("slope", matrix, b, scale, of_pool=of_pool, is_bound=is_bound)]


@register_equations(LinearRegression, Ridge)
def equations_of_least_squares(estimator, X, y):
    r"""Slopes of the squared error at the optimum, one a coefficient.

    .. math:: \sum_i m_i (f_i - y_i) (x_i, 1) = -\alpha (\beta, 0)

    with f the prediction and :math:`\alpha` 0 for LinearRegression: the normal
    equations. The noise is that of doubles for the direct solvers, and for others that
    of :func:`equations_of_a_ridge_classifier`.

    Parameters
    ----------
    estimator : LinearRegression or Ridge
        Without `positive`, trained without weights of records.

    X : {array-like, sparse matrix} of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "slope".
    """
    if estimator.positive:
        return []
    rounding = rounding_of(X, _ROUNDING_OF_DOUBLES)
    X, coef, error = _errors(estimator, X, y)
    b = -np.asarray(getattr(estimator, "alpha", 0.0)) * coef
    if estimator.fit_intercept:
        X, b = _with_ones(X), np.append(b, 0.0)
    largest = Products(abs(X), np.abs(error)[:, None]) @ np.ones(len(error))
    left = rounding * largest
    is_bound = not _is_solved_directly(estimator, X)
    if is_bound:
        tol = max(getattr(estimator, "tol", 0.0), _TOL_OF_LSQR)
        left = _left_by_steps(tol, X, np.asarray(y, dtype=np.float64)[:, None], largest)
    matrix = Products(X, error[:, None])
    return [Equations("slope", matrix, b, left, is_bound=is_bound)]


@register_equations(Lasso, ElasticNet)
def equations_of_an_elastic_net(estimator, X, y):
    r"""Slopes of the squared error at the optimum, for coefficients that are not zero.

    .. math:: \sum_i m_i \big((f_i - y_i) x_{ij}
        + \alpha (\rho \, \text{sign} \beta_j + (1 - \rho) \beta_j)\big) = 0,
        \qquad \sum_i m_i (f_i - y_i) = 0

    with :math:`\rho` the l1 share. The noise is what the solver left: at a duality gap
    of G, a slope is at most :math:`\sqrt{2 G N} |x_j|` from zero, half of which is
    taken, with the norm of the pool for that of the N training records.

    Parameters
    ----------
    estimator : Lasso or ElasticNet
        Converged, trained without weights of records.

    X : {array-like, sparse matrix} of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "slope".
    """
    if np.max(estimator.n_iter_) >= estimator.max_iter:
        return []
    X, coef, error = _errors(estimator, X, y)
    used, share = np.flatnonzero(coef), estimator.l1_ratio
    pull = estimator.alpha * (share * np.sign(coef) + (1 - share) * coef)
    columns = X[:, used]
    columns = columns.toarray() if sp.issparse(columns) else columns
    matrix = (columns * error[:, None] + pull[used]).T
    gap = max(float(np.max(estimator.dual_gap_)), 0.0)
    norms = np.sqrt(np.sum(columns**2, axis=0) / 2)
    largest = np.abs(columns).T @ np.abs(error)
    slack = np.sqrt(gap * len(error)) * norms / 2 + _ROUNDING_OF_DOUBLES * largest
    if estimator.fit_intercept:
        matrix = np.vstack([matrix, error])
        slack = np.append(slack, _ROUNDING_OF_DOUBLES * np.abs(error).sum())
    return [Equations("slope", matrix, np.zeros(len(matrix)), slack, is_bound=True)]


def _errors(estimator, X, y):
    """Features as numbers, coefficients of one output, and errors of the records."""
    X, coef = _numbers(X), np.ravel(estimator.coef_)
    predicted = np.ravel(np.asarray(X @ coef)) + np.ravel(estimator.intercept_)
    return X, coef, predicted - np.asarray(y, dtype=np.float64)


def _is_solved_directly(estimator, X):
    """Whether squared errors are at their optimum but for rounding."""
    # LinearRegression chooses as "auto" does.
    solver = getattr(estimator, "solver", "auto")
    return solver in ("svd", "cholesky") or (solver == "auto" and not sp.issparse(X))


def _left_by_steps(tol, X, aim, largest):
    """How far from zero the slopes of squared errors are after steps towards it.

    They end by the length of all slopes of an output together: that of a rare feature
    may be as far from zero as any.
    """
    lengths = np.linalg.norm(np.asarray(X.T @ (aim - aim.mean(axis=0))), axis=0)
    each = np.tile(lengths / np.sqrt(X.shape[1]), X.shape[1])
    return tol * np.maximum(largest, _OF_ALL_SLOPES * each)


def _slack(estimator, X, weight):
    """How far from zero the solver left the slope of each feature."""
    n_records = len(weight)
    squares = np.ravel(X.multiply(X).sum(axis=0) if sp.issparse(X) else (X**2).sum(0))
    slack = _SLACK.get(estimator.solver, _USUAL_SLACK) * estimator.tol * n_records
    if estimator.solver in ("lbfgs", "newton-cg"):
        # They stop as well where the loss no longer falls.
        n_classes = len(estimator.classes_)
        least = _LEAST_FALL * n_records * np.log(n_classes) * weight.max() ** 2
        return np.hypot(slack, np.sqrt(squares * least))
    # The others watch what depends on the scale of the features.
    return np.full(len(squares), slack * max(1.0, squares.max() / n_records))


def _numbers(X):
    X = as_array(X)
    return X.tocsr() if sp.issparse(X) else X.astype(np.float64, copy=False)


def _with_ones(X):
    ones = np.ones((X.shape[0], 1))
    return (
        sp.hstack([X, ones], format="csr") if sp.issparse(X) else np.hstack([X, ones])
    )


def _is_one_against_rest(estimator):
    """Whether each class has a model of its own; None where it can't be told.

    The one place that reads `multi_class`, which scikit-learn 1.8 no longer has.
    """
    asked = getattr(estimator, "multi_class", "auto")
    two = len(estimator.classes_) == 2
    return None if asked == "multinomial" and two else asked == "ovr"


def _penalty(estimator):
    """One over C, and the share of l1, in the words of any version."""
    named = getattr(estimator, "penalty", "deprecated")
    share = getattr(estimator, "l1_ratio", None) or 0.0
    if named is None:
        return 0.0, 0.0
    return 1 / estimator.C, {"l1": 1.0, "l2": 0.0}.get(named, share)


def _class_weights(estimator, codes):
    """Weight of each record, and of each class how far it may be off."""
    asked, classes = estimator.class_weight, estimator.classes_
    if asked != "balanced":
        given = asked or {}
        by_class = np.array([given.get(c, 1.0) for c in classes.tolist()])
        return by_class[codes], np.zeros(len(classes))
    sizes = np.bincount(codes, minlength=len(classes)).clip(1)
    return (len(codes) / len(sizes) / sizes)[codes], 1 / np.sqrt(sizes)


def _of_classes(matrix, codes, doubt):
    """Noise of the rows from class weights that may be off by a share."""
    half = [(codes == c) / 2.0 for c in range(len(doubt))]
    squared = matrix.squared()
    variance = [
        share**2 * ((matrix @ own) ** 2 + squared @ own)
        for own, share in zip(half, doubt, strict=True)
        if share
    ]
    return np.sqrt(np.sum(variance, axis=0)) if variance else 0.0
