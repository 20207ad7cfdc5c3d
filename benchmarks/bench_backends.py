"""What each backend of joblib costs: 64 shadows by loky, threads, Dask and Ray.

    python benchmarks/bench_backends.py

RMIA with 64 shadows on records of 20 features, two workers each. Every backend is
started and warmed before, and all train the same shadows one after the other in one
run: seconds of the fastest of some fits, and their ratio to those of loky. Beside it
how often the records were packed for workers.
"""

import os
import pickle
import time
from contextlib import ExitStack, contextmanager
from importlib.metadata import version

import joblib
import numpy as np
from common import command_line, write_results
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier

from sklearn_mia import RMIA, as_records
from sklearn_mia.shadows import ShadowWork

SEED = 0


@contextmanager
def dask():
    from distributed import Client, LocalCluster

    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    with cluster, Client(cluster), joblib.parallel_config(backend="dask"):
        yield


@contextmanager
def ray():
    import ray
    from ray.util.joblib import register_ray

    register_ray()
    variables = {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    environment = {"env_vars": variables}
    ray.init(num_cpus=2, include_dashboard=False, runtime_env=environment)
    try:
        with joblib.parallel_config(backend="ray", n_jobs=2):
            yield
    finally:
        ray.shutdown()


BACKENDS = {
    "sequential": lambda: joblib.parallel_config(backend="sequential"),
    "loky": lambda: joblib.parallel_config(backend="loky", n_jobs=2),
    "threading": lambda: joblib.parallel_config(backend="threading", n_jobs=2),
    "dask": dask,
    "ray": ray,
}


def main():
    parser = command_line(__doc__, "backends", n_records=8000)
    parser.add_argument("--shadows", type=int, default=64)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--backends", nargs="+", default=list(BACKENDS))
    options = parser.parse_args()
    X, y = make_classification(options.records, 20, flip_y=0.2, random_state=SEED)
    half = options.records // 2
    model = RandomForestClassifier(10, max_depth=8, random_state=SEED)
    model.fit(X[:half], y[:half])
    records, packed = as_records(X, y), []

    def fitted(n_shadows):
        attack = RMIA(model, n_shadows=n_shadows, keep_models=False, random_state=SEED)
        return attack.fit_score(records)

    def counted(self):
        packed.append(1)
        return vars(self)

    ShadowWork.__getstate__ = counted
    size = len(pickle.dumps(X))
    rows, expected = [], None
    for name in options.backends:
        with ExitStack() as stack:
            try:
                stack.enter_context(BACKENDS[name]())
            except ImportError as error:
                rows.append({"backend": name, "version": f"no {error.name}"})
                continue
            fitted(4)
            seconds = []
            for _ in range(options.repeats):
                packed.clear()
                start = time.perf_counter()
                scores = fitted(options.shadows)
                seconds.append(time.perf_counter() - start)
        expected = scores if expected is None else expected
        known = {"dask": "distributed", "ray": "ray"}.get(name, "joblib")
        rows.append(
            {
                "backend": name,
                "version": f"{known} {version(known)}",
                "equal scores": bool(np.array_equal(scores, expected)),
                "seconds": min(seconds),
                "times packed": len(packed),
                # Arrays reach processes of loky as files in memory.
                "MB packed": None if name == "loky" else len(packed) * size / 1e6,
            }
        )
        print(rows[-1], flush=True)
    loky = next((r["seconds"] for r in rows if r["backend"] == "loky"), None)
    for row in rows:
        if loky and "seconds" in row:
            row["ratio to loky"] = row["seconds"] / loky
    write_results(
        options.name,
        rows,
        seed=SEED,
        n_records=options.records,
        n_shadows=options.shadows,
        load_of_the_machine=round(os.getloadavg()[0], 1),
    )


if __name__ == "__main__":
    main()
