"""Every attack takes a trained model as it is, or says why not before it trains."""

import pickle
import re

import numpy as np
import pytest
from helpers.attacks import (
    Counting,
    every_attack,
    every_attack_on_any_model,
    everything_on_a_target,
    everything_on_any_model,
    everything_that_may_ask_for_probabilities,
    fitted,
    half,
    make,
    model_for,
    refused,
    scores,
    table,
    train,
)
from helpers.targets import MixinsInTheWrongOrder, WithoutTags
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeClassifier, SGDClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.utils import get_tags

from sklearn_mia import RMIA, as_records


@every_attack_on_any_model
@pytest.mark.parametrize("wrap", [lambda model: model, FrozenEstimator])
def test_the_model_in_use_is_neither_refitted_nor_changed(cls, wrap):
    X, y = table()
    model = train(Counting(), X, y)
    before = pickle.dumps(model)
    target, records = wrap(model), as_records(X, y)
    attack = make(cls, target)
    assert clone(attack).target_estimator is target
    attack.fit(records, half(records)).predict(records)
    cross_val_score(make(cls, target), records, half(records), scoring="roc_auc", cv=2)
    assert attack.target_estimator is target
    assert pickle.dumps(model) == before
    assert model.fitted_times_ == 1


def fitted_targets(X, y):
    yield train(make_pipeline(StandardScaler(), LogisticRegression()), X, y)
    yield train(GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9]}, cv=2), X, y)
    for package, name in (("xgboost", "XGBClassifier"), ("lightgbm", "LGBMClassifier")):
        try:
            module = __import__(package)
        except ImportError:
            continue
        verbosity = {"xgboost": 0, "lightgbm": -1}[package]
        model = getattr(module, name)(n_estimators=3, verbosity=verbosity, n_jobs=1)
        yield train(model, X, y)


@every_attack
def test_an_unfitted_target_is_found_before_anything_is_trained(cls):
    X, y = table()
    records, model = as_records(X, y), model_for(cls)
    for unfitted in (model, FrozenEstimator(model)):
        name = type(unfitted).__name__
        message = f"The target {name} is not fitted. Pass the trained model"
        refused(cls, unfitted, records, NotFittedError, message)
    assert np.isfinite(scores(cls, train(model, X, y), records)).all()


def test_a_fitted_target_of_any_kind_is_known_as_fitted():
    X, y = table()
    records = as_records(X, y)
    for target in fitted_targets(X, y):
        assert np.isfinite(scores(RMIA, target, records)).all()
        message = f"The target {type(target).__name__} is not fitted. Pass the"
        refused(RMIA, clone(target), records, NotFittedError, message)


def sure_targets():
    yield RandomForestClassifier(8, bootstrap=False, random_state=0)
    yield GaussianNB(var_smoothing=1e-12)
    yield KNeighborsClassifier(1)
    try:
        from xgboost import XGBClassifier
    except ImportError:
        return
    yield XGBClassifier(
        n_estimators=60, learning_rate=1, min_child_weight=0, reg_lambda=0, n_jobs=1
    )


@every_attack_on_any_model
def test_probabilities_of_0_and_1_give_finite_scores(cls):
    X, y = table(class_sep=3, flip_y=0)
    # Far apart, so that probabilities round to 0 and 1.
    X = 30 * X
    for model in sure_targets():
        target = train(model, X, y)
        assert target.predict_proba(X[:80]).max() == 1
        assert np.isfinite(scores(cls, target, as_records(X, y))).all()


@everything_on_a_target
def test_parameters_of_the_target_are_out_of_reach(cls):
    X, y = table()
    target = train(model_for(cls), X, y)
    before = pickle.dumps(target)
    attack = make(cls, target)
    names = attack.get_params(deep=True)
    assert not [name for name in names if name.startswith("target_estimator__")]
    message = (
        "'target_estimator__max_depth' cannot be set: the target is a trained model "
        "that an attack never changes."
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        attack.set_params(target_estimator__max_depth=1)
    grid = {"target_estimator__max_depth": [1]}
    with pytest.raises(ValueError, match=re.escape(message)):
        GridSearchCV(attack, grid, scoring=lambda *_: 0, cv=2).fit(
            as_records(X, y), half(X)
        )
    assert pickle.dumps(target) == before


@everything_on_a_target
@pytest.mark.parametrize("wrong", [LogisticRegression, "rf", None])
def test_a_class_or_a_name_in_place_of_a_target_is_refused(cls, wrong):
    attack = make(cls, wrong)
    assert clone(attack).target_estimator is wrong
    message = "target_estimator must be a fitted classifier or regressor, got"
    records = as_records(*table())
    text = refused(cls, wrong, records, TypeError, message, y=half(records))
    assert text.endswith("RandomForestClassifier().fit(X_train, y_train).")


@everything_on_any_model
def test_a_target_without_tags_is_as_good_as_one_with_tags(cls):
    X, y = table()
    records = as_records(X, y)
    results = []
    for model in (WithoutTags(), MixinsInTheWrongOrder()):
        refused(cls, model, records, NotFittedError, "is not fitted", y=half(X))
        attack = make(cls, train(model, X, y))
        repr(attack), attack._repr_html_(), clone(attack), get_tags(attack)
        attack.fit(records, half(X))
        ask = getattr(attack, "score_samples", None) or attack.transform
        results.append(ask(records))
    assert np.isfinite(results[0]).all()
    assert_array_equal(*results)


@everything_on_any_model
def test_a_target_without_its_classes_is_told_what_is_missing(cls):
    class NoClasses(WithoutTags):
        def fit(self, X, y):
            self.model_ = self._model = LogisticRegression().fit(X, y)
            return self

    X, y = table()
    message = "The target NoClasses has no attribute classes_, the class of each"
    target = train(NoClasses(), X, y)
    refused(cls, target, as_records(X, y), TypeError, message, y=half(X))


def targets_without_probabilities():
    yield LinearSVC()
    yield SVC(gamma=2.0)
    yield SGDClassifier(random_state=0)
    yield RidgeClassifier()
    yield GridSearchCV(SVC(), {"gamma": [1.0, 2.0]}, cv=2)
    yield make_pipeline(StandardScaler(), SVC(gamma=2.0))


@every_attack_on_any_model
def test_a_target_without_probabilities_can_be_attacked(cls):
    X, y = table()
    for model in targets_without_probabilities():
        attack = fitted(cls, train(model, X, y), as_records(X, y))
        score = attack.score_samples(as_records(X, y))
        assert np.isfinite(score).all()
        assert len(np.unique(score)) > 1
        assert not hasattr(attack, "predict_proba")
    # The last one is overfitted, so that its members stand out.
    assert roc_auc_score(half(X), score) > 0.6


@everything_that_may_ask_for_probabilities
def test_a_response_method_that_the_target_lacks_is_refused(cls):
    X, y = table()
    target = train(LinearSVC(), X, y)
    message = (
        "response_method='predict_proba', but the target LinearSVC has no such "
        "method. It has decision_function, predict: pass one of them, or 'auto'."
    )
    params = {"response_method": "predict_proba", "y": half(X)}
    refused(cls, target, as_records(X, y), TypeError, message, **params)


class WrongProbabilities(WithoutTags):
    def __init__(self, fault=None):
        self.fault = fault

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return self.classes_[np.zeros(len(X), dtype=int)]

    def predict_proba(self, X):
        return self.fault(np.full((len(X), 2), 0.5))


@everything_that_may_ask_for_probabilities
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda p: p[:, 1], "must return shape (n_records, n_classes) = (160, 2)"),
        (lambda p: p[:, 1:], "one column a class, got (160, 1)."),
        (lambda p: [p, p], "returned a list of 2 arrays, one an output."),
        (lambda p: 3 * p, "must return probabilities that sum to 1 in each row"),
        (lambda p: p * np.nan, "returned 320 values that are not finite."),
    ],
)
def test_output_that_is_no_table_of_probabilities_is_refused(cls, fault, message):
    X, y = table()
    target = WrongProbabilities(fault).fit(X, y)
    refused(cls, target, as_records(X, y), ValueError, message, y=half(X))


def two_outputs(X, y):
    return RandomForestClassifier(2).fit(X, np.column_stack([y, y]))


@everything_on_any_model
@pytest.mark.parametrize(
    ("fit", "error", "message"),
    [
        (
            lambda X, y: RandomForestRegressor(2).fit(X, np.column_stack([y, y])),
            ValueError,
            "The target RandomForestRegressor has 2 outputs.",
        ),
        (two_outputs, ValueError, "The target RandomForestClassifier has 2 outputs."),
        (
            lambda X, y: RandomForestClassifier(2).fit(X, np.full(len(X), "only")),
            ValueError,
            "knows only the class 'only'.",
        ),
        (
            lambda X, y: StandardScaler().fit(X),
            TypeError,
            "classifier or regressor, but StandardScaler has no predict method.",
        ),
    ],
)
def test_a_target_that_is_no_classifier_of_classes_is_refused(cls, fit, error, message):
    X, y = table()
    text = refused(cls, fit(X, y), as_records(X, y), error, message, y=half(X))
    assert "\n" not in text
