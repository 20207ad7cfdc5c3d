"""The files of the command line: checked before an audit, written after it."""

import sys
from functools import partial

from sklearn_mia._views import visible
from sklearn_mia.auditing import _reading, _writing
from sklearn_mia.auditing._options import notes_once
from sklearn_mia.progress import clear, stage

_INPUTS = {name: name for name in ("model", "members", "nonmembers", "predictions")}
_INPUTS |= {"table": "table", "baseline": "--baseline"}
_PAGES = ("html", "json")
_TABLES = ("records", "groups")


def check_destinations(arguments):
    """Raise an error now for what could not be written when the audit is made.

    Parameters
    ----------
    arguments : Namespace
    """
    given = vars(arguments)
    inputs = [(_INPUTS[name], given[name]) for name in _INPUTS if name in given]
    if given.get("baseline") is not None:
        # What a report names is known once it is read.
        from sklearn_mia.auditing._beside import named_tables

        found = named_tables(given["baseline"])
        inputs += [(f"the {n} of --baseline", place) for n, (place, _) in found.items()]
    outputs = [(f"--{name}", path) for name, path in _outputs(arguments)]
    _writing.check_outputs(outputs, inputs)
    _check_suffix(arguments.html, (".html", ".htm"), "--html")
    if arguments.html is not None:
        _writing.check_jinja2()
    if given.get("name_records") and given.get("no_records"):
        raise ValueError("--name-records and --no-records contradict each other.")
    if given.get("name_records") and arguments.html is None and arguments.json is None:
        raise ValueError(
            "--name-records is about the page and the JSON file, and neither is "
            "written: pass -o FILE or --json FILE, or leave it out."
        )
    if given.get("json_records") == "parquet":
        _check_beside(arguments)
    notes_once(arguments.note)
    if given.get("groups") is not None and arguments.group is None:
        raise ValueError("--groups FILE needs --group COLUMN, the person of a record.")
    if arguments.group_name is not None and arguments.group is None:
        raise ValueError(
            "--group-name WORD needs --group COLUMN, the person of a record."
        )
    for name, path in _outputs(arguments):
        if name not in _TABLES or path is None:
            continue
        if arguments.no_records:
            raise ValueError(f"--{name} and --no-records contradict each other.")
        _check_suffix(path, (".csv", ".parquet", ".pq"), f"--{name}")
        _reading.check_pandas(f"--{name} (pip install 'sklearn-mia[report]')")
        if _writing.is_parquet(path):
            _reading.check_pyarrow()


def _outputs(arguments):
    """What the options of the command say of files to write, also where they do not."""
    given = vars(arguments)
    return [(name, given[name]) for name in (*_PAGES, *_TABLES) if name in given]


def _check_beside(arguments):
    if arguments.json is None or not arguments.name_records:
        raise ValueError(
            "--json-records parquet is about the records of --json FILE with "
            "--name-records: pass both, or leave it out."
        )
    if not _writing.is_file(arguments.json):
        raise ValueError(
            f"--json-records parquet writes a file beside that of --json, and --json "
            f"{arguments.json} is no file; expected the name of one."
        )
    _reading.check_pyarrow()


def _check_suffix(path, known, option):
    # Devices and pipes have names of their own.
    is_file = path is not None and _writing.is_file(path)
    if is_file and not _writing.has_suffix(path, known):
        raise ValueError(
            f"{option} {path} does not end in {' or '.join(known)}, the formats that "
            "can be written."
        )


def deliver(report, arguments):
    """Print the report, then write every file that can be written.

    Parameters
    ----------
    report : AuditReport or RecipeReport

    arguments : Namespace
    """
    wanted = {name: path for name, path in _outputs(arguments) if path is not None}
    # A file on stdout is alone there.
    taken = any(map(_writing.goes_to_stdout, wanted.values()))
    steps = [("The report", partial(_print, report, sys.stderr if taken else None))]
    # A report on a procedure names nobody.
    named = {"name_records": True} if vars(arguments).get("name_records") else {}
    write = {
        "html": partial(report.to_html, **named),
        "json": partial(report.to_json, **named, **_place_of_records(arguments)),
    } | {name: partial(_write_table, report, name) for name in _TABLES}
    steps += [
        (f"--{n} {path}", partial(_write, write[n], path)) for n, path in wanted.items()
    ]
    _writing.run_all(steps)


def _place_of_records(arguments):
    # A report on a procedure has none.
    place = vars(arguments).get("json_records", "json")
    return {} if place == "json" else {"records": place}


def _print(report, stream):
    clear()  # of a terminal, the line that the report goes to
    _writing.say(report, stream)


def _write(write, path):
    stage(f"writing {visible(str(path))}")
    write(path)


def _write_table(report, name, path):
    table = _writing.table_file(getattr(report, name), path)
    _writing.write_whole(path, table, private=True)
