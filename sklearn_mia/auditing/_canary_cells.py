"""What canaries hold: rare values and far ones, in the containers of their table."""

from collections.abc import Mapping

import numpy as np
import scipy.sparse as sp

from sklearn_mia.items import first_item, item_list, items_like, one_shape
from sklearn_mia.tables import (
    as_numbers,
    column_like,
    column_names,
    columns_of,
    is_table,
    numbers_of,
    table_like,
    take,
)

# A column of no more different values may hold codes: an encoder may know no others.
_MOST_CODES = 32
# The share of the numbers of a column at either end that count as rare.
_TAIL = 0.05
_LETTERS = np.array(list("abcdefghijklmnopqrstuvwxyz"))


def rare_records(X, rows, generator):
    """Records of rare values that nobody has together.

    Parameters
    ----------
    X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_features)

    rows : ndarray of shape (n,)
        Records that give what is not invented: lengths, keys, numbers of entries.

    generator : Generator

    Returns
    -------
    records : same container, of shape (n, n_features)
    """
    return _records(X, rows, generator, far=False)


def far_records(X, rows, generator):
    """The same with numbers beyond all others, and words that nobody used.

    Parameters
    ----------
    X, rows, generator
        As in :func:`rare_records`.

    Returns
    -------
    records : same container, of shape (n, n_features)
    """
    return _records(X, rows, generator, far=True)


def _records(X, rows, generator, far):
    if sp.issparse(X):
        return _sparse(X, rows, generator, far)
    if is_table(X):
        columns = {
            name: _column(column, len(rows), generator, far)
            for name, column in zip(column_names(X), columns_of(X), strict=True)
        }
        return table_like(X, columns)
    return _items(X, rows, generator, far)


# Columns


def _rows_of_rare_values(values, n, generator):
    """Rows, each different value as likely as the next; of numbers those at the ends.

    Parameters
    ----------
    values : ndarray of shape (n_records,), dtype float64
        NaN where one is missing, which is taken only where all are.
    """
    known = np.flatnonzero(~np.isnan(values))
    if not len(known):
        return generator.integers(len(values), size=n)
    unique, codes = np.unique(values[known], return_inverse=True)
    if len(unique) > _MOST_CODES:
        ends = np.quantile(unique, [_TAIL, 1 - _TAIL])
        at_end = (unique <= ends[0]) | (unique >= ends[1])
        known, codes = known[at_end[codes]], codes[at_end[codes]]
    weights = 1 / np.bincount(codes)[codes]
    return generator.choice(known, size=n, p=weights / weights.sum())


def _column(column, n, generator, far):
    numbers = numbers_of(column)
    if far and numbers is not None:
        values = _far_numbers(numbers, column.dtype, n, generator)
        if values is not None:
            return column_like(column, values)
    return take(column, _rows_of_rare_values(as_numbers(column), n, generator))


def _far_numbers(numbers, dtype, n, generator):
    """Numbers above the largest, or below the smallest if that is negative.

    None for a column of few different values, which may be codes.
    """
    numbers = numbers[np.isfinite(numbers)]
    if len(np.unique(numbers)) <= _MOST_CODES:
        return None
    low, high = numbers.min(), numbers.max()
    reach = (high - low) * generator.uniform(1, 2, size=n)
    above, below = high + reach, low - reach if low < 0 else np.full(n, low)
    values = np.where(generator.random(n) < 0.5, above, below)
    if np.array_equal(numbers, np.rint(numbers)):
        values = np.rint(values)
        bounds = _bounds_of(dtype)
        values = values if bounds is None else np.clip(values, *bounds)
    return values


def _bounds_of(dtype):
    """Smallest and largest number of a type of whole numbers, else None."""
    name = str(getattr(dtype, "numpy_dtype", dtype)).lower()
    if not name.startswith(("int", "uint")):
        return None
    bounds = np.iinfo(name.partition("[")[0])
    # As floats these are rounded up, and would not fit.
    return max(bounds.min, -(2**53)), min(bounds.max, 2**53)


def _sparse(X, rows, generator, far):
    """As many entries as a record has, in columns that few have an entry in."""
    columns = X.tocsc()
    counts = np.diff(columns.indptr)
    filled = np.flatnonzero(counts)
    weights = 1 / counts[filled]
    lengths = np.diff(X.tocsr().indptr)[rows]
    chosen = [
        generator.choice(filled, size=k, replace=False, p=weights / weights.sum())
        for k in np.minimum(lengths, len(filled))
    ]
    columns_chosen = np.concatenate([np.zeros(0, dtype=int), *chosen])
    places = columns.indptr[columns_chosen] + (
        generator.random(len(columns_chosen)) * counts[columns_chosen]
    ).astype(int)
    data = columns.data[places]
    if far and len(np.unique(columns.data)) > _MOST_CODES:
        largest = abs(columns.astype(np.float64)).max(axis=0).toarray().ravel()
        reach = largest[columns_chosen] * generator.uniform(1, 2, size=len(data))
        data = data + np.copysign(reach, data)
        bounds = _bounds_of(X.dtype)
        data = data if bounds is None else np.clip(np.rint(data), *bounds)
        data = data.astype(X.dtype)
    entries = np.repeat(np.arange(len(rows)), [len(c) for c in chosen])
    # Some models take no wider numbers of columns than those of X.
    places = tuple(p.astype(columns.indices.dtype) for p in (entries, columns_chosen))
    return type(X)(sp.coo_array((data, places), (len(rows), X.shape[1])).tocsr())


# Items


def _items(X, rows, generator, far):
    if one_shape(X) is not None:
        values = X if isinstance(X, np.ndarray) else np.array(item_list(X))
        if values.dtype.kind in "biuf":
            return items_like(X, list(_arrays(values, len(rows), generator, far)))
    items, first = item_list(X), first_item(X)
    templates = [items[i] for i in rows]
    if isinstance(first, Mapping):
        made = _dictionaries(items, templates, generator, far)
    elif isinstance(first, (str, bytes)) or _is_of_words(first):
        made = _documents(items, templates, generator, far)
    else:
        made = _sequences(items, templates, generator, far)
    return items_like(X, made)


def _is_of_words(item):
    return any(isinstance(part, (str, bytes)) for part in item)


def _arrays(values, n, generator, far):
    """Each cell of another array, or at either end of all of them."""
    shape = (n, *values.shape[1:])
    if far:
        ends = np.array([values.min(), values.max()], dtype=values.dtype)
        return ends[generator.integers(2, size=shape)]
    flat = values.reshape(len(values), -1)
    rows = generator.integers(len(values), size=(n, flat.shape[1]))
    return flat[rows, np.arange(flat.shape[1])].reshape(shape)


def _sequences(items, templates, generator, far):
    """Numbers of other sequences, or from either end of all of them."""
    cells = np.concatenate([np.ravel(item) for item in items if np.size(item)])
    ends = np.array([cells.min(), cells.max()], dtype=cells.dtype)
    made = []
    for template in templates:
        drawn = generator.choice(ends if far else cells, size=np.shape(template))
        is_array = isinstance(template, np.ndarray)
        made.append(
            drawn.astype(template.dtype) if is_array else type(template)(drawn.tolist())
        )
    return made


def _documents(items, templates, generator, far):
    """As many words as a document has: rare ones, or new ones."""
    first = items[0]
    if isinstance(first, bytes):
        made = _documents(*_decoded(items, templates), generator, far)
        return [text.encode() for text in made]
    is_text = isinstance(first, str)
    split = [item.split() if is_text else list(item) for item in items]
    words, counts = np.unique(
        np.array([w for part in split for w in part], dtype=object).astype(str),
        return_counts=True,
    )
    lengths = [len(t.split()) if is_text else len(t) for t in templates]
    made = []
    for length in lengths:
        if far or not len(words):
            letters = generator.choice(_LETTERS, size=(max(length, 1), 8))
            drawn = ["".join(word) for word in letters]
        else:
            weights = 1 / counts
            drawn = generator.choice(
                words, size=max(length, 1), p=weights / weights.sum()
            ).tolist()
        made.append(" ".join(drawn) if is_text else type(first)(drawn))
    return made


def _decoded(*lists):
    return [[item.decode(errors="replace") for item in items] for items in lists]


def _dictionaries(items, templates, generator, far):
    """Each value of another dictionary with that key, or a number beyond all others."""
    known = {}
    for item in items:
        for key, value in item.items():
            known.setdefault(key, []).append(value)
    made = []
    for template in templates:
        drawn = {}
        for key in template:
            values = known[key]
            drawn[key] = values[int(generator.integers(len(values)))]
            is_number = isinstance(drawn[key], (int, float)) and not isinstance(
                drawn[key], bool
            )
            if far and is_number:
                numbers = [v for v in values if isinstance(v, (int, float))]
                reach = (max(numbers) - min(numbers)) * generator.uniform(1, 2)
                drawn[key] = type(drawn[key])(max(numbers) + reach)
        made.append(drawn)
    return made
