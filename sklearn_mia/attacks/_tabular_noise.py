"""Noise that keeps a record of a mixed table possible."""

from dataclasses import dataclass
from numbers import Integral

import numpy as np
from scipy.special import ndtri

from sklearn_mia import tables
from sklearn_mia.identity import mix, record_ids

_LOW_BITS = np.uint64(0xFFFFFFFF)


@dataclass(frozen=True, repr=False)
class _Unit:
    """Columns that noise changes together.

    A pickle of it holds the smallest and the largest value.
    """

    columns: tuple
    categorical: bool
    spread: float = 0.0
    low: float = 0.0
    high: float = 0.0
    whole: bool = False


class TabularNoise:
    """Noise that keeps a record of a mixed table possible.

    A cell is changed with probability `rate`. A number gets Gaussian noise of `scale`
    standard deviations of its column, is rounded where the column holds whole numbers
    and stays within the bounds of the pool; a missing number stays missing. A category
    is replaced by the cell of a random record of the pool, the columns of a one-hot
    group together by those of one record.

    The noise depends on the content of the record, the number of the copy, the column
    and the seed: neither on the order of the records nor on how many there are.

    A pickle of it holds the categories of the pool, record by record, and the smallest
    and the largest value of each number; no other cell.

    Parameters
    ----------
    features : {ndarray, DataFrame} of shape (n_records, n_features)
        Features of the pool.

    rate, scale : float

    categorical_features : {"from_dtype"} or array-like
        As in :class:`LabelOnlyAttack`.

    one_hot_groups : sequence of array-like or None
        As in :class:`LabelOnlyAttack`.

    seed : int
    """

    def __init__(
        self, features, *, rate, scale, categorical_features, one_hot_groups, seed
    ):
        self.rate, self.scale, self.seed = rate, scale, seed
        order = np.argsort(record_ids(features), kind="stable")
        pool = tables.take(features, order)
        names = tables.column_names(pool)
        groups = [
            _chosen_columns(g, names, "one_hot_groups") for g in one_hot_groups or ()
        ]
        grouped = [c for g in groups for c in g]
        if len(grouped) != len(set(grouped)):
            raise ValueError(
                f"one_hot_groups={one_hot_groups!r} names a column twice. Each column "
                "belongs to at most one group."
            )
        by_dtype = isinstance(categorical_features, str)
        declared = (
            []
            if by_dtype
            else _chosen_columns(categorical_features, names, "categorical_features")
        )
        rest = [c for c in names if c not in set(grouped)]
        self.units = [_Unit(g, categorical=True) for g in groups]
        self.units += [self._unit(pool, c, c in set(declared)) for c in rest]
        self.n_pool = len(order)
        self._like = tables.take(pool, order[:0])
        self._drawn = [c for u in self.units if u.categorical for c in u.columns]
        self._cells = tables.only_columns(pool, self._drawn)

    @staticmethod
    def _unit(pool, name, declared):
        values = None if declared else tables.numbers_of(tables.column_of(pool, name))
        if values is None:
            return _Unit((name,), categorical=True)
        values = values[np.isfinite(values)]
        if len(np.unique(values[:1000])) <= 2 and len(np.unique(values)) <= 2:
            return _Unit((name,), categorical=True)
        return _Unit(
            (name,),
            categorical=False,
            spread=float(values.std()),
            low=float(values.min()),
            high=float(values.max()),
            whole=bool(np.all(values == np.rint(values))),
        )

    def typed(self, features):
        """Records in the types of the pool, wherever these hold them.

        Parameters
        ----------
        features : {ndarray, DataFrame} of shape (n_records, n_features)

        Returns
        -------
        features : same container
        """
        return tables.stack_tables(
            self._like, features, names=("the pool", "the records")
        )

    def copies(self, features, rows, numbers):
        """Noisy copies of records.

        Parameters
        ----------
        features : {ndarray, DataFrame} of shape (n_records, n_features)

        rows : sequence of ndarray
            The record of each copy, one array a batch.

        numbers : sequence of ndarray
            The number of each copy, among those of its record.

        Yields
        ------
        batch : same container as `features`
        """
        names = ("the pool", "the records")
        ids = record_ids(features)
        table = tables.stack_tables(self._like, features, names=names)
        columns = {c: tables.column_of(table, c) for c in tables.column_names(table)}
        values = {
            u.columns[0]: tables.numbers_of(columns[u.columns[0]])
            for u in self.units
            if not u.categorical
        }
        if self._drawn:
            own = tables.only_columns(table, self._drawn)
            cells = tables.stack_tables(self._cells, own, names=names)
            for c, place in zip(self._drawn, tables.column_names(cells), strict=True):
                columns[c] = tables.column_of(cells, place)
        start = mix(np.uint64(self.seed % 2**64))
        for row, number in zip(rows, numbers, strict=True):
            key = mix(ids[row] ^ mix(number.astype(np.uint64) + start))
            noisy = {}
            for k, unit in enumerate(self.units):
                bits = mix(key + mix(np.uint64(k)))
                changed = (bits >> np.uint64(32)) < self.rate * 2**32
                chance = ((bits & _LOW_BITS) + 0.5) / 2**32
                if unit.categorical:
                    drawn = (chance * self.n_pool).astype(np.intp)
                    source = np.where(changed, drawn, self.n_pool + row)
                    for c in unit.columns:
                        noisy[c] = tables.take(columns[c], source)
                else:
                    c = unit.columns[0]
                    own = values[c][row]
                    moved = own + self.scale * unit.spread * ndtri(chance)
                    moved = np.rint(moved) if unit.whole else moved
                    moved = np.clip(
                        moved, np.minimum(unit.low, own), np.maximum(unit.high, own)
                    )
                    noisy[c] = tables.column_like(
                        columns[c], np.where(changed, moved, own)
                    )
            yield tables.floats_like(self._like, tables.table_like(table, noisy))


def _chosen_columns(chosen, names, parameter):
    """Names of the columns chosen by name, position or mask."""
    chosen = np.asarray(chosen, dtype=None if len(chosen) else np.intp)
    names = list(names)
    if chosen.dtype == bool and len(chosen) == len(names):
        return tuple(c for c, yes in zip(names, chosen, strict=True) if yes)
    found = []
    for c in chosen.tolist():
        if c in names:
            found.append(c)
        elif isinstance(c, Integral) and -len(names) <= c < len(names):
            found.append(names[c])
        else:
            raise ValueError(
                f"{parameter} names the column {c!r}, which is not among the "
                f"{len(names)} features of the records. Pass names, positions or a "
                "mask of the features, without the class label."
            )
    return tuple(found)
