"""What naive Bayes and discriminant analysis store: counts and moments by class."""

from dataclasses import replace

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

from sklearn_mia._compat import DISCRIMINANTS_LOSE_DEGREES_OF_FREEDOM
from sklearn_mia.equations._registry import register_equations
from sklearn_mia.equations._system import Equations, Products, rounding_of
from sklearn_mia.response import find_labels
from sklearn_mia.tables import as_array, as_dense

# Of the largest possible row: sums of doubles in another order.
_ROUNDING_OF_DOUBLES = 1e-10
_ROUNDING_OF_FACTORS = 1e-8
# Relative.
_SAME_EPSILON = 1e-5
# Training data that are more of a pool are taken to be no more than half of it.
_MOST_OF_POOL = 0.9


@register_equations(GaussianNB)
def equations_of_gaussian_naive_bayes(estimator, X, y):
    r"""Number, means and variances of each class.

    .. math:: \sum_c m = N_c, \qquad \sum_c m (x - \theta_c) = 0, \qquad
        \sum_c m (x - \theta_c)^2 = N_c (\sigma_c^2 - \epsilon)

    with the noise of doubles. Class counts that are not whole are sums of weights,
    and give nothing. `partial_fit` adds another :math:`\epsilon` in every batch, so
    that a class has an unknown one, the same for all features: from each row of the
    variances that of the feature with the smallest is then taken away. That there were
    batches is seen by an :math:`\epsilon` that is not the share of the largest variance
    that it should be.

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
    rounding = rounding_of(X, _ROUNDING_OF_DOUBLES)
    X, codes = _dense_floats(X), _codes(estimator, y)
    in_batches = _is_of_batches(estimator)
    found = [_class_counts(codes, counts)]
    for c, theta in enumerate(estimator.theta_):
        own = np.flatnonzero(codes == c)
        off = X[own] - theta
        zeros = np.zeros(len(theta))
        moments = counts[c] * (estimator.var_[c] - estimator.epsilon_)
        sizes = np.abs(X[own]) + np.abs(theta)
        scale = rounding * sizes.sum(axis=0)
        found.append(Equations("class mean", off.T, zeros, scale, records=own))
        scale = rounding * ((sizes**2).sum(axis=0) + counts[c] * estimator.epsilon_)
        squares = (off**2).T
        if in_batches:
            least = np.argmin(moments)
            squares, moments = squares - squares[least], moments - moments[least]
            scale = scale + scale[least]
        found.append(Equations("class variance", squares, moments, scale, records=own))
    return found


def _is_of_batches(estimator):
    """Whether the epsilon of GaussianNB is not that of all its records."""
    counts, theta = estimator.class_count_[:, None], estimator.theta_
    shares = counts / counts.sum()
    within = estimator.var_ - estimator.epsilon_
    whole = np.sum(shares * (within + (theta - np.sum(shares * theta, axis=0)) ** 2), 0)
    expected = estimator.var_smoothing * whole.max()
    return abs(estimator.epsilon_ - expected) > _SAME_EPSILON * expected


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
        X = threshold < X
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
    r"""Means and shares of the classes, the covariance and the coefficients.

    .. math:: \sum_c m (x - \mu_c) = 0, \qquad \sum m ([y = c] - \pi_c) = 0,
        \qquad \sum m \big((x - \mu_y)(x - \mu_y)^\top - \Sigma\big) = 0

    The coefficients are :math:`\Sigma^{-1} (\mu_k - \bar \mu)`, so that without a
    stored covariance

    .. math:: \sum m \big((x - \mu_y)(x - \mu_y)^\top \beta_k
        - (\mu_k - \bar \mu)\big) = 0

    and for two classes with their difference. scikit-learn before 1.9 divided this
    covariance by the records less the K classes: the right side is then
    :math:`-K (\mu_k - \bar \mu)`. With given shares a record counts by
    :math:`\pi_c / N_c`, which is not known: the means alone are taken, and so they are
    with shrinkage. Shares in double precision are fractions of whole numbers, which
    tell the number of records: then they are counts.

    Parameters
    ----------
    estimator : LinearDiscriminantAnalysis

    X : array-like of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "class mean", "class count" or "class share", "covariance" and "coefficient".
    """
    if estimator.covariance_estimator is not None:
        return []
    rounding = rounding_of(X, _ROUNDING_OF_DOUBLES)
    X, codes = _dense_floats(X), _codes(estimator, y)
    means, shares = estimator.means_, estimator.priors_
    found = list(_class_means(X, codes, means, rounding))
    if estimator.priors is not None or estimator.shrinkage is not None:
        return found
    found.append(_class_shares(codes, shares, rounding))
    off = X - means[codes]
    covariance = getattr(estimator, "covariance_", None)
    if covariance is not None:
        a, b = np.triu_indices(X.shape[1])
        rows = off[:, a] * off[:, b] - covariance[a, b]
        sizes = np.sum(np.max(np.abs(X) + np.abs(means[codes]), axis=1) ** 2)
        scale = rounding * sizes
        found.append(Equations("covariance", rows.T, np.zeros(len(a)), scale))
        return found
    gaps = means - shares @ means
    if len(estimator.coef_) == 1:
        gaps = means[[1]] - means[[0]]
    less = len(means) if DISCRIMINANTS_LOSE_DEGREES_OF_FREEDOM else 0
    for coef, gap in zip(estimator.coef_, gaps, strict=True):
        weights = off @ coef
        rows = off * weights[:, None] - gap
        sizes = np.sum(np.abs(off * weights[:, None]), axis=0) + len(X) * np.abs(gap)
        scale = max(rounding, _ROUNDING_OF_FACTORS) * sizes
        found.append(Equations("coefficient", rows.T, -less * gap, scale))
    return found


@register_equations(QuadraticDiscriminantAnalysis)
def equations_of_quadratic_discriminants(estimator, X, y):
    r"""Means, shares and covariances of the classes.

    .. math:: \sum_c m (x - \mu_c) = 0, \qquad \sum m ([y = c] - \pi_c) = 0,
        \qquad \sum_c m (u_a u_b - [a = b] \sigma_a) = -k [a = b] \sigma_a

    with :math:`u = R^\top (x - \mu_c)` for the rotation R of the class and
    :math:`\sigma` its scalings before the regularisation. They are sums divided by the
    number of records of the class, so that k = 0, before scikit-learn 1.9 by one less
    than that, k = 1. Shares tell the number of records, as in
    :func:`equations_of_linear_discriminants`.

    Parameters
    ----------
    estimator : QuadraticDiscriminantAnalysis
        Without shrinkage, for the covariances.

    X : array-like of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "class mean", "class count" or "class share", and "class covariance".
    """
    if getattr(estimator, "covariance_estimator", None) is not None:
        return []
    rounding = rounding_of(X, _ROUNDING_OF_DOUBLES)
    X, codes = _dense_floats(X), _codes(estimator, y)
    found = list(_class_means(X, codes, estimator.means_, rounding))
    if estimator.priors is None:
        found.append(_class_shares(codes, estimator.priors_, rounding))
    if getattr(estimator, "shrinkage", None) is not None or estimator.reg_param == 1:
        return found
    less = int(DISCRIMINANTS_LOSE_DEGREES_OF_FREEDOM)
    for c, mean in enumerate(estimator.means_):
        own = np.flatnonzero(codes == c)
        u = (X[own] - mean) @ estimator.rotations_[c]
        scalings = estimator.scalings_[c]
        if getattr(estimator, "solver", "svd") == "svd":
            scalings = (scalings - estimator.reg_param) / (1 - estimator.reg_param)
        a, b = np.triu_indices(u.shape[1])
        told = np.diag(scalings)[a, b]
        rows = u[:, a] * u[:, b] - told
        sizes = np.sum(np.max(np.abs(X[own]) + np.abs(mean), axis=1) ** 2)
        scale = rounding * sizes
        found.append(
            Equations("class covariance", rows.T, -less * told, scale, records=own)
        )
    return found


def _class_shares(codes, shares, rounding):
    n_members = _number_of_shares(shares, len(codes))
    if n_members is not None:
        return replace(_class_counts(codes, np.rint(shares * n_members)), of_pool=True)
    own = (codes[:, None] == np.arange(len(shares))).astype(float)
    rounding = rounding * len(codes)
    return Equations("class share", (own - shares).T, np.zeros(len(shares)), rounding)


def _number_of_shares(shares, n_records):
    """The number of records with which all counts are whole, nearest to half the pool.

    None where a third of the pool, or less, would do: then its multiples would, too. So
    it is where two numbers would do of which the larger leaves records out.
    """
    if np.dtype(shares.dtype).itemsize < 8:
        return None
    tried = np.arange(1, n_records + 1)
    counts = shares * tried[:, None]
    off = np.abs(counts - np.rint(counts)).max(axis=1)
    whole = tried[off <= 8 * np.finfo(np.float64).eps * tried]
    if not len(whole) or whole[0] <= n_records / 3:
        return None
    if np.count_nonzero(whole <= _MOST_OF_POOL * n_records) > 1:
        return None
    return int(whole[np.abs(whole - n_records / 2).argmin()])


def _class_means(X, codes, means, rounding):
    for c, mean in enumerate(means):
        own = np.flatnonzero(codes == c)
        off = X[own] - mean
        sizes = (np.abs(X[own]) + np.abs(mean)).sum(axis=0)
        scale = rounding * sizes
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
