"""The parts of a model that were fitted, each with the data that it was fitted on."""

from dataclasses import dataclass, replace
from numbers import Real

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor
from sklearn.ensemble import BaggingClassifier, BaggingRegressor
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklearn_mia.ensembles import STACKING, VOTING, calibrators_of, members_of
from sklearn_mia.models import open_model, steps_of
from sklearn_mia.response import encode_labels
from sklearn_mia.tables import as_array, take_columns

# In training they hand on other features than `transform` gives for the same records.
_FIT_ANOTHER_WAY = ("TargetEncoder", "IterativeImputer")
_BAGGING = (BaggingClassifier, BaggingRegressor)
_STORE_NOTHING = (
    "Binarizer",
    "Normalizer",
    "PolynomialFeatures",
)


@dataclass(frozen=True, repr=False)
class Part:
    """A fitted estimator inside a model.

    A pickle of it holds the features.

    Attributes
    ----------
    step : str
        Where it is; "" for the model itself.

    estimator : estimator instance
        Fitted.

    features : {ndarray, sparse matrix, DataFrame}
        What it gets where the model gets the features of the pool.

    labels : ndarray of shape (n_records,) or None
        The class labels, or values to predict, as it was given them.

    share : float, default=1.0
        Expected times that a training record of the model was used to fit it.

    sampling : float, default=0.0
        Variance of those times, divided by the square of their mean.
    """

    step: str
    estimator: object
    features: object
    labels: np.ndarray | None
    share: float = 1.0
    sampling: float = 0.0


def parts_of(model, features, labels, step=""):
    """Take a fitted model apart, as far as its parts saw the records of the pool.

    What follows a step that resamples, or one that hands on other features in training
    than later, is left out: what it was fitted on is not known.

    Parameters
    ----------
    model : fitted estimator
        Classifier or transformer.

    features : {ndarray, sparse matrix, DataFrame}
        Of the pool, as the model gets them.

    labels : ndarray of shape (n_records,) or None
        Class labels of the pool, as the model was given them.

    step : str, default=""
        Where the model is.

    Yields
    ------
    part : Part
    """
    opened = open_model(model)
    for layer in (*opened.wrappers, opened.classifier):
        labels = _as_given(layer, labels, model)
        model = layer
        if isinstance(layer, TransformedTargetRegressor) and labels is not None:
            column, inside = _as_column(labels), _inside(step, "transformer")
            yield from parts_of(layer.transformer_, column, None, inside)
        if isinstance(layer, Pipeline):
            known = True
            for name, part, seen in steps_of(layer, features):
                features = seen
                if part is layer.steps[-1][1]:
                    step = _inside(step, name)
                    break
                yield from parts_of(part, seen, labels, _inside(step, name))
                known = _hands_on_the_same(part)
                if not known:
                    return
    yield from _of_ensemble(opened.classifier, features, labels, step)


def estimators_in(model):
    """All estimators inside a fitted model, itself included, without any data.

    Parameters
    ----------
    model : fitted estimator

    Yields
    ------
    estimator : estimator instance
    """
    opened = open_model(model)
    for layer in (*opened.wrappers, opened.classifier):
        yield layer
        for part in _held_by(layer):
            yield from estimators_in(part)


def unread_in(model, read):
    """Fitted estimators inside a model that nothing was read of.

    Parameters
    ----------
    model : fitted estimator

    read : set of int
        Identities of those that something was read of, with all that is in them.

    Returns
    -------
    unread : list of estimator instance
        Without those that store nothing, whatever the data.
    """
    opened, unread = open_model(model), []
    for layer in (*opened.wrappers, opened.classifier):
        if id(layer) in read:
            continue
        held = _held_by(layer)
        for part in held:
            unread += unread_in(part, read)
        # A calibrated model has calibrators beside what it calibrates.
        is_last = layer is opened.classifier and not held
        if is_last or isinstance(layer, CalibratedClassifierCV):
            unread.append(layer)
    return [part for part in unread if not _stores_nothing(part)]


def _stores_nothing(part):
    """Whether what an estimator holds does not depend on any record."""
    if type(part) is FunctionTransformer:
        # A function of a module has no records with it.
        is_plain = all(
            f is None
            or isinstance(f, np.ufunc)
            or (hasattr(f, "__qualname__") and not hasattr(f, "__self__"))
            for f in (part.func, part.inverse_func)
        )
        closes = any(
            getattr(f, "__closure__", None) or getattr(f, "__defaults__", None)
            for f in (part.func, part.inverse_func)
        )
        return is_plain and not closes and not (part.kw_args or part.inv_kw_args)
    return type(part).__name__ in _STORE_NOTHING


def n_numbers(estimator):
    """Numbers that a fitted estimator stores, infinite for what cannot be counted.

    Parameters
    ----------
    estimator : fitted estimator

    Returns
    -------
    n_numbers : float
    """
    if type(estimator) is FunctionTransformer:
        return np.inf
    if isinstance(estimator, CalibratedClassifierCV):
        # What interpolates between thresholds has them again.
        held = (vars(part).items() for part in calibrators_of(estimator))
        return float(sum(_size(v) for own in held for k, v in own if k != "f_"))
    parameters = estimator.get_params(deep=False)
    stored = (v for k, v in vars(estimator).items() if k not in parameters)
    return float(sum(map(_size, stored)))


def _size(value):
    if value is None or isinstance(value, (str, bytes, Real, np.generic)):
        return 1
    if isinstance(value, np.ndarray):
        return value.size if value.dtype != object else sum(map(_size, value.ravel()))
    if isinstance(value, (list, tuple)):
        return sum(map(_size, value))
    return np.inf


def _held_by(layer):
    """Estimators that one that is made of others was fitted with."""
    if isinstance(layer, Pipeline):
        held = [step for _, step in layer.steps[:-1]]
    elif isinstance(layer, ColumnTransformer):
        held = [step for _, step, _ in layer.transformers_]
    elif isinstance(layer, FeatureUnion):
        held = [step for _, step in layer.transformer_list]
    elif isinstance(layer, TransformedTargetRegressor):
        held = [layer.transformer_]
    elif type(layer) in _BAGGING:
        held = layer.estimators_[:1]
    else:
        held = members_of(layer)
        if isinstance(layer, STACKING):
            held = [*held, layer.final_estimator_]
    return [part for part in held if hasattr(part, "fit")]


def _inside(step, name):
    return f"{step}.{name}" if step else name


def _as_given(layer, labels, outer):
    """Labels as a wrapper gave them to the model inside: encoded, in their order."""
    if isinstance(outer, TransformedTargetRegressor) and layer is not outer:
        return _transformed(outer, labels)
    own, inner = (getattr(m, "classes_", None) for m in (outer, layer))
    if layer is outer or labels is None or own is None or inner is None:
        return labels
    own, inner = np.asarray(own), np.asarray(inner)
    if len(own) != len(inner) or own.tolist() == inner.tolist():
        return labels
    return inner[encode_labels(labels, own)]


def _transformed(outer, values):
    """Values to predict as a TransformedTargetRegressor hands them on."""
    if values is None:
        return None
    return np.ravel(outer.transformer_.transform(_as_column(values)))


def _as_column(values):
    return np.asarray(values, dtype=np.float64).reshape(-1, 1)


def _hands_on_the_same(step):
    if hasattr(step, "fit_resample"):
        return False
    inside = [step]
    if isinstance(step, ColumnTransformer):
        inside = [transformer for _, transformer, _ in step.transformers_]
    elif isinstance(step, FeatureUnion):
        inside = [transformer for _, transformer in step.transformer_list]
    elif isinstance(step, Pipeline):
        inside = [transformer for _, transformer in step.steps]
    if inside != [step]:
        return all(map(_hands_on_the_same, inside))
    return type(step).__name__ not in _FIT_ANOTHER_WAY


def _of_ensemble(model, features, labels, step):
    if type(model) is ColumnTransformer:
        for name, transformer, columns in model.transformers_:
            if hasattr(transformer, "fit") and len(np.atleast_1d(columns)):
                yield from parts_of(
                    transformer,
                    take_columns(features, columns),
                    labels,
                    _inside(step, name),
                )
    elif type(model) is FeatureUnion:
        for name, transformer in model.transformer_list:
            if hasattr(transformer, "fit"):
                yield from parts_of(transformer, features, labels, _inside(step, name))
    elif type(model) is OneVsRestClassifier:
        given = model.label_binarizer_.transform(labels)
        given = given.toarray() if hasattr(given, "toarray") else given
        for k, part in enumerate(model.estimators_):
            yield from parts_of(
                part, features, given[:, k], _inside(step, f"class {k}")
            )
    elif type(model) in STACKING and model.cv == "prefit":
        # What was trained before may have other records.
        yield from parts_of(
            model.final_estimator_,
            model.transform(features),
            _as_given(model.final_estimator_, labels, model),
            _inside(step, "final_estimator"),
        )
    elif type(model) in _BAGGING and not isinstance(
        model.estimators_[0], (DecisionTreeClassifier, DecisionTreeRegressor)
    ):
        yield from _of_bagging(model, features, labels, step)
    elif members := _trained_on_all(model):
        for k, (part, share, sampling) in enumerate(members):
            given = _as_given(part, labels, model)
            found = parts_of(part, features, given, _inside(step, f"part {k}"))
            yield from _drawn(found, share, sampling)
    else:
        yield Part(step, model, features, labels)


def _drawn(parts, share, sampling):
    for part in parts:
        yield replace(part, share=part.share * share, sampling=part.sampling + sampling)


def _of_bagging(model, features, labels, step):
    drawn = draws_of(model)
    if drawn is None:
        return
    codes = encode_labels(labels, getattr(model, "classes_", None))
    table = as_array(features)
    for k, (part, columns) in enumerate(
        zip(model.estimators_, model.estimators_features_, strict=True)
    ):
        found = parts_of(part, table[:, columns], codes, _inside(step, f"part {k}"))
        yield from _drawn(found, *drawn)


def draws_of(model):
    """How an averaging ensemble drew the records of each of its members.

    Parameters
    ----------
    model : fitted forest or bagging

    Returns
    -------
    drawn : tuple of two floats or None
        Expected times that a training record was drawn, and the variance of those
        times divided by the square of their mean; None if the model does not tell.
    """
    if not model.bootstrap and getattr(model, "max_samples", 1.0) in (1.0, None):
        return 1.0, 0.0
    n = getattr(model, "_n_samples", None)
    n_drawn = getattr(model, "_n_samples_bootstrap", None)
    n_drawn = getattr(model, "_max_samples", n_drawn)
    if n is None or n_drawn is None:
        return None
    share = n_drawn / n
    return share, (1 - 1 / n) / share if model.bootstrap else (1 - share) / share


def _trained_on_all(model):
    """Members that were trained on all records or on folds, and how often."""
    if isinstance(model, STACKING) and model.cv == "prefit":
        return []
    if isinstance(model, (*STACKING, *VOTING)):
        return [(part, 1.0, 0.0) for part in members_of(model)]
    if isinstance(model, CalibratedClassifierCV):
        parts = members_of(model)
        if type(model.cv) in (type(None), int, KFold, StratifiedKFold):
            k = len(parts)
            return [(part, 1 - 1 / k, 1 / (k - 1)) for part in parts]
    return []
