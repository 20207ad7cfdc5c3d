"""Tables in any container: the one module that knows arrays, sparse and frames.

A *table* is a NumPy array of two dimensions, a SciPy sparse matrix or array, or a frame
of pandas or polars; a *column* is an array or a series of one of them. What is no table
is a container of items, see :mod:`sklearn_mia.items`.
"""

import numbers

import numpy as np
import scipy.sparse as sp
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import _num_samples

from sklearn_mia._compat import is_pandas_df, is_polars_df, pandas_copies_on_write
from sklearn_mia.items import check_has_rows, stack_items, take_items


def is_frame(X):
    """Tell whether X is a pandas or polars frame."""
    return is_pandas_df(X) or is_polars_df(X)


def is_table(X):
    """Tell whether X is a table, and not a container of items."""
    return is_frame(X) or sp.issparse(X) or (isinstance(X, np.ndarray) and X.ndim == 2)


def check_container(X, name="X"):
    """Raise TypeError for what has no rows to look at: a lazy frame, a generator."""
    check_has_rows(X, name)
    if type(X).__name__ == "LazyFrame":
        raise TypeError(
            f"{name} is a LazyFrame, which holds no rows yet. Pass {name}.collect()."
        )


def as_table(X, name="X"):
    """X as a table: frames and sparse matrices as they are, else an array.

    Parameters
    ----------
    X : array-like, sparse matrix or DataFrame
        What the user gave as a table.

    name : str, default="X"
        The name of the argument, for the messages.

    Returns
    -------
    X : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)
        Not a copy where that is possible.

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
            f"{X.shape}. Use {name}.reshape(-1, 1) for a single feature."
        )
    return X


def as_array(X):
    """X as an array, a sparse matrix as it is."""
    return X if sp.issparse(X) else np.asarray(X)


def as_dense(X):
    """X as an array, a sparse matrix made dense."""
    return X.toarray() if sp.issparse(X) else np.asarray(X)


def own_copy(X):
    """Frame or sparse matrix that a model may write to; pandas 3 copies it on write."""
    if isinstance(X, list) or sp.issparse(X):
        return X.copy()
    return X.copy(deep=not pandas_copies_on_write()) if hasattr(X, "iloc") else X


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
        A table or a vector.

    rows : array-like of int or bool, or slice
        Positions, a mask or a range.

    Returns
    -------
    taken : same container
        None of None.
    """
    if isinstance(values, (list, tuple)) or hasattr(values, "to_pylist"):
        return take_items(values, rows)
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


def only_columns(X, names):
    """Some columns of a table, by the names of :func:`column_names`, as a table."""
    return X[list(names)] if is_frame(X) else X[:, list(names)]


def row_names(X):
    """Names of the rows: the index of a pandas frame or series, else positions."""
    return X.index.tolist() if hasattr(X, "iloc") else list(range(_num_samples(X)))


def columns_of(X):
    """Iterate over the columns of a table, a sparse one made dense.

    Parameters
    ----------
    X : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_columns)
        A table.

    Returns
    -------
    columns : iterator of ndarray or Series of shape (n_records,)
        From left to right.
    """
    X = X.toarray() if sp.issparse(X) else X
    return (column_of(X, name) for name in column_names(X))


# Values


def numbers_of(column):
    """Values of a numeric column as floats.

    Parameters
    ----------
    column : ndarray, pandas Series or polars Series of shape (n,)
        A column of a table.

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
        A column of a table.

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
            # Not of fixed width: one long text would make all of them as long.
            text = np.empty(len(values), dtype=object)
            text[:] = [str(v) for v in values.tolist()]
            return np.unique(text, return_inverse=True)[1].astype(float)
    if values.dtype.kind in "US":
        return np.unique(values, return_inverse=True)[1].astype(float)
    values = values.astype(float)
    return np.where(np.isfinite(values), values, np.nan)


def with_column(X, values, name):
    """A frame with one more column at the end.

    Parameters
    ----------
    X : DataFrame of shape (n_records, n_columns)
        A frame of pandas or polars.

    values : array-like of shape (n_records,)
        A series keeps its dtype, and loses its index.

    name : str or int
        A name that no column has.

    Returns
    -------
    frame : DataFrame of shape (n_records, n_columns + 1)
        A new one.
    """
    if is_polars_df(X):
        import polars as pl

        values = values if isinstance(values, pl.Series) else np.asarray(values)
        return X.with_columns(pl.Series(values).alias(name))
    import pandas as pd

    series = hasattr(values, "array")
    # Of text without a dtype pandas makes one of its own.
    dtype = values.dtype if series else None
    values = values.array if series else np.asarray(values)
    return pd.concat([X, pd.Series(values, X.index, dtype, name)], axis=1)


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
        The table to be like.

    columns : dict
        Each name of :func:`column_names` mapped to a column of shape (n_rows,).

    Returns
    -------
    table : same container as X, of shape (n_rows, n_columns)
        A frame keeps the dtypes of `columns`, an array has that of X.
    """
    columns = [columns[name] for name in column_names(X)]
    if not is_frame(X):
        return np.column_stack(columns).astype(X.dtype, copy=False)
    if is_pandas_df(X):
        columns = [column.reset_index(drop=True) for column in columns]
    return type(X)(dict(zip(X.columns, columns, strict=True)))


def floats_like(like, X):
    """A table with its floats in the width that they have in another.

    Parameters
    ----------
    like : {ndarray, DataFrame}
        What the widths are taken from.

    X : same container
        With the same columns.

    Returns
    -------
    X : same container
        With the widths of `like`.
    """
    if not is_frame(X):
        return X.astype(like.dtype, copy=False) if like.dtype.kind == "f" else X
    if is_pandas_df(X):
        floats = {c: d for c, d in like.dtypes.items() if d.kind == "f"}
        return X.astype(floats)
    return X.cast({c: d for c, d in like.schema.items() if d.is_float()})


def in_order_of(first, second):
    """The second table with the columns of the first in their order.

    Parameters
    ----------
    first : {ndarray, sparse matrix, DataFrame}
        What the order is taken from.

    second : {ndarray, sparse matrix, DataFrame}
        What is put in order.

    Returns
    -------
    table : same container as `second`
        As it is if the names of the columns are not the same.
    """
    if not is_frame(first) or not is_frame(second):
        return second
    names = list(first.columns)
    if names == list(second.columns) or set(names) != set(second.columns):
        return second
    return second[names]


def stack_tables(first, second, *, names=("X_train", "X_test")):
    """Put two tables, or items, of one kind together, without changing a value.

    Columns of frames are matched by name. A column keeps the type that it has in the
    first table wherever that holds the values of the second; else numbers get the
    wider type. Categories that only the second table uses come after those of the
    first.

    Parameters
    ----------
    first, second : {ndarray, sparse matrix, DataFrame} of shape (n, n_columns)
        The upper and the lower table.

    names : pair of str, default=("X_train", "X_test")
        Names of the tables, for the messages.

    Returns
    -------
    table : same container
        A new one, the columns in the order of the first.

    Raises
    ------
    TypeError
        If the tables are of different containers.

    ValueError
        If they have different columns, or if a column holds text, numbers or times in
        one and not in the other.
    """
    held_in = _container(first), _container(second)
    if held_in[0] != held_in[1]:
        raise TypeError(
            f"{names[0]} is a {held_in[0]} and {names[1]} a {held_in[1]}; pass both in "
            "the container that the model was trained on."
        )
    if hasattr(first, "to_frame"):
        frames = [column.to_frame("item") for column in (first, second)]
        return stack_tables(*frames, names=names)["item"].rename(first.name)
    if not is_table(first):
        return stack_items(first, second, names)
    if is_frame(first):
        _check_columns(first, second, names)
        second = in_order_of(first, second)
        stack = _stacked_pandas if is_pandas_df(first) else _stacked_polars
        return stack(first, second, names)
    if first.shape[1] != second.shape[1]:
        raise ValueError(
            f"{names[0]} has {first.shape[1]} columns and {names[1]} "
            f"{second.shape[1]}; expected the same features."
        )
    if sp.issparse(first):
        return sp.vstack([first, second], format="csr")
    kinds = first.dtype.kind, second.dtype.kind
    if (kinds[0] in "US") != (kinds[1] in "US") and "O" not in kinds:
        raise ValueError(
            f"{names[0]} has dtype {first.dtype} and {names[1]} {second.dtype}; "
            "expected the same kind of values."
        )
    if kinds[0] in "biuf" and kinds[1] in "biuf":
        with np.errstate(all="ignore"):
            cast = second.astype(first.dtype, copy=False)
        second = cast if np.array_equal(cast, second, equal_nan=True) else second
    return np.concatenate([first, second])


def _container(X):
    if is_frame(X):
        return "pandas DataFrame" if is_pandas_df(X) else "polars DataFrame"
    if not is_table(X) and not isinstance(X, np.ndarray):
        return type(X).__name__
    return "sparse matrix" if sp.issparse(X) else "NumPy array"


def _check_columns(first, second, names):
    missing = [c for c in first.columns if c not in second.columns]
    extra = [c for c in second.columns if c not in first.columns]
    if missing or extra:
        raise ValueError(
            f"{names[0]} and {names[1]} have different columns: {names[1]} lacks "
            f"{missing!r} and adds {extra!r}."
        )


def _check_kinds(name, kinds, dtypes, names):
    """Raise ValueError where one column holds text and the other numbers, say."""
    if None not in kinds and kinds[0] != kinds[1]:
        raise ValueError(
            f"Column {name!r} is {dtypes[0]} in {names[0]} and {dtypes[1]} in "
            f"{names[1]}; expected the same kind of values. Convert it to what the "
            "model was trained on."
        )


def _stacked_pandas(first, second, names):
    import pandas as pd

    dtypes = zip(first.columns, first.dtypes, second.dtypes, strict=True)
    differ = [c for c, own, other in dtypes if own != other]
    if differ:
        first, second = first.copy(deep=False), second.copy(deep=False)
    for c in differ:
        pair = first[c], second[c]
        kinds = [_pandas_kind(column) for column in pair]
        _check_kinds(c, kinds, [column.dtype for column in pair], names)
        first[c], second[c] = _pandas_pair(*pair)
    # The copy is in one piece: a wide table from a file has a block a column.
    return pd.concat([first, second], ignore_index=True).copy()


def _pandas_kind(column):
    """Text, number or time; None for what may be any or is none of these."""
    import pandas as pd

    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return _pandas_kind(dtype.categories.to_series())
    if len(column):
        column = column.dropna()
        if not len(column):
            return None
    if isinstance(dtype, pd.StringDtype) or dtype.kind in "US":
        return "text"
    if dtype.kind == "O":
        found = pd.api.types.infer_dtype(column)
        numeric = ("integer", "floating", "mixed-integer-float", "boolean", "decimal")
        return "text" if found == "string" else "number" if found in numeric else None
    return {"m": "time", "M": "time"}.get(dtype.kind, "number")


def _pandas_pair(first, second):
    """Two columns in one type, that of the first where it holds the second."""
    import pandas as pd

    if isinstance(first.dtype, pd.CategoricalDtype):
        united = _united(first, second)
        return first.astype(united), second.astype(united)
    if isinstance(second.dtype, pd.CategoricalDtype):
        second = pd.Series(np.asarray(second.array), index=second.index)
    if isinstance(second.dtype, pd.SparseDtype):
        second = second.sparse.to_dense()
    if second.dtype.kind == "O":
        second = second.infer_objects()
    cast = _unchanged(second, first.dtype)
    if cast is not None:
        return first, cast
    if first.isna().all() and (cast := _unchanged(first, second.dtype)) is not None:
        return cast, second
    wide = _wider_type(first, second)
    return (
        (first, second) if wide is None else (first.astype(wide), second.astype(wide))
    )


def _unchanged(column, dtype):
    """The column in another type; None if a value would change."""
    try:
        with np.errstate(all="ignore"):
            cast = column.astype(dtype)
        same = (cast == column) | (cast.isna() & column.isna())
    except (TypeError, ValueError, OverflowError):
        return None
    return cast if same.fillna(False).all() else None


def _wider_type(first, second):
    """Type of numbers that holds both columns; None leaves it to pandas."""
    if hasattr(first.dtype, "pyarrow_dtype"):
        return None
    nullable = not isinstance(first.dtype, np.dtype)
    dtypes = []
    for column in (first, second):
        dtype = getattr(column.dtype, "numpy_dtype", column.dtype)
        if not isinstance(dtype, np.dtype) or dtype.kind not in "biuf":
            if not column.isna().all():
                return None
            dtype = np.dtype(float)
        gaps = dtype.kind != "f" and not nullable and column.isna().any()
        dtypes.append(np.dtype(float) if gaps else dtype)
    wide = np.result_type(*dtypes)
    if not nullable:
        return wide
    sizes = {"f": "Float", "i": "Int", "u": "UInt"}
    return f"{sizes[wide.kind]}{8 * wide.itemsize}"


def _united(first, second):
    """Categories of the first column, then those that only the second uses.

    A model refuses categories that it was not trained on, so that none is added for
    nothing.
    """
    import pandas as pd

    known = first.dtype.categories
    used = second.astype("category").cat.remove_unused_categories().cat.categories
    new = used[~used.isin(known)]
    if not len(new):
        return first.dtype
    cast = _unchanged(new.to_series(), known.dtype)
    new = new if cast is None else pd.Index(cast)
    return pd.CategoricalDtype(known.append(new), first.dtype.ordered)


def _stacked_polars(first, second, names):
    import polars as pl

    for c in first.columns:
        pair = first[c], second[c]
        if pair[0].dtype == pair[1].dtype:
            continue
        kinds = [_polars_kind(column.dtype) for column in pair]
        # An enumeration would show its categories.
        dtypes = [column.dtype.base_type().__name__ for column in pair]
        _check_kinds(c, kinds, dtypes, names)
        top, bottom = _polars_pair(*pair)
        first, second = first.with_columns(top), second.with_columns(bottom)
    return pl.concat([first, second], how="vertical_relaxed")


def _polars_kind(dtype):
    import polars as pl

    if dtype.is_numeric() or dtype == pl.Boolean:
        return "number"
    if dtype in (pl.String, pl.Categorical, pl.Enum):
        return "text"
    return "time" if dtype.is_temporal() else None


def _polars_pair(first, second):
    import polars as pl

    if isinstance(first.dtype, pl.Enum):
        known = first.dtype.categories
        used = second.drop_nulls().unique().sort().cast(pl.String)
        more = used.filter(~used.is_in(known.to_list()))
        first = first.cast(pl.String).cast(pl.Enum(pl.concat([known, more])))
    if _polars_kind(second.dtype) == "text":
        # One enumeration does not become another.
        second = second.cast(pl.String)
    cast = second.cast(first.dtype, strict=False)
    if cast.cast(second.dtype, strict=False).eq_missing(second).all():
        return first, cast
    units = [getattr(column.dtype, "time_unit", None) for column in (first, second)]
    if None in units:
        return first, second
    # Left to itself polars takes the coarser unit.
    finer = max(units, key=["ms", "us", "ns"].index)
    return first.dt.cast_time_unit(finer), second.dt.cast_time_unit(finer)
