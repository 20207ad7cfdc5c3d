"""What a model answers: class-aligned log-probabilities from any classifier."""

import inspect
from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp
from sklearn.exceptions import NotFittedError
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from sklearn_mia._choices import RESPONSE_METHODS
from sklearn_mia.answers import ModelError, asked
from sklearn_mia.checks import check_numbers
from sklearn_mia.models import is_one_against_rest, may_not_answer, open_model
from sklearn_mia.regression import (
    ValueResponder,
    as_values,
    check_one_output,
    check_varied,
    is_regressor_model,
)

__all__ = [
    "ModelError",
    "Responder",
    "check_target",
    "encode_labels",
    "make_responder",
    "may_not_answer",
    "predicted_codes",
]


_SMALLEST_FLOOR = 1e-15
_LARGEST_FLOOR = 0.05
_ONE_HOT_FLOOR = 0.005
_SAME_PROBABILITY = 1e-6
_SAME_SUM = 1e-3


def check_target(target):
    """Check that the target is a fitted model that can be attacked.

    The one place that tells classifiers from regressors: where the classes are None,
    the label of a record is a value to predict.

    Parameters
    ----------
    target : object
        What the user gave as `target_estimator`.

    Returns
    -------
    classes : ndarray of shape (n_classes,) or None
        The target's `classes_`; None of a regressor.

    Raises
    ------
    TypeError
        If the target is a class, a string or lacks a method.

    NotFittedError
        If the target is not fitted.

    ValueError
        If the target has several outputs or a single class, or takes distances between
        records.
    """
    if target is None or inspect.isclass(target) or isinstance(target, str):
        raise TypeError(
            "target_estimator must be a fitted classifier or regressor, got "
            f"{target!r}. Pass an instance, for example "
            "RandomForestClassifier().fit(X_train, y_train)."
        )
    name = type(target).__name__
    if not hasattr(target, "predict"):
        raise TypeError(
            f"target_estimator must be a fitted classifier or regressor, but {name} "
            "has no predict method."
        )
    if not hasattr(target, "fit"):
        raise TypeError(
            f"target_estimator must be a model with fit and predict, but "
            f"{name} has no fit method, so that nobody could train another like it. "
            "Pass what it answers to audit_predictions."
        )
    if not _is_fitted(target):
        raise NotFittedError(
            f"The target {name} is not fitted. Pass the trained model, "
            "target.fit(X_train, y_train); to audit a training recipe use "
            "cross_validate_leakage; in a grid over targets wrap each fitted one in "
            "FrozenEstimator, because a grid clones its values."
        )
    if _is_pairwise(target):
        raise ValueError(
            f"The target {name} takes distances or a kernel between records, not "
            "records, which no shadow model has. Train it on the features, with the "
            "kernel or the metric by its name or as a function."
        )
    if is_regressor_model(target):
        check_one_output(target)
        return None
    if not hasattr(target, "classes_"):
        raise TypeError(
            f"The target {name} has no attribute classes_, the class of each column "
            "of its probabilities. Set it in fit, as scikit-learn's classifiers do."
        )
    classes = target.classes_
    if isinstance(classes, list) and any(np.ndim(c) > 0 for c in classes):
        raise ValueError(
            f"The target {name} has {len(classes)} outputs. Attack one output at a "
            "time, with a classifier trained on that output alone."
        )
    classes = np.asarray(classes)
    if len(classes) < 2:
        raise ValueError(
            f"The target {name} knows only the class {classes.tolist()[0]!r}. A "
            "membership attack needs a classifier of at least two classes."
        )
    return classes


def check_classifier(target, what):
    """Check that the target is a fitted classifier, for what has no other form.

    Parameters
    ----------
    target : object
        What the user gave.

    what : str
        Name of the function or class, for the message.

    Returns
    -------
    classes : ndarray of shape (n_classes,)
        The target's `classes_`.
    """
    classes = check_target(target)
    if classes is None:
        raise TypeError(
            f"{what} is for classifiers, and {type(target).__name__} is a regressor. "
            "Attack it with LiRA or RMIA, or audit it."
        )
    return classes


def _is_fitted(model):
    if hasattr(model, "__sklearn_tags__"):
        try:
            check_is_fitted(model)
        except NotFittedError:
            return False
        return True
    found = [name for name in vars(model) if name.endswith("_")]
    return bool(found) or hasattr(model, "classes_")


def _is_pairwise(model):
    try:
        return get_tags(model).input_tags.pairwise
    except (AttributeError, TypeError, ValueError):  # no scikit-learn tags
        return False


def encode_labels(labels, classes, what="records"):
    """Position of each label among the classes of the target.

    Numbers and booleans are compared by value, text by text: 1, 1.0 and True are one
    label.

    Parameters
    ----------
    labels : ndarray of shape (n_records,)
        Class labels, or the values to predict.

    classes : ndarray of shape (n_classes,) or None
        Classes of the target, None of a regressor.

    what : str, default="records"
        What has the labels, for the message.

    Returns
    -------
    codes : ndarray of shape (n_records,), dtype intp
        ``classes[codes]`` are the labels; of a regressor the values, float64.

    Raises
    ------
    ValueError
        If a label is missing or not one of the classes, or a value no number. It tells
        how many are, and none of them: a column given by mistake holds something else.
    """
    if classes is None:
        return as_values(labels, what)
    codes = find_labels(labels, classes)
    n_bad = int(np.sum(codes < 0))
    if n_bad:
        shown = ", ".join(repr(_plain(c)) for c in classes[:10])
        raise ValueError(
            f"{n_bad} of {len(labels)} {what} have a class label that the target does "
            f"not know. Its classes are {shown}. Check label_column, encode the labels "
            "as for its training, or drop these records."
        )
    return codes


def find_labels(labels, classes):
    """Position of each label among classes, compared as in :func:`encode_labels`.

    Parameters
    ----------
    labels : ndarray of shape (n_records,)
        Class labels.

    classes : ndarray of shape (n_classes,)
        Classes of a model.

    Returns
    -------
    codes : ndarray of shape (n_records,), dtype intp
        -1 for a label that is none of the classes.
    """
    position = {_plain(c): i for i, c in enumerate(classes)}
    unique, inverse = _unique_labels(labels)
    found = np.array([position.get(_plain(v), -1) for v in unique], dtype=np.intp)
    return found[inverse]


def _unique_labels(labels):
    if labels.dtype != object:
        return np.unique(labels, return_inverse=True)
    order = {}
    codes = [order.setdefault(_plain(v), len(order)) for v in labels]
    return list(order), np.array(codes, dtype=np.intp)


def _plain(value):
    value = value.item() if isinstance(value, np.generic) else value
    missing = type(value).__name__ in ("NAType", "NaTType") or value != value
    return None if missing else value


def smoothed(proba, floor):
    r"""Keep probabilities off 0 and 1 without changing their order.

    .. math:: p'_j = (1 - 2 f) p_j + 2 f / k

    with f the floor and k the number of classes; for two classes and a forest of T
    trees it is :math:`(T p_j + 1/2) / (T + 1)`, half a vote for either class, up to
    terms of order 1/T.

    Parameters
    ----------
    proba : ndarray of shape (n_records, n_classes)

    floor : float

    Returns
    -------
    proba : ndarray of shape (n_records, n_classes)
        Rows sum to 1 as before.
    """
    return (1 - 2 * floor) * proba + 2 * floor / proba.shape[1]


@dataclass(frozen=True)
class Responder:
    """One way to ask the target and every shadow, fixed when an attack is fitted.

    Attributes
    ----------
    kind : {"log_odds", "predict_proba", "decision_function", "predict"}
        "log_odds" is a `decision_function` that agrees with `predict_proba` and does
        not saturate.

    classes : ndarray of shape (n_classes,)
        Classes of the target, the columns of every answer.

    floor : float
        Distance that probabilities keep from 0 and 1, see `smoothed`.
    """

    kind: str
    classes: np.ndarray
    floor: float = _SMALLEST_FLOOR

    def ask(self, model, features, model_classes=None):
        """Log-probability of each class that the model knows, before the floor.

        Parameters
        ----------
        model : fitted classifier
            The target or a shadow.

        features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)
            Features as it gets them.

        model_classes : ndarray or None, default=None
            The target's classes that the columns of `model` stand for; None reads
            `model.classes_`.

        Returns
        -------
        answer : ndarray of shape (n_records, n_model_classes), dtype float64
            Columns in the order of `model_classes`.
        """
        if model_classes is None:
            model_classes = np.asarray(model.classes_)
        n_seen = len(model_classes)
        if self.kind == "predict_proba":
            with np.errstate(divide="ignore"):
                return np.log(_proba(model, features, n_seen))
        if self.kind == "predict":
            return _log_votes(model, features, n_seen)
        return _log_softmax(_decision(model, features, n_seen))

    def align(self, answer, seen=None):
        """Apply the floor and give each class of the target its column.

        Parameters
        ----------
        answer : ndarray of shape (n_records, n_seen)
            From :meth:`ask`.

        seen : ndarray of shape (n_seen,) or None, default=None
            The target's column that each column of `answer` stands for; None if all
            are there in the target's order.

        Returns
        -------
        log_proba : ndarray of shape (n_records, n_classes), dtype float64
            ``-inf`` in the column of a class that the model never saw.
        """
        if self.kind == "predict_proba":
            answer = np.log(smoothed(np.exp(answer), self.floor))
        if seen is None or np.array_equal(seen, np.arange(len(self.classes))):
            return answer
        log_proba = np.full((len(answer), len(self.classes)), -np.inf)
        log_proba[:, seen] = answer
        return log_proba

    def answer(self, model, features):
        """Class-aligned log-probabilities of a model that knows every class."""
        return self.align(self.ask(model, features))


def make_responder(target, features, classes, response_method="auto"):
    """Choose how the target is asked, once for it and all shadows.

    "auto" asks `predict_proba`, else `decision_function`, else `predict`. Where a
    `decision_function` is the native log-odds of the probabilities (logistic
    regression, boosting), which it shows by agreeing with them, it is asked instead:
    log-odds do not saturate at 0 and 1.

    The floor of the probabilities follows the model: half of the smallest positive
    probability that it gives, which is 1/(2T) for a forest of T trees and 1/(2k) for
    k neighbours; between 1e-15 and .05, and .005 for a model that answers only 0
    and 1.

    Parameters
    ----------
    target : fitted classifier
        The model under attack.

    features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)
        Records of the pool, from which the floor is read.

    classes : ndarray of shape (n_classes,) or None
        Classes of the target, None of a regressor, which is asked `predict`.

    response_method : str, default="auto"
        How the target is asked: "predict_proba", "decision_function", "predict", or
        "auto" for the first of them that it has.

    Returns
    -------
    responder : Responder or ValueResponder
        For the target and all shadows.

    answer : ndarray of shape (n_records, n_classes) or (n_records,)
        The target's answer for `features`: log-probabilities, or predictions.

    Raises
    ------
    TypeError
        If the target lacks the method.

    ValueError
        If its output is not one row of finite class scores a record, or one finite
        number of a regressor, or the same number for all.
    """
    known = ("predict",) if classes is None else RESPONSE_METHODS[1:]
    order = known if response_method == "auto" else (response_method,)
    kind = next((m for m in order if m in known and hasattr(target, m)), None)
    if kind is None:
        has = [m for m in known if hasattr(target, m)]
        raise TypeError(
            f"response_method={response_method!r}, but the target "
            f"{type(target).__name__} has no such method. It has "
            f"{', '.join(has)}: pass one of them, or 'auto'."
        )
    if classes is None:
        responder = ValueResponder()
        prediction = responder.answer(target, features)
        check_varied(prediction, target)
        return responder, prediction
    if kind != "predict_proba":
        responder = Responder(kind, classes)
        return responder, responder.answer(target, features)
    proba = _proba(target, features, len(classes))
    if response_method == "auto" and hasattr(target, "decision_function"):
        log_odds = _native_log_odds(target, features, proba)
        if log_odds is not None:
            return Responder("log_odds", classes), log_odds
    responder = Responder("predict_proba", classes, _floor(proba))
    with np.errstate(divide="ignore"):
        return responder, responder.align(np.log(proba))


def _native_log_odds(target, features, proba):
    try:
        decision = _decision(target, features, proba.shape[1])
    except (AttributeError, ValueError):
        return None
    log_proba = _log_softmax(decision)
    agrees = np.max(np.abs(np.exp(log_proba) - proba)) < _SAME_PROBABILITY
    return log_proba if agrees else None


def _floor(proba):
    positive = proba[proba > 0]
    smallest = positive.min() if positive.size else 1.0
    if smallest > 1 - 1e-9:
        return _ONE_HOT_FLOOR
    return float(np.clip(smallest / 2, _SMALLEST_FLOOR, _LARGEST_FLOOR))


def predicted_codes(model, features, classes=None):
    """Column of the class that a model predicts for each record.

    Parameters
    ----------
    model : fitted classifier
        Asked by its `predict`.

    features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)
        As the model gets them.

    classes : ndarray of shape (n_classes,) or None, default=None
        None takes the model's own.

    Returns
    -------
    codes : ndarray of shape (n_records,), dtype intp
        Positions among the classes; -1 where it gave no answer, see
        :func:`may_not_answer`.
    """
    # CatBoost gives a column.
    labels = np.ravel(asked(model, "predict", features))
    classes = model.classes_ if classes is None else classes
    if not may_not_answer(model):
        return encode_labels(labels, classes)
    answered = np.array([label is not None for label in labels.tolist()], dtype=bool)
    codes = np.full(len(labels), -1)
    codes[answered] = encode_labels(labels[answered], classes)
    return codes


def _numbers(answer, name, what):
    expected = "numbers, one column a class"
    return check_numbers(answer, f"The answer of {name}", what, expected)


def _proba(model, features, n_classes):
    proba = asked(model, "predict_proba", features)
    name = type(model).__name__
    if isinstance(proba, list):
        raise ValueError(
            f"{name}.predict_proba returned a list of {len(proba)} arrays, one an "
            "output. Attack one output at a time, with a classifier trained on it."
        )
    proba = _numbers(proba, f"{name}.predict_proba", "probabilities")
    if proba.ndim != 2 or proba.shape[1] != n_classes:
        raise ValueError(
            f"{name}.predict_proba must return shape (n_records, n_classes) = "
            f"({len(proba)}, {n_classes}), one column a class, got {proba.shape}."
        )
    if may_not_answer(model):
        answered = ~np.isnan(proba).all(axis=1)
        proba[answered] = _checked_proba(model, proba[answered])
        return proba
    return _checked_proba(model, proba)


def _checked_proba(model, proba):
    name = type(model).__name__
    if not np.all(np.isfinite(proba)):
        raise ValueError(
            f"{name}.predict_proba returned {int(np.sum(~np.isfinite(proba)))} values "
            "that are not finite. Clean the records or the model first."
        )
    if not proba.size:
        return proba
    sums, low = proba.sum(axis=1), proba.min()
    sums_to_one = np.max(np.abs(sums - 1)) <= _SAME_SUM
    if low < -1e-9 or not sums_to_one:
        if low >= 0 and sums.min() > 0 and is_one_against_rest(model):
            return proba / sums[:, None]
        got = (
            f"values from {low:.4g} to {proba.max():.4g}, as scores have"
            if sums_to_one
            else f"sums from {sums.min():.4g} to {sums.max():.4g}"
        )
        raise ValueError(
            f"{name}.predict_proba must return probabilities that sum to 1 in each "
            f"row, got {got}. {_other_ways(model)}"
        )
    return proba


def _other_ways(model):
    ways = [w for w in ("decision_function", "predict") if hasattr(model, w)]
    if not ways:
        return "Normalise them."
    shown = " or ".join(f"response_method={way!r}" for way in ways)
    return f"Train the model so that it gives probabilities, or pass {shown}."


def _decision(model, features, n_classes):
    decision = asked(model, "decision_function", features)
    name = type(model).__name__
    decision = _numbers(decision, f"{name}.decision_function", "scores")
    if decision.ndim == 1 and n_classes == 2:
        decision = np.column_stack([np.zeros_like(decision), decision])
    shape = getattr(
        open_model(model, to_answer=True).classifier, "decision_function_shape", "ovr"
    )
    if shape == "ovo" and n_classes > 2:
        raise ValueError(
            f"{name}.decision_function returns one score a pair of classes, not one a "
            "class. Set decision_function_shape='ovr', or pass "
            "response_method='predict'."
        )
    if decision.ndim != 2 or decision.shape[1] != n_classes:
        raise ValueError(
            f"{name}.decision_function must return one score a class, shape "
            f"(n_records, {n_classes}), got {decision.shape}."
        )
    if not np.all(np.isfinite(decision)):
        raise ValueError(
            f"{name}.decision_function returned values that are not finite. Clean the "
            "records or the model first."
        )
    return decision


def _log_softmax(decision):
    if decision.shape[1] == 2:
        # A general logsumexp takes as long as the answer of a linear model.
        log_odds = decision[:, 1] - decision[:, 0]
        return -np.logaddexp(0.0, np.column_stack([log_odds, -log_odds]))
    return decision - logsumexp(decision, axis=1, keepdims=True)


def _log_votes(model, features, n_classes):
    """A hard label is one vote, smoothed by half a vote for either answer."""
    codes = predicted_codes(model, features)
    log_proba = np.full((len(codes), n_classes), np.log(0.25 / max(n_classes - 1, 1)))
    log_proba[np.arange(len(codes)), codes] = np.log(0.75)
    log_proba[codes < 0] = np.nan
    return log_proba


def rounded(proba, decimals):
    """Round so that each row still sums to 1, by largest remainders.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes)

    decimals : int

    Returns
    -------
    proba : ndarray of shape (n_samples, n_classes)
        Multiples of ``10 ** -decimals``; a larger probability never gets less.
    """
    unit = 10**decimals
    # What rounding errors have moved below a multiple belongs to it.
    scaled = np.round(proba * unit, 9)
    shares = np.floor(scaled)
    left = unit - shares.sum(axis=1)
    order = np.argsort(-(scaled - shares), axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(proba.shape[1])[None, :], axis=1)
    return (shares + (rank < left[:, None])) / unit
