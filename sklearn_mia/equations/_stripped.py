"""Trees without counts: how to remove them, and what is told all the same."""

import copy
import math
from fractions import Fraction

import numpy as np
from scipy.stats import binom, poisson
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import (
    DecisionTreeClassifier,
    DecisionTreeRegressor,
    ExtraTreeClassifier,
    ExtraTreeRegressor,
)
from sklearn.utils.validation import check_is_fitted

from sklearn_mia.equations._system import Equations, grouped
from sklearn_mia.models import model_name, open_model
from sklearn_mia.regression import is_regressor_model

_LARGEST_TERM = 5000
# Of more records a leaf says little by the terms of its fractions.
_LARGEST_LEAF = 2000
_CERTAIN = 1e-6
_MOST_OFF = 10


_SEEDS = ("random_state", "_seeds", "_rng", "_sample_weight")
# One number a record, or one a stage.
_TRACES = ("oob_decision_function_", "oob_prediction_", "train_score_")
_TRACES += ("validation_score_", "oob_improvement_", "oob_scores_", "oob_score_")
_TREES = (DecisionTreeClassifier, ExtraTreeClassifier)
_TREES += (DecisionTreeRegressor, ExtraTreeRegressor)
_FORESTS = (RandomForestClassifier, ExtraTreesClassifier, BaggingClassifier)
_FORESTS += (RandomForestRegressor, ExtraTreesRegressor, BaggingRegressor)
STAGES = (GradientBoostingClassifier, GradientBoostingRegressor)
HISTOGRAMS = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)


def strip_counts(model):
    """Copy of a model of trees without what its nodes store of the training records.

    Its answers are the same. Of each node the number of records, with and without
    weights, the impurity or the gain are set to 0, and so are the values of inner
    nodes, from which the sizes of the leaves follow. The seeds, which tell how often
    each record was drawn, the scores of training and the edges of bins are removed. The
    values of the leaves stay, since they are the answers, and so do the thresholds.
    What that is worth is for an attack on the copy to show: boosting of classes loses a
    part of what its file tells, forests hardly anything, since a leaf that is there had
    a record, and regressors little, since the means in their leaves tell of their
    records without any counts (``benchmarks/bench_file_defences.py``).

    Parameters
    ----------
    model : classifier or regressor
        A fitted decision tree, forest, extra trees, bagging of trees, gradient boosting
        or histogram gradient boosting of scikit-learn, alone or within wrappers. It
        stays as it is.

    Returns
    -------
    stripped : classifier or regressor
        Of the same classes and answers; `random_state` is None. What needs the counts
        works no more: `feature_importances_`, plots with sample numbers, pruning.

    Raises
    ------
    TypeError
        If there are no such trees in it.
    NotFittedError
        If it is not fitted.

    See Also
    --------
    sklearn_mia.round_values : Rounds the values of the leaves, too.
    sklearn_mia.LinearReconstructionAttack : Reads what the copy still tells.
    sklearn_mia.CoarsenedClassifier : Coarsens the answers instead.

    Notes
    -----
    The attack solves for sums over the leaves. Someone who tries out all sets of
    records that a small leaf may have had may find more: what it finds is no guarantee.

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
    return stripped_copy(model, "strip_counts")


def stripped_copy(model, caller):
    """What :func:`strip_counts` gives; errors name the `caller`."""
    check_is_fitted(model)
    stripped = copy.deepcopy(model)
    opened = open_model(stripped)
    inner = opened.classifier
    trees = trees_of(inner)
    if trees is None:
        known = _TREES + _FORESTS + STAGES + HISTOGRAMS
        kind = "Regressor" if is_regressor_model(model) else "Classifier"
        known = ", ".join(c.__name__ for c in known if c.__name__.endswith(kind))
        raise TypeError(
            f"{caller} got a {model_name(model)}; it knows {known} of trees, also "
            "within pipelines and other wrappers. What other models store they need "
            "for their answers: train it to tell less, or keep its file."
        )
    for layer in (*opened.wrappers, inner):
        _forget_seeds(layer)
    for part in (inner, *trees):
        for name in _SEEDS:
            if name in vars(part):
                setattr(part, name, None)
        for name in _TRACES:
            vars(part).pop(name, None)
    for tree in trees:
        _strip_tree(tree.tree_)
    if type(inner) in HISTOGRAMS:
        _strip_histogram(inner)
    first = getattr(inner, "init_", None)
    if first is not None and trees_of(open_model(first).classifier) is not None:
        inner.init_ = strip_counts(first)
    return stripped


def _forget_seeds(layer):
    seeds = [k for k in layer.get_params(deep=True) if k.endswith("random_state")]
    layer.set_params(**dict.fromkeys(seeds))
    # A search may have chosen among seeds.
    best = getattr(layer, "best_params_", {})
    if any(name.endswith("random_state") for name in best):
        del layer.best_params_, layer.cv_results_


def trees_of(model):
    """The trees of a model of a known class, None of any other."""
    if type(model) in HISTOGRAMS:
        return []
    if type(model) in STAGES:
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
    model._random_seed = model._feature_subsample_rng = None
    mapper = model._bin_mapper
    mapper.random_state = None
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


def total_equations(
    leaves, codes, may_have, kinds, fits, share, rate, sampling, fewest
):
    r"""Members in each leaf, by what its fractions tell of the number of draws.

    .. math:: \sum_{i: l(i) = l} m_i = b_l

    The draws of a leaf are a multiple of :math:`d_l`, the sum of the lowest terms of
    its fractions, or a number that has them after rounding, and there are some. Before
    looking, each record of the pool in the leaf is a member by a coin; afterwards the
    number of members has a mean E and a variance V, and before it had :math:`E_0` and
    :math:`V_0`. The equation that says as much has the variance
    :math:`r = 1 / (1 / V - 1 / V_0)` and :math:`b = r (E / V - E_0 / V_0)`. A leaf with
    a single record of the pool has a member.

    Parameters
    ----------
    leaves, codes : ndarray of shape (n_records, n_trees)
        Leaf of each record, and its class in the tree, negative if it has none.

    may_have : list of ndarray of shape (n_leaves, n_classes), dtype bool
        Which classes may have been drawn into a leaf.

    kinds : ndarray of int, one a leaf of all trees
        What its fractions tell.

    fits : callable
        Called with numbers of draws and a kind, tells which there may have been.

    share : float
        Of the pool that is in the training data.

    rate : float
        Draws of a training record.

    sampling : float
        Variance that a member adds, in units of its squared coefficient.

    fewest : int
        Draws that a leaf has at least.

    Returns
    -------
    equations : Equations
        "leaf total".
    """
    groups, sizes = np.empty(leaves.shape, dtype=np.int32), []
    for t, possible in enumerate(may_have):
        at, own = leaves[:, t], np.maximum(codes[:, t], 0)
        drawn = (codes[:, t] >= 0) & possible[at, own]
        groups[:, t] = np.where(drawn, at, -1)
        sizes.append(np.bincount(at[drawn], minlength=len(possible)))
    pairs = np.column_stack([np.concatenate(sizes), kinds])
    pairs, back = np.unique(pairs, axis=0, return_inverse=True)
    told = [
        _members_told(size, lambda d, k=kind: fits(d, k), share, rate, sampling, fewest)
        for size, kind in pairs.tolist()
    ]
    b, variance = np.array(told)[np.ravel(back)].T
    mean_square = share * np.maximum(np.concatenate(sizes), 1)
    matrix = grouped(groups, [len(possible) for possible in may_have])
    return Equations("leaf total", matrix, b, 0.0, variance / mean_square, of_pool=True)


def most_draws(size, rate):
    """More than that many draws of so many records there are not."""
    return size * rate + 8 * np.sqrt(size * rate + 1)


def _members_told(size, fits, share, rate, sampling, fewest):
    """What a leaf of so many records of the pool says of its members, and how surely.

    Parameters
    ----------
    size : int
        Records of the pool.

    fits : callable
        Tells which of some numbers of draws there may have been.

    share, rate, sampling, fewest : as in :func:`total_equations`

    Returns
    -------
    b, variance : float
        NaN and 0 where nothing is told.
    """
    nothing = np.nan, 0.0
    if not 0 < size <= _LARGEST_LEAF:
        return nothing
    # Of a large leaf the numbers near the mean, unless what is told is far from it.
    mean, most_off = size * share, 9 * np.sqrt(size * share * (1 - share))
    members = np.arange(
        max(int(mean - most_off), 0), min(int(mean + most_off) + 2, size + 1)
    )
    law = _law_of_members(members, size, fits, share, rate, sampling, fewest)
    if len(members) <= size and not law.sum() > _CERTAIN:
        members = np.arange(size + 1)
        law = _law_of_members(members, size, fits, share, rate, sampling, fewest)
    if not law.sum() > 0:
        return nothing
    law = law / law.sum()
    mean = law @ members
    variance = law @ (members - mean) ** 2
    before = size * share * (1 - share)
    if not variance < before * (1 - _CERTAIN):
        return nothing
    if variance < _CERTAIN:
        return float(np.rint(mean)), 0.0
    return tuple(map(float, as_equation(size * share, before, mean, variance)))


def _law_of_members(members, size, fits, share, rate, sampling, fewest):
    """Chance of each number of members, and of draws that fit."""
    prior, fewest = binom.pmf(members, size, share), max(fewest, 1)
    if not sampling:
        return prior * (fits(members) & (members >= fewest))
    few = rate * members[0] - 9 * np.sqrt(rate * members[0] + 1)
    draws = np.arange(max(fewest, int(few)), most_draws(members[-1], rate) + 1)
    draws = draws[fits(draws)]
    if not len(draws):
        draws = np.arange(fewest, _LARGEST_TERM + 1)
        draws = draws[fits(draws)][:1]
    return prior * poisson.pmf(draws, rate * members[:, None]).sum(axis=1)


def as_equation(mean_before, before, mean, variance):
    """What turns a mean and a variance into others: right side and variance of a row.

    A mean that moves where the variance hardly does would take a row that is off by
    many standard deviations, as if the pool were wrong: the row is then made surer.
    """
    moved = mean - mean_before
    most = (_MOST_OFF * before) ** 2 / np.maximum(moved**2, 1e-300) - before
    told = np.minimum(1 / (1 / variance - 1 / before), np.maximum(most, before))
    return mean_before + moved * (1 + told / before), told
