"""What a recipe of shadow models must be."""

from dataclasses import replace
from inspect import isclass

from sklearn.utils.metadata_routing import _routing_enabled, process_routing
from sklearn.utils.validation import _num_samples

from sklearn_mia.black_box import asks_a_service
from sklearn_mia.hooks import cause_of, frozen
from sklearn_mia.label_free import as_forests_take, split_label_free
from sklearn_mia.models import final_fit_param, trains_anew, unfitted_recipe
from sklearn_mia.regression import is_regressor_model
from sklearn_mia.shadows import ShadowFitError, prepare_recipe
from sklearn_mia.tables import own_copy

# No shadow has this number, and so its seeds.
_FIRST_STEPS = 2**32 - 1

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
    """Raise ValueError for shadows of a model that can only be asked."""
    own = attack.shadow_estimator
    if attack._cost():
        _check_trainable(attack.target_estimator if own is None else own)


def _check_trainable(recipe):
    if asks_a_service(recipe):
        raise ValueError(
            "A model behind a service cannot be cloned, so that no shadow model like "
            "it can be trained. Pass shadow_estimator=..., an estimator with the "
            "settings that it was probably trained with, or use an attack without "
            "shadow models, such as QuantileRegressionAttack."
        )


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
