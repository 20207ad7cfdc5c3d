"""What lowers a leak through the answers of a model, and its price.

    SKLEARN_MIA_DATA=folder OMP_NUM_THREADS=1 python benchmarks/bench_answer_defences.py

Models of Adult, a coin for each of 8,000 records: with their default settings, with
others, on twice as many records, with probabilities (if they have any) rounded to one
decimal by `CoarsenedClassifier`, and with labels alone. Asked by the default attacks of
an audit, 16 fits; a model that tells labels alone by `LabelOnlyAttack`, and by whether
it is right. The attack with the largest mean AUC is shown. Beside it the accuracy on
the other half. Mean and range over three splits. `--models` runs some of them anew; the
rows of the others stay. `sklearn_mia/risk/_measured.py` tells the means.
"""

import json
import tempfile

import joblib
import numpy as np
from common import (
    RESULTS,
    command_line,
    draw_members,
    load_table,
    write_results,
    write_short,
)
from sklearn.base import clone
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import (
    CoarsenedClassifier,
    LabelOnlyAttack,
    as_records,
    default_attacks,
)
from sklearn_mia.metrics import tpr_at_fpr_score

N_SPLITS = 3
N_SHADOWS = 16
# Of each class of models: other settings, the first of them the default ones.
SETTINGS = {
    RandomForestClassifier: [{}, *({"min_samples_leaf": n} for n in (5, 20, 50))],
    ExtraTreesClassifier: [{}, *({"min_samples_leaf": n} for n in (5, 20))],
    DecisionTreeClassifier: [{}, *({"min_samples_leaf": n} for n in (5, 20, 50))],
    HistGradientBoostingClassifier: [
        {},
        {"max_iter": 50},
        {"max_iter": 20, "max_leaf_nodes": 8},
    ],
    GradientBoostingClassifier: [{}, {"subsample": 0.5}],
    KNeighborsClassifier: [
        {},
        *({"n_neighbors": n} for n in (20, 50)),
        {"weights": "distance"},
    ],
    SVC: [{}, {"C": 0.1}],
    MLPClassifier: [{}, {"alpha": 1.0}, {"early_stopping": True}],
    LogisticRegression: [{}, {"C": 0.01}],
    GaussianNB: [{}],
}
SCALED = (KNeighborsClassifier, SVC, MLPClassifier, LogisticRegression)

METRICS = ("AUC", "TPR@1%", "accuracy")


def recipe(cls, settings):
    estimator = cls(**settings)
    if cls is LogisticRegression:
        estimator.set_params(max_iter=1000)
    if "random_state" in estimator.get_params():
        estimator.set_params(random_state=0)
    return make_pipeline(StandardScaler(), estimator) if cls in SCALED else estimator


def figures(is_member, scores):
    return {
        "AUC": float(roc_auc_score(is_member, scores)),
        "TPR@1%": float(tpr_at_fpr_score(is_member, scores)),
    }


def by_answers(model, records, is_member, split):
    attacks = default_attacks(
        model, release="interface", n_shadows=N_SHADOWS, random_state=split
    )
    with tempfile.TemporaryDirectory() as folder:
        memory = joblib.Memory(folder, verbose=0)
        for name, attack in attacks.items():
            if "memory" in attack.get_params():
                attack.set_params(memory=memory)
            yield name, figures(is_member, attack.fit_score(records))


def by_labels(model, records, is_member, X, y, split):
    yield "right or wrong", figures(is_member, (model.predict(X) == y).astype(float))
    attack = LabelOnlyAttack(model, random_state=split)
    yield "LabelOnlyAttack", figures(is_member, attack.fit_score(records))


def measured(cls, X, y, is_member, n_usual, split):
    """Rows of one class of models: how it is changed, the attack and its figures."""
    usual = slice(None, n_usual)
    for number, settings in enumerate(SETTINGS[cls]):
        told = ", ".join(f"{k}={v!r}" for k, v in settings.items()) or "default"
        parts = [(told, usual)]
        if number == 0:
            parts.append(("twice the records", slice(None)))
        for change, part in parts:
            own_X, own_y, inside = X[part], y[part], is_member[part]
            model = recipe(cls, settings).fit(own_X[inside], own_y[inside])
            accuracy = float(model.score(own_X[~inside], own_y[~inside]))
            records = as_records(own_X, own_y)
            ways = [(change, by_answers(model, records, inside, split))]
            if number == 0 and part == usual:
                found = by_labels(model, records, inside, own_X, own_y, split)
                ways.append(("labels alone", found))
                if hasattr(model, "predict_proba"):
                    coarse = CoarsenedClassifier(clone(model), decimals=1)
                    coarse.fit(own_X[inside], own_y[inside])
                    found = by_answers(coarse, records, inside, split)
                    ways.append(("one decimal", found))
            for way, found in ways:
                for attack, values in found:
                    about = {"change": way, "attack": attack}
                    yield about | values | {"accuracy": accuracy}


def short_form(rows):
    short = []
    for key in dict.fromkeys((r["model"], r["change"]) for r in rows):
        own = [r for r in rows if (r["model"], r["change"]) == key]
        by_attack = {}
        for row in own:
            by_attack.setdefault(row["attack"], []).append(row)
        strongest = max(
            by_attack, key=lambda name: np.mean([r["AUC"] for r in by_attack[name]])
        )
        row = dict(zip(("model", "change"), key, strict=True)) | {"attack": strongest}
        for metric in METRICS:
            values = [r[metric] for r in by_attack[strongest]]
            mean, low, high = np.mean(values), min(values), max(values)
            row[metric] = f"{mean:.3f} ({low:.3f}-{high:.3f})"
        short.append(row)
    return short


def kept_rows(options):
    """Rows of the models that are not run again."""
    path = RESULTS / f"{options.name}.json"
    if not path.exists():
        return []
    rows = json.loads(path.read_text())["rows"]
    return [row for row in rows if row["model"] not in options.models]


def main():
    parser = command_line(__doc__, "answer_defences", n_records=8000)
    by_name = {cls.__name__: cls for cls in SETTINGS}
    parser.add_argument("--models", nargs="+", default=by_name, choices=by_name)
    options = parser.parse_args()
    X, y = load_table("adult", 2 * options.records)
    rows = kept_rows(options)
    for cls in map(by_name.get, options.models):
        for split in range(N_SPLITS):
            is_member = draw_members(len(y), split)
            about = {"model": cls.__name__, "split": split}
            for found in measured(cls, X, y, is_member, options.records, split):
                rows.append(about | found)
                print(*rows[-1].values(), sep="  ", flush=True)
            write_results(options.name, rows, splits=N_SPLITS, n_shadows=N_SHADOWS)
    write_short(options.name, short_form)


if __name__ == "__main__":
    main()
