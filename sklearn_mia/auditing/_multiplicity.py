"""Several attacks, one answer: the permutation test of the largest statistic."""

import math
from dataclasses import dataclass
from functools import cache

import joblib
import numpy as np
from scipy.stats import rankdata

from sklearn_mia.memory import kept
from sklearn_mia.progress import advance, steps

_CHUNK_CELLS = 500_000
_MOST_AT_ONCE = 128
_ROUNDING = 1e-9
_PRIOR_RECORDS = 10


@dataclass(frozen=True)
class Correction:
    """Result of :func:`max_statistic_test`.

    Attributes
    ----------
    p_value : float
        Of the hypothesis that no statistic is larger than chance makes it.

    adjusted : ndarray of shape (n_statistics,)
        The same for each statistic, corrected for having looked at all.

    critical : float
        The largest studentised statistic exceeds it in a share of 1 - confidence of
        the audits without a leak.

    reach : float
        The studentised statistic farthest from 0, on either side, is farther in a
        share of 1 - confidence of the audits without a leak.

    observed : ndarray of shape (n_statistics,)
        The statistics of the observed membership.

    sd : ndarray of shape (n_statistics,)
        Over the permutations; 0 for a statistic that cannot vary.

    n_permutations : int
    """

    p_value: float
    adjusted: np.ndarray
    critical: float
    reach: float
    observed: np.ndarray
    sd: np.ndarray
    n_permutations: int


class AucStatistic:
    """ROC AUC of fixed scores under many memberships at a time.

    Parameters
    ----------
    scores : ndarray of shape (n_records,)

    used : ndarray of shape (n_records,), dtype bool, or None, default=None
        The records that count; None takes all.
    """

    chance = 0.5

    def __init__(self, scores, used=None):
        self._rows = None if used is None or used.all() else np.flatnonzero(used)
        self._ranks = rankdata(scores if self._rows is None else scores[self._rows])

    def __call__(self, members):
        """Value for each row of a boolean (n_permutations, n_records) table."""
        return _AucsOfEqualRecords([self])(members)[0]

    def _key(self):
        return b"" if self._rows is None else self._rows.tobytes()


class _AucsOfEqualRecords:
    """AUCs that count the same records, evaluated together.

    Parameters
    ----------
    statistics : list of AucStatistic
    """

    def __init__(self, statistics):
        self._rows = statistics[0]._rows
        ranks = [s._ranks for s in statistics]
        self._ranks = np.array([np.ones(len(ranks[0])), *ranks])

    def __call__(self, members):
        """Values of shape (n_statistics, n_permutations)."""
        if self._rows is not None:
            members = np.take(members, self._rows, axis=1)
        # Sums of halves, which are exact in any order.
        n1, *sums = self._ranks @ members.astype(np.float64).T
        n0 = members.shape[1] - n1
        above = np.array(sums) - n1 * (n1 + 1) / 2
        chance = np.full(above.shape, AucStatistic.chance)
        return np.divide(above, n1 * n0, out=chance, where=n1 * n0 > 0)


def _evaluator(statistics):
    """Function that evaluates statistics, the AUCs of equal records together.

    Parameters
    ----------
    statistics : list of callable

    Returns
    -------
    values_of : callable
        Maps a table to an array with the rows of each statistic, in their order.
    """
    together = {}
    for place, statistic in enumerate(statistics):
        if isinstance(statistic, AucStatistic):
            together.setdefault(statistic._key(), []).append(place)
    alike = [
        (places, _AucsOfEqualRecords([statistics[p] for p in places]))
        for places in together.values()
    ]

    def values_of(table):
        values = [
            None if isinstance(s, AucStatistic) else np.atleast_2d(s(table))
            for s in statistics
        ]
        for places, aucs in alike:
            for place, row in zip(places, aucs(table), strict=True):
                values[place] = row[None]
        return np.vstack(values)

    return values_of


class MeanGapStatistic:
    """Mean of values over members less that over the others, of many memberships.

    Parameters
    ----------
    values : ndarray of shape (n_records,)
    """

    def __init__(self, values):
        self._values = values - values.mean()

    def __call__(self, members):
        """Value for each row of a boolean (n_permutations, n_records) table."""
        n1 = members.sum(axis=1)
        n0 = members.shape[1] - n1
        # The values sum to 0.
        return (members @ self._values) * (1 / n1 + 1 / n0)


class TprStatistic:
    """TPR at a false-positive rate of fixed scores under many memberships at a time.

    Parameters
    ----------
    scores : ndarray of shape (n_records,)

    max_fpr : float

    used : ndarray of shape (n_records,), dtype bool, or None, default=None
        The records that count; None takes all.
    """

    def __init__(self, scores, max_fpr, used=None):
        rows = np.arange(len(scores)) if used is None else np.flatnonzero(used)
        descending = np.argsort(-scores[rows], kind="stable")
        self._rows = rows[descending]
        self._n = len(rows)
        self._is_part = self._n < len(scores)
        sorted_scores = scores[rows][descending]
        # The first position that is tied with each position.
        starts = np.r_[True, sorted_scores[1:] != sorted_scores[:-1]]
        self._block = np.maximum.accumulate(np.where(starts, np.arange(self._n), 0))
        self._max_fpr = self.chance = max_fpr

    def __call__(self, members):
        """Value for each row of a boolean (n_permutations, n_records) table."""
        n1 = (members[:, self._rows] if self._is_part else members).sum(axis=1)
        n0 = self._n - n1
        permitted = np.floor(self._max_fpr * n0 + _ROUNDING).astype(int)
        most = int(permitted.max()) + 1
        reach = int(most * self._n / max(n0.min(), 1) + 4 * math.sqrt(most)) + 8
        while True:
            reach = min(self._n, reach)
            at_top = members[:, self._rows[:reach]]
            spared = np.cumsum(~at_top, axis=1, dtype=np.int32)
            if reach == self._n or np.all(spared[:, -1] > permitted):
                break
            reach *= 2
        found = np.full(len(members), self.chance)
        usable = np.flatnonzero((n1 > 0) & (n0 > 0))
        # The first that would be one alarm too many, and all that are tied with it.
        first = (spared <= permitted[:, None]).sum(axis=1)[usable]
        block = self._block[first]
        seen = block - np.where(block > 0, spared[usable, block - 1], 0)
        found[usable] = seen / n1[usable]
        return found


class SliceDifferences:
    """How far the AUC of each slice of the records is from that of the rest.

    In standard deviations, once upwards and once downwards: the difference over the
    root of the sum of both variances, as DeLong estimates them. So slices whose scores
    differ in more than the AUC are compared fairly, too. A side of few records counts
    as if `_PRIOR_RECORDS` more had the variance of all records of that side: a slice
    whose AUC is 1 by chance is not thought to have none.

    Parameters
    ----------
    scores : ndarray of shape (n_records,)

    is_member : ndarray of shape (n_records,), dtype bool

    inside : ndarray of shape (n_slices, n_records), dtype bool
        The records of each slice; in each and outside are 2 of either side or more.
    """

    def __init__(self, scores, is_member, inside):
        self._inside = inside
        sides = [np.flatnonzero(is_member), np.flatnonzero(~is_member)]
        # Ascending by score.
        self._rows = [side[np.argsort(scores[side], kind="stable")] for side in sides]
        ranked = [scores[rows] for rows in self._rows]
        # How many of the other side lie below each record, and how many not above it.
        self._ends = [
            [np.searchsorted(others, own, side=end) for end in ("left", "right")]
            for own, others in zip(ranked, ranked[::-1], strict=True)
        ]
        if all(np.array_equal(*ends) for ends in self._ends):
            self._ends = [[low, low] for low, _ in self._ends]
        self._below = [(low + high) / 2 for low, high in self._ends]
        self._spread = [
            np.var(below / len(others), ddof=1)
            for below, others in zip(self._below, ranked[::-1], strict=True)
        ]
        # Where those begin that are tied with each record, on its own side.
        self._starts = [np.searchsorted(own, own) for own in ranked]
        self._above = [self._sum_above(side) for side in (0, 1)]

    def _sum_above(self, side):
        """Sum of `_below` over the records above each of the others, ties by half."""
        total = np.append(0.0, np.cumsum(self._below[side]))
        low, high = self._ends[1 - side]
        return total[-1] - (total[low] + total[high]) / 2

    def __call__(self, orders):
        """Values upwards of all slices, then downwards, for each row of a table.

        A row of `orders` tells whose slices each record gets, see `SlicePermuter`.
        """
        rows = [np.take(orders, side, axis=1) for side in self._rows]
        upwards = np.array([self._studentised(inside, rows) for inside in self._inside])
        return np.concatenate([upwards, -upwards])

    def describe(self):
        """AUC of each slice, of the rest, and the sd of their difference."""
        rows = [side[None] for side in self._rows]
        return np.array([self._compared(row, rows) for row in self._inside])[:, :, 0]

    def _studentised(self, inside, rows):
        auc, auc_rest, sd = self._compared(inside, rows)
        difference = auc - auc_rest
        return np.divide(difference, sd, out=np.zeros_like(sd), where=sd > _ROUNDING)

    def _compared(self, inside, rows):
        chosen = [np.take(inside, of_side) for of_side in rows]
        places = [_places(of_side) for of_side in chosen]
        counts = [_counts_before(of_side) for of_side in chosen]
        n = [of_side.shape[1] for of_side in places]
        n_rest = [of_side.shape[1] - k for of_side, k in zip(chosen, n, strict=True)]
        aucs, variance = [], 0.0
        for side in (0, 1):
            own, others = places[side], places[1 - side]
            # Of the slice's records of the other side, how many lie below.
            low, high = self._ends[side]
            below = _taken(counts[1 - side], low[own])
            if low is not high:
                below = (below + _taken(counts[1 - side], high[own])) / 2
            of_all = self._below[side]
            first = below.sum(axis=1)
            second = np.einsum("ij,ij->i", below, below)
            # The same over all records of the side, by those that lie below them.
            of_side, squares_of_side = self._of_whole_side(side, others, counts)
            # The rest has those below that the slice has not.
            gap = of_all[own] - below
            first_rest = of_all.sum() - of_side - gap.sum(axis=1)
            second_rest = (
                of_all @ of_all
                - 2 * self._above[side][others].sum(axis=1)
                + squares_of_side
                - np.einsum("ij,ij->i", gap, gap)
            )
            for total, squares, k, k_others in (
                (first, second, n[side], n[1 - side]),
                (first_rest, second_rest, n_rest[side], n_rest[1 - side]),
            ):
                spread = (squares - total**2 / k) / k_others**2
                spread = spread.clip(0) + _PRIOR_RECORDS * self._spread[side]
                variance = variance + spread / (k - 1 + _PRIOR_RECORDS) / k
                aucs.append(total / k / k_others)
        return aucs[0], aucs[1], np.sqrt(variance)

    def _of_whole_side(self, side, others, counts):
        """Sum, and sum of squares, of how many of some others each record is above."""
        ends, n_own = self._ends[1 - side], float(len(self._rows[side]))
        # Of two of the others the higher tells which records are above both.
        pairs = 2.0 * np.arange(others.shape[1]) + 1
        high = n_own - ends[1][others]
        above = high @ pairs
        if ends[0] is ends[1]:
            return high.sum(axis=1), above
        low = n_own - ends[0][others]
        lower = _taken(counts[1 - side], self._starts[1 - side][others])
        tied = np.einsum("ij,ij->i", low - high, lower)
        return (low + high).sum(axis=1) / 2, (3 * above + 2 * tied + low @ pairs) / 4


def _places(chosen):
    """Columns of the true cells of each row, of which all have as many."""
    flat = np.flatnonzero(chosen).reshape(len(chosen), -1)
    return flat - np.arange(len(chosen))[:, None] * chosen.shape[1]


def _taken(counts, columns):
    """Cells of each row in as many columns, as numbers whose squares are summed."""
    starts = np.arange(len(counts))[:, None] * counts.shape[1]
    return np.take(counts.ravel(), columns + starts).astype(np.float64)


def _counts_before(chosen):
    """How many true cells are before each column, and after the last."""
    counts = np.zeros((len(chosen), chosen.shape[1] + 1), dtype=np.int32)
    np.cumsum(chosen, axis=1, out=counts[:, 1:])
    return counts


class SlicePermuter:
    """Draw which record's slices each record gets, members apart from non-members.

    As likely as what was observed if slices have no part in the scores of either side.

    Parameters
    ----------
    is_member : ndarray of shape (n_records,), dtype bool
    """

    def __init__(self, is_member):
        self._sides = [np.flatnonzero(is_member), np.flatnonzero(~is_member)]

    def draw(self, n_permutations, generator):
        """Return a table of shape (n_permutations, n_records) of records."""
        orders = np.empty((n_permutations, sum(map(len, self._sides))), dtype=np.intp)
        for side in self._sides:
            orders[:, side] = generator.permuted(
                np.broadcast_to(side, (n_permutations, len(side))), axis=1
            )
        return orders


class MembershipPermuter:
    """Draw memberships that are as likely as the observed one if nothing leaks.

    Whole units are permuted. A unit that lies on both sides is permuted within.

    Parameters
    ----------
    is_member : ndarray of shape (n_records,), dtype bool

    units : ndarray of shape (n_records,)
        Codes from 0 to n_units - 1 of records that belong together.

    blocks : ndarray of shape (n_records,) or None, default=None
        Membership moves within a block only. The records of a unit share it.

    by_size : bool, default=False
        Whether membership moves only between units of equal size, as a split drawn
        record by record asks for.
    """

    def __init__(self, is_member, units, *, blocks=None, by_size=False):
        self._is_member = is_member
        blocks = np.zeros(len(units), dtype=int) if blocks is None else blocks
        sizes = np.bincount(units)
        n_in = np.bincount(units, weights=is_member)
        block_of = np.zeros(len(sizes), dtype=int)
        block_of[units] = blocks
        strata = np.column_stack([block_of, sizes if by_size else np.zeros_like(sizes)])
        pure = (n_in == 0) | (n_in == sizes)
        self._labels = n_in > 0
        self._units = units
        self._mixed = np.flatnonzero(~pure[units])
        stratum = np.unique(strata, axis=0, return_inverse=True)[1].ravel()
        self._strata = [
            np.flatnonzero(pure & (stratum == s)) for s in np.unique(stratum[pure])
        ]
        self._n_in = [np.count_nonzero(self._labels[s]) for s in self._strata]
        self._is_one_each = np.array_equal(units, np.arange(len(units)))
        if len(self._mixed):
            of_mixed = units[self._mixed]
            order = np.argsort(of_mixed, kind="stable")
            self._mixed = self._mixed[order]
            self._mixed_units = np.unique(of_mixed[order], return_inverse=True)[1]
            starts = np.searchsorted(self._mixed_units, self._mixed_units)
            rank = np.arange(len(self._mixed)) - starts
            self._chosen = rank < n_in[of_mixed[order]]

    def draw(self, n_permutations, generator):
        """Return a boolean table of shape (n_permutations, n_records)."""
        members = np.empty((n_permutations, len(self._is_member)), dtype=bool)
        labels = self._labels.copy()
        for row in members:
            for stratum, n_in in zip(self._strata, self._n_in, strict=True):
                labels[stratum] = _subset(len(stratum), n_in, generator)
            row[:] = labels if self._is_one_each else labels[self._units]
            if len(self._mixed):
                noise = generator.random(len(self._mixed))
                order = np.lexsort((noise, self._mixed_units))
                row[self._mixed[order]] = self._chosen
        return members


def _subset(n, size, generator):
    """Draw a subset of n things, all of one size alike, as an array of booleans.

    A coin for each thing, and as many turned again, at random, as are too many or too
    few: several times faster than a permutation.
    """
    share = min(round(size / n * 2**16), 2**16 - 1)
    drawn = generator.integers(2**16, size=n, dtype=np.uint16) < share
    excess = np.count_nonzero(drawn) - size
    if excess:
        sided = np.flatnonzero(drawn if excess > 0 else ~drawn)
        turned = generator.choice(sided, abs(excess), replace=False, shuffle=False)
        drawn[turned] = excess < 0
    return drawn


def max_statistic_test(
    statistics, is_member, permuter, *, n_permutations=999, confidence=0.95, seed=0
):
    """Test of the largest studentised statistic, by permuting membership.

    Each statistic is measured in units of its own permutations,
    ``(value - mean) / sd``, so that attacks and metrics count alike; the observed
    membership is one of the permutations. The test is exact if, without a leak, the
    permuted memberships are as likely as the observed one: the split was random, and
    the scores did not use it.

    Parameters
    ----------
    statistics : list of callable
        Each maps a boolean (n_permutations, n_records) table to values, or to one row
        of values for each of several statistics.

    is_member : ndarray of shape (n_records,), dtype bool
        The row of that table that was observed. For another permuter than that of
        memberships it is a row of what that draws.

    permuter : MembershipPermuter or SlicePermuter

    n_permutations : int, default=999

    confidence : float, default=0.95

    seed : int, default=0

    Returns
    -------
    correction : Correction
    """
    tables = [_evaluator(statistics)(is_member[None])]
    steps(n_permutations, "permutations")
    tables += _drawn(statistics, permuter, len(is_member), n_permutations, seed)
    values = np.concatenate(tables, axis=1)
    mean, sd = values.mean(axis=1), values.std(axis=1)
    usable = sd > _ROUNDING
    studentised = np.zeros_like(values)
    studentised[usable] = (values[usable] - mean[usable, None]) / sd[usable, None]
    largest = (
        studentised[usable].max(axis=0) if usable.any() else np.zeros(values.shape[1])
    )
    n_all = n_permutations + 1
    adjusted = np.ones(len(values))
    adjusted[usable] = [
        np.count_nonzero(largest >= z - _ROUNDING) / n_all
        for z in studentised[usable, 0]
    ]
    return Correction(
        p_value=float(adjusted.min()),
        adjusted=adjusted,
        critical=_exceeded_in(1 - confidence, largest[1:]),
        reach=_exceeded_in(1 - confidence, np.abs(studentised[:, 1:]).max(axis=0)),
        observed=values[:, 0],
        sd=sd,
        n_permutations=n_permutations,
    )


def _drawn(statistics, permuter, n_records, n_permutations, seed):
    """Values of the statistics under permutations, as a table for each chunk of them.

    A long test that was stopped goes on with the chunk that it was in: a memory holds
    the values of each, and where the generator was after it.
    """
    generator = np.random.default_rng(seed)
    chunk = int(np.clip(_CHUNK_CELLS // n_records, 1, _MOST_AT_ONCE))
    content = cache(lambda: joblib.hash((statistics, permuter, seed)))
    values_of = _evaluator(statistics)
    for start in range(0, n_permutations, chunk):
        size, made = min(chunk, n_permutations - start), []

        def make(size=size, made=made):
            made.append(size)
            members = permuter.draw(size, generator)
            return values_of(members), generator.bit_generator.state

        def inputs(start=start, size=size):
            return content(), start, size

        values, state = kept("permutations", inputs, make)
        generator.bit_generator.state = state
        advance(size, made=bool(made))
        yield values


def _exceeded_in(share, values):
    """The value that one more draw exceeds with no more than this probability."""
    place = math.ceil((len(values) + 1) * (1 - share) - _ROUNDING)
    return float(np.sort(values)[min(place, len(values)) - 1])
