"""From the scores of all attacks to a report."""

import warnings
from functools import partial

from sklearn.exceptions import ConvergenceWarning

from sklearn_mia.auditing import (
    _circumstances,
    _evaluation,
    _findings,
    _partitions,
    _ranking,
    _slices,
    _verdict,
    _work,
)
from sklearn_mia.auditing._access import access_of, explanation_of
from sklearn_mia.auditing._blind import blind_auc, blind_table
from sklearn_mia.auditing._checking import collect_findings, what_shadows_say
from sklearn_mia.auditing._json import made_now
from sklearn_mia.auditing._judging import (
    DIFFERENCE_SHARE,
    HEADLINE_SHARE,
    SLICE_SHARE,
    confidence_of,
    judge_limits,
)
from sklearn_mia.auditing._multiplicity import max_statistic_test
from sklearn_mia.auditing._next_steps import next_steps
from sklearn_mia.auditing._nouns import nouns_of
from sklearn_mia.auditing._percent import in_percent
from sklearn_mia.auditing._provenance import provenance_of
from sklearn_mia.auditing._quality import sides_in_words
from sklearn_mia.auditing._report import AuditReport
from sklearn_mia.auditing._run import Scored, judged_rows, most_shadows, record_rows
from sklearn_mia.auditing._stored import (
    held_figures,
    rounded_figures,
    stripped_figures,
    what_is_stored,
)
from sklearn_mia.auditing._subjects import subjects_of
from sklearn_mia.groups import centred_scores, rates_by_size
from sklearn_mia.memory import kept
from sklearn_mia.metrics import (
    EpsilonBound,
    epsilon_lower_bound,
    roc_auc_interval,
    threshold_at_fpr,
)
from sklearn_mia.progress import stage
from sklearn_mia.risk import risky_settings

# Each takes as long as the whole test of the headline, and these are enough for the
# share of the error that differences have.
_MOST_DIFFERENCES = 199
_BY_RECORD = " by record"


def _by_severity(findings):
    order = {s: i for i, s in enumerate(_findings.SEVERITIES)}
    return sorted(findings, key=lambda f: (order[f.severity], f.code))


def build_report(
    case,
    scored,
    settings,
    *,
    model=None,
    model_content,
    quality,
    accesses=("interface",),
    file_failed="",
    response=None,
    normalised=False,
    fitted_before=(),
    extra_findings=(),
    provenance=None,
    n_dropped=0,
):
    """Evaluate the scores of all attacks and put the report together.

    Parameters
    ----------
    case : Case

    scored : dict
        Name mapped to a `Scored`.

    settings : Settings

    model : classifier or None, default=None

    model_content : dict
        "name" and what else is to be shown.

    quality : Quality
        How well the model does.

    accesses : sequence of str, default=("interface",)
        What a verdict is told on, from the weaker to the stronger.

    file_failed : str, default=""
        The error of the attack on the file, if it failed.

    response : str or None, default=None

    normalised : bool, default=False
        Whether the probabilities of a record had to be divided by their sum.

    fitted_before : list of str, default=()

    extra_findings : list of Finding, default=()

    provenance : dict or None, default=None
        From :func:`~sklearn_mia.auditing._provenance.provenance_of`.

    n_dropped : int, default=0
        Records left out before.

    Returns
    -------
    report : AuditReport
    """
    seed = settings.seed
    nouns = nouns_of(None if case.groups is None else settings.group_name, case.kind)
    confidence = confidence_of(HEADLINE_SHARE, settings.confidence)
    with_rates = any(fpr is not None for _, fpr, _ in settings.slice_limits)
    slice_confidence = confidence_of(
        SLICE_SHARE / 2 if with_rates else SLICE_SHARE, settings.confidence
    )
    subjects = subjects_of(case, scored)
    n_sides = subjects.sides
    stage(_work.PERMUTATIONS)
    labels, statistics = _evaluation.headline_statistics(subjects, list(scored))
    correction = max_statistic_test(
        statistics,
        subjects.is_member,
        subjects.permuter,
        n_permutations=settings.n_permutations,
        confidence=confidence,
        seed=seed,
    )
    checks = _circumstances.Checks(case)
    # The strongest of several attacks is quoted: intervals hold for all together.
    level = 1 - (1 - confidence) / len(scored)
    attacks = _attack_rows(
        case, scored, subjects, settings, level, labels, correction, checks
    )
    p_value = min(row["p_corrected"] for row in attacks)
    leak = p_value <= 1 - confidence
    held = {name: access_of(result.fitted) for name, result in scored.items()}
    names_of = {
        access: [n for n in held if access == "file" or held[n] == access]
        for access in accesses
    }
    most_reversed = min(
        attacks, key=lambda row: row["p_corrected_by_metric"]["reversed"]
    )
    power = _evaluation.what_would_be_seen(correction, labels, *n_sides)
    stage(_work.BLIND)
    blind = checks.run(
        "the sides without the model", _blind, case, settings.confidence, seed
    )
    stage(_work.CHECKS)
    evidence = checks.run("what shadow models say", what_shadows_say, scored)
    findings = collect_findings(
        case,
        scored,
        subjects,
        evidence,
        checks,
        settings=settings,
        confidence=level,
        blind=blind,
        response=response,
        quality=quality,
        fitted_before=fitted_before,
        model=model_content["name"],
        target=model,
        normalised=normalised,
        nouns=nouns,
    )
    on_file = next((s.fitted for n, s in scored.items() if held[n] == "file"), None)
    if "file" in accesses:
        findings += _of_file(on_file, case, model_content["name"], file_failed)
    lead = attacks[0]["name"]

    def sliced():
        difficulty = _partitions.difficulty_of(evidence, quality.losses)
        slicings = _partitions.slicings_of(settings.slices, case, difficulty)
        stage(_work.SLICES)
        by_access = _slices.evaluate_slices(
            slicings,
            subjects,
            names_of,
            min_size=settings.min_slice_size,
            confidence=slice_confidence,
            limits=settings.slice_limits,
            nouns=nouns,
            n_permutations=settings.n_permutations,
            seed=seed + 1,
        )
        stage(_work.DIFFERENCES)
        differences = _slices.slice_differences(
            *subjects.sliced(slicings, lead),
            min_size=settings.min_slice_size,
            confidence=confidence_of(DIFFERENCE_SHARE, settings.confidence),
            nouns=nouns,
            n_permutations=min(settings.n_permutations, _MOST_DIFFERENCES),
            seed=seed + 3,
        )
        for rows in by_access.values():
            for row, difference in zip(rows, differences, strict=True):
                row["difference"] = difference
        return by_access

    slices = checks.run("slices", sliced, default={a: [] for a in accesses})
    # Who has the file can ask the model, too: no verdict is worse than that on it.
    widest = accesses[-1]
    worst = {
        access: _slices.worst_slice(
            rows,
            1 - slice_confidence,
            [row for row in attacks if row["name"] in names_of[access]],
        )
        for access, rows in slices.items()
    }
    of_numbers = [
        checks.run(
            "reversed rankings",
            _findings.check_reversed,
            most_reversed,
            1 - confidence,
            leak,
            sides_in_words(quality.told, shown=in_percent),
            nouns,
        ),
        checks.run(
            "reversed rankings of groups",
            _findings.check_reversed_slice,
            _slices.most_reversed_slice(slices[widest]),
            leak,
            nouns,
        ),
        checks.run(
            "the worst group", _findings.check_worst_slice, worst[widest], nouns
        ),
    ]
    findings += [finding for finding in of_numbers if finding is not None]
    sizes = None
    if case.groups is not None:
        sizes = checks.run(
            f"{nouns.many} by their number of records", _sizes, subjects, lead
        )
    stored = None
    if "file" in accesses:
        stage(_work.STORED)
        stored = checks.run(
            "what the file stores", _stored, model, on_file, case, settings
        )
    stage(_work.WRITING)
    records = groups = None
    if settings.per_record:
        records = checks.run("single records", _ranking.record_columns, case, scored)
        if case.groups is not None:
            groups = checks.run(
                f"single {nouns.many}",
                _ranking.group_columns,
                subjects,
                list(scored),
            )
    risky = []
    if model is not None:
        risky = checks.run(
            "settings of the model", risky_settings, model, default=risky
        )
    labels_only = checks.run(
        "right and wrong answers", _labels_only, case, quality.right
    )
    findings = _by_severity([*findings, *extra_findings, *checks.failed])
    auc_of, rate_of = _values_to_judge(case, scored, subjects, attacks, level, seed)

    def told(access):
        """What is said of an attacker who holds this."""
        rows = [row for row in attacks if row["name"] in names_of[access]]
        strongest = rows[0]["name"]
        exposed = checks.run(
            f"the {nouns.many} that can be named",
            _ranking.exposed_told,
            subjects,
            strongest,
        )
        named = ""
        if exposed is not None and exposed["n_named"]:
            named = _ranking.named_sentence(exposed, rows[0]["n_members"], nouns)
        headline = {
            "attack": strongest,
            "n_attacks": len(rows),
            "n_nonmembers": rows[0]["n_nonmembers"],
            "auc": auc_of[strongest],
            "rate": rate_of(strongest, _evaluation.HEADLINE_FPR),
        }
        judged = judge_limits(
            settings.limits,
            [n for n in auc_of if n.removesuffix(_BY_RECORD) in names_of[access]],
            auc_of.get,
            rate_of,
        )
        tested = access == "interface" or _is_read(on_file)
        unjudged = [
            (key, fpr, value)
            for key, fpr, value in settings.slice_limits
            if key in settings.own_slice_limits and not _is_judged(key, slices[access])
        ]
        verdict = _verdict.state_verdict(
            {
                "p_value": min(row["p_corrected"] for row in rows),
                "confidence": confidence,
            },
            judged,
            power,
            [f for f in findings if f.severity == "critical"],
            headline,
            model_content["name"],
            others={
                row["name"]: (
                    row["auc"],
                    rate_of(row["name"], _evaluation.HEADLINE_FPR),
                )
                for row in rows[1:]
            },
            worst_slice=worst[access],
            slices=slices[access],
            codes=[finding.code for finding in findings],
            named=named,
            nouns=nouns,
            access=access,
            tested=tested,
            has_file_attack=on_file is not None,
            unjudged=unjudged,
            n_fewest=min(n_sides),
        )
        return {
            "access": access,
            "tested": tested and not unjudged,
            "verdict": verdict,
            "headline": headline,
            "limits": judged,
            "slices": slices[access],
            "exposed": exposed,
        }

    content = {
        **made_now(),
        "model": model_content,
        "provenance": provenance or provenance_of(),
        "data": {
            "unit": "record" if case.groups is None else "group",
            "n_members": n_sides[0],
            "n_nonmembers": n_sides[1],
            "n_mixed": subjects.n_mixed,
            "n_member_records": int(case.is_member.sum()),
            "n_nonmember_records": int((~case.is_member).sum()),
            "kind": case.kind,
            "n_features": None if not case.has_columns else case.features.shape[1],
            "n_distinct": int(case.units.max() + 1),
            "label_column": case.label_name,
            "classes": [] if case.classes is None else list(map(str, case.classes)),
            **quality.told,
            "n_dropped": n_dropped,
        },
        "nouns": nouns._asdict(),
        "settings": settings.told() | {"n_shadows": most_shadows(scored)},
        **told(widest),
        "beside": told(accesses[0]) if len(accesses) > 1 else None,
        "attacks": attacks,
        "stored": stored,
        "correction": {
            "method": "permutation of the largest studentised statistic: AUC, AUC of "
            f"the reversed ranking and TPR at FPR={_evaluation.HEADLINE_FPR:g} of "
            "every attack",
            "p_value": p_value,
            "p_reversed": most_reversed["p_corrected_by_metric"]["reversed"],
            "confidence": confidence,
            "slice_confidence": slice_confidence,
            "difference_confidence": confidence_of(
                DIFFERENCE_SHARE, settings.confidence
            ),
            "n_permutations": correction.n_permutations,
            "n_statistics": len(labels),
        },
        "power": power,
        "blind": blind,
        "sizes": sizes,
        "findings": [vars(f) for f in findings],
        "risky_settings": [vars(setting) for setting in risky],
        "labels_only": labels_only,
        "baseline": None,
    }
    return AuditReport(content | {"next_steps": next_steps(content)}, records, groups)


def _labels_only(case, right):
    """What those can tell who learn no more than whether the model is right."""
    if right is None:
        return None
    values = right.astype(float)
    result = Scored(values, None, "right or wrong", ratios=centred_scores(values))
    rows = subjects_of(case, {"right": result}).rows("right")
    return _evaluation.plain_interval(roc_auc_interval(*rows))


def _is_judged(key, slices):
    """Whether a limit of groups of records was compared with any of them."""
    outcomes = (
        j["outcome"] for row in slices for j in row["limits"] if j["limit"] == key
    )
    return any(outcome != "cannot_tell" for outcome in outcomes)


def _is_read(attack):
    """Whether an attack on the file has read all of it, with all training records."""
    if attack is None or getattr(attack, "unread_", []):
        return False
    if getattr(attack, "stopped_early_", False):
        return False
    return not getattr(attack, "n_outside_", 0.0)


def _of_file(attack, case, model, why):
    """Findings on the attack on the file."""
    unread = [model] if attack is None else getattr(attack, "unread_", [])
    found = [_circumstances.check_file_attack(unread, why)] if unread else []
    told = getattr(attack, "n_members_", None)
    n_outside = getattr(attack, "n_outside_", 0.0)
    given = int(case.is_member.sum())
    others = (
        _circumstances.check_stopped(attack),
        _circumstances.check_members_in_file(told, given, n_outside),
    )
    return found + [other for other in others if other is not None]


def _stored(model, attack, case, settings):
    """What the file stores, and what it tells someone who lacks some records."""
    stored = what_is_stored(model, attack, case)
    if stored["n_equations"] and settings.effort == "thorough":
        fpr = _evaluation.HEADLINE_FPR
        given = attack, case, fpr
        stored["held"] = held_figures(*given, seed=settings.seed)
        stored["stripped"] = stripped_figures(*given, seed=settings.seed)
        stored["rounded"] = rounded_figures(*given, seed=settings.seed)
    return stored


def _attack_rows(case, scored, subjects, settings, level, labels, correction, checks):
    """The numbers of each attack, strongest first."""
    rows = []
    for name, result in scored.items():
        own = [i for i, (attack, _) in enumerate(labels) if attack == name]
        p_values = {labels[i][1]: float(correction.adjusted[i]) for i in own}
        row = {
            "name": name,
            "description": result.description,
            "explanation": explanation_of(result.fitted),
            "p_corrected": min(v for k, v in p_values.items() if k != "reversed"),
            "p_corrected_by_metric": p_values,
            "note": ""
            if result.used is None
            else "learned from the membership of a random half of the records; judged "
            "on the other half",
            "of_records": None
            if case.groups is None
            else _of_records(case, result, settings.fprs, level),
        }
        row |= _evaluation.evaluate_scores(
            *subjects.rows(name),
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
        rows.append(row)
    order = _evaluation.strongest_first(correction, labels)
    return sorted(rows, key=lambda row: order.index(row["name"]))


def _values_to_judge(case, scored, subjects, attacks, confidence, seed):
    """What is held to the limits: each attack and, with groups, what it does by record.

    Few groups with many records hide in rates of groups. The rates by record have no
    lower end, since records of a group are no draws of their own: they can keep a limit
    from being shown, not exceed it.
    """
    auc_of = {row["name"]: row["auc"] for row in attacks}
    by_record = {}
    if case.groups is not None:
        by_record = {f"{name}{_BY_RECORD}": name for name in scored}
        for row in attacks:
            auc_of[f"{row['name']}{_BY_RECORD}"] = row["of_records"]["auc"]

    def rate_of(name, fpr):
        if name not in by_record:
            return _evaluation.tpr_row(*subjects.rows(name), fpr, confidence, seed=seed)
        rows = record_rows(case, scored[by_record[name]])
        row = _evaluation.tpr_row(*rows, fpr, confidence, seed=seed)
        row["least"] = None
        for interval in (row["tpr"], row["by_lot"]):
            if interval is not None and interval["low"] is not None:
                interval["low"] = 0.0
        return row

    return auc_of, rate_of


def _of_records(case, result, fprs, confidence):
    """What the attack does record by record, beside what it does by group.

    Records of a group are no draws of their own: the AUC has an interval by group, the
    rates have none.
    """
    is_member, scores = record_rows(case, result)
    auc = roc_auc_interval(
        is_member,
        scores,
        confidence=confidence,
        groups=case.groups[judged_rows(result)],
    )
    return {
        "n_members": int(is_member.sum()),
        "n_nonmembers": int((~is_member).sum()),
        "auc": _evaluation.plain_interval(auc),
        "tpr_at_fpr": [
            _evaluation.bare_rate(is_member, scores, max_fpr) for max_fpr in fprs
        ],
    }


def _sizes(subjects, name):
    """Rates by number of records, at the headline's threshold for all."""
    scores, used = subjects.judged(name)
    kept = slice(None) if used is None else used
    is_member, scores = subjects.is_member[kept], scores[kept]
    threshold = threshold_at_fpr(scores[~is_member], _evaluation.HEADLINE_FPR)
    rates = rates_by_size(scores, is_member, subjects.n_records[kept], threshold)
    if len(rates) == 1:
        return None
    return [
        {
            "n_records": row.size,
            "n_members": row.n_members,
            "n_nonmembers": row.n_nonmembers,
            "tpr": row.tpr and _evaluation.plain_interval(row.tpr),
            "fpr": row.fpr and _evaluation.plain_interval(row.fpr),
        }
        for row in rates
    ]


def _no_bound(confidence):
    """Stands where epsilon could not be bounded: 0, which is always true."""
    return EpsilonBound(0.0, 0.0, confidence, "none", "Epsilon was not bounded.")


def _blind(case, confidence, seed):
    if case.features is None:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        table = blind_table(case.features, case.codes, case.groups)
        given = table, case.is_member, case.units
        options = {
            "grouped": case.groups is not None,
            "confidence": confidence,
            "seed": seed,
        }
        return kept(
            "the check without the model",
            lambda: (given, options),
            partial(blind_auc, *given, **options),
        )
