"""The blind baseline: are members told from non-members without the model."""

import numpy as np
import scipy.sparse as sp
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from sklearn_mia.auditing._case import half_of_units
from sklearn_mia.metrics import roc_auc_interval
from sklearn_mia.tables import as_numbers, columns_of

_BLIND_SPLITS = 5


_MOST_BLIND_RECORDS = 10_000


_MOST_DENSE_CELLS = 50_000_000


def blind_table(features, codes):
    """Numeric table of records for a classifier that never sees the model.

    Parameters
    ----------
    features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)

    codes : ndarray of shape (n_records,)
        Class of each record, one more column.

    Returns
    -------
    table : {ndarray, sparse array} of shape (n_records, n_features + 1)
        Text becomes the position of its value among the sorted values.
    """
    if sp.issparse(features):
        cells = features.shape[0] * features.shape[1]
        if cells > _MOST_DENSE_CELLS:
            return sp.hstack([features, sp.csr_array(codes[:, None])], format="csr")
    return np.column_stack(
        [*map(as_numbers, columns_of(features)), codes.astype(float)]
    )


def _blind_learners(table, seed):
    if sp.issparse(table):
        return {"logistic regression": make_pipeline(MaxAbsScaler(), _logistic())}
    return {
        "gradient boosting": HistGradientBoostingClassifier(
            max_iter=50, max_leaf_nodes=15, early_stopping=False, random_state=seed
        ),
        "logistic regression": make_pipeline(StandardScaler(), _logistic()),
    }


def _logistic():
    return LogisticRegression(C=0.1, max_iter=1000)


def blind_auc(table, is_member, units, *, confidence=0.95, seed=0):
    """How well members are told from non-members without the model.

    Gradient boosting and logistic regression learn membership from the records alone
    on a random half of the units and are judged on the other half. The ends are
    medians over five splits of the ends at half the error, halved again for two
    learners, which keeps the confidence level whatever the dependence of the splits.

    Parameters
    ----------
    table : {ndarray, sparse array} of shape (n_records, n_columns)
        From :func:`blind_table`.

    is_member : ndarray of shape (n_records,), dtype bool

    units : ndarray of shape (n_records,)
        Records of one unit stay on one side of each split.

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
    for _ in range(_BLIND_SPLITS):
        train = half_of_units(units, generator)
        parts = is_member[train], is_member[~train]
        if any(min(p.sum(), (~p).sum()) < 2 for p in parts):
            return None
        for name, learner in learners.items():
            data = table if dense is None else dense
            if name == "gradient boosting":
                data = table[:, _has_values(table[train])]
            learner.fit(data[train], is_member[train])
            scores = learner.decision_function(data[~train])
            interval = roc_auc_interval(is_member[~train], scores, confidence=level)
            ends[name].append((interval.estimate, interval.low, interval.high))
    medians = {name: np.median(values, axis=0) for name, values in ends.items()}
    name = max(medians, key=lambda n: medians[n][1])
    auc, low, high = (float(v) for v in medians[name])
    return {
        "learner": name,
        "auc": auc,
        "low": low,
        "high": high,
        "n_records": len(is_member),
    }


def _has_values(table):
    """Columns that are not missing altogether, which boosting does not take."""
    return ~np.all(np.isnan(table), axis=0)


def _blind_rows(units, is_member, generator):
    if len(units) <= _MOST_BLIND_RECORDS:
        return np.arange(len(units))
    kept = np.sort(generator.permutation(len(units))[:_MOST_BLIND_RECORDS])
    return kept
