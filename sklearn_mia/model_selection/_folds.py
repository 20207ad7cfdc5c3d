"""Leakage in the folds of a cross-validation, as columns."""

import time

import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import _check_method_params, check_is_fitted

from sklearn_mia._warn import warn
from sklearn_mia.auditing._evaluation import bare_rate
from sklearn_mia.identity import record_ids
from sklearn_mia.metrics import (
    membership_advantage_score,
    min_nonmembers_for_fpr,
    resolve_rate,
)
from sklearn_mia.metrics._rates import unresolved_message
from sklearn_mia.model_selection._compared import (
    Sides,
    balanced_groups,
    compare,
    mixed_message,
)
from sklearn_mia.model_selection._leakage import (
    METRICS,
    attack_for,
    balanced_rows,
    has_shadows,
    is_reversed,
    nonmember_rows,
)
from sklearn_mia.response import check_target
from sklearn_mia.tables import take


def _completed(attack, wanted):
    """Give an attack with shadows what its user left open."""
    if not has_shadows(attack):
        return attack
    given = attack.get_params(deep=False)
    changes = {k: v for k, v in wanted.items() if k in given and given[k] is None}
    if "keep_models" in given:
        changes["keep_models"] = False  # no record is outside the pool
    return clone(attack).set_params(**changes)


def leakage_of_folds(
    attack, wanted, X, y, groups, folds, fprs, random_state, fit_params
):
    """Attack the model of each fold.

    Parameters
    ----------
    attack : "auto" or attack instance

    wanted : dict
        What an attack with shadows gets where its user left it open.

    X, y : features and labels of all folds

    groups : ndarray of shape (n_records,) or None
        Codes.

    folds : list of tuple
        Model, training rows and test rows of each.

    fprs : list of float

    random_state : int, RandomState instance or None

    fit_params : dict
        For the shadows.

    Returns
    -------
    columns : dict
        Arrays of one value a fold, by the names of `cross_validate_leakage`.
    """
    names = ["roc_auc", "advantage", *(f"tpr_at_fpr_{fpr:g}" for fpr in fprs)]
    names.append("n_members")
    if groups is not None:
        names += ["n_mixed", "of_records_roc_auc"]
        names += [f"of_records_tpr_at_fpr_{fpr:g}" for fpr in fprs]
        names += ["of_records_n_members", "of_records_n_nonmembers"]
    names.append("time")
    columns = {name: np.full(len(folds), np.nan) for name in names}
    attackers = np.full(len(folds), None, dtype=object)
    unresolved = {}
    rows = _rows_of_folds(X, y, groups, folds, random_state)
    if groups is not None:
        columns["n_mixed"][:] = [np.nan if r is None else r[2] for r in rows]
        _warn_mixed(columns["n_mixed"], int(groups.max()) + 1)
    for fold, (model, _, _) in enumerate(folds):
        if rows[fold] is None:
            continue
        start = time.perf_counter()
        own = _completed(attack_for(attack, model, random_state), wanted)
        attackers[fold] = own.__class__.__name__
        sides, given = _fold_sides(own, model, X, y, groups, rows[fold], fit_params)
        (is_member, scores), of_records = compare(own, model, sides, given)
        rates = [resolve_rate(is_member, scores, max_fpr=fpr) for fpr in fprs]
        for rate in rates:
            if not rate.resolvable:
                unresolved.setdefault(rate.max_fpr, []).append(rate)
        found = {
            "roc_auc": METRICS["roc_auc"](is_member, scores),
            "advantage": membership_advantage_score(is_member, scores),
            **_rate_columns(fprs, (r.tpr if r.resolvable else np.nan for r in rates)),
            "n_members": is_member.sum(),
            "time": time.perf_counter() - start,
        }
        if is_reversed(is_member, scores):
            of_rates = {"advantage", *_rate_columns(fprs, fprs)}
            found |= dict.fromkeys(of_rates, np.nan)
        if of_records is not None:
            found |= _of_records(*of_records, fprs)
        for name, value in found.items():
            columns[name][fold] = value
    _warn_unresolvable(fprs, columns["n_members"], groups is not None)
    for rates in unresolved.values():
        message = unresolved_message(rates[0], "fprs")
        warn(f"In {len(rates)} of {len(folds)} folds {message}")
    columns["attack"] = attackers
    return {f"leakage_{name}": column for name, column in columns.items()}


def _rate_columns(fprs, values):
    names = (f"tpr_at_fpr_{fpr:g}" for fpr in fprs)
    return dict(zip(names, values, strict=True))


def _of_records(is_member, scores, fprs):
    """What the attack does record by record, as the audit tells it."""
    rates = (bare_rate(is_member, scores, fpr)["tpr"] for fpr in fprs)
    found = {
        "roc_auc": METRICS["roc_auc"](is_member, scores),
        **_rate_columns(fprs, (np.nan if rate is None else rate for rate in rates)),
        "n_members": is_member.sum(),
        "n_nonmembers": (~is_member).sum(),
    }
    return {f"of_records_{name}": value for name, value in found.items()}


def _warn_mixed(n_mixed, n_groups):
    some = n_mixed > 0
    if some.any():
        where = f"In {int(some.sum())} of {len(n_mixed)} folds up to "
        warn(mixed_message(int(np.nanmax(n_mixed)), n_groups, where))


def _warn_unresolvable(fprs, n_nonmembers, of_groups):
    smallest = np.nanmin(n_nonmembers, initial=np.inf)
    what = "groups of non-members" if of_groups else "non-members"
    for fpr in fprs:
        if 0 < fpr < 1 / smallest:
            warn(
                f"fprs has {fpr!r}, which permits no false alarm among the "
                f"{int(smallest)} {what} of a fold: the TPR is given at 0. It "
                f"needs {min_nonmembers_for_fpr(fpr)} of them; pass larger fprs or "
                "use fewer folds."
            )


def _rows_of_folds(X, y, groups, folds, random_state):
    """The rows that are compared in each fold, and which are members.

    None for a model that could not be fitted, which `cross_validate` has told.
    """
    ids = record_ids(X, y)
    found = []
    for model, train, test in folds:
        try:
            check_is_fitted(model)
        except NotFittedError:
            found.append(None)
            continue
        kept = nonmember_rows(ids[test], ids[train], y[test], check_target(model))
        found.append(_fold_rows(train, test[kept], groups, random_state))
    return found


def _fold_rows(train, test, groups, random_state):
    if groups is None:
        members, others = balanced_rows(len(train), len(test), None, random_state)
        rows = np.concatenate([train[members], test[others]])
        return rows, np.arange(len(rows)) < len(members), 0
    is_member, usable = np.zeros((2, len(groups)), dtype=bool)
    is_member[train] = True
    usable[train] = usable[test] = True
    rows, n_mixed = balanced_groups(groups, is_member, usable, None, random_state)
    return rows, is_member[rows], n_mixed


def _fold_sides(attack, model, X, y, groups, compared, fit_params):
    """The two sides of one fold, and what shadows get in `fit`."""
    rows, is_member, _ = compared
    places = np.arange(len(rows))
    if has_shadows(attack):
        # All records in their own order, so that each fold asks for the same shadows.
        classes = check_target(model)
        known = np.isin(y, classes) if classes is not None else np.ones(len(y), bool)
        pool = np.flatnonzero(known)
        rows, places = pool, np.searchsorted(pool, rows)
    sides = Sides(take(X, rows), y[rows], places, is_member, take(groups, rows))
    if not has_shadows(attack):
        return sides, {}
    return sides, _check_method_params(X, fit_params, indices=rows)
