import re

import numpy as np
import pytest
from helpers.selection import MEMBERS, SCORING, X, Y, forest, tree
from sklearn.datasets import load_iris
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeRegressor

from sklearn_mia import RMIA, ThresholdAttack, as_records
from sklearn_mia.model_selection import (
    AuditableClassifier,
    CoarsenedClassifier,
    LeastLeakageWithin,
)


@pytest.mark.parametrize(
    "setting",
    [
        {"decimals": 0},
        {"decimals": 1},
        {"decimals": 2},
        {"top_k": 1},
        {"top_k": 2},
        {"temperature": 0.2},
        {"temperature": 5.0, "top_k": 2, "decimals": 1},
    ],
    ids=str,
)
def test_coarse_probabilities_are_probabilities(setting):
    data, labels = load_iris(return_X_y=True)
    labels = np.array(["z", "a", "m"])[labels]
    model = LogisticRegression(C=0.05, max_iter=500).fit(data, labels)
    coarse = CoarsenedClassifier(FrozenEstimator(model), **setting).fit(data, labels)
    full, proba = model.predict_proba(data), coarse.predict_proba(data)
    np.testing.assert_array_equal(coarse.classes_, ["a", "m", "z"])
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(coarse.predict(data), model.predict(data))
    # A more probable class never becomes less probable than another.
    order = np.argsort(full, axis=1, kind="stable")
    assert np.all(np.diff(np.take_along_axis(proba, order, axis=1), axis=1) >= 0)
    if "decimals" in setting:
        scaled = proba * 10 ** setting["decimals"]
        np.testing.assert_allclose(scaled, np.round(scaled), atol=1e-9)
    if "top_k" in setting:
        assert np.all((proba > 0).sum(axis=1) <= setting["top_k"])
    assert not hasattr(coarse, "decision_function")


def test_rounding_of_two_classes_is_rounding():
    model = LogisticRegression().fit(X, Y)
    coarse = CoarsenedClassifier(FrozenEstimator(model), decimals=2).fit(X, Y)
    np.testing.assert_allclose(
        coarse.predict_proba(X), model.predict_proba(X).round(2), atol=1e-12
    )


def test_temperature_is_that_of_the_softmax():
    model = LogisticRegression().fit(X, Y)
    coarse = CoarsenedClassifier(FrozenEstimator(model), temperature=3.0).fit(X, Y)
    expected = 1 / (1 + np.exp(-model.decision_function(X) / 3))
    np.testing.assert_allclose(coarse.predict_proba(X)[:, 1], expected, atol=1e-12)


def test_only_labels_are_left():
    model = CoarsenedClassifier(forest(), label_only=True)
    assert not hasattr(model, "predict_proba")
    model.fit(X[MEMBERS], Y[MEMBERS])
    assert not hasattr(model, "predict_proba")
    attack = ThresholdAttack(model).fit(as_records(X, Y))
    assert len(np.unique(attack.score_samples(as_records(X, Y)))) == 2


def test_a_defence_around_a_search_stays_in_the_shadows():
    search = GridSearchCV(tree(), {"max_depth": [3, None]}, cv=2)
    model = CoarsenedClassifier(search, decimals=1).fit(X[MEMBERS], Y[MEMBERS])
    assert not hasattr(model, "best_estimator_")
    attack = RMIA(model, n_shadows=2, random_state=0).fit(as_records(X, Y))
    assert isinstance(attack.models_[0][0], CoarsenedClassifier)


def test_defences_lower_leakage_and_are_searched():
    search = GridSearchCV(
        AuditableClassifier(CoarsenedClassifier(forest(30))),
        {"estimator__decimals": [None, 1, 0]},
        scoring=SCORING,
        refit=LeastLeakageWithin(0.0),
        cv=2,
    ).fit(X, Y)
    leakage = -search.cv_results_["mean_test_leakage"]
    assert leakage[2] < leakage[0] - 0.1
    assert np.ptp(search.cv_results_["mean_test_accuracy"]) == 0
    assert search.best_params_ == {"estimator__decimals": 0}


def test_shadows_know_the_defence():
    model = CoarsenedClassifier(forest(20), decimals=1).fit(X[MEMBERS], Y[MEMBERS])
    attack = RMIA(model, n_shadows=4, random_state=0).fit(as_records(X, Y))
    shadow, _ = attack.models_[0]
    assert isinstance(shadow, CoarsenedClassifier)
    assert attack.score(as_records(X, Y), np.arange(400) < 200) > 0.6


@pytest.mark.parametrize(
    "setting", [{"decimals": 0}, {"top_k": 1}, {"label_only": True}, {}]
)
def test_a_regressor_has_no_probabilities_to_make_coarser(setting):
    model = DecisionTreeRegressor().fit(X, X[:, 0])
    message = (
        "CoarsenedClassifier is for classifiers, and DecisionTreeRegressor is a "
        "regressor, without probabilities to make coarser. Pass a classifier, or audit "
        "a regressor whose `predict` rounds."
    )
    for wrapped in (model, FrozenEstimator(model), make_pipeline(model)):
        coarse = CoarsenedClassifier(wrapped, **setting)
        with pytest.raises(TypeError, match=re.escape(message)):
            coarse.fit(X, X[:, 0])
