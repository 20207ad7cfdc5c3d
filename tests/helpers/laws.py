"""Laws of scores whose AUC, advantage and rates are known, for tests of coverage."""

import numpy as np
from scipy import optimize, stats

from sklearn_mia.groups import group_scores


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


class Persons:
    """Persons of 1 to 40 records that resemble each other; their scores are summed.

    A record scores ``shift`` above 0 if it is a member's and as far below if not, and
    shares a part of its noise, of variance `alike`, with all records of the person.
    """

    def __init__(self, shift, alike):
        self.shift, self.alike = shift, alike
        self.sizes = np.arange(1, 41)
        self.weights = self.sizes**-2.0 / np.sum(self.sizes**-2.0)
        self._means = shift * self.sizes
        self._sds = np.sqrt(alike * self.sizes**2 + (1 - alike) * self.sizes)

    def rows(self, rng, n1, n0):
        """Scores, membership and persons of the records."""
        sizes = rng.choice(self.sizes, size=n1 + n0, p=self.weights)
        person = np.repeat(np.arange(n1 + n0), sizes)
        is_member = person < n1
        common = np.sqrt(self.alike) * rng.normal(size=n1 + n0)[person]
        own = np.sqrt(1 - self.alike) * rng.normal(size=person.size)
        return np.where(is_member, 1, -1) * self.shift + common + own, is_member, person

    def draw(self, rng, n1, n0):
        scores, _, person = self.rows(rng, n1, n0)
        return group_scores(scores, person)[1]

    def auc(self):
        gap = self._means[:, None] + self._means
        sd = np.hypot(self._sds[:, None], self._sds)
        return float(self.weights @ stats.norm.cdf(gap / sd) @ self.weights)

    def rates(self, thresholds):
        """FPR and TPR above each threshold."""
        thresholds = np.reshape(thresholds, (-1, 1))
        return [
            stats.norm.sf((thresholds - mean) / self._sds) @ self.weights
            for mean in (-self._means, self._means)
        ]

    def tpr_at(self, fpr):
        threshold = optimize.brentq(lambda t: self.rates(t)[0][0] - fpr, -500, 500)
        return float(self.rates(threshold)[1][0])

    def advantage(self):
        fpr, tpr = self.rates(np.linspace(-50, 50, 200_001))
        return float(np.max(tpr - fpr))
