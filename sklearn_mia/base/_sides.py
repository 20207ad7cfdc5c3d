"""Means over the IN and the OUT shadows of a record."""

import numpy as np

from sklearn_mia.identity import mix

_RECORDS_PER_BIN = 50
_MOST_BINS = 20
_MOST_REFERENCES = 20_000


def side_sum(values, members, inside):
    """Sum over the IN or the OUT shadows of each record, and their number.

    Shadow after shadow, so that a record's sum depends on its own cells alone and no
    second table is made.

    Parameters
    ----------
    values : iterable of ndarray of shape (n_records,)
        One row a shadow, NaN where a cell is missing.

    members : ndarray of shape (n_shadows, n_records), dtype bool
        True where the shadow trained on the record.

    inside : bool
        Whether the IN or the OUT shadows count.

    Returns
    -------
    total : ndarray of shape (n_records,)
        Sum over the cells that are not missing.

    count : ndarray of shape (n_records,)
        Cells that are not missing.
    """
    n_records = members.shape[1]
    total, count = np.zeros(n_records), np.zeros(n_records, dtype=int)
    for row, member in zip(values, members, strict=True):
        used = _used(row, member, inside)
        total += np.where(used, row, 0.0)
        count += used
    return total, count


def side_count(values, members, inside):
    """Number of IN or of OUT shadows of each record whose cell is not missing.

    Parameters
    ----------
    values : ndarray of shape (n_shadows, n_records)
        NaN where a cell is missing.

    members : ndarray of shape (n_shadows, n_records), dtype bool
        True where the shadow trained on the record.

    inside : bool
        Whether the IN or the OUT shadows count.

    Returns
    -------
    count : ndarray of shape (n_records,)
        Cells that are not missing.
    """
    return np.count_nonzero(_used(values, members, inside), axis=0)


def _used(values, members, inside):
    """Cells of one side that are not missing."""
    return (members == inside) & ~np.isnan(values)


def side_mean(values, members, inside):
    """Mean over the IN or the OUT shadows of each record, NaN where there is none.

    Parameters
    ----------
    values : iterable of ndarray of shape (n_records,)
        One row a shadow, NaN where a cell is missing.

    members : ndarray of shape (n_shadows, n_records), dtype bool
        True where the shadow trained on the record.

    inside : bool
        Whether the IN or the OUT shadows count.

    Returns
    -------
    mean : ndarray of shape (n_records,)
        Over the cells that are not missing.
    """
    total, count = side_sum(values, members, inside)
    return np.divide(total, count, out=np.full(len(count), np.nan), where=count > 0)


class MeanGap:
    """Mean gap between the IN and the OUT mean of a record, seen in the pool.

    Frozen when an attack is fitted; it stands in for the side of a record that no
    shadow shows. The gap is the mean over records with a like mean on the known side:
    equal-count bins, joined by straight lines.

    Parameters
    ----------
    mean_in, mean_out : ndarray of shape (n_records,)
        Means over the IN and the OUT shadows, NaN where there is none.
    """

    def __init__(self, mean_in, mean_out):
        usable = np.isfinite(mean_in) & np.isfinite(mean_out)
        gap = (mean_in - mean_out)[usable]
        self._from_out = self._binned(mean_out[usable], gap)
        self._from_in = self._binned(mean_in[usable], gap)

    @staticmethod
    def _binned(known, gap):
        return _ratio_in_bins(known, gap, np.ones(len(known)))

    def above(self, mean_out):
        """Mean gap at the given OUT means.

        Parameters
        ----------
        mean_out : ndarray of shape (n_records,)
            Means over OUT shadows.

        Returns
        -------
        gap : ndarray of shape (n_records,)
            What to add for the IN mean.
        """
        return np.interp(mean_out, *self._from_out)

    def _below(self, mean_in):
        return np.interp(mean_in, *self._from_in)

    def complete(self, mean_in, mean_out, in_pool):
        """Give every record both means.

        Parameters
        ----------
        mean_in, mean_out : ndarray of shape (n_records,)
            NaN where a side is missing. Outside the pool, the shadows that play IN
            are OUT shadows too: their mean is raised by the gap.

        in_pool : ndarray of shape (n_records,), dtype bool
            Records that the attack was fitted on.

        Returns
        -------
        mean_in, mean_out : ndarray of shape (n_records,)
            NaN only where both sides are missing.
        """
        played = np.isfinite(mean_in) & np.isfinite(mean_out) & ~in_pool
        raised = np.where(played, mean_in + self.above(mean_out), mean_in)
        from_out = mean_out + self.above(mean_out)
        from_in = mean_in - np.where(in_pool, self._below(mean_in), 0.0)
        return (
            np.where(np.isnan(mean_in), from_out, raised),
            np.where(np.isnan(mean_out), from_in, mean_out),
        )


class MeanShare(MeanGap):
    """The mean gap of residuals, as a share of the residual on the known side.

    A model with the record errs less, from either side. The share that training on a
    record takes off its residual is that of all records with about as large a one, also
    beyond the largest.

    Parameters
    ----------
    mean_in, mean_out : ndarray of shape (n_records,)
        Mean residuals over the IN and the OUT shadows, NaN where there is none.
    """

    @staticmethod
    def _binned(known, gap):
        size = np.abs(known)
        centers, shares = _ratio_in_bins(size, np.sign(known) * gap, size)
        return centers, np.minimum(shares, 0.0)

    def above(self, mean_out):
        """Mean gap at the given OUT means.

        Parameters
        ----------
        mean_out : ndarray of shape (n_records,)
            Mean residuals over OUT shadows.

        Returns
        -------
        gap : ndarray of shape (n_records,)
            What to add for the IN mean, towards 0.
        """
        return mean_out * np.interp(np.abs(mean_out), *self._from_out)

    def _below(self, mean_in):
        return mean_in * np.interp(np.abs(mean_in), *self._from_in)


def _ratio_in_bins(known, gap, weight):
    """Sum of gaps over sum of weights, in bins of equal counts by what is known."""
    if len(known) == 0:
        return np.zeros(1), np.zeros(1)
    n_bins = int(np.clip(len(known) // _RECORDS_PER_BIN, 1, _MOST_BINS))
    bins = np.array_split(np.argsort(known, kind="stable"), n_bins)
    # Bins that share a center, because of ties, become one.
    centers, group = np.unique([known[b].mean() for b in bins], return_inverse=True)
    totals, weights = (
        np.bincount(group, weights=[values[b].sum() for b in bins])
        for values in (gap, weight)
    )
    return centers, np.divide(totals, weights, out=0 * totals, where=weights > 0)


def played_members(ids, n_shadows):
    """Draw which shadow of each pair plays IN for a record outside the pool.

    Parameters
    ----------
    ids : ndarray of shape (n_records,), dtype uint64

    n_shadows : int

    Returns
    -------
    members : ndarray of shape (n_shadows, n_records), dtype bool
        By content, so that a record's score does not depend on its neighbours.
    """
    members = np.empty((n_shadows, len(ids)), dtype=bool)
    for pair in range(n_shadows // 2):
        members[2 * pair] = mix(ids ^ np.uint64(pair + 1)) & np.uint64(1) == 1
        members[2 * pair + 1] = ~members[2 * pair]
    return members


def some_rows(n_records, groups=None):
    """Rows of the pool that are enough for a threshold, whole groups if there are.

    Parameters
    ----------
    n_records : int

    groups : ndarray of shape (n_records,) or None, default=None
        Number of the group of each record.

    Returns
    -------
    rows : ndarray of shape (n_some,)
    """
    step = max(1, n_records // _MOST_REFERENCES)
    number = np.arange(n_records) if groups is None else groups
    return np.flatnonzero(number % step == 0)
