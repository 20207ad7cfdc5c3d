"""Sound files of every kind that the command line reads, from which damaged ones come.

Each case is a folder with its files, the options that read them, and the files that
may be damaged.
"""

import gzip
import io
import json
import pickle
import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder
from sklearn.tree import DecisionTreeClassifier

from helpers.items import digits, docstrings
from sklearn_mia import audit, audit_recipe

pd = pytest.importorskip("pandas")
skops = pytest.importorskip("skops.io")

CANARY = "canary"
N_SIDE = 30


@dataclass
class Case:
    """Files that are read together.

    Attributes
    ----------
    name : str

    files : dict
        Content by name.

    damaged : tuple of str
        Names of the files that may be damaged.

    arguments : list of str
        Of the command line; none for a report, which is read by Python.

    label : str
    """

    name: str
    files: dict
    damaged: tuple
    arguments: list
    label: str = "label"


class Canary:
    """Leaves a file behind if it is ever unpickled."""

    def __reduce__(self):
        return _sing, ()


def _sing():
    Path(CANARY).touch()
    return DecisionTreeClassifier()


def people():
    """Both sides: a number with gaps, a code with zeros in front, a word, a label."""
    rng = np.random.default_rng(0)
    n = 2 * N_SIDE
    job = rng.choice(["cook", "clerk, senior", 'the "boss"'], n)
    frame = pd.DataFrame(
        {
            "age": rng.integers(18, 80, n).astype(float),
            "zip": [f"{v:05d}" for v in rng.integers(0, 3000, n)],
            "job": job,
            "pay": rng.normal(2000, 400, n).round(2),
        }
    )
    frame.loc[3, "age"] = np.nan
    label = np.where((frame["pay"] > 2000) ^ (rng.random(n) < 0.2), "yes", "no")
    return frame, label


def _packed(write):
    buffer = io.BytesIO()
    write(buffer)
    return buffer.getvalue()


def _sides(frame, write, suffix):
    parts = {"members": frame.iloc[:N_SIDE], "others": frame.iloc[N_SIDE:]}
    return {name + suffix: write(part) for name, part in parts.items()}


def _csv(frame):
    return frame.to_csv(index=False).encode()


def _parquet(frame):
    return _packed(lambda buffer: frame.to_parquet(buffer))


def _arrays(frame):
    arrays = {c: np.array(frame[c].tolist()) for c in frame}
    return _packed(lambda buffer: np.savez_compressed(buffer, **arrays))


def _options(suffix, *more, model="model.skops"):
    files = [model, f"members{suffix}", f"others{suffix}"]
    cheap = ["--effort=quick", "--n-shadows=2", "--release=interface"]
    cheap.append("--max-size=0.02")
    return ["audit", *files, "--label=label", *cheap, *more]


def _table_cases():
    frame, label = people()
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    model = make_pipeline(
        make_column_transformer((encoder, ["zip", "job"]), remainder="passthrough"),
        DecisionTreeClassifier(min_samples_leaf=2, random_state=0),
    ).fit(frame[:N_SIDE], label[:N_SIDE])
    whole = frame.assign(label=label)
    told = {"model.skops": skops.dumps(model)}
    for suffix, write in (
        (".csv", _csv),
        (".csv.gz", lambda frame: gzip.compress(_csv(frame), mtime=0)),
        (".parquet", _parquet),
    ):
        sides = _sides(whole, write, suffix)
        yield Case(f"table{suffix}", told | sides, tuple(sides), _options(suffix))
    sides = _sides(whole, _csv, ".csv")
    skops_case = Case("model.skops", told | sides, ("model.skops",), _options(".csv"))
    yield skops_case
    for suffix, write in (
        (".pkl", lambda model: pickle.dumps([Canary(), model])),
        (".joblib", lambda m: _packed(lambda b: joblib.dump([Canary(), m], b, 3))),
    ):
        content = {f"model{suffix}": write(model)}
        options = _options(".csv", model=f"model{suffix}")
        yield Case(f"model{suffix}", content | sides, tuple(content), options)


def _report_cases():
    frame, label = people()
    X = frame[["age", "pay"]].fillna(0).to_numpy()
    model = DecisionTreeClassifier(random_state=0).fit(X[:N_SIDE], label[:N_SIDE])
    sides = X[:N_SIDE], label[:N_SIDE], X[N_SIDE:], label[N_SIDE:]
    params = {"n_shadows": 2, "random_state": 0}
    report = audit(model, *sides, n_permutations=99, **params)
    text = report.to_json(name_records=True).encode()
    yield Case("report.json", {"report.json": text}, ("report.json",), [])
    recipe = audit_recipe(DecisionTreeClassifier(), X, label, n_targets=2, **params)
    text = recipe.to_json().encode()
    yield Case("recipe.json", {"recipe.json": text}, ("recipe.json",), [])


def _predictions_case():
    frame, label = people()
    yes = np.clip(frame["pay"] / 4000, 0.01, 0.99).round(4)
    told = frame[["job"]].assign(proba_no=(1 - yes).round(4), proba_yes=yes)
    table = told.assign(label=label, member=(np.arange(2 * N_SIDE) < N_SIDE) * 1)
    return Case(
        "predictions.csv",
        {"predictions.csv": _csv(table)},
        ("predictions.csv",),
        ["audit", "--predictions=predictions.csv", "--label=label", "--member=member"],
    )


def _archive_case():
    frame, label = people()
    numbers = frame[["age", "pay"]].fillna(0)
    model = KNeighborsClassifier(3, algorithm="kd_tree")
    model.fit(numbers[:N_SIDE], label[:N_SIDE])
    told = {"model.skops": skops.dumps(model)}
    sides = _sides(numbers.assign(label=label), _arrays, ".npz")
    return Case("table.npz", told | sides, tuple(told | sides), _options(".npz"))


def _item_cases():
    texts, labels = docstrings(2 * N_SIDE)
    model = make_pipeline(CountVectorizer(), LogisticRegression())
    told = {"model.skops": skops.dumps(model.fit(texts[:N_SIDE], labels[:N_SIDE]))}
    files = {f"files/{i}.txt": text.encode() for i, text in enumerate(texts)}
    yield _of_files("texts", told, files, labels)
    images, labels = digits(2 * N_SIDE)
    pooled = FunctionTransformer(np.mean, kw_args={"axis": -1})
    model = make_pipeline(pooled, LogisticRegression(max_iter=2000))
    pixels = (images * 15).astype(np.uint8)
    model.fit(pixels[:N_SIDE], labels[:N_SIDE])
    told = {"model.skops": skops.dumps(model)}
    files = {
        f"files/{i}.npy": _packed(lambda b, a=a: np.save(b, a))
        for i, a in enumerate(pixels)
    }
    yield _of_files("arrays", told, files, labels)
    try:
        from PIL import Image
    except ImportError:
        return
    files = {
        f"files/{i}.png": _packed(lambda b, a=a: Image.fromarray(a).save(b, "png"))
        for i, a in enumerate(pixels)
    }
    yield _of_files("images", told, files, labels)


def _of_files(name, told, files, labels):
    names = [path.removeprefix("files/") for path in files]
    sides = _sides(pd.DataFrame({"file": names, "label": labels}), _csv, ".csv")
    options = _options(".csv", "--features=file", "--files=files")
    damaged = (*sides, *list(files)[:: N_SIDE // 5])
    return Case(name, told | sides | files, damaged, options)


# Of all cases, so that they need not be made to be named.
NAMES = (
    *("table.csv", "table.csv.gz", "table.parquet", "table.npz", "predictions.csv"),
    *("model.skops", "model.pkl", "model.joblib", "texts", "arrays", "images"),
    *("report.json", "recipe.json"),
)


@cache
def cases():
    """All cases, by name."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [
            *_table_cases(),
            _predictions_case(),
            _archive_case(),
            *_item_cases(),
            *_report_cases(),
        ]
    return {case.name: case for case in sorted(found, key=_place)}


def _place(case):
    return NAMES.index(case.name)


def schema_of(parts):
    return json.loads(parts["schema.json"])
