"""What keeps a model's file from telling who was in the training data, and its price.

    SKLEARN_MIA_DATA=folder OMP_NUM_THREADS=1 python benchmarks/bench_file_defences.py

`LinearReconstructionAttack` on models of Adult, half of the records members: as they
are, without the counts of their nodes (`strip_counts`), which changes no answer, and
with values of leaves rounded to two decimals and to one (`round_values`). Settings that
need another training are rows of their own. Beside them the accuracy on the other half,
and by how much a probability changes at the most. Mean and range over five splits.
"""

import numpy as np
from common import command_line, draw_members, load_table, write_results, write_short
from sklearn.base import clone
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.metrics import roc_auc_score

from sklearn_mia import (
    LinearReconstructionAttack,
    as_records,
    round_values,
    strip_counts,
)
from sklearn_mia.metrics import tpr_at_fpr_score

N_SPLITS = 5
FOREST = RandomForestClassifier(100, random_state=0)
EXTRA = ExtraTreesClassifier(100, min_samples_leaf=20, random_state=0)
HISTOGRAM = HistGradientBoostingClassifier(random_state=0)
BOOSTING = GradientBoostingClassifier(random_state=0)
MODELS = {
    "forest": FOREST,
    **{
        f"forest, leaf {n}": clone(FOREST).set_params(min_samples_leaf=n)
        for n in (5, 20, 50, 200)
    },
    "extra trees, leaf 20": EXTRA,
    "extra trees, leaf 20, bootstrap": clone(EXTRA).set_params(bootstrap=True),
    "histogram boosting": HISTOGRAM,
    **{
        f"histogram boosting, {n} trees": clone(HISTOGRAM).set_params(max_iter=n)
        for n in (50, 20)
    },
    "histogram boosting, 20 trees of 8 leaves": clone(HISTOGRAM).set_params(
        max_iter=20, max_leaf_nodes=8
    ),
    "gradient boosting": BOOSTING,
    "gradient boosting, half a tree": clone(BOOSTING).set_params(subsample=0.5),
}
FILES = {
    "as it is": lambda model: model,
    "stripped": strip_counts,
    "two decimals": lambda model: round_values(model, 2),
    "one decimal": lambda model: round_values(model, 1),
}
METRICS = ("AUC", "TPR@1%", "accuracy", "largest change")


def measured(X, y, is_member, model, files):
    model = clone(model).fit(X[is_member], y[is_member])
    for file in files:
        released = FILES[file](model)
        scores = LinearReconstructionAttack(released).fit_score(as_records(X, y))
        off = released.predict_proba(X) - model.predict_proba(X)
        yield {
            "file": file,
            "AUC": float(roc_auc_score(is_member, scores)),
            "TPR@1%": float(tpr_at_fpr_score(is_member, scores)),
            "accuracy": float(released.score(X[~is_member], y[~is_member])),
            "largest change": float(np.abs(off).max()),
        }


def short_form(rows):
    short = []
    for model in dict.fromkeys(row["model"] for row in rows):
        files = dict.fromkeys(row["file"] for row in rows)
        for file in files:
            own = [r for r in rows if (r["model"], r["file"]) == (model, file)]
            row = {"model": model, "file": file}
            for metric in METRICS:
                values = [r[metric] for r in own]
                mean, low, high = np.mean(values), min(values), max(values)
                row[metric] = f"{mean:.3f} ({low:.3f}-{high:.3f})"
            short.append(row)
    return short


def main():
    parser = command_line(__doc__, "file_defences", tables=["adult"], n_records=8000)
    parser.add_argument("--models", nargs="+", default=list(MODELS), choices=MODELS)
    parser.add_argument("--files", nargs="+", default=list(FILES), choices=FILES)
    options = parser.parse_args()
    rows = []
    for table in options.tables:
        X, y = load_table(table, options.records)
        for split in range(N_SPLITS):
            is_member = draw_members(len(y), split)
            for name in options.models:
                for found in measured(X, y, is_member, MODELS[name], options.files):
                    about = {"table": table, "model": name, "split": split}
                    rows.append(about | found)
                    print(*rows[-1].values(), sep="  ", flush=True)
    write_results(options.name, rows, splits=N_SPLITS)
    write_short(options.name, short_form)


if __name__ == "__main__":
    main()
