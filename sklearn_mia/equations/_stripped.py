"""Trees without their counts: how to remove them, and what is told all the same."""

import copy
import math
from fractions import Fraction

import numpy as np
from scipy.stats import poisson
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    RandomForestClassifier,
)
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from sklearn_mia.equations._system import Equations, grouped
from sklearn_mia.models import model_name, open_model

_LARGEST_TERM = 5000


_COUNTS = ("n_node_samples", "weighted_n_node_samples", "impurity")
_TREES = (DecisionTreeClassifier, ExtraTreeClassifier)
_FORESTS = (RandomForestClassifier, ExtraTreesClassifier, BaggingClassifier)


def strip_counts(model):
    """Copy of a model of trees without the counts of records that its nodes store.

    Its answers are the same. Of each node the number of records, with and without
    weights, and the impurity are set to 0; of a forest the seeds, which tell how often
    each record was drawn, the weights of the records and the answers for those left out
    are removed. The fractions of the classes
    stay, since they are the answers, and so do the thresholds. What that is worth is
    for an attack on the copy to show: forests with a bootstrap lose much of what their
    file tells, trees grown on all records hardly anything.

    Parameters
    ----------
    model : classifier
        A fitted decision tree, forest, extra trees or bagging of trees, alone or within
        wrappers. It stays as it is.

    Returns
    -------
    stripped : classifier
        Of the same classes and answers; `random_state` is None. What needs the counts
        works no more: `feature_importances_`, plots with sample numbers, pruning.

    Raises
    ------
    TypeError
        If there are no such trees in it.

    See Also
    --------
    sklearn_mia.LinearReconstructionAttack : Reads what the copy still tells.
    sklearn_mia.CoarsenedClassifier : Coarsens the answers instead.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_mia import strip_counts
    >>> X, y = load_iris(return_X_y=True)
    >>> forest = RandomForestClassifier(5, random_state=0).fit(X, y)
    >>> stripped = strip_counts(forest)
    >>> bool(np.all(stripped.predict_proba(X) == forest.predict_proba(X)))
    True
    >>> stripped.estimators_[0].tree_.n_node_samples.max()
    np.int64(0)
    """
    stripped = copy.deepcopy(model)
    inner = open_model(stripped).classifier
    trees = [inner] if type(inner) in _TREES else []
    if type(inner) in _FORESTS:
        trees = list(inner.estimators_)
        # Seeds tell how often each record was drawn, the others are one a record.
        for name in ("random_state", "_seeds", "_sample_weight"):
            if name in vars(inner):
                setattr(inner, name, None)
        vars(inner).pop("oob_decision_function_", None)
    if not trees or any(type(tree) not in _TREES for tree in trees):
        raise TypeError(
            f"strip_counts got a {model_name(model)}; it knows DecisionTreeClassifier, "
            "RandomForestClassifier, ExtraTreesClassifier and BaggingClassifier of "
            "trees, also within pipelines and other wrappers."
        )
    for tree in trees:
        for name in _COUNTS:
            getattr(tree.tree_, name)[:] = 0
        if tree is not inner:
            tree.random_state = None
    return stripped


def is_stripped(inner):
    """Whether the counts of a tree were removed.

    Parameters
    ----------
    inner : sklearn.tree._tree.Tree

    Returns
    -------
    is_stripped : bool
    """
    return inner.weighted_n_node_samples[0] == 0


def lowest_terms(fractions):
    """Whole numbers of each class, as small as the fractions of a leaf allow.

    Parameters
    ----------
    fractions : ndarray of shape (n_leaves, n_classes)

    Returns
    -------
    counts : ndarray of shape (n_leaves, n_classes)
        Of a leaf that no whole numbers up to 5,000 fit, the fractions times that.
    """
    rows, back = np.unique(fractions, axis=0, return_inverse=True)
    counts = np.array([_lowest_terms_of(row) for row in rows.tolist()])
    return counts[np.ravel(back)]


def _lowest_terms_of(row):
    terms = [Fraction(value).limit_denominator(_LARGEST_TERM) for value in row]
    total = math.lcm(*(term.denominator for term in terms))
    if total > _LARGEST_TERM:
        return [value * _LARGEST_TERM for value in row]
    return [float(term * total) for term in terms]


def total_equations(leaves, codes, counts, rates, sampling, n_members, fewest):
    r"""Draws of each leaf of several classes, by the lowest terms of its fractions.

    .. math:: \frac{B}{N} \sum_{i: l(i) = l} m_i = \mathrm{E}(k d_l)

    with :math:`d_l` the sum of the lowest terms and k an unknown whole number. Before
    looking at them the draws have a Poisson law, whose mean is the share of members
    times the records of the pool in the leaf; mean and variance are those of that law
    among the multiples of :math:`d_l`.

    Parameters
    ----------
    leaves, codes : ndarray of shape (n_records, n_trees)
        Leaf of each record, and its class in the tree, negative if it has none.

    counts : list of ndarray of shape (n_leaves, n_classes)
        Lowest terms.

    rates : ndarray of shape (n_classes,)
        Draws of a training record of each class.

    sampling : float
        Variance that a member adds, in units of its squared coefficient.

    n_members : float or None
        Training records; None takes half of the pool.

    fewest : int
        Draws that a leaf has at least.

    Returns
    -------
    equations : Equations
        "leaf total".
    """
    n_records = len(leaves)
    share = 0.5 if n_members is None else min(n_members / n_records, 1.0)
    groups, b, scale = np.empty(leaves.shape, dtype=np.int32), [], []
    for t, count in enumerate(counts):
        at, own = leaves[:, t], np.maximum(codes[:, t], 0)
        drawn = (codes[:, t] >= 0) & (count[at, own] > 0)
        groups[:, t] = np.where(drawn, at, -1)
        expected = share * np.bincount(
            at[drawn], weights=rates[own[drawn]], minlength=len(count)
        )
        mean, sd = _multiples(count.sum(axis=1), expected, fewest)
        pure = np.count_nonzero(count, axis=1) < 2
        b.append(np.where(pure, np.nan, mean))
        scale.append(sd)
    weights = rates[np.maximum(codes, 0)]
    matrix = grouped(groups, [len(count) for count in counts], weights)
    b, scale = np.concatenate(b), np.concatenate(scale)
    return Equations("leaf total", matrix, b, scale, sampling, of_pool=True)


def _multiples(terms, expected, fewest):
    """Mean and standard deviation of a Poisson law among the multiples of a number."""
    most = int(np.max((expected + 6 * np.sqrt(expected + 1)) / terms)) + 2
    values = terms[:, None] * np.arange(1, most + 1)
    law = poisson.logpmf(np.rint(values), np.maximum(expected, 0.5)[:, None])
    law = np.where(values >= fewest, law, -np.inf)
    law[np.all(np.isinf(law), axis=1)] = 0.0
    law = np.exp(law - law.max(axis=1, keepdims=True))
    law /= law.sum(axis=1, keepdims=True)
    mean = (law * values).sum(axis=1)
    variance = (law * (values - mean[:, None]) ** 2).sum(axis=1)
    return mean, np.sqrt(variance)
