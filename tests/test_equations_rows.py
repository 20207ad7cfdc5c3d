"""Rows of linear models, naive Bayes and steps with their noise, by hand in NumPy."""

import math

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.equations import N, assert_rows, draw
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import expit, softmax
from sklearn.discriminant_analysis import (
    LinearDiscriminantAnalysis,
    QuadraticDiscriminantAnalysis,
)
from sklearn.linear_model import (
    ElasticNet,
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
)
from sklearn.naive_bayes import BernoulliNB, CategoricalNB, GaussianNB, MultinomialNB

from sklearn_mia.equations import _bayes
from sklearn_mia.equations._bayes import (
    _are_whole,
    equations_of_categorical_naive_bayes,
    equations_of_discrete_naive_bayes,
    equations_of_gaussian_naive_bayes,
    equations_of_linear_discriminants,
    equations_of_quadratic_discriminants,
)
from sklearn_mia.equations._linear import (
    equations_of_a_ridge_classifier,
    equations_of_an_elastic_net,
    equations_of_least_squares,
    equations_of_logistic_regression,
)

# Naive Bayes and discriminants


def test_rows_of_gaussian_naive_bayes():
    X, y = draw()
    half, own = np.arange(N) < 21, y[:21]
    model = GaussianNB(var_smoothing=0.1).fit(X[half], own)
    for given, rounding in ((X, 1e-10), (X.astype(np.float32), 1e-6)):
        table = given.astype(float)
        count, *moments = equations_of_gaussian_naive_bayes(model, given, y)
        n = np.bincount(own)
        is_class = y == np.arange(3)[:, None]
        assert_rows(count, "class count", is_class, n, n_members=21.0)
        for c in range(3):
            theta, var = X[half & (y == c)].mean(axis=0), X[half & (y == c)].var(axis=0)
            off, size = (
                table.astype(float) - theta,
                abs(table.astype(float)) + abs(theta),
            )
            off, size = off * is_class[c][:, None], size * is_class[c][:, None]
            mean, variance = moments[2 * c : 2 * c + 2]
            assert_array_equal(mean.records, np.flatnonzero(y == c))
            assert_rows(mean, "class mean", off.T, np.zeros(3), rounding * size.sum(0))
            scale = rounding * ((size**2).sum(axis=0) + n[c] * model.epsilon_)
            assert_rows(variance, "class variance", off.T**2, n[c] * var, scale)


def test_batches_of_gaussian_naive_bayes_are_seen_by_what_is_added():
    X, y = draw(2)
    model = GaussianNB(var_smoothing=0.1).fit(X, y)
    plain = equations_of_gaussian_naive_bayes(model, X, y)
    # What is added is ten millionths off, and then more than that.
    for factor in (1 - 9e-6, 1 + 9e-6):
        model.epsilon_ *= factor
        rows = equations_of_gaussian_naive_bayes(model, X, y)[2]
        assert rows._toarray(N).all(axis=0)[y == 0].all()
        model.epsilon_ /= factor
    model.epsilon_ *= 1 + 2e-5
    for c in (0, 1):
        before = plain[2 + 2 * c]
        rows = equations_of_gaussian_naive_bayes(model, X, y)[2 + 2 * c]
        moments = np.sum(y == c) * (model.var_[c] - model.epsilon_)
        least = moments.argmin()
        A = before._toarray(N) - before._toarray(N)[least]
        size = abs(X[y == c]) + abs(model.theta_[c])
        scale = 1e-10 * ((size**2).sum(0) + np.sum(y == c) * model.epsilon_)
        scale = scale + scale[least]
        assert_rows(rows, "class variance", A, moments - moments[least], scale)


def test_counts_of_classes_are_whole_to_a_millionth():
    assert _are_whole(np.array([3.0, 4.0 + 9e-7, 2.0 - 9e-7]))
    assert not _are_whole(np.array([3.0, 4.0 + 2e-6]))


@pytest.mark.parametrize("sparse", [False, True])
def test_rows_of_counts_of_features(sparse):
    X, y = np.random.default_rng(0).integers(0, 4, (N, 5)), np.arange(N) % 3
    own = y == np.arange(3)[:, None]
    for model, table in (
        (BernoulliNB(binarize=1.0), (X > 1).astype(float)),
        (BernoulliNB(binarize=None), X.astype(float)),
        (MultinomialNB(), X.astype(float)),
    ):
        if sparse and model.get_params().get("binarize") is None:
            continue
        given = sp.csr_array(X) if sparse else X
        given = given.astype(float) if sparse else given
        model.fit(given[:25], y[:25])
        count, features = equations_of_discrete_naive_bayes(model, given, y)
        n = own[:, :25].sum(axis=1)
        assert_rows(count, "class count", own, n, n_members=25.0)
        A = np.array([table[:, j] * own[c] for j in range(5) for c in range(3)])
        b = A[:, :25].sum(axis=1)
        assert_rows(features, "feature count", A, b, 1e-10 * b)


def test_rows_of_categories_of_classes():
    X, y = np.random.default_rng(0).integers(0, 4, (N, 2)), np.arange(N) % 3
    X[N - 2 :] = [[7, 0], [-1, 4]]
    model = CategoricalNB().fit(X[:25], y[:25])
    _, *categories = equations_of_categorical_naive_bayes(model, X, y)
    for j, rows in enumerate(categories):
        A = np.array([(X[:, j] == a) & (y == c) for a in range(4) for c in range(3)])
        assert_rows(rows, "category count", A, A[:, :25].sum(axis=1))
    assert len(categories) == 2


@pytest.mark.parametrize("loses", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_rows_of_linear_discriminants(n_classes, loses, monkeypatch):
    monkeypatch.setattr(_bayes, "DISCRIMINANTS_LOSE_DEGREES_OF_FREEDOM", loses)
    X, y = draw(n_classes)
    y[:3] = 0
    model = LinearDiscriminantAnalysis().fit(X[:24], y[:24])
    means, off = model.means_, X - model.means_[y]
    n = np.bincount(y[:24])
    for table, rounding in ((X, 1e-10), (X.astype(np.float32), 1e-6)):
        off = table.astype(float) - means[y]
        *class_means, shares, first = equations_of_linear_discriminants(
            model, table, y
        )[: n_classes + 2]
        for c, rows in enumerate(class_means):
            own = (y == c)[:, None]
            size = own * (abs(table.astype(float)) + abs(means[c]))
            scale = rounding * size.sum(axis=0)
            assert_rows(rows, "class mean", (own * off).T, np.zeros(3), scale)
        is_class = y == np.arange(n_classes)[:, None]
        if np.gcd.reduce(n) == 1:
            told = {"n_members": 24.0, "of_pool": True}
            assert_rows(shares, "class count", is_class, n, **told)
        else:
            A = is_class - n[:, None] / 24
            scale = rounding * N
            assert_rows(shares, "class share", A, np.zeros(n_classes), scale)
        gap = means[1] - means[0] if n_classes == 2 else means[0] - n @ means / 24
        weights = off @ model.coef_[0]
        A = (off * weights[:, None] - gap).T
        size = abs(off * weights[:, None]).sum(axis=0) + N * abs(gap)
        scale = max(rounding, 1e-8) * size
        b = -n_classes * loses * gap
        assert_rows(first, "coefficient", A, b, scale)
    stored = LinearDiscriminantAnalysis(store_covariance=True).fit(X[:24], y[:24])
    *_, rows = equations_of_linear_discriminants(stored, X, y)
    off = X - means[y]
    a, b = np.triu_indices(3)
    A = (off[:, a] * off[:, b] - stored.covariance_[a, b]).T
    scale = 1e-10 * np.sum(np.max(abs(X) + abs(means[y]), axis=1) ** 2)
    assert_rows(rows, "covariance", A, np.zeros(6), scale)


def test_shares_that_tell_no_number_are_rows_of_shares():
    X, y = draw(2)
    for dtype, n in ((np.float64, 20), (np.float32, 21)):
        model = LinearDiscriminantAnalysis().fit(X[:n], y[:n])
        model.priors_ = model.priors_.astype(dtype)
        shares = equations_of_linear_discriminants(model, X, y)[2]
        A = (y == np.arange(2)[:, None]) - model.priors_[:, None].astype(float)
        assert_rows(shares, "class share", A, np.zeros(2), 1e-10 * N)


@pytest.mark.parametrize("loses", [False, True])
def test_rows_of_quadratic_discriminants(loses, monkeypatch):
    monkeypatch.setattr(_bayes, "DISCRIMINANTS_LOSE_DEGREES_OF_FREEDOM", loses)
    X, y = draw(2)
    for settings in ({}, {"reg_param": 0.3}):
        model = QuadraticDiscriminantAnalysis(**settings).fit(X[:23], y[:23])
        *_, shares, low, high = equations_of_quadratic_discriminants(model, X, y)
        assert (shares.kind, shares.n_members) == ("class count", 23.0)
        for c, rows in enumerate((low, high)):
            own = y == c
            mean = X[:23][own[:23]].mean(axis=0)
            u = (X - mean) @ model.rotations_[c]
            reg = model.reg_param
            told = np.diag((model.scalings_[c] - reg) / (1 - reg))
            a, b = np.triu_indices(3)
            A = (own[:, None] * (u[:, a] * u[:, b] - told[a, b])).T
            size = np.max(abs(X[own]) + abs(mean), axis=1)
            scale = 1e-10 * np.sum(size**2)
            assert_rows(rows, "class covariance", A, -loses * told[a, b], scale)


# Linear models


def logistic(n_classes, X, penalty="l2", **settings):
    """Not trained, so that some coefficients are 0 and no slope is."""
    rng = np.random.default_rng(1)
    model = LogisticRegression(**settings)
    # By the name it had before scikit-learn 1.8.
    model.penalty = penalty
    n_coef = 1 if n_classes == 2 else n_classes
    model.classes_, model.n_iter_ = np.arange(n_classes), np.array([3])
    model.coef_ = np.round(rng.normal(size=(n_coef, X.shape[1])), 1)
    model.coef_[0, 1] = 0
    model.intercept_ = np.zeros(n_coef)
    if model.fit_intercept:
        model.intercept_ += rng.normal(size=n_coef)
    return model


ELASTIC = {"penalty": "elasticnet", "l1_ratio": 0.25}
LOGISTIC = [
    ({"tol": 1e-3}, 2, False),
    ({"C": 0.5}, 3, False),
    ({"C": 0.5, "solver": "newton-cg", "fit_intercept": False}, 3, True),
    ({"solver": "newton-cholesky", "tol": 1e-2}, 2, False),
    ({"solver": "sag", "tol": 1e-2}, 2, True),
    ({**ELASTIC, "solver": "saga", "C": 0.1}, 3, False),
    ({"penalty": "l1", "solver": "saga", "C": 0.1}, 3, True),
    ({"solver": "liblinear", "intercept_scaling": 3.0, "C": 0.1}, 2, False),
    (
        {"penalty": "l1", "solver": "liblinear", "intercept_scaling": 3.0, "C": 0.1},
        2,
        True,
    ),
    ({"solver": "liblinear"}, 3, False),
    ({"class_weight": {0: 2.0, 1: 0.5}}, 3, False),
    ({"class_weight": "balanced", "tol": 1e-3}, 2, False),
    ({"class_weight": "balanced", "penalty": None}, 3, True),
]


@pytest.mark.parametrize(("settings", "n_classes", "sparse"), LOGISTIC)
def test_rows_of_logistic_regression(settings, n_classes, sparse):
    X, y = draw(n_classes)
    y[:5] = 0
    model = logistic(n_classes, X, **settings)
    coef, solver = model.coef_, model.solver
    strength = 0.0 if model.penalty is None else 1 / model.C
    share = {"l1": 1.0, "elasticnet": 0.25}.get(model.penalty, 0.0)
    scores = X @ coef.T + model.intercept_
    if n_classes == 2:
        error = expit(scores) - (y == 1)[:, None]
    else:
        p = expit(scores) if solver == "liblinear" else softmax(scores, axis=1)
        error = p - (y[:, None] == np.arange(n_classes))
    weights, doubt = np.ones(n_classes), np.zeros(n_classes)
    if isinstance(model.class_weight, dict):
        weights[:2] = 2.0, 0.5
    elif model.class_weight == "balanced":
        weights = N / n_classes / np.bincount(y)
        doubt = 1 / np.sqrt(np.bincount(y))
    b = -strength * (share * np.sign(coef) + (1 - share) * coef)
    if share:
        b[coef == 0] = np.nan
    b, wide = b.T, X
    if model.fit_intercept:
        last = np.zeros(len(coef))
        if solver == "liblinear":
            own = model.intercept_ / model.intercept_scaling
            own = np.sign(own) if share else own
            last = -strength * own / model.intercept_scaling
        elif solver in ("sag", "saga") and sparse:
            last = np.full(len(coef), np.nan)
        wide, b = np.column_stack([X, np.ones(N)]), np.vstack([b, last])
    per_class = (error * weights[y][:, None]).T
    A = np.array([column * own for column in wide.T for own in per_class])
    squares = np.sum(wide**2, axis=0)
    slack = {"sag": 3.0, "saga": 3.0, "liblinear": 4.0}.get(solver, 0.25)
    slack = slack * model.tol * N * np.ones(wide.shape[1])
    if solver in ("lbfgs", "newton-cg"):
        least = 64 * 2.2e-16 * N * np.log(n_classes) * weights[y].max() ** 2
        slack = np.sqrt(slack**2 + squares * least)
    else:
        slack = slack * max(1.0, squares.max() / N)
    variance = np.repeat(slack**2, len(coef))
    for c in range(n_classes):
        half = (y == c) / 2
        variance += doubt[c] ** 2 * ((A @ half) ** 2 + A**2 @ half)
    table = sp.csr_array(X) if sparse else X
    (rows,) = equations_of_logistic_regression(model, table, y)
    is_balanced = bool(doubt.any())
    told = {"of_pool": is_balanced, "is_bound": not is_balanced}
    assert_rows(rows, "slope", A, np.ravel(b), np.sqrt(variance), **told)


def test_an_intercept_of_0_has_no_sign():
    X, y = draw(2)
    model = logistic(2, X, "l1", solver="liblinear")
    model.intercept_[:] = 0
    (rows,) = equations_of_logistic_regression(model, X, y)
    assert_array_equal(np.isinf(rows.scale), [False, True, False, True])


def test_solvers_that_watch_the_scale_of_features_leave_more_of_large_ones():
    X, y = draw(2)
    for size, most in ((0.01, 1.0), (10.0, np.max(np.sum(100 * X**2, axis=0)) / N)):
        for fit_intercept in (False, True):
            model = logistic(
                2, X, solver="newton-cholesky", fit_intercept=fit_intercept
            )
            (rows,) = equations_of_logistic_regression(model, size * X, y)
            assert_allclose(rows.scale, 0.25 * model.tol * N * most)


def test_balanced_weights_of_a_class_with_one_record_or_none():
    X, y = draw(3)
    for n_rare in (0, 1):
        rare = np.where(y == 2, 0, y)
        rare[:n_rare] = 2
        model = logistic(3, X, class_weight="balanced")
        model.coef_[:], model.intercept_[:] = 0, 0
        (rows,) = equations_of_logistic_regression(model, X, rare)
        sizes = np.maximum(np.bincount(rare, minlength=3), 1)
        weights = (N / 3 / sizes)[rare]
        error = weights[:, None] * (1 / 3 - (rare[:, None] == np.arange(3)))
        assert_allclose(rows._toarray(N)[-3:], error.T)


def test_logistic_regression_at_its_last_iteration_tells_nothing():
    X, y = draw(2)
    model = logistic(2, X, max_iter=3)
    assert equations_of_logistic_regression(model, X, y) == []
    model.n_iter_ = np.array([2, 3])
    assert equations_of_logistic_regression(model, X, y) == []
    model.n_iter_ = np.array([2])
    assert len(equations_of_logistic_regression(model, X, y)) == 1
    # Of two classes by a softmax no coefficients of one are known.
    model.multi_class = "multinomial"
    assert equations_of_logistic_regression(model, X, y) == []
    X, y = draw(3)
    model = logistic(3, X)
    by_softmax = equations_of_logistic_regression(model, X, y)[0]._toarray(N)
    model.multi_class = "ovr"
    one_by_one = equations_of_logistic_regression(model, X, y)[0]._toarray(N)
    p = expit(X @ model.coef_.T + model.intercept_)
    error = p - (y[:, None] == np.arange(3))
    assert_allclose(one_by_one[-3:], error.T)
    assert abs(one_by_one - by_softmax).max() > 0.01


def left_by_steps(tol, wide, aim, largest):
    """By the length of the slopes of each output, or of the largest possible row."""
    lengths = np.linalg.norm(wide.T @ (aim - aim.mean(axis=0)), axis=0)
    each = np.repeat(lengths[None] / math.sqrt(wide.shape[1]), wide.shape[1], axis=0)
    return tol * np.maximum(largest, 2 * np.ravel(each))


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(
    "settings",
    [
        {"alpha": 3.0},
        {"solver": "cholesky", "class_weight": {1: 2.0}},
        {"solver": "lsqr", "tol": 0.5, "fit_intercept": False},
        {"solver": "lsqr", "class_weight": {1: 4.0}},
        {"solver": "svd", "class_weight": "balanced", "alpha": 0.5},
        {"solver": "sag", "class_weight": "balanced"},
    ],
)
def test_rows_of_a_ridge_classifier(settings, n_classes, sparse):
    X, y = draw(n_classes)
    y[:5] = 0
    # Few have the last feature.
    X[2:, 2] = 0
    model = RidgeClassifier(**settings).fit(X, y)
    coef = np.atleast_2d(model.coef_)
    aim = np.where(y[:, None] == np.arange(n_classes), 1.0, -1.0)
    aim = aim[:, 1:] if n_classes == 2 else aim
    error = X @ coef.T + model.intercept_ - aim
    weights, doubt = np.ones(n_classes), np.zeros(n_classes)
    if isinstance(model.class_weight, dict):
        weights[1] = model.class_weight[1]
    elif model.class_weight:
        weights = N / n_classes / np.bincount(y)
        doubt = 1 / np.sqrt(np.bincount(y))
    b, wide = -model.alpha * coef.T, X
    if model.fit_intercept:
        b, wide = np.vstack([b, 0 * b[:1]]), np.column_stack([X, np.ones(N)])
    per_class = (error * weights[y][:, None]).T
    A = np.array([column * own for column in wide.T for own in per_class])
    largest = np.repeat(abs(wide).T @ weights[y], len(coef))
    solver = model.solver
    direct = solver in ("svd", "cholesky") or (solver == "auto" and not sparse)
    slack = 1e-9 * largest
    if not direct:
        slack = left_by_steps(model.tol, wide, aim * weights[y][:, None], largest)
    variance = slack**2
    for c in range(n_classes):
        half = (y == c) / 2
        variance += doubt[c] ** 2 * ((A @ half) ** 2 + A**2 @ half)
    of_pool = bool(doubt.any())
    told = {"of_pool": of_pool, "is_bound": not direct and not of_pool}
    table = sp.csr_array(X) if sparse else X
    (rows,) = equations_of_a_ridge_classifier(model, table, y)
    assert_rows(rows, "slope", A, np.ravel(b), np.sqrt(variance), **told)
    model.positive = True
    assert equations_of_a_ridge_classifier(model, table, y) == []


@pytest.mark.parametrize(
    ("model", "sparse"),
    [
        (LinearRegression(), False),
        (LinearRegression(fit_intercept=False), True),
        (Ridge(2.0), False),
        (Ridge(2.0, solver="lsqr", tol=0.3), False),
        (Ridge(2.0, solver="lsqr", tol=1e-9, fit_intercept=False), True),
        (Ridge(2.0), True),
    ],
)
def test_rows_of_least_squares(model, sparse):
    X, _ = draw()
    X[2:, 2] = 0
    y = X @ [1.0, 2.0, 0.0] + np.random.default_rng(0).normal(size=N)
    model.fit(X, y)
    if isinstance(model, LinearRegression):
        # It has one from scikit-learn 1.7 on.
        vars(model).pop("tol", None)
    error = model.predict(X) - y
    b, wide = -getattr(model, "alpha", 0.0) * model.coef_, X
    if model.fit_intercept:
        b, wide = np.append(b, 0), np.column_stack([X, np.ones(N)])
    largest = abs(wide).T @ abs(error)
    in_steps = getattr(model, "solver", "auto") == "lsqr" or sparse
    scale = 1e-9 * largest
    if in_steps:
        tol = max(getattr(model, "tol", 0.0), 1e-6)
        scale = left_by_steps(tol, wide, y[:, None], largest)
    table = sp.csr_array(X) if sparse else X
    (rows,) = equations_of_least_squares(model, table, y)
    A = (wide * error[:, None]).T
    assert_rows(rows, "slope", A, b, scale, is_bound=in_steps)
    model.positive = True
    assert equations_of_least_squares(model, table, y) == []


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("fit_intercept", [False, True])
def test_rows_of_an_elastic_net(fit_intercept, sparse):
    X, _ = draw()
    y = X @ [1.0, 2.0, 0.0] + np.random.default_rng(0).normal(size=N)
    net = ElasticNet(0.5, l1_ratio=0.3, fit_intercept=fit_intercept, tol=1e-2)
    net.fit(X[:30], y[:30])
    used = np.flatnonzero(net.coef_)
    assert 0 < len(used) < 3
    error, own = net.predict(X) - y, net.coef_[used]
    pull = 0.5 * (0.3 * np.sign(own) + 0.7 * own)
    A = (X[:, used] * error[:, None] + pull).T
    norms = np.sqrt(np.sum(X[:, used] ** 2, axis=0) / 2)
    scale = np.sqrt(net.dual_gap_ * N) * norms / 2
    scale = scale + 1e-9 * abs(X[:, used]).T @ abs(error)
    if fit_intercept:
        A, scale = np.vstack([A, error]), np.append(scale, 1e-9 * abs(error).sum())
    table = sp.csr_array(X) if sparse else X
    (rows,) = equations_of_an_elastic_net(net, table, y)
    assert_rows(rows, "slope", A, np.zeros(len(A)), scale, is_bound=True)
    net.dual_gap_ = -1.0
    table = sp.coo_array(X) if sparse else X
    (rows,) = equations_of_an_elastic_net(net, table, y)
    assert_allclose(rows.scale[0], 1e-9 * abs(X[:, used[0]]) @ abs(error))
    net.dual_gap_ = np.array([0.1, 0.4])
    (rows,) = equations_of_an_elastic_net(net, table, y)
    assert_allclose(rows.scale[0], np.sqrt(0.4 * N) * norms[0] / 2, rtol=1e-6)
    net.n_iter_ = np.array([3, net.max_iter])
    assert equations_of_an_elastic_net(net, table, y) == []
