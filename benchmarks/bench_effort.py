"""What an audit sees and costs by its effort: 2, 6 or 64 shadow models.

    SKLEARN_MIA_DATA=folder OMP_NUM_THREADS=1 python benchmarks/bench_effort.py

`audit` with its defaults. AUC and TPR are means over draws of the members, each with
its own model; seconds are those of the processor, on one core, as medians. Each row
tells them of the attack with the highest AUC of those that ask the model, and of the
attack on its file, which has no shadow models.
"""

import time
from functools import partial

import numpy as np
from common import MODELS, command_line, draw_members, load_table, write_results
from sklearn.base import clone

from sklearn_mia.auditing import audit
from sklearn_mia.auditing._access import FILE_ATTACK
from sklearn_mia.auditing._settings import SHADOWS


def seconds(work):
    start = time.process_time()
    result = work()
    return result, time.process_time() - start


def power(report):
    """AUC and TPR at 1 % of the best attack that asks the model, and of the file's."""
    by_name = {
        row["name"]: (
            row["auc"]["estimate"],
            next(r for r in row["tpr_at_fpr"] if r["max_fpr"] == 0.01)["tpr"],
        )
        for row in report.attacks
    }
    on_file = by_name.pop(FILE_ATTACK)
    best = max(by_name.values(), key=lambda values: values[0])
    return [v for auc, tpr in (best, on_file) for v in (auc, tpr["estimate"])]


def main():
    parser = command_line(__doc__, "effort", tables=["adult"], n_records=2000)
    models = ["forest", "gradient boosting", "logistic regression"]
    parser.add_argument("--models", nargs="+", default=models, choices=MODELS)
    parser.add_argument("--draws", type=int, default=2)
    options = parser.parse_args()
    rows = []
    for table in options.tables:
        X, y = load_table(table, options.records)
        for model_name in options.models:
            found = {effort: [] for effort in SHADOWS}
            for draw in range(options.draws):
                member = draw_members(len(y), draw)
                sides = X[member], y[member], X[~member], y[~member]
                model = clone(MODELS[model_name])
                to_fit = seconds(partial(model.fit, *sides[:2]))[1]
                for effort, values in found.items():
                    run = partial(audit, model, *sides, effort=effort)
                    report, to_audit = seconds(partial(run, random_state=draw))
                    values.append([to_fit, to_audit, *power(report)])
                    print(model_name, draw, effort, values[-1], flush=True)
            for effort, n_shadows in SHADOWS.items():
                values = np.array(found[effort], dtype=float)
                to_fit, to_audit = np.median(values[:, :2], axis=0)
                auc, tpr, file_auc, file_tpr = values[:, 2:].mean(axis=0)
                rows.append(
                    {
                        "table": table,
                        "records": len(y),
                        "model": model_name,
                        "effort": effort,
                        "n_shadows": n_shadows,
                        "AUC": float(auc),
                        "TPR@1%": float(tpr),
                        "AUC by file": float(file_auc),
                        "TPR@1% by file": float(file_tpr),
                        "fit s": float(to_fit),
                        "audit s": float(to_audit),
                    }
                )
    write_results(options.name, rows, draws=options.draws)


if __name__ == "__main__":
    main()
