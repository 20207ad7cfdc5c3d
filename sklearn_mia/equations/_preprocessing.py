"""What the steps before a classifier store: means, ranks, frequencies, categories."""

from collections import Counter
from numbers import Integral

import numpy as np
import scipy.sparse as sp
from sklearn.decomposition import PCA
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import (
    CountVectorizer,
    TfidfTransformer,
    TfidfVectorizer,
)
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    StandardScaler,
    TargetEncoder,
)

from sklearn_mia.equations._registry import register_equations
from sklearn_mia.equations._system import Equations, Products, grouped, rounding_of
from sklearn_mia.identity import cell_values, find_ids
from sklearn_mia.items import item_list
from sklearn_mia.response import find_labels
from sklearn_mia.tables import as_array, as_dense, columns_of

# Of the norm of a row: sums of doubles in another order.
_ROUNDING_OF_DOUBLES = 1e-10
_ROUNDING_OF_EIGENVALUES = 1e-16
# Whether a value has no other record is known of the pool alone.
_IF_POOL_IS_WHOLE = 0.05
_MOST_DOCUMENTS = 3_000_000


@register_equations(StandardScaler)
def equations_of_a_scaler(estimator, X, y):
    r"""Means and variances of the columns.

    .. math:: \sum m = N, \qquad \sum m (x - \mu) = 0,
        \qquad \sum m (x - \mu)^2 = N \sigma^2

    over the records in which the column is not missing, N of them. Noise is that of
    doubles. A scaler that got its records in several parts stores the same.

    Parameters
    ----------
    estimator : StandardScaler
        Fitted without weights of records.

    X : {array-like, sparse matrix} of shape (n_records, n_features)

    y : None

    Returns
    -------
    equations : list of Equations
        "number of records", "mean" and "variance".
    """
    rounding = rounding_of(X, _ROUNDING_OF_DOUBLES)
    X, seen = _dense_floats(X), np.asarray(estimator.n_samples_seen_, dtype=float)
    n_members = float(seen.max())
    if np.ndim(seen):
        here = np.asarray(~np.isnan(X), dtype=float)
        found = [Equations("number of records", here.T, seen, n_members=n_members)]
    else:
        found = [_number(len(X), n_members)]
    mean, variance = estimator.mean_, estimator.var_
    if mean is None:
        return found
    found.append(
        _sums("mean", X - mean, np.zeros(len(mean)), np.abs(X) + np.abs(mean), rounding)
    )
    if variance is not None:
        sizes = X**2 + mean**2
        found.append(
            _sums("variance", (X - mean) ** 2, seen * variance, sizes, rounding)
        )
    return found


@register_equations(SimpleImputer)
def equations_of_an_imputer(estimator, X, y):
    r"""Means or medians of the columns, over the records where they are not missing.

    .. math:: \sum m (x - \mu) = 0 \qquad \text{or} \qquad
        \sum m \, \text{sign}(x - \text{median}) = 0

    The first has the noise of doubles, the second that of the records at the median.

    Parameters
    ----------
    estimator : SimpleImputer
        With the strategy "mean" or "median".

    X : {array-like, sparse matrix} of shape (n_records, n_features)

    y : None

    Returns
    -------
    equations : list of Equations
        "mean" or "median".
    """
    if estimator.strategy not in ("mean", "median"):
        return []
    rounding = rounding_of(X, _ROUNDING_OF_DOUBLES)
    X = _dense_floats(X)
    if not _is_nan(estimator.missing_values):
        X = np.where(estimator.missing_values == X, np.nan, X)
    told = np.asarray(estimator.statistics_, dtype=np.float64)
    zeros = np.zeros(len(told))
    if estimator.strategy == "mean":
        return [_sums("mean", X - told, zeros, np.abs(X) + np.abs(told), rounding)]
    ties = np.sum(told == X, axis=0)
    above = np.nan_to_num(np.sign(X - told))
    return [Equations("median", above.T, zeros, 1.0 + 0.5 * ties)]


def _is_nan(value):
    return isinstance(value, float) and np.isnan(value)


@register_equations(PCA)
def equations_of_principal_components(estimator, X, y):
    r"""Mean and covariance in the space of the components.

    .. math:: \sum m = N, \qquad \sum m (x - \mu) = 0, \qquad
        \sum m \, u_a u_b = (N - 1) [a = b] \lambda_a, \qquad
        u = (x - \mu) W^\top

    with the noise of doubles. A randomised solver leaves the mean alone.

    Parameters
    ----------
    estimator : PCA

    X : {array-like, sparse matrix} of shape (n_records, n_features)

    y : None

    Returns
    -------
    equations : list of Equations
        "number of records", "mean" and "covariance".
    """
    rounding = rounding_of(X, _ROUNDING_OF_DOUBLES)
    of_eigenvalues = rounding_of(X, _ROUNDING_OF_EIGENVALUES)
    X, n_members = _dense_floats(X), float(estimator.n_samples_)
    mean, axes = estimator.mean_, estimator.components_
    zeros = np.zeros(len(mean))
    found = [
        _number(len(X), n_members),
        _sums("mean", X - mean, zeros, np.abs(X) + np.abs(mean), rounding),
    ]
    # Private, but for an exact solver by name.
    solver = getattr(estimator, "_fit_svd_solver", estimator.svd_solver)
    if solver not in ("full", "covariance_eigh", "arpack"):
        return found
    u = (X - mean) @ axes.T
    covariance = (n_members - 1) * np.diag(estimator.explained_variance_)
    # Each pair once.
    covariance[np.tril_indices(len(axes), -1)] = np.nan
    size = np.max(np.abs(X) + np.abs(mean), axis=1, initial=0.0)
    # Eigenvalues are exact to a few roundings of the largest.
    scale = of_eigenvalues * np.sum(size**2)
    found.append(Equations("covariance", Products(u, u), covariance, 10 * scale))
    return found


@register_equations(TfidfTransformer, TfidfVectorizer)
def equations_of_document_frequencies(estimator, X, y):
    r"""How many records have each term.

    .. math:: \sum m [x_j > 0] = \frac{1 + N}{e^{\text{idf}_j - 1}} - 1,
        \qquad \sum m = N

    and without `smooth_idf` :math:`N / e^{\text{idf}_j - 1}`. N is not stored: it is
    the least number with which all of them are whole.

    Parameters
    ----------
    estimator : TfidfTransformer or TfidfVectorizer
        With `use_idf`.

    X : {array-like, sparse matrix} of shape (n_records, n_terms), or iterable of str

    y : None

    Returns
    -------
    equations : list of Equations
        "number of records" and "term frequency"; of a vectorizer "term", too, as in
        :func:`equations_of_a_vocabulary`.
    """
    found, counts = [], X
    if isinstance(estimator, TfidfVectorizer):
        found = equations_of_a_vocabulary(estimator, X, y)
        counts = estimator.transform(X)
    if not estimator.use_idf:
        return found
    present = sp.csr_array(counts) != 0
    ratio, extra = np.exp(estimator.idf_ - 1), float(estimator.smooth_idf)
    n_members = _number_of_documents(np.unique(ratio), extra)
    if n_members is None:
        return found
    frequency = (n_members + extra) / ratio - extra
    told = present.shape[0]
    return [
        _number(told, float(n_members)),
        Equations(
            "term frequency", present.T.astype(float).tocsr(), np.rint(frequency)
        ),
        *found,
    ]


@register_equations(CountVectorizer, DictVectorizer)
def equations_of_a_vocabulary(estimator, X, y):
    r"""Terms are records: none has one that is not known, and the only one that has.

    .. math:: m_i = 0 \quad \text{for an unknown term}, \qquad
        m_i = 1 \quad \text{for the only record of the pool with a known one}

    with a standard deviation of .05, as for categories.

    Parameters
    ----------
    estimator : CountVectorizer or DictVectorizer
        With all terms of its records: without `vocabulary`, `max_features` and the
        limits `min_df` and `max_df`.

    X : iterable of str, or of dict
        The documents.

    y : None

    Returns
    -------
    equations : list of Equations
        "term".
    """
    if isinstance(estimator, CountVectorizer):
        # As a fraction, 1.0 is all records; as a number of them, 1 is one.
        whole = isinstance(estimator.min_df, Integral) and estimator.min_df == 1
        whole &= isinstance(estimator.max_df, float) and estimator.max_df == 1.0
        if not whole or (estimator.vocabulary, estimator.max_features) != (None, None):
            return []
        terms = list(map(set, map(estimator.build_analyzer(), item_list(X))))
    else:
        terms = [_terms_of_dict(estimator, mapping) for mapping in item_list(X)]
    known = estimator.vocabulary_
    counts = Counter(term for own in terms for term in own)
    outside = np.array([any(t not in known for t in own) for own in terms])
    alone = [any(counts[t] == 1 and t in known for t in own) for own in terms]
    return [_of_told_records("term", outside, np.array(alone))]


def _terms_of_dict(estimator, mapping):
    """Names of the columns that a dictionary of features has cells in."""
    terms = set()
    for feature, value in mapping.items():
        values = [value] if isinstance(value, str) else value
        if not np.iterable(values):
            terms.add(feature)
            continue
        texts = (v for v in values if isinstance(v, str))
        terms.update(f"{feature}{estimator.separator}{v}" for v in texts)
    return terms


def _number_of_documents(ratio, extra):
    """The least number with which all document frequencies are whole."""
    numbers = np.arange(1, _MOST_DOCUMENTS)
    for one in ratio:
        frequency = (numbers + extra) / one - extra
        off = np.abs(frequency - np.rint(frequency))
        numbers = numbers[off < 1e-9 + 1e-11 * numbers]
    return int(numbers[0]) if len(numbers) else None


@register_equations(TargetEncoder)
def equations_of_a_target_encoder(estimator, X, y):
    r"""Shrunk mean of the label in each category.

    .. math:: \sum_{x = a} m ([y = c] - e_{ac}) = s (e_{ac} - \bar y_c)

    with s the number given as `smooth`; by "auto" s follows from the variances, and
    the equation is not linear.

    Parameters
    ----------
    estimator : TargetEncoder
        For classes, with a number as `smooth`.

    X : {array-like, DataFrame} of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "target mean".
    """
    if isinstance(estimator.smooth, str) or estimator.target_type_ == "continuous":
        return []
    codes = find_labels(np.asarray(y), estimator.classes_)
    mean = np.atleast_1d(estimator.target_mean_)
    n_targets, found = len(mean), []
    for j, column in enumerate(columns_of(X)):
        place = _places(column, estimator.categories_[j])
        for c in range(n_targets):
            told = np.asarray(estimator.encodings_[j * n_targets + c])
            own = codes == (1 if n_targets == 1 else c)
            values = own - told[np.maximum(place, 0)]
            matrix = grouped(place[:, None], [len(told)], values[:, None])
            b = float(estimator.smooth) * (told - mean[c])
            scale = _ROUNDING_OF_DOUBLES * len(own)
            found.append(Equations("target mean", matrix, b, scale))
    return found


@register_equations(OneHotEncoder, OrdinalEncoder)
def equations_of_categories(estimator, X, y):
    r"""Categories are records: none that is not known, and the only one that is.

    .. math:: m_i = 0 \quad \text{for an unknown category}, \qquad
        m_i = 1 \quad \text{for the only record of the pool with a known one}

    The second holds if the pool has all records with the category, and has a standard
    deviation of .05.

    Parameters
    ----------
    estimator : OneHotEncoder or OrdinalEncoder
        With the categories found in training.

    X : {array-like, DataFrame} of shape (n_records, n_features)

    y : None

    Returns
    -------
    equations : list of Equations
        "category".
    """
    if not isinstance(estimator.categories, str):
        return []
    places = [
        _places(column, known)
        for column, known in zip(columns_of(X), estimator.categories_, strict=True)
    ]
    return _of_single_records("category", places)


@register_equations(MinMaxScaler, MaxAbsScaler)
def equations_of_extremes(estimator, X, y):
    r"""Extremes are records: none is beyond them, and the only one there is a member.

    .. math:: m_i = 0 \quad \text{beyond}, \qquad
        m_i = 1 \quad \text{for the only record of the pool at an extreme}

    with a standard deviation of .05, as for categories.

    Parameters
    ----------
    estimator : MinMaxScaler or MaxAbsScaler

    X : {array-like, sparse matrix} of shape (n_records, n_features)

    y : None

    Returns
    -------
    equations : list of Equations
        "number of records" and "extreme".
    """
    X = _dense_floats(X)
    if isinstance(estimator, MaxAbsScaler):
        X, ends = np.abs(X), [np.asarray(estimator.max_abs_)]
    else:
        ends = [np.asarray(estimator.data_max_), np.asarray(estimator.data_min_)]
    places = []
    for sign, end in zip((1, -1), ends, strict=False):
        beyond, at = sign * X > sign * end, end == X
        places += list(np.where(beyond, -1, np.where(at, 0, 1)).T)
    # Place 1 is the crowd between the extremes, of which nothing is known.
    found = _of_single_records("extreme", places, crowd=1)
    return [_number(len(X), float(np.max(estimator.n_samples_seen_))), *found]


def _places(column, known):
    """Position of each cell among known values; negative for a value that is not."""
    values, order = np.unique(cell_values(known), return_index=True)
    place = find_ids(values, cell_values(column))
    return np.where(place < 0, -1, order[place])


def _of_single_records(kind, places, crowd=None):
    outside, alone = np.zeros(len(places[0]), bool), np.zeros(len(places[0]), bool)
    for place in places:
        outside |= place < 0
        inside = place[place >= 0]
        sizes = np.bincount(inside, minlength=1)
        alone |= (place >= 0) & (sizes[np.maximum(place, 0)] == 1) & (place != crowd)
    return [_of_told_records(kind, outside, alone)]


def _of_told_records(kind, outside, alone):
    """Equations of single records: those that are no members, and those that are."""
    records = np.flatnonzero(outside | alone)
    matrix = sp.eye_array(len(records), format="csr")
    b = (~outside[records]).astype(float)
    return Equations(kind, matrix, b, _IF_POOL_IS_WHOLE, records=records, of_pool=True)


def _number(n_records, n_members):
    ones = np.ones((1, n_records))
    return Equations("number of records", ones, [n_members], n_members=n_members)


def _sums(kind, values, b, sizes, rounding):
    """Sums of values over the records where they are not missing."""
    scale = rounding * np.nansum(sizes, axis=0)
    return Equations(kind, np.nan_to_num(values, posinf=0, neginf=0).T, b, scale)


def _dense_floats(X):
    return as_dense(as_array(X)).astype(np.float64, copy=False)
