"""The contract of every attack: a binary classifier over records."""

from abc import ABC, abstractmethod
from dataclasses import replace
from inspect import signature
from numbers import Real

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassifierMixin,
    MetaEstimatorMixin,
    _fit_context,
)
from sklearn.metrics import roc_auc_score
from sklearn.utils._param_validation import Interval
from sklearn.utils.multiclass import check_classification_targets, type_of_target
from sklearn.utils.validation import (
    assert_all_finite,
    check_consistent_length,
    check_is_fitted,
)

from sklearn_mia._warn import warn
from sklearn_mia.base._target import TargetMixin
from sklearn_mia.base._units import GroupMixin, check_reference_groups
from sklearn_mia.black_box import black_box_of
from sklearn_mia.checks import check_same_rows
from sklearn_mia.groups import group_codes
from sklearn_mia.hooks import check_returned, frozen, shown
from sklearn_mia.metrics import threshold_at_fpr
from sklearn_mia.models import model_name
from sklearn_mia.records import as_labels
from sklearn_mia.regression import is_regressor_model
from sklearn_mia.response import (
    check_target,
)

_MEMBER_WORDS = {"in", "member", "members", "train", "training", "true", "yes"}


_NOT_TOLD = ("target_estimator", "memory", "keep_models", "n_jobs", "timeout")


def _same(value, default):
    return value is default or (type(value) is type(default) and value == default)


class BaseAttack(
    GroupMixin, TargetMixin, ClassifierMixin, MetaEstimatorMixin, BaseEstimator, ABC
):
    """Base class of the attacks without shadow models, and of all others.

    An attack adds a docstring, its parameters and `_score_queries`; it may replace

    - `_fit_scores`, to learn something from the pool before it is scored,
    - `_null_scores`, which sets the threshold,
    - `has_regression`, True if its formula also holds for regressors, whose answers
      are the `prediction` and `residual` of the queries,
    - `handles`, if it is made for some models only,
    - `access`, ``"file"`` if it reads more of the model than its answers.

    Everything else of the contract is here: records, membership, the target, the
    threshold, `score_samples`, `predict` and so on. What these methods return is
    checked; the arrays that they get cannot be written to.

    Parameters
    ----------
    target_estimator : classifier or regressor
        The fitted model under attack. Never refitted, never changed; a clone of the
        attack keeps it by identity.

    label_column : {"auto"}, int, str or None, default="auto"
        Which column of a record is the class label (of a regressor the value). "auto":
        in a frame the one column that the target was not trained on, else the last.
        None: records carry no label, a classifier's own prediction stands in.

    member_label : object, default=None
        The value of `y` that means member. None takes True or 1; of other values
        "member", "in", "train" or "yes", else the one that sorts last, with a warning.

    response_method : str, default="auto"
        How the target is asked: "predict_proba", "decision_function", "predict", or
        "auto" for the first of them that it has.

    max_fpr : float, default=0.05
        Share of the reference non-members, a fraction in [0, 1), that `predict` may
        call members.

    See Also
    --------
    BaseShadowAttack : Base class of the attacks with shadow models.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_mia import as_records
    >>> from sklearn_mia.base import BaseAttack
    >>> class LargestProbability(BaseAttack):
    ...     def _score_queries(self, queries):
    ...         return queries.log_proba.max(axis=1)
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DecisionTreeClassifier(max_depth=2).fit(X[::2], y[::2])
    >>> LargestProbability(model).fit_score(as_records(X, y)).shape
    (150,)
    """

    _parameter_constraints: dict = {
        **TargetMixin._parameter_constraints,
        "member_label": "no_validation",
        "max_fpr": [Interval(Real, 0, 1, closed="left")],
    }
    # What an attacker has to hold: "outputs", or the "file" of the model.
    access = "outputs"
    # Whether there is a form of it for regressors.
    has_regression = False
    # What it does, in a sentence for whoever reads a report.
    explanation = ""
    # Whether some shadow never saw a class of the pool.
    _loses_classes = False

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "score_samples" in vars(cls):
            raise TypeError(
                f"{cls.__name__} overrides score_samples, which the threshold and "
                "fit_score do not ask. Give the formula as _score_queries, or as "
                "_score with shadow models."
            )

    def __init__(
        self,
        target_estimator=None,
        *,
        label_column="auto",
        member_label=None,
        response_method="auto",
        max_fpr=0.05,
    ):
        self.target_estimator = target_estimator
        self.label_column = label_column
        self.member_label = member_label
        self.response_method = response_method
        self.max_fpr = max_fpr

    @abstractmethod
    def _score_queries(self, queries):
        """Score records.

        Parameters
        ----------
        queries : Queries

        Returns
        -------
        scores : ndarray of shape (n_records,)
            Higher = more likely a member; NaN for a record that cannot be scored.
        """

    def _fit_scores(self, pool, is_member):
        """Learn from the pool what is needed, and score it.

        Parameters
        ----------
        pool : Queries

        is_member : ndarray of shape (n_records,), dtype bool, or None
            Only an attack that learns from known membership may use it.

        Returns
        -------
        scores : ndarray of shape (n_records,)
            Scores of the pool, NaN for a record that cannot be scored.
        """
        return self._ask_hook("_score_queries", len(pool.ids), pool)

    def _null_scores(self, pool, scores, is_member):
        """Scores of non-members, from which the threshold is set.

        Parameters
        ----------
        pool : Queries

        scores : ndarray of shape (n_records,)
            From `_fit_scores`.

        is_member : ndarray of shape (n_records,), dtype bool, or None

        Returns
        -------
        null_scores : ndarray of shape (n_null,)
            By default those of the known non-members, else of the whole pool.
        """
        references = self._references(pool, scores, is_member)
        return np.concatenate([values for _, values in references])

    def _references(self, pool, scores, is_member):
        """Rows of the pool that play non-members, each time with their scores."""
        if is_member is None:
            return [(np.arange(len(scores)), scores)]
        return [(np.flatnonzero(~is_member), scores[~is_member])]

    @classmethod
    def handles(cls, model):
        """Tell whether this attack can be made on a model.

        Parameters
        ----------
        model : fitted classifier
            The target in question.

        Returns
        -------
        handles : bool
            Where it is False a fit raises TypeError, and so does an audit.
        """
        return cls.has_regression or not is_regressor_model(model)

    def _check_kind(self):
        """Raise TypeError for a regressor if the attack has no form for it."""
        if not self.has_regression and is_regressor_model(self.target_estimator):
            raise TypeError(
                f"{type(self).__name__} has no form for regressors, and the target "
                f"{model_name(self.target_estimator)} is one. Use an attack that has, "
                "such as LiRA or RMIA. An attack of your own sets `has_regression = "
                "True` where its formula also holds for a prediction and a value to "
                "predict."
            )

    def _check_handled(self):
        """Raise TypeError for a target that the attack is not made for."""
        self._check_kind()
        if not self.handles(self.target_estimator):
            raise TypeError(
                f"{type(self).__name__} is not made for the target "
                f"{model_name(self.target_estimator)}: its `handles` says no. Use an "
                "attack on any model, such as RMIA."
            )

    def _refuse_records(self, X):
        """Raise TypeError for records that the attack is not made for."""

    def _ask_hook(self, hook, n_records, *given, **params):
        """Call what a subclass wrote, and check what it returns."""
        values = getattr(self, hook)(*map(frozen, given), **params)
        return check_returned(values, n_records, f"{type(self).__name__}.{hook}")

    @_fit_context(
        # The target is trained already: its parameters are not ours to validate.
        prefer_skip_nested_validation=False
    )
    def fit(self, X, y=None, *, groups=None):
        """Fit the attack on a pool of records.

        Parameters
        ----------
        X : {array-like, sparse matrix, pandas or polars DataFrame} of shape \
                (n_records, n_columns), or Records
            The pool: records, features and class label. See
            :func:`sklearn_mia.as_records`.

        y : array-like of shape (n_records,), default=None
            Membership where it is known. It sets the operating point of `predict`
            and never enters the scores.

        groups : array-like of shape (n_records,), default=None
            Key of the group of each record, of one person's say, for `score_groups`
            and `predict_groups`.

        Returns
        -------
        self : estimator instance
            The fitted attack.
        """
        self._fit(X, y, groups=groups)
        return self

    @_fit_context(
        # The target is trained already: its parameters are not ours to validate.
        prefer_skip_nested_validation=False
    )
    def fit_score(self, X, y=None, **fit_params):
        """Fit the attack and score its pool, asking the target once.

        Parameters
        ----------
        X : {array-like, sparse matrix, pandas or polars DataFrame} of shape \
                (n_records, n_columns), or Records
            The pool, as in `fit`.

        y : array-like of shape (n_records,), default=None
            Membership where it is known.

        **fit_params : dict
            What else `fit` takes.

        Returns
        -------
        scores : ndarray of shape (n_records,)
            What ``fit(X, y).score_samples(X)`` gives.
        """
        return self._finite(self._fit(X, y, **fit_params))

    def _fit(self, X, y, groups=None, **params):
        """Fit the attack; return the scores of the pool."""
        check_target(self.target_estimator)
        self._check_handled()
        check_same_rows(X=X, y=y, groups=groups)
        X = self._check_records(X, reset=True)
        is_member = self._check_membership(y)
        if is_member is not None:
            check_consistent_length(X, is_member)
        n_records = X.shape[0]
        if groups is not None:
            groups = group_codes(groups, n_records)[1]
            check_reference_groups(groups, is_member)
        pool = replace(self._fit_target(X), groups=groups)
        scores = self._ask_hook("_fit_scores", n_records, pool, is_member, **params)
        scores = np.where(pool.unanswered, np.nan, scores)
        usable = np.isfinite(scores)
        self.n_unscored_ = int(np.sum(~usable))
        self._neutral_score = float(np.median(scores[usable])) if usable.any() else 0.0
        self._warn_unscored(self.n_unscored_, len(scores), "pool")
        null_scores = self._ask_hook("_null_scores", None, pool, scores, is_member)
        if pool.unanswered.any() and np.isfinite(null_scores).any():
            # Who was not asked about is no reference.
            null_scores = null_scores[np.isfinite(null_scores)]
        self._reference = np.sort(self._finite(null_scores))
        self.offset_ = float(threshold_at_fpr(self._reference, self.max_fpr))
        self._fit_groups(pool, scores, is_member)
        return scores

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
            warn(
                f"The member label {member!r} sorts before the other one, and "
                "scikit-learn's own ROC scorers take the label that sorts last as "
                "positive: they would read 1 - AUC. Pass membership as booleans."
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
        warn(
            f"y has the labels {labels}; {member!r}{reason} is taken as member. Pass "
            "member_label to say which one is."
        )
        return member

    def describe(self):
        """Name the attack and the parameters that tell what it does.

        Returns
        -------
        description : str
            Without the target, and without parameters at their defaults; a function
            by its name.
        """
        parameters = signature(type(self)).parameters
        told = {
            name: value
            for name, value in self.get_params(deep=False).items()
            if name not in _NOT_TOLD and not _same(value, parameters[name].default)
        }
        text = ", ".join(f"{name}={shown(value)}" for name, value in told.items())
        return f"{type(self).__name__}({text})"

    def score_samples(self, X):
        """Score records; higher = more likely a member, on any scale.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} or Records
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
        return self._score_asked(self._ask_target(X))

    def _score_asked(self, queries):
        """Scores of records; none is made up for one without an answer."""
        scores = self._ask_hook("_score_queries", len(queries.ids), queries)
        return np.where(queries.unanswered, np.nan, scores)

    def _finite(self, scores):
        return np.where(np.isfinite(scores), scores, self._neutral_score)

    def _warn_unscored(self, n_unscored, n_records, where):
        if n_unscored:
            cause, advice = self._why_unscored()
            service = black_box_of(self.target_estimator)
            if service is not None and service.n_unasked_:
                cause = f"max_queries of the target is used up, or {cause}"
                advice = f"Pass a larger max_queries. {advice}"
            warn(
                f"{n_unscored} of {n_records} records of the {where} could not be "
                f"scored, because {cause}. They get the median score of the pool. "
                f"{advice}"
            )

    def _why_unscored(self):
        """Why records have no score, and what to do about it."""
        return (
            "the signal or the formula gives no finite number for them",
            "Look at what it returns.",
        )

    def decision_function(self, X):
        """Score minus threshold; above 0 = called a member.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} or Records
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

        over the n reference records z that also set `offset_`. (RMIA's count of the
        population records that a record exceeds is 1 - p, up to 1 / n.)

        A non-member has a value of at most u with a probability of at most u if its
        score has the law of the reference scores: exactly for a new record where known
        non-members are the reference and the attack learned nothing from them, and in
        simulations for non-members of the pool. For records outside the pool of an
        attack with shadows it is approximate: where membership is unknown the
        reference are records of the pool, which some shadows held. Of fresh
        non-members of a decision tree, online RMIA put .07 to .09 at .05 or less; where
        no record of the pool was a member, a linear model had up to .10. Put the
        records in question into the pool.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} or Records
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
        X : {array-like, sparse matrix, DataFrame} or Records
            Records as in `fit`.

        Returns
        -------
        y : ndarray of shape (n_records,)
            ``classes_[1]`` for members. At most `max_fpr` of the reference
            non-members are called so, k of n; of new ones like them (k + 1) / (n + 1),
            see :func:`~sklearn_mia.metrics.expected_fpr`. Where membership is unknown
            and shadows play the target, that holds for a target that was trained on
            about half of the pool: of the records of a pool that such a target never
            saw, 3 to 7 % were called members at a `max_fpr` of 1 %.
        """
        check_is_fitted(self)
        return self.classes_[(self.decision_function(X) > 0).astype(int)]

    def score(self, X, y, sample_weight=None):
        """Area under the ROC curve, not the accuracy.

        At a low false-alarm rate the accuracy of a strong attack is below that of
        calling everything the majority class.

        Parameters
        ----------
        X : {array-like, sparse matrix, DataFrame} or Records
            Records as in `fit`.

        y : array-like of shape (n_records,)
            Membership.

        sample_weight : array-like of shape (n_records,), default=None
            Weight of each record in the curve.

        Returns
        -------
        auc : float
            .5 = members cannot be told from non-members, 1 = they all can.
        """
        check_is_fitted(self)
        is_member = as_labels(y) == self.classes_[1]
        scores = self.score_samples(X)
        return float(roc_auc_score(is_member, scores, sample_weight=sample_weight))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        tags.classifier_tags.multi_class = False
        tags.classifier_tags.poor_score = True
        return tags
