"""Time and peak memory of attacks and audits when what they are given is doubled.

    OMP_NUM_THREADS=1 python benchmarks/bench_load.py [--works WORK ...] [--loads ...]

`records`: a million records of 20 float32 features, Gaussian naive Bayes, 8 shadow
models. `documents`: 200,000 texts of 20 words, hashed, and a linear model, 4 shadow
models. `columns`: 20,000 records of 5,000 sparse columns, one cell in a hundred filled.
`classes`: 50,000 records of 100 classes. `groups`: 10,000 groups of ten records each,
which are members or not together. The sizes before the last are a quarter and a half.

`attack` is RMIA, fitted and asked for the scores of all; `audit` has it as its only
attack, is else as it is by default, and has a quarter of the records and documents.
Each runs in a process of its own, with one worker; the smaller of the repetitions
counts. Goals: at most 2.2 times the seconds of the processor and 2.2 times the memory
when a size is doubled, and never more memory than the data and one gigabyte. Beside
them stand the seconds of the bare fits and answers, which grow by themselves where a
cache of the processor ends.

Results: load_<work>.json and .md. Memory is counted as in `bench_memory.py`.
"""

import json
import os
import sys

import numpy as np
import scipy.sparse as sp
from common import command_line, costs, in_own_process, records_of, write_results
from sklearn.base import clone
from sklearn.feature_extraction.text import HashingVectorizer
from sklearn.linear_model import SGDClassifier
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.pipeline import make_pipeline

from sklearn_mia import RMIA, as_records, audit
from sklearn_mia.tables import take

MOST_DOUBLED, MOST_BEYOND_DATA = 2.2, 1e9
N_SIZES = 3
GROUP_SIZE = 10


def records(n):
    X, y = records_of(n)
    return GaussianNB(), X, y, X.nbytes


def documents(n):
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=n)
    # Common words and rare ones, some of one class more than of the other.
    words = np.minimum(rng.zipf(1.3, (n, 20)), 20_000) + 3 * y[:, None]
    texts = [" ".join(f"word{w}" for w in row) for row in words.tolist()]
    model = make_pipeline(
        HashingVectorizer(n_features=2**16),
        SGDClassifier(loss="log_loss", max_iter=5, tol=None, random_state=0),
    )
    return model, texts, y, sum(map(sys.getsizeof, texts))


def columns(n):
    rng = np.random.default_rng(0)
    X = sp.random_array((20_000, n), density=0.01, format="csr", rng=rng)
    y = (X[:, : n // 2].sum(axis=1) > X[:, n // 2 :].sum(axis=1)).astype(int)
    return MultinomialNB(), X, y, X.data.nbytes + X.indices.nbytes


def classes(n):
    rng = np.random.default_rng(0)
    y = rng.integers(n, size=50_000)
    X = rng.standard_normal((n, 20))[y] + rng.standard_normal((len(y), 20))
    return GaussianNB(), X, y, X.nbytes


def groups(n):
    return records(GROUP_SIZE * n)


LOADS = {
    "records": (records, 1_000_000, 8),
    "documents": (documents, 200_000, 4),
    "columns": (columns, 5000, 8),
    "classes": (classes, 100, 8),
    "groups": (groups, 10_000, 8),
}


def attacked(target, X, y, groups, n_shadows):
    pool = as_records(X, y)
    attack = RMIA(target, n_shadows=n_shadows, keep_models=False, random_state=0)
    attack.fit(pool, groups=groups)
    if groups is None:
        return attack.score_samples(pool)
    return attack.score_groups(pool, groups)


def audited(target, X, y, groups, n_shadows):
    rows = np.arange(len(y))
    sides = [rows[: len(y) // 2], rows[len(y) // 2 :]]
    keys = [None, None] if groups is None else [groups[side] for side in sides]
    return audit(
        target,
        *(part for side in sides for part in (take(X, side), y[side])),
        groups_train=keys[0],
        groups_test=keys[1],
        attacks="RMIA",
        n_shadows=n_shadows,
        random_state=0,
    )


def bare(model, X, y, n_shadows):
    rng = np.random.default_rng(0)
    for _ in range(n_shadows):
        half = np.sort(rng.permutation(len(y))[::2])
        clone(model).fit(take(X, half), y[half]).predict_proba(X)


WORKS = {"attack": attacked, "audit": audited}
AUDITED = {"records": 250_000, "documents": 50_000}


def measure(load, work, size):
    """One row, but for what is compared with other sizes."""
    make, _, n_shadows = LOADS[load]
    _small(load, work)
    model, X, y, n_bytes = make(size)
    half = np.arange(len(y) // 2)
    target = clone(model).fit(take(X, half), y[half])
    keys = np.arange(len(y)) // GROUP_SIZE if load == "groups" else None
    _, seconds, cpu, highest = costs(lambda: WORKS[work](target, X, y, keys, n_shadows))
    _, _, bare_cpu, _ = costs(lambda: bare(model, X, y, n_shadows))
    return {
        "load": load,
        "work": work,
        "size": size,
        "records": len(y),
        "shadows": n_shadows,
        "data MB": n_bytes / 1e6,
        "peak MB": highest / 1e6,
        "limit MB": (n_bytes + MOST_BEYOND_DATA) / 1e6,
        "seconds": seconds,
        "CPU s": cpu,
        "CPU s, bare fits": bare_cpu,
    }


def _small(load, work):
    """What is imported and compiled once is no part of what is measured."""
    model, X, y, _ = records(2000)
    keys = np.arange(len(y)) // GROUP_SIZE if load == "groups" else None
    WORKS[work](model.fit(X[:1000], y[:1000]), X, y, keys, 2)


def growth(load, work, largest=None, repeats=2):
    """Rows of growing sizes of a load, each compared with the one before."""
    if largest is None:
        largest = AUDITED.get(load) if work == "audit" else None
    largest = LOADS[load][1] if largest is None else largest
    before = None
    for halvings in reversed(range(N_SIZES)):
        size = largest >> halvings
        tried = [in_own_process(__file__, load, work, size) for _ in range(repeats)]
        # Other work on the machine only adds to it.
        row = min(tried, key=lambda told: told["CPU s"])
        row["CPU s, bare fits"] = min(told["CPU s, bare fits"] for told in tried)
        for name, what in {
            "times": "CPU s",
            "times, bare fits": "CPU s, bare fits",
            "times, memory": "peak MB",
        }.items():
            row[name] = row[what] / before[what] if before else float("nan")
        row["limit"] = MOST_DOUBLED
        met = row["peak MB"] <= row["limit MB"] and not (
            row["times"] > MOST_DOUBLED or row["times, memory"] > MOST_DOUBLED
        )
        row["goal"] = "met" if met else "FAILS"
        yield row
        before = row


def main():
    if sys.argv[1:2] == ["--one"]:
        load, work, size = sys.argv[2:]
        print(json.dumps(measure(load, work, int(size))))
        return
    parser = command_line(__doc__, "load")
    parser.add_argument("--loads", nargs="+", default=list(LOADS), choices=LOADS)
    parser.add_argument("--works", nargs="+", default=list(WORKS), choices=WORKS)
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    for work in options.works:
        rows = []
        for load in options.loads:
            rows += growth(load, work, repeats=options.repeats)
            about = {"repeats": options.repeats, "seed": 0, "load": os.getloadavg()[0]}
            # What was measured stays if a later load is stopped.
            write_results(f"{options.name}_{work}", rows, **about)


if __name__ == "__main__":
    main()
