"""What is inside a model: the classifier or regressor in any nesting of wrappers."""

import re
from dataclasses import dataclass
from inspect import signature

import numpy as np
from sklearn.base import clone, is_regressor
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    RandomForestClassifier,
    StackingClassifier,
    StackingRegressor,
)
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.model_selection._search import BaseSearchCV
from sklearn.multiclass import OneVsOneClassifier, OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.utils import check_array
from sklearn.utils.validation import has_fit_parameter

from sklearn_mia.tables import own_copy, take

AVERAGING = (RandomForestClassifier, ExtraTreesClassifier, BaggingClassifier)
_THRESHOLDS = (FixedThresholdClassifier, TunedThresholdClassifierCV)
_BY_CLASS = (OneVsRestClassifier, OneVsOneClassifier)
_STACKING = (StackingClassifier, StackingRegressor)
_ONE_AGAINST_REST = {"multiclassova", "multiclass_ova", "ova", "MultiClassOneVsAll"}
_HOOK = "__sklearn_mia_inside__"
_FEW_ROWS = 5
# What rounding to two decimals changes.
_SAME_PROBABILITY = 0.02


@dataclass(frozen=True, repr=False)
class OpenedModel:
    """A model without its wrappers.

    A pickle of it holds the features given.

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

    @property
    def samplers(self):
        """What chose or made the records that the classifier was trained on.

        Steps that resample, in their order, and a tuned threshold that left records
        out. Those that choose tell which in `sample_indices_`, once they are fitted.
        """
        return _samplers(self.wrappers)


def _samplers(wrappers):
    found = []
    for wrapper in wrappers:
        if isinstance(wrapper, Pipeline):
            steps = (step for _, step in wrapper.steps[:-1])
            found += [step for step in steps if hasattr(step, "fit_resample")]
        elif isinstance(wrapper, TunedThresholdClassifierCV):
            found += [wrapper] * (not wrapper.refit and not _is_prefit(wrapper))
    return found


def open_model(
    model, features=None, *, same_answers=False, to_answer=False, n_classes=None
):
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
    TransformedTargetRegressor     the regressor, of values that were transformed
    stacking                       the final estimator, if `to_answer`
    any other                      what its ``__sklearn_mia_inside__`` says
    =============================  ================================================

    That method, without arguments, returns three things: the name of the parameter
    that holds the wrapped classifier, the classifier itself, fitted if the wrapper is,
    and whether the probabilities of the wrapper are those of the classifier, column by
    column, but for rounding. The features reach it as they come. What it returns is
    checked, the last on the first rows of the features where there are any.

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

    n_classes : int or None, default=None
        Classes of the data, for a OneVsRest or OneVsOne that is not fitted.

    Returns
    -------
    opened : OpenedModel
        What is inside; the model itself where there is nothing to open.
    """
    wrappers, prefix = [], ""
    while True:
        layer = _inside(model, n_classes)
        if layer is None and to_answer and isinstance(model, _STACKING):
            layer = "final_estimator", getattr(model, "final_estimator_", None), True
            features = None
        if layer is None or (same_answers and not layer[2]):
            return OpenedModel(model, features, tuple(wrappers), prefix)
        if same_answers and features is not None and _has_own_hook(model):
            _check_same_answers(model, layer[1], features)
        if features is not None and isinstance(model, Pipeline):
            features = _through_steps(model, features)
        wrappers.append(model)
        prefix += f"{layer[0]}__"
        model = layer[1]


def _inside(model, n_classes=None):
    """Parameter, wrapped classifier and whether it answers; None for no wrapper."""
    if hasattr(model, _HOOK):
        return _checked_layer(model, model.__sklearn_mia_inside__())
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
    if isinstance(model, TransformedTargetRegressor):
        inner = getattr(model, "regressor_", model.regressor)
        return None if inner is None else ("regressor", inner, False)
    if isinstance(model, _BY_CLASS):
        if not hasattr(model, "estimators_"):
            return ("estimator", model.estimator, True) if n_classes == 2 else None
        fitted = model.estimators_
        if len(fitted) == 1 and hasattr(fitted[0], "classes_"):
            return "estimator", fitted[0], True
    return None


def _checked_layer(model, layer):
    """What the hook of a wrapper returned, if it is what was asked for."""
    fault = _fault_of_layer(model, layer)
    if fault is not None:
        raise ValueError(
            f"{type(model).__name__}.{_HOOK} returned {fault}; expected a tuple of the "
            "name of the parameter that holds the wrapped classifier, the classifier "
            "itself, fitted if the wrapper is, and True or False: whether the "
            "probabilities of the wrapper are those of the classifier."
        )
    return layer


def _fault_of_layer(model, layer):
    if not isinstance(layer, tuple):
        return type(layer).__name__
    if len(layer) != 3:
        return f"a tuple of {len(layer)}"
    name, inner, same = layer
    if not isinstance(name, str):
        return f"{type(name).__name__} as the name"
    if hasattr(model, "get_params") and name not in model.get_params(deep=False):
        return f"the name {name!r}, which is no parameter"
    if inner is model:
        return "the wrapper itself"
    if isinstance(inner, type) or not hasattr(inner, "fit"):
        return f"{getattr(inner, '__name__', type(inner).__name__)} as the classifier"
    if not isinstance(same, (bool, np.bool_)):
        return f"{type(same).__name__} in the third place"
    if not hasattr(model, "classes_"):
        return None
    inner_name = type(inner).__name__
    if not hasattr(inner, "classes_"):
        return f"{inner_name}, which is not fitted while the wrapper is"
    classes = [m.classes_ for m in (model, inner)]
    if not same or any(isinstance(c, list) for c in classes):
        return None
    own, inside = (np.asarray(c).tolist() for c in classes)
    # A wrapper may encode the labels, if it keeps their order.
    reordered = own != inside and set(own) == set(inside)
    if reordered or len(own) != len(inside):
        return f"True for {inner_name}, whose classes_ are not those of the wrapper"
    return None


def _has_own_hook(model):
    """Whether somebody else wrote the wrapper; ours know what they say."""
    hook = getattr(type(model), _HOOK, None)
    return hook is not None and not hook.__module__.startswith("sklearn_mia.")


def _check_same_answers(model, inner, features):
    some = take(features, slice(0, _FEW_ROWS))
    if not all(hasattr(m, "predict_proba") for m in (model, inner)):
        return
    proba = [np.asarray(m.predict_proba(own_copy(some))) for m in (model, inner)]
    if proba[0].shape != proba[1].shape or not np.allclose(
        *proba, rtol=0, atol=_SAME_PROBABILITY
    ):
        raise ValueError(
            f"{type(model).__name__}.{_HOOK} says that the probabilities of the "
            f"wrapper are those of {type(inner).__name__}, but on the first records "
            "they differ; return False in the third place."
        )


def _is_prefit(model):
    """Whether a threshold was tuned for a model that had been trained before."""
    return isinstance(model, TunedThresholdClassifierCV) and isinstance(model.cv, str)


def _through_steps(pipeline, features):
    *_, (_, _, features) = steps_of(pipeline, features)
    return features


def steps_of(pipeline, features):
    """Steps of a fitted pipeline, each with its name and the features that it gets.

    Parameters
    ----------
    pipeline : Pipeline
        Fitted.

    features : {ndarray, sparse matrix, DataFrame}
        As the pipeline gets them.

    Yields
    ------
    step : tuple of str, estimator and features
        Steps that only pass features on are left out, but for the last; those that
        resample leave features as they are.
    """
    for name, step in pipeline.steps[:-1]:
        if step is None or isinstance(step, str):
            continue
        yield name, step, features
        if not hasattr(step, "fit_resample"):
            features = step.transform(features)
    yield *pipeline.steps[-1], features


def model_name(model):
    """What a model is called: its class, without the wrappers that answer as it."""
    return type(open_model(model, same_answers=True).classifier).__name__


def model_family(model):
    """Class of the model inside all wrappers, also those that change its answers."""
    return type(open_model(model).classifier).__name__


def chosen_by_search(estimator):
    """What a fitted search chose; any other estimator as it is."""
    return getattr(estimator, "best_estimator_", estimator)


# Recipes


def unfitted_recipe(model):
    """The estimator to clone for shadows: settings without what was found in training.

    At any depth a `FrozenEstimator` gives what it holds, a fitted search its
    `best_estimator_`, a threshold tuned for a trained model that threshold.

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
            if not isinstance(value, FrozenEstimator):
                continue
            is_value = is_regressor(value)
            if is_value or hasattr(value, "classes_"):
                raise ValueError(
                    f"The shadow recipe {type(recipe).__name__} holds a frozen "
                    f"{'regressor' if is_value else 'classifier'} as {name!r}, which a "
                    "shadow would not train anew. Pass shadow_estimator with the "
                    "estimator itself in its place."
                )
    return recipe


def trains_anew(recipe):
    """Tell whether `fit` trains the classifier inside, which a frozen one keeps."""
    wrappers = open_model(recipe).wrappers
    return not any(isinstance(wrapper, FrozenEstimator) for wrapper in wrappers)


def takes_groups(recipe):
    """Tell whether `fit` takes groups without metadata routing, as a search does."""
    return isinstance(recipe, BaseSearchCV) or has_fit_parameter(recipe, "groups")


def is_holder(wrapper):
    """Tell whether a wrapper only holds a model: a frozen one, or what a search found.

    Parameters
    ----------
    wrapper : estimator instance
        Fitted.

    Returns
    -------
    is_holder : bool
        Then its answers are those of the model inside, whatever is asked.
    """
    searched = hasattr(wrapper, "best_estimator_")
    own = hasattr(wrapper, _HOOK)
    return isinstance(wrapper, FrozenEstimator) or (searched and not own)


def _retrainable(model):
    layer = _inside(model)
    if layer is None:
        return model
    parameter, inner, _ = layer
    if is_holder(model):
        return _retrainable(inner)
    if isinstance(model, CalibratedClassifierCV) and not trains_anew(inner):
        # Calibrated on records of its own, which no shadow has.
        return model
    recipe = _retrainable(inner)
    if _is_prefit(model) and hasattr(model, "best_threshold_"):
        return FixedThresholdClassifier(
            clone(recipe),
            threshold=model.best_threshold_,
            pos_label=model._curve_scorer._get_pos_label(),
            response_method=model.response_method,
        )
    if recipe is inner:
        return model
    return clone(model).set_params(**{parameter: clone(recipe)})


def recipe_beside(model):
    """The recipe of shadows of a model calibrated on a trained one.

    The calibration has records of its own, which no shadow has: shadows are trained
    as the model inside, and the calibration is left out.

    Parameters
    ----------
    model : fitted classifier
        In any wrappers.

    Returns
    -------
    recipe : estimator instance or None
        None if the model's own recipe will do.
    """
    layer = _inside(model)
    if layer is None:
        return None
    parameter, inner, _ = layer
    if is_holder(model):
        return recipe_beside(inner)
    if isinstance(model, CalibratedClassifierCV) and isinstance(inner, FrozenEstimator):
        return clone(unfitted_recipe(recipe_beside(inner) or inner))
    recipe = recipe_beside(inner)
    return None if recipe is None else clone(model).set_params(**{parameter: recipe})


def thin_recipe(recipe, n_trees, n_classes):
    """Give an averaging ensemble fewer trees.

    Parameters
    ----------
    recipe : estimator instance
        A forest, extra trees or bagging, or wrappers that answer as one.

    n_trees : int
        Most trees that it may keep.

    n_classes : int
        Classes of the data.

    Returns
    -------
    thin : estimator instance or None
        An unfitted clone; None if the recipe is no averaging ensemble.

    n_full : int or None
        Trees of the recipe as it is.
    """
    thin = clone(recipe)
    opened = open_model(thin, same_answers=True, n_classes=n_classes)
    if not isinstance(opened.classifier, AVERAGING):
        return None, None
    n_full = opened.classifier.n_estimators
    name = f"{opened.prefix}n_estimators"
    return thin.set_params(**{name: min(n_trees, n_full)}), n_full


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
        If the recipe does not take it, or does not hand it on.
    """
    layers = _layers_of_recipe(recipe)
    for layer in layers:
        if isinstance(layer, (*_THRESHOLDS, *_BY_CLASS)):
            raise ValueError(
                f"{name} was passed to fit, but {type(layer).__name__} hands it on "
                "only by metadata routing. Leave it out, or call "
                "sklearn.set_config(enable_metadata_routing=True) and request it."
            )
    if "__" in name:
        return name
    model = layers[-1]
    accepts_any = any(
        p.kind is p.VAR_KEYWORD for p in signature(model.fit).parameters.values()
    )
    if not (has_fit_parameter(model, name) or accepts_any):
        raise ValueError(
            f"{name} was passed to fit, but the fit of {type(model).__name__} does not "
            f"take it. Leave it out, or pass a shadow_estimator that does."
        )
    samplers = _samplers(layers)
    if samplers:
        raise ValueError(
            f"{name} was passed to fit, but {type(samplers[0]).__name__} resamples the "
            "records without it. Leave it out."
        )
    pipelines = [layer for layer in layers if isinstance(layer, Pipeline)]
    return "".join(f"{pipeline.steps[-1][0]}__" for pipeline in pipelines) + name


def _layers_of_recipe(recipe):
    """The recipe and what it trains, the outermost first, searches opened too."""
    layers = []
    while recipe is not None:
        layers.append(recipe)
        layer = _inside(recipe)
        if layer is not None:
            recipe = layer[1]
        else:
            trains_clones = isinstance(recipe, (BaseSearchCV, CalibratedClassifierCV))
            recipe = recipe.estimator if trains_clones else None
    return layers


# Columns


def trained_names(model):
    """Names of the columns that a model was trained on, None if it has none."""
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        names = _names_of_catboost(model)
    if names is None:
        if isinstance(model, Pipeline):
            return trained_names(_first_step(model))
        layer = _inside(model)
        return None if layer is None else trained_names(layer[1])
    names = np.asarray(names).tolist()
    # LightGBM numbers the columns of an array and calls that their names.
    if all(re.fullmatch(rf"Column_{i}", str(c)) for i, c in enumerate(names)):
        return None
    return names


def _first_step(pipeline):
    """The first step that gets columns as the pipeline gets them and changes them."""
    for _, step in pipeline.steps:
        passes = step is None or isinstance(step, str) or hasattr(step, "fit_resample")
        if not passes:
            return step
    return None


def _names_of_catboost(model):
    names = getattr(model, "feature_names_", None)
    # It numbers the columns of an array.
    numbered = names is None or list(names) == [str(i) for i in range(len(names))]
    return None if numbered else names


def n_trained_columns(model):
    """Number of columns that a model was trained on, None if it does not say."""
    n_columns = getattr(model, "n_features_in_", None)
    if n_columns:
        return n_columns
    # CatBoost forgets the number when it is loaded, not the names.
    names = getattr(model, "feature_names_", None)
    return len(names) if names is not None and len(names) else None


def is_one_against_rest(model):
    """Tell whether the probabilities of a model are one a class, of any sum."""
    try:
        params = open_model(model, same_answers=True).classifier.get_params(deep=False)
    except AttributeError:
        return False
    objectives = {str(params.get(name)) for name in ("objective", "loss_function")}
    return bool(objectives & _ONE_AGAINST_REST)


def may_not_answer(model):
    """Tell whether a model says that it may leave records without an answer.

    Parameters
    ----------
    model : fitted classifier or regressor
        In any wrappers.

    Returns
    -------
    may_not : bool
        Then a row of its probabilities or a prediction may be NaN, and a label None:
        of :class:`~sklearn_mia.BlackBoxClassifier` and `BlackBoxRegressor`.
    """
    return bool(getattr(open_model(model).classifier, "may_not_answer", False))


def forest_table(features):
    """Features as the trees of a forest take them without a check of their own."""
    return check_array(
        features, accept_sparse="csr", dtype=np.float32, ensure_all_finite="allow-nan"
    )
