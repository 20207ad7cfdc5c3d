"""What a recipe of shadow models must be."""

from dataclasses import replace
from inspect import getattr_static, isclass

from sklearn.utils.metadata_routing import _routing_enabled, process_routing
from sklearn.utils.validation import _num_samples

from sklearn_mia.black_box import asks_a_service
from sklearn_mia.hooks import cause_of, frozen, is_of_scikit_learn
from sklearn_mia.label_free import as_forests_take, split_label_free
from sklearn_mia.models import final_fit_param, trains_anew, unfitted_recipe
from sklearn_mia.regression import is_regressor_model
from sklearn_mia.shadows import ShadowFitError, prepare_recipe
from sklearn_mia.tables import own_copy

# No shadow has this number, and so its seeds.
_FIRST_STEPS = 2**32 - 1

# Of the response methods those that tell more than a label.
_SCORES = ("predict_proba", "decision_function")

EARLY_STOPPING = (
    "{}: early stopping needs an eval_set, which no shadow has. Pass a recipe without "
    "it: shadow_estimator=clone(model).set_params(early_stopping_rounds=None, "
    "n_estimators=model.best_iteration + 1)."
)


def check_pairs(n_shadows):
    """Return a number of shadows if it is even."""
    if n_shadows % 2:
        raise ValueError(
            f"n_shadows={n_shadows!r} is odd, but shadows are trained in complementary "
            f"pairs. Pass {n_shadows + 1}."
        )
    return n_shadows


def recipe_of(attack):
    """The recipe of the shadows of an attack, that of its target if it names none."""
    recipe = attack.shadow_estimator
    return unfitted_recipe(attack.target_estimator) if recipe is None else recipe


def check_before_asking(attack):
    """Raise an error for shadows that cannot be trained, or not be asked."""
    own = attack.shadow_estimator
    if attack._cost():
        _check_trainable(attack.target_estimator if own is None else own)
        attack._way_to_ask()


def _check_trainable(recipe):
    if asks_a_service(recipe):
        raise ValueError(
            "A model behind a service cannot be cloned, so that no shadow model like "
            "it can be trained. Pass shadow_estimator=..., an estimator with the "
            "settings that it was probably trained with, or use an attack without "
            "shadow models, such as QuantileRegressionAttack."
        )


def way_to_ask_both(attack):
    """How the target and its shadows, perhaps of another kind, are asked.

    Parameters
    ----------
    attack : BaseShadowAttack

    Returns
    -------
    response_method : str
        In the place of "auto" what both have, where that could choose something else.

    Raises
    ------
    TypeError
        If no shadow could be asked so.
    """
    target, recipe = attack.target_estimator, attack.shadow_estimator
    response_method = attack.response_method
    is_model = attack._cost() and hasattr(recipe, "fit") and not isclass(recipe)
    # Others are refused elsewhere; without a recipe shadows answer as the target.
    if not is_model or is_regressor_model(target) or is_regressor_model(recipe):
        return response_method
    of_target = [way for way in _SCORES if hasattr(target, way)]
    both = [way for way in of_target if hasattr(recipe, way)]
    wanted = [way for way in [response_method] if hasattr(target, way)]
    if response_method == "auto":
        # Where the target has both, log odds may be read from its decision_function.
        if both:
            return response_method if both == of_target else both[0]
        wanted = of_target
    if not wanted or not all(_surely_lacks(recipe, way) for way in wanted):
        return response_method
    others = " or ".join(f"response_method={way!r}" for way in both or ["predict"])
    raise TypeError(
        f"response_method={response_method!r}, but shadow_estimator, a "
        f"{type(recipe).__name__}, has no {' or '.join(wanted)}, by which to ask the "
        f"shadows as the target. Pass {others}, which both have, or another "
        "shadow_estimator."
    )


def _surely_lacks(recipe, method):
    """Whether no model that a recipe trains has a method, as far as can be known."""
    if hasattr(recipe, method):
        return False
    kind = type(recipe)
    if not hasattr(kind, "__getattr__") and getattr_static(kind, method, None) is None:
        return True
    # Others may have it once they are fitted, and so may a default made in `fit`.
    params = recipe.get_params(deep=True) if hasattr(recipe, "get_params") else {}
    parts = [recipe, *(v for v in params.values() if hasattr(v, "fit"))]
    made_in_fit = any(k.endswith("estimator") and v is None for k, v in params.items())
    return all(map(is_of_scikit_learn, parts)) and not made_in_fit


def checked_recipe(attack):
    """The recipe of an attack, or an error for one that no shadow is trained with.

    Parameters
    ----------
    attack : BaseShadowAttack

    Returns
    -------
    recipe : estimator instance
    """
    recipe = recipe_of(attack)
    if isclass(recipe):
        raise TypeError(
            f"shadow_estimator must be an instance, got the class {recipe.__name__}. "
            f"Pass {recipe.__name__}()."
        )
    if not hasattr(recipe, "get_params"):
        raise TypeError(
            f"The recipe {type(recipe).__name__} has no get_params, so that it cannot "
            "be cloned for shadows. Derive it from sklearn.base.BaseEstimator, or use "
            "an attack without shadows."
        )
    _check_trainable(recipe)
    expected, got = "classifier", "regressor"
    of_values = is_regressor_model(attack.target_estimator)
    if of_values:
        expected, got = got, expected
    if is_regressor_model(recipe) != of_values:
        raise TypeError(
            f"shadow_estimator must be a {expected}, as the target is, got the {got} "
            f"{recipe!r}."
        )
    if not trains_anew(recipe):
        raise ValueError(
            f"shadow_estimator={recipe!r} holds a frozen {expected}, which no shadow "
            "would train anew. Pass the estimator itself in its place."
        )
    for name, value in recipe.get_params(deep=True).items():
        if name.endswith(("early_stopping_rounds", "early_stopping_round")) and value:
            raise ValueError(EARLY_STOPPING.format(f"The recipe has {name}={value!r}"))
    return recipe


def shadow_fit_params(attack, recipe, fit_params, n_records):
    """What every shadow gets in `fit`, by the names that the recipe knows.

    Parameters
    ----------
    attack : BaseShadowAttack

    recipe : estimator instance

    fit_params : dict
        As the user gave them.

    n_records : int
        Records of the pool.

    Returns
    -------
    fit_params : dict
    """
    if not fit_params:
        return {}
    if "eval_set" in fit_params:
        raise ValueError(EARLY_STOPPING.format("eval_set was passed"))
    for name, value in fit_params.items():
        if _num_samples(value) != n_records:
            raise ValueError(
                f"{name} has {_num_samples(value)} values, but the pool has "
                f"{n_records} records; one value a record is expected."
            )
    if _routing_enabled():
        # The recipe stands where the router looks for it.
        routed = process_routing(attack, "fit", **fit_params)
        return dict(routed.shadow_estimator.fit)
    return {final_fit_param(recipe, k): v for k, v in fit_params.items()}


def fit_first_steps(work):
    """Fit the first steps of a pipeline that see no label once, for all shadows.

    To these belongs the rounding of a forest, which every shadow would do again. They
    learn from the whole pool, whose membership nobody knows, so that they tell
    nothing of it; the shadows then train on the features that these steps return.

    Parameters
    ----------
    work : ShadowWork

    Returns
    -------
    first : fitted Pipeline or None
        None if the recipe does not begin with such steps.

    work : ShadowWork
        With the other steps as the recipe, and the features that they get.

    Raises
    ------
    ShadowFitError
        If a step cannot be fitted on the pool.
    """
    first, rest = split_label_free(work.recipe)
    if first is None:
        return None, replace(work, features=as_forests_take(rest, work.features))
    first = prepare_recipe(first, _FIRST_STEPS, work.seed)
    try:
        features = first.fit_transform(own_copy(work.features))
    except Exception as error:
        raise ShadowFitError(
            "The steps before the classifier could not be fitted on the pool: "
            f"{cause_of(error, work.features)}"
        ) from None
    features = as_forests_take(rest, features)
    return first, replace(work, recipe=rest, features=frozen(features))
