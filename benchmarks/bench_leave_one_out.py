"""Leave-one-out risk by formula against refits: error and time.

    SKLEARN_MIA_DATA=folder OMP_NUM_THREADS=1 python benchmarks/bench_leave_one_out.py

Models are trained on 2,000 records. Refits are timed on a sample of the records and
counted for all. "error" is the largest difference to the log-odds of a refit on that
sample, "shift" the largest change of log-odds by leaving a record out.
"""

import time

import numpy as np
from common import command_line, load_table, write_results
from sklearn.base import clone
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import minmax_scale

from sklearn_mia.risk import leave_one_out_risk
from sklearn_mia.signals import logit

MODELS = {
    "nearest neighbours": KNeighborsClassifier(),
    "Gaussian naive Bayes": GaussianNB(var_smoothing=1e-3),
    "multinomial naive Bayes": MultinomialNB(),
    "discriminant analysis": LinearDiscriminantAnalysis(),
    "ridge classifier": RidgeClassifier(),
    "logistic regression": LogisticRegression(max_iter=1000, tol=1e-6),
    "forest, out of bag": RandomForestClassifier(100, random_state=0),
}


def log_odds(model, X, codes):
    if isinstance(model, KNeighborsClassifier | RandomForestClassifier):
        votes = getattr(model, "n_neighbors", None) or model.n_estimators
        floor = 1 / (2 * votes) / (len(model.classes_) - 1)
        return logit(np.log(np.maximum(model.predict_proba(X), floor)), codes)
    if isinstance(model, GaussianNB | MultinomialNB):
        return logit(model.predict_log_proba(X), codes)
    decision = model.decision_function(X).reshape(len(X), -1)
    if decision.shape[1] == 1:
        decision = np.hstack([np.zeros_like(decision), decision])
    return logit(decision, codes)


def bench(table, name, n_records, n_refits):
    X, y = load_table(table, n_records)
    X = minmax_scale(X)
    y = np.unique(y, return_inverse=True)[1]
    model = clone(MODELS[name]).fit(X, y)
    start = time.perf_counter()
    result = leave_one_out_risk(model, X, y)
    seconds = time.perf_counter() - start
    rows = np.random.default_rng(0).choice(len(y), n_refits, replace=False)
    refit, start = np.empty(n_refits), time.perf_counter()
    for j, i in enumerate(rows):
        others = np.arange(len(y)) != i
        without = clone(model).fit(X[others], y[others])
        refit[j] = log_odds(without, X[[i]], y[[i]])[0]
    all_refits = (time.perf_counter() - start) / n_refits * len(y)
    return {
        "table": table,
        "model": name,
        "exact": str(result.exact),
        "error": f"{np.nanmax(np.abs(result.loo_log_odds[rows] - refit)):.1e}",
        "shift": float(np.nanmax(np.abs(result.log_odds[rows] - refit))),
        "seconds": seconds,
        "seconds of all refits": all_refits,
        "times faster": round(all_refits / seconds),
    }


def main():
    parser = command_line(
        __doc__, "leave_one_out", tables=["adult", "covertype_20k"], n_records=2000
    )
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--refits", type=int, default=40)
    options = parser.parse_args()
    rows = [
        bench(table, name, options.records, options.refits)
        for table in options.tables
        for name in options.models
    ]
    write_results(options.name, rows, records=options.records, refits=options.refits)


if __name__ == "__main__":
    main()
