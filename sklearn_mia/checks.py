"""What is asked of numbers, scores, membership and rows, in one place."""

import copy
from numbers import Integral, Real

import numpy as np
from sklearn.utils._param_validation import validate_parameter_constraints
from sklearn.utils.validation import column_or_1d

from sklearn_mia._views import in_message
from sklearn_mia.items import is_missing
from sklearn_mia.tables import column_names, columns_of, is_frame

# Complex numbers, dates and spans of time, which numpy makes floats of.
_NO_NUMBERS = {"c", "m", "M"}


def _is_number(value, kind=Real):
    return isinstance(value, kind) and not isinstance(value, (bool, np.bool_))


def _check_rate(value, name, interval, inside):
    if not _is_number(value) or not inside(value):
        raise ValueError(
            f"{name}={in_message(value)} is not a number in {interval}; rates are "
            "fractions, not percent: write 0.05 for 5 %."
        )
    return float(value)


def check_fraction(value, name, *, zero=False):
    """Return `value` as a float if it is a fraction below 1, and above 0 or 0."""
    if zero:
        return _check_rate(value, name, "[0, 1)", lambda v: 0 <= v < 1)
    return _check_rate(value, name, "(0, 1)", lambda v: 0 < v < 1)


def check_fractions(values, name, *, zero=False):
    """Return one fraction or several as a list of floats, in the order given."""
    values = [values] if isinstance(values, Real) else list(values)
    if not values:
        raise ValueError(
            f"{name} is empty; expected at least one fraction, such as 0.01."
        )
    return [check_fraction(value, name, zero=zero) for value in values]


def check_probability(value, name, *, zero=True):
    """Return `value` as a float if it is at most 1, and above 0 or 0."""
    if zero:
        return _check_rate(value, name, "[0, 1]", lambda v: 0 <= v <= 1)
    return _check_rate(value, name, "(0, 1]", lambda v: 0 < v <= 1)


def check_count(value, name, minimum):
    """Return `value` as an int if it is one and at least `minimum`."""
    if not _is_number(value, Integral) or value < minimum:
        raise ValueError(
            f"{name}={in_message(value)} is not a count; expected an integer >= "
            f"{minimum}."
        )
    return int(value)


def check_flag(value, name):
    """Return `value` as a bool if it is True or False."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name}={in_message(value)}; expected True or False.")
    return bool(value)


def check_choice(value, name, what, choices):
    """Return `value` if it is one of a few words; else tell that it is no `what`."""
    if not isinstance(value, str) or value not in choices:
        raise ValueError(
            f"{name}={in_message(value)} is {what}; expected "
            f"{' or '.join(map(repr, choices))}."
        )
    return value


def as_floats(values):
    """Values as float64, NaN for what is missing, also as pandas has it."""
    values = np.asarray(values)
    if values.dtype.kind in _NO_NUMBERS:
        raise TypeError(f"{values.dtype.name} is no type of numbers.")
    if values.dtype == object:
        gaps = [is_missing(value) for value in values.ravel()]
        values = np.where(np.reshape(gaps, values.shape), np.nan, values)
    return values.astype(np.float64, copy=False)


def check_numbers(values, name, what, expected):
    """Return `values` as :func:`as_floats` does, or tell what is no number.

    Parameters
    ----------
    values : array-like
        Numbers, or a table of them.

    name : str
        What messages call them.

    what : str
        What they are, "predictions" say.

    expected : str
        What is expected, and what to do.

    Returns
    -------
    numbers : ndarray of the same shape, dtype float64
        With NaN for what is missing.

    Raises
    ------
    ValueError
        That tells the column of a frame, and types in the place of values.
    """
    try:
        return as_floats(values)
    except (TypeError, ValueError):
        columns = {name: values}
        if is_frame(values):
            names = [f"Column {column!r} of {name}" for column in column_names(values)]
            columns = dict(zip(names, columns_of(values), strict=True))
    name, got = next(
        (name, got)
        for name, column in columns.items()
        if (got := _type_of_no_number(column)) is not None
    )
    raise ValueError(
        f"{name} has {what} of type {got} that are no numbers; expected {expected}."
    )


def _type_of_no_number(values):
    """What the first value is that is no number, by its type; None if all are."""
    try:
        as_floats(values)
    except (TypeError, ValueError):
        pass
    else:
        return None
    dtype = getattr(values, "dtype", None)
    if getattr(dtype, "kind", None) in _NO_NUMBERS:
        return str(dtype)
    for value in np.asarray(values, dtype=object).ravel().tolist():
        try:
            if not is_missing(value):
                float(value)
        except (TypeError, ValueError):
            return type(value).__name__
    return type(values).__name__


def _vector(values, dtype):
    """`column_or_1d`, at once for what is a vector of that type."""
    if type(values) is np.ndarray and values.ndim == 1 and values.dtype == dtype:
        return np.ascontiguousarray(values)
    return column_or_1d(values, dtype=None if dtype is bool else dtype)


def check_scores(scores, name):
    """Return `scores` as a finite float64 vector."""
    if not isinstance(scores, np.ndarray) or scores.dtype != np.float64:
        expected = "one score a record: pass decision_function(X) or predict_proba(X)"
        scores = check_numbers(scores, name, "scores", f"{expected}[:, 1]")
    shape = np.shape(scores)
    if len(shape) == 2 and shape[1] > 1:
        raise ValueError(
            f"{name} has shape {shape!r}; expected one score a record: pass "
            "decision_function(X) or predict_proba(X)[:, 1]."
        )
    scores = _vector(scores, np.float64)
    n_bad = int(np.count_nonzero(~np.isfinite(scores)))
    if n_bad:
        raise ValueError(
            f"{name} has {n_bad!r} values that are NaN or infinite; expected finite "
            "scores: give such records the lowest score, or leave them out and say so."
        )
    return scores


def check_membership(y_true, pos_label, name="y_true"):
    """Return `y_true`, which errors call `name`, as booleans, ``True`` for members."""
    y_true = _vector(y_true, bool)
    labels = list(set(y_true.tolist()))
    if any(label is None or str(label == label) != "True" for label in labels):
        raise ValueError(
            f"{name} has missing values; expected the membership of every record: "
            "leave out the records whose membership is unknown."
        )
    labels.sort(key=lambda label: (str(type(label)), label))
    if len(labels) > 2:
        raise ValueError(
            f"{name} has {len(labels)!r} different labels; expected members and "
            f"non-members only: pass {name} == member_label."
        )
    if pos_label is None:
        if not (set(labels) <= {0, 1} or set(labels) <= {-1, 1}):
            if name != "y_true":
                raise ValueError(
                    f"{name} has other labels than True for members and False for "
                    f"non-members: pass {name} == member_label."
                )
            raise ValueError(
                f"y_true has the labels {labels!r} and pos_label=None; expected "
                "True/False or 1/0: pass the label of members as pos_label."
            )
        pos_label = 1
    elif np.ndim(pos_label) or pos_label not in labels:
        raise ValueError(
            f"pos_label={in_message(pos_label)} is not among the labels {labels!r} of "
            f"{name}; pass the label of members."
        )
    is_member = np.asarray(y_true == pos_label, dtype=bool)
    n_members = int(np.count_nonzero(is_member))
    if n_members in (0, is_member.size):
        raise ValueError(
            f"{name} has {n_members!r} members and {is_member.size - n_members!r} "
            "non-members; expected at least one of each: add records of the other kind."
        )
    return is_member


def check_probabilities(proba, name, *, same_sum=1e-3, of_one_column=""):
    """Raise ValueError for what cannot be the probabilities of classes.

    Parameters
    ----------
    proba : ndarray of shape (n_records, n_classes)
        What a model answered.

    name : str
        What messages call them.

    same_sum : float or ndarray of shape (n_records,), default=1e-3
        How far the sum of a row may be from 1.

    of_one_column : str, default=""
        A sentence to add where there is no table.
    """
    if proba.ndim != 2 or proba.shape[1] < 2:
        raise ValueError(
            f"{name} must be a table of shape (n_records, n_classes), one column a "
            f"class, got shape {proba.shape}. Of two classes with p the probability of "
            f"the second, pass np.column_stack([1 - p, p]).{of_one_column}"
        )
    n_bad = int(np.sum(~np.isfinite(proba)))
    if n_bad:
        raise ValueError(
            f"{name} has {n_bad} probabilities that are missing or not finite. Fill "
            "them in or leave the records out."
        )
    if not proba.size:
        return
    low, high, sums = proba.min(), proba.max(), proba.sum(axis=1)
    if low >= 0 and high > 1 and np.allclose(sums, 100, atol=0.5):
        raise ValueError(
            f"{name} has percent: its rows sum to 100. Divide the probabilities by 100."
        )
    if low < -1e-9 or high > 1 + 1e-9:
        raise ValueError(
            f"{name} has values from {low:.4g} to {high:.4g}; expected probabilities, "
            "fractions between 0 and 1."
        )
    if np.any(np.abs(sums - 1) > same_sum):
        raise ValueError(
            f"{name} must hold probabilities that sum to 1 in each row, got sums from "
            f"{sums.min():.4g} to {sums.max():.4g}. Divide each row by its sum."
        )


def check_same_length(n_true, n_score, name="y_score"):
    """Raise ValueError unless there is one score for each record."""
    if n_true != n_score:
        raise ValueError(
            f"y_true has {n_true!r} records and {name} has {n_score!r}; expected one "
            "score for each record, in the same order."
        )


def check_seed(random_state, caller, *also):
    """Return `random_state` if it is one as scikit-learn has it, or one of `also`.

    Parameters
    ----------
    random_state : object
        What was given.

    caller : str
        The function that it was given, for the message.

    *also : type
        What that function takes besides.

    Returns
    -------
    random_state : same
        What was given.
    """
    validate_parameter_constraints(
        {"random_state": ["random_state", *also]},
        {"random_state": random_state},
        caller,
    )
    return random_state


def generator_of(random_state, caller):
    """Return a generator; the global one and the one given stay as they are."""
    check_seed(random_state, caller, np.random.Generator)
    if isinstance(random_state, np.random.RandomState):
        random_state = copy.deepcopy(random_state).randint(2**31 - 1)
    return np.random.default_rng(copy.deepcopy(random_state))


def _is_of_positions(index):
    """Whether an index is the one that pandas gives where none was given."""
    return getattr(index, "start", None) == 0 and index.step == 1


def check_same_rows(**given):
    """Raise ValueError if two arguments name the same rows in different orders.

    What belongs together is told by position alone. Where the index says that another
    row is meant, labels would be those of other records, and a leak looks like chance.

    Parameters
    ----------
    **given : array-like or None
        Arguments that have a value for each record, by name. The first that has an
        index, other than that of a new frame or series, is what others are compared
        with.
    """
    named = {
        name: values.index
        for name, values in given.items()
        if hasattr(values, "iloc") and not _is_of_positions(values.index)
    }
    if not named:
        return
    (first, rows), *others = named.items()
    for name, index in others:
        if len(index) != len(rows) or index.equals(rows):
            continue
        if rows.is_unique and index.is_unique and index.isin(rows).all():
            raise ValueError(
                f"{name} has the rows of {first} in another order: its index has the "
                f"same values. They are matched by position; pass "
                f"{name}.loc[{first}.index], or reset_index(drop=True) of both if they "
                "match as they are."
            )
