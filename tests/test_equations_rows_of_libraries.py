"""Rows of XGBoost, LightGBM and CatBoost with their noise, by hand in NumPy."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.equations import assert_rows, drawn_pool
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax

from sklearn_mia.equations._libraries import (
    _all_at,
    _is_plain_lightgbm,
    _lightgbm_leaves,
    _lightgbm_settings,
    _lightgbm_start,
    _xgboost_leaves,
    _xgboost_trees,
    equations_of_catboost,
    equations_of_lightgbm,
    equations_of_lightgbm_of_values,
    equations_of_xgboost,
    equations_of_xgboost_of_values,
)

N = 120


# Without the packages


def test_settings_of_lightgbm_are_read_from_its_text():
    text = "tree\n[a: 1]\n\nparameters:\n[lambda_l1: 0.5]\n"
    text += "[objective: binary]\n[empty: ]\n\nend of parameters\n[late: 3]\n"
    told = _lightgbm_settings(SimpleNamespace(model_to_string=lambda: text))
    assert {k: v for k, v in told.items() if k} == {
        "lambda_l1": "0.5",
        "objective": "binary",
        "empty:": "",
    }


def test_settings_are_at_their_numbers_where_a_model_has_them():
    told = {"a": "1", "b": "0.0", "c": ""}
    assert _all_at(told, a=1, b=0, c=7, missing=5)
    assert not _all_at(told, a=1, b=1)
    assert not _all_at(told, a=0)
    plain = {"lambda_l1": "0", "max_delta_step": "0.0"}
    assert _is_plain_lightgbm(plain)
    assert not _is_plain_lightgbm(plain | {"monotone_constraints": "1,0"})
    assert not _is_plain_lightgbm(plain | {"path_smooth": "1"})


def leaf(number, count, weight, value):
    told = {"leaf_count": count, "leaf_weight": weight, "leaf_value": value}
    return {"leaf_index": number, **told}


def test_leaves_of_lightgbm_are_in_the_order_of_their_numbers():
    inner = {"left_child": leaf(0, 5, 1.5, 0.1), "right_child": leaf(2, 7, 2.5, 0.2)}
    tree = {"left_child": inner, "right_child": leaf(1, 9, 3.5, 0.3)}
    counts, hessians, values = _lightgbm_leaves(tree)
    assert_array_equal(counts, [5, 9, 7])
    assert_array_equal(hessians, [1.5, 3.5, 2.5])
    assert_array_equal(values, [0.1, 0.3, 0.2])
    counts, hessians, values = _lightgbm_leaves({"leaf_value": 0.4})
    assert np.isnan([*counts, *hessians]).all()
    assert_array_equal(values, [0.4])


@pytest.mark.parametrize("is_log", [False, True])
@pytest.mark.parametrize("own", [[3, 10, 9], [29, 50, 16], [0, 0, 0], [30, 51, 19]])
def test_the_start_of_lightgbm_is_the_share_that_makes_counts_whole(own, is_log):
    counts, own = np.array([30.0, 51.0, 19.0]), np.array(own)
    factor, rate, ridge = (1.5 if is_log else 1.0), 0.1, 2.0
    p = own.sum() / 100
    used = np.clip(p, 0.005, 0.995)
    start = np.log(used) if is_log else np.log(used / (1 - used))
    hessians = counts * p * (1 - p) * factor
    values = start - rate * (counts * used - own) / (hessians + ridge)
    table = counts, hessians, values
    given = factor, is_log, rate, ridge
    assert _lightgbm_start(table, *given, False) == pytest.approx(start, rel=1e-12)
    assert _lightgbm_start(table, *given, True) == pytest.approx(start, rel=1e-6)
    # What is off by a little is of the nearest whole number of records.
    off = counts, hessians * (1 + 1e-4), values
    assert _lightgbm_start(off, *given, False) == pytest.approx(start, rel=1e-12)
    one = np.array([100.0]), np.array([np.nan]), np.array([0.7])
    assert _lightgbm_start(one, *given, False) == 0.7


def test_leaves_of_xgboost_are_in_the_order_of_their_nodes():
    tree = {
        "nodeid": 0,
        "children": [
            {"nodeid": 1, "leaf": 0.5, "cover": 7.0},
            {
                "nodeid": 2,
                "children": [
                    {"nodeid": 6, "leaf": -0.5, "cover": 3.0},
                    {"nodeid": 5, "leaf": 0.25, "cover": 4.0},
                ],
            },
        ],
    }
    covers, values, place = _xgboost_leaves(tree)
    assert_array_equal(covers, [7, 4, 3])
    assert_array_equal(values, [0.5, 0.25, -0.5])
    assert_array_equal(place[[1, 5, 6]], [0, 1, 2])


class Booster:
    """Tells other settings than it has."""

    def __init__(self, inner, **changes):
        self.inner, self.changes = inner, changes

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def save_config(self):
        config = json.loads(self.inner.save_config())
        for path, value in self.changes.items():
            *parts, last = path.split("__")
            at = config["learner"]
            for part in parts:
                at = at.setdefault(part, {})
            at[last] = value
        return json.dumps(config)


# With them


def newton_rows(inside, g, h, v, b, ridge, noise, least):
    """Rows of the leaves of a tree, their right sides and noise."""
    off = noise**2 * (g**2 + (v * h) ** 2) + least**2 * (1 + v**2)
    return inside * (g + v * h), -ridge * b, np.sqrt(inside @ off)


LIGHTGBM = {"num_leaves": 4, "min_child_samples": 5, "n_jobs": 1, "verbose": -1}


@pytest.mark.parametrize(
    ("n_classes", "settings"),
    [
        (2, {}),
        (3, {}),
        (2, {"reg_lambda": 2.0, "learning_rate": 0.3, "boost_from_average": False}),
        (3, {"reg_lambda": 2.0, "boost_from_average": False}),
    ],
)
def test_rows_of_lightgbm(n_classes, settings):
    lightgbm = pytest.importorskip("lightgbm")
    X, y, m = drawn_pool(n_classes)
    model = lightgbm.LGBMClassifier(n_estimators=3, **LIGHTGBM)
    model.set_params(**settings).fit(X[m], y[m])
    count, value, hessian = equations_of_lightgbm(model, X, y)
    K, rate, ridge = (1 if n_classes == 2 else 3), model.learning_rate, model.reg_lambda
    share = np.bincount(y[m]) / 80
    start = np.log(share) if K > 1 else np.log(share[1:] / share[:1])
    start = start * ("boost_from_average" not in settings)
    at = model.predict(X, pred_leaf=True).reshape(N, -1)
    dump = model.booster_.dump_model()["tree_info"]
    F, step = np.tile(start, (N, 1)), np.zeros((N, K))
    A, b, rows, right, scale, H, told, error = ([] for _ in range(8))
    for t, tree in enumerate(dump):
        k = t % K
        if k == 0:
            F, step = F + step, np.zeros((N, K))
        counts, weights, values = _lightgbm_leaves(tree["tree_structure"])
        values = values - start[k] * (t < K)
        inside = at[:, t] == np.arange(len(values))[:, None]
        step[:, k] = values @ inside
        p = softmax(F, axis=1)[:, k] if K > 1 else expit(F[:, 0])
        h = p * (1 - p) * (1.5 if K > 1 else 1)
        g = p - (y == (k if K > 1 else 1))
        v = step[:, k] / rate
        own = newton_rows(inside, g, h, v, values / rate, ridge, 5e-6, 1e-13)
        for found, new in zip((rows, right, scale), own, strict=True):
            found += list(new)
        A += list(inside)
        b += list(counts)
        H += list(inside * h)
        told += list(weights)
        least = 1e-26 * inside.sum(axis=1)
        error += list(np.sqrt((5e-6 * weights) ** 2 + least))
    assert_rows(count, "leaf count", A, b, n_members=80.0)
    assert_rows(value, "leaf value", rows, right, scale)
    assert_rows(hessian, "leaf Hessian", H, told, error)
    assert_allclose(np.array(H) @ m, told, rtol=1e-4)


def test_bags_of_lightgbm_see_a_share():
    lightgbm = pytest.importorskip("lightgbm")
    X, y, m = drawn_pool()
    model = lightgbm.LGBMClassifier(subsample=0.5, subsample_freq=1, **LIGHTGBM)
    model.set_params(n_estimators=3).fit(X[m], y[m])
    tables = [
        _lightgbm_leaves(tree["tree_structure"])
        for tree in model.booster_.dump_model()["tree_info"]
    ]
    for read, n_blocks in (
        (equations_of_lightgbm, 3),
        (equations_of_lightgbm_of_values, 2),
    ):
        if n_blocks == 2:
            model = lightgbm.LGBMRegressor(subsample=0.5, subsample_freq=1, **LIGHTGBM)
            model.set_params(n_estimators=3).fit(X[m], y[m])
            dump = model.booster_.dump_model()["tree_info"]
            tables = [_lightgbm_leaves(tree["tree_structure"]) for tree in dump]
        found = read(model, X, y)
        assert len(found) == n_blocks
        assert_allclose(found[0].b, 2 * np.concatenate([t[0] for t in tables]))
        n = 2 * np.mean([table[0].sum() for table in tables])
        assert found[0].n_members == pytest.approx(n)
        assert [rows.sampling for rows in found] == [1.0] * n_blocks
    # A share that no tree takes is none.
    model = lightgbm.LGBMClassifier(subsample=0.5, **LIGHTGBM)
    found = equations_of_lightgbm(model.set_params(n_estimators=2).fit(X, y), X, y)
    assert found[0].sampling == 0
    assert found[0].n_members == N


def test_settings_of_lightgbm_leave_its_counts_or_nothing():
    lightgbm = pytest.importorskip("lightgbm")
    X, y, m = drawn_pool()
    for settings, n_blocks in (
        ({}, 3),
        ({"class_weight": {0: 2.0}}, 1),
        ({"scale_pos_weight": 2.0}, 1),
        ({"reg_alpha": 0.1}, 1),
        ({"max_delta_step": 0.5}, 1),
        ({"path_smooth": 1.0}, 1),
        ({"monotone_constraints": [1, 0, 0, 0]}, 1),
        ({"objective": "cross_entropy"}, 1),
        ({"boosting_type": "dart"}, 0),
        ({"data_sample_strategy": "goss"}, 0),
        ({"pos_bagging_fraction": 0.5, "subsample_freq": 1}, 0),
    ):
        model = lightgbm.LGBMClassifier(**{**LIGHTGBM, "n_estimators": 2, **settings})
        found = equations_of_lightgbm(model.fit(X[m], y[m]), X, y)
        assert len(found) == n_blocks, settings
    for settings, n_blocks in (
        ({}, 2),
        ({"reg_sqrt": True}, 1),
        ({"reg_alpha": 0.1}, 1),
        ({"objective": "regression_l1"}, 1),
        ({"boosting_type": "dart"}, 0),
    ):
        model = lightgbm.LGBMRegressor(**{**LIGHTGBM, "n_estimators": 2, **settings})
        found = equations_of_lightgbm_of_values(model.fit(X[m], y[m] + 1.0), X, y + 1.0)
        assert len(found) == n_blocks, settings


@pytest.mark.parametrize("from_average", [True, False])
def test_rows_of_lightgbm_of_values(from_average):
    lightgbm = pytest.importorskip("lightgbm")
    X, y, m = drawn_pool()
    y = 3.0 * y + X[:, 0]
    model = lightgbm.LGBMRegressor(
        reg_lambda=2.0, boost_from_average=from_average, **LIGHTGBM
    )
    model.set_params(n_estimators=3).fit(X[m], y[m])
    count, value = equations_of_lightgbm_of_values(model, X, y)
    at, A, b, rows, right, scale = model.predict(X, pred_leaf=True), [], [], [], [], []
    start, F = 0.0, None
    for t, tree in enumerate(model.booster_.dump_model()["tree_info"]):
        counts, _, values = _lightgbm_leaves(tree["tree_structure"])
        if t == 0:
            start = np.average(values, weights=counts + 2) if from_average else 0.0
            F, values = np.full(N, start), values - start
        inside = at[:, t] == np.arange(len(values))[:, None]
        v = values @ inside
        given = F - y, np.ones(N), v / 0.1, values / 0.1
        own = newton_rows(inside, *given, 2.0, 5e-6, 1e-7 * abs(y).max())
        for found, new in zip((rows, right, scale), own, strict=True):
            found += list(new)
        A += list(inside)
        b += list(counts)
        F = F + v
    assert start == pytest.approx(y[m].mean() * from_average, abs=1e-6)
    assert_rows(count, "leaf count", A, b, n_members=80.0)
    assert_rows(value, "leaf value", rows, right, scale)


def test_trees_of_one_leaf_are_no_step_of_lightgbm():
    lightgbm = pytest.importorskip("lightgbm")
    X, y, m = drawn_pool()
    large = {**LIGHTGBM, "min_child_samples": 70, "n_estimators": 2}
    for read, cls in (
        (equations_of_lightgbm, lightgbm.LGBMClassifier),
        (equations_of_lightgbm_of_values, lightgbm.LGBMRegressor),
    ):
        _, value, *_ = read(cls(**large).fit(X[m], y[m]), X, y)
        assert np.isinf(value.scale).all()


def xgboost_leaves(tree, found):
    for node in tree.get("children", [tree]):
        if "children" in node:
            xgboost_leaves(node, found)
        else:
            found.append((node["nodeid"], node["cover"], node["leaf"]))
    return sorted(found)


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("subsample", [1.0, 0.5])
def test_rows_of_xgboost(n_classes, subsample):
    xgboost = pytest.importorskip("xgboost")
    X, y, m = drawn_pool(n_classes)
    model = xgboost.XGBClassifier(
        n_estimators=3, max_depth=2, n_jobs=1, reg_lambda=2.0, subsample=subsample
    ).fit(X[m], y[m])
    value, hessian = equations_of_xgboost(model, X, y)
    K, booster = (1 if n_classes == 2 else 3), model.get_booster()
    told = json.loads(booster.save_config())["learner"]["learner_model_param"]
    start = np.array(json.loads(told["base_score"]), dtype=float).ravel()
    start = np.log(start / (1 - start)) if K == 1 else start
    at = model.apply(X).reshape(N, -1)
    F, step = np.zeros((N, K)) + start, np.zeros((N, K))
    rows, right, scale, H, covers = ([] for _ in range(5))
    dumps = booster.get_dump(dump_format="json", with_stats=True)
    for t, dump in enumerate(map(json.loads, dumps)):
        k = t % K
        if k == 0:
            F, step = F + step, np.zeros((N, K))
        nodes, cover, values = np.array(xgboost_leaves(dump, [])).T
        inside = at[:, t] == nodes[:, None]
        step[:, k] = values @ inside
        p = softmax(F, axis=1)[:, k] if K > 1 else expit(F[:, 0])
        h, g = p * (1 - p) * (2 if K > 1 else 1), p - (y == (k if K > 1 else 1))
        v, eta = step[:, k], 0.300000012
        own = newton_rows(inside, g, h, v / eta, values / eta, 2.0, 5e-6, 1e-7)
        for found, new in zip((rows, right, scale), own, strict=True):
            found += list(new)
        H += list(inside * h)
        covers += list(np.column_stack([cover, inside.sum(axis=1)]))
    covers, sizes = np.transpose(covers)
    error = np.sqrt((5e-6 * covers) ** 2 + 1e-14 * sizes)
    sampling = 1 / subsample - 1
    right = np.array(right) / subsample
    assert_rows(value, "leaf value", rows, right, scale, sampling)
    assert_rows(hessian, "leaf Hessian", H, covers / subsample, error, sampling)


@pytest.mark.parametrize("subsample", [1.0, 0.5])
def test_rows_of_xgboost_of_values(subsample):
    xgboost = pytest.importorskip("xgboost")
    X, y, m = drawn_pool()
    y = 3.0 * y + X[:, 0]
    settings = {"n_estimators": 3, "max_depth": 2, "n_jobs": 1, "reg_lambda": 2.0}
    model = xgboost.XGBRegressor(subsample=subsample, **settings).fit(X[m], y[m])
    count, value = equations_of_xgboost_of_values(model, X, y)
    booster = model.get_booster()
    told = json.loads(booster.save_config())["learner"]["learner_model_param"]
    F = np.full(N, np.ravel(json.loads(told["base_score"]))[0], dtype=float)
    at, A, covers, rows, right, scale = model.apply(X), [], [], [], [], []
    dumps = booster.get_dump(dump_format="json", with_stats=True)
    for t, dump in enumerate(map(json.loads, dumps)):
        nodes, cover, values = np.array(xgboost_leaves(dump, [])).T
        inside, eta = at[:, t] == nodes[:, None], 0.300000012
        v = values @ inside
        given = F - y, np.ones(N), v / eta, values / eta
        own = newton_rows(inside, *given, 2.0, 5e-6, 1e-7 * abs(y).max())
        for found, new in zip((rows, right, scale), own, strict=True):
            found += list(new)
        A += list(inside)
        covers.append(cover)
        F = F + v
    n = np.mean([cover.sum() for cover in covers]) / subsample
    b, sampling = np.concatenate(covers) / subsample, 1 / subsample - 1
    assert_rows(count, "leaf count", A, b, 0, sampling, n_members=n)
    right = np.array(right) / subsample
    assert_rows(value, "leaf value", rows, right, scale, sampling)
    weights = np.linspace(1, 2, 80)
    model.fit(X[m], y[m], sample_weight=weights)
    assert equations_of_xgboost_of_values(model, X, y) == []


def test_other_settings_of_xgboost_tell_nothing():
    xgboost = pytest.importorskip("xgboost")
    X, y, m = drawn_pool()
    model = xgboost.XGBClassifier(n_estimators=2, max_depth=2, n_jobs=1)
    inner = model.fit(X[m], y[m]).get_booster()
    names = ("binary:logistic", "multi:softprob")
    tree = "gradient_booster__tree_train_param__"
    for changes, is_read in (
        ({}, True),
        ({tree + "monotone_constraints": "(0,0)"}, True),
        ({tree + "monotone_constraints": "(0,1)"}, False),
        ({tree + "sampling_method": "gradient_based"}, False),
        ({tree + "alpha": "1"}, False),
        ({tree + "max_delta_step": "1"}, False),
        ({"gradient_booster__name": "dart"}, False),
        ({"gradient_booster__gbtree_model_param__num_parallel_tree": "2"}, False),
        ({"objective__name": "binary:hinge"}, False),
        ({"objective__reg_loss_param__scale_pos_weight": "2"}, False),
    ):
        told = SimpleNamespace(
            get_booster=lambda c=changes: Booster(inner, **c), apply=model.apply
        )
        assert (_xgboost_trees(told, X, names) is not None) is is_read, changes
    assert _xgboost_trees(model, X, names[1:]) is None


def test_rows_of_catboost():
    catboost = pytest.importorskip("catboost")
    X, y, m = drawn_pool()
    settings = {"iterations": 3, "depth": 2, "verbose": False, "thread_count": 1}
    settings["allow_writing_files"] = False
    model = catboost.CatBoostClassifier(**settings).fit(X[m], y[m])
    (rows,) = equations_of_catboost(model, X, y)
    at = np.asarray(model.calc_leaf_indexes(X))
    A = np.concatenate([at[:, t] == np.arange(4)[:, None] for t in range(3)])
    assert_rows(rows, "leaf count", A, np.sum(A & m, axis=1), n_members=80.0)
    model.fit(X[m], y[m], sample_weight=np.linspace(1, 2, 80))
    assert equations_of_catboost(model, X, y) == []
    three = np.arange(N) % 3
    model = catboost.CatBoostClassifier(**settings).fit(X, three)
    assert equations_of_catboost(model, X, three) == []
    kinds = np.column_stack([X[:, 0], np.round(X[:, 1]).astype(int)]).astype(object)
    kinds[:, 1] = kinds[:, 1].astype(int)
    model = catboost.CatBoostClassifier(cat_features=[1], **settings).fit(kinds, y)
    assert equations_of_catboost(model, kinds, y) == []
