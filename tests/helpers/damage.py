"""Ways to damage a file: its bytes, or what they stand for."""

import csv
import gzip
import io
import json
import struct
import zipfile
import zlib

import numpy as np
import pytest

pa = pytest.importorskip("pyarrow")
parquet = pytest.importorskip("pyarrow.parquet")

# Bytes


def flip(rng, data):
    data = bytearray(data)
    for _ in range(rng.choice([1, 1, 3, 20])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def cut(rng, data):
    place = rng.randrange(len(data))
    return data[:place] if rng.random() < 0.7 else data[place:]


def _slice(rng, data):
    begin = rng.randrange(len(data))
    return begin, min(len(data), begin + rng.choice([1, 4, 30, 300]))


def drop(rng, data):
    begin, end = _slice(rng, data)
    return data[:begin] + data[end:]


def repeat(rng, data):
    begin, end = _slice(rng, data)
    return data[:end] + data[begin:end] * rng.choice([1, 2, 50]) + data[end:]


def insert(rng, data):
    place = rng.randrange(len(data) + 1)
    content = rng.randbytes(rng.choice([1, 2, 16]))
    return data[:place] + content + data[place:]


def overwrite(rng, data):
    number = rng.choice([0, 1, 127, 255, 2**16 - 1, 2**31 - 1, 2**32 - 1, 2**63 - 1])
    content = struct.pack(rng.choice("<>") + "Q", number)[: rng.choice([1, 2, 4, 8])]
    place = rng.randrange(len(data))
    return data[:place] + content + data[place + len(content) :]


def swap(rng, data):
    (a, b), (c, d) = sorted(_slice(rng, data) for _ in range(2))
    return data if b > c else data[:a] + data[c:d] + data[b:c] + data[a:b] + data[d:]


def of_another(rng, data):
    """What another kind of file begins with."""
    starts = b"PK\x03\x04", b"PAR1", b"\x93NUMPY\x01\x00", b"\x80\x04.", b"\x1f\x8b\x08"
    return (
        rng.choice([*starts, b"", b"\x89PNG\r\n\x1a\n", b"[1,", b"\xef\xbb\xbf"])
        + (data[rng.randrange(min(20, len(data))) :])
    )


BYTES = (flip, cut, drop, repeat, insert, overwrite, swap, of_another)

# Tables of text


def _rows(data):
    return list(csv.reader(io.StringIO(data.decode(), newline="")))


def _text(rows, **params):
    buffer = io.StringIO()
    csv.writer(buffer, **{"lineterminator": "\n", **params}).writerows(rows)
    return buffer.getvalue().encode()


CELLS = (
    *("", " ", "NA", "nan", "None", "-", "0", "-0", "007", "1e5", "1e999", "1,5"),
    *("0x1F", "1_000", "True", "yes ", "Yes", "=1+1", "inf", "\u0664", "a\nb", "a\r"),
    *('"', '""', "'", ",", ";", "\t", "\0", "\ufeff", "\u202e", "9" * 400, "x" * 5000),
)


def csv_structure(rng, data):
    """A CSV whose cells, rows or columns are other ones."""
    rows = _rows(data)
    row, column = rng.randrange(len(rows)), rng.randrange(len(rows[0]))
    what = rng.choice(
        [
            *("cell", "cell", "cell", "header", "more", "fewer", "early", "all-more"),
            *("row", "empty", "twice", "order", "columns", "lone", "named", "dialect"),
            *("ends", "mark", "quote", "wide", "latin", "utf16", "comment", "numbers"),
        ]
    )
    if what in ("cell", "header"):
        rows[0 if what == "header" else row][column] = rng.choice(CELLS)
    elif what == "more":
        rows[row].append(rng.choice(CELLS))
    elif what == "fewer":
        rows[row].pop()
    elif what == "early":
        rows[row].insert(column, rng.choice(CELLS))
    elif what == "all-more":
        rows[1:] = [[str(i), *r] for i, r in enumerate(rows[1:])]
    elif what == "row":
        del rows[row]
    elif what == "empty":
        rows.insert(row, rng.choice([[], [""], [" "], [""] * len(rows[0])]))
    elif what == "twice":
        rows[0][column] = rng.choice(rows[0])
    elif what == "order":
        rows[1:] = rng.sample(rows[1:], len(rows) - 1)
    elif what == "columns":
        order = rng.sample(range(len(rows[0])), len(rows[0]))
        rows = [[r[j] for j in order] for r in rows]
    elif what == "lone":
        rows = rows[: rng.choice([0, 1, 2])]
    elif what == "named":
        rows = [["", *rows[0]], *([str(i), *r] for i, r in enumerate(rows[1:]))]
    elif what == "dialect":
        return _text(rows, delimiter=rng.choice(";\t| "))
    elif what == "ends":
        return _text(rows, lineterminator=rng.choice(["\r\n", "\r", "\n\n", "\n\r"]))
    elif what == "mark":
        return b"\xef\xbb\xbf" + data
    elif what == "quote":
        return _text(rows, quoting=csv.QUOTE_ALL, quotechar=rng.choice("\"'"))
    elif what == "wide":
        rows = [r * 40 for r in rows]
    elif what == "latin":
        rows[row][column] = "ö€"
        return data.replace(b"cook", rng.choice([b"k\xf6ch", b"k\x80ch"]))
    elif what == "utf16":
        return data.decode().encode(rng.choice(["utf-16", "utf-16-le", "utf-32"]))
    elif what == "comment":
        return b"# made by\n" + data
    elif what == "numbers":
        rows[1:] = [[str(j) for j in range(len(r))] for r in rows[1:]]
    return _text(rows)


def packed_csv(rng, data):
    """The same inside gzip, or a bomb of it."""
    text = gzip.decompress(data)
    if rng.random() < 0.1:
        bomb = text + text[text.index(b"\n") + 1 :] * 40_000
        return gzip.compress(bomb, compresslevel=1, mtime=0)
    return gzip.compress(csv_structure(rng, text), mtime=0)


# Parquet


def parquet_structure(rng, data):
    """A Parquet file of other columns or types, or one that unpacks to too much."""
    table = parquet.read_table(io.BytesIO(data))
    names = table.column_names
    name = rng.choice(names)
    place = names.index(name)
    what = rng.choice(
        [
            "drop",
            "rename",
            "twice",
            "order",
            "type",
            "gap",
            "index",
            "text",
            "list",
            "rows",
        ]
    )
    if what == "drop":
        table = table.drop_columns([name])
    elif what == "rename":
        names[place] = rng.choice(["", "x", "label", "__index_level_0__", names[0]])
        table = table.rename_columns(names)
    elif what == "twice":
        table = table.append_column(name, table[name])
    elif what == "order":
        table = table.select(rng.sample(names, len(names)))
    elif what == "type":
        values = _other_type(rng, table[name])
        table = table.set_column(place, name, values)
    elif what == "gap":
        mask = pa.array([rng.random() < 0.3 for _ in range(len(table))])
        column = pytest.importorskip("pyarrow.compute").if_else(mask, None, table[name])
        table = table.set_column(place, name, column)
    elif what == "index":
        frame = table.to_pandas()
        table = pa.Table.from_pandas(frame.set_index(rng.choice(names)))
    elif what == "text":
        table = _bomb(table, place, pa.array(["x" * 300_000]), 600)
    elif what == "list":
        table = _long_list(table, place)
    elif what == "rows":
        table = table.slice(0, rng.choice([0, 1, 2]))
    buffer = io.BytesIO()
    codec = rng.choice(["snappy", "zstd", "none", "gzip"])
    kept = what != "text"  # else a reader would keep the one value, too
    parquet.write_table(table, buffer, compression=codec, store_schema=kept)
    return buffer.getvalue()


def _other_type(rng, column):
    values = column.to_pylist()
    n = len(values)
    return rng.choice(
        [
            lambda: pa.array([str(v) for v in values]),
            lambda: pa.array([str(v).encode() for v in values]),
            lambda: pa.array([str(v) for v in values]).dictionary_encode(),
            lambda: pa.array([[1.0, 2.0]] * n),
            lambda: pa.array([{"a": 1}] * n),
            lambda: pa.array(range(n), pa.timestamp("ns")),
            lambda: pa.array([2**53 + i for i in range(n)]),
            lambda: pa.array([i % 2 == 0 for i in range(n)]),
            lambda: pa.array([float("inf")] * n),
            lambda: pa.nulls(n),
        ]
    )()


def _bomb(table, place, value, times):
    """One value that stands once in the file, and in every row."""
    long = pa.concat_tables([table] * times).replace_schema_metadata(None)
    places = pa.array(np.zeros(len(long), dtype=np.int32))
    column = pa.DictionaryArray.from_arrays(places, value)
    return long.set_column(place, table.column_names[place], column)


def _long_list(table, place):
    n = len(table)
    ends = np.full(n + 1, 20_000_000, dtype=np.int32)
    ends[0] = 0
    long = pa.ListArray.from_arrays(ends, pa.array(np.zeros(20_000_000, dtype=np.int8)))
    return table.set_column(place, table.column_names[place], long)


# Archives


def parts_of(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(parts, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in parts:
            archive.writestr(name, content)
    return buffer.getvalue()


def header_of(shape, dtype="<f8"):
    buffer = io.BytesIO()
    about = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, about)
    return buffer.getvalue()


def archive_structure(rng, data):
    """An archive whose parts are damaged, missing, named twice or far too large."""
    parts = list(parts_of(data).items())
    place = rng.randrange(len(parts))
    name, content = parts[place]
    what = rng.choice(
        [
            "bytes",
            "bytes",
            "drop",
            "name",
            "twice",
            "zeros",
            "claim",
            "nested",
            "object",
        ]
    )
    if what == "bytes" and content:
        parts[place] = name, rng.choice(BYTES)(rng, content)
    elif what == "drop":
        del parts[place]
    elif what == "name":
        parts[place] = rng.choice(["../x.npy", "/x.npy", "x", "schema.json"]), content
    elif what == "twice":
        # Under another name: the module warns of equal ones.
        parts.append((f"x{name}", rng.choice(parts)[1]))
    elif what == "zeros":
        parts[place] = name, header_of((2**25,), "|i1") + bytes(2**25)
    elif what == "claim":
        shape = rng.choice([(2**40,), (2**62, 4), (2**33, 0), (-1,), (0,), ()])
        parts[place] = name, header_of(shape, rng.choice(["<f8", "|i1", "<U0"]))
    elif what == "nested":
        zeros = [("data.npy", header_of((2**25,), "|i1") + bytes(2**25))]
        parts[place] = name, packed(zeros, zipfile.ZIP_DEFLATED)
    elif what == "object":
        parts[place] = name, header_of((3,), "|O") + b"\x80\x04."
    return packed(parts, rng.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))


# Trees of JSON

PLAIN = (None, True, 0, -1, 1e308, 2**70, "", "x", [], {}, [[]], {"a": None}, "\ud800")
HOSTILE = (
    *(("os", "system"), ("builtins", "exec"), ("builtins", "getattr")),
    *(("pickle", "loads"), ("subprocess", "Popen"), ("joblib", "load")),
    *(("numpy", "load"), ("operator", "attrgetter"), ("functools", "partial")),
    *(("sklearn.tree._tree", "Tree"), ("builtins", "range")),
)


def _places(tree):
    """Each place inside a tree, as a container and a key."""
    found, waiting = [], [tree]
    while waiting:
        part = waiting.pop()
        keys = range(len(part)) if isinstance(part, list) else list(part)
        found += [(part, key) for key in keys]
        waiting += [part[k] for k in keys if isinstance(part[k], (list, dict))]
    return found


def change_tree(rng, tree):
    for _ in range(rng.choice([1, 1, 2, 5])):
        places = _places(tree)
        if not places:
            return tree
        part, key = rng.choice(places)
        other, place = rng.choice(places)
        what = rng.choice(["plain", "plain", "drop", "other", "near", "text"])
        if what == "plain":
            part[key] = rng.choice(PLAIN)
        elif what == "drop":
            del part[key]
        elif what == "other":
            part[key] = json.loads(json.dumps(other[place]))
        elif what == "near" and isinstance(part[key], (int, float)):
            part[key] = rng.choice([-part[key], part[key] * 1000, part[key] + 1])
        elif what == "text" and isinstance(part[key], str):
            part[key] = rng.choice(["<script>", "\x1b[31m", "\u202e", part[key] * 9])
    return tree


def json_structure(rng, data):
    tree = json.loads(data)
    if rng.random() < 0.05:
        depth = rng.choice([100, 100_000])
        return b"[" * depth + b"]" * depth
    return json.dumps(change_tree(rng, tree)).encode()


def schema_structure(rng, data):
    """A model whose tree names other types, or an array again and again."""
    parts = parts_of(data)
    tree = json.loads(parts["schema.json"])
    nodes = [p[k] for p, k in _places(tree) if isinstance(p[k], dict)]
    typed = [node for node in nodes if "__class__" in node]
    what = rng.choice(["tree", "tree", "hostile", "loader", "again", "deep"])
    if what == "tree":
        change_tree(rng, tree)
    elif what == "hostile":
        node = rng.choice(typed)
        node["__module__"], node["__class__"] = rng.choice(HOSTILE)
    elif what == "loader":
        loaders = sorted({n["__loader__"] for n in typed if "__loader__" in n})
        rng.choice(typed)["__loader__"] = rng.choice(
            [*loaders, "OperatorFuncNode", "ReduceNode", "MethodNode", "JsonNode"]
        )
    elif what == "again":
        (array,) = [n for n in nodes if "file" in n][:1] or [{}]
        lists = [n for n in nodes if isinstance(n.get("content"), list)]
        if array and lists:
            copies = [{**array, "__id__": 10**6 + i} for i in range(2000)]
            rng.choice(lists)["content"] = copies
            parts[array["file"]] = header_of((2**17,), "|i1") + bytes(2**17)
    elif what == "deep":
        for _ in range(rng.choice([10, 2000])):
            tree = {"__class__": "list", "__module__": "builtins", "content": [tree]}
    try:
        parts["schema.json"] = json.dumps(tree).encode()
    except RecursionError:
        parts["schema.json"] = b"[" * 100_000
    return packed(parts.items())


# Images


def image_bomb(rng, data, side=None):
    """A PNG of many black pixels, made without holding them."""
    side = side or rng.choice([6_000, 9_000, 15_000])
    row = bytes(1 + -(-side // 8))
    packer = zlib.compressobj(1)
    pixels = b"".join([packer.compress(row) for _ in range(side)]) + packer.flush()
    about = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = (b"IHDR", about), (b"IDAT", pixels), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def array_structure(rng, data):
    shape = rng.choice([(2**40,), (2**33, 0), (8,), (8, 9), ()])
    return header_of(shape, rng.choice(["|u1", "<f8", "|O", "<U9"])) + data[-64:]


def structures(name):
    """Ways to damage what the bytes of a file stand for, by its name."""
    for suffix, found in (
        (".csv", [csv_structure]),
        (".csv.gz", [packed_csv]),
        (".parquet", [parquet_structure]),
        (".npz", [archive_structure]),
        (".skops", [archive_structure, schema_structure, schema_structure]),
        (".json", [json_structure]),
        (".npy", [array_structure]),
        (".png", [image_bomb]),
    ):
        if name.endswith(suffix):
            return found
    return []


def damage(rng, name, data):
    """A damaged file, and what was done to it."""
    known = structures(name)
    by_structure = known and rng.random() < 0.6
    how = rng.choice(known) if by_structure else rng.choice(BYTES)
    return how(rng, data), how.__name__
