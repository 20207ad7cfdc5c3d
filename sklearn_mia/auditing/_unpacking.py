"""How much a packed file holds, told before memory is taken for it.

What a file says of its own size may be small beside what it unpacks to: a text that
stands once and is named a million times, an array that is named again and again, an
archive within an archive.
"""

import io
import json
import math
import zipfile
from collections import Counter

from sklearn_mia.auditing._files import check_size
from sklearn_mia.auditing._pages import values_in_pages

_ARRAY, _ARCHIVE = b"\x93NUMPY", b"PK\x03\x04"
_SCHEMA = "schema.json"
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 12}
_TEXT = "BYTE_ARRAY"


def check_archive(path, archive, max_bytes):
    """Raise ValueError for an archive of arrays that holds more than it may.

    Counted is what reading it takes: each entry as often as a model asks for it,
    archives inside, and what the header of an array claims.

    Parameters
    ----------
    path : Path

    archive : zipfile.ZipFile
        A .npz or .skops file.

    max_bytes : int
    """
    # First as the directory has them, so that no entry is too large to look into.
    check_size(path, sum(e.file_size for e in archive.infolist()), max_bytes)
    asked = _times_asked(archive)
    n_bytes = 0
    for entry in archive.infolist():
        times = max(1, asked[entry.filename])
        n_bytes += times * _held(path, archive, entry, max_bytes)
        check_size(path, n_bytes, max_bytes)


def check_array_file(path, max_bytes):
    """Raise ValueError for a .npy file whose header does not fit what it holds.

    Parameters
    ----------
    path : Path

    max_bytes : int
    """
    with open(path, "rb") as file:
        check_size(path, _claimed(file, path.stat().st_size), max_bytes)


def _times_asked(archive):
    """How often the tree of a model names each entry; a part with a number, once."""
    if _SCHEMA not in archive.namelist():
        return Counter()
    named, waiting = [], [json.loads(archive.read(_SCHEMA))]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if isinstance(part.get("file"), str):
                number = part.get("__id__")
                named.append((part["file"], len(named) if number is None else number))
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
    return Counter(name for name, _ in {(n, repr(number)) for n, number in named})


def _held(path, archive, entry, max_bytes):
    """Bytes that the content of an entry takes once it is read."""
    with archive.open(entry) as file:
        start = file.read(len(_ARRAY))
        if start == _ARRAY:
            file.seek(0)
            return _claimed(file, entry.file_size)
        if start[: len(_ARCHIVE)] != _ARCHIVE:
            return entry.file_size
        content = start + file.read()
    with zipfile.ZipFile(io.BytesIO(content)) as inside:
        held = sum(part.file_size for part in inside.infolist())
        check_size(path, held, max_bytes)
        for part in inside.infolist():
            with inside.open(part) as file:
                if file.peek(len(_ARRAY)).startswith(_ARRAY):
                    held += _claimed(file, part.file_size) - part.file_size
    return entry.file_size + held


def _claimed(file, n_bytes):
    """Bytes of an array and its header, of which no more than `n_bytes` are there."""
    # Whoever is told of a wrong option does not wait for it.
    from numpy.lib import format

    major, _ = format.read_magic(file)
    read = format.read_array_header_1_0
    if major > 1:  # 3.0 differs in the names of fields alone
        read = format.read_array_header_2_0
    shape, _, dtype = read(file)
    claimed = math.prod(shape) * dtype.itemsize
    if claimed > n_bytes - file.tell():
        raise ValueError("an array is larger than what is there of it")
    # Rows without columns, or text without letters, take memory once they are counted.
    return n_bytes + (0 if claimed else 8 * max(shape, default=0))


def check_parquet(path, parquet, max_bytes):
    """Raise ValueError for a Parquet file that holds more than it may.

    A column of one value takes no room in the file, whatever its number of rows, and
    neither do the elements of one list.

    Parameters
    ----------
    path : Path

    parquet : module
        That of pyarrow.

    max_bytes : int
    """
    about = parquet.read_metadata(path)
    chunks = [
        about.row_group(i).column(j)
        for i in range(about.num_row_groups)
        for j in range(about.num_columns)
    ]
    leaves = {c.path: c for c in map(about.schema.column, range(about.num_columns))}
    lists = [c for c in chunks if leaves[c.path_in_schema].max_repetition_level]
    _check_pages(path, lists)
    texts = [c for c in chunks if c.physical_type == _TEXT]
    n_bytes = sum(
        c.num_values * _width(leaves[c.path_in_schema])
        for c in chunks
        if c.physical_type != _TEXT
    )
    packed = sum(c.total_uncompressed_size for c in chunks)
    cells = 8 * about.num_rows * about.num_columns
    check_size(path, max(n_bytes, packed, cells), max_bytes)
    # No text is longer than all that the file has of its column.
    most = sum(c.num_values * c.total_uncompressed_size for c in texts)
    if n_bytes + most <= max_bytes:
        return
    for name in dict.fromkeys(c.path_in_schema for c in texts):
        file = parquet.ParquetFile(path, read_dictionary=[name])
        for batch in file.iter_batches(columns=[name]):
            n_bytes += sum(map(_length_of_text, batch.columns))
            check_size(path, n_bytes, max_bytes)


def _check_pages(path, chunks):
    """Raise ValueError for a column whose pages hold more values than it says."""
    with open(path, "rb") as file:
        for chunk in chunks:
            starts = chunk.dictionary_page_offset, chunk.data_page_offset
            start = min(place for place in starts if place)
            held = values_in_pages(file, start, chunk.total_compressed_size)
            if held > chunk.num_values:
                raise ValueError("pages hold more values than their column says")


def _width(leaf):
    return _WIDTHS.get(leaf.physical_type) or max(1, leaf.length)


def _length_of_text(array):
    """Bytes of the texts of a column, each as often as it is named."""
    import numpy as np
    import pyarrow as pa
    from pyarrow import compute

    if isinstance(array, pa.DictionaryArray):
        lengths = compute.binary_length(array.dictionary).to_numpy(zero_copy_only=False)
        places = array.indices.drop_null().to_numpy()
        named = np.bincount(places, minlength=len(lengths))
        return int(named @ np.nan_to_num(lengths).astype(np.int64))
    if isinstance(array, pa.StructArray):
        return sum(map(_length_of_text, array.flatten()))
    if isinstance(array, pa.MapArray):
        return _length_of_text(array.keys) + _length_of_text(array.items)
    if hasattr(array, "values"):
        return _length_of_text(array.values)
    return array.nbytes
