"""Backends of joblib that a test starts for itself."""

from contextlib import contextmanager

import joblib
import pytest


@contextmanager
def dask_cluster(**params):
    """Two workers of Dask, as the backend of joblib; the test is skipped without it."""
    distributed = pytest.importorskip("distributed")
    # A free port: another process may have started one of its own.
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(**options, **params) as cluster,
        distributed.Client(cluster) as client,
        joblib.parallel_config(backend="dask"),
    ):
        yield client
