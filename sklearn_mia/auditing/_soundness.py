"""Models of a file whose compiled code cannot be led astray by what the file holds.

Trees, search trees and splines keep numbers that say where to read next, and their code
follows them without looking. A file that was made to, or damaged, could send it out of
the array, so these numbers are checked, or found anew, before a model is asked.
"""

from functools import partial
from numbers import Integral

import numpy as np
from scipy.interpolate import BSpline
from sklearn.compose import ColumnTransformer
from sklearn.ensemble._forest import BaseForest
from sklearn.ensemble._gb import BaseGradientBoosting
from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import (
    BaseHistGradientBoosting,
)
from sklearn.ensemble._hist_gradient_boosting.predictor import TreePredictor
from sklearn.metrics import DistanceMetric
from sklearn.neighbors import BallTree, KDTree
from sklearn.neighbors._base import NeighborsBase
from sklearn.preprocessing import FunctionTransformer, OrdinalEncoder
from sklearn.tree import BaseDecisionTree
from sklearn.tree._tree import Tree
from sklearn.utils.validation import check_array

_PLAIN = (str, bytes, int, float, type, type(None), np.generic)
_WORDS_OF_A_BITSET = 8
_FOLLOWED = (Tree, TreePredictor, KDTree, BallTree, DistanceMetric)


def make_sound(model, trusted=()):
    """Check or build anew what compiled code follows inside a model.

    A folder that a step caches its work in is forgotten, too: caches are pickles.

    Parameters
    ----------
    model : object
        Changed in place.

    trusted : collection of str, default=()
        Names of types that may stand where nothing is known to check them by.

    Raises
    ------
    ValueError
        If a tree leads out of its arrays or of the features of its model.
    """
    followed, known = [], set()
    for part in parts_of(model):
        if isinstance(part, _FOLLOWED):
            followed.append(part)
        for kind, check in _CHECKS:
            if isinstance(part, kind):
                known.update(map(id, check(part)))
        if isinstance(getattr(part, "__dict__", {}).get("memory"), str):
            part.memory = None
    for part in followed:
        name = f"{type(part).__module__}.{type(part).__name__}"
        _require(
            id(part) in known or name in trusted,
            f"a {name} where none belongs; to load it all the same: --trust {name}",
        )


def parts_of(model):
    """Yield each object inside a model, once."""
    waiting, seen = [model], {}
    while waiting:
        part = waiting.pop()
        if isinstance(part, _PLAIN) or id(part) in seen:
            continue
        seen[id(part)] = part
        yield part
        if isinstance(part, dict):
            waiting += part.values()
        elif isinstance(part, (list, tuple, set, frozenset)):
            waiting += part
        elif isinstance(part, np.ndarray):
            waiting += part.ravel().tolist() if part.dtype.hasobject else ()
        elif isinstance(part, partial):
            waiting += (part.func, part.args, part.keywords)
        waiting += getattr(part, "__dict__", {}).values()


def _require(sound, what="nodes that lead out of their arrays"):
    if not sound:
        raise ValueError(f"it holds {what}")


def _width(estimator):
    """Number of features, which an estimator checks itself when it is asked."""
    width = getattr(estimator, "n_features_in_", None)
    _require(isinstance(width, Integral), "trees of an unknown number of features")
    return int(width)


def _check_nodes(inner, children, features, width):
    """Require that each node leads to two later ones, by a feature that is there."""
    parents = np.flatnonzero(inner)
    _require(len(inner) > 0)
    for nodes in children:
        _require(((nodes[inner] > parents) & (nodes[inner] < len(inner))).all())
    _require(((features[inner] >= 0) & (features[inner] < width)).all())


def _check_tree(estimator):
    if not hasattr(estimator, "tree_"):
        return []
    tree, width = estimator.tree_, _width(estimator)
    _require(isinstance(tree, Tree) and tree.node_count <= tree.capacity)
    _require(tree.n_features == width)
    children = tree.children_left, tree.children_right
    inner = children[0] != -1
    _check_nodes(inner, children, tree.feature, width)
    return [tree]


def _check_ensemble(model):
    """Its trees are not asked one by one, and so check no features themselves."""
    if not hasattr(model, "estimators_"):
        return []
    trees = np.asarray(model.estimators_, dtype=object)
    for tree in trees.flat:
        _require(isinstance(tree, BaseDecisionTree) and _width(tree) == _width(model))
        _require(hasattr(tree, "tree_"), "a tree without nodes")
    if isinstance(model, BaseGradientBoosting):
        start = model._raw_predict_init(np.zeros((1, _width(model)), dtype=np.float32))
        _require(trees.shape[1:] == start.shape[1:], "trees of an unknown class")
    return []


def _check_histogram(model):
    if not hasattr(model, "_predictors"):
        return []
    width = _width(model)
    categorical = np.asarray(model._bin_mapper.is_categorical_, dtype=bool)
    _require(categorical.shape == (width,) and not getattr(model, "_in_fit", False))
    if model._preprocessor is not None:
        _check_reordering(model._preprocessor, width)
    predictors = [tree for stage in model._predictors for tree in stage]
    for tree in predictors:
        _require(isinstance(tree, TreePredictor))
        nodes, bitsets = tree.nodes, tree.raw_left_cat_bitsets
        inner = nodes["is_leaf"] == 0
        children = nodes["left"], nodes["right"]
        _check_nodes(inner, children, nodes["feature_idx"], width)
        sets = nodes[inner & (nodes["is_categorical"] != 0)]
        _require(categorical[sets["feature_idx"]].all())
        _require(bitsets.shape[1:] == (_WORDS_OF_A_BITSET,))
        _require((sets["bitset_idx"] < len(bitsets)).all())
    return predictors


def _check_reordering(columns, width):
    """Require that what puts categories first passes on as many columns."""
    _require(type(columns) is ColumnTransformer, "a step in place of categories")
    steps = [step for step in columns.transformers_ if step[1] != "drop"]
    for _, step, _ in steps:
        passes = isinstance(step, FunctionTransformer)
        passes = passes and getattr(step.func, "func", None) is check_array
        _require(passes or isinstance(step, OrdinalEncoder), "an unknown encoder")
    masks = [np.asarray(chosen, dtype=bool) for _, _, chosen in steps]
    _require(sum(mask.sum() for mask in masks) == width, "columns that are lost")


def _rebuild_search(neighbors):
    tree = getattr(neighbors, "_tree", None)
    if tree is None:
        return []
    _require(isinstance(tree, (KDTree, BallTree)), "an unknown search tree")
    metric = neighbors.effective_metric_
    _require(isinstance(metric, str), "a distance that is not named")
    neighbors._tree = type(tree)(
        neighbors._fit_X,
        neighbors.leaf_size,
        metric=metric,
        **neighbors.effective_metric_params_,
    )
    return [neighbors._tree]


def _rebuild_spline(spline):
    built = BSpline(spline.t, spline.c, spline.k, spline.extrapolate, spline.axis)
    vars(spline).update(vars(built))
    return []


_CHECKS = (
    (BaseDecisionTree, _check_tree),
    ((BaseForest, BaseGradientBoosting), _check_ensemble),
    (BaseHistGradientBoosting, _check_histogram),
    (NeighborsBase, _rebuild_search),
    (BSpline, _rebuild_spline),
)
