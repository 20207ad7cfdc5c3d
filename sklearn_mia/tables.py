"""Tables in any container: the one module that knows arrays, sparse and frames.

A *table* is a NumPy array of two dimensions, a SciPy sparse matrix or array, or a frame
of pandas or polars; a *column* is an array or a series of one of them.
"""

import numbers

import numpy as np
import scipy.sparse as sp
from sklearn.utils import _safe_indexing

from sklearn_mia._compat import is_pandas_df, is_polars_df, pandas_copies_on_write


def is_frame(X):
    """Tell whether X is a pandas or polars frame."""
    return is_pandas_df(X) or is_polars_df(X)


def check_container(X, name="X"):
    """Raise TypeError for a lazy frame, which has no rows to look at yet.

    Parameters
    ----------
    X : object
        What the user gave as a table.

    name : str, default="X"
        The name of the argument, for the message.
    """
    if type(X).__name__ == "LazyFrame":
        raise TypeError(
            f"{name} is a LazyFrame, which holds no rows yet. Pass {name}.collect()."
        )


def as_table(X, name="X"):
    """X as a table: frames and sparse matrices as they are, else an array.

    Parameters
    ----------
    X : array-like, sparse matrix or DataFrame

    name : str, default="X"
        The name of the argument, for the messages.

    Returns
    -------
    X : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)

    Raises
    ------
    TypeError
        For a lazy frame.

    ValueError
        For an array that is not of two dimensions.
    """
    check_container(X, name)
    if is_frame(X) or sp.issparse(X):
        return X
    X = np.asarray(X)
    if X.ndim != 2:
        raise ValueError(
            f"{name} must be a table of shape (n_records, n_features), got shape "
            f"{X.shape}. Use {name}.reshape(-1, 1) for a single feature; a text per "
            "record is one column of a frame."
        )
    return X


def as_array(X):
    """X as an array, a sparse matrix as it is."""
    return X if sp.issparse(X) else np.asarray(X)


def own_copy(X):
    """Frame that a model may write to: copied on write, so for nothing, by pandas 3."""
    return X.copy(deep=not pandas_copies_on_write()) if is_pandas_df(X) else X


def read_only(X):
    """View of an array or a sparse matrix that nobody can write through."""
    if sp.issparse(X):
        X = X.tocsr()
        if not X.has_sorted_indices:
            X = X.sorted_indices()
        parts = read_only(X.data), X.indices, X.indptr
        return type(X)(parts, shape=X.shape)
    view = X.view()
    view.flags.writeable = False
    return view


def take(values, rows):
    """Rows of a table, or entries of a vector, in the container that it came in.

    Parameters
    ----------
    values : {array-like, sparse matrix, DataFrame, Series} or None

    rows : array-like of int or bool, or slice

    Returns
    -------
    taken : same container
        None of None.
    """
    return None if values is None else _safe_indexing(values, rows)


def take_columns(X, columns):
    """Columns of a table, by name or position; a single name gives one column."""
    return _safe_indexing(X, columns, axis=1)


def column_names(X):
    """Names of the columns of a frame, positions of those of other tables."""
    return list(X.columns) if is_frame(X) else list(range(X.shape[1]))


def column_of(X, name):
    """One column, by its name in a frame, else by its position."""
    return X[name] if is_frame(X) else X[:, name]


def row_names(X):
    """Names of the rows: the index of a pandas frame, else positions."""
    return X.index.tolist() if is_pandas_df(X) else list(range(X.shape[0]))


def columns_of(X):
    """Iterate over the columns of a table, a sparse one made dense.

    Parameters
    ----------
    X : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_columns)

    Yields
    ------
    column : ndarray or Series of shape (n_records,)
    """
    X = X.toarray() if sp.issparse(X) else X
    return (column_of(X, name) for name in column_names(X))


# Values


def numbers_of(column):
    """Values of a numeric column as floats.

    Parameters
    ----------
    column : ndarray, pandas Series or polars Series of shape (n,)

    Returns
    -------
    values : ndarray of shape (n,), dtype float64, or None
        NaN where a value is missing; None for booleans, categories, text and dates.
    """
    dtype = column.dtype
    if hasattr(dtype, "is_numeric"):  # polars
        return column.cast(float).to_numpy() if dtype.is_numeric() else None
    if getattr(dtype, "kind", "O") in "iuf":
        if isinstance(column, np.ndarray):
            return column.astype(np.float64)
        return column.to_numpy(dtype=np.float64, na_value=np.nan)
    if not isinstance(dtype, np.dtype) or dtype.kind != "O":
        return None
    values = column.tolist()
    if any(isinstance(v, (bool, np.bool_)) for v in values) or not all(
        v is None or isinstance(v, numbers.Real) for v in values
    ):
        return None
    return np.array(values, dtype=np.float64)


def as_numbers(column):
    """A column of any kind as floats that keep an order.

    Parameters
    ----------
    column : array-like of shape (n,)

    Returns
    -------
    values : ndarray of shape (n,), dtype float64
        Numbers and dates by value, NaN where one is missing or not finite; text and
        all else by the position among the sorted values.
    """
    values = column.to_numpy() if hasattr(column, "to_numpy") else column
    values = np.asarray(values)
    if values.dtype.kind in "mM":
        ticks = values.astype(f"{values.dtype.kind}8[ns]").astype(np.int64)
        return np.where(np.isnat(values), np.nan, ticks.astype(float))
    if values.dtype.kind == "O":
        try:
            values = values.astype(float)
        except (TypeError, ValueError):
            values = np.array([str(v) for v in values.tolist()])
    if values.dtype.kind in "US":
        return np.unique(values, return_inverse=True)[1].astype(float)
    values = values.astype(float)
    return np.where(np.isfinite(values), values, np.nan)


def numeric_if_possible(X):
    """Undo the object dtype that a text label forces on a numeric array."""
    if X.dtype.kind != "O" or X.size == 0:
        return X
    kinds = {type(v) for v in X[0]}
    if not all(issubclass(k, (numbers.Number, np.bool_)) for k in kinds):
        return X
    numeric = np.array(X.tolist())
    return numeric if numeric.dtype.kind in "biuf" else X


# Making tables


def with_column(X, values, name):
    """A frame with one more column at the end.

    Parameters
    ----------
    X : DataFrame of shape (n_records, n_columns)

    values : array-like of shape (n_records,)
        A series keeps its dtype, and loses its index.

    name : str or int
        A name that no column has.

    Returns
    -------
    frame : DataFrame of shape (n_records, n_columns + 1)
    """
    if is_polars_df(X):
        import polars as pl

        values = values if isinstance(values, pl.Series) else np.asarray(values)
        return X.with_columns(pl.Series(values).alias(name))
    import pandas as pd

    values = values.array if hasattr(values, "array") else np.asarray(values)
    return pd.concat([X, pd.Series(values, index=X.index, name=name)], axis=1)


def column_like(column, values):
    """Floats as a column of the same kind as another."""
    if isinstance(column, np.ndarray):
        return values.astype(column.dtype)
    if hasattr(column.dtype, "is_numeric"):  # polars
        series = type(column)(column.name, values)
        series = series.fill_nan(None) if column.null_count() else series
        return series.cast(column.dtype)
    return type(column)(values).astype(column.dtype)


def table_like(X, columns):
    """A table of the same kind as another, from other columns.

    Parameters
    ----------
    X : {ndarray, DataFrame} of shape (n_records, n_columns)

    columns : dict
        Each name of :func:`column_names` mapped to a column of shape (n_rows,).

    Returns
    -------
    table : same container as X, of shape (n_rows, n_columns)
    """
    columns = [columns[name] for name in column_names(X)]
    if not is_frame(X):
        return np.column_stack(columns).astype(X.dtype, copy=False)
    if is_pandas_df(X):
        columns = [column.array for column in columns]
    return type(X)(dict(zip(X.columns, columns, strict=True)))


def stack_tables(first, second, *, names=("X_train", "X_test")):
    """Put two tables of one kind on top of each other, without changing a value.

    Columns of frames are matched by name. Where the types of a column differ, the
    result holds both: categories are united, those of the first table first; numbers
    become the wider type.

    Parameters
    ----------
    first, second : {ndarray, sparse matrix, DataFrame} of shape (n, n_columns)

    names : pair of str, default=("X_train", "X_test")
        Names of the tables, for the messages.

    Returns
    -------
    table : same container

    Raises
    ------
    TypeError
        If the tables are of different containers.

    ValueError
        If they have different columns, or if one holds text and the other does not.
    """
    for known in (is_pandas_df, is_polars_df):
        if known(first) and known(second):
            second = _same_columns(first, second, names)
            stack = _stacked_pandas if known is is_pandas_df else _stacked_polars
            return stack(first, second)
    if is_frame(first) or is_frame(second) or sp.issparse(first) != sp.issparse(second):
        raise TypeError(
            f"{names[0]} is a {type(first).__name__} and {names[1]} a "
            f"{type(second).__name__}; pass both in the container that the model was "
            "trained on."
        )
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"{names[0]} has {first.shape[1]} columns and {names[1]} "
            f"{second.shape[1]}; expected the same features."
        )
    if sp.issparse(first):
        return sp.vstack([first, second], format="csr")
    if (first.dtype.kind in "US") != (second.dtype.kind in "US"):
        raise ValueError(
            f"{names[0]} has dtype {first.dtype} and {names[1]} {second.dtype}; "
            "expected the same kind of values."
        )
    return np.concatenate([first, second])


def _same_columns(first, second, names):
    """The second frame with the columns of the first, in their order."""
    missing = [c for c in first.columns if c not in second.columns]
    extra = [c for c in second.columns if c not in first.columns]
    if missing or extra:
        raise ValueError(
            f"{names[0]} and {names[1]} have different columns: {names[1]} lacks "
            f"{missing!r} and adds {extra!r}."
        )
    return second[list(first.columns)]


def _stacked_pandas(first, second):
    import pandas as pd

    shared = {}
    for name in first.columns:
        dtypes = first[name].dtype, second[name].dtype
        if dtypes[0] == dtypes[1]:
            continue
        if isinstance(dtypes[0], pd.CategoricalDtype):
            shared[name] = _united(first[name], second[name])
        elif all(isinstance(d, np.dtype) and d.kind in "biuf" for d in dtypes):
            shared[name] = np.result_type(*dtypes)
    sides = [X.astype(shared) for X in (first, second)] if shared else [first, second]
    # The copy is in one piece: a wide table from a file has a block a column.
    return pd.concat(sides, ignore_index=True).copy()


def _united(first, second):
    """Categories of the first column, then those that only the second uses.

    A model refuses categories that it was not trained on, so that none is added for
    nothing.
    """
    import pandas as pd

    known = first.dtype.categories
    used = pd.Index(second.dropna().unique())
    return pd.CategoricalDtype(
        known.append(used[~used.isin(known)]), first.dtype.ordered
    )


def _stacked_polars(first, second):
    import polars as pl

    shared = {}
    for name in first.columns:
        dtype, other = first[name].dtype, second[name].dtype
        if dtype == other:
            continue
        if isinstance(dtype, pl.Enum):
            known = dtype.categories
            used = second[name].cast(pl.String).drop_nulls().unique(maintain_order=True)
            more = used.filter(~used.is_in(known.to_list()))
            shared[name] = pl.Enum(pl.concat([known, more]))
        elif isinstance(dtype, pl.Categorical):
            shared[name] = dtype
    if shared:
        # Through text: one enumeration does not become another.
        as_text = [pl.col(name).cast(pl.String) for name in shared]
        first, second = (X.with_columns(as_text) for X in (first, second))
        first, second = first.cast(shared), second.cast(shared)
    return pl.concat([first, second], how="vertical_relaxed")
