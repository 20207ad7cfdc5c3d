"""Files that are read: whether they are there, and of a kind that can be read."""

from pathlib import Path

from sklearn_mia.auditing._writing import has_suffix, is_parquet

MOST_BYTES = 4 * 2**30

ARCHIVE = ".npz"
PICKLES = (".joblib", ".pkl", ".pickle")
_TEXT = (".csv", ".csv.gz", ".txt")
_TABS = ".tsv"


class TooLarge(ValueError):
    """A file that holds more than it may, whether it is damaged or not."""


def check_size(path, n_bytes, max_bytes):
    """Raise `TooLarge` for a file that holds more than it may.

    Parameters
    ----------
    path : Path

    n_bytes, max_bytes : int
        What it holds, unpacked if it is packed, and what it may.
    """
    if n_bytes > max_bytes:
        raise TooLarge(
            f"{str(path)!r} holds {n_bytes / 2**30:.3g} GiB or more once it is "
            f"unpacked, and {max_bytes / 2**30:.3g} are allowed. If you trust it, pass "
            "a larger --max-size."
        )


def _check_there(path, what, max_bytes):
    if not path.is_file():
        raise OSError(f"There is no {what} {str(path)!r}.")
    if path.stat().st_size == 0:
        raise ValueError(f"The {what} {str(path)!r} is empty.")
    check_size(path, path.stat().st_size, max_bytes)


def check_model_file(path, *, trust_pickle, max_bytes):
    """Raise an error for a file that holds no model, or one that is not trusted.

    Parameters
    ----------
    path : str or Path

    trust_pickle : bool

    max_bytes : int

    Returns
    -------
    suffix : str
        In small letters.
    """
    path = Path(path)
    _check_there(path, "model file", max_bytes)
    suffix = path.suffix.lower()
    if suffix != ".skops" and suffix not in PICKLES:
        raise ValueError(
            f"The model file {str(path)!r} ends in {path.suffix!r}; expected .skops, "
            ".joblib, .pkl or .pickle."
        )
    if suffix in PICKLES and not trust_pickle:
        raise ValueError(
            f"{str(path)!r} is a pickle, as joblib files are, "
            "which can run any code when it is loaded. If you trust whoever made it, "
            "pass --trust-pickle; else ask for a .skops file."
        )
    return suffix


def check_table_file(path, *, separator=",", max_bytes=MOST_BYTES):
    """Raise an error for a file that holds no table.

    Parameters
    ----------
    path : str or Path

    separator : str, default=","

    max_bytes : int, default=4 * 2**30

    Returns
    -------
    separator : str or None
        Of its cells; None for a Parquet file or an archive of arrays.
    """
    path = Path(path)
    _check_there(path, "table", max_bytes)
    if has_types(path):
        return None
    if not has_suffix(path, (*_TEXT, _TABS)):
        raise ValueError(
            f"The table {str(path)!r} ends in {path.suffix!r}; expected .csv, .csv.gz, "
            ".tsv, .parquet or .npz."
        )
    if has_suffix(path, (_TABS,)) or separator == r"\t":
        return "\t"
    if len(separator) != 1 or separator in '"\r\n':
        raise ValueError(
            f"--separator {separator!r} is not one character, as , or ; or \\t."
        )
    return separator


def check_report_file(path, *, max_bytes):
    """Raise an error for a report of an earlier model that is not there.

    Parameters
    ----------
    path : str or Path

    max_bytes : int
    """
    if not Path(path).is_file():
        raise OSError(f"There is no report {str(path)!r} for --baseline.")
    check_size(path, Path(path).stat().st_size, max_bytes)


def has_types(path):
    """Tell whether the cells of a table have types in its file."""
    return is_parquet(path) or has_suffix(path, (ARCHIVE,))


def has_separator(path):
    """Tell whether --separator says how the cells of a table are separated."""
    return has_suffix(path, _TEXT)
