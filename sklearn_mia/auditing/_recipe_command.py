"""The command ``audit-recipe``: how the model of a file was trained, on one table."""

import argparse
from pathlib import Path

from sklearn_mia._choices import (
    ADJACENCIES,
    CONFIDENCE,
    EFFORT,
    N_TARGETS,
    RECIPE_FPRS,
    SHADOWS,
    VARIED,
)
from sklearn_mia.auditing._option_groups import (
    MODEL_FILES,
    add_column_options,
    add_cost_options,
    add_json_option,
    add_loading_options,
    add_note_option,
)
from sklearn_mia.auditing._options import fraction

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
        "read the table. With --canaries one model is trained, and the answer is a "
        "bound on epsilon. The report goes to stdout. Rates are fractions (0.01), or "
        "percent with the sign (1%).",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.add_argument("model", type=Path, help=MODEL_FILES)
    command.add_argument(
        "table", type=Path, help="CSV, Parquet or .npz: its kind of records"
    )
    command.add_argument(
        "--label",
        required=True,
        help="column of the class label, or of the value that a regressor predicts",
    )
    add_column_options(command)
    output = command.add_argument_group("output")
    add_json_option(output)
    add_note_option(output)
    group = command.add_argument_group("audit")
    group.add_argument(
        "--n-targets",
        type=int,
        metavar="N",
        help=f"models to train and attack; default: {N_TARGETS}. With fewer the "
        "intervals are very wide",
    )
    group.add_argument(
        "--vary",
        choices=VARIED,
        default=VARIED[0],
        help="what differs from model to model: the half (and the seed), or on one "
        "same half the seed alone; default: %(default)s",
    )
    group.add_argument(
        "--canaries",
        type=int,
        metavar="N",
        help="bound the epsilon of differential privacy by N records, made to be "
        "remembered, that enter training by a fair coin each: one model on the whole "
        "table in place of several on halves. 1000 is a good number",
    )
    group.add_argument(
        "--epsilon",
        type=float,
        metavar="E",
        help="what is claimed of the procedure, for --canaries to contradict or not",
    )
    group.add_argument(
        "--delta",
        type=float,
        default=0.0,
        help="of the claim and of the bound of --canaries; default: 0",
    )
    group.add_argument(
        "--adjacency",
        choices=ADJACENCIES,
        default=ADJACENCIES[0],
        help="what the claim is about: a record is there or not, or another is in its "
        "place; default: %(default)s",
    )
    group.add_argument(
        "--fpr",
        type=fraction,
        action="append",
        help="false-positive rate of the table; default: "
        f"{' and '.join(map(str, RECIPE_FPRS))}",
    )
    group.add_argument("--confidence", type=fraction, default=CONFIDENCE)
    add_cost_options(group, SHADOWS[EFFORT])
    add_loading_options(command)
    command.set_defaults(slice=[])
    return command
