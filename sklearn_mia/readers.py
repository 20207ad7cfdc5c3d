"""What is asked of a shadow, and what an attack reads from its answer."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace

import numpy as np

from sklearn_mia.response import Responder
from sklearn_mia.signals import loss, true_log_proba
from sklearn_mia.tables import take

BLOCK = 65_536


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

    An answer is cached under the `name` of its reader; what is read from it may then
    change without training a shadow again. A reader travels to workers.
    """

    @property
    @abstractmethod
    def name(self):
        """What an answer depends on besides the shadow, for the cache."""

    @abstractmethod
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
            NaN for a record whose class the shadow never saw.
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
        n_records = len(codes)
        answer = np.empty((n_records, len(seen)))
        for start in range(0, n_records, BLOCK):
            # In blocks, so that a model's temporary tables stay small.
            rows = slice(start, start + BLOCK)
            some = features if n_records <= BLOCK else take(features, rows)
            answer[rows] = self.responder.ask(model, some, self.responder.classes[seen])
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
        with np.errstate(invalid="ignore"):
            values = np.array(self.signal(log_proba, codes), dtype=np.float64)
        values[~np.isin(codes, seen)] = np.nan
        values[~np.isfinite(values)] = np.nan
        return values

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
