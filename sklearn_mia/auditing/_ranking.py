"""Single records, and persons, by how exposed they are."""

import numpy as np

from sklearn_mia.auditing import _evaluation
from sklearn_mia.auditing._percent import rate
from sklearn_mia.metrics import exposed_members

_DECIMALS = 6
_MOST_SHOWN = 25


def record_columns(case, scored):
    """One row a record, in input order.

    Parameters
    ----------
    case : Case

    scored : dict
        Name of each attack mapped to a `Scored`.

    Returns
    -------
    columns : dict
    """
    label = "value" if case.classes is None else "class"
    columns = {"id": case.ids, "member": case.is_member, label: case.labels}
    if case.groups is not None:
        columns["group"] = case.group_keys[case.groups]
    scores = {name: result.scores for name, result in scored.items()}
    return columns | _ranked(scores, case.is_member)


def group_columns(subjects, attacks):
    """One row a group, in the order of the keys.

    Parameters
    ----------
    subjects : Subjects
        Groups.

    attacks : list of str
        Names.

    Returns
    -------
    columns : dict
    """
    columns = {
        "key": subjects.keys,
        "member": subjects.is_member,
        "n_records": subjects.n_records,
    }
    scores = {name: subjects.judged(name)[0] for name in attacks}
    return columns | _ranked(scores, subjects.is_member)


def _ranked(scores, is_member):
    columns, exposures = {}, []
    for name, values in scores.items():
        columns[f"score_{name}"] = values
        percentile = _evaluation.percentiles(values, is_member)
        columns[f"percentile_{name}"] = percentile.round(_DECIMALS)
        exposures.append(_evaluation.exposure(values, is_member))
    risk, rank = _evaluation.consensus(np.array(exposures))
    return columns | {"risk": risk.round(_DECIMALS), "risk_rank": rank}


def most_exposed(columns):
    """The members most exposed, for the page.

    Parameters
    ----------
    columns : dict
        From :func:`record_columns` or :func:`group_columns`.

    Returns
    -------
    rows : list of dict
    """
    members = np.flatnonzero(columns["member"])
    order = members[np.argsort(columns["risk_rank"][members], kind="stable")]
    return [
        {name: column[i] for name, column in columns.items()}
        for i in order[:_MOST_SHOWN]
    ]


def exposed_told(subjects, name, **params):
    """How many members can be named with few of those named wrong.

    Parameters
    ----------
    subjects : Subjects

    name : str
        Of the attack.

    **params : dict
        Of :func:`~sklearn_mia.metrics.exposed_members`.

    Returns
    -------
    told : dict
    """
    found = exposed_members(*subjects.rows(name), **params)
    return {
        "attack": name,
        "n_named": found.n_named,
        "n_false_alarms": found.n_false_alarms,
        "false_discoveries": found.false_discoveries,
        "fewest": found.fewest,
        "max_fdr": found.max_fdr,
        "prior": found.prior,
        "note": found.note,
    }


def named_sentence(exposed, n_members, nouns):
    """How many can be named, in a sentence.

    Parameters
    ----------
    exposed : dict
        From :func:`exposed_told`.

    n_members : int

    nouns : Nouns

    Returns
    -------
    sentence : str
    """
    wrong = f"no more than {rate(exposed['max_fdr'])} of those picked wrong"
    if exposed["n_named"]:
        return (
            f"Someone who holds the records of these {n_members} {nouns.members} and "
            f"of as many {nouns.nonmembers} can pick out {exposed['n_named']} of the "
            f"{n_members}, with {wrong} (here {exposed['n_false_alarms']} of the "
            f"{nouns.nonmembers})."
        )
    return f"Nobody can be picked out with {wrong}; {exposed['note']}."
