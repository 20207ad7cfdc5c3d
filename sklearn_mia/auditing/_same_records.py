"""What several models of one procedure give away of the same records."""

from itertools import combinations

import numpy as np
from scipy.stats import rankdata

from sklearn_mia.metrics import min_nonmembers_for_fpr

# From as many models on, half of them with a record, each is compared with itself.
FEWEST_TO_CALIBRATE = 16
TOP = 0.01
_FEWEST_WITHOUT = 3
# As many models count as the usual variance of a record, beside its own.
_PRIOR_MODELS = 4
_FEWEST_RANKED = 3


def rank_stability(members, scores):
    """How alike two models rank the records that both were trained on.

    Parameters
    ----------
    members : ndarray of shape (n_models, n_records), dtype bool

    scores : ndarray of shape (n_models, n_records)
        NaN where a record was not judged.

    Returns
    -------
    stability : dict
        Means over pairs of models: "spearman", the rank correlation of the scores of
        common members, "least", its smallest value, and "top", the share of the
        highest hundredth of the one that is in that of the other, of "n_top" records.
        None if no pair has enough of them, or all scores of a model tie.
    """
    correlations, kept, sizes = [], [], []
    for i, j in combinations(range(len(scores)), 2):
        both = members[i] & members[j] & np.isfinite(scores[i]) & np.isfinite(scores[j])
        if np.count_nonzero(both) < _FEWEST_RANKED:
            continue
        one, two = (rankdata(scores[k][both]) for k in (i, j))
        if np.ptp(one) and np.ptp(two):
            correlations.append(float(np.corrcoef(one, two)[0, 1]))
        n_top = max(1, int(np.ceil(TOP * len(one))))
        sizes.append(n_top)
        kept.append(_shared_top(one, two, n_top))
    if not correlations:
        return dict.fromkeys(("spearman", "least", "top", "n_top"))
    return {
        "spearman": float(np.mean(correlations)),
        "least": min(correlations),
        "top": float(np.mean(kept)),
        "n_top": int(np.median(sizes)),
    }


def _shared_top(one, two, n_top):
    """Share of the highest by one ranking that are among those of the other.

    Records that tie at the edge share what is left of the places.
    """
    return float(np.sum(_in_top(one, n_top) * _in_top(two, n_top)) / n_top)


def _in_top(ranks, n_top):
    """For each record the chance to be among the highest, ties broken by lot."""
    edge = np.sort(ranks)[-n_top]
    above, at = ranks > edge, ranks == edge
    return above + at * ((n_top - np.count_nonzero(above)) / np.count_nonzero(at))


def recognised(members, scores, fpr):
    """Which members each model gives away at a false-positive rate.

    Parameters
    ----------
    members, scores
        As in :func:`rank_stability`.

    fpr : float
        Of the other records of each model: at most that share of them is above the
        threshold.

    Returns
    -------
    found : ndarray of shape (n_models, n_records), dtype bool, or None
        None if a model has too few other records for that rate.
    """
    found = np.zeros(members.shape, dtype=bool)
    for model, (is_member, score) in enumerate(zip(members, scores, strict=True)):
        others = np.sort(score[~is_member & np.isfinite(score)])[::-1]
        if len(others) < min_nonmembers_for_fpr(fpr):
            return None
        with np.errstate(invalid="ignore"):
            found[model] = is_member & (score > others[int(fpr * len(others) + 1e-9)])
    return found


def standardised(members, scores):
    r"""Scores of each record against its own in the models without it.

    .. math:: z_{tj} = (s_{tj} - m_j) / \sqrt{v_j}

    with mean and variance over models that were trained without record j, and without
    model t, or one other model where t has it: so that members and others are compared
    with as many. The variance is drawn to the median of all records by
    four models.

    Parameters
    ----------
    members, scores
        As in :func:`rank_stability`.

    Returns
    -------
    z : ndarray of shape (n_models, n_records)
        NaN for a record that fewer than 3 models are without.
    """
    n_models = len(scores)
    without = ~members & np.isfinite(scores)
    z = np.full(scores.shape, np.nan)
    for model in range(n_models):
        used = without.copy()
        used[model] = False
        # The next model without the record, going round.
        order = np.roll(np.arange(n_models), -model - 1)
        first = order[np.argmax(without[order], axis=0)]
        has = np.flatnonzero(~without[model])
        used[first[has], has] = False
        n_used = used.sum(axis=0)
        enough = n_used >= _FEWEST_WITHOUT
        kept = np.where(used, np.nan_to_num(scores), 0.0)
        mean = kept.sum(axis=0) / n_used.clip(1)
        squares = np.where(used, (np.nan_to_num(scores) - mean) ** 2, 0.0).sum(axis=0)
        variance = squares / (n_used - 1).clip(1)
        usual = np.median(variance[enough]) if enough.any() else 0.0
        degrees = (n_used - 1).clip(0)
        variance = (_PRIOR_MODELS * usual + degrees * variance) / (
            _PRIOR_MODELS + degrees
        )
        difference = scores[model] - mean
        with np.errstate(divide="ignore", invalid="ignore"):
            row = np.where(
                variance > 0, difference / np.sqrt(variance), np.sign(difference)
            )
        z[model] = np.where(enough, row, np.nan)
    return z


def records_told(members, scores, found):
    """One row a record: how exposed it is, and how that changes from model to model.

    Parameters
    ----------
    members, scores
        As in :func:`rank_stability`.

    found : ndarray of shape (n_models, n_records), dtype bool, or None
        From :func:`recognised`.

    Returns
    -------
    table : dict of list
        "n_models" that were trained on it; over these the "risk", the mean share of
        the other records that it is ranked above, its standard deviation "spread", and
        "recognised", the share of models that give it away. None where there is none.
    """
    risks = np.full(scores.shape, np.nan)
    for model, (is_member, score) in enumerate(zip(members, scores, strict=True)):
        others = np.sort(score[~is_member & np.isfinite(score)])
        if not len(others):
            continue
        below, at_most = (
            np.searchsorted(others, score, side=side) for side in ("left", "right")
        )
        share = (below + at_most) / (2 * len(others))
        risks[model] = np.where(is_member & np.isfinite(score), share, np.nan)
    n_models = np.sum(np.isfinite(risks), axis=0)
    mean = np.nansum(risks, axis=0) / n_models.clip(1)
    squares = np.nansum((risks - mean) ** 2, axis=0)
    spread = np.sqrt(squares / (n_models - 1).clip(1))
    n_found = None if found is None else found.sum(axis=0)
    return {
        "n_models": n_models.tolist(),
        "risk": _or_none(mean, n_models >= 1),
        "spread": _or_none(spread, n_models >= 2),
        "recognised": [None] * len(n_models)
        if n_found is None
        else _or_none(n_found / n_models.clip(1), n_models >= 1),
    }


def _or_none(values, known):
    return [float(v) if k else None for v, k in zip(values, known, strict=True)]


def share_found(members, found):
    """Shares of the members of several models that all, or any, of these give away.

    Parameters
    ----------
    members : ndarray of shape (n_models, n_records), dtype bool
        Those that were judged.

    found : ndarray of shape (n_models, n_records), dtype bool

    Returns
    -------
    shares : dict
        "mean" over models and records, "every" and "any" of those that at least two
        models were trained on, "n" how many these are.
    """
    n_models = members.sum(axis=0)
    several = n_models >= 2
    n_found = found.sum(axis=0)[several]
    n = int(np.count_nonzero(several))
    return {
        "mean": float(found.sum() / max(members.sum(), 1)),
        "every": float(np.mean(n_found == n_models[several])) if n else None,
        "any": float(np.mean(n_found > 0)) if n else None,
        "n": n,
    }
