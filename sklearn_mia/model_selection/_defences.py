"""Defences that change what a classifier answers, not what it has learned."""

from numbers import Integral, Real

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval
from sklearn.utils.metaestimators import available_if

from sklearn_mia.model_selection._wrapper import BaseWrapper, estimator_has
from sklearn_mia.models import model_name
from sklearn_mia.regression import is_regressor_model
from sklearn_mia.response import rounded


def tempered(proba, temperature):
    r"""Probabilities at a temperature, :math:`p_j^{1/T} / \sum_i p_i^{1/T}`.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes)

    temperature : float
        Above 1 the answer gets less sure.

    Returns
    -------
    proba : ndarray of shape (n_samples, n_classes)
    """
    # Relative to the largest, which keeps tiny powers from all being 0.
    powers = (proba / proba.max(axis=1, keepdims=True)) ** (1 / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


def top_classes(proba, k):
    """Keep the k largest probabilities of each row, the others 0, the sum 1.

    Parameters
    ----------
    proba : ndarray of shape (n_samples, n_classes)

    k : int
        Of equal probabilities the first class is kept.

    Returns
    -------
    proba : ndarray of shape (n_samples, n_classes)
    """
    order = np.argsort(-proba, axis=1, kind="stable")
    kept = np.zeros_like(proba)
    rows = np.arange(len(proba))[:, None]
    kept[rows, order[:, :k]] = proba[rows, order[:, :k]]
    return kept / kept.sum(axis=1, keepdims=True)


def _gives_probabilities(wrapper):
    return not wrapper.label_only and estimator_has("predict_proba")(wrapper)


class CoarsenedClassifier(BaseWrapper):
    """A classifier whose answers are made coarser, as a defence.

    What it has learned is unchanged, and so are its labels; the probabilities lose
    detail, in this order: temperature, top k, rounding. There is no
    `decision_function`, which would give the detail back. Coarser answers slow an
    attacker down; they do not change what a model has memorised, and an attack that
    knows the labels still sees right from wrong: measure it, as any other classifier,
    as the target of an attack or inside :class:`AuditableClassifier`.

    Parameters
    ----------
    estimator : classifier or None, default=None
        The classifier, cloned by `fit`. ``FrozenEstimator(model)`` takes a trained
        one as it is. None is a `LogisticRegression`.

    decimals : int or None, default=None
        Decimals of the probabilities; rows still sum to 1.

    top_k : int or None, default=None
        Classes whose probability is given; the others are 0.

    temperature : float, default=1.0
        Probabilities are raised to 1 / temperature: above 1 they get less sure, which
        by itself changes no ranking of the records if there are two classes.

    label_only : bool, default=False
        Whether only `predict` is left.

    Attributes
    ----------
    estimator_ : classifier
        The fitted classifier, with its full answers.

    classes_ : ndarray of shape (n_classes,)
        Classes, in the order of the columns of `predict_proba`.

    See Also
    --------
    AuditableClassifier : Search over the settings of a defence.

    References
    ----------
    .. [1] R. Shokri, M. Stronati, C. Song and V. Shmatikov, 2017, "Membership
       inference attacks against machine learning models", section VIII.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn_mia import CoarsenedClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = CoarsenedClassifier(LogisticRegression(max_iter=500), decimals=1)
    >>> model.fit(X, y).predict_proba(X[[0, 70]])
    array([[1. , 0. , 0. ],
           [0. , 0.4, 0.6]])
    """

    _parameter_constraints: dict = {
        **BaseWrapper._parameter_constraints,
        "decimals": [Interval(Integral, 0, 9, closed="both"), None],
        "top_k": [Interval(Integral, 1, None, closed="left"), None],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "label_only": ["boolean"],
    }

    def __init__(
        self,
        estimator=None,
        *,
        decimals=None,
        top_k=None,
        temperature=1.0,
        label_only=False,
    ):
        self.estimator = estimator
        self.decimals = decimals
        self.top_k = top_k
        self.temperature = temperature
        self.label_only = label_only

    def _answers_as_wrapped(self):
        # Rounding leaves the votes of a forest nearly as they are.
        return self.temperature == 1 and self.top_k is None and not self.label_only

    @_fit_context(
        # The wrapped classifier validates its own parameters when it is fitted.
        prefer_skip_nested_validation=False
    )
    def fit(self, X, y, **params):
        """Train the classifier.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Features, handed on as they come.

        y : array-like of shape (n_samples,)
            The class labels.

        **params : dict
            Metadata for the `fit` of the wrapped classifier.

        Returns
        -------
        self : estimator instance
            The fitted classifier.

        Raises
        ------
        TypeError
            If `estimator` is a regressor.
        """
        if is_regressor_model(self._recipe()):
            raise TypeError(
                "CoarsenedClassifier is for classifiers, and "
                f"{model_name(self._recipe())} is a regressor, without probabilities "
                "to make coarser. Pass a classifier, or audit a regressor whose "
                "`predict` rounds."
            )
        coarse = self.decimals is not None or self.top_k is not None
        if self.label_only and (coarse or self.temperature != 1):
            raise ValueError(
                f"label_only=True leaves no probabilities, got decimals="
                f"{self.decimals!r}, top_k={self.top_k!r} and temperature="
                f"{self.temperature!r}. Expected their defaults: choose one defence."
            )
        self._fit_wrapped(X, y, params)
        return self

    @available_if(_gives_probabilities)
    def predict_proba(self, X, **params):
        """Predict class probabilities, made coarser.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Features, handed on as they come.

        **params : dict
            Metadata for the wrapped classifier.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Each row sums to 1.
        """
        proba = np.asarray(self._call("predict_proba", X, params=params), dtype=float)
        if self.temperature != 1:
            proba = tempered(proba, self.temperature)
        if self.top_k is not None:
            proba = top_classes(proba, self.top_k)
        if self.decimals is not None:
            proba = rounded(proba, self.decimals)
        return proba
