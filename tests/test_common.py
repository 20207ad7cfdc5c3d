"""What every public estimator of the package must do."""

import inspect
import re

import numpy as np
import pytest
from helpers import all_estimators
from helpers.common_checks import scikit_learn_checks
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeRegressor
from sklearn.utils.validation import check_array

import sklearn_mia
from sklearn_mia._links import DOC_URL
from sklearn_mia.equations import register_equations
from sklearn_mia.equations._trees import equations_of_a_forest


class AnyWidthClassifier(ClassifierMixin, BaseEstimator):
    """A fitted classifier that takes any number of finite columns."""

    classes_ = np.array([0, 1])

    def __sklearn_is_fitted__(self):
        return True

    def fit(self, X, y):
        X = check_array(X, accept_sparse=True)
        self.shift_ = float(X.mean() / 10)
        return self

    def predict_proba(self, X):
        X = check_array(X, accept_sparse=True)
        level = np.asarray(X.sum(axis=1)).ravel() + getattr(self, "shift_", 0.0)
        positive = 1 / (1 + np.exp(-np.clip(level, -30, 30)))
        return np.column_stack([1 - positive, positive])

    def staged_predict_proba(self, X):
        proba = self.predict_proba(X)
        for weight in (0.3, 0.7, 1.0):
            yield weight * proba + (1 - weight) * 0.5

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class RowSum(TransformerMixin, BaseEstimator):
    """One column from any number of finite ones."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.asarray(check_array(X, accept_sparse=True).sum(axis=1)).reshape(-1, 1)

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


class OneForest(RandomForestClassifier):
    """A forest without weights, of which a copy is the forest itself."""

    def fit(self, X, y):
        return super().fit(X, y)

    def __deepcopy__(self, memo):
        # Checks compare hashes, and the padding bytes of copied tree nodes differ.
        return self


# A subclass has no equations of its own accord.
register_equations(OneForest)(equations_of_a_forest)


def fitted_forest():
    X = np.random.default_rng(0).normal(size=(30, 1))
    forest = OneForest(n_estimators=5, random_state=0)
    return make_pipeline(RowSum(), forest).fit(X, X[:, 0] > 0)


# Attacks on one kind of model get a target of that kind.
TARGETS = dict.fromkeys(
    ("BaggingAttack", "LinearReconstructionAttack"), fitted_forest()
)
# What an attack learns with, where its own choice takes long.
SIMPLE = {
    "QuantileRegressionAttack": DecisionTreeRegressor(max_depth=3, random_state=0),
    "SupervisedAttack": LogisticRegression(),
}


def small_instance(cls):
    """An instance fast enough for the common tests."""
    names = inspect.signature(cls).parameters
    wanted = {
        "target_estimator": TARGETS.get(cls.__name__, AnyWidthClassifier()),
        "estimator": SIMPLE.get(cls.__name__),
        "attack_estimator": LogisticRegression(),
        "label_column": None,
        "n_shadows": 2,
        "n_trees": 8,
        "n_queries": 5,
        "n_stages": 3,
        "random_state": 0,
    }
    return cls(**{k: v for k, v in wanted.items() if k in names})


# The checks label members 1 and 2, which an attack says that it had to guess.
@pytest.mark.filterwarnings("ignore:y has the labels:UserWarning")
@scikit_learn_checks([small_instance(cls) for cls in all_estimators()], every=3)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@pytest.mark.parametrize("cls", all_estimators())
def test_every_parameter_is_checked(cls):
    parameters = inspect.signature(cls).parameters
    assert set(cls._parameter_constraints) == set(parameters)


@pytest.mark.parametrize("cls", all_estimators())
def test_estimators_are_exported(cls):
    assert getattr(sklearn_mia, cls.__name__) is cls
    assert cls.__name__ in sklearn_mia.__all__


@pytest.mark.parametrize("inside", [None, LogisticRegression()], ids=str)
@pytest.mark.parametrize("cls", all_estimators())
def test_the_html_view_links_to_the_page_of_the_class(cls, inside):
    estimator = cls(inside)
    page = f"{DOC_URL}api/generated/sklearn_mia.{cls.__name__}.html"
    links = set(re.findall(r'href="([^"#]*)', estimator._repr_html_()))
    assert page in links
    assert links <= {page, LogisticRegression()._get_doc_link()}


def test_the_html_view_of_an_attack_of_ones_own_links_to_no_page():
    class OwnAttack(sklearn_mia.ThresholdAttack):
        pass

    assert OwnAttack()._get_doc_link() == ""
