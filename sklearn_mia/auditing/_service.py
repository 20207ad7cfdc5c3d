"""What an audit says of a model that can only be asked."""

from dataclasses import replace

import numpy as np

from sklearn_mia.auditing._case import FEWEST_GROUPS, check_sides_of_groups
from sklearn_mia.auditing._findings import Finding
from sklearn_mia.black_box import black_box_of
from sklearn_mia.groups import group_members


def release_of(model, release):
    """What others will have, which of a model behind a service are its answers.

    Parameters
    ----------
    model : classifier

    release : {"interface", "file"} or None
        As the caller gave it.

    Returns
    -------
    release : {"interface", "file"} or None
    """
    if black_box_of(model) is None:
        return release
    if release == "file":
        raise ValueError(
            "release='file', but the model can only be asked: its file is not at hand. "
            "Pass release='interface' or None, or audit the model itself."
        )
    return "interface"


def check_answered(model, case, answered):
    """Raise ValueError if too few records were answered for an audit.

    Parameters
    ----------
    model : classifier

    case : Case

    answered : ndarray of shape (n_records,), dtype bool
    """
    if answered.all():
        return
    sides = case.is_member[answered], ~case.is_member[answered]
    n_members, n_nonmembers = (int(side.sum()) for side in sides)
    advice = f"Pass a larger max_queries than {black_box_of(model).max_queries}."
    if min(n_members, n_nonmembers) < FEWEST_GROUPS:
        raise ValueError(
            f"The model answered for {n_members} of {int(case.is_member.sum())} "
            f"members and {n_nonmembers} of {int((~case.is_member).sum())} "
            f"non-members before max_queries was used up; expected at least "
            f"{FEWEST_GROUPS} of each. {advice}"
        )
    if case.groups is not None:
        found = group_members(case.is_member[answered], case.groups[answered])
        check_sides_of_groups(*found[1:3], advice=advice)


def of_answered(scored, answered):
    """What attacks say of the records that were answered.

    Parameters
    ----------
    scored : dict
        Name mapped to a `Scored`.

    answered : ndarray of shape (n_records,), dtype bool

    Returns
    -------
    scored : dict
    """
    n_without = int((~answered).sum())
    return {
        name: replace(
            result,
            scores=result.scores[answered],
            used=None if result.used is None else result.used[answered],
            ratios=None if result.ratios is None else result.ratios[answered],
            n_unscored=max(result.n_unscored - n_without, 0),
            rows=np.flatnonzero(answered),
        )
        for name, result in scored.items()
    }


def queries_of(model, case, answered):
    """How much a model behind a service was asked.

    Parameters
    ----------
    model : classifier

    case : Case
        Of all records given.

    answered : ndarray of shape (n_records,), dtype bool

    Returns
    -------
    queries : dict or None
        None for a model that is at hand.
    """
    service = black_box_of(model)
    if service is None:
        return None
    return {
        "n_queries": service.n_queries_,
        "max_queries": service.max_queries,
        "n_unasked": service.n_unasked_,
        "n_members_unasked": int((case.is_member & ~answered).sum()),
        "n_nonmembers_unasked": int((~case.is_member & ~answered).sum()),
    }


def check_queries(queries, n_shadows, left_out=()):
    """MIA029 and MIA030: what was not asked, and what was not trained.

    Parameters
    ----------
    queries : dict or None
        From :func:`queries_of`.

    n_shadows : int or None
        The largest number of shadow models of an attack.

    left_out : sequence of str, default=()
        Attacks for which no queries were left.

    Returns
    -------
    findings : list of Finding
    """
    if queries is None:
        return []
    found = []
    if queries["n_unasked"]:
        without = f" {', '.join(left_out)} could score none." if left_out else ""
        found.append(
            Finding(
                "MIA029",
                "warning",
                "Records never asked about",
                f"{unasked_told(queries)}{without} All numbers are about the records "
                "that were answered, and what was not asked is not shown to be safe.",
                "Audit with a larger max_queries; answers that a memory holds need not "
                "be asked for again.",
                queries,
            )
        )
    if n_shadows is None:
        found.append(
            Finding(
                "MIA030",
                "warning",
                "No shadow models",
                "The model can only be asked, and no attack trained models like it: "
                "RMIA and LiRA, the strongest by its answers, were not tried, and a "
                "small value is no proof of safety.",
                "Pass shadow_estimator, an estimator with the settings that the model "
                "was probably trained with.",
            )
        )
    return found


def check_constant(model, answer, kind):
    """MIA032: all records are answered alike.

    Parameters
    ----------
    model : classifier

    answer : ndarray of shape (n_records, n_classes) or (n_records,)
        Log-probabilities, or predictions of a regressor.

    kind : str
        How it was asked.
    """
    if len(answer) < 2 or np.any(answer != answer[0]):
        return None
    what = "label" if kind == "predict" else "probabilities"
    # Of a model at hand it is known that these are its answers, of labels that most
    # records may have one.
    is_sure = black_box_of(model) is None or kind == "predict"
    return Finding(
        "MIA032",
        "warning" if is_sure else "critical",
        "All records are answered alike",
        f"The model gave the same {what} for all {len(answer)} records: its answers "
        "tell nothing of a single one, and there is nothing in them to attack.",
        "Check that the model is the one that is in use, and that records reach it as "
        "they are.",
        {"n_records": len(answer)},
    )


def columns_in_doubt(model, right, codes):
    """Whether a service may have its columns in another order than its classes.

    Parameters
    ----------
    model : estimator or None

    right : ndarray of shape (n_records,), dtype bool, or None
        Whether the model is right about each record.

    codes : ndarray of shape (n_records,)
        Of the class labels.

    Returns
    -------
    in_doubt : bool
        If it does worse than always the commonest class would.
    """
    if model is None or right is None or black_box_of(model) is None:
        return False
    return bool(right.mean() < np.bincount(codes).max() / len(codes))


def queries_told(queries):
    """How much was asked, in sentences; none for a model that is at hand."""
    if queries is None:
        return []
    most = queries["max_queries"]
    limit = "" if most is None else f", of max_queries={most}"
    told = [
        f"The model was asked about {queries['n_queries']} different records, changed "
        f"copies included{limit}."
    ]
    if queries["n_unasked"]:
        told.append(unasked_told(queries))
    return told


def unasked_told(queries):
    """Which records were not asked about, in a sentence."""
    return (
        f"{queries['n_members_unasked']} records of members, "
        f"{queries['n_nonmembers_unasked']} of non-members and, changed copies "
        f"included, {queries['n_unasked']} different records in all were never asked "
        f"about, since max_queries={queries['max_queries']} was used up."
    )
