"""Both sides of an audit, checked and put in one table."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Integral, Real

import numpy as np
from sklearn.utils.validation import _num_samples

from sklearn_mia.checks import check_same_rows
from sklearn_mia.groups import group_codes, group_members
from sklearn_mia.hooks import check_parameters
from sklearn_mia.identity import check_cells, merged_identities, record_ids
from sklearn_mia.items import as_items, kind_of, one_shape
from sklearn_mia.records import as_features, as_labels, as_records, free_name
from sklearn_mia.response import check_target, encode_labels
from sklearn_mia.schema import make_schema
from sklearn_mia.tables import (
    columns_of,
    is_frame,
    is_table,
    row_names,
    stack_tables,
    take,
)

FEWEST_GROUPS = 2
_ORDER = (
    "X_train, y_train, X_test, y_test look like X_train, X_test, y_train, y_test, the "
    "order of train_test_split. Pass X_train, y_train, X_test, y_test."
)
_WHOLE = re.compile(r"\d+", re.ASCII)


@dataclass(frozen=True, repr=False)
class Case:
    """Both sides of an audit in one table, in input order.

    A pickle of it holds the records.

    Attributes
    ----------
    features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)

    records : same container, of shape (n_records, n_features + 1)
        With the class label.

    asked : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)
        The features as the model was trained on them.

    labels, codes : ndarray of shape (n_records,)
        Class of each record, and its position among the classes of the model; of a
        regressor the value to predict, and the same as float64.

    classes : ndarray of shape (n_classes,) or None
        None of a regressor.

    is_member : ndarray of shape (n_records,), dtype bool

    ids : ndarray of shape (n_records,)
        The caller's names of the records.

    content_ids : ndarray of shape (n_records,), dtype uint64
        Identity by content.

    groups : ndarray of shape (n_records,) or None
        Place of the group of each record among the keys.

    group_keys : ndarray of shape (n_groups,) or None
        The caller's, ascending.

    order : ndarray of shape (n_records,) or None
        Ids that are numbers and differ, as numbers.

    label_name : str

    aside : dict
        Columns that are no features by name, each of shape (n_records,).

    answered : ndarray of shape (n_records,), dtype bool, or None
        The records that the model answered; None is all.
    """

    features: object
    records: object
    asked: object
    labels: np.ndarray
    codes: np.ndarray
    classes: np.ndarray | None
    is_member: np.ndarray
    ids: np.ndarray
    content_ids: np.ndarray
    groups: np.ndarray | None
    group_keys: np.ndarray | None
    order: np.ndarray | None
    label_name: str
    aside: dict = field(default_factory=dict)
    answered: np.ndarray | None = None

    @cached_property
    def units(self):
        """Codes of the records that belong together: equal, or of one group."""
        identities = self.content_ids
        if self.groups is not None:
            identities = merged_identities(identities, self.groups)
        return np.unique(identities, return_inverse=True)[1]

    @property
    def has_columns(self):
        """Whether the features are a table: they may be items, or not known at all."""
        return self.features is not None and is_table(self.features)

    @property
    def kind(self):
        """What the records are called if they are no rows of a table, else None."""
        known = self.features is not None and not self.has_columns
        return kind_of(self.features) if known else None

    def without(self, dropped):
        """The case without some records."""
        kept = np.flatnonzero(~dropped)

        return Case(
            features=take(self.features, kept),
            records=take(self.records, kept),
            asked=take(self.asked, kept),
            labels=self.labels[kept],
            codes=self.codes[kept],
            classes=self.classes,
            is_member=self.is_member[kept],
            ids=self.ids[kept],
            content_ids=self.content_ids[kept],
            groups=take(self.groups, kept),
            group_keys=self.group_keys,
            order=take(self.order, kept),
            label_name=self.label_name,
            aside={name: take(v, kept) for name, v in self.aside.items()},
        )


def half_of_units(units, generator):
    """A random half of the units, whole.

    Parameters
    ----------
    units : ndarray of shape (n_records,), dtype int
        Codes of the records that belong together.

    generator : Generator

    Returns
    -------
    chosen : ndarray of shape (n_records,), dtype bool
    """
    chosen = np.zeros(units.max() + 1, dtype=bool)
    present = np.unique(units)
    chosen[generator.permutation(present)[: len(present) // 2]] = True
    return chosen[units]


def side_table(X, name):
    """One side of an audit as a table with records in it.

    Parameters
    ----------
    X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_features)

    name : str
        The name of the argument, for the messages.

    Returns
    -------
    X : {ndarray, sparse matrix, DataFrame}
    """
    if X is None:
        raise ValueError(
            f"{name} is None. An audit compares members with non-members: records of "
            "the same kind that the model was not trained on."
        )
    X = as_features(X, name)
    check_cells(X, name)
    if _num_samples(X) == 0:
        raise ValueError(
            f"{name} has 0 records. An audit compares members with non-members: pass "
            "at least one of each, and hundreds for a useful answer."
        )
    return X


def _stacked_labels(train, test):
    kinds = ["text" if y.dtype.kind in "US" else "other" for y in (train, test)]
    if kinds[0] != kinds[1] and "O" not in (train.dtype.kind, test.dtype.kind):
        raise ValueError(
            f"y_train has dtype {train.dtype} and y_test {test.dtype}; expected labels "
            "of one kind."
        )
    return np.concatenate([train, test])


def one_column(values, n, name):
    """Values of one column as an object array of shape (n,)."""
    if is_frame(values) and len(values.columns) == 1:
        values = next(columns_of(values))
    if (
        is_frame(values)
        or isinstance(values, (str, bytes, Mapping))
        or not hasattr(values, "__iter__")
    ):
        got = type(values).__name__ if is_frame(values) else repr(values)
        raise ValueError(
            f"{name}={got} is no column; expected one value for each of {n} records: "
            "pass the column itself, such as table['patient']."
        )
    values = list(values)
    if len(values) != n:
        raise ValueError(f"{name} has {len(values)} values for {n} records.")
    column = np.empty(n, dtype=object)
    column[:] = values
    return column


def _record_names(X, ids, name):
    if ids is not None:
        return one_column(ids, _num_samples(X), name)
    return one_column(row_names(X), _num_samples(X), name)


def _order_of(ids):
    """Ids as numbers, None unless they are numbers or dates and all differ."""
    try:
        if len(set(ids)) < len(ids):
            return None
        if all(isinstance(i, np.datetime64) for i in ids):
            moments = ids.astype("datetime64[us]")
            return None if np.isnat(moments).any() else moments.astype(float)
        if not any(hasattr(i, "timestamp") for i in ids):
            numbers = (isinstance(i, Real) or _WHOLE.fullmatch(i) for i in ids)
            return ids.astype(float) if all(numbers) else None
        return np.array([i.timestamp() for i in ids])
    except (AttributeError, TypeError, ValueError):
        return None


def _are_row_numbers(names, n_first):
    """Whether names are the row numbers of one table that was cut in two."""
    if not all(isinstance(name, Integral) for name in names):
        return False
    first, second = names[:n_first].astype(int), names[n_first:].astype(int)
    if second[0] < first[0]:
        first, second = second, first
    return bool(np.all(np.diff(np.concatenate([first, second])) == 1))


def keys_and_codes(groups, is_member):
    """Keys of the groups, and the place among them of each record's."""
    if groups is None:
        return None, None
    keys, codes = group_codes(groups, len(is_member))
    check_sides_of_groups(*group_members(is_member, codes)[1:3])
    return keys, codes


def check_sides_of_groups(
    is_member,
    is_mixed,
    *,
    whole=False,
    advice="Split by group, so that each is wholly in or out, or audit without groups.",
):
    """Raise ValueError if too few groups are members, or none.

    Parameters
    ----------
    is_member, is_mixed : ndarray of shape (n_groups,), dtype bool

    whole : bool, default=False
        Whether groups with records on both sides are left out; else they are members.

    advice : str
        What to do about it.
    """
    members = is_member & ~is_mixed if whole else is_member
    for side, n_groups, how in (
        ("members", int(members.sum()), "wholly" if whole else "with records"),
        ("non-members", int((~is_member).sum()), "wholly"),
    ):
        if n_groups < FEWEST_GROUPS:
            raise ValueError(
                f"groups has {n_groups} of {len(is_member)} groups {how} among the "
                f"{side}, and {int(is_mixed.sum())} with records on both sides; "
                f"expected at least {FEWEST_GROUPS}. {advice}"
            )


def one_table(
    model,
    features,
    labels,
    is_member,
    *,
    groups=None,
    ids=None,
    label_name=None,
    aside=None,
    with_order=True,
):
    """Check records whose sides are known, in any order.

    Parameters
    ----------
    model : classifier or regressor

    features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)

    labels : ndarray of shape (n_records,)

    is_member : ndarray of shape (n_records,), dtype bool

    groups, ids : array-like of shape (n_records,) or None, default=None

    label_name : object, default=None

    aside : dict or None, default=None
        Columns that are no features, by name.

    with_order : bool, default=True
        Whether ids that are numbers tell an order of the records.

    Returns
    -------
    case : Case
    """
    classes = check_audited(model)
    label_name = "y" if label_name is None else str(label_name)
    codes = encode_labels(labels, classes)
    column = free_name(features, label_name)
    records = as_records(features, labels, label_name=column)
    schema = make_schema(model, records, "auto" if column is None else column)
    asked, _ = schema.split(records)
    keys, groups = keys_and_codes(groups, is_member)
    ids = _record_names(features, ids, "ids")
    return Case(
        features=features,
        records=records,
        asked=asked,
        labels=labels,
        codes=codes,
        classes=classes,
        is_member=is_member,
        ids=ids,
        content_ids=record_ids(features, labels, item_shape=one_shape(features)),
        groups=groups,
        group_keys=keys,
        order=_order_of(ids) if with_order else None,
        label_name=label_name,
        aside=aside or {},
    )


def check_audited(model):
    """Check a model as `check_target` does, and that its parameters can be read.

    Parameters
    ----------
    model : fitted estimator

    Returns
    -------
    classes : ndarray of shape (n_classes,) or None
        As :func:`~sklearn_mia.response.check_target`.
    """
    classes = check_target(model)
    check_parameters(model)
    return classes


def make_case(
    model,
    X_train,
    y_train,
    X_test,
    y_test,
    *,
    groups=(None, None),
    ids=(None, None),
    aside=None,
):
    """Check both sides and put them in one table.

    Parameters
    ----------
    model : classifier or regressor

    X_train, X_test : {array-like, sparse matrix, DataFrame}

    y_train, y_test : array-like of shape (n_records,)

    groups, ids : pair of array-like or None

    aside : dict or None, default=None
        Columns of both sides that are no features, by name; None takes the ids.

    Returns
    -------
    case : Case
    """
    classes = check_audited(model)
    given = {"X": (X_train, X_test), "y": (y_train, y_test)}
    given |= {"groups": groups, "ids": ids}
    for i, side in enumerate(("train", "test")):
        check_same_rows(**{f"{name}_{side}": v[i] for name, v in given.items()})
    X_train = side_table(X_train, "X_train")
    _check_order(X_train, y_train, X_test, y_test)
    X_test = side_table(X_test, "X_test")
    labels = []
    for X, y, name in ((X_train, y_train, "y_train"), (X_test, y_test, "y_test")):
        if y is None:
            raise ValueError(
                f"{name} is None; expected the class, or the value to predict, of each "
                "record."
            )
        y = as_labels(y, name)
        if len(y) != _num_samples(X):
            raise ValueError(
                f"{name} has {len(y)} labels for {_num_samples(X)} records."
            )
        labels.append(y)
    stacked = _stacked_labels(*labels)
    for y, name in zip(labels, ("y_train", "y_test"), strict=True):
        encode_labels(y, classes, f"records of {name}")
    if (groups[0] is None) != (groups[1] is None):
        raise ValueError(
            "groups are given for one side only; pass groups_train and groups_test."
        )
    sizes = _num_samples(X_train), _num_samples(X_test)
    if groups[0] is not None:
        groups = np.concatenate(
            [
                one_column(groups[0], sizes[0], "groups_train"),
                one_column(groups[1], sizes[1], "groups_test"),
            ]
        )
    else:
        groups = None
    names = np.concatenate(
        [
            _record_names(X_train, ids[0], "ids_train"),
            _record_names(X_test, ids[1], "ids_test"),
        ]
    )
    unnamed = ids[0] is None and ids[1] is None
    if aside is None and ids[0] is not None and ids[1] is not None:
        aside = {"ids": names}
    aside = {
        name: one_column(column, sum(sizes), str(name))
        for name, column in (aside or {}).items()
    }
    return one_table(
        model,
        stack_tables(X_train, X_test),
        stacked,
        np.arange(sum(sizes)) < sizes[0],
        groups=groups,
        ids=names,
        label_name=name_of_labels(y_train),
        aside=aside,
        with_order=not (unnamed and _are_row_numbers(names, sizes[0])),
    )


def _check_order(X_train, y_train, X_test, y_test):
    """Raise ValueError for the four tables in the order of train_test_split."""
    if not is_table(X_train):
        # Labels are no items, unless they are text.
        swapped = as_items(y_train) is not None and as_items(X_test) is None
        if swapped and np.ndim(X_test) == 1 and len(X_test) == len(X_train):
            raise ValueError(_ORDER)
        return
    shapes = [getattr(a, "shape", np.shape(a)) for a in (y_train, X_test, y_test)]
    if [len(shape) for shape in shapes[:2]] != [2, 1] or shapes[0][1] == 1:
        return
    if len(shapes[2]) == 1 and shapes[1][0] == X_train.shape[0]:
        raise ValueError(_ORDER)


def name_of_labels(y):
    """Name of a series, or of the one column of a frame; None if it has none."""
    name = y.columns[0] if is_frame(y) else getattr(y, "name", None)
    return None if isinstance(name, str) and not name else name
