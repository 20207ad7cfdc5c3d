"""Ask a model, and turn its accidents into errors that name it."""

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
        return getattr(model, method)(own_copy(features))
    except (ValueError, TypeError, OSError, ImportError, MemoryError):
        raise
    except Exception as error:
        raise ModelError(
            f"{type(model).__name__}.{method} failed: {type(error).__name__}: {error}"
        ) from error
