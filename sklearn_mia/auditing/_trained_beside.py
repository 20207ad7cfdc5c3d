"""A recipe that trains on some records in any case, beside those that it is given."""

import numpy as np
from sklearn.base import BaseEstimator, MetaEstimatorMixin, clone
from sklearn.utils import get_tags

from sklearn_mia.identity import record_ids
from sklearn_mia.items import one_shape
from sklearn_mia.tables import stack_tables, take

_NAMES = "X", "the canaries"


class TrainedBeside(MetaEstimatorMixin, BaseEstimator):
    """Trains a clone of a recipe on records of its own and on those given to `fit`.

    A pickle of it holds these records.

    Parameters
    ----------
    estimator : estimator instance
        The recipe.

    X : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)
        Records that are always in training; shared by all clones.

    y : ndarray of shape (n_records,)
        Their labels.

    places : tuple or None, default=None
        Places of which each is taken by one of two records: the identities of those
        that may be given to `fit`, and features and labels of those that are there
        instead.
    """

    def __init__(self, estimator, X, y, places=None):
        self.estimator = estimator
        self.X = X
        self.y = y
        self.places = places

    def fit(self, X, y):
        """Train on both.

        Parameters
        ----------
        X : same container as that of the recipe, of shape (n, n_features)

        y : array-like of shape (n,)

        Returns
        -------
        self : TrainedBeside
        """
        features, labels = self.X, self.y
        if self.places is not None:
            known, others, labels_of_others = self.places
            ids = record_ids(X, y, item_shape=one_shape(self.X))
            empty = np.flatnonzero(~np.isin(known, ids))
            features = stack_tables(features, take(others, empty), names=_NAMES)
            labels = np.concatenate([labels, labels_of_others[empty]])
        features = stack_tables(features, X, names=_NAMES)
        labels = np.concatenate([labels, np.asarray(y)])
        self.estimator_ = clone(self.estimator).fit(features, labels)
        return self

    def __getattr__(self, name):
        if name.startswith("_") or "estimator_" not in vars(self):
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}"
            )
        return getattr(self.estimator_, name)

    def __repr__(self):
        # No record is told.
        return repr(self.estimator)

    def __sklearn_clone__(self):
        return type(self)(clone(self.estimator), self.X, self.y, self.places)

    def __sklearn_tags__(self):
        return get_tags(self.estimator)

    def __sklearn_mia_inside__(self):
        return "estimator", vars(self).get("estimator_", self.estimator), True
