"""The same numbers within groups of records: an average hides unequal risks."""

from functools import partial

import numpy as np

from sklearn_mia.auditing._evaluation import plain_interval, tpr_row
from sklearn_mia.auditing._judging import (
    can_tell,
    can_tell_rate,
    confidence_at,
    is_reversed,
    judge_limit,
    reach_of,
    worst_outcome,
)
from sklearn_mia.auditing._multiplicity import (
    AucStatistic,
    SliceDifferences,
    SlicePermuter,
    max_statistic_test,
)
from sklearn_mia.auditing._nouns import RECORDS
from sklearn_mia.metrics import roc_auc_interval
from sklearn_mia.metrics._power import detectable_effect


def evaluate_slices(
    slicings,
    subjects,
    accesses,
    *,
    min_size,
    confidence,
    limits=(),
    nouns=RECORDS,
    n_permutations,
    seed,
):
    """ROC AUC of each attack within each slice, corrected for all of them.

    Intervals reach as far, in standard deviations, as the largest of all these AUCs
    does in a share of 1 - confidence of the audits without a leak. Rates with a limit
    share another 1 - confidence, equally: their laws are too coarse for permutations
    to tell how far the largest of them reaches.

    Parameters
    ----------
    slicings : dict
        Name of each slicing mapped to its groups, from :func:`slice_groups`.

    subjects : Subjects
        Groups of records count in a slice by their records in it.

    accesses : dict
        What an attacker holds, mapped to the names of the attacks that need no more.

    min_size : int
        Members, and non-members, that a slice needs.

    confidence : float
        Of all intervals of the AUC together, and of all those of rates.

    limits : sequence of (str, float or None, float), default=()
        Of slices, from :func:`~sklearn_mia.auditing._verdict.check_limits`.

    nouns : Nouns, default=RECORDS

    n_permutations, seed : int

    Returns
    -------
    rows : dict
        Access mapped to a list of one dict a slice, with the attack whose interval
        begins highest in it; "reversed", the attack and its AUC if its whole interval
        is below .5, or None; "limits", each as in `judge_limit`, and "outcome", the
        worst of them.
    """
    is_member = subjects.is_member
    n_rates = sum(fpr is not None for _, fpr, _ in limits)
    attacks = list(dict.fromkeys(name for names in accesses.values() for name in names))
    rows, statistics, places = [], [], []
    for slicing, groups in slicings.items():
        for label, records in groups:
            inside = subjects.labels(records)
            row = {
                "slice": slicing,
                "value": label,
                "n_members": int((inside & is_member).sum()),
                "n_nonmembers": int((inside & ~is_member).sum()),
                "attack": None,
                "auc": None,
                "p_corrected": None,
                "reversed": None,
                "limits": [],
                "outcome": "cannot_tell" if limits else None,
                "note": "",
            }
            rows.append(row)
            for name in attacks:
                scores, judged = subjects.judged(name, records)
                if judged is None:
                    judged = inside
                sides = is_member[judged]
                if min(sides.sum(), (~sides).sum()) >= min_size:
                    statistics.append(AucStatistic(scores, judged))
                    places.append((len(rows) - 1, name, scores[judged], judged))
    tested = {i for i, *_ in places}
    for i, row in enumerate(rows):
        if i not in tested:
            row["note"] = (
                f"fewer than {min_size} {nouns.members} or {min_size} "
                f"{nouns.nonmembers}: too few to say anything"
            )
    if not statistics:
        return {access: [dict(row) for row in rows] for access in accesses}
    correction = max_statistic_test(
        statistics,
        is_member,
        subjects.permuter,
        n_permutations=n_permutations,
        confidence=confidence,
        seed=seed,
    )
    # Few permutations could put it below that of a single test.
    reach = max(correction.reach, reach_of(confidence))
    level = confidence_at(reach)
    found, values = {}, {}
    for (i, name, scores, inside), p_value in zip(
        places, correction.adjusted, strict=True
    ):
        interval = roc_auc_interval(is_member[inside], scores, confidence=level)
        found.setdefault(i, []).append((float(p_value), name, plain_interval(interval)))
        values.setdefault(i, {})[name] = is_member[inside], scores
    single = 1 - (1 - confidence) / max(n_rates * len(places), 1)
    by_access = {access: [dict(row) for row in rows] for access in accesses}
    for i, of_attacks in found.items():
        sizes = rows[i]["n_members"], rows[i]["n_nonmembers"]
        large = [
            can_tell(*sizes, reach, value)
            if fpr is None
            else can_tell_rate(*sizes, single, fpr, value)
            for _, fpr, value in limits
        ]
        rate_of = partial(_rate_of, values[i], confidence=single, seed=seed)
        for access, names in accesses.items():
            held = [judged for judged in of_attacks if judged[1] in names]
            by_access[access][i].update(_of_slice(held, limits, large, rate_of))
    return by_access


def _of_slice(of_attacks, limits, large, rate_of):
    """What some attacks say in one slice."""
    if not of_attacks:
        return {}
    p_value, name, interval = max(of_attacks, key=_sureness)
    below = [(auc, name) for *_, name, auc in of_attacks if is_reversed(auc)]
    most = None
    if below:
        auc, attack = min(below, key=lambda pair: pair[0]["high"])
        most = {"attack": attack, "auc": auc}
    aucs = {name: auc for *_, name, auc in of_attacks}
    judged = [
        judge_limit(limit, list(aucs), auc_of=aucs.get, rate_of=rate_of, large=enough)
        for limit, enough in zip(limits, large, strict=True)
    ]
    return {
        "attack": name,
        "auc": interval,
        "p_corrected": p_value,
        "reversed": most,
        "limits": judged,
        "outcome": worst_outcome(judged),
    }


def _rate_of(values, name, fpr, *, confidence, seed):
    return tpr_row(*values[name], fpr, confidence, seed=seed)


def _sureness(found):
    *_, auc = found
    return (-1.0 if auc["low"] is None else auc["low"], auc["estimate"])


def slice_differences(
    slicings,
    scores,
    is_member,
    *,
    min_size,
    confidence,
    nouns=RECORDS,
    n_permutations,
    seed,
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
        Name of each slicing mapped to a list of labels and of the subjects in each.

    scores : ndarray of shape (n_subjects,)
        Of one attack, finite.

    is_member : ndarray of shape (n_subjects,), dtype bool

    min_size : int
        Members, and non-members, that a slice and the rest of the records need.

    confidence : float
        Of all intervals together.

    nouns : Nouns, default=RECORDS

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
                    f"fewer than {min_size} {nouns.members} or {min_size} "
                    f"{nouns.nonmembers} {what}: too few to say anything"
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


def worst_slice(slices, alpha, attacks=()):
    """The group with the highest lower end, if it leaks, and more than all records.

    Where all together leak, the group has to be above them with its whole interval.

    Parameters
    ----------
    slices : list of dict
        From :func:`evaluate_slices`.

    alpha : float
        Of the corrected p-value.

    attacks : list of dict, default=()
        The numbers of each attack over all; none compares with guessing.

    Returns
    -------
    row : dict or None
    """
    overall = max((row["auc"]["estimate"] for row in attacks), default=0.5)
    leak = any(row["p_corrected"] <= alpha for row in attacks)
    found = [
        row
        for row in slices
        if row["auc"] and row["p_corrected"] <= alpha and row["auc"]["low"] is not None
        if row["auc"]["low" if leak else "estimate"] > overall
    ]
    return max(found, key=lambda row: row["auc"]["low"], default=None)


def most_reversed_slice(slices):
    """The group in which an attack is surest to rank members below the others."""
    found = [row for row in slices if row["reversed"]]
    return min(found, key=lambda row: row["reversed"]["auc"]["high"], default=None)
