"""Whether the command line gives from files what an audit gives in memory.

SKLEARN_MIA_DATA=folder OMP_NUM_THREADS=1 python benchmarks/bench_inputs.py

Each table, in three formats, under five pipelines that care for the types of columns.
"equal": every figure of every attack is that of memory. "stopped": exit code 2, with
file and column named. Anything else is DIFFERENT.
"""

import contextlib
import io
import json
import tempfile
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
from common import data_folder, write_results
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sklearn_mia import audit
from sklearn_mia.__main__ import main as command_line

N_SIDE = 200
N_SHADOWS = 2
FORMATS = ("csv", "csv.gz", "parquet")
FOREST = RandomForestClassifier(10, random_state=0)


def load(name):
    """Both sides of a table, columns of codes as text where it has no text."""
    frame = pd.read_parquet(data_folder() / f"{name}.parquet")
    label = frame.columns[-1]
    # A class of two records is lost in one of two shadow models.
    frame = frame[frame[label].map(frame[label].value_counts()) > 100]
    frame = frame.sample(2 * N_SIDE, random_state=0).reset_index(drop=True)
    frame = frame.drop(columns="patient_nbr", errors="ignore")
    features = frame.columns[:-1]
    if not len(texts(frame[features])):
        few = [c for c in features if 1 < frame[c].nunique() <= 60][:3]
        frame[few] = frame[few].astype("str")
    return frame, label


def texts(X):
    return list(X.select_dtypes(exclude="number").columns)


def numbers(X):
    return list(X.select_dtypes("number").columns)


def encoder():
    return make_pipeline(
        SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")
    )


def imputer_and_encoder(X):
    steps = [
        ("text", encoder(), texts(X)),
        ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), numbers(X)),
    ]
    return X, make_pipeline(ColumnTransformer(steps), FOREST)


def dtype_selectors(X):
    steps = [
        ("text", encoder(), make_column_selector(dtype_exclude="number")),
        ("numbers", SimpleImputer(), make_column_selector(dtype_include="number")),
    ]
    return X, make_pipeline(ColumnTransformer(steps), FOREST)


def month_and_day(dates):
    dates = dates.iloc[:, 0].dt
    return np.column_stack([dates.month, dates.day])


def dates(X):
    days = np.random.default_rng(0).integers(0, 1000, len(X))
    X = X.assign(when=pd.Timestamp("2020-01-01") + pd.to_timedelta(days, "D"))
    steps = [
        ("when", FunctionTransformer(month_and_day), ["when"]),
        ("text", encoder(), texts(X.drop(columns="when"))),
        ("numbers", SimpleImputer(), numbers(X)),
    ]
    return X, make_pipeline(ColumnTransformer(steps), FOREST)


def text(X):
    joined = X[texts(X)].astype(object).fillna("").agg(" ".join, axis=1)
    X = X[numbers(X)].assign(note=joined)
    steps = [
        ("text", TfidfVectorizer(token_pattern=r"\S+", max_features=50), "note"),
        ("numbers", SimpleImputer(), numbers(X)),
    ]
    return X, make_pipeline(ColumnTransformer(steps), FOREST)


def category(X):
    # This learner takes no column that is missing altogether, in any shadow model.
    X = X.loc[:, X.notna().sum() > 20]
    X = X.astype(dict.fromkeys(texts(X), "category"))
    return X, HistGradientBoostingClassifier(max_iter=10, random_state=0)


PIPELINES = {
    "imputer and encoder": imputer_and_encoder,
    "dtype selectors": dtype_selectors,
    "dates": dates,
    "text": text,
    "category": category,
}


def write(frame, path):
    if path.name.endswith(".parquet"):
        frame.to_parquet(path, index=False)
    else:
        frame.to_csv(path, index=False)


def figures(content):
    """All figures of the attacks."""
    return json.dumps(sorted(content["attacks"], key=lambda row: row["name"]))


def from_files(folder, model, sides, label, suffix):
    """Exit code, what stands on stderr, and the content of the report."""
    paths = [folder / f"{side}.{suffix}" for side in ("members", "others")]
    for frame, path in zip(sides, paths, strict=True):
        write(frame, path)
    joblib.dump(model, folder / "model.joblib")
    arguments = [
        *("audit", str(folder / "model.joblib"), *map(str, paths), "--label", label),
        *("--trust-pickle", "--n-shadows", str(N_SHADOWS), "--no-progress"),
        *("--json", str(folder / "report.json")),
    ]
    err = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(err):
        status = command_line(arguments)
    content = None
    if status == 0:
        content = json.loads((folder / "report.json").read_text(encoding="utf-8"))[
            "report"
        ]
    return status, err.getvalue(), content


def compare(folder, name, pipeline):
    frame, label = load(name)
    X, model = PIPELINES[pipeline](frame.drop(columns=label))
    y = frame[label]
    model.fit(X[:N_SIDE], y[:N_SIDE])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = audit(
            *(model, X[:N_SIDE], y[:N_SIDE], X[N_SIDE:], y[N_SIDE:]),
            n_shadows=N_SHADOWS,
            random_state=0,
        )
    whole = pd.concat([X, y], axis=1)
    for suffix in FORMATS:
        status, err, content = from_files(
            folder, model, (whole[:N_SIDE], whole[N_SIDE:]), label, suffix
        )
        named = "members." in err or "others." in err
        named &= any(repr(str(column)) in err for column in X.columns)
        if content is not None and figures(content) == figures(
            report.to_dict()["report"]
        ):
            outcome = "equal"
        else:
            outcome = "stopped" if status == 2 and named else "DIFFERENT"
        yield {
            "table": name,
            "pipeline": pipeline,
            "format": suffix,
            "outcome": outcome,
            "AUC in memory": report.to_dict()["report"]["headline"]["auc"]["estimate"],
            "AUC from files": None
            if content is None
            else content["headline"]["auc"]["estimate"],
            "said": err.replace(str(folder), "").strip()[:200],
        }


def main():
    names = sorted(path.stem for path in data_folder().glob("*.parquet"))
    rows = []
    for name in names:
        for pipeline in PIPELINES:
            with tempfile.TemporaryDirectory() as folder:
                rows += compare(Path(folder), name, pipeline)
    write_results("inputs", rows, records_a_side=N_SIDE, shadows=N_SHADOWS, seed=0)


if __name__ == "__main__":
    main()
