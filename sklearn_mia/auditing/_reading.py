"""Tables read from files."""

import csv
import gzip
import zlib
from pathlib import Path

from sklearn_mia.auditing._files import (
    MOST_BYTES,
    TooLarge,
    check_size,
    check_table_file,
)
from sklearn_mia.auditing._unpacking import check_parquet

_MOST_CELL = 2**20
_MOST_LINE = 2**24
_PANDAS_NEEDED = "Reading tables (pip install 'sklearn-mia[report]')"


def read_table(path, *, separator=",", max_bytes=MOST_BYTES):
    """Read a CSV or Parquet file, a CSV without any interpretation of its cells.

    Parameters
    ----------
    path : str or Path

    separator : str, default=","

    max_bytes : int, default=4 * 2**30
        Most that the file may hold once it is unpacked.

    Returns
    -------
    frame : DataFrame
        Of text, if the file is a CSV.

    Raises
    ------
    ValueError, OSError
        Names the file, and the line where it can; holds no cell of it.
    """
    pd = check_pandas(_PANDAS_NEEDED)
    path = Path(path)
    separator = check_table_file(path, separator=separator, max_bytes=max_bytes)
    if separator is None:
        return _read_parquet(pd, path, max_bytes)
    return _read_csv(pd, path, separator, max_bytes)


def damaged(path, kind, error):
    """One error for whatever the reader of a damaged file raises, without its text."""
    return ValueError(
        f"The table {str(path)!r} could not be read as {kind} "
        f"({type(error).__name__}): it is damaged, or something else."
    )


def check_pandas(what):
    """Return pandas, or say what needs it."""
    # With it comes scikit-learn, which no error of an option has to wait for.
    from sklearn.utils._optional_dependencies import check_pandas_support

    return check_pandas_support(what)


def check_pyarrow():
    """Return pyarrow.parquet, or say how to install it."""
    try:
        from pyarrow import parquet
    except ImportError:
        raise ImportError(
            "A Parquet file needs pyarrow. Install it with: "
            "pip install 'sklearn-mia[report]'"
        ) from None
    return parquet


def check_unpacked(path, max_bytes):
    """Raise an error for a Parquet file that is damaged, or too large unpacked.

    Parameters
    ----------
    path : Path

    max_bytes : int
    """
    parquet = check_pyarrow()
    try:
        check_parquet(path, parquet, max_bytes)
    except TooLarge:
        raise
    except Exception as error:
        raise damaged(path, "Parquet", error) from None


def _read_parquet(pd, path, max_bytes):
    check_unpacked(path, max_bytes)
    try:
        frame = pd.read_parquet(path, engine="pyarrow")
    except Exception as error:
        raise damaged(path, "Parquet", error) from None
    stored = check_pyarrow().read_schema(path)
    for name in frame.columns:
        if isinstance(frame[name].dtype, pd.StringDtype):
            _check_stored_as_text(stored, name, path)
        if frame[name].dtype.kind == "O":
            sizes = (len(v) for v in frame[name] if isinstance(v, (str, bytes)))
            if max(sizes, default=0) > _MOST_CELL:
                raise ValueError(
                    f"Column {name!r} of the table {str(path)!r} has a cell of more "
                    f"than {_MOST_CELL} characters."
                )
    return frame


def _check_stored_as_text(schema, name, path):
    """What pandas noted in a file makes text of a column that holds something else."""
    from pyarrow import types

    found = schema.field(name).type if name in schema.names else None
    as_text = ("string", "large_string", "string_view", "null")
    if found is not None and not (str(found) in as_text or types.is_dictionary(found)):
        raise ValueError(
            f"Column {name!r} of the table {str(path)!r} holds {found}, and the file "
            "says that it is text. Write the file again, with the type that it has."
        )


def _read_csv(pd, path, separator, max_bytes):
    is_packed = path.name.lower().endswith(".gz")
    n_rows, n_columns = _checked_shape(path, separator, max_bytes, is_packed)
    try:
        frame = pd.read_csv(
            path,
            sep=separator,
            dtype=str,
            index_col=False,
            keep_default_na=False,
            na_filter=False,
            encoding="utf-8-sig",
            compression="gzip" if is_packed else None,
        )
    except Exception as error:
        if "EOF inside string" in str(error):
            raise ValueError(
                f"The table {str(path)!r} has a quote that is never closed."
            ) from None
        raise damaged(path, "CSV", error) from None
    if frame.shape != (n_rows, n_columns):
        raise ValueError(
            f"The table {str(path)!r} can be read in two ways: as {n_rows} rows of "
            f"{n_columns} cells, or as {frame.shape[0]} of {frame.shape[1]}. Put cells "
            "with quotes, separators or ends of line in quotes."
        )
    return frame


def _checked_shape(path, separator, max_bytes, is_packed):
    """Rows and columns of a CSV, in which each row must be as long as the header."""
    where = f"The table {str(path)!r}"
    n_rows, n_columns, line = 0, None, 0
    most_before = csv.field_size_limit(_MOST_CELL)
    try:
        opened = gzip.open if is_packed else open
        with opened(path, "rt", encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(_bounded(file, path, max_bytes), delimiter=separator)
            for row in rows:
                line, begin = rows.line_num, line + 1
                if not row or (len(row) == 1 and row[0].isspace()):
                    continue  # an empty line
                if n_columns is None:
                    n_columns = len(row)
                    _check_names(row, where)
                    continue
                if len(row) != n_columns:
                    raise ValueError(
                        f"{where} has {len(row)} cells in line {begin}, but "
                        f"{n_columns} in its header. Put cells that hold a "
                        f"{separator!r} in quotes."
                    )
                n_rows += 1
    except csv.Error as error:
        reason = str(error)
        if "field larger" in reason:
            reason = f"a cell of more than {_MOST_CELL} characters, or an open quote"
        raise ValueError(
            f"{where} cannot be read at line {line + 1}: {reason}."
        ) from None
    except UnicodeDecodeError:
        raise ValueError(
            f"{where} is not UTF-8 text after line {line}. Save it as CSV UTF-8."
        ) from None
    except (OSError, EOFError, zlib.error) as error:
        raise damaged(path, "gzip" if is_packed else "CSV", error) from None
    finally:
        csv.field_size_limit(most_before)
    if n_columns is None:
        raise ValueError(f"{where} has no header.")
    return n_rows, n_columns


def _check_names(header, where):
    """Raise ValueError for a name that stands twice, of which pandas makes another."""
    first = {}
    for number, name in enumerate(header, 1):
        if name and first.setdefault(name, number) != number:
            # Not the name: in a file without a header it is a cell.
            raise ValueError(
                f"{where} has one name for columns {first[name]} and {number} of its "
                "header; expected each name once: rename one of them, or leave it "
                "out. If its first line is a record, put a header above it."
            )


def _bounded(file, path, max_bytes):
    """Lines of a text file that is not too large, and holds text."""
    n_read, before = 0, ""
    while line := file.readline(_MOST_LINE + 1):
        n_read += len(line)
        if len(line) > _MOST_LINE:
            raise csv.Error(f"a line of more than {_MOST_LINE} characters")
        if "\0" in line:
            raise csv.Error("a character NUL, which no text holds")
        if line == "\r" and before.endswith("\n"):
            raise csv.Error("ends of line of two kinds")
        check_size(path, n_read, max_bytes)
        yield line
        before = line
