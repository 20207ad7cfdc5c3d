"""What an attack looks at: records, their class label, and their identity.

A *record* is one row: the features and the class label of one example. This
module joins and splits the two, and recognises a record by its content.
"""

import hashlib
import numbers
import re

import numpy as np
import scipy.sparse as sp
from sklearn.utils._dataframe import is_pandas_df, is_polars_df
from sklearn.utils.validation import check_consistent_length, column_or_1d

__all__ = ["RecordSchema", "as_records", "count_duplicates", "record_ids"]

_MAX_EXACT_INTEGER = 2**53


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


def as_labels(y, name="y"):
    """Return class labels as a one-dimensional array, values untouched.

    Parameters
    ----------
    y : array-like of shape (n,) or (n, 1)
        Labels: a list, an array, a pandas or polars series, or a frame of one
        column.

    name : str, default="y"
        The name of the argument, for the messages.

    Returns
    -------
    y : ndarray of shape (n,)
    """
    check_container(y, name)
    if is_frame(y) or hasattr(y, "to_numpy"):
        y = y.to_numpy()
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        y = column_or_1d(y, warn=True)
    if y.ndim != 1:
        raise ValueError(
            f"{name} must be 1-d labels, got shape {y.shape}. If {name} is one-hot, "
            f"pass the class of each row, for example {name}.argmax(axis=1)."
        )
    return y


def as_records(X, y, *, label_name=None):
    """Join features and class labels into records, the input of every attack.

    The label becomes one more column at the end. The container and the dtypes of
    the features are kept, so that the target later sees just what it was trained
    on.

    Parameters
    ----------
    X : {array-like, sparse matrix, pandas or polars DataFrame} of shape \
            (n_records, n_features)
        The features.

    y : array-like of shape (n_records,)
        The class label of each row, as the target knows it.

    label_name : str or None, default=None
        Name of the label column in a frame. None takes the name of ``y``, else
        ``"label"``; in a frame with integer column names, the next integer.

    Returns
    -------
    records : same container as X, of shape (n_records, n_features + 1)
        A numeric array whose dtype cannot hold the labels exactly (text, say)
        becomes an array of dtype object; use a frame to avoid that.

    Raises
    ------
    ValueError
        If X and y differ in length, if y is not one-dimensional, if the frame
        already has a column of that name, or if X is sparse and y is not numeric.

    See Also
    --------
    record_ids : The identity of each record, by content.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mia import as_records
    >>> as_records(np.array([[0.5, 1.0], [2.5, 3.0]]), [0, 1])
    array([[0.5, 1. , 0. ],
           [2.5, 3. , 1. ]])
    """
    check_container(X)
    name = getattr(y, "name", None)
    if is_frame(y) and len(y.columns) == 1:
        name = y.columns[0]
    labels = as_labels(y)
    if not is_frame(X) and not sp.issparse(X):
        X = np.asarray(X)
        if X.ndim != 2:
            raise ValueError(
                f"X must be a table of shape (n_records, n_features), got shape "
                f"{X.shape}. Use X.reshape(-1, 1) for a single feature."
            )
    check_consistent_length(X, labels)
    if is_frame(X):
        return _frame_records(X, y, labels, name, label_name)
    if sp.issparse(X):
        if labels.dtype.kind not in "biuf":
            raise ValueError(
                f"Sparse records hold numbers only, got labels of dtype "
                f"{labels.dtype}. Train the target on encoded labels "
                "(sklearn.preprocessing.LabelEncoder), or use a frame."
            )
        column = labels.astype(_joint_dtype(X.dtype, labels, sparse=True))
        like_X = sp.csr_matrix if sp.isspmatrix(X) else sp.csr_array
        return sp.hstack([X, like_X(column[:, None])], format="csr")
    dtype = _joint_dtype(X.dtype, labels)
    records = np.empty((X.shape[0], X.shape[1] + 1), dtype=dtype)
    if dtype.kind == "O" and X.dtype.kind != "O":
        for j in range(X.shape[1]):
            # NumPy scalars, not Python ones: they remember their own width.
            records[:, j] = list(X[:, j])
        records[:, -1] = list(labels)
    else:
        records[:, :-1] = X
        records[:, -1] = labels
    return records


def _frame_records(X, y, labels, name, label_name):
    columns = list(X.columns)
    label_name = name if label_name is None else label_name
    if label_name is None or label_name == "":
        integers = columns and all(isinstance(c, numbers.Integral) for c in columns)
        label_name = max(columns) + 1 if integers else "label"
    if label_name in columns:
        raise ValueError(
            f"X already has a column named {label_name!r}. Pass another name as "
            "label_name, or records that hold their label to the attack as they are."
        )
    if is_polars_df(X):
        import polars as pl

        series = y if isinstance(y, pl.Series) else pl.Series(labels)
        return X.with_columns(series.alias(label_name))
    import pandas as pd

    values = y.array if hasattr(y, "array") else labels
    column = pd.Series(values, index=X.index, name=label_name)
    return pd.concat([X, column], axis=1)


def _joint_dtype(dtype, labels, sparse=False):
    """Dtype of an array that holds both, the features' own if that loses nothing."""
    if dtype.kind == "O":
        return dtype
    numeric = dtype.kind in "biuf" and labels.dtype.kind in "biuf"
    if not numeric:
        same_kind = dtype.kind == labels.dtype.kind and dtype.kind in "US"
        return np.result_type(dtype, labels.dtype) if same_kind else np.dtype(object)
    with np.errstate(all="ignore"):
        cast = labels.astype(dtype)
    if np.array_equal(cast, labels):
        return dtype
    if sparse:
        return np.result_type(dtype, labels.dtype)
    return np.dtype(object)


class RecordSchema:
    """Where the class label is in a record, and how the target wants its features.

    Fixed once, when an attack is fitted, from the target and the first records;
    afterwards every table is split in the same way.

    Parameters
    ----------
    target : estimator instance
        The fitted target; its `feature_names_in_` and `n_features_in_`, where it has
        them, tell which columns it was trained on.

    records : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_columns)
        The records that the attack is fitted on.

    label_column : {"auto"}, int, str or None, default="auto"
        "auto": in a frame the one column that the target was not trained on, else
        the last one. An int is a position (for a frame with integer names, a name).
        None: the records carry no label.

    Attributes
    ----------
    label_column : str, int or None
        The column found: a name in a frame, else a position.

    feature_names : list or None
        Names of the feature columns in the order handed to the target; None for
        tables without names.
    """

    def __init__(self, target, records, label_column="auto"):
        names = _trained_names(target)
        n_trained = getattr(target, "n_features_in_", None)
        columns = list(records.columns) if is_frame(records) else None
        if columns is not None:
            self._init_frame(columns, names, n_trained, label_column)
        else:
            self._init_array(records.shape[1], n_trained, label_column)

    def _init_frame(self, columns, names, n_trained, label_column):
        if names is not None and not set(names) <= set(columns):
            # LightGBM remembers the spaces of a name as underscores.
            renamed = {re.sub(r"\s", "_", c): c for c in columns if isinstance(c, str)}
            names = [c if c in columns else renamed.get(c, c) for c in names]
        if names is not None and not set(names) <= set(columns):
            missing = [c for c in names if c not in columns]
            raise ValueError(
                f"The target was trained on columns that the records lack: "
                f"{_shown(missing)}. The records have {_shown(columns)}."
            )
        if label_column is None:
            label = None
        elif isinstance(label_column, str) and label_column == "auto":
            label = self._auto_label(columns, names, n_trained)
        elif label_column in columns:
            label = label_column
        elif isinstance(label_column, numbers.Integral) and not isinstance(
            label_column, bool
        ):
            label = columns[_position(label_column, len(columns))]
        else:
            raise ValueError(
                f"label_column={label_column!r} is not a column of the records, which "
                f"have {_shown(columns)}."
            )
        rest = [c for c in columns if c != label]
        if names is not None:
            extra = [c for c in rest if c not in set(names)]
            if extra:
                raise ValueError(
                    f"The records have columns that the target was not trained on: "
                    f"{_shown(extra)}. Drop them; only the class label may be added."
                )
            rest = list(names)
        elif n_trained is not None and len(rest) != n_trained:
            raise ValueError(_count_message(len(rest), n_trained, label is None))
        self.label_column = label
        self.feature_names = rest
        # A model fitted on a frame with text names would know them: this one was
        # fitted on an array, and wants one again.
        self._as_array = (
            names is None
            and n_trained is not None
            and all(isinstance(c, str) for c in rest)
        )

    @staticmethod
    def _auto_label(columns, names, n_trained):
        if names is None:
            if n_trained is not None and len(columns) != n_trained + 1:
                raise ValueError(_count_message(len(columns) - 1, n_trained, False))
            return columns[-1]
        extra = [c for c in columns if c not in set(names)]
        if len(extra) == 1:
            return extra[0]
        if not extra:
            raise ValueError(
                "The records hold only the columns that the target was trained on, "
                "not the class label. Add it with as_records(X, y), or set "
                "label_column=None to let the target's own prediction stand in."
            )
        raise ValueError(
            f"label_column='auto' found {len(extra)} columns that the target was not "
            f"trained on: {_shown(extra)}. Drop all but the class label."
        )

    def _init_array(self, n_columns, n_trained, label_column):
        if label_column is None:
            label = None
        elif isinstance(label_column, str) and label_column == "auto":
            label = n_columns - 1
        elif isinstance(label_column, numbers.Integral) and not isinstance(
            label_column, bool
        ):
            label = _position(label_column, n_columns)
        else:
            raise ValueError(
                f"label_column={label_column!r} is a name, but the records are an "
                "array without column names. Pass a position or a frame."
            )
        n_features = n_columns - (label is not None)
        if n_trained is not None and n_features != n_trained:
            raise ValueError(_count_message(n_features, n_trained, label is None))
        self.label_column = label
        self.feature_names = None
        self._as_array = False

    def split(self, records):
        """Split records into what the target wants and the class labels.

        Parameters
        ----------
        records : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_columns)

        Returns
        -------
        features : same container as `records`
            Columns in the target's order. No copy of an array whose label is first
            or last.

        labels : ndarray of shape (n_records,) or None
            None if the records carry no label.
        """
        label = self.label_column
        if self.feature_names is not None:
            features = records[self.feature_names]
            if self._as_array:
                features = features.to_numpy()
            labels = None if label is None else as_labels(records[label])
            return features, labels
        if label is None:
            return _read_only(records), None
        n_columns = records.shape[1]
        if label == n_columns - 1:
            kept = slice(0, label)
        elif label == 0:
            kept = slice(1, None)
        else:
            kept = np.r_[0:label, label + 1 : n_columns]
        if sp.issparse(records):
            records = records.tocsr()
            return _read_only(records[:, kept]), records[:, [label]].toarray().ravel()
        return _read_only(_numeric_if_possible(records[:, kept])), records[:, label]


def _trained_names(target):
    """Names of the columns that the target was trained on, None if it has none."""
    names = getattr(target, "feature_names_in_", None)
    if names is None:
        return None
    names = np.asarray(names).tolist()
    # LightGBM numbers the columns of an array and calls that their names.
    if all(re.fullmatch(rf"Column_{i}", str(c)) for i, c in enumerate(names)):
        return None
    return names


def _read_only(features):
    """View that a step of the target which works in place cannot write through."""
    if sp.issparse(features):
        features = features.tocsr()
        if not features.has_sorted_indices:
            features = features.sorted_indices()
        parts = _read_only(features.data), features.indices, features.indptr
        return type(features)(parts, shape=features.shape)
    view = features.view()
    view.flags.writeable = False
    return view


def _numeric_if_possible(features):
    """Undo the object dtype that a text label forces on a numeric array."""
    if features.dtype.kind != "O" or features.size == 0:
        return features
    kinds = {type(v) for v in features[0]}
    if not all(issubclass(k, (numbers.Number, np.bool_)) for k in kinds):
        return features
    numeric = np.array(features.tolist())
    return numeric if numeric.dtype.kind in "biuf" else features


def _position(index, n_columns):
    if not -n_columns <= index < n_columns:
        raise ValueError(
            f"label_column={index!r} is outside the {n_columns} columns of the records."
        )
    return int(index) % n_columns


def _count_message(n_features, n_trained, unlabelled):
    if n_features == n_trained - 1 and not unlabelled:
        return (
            f"The records have {n_trained} columns, as many as the target has "
            "features: the class label is missing. Add it with as_records(X, y), or "
            "set label_column=None to let the target's own prediction stand in."
        )
    return (
        f"The records have {n_features} feature columns, but the target was trained "
        f"on {n_trained}."
    )


def _shown(names, most=6):
    text = ", ".join(repr(c) for c in names[:most])
    return text + (f" and {len(names) - most} more" if len(names) > most else "")


def record_ids(features, labels=None, *, dtype=np.float64):
    r"""Identity of each record by its content, the same in any container.

    .. math:: id_i = m\Big(\sum_j m(v(x_{ij}) + s_j)\Big) \bmod 2^{64}

    with :math:`v` the 64-bit value of a cell, :math:`s_j` a constant of column j and
    :math:`m` a mixing function (splitmix64). Numbers count as float64 values
    (-0.0 = 0.0, NaN = NaN), integers beyond :math:`2^{53}` as integers; booleans,
    categories and strings by value. The index, the memory order and the container
    do not matter; a float32 copy of a float64 record is another record.

    Parameters
    ----------
    features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)
        The features, columns in a fixed order.

    labels : array-like of shape (n_records,) or None, default=None
        The class labels, one more column.

    dtype : dtype, default=np.float64
        Floats are rounded to it first; float32 tells whether two tables differ by
        that rounding alone.

    Returns
    -------
    ids : ndarray of shape (n_records,), dtype uint64
        Equal exactly when the records are equal, but for a chance of about
        :math:`n^2 / 2^{65}` of any collision among n records.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mia.records import record_ids
    >>> a, b, c = record_ids(np.array([[1.0, -0.0], [1, 0], [0, 1]]))
    >>> bool(a == b), bool(a == c)
    (True, False)
    """
    if sp.issparse(features):
        total = _sparse_total(features, dtype)
        n_columns = features.shape[1]
    else:
        columns = _columns(features)
        total = np.zeros(len(features), dtype=np.uint64)
        for j, column in enumerate(columns):
            total += mix(cell_values(column, dtype) + _salt(j))
        n_columns = features.shape[1]
    if labels is not None:
        total = total + mix(cell_values(labels, dtype) + _salt(n_columns))
    return mix(total)


def count_duplicates(ids):
    """Count the records that equal an earlier one.

    Parameters
    ----------
    ids : ndarray of shape (n_records,)
        From :func:`record_ids`.

    Returns
    -------
    n_duplicates : int
    """
    return len(ids) - len(np.unique(ids))


def _columns(features):
    if is_frame(features):
        return (features[c] for c in features.columns)
    return (features[:, j] for j in range(features.shape[1]))


def mix(x):
    """Mix 64-bit values: splitmix64, elementwise, wrapping modulo 2**64.

    Parameters
    ----------
    x : ndarray of dtype uint64, or int

    Returns
    -------
    mixed : ndarray of dtype uint64, at least one-dimensional
    """
    x = np.atleast_1d(np.asarray(x, dtype=np.uint64)).copy()
    x += np.uint64(0x9E3779B97F4A7C15)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    x ^= x >> np.uint64(31)
    return x


def _salt(j):
    return mix(np.asarray(j, dtype=np.uint64) + np.uint64(0x5851F42D4C957F2D))


def _float_bits(values):
    values = np.asarray(values, dtype=np.float64) + 0.0
    values[np.isnan(values)] = np.nan
    return values.view(np.uint64)


def _integer_bits(values):
    bits = _float_bits(values.astype(np.float64))
    if values.dtype.itemsize == 8:
        large = values > _MAX_EXACT_INTEGER
        if values.dtype.kind == "i":
            large |= values < -_MAX_EXACT_INTEGER
        if large.any():
            bits[large] = mix(values[large].astype(np.uint64))
    return bits


def _digest(tag, content):
    hashed = hashlib.blake2b(content, digest_size=8, person=tag).digest()
    return int.from_bytes(hashed, "little")


class _ObjectBits(dict):
    """Bits of a Python object, remembered by value."""

    def __missing__(self, value):
        if isinstance(value, str):
            bits = _digest(b"text", value.encode("utf-8", "surrogatepass"))
        elif isinstance(value, bytes):
            bits = _digest(b"bytes", value)
        elif isinstance(value, (bool, np.bool_)):
            bits = int(_float_bits([float(value)])[0])
        elif isinstance(value, numbers.Integral):
            value = int(value)
            if abs(value) <= _MAX_EXACT_INTEGER:
                bits = int(_float_bits([float(value)])[0])
            else:
                bits = int(mix(np.uint64(value % 2**64))[0])
        elif isinstance(value, numbers.Real):
            bits = int(_float_bits([float(value)])[0])
        elif value is None or type(value).__name__ in ("NAType", "NaTType"):
            bits = int(_float_bits([np.nan])[0])
        else:
            name = type(value).__qualname__
            bits = _digest(b"object", f"{name}:{value!r}".encode())
        # Equal as keys, 2**60 and 2.0**60 are not the same cell.
        if not isinstance(value, numbers.Real) or abs(value) <= _MAX_EXACT_INTEGER:
            self[value] = bits
        return bits


def _object_bits(values):
    known = _ObjectBits()
    try:
        return np.array([known[v] for v in values], dtype=np.uint64)
    except TypeError as error:
        raise TypeError(
            f"A cell of a record must be a number, a boolean, a string or a "
            f"missing value; argument must be a string or a number, got {error}."
        ) from None


def _is_integer(dtype):
    """Tell whether a column of a pandas or polars frame holds integers."""
    if hasattr(dtype, "is_integer"):
        return dtype.is_integer()
    return getattr(dtype, "kind", "O") in "iu"


def cell_values(column, dtype=np.float64):
    """64-bit value of each cell of one column, equal cells alike in any container.

    Parameters
    ----------
    column : ndarray, pandas Series or polars Series of shape (n,)

    dtype : dtype, default=np.float64
        Floats are rounded to it first.

    Returns
    -------
    values : ndarray of shape (n,), dtype uint64
    """
    if hasattr(column, "cat") and hasattr(column.cat, "codes"):
        categories = _object_bits(list(column.cat.categories))
        missing = _object_bits([None])
        return np.concatenate([categories, missing])[column.cat.codes.to_numpy()]
    if hasattr(column, "to_numpy"):
        values = column.to_numpy()
        if values.dtype.kind == "f" and _is_integer(column.dtype):
            # A gap made floats of the integers, which rounds large ones.
            fill = getattr(column, "fillna", None) or column.fill_null
            bits = _integer_bits(fill(0).to_numpy())
            bits[np.isnan(values)] = _float_bits([np.nan])[0]
            return bits
        column = values
    column = np.asarray(column)
    kind = column.dtype.kind
    if kind in "fb":
        return _float_bits(column.astype(dtype, copy=False))
    if kind in "iu":
        return _integer_bits(column)
    if kind in "mM":
        stamps = column.astype(f"{kind}8[ns]").view(np.int64)
        bits = mix(stamps.view(np.uint64))
        bits[np.isnat(column)] = _float_bits([np.nan])[0]
        return bits
    if kind in "US":
        unique, inverse = np.unique(column, return_inverse=True)
        return _object_bits(unique.tolist())[inverse]
    return _object_bits(column.tolist())


def _sparse_total(features, dtype):
    features = features.tocsr()
    if not features.has_canonical_format:
        features = features.copy()
        features.sum_duplicates()
    zero = _float_bits(np.zeros(1))
    salts = _salt(np.arange(features.shape[1]))
    at_zero = mix(zero + salts)
    gain = mix(cell_values(features.data, dtype) + salts[features.indices])
    gain -= at_zero[features.indices]
    running = np.concatenate([np.zeros(1, np.uint64), np.cumsum(gain)])
    rows = running[features.indptr[1:]] - running[features.indptr[:-1]]
    return rows + np.sum(at_zero)


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
