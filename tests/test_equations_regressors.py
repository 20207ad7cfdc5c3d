"""What regressors store, against sums over the records that they were trained on."""

import numpy as np
import pytest
from helpers.items import docstrings
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_friedman1
from sklearn.ensemble import (
    BaggingRegressor,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
    StackingRegressor,
    VotingRegressor,
)
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.linear_model import (
    ElasticNet,
    Lasso,
    LinearRegression,
    Ridge,
    RidgeClassifier,
)
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVR
from sklearn.tree import DecisionTreeRegressor

from sklearn_mia import LinearReconstructionAttack, as_records, round_values
from sklearn_mia.equations import _trees, has_equations, linear_equations
from sklearn_mia.equations._regressors import (
    equations_of_gradient_boosting_of_values,
    records_of_support_vectors_of_values,
)

N = 200
X, Y = make_friedman1(2 * N, n_features=6, noise=2.0, random_state=0)
Y = np.round(Y, 1) + 5
IS_MEMBER = np.arange(2 * N) < N
FEW = {"n_estimators": 20, "random_state": 0}


def system_of(model, y=Y):
    return linear_equations(clone(model).fit(X[:N], y[:N]), X, y)


def kinds(system):
    return {block.kind for block in system.blocks}


def off_by(block, is_member=IS_MEMBER):
    """How far the rows are off at the real membership, in standard deviations."""
    m = is_member.astype(float)
    dense = block._toarray(len(m))
    variance = block.scale**2 + block.sampling * (dense**2 @ m)
    off = dense @ m - block.b
    told = np.isfinite(block.scale)
    certain = told & (variance == 0)
    assert_allclose(off[certain], 0, atol=1e-9)
    return off[told & ~certain] / np.sqrt(variance[told & ~certain])


# Without draws: the equations hold to the last digits.
EXACT = {
    "tree": (DecisionTreeRegressor(random_state=0), {"leaf count"}),
    "leaves of 5": (
        DecisionTreeRegressor(min_samples_leaf=5, random_state=0),
        {"leaf count", "leaf mean"},
    ),
    "poisson tree": (
        DecisionTreeRegressor(criterion="poisson", min_samples_leaf=5, random_state=0),
        {"leaf count", "leaf mean"},
    ),
    "median tree": (
        DecisionTreeRegressor(
            criterion="absolute_error", min_samples_leaf=5, random_state=0
        ),
        {"leaf count"},
    ),
    "extra trees": (
        ExtraTreesRegressor(min_samples_leaf=5, **FEW),
        {"leaf count", "leaf mean"},
    ),
    "histogram boosting": (
        HistGradientBoostingRegressor(max_iter=10, l2_regularization=1.0),
        {"leaf count", "leaf value", "mean"},
    ),
    "histogram boosting of counts": (
        HistGradientBoostingRegressor(loss="poisson", max_iter=10),
        {"leaf count", "leaf value", "mean"},
    ),
    "histogram boosting of gammas": (
        HistGradientBoostingRegressor(loss="gamma", max_iter=10),
        {"leaf count", "leaf value", "mean"},
    ),
    "histogram boosting of medians": (
        HistGradientBoostingRegressor(loss="absolute_error", max_iter=10),
        {"leaf count"},
    ),
    "boosting": (GradientBoostingRegressor(**FEW), {"leaf count", "leaf value"}),
    "boosting by Huber": (
        GradientBoostingRegressor(loss="huber", **FEW),
        {"leaf count"},
    ),
    "least squares": (LinearRegression(), {"slope"}),
    "no intercept": (LinearRegression(fit_intercept=False), {"slope"}),
    "ridge": (Ridge(10.0), {"slope"}),
    "ridge by steps": (Ridge(10.0, solver="lsqr"), {"slope"}),
    "lasso": (Lasso(0.1), {"slope"}),
    "elastic net": (ElasticNet(0.5, tol=1e-6), {"slope"}),
    "neighbours": (KNeighborsRegressor(), {"stored record"}),
    "support vectors": (SVR(), {"stored record"}),
    "Gaussian process": (GaussianProcessRegressor(alpha=1.0), {"stored record"}),
}


@pytest.mark.parametrize("name", EXACT)
def test_sums_over_the_training_records_are_met(name):
    model, expected = EXACT[name]
    system = system_of(model)
    found = kinds(system)
    assert expected <= found
    assert found <= expected | {"leaf count of a value", "bin rank"}
    for block in system.blocks:
        if block.kind != "bin rank":
            assert np.abs(off_by(block)).max(initial=0) < 1


FAR_FROM_ZERO = {
    "tree": DecisionTreeRegressor(random_state=0),
    "leaves of 2": DecisionTreeRegressor(min_samples_leaf=2, random_state=0),
    "leaves of 50": DecisionTreeRegressor(min_samples_leaf=50, random_state=0),
    "poisson": DecisionTreeRegressor(
        criterion="poisson", min_samples_leaf=2, random_state=0
    ),
    "medians": DecisionTreeRegressor(
        criterion="absolute_error", min_samples_leaf=2, random_state=0
    ),
    "extra trees": ExtraTreesRegressor(min_samples_leaf=3, **FEW),
    "boosting": GradientBoostingRegressor(**FEW),
    "histogram boosting": HistGradientBoostingRegressor(max_iter=10),
}


@pytest.mark.parametrize("offset", [1e6, 1e9, 1e11])
@pytest.mark.parametrize("name", FAR_FROM_ZERO)
def test_rounding_of_values_far_from_zero_is_no_sign_of_other_records(name, offset):
    system = system_of(FAR_FROM_ZERO[name], Y + offset)
    for block in system.blocks:
        if block.kind != "bin rank":
            assert np.abs(off_by(block)).max(initial=0) < 2


@pytest.mark.parametrize("offset", [1e6, 1e9])
def test_records_of_a_forest_are_all_given_whatever_the_size_of_its_values(offset):
    y = Y + offset
    forest = RandomForestRegressor(**FEW).fit(X[:N], y[:N])
    attack = LinearReconstructionAttack(forest).fit(as_records(X, y))
    assert attack.n_outside_ == 0


def test_equal_values_of_a_leaf_are_seen_where_no_others_are_near():
    levels = np.round(Y / 5) * 5
    tree = DecisionTreeRegressor(random_state=0)
    at_zero, far = (
        next(
            block
            for block in system_of(tree, levels + offset).blocks
            if block.kind == "leaf count of a value"
        )
        for offset in (0.0, 1e4)
    )
    assert far.b.sum() == at_zero.b.sum() == N


@pytest.mark.parametrize("solver", ["auto", "lsqr", "sparse_cg"])
@pytest.mark.parametrize("vectorizer", [CountVectorizer(), TfidfVectorizer()])
@pytest.mark.parametrize("cls", [Ridge, RidgeClassifier])
def test_steps_leave_rare_words_as_far_from_zero_as_any(cls, vectorizer, solver):
    texts, labels = docstrings()
    words = vectorizer.fit_transform(texts)
    aim = np.array([len(text) for text in texts]) if cls is Ridge else labels
    is_member = np.arange(len(texts)) % 2 == 0
    model = cls(solver=solver).fit(words[is_member], aim[is_member])
    (block,) = linear_equations(model, words, aim).blocks
    assert np.abs(off_by(block, is_member)).max() < 5


DRAWN = {
    "forest": RandomForestRegressor(min_samples_leaf=5, **FEW),
    "bagging": BaggingRegressor(DecisionTreeRegressor(min_samples_leaf=5), **FEW),
    "bagging of some": BaggingRegressor(
        DecisionTreeRegressor(min_samples_leaf=5), max_samples=0.5, **FEW
    ),
    "bagged lines": BaggingRegressor(Ridge(), **FEW),
    "boosting of some": GradientBoostingRegressor(subsample=0.7, max_depth=2, **FEW),
}


@pytest.mark.parametrize("name", DRAWN)
def test_drawn_sums_are_off_by_their_noise(name):
    for block in system_of(DRAWN[name]).blocks:
        off = off_by(block)
        if len(off) > 10:
            assert 0.5 < np.sqrt(np.mean(off**2)) < 1.7
            assert np.abs(off).max() < 6


def test_a_pure_leaf_tells_of_records_of_its_value_alone():
    values = np.array([1.0, 1.0, 2.0, 2.0, 1.0, 2.0])
    features = np.array([[0.0], [0.0], [1.0], [1.0], [0.0], [0.0]])
    tree = DecisionTreeRegressor().fit(features[:4], values[:4])
    system = linear_equations(tree, features, values)
    rows = {block.kind: block for block in system.blocks}
    others, own = rows["leaf count"], rows["leaf count of a value"]
    assert_array_equal(own._toarray(6), [[1, 1, 0, 0, 1, 0], [0, 0, 1, 1, 0, 0]])
    assert_array_equal(own.b, [2, 2])
    assert_array_equal(others._toarray(6), [[0, 0, 0, 0, 0, 1], np.zeros(6)])
    assert_array_equal(others.b, [0, 0])


def test_values_are_taken_as_a_wrapper_hands_them_on():
    inner = HistGradientBoostingRegressor(max_iter=5)
    plain = system_of(inner, np.log1p(Y))
    wrapped = TransformedTargetRegressor(inner, func=np.log1p, inverse_func=np.expm1)
    found = system_of(wrapped)
    for own, expected in zip(found.blocks, plain.blocks, strict=True):
        assert own.kind == expected.kind
        assert_allclose(own._toarray(2 * N), expected._toarray(2 * N))
        assert_allclose(own.b, expected.b)


def test_what_a_wrapper_learns_of_the_values_is_read():
    model = make_pipeline(
        StandardScaler(),
        TransformedTargetRegressor(Ridge(), transformer=StandardScaler()),
    )
    system = system_of(model)
    steps = {block.step for block in system.blocks}
    last = "transformedtargetregressor"
    assert steps == {"standardscaler", last, f"{last}.transformer"}
    for block in system.blocks:
        assert np.abs(off_by(block)).max(initial=0) < 1


def test_members_of_ensembles_are_read():
    pair = [("line", Ridge()), ("tree", DecisionTreeRegressor(max_depth=3))]
    for model in (VotingRegressor(pair), StackingRegressor(pair, cv=2)):
        system = system_of(model)
        assert {block.step for block in system.blocks} == {"part 0", "part 1"}
        for block in system.blocks:
            assert np.abs(off_by(block)).max(initial=0) < 1


@pytest.mark.parametrize(
    "model",
    [
        DecisionTreeRegressor(monotonic_cst=[1, 0, 0, 0, 0, 0]),
        LinearRegression(positive=True),
        Lasso(0.1, max_iter=1, tol=0),
        SVR(kernel=lambda a, b: a @ b.T, C=1e-9, epsilon=1e9),
    ],
)
@pytest.mark.filterwarnings("ignore:Objective did not converge")
def test_other_settings_have_no_equations_or_no_rows(model):
    assert has_equations(clone(model).fit(X[:N], Y[:N]))
    if isinstance(model, SVR):
        assert system_of(model).n_equations == 0
        return
    with pytest.raises(ValueError, match="No linear equation is known"):
        system_of(model)


def test_weights_of_records_leave_no_equation_of_a_tree():
    weights = np.linspace(0.5, 1.5, N)
    tree = DecisionTreeRegressor(max_depth=3).fit(X[:N], Y[:N], sample_weight=weights)
    with pytest.raises(ValueError, match="No linear equation is known"):
        linear_equations(tree, X, Y)


def test_what_is_held_by_heart_is_looked_up():
    far = X + 100
    pool = np.vstack([X, far[:50]])
    values = np.concatenate([Y, Y[:50]])
    whole = GaussianProcessRegressor(alpha=1.0).fit(X[:N], Y[:N])
    (block,) = linear_equations(whole, pool, values).blocks
    assert block.n_members == N
    assert_array_equal(block._toarray(len(pool)), np.eye(len(pool)))
    assert_array_equal(block.b, np.arange(len(pool)) < N)

    vectors = SVR(C=0.1, epsilon=2.0).fit(X[:N], Y[:N])
    (block,) = linear_equations(vectors, pool, values).blocks
    assert 0 < len(vectors.support_) < N
    assert block.n_members is None
    assert_array_equal(block.b, np.ones(len(vectors.support_)))
    expected = np.eye(len(pool))[np.sort(vectors.support_)]
    assert_array_equal(block._toarray(len(pool)), expected)


def test_what_does_not_hold_the_records_tells_none():
    gram = SVR(kernel="precomputed").fit(X[:N] @ X[:N].T, Y[:N])
    assert records_of_support_vectors_of_values(gram, X, Y) == []
    without = KNeighborsRegressor().fit(X[:N], Y[:N])
    del without._y
    with pytest.raises(ValueError, match="No linear equation is known"):
        linear_equations(without, X, Y)


class OwnTree(DecisionTreeRegressor):
    """May store other values than its base."""


def test_weights_or_trees_of_an_own_class_leave_no_equation_of_an_ensemble():
    weights = np.linspace(0.5, 1.5, N)
    forest = RandomForestRegressor(**FEW).fit(X[:N], Y[:N])
    forest._sample_weight = weights
    bagged = BaggingRegressor(OwnTree(), 3).fit(X[:N], Y[:N])
    for model in (forest, bagged):
        with pytest.raises(ValueError, match="No linear equation is known"):
            linear_equations(model, X, Y)


def test_losses_without_known_slopes_leave_the_counts():
    for settings in ({"loss": "absolute_error"}, {"monotonic_cst": [1] + 5 * [0]}):
        model = HistGradientBoostingRegressor(max_iter=3, **settings)
        system = system_of(model)
        assert kinds(system) == {"leaf count"}
        assert_array_equal(system.dot(IS_MEMBER.astype(float)), system.b)


def test_trees_kept_otherwise_or_that_misplace_missing_values_tell_nothing(monkeypatch):
    binned = HistGradientBoostingRegressor(max_iter=3).fit(X[:N], Y[:N])
    del binned._bin_mapper
    boosted = GradientBoostingRegressor(n_estimators=3).fit(X[:N], Y[:N])
    gaps = np.where(X > 0.9, np.nan, X)
    monkeypatch.setattr(_trees, "TREES_MISPLACE_MISSING", True)
    assert equations_of_gradient_boosting_of_values(boosted, X, Y) != []
    assert equations_of_gradient_boosting_of_values(boosted, gaps, Y) == []
    with pytest.raises(ValueError, match="No linear equation is known"):
        linear_equations(binned, X, Y)


def test_rounded_values_of_boosting_hold_within_their_rounding():
    for model in (
        GradientBoostingRegressor(n_estimators=10, random_state=0),
        HistGradientBoostingRegressor(max_iter=10),
    ):
        copy = round_values(clone(model).fit(X[:N], Y[:N]), 1)
        (block,) = (b for b in linear_equations(copy, X, Y).blocks if b.kind != "mean")
        assert block.kind == "leaf value"
        # A value is off by half of a tenth, and so is a sum by that a record.
        assert np.abs(off_by(block)).max() <= 5


@pytest.mark.parametrize(
    ("model", "least"),
    [
        (HistGradientBoostingRegressor(max_iter=30), 0.99),
        (RandomForestRegressor(**FEW), 0.97),
        (GradientBoostingRegressor(**FEW), 0.7),
        (make_pipeline(StandardScaler(), KNeighborsRegressor()), 0.99),
    ],
)
def test_the_attack_solves_them(model, least):
    model = clone(model).fit(X[:N], Y[:N])
    attack = LinearReconstructionAttack(model).fit(as_records(X, Y))
    assert roc_auc_score(IS_MEMBER, attack.score_samples(as_records(X, Y))) > least
    assert attack.n_members_ == N
    assert attack.n_outside_ == 0
    assert attack.unread_ == []


def test_outputs_alone_tell_no_equation_of_a_regressor():
    attack = LinearReconstructionAttack(Ridge().fit(X, Y), equations="outputs")
    with pytest.raises(ValueError, match="equations='outputs' got the target Ridge"):
        attack.fit(as_records(X, Y))


@pytest.mark.parametrize(
    ("package", "name", "settings", "expected"),
    [
        ("xgboost", "XGBRegressor", {}, {"leaf count", "leaf value"}),
        ("xgboost", "XGBRegressor", {"objective": "reg:absoluteerror"}, None),
        ("lightgbm", "LGBMRegressor", {"verbose": -1}, {"leaf count", "leaf value"}),
        (
            "lightgbm",
            "LGBMRegressor",
            {"verbose": -1, "objective": "regression_l1"},
            {"leaf count"},
        ),
    ],
)
def test_boosting_of_other_packages(package, name, settings, expected):
    cls = getattr(pytest.importorskip(package), name)
    model = cls(n_estimators=5, n_jobs=1, reg_lambda=2.0, **settings)
    if expected is None:
        with pytest.raises(ValueError, match="No linear equation is known"):
            system_of(model)
        return
    system = system_of(model)
    assert kinds(system) == expected
    for block in system.blocks:
        assert np.abs(off_by(block)).max(initial=0) < 3
