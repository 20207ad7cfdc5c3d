"""Published attacks run again: Shokri et al. 2017 on Location-30 and on Adult.

    SKLEARN_MIA_DATA=folder OMP_NUM_THREADS=1 python benchmarks/bench_published.py

As in the paper: target and shadows are trained on equally many records, 1,200 of
Location-30 with 60 shadows and 10,000 of Adult with 20; shadows on records of their
own; an attack model for each class, a network of 64 units that sees all probabilities,
says member above .5; it is judged on the training data of the target and as many other
records. The precision is the mean over five seeds, with its t interval.

What differs: the paper's table is of a service of Google whose models are unknown, here
`MLPClassifier`, 128 tanh units and 100 epochs as the paper's own networks. Shadows
train on complementary halves of a pool, not on independent draws. The paper's attack
finds nearly every member, so the precision is also given where nine of ten are found;
and, of no shadow model, that of calling a member what is classified rightly, and the
AUC of the loss. The published figures are quoted second-hand: see the paper before you
cite them.
"""

import warnings

import numpy as np
from common import command_line, load_table, write_results
from scipy.stats import t
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import precision_score, recall_score, roc_auc_score
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import MinMaxScaler

from sklearn_mia import ShadowModelAttack, ThresholdAttack, as_records

# Accuracy on training and test data, and precision of the attack, in its Table II.
PUBLISHED = {
    "location30": {"train": 1.000, "test": 0.673, "precision": 0.678},
    "adult": {"train": 0.848, "test": 0.842, "precision": 0.503},
}
SIZES = {"location30": (1200, 60), "adult": (10_000, 20)}
NETWORK = MLPClassifier((128,), activation="tanh", alpha=1e-7, max_iter=100)
ATTACKER = MLPClassifier((64,), max_iter=50, early_stopping=False)


def precision_at(is_member, scores, recall):
    """Precision where a share of the members is found, ties accused together."""
    accused = scores >= np.quantile(scores[is_member], 1 - recall, method="lower")
    return precision_score(is_member, accused)


def one_seed(table, seed, n_shadows):
    size = SIZES[table][0]
    X, y = load_table(table, None, seed=seed, dtype=np.float32)
    X = MinMaxScaler().fit_transform(X)
    members, others, pool = np.split(np.arange(4 * size), [size, 2 * size])
    target = clone(NETWORK).set_params(random_state=seed).fit(X[members], y[members])
    attack = ShadowModelAttack(
        target,
        attack_estimator=ATTACKER,
        n_shadows=n_shadows,
        keep_models=True,
        random_state=seed,
    ).fit(as_records(X[pool], y[pool]))
    asked = np.r_[members, others]
    records, is_member = as_records(X[asked], y[asked]), asked < size
    scores = attack.score_samples(records)
    right = target.predict(X[asked]) == y[asked]
    loss = ThresholdAttack(target).fit(records).score_samples(records)
    found = {
        "train": target.score(X[members], y[members]),
        "test": target.score(X[others], y[others]),
        "precision": precision_score(is_member, scores > 0.5),
        "recall": recall_score(is_member, scores > 0.5),
        "precision at recall .9": precision_at(is_member, scores, 0.9),
        "AUC": roc_auc_score(is_member, scores),
        "precision of rightness": precision_score(is_member, right),
        "AUC of the loss": roc_auc_score(is_member, loss),
    }
    return {name: float(value) for name, value in found.items()}


def with_interval(values):
    """Mean of the seeds, and the half width of its t interval at 95 %."""
    mean, n = np.mean(values), len(values)
    if n < 2:
        return f"{mean:.3f}"
    half = t.ppf(0.975, n - 1) * np.std(values, ddof=1) / np.sqrt(n)
    return f"{mean:.3f} ± {half:.3f}"


def main():
    parser = command_line(__doc__, "published", tables=list(SIZES))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--shadows", type=int, help="default: as in the paper")
    options = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    rows, seeds = [], []
    for table in options.tables:
        n_shadows = options.shadows or SIZES[table][1]
        found = []
        for seed in range(options.seeds):
            found.append(one_seed(table, seed, n_shadows))
            print(table, seed, found[-1], flush=True)
        about = {"table": table, "shadows": n_shadows, "seeds": options.seeds}
        seeds += [about | {"seed": seed} | row for seed, row in enumerate(found)]
        for name in found[0]:
            values = [row[name] for row in found]
            published = PUBLISHED[table].get(name)
            rows.append(
                about
                | {
                    "number": name,
                    "here": with_interval(values),
                    "published": published,
                    "difference": published and float(np.mean(values)) - published,
                }
            )
    write_results(f"{options.name}_seeds", seeds)
    write_results(options.name, rows)


if __name__ == "__main__":
    main()
