"""The same numbers within groups of records: an average hides unequal risks."""

from itertools import pairwise

import numpy as np

from sklearn_mia.auditing._evaluation import plain_interval
from sklearn_mia.auditing._judging import can_tell, confidence_at, judge_slice, reach_of
from sklearn_mia.auditing._multiplicity import (
    AucStatistic,
    SliceDifferences,
    SlicePermuter,
    max_statistic_test,
)
from sklearn_mia.identity import cell_values
from sklearn_mia.metrics import roc_auc_interval
from sklearn_mia.metrics._power import detectable_effect
from sklearn_mia.tables import as_numbers

_MOST_CATEGORIES = 12
_QUANTILE_BINS = 5
_LOSS_BINS = 10


def slice_groups(values, n_bins=_QUANTILE_BINS):
    """Group the records by one column: categories, or quantile bins of a number.

    Parameters
    ----------
    values : array-like of shape (n_records,)

    n_bins : int, default=5

    Returns
    -------
    groups : list of (str, ndarray of shape (n_records,), dtype bool)
        Label and records of each group.
    """
    numbers = as_numbers(values)
    array = np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
    is_number = array.dtype.kind in "iuf"
    if is_number and len(np.unique(cell_values(array))) > _MOST_CATEGORIES:
        return _quantile_groups(numbers, n_bins)
    text = np.array([_shown_value(v) for v in array.tolist()], dtype=object)
    labels, counts = np.unique(text.astype(str), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    kept = sorted(order[:_MOST_CATEGORIES], key=lambda i: labels[i])
    groups = [(str(labels[i]), text == labels[i]) for i in kept]
    if len(order) > _MOST_CATEGORIES:
        rest = np.isin(text.astype(str), labels[order[_MOST_CATEGORIES:]])
        n_rest = len(order) - _MOST_CATEGORIES
        groups.append((f"{n_rest} other values", rest))
    return groups


def _shown_value(value):
    if value is None or value != value:
        return "missing"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _quantile_groups(numbers, n_bins):
    known = np.isfinite(numbers)
    edges = np.unique(np.quantile(numbers[known], np.linspace(0, 1, n_bins + 1)))
    groups = []
    for i, (low, high) in enumerate(pairwise(edges)):
        last = i == len(edges) - 2
        inside = (
            known & (numbers >= low) & (numbers <= high if last else numbers < high)
        )
        groups.append((f"{low:.4g} to {'' if last else 'below '}{high:.4g}", inside))
    if not known.all():
        groups.append(("missing", ~known))
    return groups


def loss_groups(loss):
    """Ten groups of about equal size by loss, smallest first; ties go together."""
    # Rounded, so that ties do not depend on the order of a sum.
    loss = np.round(loss, 12)
    _, place, counts = np.unique(loss, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    decile = (middle * _LOSS_BINS / len(loss)).astype(int)[place]
    return [
        (
            f"tenth {d + 1}: {loss[decile == d].min():.2g} to "
            f"{loss[decile == d].max():.2g}",
            decile == d,
        )
        for d in np.unique(decile)
    ]


def evaluate_slices(
    slicings,
    scores,
    used,
    is_member,
    permuter,
    *,
    min_size,
    confidence,
    limit=None,
    n_permutations,
    seed,
):
    """ROC AUC of each attack within each slice, corrected for all of them.

    Intervals reach as far, in standard deviations, as the largest of all these AUCs
    does in a share of 1 - confidence of the audits without a leak.

    Parameters
    ----------
    slicings : dict
        Name of each slicing mapped to its groups, from :func:`slice_groups`.

    scores, used : dict
        As in :func:`headline_statistics`.

    is_member : ndarray of shape (n_records,), dtype bool

    permuter : MembershipPermuter

    min_size : int
        Members, and non-members, that a slice needs.

    confidence : float
        Of all intervals together.

    limit : float or None, default=None
        Of the AUC.

    n_permutations, seed : int

    Returns
    -------
    rows : list of dict
        One a slice, with the attack that has the smallest corrected p-value in it;
        "outcome" as in `judge_slice`, "large" as in `can_tell`.
    """
    rows, statistics, places = [], [], []
    for slicing, groups in slicings.items():
        for label, inside in groups:
            row = {
                "slice": slicing,
                "value": label,
                "n_members": int((inside & is_member).sum()),
                "n_nonmembers": int((inside & ~is_member).sum()),
                "attack": None,
                "auc": None,
                "p_corrected": None,
                "outcome": None if limit is None else "cannot_tell",
                "large": False,
                "note": "",
            }
            rows.append(row)
            judged = {
                name: inside & (True if u is None else u) for name, u in used.items()
            }
            for name, rows_used in judged.items():
                sides = is_member[rows_used]
                if min(sides.sum(), (~sides).sum()) >= min_size:
                    statistics.append(AucStatistic(scores[name], rows_used))
                    places.append((len(rows) - 1, name, rows_used))
    tested = {i for i, _, _ in places}
    for i, row in enumerate(rows):
        if i not in tested:
            row["note"] = (
                f"fewer than {min_size} members or {min_size} non-members: too few "
                "to say anything"
            )
    if not statistics:
        return rows
    correction = max_statistic_test(
        statistics,
        is_member,
        permuter,
        n_permutations=n_permutations,
        confidence=confidence,
        seed=seed,
    )
    # Few permutations could put it below that of a single test.
    reach = max(correction.reach, reach_of(confidence))
    level = confidence_at(reach)
    found = {}
    for (i, name, inside), p_value, z in zip(
        places, correction.adjusted, correction.studentised, strict=True
    ):
        interval = roc_auc_interval(
            is_member[inside], scores[name][inside], confidence=level
        )
        found.setdefault(i, []).append(
            (z, float(p_value), name, plain_interval(interval))
        )
    for i, of_attacks in found.items():
        _, p_value, name, interval = max(of_attacks, key=lambda row: row[0])
        row = rows[i]
        row.update(attack=name, auc=interval, p_corrected=p_value)
        if limit is not None:
            row["large"] = can_tell(row["n_members"], row["n_nonmembers"], reach, limit)
            row["outcome"] = judge_slice(
                [interval for *_, interval in of_attacks], limit, row["large"]
            )
    return rows


def slice_differences(
    slicings, scores, is_member, *, min_size, confidence, n_permutations, seed
):
    """Whether the AUC of a slice differs from that of the rest by more than chance.

    Over many small slices the largest difference is large without a cause. So each is
    measured in standard deviations, and the largest of all compared with what it is
    when the slices of the members are dealt out anew among the members, and those of
    the non-members among the non-members: slices then have no part in any score, and
    overlap, share columns and leave gaps as before. A slice that is alike within and
    unlike the rest differs from it, too: the AUC over records of several kinds is lower
    than within each kind. Each record has to be a draw of its own: of groups give the
    scores of groups.

    Parameters
    ----------
    slicings : dict
        Name of each slicing mapped to its groups, from :func:`slice_groups`.

    scores : ndarray of shape (n_records,)
        Of one attack, finite.

    is_member : ndarray of shape (n_records,), dtype bool

    min_size : int
        Members, and non-members, that a slice and the rest of the records need.

    confidence : float
        Of all intervals together.

    n_permutations, seed : int

    Returns
    -------
    rows : list of dict
        One a slice: its "auc" and "auc_rest", "difference" with "low" and "high",
        "p_corrected" for having looked at all, two-sided, and "detectable", the
        smallest difference in that direction or the other that would have been found
        with a probability of .8. All of these are None, and "note" says why, where the
        slice or the rest is too small.
    """
    rows, tested = [], []
    for slicing, groups in slicings.items():
        for label, inside in groups:
            counts = [
                int(np.count_nonzero(part & side))
                for part in (inside, ~inside)
                for side in (is_member, ~is_member)
            ]
            rows.append(
                {
                    "slice": slicing,
                    "value": label,
                    "n_members": counts[0],
                    "n_nonmembers": counts[1],
                    "auc": None,
                    "auc_rest": None,
                    "difference": None,
                    "low": None,
                    "high": None,
                    "p_corrected": None,
                    "detectable": None,
                    "note": "",
                }
            )
            if min(counts) >= max(min_size, 2):
                tested.append((rows[-1], inside))
            else:
                what = "in the slice" if min(counts[:2]) < min_size else "outside it"
                rows[-1]["note"] = (
                    f"fewer than {min_size} members or {min_size} non-members {what}: "
                    "too few to say anything"
                )
    if not tested:
        return rows
    statistic = SliceDifferences(
        scores, is_member, np.array([inside for _, inside in tested])
    )
    correction = max_statistic_test(
        [statistic],
        np.arange(len(scores)),
        SlicePermuter(is_member),
        n_permutations=n_permutations,
        confidence=confidence,
        seed=seed,
    )
    # Few permutations could put it below that of a single test.
    reach = max(correction.reach, reach_of(confidence))
    up, down = np.split(correction.adjusted, 2)
    for (row, _), (auc, auc_rest, sd), of_sd, p_up, p_down in zip(
        tested, statistic.describe(), correction.sd, up, down, strict=False
    ):
        difference, unit = auc - auc_rest, float(sd * of_sd)
        row.update(
            auc=float(auc),
            auc_rest=float(auc_rest),
            difference=float(difference),
            low=max(-1.0, float(difference - reach * unit)),
            high=min(1.0, float(difference + reach * unit)),
            p_corrected=float(min(p_up, p_down)),
            detectable=min(1.0, detectable_effect(unit, reach)),
        )
    return rows


def worst_slice(slices, alpha):
    """The group with the highest lower end, if a leak was found in any.

    Parameters
    ----------
    slices : list of dict
        From :func:`evaluate_slices`.

    alpha : float
        Of the corrected p-value.

    Returns
    -------
    row : dict or None
    """
    found = [row for row in slices if row["auc"] and row["p_corrected"] <= alpha]
    found = [row for row in found if row["auc"]["low"] is not None]
    return max(found, key=lambda row: row["auc"]["low"], default=None)


def group_told(row):
    """What was seen in a group of records, in the words of verdict and finding."""
    auc = row["auc"]
    return (
        f"the group {row['slice']} {row['value']} ({row['n_members']} members), "
        f"{row['attack']} has an AUC of {auc['estimate']:.3f} ({auc['low']:.3f} to "
        f"{auc['high']:.3f}, corrected for all groups)"
    )
