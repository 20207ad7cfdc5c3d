"""Records that are no rows of a table: documents, images, recordings, dictionaries.

A *container of items* is what scikit-learn can index by rows and no table: a list or a
tuple, a series, an array of one dimension or of three and more. An *item* is a text, an
array or a list, or a dictionary.
"""

import numbers
from collections import Counter
from collections.abc import Iterator, Mapping, Set, ValuesView

import numpy as np
import scipy.sparse as sp
from sklearn.feature_extraction.text import HashingVectorizer

_WITHOUT_ROWS = (str, bytes, Iterator, Mapping, Set, ValuesView)
_MOST_CELLS = 20_000_000
_HASHED_WORDS = 2**12
_SUMMARIES = (np.mean, np.std, np.min, np.max)


def as_items(X):
    """X as a container of items, None where it is a table or a single column.

    Text, arrays of three dimensions and more, dictionaries, and lists of lists or
    arrays of different shapes are items. Numbers are none, and lists of one length are
    a table.

    Parameters
    ----------
    X : object
        What the user gave as features.

    Returns
    -------
    items : list, tuple, series, ndarray or None
        As it is; of a pandas index a series.
    """
    if hasattr(X, "to_series") and hasattr(X, "nlevels"):
        X = X.to_series().reset_index(drop=True)
    if isinstance(X, np.ndarray) and X.ndim != 1:
        return X if X.ndim > 2 else None
    if not (isinstance(X, (list, tuple, np.ndarray)) or is_series(X)):
        return None
    return X if _are_items(item_list(X)) else None


def is_series(X):
    """Tell whether X is a series of pandas or polars, or an array of pyarrow."""
    own = hasattr(X, "to_list") or hasattr(X, "to_pylist")
    return own and not hasattr(X, "columns") and not isinstance(X, type)


def _are_items(values):
    told = [v for v in values if not is_missing(v)]
    if not told or isinstance(told[0], (str, bytes, Mapping)):
        return bool(told)
    if not isinstance(told[0], (list, tuple)) and np.ndim(told[0]) == 0:
        return False
    shapes = {_shape(v) for v in told}
    return len(shapes) > 1 or len(shapes.pop() or "ragged") > 1


def _shape(value):
    """Shape of a list or an array, None of a list whose parts differ in shape."""
    try:
        return np.shape(value)
    except ValueError:
        return None


def one_shape(X):
    """The shape that all items of a container have, if they are arrays such as images.

    Parameters
    ----------
    X : object
        Features, a table too.

    Returns
    -------
    shape : tuple of int or None
        Of two dimensions and more; None of all else.
    """
    if isinstance(X, np.ndarray) and X.ndim != 1:
        return X.shape[1:] if X.ndim > 2 else None
    if not (isinstance(X, (list, tuple, np.ndarray)) or is_series(X)) or not len(X):
        return None
    values = item_list(X)
    shape = _shape(values[0])
    if not isinstance(values[0], (list, tuple, np.ndarray)) or len(shape or ()) < 2:
        return None
    return shape if all(_shape(v) == shape for v in values[1:]) else None


def is_missing(value):
    """Tell whether a value is None, NaN or what pandas has for a gap."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, numbers.Real) and value != value


def item_list(X):
    """Items of a container, one by one."""
    for method in ("to_list", "to_pylist"):
        if hasattr(X, method):
            return getattr(X, method)()
    return list(X)


def first_item(X):
    """The first item of a container."""
    return X[0] if isinstance(X, np.ndarray) else item_list(X)[0]


def take_items(X, rows):
    """Items of a list, a tuple or an array of pyarrow, in a container like it."""
    rows = np.arange(len(X))[rows]
    if hasattr(X, "to_pylist"):
        return X.take(rows)
    return type(X)([X[i] for i in rows])


def items_like(X, values):
    """Items in a container like another.

    Parameters
    ----------
    X : list, tuple, series or ndarray
        The container to be like.

    values : list
        Items of its kind.

    Returns
    -------
    items : same container
        An array of numbers keeps its type, a series its name and type.
    """
    if isinstance(X, (list, tuple)):
        return type(X)(values)
    if isinstance(X, np.ndarray):
        if X.dtype.kind in "USO":
            items = np.empty(len(values), dtype=object)
            items[:] = values
            return items if X.dtype.kind == "O" else items.astype(X.dtype.kind)
        return np.array(values, dtype=X.dtype)
    if hasattr(X, "to_pylist"):
        import pyarrow as pa

        return pa.array(values, type=X.type)
    if hasattr(X.dtype, "categories"):
        raise ValueError(
            f"The records are a {type(X).__name__} of categories, which holds no other "
            "texts. Pass text."
        )
    if hasattr(X, "iloc"):
        return type(X)(values, name=X.name, dtype=X.dtype)
    return type(X)(X.name, values, dtype=X.dtype)


def stack_items(first, second, names):
    """Put two containers of items together; see `tables.stack_tables`."""
    if isinstance(first, np.ndarray):
        if first.shape[1:] != second.shape[1:]:
            raise ValueError(
                f"{names[0]} has items of shape {first.shape[1:]} and {names[1]} of "
                f"{second.shape[1:]}; expected the same shape."
            )
        return np.concatenate([first, second])
    if hasattr(first, "to_pylist"):
        import pyarrow as pa

        chunks = [c for X in (first, second) for c in getattr(X, "chunks", [X])]
        joined = pa.chunked_array(chunks, type=first.type)
        return joined if hasattr(first, "chunks") else joined.combine_chunks()
    return type(first)([*first, *second])


# Words


def kind_of(X):
    """What the items of a container are called, in the plural.

    Parameters
    ----------
    X : list, tuple, series or ndarray
        A container of items.

    Returns
    -------
    kind : str
    """
    shape = one_shape(X)
    if shape is not None:
        return f"arrays of shape {shape}"
    first = next((v for v in item_list(X) if not is_missing(v)), None)
    if isinstance(first, (str, bytes)):
        return "documents"
    if isinstance(first, Mapping):
        return "dictionaries"
    shape = _shape(first)
    return "sequences" if shape is None or len(shape) == 1 else "arrays"


def check_has_rows(X, name="X"):
    """Raise TypeError for what cannot be indexed by rows: a text, a set, a generator.

    Parameters
    ----------
    X : object
        What the user gave as records or as labels.

    name : str, default="X"
        The name of the argument, for the message.
    """
    # A sparse matrix of keys is a dictionary, too.
    if isinstance(X, _WITHOUT_ROWS) and not sp.issparse(X):
        raise TypeError(
            f"{name} is a {type(X).__name__}; expected one row, item or label a "
            "record, in an order. Pass a list."
        )


def check_gaps(X, name="X"):
    """Raise ValueError for items that are missing.

    Parameters
    ----------
    X : list, tuple, series or ndarray
        A container of items.

    name : str, default="X"
        The name of the argument, for the message.
    """
    if isinstance(X, np.ndarray) and X.ndim > 2:
        return
    gaps = [is_missing(v) for v in item_list(X)]
    if any(gaps):
        raise ValueError(
            f"{name} has no value for {gaps.count(True)} of {len(gaps)} records (the "
            f"first at position {gaps.index(True)}); expected a text, an array, a list "
            "or a dictionary for each. Fill them in as for the training of the model, "
            "or leave the records out."
        )


def oddities_of(X):
    """What a model may not have expected of a list: items without content, odd shapes.

    Parameters
    ----------
    X : object
        What the model was asked about.

    Returns
    -------
    text : str
        Sentences that name the first such record; "" if there is none.
    """
    if hasattr(X, "to_pylist") and not hasattr(X, "columns"):
        return (
            f"The records are a {type(X).__name__} of pyarrow; if the model takes a "
            "list, pass X.to_pylist()."
        )
    if not isinstance(X, (list, tuple)) and getattr(X, "ndim", 2) != 1:
        return ""
    shapes = [_shape(v) for v in item_list(X)]
    empty = [shape is not None and 0 in shape for shape in shapes]
    if any(empty):
        return (
            f"{empty.count(True)} of {len(empty)} records are empty (the first at "
            f"position {empty.index(True)})."
        )
    usual, n_usual = Counter(shapes).most_common(1)[0] if shapes else ((), 0)
    if n_usual == len(shapes) or usual is None or len(usual) < 2:
        return ""
    place = next(i for i, shape in enumerate(shapes) if shape != usual)
    return (
        f"The records have different shapes: {n_usual} of {len(shapes)} have {usual}, "
        f"the first other one at position {place}: {shapes[place]}."
    )


def check_items(X, name="X"):
    """Raise TypeError for an item that is no text, array, list or dictionary.

    Parameters
    ----------
    X : list, tuple, series or ndarray
        A container of items.

    name : str, default="X"
        The name of the argument, for the message.
    """
    if isinstance(X, np.ndarray) and X.ndim > 2:
        return
    for value in item_list(X):
        plain = isinstance(value, (str, bytes, Mapping, list, tuple, numbers.Number))
        if not (plain or isinstance(value, np.ndarray) or is_missing(value)):
            raise TypeError(
                f"{name} has an item of type {type(value).__name__}; expected text, an "
                "array, a list or a dictionary, whose content tells it from others."
            )


# Numbers


def lengths_of(X):
    """Length of each item: characters of a text, entries of all else.

    Parameters
    ----------
    X : list, tuple, series or ndarray
        A container of items.

    Returns
    -------
    lengths : ndarray of shape (n_records,), dtype int
        0 for a missing one.
    """
    if isinstance(X, np.ndarray) and X.ndim > 2:
        return np.full(len(X), X.shape[1])
    return np.array([len(v) if np.iterable(v) else 0 for v in item_list(X)])


def item_numbers(X, most=None, shape=None):
    """Numbers that tell items from each other without a model.

    Of arrays of one shape all cells, where they are not too many, or evenly spaced ones
    and their mean, standard deviation, minimum and maximum; of arrays and lists of
    different shapes these four and the length; of text, dictionaries and lists of words
    the length, and how often each word is there, words by their hash.

    Parameters
    ----------
    X : list, tuple, series or ndarray
        A container of items.

    most : int or None, default=None
        Columns for words, and for cells; None is 4096 for words, and all cells unless
        they would be too large a table.

    shape : tuple of int or None, default=None
        What `one_shape` said of the first items, for later ones to get the same
        columns: an item of another shape is stretched to it.

    Returns
    -------
    table : {ndarray, sparse array} of shape (n_records, n_columns)
    """
    shape = one_shape(X) if shape is None else shape
    if isinstance(X, np.ndarray) and X.shape[1:] == shape and X.dtype.kind in "biuf":
        return _cells(X, most)
    values = item_list(X)
    if shape is not None and _are_numeric(values):
        return _cells(np.array([_in_shape(v, shape) for v in values]), most)
    lengths = lengths_of(X)[:, None].astype(float)
    if _are_numeric(values):
        summaries = np.array([_summary(v) for v in values])
        return np.hstack([lengths, summaries])
    words = HashingVectorizer(
        n_features=_HASHED_WORDS if most is None else most,
        alternate_sign=False,
        norm=None,
        decode_error="ignore",
    )
    counts = words.transform([_text_of(v) for v in values])
    return sp.hstack([sp.csr_array(lengths), counts], format="csr")


def _cells(X, most):
    n_cells = int(np.prod(X.shape[1:]))
    if most is None:
        most = _MOST_CELLS // max(len(X), 1)
    if n_cells <= most:
        return X.reshape(len(X), -1)
    axes = tuple(range(1, X.ndim))
    summaries = np.column_stack([f(X, axis=axes) for f in _SUMMARIES])
    places = np.unravel_index(
        np.linspace(0, n_cells - 1, most).astype(int), X.shape[1:]
    )
    return np.hstack([X[(slice(None), *places)], summaries])


def _in_shape(value, shape):
    """An array of that shape, of one of another shape evenly spaced cells."""
    array = np.asarray(value)
    if array.shape == shape:
        return array
    cells = array.ravel() if array.size else np.zeros(1)
    n_cells = int(np.prod(shape))
    return cells[np.linspace(0, len(cells) - 1, n_cells).astype(int)].reshape(shape)


def _are_numeric(values):
    """Whether the first item is an array or a list of numbers."""
    first = next((v for v in values if not is_missing(v)), None)
    if isinstance(first, (str, bytes, Mapping)) or _shape(first) is None:
        return False
    return np.asarray(first).dtype.kind in "biuf"


def _summary(value):
    array = np.zeros(0) if is_missing(value) else np.asarray(value, dtype=float)
    return [f(array) if array.size else 0.0 for f in _SUMMARIES]


def _text_of(value):
    if isinstance(value, (str, bytes)):
        return value
    if isinstance(value, Mapping):
        return " ".join(f"{k}_{v}" for k, v in value.items())
    return " ".join(map(_text_of, value)) if np.iterable(value) else str(value)
