"""What several test modules share."""

import inspect
import pkgutil
from importlib import import_module

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.datasets import make_classification

import sklearn_mia
from sklearn_mia.asking import BaseBlackBox


def in_turn(names, first, second, n_quick=1):
    """Parametrize over all pairs; with each of `first`, all but some are slow.

    The quick ones go on where those of the one before ended, and so all of `second`
    come up.
    """
    first, second = list(first), list(second)
    pairs = []
    for i, one in enumerate(first):
        quick = {(i * n_quick + k) % len(second) for k in range(n_quick)}
        for j, other in enumerate(second):
            marks = [] if j in quick else [pytest.mark.slow]
            pairs.append(pytest.param(one, other, marks=marks))
    return pytest.mark.parametrize(names, pairs)


def some(values, n_quick):
    """So many of the values, evenly spaced; the others are slow."""
    values = list(values)
    quick = {i * len(values) // n_quick for i in range(n_quick)}
    return [
        value if i in quick else pytest.param(value, marks=pytest.mark.slow)
        for i, value in enumerate(values)
    ]


def half_pool(n_classes):
    """Features, labels and membership of a pool, half members."""
    X, y = make_classification(
        600, 8, n_informative=5, n_classes=n_classes, flip_y=0.2, random_state=3
    )
    return X, y, np.random.default_rng(43).permutation(600) < 300


def all_estimators():
    """Every public estimator class, found by walking the package."""
    found = set()
    for module in pkgutil.walk_packages(sklearn_mia.__path__, "sklearn_mia."):
        if module.name.endswith("__main__"):
            continue
        for _, cls in inspect.getmembers(import_module(module.name), inspect.isclass):
            public = cls.__name__ in sklearn_mia.__all__
            # A service cannot be trained, which most checks of scikit-learn try.
            asks = issubclass(cls, BaseBlackBox)
            if public and not asks and issubclass(cls, BaseEstimator):
                found.add(cls)
    return sorted(found, key=lambda cls: cls.__name__)
