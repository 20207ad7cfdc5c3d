import re

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.tables import NAMES, TABLE, pandas_frame, polars_frame
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import DataConversionWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MaxAbsScaler, StandardScaler
from sklearn.utils.validation import validate_data

from sklearn_mia import RMIA, ThresholdAttack, as_records
from sklearn_mia._compat import is_pandas_df, is_polars_df, pandas_copies_on_write
from sklearn_mia.identity import record_ids
from sklearn_mia.schema import RecordSchema, numeric_if_possible


@pytest.mark.parametrize("dtype", [float, np.float32, np.int64, np.uint8, bool])
def test_records_of_an_array_keep_its_dtype_and_add_the_label_last(dtype):
    X = np.array([[0, 1], [1, 1], [1, 0]], dtype=dtype)
    before = X.copy()
    records = as_records(X, [1, 0, 1])
    assert records.dtype == dtype
    assert_array_equal(records[:, :2], X)
    assert_array_equal(records[:, 2], [1, 0, 1])
    records[:] = 1
    assert_array_equal(X, before)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int8, np.uint8, bool])
@pytest.mark.parametrize("labels", [["no", "yes", "no"], [16_777_217, -70_002, 2.5]])
def test_labels_that_the_dtype_cannot_hold_leave_the_features_as_they_were(
    dtype, labels
):
    X = np.array([[0, 1], [1, 1], [1, 0]], dtype=dtype)
    records = as_records(X, labels)
    assert records.dtype == object
    assert records[:, -1].tolist() == labels
    target = Recorder().fit(X, labels)
    features, split = RecordSchema(target, records).split(records)
    assert features.dtype == dtype
    assert_array_equal(features, X)
    assert split.tolist() == labels


def test_text_features_and_text_labels_stay_text():
    records = as_records(np.array([["a"], ["b"]]), ["long", "x"])
    assert records.dtype == np.dtype("<U4")
    assert records.tolist() == [["a", "long"], ["b", "x"]]
    assert as_records(np.array([["a"], ["b"]]), [1, 2]).tolist() == [["a", 1], ["b", 2]]


@pytest.mark.parametrize("kind", [sp.csr_array, sp.csr_matrix, sp.csc_array])
def test_sparse_records_stay_sparse_and_of_their_kind(kind):
    X = kind(TABLE.astype(np.float32))
    records = as_records(X, [0, 1, 2, 0, 1, 2])
    assert type(records) is (sp.csr_matrix if kind is sp.csr_matrix else sp.csr_array)
    assert records.dtype == np.float32
    assert_array_equal(records.toarray()[:, :-1], TABLE)
    assert_array_equal(records.toarray()[:, -1], [0, 1, 2, 0, 1, 2])
    assert_array_equal(
        record_ids(records), record_ids(as_records(TABLE, [0, 1, 2, 0, 1, 2]))
    )


def test_sparse_records_refuse_text_labels():
    with pytest.raises(ValueError, match="Sparse records hold numbers only, got"):
        as_records(sp.csr_array(TABLE), list("abcabc"))


def test_records_of_a_pandas_frame_keep_dtypes_index_and_memory():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(
        {
            "f": np.array([0.5, 1.5, 2.5], dtype=np.float32),
            "i": np.array([1, 2, 3], dtype=np.int8),
            "n": pd.array([1, None, 3], dtype="Int64"),
            "c": pd.Categorical(["x", "y", "x"]),
            "s": ["p", "q", None],
        },
        index=[7, 7, 3],
    )
    # Labels count by position, whatever their index says.
    y = pd.Series(pd.Categorical(["no", "yes", "no"]), name="income", index=[3, 2, 1])
    before_X, before_y = X.copy(), y.copy()
    records = as_records(X, y)
    assert list(records.columns) == ["f", "i", "n", "c", "s", "income"]
    pd.testing.assert_frame_equal(records[list(X.columns)], X)
    assert records["income"].tolist() == ["no", "yes", "no"]
    assert records["income"].dtype == y.dtype
    if pandas_copies_on_write():
        assert np.shares_memory(records["f"].to_numpy(), X["f"].to_numpy())
    pd.testing.assert_frame_equal(X, before_X)
    pd.testing.assert_series_equal(y, before_y)


def test_records_of_a_polars_frame_keep_dtypes():
    pl = pytest.importorskip("polars")
    X = pl.DataFrame({"f": [0.5, 1.5], "c": ["x", "y"]}).cast({"c": pl.Categorical})
    y = pl.Series("income", ["no", "yes"])
    records = as_records(X, y)
    assert dict(records.schema) == {
        "f": pl.Float64,
        "c": pl.Categorical,
        "income": pl.String,
    }
    assert records.drop("income").equals(X)
    assert records["income"].to_list() == ["no", "yes"]
    assert X.columns == ["f", "c"]
    assert as_records(X, [0, 1])["label"].to_list() == [0, 1]


@pytest.mark.parametrize(
    ("columns", "name", "label_name", "expected"),
    [
        (["a", "b"], None, None, "label"),
        (["a", "b"], "income", None, "income"),
        (["a", "b"], "income", "truth", "truth"),
        ([0, 1], None, None, 2),
        ([10, 3], None, None, 11),
    ],
)
def test_the_label_column_gets_a_name(columns, name, label_name, expected):
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame([[1, 2], [3, 4]], columns=columns)
    y = pd.Series([0, 1], name=name)
    records = as_records(X, y, label_name=label_name)
    assert list(records.columns) == [*columns, expected]


def test_a_label_name_that_is_taken_is_refused():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame({"a": [1, 2], "label": [0, 1]})
    with pytest.raises(ValueError, match="X already has a column named 'label'"):
        as_records(X, [0, 1])
    with pytest.raises(ValueError, match="X already has a column named 'a'"):
        as_records(X, pd.Series([0, 1], name="a"))


LABELS = {
    "tuple": tuple,
    "object": lambda y: np.array(y, dtype=object),
    "pandas": lambda y: pytest.importorskip("pandas").Series(
        y, index=[5, 5, 4, 3, 2, 1]
    ),
    "polars": lambda y: pytest.importorskip("polars").Series(y),
    "column": lambda y: np.array(y)[:, None],
    "pandas column": lambda y: pytest.importorskip("pandas").DataFrame({"y": y}),
    "polars column": lambda y: pytest.importorskip("polars").DataFrame({"y": y}),
}


@pytest.mark.parametrize("form", LABELS)
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, pandas_frame])
def test_labels_in_any_form_give_the_same_records(form, container):
    y = [0, 1, 0, 2, 1, 0]
    expected = record_ids(TABLE, y)
    X, labels = container(TABLE), LABELS[form](y)
    if form == "object" and sp.issparse(X):
        with pytest.raises(ValueError, match="got labels of dtype object"):
            as_records(X, labels)
        return
    if form.endswith("column"):
        with pytest.warns(DataConversionWarning) as caught:
            records = as_records(X, labels)
        assert len(caught) == 1
    else:
        records = as_records(X, labels)
    assert_array_equal(record_ids(records), expected)


def test_one_hot_labels_are_refused():
    message = "y must be 1-d labels, got shape (6, 3). If y is one-hot"
    with pytest.raises(ValueError, match=re.escape(message)):
        as_records(TABLE, np.eye(3)[[0, 1, 2, 0, 1, 2]])


def test_features_and_labels_of_different_length_are_refused():
    with pytest.raises(ValueError, match="inconsistent numbers of samples: \\[6, 5\\]"):
        as_records(TABLE, [0] * 5)


def test_a_single_feature_needs_two_dimensions():
    message = "X must be a table of shape (n_records, n_features), got shape (6,)."
    with pytest.raises(ValueError, match=re.escape(message)):
        as_records(TABLE[:, 0], [0] * 6)


def test_a_lazy_frame_is_refused():
    pl = pytest.importorskip("polars")
    lazy = polars_frame(TABLE).lazy()
    with pytest.raises(TypeError, match=re.escape("Pass X.collect().")):
        as_records(lazy, [0] * 6)
    with pytest.raises(TypeError, match=re.escape("Pass y.collect().")):
        as_records(TABLE, pl.LazyFrame({"y": [0] * 6}))
    with pytest.raises(TypeError, match="X is a LazyFrame, which holds no rows yet"):
        ThresholdAttack(Recorder().fit(TABLE, [0, 1] * 3)).fit(lazy)


class Recorder(ClassifierMixin, BaseEstimator):
    """A classifier that answers one half and keeps all that it is asked about."""

    def fit(self, X, y):
        validate_data(self, X, skip_check_array=True)
        self.classes_ = np.unique(y)
        self.asked_ = []
        return self

    def predict_proba(self, X):
        self.asked_.append(X)
        return np.full((X.shape[0], len(self.classes_)), 1 / len(self.classes_))

    def predict(self, X):
        return self.classes_[self.predict_proba(X).argmax(axis=1)]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags


def mixed_frame(module):
    columns = {
        "f": np.array([0.5, np.nan, 2.5, 1.0], dtype=np.float32),
        "i": np.array([3, 1, 2, 5], dtype=np.int16),
        "b": np.array([True, False, True, True]),
        "s": ["p", "q", None, "p"],
    }
    if module == "polars":
        pl = pytest.importorskip("polars")
        return pl.DataFrame(columns).cast({"s": pl.Categorical})
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(columns, index=[3, 3, 9, 1])
    frame["n"] = pd.array([1, None, 3, 4], dtype="Int64")
    frame["c"] = pd.Categorical(["x", "y", "x", None], ["y", "z", "x"])
    return frame


def assert_same_table(got, expected):
    assert type(got) is type(expected)
    if is_pandas_df(expected):
        import pandas as pd

        pd.testing.assert_frame_equal(got, expected)
    elif is_polars_df(expected):
        assert got.schema == expected.schema
        assert got.equals(expected)
    else:
        assert got.dtype == expected.dtype
        dense = (a.toarray() if sp.issparse(a) else a for a in (got, expected))
        assert_array_equal(*dense)


def integer_names(columns):
    pd = pytest.importorskip("pandas")
    return pd.DataFrame(TABLE[:4, : len(columns)], columns=columns)


TRAINED_ON = {
    "float64": lambda: TABLE[:4],
    "float32": lambda: TABLE[:4].astype(np.float32),
    "int16": lambda: np.arange(12, dtype=np.int16).reshape(4, 3),
    "bool": lambda: np.arange(12).reshape(4, 3) % 2 == 0,
    "object": lambda: np.array([["a", 1], ["b", 2.5], ["c", None], ["d", 3]], object),
    "csr_array": lambda: sp.csr_array(TABLE[:4]),
    "csr_matrix": lambda: sp.csr_matrix(TABLE[:4]),
    "pandas": lambda: mixed_frame("pandas"),
    "pandas, default names": lambda: integer_names([0, 1, 2]),
    "pandas, names that are other positions": lambda: integer_names([2, 0, 1]),
    "pandas, names beyond the positions": lambda: integer_names([10, 30, 20]),
    "polars": lambda: mixed_frame("polars"),
}


@pytest.mark.parametrize(
    ("trained_on", "labels"),
    [
        (trained_on, labels)
        for trained_on in TRAINED_ON
        for labels in ([0, 1, 1, 0], ["no", "yes", "yes", "no"])
        # Sparse records hold numbers only.
        if not (trained_on.startswith("csr") and "no" in labels)
    ],
)
def test_the_target_gets_just_what_it_was_trained_on(trained_on, labels):
    X = TRAINED_ON[trained_on]()
    target = Recorder().fit(X, labels)
    records = as_records(X, labels)
    attack = ThresholdAttack(target).fit(records)
    attack.score_samples(records)
    assert len(target.asked_) == 2
    for asked in target.asked_:
        assert_same_table(asked, X)


@pytest.mark.parametrize("module", ["pandas", "polars"])
@pytest.mark.parametrize("place", [0, 2, None])
def test_columns_are_handed_over_in_the_order_of_training(module, place):
    X = mixed_frame(module)
    target = Recorder().fit(X, [0, 1, 1, 0])
    records = as_records(X, [0, 1, 1, 0], label_name="truth")
    order = list(X.columns)[::-1]
    order.insert(len(order) if place is None else place, "truth")
    shuffled = records[order]
    attack = ThresholdAttack(target).fit(shuffled)
    assert attack.label_column_ == "truth"
    assert_array_equal(attack.feature_names_in_, order)
    assert_same_table(target.asked_[-1], X)
    straight = ThresholdAttack(target).fit(records)
    assert_array_equal(
        record_ids(*straight._schema.split(records)),
        record_ids(*attack._schema.split(shuffled)),
    )


def test_a_target_trained_on_an_array_gets_an_array_of_a_frame():
    target = Recorder().fit(TABLE, [0, 1] * 3)
    for frame in (pandas_frame(TABLE), polars_frame(TABLE)):
        ThresholdAttack(target).fit(as_records(frame, [0, 1] * 3))
        assert_same_table(target.asked_[-1], TABLE)


def test_spaces_in_names_that_lightgbm_changed_are_found_again():
    lightgbm = pytest.importorskip("lightgbm")
    pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X = pandas_frame(rng.normal(size=(60, 4))).rename(columns={"b": "b of c"})
    y = (X["a"] > 0).to_numpy().astype(int)
    target = lightgbm.LGBMClassifier(n_estimators=2, n_jobs=1, verbose=-1).fit(X, y)
    assert "b_of_c" in target.feature_names_in_
    records = as_records(X, y)[["d", "label", "b of c", "a", "c"]]
    features, labels = RecordSchema(target, records).split(records)
    assert_same_table(features, X)
    assert_array_equal(labels, y)


@pytest.mark.parametrize(
    ("label_column", "column"),
    [("auto", 4), (0, 0), (2, 2), (4, 4), (-1, 4), (-5, 0), (np.int64(1), 1)],
)
@pytest.mark.parametrize("container", [np.asarray, sp.csr_array, sp.csr_matrix])
def test_label_by_position_in_a_table_without_names(label_column, column, container):
    y = np.array([5.0, 6.0] * 3)
    table = container(np.insert(TABLE, column, y, axis=1))
    target = Recorder().fit(TABLE, y)
    schema = RecordSchema(target, table, label_column)
    features, labels = schema.split(table)
    assert schema.label_column == column
    assert schema.feature_names is None
    assert_same_table(features, container(TABLE))
    assert_array_equal(labels, y)


@pytest.mark.parametrize(
    ("label_column", "found"),
    [("auto", "truth"), ("truth", "truth"), (1, "truth"), (-4, "truth")],
)
def test_label_by_name_or_position_in_a_frame(label_column, found):
    X = pandas_frame(TABLE)
    target = Recorder().fit(X, [0, 1] * 3)
    records = X.copy()
    records.insert(1, "truth", [0, 1] * 3)
    schema = RecordSchema(target, records, label_column)
    features, labels = schema.split(records)
    assert schema.label_column == found
    assert schema.feature_names == NAMES
    assert_same_table(features, X)
    assert_array_equal(labels, [0, 1] * 3)


def test_an_integer_is_a_name_where_columns_have_integer_names():
    X = integer_names([10, 30, 20])
    records = as_records(X, [0, 1, 1, 0])[[31, 10, 30, 20]]
    target = Recorder().fit(X, [0, 1, 1, 0])
    features, labels = RecordSchema(target, records, 31).split(records)
    assert_same_table(features, X)
    assert_array_equal(labels, [0, 1, 1, 0])


@pytest.mark.parametrize(
    "container", [np.asarray, sp.csr_array, pandas_frame, polars_frame]
)
def test_records_without_labels_are_all_features(container):
    X = container(TABLE)
    schema = RecordSchema(Recorder().fit(X, [0, 1] * 3), X, None)
    features, labels = schema.split(X)
    assert schema.label_column is None
    assert labels is None
    assert_same_table(features, X)


WRONG = [
    (
        ["a", "b", "c", "d"],
        "auto",
        "The records hold only the columns that the target was trained on, not the "
        "class label. Add it with as_records(X, y), or set label_column=None",
    ),
    (
        ["a", "b", "truth", "c"],
        "auto",
        "The target was trained on columns that the records lack: 'd'. The records "
        "have 'a', 'b', 'truth', 'c'.",
    ),
    (
        ["a", "b", "c", "d", "truth", "id"],
        "auto",
        "label_column='auto' found 2 columns that the target was not trained on: "
        "'truth', 'id'. Drop all but the class label.",
    ),
    (
        ["a", "b", "c", "d", "truth", "id"],
        "truth",
        "The records have columns that the target was not trained on: 'id'. Drop "
        "them; only the class label may be added.",
    ),
    (
        ["a", "b", "c", "d", "truth"],
        None,
        "The records have columns that the target was not trained on: 'truth'.",
    ),
    (
        ["a", "b", "c", "d", "truth"],
        "income",
        "label_column='income' is not a column of the records, which have 'a', 'b', "
        "'c', 'd', 'truth'.",
    ),
    (
        ["a", "b", "c", "d", "truth"],
        5,
        "label_column=5 is outside the 5 columns of the records.",
    ),
]


@pytest.mark.parametrize(("columns", "label_column", "message"), WRONG)
@pytest.mark.parametrize("module", ["pandas", "polars"])
def test_a_frame_with_the_wrong_columns_is_refused(
    columns, label_column, message, module
):
    frame = pytest.importorskip(module).DataFrame(
        {name: [0.0, 1.0] for name in columns}
    )
    target = Recorder().fit(frame[["a", "b", "c"]], [0, 1])
    target.feature_names_in_ = np.array(["a", "b", "c", "d"], dtype=object)
    with pytest.raises(ValueError, match=re.escape(message)):
        RecordSchema(target, frame, label_column)


@pytest.mark.parametrize(
    ("n_columns", "label_column", "message"),
    [
        (4, "auto", "The records have 4 columns, as many as the target has features"),
        (6, "auto", "The records have 5 feature columns, but the target was trained"),
        (5, None, "The records have 5 feature columns, but the target was trained on"),
        (5, 5, "label_column=5 is outside the 5 columns of the records."),
        (5, -6, "label_column=-6 is outside the 5 columns of the records."),
        (5, "y", "label_column='y' is a name, but the records are an array without"),
    ],
)
def test_an_array_with_the_wrong_columns_is_refused(n_columns, label_column, message):
    target = Recorder().fit(TABLE, [0, 1] * 3)
    with pytest.raises(ValueError, match=re.escape(message)):
        RecordSchema(target, np.zeros((6, n_columns)), label_column)


def test_many_columns_are_not_all_listed():
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame(np.zeros((2, 30)), columns=[f"x{i}" for i in range(30)])
    target = Recorder().fit(X, [0, 1])
    message = "lack: 'x8', 'x9', 'x10', 'x11', 'x12', 'x13' and 16 more. The"
    with pytest.raises(ValueError, match=re.escape(message)):
        RecordSchema(target, X.iloc[:, :8])


@pytest.mark.parametrize("label_column", [None, 0, -1])
def test_an_array_is_not_copied_and_the_target_cannot_write_to_it(label_column):
    records = np.arange(20.0).reshape(4, 5)
    schema = RecordSchema(object(), records, label_column)
    features, _ = schema.split(records)
    assert np.shares_memory(features, records)
    assert not features.flags.writeable
    assert records.flags.writeable


def test_a_sparse_matrix_without_labels_is_not_copied():
    records = sp.csr_array(TABLE)
    features, _ = RecordSchema(object(), records, None).split(records)
    assert np.shares_memory(features.data, records.data)
    assert not features.data.flags.writeable
    assert records.data.flags.writeable


def in_place(frame):
    for name in frame.columns:
        frame[name] *= 3.0
    frame["one"] = 1.0
    return frame


@pytest.mark.parametrize("label_column", ["auto", None])
@pytest.mark.parametrize(
    ("container", "step"),
    [
        (np.asarray, lambda: StandardScaler(copy=False)),
        (sp.csr_array, lambda: MaxAbsScaler(copy=False)),
        (pandas_frame, lambda: FunctionTransformer(in_place)),
    ],
    ids=["array", "sparse", "frame"],
)
def test_steps_that_work_in_place_change_nothing(container, step, label_column):
    table = np.random.default_rng(0).normal(size=(80, 4)) + 2
    y = (table[:, 0] + table[:, 1] > 4).astype(int)
    target = make_pipeline(step(), LogisticRegression())
    target.fit(container(table.copy()), y)
    X = container(table.copy())
    records = X if label_column is None else as_records(X, y)
    before = records.copy()
    attack = RMIA(target, label_column=label_column, n_shadows=4, random_state=0)
    scores = attack.fit(records).score_samples(records)
    assert_same_table(records, before)
    assert_same_table(X, container(table))

    # A fresh copy for each question gives the same: no shadow saw changed records.
    class Careful(type(target)):
        def predict_proba(self, X):
            return super().predict_proba(X.copy())

        def decision_function(self, X):
            return super().decision_function(X.copy())

    careful = Careful(target.steps)
    expected = RMIA(careful, label_column=label_column, n_shadows=4, random_state=0)
    assert_array_equal(scores, expected.fit(records).score_samples(records))


def test_numbers_that_a_text_label_made_objects_are_numbers_again():
    ints = numeric_if_possible(np.array([[1, 2], [3, 4]], dtype=object))
    assert ints.dtype.kind == "i"
    assert_array_equal(ints, [[1, 2], [3, 4]])
    assert numeric_if_possible(np.array([[1, 2.5]], dtype=object)).dtype == float
    for X in (np.array([["1", 2]], object), np.array([[1, 2], [3, "4"]], object)):
        assert numeric_if_possible(X) is X
    floats = np.ones((2, 2))
    assert numeric_if_possible(floats) is floats
