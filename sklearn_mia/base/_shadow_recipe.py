"""What a recipe of shadow models must be."""

from inspect import isclass

from sklearn_mia.models import trains_anew
from sklearn_mia.response import is_regressor_model

EARLY_STOPPING = (
    "{}: early stopping needs an eval_set, which no shadow has. Pass a recipe without "
    "it: shadow_estimator=clone(model).set_params(early_stopping_rounds=None, "
    "n_estimators=model.best_iteration + 1)."
)


def check_recipe(recipe):
    """Raise ValueError for a recipe that no shadow could be trained with.

    Parameters
    ----------
    recipe : estimator instance
    """
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
    if is_regressor_model(recipe):
        raise TypeError(
            f"shadow_estimator must be a classifier, got the regressor {recipe!r}."
        )
    if not trains_anew(recipe):
        raise ValueError(
            f"shadow_estimator={recipe!r} holds a frozen classifier, which no shadow "
            "would train anew. Pass the estimator itself in its place."
        )
    for name, value in recipe.get_params(deep=True).items():
        if name.endswith(("early_stopping_rounds", "early_stopping_round")) and value:
            raise ValueError(EARLY_STOPPING.format(f"The recipe has {name}={value!r}"))
