"""Class labels and membership, as a column of a file tells them."""

import numpy as np

from sklearn_mia.auditing._typing import NUMBER, TRUTH_WORDS

_SIDES = {
    True: ("1", "1.0", "true", "t", "yes", "y", "member", "in", "train", "training"),
    False: (
        *("0", "0.0", "false", "f", "no", "n", "nonmember", "non-member"),
        *("non_member", "out", "test", "testing"),
    ),
}

_NOUNS = {"--label": "value to predict", "--predicted": "prediction"}


def typed_labels(column, classes, *, na_values=(), table="the table", option=None):
    """Class labels of the kind that the model knows, or values to predict.

    Parameters
    ----------
    column : Series

    classes : ndarray of shape (n_classes,) or None
        None of a regressor.

    na_values : list of str, default=()

    table : str, default="the table"
        For the message.

    option : {"--label", "--predicted"} or None, default=None
        Which names the column of a regressor, for the message.

    Returns
    -------
    labels : Series

    Raises
    ------
    ValueError
        If labels are missing, or none of the classes, or no numbers; none is dropped.
    """
    missing = column.isna() | column.map(
        lambda v: isinstance(v, str) and v.strip() in {"", *na_values}
    ).astype(bool)
    what = "label" if classes is not None else _NOUNS.get(option, "value")
    given = "" if option is None else f" ({option})"
    if missing.any():
        raise ValueError(
            f"{int(missing.sum())} of {len(column)} records of {table} have no "
            f"{what} in column {column.name!r}{given}. Fill them in or leave the "
            "records out."
        )
    if classes is None:
        return _values(column, table, what, option)
    classes = np.asarray(classes).tolist()
    by_value = {value: _label(value, classes) for value in column.unique()}
    unknown = column.map(lambda v: by_value[v] is None).astype(bool)
    if unknown.any():
        raise ValueError(
            f"{int(unknown.sum())} of {len(column)} records of {table} have a label in "
            f"column {column.name!r} that the model does not know. Its classes are "
            f"{', '.join(map(repr, classes[:10]))}: write the labels as in training, "
            "or leave these records out."
        )
    labels = np.empty(len(column), dtype=object)
    labels[:] = [by_value[v] for v in column]
    return type(column)(labels, column.index, name=column.name).infer_objects()


def _values(column, table, what, option):
    """Values to predict, or predictions, as floats."""
    texts = [v.strip() if isinstance(v, str) else v for v in column]
    plain = [not isinstance(v, str) or bool(NUMBER.fullmatch(v)) for v in texts]
    try:
        values = [float(v) if ok else 0.0 for v, ok in zip(texts, plain, strict=True)]
    except (TypeError, ValueError):
        plain, values = [False], []
    if not all(plain):
        what = "value that it predicts" if option is None else what
        given = "" if option is None else f"{option}, "
        raise ValueError(
            f"{plain.count(False)} of {len(column)} records of {table} have no number "
            f"in column {column.name!r} ({given}the first is record "
            f"{plain.index(False) + 1}), but the model is a regressor. Name the column "
            f"of the {what}, or write it with a decimal point."
        )
    return type(column)(values, column.index, name=column.name, dtype=np.float64)


def _label(value, classes):
    """The class that a cell stands for, None if there is none."""
    if not isinstance(value, str):
        return next((c for c in classes if c == value), None)
    cell = value.strip()
    for text in (value, cell):
        if text in classes:
            return text
    number = float(cell) if NUMBER.fullmatch(cell) else TRUTH_WORDS.get(cell.lower())
    if number is None:
        return None
    return next((c for c in classes if not isinstance(c, str) and c == number), None)


def membership(column, path):
    """Which records are members.

    Parameters
    ----------
    column : Series

    path : str
        For the message.

    Returns
    -------
    is_member : list of bool
    """
    known = {word: side for side, words in _SIDES.items() for word in words}
    values = [known.get(str(v).strip().lower()) for v in column]
    if None in values:
        raise ValueError(
            f"Column {column.name!r} of {path} does not tell members in "
            f"{values.count(None)} of {len(values)} records (the first is record "
            f"{values.index(None) + 1}). Expected 1 or true, member or train for "
            "members, and 0 or false, nonmember or test for the others."
        )
    if len(set(values)) == 1:
        members = len(values) if values[0] else 0
        raise ValueError(
            f"Column {column.name!r} of {path} has {members} members and "
            f"{len(values) - members} non-members; expected at least one of each: add "
            "records of the other kind."
        )
    return values
