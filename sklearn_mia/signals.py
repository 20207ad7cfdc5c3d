"""What the answer says: one number a record, higher = more likely a member.

Every signal is a pure function of the class-aligned log-probabilities and of the
position of the true label. With :math:`p_j` the probability of class j and y the true
label of the record:

==================  ==============================================================
signal              formula
==================  ==============================================================
logit               log p_y - log sum over j != y of p_j
loss                log p_y, the negative cross-entropy loss
confidence          p_y
margin              p_y - max over j != y of p_j
entropy             sum over j of p_j log p_j, the negative entropy
modified_entropy    (1 - p_y) log p_y + sum over j != y of p_j log(1 - p_j)
correctness         1 if the class of the largest p_j is y, else 0
max_confidence      largest p_j; needs no label
spread              standard deviation over j of p_j; needs no label
==================  ==============================================================

Of a regressor a signal is a function of its prediction f and of the value to predict,
y:

==================  ==============================================================
signal              formula
==================  ==============================================================
loss                -(y - f)^2, the negative squared error
absolute_error      -abs(y - f), the negative absolute error; ranks as the loss
==================  ==============================================================

A function of a user takes the same two arrays, which it cannot write to, and returns
one real number a record, NaN where it cannot tell. What it returns is checked.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, xlogy

from sklearn_mia.hooks import callable_name, check_returned, frozen, shown

__all__ = [
    "SIGNALS",
    "VALUE_SIGNALS",
    "absolute_error",
    "as_signal",
    "confidence",
    "correctness",
    "entropy",
    "logit",
    "loss",
    "margin",
    "max_confidence",
    "modified_entropy",
    "residual",
    "signal_name",
    "signals_for",
    "spread",
    "squared_error",
    "true_log_proba",
]


def _true(log_proba, labels):
    return log_proba[np.arange(len(labels)), labels]


def _wrong(log_proba, labels):
    """Log-probabilities of the wrong classes, one column fewer."""
    n_records, n_classes = log_proba.shape
    keep = np.ones((n_records, n_classes), dtype=bool)
    keep[np.arange(n_records), labels] = False
    return log_proba[keep].reshape(n_records, n_classes - 1)


def _of_answered(signal, log_proba):
    """NaN for a record without an answer, which comparisons would hide."""
    return np.where(np.isnan(log_proba[:, 0]), np.nan, signal)


def logit(log_proba, labels):
    r"""Log-odds of the true label, the canonical signal; any real number.

    .. math:: \varphi = \log p_y - \log \sum_{j \ne y} p_j

    The sum runs over the wrong classes: ``1 - p_y`` would cancel as p_y goes to 1.

    Parameters
    ----------
    log_proba : ndarray of shape (n_records, n_classes)
        Log-probabilities.

    labels : ndarray of shape (n_records,)
        Column of the true label of each record.

    Returns
    -------
    signal : ndarray of shape (n_records,)
        Higher = more likely a member.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_mia.signals import logit
    >>> logit(np.log([[0.8, 0.1, 0.1]]), np.array([0])).round(4)
    array([1.3863])
    """
    if log_proba.shape[1] == 2:
        return _true(log_proba, labels) - _true(log_proba, 1 - labels)
    return _true(log_proba, labels) - logsumexp(_wrong(log_proba, labels), axis=1)


def loss(log_proba, labels):
    r"""Negative cross-entropy loss :math:`\log p_y`, between -inf and 0.

    Parameters
    ----------
    log_proba : ndarray of shape (n_records, n_classes)
        Log-probabilities.

    labels : ndarray of shape (n_records,)
        Column of the true label of each record.

    Returns
    -------
    signal : ndarray of shape (n_records,)
        Higher (a smaller loss) = more likely a member.
    """
    return _true(log_proba, labels)


def confidence(log_proba, labels):
    """Probability of the true label p_y, between 0 and 1.

    Parameters
    ----------
    log_proba : ndarray of shape (n_records, n_classes)
        Log-probabilities.

    labels : ndarray of shape (n_records,)
        Column of the true label of each record.

    Returns
    -------
    signal : ndarray of shape (n_records,)
        Higher = more likely a member.
    """
    return np.exp(_true(log_proba, labels))


def margin(log_proba, labels):
    r"""Lead of the true label :math:`p_y - \max_{j \ne y} p_j`, between -1 and 1.

    Parameters
    ----------
    log_proba : ndarray of shape (n_records, n_classes)
        Log-probabilities.

    labels : ndarray of shape (n_records,)
        Column of the true label of each record.

    Returns
    -------
    signal : ndarray of shape (n_records,)
        Higher = more likely a member.
    """
    runner_up = _wrong(log_proba, labels).max(axis=1)
    return np.exp(_true(log_proba, labels)) - np.exp(runner_up)


def entropy(log_proba, labels=None):
    r"""Negative entropy :math:`\sum_j p_j \log p_j`, between -log n_classes and 0.

    Needs no label: a confidently wrong answer looks like a member's too.

    Parameters
    ----------
    log_proba : ndarray of shape (n_records, n_classes)
        Log-probabilities.

    labels : ndarray of shape (n_records,), default=None
        Not used.

    Returns
    -------
    signal : ndarray of shape (n_records,)
        Higher (a surer answer) = more likely a member.
    """
    proba = np.exp(log_proba)
    return xlogy(proba, proba).sum(axis=1)


def modified_entropy(log_proba, labels):
    r"""Negative modified entropy of Song and Mittal, between -inf and 0.

    .. math:: (1 - p_y) \log p_y + \sum_{j \ne y} p_j \log (1 - p_j)

    It is 0 at p_y = 1 and falls as p_y falls. For two classes it equals
    :math:`2 (1 - p_y) \log p_y` and so ranks like the loss.

    Parameters
    ----------
    log_proba : ndarray of shape (n_records, n_classes)
        Log-probabilities.

    labels : ndarray of shape (n_records,)
        Column of the true label of each record.

    Returns
    -------
    signal : ndarray of shape (n_records,)
        Higher = more likely a member.

    References
    ----------
    .. [1] L. Song and P. Mittal, 2021, "Systematic evaluation of privacy risks of
       machine learning models".
    """
    rows = np.arange(len(log_proba))
    proba = np.exp(log_proba)
    # log(1 - p) for all classes: exact by the other classes where p is largest, the
    # only place where 1 - p can cancel.
    top = log_proba.argmax(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        log_rest = np.log1p(-proba)
        log_rest[rows, top] = logsumexp(_wrong(log_proba, top), axis=1)
        terms = proba * log_rest
    terms[rows, labels] = 0.0
    true_term = np.exp(log_rest[rows, labels]) * _true(log_proba, labels)
    return _of_answered(true_term + terms.sum(axis=1), log_proba)


def correctness(log_proba, labels):
    """1 where the most probable class is the true label, else 0 (the gap attack).

    A tie for the largest probability goes to the class that comes first, as in
    `predict`.

    Parameters
    ----------
    log_proba : ndarray of shape (n_records, n_classes)
        Log-probabilities.

    labels : ndarray of shape (n_records,)
        Column of the true label of each record.

    Returns
    -------
    signal : ndarray of shape (n_records,)
        Higher = more likely a member.
    """
    right = (log_proba.argmax(axis=1) == labels).astype(np.float64)
    return _of_answered(right, log_proba)


def max_confidence(log_proba, labels=None):
    """Largest probability, between 1 / n_classes and 1.

    Needs no label: a confidently wrong answer looks like a member's too.

    Parameters
    ----------
    log_proba : ndarray of shape (n_records, n_classes)
        Log-probabilities.

    labels : ndarray of shape (n_records,), default=None
        Not used.

    Returns
    -------
    signal : ndarray of shape (n_records,)
        Higher = more likely a member.
    """
    return np.exp(log_proba.max(axis=1))


def spread(log_proba, labels=None):
    """Standard deviation of the probabilities, between 0 and 1/2.

    Needs no label: a confidently wrong answer looks like a member's too.

    Parameters
    ----------
    log_proba : ndarray of shape (n_records, n_classes)
        Log-probabilities.

    labels : ndarray of shape (n_records,), default=None
        Not used.

    Returns
    -------
    signal : ndarray of shape (n_records,)
        Higher = more likely a member.
    """
    return np.exp(log_proba).std(axis=1)


def squared_error(prediction, values):
    """Negative squared error of a prediction, -(y - f)^2, between -inf and 0.

    Parameters
    ----------
    prediction : ndarray of shape (n_records,)
        What a regressor predicts, f.

    values : ndarray of shape (n_records,)
        The value to predict of each record, y.

    Returns
    -------
    signal : ndarray of shape (n_records,)
        Higher (a smaller error) = more likely a member.
    """
    return -((values - prediction) ** 2)


def absolute_error(prediction, values):
    """Negative absolute error of a prediction, -abs(y - f), between -inf and 0.

    Parameters
    ----------
    prediction : ndarray of shape (n_records,)
        What a regressor predicts, f.

    values : ndarray of shape (n_records,)
        The value to predict of each record, y.

    Returns
    -------
    signal : ndarray of shape (n_records,)
        Higher (a smaller error) = more likely a member.
    """
    return -np.abs(values - prediction)


def residual(prediction, values):
    """Residual of a prediction, y - f; no signal by itself, since it has a sign.

    Where a shadow trained on the record it is nearer to 0, from either side: that is
    what :class:`~sklearn_mia.LiRA` compares.

    Parameters
    ----------
    prediction : ndarray of shape (n_records,)
        What a regressor predicts, f.

    values : ndarray of shape (n_records,)
        The value to predict of each record, y.

    Returns
    -------
    residual : ndarray of shape (n_records,)
        Any real number, in the unit of the value.
    """
    return values - prediction


SIGNALS = {
    "logit": logit,
    "loss": loss,
    "confidence": confidence,
    "margin": margin,
    "entropy": entropy,
    "modified_entropy": modified_entropy,
    "correctness": correctness,
    "max_confidence": max_confidence,
    "spread": spread,
}

VALUE_SIGNALS = {"loss": squared_error, "absolute_error": absolute_error}


@dataclass(frozen=True)
class SignalSet:
    """What can be read from the answers of one kind of model.

    Attributes
    ----------
    known : dict
        Names mapped to functions, as they are at the time of a lookup.

    auto : str
        The name that "auto" stands for.

    loss : callable
        The negative loss.

    compared : callable
        What LiRA compares with its values under models with and without a record; of a
        regressor it has a sign and is no signal by itself.
    """

    known: dict
    auto: str
    loss: object
    compared: object


_OF_CLASSIFIERS = SignalSet(SIGNALS, "logit", loss, logit)
_OF_REGRESSORS = SignalSet(VALUE_SIGNALS, "absolute_error", squared_error, residual)


def signals_for(classes):
    """What can be read from the answers of a model.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,) or None
        Of the model; None of a regressor.

    Returns
    -------
    signals : SignalSet
        The names known, and which of them is asked for what.
    """
    return _OF_REGRESSORS if classes is None else _OF_CLASSIFIERS


_BUILT_IN = (*SIGNALS.values(), *VALUE_SIGNALS.values(), residual)


@dataclass(frozen=True)
class OwnSignal:
    """A signal of a user: its arrays are read-only, and what it returns is checked.

    Attributes
    ----------
    function : callable

    name : str
        What it is called in messages.
    """

    function: object
    name: str

    @property
    def __name__(self):
        """What it is called in messages."""
        return self.name

    def __call__(self, *given):
        """Signal of each record."""
        values = self.function(*map(frozen, given))
        return check_returned(values, len(given[0]), f"The signal {self.name!r}")


def as_signal(signal, known=None):
    """Function of a signal, given by its name or as it is.

    Parameters
    ----------
    signal : str or callable
        "auto" is the usual one of the kind of model. A callable is
        ``signal(log_proba, labels)``, or ``signal(prediction, values)`` of a regressor,
        as the functions above, and must be picklable to reach workers.

    known : SignalSet, dict or None, default=None
        From :func:`signals_for`; None is what is known of classifiers. Or names mapped
        to functions, as they are at the time of the call. A name that was
        added is known in its own process only: attacks look it up when they are fitted
        and send the function to the workers that train shadows, but a worker that fits
        a whole attack, as in ``GridSearchCV(n_jobs=2)``, needs the function itself.

    Returns
    -------
    function : callable
        ``function(log_proba, labels)``. That of a user gets arrays that it cannot write
        to, and what it returns is checked.

    Raises
    ------
    ValueError
        If the name is not known.
    """
    known = _OF_CLASSIFIERS if known is None else known
    if isinstance(known, SignalSet):
        signal = known.auto if isinstance(signal, str) and signal == "auto" else signal
        known = known.known
    name = signal_name(signal)
    if not callable(signal):
        if not isinstance(signal, str) or signal not in known:
            raise ValueError(_unknown(signal, known))
        signal = known[signal]
    if isinstance(signal, OwnSignal) or any(signal is f for f in _BUILT_IN):
        return signal
    return OwnSignal(signal, name)


def _unknown(signal, known):
    """What to say of a signal that is not among those known."""
    expected = f"expected a callable or one of {', '.join(map(repr, known))}."
    named = signal if isinstance(signal, str) else None
    if known is VALUE_SIGNALS and named in SIGNALS:
        is_of = "is for classifiers, and the target is a regressor"
        return f"signal={shown(signal)} {is_of}; {expected}"
    if known is SIGNALS and named in VALUE_SIGNALS:
        is_of = "is for regressors, and the target is a classifier"
        return f"signal={shown(signal)} {is_of}; {expected}"
    table = "VALUE_SIGNALS" if known is VALUE_SIGNALS else "SIGNALS"
    return (
        f"signal={shown(signal)} is not known; {expected} A worker process does not "
        f"know a name that was added to {table} in another one: pass the callable "
        "itself."
    )


def signal_name(signal):
    """Name of a signal that was given by its name or as a callable.

    Parameters
    ----------
    signal : str or callable
        A name is returned as it is.

    Returns
    -------
    name : str
        Of a callable, what it is called where it is defined.
    """
    return signal if isinstance(signal, str) else callable_name(signal)


def true_log_proba(signal, values):
    """Negative loss of a record, where the value of a signal tells it.

    That is the log-probability of the true label, or the negative squared error.

    Parameters
    ----------
    signal : callable
        Function of the signal.

    values : ndarray
        What it gave.

    Returns
    -------
    log_proba : ndarray or None
        None if the signal does not determine it.
    """
    if signal is loss or signal is squared_error:
        return values
    if signal is residual or signal is absolute_error:
        return -np.square(values)
    with np.errstate(divide="ignore", invalid="ignore"):
        if signal is logit:
            return -np.logaddexp(0.0, -values)
        if signal is confidence:
            return np.log(values)
    return None
