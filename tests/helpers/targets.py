"""Fitted classifiers of every kind, and how they are asked."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import (
    LogisticRegression,
    Perceptron,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia.response import check_target, make_responder

N_RECORDS = 120


def table(n_classes):
    return make_classification(
        N_RECORDS, 6, n_informative=4, n_classes=n_classes, flip_y=0.2, random_state=0
    )


class WithoutTags:
    """A classifier that knows nothing of scikit-learn but its method names."""

    def __init__(self, C=1.0):
        self.C = C

    def get_params(self, deep=True):
        return {"C": self.C}

    def set_params(self, **params):
        self.__dict__.update(params)
        return self

    def fit(self, X, y):
        self._model = LogisticRegression(C=self.C).fit(X, y)
        self.classes_ = self._model.classes_.tolist()
        return self

    def predict(self, X):
        return self._model.predict(X)

    def predict_proba(self, X):
        return self._model.predict_proba(X)


class OnlyLabels(WithoutTags):
    """Votes only; its state is no attribute with a trailing underscore."""

    predict_proba = property()

    def fit(self, X, y):
        self._model = LogisticRegression(C=self.C).fit(X, y)
        return self

    @property
    def classes_(self):
        return self._model.classes_


class MixinsInTheWrongOrder(BaseEstimator, ClassifierMixin):
    def fit(self, X, y):
        self.model_ = LogisticRegression().fit(X, y)
        self.classes_ = self.model_.classes_
        return self

    def predict(self, X):
        return self.model_.predict(X)

    def predict_proba(self, X):
        return self.model_.predict_proba(X)


def gradient_boosting(package, name):
    def make():
        classifier = getattr(pytest.importorskip(package), name)
        verbosity = 0 if package == "xgboost" else -1
        return classifier(n_estimators=5, n_jobs=1, verbosity=verbosity)

    return make


def search(estimator, **grid):
    return lambda: GridSearchCV(estimator, grid, cv=2)


TARGETS = {
    "logistic": (LogisticRegression, "log_odds"),
    "boosting": (
        lambda: GradientBoostingClassifier(n_estimators=5, random_state=0),
        "log_odds",
    ),
    "histogram boosting": (
        lambda: HistGradientBoostingClassifier(max_iter=5),
        "log_odds",
    ),
    "forest": (
        lambda: RandomForestClassifier(10, random_state=0),
        "predict_proba",
    ),
    "tree": (lambda: DecisionTreeClassifier(random_state=0), "predict_proba"),
    "neighbours": (lambda: KNeighborsClassifier(10), "predict_proba"),
    "Bayes": (GaussianNB, "predict_proba"),
    "XGBoost": (gradient_boosting("xgboost", "XGBClassifier"), "predict_proba"),
    "LightGBM": (gradient_boosting("lightgbm", "LGBMClassifier"), "log_odds"),
    "linear SVM": (LinearSVC, "decision_function"),
    "SVM": (SVC, "decision_function"),
    "ridge": (RidgeClassifier, "decision_function"),
    "hinge": (lambda: SGDClassifier(random_state=0), "decision_function"),
    "perceptron": (Perceptron, "decision_function"),
    "pipeline": (
        lambda: make_pipeline(StandardScaler(), LogisticRegression()),
        "log_odds",
    ),
    "pipeline of SVM": (lambda: make_pipeline(LinearSVC()), "decision_function"),
    "search": (search(LogisticRegression(), C=[0.1, 1]), "log_odds"),
    "search of forests": (
        search(RandomForestClassifier(5, random_state=0), max_depth=[2, 3]),
        "predict_proba",
    ),
    "search of SVMs": (search(SVC(), C=[0.1, 1]), "decision_function"),
    "calibrated": (lambda: CalibratedClassifierCV(LinearSVC(), cv=2), "predict_proba"),
    "no tags": (WithoutTags, "predict_proba"),
    "only labels": (OnlyLabels, "predict"),
    "mixins in the wrong order": (MixinsInTheWrongOrder, "predict_proba"),
}


def answers(make, n_classes, names=None):
    X, y = table(n_classes)
    if names is not None:
        y = np.asarray(names)[y]
    target = make().fit(X, y)
    before = getattr(target, "predict_proba", target.predict)(X)
    responder, log_proba = make_responder(target, X, check_target(target))
    after = getattr(target, "predict_proba", target.predict)(X)
    assert_array_equal(before, after)
    return target, responder, log_proba


class Fixed(ClassifierMixin, BaseEstimator):
    """Answers with what it was given."""

    def __init__(self, classes=(0, 1), **outputs):
        self.classes_ = np.asarray(classes)
        for name, output in outputs.items():
            setattr(self, name, lambda X, output=output: output)

    def fit(self, X, y):
        return self

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]


def ask(target, response_method="auto"):
    X = np.zeros((len(target.predict(None)), 1))
    return make_responder(target, X, check_target(target), response_method)
