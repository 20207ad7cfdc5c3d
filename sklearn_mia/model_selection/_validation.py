"""Leakage as a scorer, and as columns of cross-validation."""

import time
from numbers import Integral, Real
from tempfile import TemporaryDirectory

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import cross_validate
from sklearn.utils import indexable
from sklearn.utils._param_validation import (
    HasMethods,
    Interval,
    StrOptions,
    validate_params,
)
from sklearn.utils.validation import _check_method_params, check_is_fitted

from sklearn_mia._warn import warn
from sklearn_mia.checks import check_fractions
from sklearn_mia.identity import record_ids
from sklearn_mia.metrics import (
    membership_advantage_score,
    min_nonmembers_for_fpr,
    resolve_rate,
)
from sklearn_mia.metrics._rates import unresolved_message
from sklearn_mia.model_selection._auditable import AuditableClassifier
from sklearn_mia.model_selection._leakage import (
    METRICS,
    attack_for,
    balanced_rows,
    check_attack,
    has_shadows,
    is_reversed,
    membership_scores,
    nonmember_rows,
)
from sklearn_mia.models import is_holder, open_model
from sklearn_mia.records import as_labels
from sklearn_mia.response import check_target
from sklearn_mia.shadows import root_seed
from sklearn_mia.tables import as_table, take


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


class _LeakageScorer:
    """Scorer of the leakage of an auditable classifier."""

    def __init__(self, attack, metric, options, sign, max_samples, random_state):
        self._options, self._sign = options, sign
        self._attack = attack
        self._metric = metric
        self._max_samples = max_samples
        self._random_state = random_state

    def _accept_sample_weight(self):
        # Every record counts once: weights are taken, so that a search does not warn
        # about them, and not used.
        return True

    def __call__(self, estimator, X, y_true, **kwargs):
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
        X, y, rows, is_member = auditable._membership_sides(
            X, y_true, self._max_samples, self._random_state, whole=shadows
        )
        scores = membership_scores(attack, model, X, y, is_member)[rows]
        if is_reversed(is_member, scores):
            return np.nan
        leakage = METRICS[self._metric](is_member, scores, **self._options)
        return self._sign * float(leakage)

    def __repr__(self):
        options = "".join(f", {k}={v!r}" for k, v in self._options.items())
        better = ", greater_is_better=True" if self._sign > 0 else ""
        told = f"{self._attack!r}, metric={self._metric!r}{options}{better}"
        return f"make_leakage_scorer({told})"


@validate_params(
    {
        "attack": "no_validation",
        "metric": [StrOptions(set(METRICS))],
        "max_fpr": [Interval(Real, 0, 1, closed="left")],
        "greater_is_better": ["boolean"],
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
    max_samples=2000,
    random_state=0,
):
    """Make a scorer of leakage, for any ``scoring=`` over an auditable classifier.

    The members are training records of the classifier, the non-members the records
    that the scorer is called with, without those that equal a training record. The
    larger side is sampled down to the smaller, and both to `max_samples`: the same
    records of a fold for all candidates of a search. Every record counts once,
    whatever its `sample_weight`.

    As scikit-learn's scorers of losses do, it returns the **negative** leakage, so
    that the higher the better: a plain search chooses the candidate that leaks least,
    and rank 1 is the best. Leakage is never negative, so the refit strategies and the
    display read either sign.

    Parameters
    ----------
    attack : "auto" or attack instance without target, default="auto"
        The attack, cloned for each classifier. "auto" is the strongest default attack
        of an audit, chosen by the classifier: BaggingAttack for a forest or bagging,
        with as many trees as in an audit, LiRA for boosting of more than two classes,
        RMIA for the rest, both with 4 shadows. For each fold and candidate it costs
        as much time as 3 to 6 more fits, which makes a search about 6 times as long;
        7 on forests of few trees with large leaves.

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

    max_samples : int or None, default=2000
        Most members, and most non-members, that are compared; None takes all. At `n` a
        side the standard error of the advantage is at most ``sqrt(0.5 / n)`` in each
        fold, .016 at 2000, and a model without leak has about ``0.89 / sqrt(n)``, .02,
        because the best threshold is looked for. A small `max_fpr` needs more.

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
    return _LeakageScorer(attack, metric, options, sign, max_samples, random_state)


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
        Group of each record, for a splitter of groups; shadows get it too, to keep a
        group together.

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
            Members, and as many non-members, that were compared.
        ``leakage_time``
            Seconds of the attack.
        ``leakage_attack``
            Name of the attack, text.

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
    metadata = {"groups": groups, **(params or {})}
    fit_params = {k: v for k, v in metadata.items() if v is not None}
    X, y = as_table(X), as_labels(y)
    with TemporaryDirectory() as folder:
        # In one folder, shadows are trained once for all folds.
        wanted = {
            "n_jobs": n_jobs,
            "random_state": root_seed(random_state) % 2**31,
            "memory": folder,
        }
        results.update(
            _leakage_of_folds(
                attack, wanted, X, y, folds, fprs, random_state, fit_params
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


def _completed(attack, wanted):
    """Give an attack with shadows what its user left open."""
    if not has_shadows(attack):
        return attack
    given = attack.get_params(deep=False)
    changes = {k: v for k, v in wanted.items() if k in given and given[k] is None}
    if "keep_models" in given:
        changes["keep_models"] = False  # no record is outside the pool
    return clone(attack).set_params(**changes)


def _leakage_of_folds(attack, wanted, X, y, folds, fprs, random_state, fit_params):
    names = ["roc_auc", "advantage", *(f"tpr_at_fpr_{fpr:g}" for fpr in fprs)]
    names += ["n_members", "time"]
    table = np.full((len(folds), len(names)), np.nan)
    attackers = np.full(len(folds), None, dtype=object)
    ids = record_ids(X, y)
    unresolved = {}
    for fold, (model, train, test) in enumerate(folds):
        try:
            check_is_fitted(model)
        except NotFittedError:
            continue  # cross_validate has warned, and its scores are error_score too
        check_target(model)
        start = time.perf_counter()
        own = _completed(attack_for(attack, model, random_state), wanted)
        attackers[fold] = own.__class__.__name__
        scores, is_member = _fold_scores(
            own, model, X, y, ids, train, test, random_state, fit_params
        )
        rates = [resolve_rate(is_member, scores, max_fpr=fpr) for fpr in fprs]
        for rate in rates:
            if not rate.resolvable:
                unresolved.setdefault(rate.max_fpr, []).append(rate)
        table[fold] = [
            METRICS["roc_auc"](is_member, scores),
            membership_advantage_score(is_member, scores),
            *(rate.tpr if rate.resolvable else np.nan for rate in rates),
            is_member.sum(),
            time.perf_counter() - start,
        ]
        if is_reversed(is_member, scores):
            table[fold, 1:-2] = np.nan
    _warn_unresolvable(fprs, table[:, names.index("n_members")])
    for rates in unresolved.values():
        message = unresolved_message(rates[0], "fprs")
        warn(f"In {len(rates)} of {len(folds)} folds {message}")
    columns = dict(zip(names, table.T.copy(), strict=True)) | {"attack": attackers}
    return {f"leakage_{name}": column for name, column in columns.items()}


def _warn_unresolvable(fprs, n_nonmembers):
    smallest = np.nanmin(n_nonmembers, initial=np.inf)
    for fpr in fprs:
        if 0 < fpr < 1 / smallest:
            warn(
                f"fprs has {fpr!r}, which permits no false alarm among the "
                f"{int(smallest)} non-members of a fold: the TPR is given at 0. It "
                f"needs {min_nonmembers_for_fpr(fpr)} of them; pass larger fprs or "
                "use fewer folds."
            )


def _fold_scores(attack, model, X, y, ids, train, test, random_state, fit_params):
    """Scores of the two balanced sides of one fold."""
    classes = check_target(model)
    kept = nonmember_rows(ids[test], ids[train], y[test], classes)
    picked_members, picked = balanced_rows(len(train), len(kept), None, random_state)
    members, nonmembers = train[picked_members], test[kept[picked]]
    sides = np.concatenate([members, nonmembers])
    is_member = np.arange(len(sides)) < len(members)
    if not has_shadows(attack):
        sides_X = take(X, sides)
        return membership_scores(attack, model, sides_X, y[sides], is_member), is_member
    # All records in their own order, so that each fold asks for the same shadows.
    pool = np.flatnonzero(np.isin(y, classes))
    scores = membership_scores(
        attack,
        model,
        take(X, pool),
        y[pool],
        is_member,
        _check_method_params(X, fit_params, indices=pool),
    )
    return scores[np.searchsorted(pool, sides)], is_member
