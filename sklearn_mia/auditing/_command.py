"""What the commands on files do, once they are asked for something that can be done."""

import sys
from pathlib import Path

import numpy as np
import sklearn

from sklearn_mia._choices import RECIPE_FPRS
from sklearn_mia.auditing import _circumstances, _writing
from sklearn_mia.auditing._access import WHO
from sklearn_mia.auditing._answers_alone import predictions_report
from sklearn_mia.auditing._audit import audit_case
from sklearn_mia.auditing._baseline import (
    check_baseline,
    compare_with_baseline,
    read_baseline,
)
from sklearn_mia.auditing._case import make_case
from sklearn_mia.auditing._defaults import default_attacks
from sklearn_mia.auditing._delivery import deliver
from sklearn_mia.auditing._exits import EXIT_EXCEEDED, EXIT_OK, EXIT_UNDECIDED
from sklearn_mia.auditing._inputs import read_sides
from sklearn_mia.auditing._judging import (
    gives_away_more,
    passes,
    passes_by_access,
)
from sklearn_mia.auditing._loading import check_model, load_model
from sklearn_mia.auditing._options import limits_once
from sklearn_mia.auditing._predictions import read_predictions
from sklearn_mia.auditing._provenance import provenance_told
from sklearn_mia.auditing._recipe import audit_recipe
from sklearn_mia.auditing._recipe_report import RecipeReport
from sklearn_mia.auditing._settings import Settings
from sklearn_mia.auditing._words import words_of_options
from sklearn_mia.auditing._work import READING
from sklearn_mia.models import trained_names, unfitted_recipe
from sklearn_mia.progress import stage
from sklearn_mia.response import check_target
from sklearn_mia.shadows import root_seed

_GATED = {"yes": "passes", "no": "above a limit", "not shown": "not shown to pass"}


def audit_files(arguments):
    """Audit a model, or its predictions, and deliver the report.

    Parameters
    ----------
    arguments : Namespace
        Checked by :func:`~sklearn_mia.auditing._modes.check_audit`.

    Returns
    -------
    status : int
        Exit code.
    """
    limits = limits_once(arguments.fail_above, "--fail-above") or None
    if arguments.baseline is not None:
        arguments.old = read_baseline(arguments.baseline, max_bytes=arguments.max_size)
        check_baseline(
            arguments.old,
            _settings(arguments, limits, ()).limits,
            of_predictions=arguments.predictions is not None,
            unit=_unit(arguments),
        )
    if arguments.predictions is None:
        report = _audit_of_model(arguments, limits)
    else:
        report = _audit_of_predictions(arguments, limits)
    try:
        if arguments.baseline is not None:
            report = compare_with_baseline(
                report, arguments.old, join_ids=arguments.id is not None
            )
    finally:
        deliver(report, arguments)
    gated = bool(limits or arguments.fail_slice_above)
    status = exit_code(report, gated=gated)
    stopped = report.baseline is not None and report.baseline["outcome"] == "more"
    if gated and status and arguments.release is None and not stopped:
        _say_who_fails(report)
    return status


def _say_who_fails(report):
    """Tell which access a build stopped at, where the report is about two."""
    passing = passes_by_access(report._content)
    if len(passing) < 2:
        return
    told = "; ".join(f"{WHO[a].lower()}: {_GATED[word]}" for a, word in passing.items())
    _writing.say(f"{told}. --release file or interface decides by one.", sys.stderr)


def _audit_of_model(arguments, limits):
    stage(READING)
    model, fitted_with = load_model(
        arguments.model,
        trust_pickle=arguments.trust_pickle,
        trusted=arguments.trust,
        max_bytes=arguments.max_size,
    )
    paths = arguments.members, arguments.nonmembers
    with words_of_options(*paths):
        classes = check_model(arguments.model, check_target, model, fitted_with)
        inputs = read_sides(paths, arguments, model, classes, fitted_with)
        arguments.tables = inputs.features
        case = make_case(
            model,
            inputs.features[0],
            inputs.labels[0],
            inputs.features[1],
            inputs.labels[1],
            groups=inputs.groups,
            ids=inputs.ids,
            aside=inputs.aside,
        )
        findings = [
            _circumstances.check_version(fitted_with, sklearn.__version__),
            _circumstances.check_column_order(
                inputs.reordered,
                trained_names(model) is None and arguments.features is None,
            ),
            _circumstances.check_reading(inputs.remarks),
        ]
        settings = _settings(arguments, limits, (Settings.slices, *arguments.slice))
        if arguments.baseline is not None:
            asked = {
                name: getattr(settings, name)
                for name in ("release", "n_shadows", "response_method")
            }
            check_baseline(
                arguments.old,
                settings.limits,
                of_predictions=False,
                unit=_unit(arguments),
                attacks=list(default_attacks(model, **asked)),
            )
        return audit_case(
            model,
            case,
            settings,
            n_jobs=arguments.n_jobs,
            timeout=arguments.timeout,
            extra_findings=[finding for finding in findings if finding is not None],
            provenance=provenance_told(
                arguments,
                model=None,
                members=len(inputs.labels[0]),
                nonmembers=len(inputs.labels[1]),
            ),
        )


def _audit_of_predictions(arguments, limits):
    path = arguments.predictions
    case, answer = read_predictions(path, arguments)
    arguments.tables = [np.reshape(v, (-1, 1)) for v in case.aside.values()]
    return predictions_report(
        case,
        answer,
        _settings(arguments, limits, (Settings.slices, *arguments.slice)),
        model_name=f"the model behind {Path(path).name}",
        provenance=provenance_told(arguments, predictions=len(case.labels)),
    )


def audit_recipe_of_file(arguments):
    """Audit the training procedure that a model file tells, and deliver the report.

    Parameters
    ----------
    arguments : Namespace
        Checked by :func:`~sklearn_mia.auditing._modes.check_recipe`.

    Returns
    -------
    status : int
        Exit code.
    """
    deliver(_report_on_recipe(arguments), arguments)
    return EXIT_OK


def _report_on_recipe(arguments):
    stage(READING)
    model, fitted_with = load_model(
        arguments.model,
        trust_pickle=arguments.trust_pickle,
        trusted=arguments.trust,
        max_bytes=arguments.max_size,
    )
    with words_of_options(arguments.table):
        classes = check_model(arguments.model, check_target, model, fitted_with)
        inputs = read_sides((arguments.table,), arguments, model, classes, fitted_with)
        arguments.tables = inputs.features
        report = audit_recipe(
            unfitted_recipe(model),
            inputs.features[0],
            inputs.labels[0],
            n_targets=arguments.n_targets,
            vary=arguments.vary,
            canaries=arguments.canaries,
            epsilon=arguments.epsilon,
            delta=arguments.delta,
            adjacency=arguments.adjacency,
            n_shadows=arguments.n_shadows,
            fprs=arguments.fpr or RECIPE_FPRS,
            confidence=arguments.confidence,
            groups=inputs.groups[0],
            group_name=arguments.group_name or Settings.group_name,
            n_jobs=arguments.n_jobs,
            timeout=arguments.timeout,
            memory=arguments.memory,
            random_state=arguments.seed,
        )
    remarks = list(inputs.remarks)
    if fitted_with is not None:
        remarks.append(
            f"the model was saved with scikit-learn {fitted_with}, and its procedure "
            f"run with {sklearn.__version__}"
        )
    provenance = provenance_told(arguments, model=None, table=len(inputs.labels[0]))
    return RecipeReport(
        report.to_dict() | {"provenance": provenance, "remarks": remarks}
    )


def _settings(arguments, limits, slices):
    return Settings(
        fprs=arguments.fpr or Settings.fprs,
        confidence=arguments.confidence,
        prior=arguments.prior,
        limits=limits,
        release=arguments.release,
        effort=arguments.effort,
        slice_limits=limits_once(arguments.fail_slice_above, "--fail-slice-above")
        or None,
        slices=slices,
        n_shadows=arguments.n_shadows,
        drop_shared=arguments.drop_shared,
        group_name=arguments.group_name or Settings.group_name,
        response_method=arguments.response_method,
        per_record=not arguments.no_records,
        seed=root_seed(arguments.seed) % 2**31,
    )


def _unit(arguments):
    return "record" if arguments.group is None else "group"


def exit_code(report, *, gated=True):
    """What a build should make of a report.

    Parameters
    ----------
    report : AuditReport

    gated : bool, default=True
        Whether limits were set.

    Returns
    -------
    status : int
        0: all intervals, also of groups large enough to tell, are below the limits;
        3: one is above, or a value is clearly above that of the baseline; 4: neither.
        Predictions can fail a model, not clear it.
    """
    if report.verdict["level"] == "not_interpretable":
        return EXIT_UNDECIDED
    if gives_away_more(report._content):
        return EXIT_EXCEEDED
    if not gated:
        return EXIT_OK
    found = {"yes": EXIT_OK, "not shown": EXIT_UNDECIDED}
    return found.get(passes(report._content), EXIT_EXCEEDED)
