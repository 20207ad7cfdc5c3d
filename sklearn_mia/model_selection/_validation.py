"""Leakage as a scorer, and as columns of cross-validation."""

from numbers import Integral, Real
from tempfile import TemporaryDirectory

import numpy as np
from sklearn.model_selection import cross_validate
from sklearn.utils import indexable
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    StrOptions,
    validate_params,
)
from sklearn.utils.validation import check_is_fitted

from sklearn_mia.checks import check_fractions
from sklearn_mia.groups import group_codes
from sklearn_mia.metrics._scorers import GroupRequestMixin
from sklearn_mia.model_selection._auditable import AuditableClassifier
from sklearn_mia.model_selection._compared import compare
from sklearn_mia.model_selection._folds import leakage_of_folds
from sklearn_mia.model_selection._leakage import (
    METRICS,
    attack_for,
    check_attack,
    has_shadows,
    is_reversed,
)
from sklearn_mia.models import is_holder, open_model
from sklearn_mia.records import as_features, as_labels
from sklearn_mia.response import check_target
from sklearn_mia.shadows import root_seed


def _auditable(estimator):
    """The auditable classifier inside a search or a frozen estimator."""
    opened = open_model(estimator)
    layers = [*opened.wrappers, opened.classifier]
    kinds = [isinstance(layer, AuditableClassifier) for layer in layers]
    within = layers[: kinds.index(True)] if any(kinds) else layers
    outer = within[: len(opened.wrappers)]
    changed = [layer for layer in outer if not is_holder(layer)]
    if any(kinds) and not changed:
        return layers[len(within)]
    changer = changed[0] if changed else opened.classifier
    name = type(changer).__name__
    if not any(kinds):
        advice = (
            f"Wrap it before it is fitted: pass AuditableClassifier({name}(...)) in "
            "its place. Or call cross_validate_leakage, which takes it as it is."
        )
    elif hasattr(changer, "steps"):
        advice = "Wrap the whole pipeline: AuditableClassifier(make_pipeline(...))."
    else:
        advice = f"Wrap all of it: AuditableClassifier({name}(...))."
    raise TypeError(
        f"A leakage scorer must know the training records, but {name} is not "
        f"auditable. {advice}"
    )


class _LeakageScorer(GroupRequestMixin):
    """Scorer of the leakage of an auditable classifier."""

    def __init__(
        self, attack, metric, options, sign, group_column, max_samples, random_state
    ):
        self._options, self._sign = options, sign
        self._attack = attack
        self._metric = metric
        self._group_column = group_column
        # Groups that are a column come with the records.
        self._groups_request = group_column is None
        self._max_samples = max_samples
        self._random_state = random_state

    def _accept_sample_weight(self):
        # Every record counts once: weights are taken, so that a search does not warn
        # about them, and not used.
        return True

    def __call__(self, estimator, X, y_true, *, groups=None, **kwargs):
        """Score a fitted auditable classifier on a test set."""
        auditable = _auditable(estimator)
        check_is_fitted(auditable)
        model = auditable.estimator_
        check_target(model)
        attack = attack_for(self._attack, model, self._random_state)
        shadows = has_shadows(attack)
        metadata = auditable._training.metadata
        if metadata and shadows:
            raise ValueError(
                f"The classifier was fitted with {', '.join(metadata)}, which the "
                f"shadows of {attack.__class__.__name__} would not get. Pass an attack "
                "without shadows, such as ThresholdAttack(signal='loss'), which sees "
                "less."
            )
        sides = auditable._membership_sides(
            X,
            y_true,
            groups,
            self._max_samples,
            self._random_state,
            whole=shadows,
            group_column=self._group_column,
        )
        (is_member, scores), _ = compare(attack, model, sides)
        if is_reversed(is_member, scores):
            return np.nan
        leakage = METRICS[self._metric](is_member, scores, **self._options)
        return self._sign * float(leakage)

    def __repr__(self):
        options = "".join(f", {k}={v!r}" for k, v in self._options.items())
        better = ", greater_is_better=True" if self._sign > 0 else ""
        if self._group_column is not None:
            better += f", group_column={self._group_column!r}"
        told = f"{self._attack!r}, metric={self._metric!r}{options}{better}"
        return f"make_leakage_scorer({told})"


@validate_params(
    {
        "attack": "no_validation",
        "metric": [StrOptions(set(METRICS))],
        "max_fpr": [Interval(Real, 0, 1, closed="left")],
        "greater_is_better": ["boolean"],
        "group_column": [str, Integral, None],
        "max_samples": [Interval(Integral, 1, None, closed="left"), None],
        "random_state": ["random_state"],
    },
    prefer_skip_nested_validation=True,
)
def make_leakage_scorer(
    attack="auto",
    *,
    metric="advantage",
    max_fpr=0.01,
    greater_is_better=False,
    group_column=None,
    max_samples=2000,
    random_state=0,
):
    """Make a scorer of leakage, for any ``scoring=`` over an auditable classifier.

    The members are training records of the classifier, the non-members the records
    that the scorer is called with, without those that equal a training record. The
    larger side is sampled down to the smaller, and both to `max_samples`: the same
    records of a fold for all candidates of a search. Every record counts once,
    whatever its `sample_weight`.

    Persons, not rows: of a classifier that was fitted with `groups` whole groups are
    compared, as many on each side and at most `max_samples`, each by the sum over its
    records, and the metric counts groups; those with records on both sides are left
    out, with a warning. Groups reach the scorer in one of these ways:

    - ``sklearn.set_config(enable_metadata_routing=True)``: then
      ``GridSearchCV(..., cv=GroupKFold()).fit(X, y, groups=groups)`` hands them on to
      splitter, classifier and scorer. (``set_score_request(groups=False)`` of the
      scorer and ``set_fit_request(groups=False)`` of the classifier count records.)
    - without routing, as a column of X that the classifier drops, by `group_column`;
    - by hand, ``scorer(classifier, X_test, y_test, groups=groups_test)``.

    **A search without routing hands groups on to its splitter only**, so that neither
    classifier nor scorer knows of them and records are counted. A scorer without groups
    for a classifier that was fitted with them is an error.

    As scikit-learn's scorers of losses do, it returns the **negative** leakage, so
    that the higher the better: a plain search chooses the candidate that leaks least,
    and rank 1 is the best. Leakage is never negative, so the refit strategies and the
    display read either sign.

    Parameters
    ----------
    attack : "auto" or attack instance without target, default="auto"
        The attack, cloned for each classifier. "auto" is the strongest default attack
        of an audit, chosen by the classifier: BaggingAttack for a forest or bagging,
        with as many trees as in an audit, LiRA for a regressor and for boosting of
        more than two classes, RMIA for the rest, both with 4 shadows. For each fold
        and candidate it costs as much time as 3 to 6 more fits, which makes a search
        about 6 times as long; 7 on forests of few trees with large leaves.

        An attack with shadows trains them for each fold and candidate, on halves of
        all training records and non-members. ``ThresholdAttack(signal="loss")`` trains
        none and costs one prediction for each record compared, but it **sees less**:
        what it calls safe, an audit may not.

    metric : {"advantage", "roc_auc", "tpr_at_fpr"}, default="advantage"
        The largest TPR - FPR of all thresholds, the area under the ROC curve, or the
        TPR at the false-positive rate `max_fpr`. That is NaN, with a warning, where
        tied scores keep the rate from being looked at
        (:func:`~sklearn_mia.metrics.resolve_rate`); a search ranks such a candidate
        last, and the refit strategies leave it out.

    max_fpr : float, default=0.01
        The highest false-positive rate, a fraction in [0, 1). Only for
        ``metric="tpr_at_fpr"``.

    greater_is_better : bool, default=False
        True returns the leakage itself: for tables, never for choosing.

    group_column : str, int or None, default=None
        Column of X, by name in a frame, else by position, that holds the key of the
        group of each record, in the training records as in the test set. A pipeline
        inside the `AuditableClassifier` has to drop it.

    max_samples : int or None, default=2000
        Most members, and most non-members, that are compared, records or groups; None
        takes all. At `n` a side the standard error of the advantage is at most
        ``sqrt(0.5 / n)`` in each fold, .016 at 2000, and a model without leak has about
        ``0.89 / sqrt(n)``, .02, because the best threshold is looked for. A small
        `max_fpr` needs more.

    random_state : int, RandomState instance or None, default=0
        Seeds the samples.

    Returns
    -------
    scorer : callable
        Called as ``scorer(auditable_classifier, X_test, y_test)``; a fitted search
        over auditable classifiers will do. Called with training rows it raises, so a
        search needs ``return_train_score=False``, which is not the default of
        `HalvingGridSearchCV`. NaN, with a warning, where the attack clearly ranks
        non-members above members: the sides are then exchanged, or differ in more
        than training, and a search does not choose the candidate.

    See Also
    --------
    AuditableClassifier : Remembers the training records.
    cross_validate_leakage : Several metrics of one attack, without a scorer.
    MostAccurateWithin : Strategy for ``refit``.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.model_selection import GridSearchCV
    >>> from sklearn.tree import DecisionTreeClassifier
    >>> from sklearn_mia import AuditableClassifier, make_leakage_scorer
    >>> X, y = make_classification(400, flip_y=0.2, random_state=0)
    >>> search = GridSearchCV(
    ...     AuditableClassifier(DecisionTreeClassifier(random_state=0)),
    ...     {"estimator__max_depth": [1, None]},
    ...     scoring={"accuracy": "accuracy", "leakage": make_leakage_scorer()},
    ...     refit="leakage",
    ... )
    >>> search.fit(X, y).best_params_
    {'estimator__max_depth': 1}
    """
    options = {"max_fpr": max_fpr} if metric == "tpr_at_fpr" else {}
    check_attack(attack)
    sign = 1 if greater_is_better else -1
    return _LeakageScorer(
        attack, metric, options, sign, group_column, max_samples, random_state
    )


@validate_params(
    {
        "estimator": [HasMethods(["fit"])],
        "X": ["array-like", "sparse matrix"],
        "y": ["array-like"],
        "attack": "no_validation",
        "fprs": ["array-like"],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    },
    prefer_skip_nested_validation=False,  # the estimator is not validated yet
)
def cross_validate_leakage(
    estimator,
    X,
    y,
    *,
    attack="auto",
    fprs=(0.1, 0.01),
    random_state=0,
    groups=None,
    scoring=None,
    cv=None,
    n_jobs=None,
    verbose=0,
    params=None,
    pre_dispatch="2*n_jobs",
    return_train_score=False,
    return_estimator=False,
    return_indices=False,
    error_score=np.nan,
):
    """Cross-validate a classifier, and attack it in each fold.

    In each fold the training rows are members and the test rows are not; the larger
    side is sampled down to the smaller. It audits a training recipe, where `audit`
    asks about one trained model.

    An attack with shadows draws them from all rows, so its shadows are trained once
    and serve the models of all folds. (Through its `memory`, a temporary folder
    unless the attack has one. A search as `estimator` has other shadows in each fold,
    the settings that it found there.)

    With `groups` the leakage is that of groups, such as persons: a group is a member or
    not with all of its records, its score is the sum over them, and sides, rates and
    AUC count groups, as in :func:`audit`. Shadows draw whole groups. A group with
    training records and others in a fold is left out there, with a warning: pass a
    splitter of groups.

    Parameters
    ----------
    estimator : classifier
        The recipe, cloned for each fold.

    X : {array-like, sparse matrix, DataFrame} of shape (n_records, n_features)
        The records, to be split into folds.

    y : array-like of shape (n_records,)
        Their labels.

    attack : "auto" or attack instance without target, default="auto"
        The attack, cloned for each fold. "auto" is the strongest default attack of an
        audit, chosen by the classifier, as in :func:`make_leakage_scorer`.
        ``ThresholdAttack(signal="loss")`` trains no shadows, and sees less.

    fprs : array-like of float, default=(0.1, 0.01)
        False-positive rates, fractions in [0, 1), at which to give the TPR.

    random_state : int, RandomState instance or None, default=0
        Seeds the samples, and the shadows of an attack whose own is None.

    groups : array-like of shape (n_records,) or None, default=None
        Key of the group of each record, for a splitter such as ``cv=GroupKFold()`` and
        for the leakage. With metadata routing enabled pass ``params={"groups":
        groups}``.

    scoring : str, callable, list, tuple, dict or None, default=None
        This and what follows are those of
        :func:`sklearn.model_selection.cross_validate`; utility is scored beside the
        leakage.

    cv : int, splitter, iterable or None, default=None
        The folds.

    n_jobs : int or None, default=None
        Folds at a time, and shadow models of an attack whose own is None.

    verbose : int, default=0
        How much is printed.

    params : dict or None, default=None
        Metadata for `fit`, the scorers and the splitter; shadows get it too.

    pre_dispatch : int or str, default="2*n_jobs"
        Folds dispatched ahead.

    return_train_score : bool, default=False
        Whether to score utility on the training rows too.

    return_estimator : bool, default=False
        Whether to return the models of the folds.

    return_indices : bool, default=False
        Whether to return the rows of the folds.

    error_score : "raise" or float, default=np.nan
        Score of a model that could not be fitted, or "raise".

    Returns
    -------
    scores : dict
        What :func:`~sklearn.model_selection.cross_validate` returns, and, each an
        array of one value a fold, higher = leaks more:

        ``leakage_roc_auc``
            Area under the ROC curve of the attack, .5 without leak.
        ``leakage_advantage``
            The largest TPR - FPR of all thresholds.
        ``leakage_tpr_at_fpr_0.1``
            TPR at that false-positive rate; one key for each of `fprs`. NaN, with a
            warning, where tied scores keep the rate from being looked at
            (:func:`~sklearn_mia.metrics.resolve_rate`). It and the advantage are NaN,
            with a warning, where the attack clearly ranks non-members above members:
            the sides are then exchanged, or differ in more than training.
        ``leakage_n_members``
            Members, and as many non-members, that were compared; with groups, groups.
        ``leakage_n_mixed``
            With groups: those with training records and others, which were left out.
        ``leakage_of_records_roc_auc``, ``leakage_of_records_tpr_at_fpr_0.1``
            With groups: the same record by record, of the groups compared; a rate is
            NaN where ties or too few records hide it. Their numbers are in
            ``leakage_of_records_n_members`` and ``leakage_of_records_n_nonmembers``.
        ``leakage_time``
            Seconds of the attack.
        ``leakage_attack``
            Name of the attack, text.

    Raises
    ------
    ValueError
        If a fold has fewer than two groups wholly on a side.

    See Also
    --------
    make_leakage_scorer : Leakage as a scorer, for grid search.

    Examples
    --------
    >>> from sklearn.datasets import make_classification
    >>> from sklearn.ensemble import RandomForestClassifier
    >>> from sklearn_mia import cross_validate_leakage
    >>> X, y = make_classification(400, flip_y=0.2, random_state=0)
    >>> for leaf in [1, 20]:
    ...     forest = RandomForestClassifier(20, min_samples_leaf=leaf, random_state=0)
    ...     scores = cross_validate_leakage(forest, X, y, cv=2, fprs=[0.2])
    ...     print(leaf, scores["leakage_advantage"].mean() > 0.4)
    1 True
    20 False
    """
    attack = check_attack(attack)
    fprs = check_fractions(fprs, "fprs", zero=True)
    X, y = indexable(X, y)
    results = cross_validate(
        estimator,
        X,
        y,
        groups=groups,
        scoring=scoring,
        cv=cv,
        n_jobs=n_jobs,
        verbose=verbose,
        params=params,
        pre_dispatch=pre_dispatch,
        return_train_score=return_train_score,
        return_estimator=True,
        return_indices=True,
        error_score=error_score,
    )
    indices = results["indices"]
    folds = [
        (model, _row_numbers(train), _row_numbers(test))
        for model, train, test in zip(
            results["estimator"], indices["train"], indices["test"], strict=True
        )
    ]
    fit_params = {k: v for k, v in (params or {}).items() if v is not None}
    # With metadata routing enabled they are a parameter like any other.
    routed = fit_params.pop("groups", None)
    X, y = as_features(X), as_labels(y)
    codes = None
    if groups is not None or routed is not None:
        codes = group_codes(routed if groups is None else groups, len(y))[1]
    with TemporaryDirectory() as folder:
        # In one folder, shadows are trained once for all folds.
        wanted = {
            "n_jobs": n_jobs,
            "random_state": root_seed(random_state) % 2**31,
            "memory": folder,
        }
        results.update(
            leakage_of_folds(
                attack, wanted, X, y, codes, folds, fprs, random_state, fit_params
            )
        )
    if not return_estimator:
        del results["estimator"]
    if not return_indices:
        del results["indices"]
    return results


def _row_numbers(rows):
    rows = np.asarray(rows)
    return np.flatnonzero(rows) if rows.dtype == bool else rows
