"""What a regressor answers: one number a record, and the value that it should be."""

from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from sklearn.base import is_regressor
from sklearn.utils import get_tags

from sklearn_mia.answers import asked
from sklearn_mia.checks import as_floats, check_numbers
from sklearn_mia.models import may_not_answer

__all__ = [
    "ValueResponder",
    "as_values",
    "is_regressor_model",
    "numbers_of",
]

# Copies of values in single precision, and fourth powers, variances of squared errors,
# must be finite numbers, too.
_LARGEST = 1e37


def is_regressor_model(model):
    """Tell whether a model is a regressor, with or without scikit-learn's tags.

    Tags reach through pipelines, searches, frozen and other wrappers.

    Parameters
    ----------
    model : estimator instance

    Returns
    -------
    is_regressor : bool
    """
    if not isinstance(model, type):
        with suppress(AttributeError):  # no scikit-learn tags
            return is_regressor(model)
    return getattr(model, "_estimator_type", None) == "regressor"


def check_one_output(model):
    """Raise ValueError for a fitted regressor that says that it has several outputs.

    Parameters
    ----------
    model : fitted regressor
    """
    n_outputs = getattr(model, "n_outputs_", None)
    if n_outputs is None and np.ndim(coef := getattr(model, "coef_", None)) == 2:
        n_outputs = coef.shape[0]
    try:
        one = get_tags(model).target_tags.single_output
    except (AttributeError, TypeError, ValueError):  # no scikit-learn tags
        one = True
    if not one or (n_outputs or 1) > 1:
        raise ValueError(_several(type(model).__name__, n_outputs))


def _several(name, n_outputs):
    several = "several" if n_outputs is None else n_outputs
    return (
        f"The target {name} has {several} outputs. Attack one output at a time, with a "
        "regressor trained on that output alone."
    )


def as_values(values, what="records"):
    """Values to predict as float64.

    Parameters
    ----------
    values : ndarray of shape (n_records,)

    what : str, default="records"
        What has the values, for the message.

    Returns
    -------
    values : ndarray of shape (n_records,), dtype float64

    Raises
    ------
    ValueError
        If they are no finite numbers, or too large to compute with.
    """
    try:
        numbers = as_floats(values)
    except (TypeError, ValueError):
        raise ValueError(
            f"The {what} have values to predict of dtype {np.asarray(values).dtype} "
            "that are no numbers, but the target is a regressor. Check label_column, "
            "or pass the numbers that it was trained on."
        ) from None
    n_bad = int(np.sum(~np.isfinite(numbers)))
    if n_bad:
        raise ValueError(
            f"{n_bad} of {len(numbers)} {what} have a value to predict that is missing "
            "or infinite. Check label_column, or drop these records."
        )
    n_large = int(np.sum(np.abs(numbers) > _LARGEST))
    if n_large:
        raise ValueError(
            f"{n_large} of {len(numbers)} {what} have a value to predict beyond "
            f"{_LARGEST:g}, too large to compute with. Drop these records, or train "
            "the model on the values in another unit, and pass them in that."
        )
    return numbers


def numbers_of(values, name, what, advice):
    """Numbers of an argument or a column as float64.

    Parameters
    ----------
    values : array-like of shape (n_records,)

    name : str
        The argument or the column, for the message.

    what : str
        What it has, "predictions" say.

    advice : str
        What to do if they are none.

    Returns
    -------
    numbers : ndarray of shape (n_records,), dtype float64

    Raises
    ------
    ValueError
        If they are no finite numbers, or too large to compute with.
    """
    numbers = check_numbers(values, name, what, f"a number for each record: {advice}")
    n_bad = int(np.sum(~np.isfinite(numbers)))
    if n_bad:
        raise ValueError(
            f"{name} has {n_bad} of {numbers.size} {what} that are missing or infinite."
            " Fill them in, or leave these records out."
        )
    n_large = int(np.sum(np.abs(numbers) > _LARGEST))
    if n_large:
        raise ValueError(
            f"{name} has {n_large} of {numbers.size} {what} beyond {_LARGEST:g}, too "
            "large to compute with. Leave these records out, or give predictions and "
            "values in another unit."
        )
    return numbers


@dataclass(frozen=True)
class ValueResponder:
    """The way to ask a regressor and every shadow of it: by `predict`.

    The counterpart of :class:`~sklearn_mia.response.Responder`, with a prediction in
    the place of log-probabilities and the value to predict in the place of the class.

    Attributes
    ----------
    kind : {"predict"}

    classes : None
        A regressor has none.
    """

    kind: str = "predict"
    classes: None = None

    def answer(self, model, features):
        """Prediction of a model.

        Parameters
        ----------
        model : fitted regressor
            The target or a shadow.

        features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)
            Features as it gets them.

        Returns
        -------
        prediction : ndarray of shape (n_records,), dtype float64
            NaN where it gave none, see :func:`~sklearn_mia.models.may_not_answer`.
        """
        name = type(model).__name__
        prediction = check_numbers(
            asked(model, "predict", features),
            f"The answer of {name}.predict",
            "predictions",
            "a number for each record",
        )
        if prediction.ndim == 2 and prediction.shape[1] > 1:
            raise ValueError(_several(name, prediction.shape[1]))
        prediction = prediction.reshape(-1)
        usable = np.isfinite(prediction)
        if may_not_answer(model):
            usable |= np.isnan(prediction)
        if not usable.all():
            raise ValueError(
                f"{name}.predict returned {int(np.sum(~usable))} values that are not "
                "finite. Clean the records or the model first."
            )
        n_large = int(np.sum(np.abs(prediction) > _LARGEST))
        if n_large:
            raise ValueError(
                f"{name}.predict returned {n_large} values beyond {_LARGEST:g}, too "
                "large to compute with. Train the model on values in another unit."
            )
        return prediction


def check_varied(prediction, model):
    """Raise ValueError for a regressor that tells records of a pool by nothing.

    Parameters
    ----------
    prediction : ndarray of shape (n_records,)
        For the pool, NaN where it gave none.

    model : fitted regressor
    """
    prediction = prediction[~np.isnan(prediction)]
    if len(prediction) > 1 and np.all(prediction == prediction[0]):
        raise ValueError(
            f"{type(model).__name__} predicts one value for all {len(prediction)} "
            "records: its answers tell nothing of a single one, and there is nothing "
            "to attack. Check that the model is the one that is in use."
        )
