"""Ask a model, and turn its accidents into errors that name it."""

from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np
from sklearn.ensemble._hist_gradient_boosting.gradient_boosting import (
    BaseHistGradientBoosting,
)
from sklearn.utils.validation import _num_samples

from sklearn_mia.hooks import FAILURES, in_one_order, is_of_scikit_learn
from sklearn_mia.items import oddities_of
from sklearn_mia.tables import own_copy, read_only

__all__ = ["ModelError", "answers_remembered", "asked", "asked_once"]

# A copy of more takes memory anew from the system, which costs more than to copy.
_MANY_BYTES = 1_000_000

# What models have answered within `answers_remembered`.
_REMEMBERED = ContextVar("answers", default=None)


class ModelError(ValueError):
    """A model failed in a way that its own code did not foresee."""


def asked(model, method, features):
    """Answer of a model, its accidents as errors that name it.

    Parameters
    ----------
    model : fitted estimator

    method : str
        Name of the method.

    features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)
        A model that may change them gets a copy.

    Returns
    -------
    answer : object
        As the model gives it.
    """
    try:
        with in_one_order():
            answer = getattr(model, method)(_to_hand_over(features, model))
    except (OSError, ImportError, MemoryError):
        raise
    except FAILURES as error:
        advice = oddities_of(features)
        if isinstance(error, (ValueError, TypeError)) and not advice:
            raise
        text = f"{type(error).__name__}: {error}"
        if advice:
            text = f"{text.rstrip('.')}. {advice}"
        raise ModelError(
            f"{type(model).__name__}.{method} failed: {text}{_if_one_column(features)}"
        ) from error
    _check_rows(answer, features, f"{type(model).__name__}.{method}")
    return answer


@contextmanager
def answers_remembered():
    """Context in which models are asked once about equal tables.

    The attacks of an audit all ask the same.
    """
    token = _REMEMBERED.set([])
    try:
        yield
    finally:
        _REMEMBERED.reset(token)


def asked_once(model, how, features, ask):
    """What a model answered before within the context above, or answers now.

    Parameters
    ----------
    model : fitted estimator

    how : object
        Whatever else the answer depends on.

    features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)

    ask : callable

    Returns
    -------
    answer : object
        Not to be written to.
    """
    remembered = _REMEMBERED.get()
    for other, of_other, about, answer in remembered or ():
        if other is model and of_other == how and _are_equal(about, features):
            return answer
    answer = ask()
    if remembered is not None:
        remembered.append((model, how, features, answer))
    return answer


def _are_equal(X, Y):
    """Whether two arrays or two frames hold the same, in cells and types."""
    if type(X) is not type(Y) or getattr(X, "shape", None) != getattr(Y, "shape", ()):
        return False
    if isinstance(X, np.ndarray):
        known = X.dtype == Y.dtype and X.dtype.kind in "biuf"
        return known and np.array_equal(X, Y, equal_nan=X.dtype.kind == "f")
    return hasattr(X, "iloc") and X.equals(Y)


def _to_hand_over(features, model):
    """Features whose cells a model may change, or that it cannot and does not."""
    if not isinstance(features, np.ndarray):
        return own_copy(features)
    # Each of its trees goes through all records, and looks at a few columns: of many
    # records it answers twice as fast where a column is in one piece.
    by_column = isinstance(model, BaseHistGradientBoosting)
    order = "F" if by_column else "K"
    if features.nbytes >= _MANY_BYTES and _only_reads(model):
        return read_only(np.asarray(features, order=order))
    return np.array(features, order=order)


def _only_reads(model):
    """Whether scikit-learn's own code alone sees the features, and copies to change.

    Other models may change what they get, or take none that is read-only.
    """
    get_params = getattr(model, "get_params", None)
    if get_params is None or not is_of_scikit_learn(model):
        return False
    return not any(
        (callable(value) and not isinstance(value, type))
        or (name.endswith("copy") and value is False)
        or (hasattr(value, "get_params") and not is_of_scikit_learn(value))
        for name, value in get_params(deep=True).items()
    )


def _check_rows(answer, features, asked):
    """Raise ValueError unless there is one answer a record."""
    if features is None or isinstance(answer, list):
        return
    n_records, n_rows = _num_samples(features), len(answer)
    if n_rows != n_records:
        raise ValueError(
            f"{asked} gave {n_rows} rows for {n_records} records; expected one each."
            f"{_if_one_column(features)}"
        )


def _if_one_column(features):
    """What to do about a model of documents that was given a table of them."""
    if getattr(features, "shape", ())[1:] != (1,):
        return ""
    names = getattr(features, "columns", None)
    column = "X[:, 0]" if names is None else f"X[{names[0]!r}]"
    return f" If it takes a text a record, pass the column itself, {column}."
