"""Small attacks of every class, their targets and their records."""

import inspect
import re
from collections import Counter
from functools import cache

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.preprocessing import OneHotEncoder
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils import get_tags
from sklearn.utils.validation import validate_data

from helpers import all_estimators
from sklearn_mia import as_records
from sklearn_mia.base._contract import BaseAttack
from sklearn_mia.identity import record_ids

ATTACKS = [cls for cls in all_estimators() if issubclass(cls, BaseAttack)]
ON_A_TARGET = [
    cls
    for cls in all_estimators()
    if "target_estimator" in inspect.signature(cls).parameters
]
# Attacks on one kind of model, and a small one of that kind.
MODELS = {
    "BaggingAttack": RandomForestClassifier(5, random_state=0),
    "LinearReconstructionAttack": ExtraTreesClassifier(5, random_state=0),
    "TrajectoryAttack": GradientBoostingClassifier(
        n_estimators=3, max_depth=2, random_state=0
    ),
}
# For all others; what it learns depends on its seed.
TREE = DecisionTreeClassifier(min_samples_leaf=3, max_features=4, random_state=0)


SMALL = {
    "n_shadows": 4,
    "n_trees": 10,
    "n_queries": 5,
    "n_stages": 3,
    "n_folds": 2,
    "attack_estimator": GaussianNB(),
    "random_state": 0,
}
# What an attack learns with, where its own choice takes long.
SIMPLE = {
    "QuantileRegressionAttack": DecisionTreeRegressor(max_depth=3, random_state=0),
    "SupervisedAttack": GaussianNB(),
}


def with_parameter(classes, name):
    return [cls for cls in classes if name in inspect.signature(cls).parameters]


def on_any_model(classes):
    return [cls for cls in classes if cls.__name__ not in MODELS]


every_attack = pytest.mark.parametrize("cls", ATTACKS)
every_attack_on_any_model = pytest.mark.parametrize("cls", on_any_model(ATTACKS))
every_shadow_attack = pytest.mark.parametrize(
    "cls", with_parameter(ATTACKS, "n_shadows")
)
every_shadow_attack_on_any_model = pytest.mark.parametrize(
    "cls", on_any_model(with_parameter(ATTACKS, "n_shadows"))
)
everything_on_a_target = pytest.mark.parametrize("cls", ON_A_TARGET)
everything_on_any_model = pytest.mark.parametrize("cls", on_any_model(ON_A_TARGET))
everything_that_may_ask_for_probabilities = pytest.mark.parametrize(
    "cls", with_parameter(on_any_model(ON_A_TARGET), "response_method")
)


def make(cls, target, **params):
    """A small instance, with those of `params` that it has."""
    params = {**SMALL, "estimator": SIMPLE.get(cls.__name__), **params}
    names = inspect.signature(cls).parameters
    return cls(target, **{k: v for k, v in params.items() if k in names})


def fitted(cls, target, records, **params):
    """Fit with known membership where it is needed and nowhere else."""
    attack = make(cls, target, **params)
    if get_tags(attack).target_tags.required:
        return attack.fit(records, half(records))
    return attack.fit(records)


def half(records):
    """Membership: the first half of the records."""
    return np.arange(records.shape[0]) < records.shape[0] // 2


def scores(cls, target, records, **params):
    return fitted(cls, target, records, **params).score_samples(records)


def model_for(cls):
    """A small unfitted model that the attack takes."""
    return clone(MODELS.get(cls.__name__, TREE))


def table(n_records=160, **params):
    params = {"n_informative": 5, "flip_y": 0.2, "random_state": 0, **params}
    return make_classification(n_records, 8, **params)


def train(model, X, y):
    """Fit on the first half, the members."""
    return model.fit(X[: len(y) // 2], y[: len(y) // 2])


@cache
def plain_scores(cls, n_classes=2):
    """Scores of the plain numpy, integer-label, one-worker run."""
    X, y = table(n_classes=n_classes)
    return scores(cls, train(model_for(cls), X, y), as_records(X, y))


@cache
def plain_attack(cls):
    """An attack of that kind, fitted with known membership."""
    X, y = table()
    return make(cls, train(model_for(cls), X, y)).fit(as_records(X, y), half(X))


def frame_of(X, **index):
    pd = pytest.importorskip("pandas")
    return pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])], **index)


class Untrainable(ClassifierMixin, BaseEstimator):
    """A recipe that must never be trained."""

    def fit(self, X, y):
        raise AssertionError("trained")

    def predict(self, X):
        raise AssertionError("asked")

    predict_proba = predict


def refused(cls, target, records, error, message, y=None, **params):
    """The attack refuses the input before it trains anything."""
    nothing = {"shadow_estimator": Untrainable(), "estimator": Untrainable()}
    attack = make(cls, target, **{**nothing, **params})
    if y is None and get_tags(attack).target_tags.required:
        y = half(records)
    with pytest.raises(error, match=re.escape(message)) as caught:
        attack.fit(records, y)
    return str(caught.value)


def people(n_records=160):
    """A numeric and a text column, and labels."""
    rng = np.random.default_rng(0)
    age = rng.normal(40, 10, n_records)
    job = rng.choice(["cook", "clerk", "coder"], n_records)
    y = (age + 8 * (job == "coder") + rng.normal(0, 8, n_records) > 42).astype(int)
    return {"age [years]": age, "job": job}, y


def encoder(**params):
    text = ("text", OneHotEncoder(**params), ["job"])
    return ColumnTransformer([text], remainder="passthrough")


class Counting(ClassifierMixin, BaseEstimator):
    """A classifier that counts its fits, all clones together, and where each ran."""

    fits = Counter()

    def __init__(self, name=""):
        self.name = name

    def fit(self, X, y):
        validate_data(self, X, skip_check_array=True)
        type(self).fits[self.name] += 1
        self.fitted_times_ = getattr(self, "fitted_times_", 0) + 1
        self.seen_ = record_ids(X, y)
        self.model_ = GaussianNB().fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(X)

    def predict_proba(self, X):
        return self.model_.predict_proba(X)
