"""Answers, labels and membership without any records, as the case of an audit."""

import numpy as np

from sklearn_mia.auditing._case import Case, keys_and_codes, name_of_labels, one_column
from sklearn_mia.checks import check_membership, check_numbers, check_probabilities
from sklearn_mia.records import as_labels
from sklearn_mia.regression import numbers_of
from sklearn_mia.response import encode_labels, make_responder

_OF_VALUES = " Of a regressor pass its predictions with regression=True."


class _Answers:
    """A model of which only the answers are known. A pickle of it holds them."""

    def __init__(self, proba, classes):
        self.classes_ = classes
        self._proba = proba

    def predict_proba(self, X):
        return self._proba


def _ascending(classes):
    """Places of the classes in ascending order, of numbers by value."""
    try:
        return np.argsort(classes.astype(float), kind="stable")
    except (TypeError, ValueError):
        return np.argsort(classes.astype(str), kind="stable")


def case_of_predictions(
    proba,
    y,
    is_member,
    *,
    classes=None,
    groups=None,
    ids=None,
    aside=None,
    name="proba",
):
    """Check probabilities, labels and membership, without any records.

    Parameters
    ----------
    proba : array-like of shape (n_records, n_classes)

    y, is_member : array-like of shape (n_records,)

    classes : array-like of shape (n_classes,) or None, default=None

    groups, ids : array-like of shape (n_records,) or None, default=None

    aside : dict or None, default=None
        Columns by name, to tell groups of records apart.

    name : str, default="proba"
        What messages call the probabilities.

    Returns
    -------
    case : Case
        With `features`, `records` and `asked` None.

    log_proba : ndarray of shape (n_records, n_classes)
    """
    expected = "a column for each class: pass what predict_proba answered, not predict"
    proba = check_numbers(proba, name, "probabilities", expected)
    check_probabilities(proba, name, of_one_column=_OF_VALUES)
    labels, sides = _labels_and_sides(y, is_member, len(proba))
    classes = np.unique(labels) if classes is None else as_labels(classes, "classes")
    if len(classes) != proba.shape[1]:
        raise ValueError(
            f"proba has {proba.shape[1]} columns for {len(classes)} classes; pass "
            "classes, the class of each column."
        )
    # The order in which a file or a service has its columns tells nothing.
    order = _ascending(classes)
    classes, proba = classes[order], proba[:, order]
    sides = check_membership(sides, None, "is_member")
    codes = encode_labels(labels, classes)
    _, log_proba = make_responder(
        _Answers(proba, classes), None, classes, "predict_proba"
    )
    known = {"y": y, "groups": groups, "ids": ids, "aside": aside}
    return _case(labels, codes, classes, sides, **known), log_proba


def case_of_values(
    prediction,
    y,
    is_member,
    *,
    groups=None,
    ids=None,
    aside=None,
    name="proba",
    name_of_values="y",
):
    """Check the predictions of a regressor, values and membership, without any records.

    Parameters
    ----------
    prediction : array-like of shape (n_records,) or (n_records, 1)

    y, is_member : array-like of shape (n_records,)

    groups, ids : array-like of shape (n_records,) or None, default=None

    aside : dict or None, default=None
        Columns by name, to tell groups of records apart.

    name, name_of_values : str, default="proba" and "y"
        What messages call the predictions, and the values to predict.

    Returns
    -------
    case : Case
        With `features`, `records` and `asked` None.

    prediction : ndarray of shape (n_records,), dtype float64
    """
    prediction = numbers_of(
        prediction, name, "predictions", "pass what predict answered"
    )
    if prediction.ndim == 2 and prediction.shape[1] == 1:
        prediction = prediction[:, 0]
    if prediction.ndim != 1:
        raise ValueError(
            f"{name} has shape {prediction.shape}; of a regressor expected (n_records,)"
            ", the prediction for each record."
        )
    values, sides = _labels_and_sides(y, is_member, len(prediction))
    codes = numbers_of(
        values,
        name_of_values,
        "values to predict",
        "without regression=True labels are classes",
    )
    if len(codes) > 1 and np.all(prediction == prediction[0]):
        raise ValueError(
            f"{name} has one prediction for all {len(codes)} records: it tells nothing "
            "of a single one, and there is nothing to attack."
        )
    sides = check_membership(sides, None, "is_member")
    known = {"y": y, "groups": groups, "ids": ids, "aside": aside}
    return _case(values, codes, None, sides, **known), prediction


def _labels_and_sides(y, is_member, n_records):
    labels = as_labels(y), as_labels(is_member, "is_member")
    for name, values in zip(("y", "is_member"), labels, strict=True):
        if len(values) != n_records:
            raise ValueError(
                f"{name} has {len(values)} values for {n_records} rows of proba."
            )
    return labels


def _case(labels, codes, classes, is_member, *, y, groups, ids, aside):
    keys, groups = keys_and_codes(groups, is_member)
    n_records, label_name = len(codes), name_of_labels(y)
    return Case(
        features=None,
        records=None,
        asked=None,
        labels=labels,
        codes=codes,
        classes=classes,
        is_member=is_member,
        ids=one_column(range(n_records) if ids is None else ids, n_records, "ids"),
        content_ids=np.arange(n_records, dtype=np.uint64),
        groups=groups,
        group_keys=keys,
        order=None,
        label_name="y" if label_name is None else str(label_name),
        aside=aside or {},
    )
