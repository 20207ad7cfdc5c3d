"""Backends of joblib that a test starts for itself."""

import os
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import joblib
import pytest


@contextmanager
def dask_workers(**params):
    """Two workers of Dask; the test is skipped without it."""
    distributed = pytest.importorskip("distributed")
    # A free port: another process may have started one of its own.
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(**options, **params) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@contextmanager
def dask_cluster(**params):
    """The same, as the backend of joblib."""
    with dask_workers(**params) as client, joblib.parallel_config(backend="dask"):
        yield client


def wait_for_dask():
    """Wait until no worker is at work: what was called off goes on to its end."""
    client = pytest.importorskip("distributed").default_client()
    while any(client.run(lambda dask_worker: len(dask_worker.active_threads)).values()):
        time.sleep(0.05)


@contextmanager
def ray_workers():
    """Two workers of Ray; the test is skipped without it."""
    ray = pytest.importorskip("ray")
    pytest.importorskip("ray.util.joblib").register_ray()
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *filter(None, sys.path)])
    environment = {"env_vars": {"PYTHONPATH": paths}}
    ray.init(num_cpus=2, include_dashboard=False, runtime_env=environment)
    try:
        yield
    finally:
        ray.shutdown()
