"""The contract of every attack: a binary classifier over records."""

import warnings
from abc import abstractmethod
from dataclasses import dataclass
from numbers import Integral, Real

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    _clone_parametrized,
    _fit_context,
)
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score
from sklearn.utils import get_tags
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import (
    _num_samples,
    assert_all_finite,
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from sklearn_mia.identity import record_ids
from sklearn_mia.metrics import threshold_at_fpr
from sklearn_mia.records import RecordSchema, as_labels
from sklearn_mia.response import (
    RESPONSE_METHODS,
    check_target,
    encode_labels,
    make_responder,
)
from sklearn_mia.tables import check_container, is_frame

_MEMBER_WORDS = {"in", "member", "members", "train", "training", "true", "yes"}


@dataclass(frozen=True)
class Queries:
    """Records taken apart, as the formulas of an attack need them.

    Attributes
    ----------
    features : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)

    labels : ndarray of shape (n_records,) or None
        The class label of each record, None if it carries none.

    codes : ndarray of shape (n_records,)
        Column of the class label, or of the target's own prediction.

    ids : ndarray of shape (n_records,), dtype uint64
        Identity of each record.

    log_proba : ndarray of shape (n_records, n_classes)
        The target's answer.
    """

    features: object
    labels: np.ndarray | None
    codes: np.ndarray
    ids: np.ndarray
    log_proba: np.ndarray


class _TargetMixin:
    """What attacks and signals share: a target by identity, and records."""

    _parameter_constraints: dict = {
        # Checked by check_target, whose messages say what to do.
        "target_estimator": "no_validation",
        "label_column": [str, Integral, None],
        "response_method": [StrOptions(set(RESPONSE_METHODS))],
    }

    def _fit_target(self, X):
        """Ask the target about checked records."""
        classes = check_target(self.target_estimator)
        self._schema = RecordSchema(self.target_estimator, X, self.label_column)
        self.label_column_ = self._schema.label_column
        features, labels = self._schema.split(X)
        codes = None if labels is None else encode_labels(labels, classes)
        self._responder, log_proba = make_responder(
            self.target_estimator, features, classes, self.response_method
        )
        # By class, not by its name: renamed labels draw the same shadows.
        ids = record_ids(features, codes)
        if codes is None:
            codes = log_proba.argmax(axis=1)
        return Queries(features, labels, codes, ids, log_proba)

    def _split_queries(self, X):
        X = self._check_records(X, reset=False)
        features, labels = self._schema.split(X)
        codes = None
        if labels is not None:
            codes = encode_labels(labels, self._responder.classes)
        return features, labels, codes

    def _ask_target(self, X):
        features, labels, codes = self._split_queries(X)
        log_proba = self._responder.log_proba(self.target_estimator, features)
        ids = record_ids(features, codes)
        if codes is None:
            codes = log_proba.argmax(axis=1)
        return Queries(features, labels, codes, ids, log_proba)

    def _check_records(self, X, reset):
        check_container(X)
        if is_frame(X):
            X = validate_data(self, X, skip_check_array=True, reset=reset)
            if _num_samples(X) == 0:
                raise ValueError("X is a frame of 0 records; at least 1 is required.")
            return X
        return validate_data(
            self,
            X,
            reset=reset,
            dtype=None,
            # The target says what it takes in the cells of a record.
            ensure_all_finite=False,
            accept_sparse=_target_tag(self.target_estimator, "sparse") and "csr",
        )

    def __sklearn_clone__(self):
        # The target is kept by identity: a clone must not drop the fit of a
        # production model. FrozenEstimator is scikit-learn's way to say so.
        shell = object.__new__(type(self))
        shell.__dict__.update(self.__dict__)
        shell.target_estimator = FrozenEstimator(self.target_estimator)
        cloned = _clone_parametrized(shell)
        cloned.target_estimator = self.target_estimator
        return cloned

    def get_params(self, deep=True):
        """Get the parameters, without those of the target.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the parameters of nested estimators other than the
            target, which an attack never changes.

        Returns
        -------
        params : dict
            Parameter names mapped to their values.
        """
        params = super().get_params(deep=deep)
        return {
            name: value
            for name, value in params.items()
            if not name.startswith("target_estimator__")
        }

    def set_params(self, **params):
        """Set the parameters; those of the target are out of reach.

        Parameters
        ----------
        **params : dict
            Parameter names mapped to their values.

        Returns
        -------
        self : estimator instance

        Raises
        ------
        ValueError
            For ``target_estimator__*``, which would change the model under attack.
        """
        has_recipe = "shadow_estimator" in self._get_param_names()
        for name in params:
            if name.startswith("target_estimator__"):
                inner = name.removeprefix("target_estimator__")
                advice = (
                    f"To search the recipe of the shadows pass shadow_estimator="
                    f"clone(model) and set shadow_estimator__{inner}."
                    if has_recipe
                    else f"To attack another model pass it as target_estimator, "
                    f"trained with {inner} as you want it."
                )
                raise ValueError(
                    f"{name!r} cannot be set: the target is a trained model that an "
                    f"attack never changes. {advice}"
                )
            if (
                name.startswith("shadow_estimator__")
                and has_recipe
                and params.get("shadow_estimator", self.shadow_estimator) is None
            ):
                raise ValueError(
                    f"{name!r} cannot be set while shadow_estimator=None. Pass the "
                    "recipe first: shadow_estimator=clone(model)."
                )
        return super().set_params(**params)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        target = self.target_estimator
        tags.input_tags.sparse = _target_tag(target, "sparse")
        tags.input_tags.allow_nan = _target_tag(target, "allow_nan")
        return tags


def _target_tag(target, name):
    try:
        return bool(getattr(get_tags(target).input_tags, name))
    except (AttributeError, TypeError, ValueError):
        # A target without tags speaks for itself when it is asked.
        return True


class BaseAttack(_TargetMixin, ClassifierMixin, MetaEstimatorMixin, BaseEstimator):
    """Base class of all membership attacks.

    An attack adds its parameters, a docstring and two hooks, `_fit_scores` and
    `_score_queries`; everything of the contract is here.
    """

    _parameter_constraints: dict = {
        **_TargetMixin._parameter_constraints,
        "member_label": "no_validation",
        "max_fpr": [Interval(Real, 0, 1, closed="left")],
    }

    @abstractmethod
    def _fit_scores(self, pool, is_member):
        """Fit the attack.

        Parameters
        ----------
        pool : Queries

        is_member : ndarray of shape (n_records,), dtype bool, or None

        Returns
        -------
        scores : ndarray of shape (n_records,)
            Scores of the pool, NaN for a record that cannot be scored.

        reference : ndarray of shape (n_reference,) or None
            Scores of records known to be non-members whatever `is_member` says; None
            takes the known non-members, else the pool.
        """

    @abstractmethod
    def _score_queries(self, queries):
        """Score records, NaN for one that cannot be scored."""

    @_fit_context(
        # The target is trained already: its parameters are not ours to validate.
        prefer_skip_nested_validation=False
    )
    def fit(self, X, y=None):
        """Fit the attack on a pool of records.

        Parameters
        ----------
        X : {array-like, sparse matrix, pandas or polars DataFrame} of shape \
                (n_records, n_columns)
            The pool: records, features and class label. See
            :func:`sklearn_mia.as_records`.

        y : array-like of shape (n_records,), default=None
            Membership where it is known. It sets the operating point of `predict`
            and never enters the scores.

        Returns
        -------
        self : estimator instance
            The fitted attack.
        """
        return self._fit(X, y)

    def _fit(self, X, y, **params):
        check_target(self.target_estimator)
        X = self._check_records(X, reset=True)
        is_member = self._check_membership(y)
        if is_member is not None:
            check_consistent_length(X, is_member)
        pool = self._fit_target(X)
        scores, reference = self._fit_scores(pool, is_member, **params)
        usable = np.isfinite(scores)
        self.n_unscored_ = int(np.sum(~usable))
        self._neutral_score = float(np.median(scores[usable])) if usable.any() else 0.0
        self._warn_unscored(self.n_unscored_, len(scores), "pool")
        if is_member is not None:
            reference = scores[~is_member] if reference is None else reference
        elif reference is None:
            reference = scores
        self._reference = np.sort(self._finite(reference))
        self.offset_ = float(threshold_at_fpr(self._reference, self.max_fpr))
        return self

    def _check_membership(self, y):
        if y is None:
            self.classes_ = np.array([False, True])
            return None
        y = as_labels(y)
        if y.dtype.kind == "O":
            y = np.array(y.tolist())
        assert_all_finite(y, input_name="y")
        check_classification_targets(y)
        classes = np.unique(y)
        if len(classes) > 2:
            raise ValueError(
                "Only binary classification is supported. The type of the target is "
                f"{type_of_target(y)}. y is the membership of each record, with the "
                f"two values member and non-member; it has {len(classes)}."
            )
        if len(classes) == 1:
            raise ValueError(
                f"y holds only one class, {classes.tolist()[0]!r}. Known membership "
                "needs members and non-members; leave y out if membership is unknown."
            )
        member = self._member_among(classes)
        self.classes_ = np.array([c for c in classes if c != member] + [member])
        if self.classes_[0] > self.classes_[1]:
            warnings.warn(
                f"The member label {member!r} sorts before the other one, and "
                "scikit-learn's own ROC scorers take the label that sorts last as "
                "positive: they would read 1 - AUC. Pass membership as booleans.",
                UserWarning,
                stacklevel=4,
            )
        return y == member

    def _member_among(self, classes):
        if self.member_label is not None:
            if self.member_label not in classes.tolist():
                raise ValueError(
                    f"member_label={self.member_label!r} is not a value of y, which "
                    f"has {classes.tolist()}."
                )
            return self.member_label
        labels = classes.tolist()
        if labels in ([0, 1], [-1, 1]):
            return labels[1]
        # "member" sorts before "nonmember": what a label says comes first.
        named = [v for v in labels if str(v).lower() in _MEMBER_WORDS]
        member = named[0] if len(named) == 1 else labels[1]
        reason = "" if len(named) == 1 else ", which sorts last,"
        warnings.warn(
            f"y has the labels {labels}; {member!r}{reason} is taken as member. Pass "
            "member_label to say which one is.",
            UserWarning,
            stacklevel=5,
        )
        return member

    def score_samples(self, X):
        """Score records; higher = more likely a member, on any scale.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_columns)
            Records as in `fit`.

        Returns
        -------
        scores : ndarray of shape (n_records,)
            Always finite: a record that cannot be scored gets the median score of
            the pool, with a warning.
        """
        check_is_fitted(self)
        scores = self._score_records(X)
        n_unscored = int(np.sum(~np.isfinite(scores)))
        self._warn_unscored(n_unscored, len(scores), "call")
        return self._finite(scores)

    def _score_records(self, X):
        return self._score_queries(self._ask_target(X))

    def _finite(self, scores):
        return np.where(np.isfinite(scores), scores, self._neutral_score)

    @staticmethod
    def _warn_unscored(n_unscored, n_records, where):
        if n_unscored:
            warnings.warn(
                f"{n_unscored} of {n_records} records of the {where} could not be "
                "scored, because no shadow that trained without them (or with them) "
                "saw their class. They get the median score of the pool. Train more "
                "shadows, or leave out the rarest classes.",
                UserWarning,
                stacklevel=4,
            )

    def decision_function(self, X):
        """Score minus threshold; above 0 = called a member.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_columns)
            Records as in `fit`.

        Returns
        -------
        decision : ndarray of shape (n_records,)
            ``score_samples(X) - offset_``; higher = more likely a member.
        """
        check_is_fitted(self)
        return self.score_samples(X) - self.offset_

    def p_value(self, X):
        r"""Share of the reference non-members that score at least as high.

        .. math:: p = \frac{1 + \#\{z : s(z) \ge s(x)\}}{1 + n}

        over the n reference records z that also set `offset_`. For a non-member of
        the same population it is at most u with a probability of at most u. (RMIA's
        count of the population records that a record exceeds is 1 - p, up to 1 / n.)

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_columns)
            Records as in `fit`.

        Returns
        -------
        p : ndarray of shape (n_records,)
            Smaller = more likely a member; between 1 / (n + 1) and 1.
        """
        check_is_fitted(self)
        n_reference = len(self._reference)
        below = np.searchsorted(self._reference, self.score_samples(X), side="left")
        return (1 + n_reference - below) / (1 + n_reference)

    def predict(self, X):
        """Tell members from non-members at the false-alarm rate `max_fpr`.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_columns)
            Records as in `fit`.

        Returns
        -------
        y : ndarray of shape (n_records,)
            ``classes_[1]`` for members. At most `max_fpr` of the reference
            non-members are called so.
        """
        check_is_fitted(self)
        return self.classes_[(self.decision_function(X) > 0).astype(int)]

    def score(self, X, y, sample_weight=None):
        """Area under the ROC curve, not the accuracy.

        At a low false-alarm rate the accuracy of a strong attack is below that of
        calling everything the majority class.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_columns)
            Records as in `fit`.

        y : array-like of shape (n_records,)
            Membership.

        sample_weight : array-like of shape (n_records,), default=None

        Returns
        -------
        auc : float
            .5 = members cannot be told from non-members, 1 = they all can.
        """
        check_is_fitted(self)
        is_member = as_labels(y) == self.classes_[1]
        return roc_auc_score(
            is_member, self.score_samples(X), sample_weight=sample_weight
        )

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.poor_score = True
        return tags
