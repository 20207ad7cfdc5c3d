"""Which forest leaks least for its accuracy, and what it costs to know.

    SKLEARN_MIA_DATA=folder OMP_NUM_THREADS=1 python benchmarks/bench_model_selection.py

Searches depth, leaf size and number of trees in one GridSearchCV call on 70 % of each
table, takes the candidate that leaks least within .005 of the best accuracy, and
compares it with the default forest and with the most accurate one on the other 30 %.
With --cost the time of such a search, with --defences what answers made coarse leave.
"""

import time
from pathlib import Path

import numpy as np
import pandas as pd
from common import command_line, load_frame, write_results
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

from sklearn_mia import RMIA, ThresholdAttack, as_records
from sklearn_mia.metrics import membership_advantage_score
from sklearn_mia.model_selection import (
    AuditableClassifier,
    CoarsenedClassifier,
    LeastLeakageWithin,
    PrivacyUtilityDisplay,
    make_leakage_scorer,
)

TABLES = ["adult", "credit_default_taiwan"]
GRID = {
    "max_depth": [None, 16, 10],
    "min_samples_leaf": [1, 5, 20],
    "n_estimators": [20, 50, 100],
}


def load(table, n_records):
    frame, labels = load_frame(table, n_records)
    frame = frame.reset_index(drop=True)
    text = frame.select_dtypes(exclude=["number", "bool"]).columns
    frame[text] = frame[text].astype("category")
    return frame, labels


def forest():
    encode = make_column_transformer(
        (
            OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
            make_column_selector(dtype_include="category"),
        ),
        remainder="passthrough",
    )
    return make_pipeline(encode, RandomForestClassifier(random_state=0))


def grid(prefix):
    return {f"{prefix}randomforestclassifier__{k}": v for k, v in GRID.items()}


def audited_search(n_jobs=None, refit=None):
    return GridSearchCV(
        AuditableClassifier(forest()),
        grid("estimator__"),
        scoring={"accuracy": "accuracy", "leakage": make_leakage_scorer()},
        refit=LeastLeakageWithin(accuracy_loss=0.005) if refit is None else refit,
        cv=3,
        n_jobs=n_jobs,
        error_score="raise",
    )


def find(table, n_records, figures):
    X, y = load(table, n_records)
    X, X_test, y, y_test = train_test_split(
        X, y, test_size=0.3, random_state=0, stratify=y
    )
    start = time.perf_counter()
    search = audited_search().fit(X, y)
    seconds = time.perf_counter() - start
    results = search.cv_results_
    accuracy, leakage = results["mean_test_accuracy"], -results["mean_test_leakage"]
    best, chosen = int(np.argmax(accuracy)), search.best_index_
    default = results["params"].index(
        dict(zip(grid("estimator__"), (None, 1, 100), strict=True))
    )
    if figures is not None:
        display = PrivacyUtilityDisplay.from_cv_results(results, selected=chosen)
        display.ax_.set_title(f"{table}: forests, 3 folds", loc="left")
        display.figure_.savefig(figures / f"frontier_{table}.png", dpi=110)
    leak = make_leakage_scorer(max_samples=None, greater_is_better=True)
    for name, i in (("default", default), ("accurate", best), ("chosen", chosen)):
        model = AuditableClassifier(forest()).set_params(**results["params"][i])
        model.fit(X, y)
        yield {
            "table": table,
            "records": len(X) + len(X_test),
            "candidates": len(accuracy),
            "search seconds": round(seconds, 1),
            "forest": name,
            **{k.split("__")[-1]: v for k, v in results["params"][i].items()},
            "accuracy, folds": float(accuracy[i]),
            "advantage, folds": float(leakage[i]),
            "accuracy, test": float(model.score(X_test, y_test)),
            "advantage, test": float(leak(model, X_test, y_test)),
        }


def corners(grid):
    """The eight corners of the grid, the cheapest and the dearest forest among them."""
    return {name: [values[0], values[-1]] for name, values in grid.items()}


def cost(table, n_records, repeats):
    X, y = load(table, n_records)
    plain = GridSearchCV(
        forest(),
        corners(grid("")),
        scoring="accuracy",
        refit=False,
        cv=3,
        error_score="raise",
    )
    audited = audited_search(refit=False)
    audited.set_params(param_grid=corners(audited.param_grid))
    searches = {"plain": plain, "audited": audited}
    seconds = {name: [] for name in searches}
    for repeat in range(repeats):
        # Interleaved, in turns: a busy machine slows both.
        for name in list(searches)[:: 1 if repeat % 2 else -1]:
            start = time.process_time()
            searches[name].fit(X, y)
            seconds[name].append(time.process_time() - start)
    best = {name: min(values) for name, values in seconds.items()}
    return {
        "table": table,
        "records": len(X),
        **{f"{name} CPU s": value for name, value in best.items()},
        "ratio": best["audited"] / best["plain"],
    }


def defences(table, n_records):
    X, y = load(table, n_records or 8000)
    X, X_test, y, y_test = train_test_split(
        X, y, test_size=0.5, random_state=0, stratify=y
    )
    records = as_records(pd.concat([X, X_test]), np.concatenate([y, y_test]))
    is_member = np.arange(len(records)) < len(X)
    settings = [
        {},
        {"decimals": 2},
        {"decimals": 1},
        {"decimals": 0},
        {"top_k": 1},
        {"temperature": 4.0},
        {"label_only": True},
    ]
    for setting in settings:
        model = CoarsenedClassifier(forest(), **setting).fit(X, y)
        told = ", ".join(f"{k} {v}" for k, v in setting.items())
        row = {"table": table, "defence": told or "none"}
        for attack in (
            ThresholdAttack(model, signal="loss"),
            RMIA(model, n_shadows=8, keep_models=False, random_state=0),
        ):
            scores = attack.fit(records).score_samples(records)
            advantage = membership_advantage_score(is_member, scores)
            row[attack.__class__.__name__] = float(advantage)
        yield {**row, "accuracy": float(model.score(X_test, y_test))}


def main():
    parser = command_line(__doc__, "model_selection", tables=TABLES)
    parser.add_argument("--records", type=int, help="of each table, default all")
    parser.add_argument("--figures", type=Path, help="folder for the frontiers")
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--defences", action="store_true")
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    rows = []
    for table in options.tables:
        if options.cost:
            rows.append(cost(table, options.records, options.repeats))
        elif options.defences:
            rows += defences(table, options.records)
        else:
            rows += find(table, options.records, options.figures)
    part = "_cost" * options.cost or "_defences" * options.defences
    write_results(f"{options.name}{part}", rows, repeats=options.repeats, seed=0)


if __name__ == "__main__":
    main()
