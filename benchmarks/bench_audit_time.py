"""How long an audit takes: its wall time against that of training the model.

    SKLEARN_MIA_DATA=folder OMP_NUM_THREADS=1 python benchmarks/bench_audit_time.py

`audit` with its defaults, on one core. Model and audit are timed in turn; the smaller
of the repetitions counts.
"""

import time
from functools import partial

from common import MODELS, command_line, draw_members, load_table, write_results
from sklearn.base import clone

from sklearn_mia.auditing import audit

SLICES = {"auto": "auto", "none": ()}


def seconds(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main():
    parser = command_line(__doc__, "audit_time", tables=["adult"], n_records=8000)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    rows = []
    for table in options.tables:
        X, y = load_table(table, options.records)
        member = draw_members(len(y), 0)
        sides = X[member], y[member], X[~member], y[~member]
        for model_name in options.models:
            model = clone(MODELS[model_name])
            work = {"train": partial(model.fit, X[member], y[member])} | {
                name: partial(audit, model, *sides, slices=slices, random_state=0)
                for name, slices in SLICES.items()
            }
            times = {name: [] for name in work}
            for _ in range(options.repeats):
                for name, run in work.items():
                    times[name].append(seconds(run))
            best = {name: min(values) for name, values in times.items()}
            for name in SLICES:
                rows.append(
                    {
                        "table": table,
                        "records": len(y),
                        "model": model_name,
                        "slices": name,
                        "train s": best["train"],
                        "audit s": best[name],
                        "ratio": best[name] / best["train"],
                    }
                )
                print(rows[-1], flush=True)
    write_results(options.name, rows, repeats=options.repeats)


if __name__ == "__main__":
    main()
