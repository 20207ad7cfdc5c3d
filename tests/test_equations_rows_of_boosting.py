"""Rows of boosting with their noise, by hand in NumPy."""

import numpy as np
import pytest
from helpers.equations import assert_rows, drawn_pool, leaves_of
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax
from sklearn.ensemble import (
    AdaBoostClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import round_values, strip_counts
from sklearn_mia.equations import _boosting, grouped
from sklearn_mia.equations._boosting import (
    _bin_equations,
    _leaf_hessians,
    equations_of_adaboost,
    equations_of_gradient_boosting,
    equations_of_histogram_boosting,
    newton_equations,
    probabilities,
    staged_scores,
)
from sklearn_mia.equations._regressors import (
    equations_of_gradient_boosting_of_values,
    equations_of_histogram_boosting_of_values,
)
from sklearn_mia.equations._rounded import told_by_bounds

N = 120


@pytest.mark.parametrize(
    ("loss", "n_classes"), [("log_loss", 2), ("log_loss", 3), ("exponential", 2)]
)
@pytest.mark.parametrize("subsample", [1.0, 0.5])
def test_rows_of_gradient_boosting(subsample, loss, n_classes):
    X, y, m = drawn_pool(n_classes)
    model = GradientBoostingClassifier(
        n_estimators=3,
        max_depth=2,
        learning_rate=0.7,
        subsample=subsample,
        loss=loss,
        random_state=0,
    ).fit(X[m], y[m])
    count, value = equations_of_gradient_boosting(model, X, y)
    stages = [np.reshape(s, (N, -1)) for s in model.staged_decision_function(X)]
    K = stages[0].shape[1]
    steps = np.array([[tree.predict(X) for tree in own] for own in model.estimators_])
    A, b, rows, scale = [], [], [], []
    for s, own in enumerate(model.estimators_):
        F = stages[s] - 0.7 * steps[s].T
        for k, tree in enumerate(own):
            target = (y == (k if K > 1 else 1)).astype(float)
            if loss == "exponential":
                sign = 2 * target - 1
                r = sign * np.exp(-sign * F[:, 0])
                h = abs(r)
            else:
                p = softmax(F, axis=1)[:, k] if K > 1 else expit(F[:, 0])
                r, h = (target - p) * ((K - 1) / K if K > 1 else 1), p * (1 - p)
            nodes, inside = leaves_of(tree, X)
            A += list(inside)
            b += list(tree.tree_.n_node_samples[nodes] / subsample)
            v = steps[s, k]
            rows += list(inside * (r - v * h))
            off = 1e-18 * (r**2 + (v * h) ** 2) + 1e-26 * (1 + v**2)
            scale += list(np.sqrt(inside @ off))
    sampling = 1 / subsample - 1
    assert_rows(count, "leaf count", A, b, 0, sampling, n_members=80.0)
    assert_rows(value, "leaf value", rows, np.zeros(len(rows)), scale, sampling)


def rounded_steps(rows, b, inside, h, slopes, K, rate, ridge, decimals, sampling):
    """Rows of rounded values, tree by tree; `inside` and others are lists of trees."""
    step, found = 10.0**-decimals, []
    for t, own in enumerate(inside):
        width = step / rate * (own @ h[t] / 2 + ridge)
        drift = np.zeros(len(own))
        for s in range(t % K, t, K):
            shared = (own * slopes[t] / 2) @ inside[s].T
            drift += (2 if K > 1 else 1) * (shared**2).sum(axis=1) * step**2 / 12
        squares = (rows[t] ** 2).sum(axis=1)
        mean = rows[t].sum(axis=1) / 2 - b[t]
        before = squares / 4 + sampling / 2 * squares + drift
        told = told_by_bounds(mean, before, -width / 2, width / 2)
        variance = sampling + (told[1] + drift) / np.maximum(squares / 2, 1e-9)
        found.append((b[t] + told[0], variance))
    return [np.concatenate(part) for part in zip(*found, strict=True)]


@pytest.mark.parametrize(
    ("loss", "n_classes"), [("log_loss", 2), ("log_loss", 3), ("exponential", 2)]
)
def test_rows_of_rounded_gradient_boosting(loss, n_classes):
    X, y, m = drawn_pool(n_classes)
    model = GradientBoostingClassifier(
        n_estimators=3, max_depth=2, learning_rate=0.5, loss=loss, subsample=0.8
    )
    model = round_values(model.set_params(random_state=0).fit(X[m], y[m]), 1)
    (value,) = equations_of_gradient_boosting(model, X, y)
    plain = strip_counts(model)
    for part in (plain, *np.ravel(plain.estimators_)):
        del part.decimals_
    (exact,) = equations_of_gradient_boosting(plain, X, y)
    K = 1 if n_classes == 2 else 3
    trees, F = np.ravel(model.estimators_), model._raw_predict_init(X).astype(float)
    inside, h, slopes, A, start = [], [], [], [], 0
    for t, tree in enumerate(trees):
        if t % K == 0 and t:
            for k in range(K):
                F[:, k] += 0.5 * trees[t - K + k].predict(X)
        v = tree.predict(X)
        if loss == "exponential":
            hessian = np.exp(-(2 * y - 1) * F[:, 0])
            slope = hessian * (1 + abs(v))
        else:
            p = softmax(F, axis=1)[:, t % K] if K > 1 else expit(F[:, 0])
            hessian = p * (1 - p)
            slope = hessian * (1 + v * (1 - 2 * p))
        own = leaves_of(tree, X)[1]
        inside.append(own)
        h.append(hessian)
        slopes.append(slope)
        A.append(exact._toarray(N)[start : start + len(own)])
        start += len(own)
    b = [np.zeros(len(own)) for own in inside]
    found = rounded_steps(A, b, inside, h, slopes, K, 0.5, 0.0, 1, 0.25)
    b, sampling = found
    A, scale = np.concatenate(A), exact.scale
    assert_rows(value, "leaf value", A, b, scale, sampling, of_pool=True)


def histogram_leaves(model, X):
    """Whether each record is in each leaf of each tree, by its prediction there."""
    trees = [tree for stage in model._predictors for tree in stage]
    known = model._bin_mapper.make_known_categories_bitsets()
    found = []
    for tree in trees:
        nodes = tree.nodes.copy()
        nodes["value"] = np.arange(len(nodes))
        bitsets = tree.binned_left_cat_bitsets, tree.raw_left_cat_bitsets
        walker = type(tree)(nodes, *bitsets)
        at = walker.predict(X, *known, 1)
        leaf = np.flatnonzero(tree.nodes["is_leaf"])
        found.append((tree.nodes, leaf, at == leaf[:, None]))
    return found


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("weights", [None, {0: 2.0, 1: 0.5}])
def test_rows_of_histogram_boosting(n_classes, weights):
    X, y, m = drawn_pool(n_classes)
    model = HistGradientBoostingClassifier(
        max_iter=3,
        learning_rate=0.5,
        l2_regularization=2.0,
        max_leaf_nodes=4,
        min_samples_leaf=5,
        class_weight=weights,
    ).fit(X[m], y[m])
    found = equations_of_histogram_boosting(model, X, y)
    assert [rows.kind for rows in found if rows.kind != "bin rank"] == [
        *("leaf count", "leaf value", "leaf Hessian")
    ]
    count, *_, value, hessian = found
    K, weight = (1 if n_classes == 2 else 3), np.ones(N)
    if weights:
        weight = np.array([2.0, 0.5, 1.0])[y]
    F = np.tile(np.ravel(model._baseline_prediction), (N, 1))
    smallest = 1e-13 if K == 1 else 1e-7
    A, b, rows, right, scale, H, told, error = ([] for _ in range(8))
    trees, step = histogram_leaves(model, X), np.zeros((N, K))
    for t, (nodes, leaf, inside) in enumerate(trees):
        k = t % K
        if k == 0:
            F, step = F + step, np.zeros((N, K))
        values = nodes["value"][leaf]
        step[:, k] = values @ inside
        p = softmax(F, axis=1)[:, k] if K > 1 else expit(F[:, 0])
        g, h = weight * (p - (y == (k if K > 1 else 1))), weight * p * (1 - p)
        v = step[:, k] / 0.5
        A += list(inside)
        b += list(nodes["count"][leaf])
        rows += list(inside * (g + v * h))
        right += list(-2.0 * values / 0.5)
        off = 1e-12 * (g**2 + (v * h) ** 2) + smallest**2 * (1 + v**2)
        scale += list(np.sqrt(inside @ off))
        H += list(inside * h)
        own, doubt = _leaf_hessians(nodes, 0.5, 2.0)
        told += list(own[leaf])
        least = smallest**2 * inside.sum(axis=1)
        error += list(np.sqrt((1e-5 * own[leaf]) ** 2 + doubt[leaf] ** 2 + least))
    assert_rows(count, "leaf count", A, b, n_members=80.0)
    assert_rows(value, "leaf value", rows, right, scale)
    assert_rows(hessian, "leaf Hessian", H, told, error)
    known = np.isfinite(told)
    assert known.any()
    assert_allclose((np.array(H) @ m)[known], np.array(told)[known], rtol=1e-3)


def test_hessians_of_children_follow_from_their_parent():
    """A root, a node below it, and two leaves below that, from given Hessians."""
    rate, ridge, g, h = 0.3, 2.0, np.array([1.5, -4.0]), np.array([3.0, 5.0])
    own = -g / (h + ridge)
    above = -g.sum() / (h.sum() + ridge)
    gain = np.sum(g**2 / (h + ridge)) - g.sum() ** 2 / (h.sum() + ridge)
    nodes = np.zeros(
        5,
        dtype=[
            *(("value", float), ("count", int), ("gain", float)),
            *(("left", int), ("right", int), ("is_leaf", bool)),
        ],
    )
    nodes["value"] = [0.0, above, 0.3, *(own * rate)]
    nodes["left"][:2], nodes["right"][:2] = [1, 3], [2, 4]
    nodes["is_leaf"] = [False, False, True, True, True]
    nodes["gain"][1], nodes["count"] = gain, [30, 20, 10, 7, 13]
    found, error = _leaf_hessians(nodes, rate, ridge)
    assert_allclose(found, [np.nan, np.nan, np.nan, *h])
    low = abs((own[0] - above) * (own[0] - own[1]))
    high = abs((own[1] - above) * (own[0] - own[1]))
    size = 1e-14 * 20 * (own**2).max()
    assert_allclose(error[3:], size / [low, high])
    # Without a gain between them there is nothing to tell them by.
    nodes["value"][3:] = above * rate
    assert np.isnan(_leaf_hessians(nodes, rate, ridge)[0]).all()


def test_a_histogram_tree_that_was_not_split_is_no_step():
    X, y, m = drawn_pool()
    model = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=45)
    count, *_, value, hessian = equations_of_histogram_boosting(
        model.fit(X[m], y[m]), X, y
    )
    assert_array_equal(count.b, [80, 80])
    assert np.isinf([*value.scale, *hessian.scale]).all()


def test_weights_and_rounded_values_of_histogram_boosting():
    X, y, m = drawn_pool()
    model = HistGradientBoostingClassifier(
        max_iter=3, learning_rate=0.5, l2_regularization=2.0, max_leaf_nodes=4
    ).fit(X[m], y[m])
    model._fitted_with_sw = True
    (count,) = equations_of_histogram_boosting(model, X, y)
    assert count.kind == "leaf count"
    # Before scikit-learn told.
    del model._fitted_with_sw
    model = round_values(model, 1)
    value, _ = equations_of_histogram_boosting(model, X, y)
    decimals = model.decimals_
    del model.decimals_
    exact, _ = equations_of_histogram_boosting(model, X, y)
    assert decimals == 1
    A, start, h, slopes, inside = [], 0, [], [], []
    F = np.full(N, float(np.ravel(model._baseline_prediction)[0]))
    for nodes, leaf, own in histogram_leaves(model, X):
        p, v = expit(F), nodes["value"][leaf] @ own / 0.5
        h.append(p * (1 - p))
        slopes.append(p * (1 - p) * (1 + v * (1 - 2 * p)))
        inside.append(own)
        A.append(exact._toarray(N)[start : start + len(own)])
        start += len(own)
        F = F + 0.5 * v
    b = np.split(exact.b, np.cumsum([len(own) for own in inside])[:-1])
    b, sampling = rounded_steps(A, b, inside, h, slopes, 1, 0.5, 2.0, 1, 0.0)
    A = np.concatenate(A)
    assert_rows(value, "leaf value", A, b, exact.scale, sampling, of_pool=True)


def test_steps_of_a_newton_method_by_hand():
    rng = np.random.default_rng(0)
    groups = rng.integers(0, 3, (9, 2))
    g, h, values, hessians = (
        rng.normal(size=(9, 2)),
        rng.random((9, 2)),
        rng.normal(size=6),
        rng.random(6),
    )
    values[4] = np.nan
    matrix = grouped(groups, [3, 3])
    value, hessian = newton_equations(
        matrix,
        g,
        h,
        values,
        hessians,
        1.5,
        rounding=0.01,
        rounding_of_hessians=0.02,
        smallest=0.03,
        share=0.4,
    )
    A, scale, H, floor = np.zeros((6, 9)), np.zeros(6), np.zeros((6, 9)), np.zeros(6)
    for (i, t), place in np.ndenumerate(groups):
        row = 3 * t + place
        v = 0.0 if row == 4 else values[row]
        A[row, i], H[row, i] = g[i, t] + v * h[i, t], h[i, t]
        floor[row] += 0.03**2
        scale[row] += 0.01**2 * (g[i, t] ** 2 + (v * h[i, t]) ** 2)
        scale[row] += 0.03**2 * (1 + v**2)
    assert_rows(value, "leaf value", A, -1.5 * values / 0.4, np.sqrt(scale), 1.5)
    noise = np.sqrt(0.02**2 + floor)
    assert_rows(hessian, "leaf Hessian", H, hessians / 0.4, noise, 1.5)


def test_scores_before_each_tree_are_sums_of_those_before():
    rng = np.random.default_rng(0)
    leaves, codes = rng.integers(0, 2, (7, 6)), rng.integers(0, 3, 7)
    values = rng.normal(size=(6, 2))
    for K in (1, 2, 3):
        start = rng.normal(size=(7, K))
        scores, own = staged_scores(start, leaves, values, codes)
        for t in range(6):
            before = range(t % K, t - t % K, K)
            told = sum((values[s][leaves[:, s]] for s in before), start[:, t % K])
            assert_allclose(scores[:, t], told)
            assert_array_equal(own[:, t], codes == (t % K if K > 1 else 1))
        p = probabilities(scores, K)
        stages = [scores[:, s : s + K] for s in range(0, 6, K)]
        expected = [expit(s) if K == 1 else softmax(s, axis=1) for s in stages]
        assert_allclose(p, np.hstack(expected))


@pytest.mark.parametrize("at_midpoints", [False, True])
def test_rows_of_thresholds_of_bins(at_midpoints, monkeypatch):
    monkeypatch.setattr(_boosting, "BINS_AT_MIDPOINTS", at_midpoints)
    table = np.random.default_rng(0).normal(size=(90, 5))
    table[:, 1] = np.round(table[:, 1], 1)
    table[3, 2] = np.nan
    n_bins, positions = 8, np.arange(1, 8) / 8
    # Of 64 and 65 records some ranks are whole.
    for n in (61, 64, 65):
        edges = [np.quantile(table[:n, j], positions) for j in range(5)]
        edges[1] = np.sort(table[:n, 1])[::8][:7]
        edges[2] = np.linspace(-1, 1, 7)
        edges[3], edges[4] = edges[3][1:], None
        found = list(_bin_equations(table, edges, n_bins, n))
        low = np.ceil(n * positions)
        if at_midpoints:
            low = np.floor((n - 1) * positions) + 1
        high = np.append(low[1:], n)
        for j, rows in zip((0, 1), found, strict=True):
            x, rounding = table[:, j], 1e-9 * abs(table[:, j]).max()
            A = np.searchsorted(edges[j] + rounding, x) == np.arange(8)[:, None]
            tied = np.sum(abs(x[:, None] - edges[j]) <= rounding, axis=0) > 1
            assert tied.any() == (j == 1)
            below = np.append(np.where(tied, (low + high) / 2, low), n)
            doubt = np.append(np.where(tied, (high - low) ** 2 / 12, 0), 0)
            scale = np.sqrt(doubt + np.append(0, doubt[:-1]))
            told = {"n_members": float(n), "of_pool": True}
            assert_rows(rows, "bin rank", A, np.diff(below, prepend=0), scale, **told)
    # Edges that are as near as their rounding are no edges.
    near = edges[0].copy()
    near[1] = near[0] + 2.5e-9 * abs(table[:, 0]).max()
    assert list(_bin_equations(table[:, :1], [near], n_bins, n)) == []
    near[1] = near[0] + 3.5e-9 * abs(table[:, 0]).max()
    assert len(list(_bin_equations(table[:, :1], [near], n_bins, n))) == 1


@pytest.mark.parametrize("n_classes", [2, 3])
def test_rows_of_adaboost(n_classes):
    X, y, m = drawn_pool(n_classes)
    model = AdaBoostClassifier(
        DecisionTreeClassifier(max_depth=2), n_estimators=4, random_state=0
    ).fit(X[m], y[m])
    count, weight = equations_of_adaboost(model, X, y)
    w, A, b, rows = np.full(N, 1 / 80), [], [], []
    for t, tree in enumerate(model.estimators_):
        inside = leaves_of(tree, X)[1]
        A += list(inside)
        b += list((inside & m).sum(axis=1))
        rows += [own * (y == c) * w for own in inside for c in range(n_classes)]
        wrong = tree.predict(X) != y
        alpha = model.estimator_weights_[t]
        error = w[m] @ wrong[m] / w[m].sum()
        assert model.estimator_errors_[t] == pytest.approx(error)
        w = w * np.exp(alpha * wrong)
        w = w / w[m].sum()
    assert_rows(count, "leaf count", A, b, n_members=80.0)
    rows = np.array(rows)
    scale = 1e-9 * (np.sqrt((rows**2).sum(axis=1)) + 1 / 80)
    assert_rows(weight, "leaf weight", rows, rows @ m, scale)


# Boosting of values


@pytest.mark.parametrize("subsample", [1.0, 0.5])
@pytest.mark.parametrize(("decimals", "unit"), [(None, 1), (None, 2**-10), (1, 1)])
def test_rows_of_gradient_boosting_of_values(subsample, decimals, unit):
    X, y, m = drawn_pool()
    y = (3 * y + X[:, 0]) * unit
    model = GradientBoostingRegressor(
        n_estimators=3,
        max_depth=2,
        learning_rate=0.7,
        subsample=subsample,
        random_state=0,
    ).fit(X[m], y[m])
    sampling, F, largest = 1 / subsample - 1, np.full(N, y[m].mean()), abs(y).max()
    if decimals is not None:
        model = round_values(model, decimals)
    *count, value = equations_of_gradient_boosting_of_values(model, X, y)
    A, b, rows, scale, inside = [], [], [], [], []
    for tree in model.estimators_[:, 0]:
        nodes, own = leaves_of(tree, X)
        v = tree.predict(X)
        n = tree.tree_.n_node_samples[nodes]
        inside.append(own)
        A += list(own)
        b += list(n / subsample)
        rows.append(own * (y - F - v))
        n = own.sum(axis=1) if decimals else n
        rounding = (1e-13 + np.finfo(float).eps * n**1.5) * largest
        scale += list(1e-9 * np.sqrt((rows[-1] ** 2).sum(axis=1)) + rounding)
        F = F + 0.7 * v
    if decimals is None:
        assert_rows(count[0], "leaf count", A, b, 0, sampling, n_members=80.0)
        rows = np.concatenate(rows)
        assert_rows(value, "leaf value", rows, np.zeros(len(rows)), scale, sampling)
        return
    assert count == []
    ones = np.ones((3, N))
    b = [np.zeros(len(own)) for own in inside]
    b, variance = rounded_steps(rows, b, inside, ones, ones, 1, 0.7, 0.0, 1, sampling)
    rows = np.concatenate(rows)
    assert_rows(value, "leaf value", rows, b, scale, variance, of_pool=True)


def test_a_loss_or_weights_leave_the_counts_of_boosting_of_values():
    X, y, m = drawn_pool()
    y = 3 * y + X[:, 0]
    for weights, loss in ((np.linspace(1, 2, 80), "squared_error"), (None, "huber")):
        model = GradientBoostingRegressor(n_estimators=2, loss=loss)
        model.fit(X[m], y[m], sample_weight=weights)
        (count,) = equations_of_gradient_boosting_of_values(model, X, y)
        assert count.kind == "leaf count"
    assert equations_of_gradient_boosting_of_values(strip_counts(model), X, y) == []


LOSSES = {
    "squared_error": lambda F, y: (F - y, np.ones(N), np.zeros(N)),
    "poisson": lambda F, y: (np.exp(F) - y, np.exp(F), np.exp(F)),
    "gamma": lambda F, y: (1 - y / np.exp(F), y / np.exp(F), -y / np.exp(F)),
}


@pytest.mark.parametrize(
    ("loss", "size", "far"),
    [
        ("squared_error", 1e-8, 0.0),
        ("squared_error", 1.0, 1e9),
        *((loss, size, 0.0) for loss in LOSSES for size in (0.05, 20.0)),
    ],
)
@pytest.mark.parametrize("decimals", [None, 1])
def test_rows_of_histogram_boosting_of_values(decimals, loss, size, far):
    X, y, m = drawn_pool()
    y = far + size * (3 * y + np.exp(X[:, 0] / 4))
    model = HistGradientBoostingRegressor(
        loss=loss,
        max_iter=3,
        learning_rate=0.5,
        l2_regularization=2.0,
        max_leaf_nodes=4,
    ).fit(X[m], y[m])
    if decimals:
        model = round_values(model, decimals)
    *_, value, mean = equations_of_histogram_boosting_of_values(model, X, y)
    largest, smallest = abs(y).max(), 1e-13 * max(1, abs(y).max())
    start = float(np.ravel(model._baseline_prediction)[0])
    level = y[m].mean()
    off = y - level
    rounding = (1e-13 + np.finfo(float).eps * N**1.5) * largest
    scale = 1e-9 * np.sqrt(off @ off) + rounding
    assert_rows(mean, "mean", [off], [0], scale)
    F, rows, b, inside, hs, slopes, scale = np.full(N, start), [], [], [], [], [], []
    for nodes, leaf, own in histogram_leaves(model, X):
        values = nodes["value"][leaf]
        v = values @ own / 0.5
        g, h, third = LOSSES[loss](F, y)
        inside.append(own)
        rows.append(own * (g + v * h))
        b.append(-2.0 * values / 0.5)
        hs.append(h)
        slopes.append(h + v * third)
        noise = 1e-12 * (g**2 + (v * h) ** 2) + smallest**2 * (1 + v**2)
        scale += list(np.sqrt(own @ noise))
        F = F + 0.5 * v
    sampling, told = 0.0, {}
    if decimals:
        b, sampling = rounded_steps(rows, b, inside, hs, slopes, 1, 0.5, 2.0, 1, 0.0)
        told = {"of_pool": True}
    else:
        b = np.concatenate(b)
    rows = np.concatenate(rows)
    assert_rows(value, "leaf value", rows, b, scale, sampling, **told)
