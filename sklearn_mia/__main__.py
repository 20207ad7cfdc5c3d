"""The command line: ``python -m sklearn_mia``."""

import argparse
import sys
import traceback
import warnings
from pathlib import Path

from sklearn_mia import __version__
from sklearn_mia._choices import (
    ACCESSES,
    CONFIDENCE,
    EFFORT,
    EFFORTS,
    PRIOR,
    RESPONSE_METHODS,
)
from sklearn_mia._interrupt import Stopped, stopped_by_signals
from sklearn_mia._links import FINDINGS_URL
from sklearn_mia._views import visible
from sklearn_mia.auditing import _writing
from sklearn_mia.auditing._exits import (
    EXIT_FAILED,
    EXIT_INPUT,
    EXIT_INTERRUPTED,
    EXIT_OK,
)
from sklearn_mia.auditing._modes import check_audit, check_recipe
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
    options_given,
    seed,
    shows_progress,
)
from sklearn_mia.auditing._recipe_command import add_recipe_command
from sklearn_mia.auditing._words import in_options

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


# What a command needs is imported when it has something to do.


def _demo(arguments):
    from sklearn_mia._demo import run_demo

    run_demo(
        html=arguments.html,
        seed=arguments.seed,
        n_jobs=arguments.n_jobs,
        timed=shows_progress(arguments),
    )
    return EXIT_OK


def _audit(arguments):
    from sklearn_mia.auditing._command import audit_files

    return audit_files(arguments)


def _audit_recipe(arguments):
    from sklearn_mia.auditing._command import audit_recipe_of_file

    return audit_recipe_of_file(arguments)


def _do(arguments):
    """Keep what a command does by --memory, and show it by --progress."""
    from sklearn_mia.auditing._work import at_work

    memory = getattr(arguments, "memory", None)
    with at_work(memory, shows_progress(arguments)):
        return arguments.run(arguments)


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        message = visible(message[:_MOST_OF_AN_ERROR])
        self.exit(2, f"error: {message} (see {self.prog} --help)\n")


def _parser():
    parser = _Parser(
        prog="python -m sklearn_mia",
        description="Measure how much a trained model reveals about who was in "
        "its training data.",
    )
    parser.add_argument(
        "--version", action="version", version=f"sklearn_mia {__version__}"
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "-o",
        "--html",
        type=_writing.destination,
        metavar="FILE",
        help="write the page to this file; - is stdout",
    )
    common.add_argument("--seed", type=seed, default=0, help="default: %(default)s")
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
    demo.set_defaults(check=lambda arguments: None, run=_demo)
    command = commands.add_parser(
        "audit",
        parents=[common],
        help="audit a model file on two tables",
        description="Audit a trained model on a table of its training records and "
        "a table of records of the same kind that it was not trained on. The report "
        "goes to stdout. Rates are fractions (0.01), or percent with the sign (1%).",
        epilog=f"{_EXIT_CODES}\nA page on each finding of a report: {FINDINGS_URL}",
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
    command.add_argument(
        "--label",
        required=True,
        help="column of the class label, or of the value that a regressor predicts",
    )
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
    command.set_defaults(check=check_audit, run=_audit)
    recipe = add_recipe_command(commands, common)
    recipe.set_defaults(check=check_recipe, run=_audit_recipe)
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
        "--json-records",
        choices=("json", "parquet"),
        default="json",
        help="where --name-records puts the records: into the --json file, or, smaller "
        "and faster, into a Parquet file beside it that it names, of report.json one "
        "such as report.records.1f0e9b2c.parquet; --baseline reads either; default: "
        "%(default)s",
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
        "code 3, also without --fail-above, if an attack of the same name clearly "
        "finds more than it did then; attacks that only one of the two has are listed "
        "as not compared; sharper with --id, if it was written with --name-records",
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
        default=EFFORT,
        help="2, 6 or 64 shadow models, and 30, 100 or all iterations on the equations "
        "of the file: fewer take less time and see less. thorough also measures what "
        "the file tells someone who lacks some of its records; default: %(default)s",
    )
    group.add_argument("--confidence", type=fraction, default=CONFIDENCE)
    group.add_argument(
        "--prior",
        type=fraction,
        default=PRIOR,
        help="share of members among those an attacker asks about",
    )
    add_cost_options(group)
    group.add_argument(
        "--response-method",
        default=RESPONSE_METHODS[0],
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
        "proba_<class> for each class (of a regressor --predicted), the label and "
        "--member; weaker attacks",
    )
    group.add_argument(
        "--member", metavar="COLUMN", help="with --predictions: 1 for members, else 0"
    )
    group.add_argument("--proba-prefix", default="proba_", metavar="TEXT")
    group.add_argument(
        "--predicted",
        metavar="COLUMN",
        help="with --predictions, of a regressor: the column of what it predicts",
    )


def _options_of(given):
    """Names of all that a command line gives, also where it is the default."""
    parser = _parser()
    (commands,) = (a for a in parser._actions if a.dest == "command")
    for command in (parser, *commands.choices.values()):
        for action in command._actions:
            action.default = argparse.SUPPRESS
    return set(vars(parser.parse_args(given)))


def _told(error, arguments):
    """An error in one line, without cells of the tables."""
    line = in_options(" ".join(str(error).split())) or type(error).__name__
    if isinstance(error, SystemExit):
        line = f"the model, or what it needs, asked to end the program ({line})"
    if tables := getattr(arguments, "tables", ()):
        # Not even what the model quotes when it fails.
        from sklearn_mia.redaction import without_values

        line = without_values(
            line, *tables, most=_MOST_OF_AN_ERROR, shown=options_given(arguments)
        )
    elif len(line) > _MOST_OF_AN_ERROR:
        line = f"{line[:_MOST_OF_AN_ERROR]}\N{HORIZONTAL ELLIPSIS}"
    return visible(line)


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
    parser = _parser()
    arguments = parser.parse_args(given)
    if arguments.command is None:
        parser.print_help(sys.stderr)
        return EXIT_INPUT
    arguments.given, arguments.options = given, _options_of(given)
    try:
        with stopped_by_signals(), warnings.catch_warnings():
            # What matters of them is in the findings.
            warnings.simplefilter("ignore")
            arguments.check(arguments)
            return _do(arguments)
    except KeyboardInterrupt as stop:
        _writing.say(interrupted(arguments), sys.stderr)
        return 128 + stop.number if isinstance(stop, Stopped) else EXIT_INTERRUPTED
    except (Exception, SystemExit) as error:
        if arguments.debug:
            traceback.print_exc()
        else:
            _writing.say(f"error: {_told(error, arguments)}", sys.stderr)
        known = isinstance(error, (ValueError, TypeError, OSError, ImportError))
        return EXIT_INPUT if known else EXIT_FAILED


if __name__ == "__main__":
    sys.exit(main())
