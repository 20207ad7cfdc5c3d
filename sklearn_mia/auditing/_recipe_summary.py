"""Many models of one procedure in a few numbers: over models, and over records."""

import numpy as np

from sklearn_mia.auditing._evaluation import (
    HEADLINE_FPR,
    all_equal,
    mean_interval,
    plain_interval,
    tpr_row,
)
from sklearn_mia.auditing._nouns import RECORDS
from sklearn_mia.auditing._same_records import (
    FEWEST_TO_CALIBRATE,
    rank_stability,
    recognised,
    records_told,
    share_found,
    standardised,
)
from sklearn_mia.metrics import min_nonmembers_for_fpr, roc_auc_interval

_EQUAL = "unknown: all models have this value"


def metrics_of(is_member, scores, fprs, confidence):
    """AUC and rates of one attack on one model, as single numbers.

    Parameters
    ----------
    is_member : ndarray of shape (n,), dtype bool

    scores : ndarray of shape (n,)

    fprs : tuple of float

    confidence : float

    Returns
    -------
    values : dict
        None for a rate that few other records, or tied scores, hide.
    """
    values = {"auc": roc_auc_interval(is_member, scores).estimate}
    for fpr in fprs:
        rate = tpr_row(is_member, scores, fpr, confidence)
        values[f"tpr@fpr={fpr:g}"] = (
            rate["tpr"]["estimate"] if rate["resolvable"] else None
        )
    return values


def summary_of(targets, fprs, confidence, nouns):
    """Mean and interval over models of each metric of each attack, strongest first.

    Parameters
    ----------
    targets : list of dict

    fprs : tuple of float

    confidence : float

    nouns : Nouns

    Returns
    -------
    rows : list of dict
    """
    rows = []
    aucs = {
        name: np.mean([target["attacks"][name]["auc"] for target in targets])
        for name in targets[0]["attacks"]
    }
    for name in sorted(aucs, key=aucs.get, reverse=True):
        for metric in ("auc", *(f"tpr@fpr={fpr:g}" for fpr in fprs)):
            values = [target["attacks"][name][metric] for target in targets]
            row = {"attack": name, "metric": metric}
            row |= _over_models(values, metric, confidence, nouns)
            row["of_records"] = None
            if targets[0]["of_records"] is not None:
                values = [target["of_records"][name][metric] for target in targets]
                row["of_records"] = _over_models(values, metric, confidence, RECORDS)
            rows.append(row)
    return rows


def _over_models(values, metric, confidence, nouns):
    if None in values:
        needed = min_nonmembers_for_fpr(float(metric.partition("=")[2]))
        note = f"needs {needed} {nouns.nonmembers}, and scores that do not tie there"
        return {"mean": None, "low": None, "high": None, "note": note}
    if all_equal(values):
        return {"mean": values[0], "low": None, "high": None, "note": _EQUAL}
    mean, low, high = mean_interval(values, confidence)
    return {"mean": mean, "low": low, "high": high, "note": ""}


def of_these_records(summary, said, vary, fprs, confidence, nouns):
    """What the models give away of the same records, by the strongest attack.

    Parameters
    ----------
    summary : list of dict
        From :func:`summary_of`.

    said : list of dict
        Of each model: "is_member", and "scores" by attack, as pairs of scores and of
        which are judged.

    vary : {"data", "seed"}

    fprs : tuple of float

    confidence : float

    nouns : Nouns

    Returns
    -------
    told : dict
        For the report.

    table : dict of list
        One row a record or group, which no file of the report has.
    """
    lead = summary[0]["attack"]
    members = np.array([one["is_member"] for one in said])
    scores = {name: _table_of(said, name) for name in said[0]["scores"]}
    fpr = min(fprs, key=lambda fpr: abs(fpr - HEADLINE_FPR))
    found = recognised(members, scores[lead], fpr)
    judged = members & np.isfinite(scores[lead])
    told = {
        "attack": lead,
        "fpr": fpr,
        "stability": rank_stability(members, scores[lead]),
        "shares": None if found is None else share_found(judged, found),
        "n_equal": sum(_are_equal(row, scores[lead][0]) for row in scores[lead][1:]),
        "calibrated": None,
        "together": None,
    }
    if vary == "seed":
        level = 1 - (1 - confidence) / len(scores)
        told["together"] = [
            {"attack": name, "auc": _together(members[0], values, level)}
            for name, values in scores.items()
        ]
    elif len(said) >= FEWEST_TO_CALIBRATE:
        told["calibrated"] = [
            {"attack": name} | row
            for name, values in scores.items()
            for row in _calibrated(members, values, fprs, confidence, nouns)
        ]
    table = {
        "id": list(said[0]["names"]),
        **records_told(members, scores[lead], found),
    }
    return told, table


def _table_of(said, name):
    rows = []
    for one in said:
        scores, used = one["scores"][name]
        rows.append(scores if used is None else np.where(used, scores, np.nan))
    return np.array(rows, dtype=float)


def _are_equal(one, two):
    return bool(np.array_equal(one, two, equal_nan=True))


def _together(is_member, scores, level):
    """AUC of the mean score over models of one half, for who has all of them."""
    known = np.isfinite(scores).all(axis=0)
    mean = scores[:, known].mean(axis=0)
    return plain_interval(roc_auc_interval(is_member[known], mean, confidence=level))


def _calibrated(members, scores, fprs, confidence, nouns):
    z = standardised(members, scores)
    known = np.isfinite(z)
    rows = [
        metrics_of(is_member[k], values[k], fprs, confidence)
        for is_member, values, k in zip(members, z, known, strict=True)
    ]
    return [
        {"metric": metric}
        | _over_models([row[metric] for row in rows], metric, confidence, nouns)
        for metric in rows[0]
    ]
