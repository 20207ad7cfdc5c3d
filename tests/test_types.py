"""Files and memory agree: what a cell is, the model decides, never its looks."""

import numpy as np
import pytest
from both_ways import (
    N,
    assert_as_in_memory,
    figures,
    from_files,
    in_memory,
    refusal,
)
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import (
    ColumnTransformer,
    make_column_selector,
    make_column_transformer,
)
from sklearn.ensemble import (
    HistGradientBoostingClassifier,
    VotingClassifier,
)
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.feature_selection import VarianceThreshold
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    LinearRegression,
    LogisticRegression,
    RidgeClassifier,
)
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    OneHotEncoder,
    OrdinalEncoder,
    TargetEncoder,
)
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia.auditing._as_trained import _as_array, _of_own_class

pd = pytest.importorskip("pandas")
pytest.importorskip("pyarrow")

RNG = np.random.default_rng(0)
WHICH = RNG.integers(0, 6, 2 * N)
Y = pd.Series(np.where((WHICH + RNG.normal(size=2 * N)) > 2.5, "high", "low"))


def column(values, **others):
    """A table with one column of some values, and a column of numbers."""
    values = np.asarray(values, dtype=object)
    cells = pd.Series(values[WHICH % len(values)])
    # As a frame in memory has it by itself.
    cells = pd.Series(cells.tolist())
    size = np.random.default_rng(1).normal(size=2 * N)
    return pd.DataFrame({"code": cells, "size": size, **others})


def one_hot():
    return OneHotEncoder(handle_unknown="ignore")


def imputed():
    return make_pipeline(SimpleImputer(strategy="most_frequent"), one_hot())


def encoded(X, branch=None, classifier=None):
    """A fitted pipeline that encodes the column "code"."""
    columns = make_column_transformer(
        (imputed() if branch is None else branch, ["code"]), remainder="passthrough"
    )
    classifier = classifier or DecisionTreeClassifier(random_state=0)
    return make_pipeline(columns, classifier).fit(X[:N], Y[:N])


CODES = {
    "digits": ["200", "201", "212", "213", "224", "229"],
    "underscores": ["1_3", "1_30", "13", "13_0"],
    "exponents": ["7E2", "700", "70E1", "8E2"],
    "leading zeros": ["007", "07", "7", "010"],
    "trailing zeros": ["1.10", "1.1", "1.100", "2"],
    "signs": ["+1", "1", "-1", "-01"],
    "eighteen digits": ["900719925474099312", "900719925474099313", "1"],
    "words for gaps": ["NA", "None", "null", "nan", "b"],
    "words for infinity": ["inf", "-inf", "Infinity", "1"],
    "digits of another script": ["\u0663", "3", "\u0661", "1"],
    "dates": ["2020-01-05", "2020-01-06", "2020-02-05"],
    "words for truth": ["TRUE", "FALSE", "true", "T", "yes"],
    "commas": ["1,5", "1,234", "2,0"],
    "blanks kept": [" a", "a", "a "],
}


# F03: codes that look like numbers


# What is read of the others is in the next test.
SLOW_CODES = [
    pytest.param(c, marks=pytest.mark.slow) for c in ("underscores", "exponents")
]


@pytest.mark.parametrize("codes", ["digits", *SLOW_CODES])
def test_f03_figures_of_text_codes_are_those_of_memory(tmp_path, codes):
    X = column(CODES[codes])
    model = encoded(X)
    expected = in_memory(model, X, Y)
    assert figures(from_files(tmp_path, model, X, Y)) == expected


@pytest.mark.parametrize(
    ("codes", "suffix"),
    [
        *((codes, "csv") for codes in CODES),
        *(("digits", suffix) for suffix in ("csv.gz", "parquet")),
        # Text of any kind is text to a Parquet file.
        *(
            pytest.param(codes, suffix, marks=pytest.mark.slow)
            for codes in list(CODES)[1:]
            for suffix in ("csv.gz", "parquet")
        ),
    ],
)
def test_f03_codes_that_the_model_knows_as_text_stay_text(tmp_path, codes, suffix):
    X = column(CODES[codes])
    read = assert_as_in_memory(tmp_path, encoded(X), X, Y, suffix=suffix)
    assert read.remarks == []


def text_of(X):
    return X.astype(str)


BRANCHES = {
    "encoder first": one_hot,
    "behind an imputer": imputed,
    "behind two imputers": lambda: make_pipeline(
        SimpleImputer(strategy="constant", fill_value="none"), imputed()
    ),
    "behind a function": lambda: make_pipeline(
        FunctionTransformer(text_of, feature_names_out="one-to-one"), one_hot()
    ),
    "in a union": lambda: FeatureUnion([("a", one_hot()), ("b", OrdinalEncoder())]),
    "ordinal": lambda: OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1
    ),
    "target": TargetEncoder,
    "imputed and selected": lambda: make_pipeline(imputed(), VarianceThreshold()),
    "columns within columns": lambda: make_pipeline(
        SimpleImputer(strategy="most_frequent"),
        ColumnTransformer([("a", one_hot(), [0])]),
    ),
}


@pytest.mark.parametrize("branch", BRANCHES)
def test_f03_an_encoder_is_found_anywhere(tmp_path, branch):
    X = column(CODES["leading zeros"])
    assert_as_in_memory(tmp_path, encoded(X, BRANCHES[branch]()), X, Y)


def calibrated(inner):
    return CalibratedClassifierCV(inner, cv=2)


@pytest.mark.parametrize(
    "wrap",
    [
        calibrated,
        lambda inner: CalibratedClassifierCV(FrozenEstimator(inner)),
        lambda inner: VotingClassifier([("a", inner)], voting="soft"),
        lambda inner: GridSearchCV(inner, {}, cv=2),
        OneVsRestClassifier,
        FrozenEstimator,
    ],
)
def test_f03_an_encoder_is_found_in_any_wrapper(tmp_path, wrap):
    X = column(CODES["leading zeros"])
    model = wrap(encoded(X, classifier=LogisticRegression())).fit(X[:N], Y[:N])
    assert_as_in_memory(tmp_path, model, X, Y)


def test_f03_one_file_does_not_decide_alone(tmp_path):
    X = column(CODES["digits"]).drop(columns="code")
    # All codes of the members are digits, those of the others are not.
    X["code"] = ["12"] * N + ["x"] * N
    assert_as_in_memory(tmp_path, encoded(X), X, Y)


# F04: Parquet has types


def test_f04_parquet_keeps_its_types_and_empty_text(tmp_path):
    note = ["first second", "", "second", "third first"]
    X = column(CODES["digits"], note=np.array(note, dtype=object)[WHICH % 4])
    columns = ColumnTransformer(
        [("code", imputed(), ["code"]), ("note", TfidfVectorizer(), "note")]
    )
    model = make_pipeline(columns, DecisionTreeClassifier(random_state=0))
    model.fit(X[:N], Y[:N])
    content = from_files(tmp_path, model, X, Y, suffix="parquet")
    assert figures(content) == in_memory(model, X, Y)
    assert_as_in_memory(tmp_path, model, X, Y)


def test_f04_a_csv_follows_the_types_of_the_parquet_file_beside_it(tmp_path):
    X = column(["1", "2", "3"], day=pd.to_datetime(["2020-01-01", "2021-02-03"] * N))
    X["other"] = pd.Series(["1", "2", "3", "4"] * (N // 2))
    model = DecisionTreeClassifier(random_state=0).fit(X[["size"]][:N], Y[:N])
    model = make_pipeline(
        make_column_transformer(("passthrough", ["size"])),
        DecisionTreeClassifier(random_state=0),
    ).fit(X[:N], Y[:N])
    assert_as_in_memory(tmp_path, model, X, Y, suffixes=("csv", "parquet"))
    assert_as_in_memory(tmp_path, model, X, Y, suffixes=("parquet", "csv"))


# F06: truth values and numbers as other programs write them


def truth(words, gap=None):
    """A table whose column "code" is true or false, and its cells in a file."""
    X = column([False, True])
    cells = X["code"].map(dict(zip((False, True), words, strict=True))).astype(object)
    if gap is not None:
        X["code"] = X["code"].astype(object)
        X.loc[::7, "code"], cells[::7] = np.nan, gap
    return X, X.assign(code=cells)


WORDS = [("FALSE", "TRUE"), ("false", "true"), ("False", "True")]
SHORT = [("F", "T"), ("f", "t"), ("no", "yes"), ("No", "Yes")]


@pytest.mark.parametrize("gap", [None, "", "NA"])
@pytest.mark.parametrize("words", WORDS)
def test_f06_truth_values_in_any_writing(tmp_path, words, gap):
    X, cells = truth(words, gap)
    model = HistGradientBoostingClassifier(max_iter=5).fit(X[:N], Y[:N])
    assert_as_in_memory(tmp_path, model, cells, Y, as_given=X)


def test_f06_figures_of_truth_values_with_a_gap(tmp_path):
    X, cells = truth(("FALSE", "TRUE"), "")
    model = HistGradientBoostingClassifier(max_iter=5).fit(X[:N], Y[:N])
    assert figures(from_files(tmp_path, model, cells, Y)) == in_memory(model, X, Y)


@pytest.mark.parametrize("words", SHORT)
def test_f06_short_words_are_truth_values_if_the_encoder_says_so(tmp_path, words):
    X, cells = truth(words)
    read = assert_as_in_memory(tmp_path, encoded(X, one_hot()), cells, Y, as_given=X)
    assert read.remarks == [
        "column 'code': yes and no, or t and f, were read as true and false, which the "
        "model knows"
    ]
    as_text = column(words)
    read = assert_as_in_memory(tmp_path, encoded(as_text), as_text, Y)
    assert read.remarks == []


NO_NUMBER = "holds no numbers in {} of 80 records (the first is record {})"


@pytest.mark.parametrize(
    ("cell", "advice"),
    [
        ("1,234.5", "decimal point and without a separator of thousands"),
        ("1.234,5", "decimal point and without a separator of thousands"),
        ("3,5", "decimal point and without a separator of thousands"),
        ("1_000", "--na-values"),
        ("?", "--na-values"),
        ("\u0663", "--na-values"),
        ("yes", "such as 1 and 0"),
    ],
)
def test_f06_a_cell_that_is_no_number_is_told_by_file_and_column(
    tmp_path, capsys, cell, advice
):
    X = column([1.5, 2.5])
    model = DecisionTreeClassifier(random_state=0).fit(X[:N], Y[:N])
    for row, name in ((3, "members"), (N + 4, "others")):
        cells = X.astype({"code": object})
        cells.loc[row, "code"] = cell
        message = refusal(capsys, tmp_path, model, cells, Y)
        assert (
            f"Column 'code' of {tmp_path / name}.csv {NO_NUMBER.format(1, row % N + 1)}"
            in message
        )
        assert advice in message
        assert cell not in message.replace(advice, "")


def test_f06_numbers_with_a_comma_are_refused_where_nothing_is_known(tmp_path, capsys):
    X = column(CODES["commas"])
    model = make_pipeline(
        make_column_transformer(("passthrough", ["size"])), LogisticRegression()
    ).fit(X[:N], Y[:N])
    message = refusal(capsys, tmp_path, model, X, Y)
    assert "Column 'code' of" in message
    assert "decimal comma or a separator of thousands" in message


def test_numbers_are_numbers_however_they_are_written(tmp_path):
    X = column([7, 700.0, 1e20, -0.5])
    cells = X["code"].map({7: "007", 700: "7E2", 1e20: "1e+20", -0.5: "-.5"})
    model = DecisionTreeClassifier(random_state=0).fit(X[:N], Y[:N])
    assert_as_in_memory(tmp_path, model, X.assign(code=cells), Y, as_given=X)


# F08: blanks


def test_f08_blanks_are_stripped_where_the_model_knows_the_rest(tmp_path):
    X = column(["j1", "j2", "j5", "j6"])
    cells = X.assign(code=" " + X["code"])
    model = encoded(X)
    read = assert_as_in_memory(tmp_path, model, cells, Y, as_given=X)
    assert read.remarks == [
        "column 'code': blanks around 160 cells were left out, as the model knows the "
        "values without them"
    ]
    content = from_files(tmp_path, model, cells, Y)
    assert figures(content) == in_memory(model, X, Y)
    note = next(f for f in content["findings"] if f["code"] == "MIA018")
    assert read.remarks[0] in note["message"]


def test_f08_values_that_are_new_lose_their_blanks_with_those_that_are_known(tmp_path):
    X = column(["j1", "j2", "j5"])
    model = encoded(X)
    X["code"] = X["code"].mask(X.index >= 2 * N - 5, "new")
    cells = X.assign(code=" " + X["code"])
    read = assert_as_in_memory(tmp_path, model, cells, Y, as_given=X)
    assert "blanks around 160 cells were left out" in read.remarks[0]
    # Where some known values have blanks, a new one may have them too.
    X = column([" j1", "j2", "j5"])
    model = encoded(X)
    X["code"] = X["code"].mask(X.index >= 2 * N - 5, " new")
    read = assert_as_in_memory(tmp_path, model, X, Y)
    assert read.remarks == []


@pytest.mark.parametrize("word", ["?", " ?", "? "])
def test_f08_a_word_for_gaps_may_have_blanks_around(tmp_path, word):
    X = column(["j1", np.nan, "j5"])
    cells = X.assign(code=X["code"].fillna(word))
    assert_as_in_memory(tmp_path, encoded(X), cells, Y, "--na-values=?", as_given=X)


@pytest.mark.parametrize(
    "values",
    [["a", "b", ""], ["a", np.nan, "b"], ["a", None, "b"], ["NA", np.nan, "b"]],
)
def test_an_empty_cell_is_what_the_encoder_knows(tmp_path, values):
    X = column(values)
    if None in values:
        X["code"] = X["code"].astype(object).where(X["code"].notna(), None)
    model = encoded(X, OneHotEncoder())
    for suffix in ("csv", "parquet"):
        assert_as_in_memory(tmp_path, model, X, Y, suffix=suffix)


def test_an_empty_cell_that_could_be_both_is_refused(tmp_path, capsys):
    X = column(["a", "", np.nan])
    message = refusal(capsys, tmp_path, encoded(X, one_hot()), X, Y)
    assert "Column 'code' of" in message
    assert "both empty text and missing values" in message
    assert_as_in_memory(tmp_path, encoded(X, one_hot()), X, Y, suffix="parquet")


# The guard: an encoder knows the values of those it was trained on


def test_f08_members_whose_values_the_encoder_does_not_know_stop_the_audit(
    tmp_path, capsys
):
    X = column(["j1", "j2", "j5"])
    model = encoded(X)
    other = X.assign(code=X["code"].str.upper())
    message = refusal(capsys, tmp_path, model, other, Y, suffix="parquet")
    assert message.startswith(
        f"The records of {tmp_path / 'members.parquet'} are said to be those that the "
        "model was trained on, but 80 of 80 have a value in column 'code' that its "
        "OneHotEncoder does not know."
    )
    assert "J1" not in message
    with pytest.raises(ValueError, match="The records of X_train are said to be"):
        in_memory(model, other, Y)


def test_two_unknown_members_in_eighty_stop_the_audit_and_unknown_others_do_not(
    tmp_path, capsys
):
    X = column(["j1", "j2", "j5"])
    model = encoded(X)
    some = X.assign(code=X["code"].mask(X.index < 2, "new"))
    assert "but 2 of 80 have a value" in refusal(capsys, tmp_path, model, some, Y)
    new = X.assign(code=X["code"].mask(X.index >= N, "new"))
    assert_as_in_memory(tmp_path, model, new, Y)


def test_the_guard_sees_what_reaches_an_encoder_that_cannot_be_followed(
    tmp_path, capsys
):
    X = column(["200", "201", "212"])
    branch = make_pipeline(FunctionTransformer(text_of), one_hot())
    model = encoded(X, branch)
    other = X.assign(code="x" + X["code"])
    message = refusal(capsys, tmp_path, model, other, Y)
    assert "80 of 80 have a value in a column made of 'code'" in message


def test_others_that_an_encoder_refuses_are_named_before_anything_is_trained(
    tmp_path, capsys
):
    X = column(["j1", "j2", "j5"])
    model = encoded(X, OneHotEncoder())
    new = X.assign(code=X["code"].mask(X.index >= 2 * N - 3, "new"))
    message = refusal(capsys, tmp_path, model, new, Y)
    assert f"3 of 80 records of {tmp_path / 'others.csv'} have a value" in message
    assert "handle_unknown='ignore'" in message


def test_values_that_were_told_to_an_encoder_may_leave_members_out(tmp_path):
    X = column(["j1", "j2", "j5", "j6", "j7"])
    encoder = OneHotEncoder(categories=[["j1", "j2", "j5"]], handle_unknown="ignore")
    assert_as_in_memory(tmp_path, encoded(X, encoder), X, Y)


# Columns chosen by their type


def as_category(X):
    return X.astype({"code": "category"})


@pytest.mark.parametrize(
    ("dtype", "selector"),
    [
        (object, make_column_selector(dtype_include=object)),
        ("str", make_column_selector(dtype_exclude="number")),
        ("category", make_column_selector(dtype_include="category")),
        ("string", make_column_selector(dtype_include="string")),
        (object, make_column_selector(pattern="code")),
    ],
)
def test_columns_chosen_by_type_are_chosen_again(tmp_path, dtype, selector):
    X = column(CODES["leading zeros"]).astype({"code": dtype})
    columns = make_column_transformer((imputed(), selector), remainder="passthrough")
    model = make_pipeline(columns, LogisticRegression()).fit(X[:N], Y[:N])
    read = assert_as_in_memory(tmp_path, model, X, Y)
    found = [selector(side) for side in read.features]
    assert found == [["code"], ["code"]]


def test_whole_numbers_chosen_by_type_and_gaps_in_the_other_file(tmp_path):
    X = column([1, 2, 3])
    X["age"] = np.random.default_rng(2).integers(0, 90, 2 * N).astype(float)
    X.loc[N:, "age"] = X["age"].mask(X.index % 5 == 0)
    columns = make_column_transformer(
        (SimpleImputer(), make_column_selector(dtype_include="float64")),
        (one_hot(), make_column_selector(dtype_include="int64")),
    )
    model = make_pipeline(columns, LogisticRegression()).fit(X[:N], Y[:N])
    assert_as_in_memory(tmp_path, model, X, Y)


def test_a_choice_by_type_that_cannot_be_repeated_is_refused(tmp_path, capsys):
    X = column([1, 2, 3]).astype({"code": "timedelta64[s]"})
    columns = make_column_transformer(
        (
            FunctionTransformer(seconds),
            make_column_selector(dtype_include="timedelta"),
        ),
        remainder="passthrough",
    )
    model = make_pipeline(columns, LogisticRegression()).fit(X[:N], Y[:N])
    message = refusal(capsys, tmp_path, model, X, Y)
    assert "chose columns by their type in training" in message
    assert "'code'" in message


def seconds(X):
    return X.apply(lambda column: column.dt.total_seconds())


def test_categories_come_back_for_a_model_that_had_them(tmp_path):
    X = as_category(column(CODES["leading zeros"]))
    model = HistGradientBoostingClassifier(max_iter=5).fit(X[:N], Y[:N])
    for suffix in ("csv", "parquet"):
        assert_as_in_memory(tmp_path, model, X, Y, suffix=suffix)
    as_text = X.astype({"code": "str"})
    read = assert_as_in_memory(
        tmp_path, model, as_text, Y, suffix="parquet", as_given=X
    )
    assert read.features[0]["code"].dtype == "category"


@pytest.mark.parametrize("package", ["lightgbm", "xgboost"])
def test_categories_come_back_for_boosting(tmp_path, package):
    X = as_category(column(["b", "a", "c", "007"]))
    X["code"] = X["code"].cat.reorder_categories(["c", "007", "b", "a"])
    y = (Y == "high").astype(int)
    if package == "lightgbm":
        lightgbm = pytest.importorskip("lightgbm")
        model = lightgbm.LGBMClassifier(n_estimators=5, min_child_samples=5, verbose=-1)
    else:
        xgboost = pytest.importorskip("xgboost")
        model = xgboost.XGBClassifier(n_estimators=5, enable_categorical=True)
    model.fit(X[:N], y[:N])
    assert_as_in_memory(tmp_path, model, X, y)


# Dates (F10)


def month(X):
    return X["when"].dt.month.to_frame()


def month_of_text(X):
    return X["when"].str[5:7].astype(int).to_frame()


DAYS = pd.Series(pd.date_range("2020-01-01", periods=2 * N, freq="11D"))


def dated():
    """A table with a column of dates, and a model that takes nothing else there."""
    X = column([1, 2]).assign(when=DAYS)
    first = make_column_transformer(
        (FunctionTransformer(month), ["when"]), remainder="passthrough"
    )
    model = make_pipeline(first, DecisionTreeClassifier(random_state=0))
    return X, model.fit(X[:N], Y[:N])


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_f10_dates_are_dates_if_the_model_takes_nothing_else(tmp_path, suffix):
    X, model = dated()
    assert_as_in_memory(tmp_path, model, X, Y, suffix=suffix)


@pytest.mark.slow
def test_f10_figures_of_dates(tmp_path):
    X, model = dated()
    assert figures(from_files(tmp_path, model, X, Y)) == in_memory(model, X, Y)


def months(X):
    return X.apply(lambda column: column.dt.month)


def test_dates_may_become_what_an_encoder_knows(tmp_path):
    X = column([1, 2]).assign(code=DAYS)
    function = FunctionTransformer(months, feature_names_out="one-to-one")
    model = encoded(X, make_pipeline(function, one_hot()))
    read = assert_as_in_memory(tmp_path, model, X, Y)
    assert read.features[0]["code"].dtype.kind == "M"


def test_dates_stay_text_if_the_model_takes_text(tmp_path):
    X = column([1, 2]).assign(when=DAYS.dt.strftime("%Y-%m-%d"))
    first = make_column_transformer(
        (FunctionTransformer(month_of_text), ["when"]), remainder="passthrough"
    )
    model = make_pipeline(first, LogisticRegression()).fit(X[:N], Y[:N])
    assert_as_in_memory(tmp_path, model, X, Y)


def test_dates_that_an_encoder_knows_are_dates(tmp_path):
    X = column([1, 2]).assign(code=pd.to_datetime(DAYS.dt.strftime("%Y-%m-01")))
    assert_as_in_memory(tmp_path, encoded(X, one_hot()), X, Y)


def test_codes_that_nothing_is_known_of_are_text_and_said_to_be(tmp_path):
    X = column(CODES["exponents"])
    first = make_column_transformer(
        (FunctionTransformer(lengths), ["code"]), remainder="passthrough"
    )
    model = make_pipeline(first, LogisticRegression()).fit(X[:N], Y[:N])
    read = assert_as_in_memory(tmp_path, model, X, Y)
    assert read.remarks == [
        "column 'code' was read as text, because some of its cells, as 007 or 7E2, "
        "look like codes"
    ]


DIGITS = {
    "of one length": ["200", "201", "212"],
    "of several": ["2", "20", "212"],
    "with a point": ["1.10", "1.1", "2.0"],
}
GRADES = {"200": 1, "201": 5, "2": 1, "20": 5, "1.10": 1, "1.1": 5}


def grades(X):
    return X["code"].map(GRADES).astype(float).to_frame()


def first_digits(X):
    return X["code"].str[:3].map(GRADES).fillna(0).to_frame()


def doubled(X):
    return X * 2


def graded(function, *, direct=False):
    first = FunctionTransformer(function)
    if not direct:
        first = make_column_transformer((first, ["code"]), remainder="passthrough")
    return make_pipeline(first, DecisionTreeClassifier(random_state=0))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("function", [grades, first_digits])
@pytest.mark.parametrize("digits", DIGITS)
def test_digits_that_only_a_function_reads_are_what_the_model_was_trained_on(
    tmp_path, digits, function, suffix
):
    X = column(DIGITS[digits])
    model = graded(function).fit(X[:N], Y[:N])
    read = assert_as_in_memory(tmp_path, model, X, Y, suffix=suffix)
    reason = (
        "the model knows the classes of the members better so"
        if function is grades
        else "the model does not take it otherwise"
    )
    told = [f"column 'code' was read as text, because {reason}"]
    assert read.remarks == (told if suffix == "csv" else [])


@pytest.mark.slow
def test_figures_of_digits_that_only_a_function_reads(tmp_path):
    X = column(DIGITS["of several"])
    model = graded(grades).fit(X[:N], Y[:N])
    assert figures(from_files(tmp_path, model, X, Y)) == in_memory(model, X, Y)


def test_numbers_that_a_function_would_take_as_text_stay_numbers(tmp_path):
    X = column([2, 20, 212])
    model = graded(doubled, direct=True).fit(X[:N], Y[:N])
    read = assert_as_in_memory(tmp_path, model, X, Y)
    assert all(remark.endswith("better so") for remark in read.remarks)
    assert not any("read as text" in remark for remark in read.remarks)


def test_numbers_that_a_function_only_takes_stay_numbers_without_a_remark(tmp_path):
    X = column([2.5, 20, 212])
    model = graded(halved, direct=True).fit(X[:N], Y[:N])
    assert assert_as_in_memory(tmp_path, model, X, Y).remarks == []


# Infinite numbers


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_infinite_numbers_are_as_in_memory_where_the_model_takes_them(tmp_path, suffix):
    X = column([1.5, np.inf, -np.inf, 2.5])
    model = HistGradientBoostingClassifier(max_iter=5).fit(X[:N], Y[:N])
    read = assert_as_in_memory(tmp_path, model, X, Y, suffix=suffix)
    assert read.remarks == []
    words = X["code"].map({1.5: "1.5", 2.5: "2.5", np.inf: "Infinity", -np.inf: "-INF"})
    assert_as_in_memory(tmp_path, model, X.assign(code=words), Y, as_given=X)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_infinite_numbers_that_the_model_refuses_are_told_by_file_and_column(
    tmp_path, capsys, suffix
):
    X = column([1.5, 2.5])
    model = DecisionTreeClassifier(random_state=0).fit(X[:N], Y[:N])
    X.loc[N + 4, "code"] = np.inf
    message = refusal(capsys, tmp_path, model, X, Y, suffix=suffix)
    assert (
        f"Column 'code' of {tmp_path / 'others'}.{suffix} holds infinite numbers in 1 "
        "of 80 records (the first is record 5)."
    ) in message


def lengths(X):
    return X["code"].str.len().to_frame()


def test_a_model_that_takes_neither_is_told_with_the_column(tmp_path, capsys):
    X = column([1.5, 2.5])
    model = make_pipeline(FunctionTransformer(halved), LogisticRegression())
    model.fit(X[:N], Y[:N])
    cells = X.astype({"code": object})
    cells.loc[N + 4, "code"] = "x"
    message = refusal(capsys, tmp_path, model, cells, Y)
    assert "The model cannot be asked about" in message
    assert (
        f"Column 'code' of {tmp_path / 'others.csv'} holds numbers, but not in 1 of 80 "
        "records (the first is record 5)."
    ) in message


def halved(X):
    return X / 2


def test_how_well_a_model_knows_its_records_is_what_it_answers_for_their_labels():
    X = pd.DataFrame({"code": [1.0, 2.0, 3.0, 4.0]})
    labels, values = pd.Series([0, 1, 1, 1]), pd.Series([1.0, 2.0, 3.0, 8.0])
    stump = DecisionTreeClassifier(max_depth=1).fit(X, [0, 0, 1, 1])
    assert _of_own_class(stump, X, labels).tolist() == [1, 0, 1, 1]
    linear = RidgeClassifier().fit(X, [0, 0, 1, 1])
    assert _of_own_class(linear, X, labels).tolist() == [True, False, True, True]
    line = LinearRegression().fit(X, [1, 2, 3, 4])
    np.testing.assert_allclose(_of_own_class(line, X, values), [0, 0, 0, -4], atol=1e-9)


def test_truth_values_and_gaps_among_numbers_are_numbers_of_an_array():
    frame = pd.DataFrame({"yes": [True, False], "n": [1.5, 2]})
    whole = frame.assign(n=pd.array([3, None], dtype="Int64"))
    for table, n in ((frame, [1.5, 2]), (whole, [3, np.nan])):
        array = _as_array(table)
        assert array.dtype == np.float64
        np.testing.assert_array_equal(array, np.column_stack([[1, 0], n]))
    assert _as_array(frame.assign(n=["a", "b"])).tolist() == [[True, "a"], [False, "b"]]
