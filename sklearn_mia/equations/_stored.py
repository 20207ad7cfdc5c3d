"""Models that store records as they are: these are looked up."""

import numpy as np
import scipy.sparse as sp
from sklearn.neighbors import KNeighborsClassifier, RadiusNeighborsClassifier
from sklearn.svm import SVC, NuSVC

from sklearn_mia.equations._registry import register_equations
from sklearn_mia.equations._system import Equations
from sklearn_mia.identity import record_ids
from sklearn_mia.response import find_labels
from sklearn_mia.tables import as_array


@register_equations(KNeighborsClassifier, RadiusNeighborsClassifier)
def records_of_neighbours(estimator, X, y):
    r"""Records that a model of nearest neighbours holds, with their labels.

    .. math:: m_i = \text{number of stored records equal to } i

    Records are equal if their features are as float32: the steps before may give other
    last digits to a record among others.

    Parameters
    ----------
    estimator : KNeighborsClassifier or RadiusNeighborsClassifier

    X : {array-like, sparse matrix} of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "stored record".
    """
    # Private, as no public attribute has the records.
    stored = getattr(estimator, "_fit_X", None)
    labels = getattr(estimator, "_y", None)
    if stored is None or labels is None or np.ndim(labels) > 1:
        return []
    found = copies_of(stored, labels, X, find_labels(np.asarray(y), estimator.classes_))
    n_members = float(len(labels))
    return [looked_up(np.arange(len(found)), found, n_members)]


@register_equations(SVC, NuSVC)
def records_of_support_vectors(estimator, X, y):
    r"""Records that are support vectors, which are members.

    .. math:: m_i = 1

    Others may be members or not.

    Parameters
    ----------
    estimator : SVC or NuSVC
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
    labels = np.repeat(np.arange(len(estimator.n_support_)), estimator.n_support_)
    codes = find_labels(np.asarray(y), estimator.classes_)
    found = copies_of(estimator.support_vectors_, labels, X, codes)
    records = np.flatnonzero(found)
    return [looked_up(records, found[records], None)]


def looked_up(records, found, n_members):
    """Equations that tell of records one by one.

    Parameters
    ----------
    records : ndarray of shape (n_found,), dtype int
        Positions in the pool.

    found : ndarray of shape (n_found,)
        How often each is stored.

    n_members : float or None

    Returns
    -------
    equations : Equations
    """
    matrix = sp.eye_array(len(records), format="csr")
    return Equations(
        "stored record",
        matrix,
        found,
        n_members=n_members,
        records=records,
        of_pool=True,
    )


def copies_of(stored, labels, X, codes):
    """How many stored records each record of the pool equals."""
    if not len(labels):
        return np.zeros(len(codes))
    known, n_copies = np.unique(_ids(stored, labels), return_counts=True)
    ids = _ids(X, codes)
    place = np.searchsorted(known, ids).clip(max=len(known) - 1)
    return np.where(known[place] == ids, n_copies[place], 0).astype(float)


def _ids(X, codes):
    X = as_array(X)
    X = sp.csr_array(X) if sp.issparse(X) else np.asarray(X, dtype=np.float64)
    return record_ids(X, np.asarray(codes), dtype=np.float32)
