"""A model that can only be asked: a service, say, behind a function."""

import os
import threading
import time
from numbers import Integral, Real
from types import MethodType

import joblib
import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _num_samples

from sklearn_mia._links import DocLinkMixin
from sklearn_mia._warn import warn
from sklearn_mia.checks import check_probabilities
from sklearn_mia.hooks import callable_name, cause_of, shown
from sklearn_mia.identity import find_ids, record_ids
from sklearn_mia.memory import batch_of_service, described, kept_batches, open_memory
from sklearn_mia.memory import remembered as remembered_in
from sklearn_mia.models import open_model
from sklearn_mia.records import as_features
from sklearn_mia.response import encode_labels
from sklearn_mia.tables import take

__all__ = ["BlackBoxClassifier", "asks_a_service", "black_box_of"]

# The finest rounding that is told from none.
_MOST_DECIMALS = 6
_SAME_SUM = 1e-3
# How far an answer in single precision may be outside of 0 and 1.
_SINGLE_PRECISION = 1e-6
# Where what is given in their name stands: both are methods, too.
_FUNCTIONS = {"predict_proba": "_given_proba", "predict": "_given_labels"}


class _Answered:
    """Answers so far, by the identity of the record."""

    def __init__(self):
        self.ids = np.empty(0, dtype=np.uint64)
        self.values = None
        self.unasked = np.empty(0, dtype=np.uint64)
        self.n_calls = 0
        self.is_open = False
        self.n_kept = 0

    def add(self, ids, values):
        """Take in answers; of a record that has one already it stays."""
        ids = np.concatenate([self.ids, ids])
        values = values if self.values is None else np.vstack([self.values, values])
        self.ids, first = np.unique(ids, return_index=True)
        self.values = values[first]
        self.unasked = np.setdiff1d(self.unasked, self.ids)

    def of(self, ids, n_columns):
        """Answer for each record, NaN where there is none."""
        answers = np.full((len(ids), n_columns), np.nan)
        if len(self.ids):
            place = find_ids(self.ids, ids)
            answers[place >= 0] = self.values[place[place >= 0]]
        return answers


class BlackBoxClassifier(DocLinkMixin, ClassifierMixin, BaseEstimator):
    """Attack and audit a model that can only be asked, through a function of yours.

    It is a fitted classifier whose answers come from the function, a request to a
    service say. Records are sent in batches, and the same record, by its content, is
    sent once only, whatever attack asks about it. Nothing is trained: a shadow attack
    needs a recipe of its own, ``shadow_estimator=``.

    Parameters
    ----------
    predict_proba : callable or None, default=None
        ``predict_proba(X)`` gets a batch of records without labels, in the container
        that the attack has, and returns the probability of each class, of shape
        (n_records, n_classes). Either this or `predict`.

    predict : callable or None, default=None
        ``predict(X)`` returns the label of each record, for a service that tells no
        more.

    classes : array-like of shape (n_classes,) or None, default=None
        The class of each column of the function's answer, in any order; it has to be
        given.

    batch_size : int, default=1000
        Most records a call of the function.

    retries : int, default=4
        How often a batch is sent again if the function raises an error.

    backoff : float, default=0.5
        Seconds to wait before a batch is sent again, twice as long each time.

    max_queries : int or None, default=None
        Most records that are asked about, those that `memory` holds included. The
        others have no answer: NaN or None. Where a call is too large for what is
        left, a hash of their content chooses the records, neither their order nor
        their membership.

    memory : str, Path, object with the joblib.Memory interface or None, default=None
        Folder or cache that keeps each batch of answers as soon as it is there: after
        a stop the same work asks about what is missing. It holds answers for records,
        and its files are for their owner alone.

    name : str or None, default=None
        Tells the service and its version from others in the same `memory`. None takes
        the code of the function and the object that it belongs to; an address that the
        function reads elsewhere is not tracked.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The classes in ascending order, those of the columns that this classifier gives.

    n_queries_ : int
        Different records that were answered, by an earlier run with the same `memory`
        too.

    n_calls_ : int
        Calls of the function, those that failed included.

    n_unasked_ : int
        Different records without an answer, since `max_queries` was reached.

    See Also
    --------
    audit : Has `shadow_estimator`, and tells how much was asked.
    audit_predictions : Audits answers that are there already.

    Notes
    -----
    A clone is the classifier itself, as of a frozen estimator, with its answers. A
    pickle holds the answers, and can be made if the function can be pickled. In a
    worker process of joblib a copy gives the answers that it has and refuses to ask,
    since neither answers nor counts would come back: attacks ask before they start
    workers.

    Probabilities that were rounded need not sum to 1: a row that is off by no more than
    its decimals explain is divided by its sum, all others are refused.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_mia import BlackBoxClassifier, ThresholdAttack, as_records
    >>> X, y = make_classification(400, flip_y=0.2, random_state=0)
    >>> model = RandomForestClassifier(random_state=0).fit(X[:200], y[:200])
    >>> def ask(X):  # in real life a request
    ...     return model.predict_proba(X).tolist()
    >>> service = BlackBoxClassifier(predict_proba=ask, classes=[0, 1], batch_size=100)
    >>> records, is_member = as_records(X, y), [True] * 200 + [False] * 200
    >>> attack = ThresholdAttack(service).fit(records)
    >>> attack.score(records, is_member) > 0.8
    True
    >>> service.n_queries_, service.n_calls_
    (400, 4)
    """

    # What a responder asks of a model: some rows may be NaN, some labels None.
    may_not_answer = True

    _parameter_constraints: dict = {
        "predict_proba": [callable, None],
        "predict": [callable, None],
        "classes": ["array-like"],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "retries": [Interval(Integral, 0, None, closed="left")],
        "backoff": [Interval(Real, 0, None, closed="left")],
        "max_queries": [Interval(Integral, 1, None, closed="left"), None],
        "memory": [str, os.PathLike, HasMethods(["cache"]), None],
        "name": [str, None],
    }

    def __init__(
        self,
        *,
        predict_proba=None,
        predict=None,
        classes=None,
        batch_size=1000,
        retries=4,
        backoff=0.5,
        max_queries=None,
        memory=None,
        name=None,
    ):
        self._given_proba = predict_proba
        self._given_labels = predict
        self.classes = classes
        self.batch_size = batch_size
        self.retries = retries
        self.backoff = backoff
        self.max_queries = max_queries
        self.memory = memory
        self.name = name
        self._answered, self._home = _Answered(), os.getpid()
        self._lock = threading.RLock()

    def get_params(self, deep=True):
        """Get the parameters.

        Parameters
        ----------
        deep : bool, default=True
            Not used: there is no estimator inside.

        Returns
        -------
        params : dict
            Parameter names mapped to their values.
        """
        names = self._get_param_names()
        return {name: getattr(self, _FUNCTIONS.get(name, name)) for name in names}

    def set_params(self, **params):
        """Set parameters; another service or another memory starts without answers.

        Parameters
        ----------
        **params : dict
            Parameter names mapped to their values.

        Returns
        -------
        self : estimator instance
            This classifier.
        """
        if {*_FUNCTIONS, "classes", "memory", "name"} & set(params):
            self._answered = _Answered()
        for name in _FUNCTIONS.keys() & params.keys():
            setattr(self, _FUNCTIONS[name], params.pop(name))
        return super().set_params(**params)

    def __repr__(self, N_CHAR_MAX=700):
        # What a function is bound to may hold the key of a service.
        told = {
            name: callable_name(value) if name in _FUNCTIONS else shown(value)
            for name, value in self.get_params().items()
            if value is not None and name != "memory"
        }
        text = ", ".join(f"{name}={value}" for name, value in told.items())
        return f"{type(self).__name__}({text})"

    def __getstate__(self):
        state = super().__getstate__()
        return {name: value for name, value in state.items() if name != "_lock"}

    def __setstate__(self, state):
        super().__setstate__(state)
        self._lock = threading.RLock()

    def __sklearn_clone__(self):
        # One service has one budget, and nobody asks it twice.
        return self

    def __sklearn_is_fitted__(self):
        return True

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = tags.input_tags.allow_nan = True
        tags.input_tags.string = tags.input_tags.categorical = True
        tags.target_tags.required = False
        return tags

    @property
    def classes_(self):
        """The classes in ascending order."""
        self._check_parameters()
        # As of any classifier: the order of a service's columns tells nothing.
        return np.unique(np.asarray(self.classes))

    @property
    def n_queries_(self):
        """Different records that were answered, in an earlier run too."""
        return len(self._answered.ids)

    @property
    def n_calls_(self):
        """Calls of the function, those that failed included."""
        return self._answered.n_calls

    @property
    def n_unasked_(self):
        """Different records without an answer, since the budget was used up."""
        return len(self._answered.unasked)

    def fit(self, X, y=None):
        """Refuse: the model is trained already, elsewhere.

        Parameters
        ----------
        X : object
            Not used.

        y : object, default=None
            Not used.

        Raises
        ------
        TypeError
            Always. Nothing like the model can be trained here.
        """
        raise TypeError(
            "A model behind a service cannot be trained. Give what trains models a "
            "recipe of its own, such as shadow_estimator=..., or put the service into "
            "FrozenEstimator where a fitted classifier is wrapped."
        )

    @available_if(lambda self: self._given_proba is not None)
    def predict_proba(self, X):
        """Probability of each class, asked for records that were not asked before.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_features)
            Records without labels.

        Returns
        -------
        proba : ndarray of shape (n_records, n_classes)
            Columns in the order of `classes_`; a row of NaN for a record beyond
            `max_queries`.

        Raises
        ------
        ConnectionError
            If the function failed for a batch as often as `retries` allow.

        ValueError
            If it returned no probabilities.
        """
        return self._answers(X)[:, np.argsort(np.asarray(self.classes))]

    def predict(self, X):
        """Label of each record, asked for records that were not asked before.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_features)
            Records without labels.

        Returns
        -------
        labels : ndarray of shape (n_records,)
            None, in an array of objects, for a record beyond `max_queries`.

        Raises
        ------
        ConnectionError
            If the function failed for a batch as often as `retries` allow.

        ValueError
            If it returned no labels.
        """
        if self._given_proba is not None:
            answers = self.predict_proba(X)
            classes, codes = self.classes_, answers.argmax(axis=1)
        else:
            answers = self._answers(X)
            classes, codes = np.asarray(self.classes), answers[:, 0]
        lacking = np.isnan(answers[:, 0])
        labels = classes[np.where(lacking, 0, codes).astype(int)]
        if lacking.any():
            labels = labels.astype(object)
            labels[lacking] = None
        return labels

    def _check_parameters(self):
        self._validate_params()
        given = [name for name in _FUNCTIONS if self.get_params()[name] is not None]
        if len(given) != 1:
            raise ValueError(
                f"BlackBoxClassifier got {' and '.join(given) or 'no function'}; "
                "expected one of predict_proba= and predict=, the function that asks "
                "the model."
            )
        n_classes = len(np.unique(np.asarray(self.classes)))
        if np.ndim(self.classes) != 1 or n_classes != len(self.classes):
            raise ValueError(
                f"classes has the shape {np.shape(self.classes)} and {n_classes} "
                "different values; expected each class once, in the order of the "
                "columns."
            )

    def _answers(self, X):
        X = as_features(X)
        ids = record_ids(X)
        with self._lock:
            self._check_parameters()
            answered = self._opened()
            new, first = np.unique(ids, return_index=True)
            lacking = ~np.isin(new, answered.ids, assume_unique=True)
            new, first = new[lacking], first[lacking]
            n_left = len(new)
            if self.max_queries is not None:
                n_left = min(n_left, max(self.max_queries - len(answered.ids), 0))
            # Those of the smallest hashes, in the order in which they came.
            self._ask_all(X, ids, np.sort(first[:n_left]))
            if n_left < len(new):
                self._tell_unasked(new[n_left:], len(ids))
            n_columns = len(self.classes) if self._given_proba is not None else 1
            return answered.of(ids, n_columns)

    def _tell_unasked(self, ids, n_records):
        answered = self._answered
        is_first = not len(answered.unasked)
        answered.unasked = np.union1d(answered.unasked, ids)
        if is_first:
            warn(
                f"{len(ids)} of {n_records} records were not asked about, since "
                f"max_queries={self.max_queries!r} is used up. They have no answer "
                "and are not scored. Pass a larger max_queries; this is said once."
            )

    def _opened(self):
        """Answers so far, those of earlier runs included."""
        answered = self._answered
        if self.memory is not None and not answered.is_open:
            for number, batch in kept_batches(*self._cache()):
                answered.add(*batch)
                answered.n_kept = number + 1
        answered.is_open = True
        return answered

    def _cache(self):
        """The cache, and the key of this service in it."""
        kind = next(k for k, v in _FUNCTIONS.items() if getattr(self, v) is not None)
        function = getattr(self, _FUNCTIONS[kind])
        what = self.name
        try:
            if what is None:
                what = described(function)
                if isinstance(function, MethodType):
                    what = what, function.__self__
            classes = [repr(c) for c in np.asarray(self.classes).tolist()]
            key = joblib.hash((kind, what, classes))
        except Exception as error:  # whatever a user's object does when it is pickled
            raise ValueError(
                f"memory is set, but {kind}={callable_name(function)} cannot be told "
                f"from another function ({type(error).__name__}). Pass name=, a text "
                "for the service and its version."
            ) from None
        return open_memory(self.memory), key

    def _ask_all(self, X, ids, rows):
        """Ask about records, batch by batch; what is answered is kept."""
        if not len(rows):
            return
        if os.getpid() != self._home and os.getppid() == self._home:
            raise ValueError(
                f"BlackBoxClassifier was asked about {len(rows)} new records in a "
                "worker process, from where neither answers nor counts come back. Ask "
                "about them first, model.predict_proba(X) or model.predict(X), or pass "
                "n_jobs=1."
            )
        found = []
        try:
            for start in range(0, len(rows), self.batch_size):
                some = rows[start : start + self.batch_size]
                values = self._ask(take(X, some), len(rows) - start)
                found.append((ids[some], values))
                self._keep(ids[some], values)
        finally:
            if found:
                self._answered.add(*map(np.concatenate, zip(*found, strict=True)))

    def _keep(self, ids, values):
        if self.memory is None:
            return
        memory, key = self._cache()
        answered, own = self._answered, False
        while not own:
            (kept_ids, kept), _ = remembered_in(
                memory, batch_of_service, key, answered.n_kept, lambda: (ids, values)
            )
            answered.n_kept += 1
            own = kept_ids is ids
            if not own:  # of another run at the same time
                answered.add(kept_ids, kept)

    def _ask(self, batch, n_left):
        kind = "predict" if self._given_proba is None else "predict_proba"
        function = getattr(self, _FUNCTIONS[kind])
        cause = ""
        for number in range(self.retries + 1):
            if number:
                time.sleep(self.backoff * 2 ** (number - 1))
            self._answered.n_calls += 1
            try:
                answer = function(batch)
                break
            except Exception as error:
                cause = cause_of(error, batch)
        else:
            times = "time" if self.retries == 0 else "times, one after the other,"
            # The chain of causes would quote cells in a traceback.
            raise ConnectionError(
                f"{kind}={callable_name(function)} failed {self.retries + 1} {times} "
                f"for a batch of {_num_samples(batch)} records, at last with {cause} "
                f"{n_left} records are still to be asked about; the answers so far are "
                f"kept{'' if self.memory is None else ' in memory'}. Run it again, or "
                "pass more retries, a longer backoff or a smaller batch_size."
            )
        check = self._probabilities if kind == "predict_proba" else self._codes
        return check(answer, _num_samples(batch))

    def _probabilities(self, answer, n_records):
        """Check an answer; a copy, in which rounded rows sum to 1."""
        shape = n_records, len(self.classes)
        try:
            proba = np.array(answer, dtype=np.float64)
        except (TypeError, ValueError):
            raise ValueError(
                f"predict_proba returned {type(answer).__name__}, which is no table of "
                f"numbers; expected probabilities of shape {shape}."
            ) from None
        if proba.shape != shape:
            raise ValueError(
                f"predict_proba returned shape {proba.shape}; expected {shape}, a row "
                "for each record and a column for each class. Of two classes with p "
                "the probability of the second, return np.column_stack([1 - p, p])."
            )
        proba[(proba < 0) & (proba >= -_SINGLE_PRECISION)] = 0
        proba[(proba > 1) & (proba <= 1 + _SINGLE_PRECISION)] = 1
        # Sorted, so that their sum is the same in any order of the columns.
        sums = np.sort(proba, axis=1).sum(axis=1)
        off = np.abs(sums - 1) > _SAME_SUM
        same_sum = np.where(off, _rounding(proba), _SAME_SUM)
        check_probabilities(proba, "The answer of predict_proba", same_sum=same_sum)
        if off.any():
            proba[off] /= sums[off, None]
        return proba

    def _codes(self, answer, n_records):
        """Check an answer; the column of each label."""
        labels = np.asarray(answer)
        if labels.shape not in ((n_records,), (n_records, 1)):
            raise ValueError(
                f"predict returned shape {labels.shape}; expected ({n_records},), the "
                "label of each record."
            )
        codes = encode_labels(
            labels.ravel(), np.asarray(self.classes), "answers of predict"
        )
        return codes[:, None].astype(np.float64)


def _rounding(proba):
    """How far the sum of each row may be off, by its number of decimals."""
    most = np.full(len(proba), _SAME_SUM)
    for decimals in range(_MOST_DECIMALS, 0, -1):
        exact = np.isclose(proba, np.round(proba, decimals), rtol=0, atol=1e-9)
        unit = 10.0**-decimals
        most[exact.all(axis=1)] = max(proba.shape[1] * unit / 2 + 1e-9, _SAME_SUM)
    return np.minimum(most, 0.5)


def black_box_of(model):
    """The classifier inside a model that can only be asked.

    Parameters
    ----------
    model : classifier
        In any wrappers.

    Returns
    -------
    black_box : BlackBoxClassifier or None
        None for a model that is at hand.
    """
    inside = open_model(model).classifier
    return inside if isinstance(inside, BlackBoxClassifier) else None


def asks_a_service(recipe):
    """Tell whether an estimator, or one of its parts, can only be asked.

    Parameters
    ----------
    recipe : estimator instance

    Returns
    -------
    asks : bool
        Then nothing like it can be trained.
    """
    parts = [recipe, open_model(recipe).classifier]
    if hasattr(recipe, "get_params") and not isinstance(recipe, type):
        parts += recipe.get_params(deep=True).values()
    return any(isinstance(part, BlackBoxClassifier) for part in parts)
