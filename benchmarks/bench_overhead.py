"""What an attack costs beyond the fits: wall time against a bare joblib loop.

    SKLEARN_MIA_DATA=folder OMP_NUM_THREADS=1 python benchmarks/bench_overhead.py

The bare loop only clones the model, fits it on each half and asks `predict_proba` for
all records. Both sides train 32 models with the same workers, one BLAS thread each,
in turn: a pair. "ratio" is the median of the ratios of the pairs, with the smallest and
the largest; the goal is at most 1.05. "default threads" is the bare loop as a user
would write it, with BLAS threads left alone, once.
"""

import time

import numpy as np
from common import command_line, draw_members, load_table, write_results
from joblib import Parallel, delayed
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from sklearn_mia import RMIA, DifficultyCalibrationAttack, LiRA, as_records

N_SHADOWS = 32
MOST = 1.05
MODELS = {
    "forest": RandomForestClassifier(100, random_state=0),
    "gradient boosting": HistGradientBoostingClassifier(random_state=0),
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression()),
}
ATTACKS = {
    "LiRA": lambda t, **s: LiRA(t, variance="pooled", **s),
    "RMIA": lambda t, **s: RMIA(t, trees_per_shadow=None, **s),
    "DifficultyCalibration": DifficultyCalibrationAttack,
}


def fit_and_ask(model, X, y, rows, apis):
    with threadpool_limits(dict.fromkeys(apis, 1)):
        return clone(model).fit(X[rows], y[rows]).predict_proba(X)


def bare(model, X, y, halves, n_jobs, apis):
    start = time.perf_counter()
    answers = Parallel(n_jobs=n_jobs)(
        delayed(fit_and_ask)(model, X, y, rows, apis) for rows in halves
    )
    assert len(answers) == N_SHADOWS
    return time.perf_counter() - start


def attacked(make, target, records, n_jobs):
    attack = make(
        target, n_shadows=N_SHADOWS, keep_models=False, n_jobs=n_jobs, random_state=0
    )
    start = time.perf_counter()
    attack.fit(records).score_samples(records)
    return time.perf_counter() - start


def main():
    parser = command_line(__doc__, "overhead")
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--records", nargs="+", type=int, default=[8000, 40000])
    parser.add_argument("--jobs", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--attacks", nargs="+", default=["LiRA"], choices=ATTACKS)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args()
    rows = []
    for n_records in options.records:
        X, y = load_table("adult", n_records)
        records, member = as_records(X, y), draw_members(len(y), 0)
        generator = np.random.default_rng(0)
        halves = [
            np.sort(generator.permutation(len(y))[: len(y) // 2])
            for _ in range(N_SHADOWS)
        ]
        for model_name in options.models:
            model = MODELS[model_name]
            target = clone(model).fit(X[member], y[member])
            for n_jobs in options.jobs:
                apis = ["blas"] if n_jobs == 1 else ["blas", "openmp"]
                times = {"bare": [], "default threads": []}
                times.update({name: [] for name in options.attacks})
                for _ in range(options.repeats):
                    times["bare"].append(bare(model, X, y, halves, n_jobs, apis))
                    for name in options.attacks:
                        times[name].append(
                            attacked(ATTACKS[name], target, records, n_jobs)
                        )
                times["default threads"].append(bare(model, X, y, halves, n_jobs, []))
                typical = {name: np.median(values) for name, values in times.items()}
                for name in options.attacks:
                    ratios = np.divide(times[name], times["bare"])
                    rows.append(
                        {
                            "records": n_records,
                            "model": model_name,
                            "n_jobs": n_jobs,
                            "attack": name,
                            "bare s": typical["bare"],
                            "attack s": typical[name],
                            "ratio": np.median(ratios),
                            "least": ratios.min(),
                            "most": ratios.max(),
                            "goal": "met" if np.median(ratios) <= MOST else "FAILS",
                            "to default threads": typical[name]
                            / typical["default threads"],
                        }
                    )
                    print(rows[-1], flush=True)
    write_results(options.name, rows, n_shadows=N_SHADOWS, repeats=options.repeats)


if __name__ == "__main__":
    main()
