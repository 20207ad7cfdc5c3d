"""Shadows trained by workers of Dask, Ray and Spark, through joblib."""

import copy
import multiprocessing
import os
import queue
import shutil
import signal
import sys
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import pytest
from helpers.backends import dask_cluster, ray_workers
from joblib.externals.loky.backend.process import LokyProcess
from joblib.parallel import LokyBackend, MultiprocessingBackend
from sklearn.ensemble import RandomForestClassifier
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import RMIA, LiRA, as_records, audit, workers
from sklearn_mia.hooks import in_one_order
from sklearn_mia.response import make_responder
from sklearn_mia.shadows import ShadowWork
from sklearn_mia.workers import IN_WORKER, single_threads

TREE = DecisionTreeClassifier(max_depth=5, random_state=0)


class KilledOnce(DecisionTreeClassifier):
    """The second fit of all ends its process as a full memory does."""

    def __init__(self, folder=None):
        super().__init__(max_depth=5, random_state=0)
        self.folder = folder

    def fit(self, X, y):
        for mark in ("first", "second") if self.folder else ():
            try:
                Path(self.folder, mark).touch(exist_ok=False)
            except FileExistsError:
                continue
            if mark == "second":
                os.kill(os.getpid(), signal.SIGKILL)
            break
        return super().fit(X, y)


@pytest.fixture(scope="module")
def records(half):
    return as_records(np.vstack(half[::2]), np.concatenate(half[1::2]))


@pytest.fixture(scope="module")
def model(half):
    return DecisionTreeClassifier(random_state=0).fit(*half[:2])


def attack_on(model, cls=RMIA, **params):
    return cls(model, **{"shadow_estimator": TREE, "n_shadows": 8, **params})


def scores_of(model, records, **params):
    return attack_on(model, random_state=0, **params).fit_score(records)


def clustered(**params):
    with dask_cluster(**params) as client:
        yield client


@pytest.fixture(scope="module")
def threads():
    yield from clustered(processes=False)


@pytest.fixture(scope="module")
def processes():
    yield from clustered(processes=True)


@pytest.fixture
def pickled(monkeypatch):
    """Number of times that the records were packed for a worker."""
    seen = []

    def counted(self):
        seen.append(1)
        return vars(self)

    monkeypatch.setattr(ShadowWork, "__getstate__", counted, raising=False)
    return seen


def test_dask_gives_the_scores_of_this_process(threads, model, records, tmp_path):
    expected = scores_of(model, records, n_jobs=1)
    with joblib.parallel_config(backend="sequential"):
        alone = scores_of(model, records)
    assert np.array_equal(expected, alone)
    assert np.array_equal(scores_of(model, records), expected)
    # What is kept is kept here, and found again.
    kept = {"memory": str(tmp_path), "keep_models": False}
    assert np.array_equal(scores_of(model, records, **kept), expected)
    files = set(tmp_path.rglob("output.pkl"))
    assert len(files) == 8
    assert np.array_equal(scores_of(model, records, **kept), expected)
    own = attack_on(model, LiRA, random_state=0, memory=str(tmp_path)).fit(records)
    # The answers were there, the models were not.
    assert len(set(tmp_path.rglob("output.pkl")) - files) == 8
    assert own.score_samples(records[:3]).shape == (3,)


def test_a_forest_inside_is_not_spread_over_the_workers(threads, half, records):
    forest = RandomForestClassifier(9, random_state=0).fit(*half[:2])
    recipe = RandomForestClassifier(9, max_depth=5)
    by_dask = scores_of(forest, records, shadow_estimator=recipe)
    with joblib.parallel_config(backend="loky", n_jobs=2):
        # Its number of jobs is not that of the forest.
        with in_one_order():
            assert joblib.effective_n_jobs(None) == 1
        answer = make_responder(forest, half[0], forest.classes_)[1]
    with joblib.parallel_config(backend="sequential"):
        alone = scores_of(forest, records, shadow_estimator=recipe)
        same = make_responder(forest, half[0], forest.classes_)[1]
    assert np.array_equal(by_dask, alone)
    assert np.array_equal(answer, same)
    with in_one_order():
        assert joblib.effective_n_jobs(None) == 1


def test_a_time_limit_needs_workers_that_can_be_stopped(threads, model, records):
    with pytest.raises(ValueError, match="workers of DaskDistributedBackend may be on"):
        attack_on(model, n_jobs=2, timeout=5).fit(records)


def test_a_shadow_that_fails_in_dask_is_named(threads, half, model, records):
    bad = DecisionTreeClassifier(max_features=100)
    bad.set_params(max_features="none of these")
    with pytest.raises(ValueError, match=r"Shadow \d could not be trained"):
        scores_of(model, records, shadow_estimator=bad)


def test_threads_of_a_worker_hold_the_libraries_together():
    def limits():
        return {lib["num_threads"] for lib in _info() if lib["user_api"] == "blas"}

    def _info():
        from threadpoolctl import threadpool_info

        return threadpool_info()

    with single_threads():
        before = limits()
    with IN_WORKER:
        with IN_WORKER:
            pass
        # The first to enter is still inside.
        assert limits() == before
    assert IN_WORKER._n_inside == 0


def test_loky_stands_for_the_multiprocessing_of_joblib():
    with joblib.parallel_config(backend="multiprocessing", n_jobs=2):
        pool = workers.parallel()
    assert isinstance(pool._backend, LokyBackend)
    assert pool.n_jobs == 2


def test_the_store_of_ray_gets_the_work_once_and_tasks_its_place(monkeypatch):
    class RayBackend(MultiprocessingBackend):
        pass

    store, work = [], object()
    ray = SimpleNamespace(put=store.append, get=lambda held: store[0])
    monkeypatch.setitem(sys.modules, "ray", ray)
    with joblib.parallel_config(backend=RayBackend(), n_jobs=2):
        pool, sent = workers.sending_once(work, return_as="generator_unordered")
    assert store == [work]
    # As it is unpacked by every task that gets it.
    assert copy.copy(sent) is work
    assert not pool.return_generator


def test_a_worker_of_loky_ends_when_its_parent_is_another(monkeypatch):
    ended, parents = queue.Queue(), iter([7, 7, 1])
    monkeypatch.setattr(workers, "_LOOKS_AFTER", 0)
    monkeypatch.setattr(os, "_exit", ended.put)
    monkeypatch.setattr(os, "getppid", lambda: next(parents))
    end_with = workers.end_with.__wrapped__
    # This process is none.
    end_with(7)
    monkeypatch.setattr(multiprocessing, "current_process", LokyProcess)
    end_with(7)
    assert ended.get(timeout=60) == 1
    assert list(parents) == []
    assert ended.empty()


@pytest.mark.slow
def test_processes_of_dask_get_the_records_once(processes, model, records, pickled):
    expected = scores_of(model, records, n_jobs=1)
    with joblib.parallel_config(backend="sequential"):
        assert np.array_equal(scores_of(model, records), expected)
    pickled.clear()
    by_dask = scores_of(model, records, n_shadows=16)
    # Once for each worker at most.
    assert 1 <= len(pickled) <= 2
    with joblib.parallel_config(backend="sequential"):
        assert np.array_equal(by_dask, scores_of(model, records, n_shadows=16))


@pytest.mark.slow
def test_a_worker_that_is_killed_costs_nothing(processes, model, records, tmp_path):
    scores = scores_of(model, records, shadow_estimator=KilledOnce(str(tmp_path)))
    assert sorted(p.name for p in tmp_path.iterdir()) == ["first", "second"]
    with joblib.parallel_config(backend="sequential"):
        alone = scores_of(model, records, shadow_estimator=KilledOnce())
    assert np.array_equal(scores, alone)


@pytest.mark.slow
def test_an_audit_by_dask_says_the_same(processes, half, model):
    given = {"n_shadows": 4, "n_permutations": 99, "random_state": 0}
    by_dask = audit(model, *half, **given).to_dict()["report"]
    with joblib.parallel_config(backend="sequential"):
        alone = audit(model, *half, **given).to_dict()["report"]
    for key in by_dask.keys() - {"created"}:
        assert by_dask[key] == alone[key], key


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Ray 2.60 leaves sockets open (2026-11-26)
def test_ray_gives_the_scores_of_this_process(model, records, pickled):
    with ray_workers(), joblib.parallel_config(backend="ray", n_jobs=2):
        by_ray = scores_of(model, records)
    assert len(pickled) == 1
    with joblib.parallel_config(backend="sequential"):
        assert np.array_equal(by_ray, scores_of(model, records))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # Joblib-spark 0.6 warns of itself (2026-11-27)
def test_spark_gives_the_scores_of_this_process(model, records, monkeypatch):
    sql = pytest.importorskip("pyspark.sql")
    joblib_of_spark = pytest.importorskip("joblibspark")
    if shutil.which("java") is None:
        pytest.skip("Spark needs Java")
    paths = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    monkeypatch.setenv("PYTHONPATH", paths)
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
    joblib_of_spark.register_spark()
    session = sql.SparkSession.builder.master("local[2]")
    spark = session.config("spark.ui.enabled", "false").getOrCreate()
    try:
        with joblib.parallel_config(backend="spark", n_jobs=2):
            by_spark = scores_of(model, records)
    finally:
        spark.stop()
    with joblib.parallel_config(backend="sequential"):
        assert np.array_equal(by_spark, scores_of(model, records))
