"""Laws of scores whose AUC, advantage and rates are known, for tests of coverage."""

import numpy as np
from scipy import stats


class Levels:
    """Few scores, each with its probability among members and among non-members."""

    def __init__(self, members, nonmembers):
        self.members, self.nonmembers = (
            np.array(p, dtype=float) / np.sum(p) for p in (members, nonmembers)
        )

    def draw(self, rng, n1, n0):
        sides = ((self.members, n1), (self.nonmembers, n0))
        return np.concatenate([rng.choice(len(p), size=n, p=p) * 1.0 for p, n in sides])

    def auc(self):
        return float(self.members @ (np.cumsum(self.nonmembers) - self.nonmembers / 2))

    def rates(self):
        """FPR and TPR above each level, from none to all."""
        return [np.r_[0, np.cumsum(p[::-1])] for p in (self.nonmembers, self.members)]

    def advantage(self):
        fpr, tpr = self.rates()
        return float(np.max(tpr - fpr))


class Shifted:
    """A law of scipy, and the same law moved up for members."""

    def __init__(self, shift, law=stats.norm):
        self.shift, self.law = shift, law

    def draw(self, rng, n1, n0):
        scores = self.law.rvs(size=n1 + n0, random_state=rng)
        scores[:n1] += self.shift
        return scores

    def _curve(self):
        fpr = np.linspace(0, 1, 100_001)
        return fpr, self.law.sf(self.law.isf(fpr) - self.shift)

    def auc(self):
        fpr, tpr = self._curve()
        return float(np.trapezoid(tpr, fpr))

    def advantage(self):
        fpr, tpr = self._curve()
        return float(np.max(tpr - fpr))


def wrong(members, nonmembers):
    """Whether the model is right, wrong on a few of either side."""
    return Levels([members, 1 - members], [nonmembers, 1 - nonmembers])


def exposed(share):
    """A share of the members stands above a rest that ties."""
    return Levels([1 - share, share], [1, 0])


def clustered(rng, n_groups, size, shift, spread=0.1):
    """Members, scores and groups; the records of a group lie close together."""
    groups = np.repeat(np.arange(2 * n_groups), size)
    is_member = groups < n_groups
    centre = rng.normal(size=2 * n_groups)[groups]
    noise = rng.normal(size=groups.size)
    scores = np.sqrt(1 - spread**2) * centre + spread * noise
    return is_member, scores + shift * is_member, groups


def held(metric, law, true, n1, n0, n_draws, seed=0):
    """In how many draws the interval holds the true value."""
    rng, is_member = np.random.default_rng(seed), np.arange(n1 + n0) < n1
    hits = 0
    for _ in range(n_draws):
        interval = metric(is_member, law.draw(rng, n1, n0))
        hits += interval.low - 1e-9 <= true <= interval.high + 1e-9
    return hits
