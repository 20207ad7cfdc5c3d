"""LiRA with the gap of each record, and drawn to that of its like, on real tables.

    SKLEARN_MIA_DATA=folder OMP_NUM_THREADS=1 python benchmarks/bench_lira_gap.py

The target trains on an independent half of at most 1,500 records (a coin for each
record), three times; the pool is all of them. Both ways read the same shadows, the
first K of 64. AUC and TPR at FPR = 0.01 are those of one target.

Results: lira_gap.json with a row a target, lira_gap_short with means over the tables.
"""

import tempfile

import numpy as np
from common import (
    MODELS,
    TABLES,
    command_line,
    draw_members,
    load_table,
    write_results,
    write_short,
)
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from sklearn_mia import LiRA, as_records
from sklearn_mia.metrics import tpr_at_fpr_score

FAMILIES = {
    **MODELS,
    "SVM": make_pipeline(StandardScaler(), SVC()),
    "neural network": make_pipeline(
        StandardScaler(),
        MLPClassifier(max_iter=200, tol=0.0, n_iter_no_change=200, random_state=0),
    ),
    "nearest neighbours": make_pipeline(StandardScaler(), KNeighborsClassifier()),
}
GAPS = ("per_record", "shrunk")
SEED = 0


def power(model, records, is_member, costs, folder):
    """AUC and TPR of both ways for each number of shadows."""
    for n_shadows in sorted(costs, reverse=True):
        for gap in GAPS:
            attack = LiRA(
                model,
                gap=gap,
                n_shadows=n_shadows,
                keep_models=False,
                memory=folder,
                random_state=SEED,
            )
            scores = attack.fit_score(records)
            yield {
                "K": n_shadows,
                "gap": gap,
                "AUC": roc_auc_score(is_member, scores),
                "TPR@1%": tpr_at_fpr_score(is_member, scores, max_fpr=0.01),
            }


def short(rows):
    """Means over tables and targets, and in how many of them the shrunk gap wins."""
    keys = dict.fromkeys((row["model"], row["K"]) for row in rows)
    for model, n_shadows in keys:
        mine = [r for r in rows if (r["model"], r["K"]) == (model, n_shadows)]
        told = {"model": model, "K": n_shadows}
        for metric in ("AUC", "TPR@1%"):
            own, drawn = (
                np.array([r[metric] for r in mine if r["gap"] == gap]) for gap in GAPS
            )
            told[f"{metric} per record"] = f"{own.mean():.3f}"
            told[f"{metric} shrunk"] = f"{drawn.mean():.3f}"
            told[f"{metric} up"] = f"{np.sum(drawn > own)} of {len(own)}"
        yield told


def main():
    parser = command_line(__doc__, "lira_gap", tables=TABLES)
    parser.add_argument("--models", nargs="+", default=list(FAMILIES), choices=FAMILIES)
    parser.add_argument("--costs", nargs="+", type=int, default=[2, 4, 8, 16, 64])
    parser.add_argument("--targets", type=int, default=3)
    options = parser.parse_args()
    rows = []
    for table in options.tables:
        X, y = load_table(table, 1_500)
        records = as_records(X, y)
        for name in options.models:
            for split in range(options.targets):
                is_member = draw_members(len(y), split)
                model = clone(FAMILIES[name]).fit(X[is_member], y[is_member])
                with tempfile.TemporaryDirectory() as folder:
                    told = power(model, records, is_member, options.costs, folder)
                    about = {"table": table, "model": name, "target": split}
                    rows += [about | row for row in told]
            print(table, name, flush=True)
            write_results(options.name, rows, seed=SEED)
    write_short(options.name, short)


if __name__ == "__main__":
    main()
