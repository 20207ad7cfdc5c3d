"""A classifier that remembers which records it was fitted on."""

from dataclasses import dataclass

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _num_samples, check_is_fitted

from sklearn_mia._warn import warn
from sklearn_mia.checks import check_seed
from sklearn_mia.groups import group_codes
from sklearn_mia.identity import record_ids
from sklearn_mia.model_selection._compared import (
    Sides,
    balanced_groups,
    joint_codes,
    mixed_message,
)
from sklearn_mia.model_selection._leakage import (
    balanced_rows,
    join_records,
    nonmember_rows,
)
from sklearn_mia.model_selection._wrapper import BaseWrapper, estimator_has
from sklearn_mia.records import as_features, as_labels
from sklearn_mia.response import check_target
from sklearn_mia.tables import (
    column_names,
    columns_of,
    in_order_of,
    is_frame,
    is_table,
    only_columns,
    stack_tables,
    take,
)

_FORGOTTEN = (
    "The training records and their identities were left out when this "
    "AuditableClassifier was pickled or copied. Fit it here, or fit it with "
    "keep_records=True to pickle them too."
)
_ROUTING = "sklearn.set_config(enable_metadata_routing=True)"
_PROBE_SIZE = 200


def _identities(X, y):
    return record_ids(as_features(X), as_labels(y))


def _keys(groups, n_records):
    """Key of each record, checked."""
    keys, codes = group_codes(groups, n_records)
    return keys[codes]


def _keys_in(X, column):
    """Keys that are a column of the records."""
    if not is_table(X):
        raise ValueError(
            f"group_column={column!r} needs a table, and these records have no "
            "columns. Fit with groups: fit(X, y, groups=groups)."
        )
    names = column_names(X)
    if column not in names:
        known = names if is_frame(X) else f"positions 0 to {len(names) - 1}"
        raise ValueError(
            f"group_column={column!r} is no column of the records, which have "
            f"{known}. Leave the column in X, and let the classifier drop it."
        )
    return _keys(next(columns_of(only_columns(X, [column]))), X.shape[0])


@dataclass(frozen=True, repr=False)
class TrainingRecords:
    """What a classifier was fitted on.

    A pickle of it holds the records.

    Attributes
    ----------
    X, y : features and class labels, as the user gave them

    ids : ndarray of shape (n_records,), dtype uint64

    metadata : list of str
        Names of the other arguments of `fit`.

    groups : ndarray of shape (n_records,) or None
        Key of the group of each record.
    """

    X: object
    y: object
    ids: np.ndarray
    metadata: list
    groups: np.ndarray | None = None


class AuditableClassifier(BaseWrapper):
    """A classifier that remembers which records it was fitted on.

    It behaves as the classifier that it wraps; in addition it knows members from
    non-members, so that the leakage of each candidate of a search can be scored as
    its accuracy is: see :func:`make_leakage_scorer`. Around a
    ``FrozenEstimator(model)``, `fit` trains nothing and only notes the records that
    the model was trained on.

    Records are remembered by content; they stay in memory, not copied, for as long as
    this object lives. **A pickle or a copy of it holds the model alone**, neither the
    training records nor their identities, which would tell anybody who was in the
    training data. `keep_records=True` changes that: never publish such an object,
    publish its `estimator_`.

    Fitted with the `groups` of its records, such as persons, it is scored by group: a
    group is a member or not with all of its records. With metadata routing enabled a
    search hands groups on, both to `fit` and to :func:`make_leakage_scorer`, without
    any request being set.

    Parameters
    ----------
    estimator : classifier or None, default=None
        The classifier to train, cloned by `fit`. A pipeline goes inside, so that
        records are what the user knows. None is a `LogisticRegression`.

    keep_records : bool, default=False
        Whether a pickle or a copy carries the training records and their identities.

    Attributes
    ----------
    estimator_ : classifier
        The fitted classifier.

    record_ids : ndarray of shape (n_records,), dtype uint64
        Identity of each training record, by the content of features and label.

    classes_ : ndarray of shape (n_classes,)
        Classes of the fitted classifier; as all its other fitted attributes
        (`n_features_in_`, `feature_importances_` and so on), only if it has them.

    See Also
    --------
    make_leakage_scorer : Leakage as a scorer for cross-validation and grid search.
    CoarsenedClassifier : A defence to search over in the same grid.

    Notes
    -----
    A record is recognised by the values of its cells. Do not change the training data
    in place after `fit`; a leakage scorer notices and refuses.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_mia import AuditableClassifier, make_leakage_scorer
    >>> X, y = make_classification(400, flip_y=0.2, random_state=0)
    >>> model = AuditableClassifier(RandomForestClassifier(random_state=0))
    >>> model.fit(X[:200], y[:200]).was_trained_on(X[198:202], y[198:202])
    array([ True,  True, False, False])
    >>> make_leakage_scorer()(model, X[200:], y[200:]) < -0.5
    True
    """

    _parameter_constraints: dict = {
        **BaseWrapper._parameter_constraints,
        "keep_records": ["boolean"],
    }
    __metadata_request__fit = {"groups": True}

    def __init__(self, estimator=None, *, keep_records=False):
        self.estimator = estimator
        self.keep_records = keep_records

    @_fit_context(
        # The wrapped classifier validates its own parameters when it is fitted.
        prefer_skip_nested_validation=False
    )
    def fit(self, X, y, *, groups=None, **params):
        """Train the classifier and remember its records.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_features)
            The training features, handed on as they come.

        y : array-like of shape (n_records,)
            The class labels.

        groups : array-like of shape (n_records,), default=None
            Key of the group of each record, of one person's say: leakage is then
            scored by group. Handed on to a search inside, for its splitter.

        **params : dict
            Metadata for the `fit` of the wrapped classifier, `sample_weight` say;
            with metadata routing enabled, what it requests.

        Returns
        -------
        self : estimator instance
            The fitted classifier.
        """
        metadata = sorted(name for name, v in params.items() if v is not None)
        keys = None
        if groups is not None:
            keys = _keys(groups, _num_samples(X))
            if self._hands_on_groups():
                params["groups"] = groups
        y = self._fit_wrapped(X, y, params)
        self._training = TrainingRecords(X, y, _identities(X, y), metadata, keys)
        return self

    @available_if(estimator_has("predict_proba"))
    def predict_proba(self, X, **params):
        """Predict class probabilities, as the wrapped classifier does.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Features, handed on as they come.

        **params : dict
            Metadata for the wrapped classifier.

        Returns
        -------
        proba : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        return self._call("predict_proba", X, params=params)

    @available_if(estimator_has("predict_log_proba"))
    def predict_log_proba(self, X, **params):
        """Predict log-probabilities, as the wrapped classifier does.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Features, handed on as they come.

        **params : dict
            Metadata for the wrapped classifier.

        Returns
        -------
        log_proba : ndarray of shape (n_samples, n_classes)
            Columns in the order of `classes_`.
        """
        return self._call("predict_log_proba", X, params=params)

    @available_if(estimator_has("decision_function"))
    def decision_function(self, X, **params):
        """Confidence scores, as the wrapped classifier gives them.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_samples, n_features)
            Features, handed on as they come.

        **params : dict
            Metadata for the wrapped classifier.

        Returns
        -------
        decision : ndarray of shape (n_samples,) or (n_samples, n_classes)
            One value a row if there are two classes.
        """
        return self._call("decision_function", X, params=params)

    @property
    def record_ids(self):
        """Identity of each training record."""
        # Without underscore at the end: a notebook prints what ends with one.
        return self._training.ids

    def was_trained_on(self, X, y):
        """Tell which records are in the training data, by content.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_features)
            The features.

        y : array-like of shape (n_records,)
            The class labels: a row with another label is another record.

        Returns
        -------
        is_member : ndarray of shape (n_records,), dtype bool
            True for a training record.
        """
        check_is_fitted(self)
        X = in_order_of(self._training.X, X)
        return np.isin(_identities(X, y), self._training.ids)

    def membership_records(
        self, X, y, *, groups=None, max_samples=None, random_state=0
    ):
        """The records that a leakage scorer compares, and which are members.

        The non-members are the rows of X that the classifier was not trained on, the
        members come from its training records; the larger side is sampled down to the
        smaller, and both to `max_samples`. Any attack, metric or report can be run on
        them by hand.

        With groups, as many whole groups come from each side, with all their records.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_features)
            A test set.

        y : array-like of shape (n_records,)
            Its class labels.

        groups : array-like of shape (n_records,), default=None
            Key of the group of each record, if the classifier was fitted with groups.

        max_samples : int or None, default=None
            Most records, or groups, of each side; None takes all of the smaller.

        random_state : int, RandomState instance or None, default=0
            Seeds the samples.

        Returns
        -------
        records : same container as X, of shape (n_members + n_nonmembers, \
                n_features + 1)
            The members followed by the non-members, as many without groups, the label
            as last column.

        is_member : ndarray of shape (n_members + n_nonmembers,), dtype bool
            True for the members, which come first.

        groups : ndarray of shape (n_members + n_nonmembers,)
            Number of the group of each record; only with groups.
        """
        check_seed(random_state, "membership_records")
        sides = self._membership_sides(X, y, groups, max_samples, random_state)
        found = join_records(sides.X, sides.y), sides.is_member
        return found if sides.groups is None else (*found, sides.groups)

    def _membership_sides(
        self,
        X,
        y,
        groups,
        max_samples,
        random_state,
        *,
        whole=False,
        group_column=None,
    ):
        """The sides in a pool of themselves, or of the `whole` of both tables."""
        check_is_fitted(self)
        ids = self._training.ids
        X_train, y_train = as_features(self._training.X), as_labels(self._training.y)
        X, y = in_order_of(X_train, as_features(X)), as_labels(y)
        keys = self._keys_of_both(X_train, X, groups, group_column)
        kept = nonmember_rows(_identities(X, y), ids, y, check_target(self.estimator_))
        codes, n_train = None, len(ids)
        if keys is None:
            members, picked = balanced_rows(
                n_train, len(kept), max_samples, random_state
            )
        else:
            codes = joint_codes(*keys)
            in_pool = np.r_[np.arange(n_train), n_train + kept]
            rows, n_mixed = balanced_groups(
                codes,
                np.arange(len(codes)) < n_train,
                np.isin(np.arange(len(codes)), in_pool),
                max_samples,
                random_state,
            )
            if n_mixed:
                warn(mixed_message(n_mixed, int(codes.max()) + 1))
            codes = codes[in_pool]
            members = rows[rows < n_train]
            picked = np.searchsorted(kept, rows[rows >= n_train] - n_train)
        self._check_unchanged(X_train, y_train, members[:_PROBE_SIZE])
        rows = np.concatenate([members, n_train + picked])
        is_member = rows < n_train
        if not whole:
            codes = take(codes, rows)
            rows = np.arange(len(rows))
            X_train, y_train = take(X_train, members), y_train[members]
            kept = kept[picked]
        return Sides(
            stack_tables(X_train, take(X, kept)),
            np.concatenate([y_train, y[kept]]),
            rows,
            is_member,
            codes,
        )

    def _keys_of_both(self, X_train, X, groups, group_column):
        """Keys of the training records and of a test set, None where rows count."""
        of_training = self._training.groups
        if group_column is not None:
            if groups is not None:
                raise ValueError(
                    f"groups were given to a scorer with group_column={group_column!r},"
                    " which says where they are. Leave one of them out."
                )
            return tuple(_keys_in(table, group_column) for table in (X_train, X))
        if groups is None and of_training is None:
            return None
        if groups is None:
            raise ValueError(
                "This AuditableClassifier was fitted with groups, but there are none "
                "for the records to compare with, which would be counted one by one. "
                "Pass groups=, the key of the group of each record; a search hands "
                f"them on with {_ROUTING}."
            )
        if of_training is None:
            raise ValueError(
                "groups are given, but this AuditableClassifier was fitted without "
                "them. Fit it with groups: fit(X, y, groups=groups); a search hands "
                f"them on with {_ROUTING}."
            )
        return of_training, _keys(groups, _num_samples(X))

    def _check_unchanged(self, X_train, y_train, probe):
        if not np.array_equal(
            record_ids(take(X_train, probe), y_train[probe]), self._training.ids[probe]
        ):
            raise ValueError(
                "The training data were changed in place after the fit of this "
                "AuditableClassifier. Fit it on a copy."
            )

    def get_metadata_routing(self):
        """Get the routing of metadata: groups are noted, all goes to the classifier.

        Returns
        -------
        routing : MetadataRouter
            Every method passes metadata on to the same method of `estimator`.
        """
        return super().get_metadata_routing().add_self_request(self)

    def _passes(self, name):
        # What fit has learned; a method that is not offered here stays out of reach.
        return name.endswith("_") and not name.startswith("_")

    def __getattr__(self, name):
        if name in ("record_ids", "_training") and "estimator_" in vars(self):
            raise AttributeError(_FORGOTTEN)
        return super().__getattr__(name)

    def __getstate__(self):
        state = super().__getstate__()
        if self.keep_records:
            return state
        return {k: v for k, v in state.items() if k != "_training"}
