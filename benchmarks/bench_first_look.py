"""RMIA and LiRA with 16 shadows on Adult and Location-30.

SKLEARN_MIA_DATA=folder OMP_NUM_THREADS=1 python benchmarks/bench_first_look.py
"""

import time

from common import command_line, draw_members, load_table, write_results
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from sklearn_mia import RMIA, LiRA, as_records
from sklearn_mia.metrics import tpr_at_fpr_score


def main():
    parser = command_line(__doc__, "first_look")
    parser.add_argument("--most", type=int, default=8000, help="records of a table")
    parser.add_argument("--shadows", type=int, default=16)
    options = parser.parse_args()
    shared = {"n_shadows": options.shadows, "random_state": 0}
    rows = []
    for table, n_records in [("adult", 8000), ("location30", 4000)]:
        X, y = load_table(table, min(n_records, options.most))
        records, member = as_records(X, y), draw_members(len(y), 0)
        target = RandomForestClassifier(100, random_state=0).fit(X[member], y[member])
        for name, attack in [
            ("RMIA", RMIA(target, **shared)),
            ("RMIA, full shadows", RMIA(target, trees_per_shadow=None, **shared)),
            ("LiRA, pooled", LiRA(target, variance="pooled", **shared)),
        ]:
            start = time.perf_counter()
            scores = attack.fit(records).score_samples(records)
            rows.append(
                {
                    "table": table,
                    "attack": name,
                    "AUC": float(roc_auc_score(member, scores)),
                    "TPR@1%": tpr_at_fpr_score(member, scores, max_fpr=0.01),
                    "seconds": time.perf_counter() - start,
                }
            )
    write_results(options.name, rows, n_shadows=options.shadows, seed=0)


if __name__ == "__main__":
    main()
