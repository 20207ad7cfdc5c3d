"""What an attack looks at: records, their class label, and their identity.

A *record* is the features and the class label of one example: a row of a table, or a
document, an image or the like beside its label. This module joins and splits the two,
and recognises a record by its content.
"""

import numbers
from collections import Counter

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import DataConversionWarning
from sklearn.utils.validation import _num_samples, check_consistent_length

from sklearn_mia import items, tables
from sklearn_mia._views import TableViewMixin
from sklearn_mia._warn import warn
from sklearn_mia.checks import check_same_rows
from sklearn_mia.identity import count_duplicates, record_ids

__all__ = [
    "Records",
    "as_features",
    "as_records",
    "count_duplicates",
    "record_ids",
]


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
    tables.check_container(y, name)
    if tables.is_frame(y) or hasattr(y, "to_numpy"):
        y = y.to_numpy()
    y = np.asarray(y)
    if y.ndim == 2 and y.shape[1] == 1:
        warn(
            f"A column-vector {name} was passed when a 1d array was expected. Please "
            f"change the shape of {name} to (n_samples, ), for example using ravel().",
            DataConversionWarning,
        )
        y = y.ravel()
    if y.ndim != 1:
        if _is_one_hot(y):
            raise ValueError(
                f"{name} must be 1-d labels, got shape {y.shape}. If {name} is one-hot,"
                " pass the class of each row, for example "
                f"{name}.argmax(axis=1)."
            )
        raise ValueError(
            f"{name} must have one dimension, got shape {y.shape}. Pass one label, or "
            "one value to predict, for each record."
        )
    return y


def check_no_gaps(labels, name="y"):
    """Raise ValueError for labels that are missing.

    Parameters
    ----------
    labels : ndarray of shape (n,)

    name : str, default="y"
        The name of the argument, for the message.
    """
    if labels.dtype.kind in "biuSU":
        return
    gaps = ("NoneType", "NAType", "NaTType")
    n_missing = sum(
        type(label).__name__ in gaps or label != label for label in labels.tolist()
    )
    if n_missing:
        raise ValueError(
            f"{name} has {n_missing!r} missing labels among {len(labels)!r}; expected "
            "one for each record: leave out the records without a label."
        )


def _is_one_hot(y):
    """Whether each row has a single 1 among zeros."""
    if y.ndim != 2 or y.dtype.kind not in "biuf":
        return False
    return bool(np.all((y == 0) | (y == 1)) and np.all(y.sum(axis=1) == 1))


def as_features(X, name="X"):
    """X as a table where it is one, else as a container of items.

    Parameters
    ----------
    X : object
        What the user gave as features.

    name : str, default="X"
        The name of the argument, for the messages.

    Returns
    -------
    X : {ndarray, sparse matrix, DataFrame}, or list, tuple, series or ndarray of items
        Not a copy where that is possible.
    """
    tables.check_container(X, name)
    if tables.is_frame(X):
        _check_names(list(X.columns), name)
    found = None if tables.is_table(X) else items.as_items(X)
    if found is None:
        return tables.as_table(X, name)
    items.check_gaps(found, name)
    return found


def _check_names(columns, name):
    """Raise ValueError for two columns of one name, which no name can tell apart."""
    for column, count in Counter(columns).items():
        if count > 1:
            raise ValueError(
                f"{name} has {count!r} columns with the name {column!r}; expected each "
                "name once: rename them, or leave out those that are the same."
            )


class Records(TableViewMixin):
    """Documents, images, recordings or dictionaries, each with its class label.

    What scikit-learn can index by rows is a record. The features stay in the very
    container that the target was trained on, and the tools of scikit-learn take rows of
    both together: cross-validation, searches, pipelines, calibration, displays.

    A pickle of it holds the records.

    Parameters
    ----------
    features : list, tuple, Series or ndarray
        One item a record: a text, an array, a list or a dictionary.

    labels : array-like of shape (n_records,) or None, default=None
        The class label of each, as the target knows it. None: they carry none, for an
        attack with ``label_column=None``.

    Attributes
    ----------
    features : list, tuple, Series or ndarray
        As given.

    labels : ndarray of shape (n_records,) or None
        The class labels.

    See Also
    --------
    as_records : Makes them, or a table with a label column, of features and labels.

    Notes
    -----
    Images in a list, or in an array of objects, are the records that they are in one
    array, and have the same scores, if all that an attack is fitted on have one shape.
    If not, the shape of each belongs to what it is told by, and the same images in an
    array would be other records: they are drawn into other shadow models.

    They are no table: what needs one, as `BaggingClassifier` and
    ``StackingClassifier(passthrough=True)``, raises an error.

    Examples
    --------
    >>> from sklearn_mia import Records
    >>> records = Records(["a document", "another one", "a third"], [0, 1, 1])
    >>> records
    Records(list of 3 documents, with labels)
    >>> records[[2, 0]].features
    ['a third', 'a document']
    """

    def __init__(self, features, labels=None):
        tables.check_container(features, "features")
        found = items.as_items(features)
        features = features if found is None else found
        sequence = isinstance(features, (list, tuple)) or items.is_series(features)
        if not sequence and not tables.is_table(features) and np.ndim(features) == 0:
            raise TypeError(
                f"features must be a list, a series or an array with one item a "
                f"record, got {type(features).__name__}."
            )
        if not tables.is_table(features):
            items.check_gaps(features, "features")
        self.features = features
        self.labels = None if labels is None else as_labels(labels, "labels")
        check_consistent_length(self.features, self.labels)

    def __len__(self):
        """Return the number of records."""
        return _num_samples(self.features)

    @property
    def shape(self):
        """The number of records, in a tuple: there are no columns."""
        return (len(self),)

    def __getitem__(self, key):
        """Take records: one as a pair, several as records.

        Parameters
        ----------
        key : int, slice, array-like of int or bool, or a pair of that and ...

        Returns
        -------
        taken : Records, or tuple of an item and its label
        """
        if isinstance(key, tuple):
            key, *rest = key
            if rest not in ([], [Ellipsis]):
                raise IndexError(f"Records have no columns, got the index {rest!r}.")
        if isinstance(key, numbers.Integral) and not isinstance(key, (bool, np.bool_)):
            place = range(len(self))[key]
            label = None if self.labels is None else self.labels[place]
            item = tables.take(self.features, [place])
            item = item if tables.is_table(item) else items.first_item(item)
            return item, label
        if not isinstance(key, slice):
            key = np.asarray(key)
            key = key if key.size else key.astype(int)
        rows = np.arange(len(self))[key]
        taken = object.__new__(type(self))
        taken.features = tables.take(self.features, rows)
        taken.labels = tables.take(self.labels, rows)
        return taken

    def __array__(self, dtype=None, copy=None):
        """Refuse to become a table."""
        raise TypeError(
            "Records are no table and cannot become an array. What needs a table, as "
            "BaggingClassifier and StackingClassifier(passthrough=True) do, cannot "
            "take them; pass their features or labels where one of the two is meant."
        )

    def _shown(self):
        labels = "without" if self.labels is None else "with"
        return [
            ("records", len(self)),
            ("held in", type(self.features).__name__),
            ("kind", kind_of_records(self)),
            ("labels", labels),
        ]

    def __repr__(self):
        """Describe the records without showing one."""
        held = f"{type(self.features).__name__} of {len(self)} {kind_of_records(self)}"
        return f"Records({held}, {'without' if self.labels is None else 'with'} labels)"


def as_records(X, y, *, label_name=None):
    """Join features and class labels into records, the input of every attack.

    The label becomes one more column at the end. The container and the dtypes of
    the features are kept, so that the target later sees just what it was trained
    on.

    Documents, images and the like have no columns: there the label stands beside them,
    in :class:`Records`.

    Parameters
    ----------
    X : {array-like, sparse matrix, pandas or polars DataFrame} of shape \
            (n_records, n_features), or list, Series or array of items
        The features.

    y : array-like of shape (n_records,)
        The class label of each row, as the target knows it, or the value that a
        regressor is to predict.

    label_name : str or None, default=None
        Name of the label column in a frame. None takes the name of ``y``, else
        ``"label"``; in a frame with integer column names, the next integer.

    Returns
    -------
    records : same container as X, of shape (n_records, n_features + 1), or Records
        A numeric array whose dtype cannot hold the labels exactly (text, say)
        becomes an array of dtype object; use a frame to avoid that.

    Raises
    ------
    ValueError
        If X and y differ in length, or have the same index in another order, if y is
        not one-dimensional, if the frame already has a column of that name, or if X
        is sparse and y is not numeric.

    See Also
    --------
    Records : Items and their labels, whatever the items are.
    sklearn_mia.records.record_ids : The identity of each record, by content.

    Notes
    -----
    Text, dictionaries, arrays of three dimensions and more, and lists of lists or
    arrays that differ in shape are items. Lists of one length are a table: where they
    are sequences that happen to be equally long, call :class:`Records` itself.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mia import as_records
    >>> as_records(np.array([[0.5, 1.0], [2.5, 3.0]]), [0, 1])
    array([[0.5, 1. , 0. ],
           [2.5, 3. , 1. ]])
    >>> as_records(["a document", "another one"], [0, 1])
    Records(list of 2 documents, with labels)
    """
    check_same_rows(X=X, y=y)
    X = as_features(X)
    if not tables.is_table(X):
        if label_name is not None:
            raise ValueError(
                f"label_name={label_name!r} is a column, which a {type(X).__name__} of "
                f"{items.kind_of(X)} has not. Leave it out."
            )
        return Records(X, as_labels(y))
    name = getattr(y, "name", None)
    if tables.is_frame(y) and len(y.columns) == 1:
        name = y.columns[0]
    labels = as_labels(y)
    check_consistent_length(X, labels)
    if tables.is_frame(X):
        name = _label_name(X, name if label_name is None else label_name)
        series = hasattr(y, "to_numpy") and not tables.is_frame(y)
        return tables.with_column(X, y if series else labels, name)
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


def _label_name(X, name):
    """Name of the label column of a frame, unless a column has it."""
    if name is None or name == "":
        columns = tables.column_names(X)
        name = "label" if "label" in columns else free_name(X, "label")
    if name in tables.column_names(X):
        raise ValueError(
            f"X already has a column named {name!r}. Pass another name as "
            "label_name, or records that hold their label to the attack as they are."
        )
    return name


def free_name(X, name):
    """A name for the label column that no feature has; None for tables without.

    Parameters
    ----------
    X : {ndarray, sparse matrix, DataFrame}

    name : str
        Taken as it is if it is free.

    Returns
    -------
    name : str, int, tuple or None
        A tuple in a frame whose columns have several levels.
    """
    if not tables.is_frame(X):
        return None
    columns = tables.column_names(X)
    if columns and all(isinstance(c, numbers.Integral) for c in columns):
        return max(columns) + 1
    levels = {len(c) if isinstance(c, tuple) else 1 for c in columns}
    rest = ("",) * (levels.pop() - 1) if len(levels) == 1 else ()
    while ((name, *rest) if rest else name) in columns:
        name += "_"
    return (name, *rest) if rest else name


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


def check_as_records(attack, records, reset):
    """Records that an attack may look at, which have no columns to remember.

    Parameters
    ----------
    attack : estimator instance

    records : Records

    reset : bool
        Whether it is fitted on them.

    Returns
    -------
    records : Records
    """
    if reset:
        # What a fit on a table has left would be compared with them.
        for name in ("n_features_in_", "feature_names_in_"):
            vars(attack).pop(name, None)
    if len(records) == 0:
        raise ValueError("X has 0 records; at least 1 is required.")
    return records


def check_is_no_items(X, of_values):
    """Raise ValueError for items as they are, of which no label is told."""
    found = None if tables.is_table(X) else items.as_items(X)
    if found is not None:
        raise ValueError(
            f"X is a {type(X).__name__} of {items.kind_of(found)}, without "
            f"{'values to predict' if of_values else 'labels'}. Pass as_records(X, y)"
            + (
                "."
                if of_values
                else ", or Records(X) and label_column=None to let the target's own "
                "prediction stand in."
            )
        )


def kind_of_records(records):
    """What the features of :class:`Records` are called, in the plural."""
    features = records.features
    return "rows of a table" if tables.is_table(features) else items.kind_of(features)
