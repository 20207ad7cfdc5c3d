"""Cells of a table: a target in a container, under an attack."""

import traceback
from functools import cache
from pathlib import Path

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import (
    Lasso,
    LinearRegression,
    LogisticRegression,
    Ridge,
    RidgeClassifier,
)
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.svm import SVC, SVR, LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

import sklearn_mia
from helpers import other_packages
from helpers.attacks import ON_A_TARGET, make
from helpers.containers import CONTAINERS, N_RECORDS
from sklearn_mia import as_records
from sklearn_mia.tables import take

ATTACKS = {cls.__name__: cls for cls in ON_A_TARGET}
MEMBERS = np.arange(N_RECORDS) < other_packages.N_MEMBERS


def _logistic():
    return LogisticRegression(C=10, max_iter=500)


def _tree():
    return DecisionTreeClassifier(min_samples_leaf=2, random_state=0)


def _forest():
    return RandomForestClassifier(10, random_state=0)


def _scaled_columns():
    scaled = ("scaled", MaxAbsScaler(), slice(0, 3))
    return ColumnTransformer([scaled], remainder="passthrough")


def _search(put):
    model = put(_tree())
    name = next(p for p in model.get_params() if p.endswith("max_depth"))
    return GridSearchCV(model, {name: [3, None]}, cv=2)


def _pair(put):
    return [("tree", put(_tree())), ("forest", put(_forest()))]


# What makes an unfitted target, of a function that puts the step which a container
# needs before a model.
CLASSIFIERS = {
    "LogisticRegression": lambda put: put(_logistic()),
    "RidgeClassifier": lambda put: put(RidgeClassifier(0.1)),
    "SVC": lambda put: put(SVC(C=10)),
    "SVC with probabilities": lambda put: put(
        SVC(C=10, probability=True, random_state=0)
    ),
    "KNeighborsClassifier": lambda put: put(KNeighborsClassifier(3)),
    "GaussianNB": lambda put: put(GaussianNB(var_smoothing=1e-3)),
    "DecisionTreeClassifier": lambda put: put(_tree()),
    "RandomForestClassifier": lambda put: put(_forest()),
    "ExtraTreesClassifier": lambda put: put(ExtraTreesClassifier(10, random_state=0)),
    "BaggingClassifier": lambda put: put(
        BaggingClassifier(_tree(), n_estimators=10, random_state=0)
    ),
    "AdaBoostClassifier": lambda put: put(
        AdaBoostClassifier(_tree(), n_estimators=5, random_state=0)
    ),
    "GradientBoostingClassifier": lambda put: put(
        GradientBoostingClassifier(n_estimators=10, random_state=0)
    ),
    "HistGradientBoostingClassifier": lambda put: put(
        HistGradientBoostingClassifier(
            max_iter=10, min_samples_leaf=3, max_bins=32, random_state=0
        )
    ),
    "HistGradientBoostingClassifier, no step before it": lambda put: (
        HistGradientBoostingClassifier(
            max_iter=10, min_samples_leaf=3, max_bins=32, random_state=0
        )
    ),
    "MLPClassifier": lambda put: put(
        MLPClassifier((10,), max_iter=100, solver="lbfgs", random_state=0)
    ),
    "LinearDiscriminantAnalysis": lambda put: put(LinearDiscriminantAnalysis()),
    "Pipeline with ColumnTransformer": lambda put: put(
        make_pipeline(_scaled_columns(), _logistic())
    ),
    "GridSearchCV": _search,
    "CalibratedClassifierCV": lambda put: CalibratedClassifierCV(
        put(LinearSVC(random_state=0)), cv=2
    ),
    "VotingClassifier": lambda put: VotingClassifier(_pair(put), voting="soft"),
    "StackingClassifier": lambda put: StackingClassifier(_pair(put), cv=2),
    "FrozenEstimator": lambda put: put(_forest()),
}
REGRESSORS = {
    "LinearRegression": lambda put: put(LinearRegression()),
    "Ridge": lambda put: put(Ridge(0.1)),
    "Lasso": lambda put: put(Lasso(0.001)),
    "SVR": lambda put: put(SVR(C=10)),
    "KNeighborsRegressor": lambda put: put(KNeighborsRegressor(3)),
    "DecisionTreeRegressor": lambda put: put(
        DecisionTreeRegressor(min_samples_leaf=2, random_state=0)
    ),
    "RandomForestRegressor": lambda put: put(RandomForestRegressor(10, random_state=0)),
    "GradientBoostingRegressor": lambda put: put(
        GradientBoostingRegressor(n_estimators=10, random_state=0)
    ),
    "HistGradientBoostingRegressor": lambda put: put(
        HistGradientBoostingRegressor(
            max_iter=10, min_samples_leaf=3, max_bins=32, random_state=0
        )
    ),
    "MLPRegressor": lambda put: put(
        MLPRegressor(
            hidden_layer_sizes=(10,), max_iter=100, solver="lbfgs", random_state=0
        )
    ),
    "TransformedTargetRegressor": lambda put: TransformedTargetRegressor(
        put(Ridge(0.1)), func=np.arcsinh, inverse_func=np.sinh
    ),
}
# Those of other packages that can be trained on any table.
OTHERS = {
    name: lambda put, make=make: put(make())
    for name, (_, make, delivered) in other_packages.TARGETS.items()
    if delivered is None and name not in other_packages.IMAGES
}
TARGETS = CLASSIFIERS | REGRESSORS | OTHERS


class NotPossible(Exception):
    """The target itself does not take the container."""


def _before(step):
    """A function that puts the step before a model."""
    if step is None:
        return lambda model: model
    steps = step.steps if isinstance(step, Pipeline) else [("step", step)]
    return lambda model: Pipeline([*steps, ("model", model)])


@cache
def held(container):
    return CONTAINERS[container]()


@cache
def trained(target, container):
    """The target trained on the members, and all records."""
    features, labels, values, step = held(container)
    told = values if target in REGRESSORS else labels
    model = TARGETS[target](_before(step))
    try:
        model.fit(take(features, MEMBERS), told[MEMBERS])
        model.predict(features)
    except Exception as error:
        raise NotPossible(f"{type(error).__name__}") from error
    if target == "FrozenEstimator":
        model = FrozenEstimator(model)
    return model, as_records(features, told)


@cache
def scores_of(target, container, attack):
    """Scores of a cell, and who is a member."""
    model, records = trained(target, container)
    return other_packages.scores_of(make(ATTACKS[attack], model), records, MEMBERS)


def refusal(error):
    """First sentence of what the package says when it refuses, else None.

    It is a TypeError or a ValueError that the package itself raises.
    """
    raised_in = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    own = Path(sklearn_mia.__file__).parent in raised_in.parents
    if not own or type(error) not in (TypeError, ValueError):
        return None
    return str(error).split(". ")[0].rstrip(".")


def outcome(target, container, attack):
    """What a cell of the table says."""
    try:
        scores, is_member = scores_of(target, container, attack)
    except NotPossible as error:
        return f"not possible: {error}"
    except Exception as error:
        # A model trained like the target may answer with no numbers.
        if "values that are not finite" in str(error):
            return f"not possible: {type(error).__name__}"
        told = refusal(error)
        if told is not None:
            return f"refused: {told}"
        return f"FAILED: {type(error).__name__}"
    if not np.isfinite(scores).all():
        return f"FAILED: {int((~np.isfinite(scores)).sum())} scores are not finite"
    return f"ok {roc_auc_score(is_member, scores):.2f}"
