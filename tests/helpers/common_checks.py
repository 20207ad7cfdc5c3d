"""The checks that scikit-learn has for every estimator."""

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator


def scikit_learn_checks(estimators, slow=()):
    """Parametrize over the common checks of every estimator; those of some are slow.

    `parametrize_with_checks` prints the estimator once for each check, which takes
    longer than all else that is collected.
    """
    pairs = [
        pytest.param(
            estimator,
            check,
            id=f"{number}-{type(estimator).__name__}-{name}",
            marks=[pytest.mark.slow] if number >= len(estimators) else [],
        )
        for number, estimator in enumerate([*estimators, *slow])
        for _, check in estimator_checks_generator(estimator)
        for name in [",".join([check.func.__name__, *map(str, check.keywords)])]
    ]
    return pytest.mark.parametrize(("estimator", "check"), pairs)
