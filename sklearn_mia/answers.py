"""Ask a model, and turn its accidents into errors that name it."""

import numpy as np
from sklearn.utils.validation import _num_samples

from sklearn_mia.hooks import FAILURES, in_one_order
from sklearn_mia.items import oddities_of
from sklearn_mia.tables import own_copy

__all__ = ["ModelError", "asked"]


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
        Handed over as a copy, which the model may change.

    Returns
    -------
    answer : object
        As the model gives it.
    """
    try:
        with in_one_order():
            answer = getattr(model, method)(_to_write_to(features))
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


def _to_write_to(features):
    """Features whose cells a model may change; some take none that are read-only."""
    return (
        np.array(features) if isinstance(features, np.ndarray) else own_copy(features)
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
