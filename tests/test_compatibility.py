"""Every target in every container under every attack: it runs, or it says why not.

``benchmarks/bench_compatibility.py`` writes the table of it.
"""

from itertools import product

import numpy as np
import pytest
from helpers import other_packages
from helpers.attacks import refused
from helpers.compatibility import (
    ATTACKS,
    OTHERS,
    TARGETS,
    NotPossible,
    outcome,
    scores_of,
    trained,
)
from helpers.containers import CONTAINERS
from numpy.testing import assert_allclose
from scipy import sparse as sp

from sklearn_mia import Records

# What scikit-learn and other packages warn of, which is not about an attack.
pytestmark = pytest.mark.filterwarnings("ignore", "error::RuntimeWarning:sklearn_mia")

SPARSE = {
    "sparse CSR",
    "sparse CSR matrix",
    "list of documents",
    "Series of documents",
}
NO_SPARSE = {
    "GaussianNB",
    "HistGradientBoostingClassifier",
    "HistGradientBoostingRegressor",
    "LinearDiscriminantAnalysis",
    "attention over its records (as TabPFN)",
}
NO_STEP = "HistGradientBoostingClassifier, no step before it"
TABLES = {name for name in CONTAINERS if name.startswith(("array", "pandas", "polars"))}


def takes(target, container):
    """Whether a target takes a container, by what its package documents."""
    if target == NO_STEP:
        return container in TABLES
    if target == "CatBoost" and container == "sparse CSR":
        return False  # of the classes of SciPy it knows the older one only
    return not (container in SPARSE and target in NO_SPARSE)


def target_in(target, container):
    if target in OTHERS and other_packages.TARGETS[target][0] is not None:
        pytest.importorskip(other_packages.TARGETS[target][0])
    return trained(target, container)


def has_dense_cells(records):
    return not (isinstance(records, Records) or sp.issparse(records))


# Items, frames and what is not possible, with targets that take no time.
QUICK = {
    ("GaussianNB", "sparse CSR"),
    ("GaussianNB", "polars frame with categories"),
    ("DecisionTreeClassifier", "list of documents"),
    ("Ridge", "list of arrays of different length"),
    ("KNeighborsRegressor", "images (n, 8, 8)"),
    ("LinearDiscriminantAnalysis", "list of dictionaries"),
}


def cells(containers, quick):
    """Targets in containers; all but the quick ones are slow."""
    pairs = [
        pytest.param(*pair, marks=[] if pair in quick else [pytest.mark.slow])
        for pair in product(TARGETS, containers)
    ]
    return pytest.mark.parametrize(("target", "container"), pairs)


@cells(CONTAINERS, QUICK)
def test_every_attack_runs_or_says_why_not(target, container):
    if not takes(target, container):
        with pytest.raises(NotPossible):
            target_in(target, container)
        return
    model, records = target_in(target, container)
    aucs = []
    for attack, cls in ATTACKS.items():
        cell = outcome(target, container, attack)
        state, _, told = cell.partition(" ")
        assert state in ("ok", "refused:"), (attack, cell)
        if state == "ok":
            aucs.append(float(told))
            continue
        refused(cls, model, records, (TypeError, ValueError), told)
        # What an attack finds only when it reads the file, or the records.
        no_equations = other_packages.has_no_equations(told)
        no_cells = attack == "LabelOnlyAttack" and not has_dense_cells(records)
        assert no_equations or no_cells or not cls.handles(model)
    assert np.mean(aucs) > 0.5


SAME_RECORDS = {
    "array, Fortran order": "array",
    "sparse CSR matrix": "sparse CSR",
    "polars frame with categories": "pandas frame with categories",
    "Series of documents": "list of documents",
}


@cells(SAME_RECORDS, {("DecisionTreeRegressor", "Series of documents")})
def test_scores_are_of_the_records_and_not_of_their_container(target, container):
    other = SAME_RECORDS[container]
    if not (takes(target, container) and takes(target, other)):
        pytest.skip("the target does not take it")
    target_in(target, container)
    for attack in ATTACKS:
        if outcome(target, other, attack).startswith("ok"):
            found, _ = scores_of(target, container, attack)
            expected, _ = scores_of(target, other, attack)
            assert_allclose(found, expected, rtol=1e-6, atol=1e-9, err_msg=attack)
