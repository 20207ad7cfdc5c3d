"""The command ``audit-recipe``: how the model of a file was trained, on one table."""

import argparse
from pathlib import Path

import sklearn

from sklearn_mia.auditing import _loading
from sklearn_mia.auditing._inputs import read_sides
from sklearn_mia.auditing._option_groups import (
    MODEL_FILES,
    add_column_options,
    add_cost_options,
    add_json_option,
    add_loading_options,
    add_note_option,
)
from sklearn_mia.auditing._options import fraction
from sklearn_mia.auditing._provenance import provenance_told
from sklearn_mia.auditing._recipe import N_TARGETS, RECIPE_FPRS, audit_recipe
from sklearn_mia.auditing._recipe_report import RecipeReport
from sklearn_mia.auditing._settings import SHADOWS, Settings
from sklearn_mia.auditing._words import check_model, words_of_options
from sklearn_mia.auditing._work import READING
from sklearn_mia.models import unfitted_recipe
from sklearn_mia.progress import stage
from sklearn_mia.response import check_target
from sklearn_mia.workers import check_timeout

_EXIT_CODES = """\
exit codes:
  0    the audit was made, whatever it found
  1    the audit failed in a way that nobody foresaw (see --debug)
  2    something given cannot be used, or a file cannot be written; one line on
       stderr says what. The report is on stdout all the same, if it was made
  130  interrupted; 143 or 129 if by SIGTERM or SIGHUP. Workers are ended and
       temporary files removed
"""


def add_recipe_command(commands, common):
    """Add the command to those of the command line.

    Parameters
    ----------
    commands : argparse._SubParsersAction

    common : ArgumentParser
        The options of all commands.

    Returns
    -------
    command : ArgumentParser
    """
    command = commands.add_parser(
        "audit-recipe",
        parents=[common],
        help="audit how a model was trained, over several models",
        description="Audit the training procedure of a model: train several models "
        "with the settings of the one in the file, each on its own random half of one "
        "table, and attack them. What the model itself has learned is not used but to "
        "read the table. The report goes to stdout. Rates are fractions (0.01), or "
        "percent with the sign (1%).",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("model", type=Path, help=MODEL_FILES)
    command.add_argument(
        "table", type=Path, help="CSV, Parquet or .npz: its kind of records"
    )
    command.add_argument("--label", required=True, help="column of the class label")
    add_column_options(command)
    output = command.add_argument_group("output")
    add_json_option(output)
    add_note_option(output)
    group = command.add_argument_group("audit")
    group.add_argument(
        "--n-targets",
        type=int,
        default=N_TARGETS,
        metavar="N",
        help="models to train and attack; default: %(default)s. With fewer the "
        "intervals are very wide",
    )
    group.add_argument(
        "--fpr",
        type=fraction,
        action="append",
        help="false-positive rate of the table; default: "
        f"{' and '.join(map(str, RECIPE_FPRS))}",
    )
    group.add_argument("--confidence", type=fraction, default=Settings.confidence)
    add_cost_options(group, SHADOWS["standard"])
    add_loading_options(command)
    command.set_defaults(slice=[])
    return command


def report_on_recipe(arguments):
    """Audit the training procedure that a model file tells.

    Parameters
    ----------
    arguments : Namespace

    Returns
    -------
    report : RecipeReport
    """
    check_timeout(arguments.timeout, arguments.n_jobs)
    stage(READING)
    model, fitted_with = _loading.load_model(
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
            n_shadows=arguments.n_shadows or SHADOWS["standard"],
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
