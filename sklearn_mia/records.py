"""What an attack looks at: records, their class label, and their identity.

A *record* is one row: the features and the class label of one example. This
module joins and splits the two, and recognises a record by its content.
"""

import numbers
import re

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_consistent_length, column_or_1d

from sklearn_mia import tables
from sklearn_mia.identity import count_duplicates, record_ids
from sklearn_mia.models import n_trained_columns, trained_names

__all__ = ["RecordSchema", "as_records", "count_duplicates", "record_ids"]


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
        The class label of each row, as the target knows it, or the value that a
        regressor is to predict.

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
    X = tables.as_table(X)
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
        names = trained_names(target)
        n_trained = n_trained_columns(target)
        columns = list(records.columns) if tables.is_frame(records) else None
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
            return tables.read_only(records), None
        n_columns = records.shape[1]
        if label == n_columns - 1:
            kept = slice(0, label)
        elif label == 0:
            kept = slice(1, None)
        else:
            kept = np.r_[0:label, label + 1 : n_columns]
        if sp.issparse(records):
            records = records.tocsr()
            return tables.read_only(records[:, kept]), records[
                :, [label]
            ].toarray().ravel()
        return tables.read_only(tables.numeric_if_possible(records[:, kept])), records[
            :, label
        ]


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
