"""How records are split into features and label, fixed when an attack is fitted."""

import numbers
import re

import numpy as np
import scipy.sparse as sp

from sklearn_mia import tables
from sklearn_mia.items import one_shape
from sklearn_mia.models import n_trained_columns, trained_names
from sklearn_mia.records import Records, as_labels, kind_of_records

__all__ = ["ItemSchema", "RecordSchema", "make_schema"]


def make_schema(target, records, label_column="auto", *, of_values=False):
    """How records are split, fixed when an attack is fitted.

    Parameters
    ----------
    target : estimator instance
        The fitted target.

    records : {ndarray, sparse matrix, DataFrame} or Records
        The records that the attack is fitted on.

    label_column : {"auto"}, int, str or None, default="auto"
        As the attack has it.

    of_values : bool, default=False
        Whether the label is a value to predict, for the messages.

    Returns
    -------
    schema : RecordSchema or ItemSchema
        What splits records of this kind, and refuses the other.
    """
    if isinstance(records, Records):
        return ItemSchema(records, label_column, of_values=of_values)
    return RecordSchema(target, records, label_column, of_values=of_values)


def _stand_in(of_values):
    """What else there is than labels: nothing for a regressor."""
    if of_values:
        return "."
    return ", or set label_column=None to let the target's own prediction stand in."


class ItemSchema:
    """The class label stands beside the features, which the target gets as they are.

    Parameters
    ----------
    records : Records
        The records that the attack is fitted on.

    label_column : {"auto"} or None, default="auto"
        None: labels, if there are some, are ignored.

    of_values : bool, default=False
        Whether the label is a value to predict, for the messages.

    Attributes
    ----------
    label_column : {"labels"} or None
        The attribute of :class:`sklearn_mia.Records` that holds them.

    item_shape : tuple of int or None
        The shape of all items, if it is one, for their identity.
    """

    def __init__(self, records, label_column="auto", *, of_values=False):
        self._of_values = of_values
        if label_column is not None and label_column != "auto":
            raise ValueError(
                f"label_column={label_column!r} is a column, but Records hold their "
                "labels beside the features. Pass 'auto', or None to ignore them."
            )
        self.label_column = None if label_column is None else "labels"
        self.item_shape = one_shape(records.features)
        self._kind = kind_of_records(records)

    def check_kind(self, records):
        """Raise ValueError for a table of records."""
        if not isinstance(records, Records):
            raise ValueError(
                f"The attack was fitted on Records ({self._kind}), but X is a "
                f"{type(records).__name__}. Pass as_records(X, y), or Records(X, y), "
                "with X in the container that the target was trained on."
            )

    def split(self, records):
        """Split records into what the target wants and the class labels.

        Parameters
        ----------
        records : Records

        Returns
        -------
        features : list, tuple, series or ndarray

        labels : ndarray of shape (n_records,) or None
        """
        features = records.features
        if isinstance(features, np.ndarray):
            features = tables.read_only(features)
        if self.label_column is None:
            return features, None
        if records.labels is None:
            what = "values to predict" if self._of_values else "labels"
            raise ValueError(
                f"The Records hold no {what}. Pass Records(X, y)"
                f"{_stand_in(self._of_values)}"
            )
        return features, records.labels


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

    of_values : bool, default=False
        Whether the label is a value to predict, for the messages.

    Attributes
    ----------
    label_column : str, int or None
        The column found: a name in a frame, else a position.

    feature_names : list or None
        Names of the feature columns in the order handed to the target; None for
        tables without names.

    item_shape : None
        A table has no items.
    """

    def __init__(self, target, records, label_column="auto", *, of_values=False):
        self._of_values = of_values
        self._label = "value to predict" if of_values else "class label"
        self.item_shape = None
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
                    f"{_shown(extra)}. Drop them; only the {self._label} may be added."
                )
            rest = list(names)
        elif n_trained is not None and len(rest) != n_trained:
            raise ValueError(self._count_message(len(rest), n_trained, label is None))
        self.label_column = label
        self.feature_names = rest
        # A model fitted on a frame with text names would know them: this one was
        # fitted on an array, and wants one again.
        self._as_array = (
            names is None
            and n_trained is not None
            and all(isinstance(c, str) for c in rest)
        )

    def _auto_label(self, columns, names, n_trained):
        if names is None:
            if n_trained is not None and len(columns) != n_trained + 1:
                raise ValueError(
                    self._count_message(len(columns) - 1, n_trained, False)
                )
            return columns[-1]
        extra = [c for c in columns if c not in set(names)]
        if len(extra) == 1:
            return extra[0]
        if not extra:
            raise ValueError(
                "The records hold only the columns that the target was trained on, "
                f"not the {self._label}. Add it with as_records(X, y)"
                f"{_stand_in(self._of_values)}"
            )
        raise ValueError(
            f"label_column='auto' found {len(extra)} columns that the target was not "
            f"trained on: {_shown(extra)}. Drop all but the {self._label}."
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
            raise ValueError(self._count_message(n_features, n_trained, label is None))
        self.label_column = label
        self.feature_names = None
        self._as_array = False

    def _count_message(self, n_features, n_trained, unlabelled):
        if n_features == n_trained - 1 and not unlabelled:
            return (
                f"The records have {n_trained} columns, as many as the target has "
                f"features: the {self._label} is missing. Add it with as_records(X, y)"
                f"{_stand_in(self._of_values)}"
            )
        return (
            f"The records have {n_features} feature columns, but the target was "
            f"trained on {n_trained}."
        )

    def check_kind(self, records):
        """Raise ValueError for records that are no table."""
        if isinstance(records, Records):
            raise ValueError(
                f"The attack was fitted on a table, but X is Records "
                f"({kind_of_records(records)}). Fit it on Records, too: "
                "fit(Records(X, y))."
            )

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
        return tables.read_only(numeric_if_possible(records[:, kept])), records[
            :, label
        ]


def numeric_if_possible(X):
    """Undo the object dtype that a text label forces on a numeric array."""
    if X.dtype.kind != "O" or X.size == 0:
        return X
    kinds = {type(v) for v in X[0]}
    if not all(issubclass(k, (numbers.Number, np.bool_)) for k in kinds):
        return X
    numeric = np.array(X.tolist())
    return numeric if numeric.dtype.kind in "biuf" else X


def _position(index, n_columns):
    if not -n_columns <= index < n_columns:
        raise ValueError(
            f"label_column={index!r} is outside the {n_columns} columns of the records."
        )
    return int(index) % n_columns


def _shown(names, most=6):
    text = ", ".join(repr(c) for c in names[:most])
    return text + (f" and {len(names) - most} more" if len(names) > most else "")
