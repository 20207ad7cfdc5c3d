"""All checks of an audit, run one by one."""

import numpy as np
import scipy.sparse as sp

from sklearn_mia.auditing import _circumstances, _findings
from sklearn_mia.auditing._judging import SWAPPED_SHARE, confidence_of
from sklearn_mia.auditing._service import columns_in_doubt
from sklearn_mia.auditing._subjects import record_permuter
from sklearn_mia.base._evidence import shadows_without_class
from sklearn_mia.base._with_shadows import BaseShadowAttack
from sklearn_mia.columns import dropped_columns
from sklearn_mia.items import lengths_of
from sklearn_mia.tables import as_numbers, column_names, columns_of, is_frame

_ORDER = "record order"


def what_shadows_say(scored):
    """What shadows say, of the first attack whose shadows gave probabilities."""
    shadowed = [
        s
        for s in scored.values()
        if s.used is None and isinstance(s.fitted, BaseShadowAttack)
    ]
    told = ((s.fitted.shadow_evidence(), s.rows) for s in shadowed)
    found = [e if rows is None else e.of(rows) for e, rows in told if e is not None]
    with_answers = (e for e in found if e.log_proba is not None)
    return next(with_answers, found[0] if found else None)


def _regime(evidence, case, quality, response):
    """How like the target the shadows are; see `_circumstances.check_regime`."""
    if evidence is None or evidence.log_proba is None:
        return None
    members, even = evidence.members, np.log(0.5)
    sizes = {
        "target_size": int(case.is_member.sum()),
        "shadow_size": float(members.sum(axis=1).mean()),
        "thin": evidence.thin,
    }
    if case.classes is None:
        return sizes
    if evidence.response != response:
        return None
    right = evidence.log_proba > even
    inside = np.array([r[m].mean() for r, m in zip(right, members, strict=True)])
    outside = np.array([r[~m].mean() for r, m in zip(right, members, strict=True)])
    target = -quality.losses > even
    return sizes | {
        "target_members": float(target[case.is_member].mean()),
        "target_nonmembers": float(target[~case.is_member].mean()),
        "shadow_in": float(inside.mean()),
        "shadow_in_sd": float(inside.std(ddof=1)),
        "shadow_out": float(outside.mean()),
        "shadow_out_sd": float(outside.std(ddof=1)),
    }


def _lost_classes(evidence, case):
    if evidence is None or evidence.log_proba is None or case.classes is None:
        return {}
    classes = case.classes.tolist()
    n_without = shadows_without_class(evidence.log_proba, case.codes, case.classes)
    return {
        str(label): n for label, n in zip(classes, n_without.tolist(), strict=True) if n
    }


def _unscored(scored):
    """Records without a score by attack: for want of shadows, and of itself."""
    by_shadows, by_itself = {}, {}
    for name, s in scored.items():
        if s.n_unscored:
            lost = getattr(s.fitted, "_loses_classes", False)
            (by_shadows if lost else by_itself)[name] = s.n_unscored
    return by_shadows, by_itself


def collect_findings(
    case,
    scored,
    subjects,
    evidence,
    checks,
    *,
    settings,
    confidence,
    blind,
    response,
    quality,
    fitted_before,
    model,
    target,
    normalised,
    nouns,
):
    """Run every check.

    Returns
    -------
    findings : list of Finding
    """
    is_member = case.is_member
    wanted = {
        "members and non-members differ without the model": lambda: (
            _findings.check_blind(blind, drop_shared=settings.drop_shared)
        ),
        "equal records on both sides": lambda: _findings.check_duplicates(
            case.content_ids, is_member
        ),
        "groups on both sides": lambda: _findings.check_groups(
            case.groups, is_member, nouns
        ),
        **{
            f"tied scores of {name}": lambda name=name: _findings.check_ties(
                name, *subjects.rows(name), nouns=nouns
            )
            for name in scored
        },
        "false-positive rates that are not resolvable": lambda: (
            _findings.check_resolution(
                subjects.sides[1], settings.fprs, confidence, nouns
            )
        ),
        "shadow models unlike the target": lambda: _circumstances.check_regime(
            _regime(evidence, case, quality, response)
        ),
        "the target among the shadow models": lambda: _circumstances.check_twins(
            None if evidence is None else evidence.members, is_member
        ),
        "classes lost in shadow models": lambda: _circumstances.check_lost_classes(
            _lost_classes(evidence, case),
            0 if evidence is None else len(evidence.members),
            *_unscored(scored),
        ),
        "columns that give membership away": lambda: _findings.check_giveaways(
            _columns_as_numbers(case), is_member, case.units
        ),
        "sides of unequal size": lambda: _findings.check_balance(
            *subjects.sides, nouns
        ),
        "values to predict far outside all others": lambda: (
            None
            if case.classes is not None
            else _circumstances.check_far_values(case.codes, is_member)
        ),
        "attacks chosen on the records": lambda: _circumstances.check_choice(
            fitted_before
        ),
        "swapped sides": lambda: _findings.check_swapped(
            quality.right,
            quality.compared,
            is_member,
            record_permuter(case),
            alpha=1 - confidence_of(SWAPPED_SHARE, settings.confidence),
            seed=settings.seed + 2,
            columns=columns_in_doubt(target, quality.right, case.codes),
        ),
        "a model without probabilities": lambda: _circumstances.check_response(
            "one_against_rest" if normalised else response,
            model,
            asked=settings.response_method != "auto",
        ),
        "keys among the features": lambda: (
            None
            if case.groups is None
            else _findings.check_used_keys(
                _used_columns(case, target), case.groups, nouns
            )
        ),
        "records of single groups": lambda: _findings.check_lopsided(
            subjects.is_member, subjects.n_records, nouns
        ),
        "keys of persons": lambda: _findings.check_keys(_unused_columns(case, target)),
        "records that come in groups": lambda: (
            _circumstances.check_units(case.units) if case.groups is None else None
        ),
    }
    found = [checks.run(what, check) for what, check in wanted.items()]
    return [finding for finding in found if finding is not None]


def _unused_columns(case, target):
    """Columns by name that the model does not use, where records count one by one."""
    if case.groups is not None:
        return {}
    return dict(case.aside) | {
        name: case.features[name].to_numpy() for name in _dropped(case, target)
    }


def _used_columns(case, target):
    """Columns of a table by name, as numbers, without those that the model drops."""
    columns, dropped = _columns_as_numbers(case, order=False), _dropped(case, target)
    return {name: v for name, v in columns.items() if name not in dropped}


def _dropped(case, target):
    """Names of the columns of a frame that the model is given and does not use."""
    if target is None or not is_frame(case.features):
        return []
    return dropped_columns(target, column_names(case.features))


def _columns_as_numbers(case, order=True):
    """Columns of a table by name, none of a sparse one; the order of the records."""
    features, columns = case.features, {}
    if features is not None and not case.has_columns:
        # No feature, and so no key of persons among them.
        lengths = {"length": lengths_of(features).astype(float)}
        columns = lengths if order else {}
    elif features is not None and not sp.issparse(features):
        prefix = "" if is_frame(features) else "column "
        names = (f"{prefix}{name}" for name in column_names(features))
        columns = dict(zip(names, map(as_numbers, columns_of(features)), strict=True))
    if case.order is None or not order:
        return columns
    return columns | {_ORDER: case.order}
