"""How often the 95 % intervals hold the true value, law by law.

    python benchmarks/bench_coverage.py [auc] [advantage] [tpr] [groups] [records]

Each line is a law of the scores and a number of members and non-members: the share of
the draws whose interval holds the true value, and the mean width. "groups" are records
that lie close together in groups, "records" the same without telling the groups. With
1,000 draws the standard error of a coverage of .95 is .007; .935 is what an exactly
correct interval falls below in one of 50 cells.
"""

import sys
import warnings

import numpy as np
from common import write_results
from scipy import stats

from sklearn_mia.metrics import (
    membership_advantage_interval,
    roc_auc_interval,
    tpr_at_fpr_interval,
)

N_DRAWS = 1000


class Levels:
    """Few scores, each with its probability among members and among non-members."""

    def __init__(self, members, nonmembers):
        self.members, self.nonmembers = (
            np.array(p, dtype=float) / np.sum(p) for p in (members, nonmembers)
        )

    def draw(self, rng, n1, n0):
        return np.concatenate(
            [
                rng.choice(len(p), size=n, p=p)
                for p, n in ((self.members, n1), (self.nonmembers, n0))
            ]
        ).astype(float)

    def auc(self):
        below = np.cumsum(self.nonmembers) - self.nonmembers / 2
        return float(self.members @ below)

    def rates(self):
        """FPR and TPR above each level, from none to all."""
        return [np.r_[0, np.cumsum(p[::-1])] for p in (self.nonmembers, self.members)]


class Continuous:
    """A law of members and one of non-members, both frozen laws of scipy.

    `exposed` is the share of members that stand far above all others.
    """

    def __init__(self, members, nonmembers, exposed=0.0):
        self.members, self.nonmembers, self.exposed = members, nonmembers, exposed

    def draw(self, rng, n1, n0):
        members = self.members.rvs(n1, random_state=rng)
        members[rng.random(n1) < self.exposed] = 1e6
        return np.concatenate([members, self.nonmembers.rvs(n0, random_state=rng)])

    def _grid(self):
        q = np.linspace(0, 1, 200_001)[1:-1]
        t = self.nonmembers.isf(q)
        return q, self.exposed + (1 - self.exposed) * self.members.sf(t)

    def auc(self):
        q, tpr = self._grid()
        return float(np.trapezoid(np.r_[self.exposed, tpr, 1], np.r_[0, q, 1]))

    def rates(self):
        q, tpr = self._grid()
        return np.r_[0, q, 1], np.r_[self.exposed, tpr, 1]


def rare(wrong_members, wrong_nonmembers):
    """All right but a few: correctness of an accurate model."""
    return Levels(
        [wrong_members, 1 - wrong_members], [wrong_nonmembers, 1 - wrong_nonmembers]
    )


def exposed(share):
    return Levels([1 - share, share], [1, 0])


def shifted(shift, law=stats.norm):
    return Continuous(law(shift), law(0))


LAWS = {
    "members right, 1 % of others wrong": rare(0, 0.01),
    "members right, 3 % of others wrong": rare(0, 0.03),
    ".5 % v 3 % wrong": rare(0.005, 0.03),
    "2 % v 2 % wrong": rare(0.02, 0.02),
    "3 % v 10 % wrong": rare(0.03, 0.1),
    ".2 % exposed, rest tied": exposed(0.002),
    ".3 % exposed, rest tied": exposed(0.003),
    "1 % exposed, rest tied": exposed(0.01),
    "3 % exposed, rest tied": exposed(0.03),
    "rare on both ends": Levels([0.01, 0.96, 0.03], [0.03, 0.96, 0.01]),
    "told but for 1 %": Levels([0, 1], [0.99, 0.01]),
    "told but for 2 % and 1 %": Levels([0.02, 0.98], [0.99, 0.01]),
    "five levels": Levels([1, 2, 3, 4, 5], [2, 2, 3, 4, 4]),
    "two levels": Levels([0.3, 0.7], [0.45, 0.55]),
    "no leak": shifted(0),
    "shift .5": shifted(0.5),
    "shift 1": shifted(1),
    "shift 3": shifted(3),
    "heavy tails, no leak": shifted(0, stats.cauchy),
    "heavy tails, shift 1": shifted(1, stats.cauchy),
    "skewed": Continuous(stats.lognorm(1.5), stats.lognorm(1)),
    "wider members": Continuous(stats.norm(0.5, 2), stats.norm()),
    ".2 % exposed, rest continuous": Continuous(stats.norm(), stats.norm(), 0.002),
    "2.5 % exposed, rest continuous": Continuous(stats.norm(), stats.norm(), 0.025),
}
SIZES = [(20, 20), (20, 2000), (100, 100), (300, 300), (200, 5000), (1000, 1000)]


def covered(interval, true):
    return interval.low - 1e-9 <= true <= interval.high + 1e-9


def run(metric, law, true, n1, n0, seed=0):
    rng, is_member = np.random.default_rng(seed), np.arange(n1 + n0) < n1
    hits, width = 0, 0.0
    for _ in range(N_DRAWS):
        interval = metric(is_member, law.draw(rng, n1, n0))
        hits += covered(interval, true)
        width += interval.high - interval.low
    return {
        "n_members": n1,
        "n_nonmembers": n0,
        "true": round(true, 5),
        "coverage": hits / N_DRAWS,
        "width": round(width / N_DRAWS, 5),
    }


def auc_rows():
    for name, law in LAWS.items():
        for n1, n0 in SIZES:
            yield {"law": name, **run(roc_auc_interval, law, law.auc(), n1, n0)}


def advantage_rows():
    for name, law in LAWS.items():
        fpr, tpr = law.rates()
        for n1, n0 in SIZES:
            true = float(np.max(tpr - fpr))
            yield {
                "law": name,
                **run(membership_advantage_interval, law, true, n1, n0),
            }


def tpr_rows(max_fpr=0.01):
    def metric(is_member, scores):
        return tpr_at_fpr_interval(is_member, scores, max_fpr=max_fpr)

    laws = {
        f"a level that {found:g} of members and {wrong:g} of others reach": Levels(
            [1 - found, found], [1 - wrong, wrong]
        )
        for wrong in (0.008, 0.009, 0.0095, 0.0099, 0.0101, 0.011)
        for found in (0.03, 0.1, 0.5)
    }
    laws |= {
        "three levels about the rate": Levels([0.7, 0.2, 0.1], [0.98, 0.011, 0.009]),
        "shift 1": shifted(1),
        "shift 3": shifted(3),
        "heavy tails, shift 1": shifted(1, stats.cauchy),
    }
    for name, law in laws.items():
        fpr, tpr = law.rates()
        true = float(tpr[fpr <= max_fpr + 1e-12].max())
        for n1, n0 in ((200, 1000), (1000, 1000), (3000, 3000)):
            yield {"law": name, **run(metric, law, true, n1, n0)}


def clustered(rng, n_groups, size, spread, shift):
    """Scores of `n_groups` a side whose records lie close together."""
    is_member = np.repeat(np.arange(2 * n_groups) < n_groups, size)
    centre = np.repeat(rng.normal(size=2 * n_groups), size)
    noise = rng.normal(size=centre.size)
    scores = np.sqrt(1 - spread**2) * centre + spread * noise + shift * is_member
    return is_member, scores, np.repeat(np.arange(2 * n_groups), size)


def group_rows(told=True):
    for n_groups, size in ((10, 8), (20, 8), (20, 3), (50, 8), (200, 4)):
        for spread in (0.1, 0.5, 0.9):
            for shift in (0, 1, 2):
                rng, hits, width = np.random.default_rng(0), 0, 0.0
                true = stats.norm.cdf(shift / np.sqrt(2))
                for _ in range(N_DRAWS):
                    is_member, scores, groups = clustered(
                        rng, n_groups, size, spread, shift
                    )
                    options = {"groups": groups} if told else {}
                    interval = roc_auc_interval(is_member, scores, **options)
                    hits += covered(interval, true)
                    width += interval.high - interval.low
                yield {
                    "law": f"groups of {size}, spread {spread:g}, shift {shift}",
                    "n_members": n_groups,
                    "n_nonmembers": n_groups,
                    "true": round(true, 5),
                    "coverage": hits / N_DRAWS,
                    "width": round(width / N_DRAWS, 5),
                }


TABLES = {
    "auc": auc_rows,
    "advantage": advantage_rows,
    "tpr": tpr_rows,
    "groups": group_rows,
    "records": lambda: group_rows(told=False),
}


def main():
    warnings.simplefilter("ignore")
    chosen = sys.argv[1:] or list(TABLES)
    rows = []
    for table in chosen:
        for row in TABLES[table]():
            print(table, *row.values(), sep="  ", flush=True)
            rows.append({"table": table, **row})
    write_results("coverage", rows, n_draws=N_DRAWS)


if __name__ == "__main__":
    main()
