"""What the classifiers that wrap one classifier share."""

from copy import deepcopy

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, MetaEstimatorMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.utils import get_tags
from sklearn.utils._param_validation import HasMethods
from sklearn.utils.metadata_routing import (
    MetadataRouter,
    MethodMapping,
    _routing_enabled,
    process_routing,
)
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from sklearn_mia._compat import CallbackSupportMixin
from sklearn_mia._links import DocLinkMixin
from sklearn_mia.models import takes_groups
from sklearn_mia.records import as_labels

_METHODS = (
    "fit",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "score",
)


def estimator_has(method):
    """Check for `available_if` that the wrapped estimator has a method.

    Parameters
    ----------
    method : str

    Returns
    -------
    check : callable
    """

    def check(wrapper):
        # Raises the AttributeError of the wrapped estimator.
        getattr(wrapper._wrapped(), method)
        return True

    return check


class BaseWrapper(
    DocLinkMixin,
    CallbackSupportMixin,
    ClassifierMixin,
    MetaEstimatorMixin,
    BaseEstimator,
):
    """Base class of the classifiers that wrap one classifier.

    It trains a clone of `estimator`, hands X and metadata on as they come, and takes
    tags and routing from the wrapped classifier.
    """

    _parameter_constraints: dict = {"estimator": [HasMethods(["fit"]), None]}

    def _recipe(self):
        return LogisticRegression() if self.estimator is None else self.estimator

    def _wrapped(self):
        """The fitted classifier, or the recipe before fit."""
        return (
            vars(self)["estimator_"] if "estimator_" in vars(self) else self._recipe()
        )

    def __sklearn_mia_inside__(self):
        """Tell what is inside; see :func:`sklearn_mia.models.open_model`."""
        return "estimator", self._wrapped(), self._answers_as_wrapped()

    def _answers_as_wrapped(self):
        """Whether probabilities are those of the wrapped classifier."""
        return True

    def _hands_on_groups(self):
        """Whether `fit` may hand groups on to the wrapped classifier."""
        recipe = self._recipe()
        inside = isinstance(recipe, BaseWrapper) and recipe._hands_on_groups()
        return _routing_enabled() or takes_groups(recipe) or inside

    def _fit_wrapped(self, X, y, params):
        """Train a clone of the recipe; return the labels that it was given."""
        if y is not None and np.asarray(y).ndim != 1:
            y = as_labels(y)
        if _routing_enabled():
            params = process_routing(self, "fit", **params).estimator.fit
        context = self._init_callback_context(max_subtasks=1)
        context.call_on_fit_task_begin(estimator=self, X=X, y=y)
        inner = context.subcontext(task_name="fit-estimator")
        estimator = clone(self._recipe())
        with inner.propagate_callback_context(estimator):
            inner.call_on_fit_task_begin(estimator=self, X=X, y=y)
            self.estimator_ = estimator.fit(X, y, **params)
            inner.call_on_fit_task_end(estimator=self, X=X, y=y)
        context.call_on_fit_task_end(estimator=self, X=X, y=y)
        return y

    def _call(self, method, *args, params):
        check_is_fitted(self)
        if _routing_enabled():
            params = process_routing(self, method, **params).estimator[method]
        return getattr(self.estimator_, method)(*args, **params)

    def _passes(self, name):
        """Whether a fitted attribute of the wrapped classifier is shown."""
        return name in ("classes_", "n_features_in_", "feature_names_in_")

    def __getattr__(self, name):
        if "estimator_" not in vars(self) or not self._passes(name):
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}"
            )
        return getattr(self.estimator_, name)

    @available_if(estimator_has("predict"))
    def predict(self, X, **params):
        """Predict the class of each row, as the wrapped classifier does.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Features, handed on as they come.

        **params : dict
            Metadata for the wrapped classifier.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            The predicted classes.
        """
        return self._call("predict", X, params=params)

    @available_if(estimator_has("score"))
    def score(self, X, y, **params):
        """Score of the wrapped classifier, the accuracy for most.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Features, handed on as they come.

        y : array-like of shape (n_samples,)
            The class labels.

        **params : dict
            Metadata for the wrapped classifier.

        Returns
        -------
        score : float
            Higher is better.
        """
        return self._call("score", X, y, params=params)

    def get_metadata_routing(self):
        """Get the routing of metadata: all of it goes to the wrapped classifier.

        Returns
        -------
        routing : MetadataRouter
            Every method passes metadata on to the same method of `estimator`.
        """
        mapping = MethodMapping()
        for method in _METHODS:
            mapping.add(caller=method, callee=method)
        return MetadataRouter(owner=self).add(
            estimator=self._recipe(), method_mapping=mapping
        )

    def __sklearn_tags__(self):
        try:
            tags = deepcopy(get_tags(self._recipe()))
        except AttributeError:  # a classifier without scikit-learn tags
            return super().__sklearn_tags__()
        # A record has one class label.
        tags.target_tags.multi_output = False
        if tags.classifier_tags is not None:
            tags.classifier_tags.multi_label = False
        tags.array_api_support = False
        return tags
