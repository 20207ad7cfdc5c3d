"""Who a record is: its content, hashed, the same in any container."""

import hashlib
import numbers
from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from sklearn_mia.items import check_items, is_missing, is_series, item_list
from sklearn_mia.tables import column_names, columns_of, is_frame, is_table

_MAX_EXACT_INTEGER = 2**53
# So many at a time stay in the cache of a processor.
_CELLS_AT_A_TIME = 2**16


def check_cells(X, name="X"):
    """Raise TypeError for a column with a list, set, dictionary or array in a cell.

    Parameters
    ----------
    X : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_columns)
        Records, or features; of items each must be one that can be told from others.

    name : str, default="X"
        The name of the argument, for the message.
    """
    if not is_table(X):
        check_items(X, name)
        return
    if sp.issparse(X) or not (is_frame(X) or X.dtype.kind == "O"):
        return
    for column_name, column in zip(column_names(X), columns_of(X), strict=True):
        is_polars = hasattr(column.dtype, "is_numeric")
        if column.dtype.is_numeric() if is_polars else column.dtype.kind != "O":
            continue
        cells = column.to_list() if is_polars else column.tolist()
        nested = {list, dict, set, np.ndarray} & set(map(type, cells))
        if nested:
            kinds = ", ".join(sorted(kind.__name__ for kind in nested))
            raise TypeError(
                f"Column {column_name!r} of {name} has cells of type {kinds}; expected "
                "one number, text or missing value a cell. Give each part a column of "
                "its own, or leave the column out."
            )


def record_ids(features, labels=None, *, dtype=np.float64, item_shape=None):
    r"""Identity of each record by its content, the same in any container.

    .. math:: id_i = m\Big(\sum_j m(v(x_{ij}) + s_j)\Big) \bmod 2^{64}

    with :math:`v` the 64-bit value of a cell, :math:`s_j` a constant of column j and
    :math:`m` a mixing function (splitmix64). Numbers count as float64 values
    (-0.0 = 0.0, NaN = NaN), integers beyond :math:`2^{53}` as integers; booleans,
    categories and strings by value. The index, the memory order and the container
    do not matter; a float32 copy of a float64 record is another record.

    A document is one cell, and an array of three dimensions and more the table of its
    cells. An item of a list that is an array or a list itself has its shape as one more
    cell, whatever the shapes of the others, unless it is `item_shape`; a dictionary is
    its pairs, in any order.

    Parameters
    ----------
    features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)
        The features, columns in a fixed order; or a list, a series or an array of
        items.

    labels : array-like of shape (n_records,) or None, default=None
        The class labels, one more column.

    dtype : dtype, default=np.float64
        Floats are rounded to it first; float32 tells whether two tables differ by
        that rounding alone.

    item_shape : tuple of int or None, default=None
        Items of a list that have this shape are as in one array of them. An attack
        passes what all the items had that it was fitted on, if they had one shape.

    Returns
    -------
    ids : ndarray of shape (n_records,), dtype uint64
        Equal exactly when the records are equal, but for a chance of about
        :math:`n^2 / 2^{65}` of any collision among n records.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mia.identity import record_ids
    >>> a, b, c = record_ids(np.array([[1.0, -0.0], [1, 0], [0, 1]]))
    >>> bool(a == b), bool(a == c)
    (True, False)
    """
    if sp.issparse(features):
        total = _sparse_total(features, dtype)
        n_columns = features.shape[1]
    elif not is_table(features):
        total, n_columns = _items_total(features, dtype, item_shape)
    else:
        columns = columns_of(features)
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
        Records less different records.
    """
    return len(ids) - count_different(ids)


def count_different(ids):
    """Count different ids, by sorting: faster than the hash table of `numpy.unique`.

    Parameters
    ----------
    ids : ndarray of shape (n_records,), dtype uint64
        From :func:`record_ids`, or of groups.

    Returns
    -------
    n_different : int
        How many values there are.
    """
    ordered = np.sort(ids)
    return int(np.count_nonzero(ordered[1:] != ordered[:-1])) + (len(ids) > 0)


def find_ids(known, ids):
    """Place of each record among known ones.

    Parameters
    ----------
    known : ndarray of shape (n_known,), dtype uint64
        Different ids, ascending.

    ids : ndarray of shape (n_records,), dtype uint64
        From :func:`record_ids`.

    Returns
    -------
    place : ndarray of shape (n_records,)
        -1 for a record that is not known.
    """
    place = np.searchsorted(known, ids)
    place[place == len(known)] = 0
    return np.where(known[place] == ids, place, -1)


def merged_identities(ids, groups):
    """Identities under which equal records and records of one group are one.

    Parameters
    ----------
    ids : ndarray of shape (n_records,), dtype uint64
        From :func:`record_ids`.

    groups : array-like of shape (n_records,)
        One person, many records.

    Returns
    -------
    identities : ndarray of shape (n_records,), dtype uint64
        Of the content: neither the order of the records nor the names of the groups
        matter.
    """
    _, record = np.unique(ids, return_inverse=True)
    unique, group = np.unique(cell_values(groups), return_inverse=True)
    links = sp.coo_array(
        (np.ones(len(ids), dtype=bool), (group, len(unique) + record)),
        shape=(len(unique) + record.max() + 1,) * 2,
    )
    _, component = connected_components(links, directed=False)
    smallest = np.full(component.max() + 1, np.iinfo(np.uint64).max, dtype=np.uint64)
    np.minimum.at(smallest, component[group], ids)
    return smallest[component[group]]


def mix(x):
    """Mix 64-bit values: splitmix64, elementwise, wrapping modulo 2**64.

    Parameters
    ----------
    x : ndarray of dtype uint64, or int
        Values to mix.

    Returns
    -------
    mixed : ndarray of dtype uint64, at least one-dimensional
        Different values stay different.
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
        A column of a table.

    dtype : dtype, default=np.float64
        Floats are rounded to it first.

    Returns
    -------
    values : ndarray of shape (n,), dtype uint64
        The value :math:`v` of :func:`record_ids`.
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


def _items_total(features, dtype, item_shape):
    """Sums over the cells of items, and how many cells each has."""
    if isinstance(features, np.ndarray) and features.ndim > 2:
        return _arrays_total(features, dtype), int(np.prod(features.shape[1:]))
    if not isinstance(features, (list, tuple, np.ndarray)) and not is_series(features):
        raise TypeError(
            f"features is a {type(features).__name__}; expected a table, or a list, a "
            "series or an array of items. Of Records pass both parts, "
            "record_ids(records.features, records.labels)."
        )
    items = item_list(features)
    if all(isinstance(v, (str, bytes)) or is_missing(v) for v in items):
        return mix(_object_bits(items) + _salt(0)), 1
    known = _ObjectBits()
    found = [_item_total(v, dtype, known, item_shape) for v in items]
    total, n_cells = np.array(found, dtype=np.uint64).reshape(-1, 2).T
    return total, n_cells


def _arrays_total(arrays, dtype):
    n_cells = int(np.prod(arrays.shape[1:]))
    salts = _salt(np.arange(n_cells))
    total = np.empty(len(arrays), dtype=np.uint64)
    step = max(1, _CELLS_AT_A_TIME // max(n_cells, 1))
    for start in range(0, len(arrays), step):
        some = np.ascontiguousarray(arrays[start : start + step])
        bits = cell_values(some.ravel(), dtype).reshape(len(some), -1)
        total[start : start + step] = mix(bits + salts).reshape(bits.shape).sum(axis=1)
    return total


def _item_total(item, dtype, known, plain_shape=None):
    """Sum over the cells of one item, and their number."""
    if isinstance(item, Mapping):
        pairs = [
            (_value_bits(k, dtype, known), _value_bits(v, dtype, known))
            for k, v in item.items()
        ]
        key, value = np.array(pairs, dtype=np.uint64).reshape(-1, 2).T
        # A sum does not depend on the order of the keys.
        return int(mix(mix(key) + value).sum(dtype=np.uint64)), 1
    if not isinstance(item, (list, tuple, np.ndarray)):
        try:
            return int(mix(known[item] + _salt(0))[0]), 1
        except TypeError:
            raise TypeError(
                f"An item of the records is of type {type(item).__name__}; expected "
                "text, an array, a list or a dictionary."
            ) from None
    bits, shape = _parts_of(item, dtype, known)
    cells = bits
    if shape != plain_shape:
        shape_bits = _digest(b"shape", repr(shape).encode())
        cells = np.append(bits, np.uint64(shape_bits))
    total = mix(cells + _salt(np.arange(len(cells)))).sum(dtype=np.uint64)
    return int(total), len(cells)


def _parts_of(item, dtype, known):
    """Bits of the cells of a list or an array, and its shape."""
    try:
        array = np.asarray(item)
    except ValueError:  # lists of different length
        array = None
    if array is None or (array.dtype.kind == "O" and array.ndim == 1):
        parts = [_value_bits(v, dtype, known) for v in item]
        return np.array(parts, dtype=np.uint64), (len(parts),)
    if array.dtype.kind in "USO" and not isinstance(item, np.ndarray):
        # Of numbers beside text NumPy makes text.
        flat = np.array(item, dtype=object).ravel()
        return cell_values(flat, dtype), array.shape
    return cell_values(array.ravel(), dtype), array.shape


def _value_bits(value, dtype, known):
    if isinstance(value, (Mapping, list, tuple, np.ndarray)):
        total, n_cells = _item_total(value, dtype, known)
        return int(mix(np.uint64(total) ^ _salt(n_cells))[0])
    return known[value]
