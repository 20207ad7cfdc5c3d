"""Real tables, the state of the machine, and where figures are written."""

import argparse
import json
import math
import os
import platform
import subprocess
import sys
import threading
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import scipy
import sklearn
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_info

import sklearn_mia

RESULTS = Path(__file__).parent / "results"
# A longer table is for programs: it has no Markdown.
MOST_ROWS_TO_READ = 40

LABELS = {
    "adult": "income",
    "bank_marketing": "y",
    "compas_two_years": "two_year_recid",
    "covertype_20k": "Cover_Type",
    "credit_default_taiwan": "default.payment.next.month",
    "german_credit": "credit_risk",
    "location30": "label",
}
# What a regressor predicts of a table, from all other columns.
VALUES = {"adult": "hours-per-week", "credit_default_taiwan": "LIMIT_BAL"}
# What ProPublica's analysis uses; the other columns of the table tell the outcome.
COMPAS = [
    "sex",
    "age",
    "age_cat",
    "race",
    "juv_fel_count",
    "juv_misd_count",
    "juv_other_count",
    "priors_count",
    "c_charge_degree",
]
TABLES = [
    "adult",
    "credit_default_taiwan",
    "covertype_20k",
    "bank_marketing",
    "german_credit",
    "compas_two_years",
]
MODELS = {
    "forest": RandomForestClassifier(100, random_state=0),
    "forest, leaf 5": RandomForestClassifier(100, min_samples_leaf=5, random_state=0),
    "gradient boosting": HistGradientBoostingClassifier(random_state=0),
    "logistic regression": make_pipeline(
        StandardScaler(), LogisticRegression(max_iter=1000)
    ),
}
NETWORK = make_pipeline(
    StandardScaler(), MLPClassifier((64,), max_iter=100, random_state=0)
)
# Trained on the columns as they are, text among them.
WITH_ENCODER = "forest behind an encoder"
FAMILIES = {
    **MODELS,
    "neural network": NETWORK,
    WITH_ENCODER: make_pipeline(
        make_column_transformer(
            (
                OneHotEncoder(handle_unknown="ignore"),
                make_column_selector(dtype_exclude="number"),
            ),
            remainder="passthrough",
        ),
        RandomForestClassifier(100, random_state=0),
    ),
}


def data_folder():
    """Folder of the Parquet tables, from SKLEARN_MIA_DATA."""
    folder = os.environ.get("SKLEARN_MIA_DATA")
    if folder is None:
        raise SystemExit(
            "Set SKLEARN_MIA_DATA to the folder that holds adult.parquet and the other "
            "tables, one file a table, class label last."
        )
    return Path(folder)


def load_frame(name, n_records=None, seed=0):
    """Shuffled records of a table, all by default: features and class codes."""
    frame = pd.read_parquet(data_folder() / f"{name}.parquet")
    frame = frame.sample(min(n_records or len(frame), len(frame)), random_state=seed)
    labels = pd.factorize(frame.pop(LABELS[name]), sort=True)[0]
    return frame[COMPAS] if name == "compas_two_years" else frame, labels


def load_table(name, n_records=8000, seed=0, dtype=np.float64):
    """Shuffled records of a table: one-hot features and class codes."""
    frame, labels = load_frame(name, n_records, seed)
    return pd.get_dummies(frame).fillna(0).to_numpy(dtype), labels


def load_for(model_name, table, n_records):
    """Records of a table as one of `FAMILIES` takes them."""
    if model_name == WITH_ENCODER:
        return load_frame(table, n_records)
    return load_table(table, n_records)


def records_of(n_records):
    """Records of 20 float32 features, three of which tell two classes apart."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_records, 20), dtype=np.float32)
    y = (X[:, :3].sum(axis=1) + rng.standard_normal(n_records) > 0).astype(int)
    return X, y


def select(X, rows):
    """Rows of an array or of a frame."""
    return X[rows] if isinstance(X, np.ndarray) else X.loc[rows]


def load_values(name, n_records=8000, seed=0, coding="one-hot"):
    """Shuffled records of a table: features, and the value to predict.

    Categories are one-hot, or numbered in alphabetical order (coding "ordinal").
    """
    frame = pd.read_parquet(data_folder() / f"{name}.parquet")
    frame = frame.sample(min(n_records, len(frame)), random_state=seed)
    values = frame.pop(VALUES[name]).to_numpy(np.float64)
    if coding == "ordinal":
        for column in frame.select_dtypes(exclude="number"):
            frame[column] = pd.factorize(frame[column], sort=True)[0]
    return pd.get_dummies(frame).fillna(0).to_numpy(np.float64), values


def draw_members(n_records, seed):
    """Membership of the target: an independent coin for each record."""
    return np.random.default_rng([seed, 1]).random(n_records) < 0.5


def command_line(doc, name, *, tables=None, n_records=None):
    """Parser of a script, with the options that most of them have."""
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    parser.add_argument("--name", default=name, help="of the files of results")
    if tables is not None:
        parser.add_argument("--tables", nargs="+", default=tables, choices=LABELS)
    if n_records is not None:
        parser.add_argument("--records", type=int, default=n_records)
    return parser


def environment(**settings):
    """Versions, threads and machine, to be written beside every figure."""
    return {
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
        "joblib": joblib.__version__,
        "sklearn_mia": sklearn_mia.__version__,
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
        "thread_pools": sorted(
            f"{p['internal_api']} {p['version']}: {p['num_threads']}"
            for p in threadpool_info()
        ),
        "command": " ".join(["python", *sys.argv]),
        **settings,
    }


def smaller_of_five(function):
    """Seconds of the fastest of five calls."""
    times = []
    for _ in range(5):
        start = time.perf_counter()
        function()
        times.append(time.perf_counter() - start)
    return min(times)


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
    """Watches the memory of this process and its workers, inside a with statement."""

    def __init__(self):
        super().__init__(daemon=True)
        self.highest, self.running = 0, True

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.running = False
        self.join()

    def run(self):
        while self.running:
            self.highest = max(self.highest, self.now())
            time.sleep(0.05)

    @staticmethod
    def now():
        """Bytes in use now."""
        return sum(used(pid) for pid in family(os.getpid()))


def costs(work):
    """What a call gave, its seconds, those of the processor, and its peak memory."""
    with Peak() as peak:
        start, start_cpu = time.perf_counter(), time.process_time()
        given = work()
        seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    return given, seconds, cpu, peak.highest


def in_own_process(script, *what):
    """What ``script --one WHAT ...`` prints as JSON, in a process of its own."""
    command = [sys.executable, script, "--one", *map(str, what)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{what} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def write_results(name, rows, **settings):
    """Write rows (dicts) to a file, and print the table."""
    _write(name, environment(**settings), [_finite(row) for row in rows])


def rows_before(name, **settings):
    """Rows of a stopped run that measured the same, of the same versions."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return []
    content = json.loads(path.read_text())
    told, now = content["environment"], json.loads(json.dumps(environment(**settings)))
    named = {"sklearn_mia", "scikit-learn", "numpy", *settings}
    other = sorted(key for key in named if told.get(key) != now.get(key))
    if other:
        raise SystemExit(f"--go-on: the run before had other {', '.join(other)}.")
    return content["rows"]


def write_short(name, short_form):
    """Write ``short_form(rows)`` of the rows in a file to a file of its own."""
    content = json.loads((RESULTS / f"{name}.json").read_text())
    _write(f"{name}_short", content["environment"], list(short_form(content["rows"])))


def _write(name, about, rows):
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(as_json(about, rows))
    table, page = markdown(rows), RESULTS / f"{name}.md"
    page.unlink(missing_ok=True)
    if len(rows) <= MOST_ROWS_TO_READ:
        page.write_text(f"{table}\n\n{told(about)}\n")
    print(table)


def told(about):
    """What the rows are about, in one line."""
    return ", ".join(f"{k} {v}" for k, v in about.items())


def _finite(row):
    """A row as strict JSON knows it: NaN and infinity are null."""
    return {
        k: None if isinstance(v, float) and not math.isfinite(v) else v
        for k, v in row.items()
    }


def as_json(about, rows):
    """What the rows are about, then one line a row."""
    head = json.dumps(about, indent=1, allow_nan=False)
    lines = ",\n".join(json.dumps(row, allow_nan=False) for row in rows)
    return f'{{\n"environment": {head},\n"rows": [\n{lines}\n]\n}}\n'


def mean_power(rows):
    """Mean AUC and TPR at 1 % of rows, as one cell of a short form."""
    auc, tpr = np.mean([(row["AUC"], row["TPR@1%"]) for row in rows], axis=0)
    return f"{auc:.3f} / {tpr:.3f}"


def markdown(rows):
    # The longest row tells the order of the columns.
    by_length = sorted(rows, key=len, reverse=True)
    columns = list(dict.fromkeys(k for row in by_length for k in row))
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in rows:
        cells = [row.get(c, "") for c in columns]
        shown = [f"{c:.3f}" if isinstance(c, float) else str(c) for c in cells]
        lines.append("| " + " | ".join(shown) + " |")
    return "\n".join(lines)
