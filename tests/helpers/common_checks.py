"""The checks that scikit-learn has for every estimator."""

import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator


def scikit_learn_checks(estimators):
    """Parametrize over the common checks of every estimator.

    `parametrize_with_checks` prints the estimator once for each check, which takes
    longer than all else that is collected.
    """
    pairs = [
        pytest.param(estimator, check, id=f"{number}-{type(estimator).__name__}-{name}")
        for number, estimator in enumerate(estimators)
        for _, check in estimator_checks_generator(estimator)
        for name in [",".join([check.func.__name__, *map(str, check.keywords)])]
    ]
    return pytest.mark.parametrize(("estimator", "check"), pairs)
