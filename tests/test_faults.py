"""A shadow that fails in any way, under any backend: one clear error, and nothing lost.

Each case is run with `memory` and must end in one error that names the shadow, or in
the scores of a run without a fault. The same call, once the fault is gone, gives these
scores, `array_equal`, and trains no shadow again that was there.
"""

import errno
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import warnings
from contextlib import nullcontext
from pathlib import Path

import joblib
import numpy as np
import pytest
from helpers.backends import dask_cluster
from helpers.forks import ended, in_child
from sklearn.datasets import make_classification
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import LiRA, as_records
from sklearn_mia.__main__ import main
from sklearn_mia.answers import ModelError
from sklearn_mia.shadows import ShadowFitError

# Of dask, where much else goes on beside the tests.
pytestmark = pytest.mark.filterwarnings("ignore:Creating scratch:UserWarning")
posix = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
N_SHADOWS = 4
MARK = 99.0


class Unpicklable(Exception):
    """As errors with arguments of their own often are."""

    def __init__(self, one, two):
        super().__init__(f"{one} and {two}")


class Faulty(DecisionTreeClassifier):
    """Fails where it gets the marked record, as long as a file says how."""

    def __init__(self, folder=None, max_depth=4, random_state=None):
        super().__init__(max_depth=max_depth, random_state=random_state)
        self.folder = folder

    def _fault(self):
        path = Path(self.folder, "fault")
        return path.read_text() if path.exists() else None

    def _is_late(self):
        return len(Path(self.folder, "fits").read_text()) > 2

    def fit(self, X, y):
        with open(Path(self.folder, "fits"), "a") as file:
            file.write(".")
        self.marked_ = bool(np.any(X[:, 0] == MARK))
        fault = self._fault() if self.marked_ else None
        if fault == "raises":
            raise ZeroDivisionError("once\nmore")
        if fault == "raises what cannot be sent":
            raise Unpicklable(1, 2)
        if fault == "runs out of memory":
            np.ones(2**50)
        if fault == "is killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "ends the process":
            os._exit(3)
        if fault == "asks to exit":
            sys.exit(3)
        if fault == "hangs" or (fault == "hangs later" and self._is_late()):
            time.sleep(600)
        if fault == "holds a lock":
            self.lock_ = threading.Lock()
        return super().fit(X, y)

    def predict_proba(self, X):
        proba = super().predict_proba(X)
        fault = self._fault() if self.marked_ else None
        if fault == "answers NaN":
            proba = proba * np.nan
        if fault == "answers NaN once":
            proba[5] = np.nan
        if fault == "answers too few":
            proba = proba[:-1]
        if fault == "answers in text":
            proba = np.full(proba.shape, "high")
        if fault == "answers infinity":
            proba[5, 0] = np.inf
        if fault == "is killed when asked":
            os.kill(os.getpid(), signal.SIGKILL)
        if fault == "raises when asked":
            raise IndexError(f"row {X[0, 0]!r}")
        return proba


TRAINED = r"^Shadow \d could not be trained: "
ASKED = r"^Shadow \d was trained but could not answer for the pool: "
KILLED = r"^A worker process was killed from outside while it trained shadow "
IN_ANY = {
    "raises": f"{TRAINED}ZeroDivisionError: once ",
    "raises what cannot be sent": f"{TRAINED}Unpicklable: 1 and 2",
    "runs out of memory": rf"{TRAINED}_?(Array)?MemoryError",
    "asks to exit": f"{TRAINED}SystemExit",
    "raises when asked": f"{ASKED}.* failed: IndexError: row .*…",
    "answers NaN": f"{ASKED}ValueError",
    "answers NaN once": f"{ASKED}ValueError",
    "answers infinity": f"{ASKED}ValueError",
    "answers too few": f"{ASKED}ValueError",
    "answers in text": f"{ASKED}(ValueError|TypeError)",
    "holds a lock": None,
}
NOT_SENT = "^A shadow was trained, but its worker process could not send it: TypeError"
IN_PROCESSES = {
    "is killed": KILLED,
    "is killed when asked": KILLED,
    "ends the process": KILLED,
}
HANGS = r"^Shadow \d(, \d)? took longer than timeout=\S+ seconds and was stopped"


BACKENDS = {
    "one": nullcontext,
    "sequential": lambda: joblib.parallel_config(backend="sequential"),
    "threading": lambda: joblib.parallel_config(backend="threading", n_jobs=2),
    "loky": lambda: joblib.parallel_config(backend="loky", n_jobs=2),
    "dask, threads": lambda: dask_cluster(processes=False),
}
QUICK = {("one", fault) for fault in IN_ANY} | {
    ("threading", "raises"),
    ("threading", "answers NaN"),
    ("loky", "raises what cannot be sent"),
}


def table():
    for backend in BACKENDS:
        faults = dict(IN_ANY)
        if backend == "loky":
            faults |= IN_PROCESSES | {"holds a lock": NOT_SENT}
        for fault, message in faults.items():
            is_quick = (backend, fault) in QUICK
            marks = [] if is_quick else [pytest.mark.slow]
            if fault in IN_PROCESSES:
                marks.append(posix)
            name = f"{backend}: {fault}"
            yield pytest.param(backend, fault, message, id=name, marks=marks)


def make_case():
    """A target, and the records of the pool."""
    X, y = make_classification(120, 4, flip_y=0.2, random_state=0)
    X[0, 0] = MARK
    model = DecisionTreeClassifier(max_depth=4, random_state=0).fit(X[:60], y[:60])
    return model, as_records(X, y)


@pytest.fixture(scope="module")
def case():
    return make_case()


def scores(case, folder, **params):
    """Scores of an attack whose shadows tell how often they are trained."""
    model, records = case
    attack = LiRA(
        model,
        shadow_estimator=Faulty(str(folder)),
        n_shadows=N_SHADOWS,
        memory=str(folder / "memory"),
        random_state=0,
        **params,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return attack.fit(records).score_samples(records)


def n_fits(folder):
    path = folder / "fits"
    n = len(path.read_text()) if path.exists() else 0
    path.unlink(missing_ok=True)
    return n


def n_kept(folder):
    kinds = "answer_of_shadow", "model_of_shadow"
    return min(len(list(folder.rglob(f"{kind}/*/output.pkl"))) for kind in kinds)


@pytest.fixture(scope="module")
def expected(case, tmp_path_factory):
    return scores(case, tmp_path_factory.mktemp("whole"))


def fails_and_goes_on(case, expected, folder, message, **params):
    """One clear error, or the scores; then the scores, with nothing made twice."""
    (folder / "fault").write_text(params.pop("fault"))
    if message is None:
        np.testing.assert_array_equal(scores(case, folder, **params), expected)
    else:
        with pytest.raises(ShadowFitError, match=message) as caught:
            scores(case, folder, **params)
        assert "\n" not in str(caught.value)
    (folder / "fault").unlink()
    if "timeout" in params:
        params["timeout"] *= 60
    n_fits(folder)
    before = n_kept(folder)
    np.testing.assert_array_equal(scores(case, folder, **params), expected)
    assert n_fits(folder) <= N_SHADOWS - before + (message is None) * N_SHADOWS


@pytest.mark.parametrize(("backend", "fault", "message"), list(table()))
def test_a_fault_is_one_clear_error(
    case, expected, tmp_path, backend, fault, message, count
):
    with BACKENDS[backend]():
        fails_and_goes_on(case, expected, tmp_path, message, fault=fault)
    count(**{"ended in a result" if message is None else "ended in one clear error": 1})


@posix
@pytest.mark.slow
def test_a_shadow_that_hangs_is_stopped_and_the_rest_is_kept(case, expected, tmp_path):
    with joblib.parallel_config(backend="loky", n_jobs=2):
        fails_and_goes_on(case, expected, tmp_path, HANGS, fault="hangs", timeout=10)


@posix
@pytest.mark.slow
@pytest.mark.parametrize("fault", ["raises", "answers NaN", "asks to exit"])
def test_a_fault_in_processes_of_dask(case, expected, tmp_path, fault):
    with dask_cluster(processes=True):
        fails_and_goes_on(case, expected, tmp_path, IN_ANY[fault], fault=fault)


@pytest.mark.parametrize("how", ["asks to exit", "raises"])
def test_a_target_that_asks_to_exit_is_no_audit_that_is_done(
    case, tmp_path, how, capsys, monkeypatch
):
    """An exit code of 0 would say that all is within the limits."""

    class Asked(DecisionTreeClassifier):
        def predict_proba(self, X):
            raise (SystemExit if how == "asks to exit" else ZeroDivisionError)(0)

    _, records = case
    own = Asked().fit(np.asarray(records)[:60, :-1].astype(float), [0, 1] * 30)
    with pytest.raises(ModelError, match=r"^Asked\.predict_proba failed: \w+: 0"):
        LiRA(own, n_shadows=2, random_state=0).fit(records)

    def read(arguments):
        sys.exit(0)

    monkeypatch.setattr("sklearn_mia.auditing._command.audit_files", read)
    table = tmp_path / "t.csv"
    table.write_text("a,y\n1,0\n")
    files = ["m.skops", str(table), str(table)]
    monkeypatch.chdir(tmp_path)
    Path("m.skops").write_bytes(b"PK")
    assert main(["audit", *files, "--label=y"]) == 1
    assert capsys.readouterr().err == (
        "error: the model, or what it needs, asked to end the program (0)\n"
    )


# The cache


def damaged(folder):
    for number, path in enumerate(sorted(folder.rglob("output.pkl"))):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes([bytes(data), data[: len(data) // 2], b""][number % 3])


def emptied(folder):
    shutil.rmtree(folder / "memory")


def turned_into_files(folder):
    for path in list(folder.rglob("output.pkl")):
        shutil.rmtree(path.parent)
        path.parent.write_bytes(b"")


HARM = {"damaged": damaged, "emptied": emptied, "files": turned_into_files}


@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
@pytest.mark.parametrize(
    "backend",
    [
        "one",
        "threading",
        *(pytest.param(b, marks=pytest.mark.slow) for b in ("loky", "dask, threads")),
    ],
)
def test_a_cache_that_was_harmed_costs_time_alone(
    case, expected, tmp_path, backend, harm
):
    with BACKENDS[backend]():
        scores(case, tmp_path)
        harm(tmp_path)
        np.testing.assert_array_equal(scores(case, tmp_path), expected)


@posix
@pytest.mark.parametrize("limit", [0, 200, 3000])
def test_a_disk_that_is_full_under_memory_costs_what_would_be_kept(
    case, expected, tmp_path, limit
):
    """No file may be larger; what has begun to be written is found damaged, or not."""
    import resource

    def run():
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        (tmp_path / "fits").touch()
        np.testing.assert_array_equal(scores(case, tmp_path), expected)

    if limit < 200:
        # Where not even the fits can be counted.
        (tmp_path / "fits").symlink_to("/dev/null")
    assert ended(in_child(run)) == 0
    np.testing.assert_array_equal(scores(case, tmp_path), expected)


def test_an_error_of_the_disk_while_an_entry_is_written_costs_that_entry(
    case, expected, tmp_path, monkeypatch
):
    store = joblib._store_backends.FileSystemStoreBackend
    move, left = store._move_item, [3]

    def full(source, target):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, "No space left on device", target)
        return move(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(store, "_move_item", staticmethod(full))
        np.testing.assert_array_equal(scores(case, tmp_path), expected)
    assert left[0] < 0
    np.testing.assert_array_equal(scores(case, tmp_path), expected)


@posix
def test_two_processes_share_a_folder(case, expected, tmp_path):
    def run():
        np.testing.assert_array_equal(scores(case, tmp_path), expected)

    children = [in_child(run) for _ in range(3)]
    assert [ended(child) for child in children] == [0, 0, 0]
    n_fits(tmp_path)
    run()
    assert n_fits(tmp_path) == 0


def run_until_killed(folder, backend):
    """Of a process of its own, whose fault is that it hangs once some are kept."""
    with BACKENDS[backend]():
        scores(make_case(), Path(folder))


@posix
@pytest.mark.slow
@pytest.mark.parametrize("backend", ["one", "threading", "loky"])
def test_when_the_parent_is_killed_what_was_kept_is_found(
    case, expected, tmp_path, backend
):
    (tmp_path / "fault").write_text("hangs later")
    call = f"import test_faults; test_faults.run_until_killed({str(tmp_path)!r}, "
    paths = os.pathsep.join(filter(None, sys.path))
    process = subprocess.Popen(
        [sys.executable, "-c", f"{call}{backend!r})"],
        env=os.environ | {"PYTHONPATH": paths},
    )
    deadline = time.monotonic() + 300
    while n_kept(tmp_path) < 1 and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    # Workers of a parent that is gone end by themselves, soon.
    time.sleep(5 if backend == "loky" else 0)
    kept = n_kept(tmp_path)
    (tmp_path / "fault").unlink()
    n_fits(tmp_path)
    np.testing.assert_array_equal(scores(case, tmp_path), expected)
    assert kept >= 1
    assert n_fits(tmp_path) <= N_SHADOWS - kept
