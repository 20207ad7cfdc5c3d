"""The share of a table that was used: how often its interval holds, and how wide.

    python benchmarks/bench_usage.py

Each line is a law of the scores, as many known members as non-members, as many records
in the table, and the share of it that was used. Besides `dataset_usage`, which takes
the share of members by score, Fieller's interval for the mean rank among known records
and for the rate above the threshold of the largest advantage, set on one half of the
known records and judged on the other. With 1,000 draws the standard error of a coverage
of .95 is .007.
"""

import numpy as np
from common import command_line, write_results
from scipy import stats

from sklearn_mia.metrics import dataset_usage
from sklearn_mia.metrics._usage import fieller_ends

N_DRAWS = 1000
SIZES = [(100, 100), (1000, 1000)]
USAGES = [0.0, 0.1, 0.5]


def shifted(shift, share=1.0):
    def law(rng, is_member):
        moved = is_member & (rng.random(is_member.size) < share)
        return rng.normal(size=is_member.size) + shift * moved

    return law


def correct(rng, is_member):
    return (rng.random(is_member.size) < np.where(is_member, 0.95, 0.7)) * 1.0


LAWS = {
    "N(.3, 1)": shifted(0.3),
    "N(1, 1)": shifted(1),
    "N(2.5, 1)": shifted(2.5),
    "perfect": shifted(1000),
    "5 % exposed": shifted(8, 0.05),
    "right .95 and .7": correct,
}


def ranks(members, nonmembers, table, rng):
    sides = [np.sort(side) for side in (members, nonmembers)]

    def rank(scores):
        shares = [
            np.searchsorted(side, scores, side=end) / side.size / 4
            for side in sides
            for end in ("left", "right")
        ]
        return np.sum(shares, axis=0)

    return rank(members), rank(nonmembers), rank(table)


def above_threshold(members, nonmembers, table, rng):
    (chosen, members), (others, nonmembers) = (
        np.array_split(rng.permutation(side), 2) for side in (members, nonmembers)
    )
    levels = np.unique(np.concatenate([chosen, others]))
    tpr, fpr = (
        1 - np.searchsorted(np.sort(side), levels, side="left") / side.size
        for side in (chosen, others)
    )
    level = levels[np.argmax(tpr - fpr)]
    return tuple((side >= level) * 1.0 for side in (members, nonmembers, table))


def interval_of(values):
    members, nonmembers, table = values
    quantile = stats.t.ppf(0.975, min(members.size, nonmembers.size) - 1)
    moments = [
        (side.mean(), np.var(np.r_[side, 0, 1], ddof=1), side.size)
        for side in (members, nonmembers)
    ]
    ends = fieller_ends((table.mean(), table.size), *moments, quantile)
    if ends is None or ends[1] < 0 or ends[0] > 1:
        return 0.0, 1.0
    return max(ends[0], 0.0), min(ends[1], 1.0)


def compare(law, n_known, n_table, usage):
    rng = np.random.default_rng(0)
    is_member = np.arange(2 * n_known) < n_known
    used = np.arange(n_table) < round(usage * n_table)
    ends = {}
    for seed in range(N_DRAWS):
        scores, table = law(rng, is_member), law(rng, used)
        interval = dataset_usage(is_member, scores, table, random_state=seed)
        ends.setdefault("share by score", []).append((interval.low, interval.high))
        sides = scores[is_member], scores[~is_member]
        for name, method in (("rank", ranks), ("threshold", above_threshold)):
            both = interval_of(method(*sides, table, rng))
            ends.setdefault(name, []).append(both)
    return {name: np.array(values) for name, values in ends.items()}, used.mean()


def main():
    arguments = command_line(__doc__, "usage").parse_args()
    rows = []
    for name, law in LAWS.items():
        for n_known, n_table in SIZES:
            for usage in USAGES:
                ends, true = compare(law, n_known, n_table, usage)
                row = {"law": name, "known": n_known, "table": n_table, "usage": usage}
                for method, (low, high) in ((k, v.T) for k, v in ends.items()):
                    held = (low <= true + 1e-9) & (true - 1e-9 <= high)
                    row[f"{method}: held"] = float(held.mean())
                    row[f"{method}: width"] = float((high - low).mean())
                rows.append(row)
    write_results(arguments.name, rows, n_draws=N_DRAWS)


if __name__ == "__main__":
    main()
