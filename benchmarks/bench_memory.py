"""Time and peak memory of an attack up to a million records, all processes together.

    python benchmarks/bench_memory.py [PART ...]

`shadows`: one million records of 20 float32 features, logistic regression, 64 shadows,
models not kept, two workers; also the size of the pickled attack with 4 and with 64.
`report`: how long the report of a million records takes as JSON, with its records
inside and beside it.
How both grow with the records: `bench_load.py`.
Shared pages count once (proportional set size, Linux). All parts by default.
"""

import os
import pickle
import tempfile
import time
from pathlib import Path

from common import command_line, costs, records_of, write_results
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB

from sklearn_mia import RMIA, AuditReport, ThresholdAttack, as_records, audit


def attacked(model, n_records, n_shadows, n_jobs):
    """Seconds, peak memory, bytes of the records, attack."""
    X, y = records_of(n_records)
    target = model.fit(X[::2], y[::2])
    records = as_records(X, y)
    del X
    attack = RMIA(
        target, n_shadows=n_shadows, keep_models=False, n_jobs=n_jobs, random_state=0
    )
    _, seconds, _, highest = costs(lambda: attack.fit(records).score_samples(records))
    return seconds, highest, records.nbytes, attack


def many_shadows(n_records):
    sizes = {}
    for n_shadows in (4, 64):
        seconds, highest, data, attack = attacked(
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


def reported(n_records):
    X, y = records_of(n_records)
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


PARTS = {"shadows": many_shadows, "report": reported}


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
