"""What quantiles store: how many records lie between two of them."""

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import KBinsDiscretizer, QuantileTransformer

from sklearn_mia.equations._registry import register_equations
from sklearn_mia.equations._stored import looked_up
from sklearn_mia.equations._system import Equations, grouped
from sklearn_mia.tables import as_array, as_dense

_SAME = 1e-9
_SAME_FRACTION = 1e-6
_FEWEST_FRACTIONS = 5
_MOST_FRACTIONS = 2000
# Distinct values of the pool on each side of a quantile among which its two are sought.
_NEIGHBOURS = 50


@register_equations(QuantileTransformer)
def equations_of_quantiles(estimator, X, y):
    r"""Number of records between consecutive different quantiles of a column.

    .. math:: \sum m [v_j < x \le v_{j+1}] = C(v_{j+1}) - C(v_j), \qquad
        C(v) = \lfloor r (N - 1) \rfloor + 1

    with r the last reference whose quantile is v. Where several records of the pool are
    at v, C may be anything up to the rank of the next reference, and has the noise of
    that. N is not stored; but a quantile between two records is at the fraction of
    :math:`r (N - 1)` between them, and many quantiles of a column tell N but for
    multiples of the number of quantiles less one. The N is taken that is nearest to
    half the pool. With N, a quantile tells the two training records itself,

    .. math:: v_j = a + f_j (b - a), \qquad f_j = r_j (N - 1) \bmod 1

    where a single pair of values of the pool fulfils that: whoever is alone at a or b
    was trained on, and nobody between them.

    Parameters
    ----------
    estimator : QuantileTransformer
        Of no more records than its `subsample`.

    X : {array-like, sparse matrix} of shape (n_records, n_features)

    y : None

    Returns
    -------
    equations : list of Equations
        "rank" and "stored value".
    """
    if sp.issparse(X) and estimator.ignore_implicit_zeros:
        return []
    X = as_dense(as_array(X)).astype(np.float64, copy=False)
    references, quantiles = estimator.references_, np.asarray(estimator.quantiles_)
    n_members = estimator.n_quantiles_
    if n_members == estimator.n_quantiles:
        n_members = _number_of_records(X, quantiles, references)
    subsample = estimator.subsample
    if n_members is None or (subsample is not None and n_members > subsample):
        return []
    ranks = references * (n_members - 1)
    low = np.floor(ranks + _SAME) + 1
    high = np.append(np.ceil(ranks[1:] - _SAME), n_members)
    fractions = ranks - np.floor(ranks + _SAME)
    found, shown = [], []
    for x, own in zip(X.T, quantiles.T, strict=True):
        if np.isnan(x).any() or np.isnan(own).any():
            continue
        shown.append(shown_by_neighbours(x, own, fractions))
        rounding = _SAME * np.abs(x).max()
        last = np.append(np.flatnonzero(np.diff(own) > rounding), len(own) - 1)
        rows = between(x, own[last], rounding, low[last], high[last], n_members)
        # The number of records follows from the pool.
        found.append(replace(rows, of_pool=True))
    if shown:
        m = _agreed(np.stack(shown))
        known = np.flatnonzero(~np.isnan(m))
        found.append(replace(looked_up(known, m[known], None), kind="stored value"))
    return found


def shown_by_neighbours(x, quantiles, fractions):
    """Membership of the records that single quantiles tell.

    Parameters
    ----------
    x : ndarray of shape (n_records,)
        The column in the pool.

    quantiles : ndarray of shape (n_quantiles,)

    fractions : ndarray of shape (n_quantiles,)
        Where each quantile is between two consecutive training records, from 0, the
        lower of them, up to 1.

    Returns
    -------
    m : ndarray of shape (n_records,)
        1 and 0 where it is told; NaN where it is not.
    """
    values, places, counts = np.unique(x, return_inverse=True, return_counts=True)
    told = np.full(len(values), np.nan)
    rounding = 8 * np.finfo(x.dtype).eps * np.abs(values).max(initial=0.0)
    for v, f in zip(quantiles, fractions, strict=True):
        first = np.searchsorted(values, v - rounding)
        last = np.searchsorted(values, v + rounding, side="right")
        if f < _SAME or f > 1 - _SAME:
            # The quantile is a training record.
            if last - first == 1 and counts[first] == 1:
                told[first] = 1
            continue
        if last > first:
            continue
        low, high = max(0, first - _NEIGHBOURS), last + _NEIGHBOURS
        a, b = values[low:first], values[last:high]
        off = np.abs(a[:, None] * (1 - f) + b * f - v)
        lower, upper = np.nonzero(off <= rounding)
        if len(lower) != 1:
            continue
        pair = [low + lower[0], last + upper[0]]
        told[pair[0] + 1 : pair[1]] = 0
        for place in pair:
            if counts[place] == 1:
                told[place] = 1
    return told[places]


def _agreed(shown):
    """What the columns say of each record, NaN where they contradict each other."""
    said_in, said_out = (shown == 1).any(axis=0), (shown == 0).any(axis=0)
    return np.where(said_in == said_out, np.nan, said_in.astype(float))


def between(x, edges, rounding, low, high, n_members, kind="rank"):
    """How many records lie between consecutive edges of a column.

    Parameters
    ----------
    x : ndarray of shape (n_records,)
        The column in the pool.

    edges : ndarray of shape (n_edges,)
        Ascending, further apart than their rounding.

    rounding : float
        How far a value may be off an edge and yet be at it.

    low, high : ndarray of shape (n_edges,)
        Training records up to each edge; the first, but where several records of the
        pool are at the edge, when it is anything between the two.

    n_members : int
        Training records.

    kind : str, default="rank"
        What it is called.

    Returns
    -------
    equations : Equations
        One row more than edges.
    """
    place = np.searchsorted(edges + rounding, x)
    at_edge = np.searchsorted(edges - rounding, x) > place
    tied = np.bincount(place[at_edge], minlength=len(edges) + 1)[:-1] > 1
    below = np.where(tied, (low + high) / 2, low)
    doubt = np.where(tied, (high - low) / np.sqrt(12), 0.0)
    below, doubt = np.append(below, n_members), np.append(doubt, 0.0)
    b = np.diff(below, prepend=0.0)
    scale = np.hypot(doubt, np.append(0.0, doubt[:-1]))
    matrix = grouped(place[:, None], [len(b)])
    return Equations(kind, matrix, b, scale, n_members=float(n_members))


def _number_of_records(X, quantiles, references):
    """The number of records that explains where quantiles are between two of them.

    None if no number explains more quantiles than others do by chance.
    """
    steps, shown = [], []
    for x, own in zip(X.T, quantiles.T, strict=True):
        values = np.unique(x[~np.isnan(x)])
        above = np.searchsorted(values, own * (1 - np.sign(own) * _SAME))
        inside = np.flatnonzero((above > 0) & (above < len(values)))
        lower, upper = values[above[inside] - 1], values[above[inside]]
        fraction = (own[inside] - lower) / (upper - lower)
        between = (fraction > 1e-4) & (fraction < 1 - 1e-4)
        steps.append(inside[between])
        shown.append(fraction[between])
    steps = np.concatenate(steps)[:_MOST_FRACTIONS]
    shown = np.concatenate(shown)[:_MOST_FRACTIONS]
    n_steps = len(references) - 1
    if len(steps) == 0 or n_steps < 1:
        return None
    fits = np.array(
        [
            np.sum(np.abs(steps * rest / n_steps % 1 - shown) < _SAME_FRACTION)
            for rest in range(n_steps)
        ]
    )
    best = int(fits.argmax())
    if fits[best] < max(_FEWEST_FRACTIONS, 2 * np.sort(fits)[-2]):
        return None
    half = len(X) / 2
    return best + 1 + n_steps * max(1, round((half - best - 1) / n_steps))


@register_equations(KBinsDiscretizer)
def equations_of_bins(estimator, X, y):
    r"""Share of the records in each bin of equal shares.

    .. math:: \sum m \Big([v_j \le x < v_{j+1}] - \frac{1}{K}\Big) = 0

    with K the bins of the column, and a noise of one record and of half of those of
    the pool at the edges. Columns with fewer bins than asked for are left out.

    Parameters
    ----------
    estimator : KBinsDiscretizer
        With the strategy "quantile".

    X : {array-like, sparse matrix} of shape (n_records, n_features)

    y : None

    Returns
    -------
    equations : list of Equations
        "share of bin".
    """
    if estimator.strategy != "quantile":
        return []
    X, found = as_dense(as_array(X)), []
    asked = np.broadcast_to(estimator.n_bins, X.shape[1])
    for x, edges, n_bins in zip(X.T, estimator.bin_edges_, asked, strict=True):
        if len(edges) != n_bins + 1:
            continue
        place = np.searchsorted(edges[1:-1], x, side="right")
        rows = (place == np.arange(n_bins)[:, None]) - 1 / n_bins
        ties = np.array([np.sum(x == edge) for edge in edges])
        scale = 1 + (ties[:-1] + ties[1:]) / 2
        found.append(Equations("share of bin", rows, np.zeros(n_bins), scale))
    return found
