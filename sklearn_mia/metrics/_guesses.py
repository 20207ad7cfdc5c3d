"""How often guesses about random inclusion are right under differential privacy.

Guesses are fixed by the scores and not by the outcome: which records they are about,
their order, and whether each says "in" or "out". Under (epsilon, 0)-DP each is right,
whatever the others are, with odds of at most ``exp(epsilon)`` times its prior odds. So
the numbers of right ones in nested sets are at most those of independent trials, in all
sets at once.
"""

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from scipy import signal, special, stats

# Shares of the error of guesses on both sides, "in" alone and "out" alone; and what the
# set of all records weighs beside each smaller one. By simulation: most of what is
# possible where all records leak alike, and no less than before where few do.
_SHARE_OF_BOTH, _SHARE_OF_IN, _SHARE_OF_OUT = 0.60, 0.27, 0.13
_WEIGHT_OF_ALL = 3.0
_FEWEST_OF_BOTH_SIDES = 30
_LARGEST_OF_ONE_SIDE, _RATIO_OF_ONE_SIDE, _FEWEST_OF_ONE_SIDE = 0.16, 0.63, 10
# Of the error, what delta may take before smaller sets are given up; of how many sizes
# one is kept then; and at how many standard deviations a set speaks.
_SHARE_OF_DELTA, _STEPS, _DEVIATIONS = 0.5, (1, 2, 3, 4, 6), 3.0
# The largest probability of a sum of independent trials is at most this by its standard
# deviation: Baillon, Cominetti and Vaisman (2016).
_LARGEST_MASS = 0.4689
_NEGLIGIBLE = 1e-17
# In standard deviations: all but 1e-17, and tails that are exact to 1e-30.
_REACH, _REACH_OF_TAILS = 9, 12.5
_LEAST_TAIL, _LEAST_TAIL_OF_CONVOLVED = 1e-30, 1e-9
_FEW_TO_CONVOLVE, _FEW_GROUPS = 500, 8


@dataclass(frozen=True)
class Guesses:
    """Nested sets of guesses: the first ``ends[0]``, the first ``ends[1]``, and so on.

    Attributes
    ----------
    records : ndarray of shape (n_guesses,)
        What they are about, by position.

    says_in : ndarray of shape (n_guesses,), dtype bool

    log_odds : ndarray of shape (n_guesses,)
        Prior log-odds of being right.

    ends : tuple of int
        Ascending.

    weights : tuple of float
        The larger, the larger a p-value at which the set speaks.

    level : float
        The error allowed to these sets.

    delta_of : dict of bool to float
        Delta times the number of all records expected in, if some guess says "in"
        (True), and expected out, if some says "out" (False).
    """

    records: np.ndarray
    says_in: np.ndarray
    log_odds: np.ndarray
    ends: tuple
    weights: tuple
    level: float
    delta_of: dict

    def counts(self, is_member):
        """Numbers of right guesses, one a set."""
        right = is_member[self.records] == self.says_in
        return np.cumsum(right)[np.asarray(self.ends) - 1]


def families_of(order, log_odds, delta, error):
    """Return the sets of guesses about records in ascending order of their scores.

    The highest, said to be in, and the lowest, said to be out; the highest alone; the
    lowest alone.

    Parameters
    ----------
    order : ndarray of shape (n_records,)
        Positions of the records from the lowest score to the highest.

    log_odds : ndarray of shape (n_records,)
        Prior log-odds of inclusion, by position.

    delta : float

    error : float
        Of all families together.

    Returns
    -------
    families : list of Guesses
    """
    expected_in = float(special.expit(log_odds).sum())
    of_delta = {True: delta * expected_in, False: delta * (order.size - expected_in)}
    both, one_side = _sizes_of_both_sides(order.size), _sizes_of_one_side(order.size)
    families = [
        _nested(order, log_odds, sides, kept, error * share, of_delta)
        for sides, sizes, share in (
            ((True, False), both, _SHARE_OF_BOTH),
            ((True,), one_side, _SHARE_OF_IN),
            ((False,), one_side, _SHARE_OF_OUT),
        )
        if (kept := _affordable(sizes, sides, of_delta, error * share))
    ]
    if not families:
        # A single set can do with a larger delta, if the guesses have the same odds.
        alone = ((True, False),) if not np.any(log_odds) else ((True,), (False,))
        families = [
            _nested(order, log_odds, sides, [order.size // len(alone)], error, of_delta)
            for sides in alone
        ]
    used = sum(family.level for family in families)
    return [replace(f, level=f.level * error / used) for f in families]


def _sizes_of_both_sides(n_records):
    """Return the number of records, half of it, and so on."""
    sizes = [n_records]
    while sizes[-1] // 2 >= _FEWEST_OF_BOTH_SIDES:
        sizes.append(sizes[-1] // 2)
    return sizes


def _sizes_of_one_side(n_records):
    """Return the numbers of records guessed on one side alone, descending."""
    size, sizes = _LARGEST_OF_ONE_SIDE * n_records, []
    while round(size) >= _FEWEST_OF_ONE_SIDE:
        sizes.append(round(size))
        size *= _RATIO_OF_ONE_SIDE
    return sizes


def _affordable(sizes, sides, of_delta, level):
    """Return the sizes, descending, of which delta leaves enough of the error.

    It takes about ``n delta / (z (sqrt(r) + z))`` for a set of r guesses that speaks
    at z standard deviations. Where it takes too much, sizes further apart that reach
    further down find more than the largest ones alone.
    """
    of_delta, affordable = sum(of_delta[side] for side in sides), []
    for step in _STEPS:
        kept = sizes[::step]
        losses = of_delta / (_DEVIATIONS * (np.sqrt(kept) + _DEVIATIONS))
        kept = kept[: np.count_nonzero(np.cumsum(losses) <= _SHARE_OF_DELTA * level)]
        if kept and kept[-1] < (affordable or [np.inf])[-1]:
            affordable = kept
    return affordable


def _nested(order, log_odds, sides, sizes, level, of_delta):
    """Return the sets of guesses on `sides`, of each size, descending."""
    # As many "in" as are likely to look so if members are rare or frequent.
    share_in = (0.5 + special.expit(log_odds).mean()) / 2 if len(sides) == 2 else 1.0
    n_first = round(share_in * sizes[0])
    ranked = [(order[::-1] if side else order) for side in sides]
    records = np.concatenate([ranked[0][:n_first], ranked[-1][: sizes[0] - n_first]])
    says_in = np.repeat([sides[0], sides[-1]], [n_first, sizes[0] - n_first])
    # Both sides from the outermost on, each set with its share of both.
    place = [
        (np.arange(n_first) + 0.5) / n_first,
        (np.arange(sizes[0] - n_first) + 0.5) / max(1, sizes[0] - n_first),
    ]
    turn = np.argsort(np.concatenate(place), kind="stable")
    records, says_in = records[turn], says_in[turn]
    weights = [1.0] * len(sizes)
    if len(sides) == 2:
        weights[-1] = _WEIGHT_OF_ALL
    return Guesses(
        records,
        says_in,
        np.where(says_in, log_odds[records], -log_odds[records]),
        tuple(reversed(sizes)),
        tuple(weights),
        level,
        {side: of_delta[side] for side in sides},
    )


class Claim:
    r"""What guesses say about a claim of differential privacy.

    With :math:`V_k` right guesses in set k, its tail :math:`b_k(v)` if guesses were
    independent and as often right as (epsilon, 0)-DP allows, and its weight
    :math:`w_k`, the statistic is :math:`c = \min_k b_k(V_k) / w_k`. The claim is
    contradicted if

    .. math:: P(\exists k: b_k(V_k) \le c\, w_k)
              + n \delta \sum_k \theta_k \le level

    where the first term is exact, by following the sums from set to set. For
    :math:`\theta_k`, with :math:`v_k` the least number of right guesses whose tail is
    at most :math:`c\, w_k`,

    .. math:: \theta_k = \frac{b_k (1 - b_k)}{v_k P(V_k = v_k)}

    which no function of the guesses can improve for one set: an (epsilon, delta)-DP
    procedure attains it. It follows from the sum, over records i and events K about
    the other guesses, of ``P(right, K) - exp(epsilon) o P(wrong, K)``, whose positive
    part is at most delta a record; the one of a union is at most the sum of those of
    its parts. Where prior odds differ between the guesses, :math:`\theta_k` is bounded
    by the largest probability of a sum of the same spread.

    Parameters
    ----------
    guesses : Guesses

    counts : ndarray of shape (n_sets,)
        Numbers of right guesses.
    """

    def __init__(self, guesses, counts):
        self.guesses, self.counts = guesses, counts
        starts = (0, *guesses.ends[:-1])
        self._blocks = [
            np.unique(guesses.log_odds[start:end], return_counts=True)
            for start, end in zip(starts, guesses.ends, strict=True)
        ]
        self._is_uniform = np.ptp(guesses.log_odds) == 0

    def is_contradicted(self, epsilon):
        """Tell whether so many are right too often for this epsilon."""
        # Of equal prior odds, the totals need no steps, and are often enough.
        steps = [] if self._is_uniform else self._steps(epsilon)
        totals = self._totals(steps, epsilon)
        least = self.statistic((steps, totals), self.counts)
        if least * max(self.guesses.weights) > self.guesses.level:
            return False
        if len(self.counts) == 1 and self._is_uniform:
            return self._most_often_alone(epsilon) <= self.guesses.level
        sums = steps or self._steps(epsilon), totals
        return self.most_often(epsilon, sums, least) <= self.guesses.level

    def sums(self, epsilon):
        """Sums of independent guesses: between a set and the next, and in each."""
        steps = self._steps(epsilon)
        return steps, self._totals(steps, epsilon)

    def _steps(self, epsilon):
        return [_sum_of_trials(*block, epsilon) for block in self._blocks]

    def statistic(self, sums, counts):
        """Return the smallest tail of `counts` by the weight of its set."""
        tails = [t.tail_at(count) for t, count in zip(sums[1], counts, strict=True)]
        floor = _LEAST_TAIL if self._is_uniform else _LEAST_TAIL_OF_CONVOLVED
        return max(floor, float(np.min(np.divide(tails, self.guesses.weights))))

    def bounds(self, sums, least):
        """Return the numbers that a statistic of at most `least` takes, or None."""
        return [
            total.least_with_tail(least * weight)
            for total, weight in zip(sums[1], self.guesses.weights, strict=True)
        ]

    def most_often(self, epsilon, sums, least):
        """Return how often the statistic is at most `least`, at most."""
        crossed = of_delta = 0.0
        below = Masses(0, np.ones(1))
        for k, (step, total, bound) in enumerate(
            zip(*sums, self.bounds(sums, least), strict=True)
        ):
            below = below.plus(step)
            if bound is not None:
                above, below = below.split(bound)
                crossed += above
                of_delta += self._of_delta(k, epsilon, total, bound)
        return crossed + of_delta

    def _most_often_alone(self, epsilon):
        """As `most_often` of a single set, and exact for tails of any size."""
        n_right, n_guesses = int(self.counts[0]), self.guesses.ends[0]
        log_odds = epsilon + self.guesses.log_odds[0]
        tail = stats.binom.sf(n_right - 1, n_guesses, special.expit(log_odds))
        more = np.arange(n_right, n_guesses)
        ratios = (n_guesses - more) / (more + 1) * math.exp(log_odds)
        by_mass = 1 + np.cumprod(ratios).sum()
        return (
            tail + sum(self.guesses.delta_of.values()) * (1 - tail) * by_mass / n_right
        )

    def _totals(self, steps, epsilon):
        """Masses of the numbers of right guesses in each set, were they independent."""
        if self._is_uniform:
            q = special.expit(epsilon + self.guesses.log_odds[0])
            return _binomials(np.array(self.guesses.ends), q, _REACH_OF_TAILS)
        totals = [steps[0]]
        for step in steps[1:]:
            totals.append(totals[-1].plus(step))
        return totals

    def _of_delta(self, k, epsilon, total, bound):
        """What delta adds to how often the k-th set reaches `bound` right guesses."""
        deltas = self.guesses.delta_of
        if not any(deltas.values()):
            return 0.0
        if self._is_uniform:
            tail = total.tail_at(bound)
            theta = tail * (1 - tail) / (bound * total.mass_at(bound))
            return sum(deltas.values()) * theta
        end = self.guesses.ends[k]
        log_odds, says_in = self.guesses.log_odds[:end], self.guesses.says_in[:end]
        wrong = special.expit(-epsilon - log_odds)
        pivotal = _largest_pivotal(wrong)
        return pivotal * sum(
            delta * wrong[says_in == side].max(initial=0.0)
            for side, delta in deltas.items()
        )


@dataclass(frozen=True)
class Masses:
    """Probabilities of the integers from `first`."""

    first: int
    values: np.ndarray

    def plus(self, other):
        """Masses of the sum with an independent number."""
        small = min(self.values.size, other.values.size) < _FEW_TO_CONVOLVE
        convolve = np.convolve if small else signal.fftconvolve
        values = np.maximum(convolve(self.values, other.values), 0.0)
        kept = np.flatnonzero(values > _NEGLIGIBLE)
        if not kept.size:
            return Masses(0, np.zeros(1))
        start, end = kept[0], kept[-1] + 1
        return Masses(self.first + other.first + int(start), values[start:end])

    def split(self, bound):
        """Probability of at least `bound`, and the masses below it."""
        place = min(max(0, bound - self.first), self.values.size)
        return float(self.values[place:].sum()), Masses(
            self.first, self.values[:place] if place else np.zeros(1)
        )

    @cached_property
    def _tails(self):
        return np.cumsum(self.values[::-1])[::-1]

    def mass_at(self, number):
        """Probability of `number`, which is not outside."""
        return float(self.values[number - self.first])

    def tail_at(self, number):
        """Probability of at least `number`, not below that of the last one."""
        place = min(max(0, number - self.first), self.values.size - 1)
        return float(self._tails[place])

    def least_with_tail(self, tail):
        """Return the least number whose tail is at most `tail`, or None."""
        n_small = np.searchsorted(self._tails[::-1], tail * (1 + 1e-9), side="right")
        return self.first + self._tails.size - int(n_small) if n_small else None


def _binomials(n_trials, q, reach):
    """Masses of binomial numbers within `reach` standard deviations of their means.

    All at once: a call of `pmf` costs more than what it computes.
    """
    half = reach * np.sqrt(n_trials * q * (1 - q)) + reach
    first = np.maximum(np.floor(n_trials * q - half), 0).astype(int)
    last = np.minimum(np.ceil(n_trials * q + half), n_trials).astype(int)
    numbers = [np.arange(a, b + 1) for a, b in zip(first, last, strict=True)]
    sizes = last - first + 1
    n_trials, q = (
        np.repeat(np.broadcast_to(v, sizes.shape), sizes) for v in (n_trials, q)
    )
    values = stats.binom.pmf(np.concatenate(numbers), n_trials, q)
    parts = np.split(values, np.cumsum(sizes)[:-1])
    return [Masses(int(a), part) for a, part in zip(first, parts, strict=True)]


def _sum_of_trials(log_odds, counts, epsilon):
    """Masses of the number of right ones of independent guesses.

    Parameters
    ----------
    log_odds, counts : ndarray of shape (n_groups,)
        Prior log-odds, and of how many guesses.

    epsilon : float
    """
    q = special.expit(epsilon + log_odds)
    if q.size <= _FEW_GROUPS:
        groups = _binomials(counts, q, _REACH)
    else:
        groups = [Masses(0, _many_trials(np.repeat(q, counts)))]
    total = groups[0]
    for group in groups[1:]:
        total = total.plus(group)
    return total


def _many_trials(q):
    """Masses of the number of successes of independent trials that all differ."""
    masses = np.column_stack([1 - q, q])
    while len(masses) > 1:
        if len(masses) % 2:
            masses = np.vstack([masses, np.eye(1, masses.shape[1])])
        size = 2 * masses.shape[1] - 1
        spectra = np.fft.rfft(masses, size)
        masses = np.fft.irfft(spectra[::2] * spectra[1::2], size).clip(0)
    return masses[0]


def _largest_pivotal(wrong):
    r"""Return a bound of how often one guess decides a threshold, at its most often.

    The others are kept with probability t each, and else drawn again, t uniform: the
    variance of their sum is at least ``(1 - t) (A + t B)`` with A the sum of
    ``q (1 - q)`` and B that of ``min(q, 1 - q) ** 2``, without the largest of each.
    """
    apart = wrong * (1 - wrong)
    least = np.minimum(wrong, 1 - wrong) ** 2
    a, b = (float(v.sum() - v.max()) for v in (apart, least))
    if a <= 0 or b <= 0:
        return 1.0
    return min(1.0, _LARGEST_MASS / math.sqrt(b) * math.acos((a - b) / (a + b)))


def lower_end(claim, start=0.0, tolerance=1e-4):
    """Return the epsilon from which on a claim is not contradicted, from below.

    Parameters
    ----------
    claim : Claim

    start : float, default=0.0
        What need not be looked at; returned if not contradicted.

    tolerance : float, default=1e-4

    Returns
    -------
    epsilon : float
    """
    if not claim.is_contradicted(start):
        return start
    low, width = start, 1.0
    while claim.is_contradicted(low + width):
        low, width = low + width, 2 * width
    high = low + width
    while high - low > tolerance:
        middle = (low + high) / 2
        if claim.is_contradicted(middle):
            low = middle
        else:
            high = middle
    return low
