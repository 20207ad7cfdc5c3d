"""How well the audited model does on each side, and what a record is to be given."""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import r2_score

from sklearn_mia.auditing._percent import percent
from sklearn_mia.base._target import ask_target
from sklearn_mia.response import predicted_codes
from sklearn_mia.signals import absolute_error, signals_for

_MEASURES = ("accuracy", "r2")


@dataclass(frozen=True, repr=False)
class Quality:
    """How well a model does on the records of an audit.

    A pickle of it holds what the model answered.

    Attributes
    ----------
    right : ndarray of shape (n_records,), dtype bool, or None
        Whether the model is right about each record; None of a regressor.

    losses : ndarray of shape (n_records,)
        The loss of each record, the squared error of a regressor.

    compared : ndarray of shape (n_records,)
        The same in the unit of a record: the absolute error of a regressor.

    told : dict
        "accuracy" or "r2" of each side, None for the other of the two.
    """

    right: np.ndarray | None
    losses: np.ndarray
    compared: np.ndarray
    told: dict


def quality_of(case, answer, right=None):
    """How well a model does, by its answers.

    Parameters
    ----------
    case : Case

    answer : ndarray of shape (n_records, n_classes) or (n_records,)
        Log-probabilities, or predictions of a regressor.

    right : ndarray of shape (n_records,), dtype bool, or None, default=None
        Whether a classifier is right about each record.

    Returns
    -------
    quality : Quality
    """
    losses = -signals_for(case.classes).loss(answer, case.codes)
    sides = {"members": case.is_member, "nonmembers": ~case.is_member}
    told = {f"{m}_{side}": None for m in _MEASURES for side in sides}
    compared = losses
    if case.classes is None:
        compared = -absolute_error(answer, case.codes)
    for side, rows in sides.items():
        if case.classes is not None:
            told[f"accuracy_{side}"] = float(right[rows].mean())
        elif np.ptp(case.codes[rows]) > 0:
            told[f"r2_{side}"] = float(r2_score(case.codes[rows], answer[rows]))
    return Quality(right, losses, compared, told)


def ask_model(model, case, response_method="auto"):
    """Ask a model about the records of an audit.

    Parameters
    ----------
    model : fitted estimator

    case : Case

    response_method : str, default="auto"

    Returns
    -------
    responder : Responder or ValueResponder

    answer : ndarray of shape (n_records, n_classes) or (n_records,)

    right : ndarray of shape (n_records,), dtype bool, or None
        Whether a classifier is right about each record.
    """
    right = None
    if case.classes is not None:
        right = predicted_codes(model, case.asked, case.classes) == case.codes
    asked = ask_target(model, case.asked, case.classes, response_method)
    return (*asked, right)


def is_of_values(data):
    """Whether a report is about a regressor, which has no classes."""
    return data.get("classes") == []


def label_told(data):
    """What a record is to be given by the model, and in which column that is."""
    what = "value to predict" if is_of_values(data) else "class label"
    return f"{what} {data['label_column']!r}"


def sides_in_words(data, whom=("members", "non-members"), shown=percent):
    """How well the model does on each side, None where that is not known.

    Parameters
    ----------
    data : dict
        With the keys of `Quality.told`.

    whom : pair of str

    shown : callable, default=percent
        Puts a share in words.

    Returns
    -------
    sentence : str or None
    """
    of_members, of_others = whom
    accuracy, r2 = (
        [data.get(f"{m}_{side}") for side in ("members", "nonmembers")]
        for m in _MEASURES
    )
    if None not in accuracy:
        return (
            f"is right on {shown(accuracy[0])} of the {of_members} and "
            f"{shown(accuracy[1])} of the {of_others}"
        )
    if None not in r2:
        return (
            f"has an R2 of {r2[0]:.3f} on the {of_members} and of {r2[1]:.3f} on the "
            f"{of_others}"
        )
    return None
