"""Time and peak memory of an attack up to a million records, all processes together.

    python benchmarks/bench_memory.py [PART ...]

`shadows`: one million records of 20 float32 features, logistic regression, 64 shadows,
models not kept, two workers; also the size of the pickled attack with 4 and with 64.
`growth`: Gaussian naive Bayes, 8 shadows, one worker, from 62,500 records on, doubled;
the goals are 2.2 times the seconds of the processor, and the data and one gigabyte;
beside them the seconds of the bare fits and answers, which grow alike where a cache
ends.
`report`: how long the report of a million records takes as JSON, with its records
inside and beside it.
Shared pages count once (proportional set size, Linux). All parts by default.
"""

import os
import pickle
import tempfile
import time
from pathlib import Path

import numpy as np
from common import Peak, command_line, write_results
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from sklearn_mia import RMIA, AuditReport, ThresholdAttack, as_records, audit

MOST_DOUBLED, MOST_BEYOND_DATA = 2.2, 1e9
FEWEST = 62_500


def table_of(n_records):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_records, 20), dtype=np.float32)
    y = (X[:, :3].sum(axis=1) + rng.standard_normal(n_records) > 0).astype(int)
    return X, y


def attacked(model, n_records, n_shadows, n_jobs):
    """Seconds, those of the processor, peak memory, bytes of the records, attack."""
    X, y = table_of(n_records)
    target = model.fit(X[::2], y[::2])
    records = as_records(X, y)
    del X
    with Peak() as peak:
        start, start_cpu = time.perf_counter(), time.process_time()
        attack = RMIA(
            target,
            n_shadows=n_shadows,
            keep_models=False,
            n_jobs=n_jobs,
            random_state=0,
        ).fit(records)
        attack.score_samples(records)
        seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    return seconds, cpu, peak.highest, records.nbytes, attack


def bare(n_records, n_shadows):
    """Seconds of the processor of the fits and answers alone."""
    X, y = table_of(n_records)
    rng = np.random.default_rng(0)
    halves = [rng.permutation(n_records)[::2] for _ in range(n_shadows)]
    start = time.process_time()
    for half in halves:
        half.sort()
        GaussianNB().fit(X[half], y[half]).predict_proba(X)
    return time.process_time() - start


def many_shadows(n_records):
    sizes = {}
    for n_shadows in (4, 64):
        seconds, _, highest, data, attack = attacked(
            LogisticRegression(), n_records, n_shadows, 2
        )
        sizes[n_shadows] = len(pickle.dumps(attack))
    yield {
        "records": n_records,
        "shadows": n_shadows,
        "data MB": data / 1e6,
        "peak MB": highest / 1e6,
        "limit MB": (data + 1.5e9) / 1e6,
        "seconds": seconds,
        "pickle MB, 4 shadows": sizes[4] / 1e6,
        "pickle MB, 64 shadows": sizes[64] / 1e6,
    }


def growth(n_records):
    sizes = [n_records]
    while sizes[0] >= 2 * FEWEST:
        sizes.insert(0, sizes[0] // 2)
    attacked(GaussianNB(), 2000, 2, 1)  # what is imported and compiled once
    before = bare_before = None
    for n in sizes:
        # The smaller of two: other work on the machine only adds to it.
        found = [attacked(GaussianNB(), n, 8, 1)[:4] for _ in range(2)]
        seconds, cpu, highest, data = min(found, key=lambda told: told[1])
        bare_cpu = min(bare(n, 8) for _ in range(2))
        times = cpu / before if before else float("nan")
        bare_times = bare_cpu / bare_before if bare_before else float("nan")
        yield {
            "records": n,
            "shadows": 8,
            "data MB": data / 1e6,
            "peak MB": highest / 1e6,
            "limit MB": (data + MOST_BEYOND_DATA) / 1e6,
            "seconds": seconds,
            "CPU s": cpu,
            "times": times,
            "CPU s, bare fits": bare_cpu,
            "times, bare fits": bare_times,
            "limit": MOST_DOUBLED,
            "within": highest <= data + MOST_BEYOND_DATA and not times > MOST_DOUBLED,
        }
        before, bare_before = cpu, bare_cpu


def reported(n_records):
    X, y = table_of(n_records)
    half = n_records // 2
    model = GaussianNB().fit(X[:half], y[:half])
    report = audit(
        *(model, X[:half], y[:half], X[half:], y[half:]),
        attacks=[ThresholdAttack(), ThresholdAttack(signal="entropy")],
        slices=None,
        n_permutations=99,
        random_state=0,
    )
    with tempfile.TemporaryDirectory() as folder:
        for place in ("json", "parquet"):
            path = Path(folder, place, "report.json")
            path.parent.mkdir()
            start = time.perf_counter()
            report.to_json(path, name_records=True, records=place)
            written = time.perf_counter()
            again = AuditReport.from_json(path)
            read = time.perf_counter()
            assert len(again._records["id"]) == n_records
            yield {
                "records": n_records,
                "records in": place,
                "JSON MB": path.stat().st_size / 1e6,
                "all files MB": sum(
                    file.stat().st_size for file in path.parent.iterdir()
                )
                / 1e6,
                "seconds to write": written - start,
                "seconds to read": read - written,
            }


PARTS = {"shadows": many_shadows, "growth": growth, "report": reported}


def main():
    parser = command_line(__doc__, "memory", n_records=1_000_000)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=list(PARTS))
    options = parser.parse_args()
    for part in options.parts:
        rows = list(PARTS[part](options.records))
        name = options.name if part == "shadows" else f"{options.name}_{part}"
        write_results(name, rows, seed=0, load=os.getloadavg()[0])


if __name__ == "__main__":
    main()
