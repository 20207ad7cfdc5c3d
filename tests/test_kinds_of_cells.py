"""What the cells of a text file are, by the model, the other table, or their looks."""

import numpy as np
import pytest

from sklearn_mia.auditing._known import KnownColumn
from sklearn_mia.auditing._typing import (
    Side,
    alternatives,
    odd_cells,
    other_forms,
    read_columns,
)

pd = pytest.importorskip("pandas")


def side(cells, path="members.csv"):
    is_text = isinstance(cells, list)
    return Side(pd.DataFrame({"a": cells}), path, is_text)


def read(members, others, **known):
    sides = side(members), side(others, "others.csv")
    return read_columns(sides, {"a": KnownColumn(**known)})["a"]


def refusal(*args, **known):
    with pytest.raises(ValueError) as raised:  # noqa: PT011
        read(*args, **known)
    return str(raised.value)


# The other table has types


def test_text_follows_categories_of_the_other_table():
    typed = pd.Series(["low", "high", None], dtype=pd.CategoricalDtype(["low", "high"]))
    column = read(typed, [" low", "", "new"])
    assert (column.kind, column.form, column.told) == ("text", "category", True)
    values = column.series(1)
    assert values.cat.categories.tolist() == ["low", "high", "new"]
    assert values.isna().tolist() == [False, True, False]
    assert column.remarks == [
        "column 'a': blanks around 1 cells were left out, as the model knows the "
        "values without them"
    ]
    assert column.series(0).equals(typed.rename("a"))


@pytest.mark.parametrize(
    "typed",
    [
        pd.Series([True, False]),
        pd.Series([True, None, False], dtype=object),
    ],
)
def test_text_follows_truth_values_of_the_other_table(typed):
    column = read(typed, ["yes", "No", "TRUE"])
    assert (column.kind, column.told) == ("boolean", True)
    assert column.series(1).tolist() == [True, False, True]
    assert column.remarks == [
        "column 'a': yes and no, or t and f, were read as true and false, which the "
        "model knows"
    ]


def test_text_follows_numbers_dates_and_text_of_the_other_table():
    column = read(pd.Series([1.5, 2]), ["007", "NA"])
    assert column.series(1).tolist()[0] == 7.0
    assert np.isnan(column.series(1)[1])
    dates = pd.Series(pd.to_datetime(["2020-01-01", "2020-01-02"]))
    assert read(dates, ["2024-02-29"]).series(1)[0] == pd.Timestamp(2024, 2, 29)
    assert read(pd.Series(["x", "y"]), ["007", "NA"]).series(1).tolist() == [
        "007",
        "NA",
    ]


def test_a_day_that_is_none_is_no_date():
    dates = pd.Series(pd.to_datetime(["2020-01-01"]))
    assert refusal(dates, ["2024-13-45"]) == (
        "Column 'a' of others.csv holds no dates such as 2024-05-31 in 1 of 1 records "
        "(the first is record 1), where the model was trained on them. Correct them, "
        "or pass --na-values with what stands for a gap."
    )
    assert alternatives(read(["2024-13-45"], ["2024-01-01"])) == []
    assert alternatives(read(["2024-12-31"], ["2024-01-01"])) == ["date"]


# The model knows


def test_cells_that_are_none_of_the_values_known_are_refused():
    assert refusal(["1", "2"], ["1", "x"], kind="number", values={1, 2}) == (
        "Column 'a' of others.csv holds no numbers in 1 of 2 records (the first is "
        "record 2), where the model was trained on numbers. Correct them, or pass "
        "--na-values with what stands for a gap."
    )


@pytest.mark.parametrize(
    ("cell", "way_out"),
    [
        ("5%", "Write percent as fractions, 0.05 for 5%."),
        ("Yes", "Write truth values as in training, such as 1 and 0."),
        (
            "1.234,5",
            "Write numbers with a decimal point and without a separator of thousands.",
        ),
    ],
)
def test_the_way_out_fits_the_cells(cell, way_out):
    assert refusal([cell, "1"], ["2"], kind="number", sure=True) == (
        "Column 'a' of members.csv holds no numbers in 1 of 2 records (the first is "
        f"record 1), where the model was trained on numbers. {way_out}"
    )


def test_what_the_model_only_hints_at_gives_way_to_the_cells():
    column = read(["a", "007"], ["7"], kind="number")
    assert (column.kind, column.told) == ("text", False)
    assert column.series(0).tolist() == ["a", "007"]
    column = read(["1", "2"], ["7"], kind="date")
    assert (column.kind, column.told) == ("number", False)
    assert column.series(1).tolist() == [7]


# Nothing tells


def test_forms_of_a_column_that_has_its_types():
    text = pd.Series(["x", "y"], dtype=object)
    forms = ["object", "str", "string", "category"]
    for typed in (text, text.astype("category")):
        assert other_forms(read(typed, typed)) == forms
    numbers = pd.Series([1.0, 2.0])
    assert other_forms(read(numbers, numbers)) == []
    assert other_forms(read(["1"], ["2"])) == ["float", "category", "object"]


def test_a_few_odd_cells_among_numbers_are_pointed_at():
    column = read(["1", "2", "x"], ["3", "4", "5"])
    assert odd_cells(column) == [
        "Column 'a' of members.csv holds numbers, but not in 1 of 3 records (the first "
        "is record 3)."
    ]
