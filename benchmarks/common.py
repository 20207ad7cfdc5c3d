"""Real tables, the state of the machine, and where figures are written."""

import json
import os
import platform
import sys
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import scipy
import sklearn
from threadpoolctl import threadpool_info

import sklearn_mia

LABELS = {
    "adult": "income",
    "bank_marketing": "y",
    "compas_two_years": "two_year_recid",
    "covertype_20k": "Cover_Type",
    "credit_default_taiwan": "default.payment.next.month",
    "german_credit": "credit_risk",
    "location30": "label",
}
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


def data_folder():
    """Folder of the Parquet tables, from SKLEARN_MIA_DATA."""
    folder = os.environ.get("SKLEARN_MIA_DATA")
    if folder is None:
        raise SystemExit(
            "Set SKLEARN_MIA_DATA to the folder that holds adult.parquet and the other "
            "tables, one file a table, class label last."
        )
    return Path(folder)


def load_table(name, n_records=8000, seed=0, dtype=np.float64):
    """Shuffled records of a table: one-hot features and class codes."""
    frame = pd.read_parquet(data_folder() / f"{name}.parquet")
    frame = frame.sample(min(n_records, len(frame)), random_state=seed)
    labels = pd.factorize(frame.pop(LABELS[name]), sort=True)[0]
    if name == "compas_two_years":
        frame = frame[COMPAS]
    features = pd.get_dummies(frame).fillna(0).to_numpy(dtype)
    return features, labels


def draw_members(n_records, seed):
    """Membership of the target: an independent coin for each record."""
    return np.random.default_rng([seed, 1]).random(n_records) < 0.5


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


def write_results(name, rows, **settings):
    """Write rows (dicts) as JSON and as a Markdown table, and print the table."""
    folder = Path(__file__).parent / "results"
    folder.mkdir(exist_ok=True)
    content = {"environment": environment(**settings), "rows": rows}
    (folder / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")
    text = markdown(rows)
    about = ", ".join(f"{k} {v}" for k, v in content["environment"].items())
    (folder / f"{name}.md").write_text(f"{text}\n\n{about}\n")
    print(text)


def markdown(rows):
    columns = list(dict.fromkeys(k for row in rows for k in row))
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in rows:
        cells = [row.get(c, "") for c in columns]
        shown = [f"{c:.3f}" if isinstance(c, float) else str(c) for c in cells]
        lines.append("| " + " | ".join(shown) + " |")
    return "\n".join(lines)
