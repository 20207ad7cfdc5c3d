"""Power against processor seconds, to the limit of very many fits.

    SKLEARN_MIA_DATA=folder OMP_NUM_THREADS=1 python benchmarks/bench_curves.py

For every family the attacks that an audit takes of it, with 1 to 64 fits of
`BaggingAttack` and 2 to 256 shadow models of `RMIA` and `LiRA`. The target trains on an
independent half of at most 2,000 records (a coin for each record), five times; the pool
is all of them, and the shadow models of a pool serve all its targets. Seconds are those
of the processor, for the first target, on one worker: of training the shadow models and
asking them, and of the attack's own work. AUC and TPR are the mean over the targets.

`--go-on` takes up a stopped run of the same settings at the cells that it lacks.

Results: curves.json; curves_short with means over the tables; curves.svg, drawn with
matplotlib.
"""

import json
import tempfile
import time
import warnings
from itertools import groupby

import numpy as np
from common import (
    FAMILIES,
    RESULTS,
    TABLES,
    WITH_ENCODER,
    command_line,
    draw_members,
    load_for,
    rows_before,
    select,
    write_results,
    write_short,
)
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import roc_auc_score

from sklearn_mia import RMIA, BaggingAttack, LiRA, as_records
from sklearn_mia.metrics import tpr_at_fpr_score

COSTS = [1, 2, 4, 8, 16, 64, 256]
MOST_OF_BAGGING = 64
FULL = {
    "RMIA": lambda target, cost, **shared: RMIA(
        target, n_shadows=cost, trees_per_shadow=None, **shared
    ),
    "LiRA": lambda target, cost, **shared: LiRA(target, n_shadows=cost, **shared),
}


def bagging(target, cost, **shared):
    return BaggingAttack(target, n_trees=100 * cost, **shared)


def scored(attack, records):
    """Scores, and the processor seconds that they took."""
    start = time.process_time()
    scores = attack.fit(records).score_samples(records)
    return scores, time.process_time() - start


def curve(model, X, y, is_member, costs, memory):
    """Attack, cost, scores and seconds, of one target."""
    records = as_records(X, y)
    target = clone(model).fit(select(X, is_member), y[is_member])
    shared = {"memory": memory, "keep_models": False, "random_state": 0}
    of_shadows = 0.0
    for cost in (c for c in costs if c >= 2):
        # Those of fewer are among those of more.
        _, first = scored(FULL["RMIA"](target, cost, **shared), records)
        _, again = scored(FULL["RMIA"](target, cost, **shared), records)
        of_shadows += max(first - again, 0.0)
        for name, make in FULL.items():
            scores, own = scored(make(target, cost, **shared), records)
            yield name, cost, scores, of_shadows + own
    if BaggingAttack.handles(target):
        for cost in (c for c in costs if c <= MOST_OF_BAGGING):
            attack = bagging(target, cost, random_state=0, keep_models=False)
            yield "BaggingAttack", cost, *scored(attack, records)


def bench(table, model_name, costs, n_targets, n_records):
    X, y = load_for(model_name, table, n_records)
    found, seconds = {}, {}
    with tempfile.TemporaryDirectory() as memory:
        for seed in range(n_targets):
            is_member = draw_members(len(y), seed)
            of_target = curve(FAMILIES[model_name], X, y, is_member, costs, memory)
            for name, cost, scores, spent in of_target:
                seconds.setdefault((name, cost), spent)
                found.setdefault((name, cost), []).append(
                    (
                        roc_auc_score(is_member, scores),
                        *(
                            tpr_at_fpr_score(is_member, scores, max_fpr=fpr)
                            for fpr in (0.01, 0.001)
                        ),
                    )
                )
    for (name, cost), values in found.items():
        power = zip(("AUC", "TPR@1%", "TPR@0.1%"), np.mean(values, axis=0), strict=True)
        yield {
            "table": table,
            "model": model_name,
            "attack": name,
            "cost": cost,
            **{metric: float(value) for metric, value in power},
            "CPU s": seconds[name, cost],
        }


def short_form(rows):
    """Means over the tables, and the share of the AUC above chance at most fits."""

    def key(row):
        return row["model"], row["attack"], row["cost"]

    for (model, attack, cost), group in groupby(sorted(rows, key=key), key):
        own = list(group)
        of_model = [r for r in rows if r["model"] == model]
        best = {}
        for row in of_model:
            best[row["table"]] = max(best.get(row["table"], 0.0), row["AUC"])
        yield {
            "model": model,
            "attack": attack,
            "cost": cost,
            **{m: float(np.mean([r[m] for r in own])) for m in ("AUC", "TPR@1%")},
            "of the highest AUC above chance": float(
                np.mean([r["AUC"] - 0.5 for r in own])
                / np.mean([best[r["table"]] - 0.5 for r in own])
            ),
            "CPU s": float(np.mean([r["CPU s"] for r in own])),
        }


def plot(rows, path):
    """AUC and TPR at 1 % against seconds, a column a family, a line an attack."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams["svg.hashsalt"] = "0"
    import matplotlib.pyplot as plt

    models = list(dict.fromkeys(row["model"] for row in rows))
    figure, axes = plt.subplots(
        2, len(models), figsize=(3 * len(models), 5), layout="constrained", sharex="col"
    )
    axes = axes.reshape(2, -1)
    for column, model in zip(axes.T, models, strict=True):
        column[0].set_title(model)
        for i, attack in enumerate((*FULL, "BaggingAttack")):
            own = [r for r in rows if (r["model"], r["attack"]) == (model, attack)]
            for panel, metric in zip(column, ("AUC", "TPR@1%"), strict=True):
                points = [(r["CPU s"], r[metric]) for r in own]
                if points:
                    line = np.transpose(points)
                    panel.plot(*line, marker="osD"[i], color=f"C{i}", label=attack)
        for panel in column:
            panel.set_xscale("log")
            panel.grid(alpha=0.3)
    axes[0, 0].set_ylabel("AUC")
    axes[1, 0].set_ylabel("TPR at FPR = 0.01")
    for panel in axes[1]:
        panel.set_xlabel("processor seconds")
    axes[0, 0].legend()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def main():
    parser = command_line(__doc__, "curves", tables=TABLES, n_records=2000)
    models = [name for name in FAMILIES if name != WITH_ENCODER]
    parser.add_argument("--models", nargs="+", default=models, choices=FAMILIES)
    parser.add_argument("--costs", nargs="+", type=int, default=COSTS)
    parser.add_argument("--targets", type=int, default=5)
    parser.add_argument("--go-on", action="store_true", help="after a stopped run")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    about = {"targets": options.targets, "records": options.records}
    rows = rows_before(options.name, **about) if options.go_on else []
    done = {(row["table"], row["model"]) for row in rows}
    for model in options.models:
        for table in options.tables:
            if (table, model) in done:
                continue
            rows += bench(table, model, options.costs, options.targets, options.records)
            print(f"{table}, {model}: done", flush=True)
            write_results(options.name, rows, **about)
    write_short(options.name, short_form)
    short = json.loads((RESULTS / f"{options.name}_short.json").read_text())["rows"]
    plot(short, RESULTS / f"{options.name}.svg")


if __name__ == "__main__":
    main()
