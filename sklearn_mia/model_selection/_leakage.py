"""One measurement of leakage: two balanced sides, an attack, a number."""

import inspect

import numpy as np
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.utils import get_tags

from sklearn_mia._warn import warn
from sklearn_mia.auditing._defaults import strongest_attack
from sklearn_mia.metrics import membership_advantage_score, roc_auc_interval
from sklearn_mia.metrics._rates import resolved_tpr_at_fpr_score
from sklearn_mia.records import as_records, free_name
from sklearn_mia.shadows import root_seed
from sklearn_mia.tables import take

METRICS = {
    "advantage": membership_advantage_score,
    "roc_auc": roc_auc_score,
    "tpr_at_fpr": resolved_tpr_at_fpr_score,
}

_ODD_DUPLICATES = 0.1
_N_FOLDS = 5
# A search looks dozens of times.
_REVERSED_LEVEL = 1e-4


def check_attack(attack):
    """Check the attack that the user gave.

    Parameters
    ----------
    attack : "auto" or attack instance
        Without a target.

    Returns
    -------
    attack : "auto" or attack instance
    """
    if isinstance(attack, str) and attack == "auto":
        return attack
    if inspect.isclass(attack) or not hasattr(attack, "score_samples"):
        raise TypeError(
            f"attack must be 'auto' or an attack without a target, got {attack!r}. "
            "Pass an instance, for example RMIA(n_shadows=8, random_state=0)."
        )
    params = attack.get_params(deep=False)
    if "target_estimator" not in params:
        raise TypeError(
            f"attack must have the parameter target_estimator, which "
            f"{attack.__class__.__name__} lacks. Pass an attack of sklearn_mia."
        )
    if params["target_estimator"] is not None:
        raise ValueError(
            f"attack={attack!r} already has a target, but every fold and candidate is "
            "a target of its own. Leave target_estimator out."
        )
    column = params.get("label_column", "auto")
    if column is not None and not (isinstance(column, str) and column == "auto"):
        raise ValueError(
            f"attack has label_column={column!r}, but here X and y are separate. "
            "Expected 'auto', or None for an attack that must not see the label."
        )
    return attack


def attack_for(attack, model, random_state):
    """The attack on one candidate.

    Parameters
    ----------
    attack : "auto" or attack instance
        From :func:`check_attack`.

    model : fitted classifier

    random_state : int, RandomState instance or None
        Seeds the shadows of "auto".

    Returns
    -------
    attack : attack instance
    """
    if not isinstance(attack, str):
        return attack
    seed = root_seed(random_state) % 2**31
    return strongest_attack(model, random_state=seed).set_params(target_estimator=None)


def is_reversed(is_member, scores):
    """Tell whether an attack clearly ranks the non-members above the members.

    Without a leak it does so once in ten thousand measurements.

    Parameters
    ----------
    is_member : ndarray of shape (n_records,), dtype bool

    scores : ndarray of shape (n_records,)

    Returns
    -------
    reversed : bool
        After a warning.
    """
    interval = roc_auc_interval(is_member, scores, confidence=1 - 2 * _REVERSED_LEVEL)
    if interval.high is None or interval.high >= 0.5:
        return False
    warn(
        "The attack ranks the non-members above the members, AUC "
        f"{interval.estimate:.3f} ({interval.low:.3f} to {interval.high:.3f}): the "
        "sides are exchanged, or differ in more than training. Leakage cannot be told "
        "and is NaN. Look at where the two sides come from."
    )
    return True


def has_shadows(attack):
    """Tell whether an attack trains shadow models."""
    params = attack.get_params(deep=False)
    return "shadow_estimator" in params and params.get("n_shadows", 1) != 0


def balanced_rows(n_members, n_nonmembers, max_samples, random_state):
    """Sample the larger side down to the size of the smaller, both to `max_samples`.

    Parameters
    ----------
    n_members, n_nonmembers : int

    max_samples : int or None

    random_state : int, RandomState instance or None
        The same seed and sizes give the same rows, for every candidate of a search.

    Returns
    -------
    members, nonmembers : ndarray of the same shape (n,)
        Positions on each side, ascending.
    """
    size = min(n_members, n_nonmembers)
    if max_samples is not None:
        size = min(size, max_samples)
    generator = np.random.default_rng(root_seed(random_state))
    sides = []
    for n in (n_members, n_nonmembers):
        rows = np.arange(n)
        if n > size:
            rows = np.sort(generator.choice(n, size, replace=False))
        sides.append(rows)
    return tuple(sides)


def nonmember_rows(ids, training_ids, labels, classes):
    """Rows of a test set that can stand for non-members.

    Parameters
    ----------
    ids : ndarray of shape (n_records,)
        Identities of the test records.

    training_ids : ndarray of shape (n_training_records,)

    labels : ndarray of shape (n_records,)

    classes : ndarray of shape (n_classes,) or None
        What the model knows; None of a regressor.

    Returns
    -------
    rows : ndarray of shape (n_nonmembers,)
        Without the copies of training records and without unknown classes.
    """
    n_records = len(ids)
    copies = np.isin(ids, training_ids)
    n_copies = int(copies.sum())
    unknown = np.zeros(n_records, dtype=bool)
    if classes is not None:
        unknown = ~copies & ~np.isin(labels, classes)
    rows = np.flatnonzero(~copies & ~unknown)
    if len(rows) == 0:
        raise ValueError(
            f"No non-members: of {n_records} records, {n_copies} are training records "
            f"of this model and {int(unknown.sum())} have a class that it does not "
            "know. Leakage needs records that the model was not trained on: pass a "
            "test set, and return_train_score=False to a search."
        )
    if n_copies > _ODD_DUPLICATES * n_records:
        warn(
            f"{n_copies} of {n_records} test records equal a training record. They "
            "are members and left out of the non-members."
        )
    if unknown.any():
        warn(
            f"{int(unknown.sum())} of {n_records} test records have a class that the "
            "model was not trained on and are left out of the non-members. Use "
            "stratified folds, or drop the rarest classes."
        )
    return rows


def join_records(X, y):
    """Records of X and y under a label name that no column has.

    Parameters
    ----------
    X : {ndarray, sparse matrix, DataFrame} of shape (n_records, n_features)

    y : ndarray of shape (n_records,)

    Returns
    -------
    records : same container as X
    """
    return as_records(X, y, label_name=free_name(X, "label"))


def membership_scores(attack, target, X, y, is_member, groups=None, fit_params=None):
    """Scores of an attack for the records that it is fitted on.

    An attack that learns from membership is cross-fitted: each record is scored by
    one that did not see it, nor any of its group.

    Parameters
    ----------
    attack : attack instance
        From :func:`check_attack`; cloned.

    target : fitted classifier

    X, y : features and labels of the pool

    is_member : ndarray of shape (n_records,), dtype bool

    groups : ndarray of shape (n_records,) or None, default=None
        Codes.

    fit_params : dict or None, default=None
        For the `fit` of an attack with shadows.

    Returns
    -------
    scores : ndarray of shape (n_records,)
        Higher = more likely a member.

    ratios : ndarray of shape (n_records,) or None
        On the scale on which those of a group add up, if there are groups.
    """
    attack = clone(attack).set_params(target_estimator=target)
    records = X if attack.label_column is None else join_records(X, y)
    grouped = groups is not None
    if not get_tags(attack).target_tags.required:
        by_group = {"groups": groups} if grouped else {}
        scores = attack.fit_score(records, **by_group, **(fit_params or {}))
        return scores, attack._log_ratios(scores) if grouped else None
    scores = np.empty(len(is_member))
    ratios = np.empty(len(is_member)) if grouped else None
    for train, test in _folds(attack, is_member, groups):
        by_group = {"groups": groups[train]} if grouped else {}
        attack.fit(take(records, train), is_member[train], **by_group)
        scores[test] = attack.score_samples(take(records, test))
        if grouped:
            ratios[test] = attack._log_ratios(scores[test])
    return scores, ratios


def _folds(attack, is_member, groups):
    """Folds of both sides for an attack that learns, of whole groups if there are."""
    units = np.arange(len(is_member)) if groups is None else groups
    _, first, units = np.unique(units, return_index=True, return_inverse=True)
    of_units = is_member[first]
    counts = int(of_units.sum()), int((~of_units).sum())
    n_folds = min(_N_FOLDS, *counts)
    if n_folds < 2:
        raise ValueError(
            f"{attack.__class__.__name__} learns from known membership and needs at "
            f"least 2 members and 2 non-members, got {counts[0]} and {counts[1]}."
        )
    folds = StratifiedKFold(n_folds, shuffle=True, random_state=0)
    for train, test in folds.split(of_units, of_units):
        yield tuple(np.flatnonzero(np.isin(units, side)) for side in (train, test))
