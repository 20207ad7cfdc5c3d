"""How often an audit finds a leak of the size that it says it would find.

    python benchmarks/bench_stated_power.py

Each line is a set of attacks on the same records and a number of records on each side.
An audit without a leak states a size (of the AUC, or a share of exposed members); then
audits with a leak of that size through one of the attacks are drawn. The share that
alarms should be .8 or more.
"""

import numpy as np
from common import write_results
from scipy import stats

from sklearn_mia.auditing._evaluation import headline_statistics, what_would_be_seen
from sklearn_mia.auditing._multiplicity import MembershipPermuter, max_statistic_test
from sklearn_mia.auditing._run import Scored
from sklearn_mia.auditing._subjects import Subjects

N_DRAWS = 400


def continuous(rng, n):
    return rng.normal(size=n)


def few_levels(rng, n):
    return np.digitize(rng.normal(size=n), [-0.5, 0.5]).astype(float)


def correctness(rng, n):
    return (rng.random(n) < 0.9).astype(float)


def rare_errors(rng, n):
    return (rng.random(n) < 0.99).astype(float)


SETS = {
    "one continuous": [continuous],
    "continuous beside correctness": [continuous, correctness],
    "continuous beside rare errors": [continuous, rare_errors],
    "correctness beside continuous": [correctness, continuous],
    "three levels beside continuous": [few_levels, continuous],
    "three continuous": [continuous, continuous, continuous],
    "two continuous, two tied": [continuous, continuous, correctness, few_levels],
    "three levels alone": [few_levels],
}


def audit(scores, is_member, seed, n_permutations):
    scores = {str(i): s for i, s in enumerate(scores)}
    permuter = MembershipPermuter(is_member, np.arange(is_member.size))
    scored = {name: Scored(values, None, name) for name, values in scores.items()}
    subjects = Subjects(is_member, permuter, scored)
    labels, statistics = headline_statistics(subjects, list(scores))
    result = max_statistic_test(
        statistics, is_member, permuter, n_permutations=n_permutations, seed=seed
    )
    return result, labels


def raise_auc(law, scores, is_member, auc, rng):
    """Move the scores of members up until the AUC is about `auc`."""
    if law is continuous:
        return scores + np.sqrt(2) * stats.norm.ppf(auc) * is_member
    # A share q of the members moves to the top level: AUC = .5 + q (1 - AUC(top)).
    top = scores.max()
    above = np.mean(scores < top) + np.mean(scores == top) / 2
    moved = is_member & (rng.random(scores.size) < (auc - 0.5) / (above - 0.5))
    return np.where(moved, top, scores)


def rows_of(name, laws, n):
    rng, is_member = np.random.default_rng(0), np.arange(2 * n) < n
    stated = []
    for seed in range(10):
        draws = [law(rng, 2 * n) for law in laws]
        stated.append(what_would_be_seen(*audit(draws, is_member, seed, 999), n, n))
    auc = float(np.mean([s["auc"] for s in stated]))
    kinds = {"auc": auc}
    if stated[0]["exposed_share"] is not None and laws[0] is continuous:
        kinds["exposed"] = float(np.median([s["exposed_share"] for s in stated]))
    for kind, size in kinds.items():
        found = 0
        for seed in range(N_DRAWS):
            draws = [law(rng, 2 * n) for law in laws]
            if kind == "auc":
                draws[0] = raise_auc(laws[0], draws[0], is_member, size, rng)
            else:
                draws[0][: round(size * n)] += 20
            found += audit(draws, is_member, seed, 199)[0].p_value <= 0.05
        yield {
            "attacks": name,
            "n": n,
            "leak": kind,
            "stated": round(size, 4),
            "found": found / N_DRAWS,
        }


def main():
    rows = []
    for n in (100, 200, 1000):
        for name, laws in SETS.items():
            for row in rows_of(name, laws, n):
                print(*row.values(), sep="  ", flush=True)
                rows.append(row)
    write_results("stated_power", rows, n_draws=N_DRAWS)


if __name__ == "__main__":
    main()
