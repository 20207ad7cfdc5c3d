"""Asking a function about records: in batches, again after errors, never twice."""

import os
import threading
import time
from numbers import Integral, Real
from types import MethodType

import joblib
import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import HasMethods, Interval
from sklearn.utils.validation import _num_samples

from sklearn_mia._links import DocLinkMixin
from sklearn_mia._warn import warn
from sklearn_mia.hooks import callable_name, cause_of, shown
from sklearn_mia.identity import find_ids, record_ids
from sklearn_mia.memory import batch_of_service, described, kept_batches, open_memory
from sklearn_mia.memory import remembered as remembered_in
from sklearn_mia.records import as_features
from sklearn_mia.tables import take


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


class BaseBlackBox(DocLinkMixin, BaseEstimator):
    """A fitted model whose answers come from a function.

    A subclass names its functions, how many columns an answer has, and checks it.
    """

    # Parameters that are functions, and where what is given in their name stands, since
    # they are methods, too.
    _functions: dict = {}
    # What a responder asks of a model: some rows may be without an answer.
    may_not_answer = True

    _parameter_constraints: dict = {
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
        batch_size=1000,
        retries=4,
        backoff=0.5,
        max_queries=None,
        memory=None,
        name=None,
    ):
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
        return {n: getattr(self, self._functions.get(n, n)) for n in names}

    def set_params(self, **params):
        """Set parameters; another service or another memory starts without answers.

        Parameters
        ----------
        **params : dict
            Parameter names mapped to their values.

        Returns
        -------
        self : estimator instance
            This model.
        """
        if {*self._functions, "classes", "memory", "name"} & set(params):
            self._answered = _Answered()
        for name in self._functions.keys() & params.keys():
            setattr(self, self._functions[name], params.pop(name))
        return super().set_params(**params)

    def __repr__(self, N_CHAR_MAX=700):
        # What a function is bound to may hold the key of a service.
        told = {
            name: callable_name(value) if name in self._functions else shown(value)
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
            "FrozenEstimator where a fitted model is wrapped."
        )

    @property
    def _given(self):
        """Name of the function that is given, and the function."""
        given = ((k, getattr(self, v)) for k, v in self._functions.items())
        return next(pair for pair in given if pair[1] is not None)

    @property
    def _n_columns(self):
        """Numbers in the answer for a record."""
        return 1

    @property
    def _told_apart(self):
        """What else tells a service from others with the same function."""
        return []

    def _check_parameters(self):
        self._validate_params()

    def _checked(self, answer, n_records):
        """Check what the function returned.

        Returns
        -------
        values : ndarray of shape (n_records, n_columns), dtype float64
        """
        raise NotImplementedError

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
            return answered.of(ids, self._n_columns)

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
        kind, function = self._given
        what = self.name
        try:
            if what is None:
                what = described(function)
                if isinstance(function, MethodType):
                    what = what, function.__self__
            key = joblib.hash((kind, what, self._told_apart))
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
                f"{type(self).__name__} was asked about {len(rows)} new records in a "
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
        kind, function = self._given
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
        return self._checked(answer, _num_samples(batch))
