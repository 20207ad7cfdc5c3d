"""What is asked of a shadow, and what an attack reads from its answer."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np

from sklearn_mia.hooks import callable_name, check_returned, frozen
from sklearn_mia.regression import ValueResponder
from sklearn_mia.response import Responder
from sklearn_mia.signals import loss, squared_error, true_log_proba
from sklearn_mia.tables import own_copy, take

BLOCK = 65_536


def known_columns(classes):
    """Columns of a model that knows every class; none of a regressor."""
    return np.arange(0 if classes is None else len(classes))


def own_column(codes, seen):
    """Column of the class of each record in the answer of a shadow.

    Parameters
    ----------
    codes : ndarray of shape (n_records,)

    seen : ndarray of shape (n_seen,)
        Columns of the target's classes that the shadow knows.

    Returns
    -------
    column : ndarray of shape (n_records,)
        -1 where the shadow never saw the class.
    """
    column = np.full(max(seen.max(), codes.max()) + 1, -1)
    column[seen] = np.arange(len(seen))
    return column[codes]


class Reader(ABC):
    """What is asked of a shadow, and what an attack reads from its answer.

    The target is asked by the same reader. An answer is cached under the class and the
    `name` of its reader; what is read from it may then change without training a shadow
    again. A reader travels to workers. Arrays that it is given cannot be written to; a
    frame is copied before it is changed.
    """

    @property
    @abstractmethod
    def name(self):
        """What an answer depends on besides the shadow, for the cache; a text."""

    @abstractmethod
    def ask(self, model, seen, features, codes, members):
        """Ask a shadow about records: the part that is cached.

        Parameters
        ----------
        model : fitted estimator
            The shadow, or the target.

        seen : ndarray of shape (n_seen,)
            Columns of the target's classes that the shadow knows.

        features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)
            What the shadow is asked about.

        codes : ndarray of shape (n_records,)
            Column of the class label of each record.

        members : ndarray of shape (n_records,), dtype bool, or None
            Records that the shadow trained on; None outside the pool, and for the
            target.

        Returns
        -------
        answer : ndarray
            Anything that can be cached.
        """

    @abstractmethod
    def read(self, answer, seen, codes):
        """Read the signal from an answer.

        Parameters
        ----------
        answer : ndarray
            From :meth:`ask`.

        seen : ndarray of shape (n_seen,)
            Columns of the target's classes that the shadow knows.

        codes : ndarray of shape (n_records,)
            Column of the class label of each record.

        Returns
        -------
        values : ndarray of shape (n_records,) or (n_records, n_values)
            NaN for a record whose class the shadow never saw; of one shape for all
            shadows, whatever classes they saw.
        """

    def true_log_proba(self, answer, seen, codes):
        """Log-probability of the true label, if the values read do not tell it.

        Parameters
        ----------
        answer : ndarray
            From :meth:`ask`.

        seen : ndarray of shape (n_seen,)
            Columns of the target's classes that the shadow knows.

        codes : ndarray of shape (n_records,)
            Column of the class label of each record.

        Returns
        -------
        log_proba : ndarray of shape (n_records,) or None
            NaN for a record whose class the shadow never saw.
        """
        return None


@dataclass(frozen=True)
class LogProbaReader(Reader):
    """Ask for log-probabilities, from which most attacks can be computed.

    Attributes
    ----------
    responder : Responder
        How a shadow is asked.

    signal : callable
        ``signal(log_proba, codes)``, what an attack reads from an answer.
    """

    responder: Responder
    signal: object

    @property
    def name(self):
        """What an answer depends on besides the shadow, for the cache."""
        return self.responder.kind

    def ask(self, model, seen, features, codes, members):
        """Ask a shadow about records: the part that is cached.

        Parameters
        ----------
        model : fitted estimator
            The shadow.

        seen : ndarray of shape (n_seen,)
            Columns of the target's classes that the shadow knows.

        features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)
            What the shadow is asked about.

        codes : ndarray of shape (n_records,)
            Column of the class label of each record.

        members : ndarray of shape (n_records,), dtype bool, or None
            Records that the shadow trained on; None outside the pool.

        Returns
        -------
        answer : ndarray of shape (n_records, n_seen)
            Log-probabilities.
        """
        classes = self.responder.classes[seen]
        answer, start = np.empty((len(codes), len(seen))), 0
        for some in in_blocks(features, codes):
            told = self.responder.ask(model, some, classes)
            answer[start : start + len(told)] = told
            start += len(told)
        return answer

    def read(self, answer, seen, codes):
        """Read the signal from an answer.

        Parameters
        ----------
        answer : ndarray of shape (n_records, n_seen)
            From :meth:`ask`.

        seen : ndarray of shape (n_seen,)
            Columns of the target's classes that the shadow knows.

        codes : ndarray of shape (n_records,)
            Column of the class label of each record.

        Returns
        -------
        values : ndarray of shape (n_records,) or (n_records, n_values)
            NaN for a record whose class the shadow never saw.
        """
        log_proba = self.responder.align(answer, seen)
        values = np.array(self.signal_of(log_proba, codes), dtype=np.float64)
        values[~np.isin(codes, seen)] = np.nan
        values[~np.isfinite(values)] = np.nan
        return values

    def signal_of(self, log_proba, codes):
        """Signal of an answer with a column for each class of the target.

        Parameters
        ----------
        log_proba : ndarray of shape (n_records, n_classes)
            The answer.

        codes : ndarray of shape (n_records,)
            Column of the class label of each record.

        Returns
        -------
        values : ndarray of shape (n_records,) or (n_records, n_values)
            As the signal gives them.
        """
        with np.errstate(invalid="ignore"):
            values = self.signal(frozen(log_proba), frozen(codes))
        name = f"The signal {callable_name(self.signal)!r}"
        return check_returned(values, len(codes), name, several=True)

    def true_log_proba(self, answer, seen, codes):
        """Log-probability of the true label, if the signal hides it.

        Parameters
        ----------
        answer : ndarray of shape (n_records, n_seen)
            From :meth:`ask`.

        seen : ndarray of shape (n_seen,)
            Columns of the target's classes that the shadow knows.

        codes : ndarray of shape (n_records,)
            Column of the class label of each record.

        Returns
        -------
        log_proba : ndarray of shape (n_records,) or None
            NaN for a record whose class the shadow never saw.
        """
        if true_log_proba(self.signal, np.zeros(0)) is not None:
            return None
        return replace(self, signal=loss).read(answer, seen, codes)


@dataclass(frozen=True)
class PredictionReader(Reader):
    """Ask a regressor for its predictions, from which its attacks can be computed.

    Attributes
    ----------
    responder : ValueResponder
        How a shadow is asked.

    signal : callable
        ``signal(prediction, values)``, what an attack reads from an answer.
    """

    responder: ValueResponder
    signal: object

    @property
    def name(self):
        """What an answer depends on besides the shadow, for the cache."""
        return self.responder.kind

    def ask(self, model, seen, features, codes, members):
        """Ask a shadow about records: the part that is cached.

        Parameters
        ----------
        model : fitted regressor
            The shadow.

        seen : ndarray of shape (0,)
            A regressor knows no classes.

        features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)
            What the shadow is asked about.

        codes : ndarray of shape (n_records,)
            The value to predict of each record.

        members : ndarray of shape (n_records,), dtype bool, or None
            Records that the shadow trained on; None outside the pool.

        Returns
        -------
        answer : ndarray of shape (n_records,)
            Predictions.
        """
        parts = [
            self.responder.answer(model, some) for some in in_blocks(features, codes)
        ]
        return np.concatenate(parts)

    def read(self, answer, seen, codes):
        """Read the signal from an answer.

        Parameters
        ----------
        answer : ndarray of shape (n_records,)
            From :meth:`ask`.

        seen : ndarray of shape (0,)
            A regressor knows no classes.

        codes : ndarray of shape (n_records,)
            The value to predict of each record.

        Returns
        -------
        values : ndarray of shape (n_records,) or (n_records, n_values)
            NaN for what is not finite.
        """
        values = np.array(self.signal_of(answer, codes), dtype=np.float64)
        values[~np.isfinite(values)] = np.nan
        return values

    def signal_of(self, answer, codes):
        """Signal of an answer.

        Parameters
        ----------
        answer : ndarray of shape (n_records,)
            Predictions.

        codes : ndarray of shape (n_records,)
            The value to predict of each record.

        Returns
        -------
        values : ndarray of shape (n_records,) or (n_records, n_values)
            As the signal gives them.
        """
        values = self.signal(frozen(answer), frozen(codes))
        name = f"The signal {callable_name(self.signal)!r}"
        return check_returned(values, len(codes), name, several=True)

    def true_log_proba(self, answer, seen, codes):
        """Negative squared error, if the signal hides it.

        Parameters
        ----------
        answer : ndarray of shape (n_records,)
            From :meth:`ask`.

        seen : ndarray of shape (0,)
            A regressor knows no classes.

        codes : ndarray of shape (n_records,)
            The value to predict of each record.

        Returns
        -------
        loss : ndarray of shape (n_records,) or None
            None where the signal tells it.
        """
        if true_log_proba(self.signal, np.zeros(0)) is not None:
            return None
        return replace(self, signal=squared_error).read(answer, seen, codes)


USUAL_READERS = (LogProbaReader, PredictionReader)


def reader_of(responder, signal):
    """The usual reader of the answers that a responder gives.

    Parameters
    ----------
    responder : Responder or ValueResponder

    signal : callable
        What is read.

    Returns
    -------
    reader : LogProbaReader or PredictionReader
    """
    usual = PredictionReader if responder.classes is None else LogProbaReader
    return usual(responder, signal)


def in_blocks(features, codes):
    """Features in blocks of records, so that a model's temporary tables stay small.

    Parameters
    ----------
    features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)

    codes : ndarray of shape (n_records,)

    Yields
    ------
    some : same container
    """
    n_records = len(codes)
    if n_records <= BLOCK:
        yield features
        return
    for start in range(0, n_records, BLOCK):
        yield take(features, slice(start, start + BLOCK))


def check_reader(reader, name):
    """Return a reader if it is one, with a name for the cache.

    Parameters
    ----------
    reader : object
        What a hook returned.

    name : str
        Of the hook, for the message.

    Returns
    -------
    reader : Reader
    """
    if not isinstance(reader, Reader):
        raise TypeError(
            f"{name} returned {type(reader).__name__}; expected an instance of a "
            "subclass of sklearn_mia.base.Reader."
        )
    if not isinstance(reader.name, str) or not reader.name:
        raise TypeError(
            f"{type(reader).__name__}.name is {type(reader.name).__name__}; expected a "
            "text that is not empty and says what an answer depends on besides the "
            "shadow."
        )
    return reader


def reader_key(reader):
    """What tells the answers of a reader from those of another one in the cache."""
    return type(reader).__module__, type(reader).__qualname__, reader.name


def read_values(reader, answer, seen, codes):
    """What a reader reads from an answer, checked.

    Parameters
    ----------
    reader : Reader

    answer : object
        From :meth:`Reader.ask`.

    seen : ndarray of shape (n_seen,)
        Columns of the target's classes that the model knows.

    codes : ndarray of shape (n_records,)
        Column of the class label of each record.

    Returns
    -------
    values : ndarray of shape (n_records,) or more axes
        NaN for what is not finite.
    """
    values = check_returned(
        reader.read(frozen(answer), frozen(seen), frozen(codes)),
        len(codes),
        f"{type(reader).__name__}.read",
        several=True,
    )
    finite = np.isfinite(values)
    return values if finite.all() else np.where(finite, values, np.nan)


def read_true_log_proba(reader, answer, seen, codes):
    """Log-probability of the true label if a reader gives it, checked; else None.

    Parameters
    ----------
    reader : Reader

    answer : object
        From :meth:`Reader.ask`.

    seen : ndarray of shape (n_seen,)
        Columns of the target's classes that the model knows.

    codes : ndarray of shape (n_records,)
        Column of the class label of each record.

    Returns
    -------
    log_proba : ndarray of shape (n_records,) or None
    """
    values = reader.true_log_proba(frozen(answer), frozen(seen), frozen(codes))
    if values is None:
        return None
    name = f"{type(reader).__name__}.true_log_proba"
    return check_returned(values, len(codes), name)


def read_target(reader, target, responder, features, codes, answer):
    """What a reader reads from the target, which is asked as the shadows are.

    Parameters
    ----------
    reader : Reader

    target : fitted estimator

    responder : Responder or ValueResponder
        How `answer` was asked for.

    features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)

    codes : ndarray of shape (n_records,)

    answer : ndarray of shape (n_records, n_classes) or (n_records,)
        The target's answer, which spares asking it again for the same.

    Returns
    -------
    values : ndarray of shape (n_records,) or more axes
    """
    # A subclass may ask for something else.
    plain = type(reader) in USUAL_READERS
    if plain and reader.responder is responder:
        return reader.signal_of(answer, codes)
    seen = known_columns(responder.classes)
    features, given = own_copy(frozen(features)), frozen(codes)
    answer = reader.ask(target, frozen(seen), features, given, None)
    return read_values(reader, answer, seen, codes)
