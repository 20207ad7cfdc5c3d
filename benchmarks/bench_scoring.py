"""Time of the formulas alone, with the signals in memory.

    python benchmarks/bench_scoring.py

50,000 records x 128 shadows, the signals drawn at random; the smaller of five runs. The
goal is 2 s for every attack.
"""

import numpy as np
from common import command_line, smaller_of_five, write_results
from sklearn.datasets import make_classification
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression

from sklearn_mia import (
    RMIA,
    BaggingAttack,
    DifficultyCalibrationAttack,
    LiRA,
    ShadowModelAttack,
    as_records,
)


def main():
    parser = command_line(__doc__, "scoring", n_records=50_000)
    parser.add_argument("--shadows", type=int, default=128)
    options = parser.parse_args()
    n_records, n_shadows = options.records, options.shadows
    rng = np.random.default_rng(0)
    X, y = make_classification(400, 5, n_redundant=0, flip_y=0.2, random_state=0)
    records = as_records(X, y)
    linear = LogisticRegression().fit(X[:200], y[:200])
    forest = RandomForestClassifier(100, random_state=0).fit(X[:200], y[:200])
    members = rng.random((n_shadows, n_records)) < 0.5
    logits = rng.normal(1 + members, 1.0)
    losses = -np.logaddexp(0, -logits)
    target, in_pool = rng.normal(1, 1, n_records), np.ones(n_records, dtype=bool)
    shared = {"n_shadows": 4, "random_state": 0}
    rows = []

    def add(name, attack, *arguments):
        attack.fit(records)
        seconds = smaller_of_five(lambda: attack._score(*arguments))
        rows.append({"attack": name, "seconds": seconds, "within": seconds < 2})

    for settings in (
        {"variance": "pooled"},
        {"variance": "per_record"},
        {"variance": "shrunk"},
        {"mode": "offline"},
    ):
        attack = LiRA(linear, **settings, **shared)
        add(f"LiRA {settings}", attack, target, logits, members, in_pool)
    p = -np.logaddexp(0, -target)
    add("RMIA", RMIA(linear, **shared), p, losses, members, in_pool)
    offline = RMIA(linear, mode="offline", **shared)
    add("RMIA offline", offline, p, losses, members, in_pool)
    for method in ("mean", "rank"):
        attack = DifficultyCalibrationAttack(linear, method=method, **shared)
        name = f"DifficultyCalibrationAttack {method}"
        add(name, attack, target, logits, members, in_pool)
    n_out = np.where(members, rng.binomial(4, 0.37, members.shape), 4)
    votes = np.stack([rng.binomial(n_out, 0.8), n_out, 4 - n_out], axis=2)
    answer = np.column_stack([rng.binomial(100, 0.85, n_records) / 100, target > 1])
    bagging = BaggingAttack(forest, n_trees=40, random_state=0)
    add("BaggingAttack", bagging, answer, votes.astype(np.float32), members, in_pool)
    learned = ShadowModelAttack(linear, **shared).fit(records)
    response = np.exp(np.column_stack([p, np.log1p(-np.exp(p))]))
    codes = (target > 1).astype(int)
    seconds = smaller_of_five(lambda: learned._scored(response, codes))
    rows.append(
        {"attack": "ShadowModelAttack", "seconds": seconds, "within": seconds < 2}
    )
    write_results(options.name, rows, n_records=n_records, n_shadows=n_shadows)


if __name__ == "__main__":
    main()
