"""The blind baseline: are members told from non-members without the model."""

import numpy as np
import scipy.sparse as sp
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from sklearn_mia.auditing._case import half_of_units
from sklearn_mia.auditing._multiplicity import (
    AucStatistic,
    MembershipPermuter,
    max_statistic_test,
)
from sklearn_mia.items import item_numbers
from sklearn_mia.metrics import roc_auc_interval
from sklearn_mia.tables import as_dense, as_numbers, columns_of, is_table

# Either half of the units learns once, and is judged by the other once.
_BLIND_TURNS = 2
_MOST_BLIND_RECORDS = 10_000
_MOST_DENSE_CELLS = 50_000_000
# Gradient boosting takes a time for each column, however few the records.
_MOST_BOOSTED_COLUMNS = 256
_SCREENED_AT_A_TIME = 512


def blind_table(features, codes, groups=None):
    """Numeric table of records for a classifier that never sees the model.

    Parameters
    ----------
    features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)
        Of documents, images and the like, what `item_numbers` tells of them.

    codes : ndarray of shape (n_records,)
        Class of each record, one more column.

    groups : ndarray of shape (n_records,) or None, default=None
        Codes. The number of records of the group is one more column: a sum over more
        records differs without the model.

    Returns
    -------
    table : {ndarray, sparse array} of shape (n_records, n_features + 1 or 2)
        Text becomes the position of its value among the sorted values. A wide sparse
        table without missing values stays sparse.
    """
    more = [codes.astype(float)]
    features = features if is_table(features) else item_numbers(features)
    if groups is not None:
        more.append(np.bincount(groups)[groups].astype(float))
    if sp.issparse(features):
        is_wide = features.shape[1] >= _MOST_BOOSTED_COLUMNS
        whole = is_wide and not np.isnan(features.tocsr().data).any()
        if whole or np.prod(features.shape, dtype=float) > _MOST_DENSE_CELLS:
            beside = [sp.csr_array(column[:, None]) for column in more]
            return sp.hstack([features, *beside], format="csr")
    return np.column_stack([*map(as_numbers, columns_of(features)), *more])


def _blind_learners(table, seed):
    scaler = MaxAbsScaler() if sp.issparse(table) else StandardScaler()
    linear = {"logistic regression": make_pipeline(scaler, _logistic())}
    if sp.issparse(table) and np.prod(table.shape, dtype=float) > _MOST_DENSE_CELLS:
        return linear
    return {
        "gradient boosting": HistGradientBoostingClassifier(
            learning_rate=0.15,
            max_iter=30,
            max_leaf_nodes=15,
            max_bins=63,
            early_stopping=False,
            random_state=seed,
        )
    } | linear


def _logistic():
    return LogisticRegression(C=0.1, max_iter=1000)


def blind_auc(table, is_member, units, *, grouped=False, confidence=0.95, seed=0):
    """How well members are told from non-members without the model.

    Gradient boosting and logistic regression learn membership from the records alone
    on a random half of the units and are judged on the other half, and the other way
    round. In a wide table boosting gets the 256 columns in which the sides of its half
    differ most, by the largest gap between their distribution functions. The ends are
    means over both turns of the ends at half the error, halved again for two learners,
    which keeps the confidence level whatever the dependence of the turns.

    Parameters
    ----------
    table : {ndarray, sparse array} of shape (n_records, n_columns)
        From :func:`blind_table`.

    is_member : ndarray of shape (n_records,), dtype bool

    units : ndarray of shape (n_records,)
        Records of one unit stay on one side of each split.

    grouped : bool, default=False
        Whether a unit is one observation, as a person with several records is: the ends
        then lie as far off as permutations of whole units do.

    confidence : float, default=0.95

    seed : int, default=0

    Returns
    -------
    best : dict or None
        Of the learner with the highest lower end: "learner", "auc", "low", "high",
        "n_records". None where a side is too small to be split.
    """
    generator = np.random.default_rng(seed)
    rows = _blind_rows(units, is_member, generator)
    table, is_member, units = table[rows], is_member[rows], units[rows]
    if not sp.issparse(table):
        table = table[:, _has_values(table)]
    learners = _blind_learners(table, seed)
    level = 1 - (1 - confidence) / (2 * len(learners))
    ends = {name: [] for name in learners}
    dense = None
    if not sp.issparse(table):
        dense = np.where(np.isnan(table), np.nanmean(table, axis=0), table)
    half = half_of_units(units, generator)
    for train in (half, ~half)[:_BLIND_TURNS]:
        parts = is_member[train], is_member[~train]
        if any(min(p.sum(), (~p).sum()) < 2 for p in parts):
            return None
        for name, learner in learners.items():
            data = table if dense is None else dense
            if name == "gradient boosting":
                telling = _telling_columns(table, is_member, train)
                data = as_dense(table[:, telling])
                data = data[:, _has_values(data[train])]
            learner.fit(data[train], is_member[train])
            scores = learner.decision_function(data[~train])
            sides = is_member[~train]
            ends[name].append(
                _ends_by_group(sides, scores, units[~train], level, seed)
                if grouped
                else _ends(roc_auc_interval(sides, scores, confidence=level))
            )
    means = {name: np.mean(values, axis=0) for name, values in ends.items()}
    name = max(means, key=lambda n: means[n][1])
    auc, low, high = (float(v) for v in means[name])
    return {
        "learner": name,
        "auc": auc,
        "low": low,
        "high": high,
        "n_records": len(is_member),
    }


def _ends(interval):
    return interval.estimate, interval.low, interval.high


def _ends_by_group(is_member, scores, units, confidence, seed):
    """AUC and its ends by permuting units, which holds for a few of them, too."""
    codes = np.unique(units, return_inverse=True)[1]
    statistic = AucStatistic(scores)
    found = max_statistic_test(
        [statistic],
        is_member,
        MembershipPermuter(is_member, codes),
        confidence=confidence,
        seed=seed,
    )
    auc, reach = statistic(is_member[None])[0], found.reach * found.sd[0]
    return auc, max(auc - reach, 0.0), min(auc + reach, 1.0)


def _has_values(table):
    """Columns that are not missing altogether, which boosting does not take."""
    return ~np.all(np.isnan(table), axis=0)


def _telling_columns(table, is_member, train):
    """The columns that boosting gets: all, or those in which the sides differ most."""
    n_columns = table.shape[1]
    if n_columns <= _MOST_BOOSTED_COLUMNS:
        return slice(None)
    if sp.issparse(table):
        gaps = _largest_gaps_of_sparse(table[train], is_member[train])
    else:
        starts = range(0, n_columns, _SCREENED_AT_A_TIME)
        parts = (table[:, start : start + _SCREENED_AT_A_TIME] for start in starts)
        gaps = np.concatenate(
            [_largest_gaps(part[train], is_member[train]) for part in parts]
        )
    order = np.argsort(-gaps, kind="stable")
    return np.sort(order[:_MOST_BOOSTED_COLUMNS])


def _largest_gaps(values, is_member):
    """Largest gap between the distribution functions of the two sides, by column."""
    keys = np.nan_to_num(values.T, nan=np.finfo(float).max).copy(order="C") + 0.0
    # The last bit of a value tells its side, so that one sort carries both.
    bits = keys.view(np.uint64)
    bits &= ~np.uint64(1)
    bits |= is_member.astype(np.uint64)
    keys.sort(axis=1)
    step = 1 / is_member.sum(), -1 / (~is_member).sum()
    gaps = np.abs(np.cumsum(np.where(bits & np.uint64(1), *step), axis=1)[:, :-1])
    ends = np.diff(bits >> np.uint64(1), axis=1) != 0
    return np.max(gaps, axis=1, where=ends, initial=0.0)


def _largest_gaps_of_sparse(table, is_member):
    """The same gaps from the cells that are not zero, in whole records."""
    table = table.tocsc()
    table.sum_duplicates()
    n_columns = table.shape[1]
    n_members = int(is_member.sum())
    n_others = len(is_member) - n_members
    steps = np.where(is_member, n_others, -n_members)[table.indices]
    columns = np.repeat(np.arange(n_columns), np.diff(table.indptr))
    # One more cell a column carries all of its zeros.
    of_zeros = np.zeros(n_columns, dtype=np.int64)
    np.subtract.at(of_zeros, columns, steps)
    columns = np.concatenate([columns, np.arange(n_columns)])
    values = np.concatenate([table.data, np.zeros(n_columns)])
    order = np.lexsort((values, columns))
    columns, values = columns[order], values[order]
    # The steps of a column sum to 0.
    gaps = np.abs(np.cumsum(np.concatenate([steps, of_zeros])[order]))
    ends = np.diff(values, append=np.nan) != 0
    ends |= np.diff(columns, append=n_columns) != 0
    starts = np.searchsorted(columns, np.arange(n_columns))
    return np.maximum.reduceat(np.where(ends, gaps, 0), starts) / n_members / n_others


def _blind_rows(units, is_member, generator):
    if len(units) <= _MOST_BLIND_RECORDS:
        return np.arange(len(units))
    kept = np.sort(generator.permutation(len(units))[:_MOST_BLIND_RECORDS])
    return kept
