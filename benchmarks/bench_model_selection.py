"""Which forest leaks least for its accuracy, and what it costs to know.

    python benchmarks/bench_model_selection.py FOLDER [--figures FOLDER] [--rows N]
    python benchmarks/bench_model_selection.py FOLDER --cost [--repeats 3]
    python benchmarks/bench_model_selection.py FOLDER --defences

FOLDER holds ``adult.parquet`` and ``credit_default_taiwan.parquet``, the class label
last; the variable SKLEARN_MIA_DATA may name it instead. The first command searches
depth, leaf size and number of trees in one GridSearchCV call on 70 % of each table,
takes the candidate that leaks least within .005 of the best accuracy, and compares
it with the default forest and with the most accurate one on the other 30 %. Set
OMP_NUM_THREADS=1.
"""

import argparse
import json
import os
import platform
import time
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
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

TABLES = ("adult", "credit_default_taiwan")
GRID = {
    "max_depth": [None, 16, 10],
    "min_samples_leaf": [1, 5, 20],
    "n_estimators": [20, 50, 100],
}


def load(folder, table, n_rows, seed=0):
    frame = pd.read_parquet(folder / f"{table}.parquet")
    frame = frame.sample(min(n_rows or len(frame), len(frame)), random_state=seed)
    frame = frame.reset_index(drop=True)
    text = frame.columns[:-1][
        [not pd.api.types.is_numeric_dtype(d) for d in frame.dtypes[:-1]]
    ]
    frame[text] = frame[text].astype("category")
    return frame.iloc[:, :-1], frame.iloc[:, -1]


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


def find(folder, table, n_rows, figures):
    X, y = load(folder, table, n_rows)
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
    rows = {}
    leak = make_leakage_scorer(max_samples=None, greater_is_better=True)
    for name, i in (("default", default), ("accurate", best), ("chosen", chosen)):
        model = AuditableClassifier(forest()).set_params(**results["params"][i])
        model.fit(X, y)
        rows[name] = {
            "params": {k.split("__")[-1]: v for k, v in results["params"][i].items()},
            "cv_accuracy": round(float(accuracy[i]), 4),
            "cv_advantage": round(float(leakage[i]), 4),
            "test_accuracy": round(float(model.score(X_test, y_test)), 4),
            "test_advantage": round(leak(model, X_test, y_test), 4),
        }
    if figures is not None:
        display = PrivacyUtilityDisplay.from_cv_results(results, selected=chosen)
        display.ax_.set_title(f"{table}: forests, 3 folds", loc="left")
        display.figure_.savefig(figures / f"frontier_{table}.png", dpi=110)
    return {
        "table": table,
        "rows": len(X) + len(X_test),
        "candidates": len(accuracy),
        "seconds": round(seconds, 1),
        **rows,
    }


def corners(grid):
    """The eight corners of the grid, the cheapest and the dearest forest among them."""
    return {name: [values[0], values[-1]] for name, values in grid.items()}


def cost(folder, table, n_rows, repeats):
    X, y = load(folder, table, n_rows)
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
        "rows": len(X),
        "cpu_seconds": {name: round(value, 2) for name, value in best.items()},
        "ratio": round(best["audited"] / best["plain"], 3),
    }


def defences(folder, table, n_rows):
    X, y = load(folder, table, n_rows or 8000)
    X, X_test, y, y_test = train_test_split(
        X, y, test_size=0.5, random_state=0, stratify=y
    )
    records = as_records(pd.concat([X, X_test]), pd.concat([y, y_test]))
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
    rows = []
    for setting in settings:
        model = CoarsenedClassifier(forest(), **setting).fit(X, y)
        row = {"table": table, "defence": setting or "none"}
        for attack in (
            ThresholdAttack(model, signal="loss"),
            RMIA(model, n_shadows=8, keep_models=False, random_state=0),
        ):
            scores = attack.fit(records).score_samples(records)
            row[attack.__class__.__name__] = round(
                membership_advantage_score(is_member, scores), 3
            )
        row["accuracy"] = round(model.score(X_test, y_test), 4)
        rows.append(row)
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", nargs="?", default=os.environ.get("SKLEARN_MIA_DATA"))
    parser.add_argument("--rows", type=int, help="rows of each table, default all")
    parser.add_argument("--figures", type=Path, help="folder for the frontiers")
    parser.add_argument("--cost", action="store_true")
    parser.add_argument("--defences", action="store_true")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--tables", nargs="+", choices=TABLES, default=TABLES)
    options = parser.parse_args()
    if options.folder is None:
        parser.error("pass the folder of the tables, or set SKLEARN_MIA_DATA")
    folder = Path(options.folder)
    print(
        json.dumps(
            {
                "python": platform.python_version(),
                "scikit-learn": sklearn.__version__,
                "numpy": np.__version__,
                "seed": 0,
            }
        )
    )
    for table in options.tables:
        if options.cost:
            print(json.dumps(cost(folder, table, options.rows, options.repeats)))
        elif options.defences:
            for row in defences(folder, table, options.rows):
                print(json.dumps(row))
        else:
            found = find(folder, table, options.rows, options.figures)
            print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
