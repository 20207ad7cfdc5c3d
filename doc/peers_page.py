"""The page that compares peers, written from what the benchmarks found."""

import json
from collections import defaultdict
from pathlib import Path
from statistics import mean

from api_pages import write_if_changed

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"

HEAD = """\
Peers
=====

Other packages that attack models, on the same trained models, records and cores.
All figures are read from the files that ``benchmarks/bench_peers.py`` wrote to
``benchmarks/results``; they are about the versions named below each table.
"""
NONE = """
This checkout holds no results of that benchmark. To make them:

.. code-block:: bash

   python benchmarks/make_peers_environment.py peers
   SKLEARN_MIA_DATA=tables peers/bin/python benchmarks/bench_peers.py
"""
QUICK = "A quick run, on few records and splits: it shows that the comparison runs."
STOPPED = "The run was stopped before all cells were done."

PARTS = {
    "power": (
        "Power at equal fits",
        "Mean AUC / TPR at FPR = 0.01 over {tables} and {splits} of each, with models "
        "trained on {records} records by every attack as often. A star marks an attack "
        "that is judged on records that it has learned from.",
    ),
    "time": (
        "Time and memory",
        "Seconds and the memory above that of the data, in turn, each in a process of "
        "its own.",
    ),
    "null": (
        "False alarms",
        "How often a package says that there is a leak of a model that was trained on "
        "other records.",
    ),
    "invariance": (
        "The same scores in another order",
        "Scores with ties, of a model without a leak: which of the numbers of a "
        "package change when the records are shuffled.",
    ),
    "growth": (
        "Growth",
        "This package alone, on tables of more and more records.",
    ),
}


def write(path, folder=RESULTS):
    """Write the page.

    Parameters
    ----------
    path : Path

    folder : Path
        Of the results.
    """
    sections = [section(part, folder) for part in PARTS]
    found = "\n".join(text for text in sections if text)
    page = HEAD + (f"\n{found}" if found else NONE)
    write_if_changed(path, page)


def section(part, folder):
    """Title, tables and origin of a part of the benchmark; "" if it was not run."""
    for name in (f"peers_{part}", f"peers_quick_{part}"):
        path = folder / f"{name}.json"
        if path.exists():
            break
    else:
        return ""
    found = json.loads(path.read_text("utf-8"))
    rows, environment = found["rows"], found["environment"]
    if not rows:
        return ""
    title, text = PARTS[part]
    text = text.format(
        tables=_number_of("table", rows),
        splits=_number_of("split", rows),
        records=environment.get("records"),
    )
    notes = [
        QUICK if "quick" in name else "",
        STOPPED if environment.get("stopped") else "",
    ]
    table = power(rows) if part == "power" else plain(rows)
    told = " ".join([text, *filter(None, notes)])
    lines = [*heading(title), told, "", table, "", origin(environment), ""]
    return "\n".join(lines)


def _number_of(what, rows):
    n = len({row.get(what) for row in rows})
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def power(rows):
    """A line an attack, a column a model: means over tables and splits."""
    cells, models = defaultdict(list), {}
    for row in rows:
        mark = "*" if row["in sample"] else ""
        attack = row["library"], row["attack"] + mark
        models[row["model"]] = None
        cells[attack, row["model"]].append((row["AUC"], row["TPR@1%"]))
    attacks = dict.fromkeys(attack for attack, _ in cells)
    return as_table(
        ["package", "attack", *models],
        [
            [*attack, *(_power_in(cells.get((attack, model))) for model in models)]
            for attack in attacks
        ],
    )


def _power_in(values):
    if not values:
        return ""
    return "/".join(
        f"{mean(v):.2f}".removeprefix("0") for v in zip(*values, strict=True)
    )


def plain(rows):
    """The rows as they are."""
    columns = list(dict.fromkeys(name for row in rows for name in row))
    return as_table(columns, [[shown(row.get(c)) for c in columns] for row in rows])


def shown(value):
    """A value in a cell."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"
    return str(value)


def heading(text, line="-"):
    """Lines of a heading, and an empty one."""
    return [text, line * len(text), ""]


def sections_of(makers, folder):
    """What each function makes of the results of its name, of those that are there."""
    files = {folder / f"{name}.json": make for name, make in makers.items()}
    return [
        make(**json.loads(file.read_text("utf-8")))
        for file, make in files.items()
        if file.exists()
    ]


def as_table(columns, rows):
    """A table of reStructuredText."""
    lines = [".. list-table::", "   :header-rows: 1", ""]
    for row in [columns, *rows]:
        for i, cell in enumerate(row):
            # A star at the end of a word is no end of a word in italics.
            text = str(cell).replace("*", "\\*")
            lines.append(f"{'     -' if i else '   * -'} {text}".rstrip())
    return "\n".join(lines)


def origin(environment):
    """Where and with what the figures were made."""
    peers = environment.get("peers", {})
    versions = [f"{name} {version}" for name, version in peers.items()]
    own = ("sklearn_mia", "scikit-learn", "numpy", "python", "machine", "cores")
    own = [f"{name} {environment[name]}" for name in own if name in environment]
    return f"``{environment['command']}``; {', '.join([*versions, *own])}."
