"""The attack that learns from records whose membership is known."""

import numpy as np
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import HasMethods

from sklearn_mia._compat import set_random_states
from sklearn_mia.attacks._signal_table import check_signals, signal_table
from sklearn_mia.base import BaseAttack
from sklearn_mia.base._target import target_tag
from sklearn_mia.identity import count_different
from sklearn_mia.signals import residual, signal_name


def signals_and_class(answer, codes, functions):
    """Features of a supervised attack: the signals, and the class as one-hot columns.

    Of a regressor the value to predict and the residual stand for the class.

    Parameters
    ----------
    answer : ndarray of shape (n_records, n_classes) or (n_records,)

    codes : ndarray of shape (n_records,)

    functions : iterable of callable
        The signals.

    Returns
    -------
    table : ndarray of shape (n_records, n_signals + n_classes), or n_signals + 2
    """
    if answer.ndim == 1:
        own = np.column_stack([codes, residual(answer, codes)])
    else:
        own = np.eye(answer.shape[1])[codes]
    return np.hstack([signal_table(answer, codes, functions), own])


def membership_scores(estimator, table):
    """Score rows by a fitted binary classifier of membership.

    Parameters
    ----------
    estimator : fitted classifier
        Trained on boolean membership.

    table : ndarray of shape (n_rows, n_columns)

    Returns
    -------
    scores : ndarray of shape (n_rows,)
        Its `decision_function`, else the log-odds of its probability.
    """
    if hasattr(estimator, "decision_function"):
        return np.asarray(estimator.decision_function(table), dtype=float)
    return _log_odds(estimator.predict_proba(table)[:, 1])


def _log_odds(proba):
    proba = np.clip(np.asarray(proba, dtype=float), 1e-12, 1 - 1e-12)
    return np.log(proba / (1 - proba))


class _Folds(StratifiedGroupKFold):
    """The same folds, found for a group in one step instead of one for each fold."""

    def _find_best_fold(self, y_counts_per_fold, y_cnt, group_y_counts):
        step = np.eye(self.n_splits)[:, :, None] * group_y_counts
        shares = (y_counts_per_fold + step) / y_cnt
        spreads = np.std(shares, axis=1).mean(axis=1).tolist()
        sizes = y_counts_per_fold.sum(axis=1).tolist()
        best = 0
        for fold, (spread, size) in enumerate(zip(spreads, sizes, strict=True)):
            # As np.isclose.
            close = abs(spread - spreads[best]) <= 1e-8 + 1e-5 * spreads[best]
            if spread < spreads[best] or (close and size < sizes[best]):
                best = fold
        return best


class SupervisedAttack(BaseAttack):
    r"""Learn membership from some known members and non-members.

    The worst case of the field: an attacker, or an auditor, who knows the membership
    of some records trains a classifier on the signals of the target and the class of
    each record. It adds little to the best single signal when classes behave alike,
    and needs no shadow models.

    Scores of the records given to `fit` are in-sample, as those of any classifier:
    judge the attack on other records, with ``cross_val_score`` for instance. Its
    threshold comes from cross-fitted scores.

    Parameters
    ----------
    target_estimator : classifier or regressor
        The fitted model under attack. Never refitted, never changed; a clone of the
        attack keeps it by identity.

    estimator : classifier or None, default=None
        Learns membership; None is a
        :class:`~sklearn.ensemble.HistGradientBoostingClassifier` of 100 rounds with
        at least 20 records a leaf.

    signals : sequence of str or callable, or None, default=None
        Signals by their name in :mod:`sklearn_mia.signals`, or functions
        ``signal(log_proba, labels)``; None takes all names.

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
        Share of the known non-members, a fraction in [0, 1), that `predict` may call
        members, by cross-fitted scores.

    random_state : int, RandomState instance or None, default=None
        Seeds `estimator` and the folds.

    Attributes
    ----------
    classes_ : ndarray of shape (2,)
        Non-member and member.

    estimator_ : classifier
        The fitted classifier of membership.

    signals_ : list of str or callable
        The signals that it reads, before the one-hot columns of the class, or the value
        and the residual of a regressor.

    label_column_ : int, str or None
        The label column found.

    offset_ : float
        Threshold of the scores.

    n_unscored_ : int
        Records of the pool that could not be scored.

    n_features_in_ : int
        Columns of a record.

    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, if the records had text names.

    See Also
    --------
    MembershipSignals : The same signals as a transformer, for a pipeline.

    References
    ----------
    .. [1] A. Salem, Y. Zhang, M. Humbert, P. Berrang, M. Fritz and M. Backes, 2019,
       "ML-Leaks: model and data independent membership inference attacks and
       defenses on machine learning models".

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn.model_selection import cross_val_score
    >>> from sklearn_mia import SupervisedAttack, as_records
    >>> X, y = make_classification(400, flip_y=0.2, random_state=0)
    >>> model = RandomForestClassifier(20, random_state=0).fit(X[:200], y[:200])
    >>> records, is_member = as_records(X, y), [True] * 200 + [False] * 200
    >>> attack = SupervisedAttack(model, random_state=0)
    >>> auc = cross_val_score(attack, records, is_member, cv=2, scoring="roc_auc")
    >>> bool(auc.mean() > 0.75)
    True
    """

    explanation = (
        "Learns from records whose membership it is told how members are answered, "
        "and judges the others."
    )
    _parameter_constraints: dict = {
        **BaseAttack._parameter_constraints,
        "estimator": [HasMethods(["fit", "predict"]), None],
        "signals": ["array-like", None],
        "random_state": ["random_state"],
    }
    has_regression = True

    def __init__(
        self,
        target_estimator=None,
        *,
        estimator=None,
        signals=None,
        label_column="auto",
        member_label=None,
        response_method="auto",
        max_fpr=0.05,
        random_state=None,
    ):
        self.target_estimator = target_estimator
        self.estimator = estimator
        self.signals = signals
        self.label_column = label_column
        self.member_label = member_label
        self.response_method = response_method
        self.max_fpr = max_fpr
        self.random_state = random_state

    def _check_membership(self, y):
        if y is None:
            raise ValueError(
                "SupervisedAttack requires y to be passed, but the target y is None: "
                "it learns from known membership. Pass it, or use an attack that "
                "needs none, such as RMIA."
            )
        return super()._check_membership(y)

    def _fit_scores(self, pool, is_member):
        self.signals_, self._functions = check_signals(self.signals, self._signals)
        estimator = self.estimator
        if estimator is None:
            estimator = HistGradientBoostingClassifier(early_stopping=False)
        estimator = clone(estimator)
        table = self._table(pool, estimator)
        random_state = check_random_state(self.random_state)
        set_random_states(estimator, random_state)
        self._seed_of_folds = random_state.randint(2**31 - 1)
        answered = ~pool.unanswered
        self.estimator_ = estimator.fit(table[answered], is_member[answered])
        return membership_scores(self.estimator_, table)

    def _references(self, pool, scores, is_member):
        # By models that did not see the record.
        rows = np.flatnonzero(~pool.unanswered)
        ids, is_member = pool.units[rows], is_member[rows]
        n_folds = min(5, np.sum(is_member), np.sum(~is_member), count_different(ids))
        if n_folds < 2:
            return [(rows[~is_member], scores[rows][~is_member])]
        folds = _Folds(n_folds, shuffle=True, random_state=self._seed_of_folds)
        estimator = clone(self.estimator_)
        table = self._table(pool, estimator)[rows]
        has_decision = hasattr(estimator, "decision_function")
        method = "decision_function" if has_decision else "predict_proba"
        # Split here: with metadata routing, scikit-learn takes no groups as such.
        splits = list(folds.split(table, is_member, ids))
        scores = cross_val_predict(
            estimator, table, is_member, cv=splits, method=method
        )
        scores = scores if has_decision else _log_odds(scores[:, 1])
        return [(rows[~is_member], scores[~is_member])]

    def _score_queries(self, queries):
        return membership_scores(self.estimator_, self._table(queries, self.estimator_))

    def _table(self, queries, estimator):
        table = signals_and_class(queries.answer, queries.codes, self._functions)
        # It gets no score; not every estimator takes it.
        table[queries.unanswered] = 0
        if target_tag(estimator, "allow_nan"):
            return table
        name = type(estimator).__name__
        for signal, column in zip(self.signals_, table.T, strict=False):
            n_bad = int(np.sum(~np.isfinite(column)))
            if n_bad:
                raise ValueError(
                    f"The signal {signal_name(signal)!r} is NaN or infinite for "
                    f"{n_bad} of {len(column)} records, which {name} does not take. "
                    "Return a number for every record, or pass an estimator that takes "
                    "missing values."
                )
        return table

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = True
        return tags
