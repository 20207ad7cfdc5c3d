"""RMIA and LiRA with 16 shadows on Adult and Location-30.

SKLEARN_MIA_DATA=folder OMP_NUM_THREADS=1 python benchmarks/bench_first_look.py
"""

import time

from common import draw_members, load_table, write_results
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score

from sklearn_mia import RMIA, LiRA, as_records
from sklearn_mia.metrics import tpr_at_fpr_score


def main():
    rows = []
    for table, n_records in [("adult", 8000), ("location30", 4000)]:
        X, y = load_table(table, n_records)
        records, member = as_records(X, y), draw_members(len(y), 0)
        target = RandomForestClassifier(100, random_state=0).fit(X[member], y[member])
        for name, attack in [
            ("RMIA", RMIA(target, random_state=0)),
            ("RMIA, full shadows", RMIA(target, trees_per_shadow=None, random_state=0)),
            ("LiRA, pooled", LiRA(target, variance="pooled", random_state=0)),
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
    write_results("first_look", rows, n_shadows=16, seed=0)


if __name__ == "__main__":
    main()
