"""The attacks of an audit that names none, or names them by their names."""

from collections.abc import Mapping
from difflib import get_close_matches

from sklearn_mia import attacks as known_attacks
from sklearn_mia._choices import EFFORT, SHADOWS
from sklearn_mia.attacks import (
    RMIA,
    BaggingAttack,
    LinearReconstructionAttack,
    LiRA,
    QuantileRegressionAttack,
    ThresholdAttack,
    TrajectoryAttack,
)
from sklearn_mia.auditing._access import FILE_ATTACK, check_release
from sklearn_mia.auditing._settings import check_effort
from sklearn_mia.base import BaseAttack
from sklearn_mia.base._shadow_recipe import check_pairs
from sklearn_mia.black_box import asks_a_service
from sklearn_mia.models import open_model, recipe_beside
from sklearn_mia.response import check_target

# Cost 4 of 6: from there on it equals RMIA with 64 shadow models, and beyond 16 it
# finds no more.
_LESS_OF_BAGGING, _MOST_BAGGING = 2, 16
_FEWEST_TREES = 100
# Fewer, thicker reference forests take half the time on small tables.
_TREES_PER_SHADOW = 10
# For measuring many models: 8 shadow models add less than .02 to the AUC.
_FEW_SHADOWS = 4
# Of the equations of a file: "thorough" solves up to 10,000 of them exactly.
_ITERATIONS = {"quick": 30, "standard": 100, "thorough": 1000}


def default_attacks(
    model,
    *,
    release=None,
    effort=EFFORT,
    n_shadows=None,
    shadow_estimator=None,
    response_method="auto",
    random_state=None,
):
    """The attacks of an audit that names none.

    One that needs the model alone, and the strongest for their cost: BaggingAttack on a
    forest of classes, RMIA and LiRA, which share their shadow models, on any other
    model; and of someone who has the file, LinearReconstructionAttack, where equations
    are known of what the model stores.

    Parameters
    ----------
    model : classifier or regressor
        The trained model. Never refitted, never changed.

    release : {"interface", "file"} or None, default=None
        What others will have: a way to ask the model, or its file, so that they can
        read what it stores, too. "interface" leaves out the attack on the file.

    effort : {"quick", "standard", "thorough"}, default="standard"
        Shadow models, 2, 6 or 64, and iterations on the equations of the file, 30, 100
        or, where it may be, an exact solution.

    n_shadows : int or None, default=None
        Cost of the attacks that ask the model, in fits of it, the answers for the pool
        included; even. BaggingAttack takes two fewer, from 1 to 16. None is by
        `effort`.

    shadow_estimator : estimator or None, default=None
        The recipe of the shadow models, of attacks by default or by name. None takes
        the model's own; a model that can only be asked,
        :class:`~sklearn_mia.BlackBoxClassifier`, has none, and by default
        :class:`~sklearn_mia.QuantileRegressionAttack` then stands for the attacks with
        shadow models.

    response_method : str, default="auto"
        How the model and its shadows are asked: "predict_proba", "decision_function",
        "predict", or "auto" for the first of them that both have.

    random_state : int or None, default=None
        The same for all attacks, so that they share what they can.

    Returns
    -------
    attacks : dict
        Name mapped to an attack, not fitted.

    See Also
    --------
    audit : Runs them unless other attacks are given.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.neighbors import KNeighborsClassifier
    >>> from sklearn_mia import default_attacks
    >>> X, y = load_iris(return_X_y=True)
    >>> list(default_attacks(KNeighborsClassifier().fit(X[::2], y[::2])))
    ['ThresholdAttack', 'RMIA', 'LiRA', 'LinearReconstructionAttack']
    """
    check_release(release)
    check_effort(effort)
    n_shadows = SHADOWS[effort] if n_shadows is None else n_shadows
    shadows = {
        "n_shadows": n_shadows,
        "keep_models": False,
        "response_method": response_method,
        "random_state": random_state,
        "shadow_estimator": _recipe(model, shadow_estimator),
    }
    by_loss = ThresholdAttack(model, signal="loss", response_method=response_method)
    attacks = {"ThresholdAttack": by_loss}
    if shadow_estimator is None and asks_a_service(model):
        regression = QuantileRegressionAttack(
            model, response_method=response_method, random_state=random_state
        )
        return attacks | {"QuantileRegressionAttack": regression}
    on_file = {}
    if release != "interface" and LinearReconstructionAttack.handles(model):
        on_file[FILE_ATTACK] = LinearReconstructionAttack(
            model,
            max_iter=_ITERATIONS[effort],
            exact=effort == "thorough",
            response_method=response_method,
        )
    by_votes = response_method in ("auto", "predict_proba")
    if not by_votes or not BaggingAttack.handles(model):
        # Thin shadows of averaging ensembles would be no shadows of LiRA.
        rmia = RMIA(model, trees_per_shadow=None, **shadows)
        return attacks | {"RMIA": rmia, "LiRA": LiRA(model, **shadows)} | on_file
    # In the words of the attacks on other models.
    RMIA(**shadows)._validate_params()
    check_pairs(n_shadows)
    n_fits = min(max(n_shadows - _LESS_OF_BAGGING, 1), _MOST_BAGGING)
    n_trees = open_model(model).classifier.n_estimators
    bagging = BaggingAttack(
        model,
        shadow_estimator=shadow_estimator,
        n_trees=max(n_fits * n_trees, _FEWEST_TREES),
        trees_per_shadow=_TREES_PER_SHADOW,
        keep_models=False,
        random_state=random_state,
    )
    return attacks | {"BaggingAttack": bagging} | on_file


def _recipe(model, shadow_estimator):
    return recipe_beside(model) if shadow_estimator is None else shadow_estimator


def strongest_attack(model, *, random_state=None):
    """The strongest of the default attacks, chosen by the model before any is run.

    For measuring many models, where the largest of several noisy values would be too
    large: BaggingAttack with as many trees as in an audit, LiRA on regressors and on
    boosting of more than two classes, RMIA on the rest, with 4 shadow models.

    Parameters
    ----------
    model : classifier or regressor
        The trained model.

    random_state : as in :func:`default_attacks`

    Returns
    -------
    attack : attack instance
        Not fitted.
    """
    attacks = default_attacks(model, release="interface", random_state=random_state)
    if "BaggingAttack" in attacks:
        return attacks["BaggingAttack"]
    classes = check_target(model)
    if classes is None:
        # With 4 shadow models as with 8: benchmarks/results/regression_four.md.
        by_ratio = True
    else:
        by_ratio = len(classes) > 2 and TrajectoryAttack.handles(model)
    name = "LiRA" if by_ratio else "RMIA"
    # No other attack asks its shadows.
    thin = {"trees_per_shadow": "auto"} if name == "RMIA" else {}
    return attacks[name].set_params(n_shadows=_FEW_SHADOWS, **thin)


def attacks_by_name(
    attacks,
    model,
    *,
    effort=EFFORT,
    n_shadows=None,
    shadow_estimator=None,
    response_method="auto",
    random_state=None,
):
    """Make attacks of their names; those that are none stay as they are.

    Parameters
    ----------
    attacks : str, attack, list or dict

    model : classifier or regressor

    effort, n_shadows, shadow_estimator, response_method, random_state : as in \
            :func:`default_attacks`

    Returns
    -------
    attacks : attack, list or dict
    """
    settings = {
        "effort": effort,
        "n_shadows": SHADOWS[check_effort(effort)] if n_shadows is None else n_shadows,
        "shadow_estimator": shadow_estimator,
        "response_method": response_method,
        "random_state": random_state,
    }

    def made(value):
        is_name = isinstance(value, str)
        return _attack_of_name(value, model, settings) if is_name else value

    if isinstance(attacks, Mapping):
        return {name: made(value) for name, value in attacks.items()}
    if isinstance(attacks, (str, list, tuple)):
        return [made(v) for v in ([attacks] if isinstance(attacks, str) else attacks)]
    return attacks


def _attack_of_name(name, model, settings):
    found = {
        other: cls
        for other, cls in vars(known_attacks).items()
        if isinstance(cls, type) and issubclass(cls, BaseAttack)
    }
    if name not in found:
        close = [other for other in found if other.lower() == name.lower()]
        close = close or get_close_matches(name, found)
        raise ValueError(
            f"attacks names {name!r}, "
            + (f"did you mean {close[0]!r}? " if close else "which is no attack. ")
            + f"Expected one of {', '.join(sorted(found))}."
        )
    defaults = default_attacks(model, **settings)
    if name in defaults:
        return defaults[name]
    attack = found[name](model)
    if not attack.handles(model):
        raise ValueError(
            f"attacks names {name!r}, which cannot be made on a "
            f"{type(model).__name__}. Leave it out."
        )
    own = attack.get_params(deep=False)
    settings = settings | {
        "keep_models": False,
        "shadow_estimator": _recipe(model, settings["shadow_estimator"]),
        # Some attacks do without shadow models unless they are asked for.
        "n_shadows": settings["n_shadows"] if own.get("n_shadows") else None,
    }
    return attack.set_params(
        **{k: v for k, v in settings.items() if k in own and v is not None}
    )
