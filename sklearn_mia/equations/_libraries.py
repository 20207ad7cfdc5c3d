"""What XGBoost, LightGBM and CatBoost store, read by their public methods."""

import json

import numpy as np

from sklearn_mia.equations._boosting import (
    newton_equations,
    probabilities,
    staged_scores,
)
from sklearn_mia.equations._registry import register_equations
from sklearn_mia.equations._system import Equations, grouped
from sklearn_mia.response import find_labels

# Gradients of float32, and in XGBoost their sums too.
_ROUNDING = 5e-6
_SMALLEST = 1e-7
_WHOLE = 1e-4


@register_equations("lightgbm.sklearn.LGBMClassifier")
def equations_of_lightgbm(estimator, X, y):
    r"""Three sums over each leaf of each tree of LightGBM.

    .. math:: \sum_l m = n_l, \qquad \sum_l m \, h = H_l, \qquad
        \sum_l m \, (g + v h) = -\lambda v

    with :math:`g = p - [y = c]`, :math:`h = p (1 - p)`, times K / (K - 1) for K > 2
    classes, and v the value of the leaf before shrinkage. The scores start at the
    shares of the classes, which are not stored: the Hessian of the first tree tells
    :math:`p_0 (1 - p_0)`, and of its two roots the one is taken with which the records
    of the class in its leaves are whole numbers. The noise is that of gradients of
    float32. With bagging a tree sees a share of the records, as in gradient boosting.

    Parameters
    ----------
    estimator : LGBMClassifier
        With the booster "gbdt". For more than the counts the objective is "binary" or
        "multiclass", without weights, l1, smoothing, monotonic constraints and limits
        of the values; categorical splits have no value equation.

    X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "leaf count", "leaf value" and "leaf Hessian".
    """
    read = _lightgbm_counts(estimator, X)
    if read is None:
        return []
    told, dump, leaves, trees, tables, share, count = read
    _, hessians, values = zip(*tables, strict=True)
    matrix = count.matrix
    if (
        told["objective"] not in ("binary", "multiclass")
        or estimator.class_weight is not None
        or not _all_at(told, scale_pos_weight=1, sigmoid=1)
        or not _is_plain_lightgbm(told)
    ):
        return [count]
    codes = find_labels(np.asarray(y), estimator.classes_)
    n_scores = dump["num_tree_per_iteration"]
    factor = n_scores / (n_scores - 1) if n_scores > 1 else 1.0
    rate, ridge = float(told["learning_rate"]), float(told["lambda_l2"])
    start = np.zeros(n_scores)
    if _all_at(told, boost_from_average=1):
        for k in range(n_scores):
            start[k] = _lightgbm_start(
                tables[k], factor, n_scores > 1, rate, ridge, share < 1
            )
    # The values of the first trees have the start in them.
    steps = [v - start[t] if t < n_scores else v for t, v in enumerate(values)]
    first = np.tile(start, (len(codes), 1))
    scores, own = staged_scores(first, leaves, steps, codes)
    p = probabilities(scores, n_scores)
    shown = [
        np.full(len(step), np.nan) if tree["num_cat"] or len(step) == 1 else step / rate
        for tree, step in zip(trees, steps, strict=True)
    ]
    told_hessians = np.concatenate(hessians)
    newton = newton_equations(
        matrix,
        p - own,
        factor * p * (1 - p),
        np.concatenate(shown),
        told_hessians,
        ridge,
        rounding=_ROUNDING,
        rounding_of_hessians=_ROUNDING * told_hessians,
        share=share,
    )
    return [count, *newton]


@register_equations("lightgbm.sklearn.LGBMRegressor")
def equations_of_lightgbm_of_values(estimator, X, y):
    r"""Two sums over each leaf of each tree of a regressor of LightGBM.

    .. math:: \sum_l m = n_l, \qquad \sum_l m \, (F - y + v) = -\lambda v

    with F the prediction before the tree and v the value of the leaf before shrinkage.
    The predictions start at the mean value, which is not stored: it is
    :math:`\sum v_l (n_l + \lambda) / \sum (n_l + \lambda)` over the first tree, whose
    values have it in them.

    Parameters
    ----------
    estimator : LGBMRegressor
        With the booster "gbdt". For more than the counts the objective is
        "regression", at the settings of :func:`equations_of_lightgbm`.

    X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "leaf count" and "leaf value".
    """
    read = _lightgbm_counts(estimator, X)
    if read is None:
        return []
    told, _, leaves, trees, tables, share, count = read
    plain = told["objective"] == "regression" and _is_plain_lightgbm(told)
    if not plain or not _all_at(told, reg_sqrt=0):
        return [count]
    counts, _, values = zip(*tables, strict=True)
    rate, ridge = float(told["learning_rate"]), float(told["lambda_l2"])
    start = 0.0
    if _all_at(told, boost_from_average=1):
        start = np.average(values[0], weights=counts[0] + ridge)
    steps = [v - start if t == 0 else v for t, v in enumerate(values)]
    shown = [
        np.full(len(step), np.nan) if tree["num_cat"] or len(step) == 1 else step / rate
        for tree, step in zip(trees, steps, strict=True)
    ]
    return [
        count,
        _steps_of_values(count, leaves, start, steps, shown, ridge, y, share),
    ]


def _steps_of_values(count, leaves, start, steps, shown, ridge, y, share):
    """What the values of leaves tell where the loss is the squared error."""
    targets = np.asarray(y, dtype=np.float64)
    first = np.full((len(targets), 1), start)
    scores, _ = staged_scores(first, leaves, steps, np.ones(len(targets)))
    value, _ = newton_equations(
        count.matrix,
        scores - targets[:, None],
        np.ones(leaves.shape),
        np.concatenate(shown),
        np.full(len(count.b), np.nan),
        ridge,
        rounding=_ROUNDING,
        rounding_of_hessians=0.0,
        smallest=_SMALLEST * np.abs(targets).max(initial=0.0),
        share=share,
    )
    return value


def _lightgbm_counts(estimator, X):
    """Settings, dump, leaves, trees and their tables, share, counts; None for none."""
    booster = estimator.booster_
    told = _lightgbm_settings(booster)
    if (
        told.get("boosting") != "gbdt"
        or told.get("data_sample_strategy", "bagging") != "bagging"
        or not _all_at(told, pos_bagging_fraction=1, neg_bagging_fraction=1)
    ):
        return None
    dump = booster.dump_model()
    leaves = np.asarray(estimator.predict(X, pred_leaf=True), dtype=np.int32)
    leaves = leaves.reshape(len(leaves), -1)
    trees = dump["tree_info"][: leaves.shape[1]]
    tables = [_lightgbm_leaves(tree["tree_structure"]) for tree in trees]
    counts = [table[0] for table in tables]
    share = float(told["bagging_fraction"]) if float(told["bagging_freq"]) else 1.0
    n_members = np.mean([c.sum() for c in counts]) / share
    matrix = grouped(leaves, [len(c) for c in counts])
    b = np.concatenate(counts) / share
    count = Equations("leaf count", matrix, b, 0.0, 1 / share - 1, n_members)
    return told, dump, leaves, trees, tables, share, count


def _is_plain_lightgbm(told):
    """Whether the values of leaves are plain Newton steps."""
    zeros = dict.fromkeys(_LIGHTGBM_ZEROS, 0)
    return not told.get("monotone_constraints") and _all_at(told, **zeros)


_LIGHTGBM_ZEROS = (
    "lambda_l1",
    "max_delta_step",
    "path_smooth",
    "linear_tree",
    "use_quantized_grad",
    "is_unbalance",
)


def _lightgbm_settings(booster):
    """Parameters by their one name, as the text of the model tells them."""
    text = booster.model_to_string()
    text = text.partition("\nparameters:")[2].partition("end of parameters")[0]
    pairs = (line.strip("[] ").partition(": ") for line in text.splitlines())
    return {name: value.strip() for name, _, value in pairs}


def _all_at(told, **expected):
    """Whether settings are at these numbers, where the model has them."""
    given = ((told.get(name) or value, value) for name, value in expected.items())
    return all(float(own) == value for own, value in given)


def _lightgbm_leaves(node):
    """Counts, Hessians and values of the leaves of a tree, by their numbers."""
    found, waiting = {}, [node]
    while waiting:
        node = waiting.pop()
        if "left_child" in node:
            waiting += [node["left_child"], node["right_child"]]
        else:
            # A tree of a single leaf has no weight.
            told = (node.get(name, np.nan) for name in ("leaf_count", "leaf_weight"))
            found[node.get("leaf_index", 0)] = (*told, node["leaf_value"])
    return np.array([found[leaf] for leaf in range(len(found))], dtype=np.float64).T


def _lightgbm_start(table, factor, is_log, rate, ridge, is_bagged):
    r"""Score of a class at the start: that of the root which makes counts whole.

    With it, the records of the class in each leaf of the first tree are
    :math:`n_l p_0 + v_l (H_l + \lambda)`.
    """
    counts, hessians, values = table
    n = counts.sum()
    if len(counts) == 1:
        # A tree that was not split is the start alone.
        return values[0]
    width = np.sqrt(max(0.25 - hessians.sum() / n / factor, 0.0))
    found = []
    for p in (0.5 - width, 0.5 + width):
        # Of all records, not of a bag of them, it is a whole number.
        p = p if is_bagged else np.rint(p * n) / n
        p = np.clip(p, 0.5 / n, 1 - 0.5 / n)
        start = np.log(p) if is_log else np.log(p / (1 - p))
        own = counts * p + (values - start) / rate * (hessians + ridge)
        found.append((np.abs(own - np.rint(own)).sum(), start))
    return min(found)[1]


@register_equations("xgboost.sklearn.XGBClassifier")
def equations_of_xgboost(estimator, X, y):
    r"""Two sums over each leaf of each tree of XGBoost.

    .. math:: \sum_l m \, h = \text{cover}_l, \qquad
        \sum_l m \, (g + v h) = -\lambda v

    with :math:`g = p - [y = c]`, :math:`h = p (1 - p)`, twice that for several
    classes, and v the value of the leaf before shrinkage. The noise is that of sums of
    float32. With `subsample` a tree sees a share of the records, as in gradient
    boosting.

    Parameters
    ----------
    estimator : XGBClassifier
        With the booster "gbtree", one tree a class and round, and the objective
        "binary:logistic" or "multi:softprob"; without weights, l1, monotonic
        constraints and limits of the values.

    X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "leaf value" and "leaf Hessian".
    """
    read = _xgboost_trees(estimator, X, ("binary:logistic", "multi:softprob"))
    if read is None:
        return []
    settings, n_scores, start, leaves, covers, values = read
    codes = find_labels(np.asarray(y), estimator.classes_)
    if n_scores == 1:
        start = np.log(start / (1 - start))
    first = np.tile(np.broadcast_to(start, n_scores), (len(codes), 1))
    scores, own = staged_scores(first, leaves, values, codes)
    p = probabilities(scores, n_scores)
    matrix = grouped(leaves, [len(v) for v in values])
    cover = np.concatenate(covers)
    return newton_equations(
        matrix,
        p - own,
        p * (1 - p) * (2 if n_scores > 1 else 1),
        np.concatenate(values) / float(settings["eta"]),
        cover,
        float(settings["lambda"]),
        rounding=_ROUNDING,
        rounding_of_hessians=_ROUNDING * cover,
        smallest=_SMALLEST,
        share=float(settings["subsample"]),
    )


@register_equations("xgboost.sklearn.XGBRegressor")
def equations_of_xgboost_of_values(estimator, X, y):
    r"""Two sums over each leaf of each tree of a regressor of XGBoost.

    .. math:: \sum_l m = \text{cover}_l, \qquad
        \sum_l m \, (F - y + v) = -\lambda v

    with F the prediction before the tree and v the value of the leaf before shrinkage.

    Parameters
    ----------
    estimator : XGBRegressor
        With the objective "reg:squarederror", at the settings of
        :func:`equations_of_xgboost`. Covers that are not whole are sums of weights of
        records, and give nothing.

    X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "leaf count" and "leaf value".
    """
    read = _xgboost_trees(estimator, X, ("reg:squarederror",))
    if read is None:
        return []
    settings, _, start, leaves, covers, values = read
    whole = np.rint(np.concatenate(covers))
    if np.abs(np.concatenate(covers) - whole).max() > _WHOLE:
        return []
    share, rate = float(settings["subsample"]), float(settings["eta"])
    matrix = grouped(leaves, [len(v) for v in values])
    n_members = np.mean([cover.sum() for cover in covers]) / share
    count = Equations(
        "leaf count", matrix, whole / share, 0.0, 1 / share - 1, n_members
    )
    shown, ridge = [v / rate for v in values], float(settings["lambda"])
    told = count, leaves, start[0], values, shown, ridge
    return [count, _steps_of_values(*told, y, share)]


def _xgboost_trees(estimator, X, objectives):
    """Settings, scores a round, start, leaves, covers and values; None for others."""
    booster = estimator.get_booster()
    told = json.loads(booster.save_config())["learner"]
    if told["gradient_booster"]["name"] != "gbtree":
        return None
    settings = told["gradient_booster"]["tree_train_param"]
    if (
        told["objective"]["name"] not in objectives
        or told["gradient_booster"]["gbtree_model_param"]["num_parallel_tree"] != "1"
        or settings.get("sampling_method", "uniform") != "uniform"
        or settings.get("monotone_constraints", "()").strip("()0, ")
        or not _all_at(settings, alpha=0, max_delta_step=0)
        or not _all_at(told["objective"].get("reg_loss_param", {}), scale_pos_weight=1)
    ):
        return None
    leaves = np.asarray(estimator.apply(X)).astype(np.int32)
    leaves = leaves.reshape(len(leaves), -1)
    dumps = booster.get_dump(dump_format="json", with_stats=True)
    tables = [_xgboost_leaves(json.loads(d)) for d in dumps[: leaves.shape[1]]]
    leaves = np.column_stack([table[2][leaves[:, t]] for t, table in enumerate(tables)])
    covers, values = [t[0] for t in tables], [t[1] for t in tables]
    model = told["learner_model_param"]
    n_scores = max(int(model["num_class"]), 1)
    start = np.array(model["base_score"].strip("[]").split(","), dtype=np.float64)
    return settings, n_scores, start, leaves, covers, values


def _xgboost_leaves(node):
    """Covers and values of the leaves, and the place of a node's number among them."""
    found, waiting = [], [node]
    while waiting:
        node = waiting.pop()
        if "children" in node:
            waiting += node["children"]
        else:
            found.append((node["nodeid"], node["cover"], node["leaf"]))
    found = np.array(sorted(found), dtype=np.float64)
    numbers = found[:, 0].astype(int)
    place = np.zeros(numbers.max() + 1, dtype=np.int32)
    place[numbers] = np.arange(len(numbers))
    return found[:, 1], found[:, 2], place


@register_equations("catboost.core.CatBoostClassifier")
def equations_of_catboost(estimator, X, y):
    r"""Number of records in each leaf of each tree of CatBoost, exact.

    .. math:: \sum_l m = \text{weight}_l

    Values are sums of several Newton steps, and left out. Weights of leaves that are
    not whole are sums of weights of records, and give nothing.

    Parameters
    ----------
    estimator : CatBoostClassifier
        Of two classes, trained without weights and without categorical features, whose
        statistics in training are not those of later.

    X : {array-like, DataFrame} of shape (n_records, n_features)

    y : array-like of shape (n_records,)

    Returns
    -------
    equations : list of Equations
        "leaf count".
    """
    if len(estimator.get_cat_feature_indices()) or len(estimator.classes_) > 2:
        return []
    sizes = np.asarray(estimator.get_tree_leaf_counts())
    weights = np.asarray(estimator.get_leaf_weights(), dtype=np.float64)
    if np.any(np.abs(weights - np.rint(weights)) > _WHOLE):
        return []
    leaves = np.asarray(estimator.calc_leaf_indexes(X)).astype(np.int32)
    matrix = grouped(leaves, sizes)
    b = np.rint(weights)
    n_members = float(b[: sizes[0]].sum())
    return [Equations("leaf count", matrix, b, n_members=n_members)]
