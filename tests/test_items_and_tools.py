"""Unchanged scikit-learn code on attacks that look at documents, images, recordings."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import sklearn
from helpers.items import KINDS, ByNumber, of_kind
from helpers.tools import SLOW, TOOLS
from numpy.testing import assert_allclose
from sklearn.ensemble import BaggingClassifier, StackingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import RocCurveDisplay
from sklearn.utils.fixes import parse_version

from sklearn_mia import ThresholdAttack, as_records
from sklearn_mia.tables import take

QUICK = ("documents",)
_CASES = {}


def case(kind):
    """Attacks on a model of items and on the same model asked by record numbers."""
    if kind not in _CASES:
        features, labels, recipe = of_kind(kind)
        n = len(labels)
        model = recipe.fit(take(features, np.arange(n // 2)), labels[: n // 2])
        order = np.random.default_rng(3).permutation(n)
        items = as_records(take(features, order), labels[order])
        numbers = as_records(order[:, None].astype(float), labels[order].astype(int))
        _CASES[kind] = model, items, ByNumber(model, features), numbers, order < n // 2
    return _CASES[kind]


def flat(found):
    parts = found if isinstance(found, (list, tuple)) else [found]
    return np.concatenate([np.ravel(np.asarray(p, dtype=float)) for p in parts])


def compare(name, kind):
    model, items, by_number, numbers, is_member = case(kind)
    if name == "RocCurveDisplay.from_cv_results" and not hasattr(
        RocCurveDisplay, "from_cv_results"
    ):
        pytest.skip("scikit-learn is older than 1.7")
    if "Display" in name:
        pytest.importorskip("matplotlib").use("Agg")
    found = TOOLS[name](ThresholdAttack(model), items, is_member)
    expected = TOOLS[name](ThresholdAttack(by_number), numbers, is_member)
    assert_allclose(flat(found), flat(expected), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", sorted(TOOLS.keys() - SLOW))
@pytest.mark.parametrize("kind", QUICK)
def test_a_tool_gives_the_numbers_that_a_table_of_record_numbers_gives(name, kind):
    compare(name, kind)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(TOOLS))
@pytest.mark.parametrize("kind", KINDS)
def test_every_tool_gives_the_numbers_of_record_numbers(name, kind):
    compare(name, kind)


@pytest.mark.parametrize(
    "tool",
    [
        lambda attack, X, m: BaggingClassifier(attack, 2).fit(X, m),
        lambda attack, X, m: StackingClassifier(
            [("a", attack)], LogisticRegression(), cv=2, passthrough=True
        ).fit(X, m),
        lambda attack, X, m: np.asarray(X),
    ],
    ids=["BaggingClassifier", "StackingClassifier", "asarray"],
)
def test_what_needs_a_table_says_so(tool):
    model, items, *_, is_member = case("documents")
    with pytest.raises(TypeError, match=r"^Records are no table and cannot become an"):
        tool(ThresholdAttack(model), items, is_member)


ARRAY_API = """
import sklearn
from helpers.tools import FOLDS
from sklearn.model_selection import cross_val_score
from test_items_and_tools import ThresholdAttack, case
model, items, *_, is_member = case("documents")
sklearn.set_config(array_api_dispatch=True)
try:
    cross_val_score(ThresholdAttack(model), items, is_member, cv=FOLDS)
except TypeError as error:
    print(error)
"""


@pytest.mark.slow
def test_array_api_dispatch_takes_no_records():
    if parse_version(sklearn.__version__) < parse_version("1.9"):
        pytest.skip("older versions need a package for it, and take them")
    # SciPy asks for it when it is imported.
    run = subprocess.run(
        [sys.executable, "-c", ARRAY_API],
        env=os.environ | {"SCIPY_ARRAY_API": "1"},
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
    )
    assert "Records is not a supported array type" in run.stdout, run.stderr
