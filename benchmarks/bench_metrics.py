"""Time of the intervals of an audit for 100,000 records.

    python benchmarks/bench_metrics.py

Half of the records are members, half a standard deviation higher; the smaller of five
runs. The goal is about a second in all.
"""

import numpy as np
from common import smaller_of_five, write_results

from sklearn_mia.metrics import (
    compare_attacks,
    epsilon_lower_bound,
    membership_advantage_interval,
    roc_auc_interval,
    tpr_at_fpr_interval,
)

N_RECORDS = 100_000
METRICS = {
    "AUC": roc_auc_interval,
    "TPR at FPR = 0.01": lambda y, s: tpr_at_fpr_interval(y, s, max_fpr=0.01),
    "advantage": membership_advantage_interval,
    "epsilon": epsilon_lower_bound,
    "epsilon, delta = 1e-6": lambda y, s: epsilon_lower_bound(y, s, delta=1e-6),
    "AUC of two": lambda y, s: compare_attacks(y, s, -s),
    "TPR of two": lambda y, s: compare_attacks(y, s, -s, metric="tpr_at_fpr"),
}


def main():
    is_member = np.arange(N_RECORDS) < N_RECORDS // 2
    scores = np.random.default_rng(0).normal(size=N_RECORDS) + 0.5 * is_member
    rows = [
        {
            "metric": name,
            "seconds": smaller_of_five(lambda m=metric: m(is_member, scores)),
        }
        for name, metric in METRICS.items()
    ]
    write_results("metrics", rows, n_records=N_RECORDS)


if __name__ == "__main__":
    main()
