"""Files that say little of what they unpack to are refused before memory is taken."""

import io
import json
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest
from helpers.damage import header_of, image_bomb, pa, packed, parquet, parts_of
from scipy import sparse as sp
from sklearn.neighbors import KNeighborsClassifier
from sklearn.svm import SVC

from sklearn_mia.auditing import _item_files
from sklearn_mia.auditing._item_files import read_archive
from sklearn_mia.auditing._loading import load_model
from sklearn_mia.auditing._pages import values_in_pages
from sklearn_mia.auditing._reading import read_table

pd = pytest.importorskip("pandas")
skops = pytest.importorskip("skops.io")
pytest.importorskip("PIL")

MOST = 2**24  # bytes that may be unpacked


def zeros(write):
    """An array of 128 MiB, handed on in pieces."""
    write(header_of((2**27,), "|i1"))
    for _ in range(8):
        write(bytes(2**24))


def archive_of_zeros():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        with archive.open("data.npy", "w") as file:
            zeros(file.write)
        archive.writestr("label.npy", header_of((3,), "|i1") + b"\0\1\0")
    return buffer.getvalue()


def parquet_of(column, **others):
    buffer = io.BytesIO()
    table = pa.table({"a": column, **others})
    parquet.write_table(table, buffer, store_schema=False)
    return buffer.getvalue()


def one_text_often():
    places = pa.array(np.zeros(20_000, dtype=np.int32))
    return parquet_of(pa.DictionaryArray.from_arrays(places, ["x" * 50_000]))


def one_text_often_in_lists():
    places = pa.array(np.zeros(20_000, dtype=np.int32))
    texts = pa.DictionaryArray.from_arrays(places, ["x" * 50_000])
    ends = pa.array([0, 10_000, 20_000], pa.int32())
    return parquet_of(pa.ListArray.from_arrays(ends, texts))


def one_long_list():
    n = 2**23
    values = pa.array(np.zeros(n, dtype=np.int8))
    return parquet_of(pa.ListArray.from_arrays(pa.array([0, n], pa.int32()), values))


def number_of_bytes(value, length=None):
    """A number as the end of a file has it, perhaps in more bytes than it needs."""
    found, value = [], value << 1
    while value or not found:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found += [0x80] * ((length or 0) - len(found))
    return bytes([*found[:-1], found[-1] & 0x7F])


def long_list_that_is_said_to_be_short():
    data = bytearray(one_long_list())
    end = len(data) - 8
    start = end - int.from_bytes(data[end : end + 4], "little")
    told = number_of_bytes(2**23)
    assert data[start:end].count(told) >= 1
    said = data[start:end].replace(told, number_of_bytes(1, len(told)))
    return bytes(data[:start] + said + data[end:])


def one_number_often():
    wide = pa.array([b"x" * 2000], pa.binary(2000))
    places = pa.array(np.zeros(20_000, dtype=np.int32))
    return parquet_of(pa.DictionaryArray.from_arrays(places, wide))


def model_parts(sparse):
    X = sp.random_array((60, 3), density=0.5, random_state=0)
    X = sp.csr_matrix(X) if sparse else X.toarray()
    model = KNeighborsClassifier(algorithm="brute").fit(X, np.arange(60) % 2)
    return parts_of(skops.dumps(model))


def archive_within_a_model():
    """By the name of its base class a sparse table needs no trust."""
    parts = model_parts(sparse=True)
    (name,) = (name for name in parts if name.endswith(".npz"))
    told = parts["schema.json"].decode()
    told = told.replace('"scipy.sparse._csr"', '"scipy.sparse._matrix"')
    parts["schema.json"] = told.replace('"csr_matrix"', '"spmatrix"').encode()
    inner = {n: v for n, v in parts_of(parts[name]).items() if n != "data.npy"}
    large = io.BytesIO()
    with zipfile.ZipFile(large, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for part, content in inner.items():
            archive.writestr(part, content)
        with archive.open("data.npy", "w") as file:
            zeros(file.write)
    parts[name] = large.getvalue()
    return packed(parts.items())


def array_again_and_again():
    parts = model_parts(sparse=False)
    tree = json.loads(parts["schema.json"])
    content = tree["content"]["content"]
    array = content["_fit_X"]
    copies = [{**array, "__id__": 10**9 + i} for i in range(1000)]
    content["_fit_X"] = {
        "__class__": "list",
        "__module__": "builtins",
        "__loader__": "ListNode",
        "content": copies,
    }
    parts["schema.json"] = json.dumps(tree).encode()
    parts[array["file"]] = header_of((2**20,), "|i1") + bytes(2**20)
    return packed(parts.items())


def claims(shape, dtype="<f8"):
    return lambda: packed([("a.npy", header_of(shape, dtype) + bytes(64))])


TOO_LARGE = r"holds .* GiB or more once it is unpacked, and 0.0156 are allowed"
DAMAGED = "could not be read as .*: it is damaged, or something else"
BOMBS = {
    "text.parquet": (one_text_often, TOO_LARGE),
    "texts.parquet": (one_text_often_in_lists, TOO_LARGE),
    "list.parquet": (one_long_list, TOO_LARGE),
    "short list.parquet": (long_list_that_is_said_to_be_short, DAMAGED),
    "bytes.parquet": (one_number_often, TOO_LARGE),
    "zeros.npz": (archive_of_zeros, TOO_LARGE),
    "claim.npz": (claims((2**31,)), DAMAGED),
    "no columns.npz": (claims((2**33, 0)), TOO_LARGE),
    "no letters.npz": (claims((2**33,), "<U0"), TOO_LARGE),
    "within.skops": (archive_within_a_model, TOO_LARGE),
    "again.skops": (array_again_and_again, TOO_LARGE),
    "claim.npy": (lambda: header_of((2**31,)) + bytes(64), DAMAGED),
    "many pixels.png": (lambda: image_bomb(None, b"", side=9000), TOO_LARGE),
    "too many pixels.png": (lambda: image_bomb(None, b"", side=16_000), DAMAGED),
}


def read(path):
    if path.suffix == ".skops":
        return load_model(path, max_bytes=MOST)
    if path.suffix == ".parquet":
        return read_table(path, max_bytes=MOST)
    if path.suffix == ".npz":
        return read_archive(path, MOST)
    return _item_files._read_item(path, str(path), MOST)


@pytest.mark.filterwarnings("ignore:Image size:Warning")
@pytest.mark.parametrize("name", BOMBS)
def test_it_is_refused_before_memory_is_taken(tmp_path, name):
    make, message = BOMBS[name]
    path = tmp_path / name
    path.write_bytes(make())
    assert path.stat().st_size < 3 * 2**20
    taken_by_arrow = pa.default_memory_pool().bytes_allocated()
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message) as caught:
            read(path)
        assert tracemalloc.get_traced_memory()[1] < MOST
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value)
    assert pa.default_memory_pool().bytes_allocated() - taken_by_arrow < MOST


def test_text_that_no_letters_stand_for_is_damage(tmp_path):
    path = tmp_path / "t.npz"
    header = header_of((1,), "<U2")
    for letters in (b"\xff" * 8, b"n\0\0\0\xff\xff\xff\xff", b"n\0\0\0\0\xd8\0\0"):
        path.write_bytes(packed([("a.npy", header + letters)]))
        with pytest.raises(ValueError, match=DAMAGED):
            read_archive(path, MOST)
    path.write_bytes(packed([("a.npy", header + b"n\0\0\0\0\xf6\1\0")]))
    assert read_archive(path, MOST)["a"].tolist() == ["n\U0001f600"]
    path.write_bytes(packed([("a.txt", b"no array")]))
    with pytest.raises(ValueError, match=DAMAGED):
        read_archive(path, MOST)


@pytest.mark.parametrize("version", ["1.0", "2.0"])
def test_pages_are_counted(tmp_path, version):
    path = tmp_path / "t.parquet"
    rng = np.random.default_rng(0)
    rows = [rng.normal(size=n).tolist() for n in rng.integers(0, 9, 2000)]
    words = [[None, "x" * 300, "a"] if row else None for row in rows]
    table = pa.table({"numbers": rows, "words": words})
    parquet.write_table(
        table, path, data_page_size=500, data_page_version=version, row_group_size=900
    )
    about = parquet.read_metadata(path)
    with open(path, "rb") as file:
        for chunk in (about.row_group(i).column(j) for i in range(3) for j in range(2)):
            start = chunk.dictionary_page_offset or chunk.data_page_offset
            held = values_in_pages(file, start, chunk.total_compressed_size)
            assert held == chunk.num_values
    assert read_table(path).shape == (2000, 2)


# Fields of a page header, as the format has them: 1 to 3 are its kind and its sizes.
SIZES = b"\x15\0" + b"\x15" + number_of_bytes(80) + b"\x15" + number_of_bytes(40)


def values_told(*headers):
    """What the headers of pages of 40 bytes say together."""
    data = b"".join(header + b"\0" + bytes(40) for header in headers)
    return values_in_pages(io.BytesIO(data), 0, len(data))


def test_pages_are_counted_past_fields_that_are_not_known():
    page = b"\x2c\x15" + number_of_bytes(300) + b"\0"  # field 5: 300 values
    others = [
        b"\x11\x12",  # true and false
        b"\x13\xff",  # a byte
        b"\x17" + bytes(range(1, 9)),  # a double
        b"\x18\x03abc",  # text
        b"\x19\x31\1\2\1",  # a list of three truth values
        b"\x1a\x25" + number_of_bytes(-5 % 2**20) + b"\1",  # a set of two numbers
        b"\x19\xf8\x10" + 16 * b"\2ab",  # a list of 16 texts
        b"\x19\x1c\x15\2\0",  # a list of one record
    ]
    for other in others:
        assert values_told(SIZES + page + other, SIZES + page) == 600
    # Field 8, of the second version, by its number instead of by its distance.
    assert values_told(SIZES + b"\x0c\x10\x15\x0e\0", SIZES + page) == 307


def test_what_is_no_page_is_refused():
    with pytest.raises(ValueError, match=r"^a page without a size$"):
        values_told(b"")
    with pytest.raises(ValueError, match=r"^a page without a size$"):
        values_told(SIZES[:-1] + b"\x01")  # of -1 bytes
    with pytest.raises(ValueError, match=r"^a field of no known kind$"):
        values_told(SIZES + b"\x1d")
    with pytest.raises(IndexError):
        values_in_pages(io.BytesIO(SIZES), 0, 1)


def test_sound_files_of_every_kind_are_read(tmp_path):
    frame = pd.DataFrame(
        {
            "text": ["a", None, "ab" * 100],
            "list": [["x"], [], ["y", "z"]],
            "record": [{"k": "v"}, None, {"k": "w"}],
            "bytes": [b"1", b"", None],
            "number": [1.5, np.nan, 2.5],
            "day": pd.to_datetime(["2020-01-01"] * 3),
        }
    )
    path = tmp_path / "t.parquet"
    frame.to_parquet(path)
    # Small enough at once, and by looking at the texts one by one.
    for most in (2**26, 5000):
        read_back = read_table(path, max_bytes=most)
        pd.testing.assert_frame_equal(read_back, pd.read_parquet(path))
    arrays = {
        "a": np.arange(3),
        "b": np.ones((3, 2, 0 + 1)),
        "c": np.array(["x", "y", "z"]),
        "d": np.zeros(3, dtype=[("\xe9", "f8")])["\xe9"],
    }
    np.savez_compressed(tmp_path / "t.npz", **arrays)
    assert read_archive(tmp_path / "t.npz", 2**20).shape == (3, 4)
    for sparse in (False, True):
        path = Path(tmp_path, "m.skops")
        path.write_bytes(packed(model_parts(sparse).items()))
        trusted = ["scipy.sparse._csr.csr_matrix"] * sparse
        model, _ = load_model(path, trusted=trusted, max_bytes=2**20)
        assert model.n_samples_fit_ == 60
    # Numbers of a support vector machine without probabilities are empty arrays.
    model = SVC().fit([[0.0], [1.0], [2.0]], [0, 1, 1])
    path.write_bytes(skops.dumps(model))
    # Of such an array nothing follows the header.
    assert any(part.endswith(b"\n") for part in parts_of(path.read_bytes()).values())
    assert load_model(path)[0].predict([[5.0]]) == [1]
    np.savez(tmp_path / "t.npz", a=np.empty((3, 0)), b=np.arange(3))
    assert read_archive(tmp_path / "t.npz", 2**20).shape == (3, 2)
    # What is named once counts once.
    path.write_bytes(packed(model_parts(sparse=False).items()))
    size = path.stat().st_size
    assert load_model(path, max_bytes=size)[0].n_samples_fit_ == 60
