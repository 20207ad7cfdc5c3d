import pickle

import numpy as np
import pytest
from helpers.selection import SCORING, X, Y, forest, tree
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from sklearn_mia.model_selection import (
    AuditableClassifier,
    LeastLeakageWithin,
    MostAccurateWithin,
    PrivacyUtilityDisplay,
)

RESULTS = {
    "mean_test_accuracy": np.array([0.90, 0.899, 0.899, 0.85, np.nan]),
    "mean_test_leakage": np.array([-0.60, -0.30, -0.20, -0.05, -0.01]),
    "params": [{"leaf": leaf} for leaf in (1, 2, 5, 10, 20)],
}


@pytest.mark.parametrize("sign", [1, -1])
def test_strategies(sign):
    results = {**RESULTS, "mean_test_leakage": sign * RESULTS["mean_test_leakage"]}
    assert MostAccurateWithin(0.7)(results) == 0
    assert MostAccurateWithin(0.3)(results) == 2  # as accurate as 1, leaks less
    assert MostAccurateWithin(0.1)(results) == 3
    assert LeastLeakageWithin(0.0)(results) == 0
    assert LeastLeakageWithin(0.001)(results) == 2
    assert LeastLeakageWithin(0.05)(results) == 3


def test_a_limit_that_nobody_keeps_does_not_lose_the_search():
    with pytest.warns(UserWarning, match=r"leaks least, 0.05.*\{'leaf': 10\}"):
        assert MostAccurateWithin(0.01)(RESULTS) == 3


def test_strategies_tell_what_is_wrong():
    with pytest.raises(ValueError, match="leakage='leak' is not a scorer"):
        MostAccurateWithin(0.1, leakage="leak")(RESULTS)
    with pytest.raises(ValueError, match="max_leakage=5 is not a number"):
        MostAccurateWithin(5)
    with pytest.raises(ValueError, match="accuracy_loss=True is not a number"):
        LeastLeakageWithin(True)
    empty = {**RESULTS, "mean_test_leakage": np.full(5, np.nan)}
    with pytest.raises(ValueError, match="None of 5 candidates"):
        LeastLeakageWithin(0.1)(empty)


@pytest.mark.parametrize("strategy", [MostAccurateWithin(0.3), LeastLeakageWithin(0.1)])
def test_strategies_travel(strategy):
    assert pickle.loads(pickle.dumps(strategy)) == strategy
    search = GridSearchCV(
        AuditableClassifier(tree()),
        {"estimator__min_samples_leaf": [1, 30]},
        scoring=SCORING,
        refit=strategy,
        cv=2,
    ).fit(X, Y)
    assert search.best_index_ == 1
    assert search.best_estimator_.was_trained_on(X, Y).all()


@pytest.mark.slow
def test_a_search_halves_the_leakage_for_little_accuracy(german_credit, pyplot):
    X, y = german_credit.drop(columns="credit_risk"), german_credit["credit_risk"]
    encode = make_column_transformer(
        (OrdinalEncoder(), make_column_selector(dtype_include="category")),
        remainder="passthrough",
    )
    search = GridSearchCV(
        AuditableClassifier(make_pipeline(encode, forest())),
        {
            "estimator__randomforestclassifier__max_depth": [None, 8],
            "estimator__randomforestclassifier__min_samples_leaf": [1, 5],
            "estimator__randomforestclassifier__n_estimators": [10, 20],
        },
        scoring=SCORING,
        refit=LeastLeakageWithin(accuracy_loss=0.005),
        cv=2,
    )
    search.fit(X, y)
    display = PrivacyUtilityDisplay.from_cv_results(
        search.cv_results_, selected=search.best_index_
    )
    accuracy, leakage = display.accuracy, display.leakage
    chosen = search.best_index_
    # The default settings, with as many trees as the grid allows.
    default = search.cv_results_["params"].index(
        dict(zip(search.param_grid, (None, 1, 20), strict=True))
    )
    assert accuracy[chosen] >= accuracy[default] - 0.005
    assert leakage[chosen] <= leakage[default] / 2
    assert chosen in display.frontier
    assert search.predict_proba(X).shape == (1000, 2)
