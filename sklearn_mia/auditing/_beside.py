"""Records and groups of a report as Parquet files beside its JSON file."""

import hashlib
import io
import json
from contextlib import suppress
from pathlib import Path

import numpy as np

from sklearn_mia._warn import warn
from sklearn_mia.auditing._files import MOST_BYTES, check_size
from sklearn_mia.auditing._json import expected, plain
from sklearn_mia.auditing._reading import check_pyarrow, check_unpacked, damaged
from sklearn_mia.auditing._shape import FILE, TEXT, Each, Kind, Ruled, fault
from sklearn_mia.auditing._writing import (
    STDOUT,
    check_outputs,
    is_file,
    write_whole,
)

NAMES_BESIDE = "the files of records and groups beside it name members: keep them"
PLACES = ("json", "parquet")
# Of a column whose values differ in type: each cell is JSON.
_AS_JSON = {b"sklearn_mia": b"json"}
_NATIVE = ({bool}, {int}, {float}, {str})
_TABLES = ("records", "groups")
_IN_THE_FOLDER = Kind(
    "the name of a file, without a folder",
    lambda v: isinstance(v, str) and v not in ("", "..") and not set(v) & set("/\\:\0"),
)
_FILES = Ruled(
    Each(FILE | {"name": _IN_THE_FOLDER, "sha256": TEXT}),
    {"there is another key": lambda v: set(v) <= set(_TABLES)},
)


def check_beside(path):
    """Raise an error for a place of a report that has no place beside it."""
    check_pyarrow()
    if path is None or path == STDOUT or not is_file(path):
        shown = (
            "stdout" if path == STDOUT else repr(path if path is None else str(path))
        )
        raise ValueError(
            f"records='parquet' writes files beside that of the report, and path is "
            f"{shown}; expected the name of a file."
        )


def replace_report(path, write, tables=()):
    """Write a report and the tables that it names, all of them or none.

    The name of a table has a digest of it and of the file of the report, so that no
    other report has the same. The tables come first, and the file that names them
    last: until then an earlier report there has its own. These are taken away when it
    has been replaced.

    Parameters
    ----------
    path : str or Path
        The file of the report.

    write : callable
        Writes it, given what it is to say of its tables.

    tables : dict of str to (dict or None), default=()
        The columns of each. Nothing of the tables is told if there is none.
    """
    data = {n: _parquet_of(table) for n, table in dict(tables).items() if table}
    told = {name: _about(path, name, *of) for name, of in data.items()}
    folder, earlier = Path(path).parent, named_tables(path)
    places = {name: folder / about["name"] for name, about in told.items()}
    check_outputs([("path", path), *places.items()])
    # The same report once more has the same names.
    new = [place for place in places.values() if not place.exists()]
    try:
        for name, place in places.items():
            write_whole(place, data[name][0], private=True)
        write(told)
    except BaseException:
        for place in new:
            place.unlink(missing_ok=True)
        raise
    for place, sha256 in earlier.values():
        if place not in places.values():
            _take_away(place, sha256)


def named_tables(path):
    """Tables that the file of a report names, if it is one.

    Parameters
    ----------
    path : str or Path

    Returns
    -------
    tables : dict of str to (Path, str)
        Where each is, there or not, and its SHA-256.
    """
    if path == STDOUT or not is_file(path) or not Path(path).exists():
        return {}
    try:
        text = Path(path).read_bytes()
        told = json.loads(text)["tables"] if b'"tables"' in text else {}
    except (OSError, ValueError, RecursionError, KeyError, TypeError):
        return {}
    if fault(told, _FILES, "tables") is not None:
        return {}
    folder = Path(path).parent
    return {n: (folder / about["name"], about["sha256"]) for n, about in told.items()}


def _about(path, name, data, n_rows):
    sha256 = hashlib.sha256(data).hexdigest()
    own = hashlib.sha256(f"{Path(path).name} {sha256}".encode()).hexdigest()[:8]
    return {
        "name": f"{Path(path).stem}.{name}.{own}.parquet",
        "sha256": sha256,
        "n_bytes": len(data),
        "n_rows": n_rows,
    }


def _take_away(place, sha256):
    """Remove a table, unless it is another than the report said."""
    with suppress(OSError):
        if hashlib.sha256(place.read_bytes()).hexdigest() == sha256:
            place.unlink()


def read_tables(name, folder, told, writer, *, max_bytes=MOST_BYTES):
    """Read the tables beside the file of a report.

    Parameters
    ----------
    name : str
        The file of the report, for messages.

    folder : Path or None
        Where it is; None if it was read from text.

    told : object
        What the report says of its tables.

    writer : str
        Name of the class that writes such files.

    max_bytes : int, default=4 * 2**30
        Most that a table may hold once it is unpacked.

    Returns
    -------
    tables : dict of str to dict
        Each column of each table that is there, mapped to a list of plain values.

    Raises
    ------
    ValueError
        If a table is not the one that was written with the report.
    """
    wrong = fault(told, _FILES, "tables")
    if wrong is not None:
        raise ValueError(f"{name} is damaged: {wrong}; {expected(writer)}")
    found, missing = {}, []
    for table, about in told.items():
        place = None if folder is None else Path(folder, about["name"])
        if place is None or not place.is_file():
            missing.append(about["name"])
            continue
        found[table] = _columns_of(place, about, name, max_bytes)
    if missing:
        warn(
            f"{' and '.join(map(repr, missing))} not found beside "
            f"{name[:1].lower()}{name[1:]}: the report is read without what it holds "
            "per record."
        )
    return found


def _parquet_of(table):
    """Columns as the bytes of a Parquet file, and its number of rows."""
    parquet = check_pyarrow()
    import pyarrow as pa

    columns = [_arrow_column(pa, name, np.asarray(v)) for name, v in table.items()]
    fields, arrays = zip(*columns, strict=True)
    whole = pa.Table.from_arrays(list(arrays), schema=pa.schema(fields))
    sink = pa.BufferOutputStream()
    parquet.write_table(whole, sink, compression="zstd")
    return sink.getvalue().to_pybytes(), whole.num_rows


def _arrow_column(pa, name, values):
    if values.dtype.kind in "biuf":
        undefined = ~np.isfinite(values) if values.dtype.kind == "f" else None
        array = pa.array(values, mask=undefined)
        return pa.field(name, array.type), array
    cells = plain(values)
    if set(map(type, cells)) - {type(None)} in _NATIVE:
        try:
            array = pa.array(cells)
            return pa.field(name, array.type), array
        except (OverflowError, UnicodeError, pa.ArrowException):
            pass  # as JSON
    array = pa.array([json.dumps(cell, allow_nan=False) for cell in cells], pa.string())
    return pa.field(name, array.type, metadata=_AS_JSON), array


def _columns_of(place, about, name, max_bytes):
    """Columns of a file that was written with a report, as lists of plain values."""
    check_size(place, place.stat().st_size, max_bytes)
    data = place.read_bytes()
    if hashlib.sha256(data).hexdigest() != about["sha256"]:
        raise ValueError(
            f"{str(place)!r} is not the file that was written with {name}: it has "
            "another SHA-256. Put the right one there, or take it away to read the "
            "report without it."
        )
    check_unpacked(place, max_bytes)
    try:
        table = check_pyarrow().read_table(io.BytesIO(data))
        return {
            field.name: _cells(table.column(field.name), field)
            for field in table.schema
        }
    except Exception as error:
        raise damaged(place, "Parquet", error) from None


def _cells(column, field):
    cells = column.to_pylist()
    if (field.metadata or {}).items() >= _AS_JSON.items():
        return [json.loads(cell) for cell in cells]
    # Numbers without a gap are most of a table, and are plain already.
    if {bool, int, str} >= set(map(type, cells)):
        return cells
    return plain(cells)
