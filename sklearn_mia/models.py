"""What is inside a model: the classifier in any nesting of wrappers."""

import re
from dataclasses import dataclass
from inspect import signature

import numpy as np
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    RandomForestClassifier,
    StackingClassifier,
)
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array
from sklearn.utils.validation import has_fit_parameter

AVERAGING = (RandomForestClassifier, ExtraTreesClassifier, BaggingClassifier)
_THRESHOLDS = (FixedThresholdClassifier, TunedThresholdClassifierCV)


@dataclass(frozen=True)
class OpenedModel:
    """A model without its wrappers.

    Attributes
    ----------
    classifier : estimator
        The innermost one, fitted if the model is.

    features : {ndarray, sparse matrix, DataFrame} or None
        What the classifier gets where the model gets the features given.

    wrappers : tuple of estimator
        What was opened, the outermost first.

    prefix : str
        What ``set_params`` of the model puts before a parameter of the classifier.
    """

    classifier: object
    features: object
    wrappers: tuple
    prefix: str


def open_model(model, features=None, *, same_answers=False, to_answer=False):
    """Open all wrappers around a classifier, in any nesting.

    =============================  ================================================
    wrapper                        what is inside
    =============================  ================================================
    Pipeline                       its last step; steps that resample (those of
                                   imbalanced-learn) leave features as they are
    search                         `best_estimator_`
    FrozenEstimator                the estimator
    thresholds                     the estimator
    CalibratedClassifierCV         the estimator, if there is just one
    OneVsRest, OneVsOne            the estimator, if there are two classes
    stacking                       the final estimator, if `to_answer`
    any other                      what its ``__sklearn_mia_inside__`` says
    =============================  ================================================

    That method, without arguments, returns the name of the parameter that holds the
    wrapped classifier, the classifier itself, fitted if the wrapper is, and whether
    the probabilities of the wrapper are those of the classifier. The features reach
    it as they come.

    Parameters
    ----------
    model : estimator instance
        Fitted or not.

    features : {ndarray, sparse matrix, DataFrame} or None, default=None
        Features as the model gets them.

    same_answers : bool, default=False
        Whether to stop at a wrapper whose probabilities are not those of what it
        wraps, as calibrated ones.

    to_answer : bool, default=False
        Whether to go on to the final estimator of a stack, which gives its answers
        but does not hold its records.

    Returns
    -------
    opened : OpenedModel
        What is inside; the model itself where there is nothing to open.
    """
    wrappers, prefix = [], ""
    while True:
        layer = _inside(model)
        if layer is None and to_answer and isinstance(model, StackingClassifier):
            layer = "final_estimator", getattr(model, "final_estimator_", None), True
            features = None
        if layer is None or (same_answers and not layer[2]):
            return OpenedModel(model, features, tuple(wrappers), prefix)
        if features is not None and isinstance(model, Pipeline):
            features = _through_steps(model, features)
        wrappers.append(model)
        prefix += f"{layer[0]}__"
        model = layer[1]


def _inside(model):
    """Parameter, wrapped classifier and whether it answers; None for no wrapper."""
    if hasattr(model, "__sklearn_mia_inside__"):
        return model.__sklearn_mia_inside__()
    if isinstance(model, Pipeline):
        name, last = model.steps[-1]
        return None if last is None or isinstance(last, str) else (name, last, True)
    if isinstance(model, FrozenEstimator):
        return "estimator", model.estimator, True
    if hasattr(model, "best_estimator_"):
        return "estimator", model.best_estimator_, True
    if isinstance(model, _THRESHOLDS):
        return "estimator", getattr(model, "estimator_", model.estimator), True
    if isinstance(model, CalibratedClassifierCV):
        fitted = getattr(model, "calibrated_classifiers_", ())
        return ("estimator", fitted[0].estimator, False) if len(fitted) == 1 else None
    if isinstance(model, (OneVsRestClassifier, OneVsOneClassifier)):
        fitted = getattr(model, "estimators_", ())
        if len(fitted) == 1 and hasattr(fitted[0], "classes_"):
            return "estimator", fitted[0], True
    return None


def _through_steps(pipeline, features):
    for _, step in pipeline.steps[:-1]:
        resamples = hasattr(step, "fit_resample")
        if step is not None and not isinstance(step, str) and not resamples:
            features = step.transform(features)
    return features


def model_name(model):
    """What a model is called: its class, without the wrappers that answer as it."""
    return type(open_model(model, same_answers=True).classifier).__name__


# Recipes


def unfitted_recipe(model):
    """The estimator to clone for shadows: settings without what was found in training.

    At any depth a `FrozenEstimator` gives what it holds, a fitted search its
    `best_estimator_`.

    Parameters
    ----------
    model : estimator instance
        Fitted or not.

    Returns
    -------
    recipe : estimator instance
        The model itself, not a clone, where there is nothing to open.

    Raises
    ------
    ValueError
        If a frozen classifier remains inside: shadows could not retrain it.
    """
    recipe = _retrainable(model)
    if hasattr(recipe, "get_params"):
        for name, value in recipe.get_params(deep=True).items():
            if isinstance(value, FrozenEstimator) and hasattr(value, "classes_"):
                raise ValueError(
                    f"The shadow recipe {type(recipe).__name__} holds a frozen "
                    f"classifier as {name!r}, which a shadow would not train anew. "
                    "Pass shadow_estimator with the estimator itself in its place."
                )
    return recipe


def _retrainable(model):
    layer = _inside(model)
    if layer is None:
        return model
    parameter, inner, answers = layer
    if isinstance(model, FrozenEstimator) or (
        hasattr(model, "best_estimator_")
        and not hasattr(model, "__sklearn_mia_inside__")
    ):
        return _retrainable(inner)
    recipe = _retrainable(inner)
    if recipe is inner or not answers:
        return model
    return clone(model).set_params(**{parameter: clone(recipe)})


def thin_recipe(recipe, n_trees):
    """Give an averaging ensemble fewer trees.

    Parameters
    ----------
    recipe : estimator instance
        A forest, extra trees or bagging, or wrappers that answer as one.

    n_trees : int
        Most trees that it may keep.

    Returns
    -------
    thin : estimator instance or None
        An unfitted clone; None if the recipe is no averaging ensemble.

    n_full : int or None
        Trees of the recipe as it is.
    """
    opened = open_model(recipe, same_answers=True)
    if not isinstance(opened.classifier, AVERAGING):
        return None, None
    n_full = opened.classifier.n_estimators
    name = f"{opened.prefix}n_estimators"
    return clone(recipe).set_params(**{name: min(n_trees, n_full)}), n_full


def final_fit_param(recipe, name):
    """Name of a fit parameter as the recipe takes it, for its final step.

    Parameters
    ----------
    recipe : estimator instance
        What shadows are cloned from.

    name : str
        Parameter of `fit`; one with ``__`` in its name is returned as it is.

    Returns
    -------
    name : str
        With the prefix of the last step for a pipeline.

    Raises
    ------
    ValueError
        If the recipe does not take it.
    """
    if "__" in name:
        return name
    opened = open_model(recipe)
    model = opened.classifier
    pipelines = [w for w in opened.wrappers if isinstance(w, Pipeline)]
    prefix = "".join(f"{pipeline.steps[-1][0]}__" for pipeline in pipelines)
    accepts_any = any(
        p.kind is p.VAR_KEYWORD for p in signature(model.fit).parameters.values()
    )
    if not (has_fit_parameter(model, name) or accepts_any):
        raise ValueError(
            f"{name} was passed to fit, but the fit of {type(model).__name__} does not "
            f"take it. Leave it out, or pass a shadow_estimator that does."
        )
    return prefix + name


# Columns


def trained_names(model):
    """Names of the columns that a model was trained on, None if it has none."""
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        return None
    names = np.asarray(names).tolist()
    # LightGBM numbers the columns of an array and calls that their names.
    if all(re.fullmatch(rf"Column_{i}", str(c)) for i, c in enumerate(names)):
        return None
    return names


def encoders_of(model, names):
    """Find the fitted encoders that get columns as the model gets them.

    Parameters
    ----------
    model : fitted estimator
        The model, or a part of it.

    names : list
        Names of the columns.

    Yields
    ------
    names : list
        The columns of one encoder.

    encoder : fitted transformer
        With `categories_`, one a column.
    """
    if isinstance(model, Pipeline):
        steps = (s for _, s in model.steps if s is not None and s != "passthrough")
        yield from encoders_of(next(steps, None), names)
    elif isinstance(model, ColumnTransformer):
        for _, transformer, _ in model.transformers_:
            own = getattr(transformer, "feature_names_in_", None)
            if own is not None:
                yield from encoders_of(transformer, list(own))
    elif len(getattr(model, "categories_", ())) == len(names):
        yield names, model
    elif (layer := _inside(model)) is not None:
        yield from encoders_of(layer[1], names)


def forest_table(features):
    """Features as the trees of a forest take them without a check of their own."""
    return check_array(
        features, accept_sparse="csr", dtype=np.float32, ensure_all_finite="allow-nan"
    )
