"""From a file of predictions to the case of an audit."""

import numpy as np

from sklearn_mia.auditing import _typing
from sklearn_mia.auditing._case_of_answers import case_of_predictions, case_of_values
from sklearn_mia.auditing._files import has_types
from sklearn_mia.auditing._inputs import (
    keys_of_groups,
    read_named,
    slicings_of,
    untyped,
)
from sklearn_mia.auditing._labels import membership, typed_labels


def read_predictions(path, arguments):
    """Read probabilities, or predictions of a regressor, labels and membership.

    Parameters
    ----------
    path : Path

    arguments : Namespace

    Returns
    -------
    case : Case

    answer : ndarray of shape (n_records, n_classes) or (n_records,)
        Log-probabilities, or predictions.
    """
    named = ("label", "member", "predicted", "id", "group", "slice")
    frame = read_named(path, arguments, named)
    known = {
        "groups": keys_of_groups(frame, arguments.group, path),
        "ids": untyped(frame, arguments.id, path),
        "aside": _slices(frame, arguments, path),
        "name": str(path),
    }
    sides = membership(frame[arguments.member], path)
    if arguments.predicted is not None:
        columns, names = {}, {}
        for option in ("predicted", "label"):
            column = frame[getattr(arguments, option)]
            names[option] = f"Column {column.name!r} (--{option}) of {path}"
            columns[option] = typed_labels(
                column,
                None,
                na_values=arguments.na_values,
                table=str(path),
                option=f"--{option}",
            )
        known |= {"name": names["predicted"], "name_of_values": names["label"]}
        return case_of_values(columns["predicted"], columns["label"], sides, **known)
    prefix = arguments.proba_prefix
    columns = [c for c in frame.columns if str(c).startswith(prefix)]
    if not columns:
        raise ValueError(
            f"{path} has 0 columns that begin with {prefix!r}; expected one a class, "
            f"named {prefix}<class>, or another --proba-prefix. Of a regressor pass "
            "--predicted COLUMN, the column that holds its predictions."
        )
    classes = np.array([str(c)[len(prefix) :] for c in columns])
    proba = _probabilities(frame[columns], path, arguments.na_values)
    labels = frame[arguments.label].map(_as_text)
    if len(columns) == 1:
        classes, proba = _both_classes(labels, classes[0], proba, path, columns[0])
    _check_classes(labels, classes, columns, arguments, path)
    labels = typed_labels(
        labels, classes, na_values=arguments.na_values, table=str(path)
    )
    return case_of_predictions(
        proba, labels.astype(str), sides, classes=classes, **known
    )


def _slices(frame, arguments, path):
    """Columns by which records are told apart, by name."""
    names = [
        n for n in dict.fromkeys(arguments.slice) if n not in slicings_of(arguments)
    ]
    side = _typing.Side(frame[names], str(path), not has_types(path))
    read = _typing.read_columns([side], {}, arguments.na_values)
    return {name: _values(column.series(0)) for name, column in read.items()}


def _values(column):
    if column.dtype.kind in "iuf":
        return column.to_numpy(dtype=float, na_value=np.nan)
    return column.astype(object).where(column.notna(), None).to_numpy()


def _probabilities(frame, path, na_values):
    side = _typing.Side(frame, str(path), not has_types(path))
    known = _typing.KnownColumn("number", sure=True, why="probabilities belong")
    columns = _typing.read_columns(
        [side], dict.fromkeys(frame.columns, known), na_values
    )
    read = [column.series(0) for column in columns.values()]
    for column in read:
        if column.dtype.kind not in "fiu":
            raise ValueError(
                f"Column {column.name!r} of {path} has probabilities of type "
                f"{column.dtype} that are no numbers; expected what predict_proba "
                "answered: write them as numbers."
            )
    return np.column_stack([c.to_numpy(dtype=float, na_value=np.nan) for c in read])


def _as_text(label):
    """A label as the name of a column has it; a gap stays one."""
    if label is None or label != label:
        return None
    whole = isinstance(label, float) and label.is_integer()
    return str(int(label) if whole else label)


def _both_classes(labels, known, proba, path, column):
    """Classes and probabilities, where a file gives those of one of two classes."""
    others = sorted(
        {v.strip() for v in labels if v is not None and v == v} - {known, ""}
    )
    if len(others) != 1:
        raise ValueError(
            f"{path} has the probability of one class, in {column!r}, but labels of "
            f"{len(others)} other classes; expected one column a class, or two classes "
            "of which it names one."
        )
    return np.array([others[0], known]), np.column_stack([1 - proba, proba])


def _check_classes(labels, classes, columns, arguments, path):
    """Raise ValueError if columns are numbered where they should name classes."""
    found = {v.strip() for v in labels if v is not None and v == v}
    if found & set(classes):
        return
    prefix = arguments.proba_prefix
    raise ValueError(
        f"No label of column {arguments.label!r} of {path} is named by a column of "
        f"probabilities: {', '.join(map(repr, columns[:6]))}. Name each "
        f"{prefix}<class>, after the class as it stands in the label column."
    )
