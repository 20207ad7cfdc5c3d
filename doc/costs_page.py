"""The page of what an audit costs and sees, written from what the benchmarks found."""

import shutil
from collections import defaultdict

from api_pages import write_if_changed
from peers_page import (
    RESULTS,
    as_table,
    heading,
    origin,
    plain,
    sections_of,
    shown,
)

HEAD = """\
What an audit costs
===================

An audit is counted in *fits*: the processor time of training the whole model, pipeline
included, on half of the records and asking it for all of them, which is what one shadow
model takes. About a second of each, with 5,000 records, is for what does not depend on
the model: its checks, permutations and groups of records. That is all of the time of a
model that trains at once, such as logistic regression. All figures are read from files
in ``benchmarks/results``.
"""
CURVES = """\
What more fits find
-------------------

AUC and TPR at an FPR of .01 against processor seconds, for the attacks that an audit
takes, with 1 to 64 fits (``BaggingAttack``) or 2 to 256 shadow models.
"""


def write(path, folder=RESULTS):
    """Write the page, and a copy of the picture that it shows.

    Parameters
    ----------
    path : Path

    folder : Path
        Of the results.
    """
    makers = {"audit_time": fits, "effort": efforts, "curves_short": curves}
    sections = [HEAD, *sections_of(makers, folder)]
    picture = folder / "curves.svg"
    if picture.exists():
        shutil.copyfile(picture, path.with_name("curves.svg"))
    write_if_changed(path, "\n".join(sections))


def fits(environment, rows):
    """A line a model and number of records, a column an effort."""
    cells, efforts = defaultdict(dict), dict.fromkeys(row["effort"] for row in rows)
    for row in rows:
        cells[row["model"], row["records"], row["table"]][row["effort"]] = row
    lines = [
        [
            *key,
            f"{min(row['fit s'] for row in own.values()):.2f} s",
            *(
                f"{own[e]['fits']:.1f} fits, {own[e]['audit s']:.1f} s"
                if e in own
                else ""
                for e in efforts
            ),
        ]
        for key, own in cells.items()
    ]
    columns = ["model", "records", "table", "one fit", *efforts]
    return _section([*heading("In fits"), as_table(columns, lines)], environment)


def efforts(environment, rows):
    """AUC and TPR of the strongest attack that asks the model, and of the file's."""
    lines = [
        [
            row["table"],
            row["model"],
            row["effort"],
            f"{shown(row['AUC'])} / {shown(row['TPR@1%'])}",
            f"{shown(row['AUC by file'])} / {shown(row['TPR@1% by file'])}",
            f"{row['audit s']:.1f} s",
        ]
        for row in rows
    ]
    text = "AUC / TPR at an FPR of .01 of the strongest attack of each side."
    columns = ["table", "model", "effort", "asked", "its file", "processor seconds"]
    table = as_table(columns, lines)
    return _section([*heading("By effort"), text, "", table], environment)


def curves(environment, rows):
    """The picture of power against seconds, and its numbers."""
    return _section([CURVES, ".. image:: curves.svg", "", plain(rows)], environment)


def _section(lines, environment):
    return "\n".join([*lines, "", origin(environment), ""])
