"""Tables read from files."""

from pathlib import Path

from sklearn.utils._optional_dependencies import check_pandas_support

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
