"""Regressors without counts, and with rounded values: what they tell all the same."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import make_friedman1
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingRegressor,
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.linear_model import Ridge
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeRegressor

from sklearn_mia import (
    LinearReconstructionAttack,
    as_records,
    round_values,
    strip_counts,
)
from sklearn_mia.equations import linear_equations
from sklearn_mia.equations._tree_values import _grid_of
from sklearn_mia.metrics import roc_auc_interval

X, Y = make_friedman1(600, n_features=6, noise=2.0, random_state=0)
Y = np.round(Y, 1) + 5
IS_MEMBER = np.random.default_rng(0).permutation(600) < 300
FEW = {"n_estimators": 20, "random_state": 0}

TREES = {
    "tree": DecisionTreeRegressor(min_samples_leaf=5, random_state=0),
    "grown tree": DecisionTreeRegressor(random_state=0),
    "poisson tree": DecisionTreeRegressor(
        criterion="poisson", min_samples_leaf=5, random_state=0
    ),
    "forest": RandomForestRegressor(**FEW),
    "forest, leaf 5": RandomForestRegressor(min_samples_leaf=5, **FEW),
    "forest, parts": RandomForestRegressor(min_samples_leaf=2, max_samples=0.4, **FEW),
    "extra trees": ExtraTreesRegressor(min_samples_leaf=5, **FEW),
    "bagged": BaggingRegressor(DecisionTreeRegressor(max_depth=4), **FEW),
    "bagged, some columns": BaggingRegressor(max_features=0.5, **FEW),
    "bagged once": BaggingRegressor(
        DecisionTreeRegressor(max_depth=4), bootstrap=False, max_samples=0.6, **FEW
    ),
}
BOOSTED = {
    "gradient boosting": GradientBoostingRegressor(**FEW),
    "parts": GradientBoostingRegressor(subsample=0.6, **FEW),
    "histograms": HistGradientBoostingRegressor(max_iter=20, l2_regularization=1.0),
    "histograms of counts": HistGradientBoostingRegressor(loss="poisson", max_iter=20),
    "histograms of gammas": HistGradientBoostingRegressor(loss="gamma", max_iter=20),
}
MODELS = TREES | BOOSTED


def fitted(name, y=Y):
    return clone(MODELS[name]).fit(X[IS_MEMBER], y[IS_MEMBER])


def nodes_of(model):
    trees = np.ravel(getattr(model, "estimators_", [model]))
    return [tree.tree_ for tree in trees]


def auc_of(model, y=Y):
    scores = LinearReconstructionAttack(model).fit_score(as_records(X, y))
    return roc_auc_score(IS_MEMBER, scores)


def off_by(system):
    """How far the worst row is off, in standard deviations.

    By rounding a row is off by as much as half of the records would make it.
    """
    members = IS_MEMBER.astype(float)
    off, half = np.abs(system.dot(members) - system.b), np.full(len(X), 0.5)
    noise = np.maximum(system.noise(members), system.noise(half))
    known = np.isfinite(system.scale)
    assert known.any()
    return np.max(off[known] / np.maximum(noise[known], 1e-9))


@pytest.mark.parametrize("name", MODELS)
def test_a_copy_without_counts_predicts_the_same(name):
    model = fitted(name)
    stripped = strip_counts(model)
    assert_array_equal(stripped.predict(X), model.predict(X))
    if name in BOOSTED and "histograms" in name:
        for tree in (tree for trees in stripped._predictors for tree in trees):
            assert not tree.nodes["count"].any()
            assert not tree.nodes["gain"].any()
        assert model._predictors[0][0].nodes["count"][0] == 300
        assert not hasattr(stripped, "train_score_")
        return
    for before, nodes in zip(nodes_of(model), nodes_of(stripped), strict=True):
        assert before.n_node_samples[0] > 0
        for stored in ("n_node_samples", "weighted_n_node_samples", "impurity"):
            assert not getattr(nodes, stored).any()
        assert not nodes.value[nodes.children_left >= 0].any()


def test_missing_values_and_categories_go_where_they_went():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(X.copy(), columns=list("abcdef"))
    table.loc[::7, "b"] = np.nan
    table["c"] = pd.cut(table["c"], 4, labels=list("wxyz"))
    model = HistGradientBoostingRegressor(
        max_iter=20, categorical_features="from_dtype", early_stopping=True
    ).fit(table, Y)
    stripped = strip_counts(model)
    assert_array_equal(stripped.predict(table), model.predict(table))
    assert max(map(len, stripped._bin_mapper.bin_thresholds_)) == 4


def test_nothing_tells_how_often_a_record_was_drawn():
    forest = RandomForestRegressor(30, oob_score=True, random_state=0).fit(X, Y)
    stripped = strip_counts(forest)
    assert stripped.random_state is None
    assert {tree.random_state for tree in stripped.estimators_} == {None}
    lengths = [len(v) for v in vars(stripped).values() if isinstance(v, np.ndarray)]
    assert 600 not in lengths
    assert len(forest.oob_prediction_) == 600


def test_trees_are_found_within_wrappers_and_other_models_are_refused():
    search = GridSearchCV(TREES["tree"], {"max_depth": [3, 5]}, cv=2)
    whole = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), search), transformer=StandardScaler()
    ).fit(X, Y)
    inner = strip_counts(whole).regressor_[-1].best_estimator_
    assert not inner.tree_.n_node_samples.any()
    assert round_values(whole, 1).regressor_[-1].best_estimator_.decimals_ == 1
    with pytest.raises(
        TypeError,
        match=r"strip_counts got a Ridge; it knows DecisionTreeRegressor, "
        "ExtraTreeRegressor, RandomForestRegressor, ExtraTreesRegressor, "
        "BaggingRegressor, GradientBoostingRegressor, HistGradientBoostingRegressor of "
        "trees, also within pipelines and other wrappers. What other models store they "
        r"need for their answers: train it to tell less, or keep its file.",
    ):
        strip_counts(Ridge().fit(X, Y))
    with pytest.raises(TypeError, match="round_values got a AdaBoostRegressor; it kn"):
        round_values(AdaBoostRegressor(n_estimators=2).fit(X, Y), 1)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("decimals", [None, 1, 0])
def test_what_is_left_holds(name, decimals):
    if name in ("grown tree", "bagged once") and decimals == 0:
        decimals = 2
    model = fitted(name)
    model = strip_counts(model) if decimals is None else round_values(model, decimals)
    system = linear_equations(model, X, Y)
    kinds = {block.kind for block in system.blocks}
    if name in TREES:
        assert kinds <= {"leaf size", "leaf mean", "leaf total"}
        assert "leaf total" in kinds
    else:
        assert kinds <= {"leaf value", "mean"}
    assert off_by(system) <= 5


def test_a_grid_of_values_is_found_wherever_it_starts():
    rng = np.random.default_rng(0)
    whole = rng.integers(1, 99, 500).astype(float)
    assert _grid_of(whole)[1] == 1
    assert _grid_of(10_000 * whole + 3)[1] == pytest.approx(10_000)
    assert _grid_of(np.round(whole / 8, 1))[1] == pytest.approx(0.1)
    start, step = _grid_of((whole - whole.mean()) / whole.std())
    assert step * whole.std() == pytest.approx(1)
    assert start * whole.std() + whole.mean() == pytest.approx(whole.min())
    assert np.isnan(_grid_of(rng.normal(size=500))[1])
    assert np.isnan(_grid_of(np.ones(5))[1])
    assert _grid_of(np.array([3.0, 0.0, 1.0]))[1] == 1


def test_a_mean_of_whole_numbers_tells_of_the_number_of_records():
    """Three of four records of the pool, whose mean is a third of a whole number."""
    pool, values = np.array([[0.0], [0], [0], [0]]), np.array([1.0, 2, 4, 9])
    tree = DecisionTreeRegressor(max_depth=1).fit(pool[:3], values[:3])
    rows = {
        e.kind: e for e in linear_equations(strip_counts(tree), pool, values).blocks
    }
    # Of four records three are a multiple of three, and no other number is.
    assert_allclose(rows["leaf total"]._toarray(4), [[1, 1, 1, 1]])
    assert_allclose(rows["leaf total"].b, [3])
    assert rows["leaf total"].sampling == 0
    assert_allclose(rows["leaf mean"]._toarray(4), [values - 7 / 3])
    # As wide as a step, rounding leaves open how many there are: some.
    rounded = linear_equations(round_values(tree, 0), pool, values)
    (told,) = (e for e in rounded.blocks if e.kind == "leaf total")
    with_none = linear_equations(strip_counts(tree), pool, values + np.pi * values**2)
    (some,) = (e for e in with_none.blocks if e.kind == "leaf total")
    assert_allclose(told.b, some.b)


def test_leaves_that_were_split_to_the_end_have_no_other_values():
    pool = np.arange(8.0)[:, None]
    values = np.array([1.0, 5, 1, 5, 1, 5, 1, 5])
    tree = DecisionTreeRegressor(random_state=0).fit(pool[[0, 1, 6, 7]], [1, 5, 1, 5])
    system = linear_equations(strip_counts(tree), pool, values)
    rows = {block.kind: block for block in system.blocks}
    leaves = tree.apply(pool)
    others = tree.predict(pool) != values
    expected = [others & (leaves == leaf) for leaf in np.unique(leaves)]
    assert_allclose(rows["leaf size"]._toarray(8), np.array(expected, float))
    assert not rows["leaf size"].b.any()
    # Two records that the tree cannot tell may be in one leaf with both their values.
    twice, both = np.vstack([pool, pool]), np.concatenate([values, values + 1])
    system = linear_equations(strip_counts(tree), twice, both)
    assert "leaf mean" in {block.kind for block in system.blocks}


def test_a_file_without_counts_is_read_and_boosting_tells_less():
    forest, boosting = fitted("forest"), fitted("histograms")
    assert auc_of(strip_counts(forest)) > 0.99
    assert 0.6 < auc_of(strip_counts(boosting)) < auc_of(boosting) - 0.02
    aucs = [auc_of(round_values(boosting, decimals)) for decimals in (2, 1, 0)]
    assert auc_of(strip_counts(boosting)) > aucs[0] > aucs[1] > aucs[2]
    # Whole numbers are where they were.
    whole = np.rint(Y)
    forest = fitted("forest", whole)
    assert auc_of(round_values(forest, 0), whole) == auc_of(strip_counts(forest), whole)


# An interval misses with .05: 4 or more of 10 do in 1 of 970 runs, 8 or more of 40 in 1
# of 1,400.
@pytest.mark.parametrize(
    ("n_runs", "most"), [(10, 3), pytest.param(40, 7, marks=pytest.mark.slow)]
)
@pytest.mark.parametrize("name", ["forest", "extra trees", "histograms"])
@pytest.mark.parametrize("change", [strip_counts, lambda model: round_values(model, 0)])
def test_a_changed_model_of_other_records_gives_nothing_away(
    change, name, n_runs, most
):
    missed = 0
    for seed in range(n_runs):
        features, values = make_friedman1(450, noise=2.0, random_state=seed)
        values = np.round(values, 1)
        model = change(clone(MODELS[name]).fit(features[300:], values[300:]))
        m = np.random.default_rng(seed + 99).permutation(300) < 150
        scores = LinearReconstructionAttack(model).fit_score(
            as_records(features[:300], values[:300])
        )
        found = roc_auc_interval(m, scores)
        missed += not found.low <= 0.5 <= found.high
    assert missed <= most


@pytest.mark.parametrize("decimals", [1, 0, -1])
@pytest.mark.parametrize("name", MODELS)
def test_predictions_change_by_no_more_than_is_said(name, decimals):
    model = fitted(name)
    before = model.predict(X)
    changed = round_values(model, decimals)
    assert_array_equal(model.predict(X), before)
    step, after = 10.0**-decimals, changed.predict(X)
    if name in TREES:
        assert np.abs(after - before).max() <= step / 2 * (1 + 1e-9)
        for nodes in nodes_of(changed):
            leaf = nodes.children_left < 0
            assert_allclose(nodes.value[leaf], np.round(nodes.value[leaf], decimals))
    else:
        if "counts" in name or "gammas" in name:
            before, after = np.log(before), np.log(after)
        assert np.abs(after - before).max() <= 20 * step / 2 * (1 + 1e-9)
    assert round_values(changed, decimals + 1).predict(X) == pytest.approx(
        changed.predict(X)
    )


def test_decimals_of_a_regressor_may_be_tens():
    values = np.round(1000 * Y, -1)
    forest = fitted("forest, leaf 5", values)
    rounded = round_values(forest, -3)
    assert rounded.decimals_ == -3
    for nodes in nodes_of(rounded):
        thousands = nodes.value[nodes.children_left < 0] / 1000
        assert_array_equal(thousands, np.rint(thousands))
    system = linear_equations(rounded, X, values)
    assert off_by(system) <= 5
    with pytest.raises(
        ValueError, match="'decimals' parameter of round_values must be an int in the"
    ):
        round_values(forest, -10)
