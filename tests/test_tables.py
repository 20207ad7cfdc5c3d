import datetime
import re

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_array_equal

from sklearn_mia.identity import record_ids
from sklearn_mia.tables import (
    as_numbers,
    column_like,
    column_names,
    column_of,
    columns_of,
    floats_like,
    in_order_of,
    numbers_of,
    own_copy,
    read_only,
    row_names,
    stack_tables,
    table_like,
    take,
    with_column,
)

TABLE = np.arange(20.0).reshape(5, 4)


def pandas_frame(table):
    pd = pytest.importorskip("pandas")
    return pd.DataFrame(table, columns=list("abcd"), index=[3, 3, 0, 1, 2])


def polars_frame(table):
    pl = pytest.importorskip("polars")
    return pl.DataFrame(table, schema=list("abcd"))


CONTAINERS = {
    "array": np.asarray,
    "csr_array": sp.csr_array,
    "csr_matrix": sp.csr_matrix,
    "pandas": pandas_frame,
    "polars": polars_frame,
}
in_every_container = pytest.mark.parametrize(
    "container", CONTAINERS.values(), ids=CONTAINERS.keys()
)


def values_of(X):
    return X.toarray() if sp.issparse(X) else np.asarray(X)


# Rows and columns


@in_every_container
@pytest.mark.parametrize(
    "rows",
    [[4, 0, 0], np.array([True, False, True, False, False]), slice(1, 3), slice(0, 0)],
    ids=["positions", "mask", "slice", "none"],
)
def test_rows_are_taken_by_position_in_the_same_container(container, rows):
    X = container(TABLE)
    taken = take(X, rows)
    assert type(taken) is type(X)
    assert_array_equal(values_of(taken), TABLE[rows])


def test_entries_of_a_vector_are_taken_and_none_of_none():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    assert take(["a", "b", "c"], [2, 0]) == ["c", "a"]
    series = pd.Series([1, 2, 3], index=[2, 1, 0], dtype="Int64")
    assert take(series, [2, 0]).tolist() == [3, 1]
    assert take(series, [2, 0]).dtype == "Int64"
    assert take(pl.Series([1, 2, 3]), [2, 0]).to_list() == [3, 1]
    assert take(None, [2, 0]) is None


@in_every_container
def test_columns_come_in_their_order_and_dense(container):
    columns = list(columns_of(container(TABLE)))
    assert_array_equal(np.column_stack(columns), TABLE)
    assert not any(sp.issparse(column) for column in columns)


@in_every_container
def test_names_are_those_of_a_frame_else_positions(container):
    X = container(TABLE)
    framed = hasattr(X, "columns")
    assert column_names(X) == (list("abcd") if framed else [0, 1, 2, 3])
    pandas = container is pandas_frame
    assert row_names(X) == ([3, 3, 0, 1, 2] if pandas else [0, 1, 2, 3, 4])


def test_columns_are_put_in_the_order_of_another_frame():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    frame = pd.DataFrame({"a": [1], "b": [2]})
    turned = frame[["b", "a"]]
    assert list(in_order_of(frame, turned).columns) == ["a", "b"]
    assert in_order_of(frame, pl.DataFrame({"b": [2], "a": [1]})).columns == ["a", "b"]
    for other in (frame, turned[["b"]], frame.assign(c=3), turned.to_numpy()):
        assert in_order_of(frame, other) is other
    assert in_order_of(frame.to_numpy(), turned) is turned


# Values


def frames(pandas_columns, polars_columns):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    return [
        *(pd.Series(v, dtype=d) for v, d in pandas_columns),
        *(pl.Series(v, dtype=getattr(pl, d)) for v, d in polars_columns),
    ]


def test_numbers_of_a_numeric_column_are_floats_with_gaps():
    gap = [1.0, np.nan, 3.0]
    pandas_columns = [
        *((gap, d) for d in ("float64", "float32", "Float32", object)),
        *(([1, None, 3], d) for d in ("Int8", "int64[pyarrow]", object)),
    ]
    polars_columns = [([1, None, 3], d) for d in ("Float32", "Int64", "UInt8")]
    for column in [
        np.array(gap),
        np.array(gap, dtype=object),
        np.array([1, None, 3], dtype=object),
        *frames(pandas_columns, polars_columns),
    ]:
        numbers = numbers_of(column)
        assert numbers.dtype == np.float64
        assert_array_equal(numbers, gap)
    assert_array_equal(numbers_of(np.array([1, 2], dtype=np.uint8)), [1.0, 2.0])


def test_booleans_categories_text_and_dates_are_no_numbers():
    pandas_columns = [
        *(([True, False], d) for d in ("bool", "boolean", object)),
        *((["a", "b"], d) for d in ("str", "string", object, "category")),
        ([1, 2], "category"),
        (["2024-01-01", "2024-01-02"], "datetime64[ns]"),
    ]
    polars_columns = [
        ([True, False], "Boolean"),
        *((["a", "b"], d) for d in ("String", "Categorical")),
        ([datetime.date(2024, 1, 1), None], "Date"),
    ]
    for column in [
        np.array([True, False]),
        np.array([1.0, True], dtype=object),
        np.array(["1", "2"]),
        np.array(["1", 2], dtype=object),
        np.array(["2024-01-01"], dtype="M8[D]"),
        *frames(pandas_columns, polars_columns),
    ]:
        assert numbers_of(column) is None


def test_columns_of_any_kind_become_floats_that_keep_their_order():
    pandas_columns = [
        (["b", "a", "b"], "str"),
        (["b", "a", "b"], "category"),
        ([2.0, None, np.inf], "float64"),
    ]
    polars_columns = [(["b", "a", "b"], "String"), ([2.0, None, np.inf], "Float64")]
    columns = [
        np.array(["b", "a", "b"]),
        np.array([2, None, np.inf], dtype=object),
        *frames(pandas_columns, polars_columns),
    ]
    text, gaps = [1.0, 0.0, 1.0], [2.0, np.nan, np.nan]
    for column, expected in zip(
        columns, [text, gaps, text, text, gaps, text, gaps], strict=True
    ):
        assert_array_equal(as_numbers(column), expected)
    assert_array_equal(as_numbers([True, False]), [1.0, 0.0])
    assert_array_equal(as_numbers(np.array(["x", 3, "x"], dtype=object)), [1, 0, 1])
    days = np.array(["1970-01-02", "NaT", "1969-12-31"], dtype="M8[D]")
    assert_array_equal(as_numbers(days), [86_400e9, np.nan, -86_400e9])
    assert_array_equal(as_numbers(days.astype("M8[us]")), as_numbers(days))
    assert_array_equal(as_numbers(np.array([3], dtype="m8[s]")), [3e9])


# Writing


def test_a_frame_is_written_to_only_in_its_copy():
    frame = pandas_frame(TABLE)
    copy = own_copy(frame)
    copy["a"] = 0.0
    copy.iloc[0, 1] = -1.0
    assert_array_equal(frame, TABLE)
    array = TABLE.copy()
    assert own_copy(array) is array


@pytest.mark.parametrize("make", [sp.csr_array, sp.csr_matrix])
def test_a_sparse_matrix_is_written_to_only_in_its_copy(make):
    matrix = make(TABLE)
    copy = own_copy(read_only(matrix))
    assert type(copy) is make
    for part in (copy.data, copy.indices, copy.indptr):
        part[:] = 0
    assert_array_equal(matrix.toarray(), TABLE)


def test_a_read_only_table_cannot_be_written_to_and_is_not_copied():
    for X in (TABLE.copy(), sp.csr_array(TABLE), sp.csr_matrix(TABLE)):
        values = X.data if sp.issparse(X) else X
        view = read_only(X)
        assert type(view) is type(X)
        own = view.data if sp.issparse(X) else view
        assert np.shares_memory(own, values)
        with pytest.raises(ValueError, match="read-only"):
            own[0] = 1.0
        values[0] = 1.0


# Making tables


def test_a_read_only_sparse_table_has_its_columns_in_order():
    jumbled = sp.csr_array((np.array([2.0, 1.0]), np.array([1, 0]), np.array([0, 2])))
    table = read_only(jumbled)
    assert_array_equal(table.indices, [0, 1])
    assert_array_equal(table.data, [1.0, 2.0])
    assert_array_equal(jumbled.indices, [1, 0])
    with pytest.raises(ValueError, match="read-only"):
        table.data[0] = 0


def test_a_column_is_added_with_its_type_and_without_its_index():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    X = pd.DataFrame({"a": [1, 2]}, index=[7, 7])
    y = pd.Series(pd.Categorical(["no", "yes"]), index=[1, 0])
    longer = with_column(X, y, "y")
    assert longer["y"].tolist() == ["no", "yes"]
    assert longer["y"].dtype == y.dtype
    assert longer.index.tolist() == [7, 7]
    assert list(X.columns) == ["a"]
    assert with_column(X, [0.5, 1.5], 3)[3].tolist() == [0.5, 1.5]
    text = pd.Series(["no", "yes"], dtype=object)
    assert with_column(X, text, "y")["y"].dtype == object
    frame = pl.DataFrame({"a": [1, 2]})
    enum = pl.Series("z", ["no", "yes"], dtype=pl.Enum(["yes", "no"]))
    longer = with_column(frame, enum, "y")
    assert longer.schema == {"a": pl.Int64, "y": pl.Enum(["yes", "no"])}
    assert longer["y"].to_list() == ["no", "yes"]
    assert with_column(frame, pd.Series([3, 4]), "y")["y"].to_list() == [3, 4]


def mixed_tables():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    text, flags = ["p", "q", None], [True, False, True]
    days = [datetime.datetime(2024, 1, d) for d in (1, 2, 3)]
    pandas = pd.DataFrame(
        {
            "f": np.array([0.5, np.nan, 2.5], dtype=np.float32),
            "i": np.array([1, 2, 3], dtype=np.int8),
            "n": pd.array([1, None, 3], dtype="Int64"),
            "F": pd.array([0.5, None, 3], dtype="Float64"),
            "c": pd.Categorical(text, categories=["q", "p"], ordered=True),
            "s": text,
            "o": pd.Series(text, dtype=object),
            "b": flags,
            "N": pd.array([True, None, False], dtype="boolean"),
            "d": days,
            5: [1.0, 2.0, 3.0],
        },
    )
    polars = pl.DataFrame(
        {
            "f": pl.Series([0.5, None, float("nan")], dtype=pl.Float32),
            "i": pl.Series([1, 2, 3], dtype=pl.UInt8),
            "n": [1, None, 3],
            "c": pl.Series(text, dtype=pl.Enum(["q", "p"])),
            "C": pl.Series(text, dtype=pl.Categorical),
            "s": text,
            "b": flags,
            "d": days,
        }
    )
    return pandas, polars


def test_a_table_made_of_its_own_columns_is_the_same():
    pandas, polars = mixed_tables()
    pd = pytest.importorskip("pandas")
    order = [2, 0, 0, 1]
    for X in (TABLE, TABLE.astype(np.float32), TABLE.astype(object), pandas, polars):
        columns = {c: take(column_of(X, c), order) for c in reversed(column_names(X))}
        made, expected = table_like(X, columns), take(X, order)
        assert type(made) is type(X)
        if X is pandas:
            pd.testing.assert_frame_equal(made, expected.reset_index(drop=True))
        elif X is polars:
            assert made.schema == X.schema
            assert made.equals(expected, null_equal=True)
        else:
            assert made.dtype == X.dtype
            assert_array_equal(made, expected)


def test_numbers_put_back_into_their_column_are_the_same():
    pandas, polars = mixed_tables()
    for X in (TABLE, TABLE.astype(np.uint8), pandas, polars):
        for name in column_names(X):
            column = column_of(X, name)
            numbers = numbers_of(column)
            if numbers is None:
                continue
            again = column_like(column, numbers)
            assert type(again) is type(column)
            assert again.dtype == column.dtype
            assert_array_equal(numbers_of(again), numbers)
    # A gap stays a null where the column has nulls.
    assert column_like(polars["n"], np.array([np.nan, 4.0])).to_list() == [None, 4]


def test_floats_take_the_width_of_another_table():
    pandas, polars = mixed_tables()
    wide = pandas.astype({"f": np.float64, "i": np.float64})
    again = floats_like(pandas, wide)
    assert again["f"].dtype == np.float32
    assert again.drop(columns="f").dtypes.equals(wide.drop(columns="f").dtypes)
    wide = polars.cast({"f": float, "i": float})
    again = floats_like(polars, wide)
    assert again.schema == {**wide.schema, "f": polars.schema["f"]}
    third = np.array([[1 / 3]])
    assert floats_like(third.astype(np.float32), third)[0, 0] == np.float32(1 / 3)
    assert floats_like(np.array([[1]]), third)[0, 0] == 1 / 3


# Stacking


def series(values, dtype=None):
    pd = pytest.importorskip("pandas")
    return pd.Series(values, dtype=dtype)


def category(values, categories=None, ordered=False):
    pd = pytest.importorskip("pandas")
    return pd.Series(pd.Categorical(values, categories=categories, ordered=ordered))


def stacked(first, second):
    pd = pytest.importorskip("pandas")
    first, second = pd.DataFrame({"a": first}), pd.DataFrame({"a": second})
    before = first.copy(), second.copy()
    table = stack_tables(first, second)
    # By the identity of records, no value has changed.
    ids = np.concatenate([record_ids(first), record_ids(second)])
    assert_array_equal(record_ids(table), ids)
    pd.testing.assert_frame_equal(first, before[0])
    pd.testing.assert_frame_equal(second, before[1])
    return table["a"]


STAMPS = ["2024-01-01", "2024-01-02 00:00:00.000001"]


@pytest.mark.parametrize(
    ("first", "second", "dtype"),
    [
        # Where the first type holds the second column it stays.
        (([1, 2], "int64"), ([3.0, 4.0], "float64"), "int64"),
        (([1, 2], "int64"), ([True, False], "bool"), "int64"),
        (([True, False], "bool"), ([0, 1], "int64"), "bool"),
        (([1.5], "float64"), ([1], "int8"), "float64"),
        (([1.5], "float32"), ([2.5, np.nan], "float64"), "float32"),
        (([1.5], "float64"), ([1, None], "Int64"), "float64"),
        (([1.5], "float64"), ([1, None], "int64[pyarrow]"), "float64"),
        (([1], "int64"), ([3], "Int64"), "int64"),
        (([1, None], "Int64"), ([3.0, np.nan], "float64"), "Int64"),
        (([1, None], "Int64"), ([True, False], "bool"), "Int64"),
        (([True, None], "boolean"), ([0, 1], "int64"), "boolean"),
        (([2**60 + 1], "uint64"), ([2**60 + 3], "int64"), "uint64"),
        (([1], "int64"), ([3], object), "int64"),
        (([1.5], "float64"), ([3, None], object), "float64"),
        # Else numbers become the wider type.
        (([1, 2], "int64"), ([0.5, np.nan], "float64"), "float64"),
        (([1, 2], "int64"), ([3.0, np.nan], "float64"), "float64"),
        (([1, 2], "int64"), ([3, None], "Int64"), "float64"),
        (([1, 2], "int64"), ([None, None], object), "float64"),
        (([True, False], "bool"), ([0, 7], "int64"), "int64"),
        (([True, False], "bool"), ([True, None], "boolean"), "float64"),
        (([200], "uint8"), ([-1], "int8"), "int16"),
        (([1.5], "float32"), ([1 / 3], "float64"), "float64"),
        (([1, None], "Int64"), ([0.5], "float64"), "Float64"),
        (([1, None], "Int8"), ([300], "int64"), "Int64"),
        (([True, None], "boolean"), ([0, 7], "uint8"), "UInt8"),
        (([True, False], "boolean"), ([0, 7], "uint8"), "UInt8"),
        (([1, None], "int64[pyarrow]"), ([0.5], "float64"), "double[pyarrow]"),
        # Text.
        ((["a"], "str"), (["b", None], object), "str"),
        ((["a"], "str"), (["b", None], "string"), "str"),
        ((["a", None], "string"), (["b", None], "str"), "string"),
        ((["a", None], object), (["b", None], "str"), object),
        ((["a"], "str"), (["b", None], "category"), "str"),
        ((["a", 1], object), (["b", None], "str"), object),
        # A column of gaps takes the type of the other.
        (([1.5], "float64"), ([None, None], object), "float64"),
        ((["a"], "str"), ([np.nan, np.nan], "float64"), "str"),
        (([np.nan, np.nan], "float64"), (["a", None], "str"), "str"),
        ((["a"], "category"), ([np.nan, np.nan], "float64"), "category"),
        ((STAMPS[:1], "datetime64[us]"), ([None], object), "datetime64[us]"),
        # Times.
        ((STAMPS, "datetime64[ns]"), (STAMPS[:1], "datetime64[s]"), "datetime64[ns]"),
        ((STAMPS[:1], "datetime64[s]"), (STAMPS[:1], "datetime64[us]"), "M8[s]"),
        ((STAMPS[:1], "datetime64[s]"), (STAMPS, "datetime64[us]"), "M8[us]"),
        # Numbers that are categories on one side.
        (([1, 2], "int64"), ([3, 1], "category"), "int64"),
        (([1, 2], "int64"), ([3, None], "category"), "float64"),
        (([1.5], "float64"), ([3, None], "category"), "float64"),
    ],
)
def test_a_column_keeps_its_type_or_gets_one_that_holds_both(first, second, dtype):
    pytest.importorskip("pyarrow")
    both = stacked(series(*first), series(*second))
    # Before pandas 3 "str" is a type of objects.
    assert both.dtype == (series(["a"], "str").dtype if dtype == "str" else dtype)
    assert len(both) == len(first[0]) + len(second[0])


def test_columns_of_two_types_of_pandas_are_one_column():
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    for first, second, dtype in (
        (([1, 2], "int64"), ([3, 1], "category"), "int64"),
        (([1, 2], "int64"), (pd.arrays.SparseArray([0, 3]), None), "int64"),
        (([np.nan, np.nan], "float64"), (["2024-01-01"], "M8[s]"), "M8[s]"),
        (([1, 2], "int64"), ([None, None], object), "float64"),
        (([True, False], "bool"), ([True, None], "boolean"), "float64"),
        (([1, None], "int64[pyarrow]"), ([0.5], "float64"), "double[pyarrow]"),
    ):
        assert stacked(series(*first), series(*second)).dtype == dtype


@pytest.mark.parametrize(
    ("first", "second", "categories", "ordered"),
    [
        (("ab",), ("ba", "ba"), "ab", False),
        (("ab", "ba"), ("ab", "ab"), "ba", False),
        (("ab", "ab", True), ("ba", "ba", True), "ab", True),
        (("ab", "ba", True), ("bc", "zcb"), "bac", True),
        (("ab",), ("bc", "zcb", True), "abc", False),
        # What nobody uses is not added, and the order is not that of the rows.
        (("ab", "abz"), ("xyx", "wyxa"), "abzyx", False),
        (("ab", "abz"), ("yxx",), "abzxy", False),
    ],
)
def test_categories_are_united_those_of_the_first_table_first(
    first, second, categories, ordered
):
    def column(values, categories=None, ordered=False):
        categories = None if categories is None else list(categories)
        return category([*values, None], categories, ordered)

    both = stacked(column(*first), column(*second))
    assert both.cat.categories.tolist() == list(categories)
    assert both.cat.ordered is ordered
    expected = [*first[0], None, *second[0], None]
    assert both.astype(object).where(both.notna(), None).tolist() == expected
    if len(second) == 1:
        for dtype in ("str", "string", object):
            again = stacked(column(*first), series([*second[0], None], dtype))
            assert again.dtype == both.dtype


def test_categories_that_are_numbers_stay_numbers_of_their_type():
    both = stacked(category([1, 2]), series([3.0, np.nan, 1.0]))
    assert both.cat.categories.dtype == np.int64
    assert both.cat.categories.tolist() == [1, 2, 3]
    assert both.cat.codes.tolist() == [0, 1, 2, -1, 0]
    both = stacked(category([1, 2]), category([0.5, 2.0]))
    assert both.cat.categories.tolist() == [1.0, 2.0, 0.5]


def test_rows_are_stacked_by_column_name_whatever_their_index():
    pd = pytest.importorskip("pandas")
    first = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}, index=[4, 4])
    second = pd.DataFrame({"b": ["z", "x"], "a": [3.5, 4.0]}, index=[4, 4])
    both = stack_tables(first, second)
    expected = pd.DataFrame({"a": [1.0, 2.0, 3.5, 4.0], "b": ["x", "y", "z", "x"]})
    pd.testing.assert_frame_equal(both, expected)


@pytest.mark.parametrize(
    ("first", "second", "dtype"),
    [
        (([1, 2], "Int64"), ([3.0, None], "Float64"), "Int64"),
        (([1, 2], "Int64"), ([0.5, None], "Float64"), "Float64"),
        (([True], "Boolean"), ([0, 1, None], "Int64"), "Boolean"),
        (([True], "Boolean"), ([0, 7], "Int64"), "Int64"),
        (([1], "Int64"), ([True, None], "Boolean"), "Int64"),
        (([1.5], "Float32"), ([0.1], "Float64"), "Float64"),
        (([1.5], "Float32"), ([2.5, float("nan")], "Float64"), "Float32"),
        (([200], "UInt8"), ([-1], "Int8"), "Int16"),
        (([1.5], "Float64"), ([None], "Null"), "Float64"),
        (([None], "Null"), ([1.5], "Float64"), "Float64"),
        ((["a"], "String"), (["b", None], "Categorical"), "String"),
        ((["a", None], "Categorical"), (["b", None], "String"), "Categorical"),
        ((["a"], "Categorical"), ([None], "Null"), "Categorical"),
        (([datetime.date(2024, 1, 1)], "Date"), ([None], "Null"), "Date"),
    ],
)
def test_columns_of_polars_keep_their_type_or_get_one_that_holds_both(
    first, second, dtype
):
    pl = pytest.importorskip("polars")
    sides = [
        pl.DataFrame({"a": pl.Series(values, dtype=getattr(pl, name))})
        for values, name in (first, second)
    ]
    both = stack_tables(*sides)
    assert both["a"].dtype == getattr(pl, dtype)
    ids = np.concatenate([record_ids(side) for side in sides])
    assert_array_equal(record_ids(both), ids)


def test_enumerations_of_polars_are_united():
    pl = pytest.importorskip("polars")
    first = pl.DataFrame({"a": pl.Series(["p", None], dtype=pl.Enum(["q", "p"]))})
    values = ["x", "p", "b", None]
    for dtype, known in (
        (pl.Enum(["z", "x", "p", "b"]), ["q", "p", "x", "b"]),
        (pl.Categorical, ["q", "p", "b", "x"]),
        (pl.String, ["q", "p", "b", "x"]),
    ):
        second = pl.DataFrame({"a": pl.Series(values, dtype=dtype)})
        both = stack_tables(first, second)
        assert both.schema == {"a": pl.Enum(known)}
        assert both["a"].to_list() == ["p", None, *values]
        turned = stack_tables(second, first)["a"]
        assert turned.to_list() == [*values, "p", None]
    same = stack_tables(first, first.cast({"a": pl.Enum(["p", "q"])}))
    assert same.schema == first.schema


def test_times_of_polars_keep_the_finer_unit():
    pl = pytest.importorskip("polars")
    moment = datetime.datetime(2024, 1, 1, 0, 0, 0, 5)
    fine = pl.DataFrame({"a": pl.Series([moment], dtype=pl.Datetime("us"))})
    day = datetime.datetime(2024, 1, 1)
    coarse = pl.DataFrame({"a": pl.Series([day], dtype=pl.Datetime("ms"))})
    assert stack_tables(fine, coarse)["a"].to_list() == [moment, day]
    assert stack_tables(coarse, fine)["a"].to_list() == [day, moment]
    assert stack_tables(coarse, coarse.cast(pl.Datetime("us"))).schema == coarse.schema


def test_polars_is_stacked_by_column_name():
    pl = pytest.importorskip("polars")
    both = stack_tables(
        pl.DataFrame({"a": [1], "b": ["x"]}), pl.DataFrame({"b": ["y"], "a": [0.5]})
    )
    assert both.equals(pl.DataFrame({"a": [1.0, 0.5], "b": ["x", "y"]}))


@pytest.mark.parametrize(
    ("first", "second", "dtype"),
    [
        (np.array([[1]]), np.array([[2.0]]), np.int64),
        (np.array([[1]]), np.array([[0.5]]), np.float64),
        (np.array([[1]]), np.array([[np.nan]]), np.float64),
        (np.array([[True]]), np.array([[0]]), bool),
        (np.array([[True]]), np.array([[7]]), np.int64),
        (np.array([[1.5]], np.float32), np.array([[2.5]]), np.float32),
        (np.array([[1.5]], np.float32), np.array([[1 / 3]]), np.float64),
        (np.array([["a"]]), np.array([["bc"]]), "U2"),
        (np.array([["a"]]), np.array([["bc"]], object), object),
        (np.array([["a", 1]], object), np.array([[0, 2]]), object),
    ],
)
def test_arrays_keep_their_type_or_get_one_that_holds_both(first, second, dtype):
    both = stack_tables(first, second)
    assert both.dtype == dtype
    assert_array_equal(both[:1], first)
    assert_array_equal(both[1:], second)


def test_sparse_tables_stay_sparse():
    for kind in (sp.csr_array, sp.csr_matrix, sp.csc_array):
        both = stack_tables(kind(TABLE), kind(2 * TABLE))
        assert both.format == "csr"
        assert_array_equal(both.toarray(), np.vstack([TABLE, 2 * TABLE]))


def test_nothing_is_learned_from_a_table_of_no_rows_but_its_types():
    pd = pytest.importorskip("pandas")
    types = pd.DataFrame(
        {"i": pd.Series([1]), "c": category(["a"], ["b", "a"]), "f": [1.5]}
    )[:0]
    table = pd.DataFrame({"f": [1], "i": [True], "c": ["a"]})
    typed = stack_tables(types, table)
    assert typed.dtypes.equals(types.dtypes)
    assert typed.iloc[0].tolist() == [1, "a", 1.0]


# Errors


def test_tables_of_two_containers_are_refused_by_name():
    pd = pytest.importorskip("pandas")
    tables = {
        "NumPy array": TABLE,
        "sparse matrix": sp.csr_array(TABLE),
        "pandas DataFrame": pandas_frame(TABLE),
        "polars DataFrame": polars_frame(TABLE),
    }
    for name, first in tables.items():
        for other, second in tables.items():
            if name != other:
                message = (
                    f"the pool is a {name} and the records a {other}; pass both in the "
                    "container that the model was trained on."
                )
                with pytest.raises(TypeError, match=re.escape(message)):
                    stack_tables(first, second, names=("the pool", "the records"))
    assert isinstance(stack_tables(*[tables["pandas DataFrame"]] * 2), pd.DataFrame)


def test_other_columns_are_refused_by_name():
    for frame in (pandas_frame(TABLE), polars_frame(TABLE)):
        other = frame[["a", "c", "d"]]
        message = (
            "X_train and X_test have different columns: X_test lacks ['b'] and adds []."
        )
        with pytest.raises(ValueError, match=re.escape(message)):
            stack_tables(frame, other)
        with pytest.raises(ValueError, match=re.escape("lacks [] and adds ['b'].")):
            stack_tables(other, frame)
    message = "X_train has 4 columns and X_test 3; expected the same features."
    for container in (np.asarray, sp.csr_array):
        with pytest.raises(ValueError, match=re.escape(message)):
            stack_tables(container(TABLE), container(TABLE[:, :3]))


@pytest.mark.parametrize(
    ("first", "second", "shown"),
    [
        (([1], "int64"), (["x"], "str"), "int64 in X_train and str in X_test"),
        ((["x"], "str"), ([True], "bool"), "str in X_train and bool in X_test"),
        ((["x"], "category"), ([1], "int64"), "category in X_train and int64"),
        (([1.5], "float64"), (["x"], "category"), "float64 in X_train and category"),
        ((["x"], object), ([1], "Int64"), "object in X_train and Int64 in X_test"),
        (([1], "category"), (["x"], "category"), "category in X_train and category"),
        ((STAMPS, "datetime64[us]"), (STAMPS, "str"), "datetime64[us] in X_train and"),
        (([1], "int64"), (STAMPS, "datetime64[us]"), "int64 in X_train and datetime64"),
    ],
)
def test_text_is_not_stacked_on_numbers_or_times(first, second, shown):
    pd = pytest.importorskip("pandas")
    sides = [pd.DataFrame({"job": series(*side)}) for side in (first, second)]
    # Before pandas 3 "str" is a type of objects.
    shown = shown.replace("str", str(series(["a"], "str").dtype))
    with pytest.raises(ValueError, match=re.escape(f"Column 'job' is {shown}")) as got:
        stack_tables(*sides)
    assert "expected the same kind of values. Convert it to what" in str(got.value)
    # Never a value of a record.
    assert "'x'" not in str(got.value)


def test_text_is_not_stacked_on_numbers_in_polars_and_arrays():
    pl = pytest.importorskip("polars")
    job = pl.DataFrame({"job": pl.Series(["x"], dtype=pl.Enum(["x"]))})
    message = "Column 'job' is Enum in X_train and Int64 in X_test; expected the same"
    with pytest.raises(ValueError, match=re.escape(message)):
        stack_tables(job, pl.DataFrame({"job": [1]}))
    with pytest.raises(ValueError, match="Column 'job' is Boolean in X_train and Str"):
        stack_tables(pl.DataFrame({"job": [True]}), job.cast(pl.String))
    with pytest.raises(ValueError, match="Column 'job' is Date in X_train and Enum"):
        stack_tables(pl.DataFrame({"job": [datetime.date(2024, 1, 1)]}), job)
    message = "X_train has dtype <U1 and X_test int64; expected the same kind of values"
    with pytest.raises(ValueError, match=re.escape(message)):
        stack_tables(np.array([["x"]]), np.array([[1]]))
