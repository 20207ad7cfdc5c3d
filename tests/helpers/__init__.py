"""What several test modules share."""

import inspect
import pkgutil
from importlib import import_module

from sklearn.base import BaseEstimator

import sklearn_mia


def all_estimators():
    """Every public estimator class, found by walking the package."""
    found = set()
    for module in pkgutil.walk_packages(sklearn_mia.__path__, "sklearn_mia."):
        if module.name.endswith("__main__"):
            continue
        for _, cls in inspect.getmembers(import_module(module.name), inspect.isclass):
            public = cls.__module__.startswith("sklearn_mia") and cls.__name__[0] != "_"
            abstract = cls.__name__.startswith("Base")
            if public and not abstract and issubclass(cls, BaseEstimator):
                found.add(cls)
    return sorted(found, key=lambda cls: cls.__name__)
