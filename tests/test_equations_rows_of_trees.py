"""Rows of trees and forests with their noise, by hand in NumPy."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers.equations import assert_rows, drawn_pool, leaves_of
from numpy.testing import assert_allclose
from sklearn.ensemble import (
    BaggingClassifier,
    ExtraTreesClassifier,
    RandomForestClassifier,
)
from sklearn.tree import DecisionTreeClassifier

from sklearn_mia.equations._trees import (
    _count_equations,
    equations_of_a_forest,
    equations_of_a_tree,
    equations_of_bagged_trees,
)

N = 120


def test_rows_of_trees_that_see_each_record_once():
    X, y, m = drawn_pool(3)
    weights = {0: 2.0, 1: 0.5}
    for read, model in (
        (equations_of_a_tree, DecisionTreeClassifier(max_depth=3)),
        (equations_of_a_tree, DecisionTreeClassifier(class_weight=weights)),
        (equations_of_a_forest, ExtraTreesClassifier(1, max_depth=4)),
        (equations_of_a_forest, ExtraTreesClassifier(3, class_weight=weights)),
        (
            equations_of_bagged_trees,
            BaggingClassifier(
                DecisionTreeClassifier(max_depth=3),
                3,
                bootstrap=False,
                max_samples=0.5,
                random_state=0,
            ),
        ),
    ):
        model.set_params(random_state=0).fit(X[m], y[m])
        (rows,) = read(model, X, y)
        A, b = [], []
        for tree in getattr(model, "estimators_", [model]):
            nodes, inside = leaves_of(tree, X)
            A += [own & (y == c) for own in inside for c in range(3)]
            inner = tree.tree_
            totals = inner.weighted_n_node_samples[nodes, None]
            sums = inner.value[nodes, 0] * totals
            asked = model.get_params().get("class_weight") or {}
            b.append(np.ravel(sums / [asked.get(c, 1.0) for c in range(3)]))
        of_half = read is equations_of_bagged_trees
        share = 0.5 if of_half else 1.0
        b = np.concatenate(b) / share
        told = {"n_members": 80.0, "sampling": float(of_half)}
        assert_rows(rows, "leaf count", A, b, **told)
        if not of_half:
            assert_allclose(rows.b, np.sum(np.array(A) & m, axis=1))


def drawn_rows(trees, X, y, rates, n, codes=None):
    """Of leaves whose records were drawn: sizes, and fractions of the classes."""
    n_classes = len(rates)
    chances = 1 - (1 - 1 / n) ** (rates * n)
    sizes, sizes_b, variances, fractions = [], [], [], [[] for _ in rates[1:]]
    for tree in trees:
        nodes, inside = leaves_of(tree, X)
        inner = tree.tree_
        counts = inner.value[nodes, 0] * inner.weighted_n_node_samples[nodes, None]
        counts = np.rint(counts)
        for node, own, count in zip(nodes, inside, counts, strict=True):
            here = np.flatnonzero(count)
            for c in range(n_classes):
                # The first of the classes that were drawn stands for all of them.
                of_class = np.isin(y, here) if c == here[0] else (y == c)
                of_class = of_class & ~(c != here[0] and c in here)
                sizes.append(own * of_class * chances[y])
                told = inner.n_node_samples[node] if c == here[0] else 0.0
                sizes_b.append(np.nan if c in here[1:] else told)
                chance = count @ chances / count.sum() if c == here[0] else chances[c]
                variances.append((1 - chance) / chance)
            for c in range(n_classes - 1):
                row = np.zeros(len(X))
                if c in here and here[-1] > c:
                    after = own & np.isin(y, here) & (y >= c)
                    row = after * ((y == c) - count[c] / count[c:].sum()) * rates[y]
                fractions[c].append(row)
    return sizes, sizes_b, variances, np.concatenate(fractions)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_rows_of_trees_whose_records_were_drawn(n_classes):
    X, y, m = drawn_pool(n_classes)
    shallow = {"max_depth": 3, "random_state": 0}
    for model, rate in (
        (RandomForestClassifier(2, **shallow), 1.0),
        (RandomForestClassifier(2, random_state=0, max_samples=0.5), 0.5),
        (ExtraTreesClassifier(2, bootstrap=True, **shallow), 1.0),
        (BaggingClassifier(DecisionTreeClassifier(**shallow), 2, random_state=0), 1.0),
    ):
        is_bag = isinstance(model, BaggingClassifier)
        read = equations_of_bagged_trees if is_bag else equations_of_a_forest
        size, fraction = read(model.fit(X[m], y[m]), X, y)
        rates = np.full(n_classes, rate)
        A, b, variances, fractions = drawn_rows(model.estimators_, X, y, rates, 80)
        assert_rows(size, "leaf size", A, b, 0, variances, n_members=80.0)
        zeros = np.zeros(len(fractions))
        assert_rows(fraction, "leaf fraction", fractions, zeros, 0, 1 / rate)


def test_rows_of_forests_whose_classes_have_chances_to_be_drawn():
    X, y, m = drawn_pool(3)
    forest = RandomForestClassifier(3, max_depth=3, random_state=0).fit(X[m], y[m])
    # As from scikit-learn 1.9 on, for a forest of any version.
    forest.class_weight, forest._sample_weight = {0: 2.0}, np.ones(80)
    size, fraction = equations_of_a_forest(forest, X, y)
    drawn = np.zeros(3)
    for tree in forest.estimators_:
        nodes, _ = leaves_of(tree, X)
        inner = tree.tree_
        drawn += inner.weighted_n_node_samples[nodes] @ inner.value[nodes, 0] / 3
    rates = drawn / (np.bincount(y) / N * 80)
    A, b, variances, fractions = drawn_rows(forest.estimators_, X, y, rates, 80)
    told = {"n_members": 80.0, "of_pool": True}
    assert_rows(size, "leaf size", A, b, 0, variances, **told)
    zeros = np.zeros(len(fractions))
    variance = 1 / rates.mean()
    assert_rows(fraction, "leaf fraction", fractions, zeros, 0, variance, of_pool=True)
    # With no records of a class in the pool its chances are finite.
    few = equations_of_a_forest(forest, X[y > 0], y[y > 0])
    assert all(np.isfinite(rows._toarray(np.sum(y > 0))).all() for rows in few)


def test_trees_of_several_outputs_tell_nothing():
    X, y, m = drawn_pool()
    both = np.column_stack([y, 1 - y])
    tree = DecisionTreeClassifier(max_depth=2).fit(X[m], both[m])
    assert equations_of_a_tree(tree, X, both) == []
    forest = RandomForestClassifier(2, max_depth=2).fit(X[m], both[m])
    assert equations_of_a_forest(forest, X, both) == []


def test_a_forest_with_weights_of_its_records_tells_nothing():
    X, y, m = drawn_pool()
    forest = RandomForestClassifier(2, max_depth=2, random_state=0).fit(X[m], y[m])
    assert len(equations_of_a_forest(forest, X, y)) == 2
    forest._sample_weight = np.ones(80)
    assert equations_of_a_forest(forest, X, y) == []
    del forest._sample_weight
    forest._n_samples_bootstrap = forest._n_samples = None
    assert equations_of_a_forest(forest, X, y) == []
    bagged = BaggingClassifier(DecisionTreeClassifier(), 2).fit(X[m], y[m])
    bagged._sample_weight = np.ones(80)
    assert equations_of_bagged_trees(bagged, X, y) == []


def test_a_tree_that_never_saw_a_class_counts_none_of_its_records():
    nodes = np.array([1, 2, 2, 1, 2]), np.array([2, 2, 1, 1, 1])
    codes = np.array([0, 1, -1, -1, 0]), np.array([1, 0, 2, 2, 0])
    counts = [np.array([[1.0, 0], [2, 3]]), np.array([[1.0, 2, 0], [1, 1, 1]])]
    inner = SimpleNamespace(
        children_left=np.array([1, -1, -1]),
        n_node_samples=np.array([6, 2, 4]),
        weighted_n_node_samples=np.array([6.0, 2, 4]),
    )
    trees = [SimpleNamespace(tree_=inner)] * 3
    given = [*nodes, nodes[0]], [*codes, codes[0]], [*counts, None]
    (rows,) = _count_equations(trees, *given, 6, 0.5, 1.5, table=None)
    A = [
        (nodes[t] == leaf) & (codes[t] == c)
        for t in (0, 1)
        for leaf in (1, 2)
        for c in range(2 + t)
    ]
    b = 2 * np.concatenate([np.ravel(count) for count in counts])
    assert_rows(rows, "leaf count", A, b, 0, 1.5, n_members=6.0)
    assert _count_equations(trees, *given[:2], [None] * 3, 6, table=None) == []


def test_a_forest_of_which_a_tree_drew_nobody_twice_has_counts_of_draws():
    X, y, m = drawn_pool()
    forest = RandomForestClassifier(8, max_samples=8, max_depth=2, random_state=0)
    forest.fit(X[m], y[m])
    different = {int(tree.tree_.n_node_samples[0]) for tree in forest.estimators_}
    assert 8 in different
    assert min(different) < 8
    (rows,) = equations_of_a_forest(forest, X, y)
    assert (rows.kind, rows.n_members) == ("leaf count", 80.0)
    assert rows.b.sum() == pytest.approx(8 * 80)
    assert rows.sampling == pytest.approx((1 - 1 / 80) * 10)
