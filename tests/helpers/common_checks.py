"""The checks that scikit-learn has for every estimator."""

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator


def scikit_learn_checks(estimators, slow=(), every=1):
    """Parametrize over the common checks of every estimator; those of some are slow.

    Of the checks that another estimator had before, all but each `every`-th are slow,
    others of each estimator. `parametrize_with_checks` prints the estimator once for
    each check, which takes longer than all else that is collected.
    """
    pairs, places = [], {}
    for number, estimator in enumerate([*estimators, *slow]):
        for _, check in estimator_checks_generator(estimator):
            name = ",".join([check.func.__name__, *map(str, check.keywords)])
            is_new = name not in places
            place = places.setdefault(name, len(places))
            is_quick = is_new or (number + place) % every == 0
            pair = pytest.param(
                estimator,
                check,
                id=f"{number}-{type(estimator).__name__}-{name}",
                marks=[]
                if is_quick and number < len(estimators)
                else [pytest.mark.slow],
            )
            pairs.append(pair)
    return pytest.mark.parametrize(("estimator", "check"), pairs)
