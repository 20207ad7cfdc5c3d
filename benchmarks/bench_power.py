"""Power of every shadow attack against its cost, on real tables.

    SKLEARN_MIA_DATA=folder OMP_NUM_THREADS=1 python benchmarks/bench_power.py

The target trains on an independent half of at most 8,000 records (a coin for each
record), five times; the pool is all of them. Cost is in fits of the target. Seconds are
the wall time of `fit` on one worker, summed over the extensions up to that cost, for
the first target. AUC and TPR are the mean over the targets, with their range.

Results: power.json, and power_short with means over the tables. What is in the folder
was made in parts, each by the command at its top: power_forest, power_leaf5,
power_boosting, and thin_shadows, for which --sizes is needed now.
"""

import tempfile
import time

import numpy as np
from common import (
    MODELS,
    TABLES,
    command_line,
    draw_members,
    load_table,
    mean_power,
    write_results,
    write_short,
)
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from sklearn_mia import (
    RMIA,
    BaggingAttack,
    DifficultyCalibrationAttack,
    LiRA,
    ShadowModelAttack,
    ThresholdAttack,
    as_records,
)
from sklearn_mia.metrics import tpr_at_fpr_score


def attacks_of(model, costs, sizes=False):
    """Name, costs, and constructor from the cost, of each attack on a model."""
    full = [c for c in costs if c >= 2]
    yield "ThresholdAttack(loss)", [0], lambda t, c, **_: ThresholdAttack(t)
    for name, cls, settings in [
        ("LiRA", LiRA, {"variance": "pooled"}),
        ("LiRA offline", LiRA, {"mode": "offline", "variance": "pooled"}),
        ("LiRA per record", LiRA, {"variance": "per_record"}),
        ("RMIA full", RMIA, {"trees_per_shadow": None}),
        ("RMIA offline", RMIA, {"mode": "offline", "trees_per_shadow": None}),
        ("DifficultyCalibration", DifficultyCalibrationAttack, {}),
        ("attack R", DifficultyCalibrationAttack, {"method": "rank"}),
        ("ShadowModelAttack", ShadowModelAttack, {}),
    ]:
        yield (
            name,
            [c for c in full if c <= 4] if cls is ShadowModelAttack else full,
            lambda t, c, cls=cls, settings=settings, **shared: cls(
                t, n_shadows=c, **settings, **shared
            ),
        )
    if not isinstance(model, RandomForestClassifier):
        return
    few = [c for c in costs if c <= 16]
    for trees in (5, 10, 25) if sizes else (10,):
        yield (
            f"RMIA, {trees} trees a shadow",
            [c for c in few if c >= 2],
            lambda t, c, trees=trees, **shared: RMIA(
                t, n_shadows=c, trees_per_shadow=trees, **shared
            ),
        )
    for trees in (4, 12) if sizes else (4,):
        yield (
            f"BaggingAttack, {trees} trees a shadow",
            few,
            lambda t, c, trees=trees, **shared: BaggingAttack(
                t, n_trees=100 * c, trees_per_shadow=trees, **shared
            ),
        )


def bench(table, model_name, costs, n_targets, n_records, sizes):
    X, y = load_table(table, n_records)
    records = as_records(X, y)
    model = MODELS[model_name]
    found = {}
    seconds = {}
    with tempfile.TemporaryDirectory() as memory:
        shared = {"memory": memory, "keep_models": False, "random_state": 0}
        for target_seed in range(n_targets):
            member = draw_members(len(y), target_seed)
            target = clone(model).fit(X[member], y[member])
            for name, of, make in attacks_of(model, costs, sizes):
                spent = 0.0
                for cost in of:
                    start = time.perf_counter()
                    attack = make(target, cost, **shared).fit(records)
                    spent += time.perf_counter() - start
                    # Attacks that share full shadows pay for them once: the first.
                    seconds.setdefault((name, cost), spent)
                    scores = attack.score_samples(records)
                    found.setdefault((name, cost), []).append(
                        (
                            roc_auc_score(member, scores),
                            tpr_at_fpr_score(member, scores, max_fpr=0.01),
                            tpr_at_fpr_score(member, scores, max_fpr=0.001),
                        )
                    )
    for (name, cost), values in found.items():
        mean, low, high = (f(values, axis=0) for f in (np.mean, np.min, np.max))
        row = {"table": table, "model": model_name, "attack": name, "cost": cost}
        for i, metric in enumerate(["AUC", "TPR@1%", "TPR@0.1%"]):
            row[metric] = float(mean[i])
            row[f"{metric} range"] = f"{low[i]:.3f}-{high[i]:.3f}"
        yield {**row, "seconds": seconds[name, cost]}


def short_form(rows):
    """Mean AUC and TPR at 1 % over the tables, one row an attack, one column a cost."""
    costs = sorted({row["cost"] for row in rows})
    for model, attack in dict.fromkeys((row["model"], row["attack"]) for row in rows):
        own = [r for r in rows if (r["model"], r["attack"]) == (model, attack)]
        cells = {"model": model, "attack": attack}
        for cost in costs:
            at_cost = [row for row in own if row["cost"] == cost]
            cells[f"cost {cost}"] = mean_power(at_cost) if at_cost else ""
        yield cells


def main():
    parser = command_line(__doc__, "power", tables=TABLES, n_records=8000)
    parser.add_argument("--models", nargs="+", default=list(MODELS)[:3], choices=MODELS)
    parser.add_argument("--costs", nargs="+", type=int, default=[1, 2, 4, 8, 16, 64])
    parser.add_argument("--targets", type=int, default=5)
    parser.add_argument(
        "--sizes", action="store_true", help="several numbers of trees a shadow"
    )
    options = parser.parse_args()
    rows = []
    for table in options.tables:
        for model in options.models:
            rows += bench(
                table,
                model,
                options.costs,
                options.targets,
                options.records,
                options.sizes,
            )
            print(f"{table}, {model}: done", flush=True)
    write_results(options.name, rows, targets=options.targets, records=options.records)
    write_short(options.name, short_form)


if __name__ == "__main__":
    main()
