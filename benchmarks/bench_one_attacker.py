"""Whether what a search calls within the limit is within the limit of an audit.

    SKLEARN_MIA_DATA=folder OMP_NUM_THREADS=1 python benchmarks/bench_one_attacker.py

Runs the search of the README on one half of a table. Each candidate, trained on that
half, is audited against the other half: it is clearly above the limit if the lower end
of its corrected interval is. The attacks of a search are timed against its fits.
"""

import time

import joblib
import numpy as np
from common import command_line, load_table, write_results, write_short
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.model_selection import GridSearchCV, train_test_split

from sklearn_mia import ThresholdAttack, audit
from sklearn_mia.model_selection import (
    AuditableClassifier,
    MostAccurateWithin,
    make_leakage_scorer,
)

TABLES = ["adult", "credit_default_taiwan"]
LIMIT = 0.6
SEARCHES = {
    "forest": (
        RandomForestClassifier(random_state=0),
        {"min_samples_leaf": [5, 20, 50], "n_estimators": [20, 50]},
    ),
    "boosting": (
        HistGradientBoostingClassifier(random_state=0),
        {"max_leaf_nodes": [4, 31], "max_iter": [10, 30, 100]},
    ),
}


def timed(search, X, y):
    start = time.process_time()
    search.fit(X, y)
    return search, time.process_time() - start


def find(model, table, n_records, seed):
    X, y = load_table(table, n_records, seed)
    X, X_test, y, y_test = train_test_split(X, y, train_size=0.5, random_state=seed)
    recipe, grid = SEARCHES[model]
    plain, plain_seconds = timed(GridSearchCV(recipe, grid), X, y)
    audited = GridSearchCV(
        AuditableClassifier(recipe),
        {f"estimator__{name}": values for name, values in grid.items()},
        scoring={
            "accuracy": "accuracy",
            "leakage": make_leakage_scorer(metric="roc_auc"),
        },
        refit=MostAccurateWithin(max_leakage=LIMIT),
        error_score="raise",
    )
    search, seconds = timed(clone(audited), X, y)
    by_loss = audited.set_params(
        scoring=make_leakage_scorer(ThresholdAttack(), metric="roc_auc"), refit=False
    ).fit(X, y)
    results = search.cv_results_
    for i, params in enumerate(results["params"]):
        candidate = clone(audited.estimator).set_params(**params).fit(X, y).estimator_
        report = audit(
            candidate,
            *(X, y, X_test, y_test),
            release="interface",
            slices=None,
            random_state=seed,
        ).to_dict()["report"]
        limits = {row["limit"]: row["interval"] for row in report["limits"]}
        auc, tpr = limits["auc"], limits["tpr@fpr=0.01"]
        yield {
            "model": model,
            "table": table,
            "seed": seed,
            **{name.removeprefix("estimator__"): v for name, v in params.items()},
            "accuracy, folds": float(results["mean_test_accuracy"][i]),
            "AUC, folds": float(-results["mean_test_leakage"][i]),
            "AUC by loss, folds": float(-by_loss.cv_results_["mean_test_score"][i]),
            "AUC, audit": auc["estimate"],
            "AUC, lower": auc["low"],
            "AUC, upper": auc["high"],
            "TPR@1%, lower": tpr["low"] if tpr else None,
            "chosen": i == int(search.best_index_),
            "attack, fits": float(
                results["mean_score_time"][i] / plain.cv_results_["mean_fit_time"][i]
            ),
            "search, times plain": seconds / plain_seconds,
        }


def short(rows):
    for key in dict.fromkeys((row["model"], row["table"]) for row in rows):
        of_key = [row for row in rows if (row["model"], row["table"]) == key]
        row = {"model": key[0], "table": key[1], "candidates": len(of_key)}
        for name, column in (
            ("search", "AUC, folds"),
            ("by loss", "AUC by loss, folds"),
        ):
            within = [row for row in of_key if row[column] <= LIMIT]
            row |= {
                f"within, {name}": len(within),
                f"clearly above, {name}": sum(r["AUC, lower"] > LIMIT for r in within),
            }
        chosen = [row for row in of_key if row["chosen"]]
        yield {
            **row,
            "chosen clearly above": sum(r["AUC, lower"] > LIMIT for r in chosen),
            "audit - folds": float(
                np.mean([r["AUC, audit"] - r["AUC, folds"] for r in of_key])
            ),
            "attack, fits": float(np.median([r["attack, fits"] for r in of_key])),
            "search, times plain": float(
                np.median([r["search, times plain"] for r in of_key])
            ),
        }


def main():
    parser = command_line(__doc__, "one_attacker", tables=TABLES, n_records=6000)
    parser.add_argument("--models", nargs="+", default=["forest"], choices=SEARCHES)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    runs = joblib.Parallel(n_jobs=options.jobs, verbose=1)(
        joblib.delayed(lambda *run: list(find(*run)))(model, table, options.records, s)
        for model in options.models
        for table in options.tables
        for s in range(options.repeats)
    )
    rows = [row for run in runs for row in run]
    write_results(options.name, rows, records=options.records, repeats=options.repeats)
    write_short(options.name, short)


if __name__ == "__main__":
    main()
