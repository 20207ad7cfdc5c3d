"""What XGBoost, LightGBM and CatBoost store, where they are installed."""

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from test_equations import THREE, assert_holds, draw, standing_off

from sklearn_mia.equations import linear_equations

LIGHTGBM = [
    ({}, THREE),
    ({"reg_lambda": 3.0, "learning_rate": 0.3}, THREE),
    ({"boost_from_average": False}, THREE),
    ({"subsample": 0.6, "subsample_freq": 1}, THREE),
    ({"reg_alpha": 0.5}, THREE[:1]),
    ({"class_weight": "balanced"}, THREE[:1]),
    ({"colsample_bytree": 0.5, "extra_trees": True}, THREE),
]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(("settings", "kinds"), LIGHTGBM)
def test_what_lightgbm_stores_holds(settings, kinds, n_classes):
    lightgbm = pytest.importorskip("lightgbm")
    X, y, m = draw(n_classes)
    model = lightgbm.LGBMClassifier(
        n_estimators=20, num_leaves=15, n_jobs=1, verbose=-1
    )
    system = assert_holds(model.set_params(**settings), X, y, m, kinds)
    # The size of a bag is drawn.
    assert abs(system.n_members - m.sum()) < (9 if "subsample" in settings else 0.1)


def test_categories_of_lightgbm_have_no_value_equation():
    lightgbm, pd = pytest.importorskip("lightgbm"), pytest.importorskip("pandas")
    X, y, m = draw()
    table = pd.DataFrame(X, columns=[f"x{j}" for j in range(8)])
    table["x0"] = pd.Categorical(np.round(X[:, 0] * 3).astype(int))
    model = lightgbm.LGBMClassifier(
        n_estimators=20, num_leaves=15, n_jobs=1, verbose=-1, max_cat_to_onehot=1
    )
    system = assert_holds(model, table, y, m, THREE)
    count, value, _ = system.table()
    assert value.n_equations < count.n_equations


@pytest.mark.parametrize("n_classes", [2, 4])
@pytest.mark.parametrize("library", ["lightgbm", "xgboost"])
def test_trees_that_could_not_be_split_are_no_step(library, n_classes):
    module = pytest.importorskip(library)
    X, y, m = draw(n_classes)
    X[:, 0] += 9 * y
    if library == "lightgbm":
        model = module.LGBMClassifier(learning_rate=0.5, n_jobs=1, verbose=-1)
    else:
        model = module.XGBClassifier(learning_rate=0.8, n_jobs=1)
    system = linear_equations(model.fit(X[m], y[m]), X, y)
    assert standing_off(system, m).max() <= 5


XGBOOST = [
    ({}, THREE[1:]),
    ({"reg_lambda": 3.0, "learning_rate": 0.1}, THREE[1:]),
    ({"base_score": 0.3}, THREE[1:]),
    ({"subsample": 0.6}, THREE[1:]),
    ({"tree_method": "exact"}, THREE[1:]),
]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize(("settings", "kinds"), XGBOOST)
def test_what_xgboost_stores_holds(settings, kinds, n_classes):
    xgboost = pytest.importorskip("xgboost")
    X, y, m = draw(n_classes)
    model = xgboost.XGBClassifier(n_estimators=20, max_depth=4, n_jobs=1)
    assert_holds(model.set_params(**settings), X, y, m, kinds)


@pytest.mark.parametrize(
    "settings", [{"reg_alpha": 1.0}, {"scale_pos_weight": 2.0}, {"booster": "gblinear"}]
)
def test_xgboost_with_other_losses_is_refused(settings):
    xgboost = pytest.importorskip("xgboost")
    X, y, m = draw()
    model = xgboost.XGBClassifier(n_estimators=5, n_jobs=1, **settings)
    with pytest.raises(ValueError, match="No linear equation is known for XGB"):
        linear_equations(model.fit(X[m], y[m]), X, y)


def test_a_random_forest_of_xgboost_is_another_class():
    xgboost = pytest.importorskip("xgboost")
    X, y, m = draw()
    model = xgboost.XGBRFClassifier(n_estimators=5, n_jobs=1).fit(X[m], y[m])
    with pytest.raises(ValueError, match="No linear equation is known for XGBRF"):
        linear_equations(model, X, y)


def test_what_catboost_stores_holds():
    catboost = pytest.importorskip("catboost")
    X, y, m = draw()
    model = catboost.CatBoostClassifier(
        iterations=20, verbose=False, thread_count=1, allow_writing_files=False
    )
    assert_holds(model, X, y, m, THREE[:1])


def test_labels_of_text_and_steps_before():
    lightgbm = pytest.importorskip("lightgbm")
    X, y, m = draw()
    words = np.array(["no", "yes"])[y]
    model = make_pipeline(
        StandardScaler(), lightgbm.LGBMClassifier(n_estimators=5, n_jobs=1, verbose=-1)
    )
    model.fit(X[m], words[m])
    system = linear_equations(model, X, words)
    assert {line.step for line in system.table()} == {
        "standardscaler",
        "lgbmclassifier",
    }
    assert standing_off(system, m).max() <= 5
