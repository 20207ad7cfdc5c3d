"""Records in any order, under any names, in any container: the same scores."""

from functools import cache

import numpy as np
import pytest
from helpers.properties import holds, seeds, st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse as sp
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia import (
    RMIA,
    DifficultyCalibrationAttack,
    LinearReconstructionAttack,
    LiRA,
    QuantileRegressionAttack,
    ThresholdAttack,
    as_records,
    audit_predictions,
)
from sklearn_mia.identity import record_ids

ATTACKS = {
    "threshold": lambda model: ThresholdAttack(model),
    "per class": lambda model: ThresholdAttack(model, per_class=True),
    "LiRA": lambda model: LiRA(model, n_shadows=4, random_state=0),
    "RMIA": lambda model: RMIA(model, n_shadows=4, random_state=0),
    "difficulty": lambda model: DifficultyCalibrationAttack(
        model, n_shadows=4, random_state=0
    ),
    "equations": lambda model: LinearReconstructionAttack(model),
}
names_of_attacks = st.sampled_from(list(ATTACKS))


@st.composite
def tables(draw):
    """Features with repeated rows, and labels."""
    rng = np.random.default_rng(draw(seeds))
    n, k = draw(st.integers(24, 48)), draw(st.integers(2, 3))
    X = rng.normal(size=(n, 3)).round(draw(st.sampled_from([0, 1, 6])))
    y = rng.permutation(np.arange(n) % k)
    return X, y


def model_of(X, y, name=""):
    half = slice(None, len(y) // 2)
    kind = GaussianNB() if name == "equations" else DecisionTreeClassifier(max_depth=3)
    if name != "equations":
        kind.set_params(random_state=0)
    return kind.fit(X[half], y[half])


@cache
def texts():
    from helpers.items import docstrings

    return docstrings()


@holds(18, table=tables(), name=names_of_attacks, seed=seeds)
def test_each_record_keeps_its_score_in_any_order(table, name, seed):
    X, y = table
    records = as_records(X, y)
    attack = ATTACKS[name](model_of(X, y, name)).fit(records)
    scores = attack.score_samples(records)
    order = np.random.default_rng(seed).permutation(len(y))
    assert_array_equal(attack.score_samples(records[order]), scores[order])
    some = order[: len(order) // 3]
    assert_array_equal(attack.score_samples(records[some]), scores[some])
    # Membership sets a threshold, and enters no score.
    is_member = np.arange(len(y)) < len(y) // 2
    again = ATTACKS[name](model_of(X, y, name)).fit(records, is_member)
    assert_array_equal(again.score_samples(records), scores)


@holds(
    12, table=tables(), name=st.sampled_from(["threshold", "per class", "equations"])
)
def test_an_attack_without_shadows_knows_no_order_of_the_pool(table, name):
    X, y = table
    model, order = model_of(X, y, name), np.random.default_rng(0).permutation(len(y))
    records = as_records(X, y)
    scores = ATTACKS[name](model).fit(records).score_samples(records)
    other = ATTACKS[name](model).fit(records[order]).score_samples(records)
    assert_allclose(other, scores, rtol=1e-9, atol=1e-9)


NAMES = st.sampled_from(
    [
        [10, 20, 30],
        [-1, 0, 1],
        ["a", "b", "c"],
        ["1", "10", "2"],
        ["ja", "nein", "vielleicht"],
        [0.0, 1.0, 2.0],
    ]
)


@holds(18, table=tables(), name=names_of_attacks, names=NAMES)
def test_the_names_of_the_labels_do_not_matter(table, name, names):
    X, y = table
    renamed = np.array(names)[y]
    plain = ATTACKS[name](model_of(X, y, name)).fit(as_records(X, y))
    other = ATTACKS[name](model_of(X, renamed, name)).fit(as_records(X, renamed))
    assert_array_equal(
        other.score_samples(as_records(X, renamed)),
        plain.score_samples(as_records(X, y)),
    )


def containers_of_tables(X):
    """The same table, in whatever a record may be given."""
    yield "Fortran order", np.asfortranarray(X)
    yield "a view", np.repeat(X, 2, axis=0)[::2]
    yield "whole numbers", X.astype(int)
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=["a", "b", "c"])
    yield "pandas", frame
    yield "pandas, other index", frame.set_axis(np.arange(len(X))[::-1] // 2)
    yield "sparse", sp.csr_array(X)
    yield "sparse, other order", sp.csc_array(X)
    pl = pytest.importorskip("polars")
    yield "polars", pl.DataFrame(X, schema=["a", "b", "c"])


@holds(6, table=tables(), name=st.sampled_from(["threshold", "LiRA", "RMIA"]))
def test_the_container_of_a_table_does_not_matter(table, name):
    X, y = table
    X = X.round(0) + 0.0
    expected = ATTACKS[name](model_of(X, y)).fit(as_records(X, y))
    expected = expected.score_samples(as_records(X, y))
    ids = record_ids(X, y)
    half = len(y) // 2
    for what, held in containers_of_tables(X):
        assert_array_equal(record_ids(held, y), ids, err_msg=what)
        model = DecisionTreeClassifier(max_depth=3, random_state=0)
        model.fit(held[:half], y[:half])
        records = as_records(held, y)
        scores = ATTACKS[name](model).fit(records).score_samples(records)
        assert_array_equal(scores, expected, err_msg=what)


@holds(4, seed=seeds, n=st.integers(30, 60))
def test_the_container_of_documents_does_not_matter(seed, n):
    documents, labels = texts()
    rows = np.random.default_rng(seed).permutation(len(documents))[:n]
    given, y = [documents[i] for i in rows], labels[rows]
    y[:4] = [0, 1, 0, 1]
    model = make_pipeline(CountVectorizer(), LogisticRegression(max_iter=50))
    found = {}
    held = {
        "list": given,
        "tuple": tuple(given),
        "array": np.array(given, dtype=object),
    }
    pd = pytest.importorskip("pandas")
    held["Series"] = pd.Series(given)
    for what, X in held.items():
        model.fit(X[: n // 2], y[: n // 2])
        records = as_records(X, y)
        attack = LiRA(model, n_shadows=2, random_state=0).fit(records)
        found[what] = attack.score_samples(records)
    for what, scores in found.items():
        assert_array_equal(scores, found["list"], err_msg=what)


def _flat(images):
    return np.asarray(images).reshape(len(images), -1)


@holds(6, seed=seeds, n=st.integers(24, 48))
def test_the_container_of_images_does_not_matter(seed, n):
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 255, (n, 4, 4)).astype(np.uint8)
    y = rng.permutation(np.arange(n) % 2)
    model = make_pipeline(FunctionTransformer(_flat), GaussianNB())
    found = {}
    for what, X in {"array": images, "list": list(images)}.items():
        model.fit(X[: n // 2], y[: n // 2])
        records = as_records(X, y)
        attack = RMIA(model, n_shadows=2, random_state=0).fit(records)
        found[what] = attack.score_samples(records)
    assert_array_equal(found["list"], found["array"])


@holds(25, table=tables(), seed=seeds)
def test_records_are_the_same_if_and_only_if_their_cells_are(table, seed):
    X, y = table
    ids = record_ids(X, y)
    order = np.random.default_rng(seed).permutation(len(y))
    assert_array_equal(record_ids(X[order], y[order]), ids[order])
    cells = np.column_stack([X + 0.0, y])
    _, same = np.unique(cells, axis=0, return_inverse=True)
    _, told = np.unique(ids, return_inverse=True)
    pairs = np.equal.outer(same.ravel(), same.ravel())
    assert_array_equal(np.equal.outer(told, told), pairs)


@holds(5, table=tables(), seed=seeds)
def test_an_audit_of_predictions_knows_no_order_and_no_names(table, seed):
    X, y = table
    proba = GaussianNB().fit(X[::2], y[::2]).predict_proba(X)
    is_member = np.arange(len(y)) % 2 == 0
    given = {"slices": (), "n_permutations": 99, "random_state": 0}

    def aucs(proba, y, is_member, **more):
        report = audit_predictions(proba, y, is_member, **given, **more)
        return {a["name"]: a["auc"] for a in report.attacks}

    expected = aucs(proba, y, is_member)
    order = np.random.default_rng(seed).permutation(len(y))
    assert aucs(proba[order], y[order], is_member[order]) == expected
    names = np.array(["a", "b", "c"])
    found = aucs(proba, names[y], is_member, classes=names[: proba.shape[1]])
    assert found == expected


@holds(8, table=tables(), name=st.sampled_from(["threshold", "LiRA", "quantile"]))
def test_no_record_is_left_without_a_finite_score(table, name):
    X, y = table
    made = ATTACKS | {"quantile": lambda m: QuantileRegressionAttack(m, random_state=0)}
    X[: len(y) // 2] *= 1e6
    attack = made[name](model_of(X, y)).fit(as_records(X, y))
    assert np.isfinite(attack.score_samples(as_records(X, y))).all()
