"""Tables read from files, and the types of their columns."""

from pathlib import Path

import numpy as np
from sklearn.utils._optional_dependencies import check_pandas_support

from sklearn_mia.models import encoders_of, trained_names

_GAPS_IN_NUMBERS = {"", "NA", "N/A", "NaN", "nan", "NULL", "null", "None"}
_PANDAS_NEEDED = "Reading tables (pip install 'sklearn-mia[report]')"


def read_table(path, *, separator=","):
    """Read a CSV or Parquet file, a CSV without any interpretation of its cells.

    Parameters
    ----------
    path : str or Path

    separator : str, default=","

    Returns
    -------
    frame : DataFrame
        Of text, if the file is a CSV.
    """
    pd = check_pandas_support(_PANDAS_NEEDED)
    path = Path(path)
    if not path.is_file():
        raise OSError(f"There is no table {str(path)!r}.")
    if path.stat().st_size == 0:
        raise ValueError(f"The table {str(path)!r} is empty.")
    name = path.name.lower()
    try:
        if name.endswith((".parquet", ".pq")):
            return pd.read_parquet(path)
        if name.endswith((".csv", ".csv.gz", ".tsv", ".txt")):
            if name.endswith(".tsv"):
                separator = "\t"
            return pd.read_csv(
                path,
                sep=separator,
                dtype=str,
                keep_default_na=False,
                na_filter=False,
                encoding="utf-8-sig",
            )
    except ImportError:
        raise ImportError(
            "A Parquet file needs pyarrow. Install it with: "
            "pip install 'sklearn-mia[report]'"
        ) from None
    except (ValueError, UnicodeDecodeError) as error:
        raise ValueError(
            f"The table {str(path)!r} could not be read: {error}"
        ) from None
    raise ValueError(
        f"The table {str(path)!r} ends in {path.suffix!r}; expected .csv, .csv.gz, "
        ".tsv or .parquet."
    )


def column_kinds(model):
    """Which columns a model knows as text or as numbers, from its fitted encoders.

    Parameters
    ----------
    model : fitted classifier

    Returns
    -------
    kinds : dict
        Column name mapped to ``(kind, has_missing)``, kind "text" or "number", for the
        columns that reach an encoder with `categories_`.
    """
    kinds = {}
    names = trained_names(model)
    if names is not None:
        for own, encoder in encoders_of(model, names):
            for name, values in zip(own, encoder.categories_, strict=True):
                values = list(values)
                known = [v for v in values if v is not None and v == v]
                text = any(isinstance(v, str) for v in known)
                kinds[name] = ("text" if text else "number", len(known) < len(values))
    return kinds


def typed_columns(frame, kinds, *, na_values=()):
    """Turn the text of a CSV into the values that the model was trained on.

    A column is text if the model knows it as text; numbers if every cell is one, with
    no leading zero as in codes; else text. An empty cell is a gap, and so are the usual
    words for one in a column of numbers. "NA" and its like are values of a text column,
    unless `na_values` says otherwise.

    Parameters
    ----------
    frame : DataFrame
        Columns that are not text are left alone.

    kinds : dict
        From :func:`column_kinds`.

    na_values : list of str, default=()

    Returns
    -------
    frame : DataFrame
    """
    columns = {}
    for name in frame.columns:
        column = frame[name]
        known = kinds.get(name, (None, True))[0]
        if column.dtype.kind in "biufmM" or hasattr(column, "cat"):
            columns[name] = column
        else:
            columns[name] = _typed(column, known, set(na_values))
    return type(frame)(columns, index=frame.index)


def _typed(column, known, na_values):
    values = column.to_numpy(dtype=object)
    if not all(isinstance(v, str) for v in values):
        return column
    if known != "text":
        gaps = np.array(
            [v.strip() in _GAPS_IN_NUMBERS | na_values for v in values], dtype=bool
        )
        numbers = None if gaps.all() else _numbers(values[~gaps], known == "number")
        if numbers is not None:
            if not gaps.any():
                return type(column)(numbers, index=column.index, name=column.name)
            filled = np.full(len(values), np.nan)
            filled[~gaps] = numbers
            return type(column)(filled, index=column.index, name=column.name)
        if set(values) <= {"True", "False"}:
            return type(column)(values == "True", index=column.index, name=column.name)
    gaps = np.array([v == "" or v in na_values for v in values], dtype=bool)
    text = values.copy()
    text[gaps] = np.nan
    return type(column)(text, index=column.index, name=column.name, dtype=object)


def _numbers(values, codes_are_numbers):
    """Cells as numbers, None if one is not, or looks like a code."""
    if not codes_are_numbers and any(_is_code(v.strip()) for v in values):
        return None
    try:
        numbers = np.array([float(v) for v in values])
    except ValueError:
        return None
    if all(v.strip().lstrip("+-").isdigit() for v in values) and np.all(
        np.abs(numbers) < 2**53
    ):
        return np.array([int(v) for v in values])
    return numbers


def _is_code(text):
    digits = text.lstrip("+-")
    return len(digits) > 1 and digits[0] == "0" and digits[1] not in ".eE"


def typed_labels(column, classes, *, na_values=(), table="the table"):
    """Class labels of the kind that the model knows.

    Parameters
    ----------
    column : Series

    classes : ndarray of shape (n_classes,)

    na_values : list of str, default=()

    table : str, default="the table"
        For the message.

    Returns
    -------
    labels : Series

    Raises
    ------
    ValueError
        If labels are missing; none is dropped.
    """
    missing = column.isna() | column.isin(["", *na_values])
    if missing.any():
        raise ValueError(
            f"{int(missing.sum())} of {len(column)} records of {table} have no label "
            f"in column {column.name!r}. Fill them in or leave the records out."
        )
    if column.dtype.kind in "biuf" or not all(isinstance(v, str) for v in column):
        return column
    by_text = {str(c): c for c in np.asarray(classes).tolist()}
    if all(isinstance(c, str) for c in by_text.values()):
        return column
    numbers = {}
    for text, value in by_text.items():
        numbers[text] = value
        if not isinstance(value, (bool, str)):
            numbers[str(float(value))] = value
    return column.map(lambda v: numbers.get(v.strip(), v)).infer_objects()
