"""A model that can only be asked: a service, say, behind a function."""

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.metaestimators import available_if

from sklearn_mia.asking import BaseBlackBox
from sklearn_mia.checks import as_floats, check_probabilities
from sklearn_mia.models import open_model
from sklearn_mia.response import encode_labels

__all__ = ["BlackBoxClassifier", "BlackBoxRegressor", "asks_a_service", "black_box_of"]

# The finest rounding that is told from none.
_MOST_DECIMALS = 6
_SAME_SUM = 1e-3
# How far an answer in single precision may be outside of 0 and 1.
_SINGLE_PRECISION = 1e-6


class BlackBoxClassifier(ClassifierMixin, BaseBlackBox):
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

    _functions: dict = {"predict_proba": "_given_proba", "predict": "_given_labels"}
    _parameter_constraints: dict = {
        **BaseBlackBox._parameter_constraints,
        "predict_proba": [callable, None],
        "predict": [callable, None],
        "classes": ["array-like"],
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
        super().__init__(
            batch_size=batch_size,
            retries=retries,
            backoff=backoff,
            max_queries=max_queries,
            memory=memory,
            name=name,
        )
        self._given_proba = predict_proba
        self._given_labels = predict
        self.classes = classes

    @property
    def classes_(self):
        """The classes in ascending order."""
        self._check_parameters()
        # As of any classifier: the order of a service's columns tells nothing.
        return np.unique(np.asarray(self.classes))

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

    @property
    def _n_columns(self):
        return len(self.classes) if self._given_proba is not None else 1

    @property
    def _told_apart(self):
        return [repr(c) for c in np.asarray(self.classes).tolist()]

    def _check_parameters(self):
        self._validate_params()
        given = [
            name for name in self._functions if self.get_params()[name] is not None
        ]
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

    def _checked(self, answer, n_records):
        if self._given_proba is not None:
            return self._probabilities(answer, n_records)
        return self._codes(answer, n_records)

    def _probabilities(self, answer, n_records):
        """Check an answer; a copy, in which rounded rows sum to 1."""
        shape = n_records, len(self.classes)
        try:
            proba = np.array(as_floats(answer))
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


class BlackBoxRegressor(RegressorMixin, BaseBlackBox):
    """Attack and audit a regressor that can only be asked, through a function of yours.

    It is a fitted regressor whose predictions come from the function, a request to a
    service say: the counterpart of `BlackBoxClassifier`, which asks in the same way, in
    batches and about no record twice. Nothing is trained: a shadow attack needs a
    recipe of its own, ``shadow_estimator=``.

    Parameters
    ----------
    predict : callable, default=None
        ``predict(X)`` gets a batch of records without their value, in the container
        that the attack has, and returns a number for each; it has to be given.

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
    n_queries_ : int
        Different records that were answered, by an earlier run with the same `memory`
        too.

    n_calls_ : int
        Calls of the function, those that failed included.

    n_unasked_ : int
        Different records without an answer, since `max_queries` was reached.

    See Also
    --------
    BlackBoxClassifier : For a service that answers with classes.
    audit : Has `shadow_estimator`, and tells how much was asked.

    Notes
    -----
    A clone is the regressor itself, as of a frozen estimator, with its answers. In a
    worker process of joblib a copy gives the answers that it has and refuses to ask.

    Examples
    --------
    >>> from sklearn.datasets import make_friedman1
    >>> from sklearn.ensemble import RandomForestRegressor
    >>> from sklearn_mia import BlackBoxRegressor, ThresholdAttack, as_records
    >>> X, y = make_friedman1(400, noise=3, random_state=0)
    >>> model = RandomForestRegressor(random_state=0).fit(X[:200], y[:200])
    >>> def ask(X):  # in real life a request
    ...     return model.predict(X).tolist()
    >>> service = BlackBoxRegressor(predict=ask, batch_size=100)
    >>> records, is_member = as_records(X, y), [True] * 200 + [False] * 200
    >>> attack = ThresholdAttack(service).fit(records)
    >>> attack.score(records, is_member) > 0.7
    True
    >>> service.n_queries_, service.n_calls_
    (400, 4)
    """

    _functions: dict = {"predict": "_given_predict"}
    _parameter_constraints: dict = {
        **BaseBlackBox._parameter_constraints,
        "predict": [callable],
    }

    def __init__(
        self,
        *,
        predict=None,
        batch_size=1000,
        retries=4,
        backoff=0.5,
        max_queries=None,
        memory=None,
        name=None,
    ):
        super().__init__(
            batch_size=batch_size,
            retries=retries,
            backoff=backoff,
            max_queries=max_queries,
            memory=memory,
            name=name,
        )
        self._given_predict = predict

    def predict(self, X):
        """Prediction for each record, asked for records that were not asked before.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_features)
            Records without their value.

        Returns
        -------
        prediction : ndarray of shape (n_records,)
            NaN for a record beyond `max_queries`.

        Raises
        ------
        ConnectionError
            If the function failed for a batch as often as `retries` allow.

        ValueError
            If it returned no finite numbers.
        """
        return self._answers(X)[:, 0]

    def _checked(self, answer, n_records):
        try:
            values = np.array(as_floats(answer))
        except (TypeError, ValueError):
            raise ValueError(
                f"predict returned {type(answer).__name__}, which is no list of "
                f"numbers; expected shape ({n_records},), a prediction for each record."
            ) from None
        if values.shape not in ((n_records,), (n_records, 1)):
            raise ValueError(
                f"predict returned shape {values.shape}; expected ({n_records},), a "
                "prediction for each record."
            )
        n_bad = int(np.sum(~np.isfinite(values)))
        if n_bad:
            raise ValueError(
                f"predict returned {n_bad} values of {n_records} that are missing or "
                "infinite; expected a finite number for each record."
            )
        return values.reshape(n_records, 1)


def _rounding(proba):
    """How far the sum of each row may be off, by its number of decimals."""
    most = np.full(len(proba), _SAME_SUM)
    for decimals in range(_MOST_DECIMALS, 0, -1):
        exact = np.isclose(proba, np.round(proba, decimals), rtol=0, atol=1e-9)
        unit = 10.0**-decimals
        most[exact.all(axis=1)] = max(proba.shape[1] * unit / 2 + 1e-9, _SAME_SUM)
    return np.minimum(most, 0.5)


def black_box_of(model):
    """The black box inside a model that can only be asked.

    Parameters
    ----------
    model : classifier or regressor
        In any wrappers.

    Returns
    -------
    black_box : BlackBoxClassifier, BlackBoxRegressor or None
        None for a model that is at hand.
    """
    inside = open_model(model).classifier
    return inside if isinstance(inside, BaseBlackBox) else None


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
    return any(isinstance(part, BaseBlackBox) for part in parts)
