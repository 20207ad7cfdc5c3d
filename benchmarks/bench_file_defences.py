"""What keeps a model's file from telling who was in the training data, and its price.

    SKLEARN_MIA_DATA=folder OMP_NUM_THREADS=1 python benchmarks/bench_file_defences.py

`LinearReconstructionAttack` on models of Adult, half of the records members: as they
are, without the counts of their nodes (`strip_counts`), which changes no answer, and
with values of leaves rounded to two decimals and to one (`round_values`). Settings that
need another training are rows of their own. Beside them the accuracy on the other half,
and by how much a probability changes at the most. Mean and range over five splits.
The same of regressors of the hours per week, with R2 and the change of a prediction:

    python benchmarks/bench_file_defences.py --regressors --records 4000 --splits 2 \\
        --name file_defences_regressors
"""

import numpy as np
from common import (
    command_line,
    draw_members,
    load_table,
    load_values,
    write_results,
    write_short,
)
from sklearn.base import clone
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.metrics import roc_auc_score

from sklearn_mia import (
    LinearReconstructionAttack,
    as_records,
    round_values,
    strip_counts,
)
from sklearn_mia.metrics import tpr_at_fpr_score


def variants(forest, extra, histogram, boosting):
    """Models of four classes, as they are and trained to tell less."""
    few = histogram(max_iter=20, random_state=0)
    return {
        "forest": forest(random_state=0),
        **{
            f"forest, leaf {n}": forest(min_samples_leaf=n, random_state=0)
            for n in (5, 20, 50, 200)
        },
        "extra trees, leaf 20": extra(min_samples_leaf=20, random_state=0),
        "extra trees, leaf 20, bootstrap": extra(
            min_samples_leaf=20, bootstrap=True, random_state=0
        ),
        "histogram boosting": histogram(random_state=0),
        "histogram boosting, 50 trees": histogram(max_iter=50, random_state=0),
        "histogram boosting, 20 trees": few,
        "histogram boosting, 20 trees of 8 leaves": clone(few).set_params(
            max_leaf_nodes=8
        ),
        "gradient boosting": boosting(random_state=0),
        "gradient boosting, half a tree": boosting(subsample=0.5, random_state=0),
    }


MODELS = variants(
    RandomForestClassifier,
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    GradientBoostingClassifier,
)
REGRESSORS = variants(
    RandomForestRegressor,
    ExtraTreesRegressor,
    HistGradientBoostingRegressor,
    GradientBoostingRegressor,
)
REGRESSORS["forest, leaf 20, a fifth a tree"] = RandomForestRegressor(
    min_samples_leaf=20, max_samples=0.2, random_state=0
)
AS_THEY_ARE = {"as it is": lambda model: model, "stripped": strip_counts}
FILES = AS_THEY_ARE | {
    "two decimals": lambda model: round_values(model, 2),
    "one decimal": lambda model: round_values(model, 1),
}
FILES_OF_VALUES = AS_THEY_ARE | {
    "tenths of an hour": lambda model: round_values(model, 1),
    "whole hours": lambda model: round_values(model, 0),
}


def measured(X, y, is_member, model, files):
    model = clone(model).fit(X[is_member], y[is_member])
    of_classes = hasattr(model, "classes_")
    for file, changed in files.items():
        released = changed(model)
        scores = LinearReconstructionAttack(released).fit_score(as_records(X, y))
        before, after = (
            m.predict_proba(X) if of_classes else m.predict(X)
            for m in (model, released)
        )
        quality = float(released.score(X[~is_member], y[~is_member]))
        yield {
            "file": file,
            "AUC": float(roc_auc_score(is_member, scores)),
            "TPR@1%": float(tpr_at_fpr_score(is_member, scores)),
            "accuracy" if of_classes else "R2": quality,
            "largest change": float(np.abs(after - before).max()),
        }


def short_form(rows):
    short, about = [], ("table", "model", "split", "file")
    for model in dict.fromkeys(row["model"] for row in rows):
        files = dict.fromkeys(row["file"] for row in rows)
        for file in files:
            own = [r for r in rows if (r["model"], r["file"]) == (model, file)]
            row = {"model": model, "file": file}
            for metric in (key for key in own[0] if key not in about):
                values = [r[metric] for r in own]
                mean, low, high = np.mean(values), min(values), max(values)
                row[metric] = f"{mean:.3f} ({low:.3f}-{high:.3f})"
            short.append(row)
    return short


def main():
    parser = command_line(__doc__, "file_defences", tables=["adult"], n_records=8000)
    known = [*REGRESSORS, *MODELS]
    parser.add_argument("--models", nargs="+", default=known, choices=set(known))
    parser.add_argument("--files", nargs="+", choices={*FILES, *FILES_OF_VALUES})
    parser.add_argument("--regressors", action="store_true")
    parser.add_argument("--splits", type=int, default=5)
    options = parser.parse_args()
    models, files, load = MODELS, FILES, load_table
    if options.regressors:
        models, files, load = REGRESSORS, FILES_OF_VALUES, load_values
    files = {name: files[name] for name in options.files or files}
    rows = []
    for table in options.tables:
        X, y = load(table, options.records)
        for split in range(options.splits):
            is_member = draw_members(len(y), split)
            for name in (name for name in models if name in options.models):
                for found in measured(X, y, is_member, models[name], files):
                    about = {"table": table, "model": name, "split": split}
                    rows.append(about | found)
                    print(*rows[-1].values(), sep="  ", flush=True)
    write_results(options.name, rows, splits=options.splits)
    write_short(options.name, short_form)


if __name__ == "__main__":
    main()
