"""The groups of records that an audit looks into: an average hides unequal risks."""

from itertools import combinations, pairwise
from numbers import Integral

import numpy as np
import scipy.sparse as sp

from sklearn_mia.identity import cell_values
from sklearn_mia.items import lengths_of
from sklearn_mia.tables import as_numbers, columns_of, is_frame

_MOST_CATEGORIES = 12
_FIRST_CELLS = 1000
_QUANTILE_BINS = 5
_LOSS_BINS = 10
_FEW = 9
_MOST_PAIRED = 30
SIZES = (
    ("1", 1, 1),
    ("2", 2, 2),
    ("3 to 5", 3, 5),
    ("6 or more", 6, np.inf),
)


def slice_groups(values, n_bins=_QUANTILE_BINS, *, fewest=1):
    """Group the records by one column: categories, or quantile bins of a number.

    No label is the value of one record: the outer bins have one end.

    Parameters
    ----------
    values : array-like of shape (n_records,)

    n_bins : int, default=5

    fewest : int, default=1
        Records that a value must have to be told. The rarer ones are one group, which
        tells how many they are.

    Returns
    -------
    groups : list of (str, ndarray of shape (n_records,), dtype bool)
        Label and records of each group.
    """
    array = _as_array(values)
    if _is_number(array) and _few_values(cell_values(array).ravel()) is None:
        return _quantile_groups(as_numbers(values), n_bins)
    text = np.array([_shown_value(v) for v in array.tolist()], dtype=object)
    labels, counts = np.unique(text.astype(str), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    common = order[counts[order] >= fewest][:_MOST_CATEGORIES]
    kept = sorted(common, key=lambda i: labels[i])
    groups = [(str(labels[i]), text == labels[i]) for i in kept]
    n_rest = len(order) - len(common)
    if n_rest:
        rest = ~np.isin(text.astype(str), labels[common])
        label = "the rarest value" if n_rest == 1 else f"the {n_rest} rarest values"
        groups.append((label, rest))
    return groups


def _as_array(values):
    return np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)


def _is_number(array):
    return array.dtype.kind in "iuf"


def _shown_value(value):
    if value is None or value != value:
        return "missing"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _quantile_groups(numbers, n_bins):
    known = np.isfinite(numbers)
    inner = np.linspace(0, 1, n_bins + 1)[1:-1]
    edges = np.unique(np.quantile(numbers[known], inner))
    edges = edges[edges > numbers[known].min()]
    groups = []
    for low, high in pairwise([-np.inf, *edges, np.inf]):
        label = f"{low:.4g} to below {high:.4g}"
        if not len(edges):
            label = "known values"
        elif low == -np.inf:
            label = f"below {high:.4g}"
        elif high == np.inf:
            label = f"{low:.4g} or more"
        groups.append((label, known & (numbers >= low) & (numbers < high)))
    if not known.all():
        groups.append(("missing", ~known))
    return groups


def loss_groups(loss):
    """Ten groups of about equal size by loss, smallest first; ties go together."""
    # Rounded, so that ties do not depend on the order of a sum.
    loss = np.round(loss, 12)
    _, place, counts = np.unique(loss, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    decile = (middle * _LOSS_BINS / len(loss)).astype(int)[place]
    groups, last = [], decile.max()
    for d in np.unique(decile):
        low, high = (f"{end(loss[decile == d]):.2g}" for end in (np.min, np.max))
        ends = f"{low} to {high}"
        if d == last:
            ends = f"{low} or more"
        elif d == decile.min():
            ends = f"up to {high}"
        groups.append((f"tenth {d + 1}: {ends}", decile == d))
    return groups


def difficulty_of(evidence, losses):
    """Loss of models that did not train on a record.

    Groups of records must not depend on what the audited model learned of them, so
    the shadow models are asked, if there are any.
    """
    if evidence is None or evidence.log_proba is None:
        return losses
    out = ~evidence.members & np.isfinite(evidence.log_proba)
    total = np.where(out, -evidence.log_proba, 0.0).sum(axis=0)
    count = out.sum(axis=0)
    spare = total.sum() / max(count.sum(), 1)
    return np.divide(total, count, out=np.full(len(count), spare), where=count > 0)


def rarity_groups(features):
    """Groups by how many records share the rarest pair of values that a record has.

    Who is the only one with a combination of two values stands out by it, whatever
    the other columns say. Numbers with many values are taken by fifths. Of more than
    30 columns those with the most values are looked at.

    Parameters
    ----------
    features : {ndarray, DataFrame} of shape (n_records, n_features)

    Returns
    -------
    groups : list of (str, ndarray of shape (n_records,), dtype bool)
        Empty if all records are in one of them.
    """
    columns = [_value_codes(column) for column in columns_of(features)]
    n_values = np.array([codes.max() + 1 for codes in columns])
    widest = np.argsort(-n_values, kind="stable")[:_MOST_PAIRED]
    columns = [columns[i] for i in widest if n_values[i] > 1]
    rarest = np.full(features.shape[0], features.shape[0])
    for left, right in combinations(columns, 2):
        pair = left * (right.max() + 1) + right
        if pair.max() > len(pair):  # more places than records: close the gaps
            pair = np.unique(pair, return_inverse=True)[1]
        np.minimum(rarest, np.bincount(pair)[pair], out=rarest)
    return _several(
        (label, (rarest >= low) & (rarest < high))
        for label, low, high in (
            ("no one else", 1, 2),
            (f"1 to {_FEW - 1} others", 2, _FEW + 1),
            (f"{_FEW} or more others", _FEW + 1, np.inf),
        )
    )


def _value_codes(values):
    """Values of a column as numbers from 0, of a number with many values its fifth."""
    bits = cell_values(values).ravel()
    if not _is_number(_as_array(values)):
        return np.unique(bits, return_inverse=True)[1]
    known = _few_values(bits)
    if known is not None:
        return np.searchsorted(known, bits)
    numbers = as_numbers(values)
    edges = np.nanquantile(numbers, np.linspace(0, 1, _QUANTILE_BINS + 1)[1:-1])
    return np.where(np.isnan(numbers), _QUANTILE_BINS, np.digitize(numbers, edges))


def _few_values(bits):
    """The different values, ascending; None if they are many."""
    # The first cells spare most columns of many values from being sorted.
    for some in (bits[:_FIRST_CELLS], bits):
        known = np.unique(some)
        if len(known) > _MOST_CATEGORIES:
            return None
    return known


def size_groups(groups):
    """Groups of records by how many records their person, or other group, has.

    Parameters
    ----------
    groups : ndarray of shape (n_records,), dtype int
        Codes.

    Returns
    -------
    groups : list of (str, ndarray of shape (n_records,), dtype bool)
        Empty if all records are in one of them.
    """
    n_records = np.bincount(groups)[groups]
    return _several(
        (label, (n_records >= low) & (n_records <= high)) for label, low, high in SIZES
    )


def _several(groups):
    """The groups that have records, none if that is one alone: it is no part."""
    groups = [(label, inside) for label, inside in groups if inside.any()]
    return groups if len(groups) > 1 else []


def slicings_of(slices, case, difficulty):
    """The groups of records that were asked for.

    Parameters
    ----------
    slices : tuple
        From :class:`Settings`; "auto" is what the case allows.

    case : Case

    difficulty : ndarray of shape (n_records,)
        From :func:`difficulty_of`.

    Returns
    -------
    slicings : dict
        Name of each mapped to a list of labels and records.
    """
    slicings = {}
    for name in _asked(slices, case):
        if name == "class" and case.classes is not None:
            groups = slice_groups(np.array([str(v) for v in case.labels.tolist()]))
        elif name == "value" and case.classes is None:
            groups = slice_groups(case.codes)
        elif name == "loss":
            groups = loss_groups(difficulty)
        elif name == "rarity":
            groups = rarity_groups(case.features)
        elif name == "size":
            groups = size_groups(case.groups)
        elif name == "length":
            # Not by value: one that is rare would be that of a record.
            lengths = lengths_of(case.features).astype(float)
            groups = _several(_quantile_groups(lengths, _QUANTILE_BINS))
        else:
            groups = slice_groups(slice_column(case, name), fewest=_FEW + 1)
        slicings[str(name)] = groups
    return slicings


def _asked(slices, case):
    """Names of the slicings, each once."""
    auto = ["value" if case.classes is None else "class"]
    if case.features is not None:
        auto.append("loss")
    if case.has_columns and not sp.issparse(case.features):
        auto.append("rarity")
    if _has_lengths(case):
        auto.append("length")
    if case.groups is not None:
        auto.append("size")
    names = [n for s in slices for n in (auto if _is(s, "auto") else [s])]
    return list(dict.fromkeys(names))


def check_slices(slices, case):
    """Raise ValueError for slices that the records do not have.

    Parameters
    ----------
    slices : tuple

    case : Case
    """
    for name in slices:
        if _is(name, "auto", "loss", "value" if case.classes is None else "class"):
            continue
        if _is(name, "class"):
            raise ValueError(
                "slices holds 'class', but the model is a regressor and has none. Pass "
                "'value', fifths of the value to predict."
            )
        if _is(name, "size"):
            if case.groups is None:
                raise ValueError(
                    "slices holds 'size', the number of records of a group, but there "
                    "are no groups. Pass groups, or leave it out."
                )
        elif case.features is None and (_is(name, "rarity") or name not in case.aside):
            first = "value" if case.classes is None else "class"
            raise ValueError(
                f"slices holds {name!r}; without records only {first!r} and 'loss', "
                "and with groups 'size', are possible."
            )
        elif _is(name, "rarity"):
            if sp.issparse(case.features) or not case.has_columns:
                raise ValueError(
                    "slices holds 'rarity', which is not there for sparse records and "
                    "for those without columns. Leave it out."
                )
        elif _is(name, "length") and _has_lengths(case):
            continue
        else:
            slice_column(case, name)


def _has_lengths(case):
    """Whether the records are items that are not all equally long."""
    if case.features is None or case.has_columns:
        return False
    return len(np.unique(lengths_of(case.features))) > 1


def _is(name, *words):
    return isinstance(name, str) and name in words


def slice_column(case, name):
    """Values of one feature column, by name or position; without features, of any."""
    features = case.features
    if features is None:
        return case.aside[name]
    if not case.has_columns:
        raise ValueError(
            f"slices holds {name!r}, but the records have no columns; expected "
            "'class', 'loss', with groups 'size', or 'length' if not all are equal."
        )
    if is_frame(features) and name in features.columns:
        return features[name]
    if (
        not is_frame(features)
        and not sp.issparse(features)
        and isinstance(name, Integral)
        and not isinstance(name, bool)
        and 0 <= name < features.shape[1]
    ):
        return features[:, name]
    known = (
        f"columns {list(features.columns)!r}"
        if is_frame(features)
        else f"column positions 0 to {features.shape[1] - 1}"
    )
    raise ValueError(
        f"slices holds {name!r}; expected 'class', 'loss', 'rarity', 'size' or one of "
        f"the {known}."
    )
