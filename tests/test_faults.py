"""A shadow that fails in any way, under any backend: one clear error, and nothing lost.

Each case is run with `memory` and must end in one error that names the shadow, or in
the scores of a run without a fault. The same call, once the fault is gone, gives these
scores, `array_equal`, and trains no shadow again that was there. How many did so is
printed at the end, by backend.
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
from contextlib import contextmanager, nullcontext
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import joblib
import numpy as np
import pytest
from helpers.backends import dask_workers, ray_workers, wait_for_dask
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


# What a backend is called here, and how joblib is told.
BACKENDS = {
    "one": {},
    "sequential": {"backend": "sequential"},
    "threading": {"backend": "threading", "n_jobs": 2},
    "loky": {"backend": "loky", "n_jobs": 2},
    "multiprocessing": {"backend": "multiprocessing", "n_jobs": 2},
    "dask, threads": {"backend": "dask"},
    "dask, processes": {"backend": "dask"},
    "ray": {"backend": "ray", "n_jobs": 2},
}
WORKERS = {
    "dask, threads": partial(dask_workers, processes=False),
    "dask, processes": partial(dask_workers, processes=True),
    "ray": ray_workers,
}
NEEDED = {
    "dask, threads": "distributed",
    "dask, processes": "distributed",
    "ray": "ray",
}
STOPPABLE = ("loky", "multiprocessing")
HAVE_PROCESSES = (*STOPPABLE, "dask, processes", "ray")
QUICK = {("one", fault) for fault in IN_ANY} | {
    ("threading", "raises"),
    ("threading", "answers NaN"),
}


def case_of(backend, *values, is_quick=False):
    """A parameter of a test, with what the backend needs."""
    marks = [] if is_quick else [pytest.mark.slow]
    if backend in NEEDED:
        missing = find_spec(NEEDED[backend]) is None
        marks.append(pytest.mark.skipif(missing, reason=f"needs {NEEDED[backend]}"))
    if backend == "ray":
        # Ray 2.60 leaves sockets open (2026-11-26).
        marks.append(pytest.mark.filterwarnings("ignore"))
    name = ": ".join([backend, *map(str, values[:1])])
    return pytest.param(backend, *values, id=name, marks=marks)


def in_backends(names=BACKENDS, quick=(), indirect=True):
    cases = [case_of(name, is_quick=name in quick) for name in names]
    name = "started" if indirect else "backend"
    return pytest.mark.parametrize(name, cases, indirect=indirect)


def table():
    for backend in BACKENDS:
        faults = dict(IN_ANY)
        if backend in HAVE_PROCESSES:
            faults |= IN_PROCESSES | {"holds a lock": NOT_SENT}
        for fault, message in faults.items():
            if fault not in IN_PROCESSES or os.name == "posix":
                yield case_of(
                    backend, fault, message, is_quick=(backend, fault) in QUICK
                )


@contextmanager
def working(backend):
    """Workers of a backend, and joblib told to use them."""
    with (
        WORKERS.get(backend, nullcontext)(),
        joblib.parallel_config(**BACKENDS[backend]),
    ):
        yield


@pytest.fixture(scope="module")
def started(request):
    """Workers of one backend after the other: to start them takes seconds."""
    with WORKERS.get(request.param, nullcontext)():
        yield request.param


@pytest.fixture
def backend(started):
    with joblib.parallel_config(**BACKENDS[started]):
        yield started


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


def wait_for_begun(folder, seconds=2):
    """Wait for shadows that workers took up before one of them failed."""
    path, deadline = folder / "fits", time.monotonic() + seconds
    while time.monotonic() < deadline:
        if path.exists() and path.stat().st_size >= N_SHADOWS:
            break
        time.sleep(0.02)


def n_kept(folder):
    kinds = "answer_of_shadow", "model_of_shadow"
    return min(len(list(folder.rglob(f"{kind}/*/output.pkl"))) for kind in kinds)


@pytest.fixture
def ended_in(backend, count):
    """Function that counts how a fault ended, by backend."""
    return lambda how: count(**{f"ended in {how}": 1, f"by {backend}": 1})


@pytest.fixture(scope="module")
def expected(case, tmp_path_factory):
    return scores(case, tmp_path_factory.mktemp("whole"))


def fails_and_goes_on(case, expected, folder, backend, message, **params):
    """One clear error, or the scores; then the scores, with nothing made twice."""
    (folder / "fault").write_text(params.pop("fault"))
    if message is None:
        np.testing.assert_array_equal(scores(case, folder, **params), expected)
    else:
        with pytest.raises(ShadowFitError, match=message) as caught:
            scores(case, folder, **params)
        assert "\n" not in str(caught.value)
    if backend.startswith("dask"):
        wait_for_dask()
    if backend in HAVE_PROCESSES:
        wait_for_begun(folder)
    (folder / "fault").unlink()
    if "timeout" in params:
        params["timeout"] *= 60
    n_fits(folder)
    before = n_kept(folder)
    np.testing.assert_array_equal(scores(case, folder, **params), expected)
    assert n_fits(folder) <= N_SHADOWS - before + (message is None) * N_SHADOWS


@pytest.mark.parametrize(
    ("started", "fault", "message"), list(table()), indirect=["started"]
)
def test_a_fault_is_one_clear_error(
    case, expected, tmp_path, backend, fault, message, ended_in
):
    fails_and_goes_on(case, expected, tmp_path, backend, message, fault=fault)
    ended_in("one clear error" if message else "a result")


@posix
@in_backends(STOPPABLE)
def test_a_shadow_that_hangs_is_stopped_and_the_rest_is_kept(
    case, expected, tmp_path, backend, ended_in
):
    about = {"fault": "hangs", "timeout": 10}
    fails_and_goes_on(case, expected, tmp_path, backend, HANGS, **about)
    ended_in("one clear error")


@in_backends([name for name in BACKENDS if name not in STOPPABLE], quick={"one"})
def test_a_time_limit_that_could_not_be_kept_is_refused_before_a_shadow_hangs(
    case, tmp_path, backend, ended_in
):
    (tmp_path / "fault").write_text("hangs")
    with pytest.raises(ValueError, match=r"^timeout=10, but [^\n]+$"):
        scores(case, tmp_path, timeout=10)
    assert n_fits(tmp_path) == 0
    ended_in("one clear error")


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
@in_backends(quick={"one", "threading"})
def test_a_cache_that_was_harmed_costs_time_alone(
    case, expected, tmp_path, backend, harm, ended_in
):
    scores(case, tmp_path)
    harm(tmp_path)
    np.testing.assert_array_equal(scores(case, tmp_path), expected)
    ended_in("a result")


IN_ONE = {"ended in a result": 1, "by one": 1}


@posix
@pytest.mark.parametrize("limit", [0, 200, 3000])
def test_a_disk_that_is_full_under_memory_costs_what_would_be_kept(
    case, expected, tmp_path, limit, count
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
    count(**IN_ONE)


def test_an_error_of_the_disk_while_an_entry_is_written_costs_that_entry(
    case, expected, tmp_path, monkeypatch, count
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
    count(**IN_ONE)


@posix
def test_two_processes_share_a_folder(case, expected, tmp_path, count):
    def run():
        np.testing.assert_array_equal(scores(case, tmp_path), expected)

    children = [in_child(run) for _ in range(3)]
    assert [ended(child) for child in children] == [0, 0, 0]
    n_fits(tmp_path)
    run()
    assert n_fits(tmp_path) == 0
    count(**IN_ONE)


# In a process of its own


def in_fresh(function, *args):
    """A process that calls a function of this module."""
    call = f"import test_faults; test_faults.{function.__name__}(*{args!r})"
    paths = os.pathsep.join(filter(None, sys.path))
    return subprocess.Popen(
        [sys.executable, "-c", call], env=os.environ | {"PYTHONPATH": paths}
    )


def run_to_the_end(folder, backend, limit=None):
    """Compare with the scores in a file; no file may be larger than the limit."""
    folder = Path(folder)
    expected = np.load(folder / "expected.npy")
    with working(backend):
        if limit is not None:
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
        np.testing.assert_array_equal(scores(make_case(), folder), expected)


@posix
@pytest.mark.parametrize("limit", [200, 3000])
@in_backends([name for name in BACKENDS if name != "one"], indirect=False)
def test_a_disk_that_is_full_under_memory_costs_what_workers_would_keep(
    case, expected, tmp_path, backend, limit, ended_in
):
    np.save(tmp_path / "expected.npy", expected)
    (tmp_path / "fits").touch()
    assert in_fresh(run_to_the_end, str(tmp_path), backend, limit).wait(600) == 0
    np.testing.assert_array_equal(scores(case, tmp_path), expected)
    ended_in("a result")


@posix
@in_backends([name for name in BACKENDS if name != "one"], indirect=False)
def test_two_processes_with_workers_share_a_folder(
    case, expected, tmp_path, backend, ended_in
):
    np.save(tmp_path / "expected.npy", expected)
    both = [in_fresh(run_to_the_end, str(tmp_path), backend) for _ in range(2)]
    assert [process.wait(600) for process in both] == [0, 0]
    n_fits(tmp_path)
    np.testing.assert_array_equal(scores(case, tmp_path), expected)
    assert n_fits(tmp_path) == 0
    ended_in("a result")


def run_until_killed(folder, backend):
    """A fault is that a shadow hangs once some are kept."""
    with working(backend):
        scores(make_case(), Path(folder))


@posix
@in_backends(indirect=False)
def test_when_the_parent_is_killed_what_was_kept_is_found(
    case, expected, tmp_path, backend, ended_in
):
    (tmp_path / "fault").write_text("hangs later")
    process = in_fresh(run_until_killed, str(tmp_path), backend)
    deadline = time.monotonic() + 300
    while n_kept(tmp_path) < 1 and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    # Workers of a parent that is gone end by themselves, soon.
    time.sleep(5 if backend in HAVE_PROCESSES else 0)
    kept = n_kept(tmp_path)
    (tmp_path / "fault").unlink()
    n_fits(tmp_path)
    np.testing.assert_array_equal(scores(case, tmp_path), expected)
    assert kept >= 1
    assert n_fits(tmp_path) <= N_SHADOWS - kept
    ended_in("a result")
