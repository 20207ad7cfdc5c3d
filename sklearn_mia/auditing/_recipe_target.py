"""One model of a procedure, attacked."""

from sklearn.base import clone

from sklearn_mia.auditing._access import access_of
from sklearn_mia.auditing._defaults import attacks_by_name, default_attacks
from sklearn_mia.auditing._run import (
    check_attacks,
    description_of,
    run_attacks,
)
from sklearn_mia.auditing._work import stages_of_attacks
from sklearn_mia.progress import expect


def attacked(model, recipe, case, attacks, settings, *, coming=(), trained, **how):
    """Attack one model, with shadow models that are the same for all of a procedure.

    Parameters
    ----------
    model : fitted classifier or regressor

    recipe : estimator instance
        Of the shadow models of attacks that name none.

    case : Case

    attacks : attack, str, list, dict or None
        As :func:`sklearn_mia.audit_recipe` takes them.

    settings : Settings

    coming : list of Stage, default=()
        What is left to do after it.

    trained : bool
        Whether the shadow models are there.

    **how : dict
        For :func:`~sklearn_mia.auditing._run.run_attacks`.

    Returns
    -------
    scored : dict
        Name mapped to a `Scored`.

    told : list of dict
        What a report shows of each attack.
    """
    options = {"n_shadows": settings.n_shadows, "random_state": settings.seed}
    if attacks is None:
        chosen = default_attacks(model, release="interface", **options)
    else:
        chosen = attacks_by_name(attacks, model, **options)
    chosen, _ = check_attacks(chosen, model)
    of_recipe = set()
    for name, attack in chosen.items():
        if getattr(attack, "shadow_estimator", recipe) is None:
            # The recipe without the seed of one model: the same shadows.
            attack.shadow_estimator = clone(recipe)
            of_recipe.add(name)
    expect([*stages_of_attacks(chosen, trained=trained), *coming])
    scored = run_attacks(chosen, case, seed=settings.seed, **how)
    return scored, [
        _told(name, attack, name in of_recipe) for name, attack in chosen.items()
    ]


def _told(name, attack, of_recipe):
    if of_recipe:
        # Told once, as the recipe.
        attack.shadow_estimator = None
    return {
        "name": name,
        "description": description_of(attack),
        "access": access_of(attack),
    }
