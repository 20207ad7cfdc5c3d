"""What naive Bayes and discriminant analysis store: counts and moments by class."""

import numpy as np
import scipy.sparse as sp
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.naive_bayes import (
    BernoulliNB,
    CategoricalNB,
    ComplementNB,
    GaussianNB,
    MultinomialNB,
)

from sklearn_mia.equations._registry import register_equations
from sklearn_mia.equations._system import Equations, Products
from sklearn_mia.response import find_labels
from sklearn_mia.tables import as_array, as_dense

# Of the largest possible row: sums of doubles in another order.
_ROUNDING_OF_DOUBLES = 1e-10
_ROUNDING_OF_FACTORS = 1e-8


@register_equations(GaussianNB)
def equations_of_gaussian_naive_bayes(estimator, X, y):
    r"""Number, means and variances of each class.

    .. math:: \sum_c m = N_c, \qquad \sum_c m (x - \theta_c) = 0, \qquad
        \sum_c m (x - \theta_c)^2 = N_c (\sigma_c^2 - \epsilon)

    with the noise of doubles. Class counts that are not whole are sums of weights,
    and give nothing.

    Parameters
    ----------
    estimator : GaussianNB
        Trained without weights of records.

    X : array-like of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "class count", "class mean" and "class variance".
    """
    counts = estimator.class_count_
    if not _are_whole(counts):
        return []
    X, codes = _dense_floats(X), _codes(estimator, y)
    found = [_class_counts(codes, counts)]
    for c, theta in enumerate(estimator.theta_):
        own = np.flatnonzero(codes == c)
        off = X[own] - theta
        zeros = np.zeros(len(theta))
        moments = counts[c] * (estimator.var_[c] - estimator.epsilon_)
        sizes = np.abs(X[own]) + np.abs(theta)
        scale = _ROUNDING_OF_DOUBLES * sizes.sum(axis=0)
        found.append(Equations("class mean", off.T, zeros, scale, records=own))
        scale = _ROUNDING_OF_DOUBLES * (
            (sizes**2).sum(axis=0) + counts[c] * estimator.epsilon_
        )
        squares = (off**2).T
        found.append(Equations("class variance", squares, moments, scale, records=own))
    return found


@register_equations(BernoulliNB, MultinomialNB, ComplementNB)
def equations_of_discrete_naive_bayes(estimator, X, y):
    r"""Number of records and sum of each feature of each class, exact.

    .. math:: \sum_c m = N_c, \qquad \sum_c m x_j = N_{cj}

    with features as 0 and 1, as the threshold of BernoulliNB makes them. Class counts
    that are not whole are sums of weights, and give nothing.

    Parameters
    ----------
    estimator : BernoulliNB, MultinomialNB or ComplementNB
        Trained without weights of records.

    X : {array-like, sparse matrix} of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "class count" and "feature count".
    """
    counts = estimator.class_count_
    if not _are_whole(counts):
        return []
    X, codes = as_array(X), _codes(estimator, y)
    threshold = getattr(estimator, "binarize", None)
    if threshold is not None:
        X = X > threshold
    X = sp.csr_array(X).astype(float) if sp.issparse(X) else np.asarray(X, float)
    own = (codes[:, None] == np.arange(len(counts))).astype(float)
    sums = estimator.feature_count_
    scale = _ROUNDING_OF_DOUBLES * np.abs(sums.T)
    return [
        _class_counts(codes, counts),
        Equations("feature count", Products(X, own), sums.T, np.ravel(scale)),
    ]


@register_equations(CategoricalNB)
def equations_of_categorical_naive_bayes(estimator, X, y):
    r"""Number of records of each category and class, exact.

    .. math:: \sum_c m = N_c, \qquad \sum_c m [x_j = a] = N_{cja}

    Parameters
    ----------
    estimator : CategoricalNB
        Trained without weights of records.

    X : array-like of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "class count" and "category count".
    """
    counts = estimator.class_count_
    if not _are_whole(counts):
        return []
    X, codes = np.asarray(X).astype(int), _codes(estimator, y)
    own = (codes[:, None] == np.arange(len(counts))).astype(float)
    found = [_class_counts(codes, counts)]
    for j, sums in enumerate(estimator.category_count_):
        inside = np.flatnonzero((X[:, j] >= 0) & (X[:, j] < sums.shape[1]))
        places = inside, X[inside, j]
        shape = len(X), sums.shape[1]
        cells = sp.csr_array((np.ones(len(inside)), places), shape=shape)
        found.append(Equations("category count", Products(cells, own), sums.T))
    return found


@register_equations(LinearDiscriminantAnalysis)
def equations_of_linear_discriminants(estimator, X, y):
    r"""Means and shares of the classes, and the covariance where it is stored.

    .. math:: \sum_c m (x - \mu_c) = 0, \qquad \sum m ([y = c] - \pi_c) = 0,
        \qquad \sum m \big((x - \mu_y)(x - \mu_y)^\top - \Sigma\big) = 0

    The covariance is :math:`\sum_c \pi_c \Sigma_c` with :math:`\Sigma_c` over
    :math:`N_c` records, so that with shares that were given the last row weighs a
    record by :math:`\pi_c / N_c`, which is not known: it is left out, and so it is with
    shrinkage.

    Parameters
    ----------
    estimator : LinearDiscriminantAnalysis
        With `store_covariance`, or another solver than "svd", for the covariance.

    X : array-like of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "class mean", "class share" and "covariance".
    """
    if estimator.covariance_estimator is not None:
        return []
    X, codes = _dense_floats(X), _codes(estimator, y)
    means, shares = estimator.means_, estimator.priors_
    found = list(_class_means(X, codes, means))
    if estimator.priors is not None:
        return found
    own = (codes[:, None] == np.arange(len(shares))).astype(float)
    rounding = _ROUNDING_OF_DOUBLES * len(X)
    rows = (own - shares).T
    found.append(Equations("class share", rows, np.zeros(len(shares)), rounding))
    covariance = getattr(estimator, "covariance_", None)
    if covariance is None or estimator.shrinkage is not None:
        return found
    off = X - means[codes]
    a, b = np.triu_indices(X.shape[1])
    rows = off[:, a] * off[:, b] - covariance[a, b]
    size = np.sum(np.max(np.abs(X) + np.abs(means[codes]), axis=1) ** 2)
    scale = _ROUNDING_OF_DOUBLES * size
    found.append(Equations("covariance", rows.T, np.zeros(len(a)), scale))
    return found


@register_equations(QuadraticDiscriminantAnalysis)
def equations_of_quadratic_discriminants(estimator, X, y):
    r"""Means, shares and covariances of the classes.

    .. math:: \sum_c m (x - \mu_c) = 0, \qquad \sum m ([y = c] - \pi_c) = 0,
        \qquad \sum_c m \big((x - \mu_c)(x - \mu_c)^\top - \Sigma_c\big) = -k \Sigma_c

    with :math:`\Sigma_c` as stored, or from its rotations R and scalings s as
    :math:`R \, \text{diag}(s) R^\top`, which leaves out the directions that a class
    does not have. It is a sum over :math:`N_c` records divided by that number from
    scikit-learn 1.8 on (k = 0), and by :math:`N_c - 1` before (k = 1): which of the
    two it is, is found from the smallest spread of the equations.

    Parameters
    ----------
    estimator : QuadraticDiscriminantAnalysis
        Without regularisation or shrinkage, for the covariances.

    X : array-like of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "class mean", "class share" and "class covariance".
    """
    X, codes = _dense_floats(X), _codes(estimator, y)
    return list(_class_means(X, codes, estimator.means_))


def _class_means(X, codes, means):
    for c, mean in enumerate(means):
        own = np.flatnonzero(codes == c)
        off = X[own] - mean
        sizes = (np.abs(X[own]) + np.abs(mean)).sum(axis=0)
        scale = _ROUNDING_OF_DOUBLES * sizes
        yield Equations("class mean", off.T, np.zeros(len(mean)), scale, records=own)


def _class_counts(codes, counts):
    own = (codes == np.arange(len(counts))[:, None]).astype(float)
    return Equations("class count", own, counts, n_members=float(np.sum(counts)))


def _codes(estimator, y):
    return find_labels(np.asarray(y), estimator.classes_)


def _are_whole(counts):
    return bool(np.all(np.abs(counts - np.rint(counts)) < 1e-6))


def _dense_floats(X):
    return as_dense(as_array(X)).astype(np.float64, copy=False)
