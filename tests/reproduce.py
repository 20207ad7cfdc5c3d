"""One audit of each of a few models, as JSON without time stamps and versions.

    python tests/reproduce.py FILE            # make it
    python tests/reproduce.py ONE OTHER ...   # compare what was made elsewhere
    python tests/reproduce.py --reference     # tests/data/reproduced.json, anew

On one machine, with the same packages, two files are equal to the last digit. Between
versions of scikit-learn, NumPy and SciPy numbers may differ by their rounding, and the
models are such as train the same in all of them.
"""

import json
import math
import sys
import warnings
from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import audit
from sklearn_mia.datasets import load_german_credit

REFERENCE = Path(__file__).parent / "data" / "reproduced.json"
MODELS = {
    "naive Bayes": GaussianNB(),
    "neighbours": make_pipeline(StandardScaler(), KNeighborsClassifier(3)),
    "tree": DecisionTreeClassifier(max_depth=6, random_state=0),
    "forest": RandomForestClassifier(5, random_state=0),
    "logistic": make_pipeline(StandardScaler(), LogisticRegression(tol=1e-9)),
}
# Rounding that a change of a library may make.
CLOSE = 1e-6
# The check of the sides without the model trains boosting, which versions of
# scikit-learn do not train alike.
OF_A_VERSION = ".report.blind."


def sides():
    """Numbers of the shipped table: members and others, 150 of each."""
    credit = load_german_credit()
    text = [isinstance(v, str) for v in credit.data[0]]
    X = credit.data[:300, ~np.array(text)].astype(float)
    y = (credit.target[:300] == "bad").astype(int)
    return X[::2], y[::2], X[1::2], y[1::2]


def report_of(name, **params):
    """The report on one model."""
    members, labels, others, other_labels = sides()
    given = {"n_shadows": 4, "n_permutations": 99, "random_state": 0} | params
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = MODELS[name].fit(members, labels)
        return audit(model, members, labels, others, other_labels, **given)


def content_of(report):
    """All that a report says, but for when and with which packages it was made."""
    content = json.loads(report.to_json(name_records=True))
    told = content.get("report", content)
    del told["created"], told["versions"]
    return content


def numbers_of(report):
    """AUC of each attack with its interval; sum and tenths of what records get."""
    ends = ("estimate", "low", "high")
    found = {a["name"]: [a["auc"][end] for end in ends] for a in report.attacks}
    records = report.records
    for column in records:
        values = np.asarray(records[column])
        if values.dtype.kind == "f" and np.isfinite(values).all():
            tenths = np.quantile(values, np.linspace(0, 1, 11)).tolist()
            found[f"of records: {column}"] = [float(values.sum()), *tenths]
    return found


def all_contents(**params):
    return {name: content_of(report_of(name, **params)) for name in MODELS}


def all_numbers():
    return {name: numbers_of(report_of(name)) for name in MODELS}


def differences(one, other, close=0.0, place=""):
    """Places where two trees differ, numbers by more than their rounding."""
    if isinstance(one, dict) and isinstance(other, dict):
        keys = [*one, *(k for k in other if k not in one)]
        pairs = [(f"{place}.{k}", one.get(k), other.get(k)) for k in keys]
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        zipped = zip(one, other, strict=True)
        pairs = [(f"{place}[{i}]", a, b) for i, (a, b) in enumerate(zipped)]
    else:
        numbers = all(type(v) in (int, float) for v in (one, other))
        same = numbers and math.isclose(one, other, rel_tol=close, abs_tol=close)
        return [] if same or one == other else [f"{place}: {one!r}, {other!r}"]
    return [d for p, a, b in pairs for d in differences(a, b, close, p)]


def _main(given):
    if given == ["--reference"]:
        REFERENCE.write_text(json.dumps(all_numbers(), indent=1) + "\n")
    elif len(given) == 1:
        Path(given[0]).write_text(json.dumps(all_contents(), indent=1) + "\n")
    else:
        one, *others = (json.loads(Path(path).read_text()) for path in given)
        found = [
            d
            for other in others
            for d in differences(one, other, CLOSE)
            if OF_A_VERSION not in d.partition(":")[0]
        ]
        print("\n".join(found[:20]) or f"{len(given)} files say the same")
        return bool(found)
    return False


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
