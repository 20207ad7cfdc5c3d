"""Audits of models of documents, images and recordings."""

import numpy as np
import pytest
from helpers.items import docstrings, of_kind
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.feature_extraction import DictVectorizer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_mia import (
    AuditableClassifier,
    BaggingAttack,
    Records,
    ThresholdAttack,
    as_records,
    audit,
    audit_recipe,
    cross_validate_leakage,
    leave_one_out_risk,
    make_leakage_scorer,
    structural_risk,
)
from sklearn_mia.auditing._blind import blind_auc, blind_table
from sklearn_mia.equations import linear_equations
from sklearn_mia.tables import take

QUICK = {"n_permutations": 99, "random_state": 0, "min_slice_size": 10}


def halves(features, labels):
    n = len(labels) // 2
    train, test = (take(features, rows) for rows in (slice(0, n), slice(n, None)))
    return train, labels[:n], test, labels[n:]


def model_and_sides(kind):
    features, labels, recipe = of_kind(kind)
    sides = halves(features, labels)
    return clone(recipe).fit(*sides[:2]), sides


def test_documents_have_the_numbers_of_their_counts():
    docs, labels, _ = of_kind("documents")
    sides = halves(docs, labels)
    model = make_pipeline(CountVectorizer(), MultinomialNB()).fit(*sides[:2])
    tables = halves(model[0].transform(docs), labels)
    given = {"attacks": [ThresholdAttack(signal="loss")], "slices": ("class", "loss")}
    by_text = audit(model, *sides, **QUICK, **given)
    by_count = audit(model[-1], *tables, **QUICK, **given)
    told, expected = by_text._content, by_count._content
    (attack,), (other,) = told["attacks"], expected["attacks"]
    assert attack["auc"]["estimate"] == other["auc"]["estimate"]
    for rate, of_count in zip(attack["tpr_at_fpr"], other["tpr_at_fpr"], strict=True):
        assert rate["n_found"] == of_count["n_found"]
    keys = ("slice", "value", "n_members", "n_nonmembers")
    for row, other in zip(told["slices"], expected["slices"], strict=True):
        assert [row[k] for k in keys] == [other[k] for k in keys]
    scores = [report.records["score_ThresholdAttack"] for report in (by_text, by_count)]
    assert_array_equal(*scores)


def test_images_have_the_audit_of_the_table_of_their_cells():
    images, labels, recipe = of_kind("images")
    reports = []
    for X in (images, images.reshape(len(images), -1)):
        sides = halves(X, labels)
        model = clone(recipe).fit(*sides[:2])
        reports.append(
            audit(model, *sides, n_shadows=2, slices=("class", "loss"), **QUICK)
        )
    text = " ".join(str(reports[0]).split())
    assert "60 members and 60 non-members, all arrays of shape (8, 8), class" in text
    told, expected = (dict(report._content) for report in reports)
    assert told["data"]["kind"] == "arrays of shape (8, 8)"
    assert expected["data"]["kind"] is None
    for content in (told, expected):
        del content["created"], content["provenance"], content["nouns"]
        content["data"] = {
            k: v for k, v in content["data"].items() if k not in ("kind", "n_features")
        }
    assert told == expected


def test_images_in_a_list_have_the_audit_of_an_array():
    images, labels, recipe = of_kind("images")
    sides = halves(images, labels)
    model = clone(recipe).fit(*sides[:2])
    told = []
    for held in (np.array, list):
        given = [held(s) if s.ndim == 3 else s for s in sides]
        report = audit(model, *given, n_shadows=2, slices=("class",), **QUICK)
        content = dict(report._content)
        del content["created"], content["provenance"]
        told.append((content, report.records.to_dict()))
    assert told[0] == told[1]


def test_an_audit_of_documents_shows_none_of_them():
    model, sides = model_and_sides("documents")
    report = audit(model, *sides, n_shadows=2, **QUICK)
    text = str(report)
    assert "60 members and 60 non-members, all documents, class label 'y'" in text
    assert "tfidfvectorizer: term frequency" in text
    assert {row["slice"] for row in report.slices} == {"class", "loss", "length"}
    written = report.to_html() + str(report._content)
    for doc in (*sides[0], *sides[2]):
        assert doc[:25] not in written
    names = [row["name"] for row in report._content["attacks"]]
    assert set(names) == {
        "ThresholdAttack",
        "RMIA",
        "LiRA",
        "LinearReconstructionAttack",
    }


def test_a_recording_is_audited_by_person():
    model, sides = model_and_sides("recordings")
    persons = [f"p{i // 2}" for i in range(120)]
    report = audit(
        model,
        *sides,
        groups_train=persons[:60],
        groups_test=persons[60:],
        attacks="ThresholdAttack",
        **QUICK,
    )
    text = " ".join(str(report).split())
    assert "30 groups not in the data (60 records), whose records are sequences" in text
    assert report.verdict["level"]


def test_lengths_are_told_by_fifths_never_one_by_one():
    model, (docs, y, *others) = model_and_sides("documents")
    short = ["a", *docs[1:]]
    report = audit(
        model, short, y, *others, attacks="ThresholdAttack", slices=("length",), **QUICK
    )
    told = [row["value"] for row in report.slices]
    assert all("below" in value or "or more" in value for value in told)


@pytest.mark.parametrize(
    ("slices", "message"),
    [
        (
            ("rarity",),
            "slices holds 'rarity', which is not there for sparse",
        ),
        (("word",), "slices holds 'word', but the records have no columns; expected"),
        ((3,), "slices holds 3, but the records have no columns"),
    ],
)
def test_slices_that_documents_do_not_have(slices, message):
    model, sides = model_and_sides("documents")
    with pytest.raises(ValueError, match=message):
        audit(model, *sides, slices=slices)


def test_what_is_wrong_is_said_at_once():
    pd = pytest.importorskip("pandas")
    model, (docs, y, others, z) = model_and_sides("documents")
    with pytest.raises(ValueError, match="the order of train_test_split"):
        audit(model, docs, others, y, z)
    with pytest.raises(TypeError, match="X_train is a list and X_test a Series; pass"):
        audit(model, docs, y, pd.Series(others), z)
    with pytest.raises(ValueError, match=r"Pipeline.predict gave 1 rows for 120 .*'t'"):
        audit(model, pd.DataFrame({"t": docs}), y, pd.DataFrame({"t": others}), z)
    with pytest.raises(ValueError, match="y_test has 59 labels for 60 records"):
        audit(model, docs, y, others, z[1:])
    with pytest.raises(TypeError, match="LabelOnlyAttack changes single cells of a"):
        audit(model, docs, y, others, z, attacks=["RMIA", "LabelOnlyAttack"])
    with pytest.raises(TypeError, match="X_train has an item of type object"):
        audit(model, [*docs[1:], object()], y, others, z)


def test_records_that_a_model_did_not_expect_are_named():
    model, (images, y, others, z) = model_and_sides("images")
    odd = [*images[:3], images[3, 1:], *images[4:]]
    message = (
        r"^Pipeline.predict failed: ValueError: .* inhomogeneous part\. The records "
        r"have different shapes: 119 of 120 have \(8, 8\), the first other one at "
        r"position 3: \(7, 8\)\.$"
    )
    with pytest.raises(ValueError, match=message):
        audit(model, odd, y, list(others), z)
    sounds = [np.arange(n % 3 + 1.0) for n in range(120)]
    recipe = make_pipeline(FunctionTransformer(_minima), LogisticRegression())
    model = recipe.fit(sounds[:60], y)
    sounds[70] = sounds[80] = np.array([])
    message = (
        r"no identity\. 2 of 120 records are empty \(the first at position 70\)\.$"
    )
    with pytest.raises(ValueError, match=message):
        audit(model, sounds[:60], y, sounds[60:], z)


def test_text_of_pyarrow_is_told_to_be_made_a_list():
    pa = pytest.importorskip("pyarrow")
    model, (docs, y, others, z) = model_and_sides("documents")
    message = (
        r"'lower'\. The records are a StringArray of pyarrow; if the model takes a "
        r"list, pass X\.to_pylist\(\)\.$"
    )
    with pytest.raises(ValueError, match=message):
        audit(model, pa.array(docs), y, pa.array(others), z)


def _minima(values):
    return [[v.min()] for v in values]


def test_sides_that_differ_in_words_or_shape_are_noticed():
    docs, labels = docstrings()
    codes = np.zeros(120, dtype=int)
    is_scipy = labels == 1
    found = blind_auc(blind_table(docs, codes), is_scipy, np.arange(120))
    assert found["low"] > 0.7
    pieces = of_kind("recordings")[0]
    longer = np.array([len(p) for p in pieces]) > 65
    found = blind_auc(blind_table(pieces, codes), longer, np.arange(120))
    assert found["low"] > 0.7
    alike = np.random.default_rng(0).permutation(120) < 60
    found = blind_auc(blind_table(pieces, codes), alike, np.arange(120))
    assert found["low"] < 0.5 < found["high"]


# What the file of a model of documents holds


def vocabulary_rows(model, X, m):
    system = linear_equations(model.fit(take(X, np.flatnonzero(m))), X)
    kinds = {line.kind for line in system.table()}
    return system.toarray(), system.b, kinds


@pytest.mark.parametrize("vectorizer", [CountVectorizer(), TfidfVectorizer()])
def test_an_unknown_word_is_of_no_member_and_a_rare_one_of_a_member(vectorizer):
    texts = ["a cat", "cat sat", "the dog", "dog sat", "cat dog", "sea"]
    m = np.array([1, 1, 1, 1, 0, 0], dtype=bool)
    rows, b, kinds = vocabulary_rows(vectorizer, texts, m)
    assert "term" in kinds
    np.testing.assert_allclose(rows @ m, b, atol=1e-9)
    # "the" is told by one record of the pool, and "sea" is not known.
    single = {int(np.flatnonzero(row)[0]) for row in rows if np.sum(row != 0) == 1}
    assert {2, 5} <= single


@pytest.mark.parametrize(
    "changes",
    [
        {"min_df": 2},
        {"min_df": 0.0},
        {"max_df": 5},
        {"max_df": 0.9},
        {"max_features": 2},
        {"vocabulary": ["cat", "dog"]},
    ],
)
def test_a_vocabulary_that_was_cut_tells_nothing_of_single_records(changes):
    texts = np.array(
        ["a cat", "cat sat dog", "the dog cat", "dog sat", "cat dog", "sea"]
    )
    with pytest.raises(ValueError, match=r"^No linear equation is known for CountVec"):
        linear_equations(CountVectorizer(**changes).fit(texts[:4]), texts)


def test_an_unknown_pair_of_a_dictionary_is_of_no_member():
    dicts = [{"w": "a", "n": 1}, {"w": "b"}, {"w": ["a", "c"]}, {"w": "d"}, {"k": 2}]
    m = np.array([1, 1, 1, 0, 0], dtype=bool)
    rows, b, _ = vocabulary_rows(DictVectorizer(), dicts, m)
    np.testing.assert_allclose(rows @ m, b)
    assert_array_equal(np.flatnonzero(rows.any(axis=0)), np.arange(5))


# Beside the audit


def test_a_forest_of_documents_is_attacked_by_its_bags():
    docs, labels, _ = of_kind("documents")
    sides = halves(docs, labels)
    forest = RandomForestClassifier(20, random_state=0)
    model = make_pipeline(CountVectorizer(), forest).fit(*sides[:2])
    records, is_member = as_records(docs, labels), np.arange(120) < 60
    attack = BaggingAttack(model, n_trees=100, random_state=0).fit(records)
    assert attack.score(records, is_member) > 0.75


def test_risk_of_documents_is_that_of_their_counts():
    docs, y, *_ = halves(*docstrings())
    model = make_pipeline(CountVectorizer(), MultinomialNB()).fit(docs, y)
    told = leave_one_out_risk(model, docs, y)
    expected = leave_one_out_risk(model[-1], model[0].transform(docs), y)
    assert_array_equal(told.risk, expected.risk)
    forest = RandomForestClassifier(5, random_state=0)
    model = make_pipeline(CountVectorizer(), forest).fit(docs, y)
    told = structural_risk(model, docs, y)
    assert (
        told.findings
        == structural_risk(model[-1], model[0].transform(docs), y).findings
    )


RECIPE = make_pipeline(CountVectorizer(), LogisticRegression())


def test_leakage_of_folds_of_images_is_that_of_the_table_of_their_cells():
    images, labels, recipe = of_kind("images")
    found = [
        cross_validate_leakage(recipe, X, labels, cv=2, fprs=[0.2])["leakage_roc_auc"]
        for X in (images, images.reshape(120, -1))
    ]
    assert_array_equal(*found)
    assert found[0].mean() > 0.6


def test_a_search_scores_leakage_of_documents():
    docs, labels, _ = of_kind("documents")
    search = GridSearchCV(
        AuditableClassifier(RECIPE),
        {"estimator__logisticregression__C": [0.0001, 10]},
        scoring={
            "accuracy": "accuracy",
            "leakage": make_leakage_scorer(ThresholdAttack(signal="loss")),
        },
        refit="leakage",
        cv=2,
    ).fit(docs, labels)
    assert search.best_params_ == {"estimator__logisticregression__C": 0.0001}
    best = search.best_estimator_
    assert best.was_trained_on([*docs[:2], "new"], [*labels[:2], 0]).tolist() == [
        True,
        True,
        False,
    ]
    records, is_member = (
        AuditableClassifier(RECIPE)
        .fit(docs[:60], labels[:60])
        .membership_records(docs[60:], labels[60:])
    )
    assert isinstance(records, Records)
    assert records.features == docs
    assert_array_equal(is_member, np.arange(120) < 60)
    with pytest.raises(ValueError, match="group_column='a' needs a table"):
        make_leakage_scorer(group_column="a")(best, docs[60:], labels[60:])


def test_a_recipe_of_documents_is_audited():
    docs, labels, _ = of_kind("documents")
    report = audit_recipe(
        RECIPE,
        docs,
        labels,
        n_targets=2,
        attacks=ThresholdAttack(signal="loss"),
        random_state=0,
    )
    assert report.rows[0]["mean"] > 0.55


@pytest.mark.parametrize(
    ("kind", "many"), [("documents", "documents"), ("images", "records")]
)
def test_who_is_accused_wrongly_are_the_items(kind, many):
    model, sides = model_and_sides(kind)
    report = audit(model, *sides, attacks="ThresholdAttack", **QUICK)
    nouns = report.to_dict()["report"]["nouns"]
    assert nouns["people"] == f"{many} that were not in the data"
    assert nouns["many"] == many
    assert "people" not in str(report)
    assert "who was" not in str(report)
