import datetime
import re

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.tables import TABLE, pandas_frame, polars_frame
from numpy.testing import assert_array_equal

from sklearn_mia.identity import count_different, count_duplicates, record_ids


def with_explicit_zeros(table):
    # Every cell is stored, in descending order of the columns.
    n_rows, n_columns = table.shape
    indices = np.tile(np.arange(n_columns)[::-1], n_rows)
    indptr = np.arange(n_rows + 1) * n_columns
    matrix = sp.csr_array((table[:, ::-1].ravel(), indices, indptr), table.shape)
    assert not matrix.has_sorted_indices
    return matrix


def with_split_entries(table):
    matrix = sp.coo_array(table)
    data = np.concatenate([matrix.data / 2, matrix.data / 2])
    rows, columns = (np.concatenate([c, c]) for c in matrix.coords)
    order = np.argsort(rows, kind="stable")
    indptr = np.searchsorted(rows[order], np.arange(len(table) + 1))
    return sp.csr_array((data[order], columns[order], indptr), table.shape)


CONTAINERS = {
    "Fortran order": np.asfortranarray,
    "strided": lambda t: np.repeat(np.repeat(t, 2, axis=0), 3, axis=1)[::2, ::3],
    "object": lambda t: t.astype(object),
    "float32, exact": lambda t: t.astype(np.float32),
    "csr_array": sp.csr_array,
    "csr_matrix": sp.csr_matrix,
    "csc_array": sp.csc_array,
    "explicit zeros, unsorted": with_explicit_zeros,
    "duplicate entries": with_split_entries,
    "pandas": pandas_frame,
    "pandas, equal index": lambda t: pandas_frame(t, index=[7] * len(t)),
    "pandas, text index": lambda t: pandas_frame(t, index=list("fabdec")),
    "pandas, Float64": lambda t: pandas_frame(t).astype("Float64"),
    "pandas, nullable": lambda t: pandas_frame(t).convert_dtypes(),
    "pandas, category": lambda t: pandas_frame(t).astype("category"),
    "pandas, object": lambda t: pandas_frame(t).astype(object),
    "polars": polars_frame,
    "polars, null": lambda t: polars_frame(t).fill_nan(None),
}


@pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS.keys())
@pytest.mark.parametrize("labels", [None, [0, 1, 1, 0, 1, 0]])
def test_ids_are_the_same_in_every_container(container, labels):
    expected = record_ids(np.ascontiguousarray(TABLE), labels)
    assert_array_equal(record_ids(container(TABLE), labels), expected)


def test_negative_zero_is_zero_and_missing_is_missing():
    ids = record_ids(TABLE)
    assert ids[0] == ids[1]
    assert len(set(ids.tolist())) == len(TABLE) - 1


def splitmix64(x):
    x = (x + 0x9E3779B97F4A7C15) % 2**64
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
    return x ^ (x >> 31)


def test_ids_follow_their_formula():
    def cell(value, column):
        bits = int(np.float64(value).view(np.uint64))
        salt = splitmix64(column + 0x5851F42D4C957F2D)
        return splitmix64((bits + salt) % 2**64)

    rows = np.array([[1.5, -3.0], [0.0, 2.0]])
    expected = [
        splitmix64(sum(cell(v, j) for j, v in enumerate(row)) % 2**64) for row in rows
    ]
    assert record_ids(rows).tolist() == expected
    assert record_ids(rows[:, :1], rows[:, 1]).tolist() == expected


def test_ids_follow_the_record_and_not_its_row_and_depend_on_the_column():
    X = np.random.default_rng(0).normal(size=(50, 4))
    order = np.random.default_rng(1).permutation(50)
    assert_array_equal(record_ids(X)[order], record_ids(X[order]))
    assert not np.isin(record_ids(X[:, ::-1]), record_ids(X)).any()
    assert not np.isin(record_ids(X[:, :3]), record_ids(X)).any()


def test_a_float32_copy_is_another_record_unless_float32_is_asked_for():
    X = np.random.default_rng(0).normal(size=(50, 4))
    copy = X.astype(np.float32)
    assert not np.isin(record_ids(copy), record_ids(X)).any()
    assert_array_equal(record_ids(copy, dtype=np.float32), record_ids(copy))
    assert_array_equal(record_ids(X, dtype=np.float32), record_ids(copy))


def test_integers_are_numbers_and_large_ones_are_kept_apart():
    small = [0, 1, -1, 255, 2**53, -(2**53)]
    large = [2**53 + 1, 2**53 + 2, 2**53 + 3, 2**62, 2**62 + 1]
    large += [-v for v in large]
    column = np.array(small + large)[:, None]
    ids = record_ids(column)
    assert len(set(ids.tolist())) == len(column)
    assert_array_equal(ids[: len(small)], record_ids(np.array(small, float)[:, None]))
    assert_array_equal(record_ids(column.astype(object)), ids)
    assert_array_equal(record_ids(sp.csr_array(column)), ids)

    positive = np.abs(column).astype(np.uint64)
    assert_array_equal(record_ids(positive), record_ids(np.abs(column)))
    assert len(set(record_ids(column.astype(float)).tolist())) < len(column)


def test_large_integers_beside_a_gap_are_not_rounded():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    values = [2**53 + 1, 2**53 + 2, 2**53 + 3, None, 5]
    expected = record_ids(np.array(values, dtype=object)[:, None])
    assert len(set(expected.tolist())) == 5
    nullable = pd.DataFrame({"a": pd.array(values, dtype="Int64")})
    assert_array_equal(record_ids(nullable), expected)
    assert_array_equal(record_ids(pl.DataFrame({"a": values})), expected)


def test_the_id_of_a_cell_does_not_depend_on_the_cells_beside_it():
    column = np.array([2**60, 2.0**60, True, 1, 1.0, "1", b"1", None], dtype=object)
    alone = [record_ids(column[[i], None])[0] for i in range(len(column))]
    assert_array_equal(record_ids(column[:, None]), alone)
    assert_array_equal(record_ids(column[::-1, None]), alone[::-1])
    same = (np.array(alone)[:, None] == np.array(alone)).sum(axis=1)
    assert same.tolist() == [1, 1, 3, 3, 3, 1, 1, 1]


def test_booleans_categories_and_texts_count_by_value():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    truth = [True, False, True, False]
    text = ["né", "b", "né", "a longer text"]
    expected = record_ids(np.array([truth, text], dtype=object).T)
    assert [len(set(expected.tolist())), expected[0] == expected[2]] == [3, True]

    frame = pd.DataFrame({"truth": truth, "text": text})
    order = pd.CategoricalDtype(["z", "né", "b", "a longer text"], ordered=True)
    for dtype in ("string", "category", object, order):
        assert_array_equal(record_ids(frame.astype({"text": dtype})), expected)
    assert_array_equal(record_ids(frame.astype({"truth": "boolean"})), expected)
    assert_array_equal(record_ids(frame.astype({"truth": "category"})), expected)
    assert_array_equal(record_ids(frame.astype({"truth": int})), expected)

    frame = pl.DataFrame({"truth": truth, "text": text})
    for dtype in (pl.String, pl.Categorical, pl.Enum(sorted(set(text)))):
        cast = frame.with_columns(pl.col("text").cast(dtype))
        assert_array_equal(record_ids(cast), expected)
    texts = record_ids(np.array(text)[:, None])
    assert_array_equal(texts, record_ids(np.array(text, object)[:, None]))


@pytest.mark.parametrize("missing", [None, np.nan, "NA", "NaT"])
def test_missing_values_are_alike_in_text_columns(missing):
    pd = pytest.importorskip("pandas")
    missing = {"NA": pd.NA, "NaT": pd.NaT}.get(missing, missing)
    expected = record_ids(np.array([["x"], [np.nan]], dtype=object))
    assert_array_equal(record_ids(np.array([["x"], [missing]], object)), expected)
    for dtype in ("string", "category", object):
        frame = pd.DataFrame({"a": pd.Series(["x", missing], dtype=dtype)})
        assert_array_equal(record_ids(frame), expected)


def test_dates_count_by_value_in_any_unit():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    dates = np.array(["2024-02-29", "1969-12-31", "NaT"], dtype="M8[D]")[:, None]
    expected = record_ids(dates)
    assert len(set(expected.tolist())) == 3
    for unit in ("s", "ms", "us", "ns"):
        stamps = dates.astype(f"M8[{unit}]")
        assert_array_equal(record_ids(stamps), expected)
        assert_array_equal(record_ids(pd.DataFrame(stamps, columns=["a"])), expected)
    days = [datetime.date(2024, 2, 29), datetime.date(1969, 12, 31), None]
    frame = pl.DataFrame({"a": days})
    assert_array_equal(record_ids(frame), expected)
    assert_array_equal(record_ids(frame.cast(pl.Datetime("ms"))), expected)
    assert record_ids(np.array([[np.nan]]))[0] == expected[2]


def test_a_cell_without_a_value_is_refused():
    cells = np.empty((2, 1), dtype=object)
    cells[0, 0], cells[1, 0] = 1, ["a", "list"]
    message = "A cell of a record must be a number, a boolean, a string"
    with pytest.raises(TypeError, match=re.escape(message)):
        record_ids(cells)


def test_duplicates_are_counted_beyond_the_first():
    assert count_duplicates(record_ids(TABLE)) == 1
    assert count_duplicates(record_ids(TABLE, [0, 1, 0, 0, 0, 0])) == 0
    assert count_duplicates(record_ids(np.ones((7, 2)))) == 6


@pytest.mark.parametrize("n_records", [0, 1, 2, 50])
def test_different_ids_are_counted_as_by_unique(n_records):
    ids = np.random.default_rng(0).integers(0, 20, n_records).astype(np.uint64)
    assert count_different(ids) == len(np.unique(ids))


def test_text_that_is_no_valid_unicode_is_a_value_too():
    ids = record_ids(np.array([["\ud800"], ["\ud801"], ["\ud800"]], dtype=object))
    assert ids[0] == ids[2] != ids[1]


def test_rounding_takes_the_labels_along():
    X, y = np.random.default_rng(0).normal(size=(2, 20, 1))
    rounded = X.astype(np.float32), y[:, 0].astype(np.float32)
    assert_array_equal(record_ids(X, y[:, 0], dtype=np.float32), record_ids(*rounded))


def test_a_sparse_table_with_entries_in_parts_is_left_as_it_is():
    parts = np.array([1.0, 2.0, 3.0]), np.array([0, 0, 1]), np.array([0, 3])
    table = sp.csr_array(parts, shape=(1, 2))
    assert_array_equal(record_ids(table), record_ids(np.array([[3.0, 3.0]])))
    assert table.nnz == 3
    assert_array_equal(table.data, [1, 2, 3])


def test_objects_of_any_class_are_alike_if_they_are_written_alike():
    days = [datetime.date(2026, 1, 1), datetime.date(2026, 1, 2)]
    cells = np.array([[days[0]], [days[1]], [datetime.date(2026, 1, 1)]], dtype=object)
    first, other, same = record_ids(cells)
    assert first == same != other
    assert first != record_ids(np.array([["2026-01-01"]], dtype=object))[0]
