"""The same audit, however it is made: one JSON, but for when and by which versions."""

import json
import os
import subprocess
import sys

import joblib
import pytest
from reproduce import (
    CLOSE,
    MODELS,
    REFERENCE,
    all_numbers,
    content_of,
    differences,
    report_of,
)

BACKENDS = ("sequential", "threading", "loky")
OTHER_PROCESS = """
import json, sys
from reproduce import content_of, report_of
from sklearn_mia.auditing import _blind
_blind._BLIND_TURNS = 1
json.dump(content_of(report_of(sys.argv[1], n_jobs=1)), sys.stdout)
"""


@pytest.fixture(scope="module")
def whole():
    return content_of(report_of("tree"))


def test_again(whole):
    assert differences(content_of(report_of("tree")), whole) == []
    assert differences(content_of(report_of("tree", random_state=1)), whole) != []


@pytest.mark.parametrize("backend", BACKENDS)
def test_under_any_backend(whole, backend):
    with joblib.parallel_config(backend=backend, n_jobs=2):
        assert differences(content_of(report_of("tree")), whole) == []


def test_in_a_process_of_other_threads_and_another_order_of_hashes(whole):
    threads = dict.fromkeys(
        ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "2"
    )
    given = os.environ | threads | {"PYTHONHASHSEED": "123"}
    given["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
    done = subprocess.run(
        [sys.executable, "-c", OTHER_PROCESS, "tree"],
        env=given,
        capture_output=True,
        check=True,
        text=True,
    )
    assert differences(json.loads(done.stdout), whole) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("backend", BACKENDS)
def test_of_every_model_under_any_backend(name, backend):
    expected = content_of(report_of(name))
    for n_jobs in (1, 2):
        with joblib.parallel_config(backend=backend, n_jobs=n_jobs):
            assert differences(content_of(report_of(name)), expected) == []


def test_with_other_versions_of_the_packages(whole_bagging):
    """Kept with the newest, made with those installed; anew by tests/reproduce.py."""
    kept = json.loads(REFERENCE.read_text())
    assert differences(all_numbers(), kept, CLOSE) == []


def test_differences_are_told():
    one = {"a": [1, 2.0, {"b": None}], "c": "x"}
    assert differences(one, {"a": [1, 2.0, {"b": None}], "c": "x"}) == []
    assert differences(one, {"a": [1, 2.5, {"b": 0}], "c": "x", "d": 1}) == [
        ".a[1]: 2.0, 2.5",
        ".a[2].b: None, 0",
        ".d: None, 1",
    ]
    assert differences([1.0], [1.0 + 1e-9], 1e-6) == []
    assert differences([True], [1.0]) == []
    assert differences([1.0], [1.0, 1.0], place="x") == ["x: [1.0], [1.0, 1.0]"]
