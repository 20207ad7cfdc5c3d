"""Several attacks, one answer: the permutation test of the largest statistic."""

import math
from dataclasses import dataclass
from functools import cache

import joblib
import numpy as np
from scipy.stats import rankdata

from sklearn_mia.memory import kept
from sklearn_mia.progress import advance, steps

_CHUNK_CELLS = 4_000_000
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
        if self._rows is not None:
            members = members[:, self._rows]
        n1 = members.sum(axis=1).astype(float)
        n0 = members.shape[1] - n1
        above = members @ self._ranks - n1 * (n1 + 1) / 2
        return np.divide(
            above, n1 * n0, out=np.full(len(n1), self.chance), where=n1 * n0 > 0
        )


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
        found = np.full(len(members), self.chance)
        reach = min(
            self._n, int(4 * np.max(permitted + 1) * self._n / max(n0.min(), 1))
        )
        while True:
            at_top = members[:, self._rows[:reach]]
            spared = np.cumsum(~at_top, axis=1)
            if reach == self._n or np.all(spared[:, -1] > permitted):
                break
            reach = min(self._n, 2 * reach)
        seen = np.cumsum(at_top, axis=1)
        for i, row in enumerate(spared):
            if n1[i] == 0 or n0[i] == 0:
                continue
            block = self._block[np.searchsorted(row, permitted[i] + 1)]
            found[i] = (seen[i, block - 1] if block else 0) / n1[i]
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
        self._below = [(low + high) / 2 for low, high in self._ends]
        self._spread = [
            np.var(below / len(others), ddof=1)
            for below, others in zip(self._below, ranked[::-1], strict=True)
        ]

    def __call__(self, orders):
        """Values upwards of all slices, then downwards, for each row of a table.

        A row of `orders` tells whose slices each record gets, see `SlicePermuter`.
        """
        rows = [orders[:, side] for side in self._rows]
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
        chosen = [inside[of_side] for of_side in rows]
        n = [np.count_nonzero(of_side[0]) for of_side in chosen]
        n_rest = [of_side.shape[1] - k for of_side, k in zip(chosen, n, strict=True)]
        aucs, variance = [], 0.0
        for side in (0, 1):
            own = chosen[side].astype(np.float64)
            # Of the slice's records of the other side, how many lie below.
            below = self._slice_below(chosen[1 - side], *self._ends[side])
            of_all = self._below[side]
            both = own * below
            first = both.sum(axis=1)
            second = np.einsum("ij,ij->i", both, below)
            # The rest has those below that the slice has not.
            first_rest = of_all.sum() - own @ of_all - below.sum(axis=1) + first
            second_rest = (
                (of_all @ of_all - own @ of_all**2 + 2 * (both @ of_all) - second)
                + np.einsum("ij,ij->i", below, below)
                - 2 * (below @ of_all)
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

    @staticmethod
    def _slice_below(chosen, low, high):
        below = np.zeros((len(chosen), chosen.shape[1] + 1))
        np.cumsum(chosen, axis=1, out=below[:, 1:])
        if np.array_equal(low, high):
            return below[:, low]
        return (below[:, low] + below[:, high]) / 2


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
            for stratum in self._strata:
                labels[stratum] = generator.permutation(self._labels[stratum])
            row[:] = labels[self._units]
            if len(self._mixed):
                noise = generator.random(len(self._mixed))
                order = np.lexsort((noise, self._mixed_units))
                row[self._mixed[order]] = self._chosen
        return members


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
    tables = [np.vstack([s(is_member[None]) for s in statistics])]
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
    for start in range(0, n_permutations, chunk):
        size, made = min(chunk, n_permutations - start), []

        def make(size=size, made=made):
            made.append(size)
            members = permuter.draw(size, generator)
            values = np.vstack([s(members) for s in statistics])
            return values, generator.bit_generator.state

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
