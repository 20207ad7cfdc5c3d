"""How often a promise of epsilon = 1 is contradicted by canaries, kept or broken.

    python benchmarks/bench_canaries.py [--parts broken kept exact signals]

Two private classifiers of tests/helpers/private.py, as they should be and with a part
left out, on 500 records of location30 (446 features, 30 classes) and 1,000 canaries,
with 8 reference models: one line a mechanism, over runs with other canaries, coins and
noise ("broken", "kept"). "exact" is a mechanism that is exactly private, randomised
response: how often its own epsilon is exceeded. "signals" is usual models of Adult: the
bound by each attack, and by each kind of canary. Each part has a file of its own.
"""

import sys
import warnings
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from common import MODELS, command_line, load_table, write_results
from scipy import stats
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import ThresholdAttack, audit_recipe, make_canaries

sys.path.append(str(Path(__file__).parents[1] / "tests"))
from helpers.private import BROKEN, CORRECT, RandomisedResponse

N_CANARIES = 1000
N_SHADOWS = 8
ATTACKS = ("ThresholdAttack", "DifficultyCalibrationAttack", "RMIA", "LiRA")
KINDS = ("flipped", "rare", "far")


def run(mechanism, data, seed, **options):
    options = {"canaries": N_CANARIES, "n_shadows": N_SHADOWS} | options
    return audit_recipe(mechanism, *data, random_state=seed, **options)


def row_of(name, epsilons, claim, choices=()):
    n, found = len(epsilons), int(np.sum(np.array(epsilons) > claim))
    test = stats.binomtest(found, n)
    low, high = test.proportion_ci(method="exact")
    return {
        "mechanism": name,
        "claim": claim,
        "runs": n,
        "contradicted": found / n,
        "low": float(low),
        "high": float(high),
        "least": float(np.min(epsilons)),
        "median": float(np.median(epsilons)),
        "attacks": ", ".join(f"{a} {choices.count(a)}" for a in dict.fromkeys(choices)),
    }


def mechanisms(kind, n_runs):
    data = load_table("location30", 500)
    for name, (mechanism, delta) in kind.items():
        epsilons, choices = [], []
        for seed in range(n_runs):
            report = run(mechanism, data, seed, delta=delta)
            epsilons.append(report.epsilon)
            choices.append(report.to_dict()["canaries"]["attack"])
        yield row_of(name, epsilons, 1.0, choices)


def randomised_response(n_runs):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(2000, 2)), rng.integers(0, 2, 2000)
    made = make_canaries(X, y, N_CANARIES, kind="far", random_state=0)
    for epsilon in (0.5, 1.0, 2.0):
        epsilons = [
            run(
                RandomisedResponse(epsilon),
                (X, y),
                seed,
                canaries=made,
                attacks=ThresholdAttack(signal="loss"),
            ).epsilon
            for seed in range(n_runs)
        ]
        yield row_of(f"randomised response of {epsilon:g}", epsilons, epsilon)


def signals(n_runs):
    data = load_table("adult", 3000)
    models = {"logistic regression": MODELS["logistic regression"]}
    models["tree, leaf 5"] = DecisionTreeClassifier(min_samples_leaf=5)
    models["10 neighbours"] = make_pipeline(StandardScaler(), KNeighborsClassifier(10))
    for name, model in models.items():
        for kinds in (*KINDS, KINDS):
            found = [
                bounds_by_attack(model, data, kinds, seed) for seed in range(n_runs)
            ]
            kind = kinds if isinstance(kinds, str) else "all three"
            means = {key: float(np.mean([f[key] for f in found])) for key in found[0]}
            yield {"model": name, "canaries": kind} | means


def bounds_by_attack(model, data, kinds, seed):
    made = make_canaries(*data, N_CANARIES, kind=kinds, random_state=seed)
    with TemporaryDirectory() as folder:
        # All attacks have the same reference models.
        options = {"canaries": made, "memory": folder}
        told = {
            attack: run(model, data, seed, attacks=attack, **options).epsilon
            for attack in ATTACKS
        }
        told["chosen by rehearsal"] = run(model, data, seed, **options).epsilon
    return told


PARTS = {
    "broken": (partial(mechanisms, BROKEN), 40),
    "kept": (partial(mechanisms, CORRECT), 40),
    "exact": (randomised_response, 400),
    "signals": (signals, 2),
}


def main():
    parser = command_line(__doc__, "canaries")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--runs", type=int, help="of each line; by default by part")
    arguments = parser.parse_args()
    # Of solvers that stop early on data that cannot be separated.
    warnings.simplefilter("ignore")
    for part in arguments.parts:
        make, n_runs = PARTS[part]
        rows = []
        for row in make(arguments.runs or n_runs):
            rows.append(row)
            # What stands, even if the rest is stopped.
            write_results(
                f"{arguments.name}_{part}",
                rows,
                n_canaries=N_CANARIES,
                n_reference_models=N_SHADOWS,
            )


if __name__ == "__main__":
    main()
