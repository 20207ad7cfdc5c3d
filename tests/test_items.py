"""Documents, images and recordings: their containers, their identity, their records."""

import pickle
import re

import joblib
import numpy as np
import pytest
from helpers.items import KINDS, of_kind
from numpy.testing import assert_array_equal
from scipy import sparse as sp
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_mia import (
    RMIA,
    BlackBoxClassifier,
    LabelOnlyAttack,
    LiRA,
    QuantileRegressionAttack,
    Records,
    ThresholdAttack,
    as_records,
)
from sklearn_mia.hooks import cause_of
from sklearn_mia.identity import record_ids
from sklearn_mia.items import (
    check_items,
    item_numbers,
    items_like,
    kind_of,
    lengths_of,
    oddities_of,
    one_shape,
)
from sklearn_mia.records import as_features
from sklearn_mia.redaction import without_values
from sklearn_mia.tables import is_table, own_copy, row_names, stack_tables, take

DOCUMENTS = ["a cat", "a dog", "", "a cat sat", "the sea"]
LABELS = np.array([0, 1, 1, 0, 1])
IMAGES = load_digits().images[:5]
RAGGED = [np.arange(n + 1.0) for n in (3, 1, 4, 1, 5)]
TOKENS = [["a", "cat"], ["a"], [], ["the", "sea"], ["sea"]]
DICTS = [{"a": 1, "b": "x"}, {"b": "x", "a": 1.0}, {"a": 2}, {}, {"a": [1, 2]}]


def object_array(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def pandas(make):
    return lambda values: make(pytest.importorskip("pandas"), values)


def polars(make):
    return lambda values: make(pytest.importorskip("polars"), values)


def arrow(make):
    return lambda values: make(pytest.importorskip("pyarrow"), values)


CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "object": object_array,
    "U": np.array,
    "StringDType": lambda v: np.array(v, dtype=np.dtypes.StringDType()),
    "Series": pandas(lambda pd, v: pd.Series(v, index=range(len(v), 0, -1), name="t")),
    "Series of objects": pandas(lambda pd, v: pd.Series(v, dtype=object)),
    "category": pandas(lambda pd, v: pd.Series(v, dtype="category")),
    "Index": pandas(lambda pd, v: pd.Index(v)),
    "polars": polars(lambda pl, v: pl.Series("t", v)),
    "polars category": polars(lambda pl, v: pl.Series(v, dtype=pl.Categorical)),
    "arrow": arrow(lambda pa, v: pa.array(v)),
    "arrow chunks": arrow(lambda pa, v: pa.chunked_array([v[:2], v[2:]])),
}


# What is a record


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_document_is_the_same_in_any_container(name):
    held = CONTAINERS[name](DOCUMENTS)
    records = as_records(held, LABELS)
    assert_array_equal(records.labels, LABELS)
    if name != "Index":
        assert records.features is held
    kind = type(records.features)
    expected = record_ids(DOCUMENTS, LABELS)
    assert_array_equal(record_ids(records.features, records.labels), expected)
    for rows in ([3, 1, 1], np.array([], dtype=int), np.arange(5) > 2, slice(None)):
        taken = records[rows, ...]
        assert type(taken) is Records
        assert type(taken.features) is kind
        assert_array_equal(
            record_ids(taken.features, taken.labels), expected[np.arange(5)[rows]]
        )
    assert records[-1] == ("the sea", 1)
    both = stack_tables(records.features, take(records.features, [0, 2]))
    assert type(both) is kind
    assert_array_equal(record_ids(both), record_ids([*DOCUMENTS, "a cat", ""]))


def test_a_document_is_the_cell_of_a_table_of_one_column():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"text": DOCUMENTS})
    assert_array_equal(record_ids(frame, LABELS), record_ids(DOCUMENTS, LABELS))
    assert len(set(record_ids(DOCUMENTS))) == 5
    missing = record_ids([None, np.nan, "nan"])
    assert missing[0] == missing[1] != missing[2]


def test_an_image_is_the_row_of_its_cells():
    table = IMAGES.reshape(5, -1)
    expected = record_ids(table, LABELS)
    many = np.tile(IMAGES, (500, 1, 1)) + np.arange(2500)[:, None, None]
    for images in (
        IMAGES,
        np.asfortranarray(IMAGES),
        IMAGES.astype(np.uint8),
        IMAGES.reshape(5, 4, 4, 4),
        np.where(IMAGES == 0, -0.0, IMAGES),
    ):
        assert_array_equal(record_ids(images, LABELS), expected)
    # In more than one chunk.
    assert_array_equal(record_ids(many), record_ids(many.reshape(2500, -1)))


@pytest.mark.parametrize("ragged", [RAGGED, TOKENS, DICTS], ids=str)
def test_an_item_is_the_same_in_every_batch_and_container(ragged):
    expected = record_ids(ragged, LABELS)
    assert_array_equal(record_ids(object_array(ragged), LABELS), expected)
    assert_array_equal(record_ids(tuple(ragged), LABELS), expected)
    assert_array_equal(record_ids(ragged[1:4:2], LABELS[1:4:2]), expected[1:4:2])
    alone = [record_ids([v], LABELS[[i]])[0] for i, v in enumerate(ragged)]
    assert_array_equal(alone, expected)


def test_arrays_differ_by_shape_and_lists_are_arrays():
    shapes = [(2, 3), (3, 2), (6,), (1, 6), (5,), (0,)]
    ids = record_ids([np.zeros(shape) for shape in shapes])
    assert len(set(ids)) == len(shapes)
    assert_array_equal(ids, record_ids([np.zeros(s).tolist() for s in shapes]))
    nested = record_ids([[["a"], ["b", "c"]], [["a", "b"], ["c"]], [["a", "b", "c"]]])
    assert len(set(nested)) == 3
    same = record_ids([[1, 2.0], [1.0, 2], [True, 2], [1, 2, 3], ["1", 2.0]])
    assert same[0] == same[1] == same[2]
    assert len(set(same)) == 3


def test_a_dictionary_is_its_pairs_in_any_order():
    ids = record_ids(DICTS)
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4
    assert len(set(record_ids([{"a": "b"}, {"b": "a"}, {"a": {"b": 1}}]))) == 3


def test_an_image_rounded_to_float32_is_known():
    images = IMAGES + 0.1
    rounded = record_ids(images.astype(np.float32).astype(float))
    assert_array_equal(record_ids(images, dtype=np.float32), rounded)
    assert not np.isin(rounded, record_ids(images)).any()


TABLES = [
    ("numbers", [1, 2, 3]),
    ("array", np.arange(3)),
    ("objects", np.array([1, None, 2.5], dtype=object)),
    ("none", []),
    ("missing", [None, np.nan, None]),
    ("sets", [{1}, {2}, {3}]),
    ("number", np.array(3)),
]


@pytest.mark.parametrize(("name", "X"), TABLES, ids=[name for name, _ in TABLES])
def test_what_is_neither_a_table_nor_items_is_refused_as_before(name, X):
    with pytest.raises(ValueError, match=r"^X must be a table of shape \(n_records"):
        as_features(X)


def test_what_has_no_rows_is_refused():
    named = [("str", "abc"), ("dict", {"a": "b"}), ("set", {"a", "b"})]
    named += [("generator", (d for d in DOCUMENTS)), ("dict_values", {1: "a"}.values())]
    for name, wrong in named:
        message = (
            f"^X is a {name}; expected one row, item or label a record, in an order. "
            r"Pass a list\.$"
        )
        with pytest.raises(TypeError, match=message):
            as_features(wrong)
        with pytest.raises(TypeError, match=message):
            as_records(wrong, LABELS)
        with pytest.raises(TypeError, match=message.replace("X is", "y is")):
            as_records(DOCUMENTS, wrong)


def with_gaps(values, gap):
    return [*values[:2], gap, *values[3:4], gap]


GAPS = {
    "documents": lambda: with_gaps(DOCUMENTS, None),
    "not a number": lambda: tuple(with_gaps(DOCUMENTS, np.nan)),
    "objects": lambda: object_array(with_gaps(RAGGED, None)),
    "recordings": lambda: with_gaps(RAGGED, None),
    "dictionaries": lambda: with_gaps(DICTS, None),
    "Series": lambda: CONTAINERS["Series"](with_gaps(DOCUMENTS, np.nan)),
    "category": lambda: CONTAINERS["category"](with_gaps(DOCUMENTS, None)),
    "polars": lambda: CONTAINERS["polars"](with_gaps(DOCUMENTS, None)),
    "arrow": lambda: CONTAINERS["arrow"](with_gaps(DOCUMENTS, None)),
}


@pytest.mark.parametrize("name", GAPS)
def test_items_that_are_missing_are_counted(name):
    held = GAPS[name]()
    message = (
        r"^{} has no value for 2 of 5 records \(the first at position 2\); expected a "
        "text, an array, a list or a dictionary for each"
    )
    with pytest.raises(ValueError, match=message.format("X")):
        as_records(held, LABELS)
    with pytest.raises(ValueError, match=message.format("X_train")):
        as_features(held, "X_train")
    with pytest.raises(ValueError, match=message.format("features")):
        Records(held, LABELS)


def test_series_of_numbers_are_refused():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    days = pd.Series(pd.to_datetime(["2020-01-01"]))
    for X in (pd.Series([1.0]), pl.Series([1]), pl.Series([True]), pd.Index([1]), days):
        with pytest.raises(ValueError, match=r"must be a table .* got shape \(1,\)"):
            as_features(X)


def test_what_was_a_table_stays_one():
    for X in ([[1, 2], [3, 4]], [["a", "b"], ["c", "d"]], [np.arange(3), np.ones(3)]):
        assert type(as_records(X, [0, 1])) is np.ndarray
    assert sp.issparse(as_records(sp.eye_array(2, format="csr"), [0, 1]))
    with pytest.raises(ValueError, match="label_name='y' is a column, which a list of"):
        as_records(DOCUMENTS, LABELS, label_name="y")


# The class


def test_records_say_what_they_are_and_show_none():
    told = {
        "list of 5 documents": DOCUMENTS,
        "ndarray of 5 arrays of shape (8, 8)": IMAGES,
        "list of 5 sequences": RAGGED,
        "list of 5 arrays of shape (8, 8)": list(IMAGES),
        "list of 5 dictionaries": DICTS,
        "ndarray of 5 rows of a table": IMAGES[:, 0],
    }
    for text, features in told.items():
        assert repr(Records(features, LABELS)) == f"Records({text}, with labels)"
    assert repr(Records(DOCUMENTS)) == "Records(list of 5 documents, without labels)"


def test_records_of_a_table_keep_labels_beside_it():
    records = Records(IMAGES[:, 0], LABELS)
    assert records.shape == (5,)
    features, label = records[2]
    assert_array_equal(features, IMAGES[[2], 0])
    assert label == 1
    assert_array_equal(record_ids(records.features), record_ids(IMAGES[:, 0]))


def test_keys_of_records_are_checked():
    records = Records(DOCUMENTS, LABELS)
    assert [item for item, _ in records] == DOCUMENTS
    for key in (5, -6, [5], [True, False], ([0], "label"), ([0], 1)):
        with pytest.raises(IndexError):
            records[key]


def test_features_and_labels_must_be_as_many():
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[5, 4\]"):
        Records(DOCUMENTS, LABELS[:4])
    for wrong in (3, None, np.array(3)):
        with pytest.raises(TypeError, match=r"^features must be a list, a series or"):
            Records(wrong, [1])
    for wrong in ("text", {"a": 1}, iter("ab")):
        with pytest.raises(TypeError, match=r"^features is a .* Pass a list\.$"):
            Records(wrong, [1])


def test_a_memmap_and_a_pickle_are_the_same_records(tmp_path):
    records = Records(IMAGES.copy(), LABELS)
    joblib.dump(records, tmp_path / "r")
    for copied in (
        joblib.load(tmp_path / "r", mmap_mode="r"),
        pickle.loads(pickle.dumps(records)),
    ):
        ids = record_ids(copied.features, copied.labels)
        assert_array_equal(ids, record_ids(IMAGES, LABELS))


# Helpers


def test_both_sides_must_be_alike():
    with pytest.raises(TypeError, match="X_train is a list and X_test a tuple"):
        stack_tables(DOCUMENTS, tuple(DOCUMENTS))
    with pytest.raises(ValueError, match=r"shape \(8, 8\) and X_test of \(4, 8\)"):
        stack_tables(IMAGES, IMAGES[:, :4])


def test_categories_of_both_sides_are_united():
    pd = pytest.importorskip("pandas")
    first = pd.Series(["a", "b"], dtype="category", name="t")
    both = stack_tables(first, pd.Series(["c", "a"], dtype="category"))
    assert both.cat.categories.tolist() == ["a", "b", "c"]
    assert both.name == "t"
    assert row_names(first) == [0, 1]


def test_a_model_may_write_to_its_own_list():
    own = own_copy(DOCUMENTS)
    own.sort()
    assert DOCUMENTS[0] == "a cat"


def test_items_come_back_in_the_container_that_they_came_in():
    for values, dtype in (
        (np.array(["a", "b"]), "<U5"),
        (object_array(["a", 1]), object),
        (np.ones((2, 3), np.float32), np.float32),
    ):
        new = ["apple", "b"] if values.ndim == 1 else [[2, 3, 4]]
        again = items_like(values, new)
        assert again.dtype == dtype
        assert again.tolist() == new
    pa = pytest.importorskip("pyarrow")
    again = items_like(pa.array(["a"], pa.large_string()), ["b", "c"])
    assert again.equals(pa.array(["b", "c"], pa.large_string()))
    pl = pytest.importorskip("polars")
    again = items_like(pl.Series("t", ["a"]), ["b", "c"])
    assert again.equals(pl.Series("t", ["b", "c"]), check_names=True)


def test_items_have_lengths_and_numbers():
    assert_array_equal(lengths_of(DOCUMENTS), [5, 5, 0, 9, 7])
    assert_array_equal(lengths_of([*RAGGED[:2], None]), [4, 2, 0])
    assert_array_equal(lengths_of(IMAGES), [8] * 5)
    assert_array_equal(item_numbers(IMAGES), IMAGES.reshape(5, -1))
    few = item_numbers(IMAGES, most=10)
    assert few.shape == (5, 14)
    assert_array_equal(few[:, -1], IMAGES.max(axis=(1, 2)))
    table = item_numbers(RAGGED)
    assert_array_equal(table[:, 0], lengths_of(RAGGED))
    assert_array_equal(table[:, 1], [r.mean() for r in RAGGED])
    counts = item_numbers(DOCUMENTS)
    assert counts.shape == (5, 4097)
    assert_array_equal(counts[:, 1:].sum(axis=1), [1, 1, 0, 2, 2])
    for X in (TOKENS, DICTS):
        assert item_numbers(X, most=8).shape == (5, 9)
    assert not is_table(DOCUMENTS)
    assert kind_of([[["a"], ["b", "c"]]]) == "sequences"


def test_an_item_of_no_content_is_refused():
    with pytest.raises(TypeError, match=r"^X has an item of type object; expected"):
        check_items(["a", object()])
    with pytest.raises(TypeError, match="is of type set; expected text"):
        record_ids([["a"], {1}])
    with pytest.raises(TypeError, match="features is a Records; expected a table, or"):
        record_ids(Records(DOCUMENTS, LABELS))


def test_a_table_has_no_odd_items():
    assert oddities_of(np.ones((2, 3))) == ""
    assert oddities_of(["a", "b"]) == ""
    assert oddities_of([[1, 2], []]) == (
        "1 of 2 records are empty (the first at position 1)."
    )


def test_errors_quote_no_part_of_a_document():
    secret = ["the patient Smith has a cough", "Jones is well"]
    message = f"could not read {secret[1]} near 'Smith' in [1.5, 2] at 0.25"
    assert without_values(message, secret) == "could not read … near … in … at …"
    assert "Smith" not in cause_of(ValueError(f"bad {secret[0]!r}"), secret)


# Attacks


@pytest.fixture(scope="module")
def text_model():
    features, labels, recipe = of_kind("documents")
    return recipe.fit(features[:60], labels[:60])


def target_of(kind):
    features, labels, recipe = of_kind(kind)
    n = len(labels)
    recipe.fit(take(features, np.arange(n // 2)), labels[: n // 2])
    return recipe, as_records(features, labels), np.arange(n) < n // 2


@pytest.mark.parametrize("kind", KINDS)
def test_an_attack_depends_on_the_records_alone(kind):
    model, records, is_member = target_of(kind)
    before = pickle.dumps(records)
    attack = LiRA(model, n_shadows=4, random_state=0)
    assert attack.fit(records, is_member) is attack
    scores = attack.score_samples(records)
    order = np.random.default_rng(0).permutation(len(records))
    again = LiRA(model, n_shadows=4, random_state=0).fit(records[order])
    np.testing.assert_allclose(again.score_samples(records), scores, rtol=1e-6)
    assert_array_equal(attack.score_samples(records[order[:9]]), scores[order[:9]])
    assert attack.score_samples(records[[7]])[0] == scores[7]
    copied = pickle.loads(pickle.dumps(attack))
    assert_array_equal(copied.score_samples(records), scores)
    assert attack.in_pool(records).all()
    assert pickle.dumps(records) == before
    assert attack.label_column_ == "labels"
    assert not hasattr(attack, "n_features_in_")
    assert attack.score(records, is_member) > 0.55


@pytest.mark.parametrize(
    "attack",
    [
        RMIA(n_shadows=4, random_state=0),
        QuantileRegressionAttack(n_folds=2, random_state=0),
    ],
    ids=["RMIA", "QuantileRegressionAttack"],
)
def test_images_have_the_scores_of_the_table_of_their_cells(attack):
    images, labels, recipe = of_kind("images")
    scores = []
    for X in (images, images.reshape(len(images), -1)):
        model = clone(recipe).fit(X[:60], labels[:60])
        records = as_records(X, labels)
        scores.append(
            clone(attack).set_params(target_estimator=model).fit_score(records)
        )
    assert_array_equal(*scores)


@pytest.mark.parametrize(
    "attack",
    [
        RMIA(n_shadows=2, random_state=0),
        QuantileRegressionAttack(n_folds=2, random_state=0),
        QuantileRegressionAttack(
            estimator=LinearRegression(), n_folds=2, random_state=0
        ),
    ],
    ids=["RMIA", "QuantileRegressionAttack", "with an estimator"],
)
@pytest.mark.parametrize("container", [list, object_array])
def test_images_in_a_list_have_the_scores_of_an_array(attack, container):
    images, labels, _ = of_kind("images")
    model = make_pipeline(FunctionTransformer(_lit), LogisticRegression())
    model.fit(images[:60], labels[:60])
    attack = clone(attack).set_params(target_estimator=model)
    scores = attack.fit_score(as_records(images[:100], labels[:100]))
    in_array = attack.score_samples(as_records(images[100:], labels[100:]))
    held = container([images[i] for i in range(120)])
    later = as_records(held[100:], labels[100:])
    assert_array_equal(attack.score_samples(later), in_array)
    assert_array_equal(attack.fit_score(as_records(held[:100], labels[:100])), scores)
    assert_array_equal(attack.score_samples(later), in_array)
    # Later records of another shape change nothing of the others.
    assert attack.score_samples(Records([held[3]], labels[3:4]))[0] == scores[3]
    odd = [*held[100:], np.ones((9, 5)), np.zeros((0, 4)), np.ones((64,))]
    found = attack.score_samples(Records(container(odd), [*labels[100:], 1, 1, 3]))
    np.testing.assert_allclose(found[:20], in_array, rtol=1e-9)
    assert np.isfinite(found).all()


def _lit(values):
    return [[np.mean(v > 7) if v.size else 0.0, v.size] for v in values]


def test_a_shape_is_told_where_it_is_another():
    mixed = [*IMAGES[:2], IMAGES[2].reshape(4, 16), IMAGES[3].ravel()]
    ids = record_ids(mixed, LABELS[:4], item_shape=(8, 8))
    assert_array_equal(ids[:2], record_ids(IMAGES[:2], LABELS[:2]))
    assert_array_equal(ids[2:], record_ids(mixed[2:], LABELS[2:4]))
    assert not np.isin(ids[2:], record_ids(IMAGES, LABELS)).any()
    nested = IMAGES.tolist()
    assert_array_equal(record_ids(nested, item_shape=(8, 8)), record_ids(IMAGES))
    shapes = [IMAGES, list(IMAGES), object_array(list(IMAGES)), tuple(nested)]
    assert {one_shape(X) for X in shapes} == {(8, 8)}
    without = [mixed, RAGGED, DOCUMENTS, DICTS, TOKENS, [], IMAGES[0], IMAGES[0, 0]]
    assert {one_shape(X) for X in without} == {None}
    assert_array_equal(item_numbers(list(IMAGES), 10), item_numbers(IMAGES, 10))


def test_a_frame_or_a_list_is_what_the_target_gets():
    pd = pytest.importorskip("pandas")
    seen = []

    def lengths(texts):
        seen.append(type(texts))
        return texts.str.len().to_numpy()[:, None]

    texts = pd.Series([f"{'word ' * (n % 7)}{n}" for n in range(40)])
    y = np.arange(40) % 2
    model = make_pipeline(FunctionTransformer(lengths), LogisticRegression())
    model.fit(texts[:20], y[:20])
    attack = RMIA(model, n_shadows=2, random_state=0).fit(as_records(texts, y))
    attack.score_samples(as_records(texts[5:9], y[5:9]))
    assert set(seen) == {pd.Series}


def test_the_kind_of_records_is_fixed_when_an_attack_is_fitted(text_model):
    docs, labels, _ = of_kind("documents")
    records = as_records(docs, labels)
    attack = ThresholdAttack(text_model).fit(records)
    with pytest.raises(
        ValueError, match=r"fitted on Records \(documents\), but X is a"
    ):
        attack.score_samples(np.ones((3, 4)))
    with pytest.raises(ValueError, match="X has 0 records; at least 1 is required"):
        attack.score_samples(records[:0])
    X, y = np.random.default_rng(0).normal(size=(30, 3)), np.arange(30) % 2
    attack.set_params(target_estimator=LogisticRegression().fit(X, y))
    attack.fit(as_records(X, y))
    assert attack.n_features_in_ == 4
    with pytest.raises(ValueError, match=r"on a table, but X is Records \(documents\)"):
        attack.score_samples(records)
    # What a table has left is forgotten.
    attack.set_params(target_estimator=text_model).fit(records)
    assert not hasattr(attack, "n_features_in_")
    assert attack.score_samples(records).shape == (120,)


def test_labels_may_be_left_out(text_model):
    docs, labels, _ = of_kind("documents")
    attack = ThresholdAttack(text_model, label_column=None, signal="confidence")
    expected = attack.fit_score(Records(docs))
    assert_array_equal(attack.fit_score(Records(docs, labels)), expected)
    assert attack.label_column_ is None
    with pytest.raises(ValueError, match=r"^The Records hold no labels"):
        ThresholdAttack(text_model).fit(Records(docs))
    with pytest.raises(
        ValueError, match="label_column=3 is a column, but Records hold"
    ):
        ThresholdAttack(text_model, label_column=3).fit(Records(docs, labels))


def test_items_without_labels_are_told_what_to_do(text_model):
    for X, kind in ((DOCUMENTS, "list of documents"), (IMAGES, "ndarray of arrays of")):
        with pytest.raises(ValueError, match=f"X is a {kind}.* Pass as_records"):
            ThresholdAttack(text_model).fit(X)


def test_a_table_of_one_column_is_no_documents(text_model):
    pd = pytest.importorskip("pandas")
    docs, labels, _ = of_kind("documents")
    frame = pd.DataFrame({"note": docs})
    message = (
        "Pipeline.predict_proba gave 1 rows for 120 records; expected one each. If it "
        "takes a text a record, pass the column itself, X['note']."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        ThresholdAttack(text_model).fit(as_records(frame, labels))
    with pytest.raises(ValueError, match=r"pass the column itself, X\[:, 0\]\.$"):
        ThresholdAttack(text_model).fit(as_records(frame.to_numpy(object), labels))


def test_noise_is_for_tables(text_model):
    docs, labels, _ = of_kind("documents")
    with pytest.raises(TypeError, match=r"^LabelOnlyAttack changes single cells of a"):
        LabelOnlyAttack(text_model).fit(as_records(docs, labels))


def test_shadows_of_documents_are_found_in_a_cache(text_model, tmp_path):
    docs, labels, _ = of_kind("documents")
    given = {"n_shadows": 2, "memory": str(tmp_path), "random_state": 0}
    scores = [
        RMIA(text_model, **given).fit_score(as_records(X, labels))
        for X in (docs, docs, tuple(docs))
    ]
    assert_array_equal(scores[0], scores[1])
    assert_array_equal(scores[0], scores[2])


def test_a_tokenizer_that_fails_quotes_nothing():
    def fail(text):
        raise KeyError(text.split()[0])

    docs, labels, _ = of_kind("documents")
    model = make_pipeline(TfidfVectorizer(), LogisticRegression())
    model.fit(docs[:60], labels[:60])
    attack = RMIA(
        model,
        shadow_estimator=make_pipeline(
            TfidfVectorizer(preprocessor=fail), LogisticRegression()
        ),
        n_shadows=2,
        random_state=0,
    )
    with pytest.raises(ValueError, match=r"^Shadow 0 could not be trained") as caught:
        attack.fit(as_records(docs, labels))
    words = {word for text in docs for word in text.split() if len(word) > 7}
    assert not words & set(re.findall(r"\w+", str(caught.value)))


def test_a_service_of_documents_is_asked_in_batches(text_model):
    docs, labels, recipe = of_kind("documents")
    asked = []

    def ask(batch):
        asked.append(len(batch))
        return text_model.predict_proba(batch)

    service = BlackBoxClassifier(predict_proba=ask, classes=[0, 1], batch_size=50)
    given = {"shadow_estimator": recipe, "n_shadows": 2, "random_state": 0}
    records = as_records(docs, labels)
    scores = RMIA(service, **given).fit_score(records)
    assert asked == [50, 50, 20]
    expected = RMIA(text_model, **given, response_method="predict_proba").fit_score(
        records
    )
    np.testing.assert_allclose(scores, expected, rtol=1e-9)
