"""Texts of errors without the cells of tables that they quote."""

import re

import numpy as np
import scipy.sparse as sp

from sklearn_mia.items import item_list
from sklearn_mia.tables import columns_of, is_table, numbers_of

_NUMBER = re.compile(r"(?<![\w.])[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?(?!\w)")
# Counts and sizes, perhaps at the end of a sentence.
_SHORT = re.compile(r"\W?\d{1,4}\.?")
_HIDDEN = "\N{HORIZONTAL ELLIPSIS}"
_FIRST_MARK = 0xE000  # of private use
# What may be a value of a record: in quotes, in brackets, or a decimal number.
PERHAPS_A_VALUE = re.compile(
    r"(?<!\w)'[^']*'|\"[^\"]*\"|\[[^\]]*\]|[-+]?\d+(?:\.\d+(?:[eE][-+]?\d+)?|[eE][-+]?\d+)"
)


def without_values(message, *tables, most=500, shown=()):
    """Text of an error without the cells of tables that it quotes, and not too long.

    Texts of three characters or more are hidden wherever they stand, shorter ones in
    quotes; so are numbers with a fraction, an exponent or more than four digits, also
    where the error shows them rounded. Of documents and other items an error may quote
    any part: there all that is in quotes or brackets is hidden.

    Parameters
    ----------
    message : str

    *tables : {ndarray, sparse matrix, DataFrame} or None

    most : int, default=500
        Characters that are kept.

    shown : iterable of str, default=()
        What is no cell wherever it stands: options, each with what it was given.

    Returns
    -------
    message : str
    """
    # What is cut off below is longer than what is cut off here.
    message, shown = _with_marks(message[: 20 * most], shown)
    items = [X for X in tables if X is not None and not is_table(X)]
    if items:
        tables = [X for X in tables if X is not None and is_table(X)]
        message = PERHAPS_A_VALUE.sub(_HIDDEN, message)
        for text in (v for X in items for v in item_list(X) if isinstance(v, str)):
            message = message.replace(text, _HIDDEN) if len(text) > 2 else message
    found = [n for n in _NUMBER.findall(message) if not _SHORT.fullmatch(n)]
    for values in (v for table in tables if table is not None for v in _cells(table)):
        if values.dtype.kind != "f":
            for text in {str(v) for v in values.tolist()} - {""}:
                if text in message or repr(text)[1:-1] in message:
                    message = _without_text(message, text)
            continue
        for number in found:
            if _is_among(number, values):
                message = message.replace(number, _HIDDEN)
    for mark, text in shown.items():
        message = message.replace(mark, text)
    return message if len(message) <= most else f"{message[:most]}{_HIDDEN}"


def _with_marks(message, shown):
    """A message with characters that nobody uses for some texts, and these by them."""
    marks = {chr(_FIRST_MARK + k): text for k, text in enumerate(dict.fromkeys(shown))}
    for mark, text in sorted(marks.items(), key=lambda pair: -len(pair[1])):
        message = message.replace(mark, _HIDDEN)
        message = re.sub(rf"(?<!\S){re.escape(text)}(?!\.?\w)", mark, message)
    return message, marks


def _cells(table):
    """Columns of a table as floats, or as they are."""
    if sp.issparse(table):
        yield table.data.astype(float)
    elif isinstance(table, np.ndarray) and table.dtype.kind in "iuf":
        yield table.astype(float).ravel()
    else:
        for column in columns_of(table):
            values = numbers_of(column)
            yield np.asarray(column, dtype=object) if values is None else values


def _without_text(message, text):
    for shown in {text, repr(text)[1:-1]}:
        pattern = re.escape(shown)
        if len(shown) < 3:
            pattern = f"(?<=['\"]){pattern}(?=['\"])"
        else:
            pattern = rf"(?<!\w){pattern}(?!\w)"
        message = re.sub(pattern, _HIDDEN, message)
    return message


def _is_among(number, values):
    digits = sum(c.isdigit() for c in number.lower().partition("e")[0].lstrip("+-0."))
    value = float(number)
    # Rounded to so many digits, if they are enough to tell a value.
    near = 10.0 ** (1 - digits) * abs(value) if digits > 3 else 0.0
    with np.errstate(invalid="ignore", over="ignore"):
        return bool(np.any(np.abs(values - value) <= near))


# Making tables
