"""How much the data of four fits tell of a forest, and what `BaggingAttack` finds.

    SKLEARN_MIA_DATA=folder OMP_NUM_THREADS=1 python benchmarks/bench_bagging_limit.py

An attacker of four fits sees of each record how the target votes, and how the trees of
the references do that cannot have seen it, and that have. Gradient boosting learns from
these numbers, and from the membership in many other targets, which no attacker knows,
the best score that they allow: it is trained on half of the records and judged on the
other half, and the other way round. What it has above the attack is what the attack
leaves; what `RMIA` has above it with 64 full shadow models takes more fits. The targets
train on an independent half of the records each, a coin for each. Values are means over
targets that the learner did not see, with a 95 % interval of the mean difference.

Results: bagging_limit.json.
"""

import tempfile

import numpy as np
from common import (
    MODELS,
    command_line,
    draw_members,
    load_table,
    write_results,
)
from scipy.stats import t
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from sklearn_mia import RMIA, BaggingAttack, as_records
from sklearn_mia.metrics import tpr_at_fpr_score

FITS, MOST_FITS = 4, 64


def seen(attack, target, X, y):
    """What four fits show of each record: a row a record."""
    right, n_out, right_in = attack.shadow_signals_.sum(axis=0).T
    answer = target.predict_proba(X)[np.arange(len(y)), y]
    n_in = attack.n_trees - n_out
    return np.column_stack(
        [answer, right / n_out.clip(1), right_in / n_in.clip(1), n_out, y]
    )


def best_score(seen_of, members, folds):
    """Scores of the last targets by a learner that was shown the others."""
    n_known = n_known_of(len(members))
    found = np.empty((len(members) - n_known, len(folds)))
    for half in (folds, ~folds):
        learner = HistGradientBoostingClassifier(
            learning_rate=0.05, max_iter=300, max_leaf_nodes=15, min_samples_leaf=200
        ).set_params(early_stopping=True, random_state=0)
        rows = np.concatenate([table[half] for table in seen_of[:n_known]])
        learner.fit(rows, np.concatenate([m[half] for m in members[:n_known]]))
        for row, table in zip(found, seen_of[n_known:], strict=True):
            row[~half] = learner.predict_proba(table[~half])[:, 1]
    return found


def power(is_member, scores, folds):
    """AUC and TPR at 1 %, of each half of the records by itself."""
    return np.mean(
        [
            (
                roc_auc_score(is_member[half], scores[half]),
                tpr_at_fpr_score(is_member[half], scores[half], max_fpr=0.01),
            )
            for half in (folds, ~folds)
        ],
        axis=0,
    )


def bench(table, model_name, n_targets, n_records):
    X, y = load_table(table, n_records)
    records = as_records(X, y)
    members = [draw_members(len(y), seed) for seed in range(n_targets)]
    folds = np.random.default_rng(1000).random(len(y)) < 0.5
    seen_of, attacked, full = [], [], []
    with tempfile.TemporaryDirectory() as memory:
        shared = {"memory": memory, "keep_models": False, "random_state": 0}
        for seed, is_member in enumerate(members):
            target = clone(MODELS[model_name]).set_params(random_state=seed)
            target.fit(X[is_member], y[is_member])
            attack = BaggingAttack(target, n_trees=100 * FITS, **shared).fit(records)
            seen_of.append(seen(attack, target, X, y))
            attacked.append(attack.score_samples(records))
            if seed >= n_known_of(n_targets):
                rmia = RMIA(
                    target, n_shadows=MOST_FITS, trees_per_shadow=None, **shared
                )
                full.append(rmia.fit(records).score_samples(records))
    best = best_score(seen_of, members, folds)
    judged = members[n_known_of(n_targets) :]
    found = np.array(
        [
            [power(m, s, folds) for m, s in zip(judged, scores, strict=True)]
            for scores in (attacked[-len(judged) :], best, full)
        ]
    )
    for i, metric in enumerate(("AUC", "TPR@1%")):
        of_attack, of_best, of_full = found[:, :, i]
        gap = of_best - of_attack
        half = t.ppf(0.975, len(gap) - 1) * gap.std(ddof=1) / np.sqrt(len(gap))
        yield {
            "table": table,
            "model": model_name,
            "records": len(y),
            "metric": metric,
            f"BaggingAttack, {FITS} fits": of_attack.mean(),
            f"best of {FITS} fits": of_best.mean(),
            "best less BaggingAttack": f"{gap.mean():.4f} ± {half:.4f}",
            f"RMIA, {MOST_FITS} fits": of_full.mean(),
        }


def n_known_of(n_targets):
    """Targets from which the learner learns; it is judged on the others."""
    return n_targets - n_targets // 4


def main():
    tables = ["adult", "bank_marketing"]
    parser = command_line(__doc__, "bagging_limit", tables=tables, n_records=4000)
    models = ["forest", "forest, leaf 5"]
    parser.add_argument("--models", nargs="+", default=models, choices=models)
    parser.add_argument("--targets", type=int, default=32)
    options = parser.parse_args()
    rows = []
    for table in options.tables:
        for model in options.models:
            rows += bench(table, model, options.targets, options.records)
            print(rows[-2:], flush=True)
    write_results(options.name, rows, targets=options.targets, records=options.records)


if __name__ == "__main__":
    main()
