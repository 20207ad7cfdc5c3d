"""Damaged files for the command line, one after the other, and what became of them.

    python tests/fuzz_inputs.py --inputs 300 --seed 0

Each is read as the command line reads it, in a process of its own that may take little
more memory than a sound file needs. What must hold: exit code 2 and one line, or a
table that is cell by cell what an independent reader sees; no traceback, no code of
the file run, no hang, no crash. Input `n` of a seed is always the same; ``--only n``
makes it alone, and leaves its files.
"""

import argparse
import contextlib
import csv
import gzip
import io
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
from helpers.corpus import CANARY, cases
from helpers.damage import damage

from sklearn_mia import AuditReport, RecipeReport
from sklearn_mia.__main__ import main
from sklearn_mia.auditing import _command
from sklearn_mia.auditing._typing import GAPS

resource = pytest.importorskip("resource")

MOST_SECONDS = {signal.ITIMER_PROF: 20, signal.ITIMER_REAL: 120}
MOST_MEMORY = 600 * 2**20  # beyond what the process has before an input
FULL = 20  # one of so many readable inputs is audited to the end
AT_ONCE = 500  # inputs after which a long run tells how far it is
REFUSED, READ, AUDITED = "refused", "read", "audited"


class Stopped(BaseException):
    """Ends a command once all is read, or after too long."""


class Wrong(Exception):
    """What must not be."""


# One input


def put(folder, case, rng):
    """Write the files of a case, one of them damaged."""
    name = rng.choice(case.damaged)
    files = dict(case.files)
    files[name], how = damage(rng, name, files[name])
    for file, content in files.items():
        path = folder / file
        path.parent.mkdir(exist_ok=True)
        if not path.exists() or path.read_bytes() != content:
            path.write_bytes(content)
    return name, how


def attempt(case, name, is_full):
    """What became of an input, or an error that tells what went wrong."""
    if not case.arguments:
        return read_report(case, name)
    out, err = io.StringIO(), io.StringIO()
    seen = []

    def reading(read):
        def kept(*args, **params):
            seen.append(read(*args, **params))
            return seen[-1]

        return kept

    def end(*args, **params):
        raise Stopped

    with contextlib.ExitStack() as stack:
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        for function in ("read_sides", "read_predictions"):
            patch = mock.patch.object(
                _command, function, reading(getattr(_command, function))
            )
            stack.enter_context(patch)
        for function in () if is_full else ("audit_case", "predictions_report"):
            stack.enter_context(mock.patch.object(_command, function, end))
        try:
            status = main([*case.arguments])
        except Stopped:
            status = None
    if seen:
        check_read(case, seen[0])
    if status is None:
        return READ
    if status in (0, 4):
        return AUDITED
    said = err.getvalue()
    if status != 2:
        raise Wrong(f"exit code {status}: {said[:300]}")
    if not said.startswith("error: ") or said.count("\n") != 1 or len(said) > 2500:
        raise Wrong(f"an error that is not one line: {said[:300]!r}")
    return REFUSED


def read_report(case, name):
    cls = RecipeReport if name.startswith("recipe") else AuditReport
    try:
        report = cls.from_json(Path(name))
    except ValueError as error:
        if "\n" in str(error) or len(str(error)) > 2500:
            raise Wrong(
                f"an error that is not one line: {str(error)[:300]!r}"
            ) from None
        return REFUSED
    str(report), repr(report)
    again = cls.from_json(report.to_json())
    if again.to_dict() != report.to_dict():
        raise Wrong("a report that is another one when it is read back")
    page = report.to_html()
    if "<script>" in page or "\u202e" in page or "\x1b" in page:
        raise Wrong("a page with what a file put into it")
    return READ


# What an independent reader sees


def check_read(case, read):
    if case.name in ("table.csv", "table.csv.gz"):
        opened = gzip.open if case.name.endswith(".gz") else open
        for k, side in enumerate(("members", "others")):
            with opened(
                side + case.name.removeprefix("table"),
                "rt",
                encoding="utf-8-sig",
                newline="",
            ) as file:
                rows = [r for r in csv.reader(file) if r and not _is_blank(r)]
            columns = dict(zip(rows[0], zip(*rows[1:], strict=True), strict=True))
            if len(columns) < len(rows[0]):
                raise Wrong("two columns of one name were told apart")
            same_cells(columns, read, k)
    elif case.name == "table.parquet":
        from pyarrow import parquet

        for k, side in enumerate(("members", "others")):
            table = parquet.ParquetFile(f"{side}.parquet").read()
            same_cells(
                dict(
                    zip(
                        table.column_names,
                        (column.to_pylist() for column in table.columns),
                        strict=True,
                    )
                ),
                read,
                k,
            )
    elif case.name == "table.npz":
        for k, side in enumerate(("members", "others")):
            with np.load(f"{side}.npz") as archive:
                same_cells({n: archive[n].tolist() for n in archive.files}, read, k)


def _is_blank(row):
    return len(row) == 1 and (not row[0] or row[0].isspace())


def same_cells(columns, read, k):
    """Raise an error unless each cell stands in its column and row."""
    features, labels = read.features[k], read.labels[k]
    compared = {"label": list(labels)}
    for name in getattr(features, "columns", ()):
        compared[name] = features[name].tolist()
    for name, values in compared.items():
        cells = columns.get(name)
        if cells is None or len(cells) != len(values):
            raise Wrong(f"column {name!r} is not the one of the file")
        for row, (value, cell) in enumerate(zip(values, cells, strict=True)):
            if not same(value, cell):
                raise Wrong(
                    f"column {name!r}, row {row}: {cell!r} was read as {value!r}"
                )


def same(value, cell):
    if value is None or value != value:
        return cell is None or str(cell).strip() in GAPS
    if value == cell or str(value) == str(cell).strip():
        return True
    try:
        return math.isclose(float(value), float(str(cell).strip()), rel_tol=1e-15)
    except (TypeError, ValueError):
        if hasattr(cell, "isoformat"):  # a date that was read as text
            return cell == type(cell)(value)
        return str(value).strip() == str(cell).strip()


# Many inputs


def run(numbers, seed, folder):
    """Read so many inputs; tell what became of each on stdout, as JSON."""
    known = cases()
    names = list(known)
    os.chdir(folder)
    for number in (signal.SIGALRM, signal.SIGPROF):
        signal.signal(number, _too_long)
    warnings.simplefilter("ignore")
    for number in numbers:
        rng = random.Random(f"{seed} {number}")
        case = known[names[number % len(names)]]
        place = Path(case.name.replace(".", "_"))
        place.mkdir(exist_ok=True)
        name, how = put(place, case, rng)
        told = {"input": number, "case": case.name, "file": name, "how": how}
        print(json.dumps(told), flush=True)
        os.chdir(place)
        for clock, seconds in MOST_SECONDS.items():
            signal.setitimer(clock, seconds)
        began, used, most = time.monotonic(), memory_now(), most_memory()
        try:
            became = attempt(case, name, rng.randrange(FULL) == 0)
        except (Exception, Stopped) as error:
            last = traceback.extract_tb(error.__traceback__)[-1]
            became = f"WRONG {type(error).__name__}: {error} ({last.name})"
        finally:
            for clock in MOST_SECONDS:
                signal.setitimer(clock, 0)
        if Path(CANARY).exists():
            became = "WRONG code of the file was run"
        grown = most_memory() - used
        if most_memory() > most and grown > MOST_MEMORY:
            became = f"WRONG {grown / 2**20:.0f} MB were taken"
        os.chdir("..")
        seconds = round(time.monotonic() - began, 3)
        print(json.dumps({"became": became, "seconds": seconds}), flush=True)


def most_memory():
    """Bytes that this process had at most so far."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def memory_now():
    """Bytes that this process has, where the system tells; else as above."""
    told = Path("/proc/self/statm")
    if not told.exists():
        return most_memory()
    return int(told.read_text().split()[1]) * resource.getpagesize()


def _too_long(*_):
    raise Stopped("not done in time")


def fuzz(numbers, seed):
    """What became of each input; a process that ends early costs one of them.

    Returns
    -------
    results : list of dict
    """
    numbers, results = list(numbers), []
    while numbers:
        with tempfile.TemporaryDirectory() as folder:
            given = json.dumps([numbers, seed, folder])
            done = subprocess.run(
                [sys.executable, __file__, "--child", given],
                capture_output=True,
                text=True,
            )
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        pairs = list(zip(lines[::2], lines[1::2], strict=False))
        results += [began | ended for began, ended in pairs]
        if len(lines) % 2:
            why = f"WRONG the process ended with {done.returncode}"
            results.append(lines[-1] | {"became": why, "seconds": 0})
        elif len(pairs) < len(numbers):
            raise RuntimeError(done.stderr)
        numbers = numbers[(len(lines) + 1) // 2 :]
    return results


def counts_told(results):
    """Lines with the counts, and one for each input that went wrong."""
    became = Counter(r["became"].split()[0] for r in results)
    lines = [
        f"{len(results)} inputs: "
        + ", ".join(f"{n} {what}" for what, n in sorted(became.items()))
    ]
    for case in dict.fromkeys(r["case"] for r in results):
        own = Counter(r["became"].split()[0] for r in results if r["case"] == case)
        parts = ", ".join(f"{n} {what}" for what, n in sorted(own.items()))
        lines.append(f"  {case:16} {parts}")
    return lines + [
        f"{r['input']}: {r['case']}, {r['how']} of {r['file']}: {r['became']}"
        for r in results
        if r["became"].startswith("WRONG")
    ]


def _command_line():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--inputs", type=int, default=300)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, metavar="NUMBER")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        run(*json.loads(arguments.child))
    elif arguments.only is not None:
        folder = tempfile.mkdtemp()
        run([arguments.only], arguments.seed, folder)
        print(folder)
    else:
        results = []
        # What a long run found is told when it is stopped, too.
        with contextlib.suppress(KeyboardInterrupt):
            for start in range(0, arguments.inputs, AT_ONCE):
                numbers = range(start, min(start + AT_ONCE, arguments.inputs))
                results += fuzz(numbers, arguments.seed)
                print(f"{len(results)} inputs", file=sys.stderr, flush=True)
        print("\n".join(counts_told(results)))
        return any(r["became"].startswith("WRONG") for r in results)
    return False


if __name__ == "__main__":
    sys.exit(_command_line())
