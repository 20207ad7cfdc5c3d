"""The command line: ``python -m sklearn_mia``."""

import argparse
import sys
import traceback
import warnings
from pathlib import Path

import sklearn

from sklearn_mia import __version__
from sklearn_mia._demo import run_demo
from sklearn_mia._interrupt import Stopped, stopped_by_signals
from sklearn_mia.auditing import _circumstances, _loading, _writing
from sklearn_mia.auditing._access import ACCESSES, WHO
from sklearn_mia.auditing._audit import (
    audit_case,
    predictions_report,
)
from sklearn_mia.auditing._baseline import (
    check_baseline,
    compare_with_baseline,
    read_baseline,
)
from sklearn_mia.auditing._case import make_case
from sklearn_mia.auditing._delivery import check_destinations, deliver
from sklearn_mia.auditing._inputs import read_sides
from sklearn_mia.auditing._judging import passes, passes_by_access
from sklearn_mia.auditing._option_groups import (
    MODEL_FILES,
    add_column_options,
    add_cost_options,
    add_json_option,
    add_loading_options,
    add_note_option,
)
from sklearn_mia.auditing._options import (
    fraction,
    interrupted,
    limit,
    limits_once,
    shows_progress,
    work_of_options,
)
from sklearn_mia.auditing._predictions import read_predictions
from sklearn_mia.auditing._provenance import provenance_told
from sklearn_mia.auditing._recipe_command import add_recipe_command, report_on_recipe
from sklearn_mia.auditing._run import default_attacks
from sklearn_mia.auditing._settings import EFFORTS, Settings
from sklearn_mia.auditing._words import check_model, in_options, words_of_options
from sklearn_mia.auditing._work import READING
from sklearn_mia.models import trained_names
from sklearn_mia.progress import stage
from sklearn_mia.redaction import without_values
from sklearn_mia.response import RESPONSE_METHODS, check_target
from sklearn_mia.shadows import root_seed
from sklearn_mia.workers import check_timeout

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_INPUT = 2
EXIT_EXCEEDED = 3
EXIT_UNDECIDED = 4
EXIT_INTERRUPTED = 130
GATED = {"yes": "passes", "no": "above a limit", "not shown": "not shown to pass"}

_MOST_OF_AN_ERROR = 2000
_EXIT_CODES = """\
exit codes:
  0    the audit was made; with --fail-above or --fail-slice-above, all intervals
       are below the limits
  1    the audit failed in a way that nobody foresaw (see --debug)
  2    something given cannot be used, or a file cannot be written; one line on
       stderr says what. The report is on stdout all the same, if it was made
  3    with one of these: an attack, or a group of records, is above a limit;
       --baseline: an attack clearly finds more than it did then
  4    the numbers cannot be read as a leak: the two sides differ without the
       model, hold the same records or look swapped; with a limit also if an interval
       reaches over it, a rate cannot be looked at, a check failed, or only
       predictions were given: they can fail a model, not clear it
  130  interrupted; 143 or 129 if by SIGTERM or SIGHUP. Workers are ended and
       temporary files removed
"""


def _help(parser):
    parser.print_help(sys.stderr)
    return EXIT_INPUT


def _demo(arguments):
    run_demo(
        html=arguments.html,
        seed=arguments.seed,
        n_jobs=arguments.n_jobs,
        timed=shows_progress(arguments),
    )
    return EXIT_OK


def _audit(arguments):
    limits = limits_once(arguments.fail_above, "--fail-above") or None
    check_destinations(arguments)
    check_timeout(arguments.timeout, arguments.n_jobs)
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
    told = "; ".join(f"{WHO[a].lower()}: {GATED[word]}" for a, word in passing.items())
    _writing.say(f"{told}. --release file or interface decides by one.", sys.stderr)


def _audit_of_model(arguments, limits):
    given = (arguments.model, arguments.members, arguments.nonmembers)
    if None in given:
        raise ValueError(
            "audit needs three files, MODEL MEMBERS NONMEMBERS, or --predictions FILE."
        )
    stage(READING)
    model, fitted_with = _loading.load_model(
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


def _audit_recipe(arguments):
    check_destinations(arguments)
    deliver(report_on_recipe(arguments), arguments)
    return EXIT_OK


def _unit(arguments):
    return "record" if arguments.group is None else "group"


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


def _audit_of_predictions(arguments, limits):
    path = arguments.predictions
    if arguments.model is not None:
        raise ValueError("Pass either MODEL MEMBERS NONMEMBERS or --predictions FILE.")
    if arguments.member is None:
        raise ValueError(
            "--predictions needs --member COLUMN, the column that says which records "
            "the model was trained on."
        )
    if arguments.features is not None:
        raise ValueError(
            "--features is for a model, and --predictions has its answers alone. Leave "
            "it out, or pass MODEL MEMBERS NONMEMBERS."
        )
    for option, given in (("release", "file"), ("effort", "thorough")):
        if getattr(arguments, option) == given:
            raise ValueError(
                f"--{option} {given} needs the file of the model, and --predictions "
                "has its answers alone. Leave it out, or pass MODEL MEMBERS NONMEMBERS."
            )
    case, log_proba = read_predictions(path, arguments)
    return predictions_report(
        case,
        log_proba,
        _settings(arguments, limits, Settings.slices),
        model_name=f"the model behind {Path(path).name}",
        provenance=provenance_told(arguments, predictions=len(case.labels)),
    )


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
    if report.baseline is not None and report.baseline["outcome"] == "more":
        return EXIT_EXCEEDED
    if not gated:
        return EXIT_OK
    return {"yes": EXIT_OK, "no": EXIT_EXCEEDED, "not shown": EXIT_UNDECIDED}[
        passes(report._content)
    ]


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        message = _writing.visible(message[:_MOST_OF_AN_ERROR])
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def _parser():
    parser = _Parser(
        prog="python -m sklearn_mia",
        description="Measure how much a trained classifier reveals about who was in "
        "its training data.",
    )
    parser.add_argument(
        "--version", action="version", version=f"sklearn_mia {__version__}"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    parser.set_defaults(run=lambda arguments: _help(parser), debug=False)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "-o",
        "--html",
        type=_writing.destination,
        metavar="FILE",
        help="write the page to this file; - is stdout",
    )
    common.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    common.add_argument(
        "--n-jobs", type=int, metavar="N", help="shadow models trained at a time"
    )
    common.add_argument(
        "--progress",
        action=argparse.BooleanOptionalAction,
        help="tell on stderr what is done, and about how long the rest takes: on a "
        "terminal in one line, elsewhere a line a stage; default: on a terminal",
    )
    common.add_argument(
        "--debug",
        action="store_true",
        help="show the traceback of an error, which may quote cells of the tables",
    )
    demo = commands.add_parser(
        "demo",
        parents=[common],
        help="audit two models on a shipped table",
        description="Audit a random forest and a logistic regression on the German "
        "credit table.",
    )
    demo.set_defaults(run=_demo)
    command = commands.add_parser(
        "audit",
        parents=[common],
        help="audit a model file on two tables",
        description="Audit a trained classifier on a table of its training records and "
        "a table of records of the same kind that it was not trained on. The report "
        "goes to stdout. Rates are fractions (0.01), or percent with the sign (1%).",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("model", type=Path, nargs="?", help=MODEL_FILES)
    command.add_argument(
        "members",
        type=Path,
        nargs="?",
        help="CSV, Parquet or .npz: its training records",
    )
    command.add_argument(
        "nonmembers", type=Path, nargs="?", help="CSV, Parquet or .npz: other records"
    )
    command.add_argument("--label", required=True, help="column of the class label")
    group = add_column_options(command)
    group.add_argument(
        "--slice",
        action="append",
        default=[],
        metavar="COLUMN",
        help="look at its groups of records",
    )
    _add_output_options(command)
    _add_audit_options(command)
    add_loading_options(command)
    command.set_defaults(run=_audit)
    add_recipe_command(commands, common).set_defaults(run=_audit_recipe)
    return parser


def _add_output_options(command):
    group = command.add_argument_group("output")
    add_json_option(group)
    group.add_argument(
        "--records",
        type=_writing.destination,
        metavar="FILE",
        help="one row a record, .csv or .parquet; in a CSV, text that a spreadsheet "
        "would take for a formula gets an apostrophe in front",
    )
    group.add_argument(
        "--groups",
        type=_writing.destination,
        metavar="FILE",
        help="with --group: one row a person, or other group, .csv or .parquet",
    )
    group.add_argument(
        "--name-records",
        action="store_true",
        help="put ids, membership and scores of the records in the --json file, and "
        "the members most exposed on the page: then neither is to be released. Without "
        "it they name nobody",
    )
    group.add_argument(
        "--no-records",
        action="store_true",
        help="compute nothing about single records either",
    )
    add_note_option(group)
    group.add_argument(
        "--fail-above",
        type=limit,
        action="append",
        default=[],
        metavar="LIMIT",
        help="tpr=0.05@fpr=0.01 or auc=0.6: end with exit code 3 if a leak was found "
        "that is above it, for use in a build; may be repeated, and replaces the "
        "default limits of the report",
    )
    group.add_argument(
        "--fail-slice-above",
        type=limit,
        action="append",
        default=[],
        metavar="LIMIT",
        help="the same for each group of records that is large enough, beside the "
        "limits of --fail-above or the default ones; without it their AUC is the limit "
        "of groups, too. May be repeated",
    )
    group.add_argument(
        "--baseline",
        type=Path,
        metavar="FILE",
        help="the --json report of an earlier model, at the same limits: end with exit "
        "code 3, also without --fail-above, if an attack clearly finds more than it "
        "did then; sharper with --id, if it was written with --name-records",
    )


def _add_audit_options(command):
    group = command.add_argument_group("audit")
    group.add_argument(
        "--fpr",
        type=fraction,
        action="append",
        help="false-positive rate of the table; default: 0.001, 0.01 and 0.1",
    )
    group.add_argument(
        "--release",
        choices=ACCESSES,
        help="what others will have: an interface that answers, or the file of the "
        "model, so that they can read what it stores, too; default: a verdict on "
        "each, and the worse one decides about --fail-above",
    )
    group.add_argument(
        "--effort",
        choices=EFFORTS,
        default=Settings.effort,
        help="4, 16 or 64 shadow models: fewer take less time and see less. thorough "
        "also measures what the file tells someone who lacks some of its records; "
        "default: %(default)s",
    )
    group.add_argument("--confidence", type=fraction, default=Settings.confidence)
    group.add_argument(
        "--prior",
        type=fraction,
        default=Settings.prior,
        help="share of members among those an attacker asks about",
    )
    add_cost_options(group)
    group.add_argument(
        "--response-method",
        default=Settings.response_method,
        choices=RESPONSE_METHODS,
        help="how the model is asked; default: the first of the others that it has",
    )
    group.add_argument(
        "--drop-shared",
        action="store_true",
        help="leave out non-members that equal a member",
    )
    group.add_argument(
        "--predictions",
        type=Path,
        metavar="FILE",
        help="instead of a model and two tables: one CSV or Parquet with a column "
        "proba_<class> for each class, the label and --member; weaker attacks",
    )
    group.add_argument(
        "--member", metavar="COLUMN", help="with --predictions: 1 for members, else 0"
    )
    group.add_argument("--proba-prefix", default="proba_", metavar="TEXT")


def main(arguments=None):
    """Run the command line.

    Parameters
    ----------
    arguments : list of str or None, default=None
        None takes those of the process.

    Returns
    -------
    status : int
        Exit code.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    arguments = _parser().parse_args(given)
    arguments.given = given
    try:
        with stopped_by_signals(), warnings.catch_warnings():
            # What matters of them is in the findings.
            warnings.simplefilter("ignore")
            with work_of_options(arguments):
                return arguments.run(arguments)
    except KeyboardInterrupt as stop:
        _writing.say(interrupted(arguments), sys.stderr)
        return 128 + stop.number if isinstance(stop, Stopped) else EXIT_INTERRUPTED
    except Exception as error:
        if arguments.debug:
            traceback.print_exc()
        else:
            # Of the tables, not even what the model quotes when it fails.
            tables = getattr(arguments, "tables", ())
            line = in_options(" ".join(str(error).split())) or type(error).__name__
            line = without_values(line, *tables, most=_MOST_OF_AN_ERROR)
            _writing.say(f"error: {_writing.visible(line)}", sys.stderr)
        known = isinstance(error, (ValueError, TypeError, OSError, ImportError))
        return EXIT_INPUT if known else EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
