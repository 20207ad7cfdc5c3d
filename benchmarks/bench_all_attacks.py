"""Every attack of the library on six real tables and seven model families.

    SKLEARN_MIA_DATA=folder OMP_NUM_THREADS=1 python benchmarks/bench_all_attacks.py

The attacks are found by walking the package: a new one is in the table with its default
parameters, and with others if it is in SETTINGS. The target trains on an independent
half of the records (a coin for each), the attack is fitted on all of them. Intervals
are about this one trained model. "queries" counts the rows that the target was asked,
for each record; "seconds" are the wall time of `fit` and `score_samples` on one worker,
shadow models included. An attack that does not take a model has no row.

Results: all_attacks.json, and all_attacks_short with means over the tables.
"""

import functools
import inspect
import pkgutil
import time
import warnings
from importlib import import_module

import numpy as np
import pandas as pd
from common import MODELS as SHARED_MODELS
from common import (
    NETWORK,
    TABLES,
    command_line,
    draw_members,
    load_frame,
    load_table,
    mean_power,
    write_results,
    write_short,
)
from sklearn.base import clone
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils import get_tags

import sklearn_mia
from sklearn_mia import as_records
from sklearn_mia.base import BaseAttack
from sklearn_mia.metrics import roc_auc_interval, tpr_at_fpr_interval

MODELS = {
    **SHARED_MODELS,
    "neural network": NETWORK,
    "tree": DecisionTreeClassifier(random_state=0),
    "nearest neighbours": make_pipeline(StandardScaler(), KNeighborsClassifier()),
}
SETTINGS = {
    "ThresholdAttack": {
        "gap": {"signal": "correctness"},
        "entropy": {"signal": "entropy"},
        "loss": {"signal": "loss"},
        "by class": {"per_class": True},
    },
    "QuantileRegressionAttack": {
        "mean": {},
        "Gaussian": {"head": "gaussian"},
        "quantile": {"head": "quantile", "max_fpr": 0.01},
    },
    "LabelOnlyAttack": {
        "papers' robustness": {"signal": "robustness", "n_queries": 100},
        "contrast": {"n_queries": 200},
        "8 shadows": {"n_queries": 30, "n_shadows": 8},
    },
    "TrajectoryAttack": {"no shadows": {}, "16 shadows": {"n_shadows": 16}},
    "LiRA": {"": {}, "offline": {"mode": "offline"}},
    "RMIA": {"": {}, "offline": {"mode": "offline"}},
}
ASKED = (
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "staged_predict_proba",
    "staged_decision_function",
)


def all_attacks():
    """Every public attack class, found by walking the package."""
    found = {}
    for module in pkgutil.walk_packages(sklearn_mia.__path__, "sklearn_mia."):
        if not module.name.endswith("__main__"):
            members = inspect.getmembers(import_module(module.name), inspect.isclass)
            found.update(members)
    return {
        name: cls
        for name, cls in sorted(found.items())
        if issubclass(cls, BaseAttack) and not name.startswith(("Base", "_"))
    }


def one_hot_groups(table, n_records):
    """Columns of `load_table` that stand for one category together."""
    frame, _ = load_frame(table, n_records)
    names = pd.get_dummies(frame).columns.to_list()
    groups = []
    for column in frame.select_dtypes(exclude="number"):
        values = pd.get_dummies(frame[[column]]).columns
        groups.append([names.index(v) for v in values])
    return groups


class Counter:
    """Counts the rows that a model is asked about, calls inside calls once."""

    def __init__(self, model):
        self.n_rows, self.inside = 0, False
        while True:
            for name in ASKED:
                if hasattr(model, name):
                    setattr(model, name, self.counted(getattr(model, name)))
            if not hasattr(model, "steps"):
                break
            model = model.steps[-1][1]

    def counted(self, method):
        @functools.wraps(method)
        def ask(X, *args, **kwargs):
            outer = not self.inside
            self.n_rows += len(X) * outer
            self.inside = True
            try:
                return method(X, *args, **kwargs)
            finally:
                self.inside = not outer

        return ask


def score(attack, records, member):
    """Scores of all records, out of fold if the attack learns from membership."""
    if get_tags(attack).target_tags.required:
        folds = StratifiedKFold(5, shuffle=True, random_state=0)
        return cross_val_predict(
            attack, records, member, cv=folds, method="decision_function"
        )
    return attack.fit(records).score_samples(records)


def bench(table, model_name, n_records, wanted, n_shadows):
    X, y = load_table(table, n_records)
    records, member = as_records(X, y), draw_members(len(y), 0)
    groups = one_hot_groups(table, n_records)
    target = clone(MODELS[model_name]).fit(X[member], y[member])
    counter = Counter(target)
    for name, cls in all_attacks().items():
        if wanted and name not in wanted:
            continue
        parameters = inspect.signature(cls).parameters
        for setting, changes in SETTINGS.get(name, {"": {}}).items():
            own = {"random_state": 0, "one_hot_groups": groups, **changes}
            default = getattr(parameters.get("n_shadows"), "default", 0)
            own["n_shadows"] = min(own.get("n_shadows", default), n_shadows)
            own = {k: v for k, v in own.items() if k in parameters}
            counter.n_rows, start = 0, time.perf_counter()
            try:
                scores = score(cls(target, **own), records, member)
            except (TypeError, ValueError) as error:
                print(f"  {name}: not for {model_name}: {error}", flush=True)
                break
            seconds = time.perf_counter() - start
            auc = roc_auc_interval(member, scores)
            tpr = tpr_at_fpr_interval(member, scores, max_fpr=0.01)
            print(
                f"  {name} {setting}: {auc.estimate:.3f} / {tpr.estimate:.3f}, "
                f"{seconds:.1f} s",
                flush=True,
            )
            yield {
                "table": table,
                "model": model_name,
                "attack": f"{name} {setting}".strip(),
                "AUC": auc.estimate,
                "AUC 95 %": f"{auc.low:.3f}-{auc.high:.3f}",
                "TPR@1%": tpr.estimate,
                "TPR@1% 95 %": f"{tpr.low:.3f}-{tpr.high:.3f}",
                "seconds": round(seconds, 2),
                "queries": round(counter.n_rows / len(y), 1),
            }


def short_form(rows):
    """Mean AUC and TPR at 1 % over the tables, one row an attack."""
    for attack in dict.fromkeys(row["attack"] for row in rows):
        own = [row for row in rows if row["attack"] == attack]
        cells = {"attack": attack}
        for model in dict.fromkeys(row["model"] for row in rows):
            on_model = [row for row in own if row["model"] == model]
            if on_model:
                cells[model] = mean_power(on_model)
        yield {
            **cells,
            "seconds": float(np.median([row["seconds"] for row in own])),
            "queries": float(np.median([row["queries"] for row in own])),
        }


def main():
    parser = command_line(__doc__, "all_attacks", tables=TABLES, n_records=4000)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--attacks", nargs="+", default=[], help="all by default")
    parser.add_argument("--shadows", type=int, default=16)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows, start = [], time.perf_counter()
    for table in options.tables:
        for model in options.models:
            rows += bench(
                table, model, options.records, options.attacks, options.shadows
            )
            print(f"{table}, {model}: {time.perf_counter() - start:.0f} s", flush=True)
    write_results(
        options.name, rows, records=options.records, shadows=options.shadows, seed=0
    )
    write_short(options.name, short_form)


if __name__ == "__main__":
    main()
