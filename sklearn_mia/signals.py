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

A function of a user takes the same two arrays, which it cannot write to, and returns
one real number a record, NaN where it cannot tell. What it returns is checked.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import logsumexp, xlogy

from sklearn_mia.hooks import callable_name, check_returned, frozen, shown

__all__ = [
    "SIGNALS",
    "as_signal",
    "confidence",
    "correctness",
    "entropy",
    "logit",
    "loss",
    "margin",
    "max_confidence",
    "modified_entropy",
    "signal_name",
    "spread",
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
        log_rest = np.log1p(-np.minimum(proba, 1.0))
        log_rest[rows, top] = logsumexp(_wrong(log_proba, top), axis=1)
        # An unseen class has p = 0 and log p = -inf; 0 * -inf counts as 0.
        terms = np.where(proba > 0, proba * log_rest, 0.0)
        terms[rows, labels] = 0.0
        rest = np.exp(log_rest[rows, labels])
        true_term = np.where(rest > 0, rest * _true(log_proba, labels), 0.0)
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


_BUILT_IN = tuple(SIGNALS.values())


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


def as_signal(signal, known=SIGNALS):
    """Function of a signal, given by its name or as it is.

    Parameters
    ----------
    signal : str or callable
        A callable is ``signal(log_proba, labels)``, as the functions above, and must be
        picklable to reach workers.

    known : dict, default=SIGNALS
        Names mapped to functions, as they are at the time of the call. A name that was
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
    name = signal_name(signal)
    if not callable(signal):
        if not isinstance(signal, str) or signal not in known:
            raise ValueError(
                f"signal={shown(signal)} is not known; expected a callable or one of "
                f"{', '.join(map(repr, known))}. A worker process does not know a name "
                "that was added to SIGNALS in another one: pass the callable itself."
            )
        signal = known[signal]
    if isinstance(signal, OwnSignal) or any(signal is f for f in _BUILT_IN):
        return signal
    return OwnSignal(signal, name)


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
    """Log-probability of the true label, where the value of a signal tells it.

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
    if signal is loss:
        return values
    with np.errstate(divide="ignore", invalid="ignore"):
        if signal is logit:
            return -np.logaddexp(0.0, -values)
        if signal is confidence:
            return np.log(values)
    return None
