"""Parts of equations from drawn numbers, without a model, by hand in NumPy."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse.linalg._isolve.lsqr import _sym_ortho
from scipy.stats import binom, truncnorm
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from sklearn_mia.equations import (
    Equations,
    LinearSystem,
    Products,
    _boosting,
    _trees,
    grouped,
)
from sklearn_mia.equations._bayes import _number_of_shares
from sklearn_mia.equations._boosting import (
    _bin_equations,
    equations_of_adaboost,
    equations_of_histogram_boosting,
)
from sklearn_mia.equations._damped import _rotation
from sklearn_mia.equations._ranks import _agreed, _number_of_records, between
from sklearn_mia.equations._rounded import (
    fits_rounded,
    largest_error,
    leaves_are_pure,
    possible_classes,
    told_by_bounds,
)
from sklearn_mia.equations._stripped import (
    _members_told,
    as_equation,
    lowest_terms,
    most_draws,
)
from sklearn_mia.equations._system import rounding_of, squared, with_values
from sklearn_mia.equations._trees import (
    _fraction_equations,
    common_unit,
    equations_of_a_forest,
    equations_of_a_tree,
    equations_of_bagged_trees,
)

# Systems


@pytest.fixture(scope="module")
def system():
    """Blocks of all kinds of matrices, on all or some records, and their rows."""
    rng = np.random.default_rng(0)
    blocks, rows = [], []
    for records in (None, np.array([7, 2, 4])):
        n = 9 if records is None else 3
        F, R = rng.normal(size=(n, 2)), rng.normal(size=(n, 3))
        products = np.stack([F[:, j] * R[:, k] for j in range(2) for k in range(3)])
        dense = rng.normal(size=(4, n))
        sparse = sp.csc_array(np.where(rng.random((5, n)) < 0.5, 0.0, 2.0))
        for matrix, values in (
            (dense, dense),
            (sparse, sparse.toarray()),
            (Products(F, R), products),
            (Products(sp.csc_array(F), R), products),
        ):
            kind = f"{type(matrix).__name__} of {n}"
            wide = np.zeros((len(values), 9))
            wide[:, slice(None) if records is None else records] = values
            noise = rng.uniform(0.1, 1.0, len(values))
            sampling = 0.5 if n == 3 else 0.0
            blocks.append(
                Equations(
                    kind,
                    matrix,
                    rng.normal(size=len(values)),
                    noise,
                    sampling,
                    n_members=float(n) if kind.startswith("P") else None,
                    records=records,
                    of_pool=kind.startswith("c"),
                    is_bound=kind.startswith("n"),
                    step="step",
                )
            )
            rows.append(wide)
    return LinearSystem(tuple(blocks), 9), np.concatenate(rows)


def test_a_system_is_its_rows(system):
    system, A = system
    rng = np.random.default_rng(1)
    m, z = rng.random(9), rng.normal(size=len(A))
    assert_allclose(system.toarray(), A)
    assert_allclose(system.dot(m), A @ m)
    assert_allclose(system.transposed_dot(z), A.T @ z)
    assert_allclose(system.squares(m), A**2 @ m)
    assert_allclose(system.transposed_squares(z), (A**2).T @ z)
    sampling = np.concatenate([np.full(len(e.b), e.sampling) for e in system.blocks])
    noise = np.sqrt(system.scale**2 + sampling * (A**2 @ m))
    assert_allclose(system.noise(m), noise)
    bounds = np.concatenate([np.full(len(e.b), e.is_bound) for e in system.blocks])
    left = np.where(bounds, 0.25, 1.0) * system.scale
    expected = np.sqrt(left**2 + sampling * (A**2 @ m))
    assert_allclose(system.noise(m, share_of_bounds=0.25), expected)
    is_dense = np.concatenate(
        [np.full(len(e.b), not sp.issparse(e.matrix)) for e in system.blocks]
    )
    assert system.n_dense == 9 * np.count_nonzero(is_dense)
    rows = np.array([0, 3, 4, 5, 9, 20, len(A) - 7, len(A) - 1])
    (held, at_sparse), (dense, at_dense) = system.stacked(rows)
    assert_allclose(held.toarray(), A[at_sparse])
    assert_allclose(dense, A[at_dense])
    assert_array_equal(at_sparse, rows[~is_dense[rows]])
    assert_array_equal(at_dense, rows[is_dense[rows]])
    of_pool = np.concatenate([np.full(len(e.b), e.of_pool) for e in system.blocks])
    assert_array_equal(system.of_pool, of_pool)
    assert_allclose(system.without_pool_rows().toarray(), A[~of_pool])
    assert system.n_members == 9


def test_equations_are_counted_by_kind_where_they_tell_something(system):
    system, A = system
    scale = system.scale.copy()
    blocks = list(system.blocks)
    blocks[0] = Equations("any", A[:4], [np.nan, 1.0, 2.0, 3.0], [1.0, 2.0, 4.0, 9.0])
    blocks[1] = Equations("none", sp.csc_array((2, 9)), [1.0, 2.0], 1.0)
    found = LinearSystem(tuple(blocks), 9)
    assert_array_equal(found.usable[:6], [False, True, True, True, False, False])
    told = {(line.step, line.kind): line for line in found.table()}
    assert "none" not in {kind for _, kind in told}
    assert (told["", "any"].n_equations, told["", "any"].noise) == (3, 4.0)
    of_products = told["step", "Products of 9"]
    assert of_products.n_equations == 12
    assert of_products.noise == pytest.approx(np.median(scale[9:21]))
    assert found.n_equations == sum(line.n_equations for line in told.values())


def test_a_system_without_equations():
    system = LinearSystem((), 3)
    assert system.toarray().shape == (0, 3)
    for values in (system.dot(np.ones(3)), system.squares(np.ones(3)), system.b):
        assert values.shape == (0,)
    assert system.noise(np.ones(3)).shape == system.of_pool.shape == (0,)
    assert_array_equal(system.transposed_dot(np.zeros(0)), np.zeros(3))
    assert (system.n_members, system.n_equations, system.table()) == (None, 0, [])


def test_sums_over_groups_leave_out_who_is_in_none():
    groups = np.array([[0, 1], [2, -1], [1, 0], [-1, -1]])
    rows = np.zeros((5, 4))
    for record, places in enumerate(groups):
        for partition, group in enumerate(places):
            if group >= 0:
                rows[[0, 3][partition] + group, record] = 1 + record
    values = np.arange(1.0, 5.0)[:, None] * np.ones(2)
    found = grouped(groups, [3, 2], values)
    assert_array_equal(found.toarray(), rows)
    assert_array_equal(grouped(groups, [3, 2]).toarray(), rows > 0)
    everyone = grouped(groups[:1], [3, 2])
    assert_array_equal(everyone.toarray().ravel(), [1, 0, 0, 0, 1])
    assert_array_equal(
        with_values(everyone, [[2.0, 5.0]]).toarray().ravel(), [2, 0, 0, 0, 5]
    )


def test_squares_of_entries_that_stand_twice_are_those_of_their_sum():
    twice = sp.csr_array(
        (np.array([1.0, 2.0, 3.0]), [0, 0, 1], [0, 2, 3]), shape=(2, 2)
    )
    assert_array_equal(squared(twice).toarray(), [[9, 0], [0, 9]])


def test_floats_of_32_bits_round_more():
    X = np.ones((2, 2))
    assert rounding_of(X, 1e-10) == rounding_of([[1.0]], 1e-10) == 1e-10
    assert rounding_of(X.astype(np.float32), 1e-10) == 1e-6
    assert rounding_of(X.astype(np.float32), 1e-3) == 1e-3


def test_rotations_are_those_of_scipy():
    for a in (-3.0, -1.0, 0.0, 1.0, 2.0):
        for b in (-2.0, 0.0, 1.0, 5.0):
            assert_allclose(_rotation(a, b), _sym_ortho(a, b))
            c, s, r = _rotation(a, b)
            assert_allclose([c * a + s * b, s * a - c * b], [r, 0], atol=1e-12)


# Numbers of members


def test_the_records_between_two_edges_are_the_ranks_between_them():
    x = np.array([0.5, 1.0, 1.5, 2.5, 2.0, 3.5])
    edges, low, high = np.array([1.0, 2.0, 3.0]), [1.0, 2.0, 4.0], [1.0, 2.0, 4.0]
    low, high = np.array(low), np.array(high)
    found = between(x, edges, 1e-9, low, high, 6)
    inside = [(x <= 1), (x > 1) & (x <= 2), (x > 2) & (x <= 3), x > 3]
    assert_array_equal(found.matrix.toarray(), np.array(inside))
    assert_array_equal(found.b, [1, 1, 2, 2])
    assert_array_equal(found.scale, 0)
    assert (found.kind, found.n_members) == ("rank", 6.0)
    # Two records at the second edge: its rank is anything from 2 to 3.
    found = between(np.append(x, 2.0), edges, 1e-9, low, high + 1, 6)
    assert_array_equal(found.b, [1, 1.5, 1.5, 2])
    doubt = 1 / math.sqrt(12)
    assert_allclose(found.scale, [0, doubt, doubt, 0])


def test_records_said_to_be_both_are_neither():
    shown = np.array([[1.0, 0.0, np.nan, 1.0], [np.nan, 0.0, np.nan, 0.0]])
    assert_array_equal(_agreed(shown), [1.0, 0.0, np.nan, np.nan])


def test_quantiles_tell_how_many_records_they_are_of():
    rng = np.random.default_rng(0)
    # Of a prime number of steps no two remainders have the same fractions at many.
    references = np.linspace(0, 1, 48)
    for n_members, n_records in ((60, 90), (200, 390), (333, 700)):
        X = rng.normal(size=(n_records, 3))
        quantiles = np.quantile(X[:n_members], references, axis=0)
        assert _number_of_records(X, quantiles, references) == n_members
    # Of others the fractions between the pool's values tell nothing.
    others = np.quantile(rng.normal(size=(200, 3)), references, axis=0)
    assert _number_of_records(X, others, references) is None
    assert _number_of_records(X, quantiles[:1], references[:1]) is None


def test_shares_tell_the_number_of_records_nearest_to_half_the_pool():
    shares = np.array([33, 20, 18]) / 71
    assert _number_of_shares(shares, 150) == 71
    # 142 is as possible, and further from half.
    assert _number_of_shares(shares, 213) is None
    # 142 is as possible of 212, and of 158; of 157 it would be nearly all.
    assert _number_of_shares(shares, 212) is None
    assert _number_of_shares(shares, 158) is None
    assert _number_of_shares(shares, 157) == 71
    assert _number_of_shares(shares, 141) == 71
    # Of 14 of 20 records, not of 7.
    assert _number_of_shares(np.array([4, 6, 4]) / 14, 20) is None
    assert _number_of_shares(shares, 70) is None
    assert _number_of_shares(shares.astype(np.float32), 150) is None
    assert _number_of_shares(np.array([0.5, 0.5]), 40) is None


def test_fractions_in_lowest_terms():
    rows = np.array([[0.5, 0.5], [1 / 3, 2 / 3], [0.0, 1.0], [0.3, 0.7], [0.5, 0.5]])
    expected = [[1, 1], [1, 2], [0, 1], [3, 7], [1, 1]]
    assert_array_equal(lowest_terms(rows), expected)


def test_an_equation_moves_a_normal_prior_to_what_was_found():
    for mean, variance in ((5.0, 0.5), (2.0, 1.9)):
        b, told = as_equation(3.0, 2.0, mean, variance)
        assert 1 / variance == pytest.approx(1 / 2.0 + 1 / told)
        gain = 2.0 / (2.0 + told)
        assert 3.0 + gain * (b - 3.0) == pytest.approx(mean)


@pytest.mark.parametrize(("size", "middle"), [(9, 3), (400, 212)])
def test_members_of_a_leaf_follow_from_what_fits(size, middle):
    def fits(members):
        return abs(members - middle) <= 2

    members = np.arange(size + 1)
    law = binom.pmf(members, size, 0.5) * fits(members) * (members >= 2)
    law /= law.sum()
    mean = law @ members
    expected = as_equation(size / 2, size / 4, mean, law @ (members - mean) ** 2)
    found = _members_told(size, fits, 0.5, 1.0, False, 2)
    assert_allclose(found, expected, rtol=1e-6)
    # One number, far from the mean or not; and what tells nothing.
    for only in (1, 2, size):
        told = _members_told(size, lambda d, n=only: d == n, 0.5, 1.0, False, 0)
        assert told == (only, 0.0)
    for told in (
        _members_told(size, lambda d: d == 0, 0.5, 1.0, False, 0),
        _members_told(0, fits, 0.5, 1.0, False, 0),
        _members_told(2001, fits, 0.5, 1.0, False, 0),
        _members_told(400, lambda d: d >= 0, 0.5, 1.0, False, 0),
    ):
        assert (np.isnan(told[0]), told[1]) == (True, 0.0)


def test_more_draws_than_eight_deviations_are_not_looked_at():
    assert most_draws(50, 2.0) == 100 + 8 * math.sqrt(101)


# Rounded files


def test_bounds_tell_what_a_truncated_normal_law_does():
    mean, variance = np.array([0.0, 1.0, -2.0, 0.5]), np.array([1.0, 4.0, 0.5, 2.0])
    low, high = np.array([-0.5, -1.0, -1.5, 3.0]), np.array([1.5, 2.0, 0.5, 4.0])
    sd = np.sqrt(variance)
    law = truncnorm((low - mean) / sd, (high - mean) / sd, loc=mean, scale=sd)
    expected = as_equation(mean, variance, law.mean(), law.var())
    assert_allclose(told_by_bounds(mean, variance, low, high), expected, rtol=1e-7)


def test_bounds_far_away_or_narrow_tell_their_middle():
    given = np.zeros(3), np.array([1.0, 1.0, 0.0])
    low, high = np.array([40.0, 0.1, -1.0]), np.array([42.0, 0.1001, 1.0])
    b, told = told_by_bounds(*given, low, high)
    assert_allclose(b, [41.0, 0.10005, np.nan])
    assert_allclose(told, [2**2 / 12, 0.0001**2 / 12, 0.0])
    b, told = told_by_bounds(
        *(v[:1] for v in given), np.full(1, -50.0), np.full(1, 50.0)
    )
    assert (np.isnan(b[0]), told[0]) == (True, 0.0)


def test_numbers_fit_shares_rounded_to_a_step():
    assert (largest_error(2, 2), largest_error(2, 3)) == (0.005, 0.01)
    for decimals, shares in ((1, [3.0, 7.0]), (2, [33.0, 67.0]), (1, [3.0, 3.0, 4.0])):
        shares, draws = np.array(shares), np.arange(1, 40)
        off = largest_error(decimals, len(shares)) + 1e-9
        expected = []
        for n in draws:
            possible = [
                [k for k in range(n + 1) if abs(k / n - share / 10**decimals) <= off]
                for share in shares
            ]
            sums = {0}
            for numbers in possible:
                sums = {total + k for total in sums for k in numbers}
            expected.append(n in sums)
        assert_array_equal(fits_rounded(draws, shares, decimals), expected)


def test_a_class_that_was_rounded_away_is_possible_in_a_large_leaf():
    shares = np.array([[10.0, 0.0], [10.0, 0.0], [4.0, 6.0]])
    most = np.array([19, 20, 20])
    found = possible_classes(shares, most, 1, are_pure=False)
    assert_array_equal(found, [[True, False], [True, True], [True, True]])
    # A pure leaf that shows one class has one.
    found = possible_classes(shares, most, 1, are_pure=True)
    assert_array_equal(found, [[True, False], [True, False], [True, True]])


def test_a_leaf_that_shows_two_classes_may_have_had_a_third():
    shares, most = np.array([[9.0, 1.0, 0.0], [10.0, 0.0, 0.0]]), np.full(2, 20)
    found = possible_classes(shares, most, 1, are_pure=True)
    assert_array_equal(found, [[True, True, True], [True, False, False]])


def test_leaves_are_pure_where_the_tree_is_grown_and_records_differ():
    grown = {
        **{"max_depth": None, "max_leaf_nodes": None, "min_samples_split": 2},
        **{"min_samples_leaf": 1, "min_weight_fraction_leaf": 0},
        **{"min_impurity_decrease": 0, "ccp_alpha": 0, "decimals_": 1},
    }
    table = np.repeat(np.arange(3.0), [9, 1, 1])[:, None]
    assert leaves_are_pure(SimpleNamespace(**grown), table)
    assert not leaves_are_pure(SimpleNamespace(**grown), np.append(table, [[0.0]], 0))
    short = SimpleNamespace(**grown | {"max_depth": 5})
    assert not leaves_are_pure(short, table)


# Trees and boosting, when they tell nothing


def toy(n=60, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    return X, (X[:, 0] + rng.normal(size=n) > 0).astype(int)


def test_the_unit_of_weights_is_the_largest_of_which_all_are_multiples():
    assert common_unit(np.zeros(3)) == common_unit(np.empty(0)) == 1
    assert common_unit(np.array([0.0, 0.6, 0.9, 2.1])) == pytest.approx(0.3)
    assert common_unit(np.array([0.7])) == 0.7
    assert np.isnan(common_unit(np.array([1.0, math.sqrt(2)])))


def test_balanced_weights_leave_the_counts_of_the_classes():
    # The five records of class 1 are in one leaf: their weight alone is no unit.
    X, y = toy()
    y[:45] = 0
    for weight in ("balanced", {0: 0.25, 1: 3.0}):
        tree = DecisionTreeClassifier(max_depth=2, class_weight=weight).fit(X, y)
        (rows,) = equations_of_a_tree(tree, X, y)
        at = np.unique(tree.apply(X), return_inverse=True)[1]
        expected = np.bincount(at * 2 + y, minlength=2 * at.max() + 2)
        assert np.count_nonzero(expected[1::2]) == 1
        assert_array_equal(rows.b, expected)
        assert_array_equal(rows._toarray(60).sum(axis=1), expected)
        assert rows.n_members == 60


def test_balanced_counts_that_could_be_others_are_not_told():
    X, y = np.zeros((6, 1)), np.array([0, 0, 0, 0, 1, 1])
    tree = DecisionTreeClassifier(class_weight="balanced").fit(X, y)
    assert equations_of_a_tree(tree, X, y) == []
    forest = RandomForestClassifier(3, class_weight="balanced_subsample").fit(X, y)
    assert equations_of_a_forest(forest, X, y) == []
    bagged = BaggingClassifier(tree, 3).fit(X, y)
    assert equations_of_bagged_trees(bagged, X, y) == []
    X, y = toy()
    weights = np.random.default_rng(0).uniform(0.5, 2, 60)
    tree.fit(X, y, sample_weight=weights)
    assert equations_of_a_tree(tree, X, y) == []


def test_monotonic_constraints_leave_nothing_of_trees():
    X, y = toy()
    tree = DecisionTreeClassifier(monotonic_cst=[1, 0])
    forest = RandomForestClassifier(3, monotonic_cst=[1, 0])
    assert equations_of_a_tree(tree.fit(X, y), X, y) == []
    assert equations_of_a_forest(forest.fit(X, y), X, y) == []
    bagged = BaggingClassifier(tree, 3).fit(X, y)
    assert equations_of_bagged_trees(bagged, X, y) == []


def test_trees_that_misplace_missing_values_tell_nothing_of_them(monkeypatch):
    X, y = toy()
    gaps = np.where(X > 1, np.nan, X)
    for read, model in (
        (equations_of_a_tree, DecisionTreeClassifier()),
        (equations_of_a_forest, RandomForestClassifier(3)),
        (equations_of_bagged_trees, BaggingClassifier(DecisionTreeClassifier(), 3)),
        (equations_of_adaboost, AdaBoostClassifier(n_estimators=3)),
    ):
        model.fit(X, y)
        monkeypatch.setattr(_trees, "TREES_MISPLACE_MISSING", True)
        assert read(model, X, y) != []
        assert read(model, gaps, y) == []
        monkeypatch.setattr(_trees, "TREES_MISPLACE_MISSING", False)
        assert read(model, gaps, y) != []


def test_chances_to_be_drawn_are_read_from_whole_counts_alone():
    X, y = toy()
    forest = RandomForestClassifier(3, class_weight={0: 1.0, 1: 2.0}, random_state=0)
    forest.fit(X, y)
    # As from scikit-learn 1.9 on, for a forest of any version.
    forest._sample_weight = np.ones(len(y))
    for tree in forest.estimators_:
        tree.tree_.value[:] *= 0.7
    assert equations_of_a_forest(forest, X, y) == []


def test_a_tree_that_lacks_a_class_has_no_fraction_of_it():
    rng = np.random.default_rng(0)
    leaves, codes = rng.integers(2, size=(40, 3)), rng.integers(2, size=(40, 3))
    codes[:, 0] += rng.integers(2, size=40)
    codes[:, 2] = np.minimum(codes[:, 2], 0)
    counts = [np.array([[3.0, 2, 4], [1, 5, 2]]), np.array([[3.0, 2], [1, 5]])]
    counts.append(np.array([[7.0], [8]]))
    drawn = [count > 0 for count in counts]
    rows = _fraction_equations(leaves, codes, counts, drawn, np.ones(3), 1.0)
    expected = np.zeros((12, 40))
    for c, t, leaf in np.ndindex(2, 3, 2):
        if c + t < 2:
            inside = (leaves[:, t] == leaf) & (codes[:, t] >= c)
            share = counts[t][leaf, c] / counts[t][leaf, c:].sum()
            expected[6 * c + 2 * t + leaf] = inside * ((codes[:, t] == c) - share)
    assert_allclose(rows._toarray(40), expected)


def test_balanced_weights_and_constraints_leave_the_counts_of_histograms():
    X, y = toy()
    for settings in ({"class_weight": "balanced"}, {"monotonic_cst": [1, 0]}):
        model = HistGradientBoostingClassifier(max_iter=2, **settings).fit(X, y)
        (rows,) = equations_of_histogram_boosting(model, X, y)
        assert rows.kind == "leaf count"
        assert_array_equal(rows._toarray(60).sum(axis=1), rows.b)
    del model._bin_mapper
    assert equations_of_histogram_boosting(model, X, y) == []


@pytest.mark.parametrize("at_midpoints", [False, True])
def test_thresholds_of_bins_are_ranks_as_each_version_takes_them(
    at_midpoints, monkeypatch
):
    monkeypatch.setattr(_boosting, "BINS_AT_MIDPOINTS", at_midpoints)
    n, n_bins = 101, 8
    table = np.random.default_rng(0).normal(size=(n, 1))
    inner = np.arange(1, n_bins) / n_bins
    method = "linear" if at_midpoints else "averaged_inverted_cdf"
    edges = np.quantile(table[:, 0], inner, method=method)
    (rows,) = _bin_equations(table, [edges], n_bins, n)
    assert rows.kind == "bin rank"
    assert rows.of_pool
    told = np.isfinite(rows.scale)
    assert told.any()
    off = rows._toarray(n).sum(axis=1) - rows.b
    assert np.all(np.abs(off[told]) <= 5 * rows.scale[told] + 1e-9)


def test_bins_of_a_sample_of_the_records_tell_no_rank():
    edges = np.linspace(-1, 1, 7)
    table = np.linspace(-2, 2, 50)[:, None]
    assert list(_bin_equations(table, [edges], 8, 200_001)) == []
    assert len(list(_bin_equations(table, [edges], 8, 50))) == 1


def test_adaboost_of_other_trees_or_weights_tells_less():
    X, y = toy()
    balanced = DecisionTreeClassifier(max_depth=1, class_weight="balanced")
    for inner in (balanced, ExtraTreeClassifier(max_depth=1, random_state=0)):
        model = AdaBoostClassifier(inner, n_estimators=2).fit(X, y)
        assert equations_of_adaboost(model, X, y) == []
    weights = np.random.default_rng(0).uniform(0.5, 2, 60)
    model = AdaBoostClassifier(n_estimators=2).fit(X, y, sample_weight=weights)
    (rows,) = equations_of_adaboost(model, X, y)
    assert rows.kind == "leaf count"
    assert_array_equal(rows._toarray(60).sum(axis=1), rows.b)
