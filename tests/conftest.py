import os
import sys
from functools import partial
from importlib.machinery import PathFinder

import pytest

pytest.register_assert_rewrite("helpers")

# Native libraries read these once, when numpy and scikit-learn are first imported.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "agg")


@pytest.fixture
def pyplot():
    plt = pytest.importorskip("matplotlib.pyplot")
    plt.close("all")
    yield plt
    plt.close("all")


@pytest.fixture(scope="module")
def half():
    """Members and other records: X, y, X, y, 200 of each."""
    from sklearn.datasets import make_classification

    X, y = make_classification(400, 8, n_informative=5, flip_y=0.2, random_state=0)
    return X[:200], y[:200], X[200:], y[200:]


@pytest.fixture
def german_credit():
    """Features and class label ("credit_risk", last) of 1000 records, as a frame."""
    pytest.importorskip("pandas")
    from sklearn_mia.datasets import load_german_credit

    return load_german_credit(as_frame=True).frame


@pytest.fixture
def small_examples(monkeypatch):
    """A quarter of the shipped table, and forests of ten trees.

    For code that is run as a user would run it.
    """
    pytest.importorskip("pandas")
    from sklearn.ensemble import RandomForestClassifier

    from sklearn_mia.datasets import load_german_credit

    def every_fourth_record(**params):
        X, y = load_german_credit(**params)
        return X[::4], y[::4]

    forest = partial(RandomForestClassifier, n_estimators=10)
    monkeypatch.setattr("sklearn_mia.datasets.load_german_credit", every_fourth_record)
    monkeypatch.setattr("sklearn.ensemble.RandomForestClassifier", forest)


def _hide(monkeypatch, package):
    """Make `package` look as if it were not installed."""

    def is_hidden(name):
        return name.partition(".")[0] == package

    for name in filter(is_hidden, list(sys.modules)):
        monkeypatch.delitem(sys.modules, name)

    find_spec = PathFinder.find_spec

    def find_other_spec(name, path=None, target=None):
        return None if is_hidden(name) else find_spec(name, path, target)

    monkeypatch.setattr(PathFinder, "find_spec", find_other_spec)


@pytest.fixture
def matplotlib_not_installed(monkeypatch):
    _hide(monkeypatch, "matplotlib")


@pytest.fixture
def pandas_not_installed(monkeypatch):
    _hide(monkeypatch, "pandas")


@pytest.fixture
def rich_not_installed(monkeypatch):
    _hide(monkeypatch, "rich")
