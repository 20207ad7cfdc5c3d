"""Trees without counts: how to remove them, and what is told all the same."""

import copy
import math
from fractions import Fraction

import numpy as np
from scipy.stats import poisson
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from sklearn_mia.equations._system import Equations, grouped
from sklearn_mia.models import model_name, open_model

_LARGEST_TERM = 5000


_SEEDS = ("random_state", "_seeds", "_rng", "_sample_weight")
# One number a record, or one a stage.
_TRACES = ("oob_decision_function_", "train_score_", "validation_score_")
_TRACES += ("oob_improvement_", "oob_scores_", "oob_score_")
_TREES = (DecisionTreeClassifier, ExtraTreeClassifier)
_FORESTS = (RandomForestClassifier, ExtraTreesClassifier, BaggingClassifier)
_BOOSTED = (GradientBoostingClassifier, HistGradientBoostingClassifier)


def strip_counts(model):
    """Copy of a model of trees without what its nodes store of the training records.

    Its answers are the same. Of each node the number of records, with and without
    weights, the impurity or the gain are set to 0, and so are the values of inner
    nodes, from which the sizes of the leaves follow. The seeds, which tell how often
    each record was drawn, the scores of training and the edges of bins are removed. The
    values of the leaves stay, since they are the answers, and so do the thresholds.
    What that is worth is for an attack on the copy to show: forests with a bootstrap
    lose much of what their file tells, trees grown on all records hardly anything.

    Parameters
    ----------
    model : classifier
        A fitted decision tree, forest, extra trees, bagging of trees, gradient boosting
        or histogram gradient boosting of scikit-learn, alone or within wrappers. It
        stays as it is.

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
    >>> int(stripped.estimators_[0].tree_.n_node_samples.max())
    0
    """
    stripped = copy.deepcopy(model)
    inner = open_model(stripped).classifier
    trees = _trees_of(inner)
    if trees is None:
        known = ", ".join(cls.__name__ for cls in _TREES + _FORESTS + _BOOSTED)
        raise TypeError(
            f"strip_counts got a {model_name(model)}; it knows {known} of trees, also "
            "within pipelines and other wrappers."
        )
    for part in (inner, *trees):
        for name in _SEEDS:
            if name in vars(part):
                setattr(part, name, None)
        for name in _TRACES:
            vars(part).pop(name, None)
    for tree in trees:
        _strip_tree(tree.tree_)
    if type(inner) is HistGradientBoostingClassifier:
        _strip_histogram(inner)
    return stripped


def _trees_of(model):
    """The trees of a model of a known class, None of any other."""
    if type(model) is HistGradientBoostingClassifier:
        return []
    if type(model) is GradientBoostingClassifier:
        return list(np.ravel(model.estimators_))
    if type(model) in _TREES:
        return [model]
    if type(model) in _FORESTS:
        trees = list(model.estimators_)
        return trees if all(type(tree) in _TREES for tree in trees) else None
    return None


def _strip_tree(nodes):
    for name in ("n_node_samples", "weighted_n_node_samples", "impurity"):
        getattr(nodes, name)[:] = 0
    nodes.value[nodes.children_left >= 0] = 0


def _strip_histogram(model):
    for tree in (tree for trees in model._predictors for tree in trees):
        tree.nodes["count"] = 0
        tree.nodes["gain"] = 0
        tree.nodes["value"][~tree.nodes["is_leaf"].astype(bool)] = 0
    mapper = model._bin_mapper
    mapper.bin_thresholds_ = [
        edges if is_category else np.empty(0)
        for edges, is_category in zip(
            mapper.bin_thresholds_, mapper.is_categorical_, strict=True
        )
    ]


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
