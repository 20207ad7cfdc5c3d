"""Peak memory of an attack on a million records, all processes together.

    python benchmarks/bench_memory.py

One million records of 20 float32 features, logistic regression, 64 shadows, models not
kept, two workers. Shared pages count once (proportional set size, Linux). Also the size
of the pickled attack with 4 and with 64 shadows.
"""

import os
import pickle
import threading
import time
from pathlib import Path

import numpy as np
from common import command_line, write_results
from sklearn.linear_model import LogisticRegression

from sklearn_mia import RMIA, as_records


def family(pid):
    """Process ids of a process and all below it."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(p for child in children for p in family(int(child)))]


def used(pid):
    """Proportional set size of a process, in bytes."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


class Peak(threading.Thread):
    """Watches the memory of this process and its workers."""

    def __init__(self):
        super().__init__(daemon=True)
        self.highest, self.running = 0, True

    def run(self):
        while self.running:
            total = sum(used(pid) for pid in family(os.getpid()))
            self.highest = max(self.highest, total)
            time.sleep(0.05)


def main():
    parser = command_line(__doc__, "memory", n_records=1_000_000)
    parser.add_argument("--shadows", type=int, default=64)
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    X = rng.standard_normal((options.records, 20), dtype=np.float32)
    y = (X[:, :3].sum(axis=1) + rng.standard_normal(options.records) > 0).astype(int)
    target = LogisticRegression().fit(X[::2], y[::2])
    records = as_records(X, y)
    data = records.nbytes
    del X
    sizes = {}
    for n_shadows in (4, options.shadows):
        peak = Peak()
        peak.start()
        start = time.perf_counter()
        attack = RMIA(
            target, n_shadows=n_shadows, keep_models=False, n_jobs=2, random_state=0
        ).fit(records)
        attack.score_samples(records)
        seconds = time.perf_counter() - start
        peak.running = False
        peak.join()
        sizes[n_shadows] = len(pickle.dumps(attack))
    row = {
        "records": options.records,
        "shadows": options.shadows,
        "data MB": data / 1e6,
        "peak MB": peak.highest / 1e6,
        "limit MB": (data + 1.5e9) / 1e6,
        "seconds": seconds,
        "pickle MB, 4 shadows": sizes[4] / 1e6,
        f"pickle MB, {options.shadows} shadows": sizes[options.shadows] / 1e6,
    }
    write_results(options.name, [row], seed=0)


if __name__ == "__main__":
    main()
