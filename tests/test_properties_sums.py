"""Signals, persons and stored statistics: sums, as they are added up by hand."""

import math
import warnings
from fractions import Fraction

import numpy as np
import pytest
from helpers.properties import holds, probabilities, scored, seeds, st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge
from sklearn.naive_bayes import BernoulliNB, GaussianNB, MultinomialNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    StandardScaler,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from sklearn_mia.equations import linear_equations, solve
from sklearn_mia.groups import (
    centred_scores,
    group_members,
    group_scores,
    rates_by_size,
    thresholds_by_size,
)
from sklearn_mia.signals import SIGNALS, as_signal, true_log_proba

# Signals

BY_HAND = {
    "logit": lambda p, y: math.log(p[y]) - math.log(sum(np.delete(p, y))),
    "loss": lambda p, y: math.log(p[y]),
    "confidence": lambda p, y: p[y],
    "margin": lambda p, y: p[y] - max(np.delete(p, y)),
    "entropy": lambda p, y: sum(v * math.log(v) for v in p),
    "modified_entropy": lambda p, y: (
        sum(np.delete(p, y)) * math.log(p[y])
        + sum(v * math.log(sum(np.delete(p, j))) for j, v in enumerate(p) if j != y)
    ),
    "correctness": lambda p, y: float(np.argmax(p) == y),
    "max_confidence": lambda p, y: max(p),
    "spread": lambda p, y: math.sqrt(np.mean((p - np.mean(p)) ** 2)),
}


def test_every_signal_is_computed_by_hand():
    assert BY_HAND.keys() == SIGNALS.keys()
    # By its name it is the function itself; one of a user is wrapped once.
    assert all(as_signal(name) is signal for name, signal in SIGNALS.items())
    own = as_signal(lambda log_proba, labels: log_proba[:, 0])
    assert as_signal(own) is own


@holds(60, data=probabilities())
def test_signals_are_their_formulas(data):
    proba, labels = data
    for name, signal in SIGNALS.items():
        expected = [BY_HAND[name](p, y) for p, y in zip(proba, labels, strict=True)]
        assert_allclose(
            signal(np.log(proba), labels), expected, rtol=1e-7, atol=1e-12, err_msg=name
        )


@holds(40, data=probabilities(), seed=seeds)
def test_the_order_and_the_names_of_the_classes_do_not_matter(data, seed):
    proba, labels = data
    rng = np.random.default_rng(seed)
    order = rng.permutation(proba.shape[1])
    rows = rng.permutation(len(proba))
    place = np.argsort(order)
    is_tied = (np.diff(np.sort(proba))[:, -1] == 0).any()
    for name, signal in SIGNALS.items():
        if name == "correctness" and is_tied:  # the first of the tied is predicted
            continue
        expected = signal(np.log(proba), labels)
        found = signal(np.log(proba[rows][:, order]), place[labels[rows]])
        assert_allclose(found, expected[rows], rtol=1e-9, atol=1e-12, err_msg=name)


def test_a_certain_answer_is_worth_the_most_or_the_least():
    with np.errstate(divide="ignore"):
        certain = np.log(np.array([[1.0, 0.0, 0.0], [1.0, 0.0, 0.0]]))
    labels = np.array([0, 1])
    expected = {
        **{"logit": [np.inf, -np.inf], "loss": [0, -np.inf], "margin": [1, -1]},
        **{"modified_entropy": [0, -np.inf], "confidence": [1, 0], "entropy": [0, 0]},
    }
    for name, values in expected.items():
        found = SIGNALS[name](certain, labels)
        assert_array_equal(found, values, err_msg=name)


@holds(30, data=probabilities(most_classes=4))
def test_a_class_of_no_probability_changes_nothing(data):
    proba, labels = data
    with np.errstate(divide="ignore"):
        wider = np.log(np.column_stack([proba, np.zeros(len(proba))]))
    for name in SIGNALS.keys() - {"spread"}:
        expected = SIGNALS[name](np.log(proba), labels)
        found = SIGNALS[name](wider, labels)
        assert_allclose(found, expected, rtol=1e-9, atol=1e-12, err_msg=name)


@holds(40, data=probabilities(most_classes=2))
def test_of_two_classes_all_signals_of_the_label_rank_alike(data):
    proba, labels = data
    of_label = ("logit", "loss", "confidence", "margin", "modified_entropy")
    sure = np.argsort(SIGNALS["logit"](np.log(proba), labels), kind="stable")
    for name in of_label:
        values = SIGNALS[name](np.log(proba), labels)[sure]
        assert (np.diff(values) >= -1e-9).all(), name
    for name in ("loss", "logit", "confidence"):
        values = SIGNALS[name](np.log(proba), labels)
        told = true_log_proba(SIGNALS[name], values)
        assert_allclose(told, np.log(proba)[np.arange(len(labels)), labels], rtol=1e-6)


# Persons

scores_and_keys = st.lists(
    st.tuples(st.floats(-1e6, 1e6), st.integers(0, 5)), min_size=1, max_size=20
)


@holds(60, data=scores_and_keys, seed=seeds)
def test_the_score_of_a_person_is_the_sum_rounded_once(data, seed):
    scores, keys = map(np.array, zip(*data, strict=True))
    found, sums = group_scores(scores, keys)
    assert found.tolist() == sorted(set(keys.tolist()))
    for key, value in zip(found, sums, strict=True):
        exact = sum(Fraction(s) for s, k in data if k == key)
        assert value == float(exact)
    order = np.random.default_rng(seed).permutation(len(keys))
    assert_array_equal(group_scores(scores[order], keys[order])[1], sums)
    names = np.array(["f", "e", "d", "c", "b", "a"])
    renamed, again = group_scores(scores, names[keys])
    assert dict(zip(renamed, again, strict=True)) == {
        names[k]: v for k, v in zip(found, sums, strict=True)
    }


@holds(40, data=scored(), seed=seeds)
def test_a_person_is_a_member_with_any_record(data, seed):
    is_member, _ = data
    keys = np.random.default_rng(seed).integers(0, 6, len(is_member))
    found, members, mixed, n_records = group_members(is_member, keys)
    for key, member, both, n in zip(found, members, mixed, n_records, strict=True):
        own = is_member[keys == key]
        assert (member, both, n) == (own.any(), 0 < own.sum() < len(own), len(own))
    assert n_records.sum() == len(keys)


@holds(
    40,
    data=st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=15),
    level=st.floats(-1e6, 1e6),
)
def test_centred_scores_add_up_to_nothing_at_any_level(data, level):
    scores = np.array(data)
    centred = centred_scores(scores)
    most = np.abs(scores).max() + 1
    assert abs(math.fsum(centred)) <= 1e-13 * most * len(scores)
    assert_allclose(
        centred_scores(scores + level), centred, atol=1e-9 * (most + abs(level))
    )


@holds(40, data=scored(fewest=2, most=25), seed=seeds)
def test_thresholds_by_size_accuse_few_of_any_size(data, seed):
    is_member, scores = data
    sizes = np.random.default_rng(seed).integers(1, 9, len(scores))
    reference = ~is_member
    if reference.sum() < 4:
        return
    found = thresholds_by_size(scores[reference], sizes[reference], max_fpr=0.25)
    rows = rates_by_size(scores, is_member, sizes, found.of(sizes))
    bins = dict(zip(found.sizes, ((1, 1), (2, 2), (3, 5), (6, 99)), strict=True))
    for row in rows:
        low, high = bins[row.size]
        inside = (sizes >= low) & (sizes <= high)
        assert (row.n_members, row.n_nonmembers) == (
            np.count_nonzero(inside & is_member),
            np.count_nonzero(inside & ~is_member),
        )
        if row.fpr is not None:
            assert row.fpr.estimate <= 0.25
    for own, threshold in zip(found.resolved, found.thresholds, strict=True):
        assert own or threshold >= threshold_of(found)


def threshold_of(found):
    """The highest of those that rest on their own groups."""
    own = (t for t, r in zip(found.thresholds, found.resolved, strict=True) if r)
    return max(own, default=-math.inf)


# Stored statistics

MODELS = {
    "scaler": StandardScaler(),
    "range": MinMaxScaler(),
    "largest": MaxAbsScaler(),
    "normal": GaussianNB(),
    "discriminants": LinearDiscriminantAnalysis(),
    "tree": DecisionTreeClassifier(random_state=0),
    "bushes": DecisionTreeClassifier(min_samples_leaf=4, random_state=0),
    "extra trees": ExtraTreesClassifier(3, max_depth=4, random_state=0),
    "boosting": GradientBoostingClassifier(n_estimators=3, max_depth=2, random_state=0),
    "pipeline": make_pipeline(StandardScaler(), GaussianNB()),
    "logistic": make_pipeline(StandardScaler(), LogisticRegression(tol=1e-10)),
    "line": LinearRegression(),
    "ridge": Ridge(2.0),
    "values": DecisionTreeRegressor(min_samples_leaf=2, random_state=0),
}
COUNTS = {"counts": MultinomialNB(), "bits": BernoulliNB(), "words": OneHotEncoder()}


@st.composite
def pools(draw, counts=False):
    """A small pool, its labels and values, and who is a member; each class is there."""
    n, d = draw(st.integers(20, 60)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(seeds))
    k = draw(st.integers(2, 3))
    X = rng.integers(0, 4, (n, d)) * 1.0 if counts else rng.normal(size=(n, d))
    if not counts:
        X = X.round(draw(st.sampled_from([1, 3, 12]))) * draw(
            st.sampled_from([1e-3, 1.0, 1e4])
        )
    y = rng.permutation(np.arange(n) % k)
    is_member = rng.random(n) < draw(st.floats(0.3, 0.8))
    for label in range(k):
        is_member[np.flatnonzero(y == label)[:3]] = True
    return X, y, X.sum(axis=1) + rng.normal(size=n), is_member


def off_of(model, X, y, is_member):
    """How far the equations are from holding, in deviations; None without any."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X[is_member], y[is_member])
        system = linear_equations(model, X, y)
    m = is_member.astype(float)
    known = np.isfinite(system.scale)
    noise = system.noise(m)[known]
    off = np.abs(system.dot(m) - system.b)[known]
    return off / np.where(noise > 0, noise, 1e-9), system


@pytest.mark.parametrize("name", MODELS)
def test_each_model_is_told_what_it_is_tried_on(name):
    """The other tests take their turn through all of them."""
    X, y, values, is_member = _pool(0)
    target = values if _is_regressor(MODELS[name]) else y
    off, _ = off_of(MODELS[name], X, target, is_member)
    assert len(off)
    assert off.max() < 5


def _is_regressor(model):
    return type(model).__name__ in (
        "LinearRegression",
        "Ridge",
        "DecisionTreeRegressor",
    )


def _pool(seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(50, 3))
    y = (X[:, 0] + rng.normal(size=50) > 0).astype(int)
    return X, y, X.sum(axis=1) + rng.normal(size=50), np.arange(50) < 25


@holds(60, pool=pools(), name=st.sampled_from(list(MODELS)))
def test_what_is_stored_holds_at_the_true_membership(pool, name):
    X, y, values, is_member = pool
    target = values if _is_regressor(MODELS[name]) else y
    off, _ = off_of(MODELS[name], X, target, is_member)
    # Roundings of independent numbers: beyond 8 deviations in fewer than 1 of 10^14.
    assert off.size == 0 or off.max() < 8


@holds(30, pool=pools(counts=True), name=st.sampled_from(list(COUNTS)))
def test_what_is_counted_holds_at_the_true_membership(pool, name):
    X, y, _, is_member = pool
    off, _ = off_of(COUNTS[name], X, y, is_member)
    assert off.size == 0 or off.max() < 8


@holds(15, pool=pools(), name=st.sampled_from(["normal", "tree", "scaler", "ridge"]))
def test_the_order_of_the_pool_does_not_matter(pool, name):
    X, y, values, is_member = pool
    target = values if _is_regressor(MODELS[name]) else y
    _, system = off_of(MODELS[name], X, target, is_member)
    order = np.random.default_rng(0).permutation(len(X))
    again = linear_equations(MODELS[name], X[order], target[order])
    assert_allclose(again.b, system.b)
    assert_allclose(again.toarray(), system.toarray()[:, order], atol=1e-9)


@holds(10, seed=seeds, n=st.integers(8, 14))
def test_the_solution_finds_who_was_there_where_only_one_set_fits(seed, n):
    """Of all sets of records of few, by brute force, those that fit the equations."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(size=(n, 4)), np.arange(n) % 2
    is_member = rng.permutation(n) < n // 2
    is_member[np.flatnonzero(y == 0)[:2]] = is_member[np.flatnonzero(y == 1)[:2]] = True
    system = linear_equations(GaussianNB().fit(X[is_member], y[is_member]), X, y)
    A, noise = system.toarray(), system.noise(is_member * 1.0)
    sets = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    off = np.abs(sets @ A.T - system.b) / np.where(noise > 0, noise, 1e-9)
    fitting = sets[(off < 8).all(axis=1)].astype(bool)
    assert any(np.array_equal(s, is_member) for s in fitting)
    if len(fitting) == 1 and np.linalg.matrix_rank(A) == n:
        found = solve(system).score
        assert found[is_member].min() > found[~is_member].max(initial=-np.inf)
