"""Whether an audit says safe where a leak is, and how often it alarms where none is.

    SKLEARN_MIA_DATA=folder python benchmarks/bench_false_comfort.py [PART ...]

`situations`: models that leak, audited with and without the model, small and large,
from memory and from files, with rounded answers and exchanged sides; the level of the
verdict and the exit code of a gate at the default limits; "model, asked" is the verdict
on who has no file. None of them may be 0, or a title that calls the model within the
limits. `null`: models that were trained on other records; the share of audits that
state any leak, asked or by the file, and of those that pass the gate asked: the file
tells that other records were trained on than were given, and does not pass.
`null_regressors`: the same of regressors. All three parts by default.
"""

import sys
import tempfile
from pathlib import Path

import joblib
import numpy as np
from common import VALUES, load_frame, load_table, load_values, write_results
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import AuditReport, audit, audit_predictions
from sklearn_mia.__main__ import main
from sklearn_mia.auditing._command import exit_code
from sklearn_mia.auditing._judging import passes_by_access

LEAKING = {
    "forest": RandomForestClassifier(50, random_state=0),
    "forest, leaf 5": RandomForestClassifier(50, min_samples_leaf=5, random_state=0),
    "extra trees": ExtraTreesClassifier(50, random_state=0),
    "tree": DecisionTreeClassifier(random_state=0),
    "one neighbour": KNeighborsClassifier(1),
    "gradient boosting": HistGradientBoostingClassifier(
        max_iter=300, learning_rate=0.2, random_state=0
    ),
}
TABLES = ("adult", "credit_default_taiwan")
N_NULL, N_NULL_REGRESSORS = 1000, 504
SIZES, SIZES_REGRESSORS = (100, 300, 1000, 2000), (100, 300, 1000)
# That saw neither side of an audit.
NULL = {
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression()),
    "tree of depth 5": DecisionTreeClassifier(max_depth=5, random_state=0),
    "forest, leaf 20": RandomForestClassifier(10, min_samples_leaf=20, random_state=0),
}
NULL_REGRESSORS = {
    "ridge": make_pipeline(StandardScaler(), Ridge()),
    "gradient boosting": HistGradientBoostingRegressor(
        max_iter=20, max_leaf_nodes=8, random_state=0
    ),
    "forest": RandomForestRegressor(10, random_state=0),
}
EXITS = {"yes": 0, "no": 3, "not shown": 4}
QUICK = {"n_permutations": 499, "random_state": 0}


def halves(X, y, n):
    return X[:n], y[:n], X[n : 2 * n], y[n : 2 * n]


def row_of(report, **what):
    return what | {
        "level": report.verdict["level"],
        "exit": exit_code(report),
        "auc": report.to_dict()["report"]["headline"]["auc"]["estimate"],
        "title": report.verdict["title"],
    }


def in_memory():
    for table in TABLES:
        X, y = load_table(table, 4000)
        for name, model in LEAKING.items():
            for n in (30, 200, 2000):
                sides = halves(X, y, n)
                model.fit(*sides[:2])
                report = audit(model, *sides, n_shadows=4, **QUICK)
                asked = report.to_dict()["report"]["beside"]
                about = {"table": table, "model": name, "n": n}
                yield row_of(report, **about, mode="model")
                yield about | {
                    "mode": "model, asked",
                    "level": asked["verdict"]["level"],
                    "exit": EXITS[
                        passes_by_access(report.to_dict()["report"])["interface"]
                    ],
                    "auc": asked["headline"]["auc"]["estimate"],
                    "title": asked["verdict"]["title"],
                }


def without_the_model():
    X, y = load_table("adult", 4000)
    is_member = np.arange(4000) < 2000
    for name, model in LEAKING.items():
        proba = model.fit(X[:2000], y[:2000]).predict_proba(X)
        for decimals in (None, 2):
            given = proba if decimals is None else proba.round(decimals)
            given = given / given.sum(axis=1, keepdims=True)
            report = audit_predictions(given, y, is_member, **QUICK)
            mode = "predictions" if decimals is None else "predictions, 2 digits"
            yield row_of(report, table="adult", model=name, n=2000, mode=mode)
        report = audit(model, X[2000:], y[2000:], X[:2000], y[:2000], **QUICK)
        yield row_of(report, table="adult", model=name, n=2000, mode="sides exchanged")


def from_files():
    frame, y = load_frame("adult", 2000)
    text = make_column_selector(dtype_exclude="number")
    first = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), text), remainder="passthrough"
    )
    model = make_pipeline(first, RandomForestClassifier(50, random_state=0))
    model.fit(frame[:1000], y[:1000])
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        joblib.dump(model, folder / "m.joblib")
        whole = frame.assign(label=y)
        for suffix in ("csv", "csv.gz", "parquet"):
            paths = [folder / f"{side}.{suffix}" for side in ("members", "others")]
            for path, part in zip(paths, (whole[:1000], whole[1000:]), strict=True):
                if suffix == "parquet":
                    part.to_parquet(path)
                else:
                    part.to_csv(path, index=False)
            json = folder / "report.json"
            files = [str(folder / "m.joblib"), *map(str, paths)]
            gate = ["--fail-above=auc=0.6", "--fail-above=tpr=0.05@fpr=0.01"]
            options = ["--label=label", "--trust-pickle", "--n-shadows=4", *gate]
            status = main(["audit", *files, *options, f"--json={json}"])
            report = AuditReport.from_json(json)
            row = row_of(report, table="adult", model="forest", n=1000, mode=suffix)
            yield row | {"exit": status}


def null(models, tables, n_audits, sizes):
    """Audits of models that saw neither side, by the attacks of an audit."""
    rng = np.random.default_rng(0)
    for number in range(n_audits):
        X, y = tables[number % 2]
        order = rng.permutation(len(y))
        n = sizes[number // 2 % len(sizes)]
        name = list(models)[number // (2 * len(sizes)) % 3]
        model = models[name].fit(X[order[:500]], y[order[:500]])
        sides = halves(X[order[500:]], y[order[500:]], n)
        params = {"n_permutations": 199, "random_state": number, "per_record": False}
        report = audit(model, *sides, n_shadows=4, **params)
        codes = {f.code for f in report.findings}
        levels = [verdict["level"] for verdict in report.verdicts.values()]
        said = set(levels) & {"above_limits", "at_limits", "within_limits"}
        yield {
            "number": number,
            "model": name,
            "n": n,
            "level": levels[0],
            "level, asked": levels[-1],
            "exit": EXITS[passes_by_access(report.to_dict()["report"])["interface"]],
            "any leak": bool(said or codes & {"MIA021", "MIA022", "MIA023"}),
        }


def run_situations():
    rows = []
    for situations in (in_memory, without_the_model, from_files):
        for row in situations():
            print(*row.values(), sep="  ", flush=True)
            rows.append(row)
    safe = [r for r in rows if r["exit"] == 0 or r["level"] == "within_limits"]
    safe += [r for r in rows if "would have been" in r["title"]]
    print(f"{len(safe)} of {len(rows)} leaking situations are called safe")
    write_results("false_comfort", rows, n_safe=len(safe))


def run_null():
    tables = [load_table(table, 12_000) for table in TABLES]
    _run_null("false_comfort_null", NULL, tables, N_NULL, SIZES)


def run_null_regressors():
    tables = [load_values(table, 12_000) for table in VALUES]
    name = "false_comfort_null_regressors"
    of_regressors = NULL_REGRESSORS, tables, N_NULL_REGRESSORS, SIZES_REGRESSORS
    _run_null(name, *of_regressors)


def _run_null(name, models, tables, n_audits, sizes):
    rows = []
    for row in null(models, tables, n_audits, sizes):
        rows.append(row)
        if row["number"] % 50 == 49:
            print(row["number"] + 1, flush=True)

    def share(wanted, **where):
        chosen = [r for r in rows if all(r[k] == v for k, v in where.items())]
        return float(np.mean([wanted(row) for row in chosen]))

    def passes(row):
        return row["exit"] == 0

    def alarms(row):
        return row["any leak"]

    summary = [
        {
            "model": model,
            "n": n,
            "pass": share(passes, model=model, n=n),
            "any leak": share(alarms, model=model, n=n),
        }
        for model in dict.fromkeys(row["model"] for row in rows)
        for n in sizes
    ]
    for row in summary:
        print(*row.values(), sep="  ")
    large = [passes(row) for row in rows if row["n"] >= 1000]
    of_all = {
        "any leak": share(alarms),
        "not interpretable": share(lambda row: row["level"] == "not_interpretable"),
        "pass of 1,000 a side or more": float(np.mean(large)),
    }
    print(of_all)
    write_results(name, summary, n_audits=len(rows), **of_all)


if __name__ == "__main__":
    parts = {
        "situations": run_situations,
        "null": run_null,
        "null_regressors": run_null_regressors,
    }
    for part in sys.argv[1:] or parts:
        parts[part]()
