"""From the scores of all attacks to a report."""

import datetime
import warnings
from functools import partial
from numbers import Integral

import numpy as np
import scipy
import scipy.sparse as sp
import sklearn
from sklearn.exceptions import ConvergenceWarning

from sklearn_mia.auditing import (
    _circumstances,
    _evaluation,
    _findings,
    _slices,
    _verdict,
)
from sklearn_mia.auditing._blind import blind_auc, blind_table
from sklearn_mia.auditing._judging import (
    HEADLINE_SHARE,
    SLICE_SHARE,
    SWAPPED_SHARE,
    confidence_of,
    judge_limits,
    outcomes_of,
)
from sklearn_mia.auditing._multiplicity import MembershipPermuter, max_statistic_test
from sklearn_mia.auditing._report import SCHEMA, SCHEMA_VERSION, AuditReport
from sklearn_mia.auditing._run import judged_rows
from sklearn_mia.base._evidence import shadows_without_class
from sklearn_mia.base._with_shadows import BaseShadowAttack
from sklearn_mia.metrics import (
    EpsilonBound,
    epsilon_lower_bound,
)
from sklearn_mia.signals import loss
from sklearn_mia.tables import (
    as_numbers,
    column_names,
    columns_of,
    is_frame,
)

_ORDER = "record order"
_DECIMALS = 6


def _shadow_evidence(scored):
    """What shadows say, of the first attack whose shadows gave probabilities."""
    attacks = [s.fitted for s in scored.values() if s.used is None]
    shadowed = [a for a in attacks if isinstance(a, BaseShadowAttack)]
    found = [e for a in shadowed if (e := a.shadow_evidence()) is not None]
    with_answers = (e for e in found if e.log_proba is not None)
    return next(with_answers, found[0] if found else None)


def _regime(evidence, case, log_proba, response):
    """How like the target the shadows are; see `_circumstances.check_regime`."""
    if evidence is None or evidence.log_proba is None or evidence.response != response:
        return None
    members, even = evidence.members, np.log(0.5)
    right = evidence.log_proba > even
    inside = np.array([r[m].mean() for r, m in zip(right, members, strict=True)])
    outside = np.array([r[~m].mean() for r, m in zip(right, members, strict=True)])
    target = loss(log_proba, case.codes) > even
    return {
        "target_size": int(case.is_member.sum()),
        "shadow_size": float(members.sum(axis=1).mean()),
        "thin": evidence.thin,
        "target_members": float(target[case.is_member].mean()),
        "target_nonmembers": float(target[~case.is_member].mean()),
        "shadow_in": float(inside.mean()),
        "shadow_in_sd": float(inside.std(ddof=1)),
        "shadow_out": float(outside.mean()),
        "shadow_out_sd": float(outside.std(ddof=1)),
    }


def _lost_classes(evidence, case):
    if evidence is None or evidence.log_proba is None:
        return {}
    classes = case.classes.tolist()
    n_without = shadows_without_class(evidence.log_proba, case.codes, len(classes))
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
    evidence,
    checks,
    *,
    fprs,
    confidence,
    blind,
    response,
    log_proba,
    right,
    permuter,
    alpha_swapped,
    seed,
    fitted_before,
    model,
    response_asked=False,
    normalised=False,
):
    """Run every check.

    Returns
    -------
    findings : list of Finding
    """
    is_member = case.is_member
    n1, n0 = int(is_member.sum()), int((~is_member).sum())

    def ties(scored):
        rows = judged_rows(scored)
        return scored.scores[rows], is_member[rows]

    wanted = {
        "members and non-members differ without the model": lambda: (
            _findings.check_blind(blind)
        ),
        "equal records on both sides": lambda: _findings.check_duplicates(
            case.content_ids, is_member
        ),
        "groups on both sides": lambda: _findings.check_groups(case.groups, is_member),
        **{
            f"tied scores of {name}": lambda name=name, s=s: _findings.check_ties(
                name, *ties(s)
            )
            for name, s in scored.items()
        },
        "false-positive rates that are not resolvable": lambda: (
            _findings.check_resolution(n0, fprs, confidence)
        ),
        "shadow models unlike the target": lambda: _circumstances.check_regime(
            _regime(evidence, case, log_proba, response)
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
        "sides of unequal size": lambda: _findings.check_balance(n1, n0),
        "attacks chosen on the records": lambda: _circumstances.check_choice(
            fitted_before
        ),
        "swapped sides": lambda: _findings.check_swapped(
            right,
            -loss(log_proba, case.codes),
            is_member,
            permuter,
            alpha=alpha_swapped,
            seed=seed,
        ),
        "a model without probabilities": lambda: _circumstances.check_response(
            "one_against_rest" if normalised else response,
            model,
            asked=response_asked,
        ),
        "records that come in groups": lambda: _findings.check_units(
            case.units, case.groups is not None
        ),
    }
    found = [checks.run(what, check) for what, check in wanted.items()]
    return [finding for finding in found if finding is not None]


def _columns_as_numbers(case):
    """Columns of a table by name, none of a sparse one; the order of the records."""
    features, columns = case.features, {}
    if features is not None and not sp.issparse(features):
        prefix = "" if is_frame(features) else "column "
        names = (f"{prefix}{name}" for name in column_names(features))
        columns = dict(zip(names, map(as_numbers, columns_of(features)), strict=True))
    return columns if case.order is None else columns | {_ORDER: case.order}


def _by_severity(findings):
    order = {s: i for i, s in enumerate(_findings.SEVERITIES)}
    return sorted(findings, key=lambda f: (order[f.severity], f.code))


def _difficulty(evidence, losses):
    """Loss of models that did not train on a record.

    Groups of records must not depend on what the audited model learned of them, so
    the shadow models are asked, if there are any.
    """
    if evidence is None or evidence.log_proba is None:
        return losses
    out = ~evidence.members & np.isfinite(evidence.log_proba)
    total = np.where(out, -evidence.log_proba, 0.0).sum(axis=0)
    count = out.sum(axis=0)
    spare = total.sum() / max(count.sum(), 1)
    return np.divide(total, count, out=np.full(len(count), spare), where=count > 0)


def _slicings(slices, case, difficulty):
    slicings = {}
    for name in slices:
        if isinstance(name, str) and name == "class":
            slicings["class"] = _slices.slice_groups(
                np.array([str(v) for v in case.labels.tolist()])
            )
        elif isinstance(name, str) and name == "loss":
            slicings["loss"] = _slices.loss_groups(difficulty)
        else:
            slicings[str(name)] = _slices.slice_groups(slice_column(case, name))
    return slicings


def slice_column(case, name):
    """Values of one feature column, by name or position."""
    features = case.features
    if is_frame(features) and name in features.columns:
        return features[name]
    if (
        not is_frame(features)
        and not sp.issparse(features)
        and isinstance(name, Integral)
        and not isinstance(name, bool)
        and 0 <= name < features.shape[1]
    ):
        return features[:, name]
    known = (
        f"columns {list(features.columns)!r}"
        if is_frame(features)
        else f"column positions 0 to {features.shape[1] - 1}"
    )
    raise ValueError(
        f"slices holds {name!r}; expected 'class', 'loss' or one of the {known}."
    )


def build_report(
    case,
    scored,
    settings,
    *,
    model_content,
    log_proba,
    right,
    response=None,
    normalised=False,
    fitted_before=(),
    extra_findings=(),
    sources=None,
    n_dropped=0,
):
    """Evaluate the scores of all attacks and put the report together.

    Parameters
    ----------
    case : Case

    scored : dict
        Name mapped to a `Scored`.

    settings : Settings

    model_content : dict
        "name" and what else is to be shown.

    log_proba : ndarray of shape (n_records, n_classes)
        What the model answered.

    right : ndarray of shape (n_records,), dtype bool
        Whether the model is right about each record.

    response : str or None, default=None

    normalised : bool, default=False
        Whether the probabilities of a record had to be divided by their sum.

    fitted_before : list of str, default=()

    extra_findings : list of Finding, default=()

    sources : dict or None, default=None
        Names of the files audited.

    n_dropped : int, default=0
        Records left out before.

    Returns
    -------
    report : AuditReport
    """
    seed = settings.seed
    confidence = confidence_of(HEADLINE_SHARE, settings.confidence)
    slice_confidence = confidence_of(SLICE_SHARE, settings.confidence)
    is_member = case.is_member
    n_sides = int(is_member.sum()), int((~is_member).sum())
    accuracy = tuple(float(right[side].mean()) for side in (is_member, ~is_member))
    scores = {name: s.scores for name, s in scored.items()}
    used = {name: s.used for name, s in scored.items()}
    permuter = _permuter(case, used)
    labels, statistics = _evaluation.headline_statistics(
        scores,
        used,
        {n: int((~is_member[judged_rows(s)]).sum()) for n, s in scored.items()},
    )
    correction = max_statistic_test(
        statistics,
        is_member,
        permuter,
        n_permutations=settings.n_permutations,
        confidence=confidence,
        seed=seed,
    )
    checks = _circumstances.Checks(case)
    # The strongest of several attacks is quoted: intervals hold for all together.
    level = 1 - (1 - confidence) / len(scored)
    attacks = _attack_rows(
        scored, is_member, settings, level, labels, correction, checks
    )
    p_value = min(row["p_corrected"] for row in attacks)
    leak = p_value <= 1 - confidence
    most_reversed = min(
        attacks, key=lambda row: row["p_corrected_by_metric"]["reversed"]
    )
    power = _evaluation.what_would_be_seen(correction, labels, *n_sides)
    blind = checks.run(
        "the sides without the model", _blind, case, settings.confidence, seed
    )
    evidence = checks.run("what shadow models say", _shadow_evidence, scored)
    findings = collect_findings(
        case,
        scored,
        evidence,
        checks,
        fprs=settings.fprs,
        confidence=level,
        blind=blind,
        response=response,
        log_proba=log_proba,
        right=right,
        permuter=permuter,
        alpha_swapped=1 - confidence_of(SWAPPED_SHARE, settings.confidence),
        seed=seed + 2,
        fitted_before=fitted_before,
        model=model_content["name"],
        response_asked=settings.response_method != "auto",
        normalised=normalised,
    )

    def sliced():
        difficulty = _difficulty(evidence, -loss(log_proba, case.codes))
        return _slices.evaluate_slices(
            _slicings(settings.slices, case, difficulty),
            scores,
            used,
            is_member,
            permuter,
            min_size=settings.min_slice_size,
            confidence=slice_confidence,
            limit=auc_limit,
            n_permutations=settings.n_permutations,
            seed=seed + 1,
        )

    auc_limit = next((v for k, _, v in settings.limits if k == "auc"), None)
    slices = checks.run("slices", sliced, default=[])
    worst = _slices.worst_slice(slices, 1 - slice_confidence)
    of_numbers = [
        checks.run(
            "reversed rankings",
            _findings.check_reversed,
            most_reversed,
            1 - confidence,
            leak,
            accuracy,
        ),
        checks.run(
            "reversed rankings of groups",
            _findings.check_reversed_slice,
            _slices.most_reversed_slice(slices),
            leak,
        ),
        checks.run("the worst group", _findings.check_worst_slice, worst),
    ]
    findings += [finding for finding in of_numbers if finding is not None]
    records = top_records = None
    if settings.per_record:
        records = checks.run("single records", _record_columns, case, scored)
    if records is not None:
        top_records = checks.run("the most exposed records", _top_records, records)
    findings = _by_severity([*findings, *extra_findings, *checks.failed])
    auc_of = {row["name"]: row["auc"] for row in attacks}.get

    def rate_of(name, fpr):
        rows = judged_rows(scored[name])
        sides, judged = is_member[rows], scores[name][rows]
        return _evaluation.tpr_row(sides, judged, fpr, level, seed=seed)

    lead = attacks[0]["name"]
    headline = {
        "attack": lead,
        "n_attacks": len(scored),
        "n_nonmembers": attacks[0]["n_nonmembers"],
        "auc": auc_of(lead),
        "rate": rate_of(lead, _evaluation.HEADLINE_FPR),
    }
    judged = judge_limits(settings.limits, list(scored), auc_of, rate_of)
    content = {
        "schema": SCHEMA,
        "schema_version": SCHEMA_VERSION,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "versions": _versions(),
        "model": model_content,
        "sources": sources or {},
        "data": {
            "n_members": n_sides[0],
            "n_nonmembers": n_sides[1],
            "n_features": None if case.features is None else case.features.shape[1],
            "n_distinct": int(case.units.max() + 1),
            "label_column": case.label_name,
            "classes": [str(c) for c in case.classes.tolist()],
            "accuracy_members": accuracy[0],
            "accuracy_nonmembers": accuracy[1],
            "n_dropped": n_dropped,
        },
        "settings": settings.told(),
        "verdict": _verdict.state_verdict(
            {"p_value": p_value, "confidence": confidence},
            judged,
            power,
            [f for f in findings if f.severity == "critical"],
            headline,
            model_content["name"],
            worst_slice=worst,
            slice_outcomes=outcomes_of(slices),
            codes=[finding.code for finding in findings],
        ),
        "headline": headline,
        "limits": judged,
        "attacks": attacks,
        "correction": {
            "method": "permutation of the largest studentised statistic: AUC, AUC of "
            f"the reversed ranking and TPR at FPR={_evaluation.HEADLINE_FPR:g} of "
            "every attack",
            "p_value": p_value,
            "p_reversed": most_reversed["p_corrected_by_metric"]["reversed"],
            "confidence": confidence,
            "slice_confidence": slice_confidence,
            "n_permutations": correction.n_permutations,
            "n_statistics": len(labels),
        },
        "power": power,
        "blind": blind,
        "slices": slices,
        "findings": [vars(f) for f in findings],
        "top_records": top_records,
        "baseline": None,
    }
    return AuditReport(content, records)


def _permuter(case, used):
    """Permutations that respect groups, duplicates and the halves of learners."""
    half = next((u for u in used.values() if u is not None), None)
    return MembershipPermuter(
        case.is_member,
        case.units,
        blocks=None if half is None else half.astype(int),
        by_size=case.groups is None,
    )


def _attack_rows(scored, is_member, settings, level, labels, correction, checks):
    """The numbers of each attack, strongest first."""
    rows = []
    for name, result in scored.items():
        judged = judged_rows(result)
        own = [i for i, (attack, _) in enumerate(labels) if attack == name]
        p_values = {labels[i][1]: float(correction.adjusted[i]) for i in own}
        row = {
            "name": name,
            "description": result.description,
            "p_corrected": min(v for k, v in p_values.items() if k != "reversed"),
            "p_corrected_by_metric": p_values,
            "note": ""
            if result.used is None
            else "learned from the membership of a random half of the records; judged "
            "on the other half",
        }
        row |= _evaluation.evaluate_scores(
            is_member[judged],
            result.scores[judged],
            fprs=settings.fprs,
            confidence=level,
            prior=settings.prior,
            inclusion_probability=settings.inclusion_probability,
            seed=settings.seed,
            bounded=partial(
                checks.run,
                f"epsilon by {name}",
                epsilon_lower_bound,
                default=_no_bound(level),
            ),
        )
        strength = max(
            correction.studentised[i] for i in own if labels[i][1] != "reversed"
        )
        rows.append((strength, row))
    return [row for _, row in sorted(rows, key=lambda pair: -pair[0])]


def _no_bound(confidence):
    """Stands where epsilon could not be bounded: 0, which is always true."""
    return EpsilonBound(0.0, 0.0, confidence, "none", "Epsilon was not bounded.")


def _blind(case, confidence, seed):
    if case.features is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return blind_auc(
            blind_table(case.features, case.codes),
            case.is_member,
            case.units,
            grouped=case.groups is not None,
            confidence=confidence,
            seed=seed,
        )


def _versions():
    from sklearn_mia import __version__

    return {
        "sklearn_mia": __version__,
        "scikit-learn": sklearn.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
    }


def _record_columns(case, scored):
    columns = {
        "id": case.ids,
        "member": case.is_member,
        "class": case.labels,
    }
    exposures = []
    for name, result in scored.items():
        columns[f"score_{name}"] = result.scores
        percentile = _evaluation.percentiles(result.scores, case.is_member)
        columns[f"percentile_{name}"] = percentile.round(_DECIMALS)
        exposures.append(_evaluation.exposure(result.scores, case.is_member))
    risk, rank = _evaluation.consensus(np.array(exposures))
    return columns | {"risk": risk.round(_DECIMALS), "risk_rank": rank}


def _top_records(records, n_most=25):
    """The members most exposed, for the page."""
    members = np.flatnonzero(records["member"])
    order = members[np.argsort(records["risk_rank"][members], kind="stable")]
    return [
        {name: column[i] for name, column in records.items()} for i in order[:n_most]
    ]
