"""The estimate of least mean squared error, and what it does not depend on."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse.linalg import lsqr
from sklearn.datasets import make_classification
from sklearn.ensemble import (
    ExtraTreesClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
)
from sklearn.metrics import roc_auc_score

from sklearn_mia.equations import (
    Equations,
    LinearSystem,
    Products,
    _damped,
    _solver,
    grouped,
    linear_equations,
    solve,
)
from sklearn_mia.equations._damped import damped_lsqr
from sklearn_mia.equations._system import squared
from sklearn_mia.memory import keeping

RNG = np.random.default_rng(11)


def test_the_estimate_is_the_formula():
    A, m = RNG.normal(size=(7, 12)), RNG.random(12) < 0.4
    scale, prior = RNG.uniform(0.01, 0.2, 7), 0.4
    b = A @ m + scale
    system = LinearSystem((Equations("any", A, b, scale),), 12)
    v = prior * (1 - prior)
    S = np.diag(scale**2 + 1e-5**2 * np.sum(A**2, axis=1))
    gain = v * A.T @ np.linalg.inv(v * A @ A.T + S)
    expected = prior + gain @ (b - prior * A.sum(axis=1))
    assert_allclose(solve(system, prior=prior).estimate, expected, atol=1e-6)


@pytest.mark.parametrize(("n_rows", "n_records"), [(7, 12), (40, 12)])
def test_the_score_is_linear_in_the_log_odds(n_rows, n_records):
    """Against the odds of both values of one record, the others and noise normal."""
    A, prior = RNG.normal(size=(n_rows, n_records)), 0.4
    b = A @ (RNG.random(n_records) < 0.4) + RNG.normal(size=n_rows)
    system = LinearSystem((Equations("any", A, b, 0.01, sampling=0.5),), n_records)
    v, expected = prior * (1 - prior), []
    noise = np.diag(0.01**2 + (0.5 * 0.4 + 1e-5**2) * np.sum(A**2, axis=1))
    for i in range(n_records):
        others = np.delete(A, i, axis=1)
        spread = v * others @ others.T + noise
        rest = b - prior * others.sum(axis=1)
        low, high = (r @ np.linalg.solve(spread, r) for r in (rest, rest - A[:, i]))
        expected.append(prior + v * (low - high) / 2)
    assert_allclose(solve(system, prior=prior).score, expected, atol=1e-6)


def test_draws_add_the_variance_that_is_expected_of_them():
    A, b = np.abs(RNG.normal(size=(5, 9))), RNG.normal(size=5)
    system = LinearSystem((Equations("any", A, b, 0.01, sampling=0.7),), 9)
    S = np.diag(0.01**2 + (0.7 * 0.3 + 1e-5**2) * np.sum(A**2, axis=1))
    gain = 0.21 * A.T @ np.linalg.inv(0.21 * A @ A.T + S)
    expected = 0.3 + gain @ (b - 0.3 * A.sum(axis=1))
    assert_allclose(solve(system, prior=0.3).estimate, expected, atol=1e-6)


def mixed_system(n_records, n_rows):
    """A sparse, a dense and a product block, each of some records or of all."""
    some = np.sort(RNG.permutation(n_records)[: n_records // 2])
    groups = RNG.integers(0, n_rows, size=(len(some), 2))
    F, R = RNG.normal(size=(n_records, 2)), RNG.normal(size=(n_records, 2))
    matrices = [
        (grouped(groups, [n_rows, n_rows]), some),
        (RNG.normal(size=(3, n_records)), None),
        (Products(F, R), None),
    ]
    m, blocks = RNG.random(n_records) < 0.5, []
    for matrix, records in matrices:
        b = matrix @ (m if records is None else m[records]).astype(float)
        b[1] = np.nan
        blocks.append(Equations("any", matrix, b, 0.02, records=records))
    return LinearSystem(tuple(blocks), n_records)


@pytest.mark.parametrize(("n_records", "n_rows"), [(40, 4), (30, 40)])
@pytest.mark.parametrize("n_outside", [0.0, 5.0])
def test_a_factor_finds_what_iterations_find(monkeypatch, n_records, n_rows, n_outside):
    system, copies = mixed_system(n_records, n_rows), np.ones(n_records)
    copies[:5] = 2
    given = {"prior": 0.4, "copies": copies, "n_outside": n_outside}
    monkeypatch.setattr(_solver, "_FLOOR", _solver._EXACT_FLOOR)
    direct = solve(system, **given)
    assert direct.n_iterations == 0
    monkeypatch.setattr(_solver, "_ALWAYS_DIRECT", 0)
    monkeypatch.setattr(_solver, "_FEW_ITERATIONS", 1000)
    iterated = solve(system, tol=1e-13, **given)
    assert iterated.n_iterations > 0
    for name in ("estimate", "residual", "precision", "misfit"):
        expected = getattr(iterated, name)
        tolerance = 1e-6 * np.abs(expected).max()
        assert_allclose(getattr(direct, name), expected, atol=tolerance)


def test_a_factor_is_made_where_a_few_iterations_do_not_do():
    X, y, m = pool(1200)
    trees = {"n_estimators": 30, "min_samples_leaf": 5, "random_state": 0}
    forest = RandomForestClassifier(**trees).fit(X[m], y[m])
    assert 1 < solve(linear_equations(forest, X, y)).n_iterations < 150
    exact = ExtraTreesClassifier(**trees).fit(X[m], y[m])
    assert solve(linear_equations(exact, X, y)).n_iterations == 0


def test_equations_that_do_not_fit_each_other_count_for_less():
    A, b = np.ones((2, 3)), np.array([1.0, 1.01])
    estimate = solve(LinearSystem((Equations("any", A, b),), 3)).estimate
    S = 3 * 3e-3**2 * np.eye(2)
    gain = 0.25 * A.T @ np.linalg.inv(0.25 * A @ A.T + S)
    assert_allclose(estimate, 0.5 + gain @ (b - 1.5), atol=1e-9)


def test_an_error_known_by_a_bound_is_the_share_of_it_that_explains_the_fit():
    A = RNG.normal(size=(300, 60))
    b = A @ (RNG.random(60) < 0.5) + 0.04 * RNG.normal(size=300)

    def solved(scale, **params):
        return solve(LinearSystem((Equations("any", A, b, scale, **params),), 60))

    assert solved(0.5).misfit < 0.5
    far, right = solved(0.5, is_bound=True), solved(0.5 * 0.1)
    assert_allclose(far.score, right.score, rtol=1e-9)
    # What is left is no less than such an error leaves.
    tight = solved(0.05, is_bound=True)
    assert_array_equal(tight.score, solved(0.05).score)


def test_equal_records_may_share_a_column():
    A = RNG.normal(size=(6, 5))
    wide = A[:, [0, 1, 1, 2, 3, 4, 4, 4]]
    b = RNG.normal(size=6)
    apart = solve(LinearSystem((Equations("any", wide, b, 0.1),), 8))
    assert_allclose(apart.estimate[1], apart.estimate[2], atol=1e-9)
    copies = np.array([1, 2, 1, 1, 3])
    merged = solve(LinearSystem((Equations("any", A, b, 0.1),), 5), copies=copies)
    for name in ("estimate", "score"):
        expected = getattr(apart, name)[[0, 1, 3, 4, 5]]
        assert_allclose(getattr(merged, name), expected, atol=1e-6)


def test_a_row_that_tells_nothing_changes_nothing():
    A, b = RNG.normal(size=(4, 6)), RNG.normal(size=4)
    plain = solve(LinearSystem((Equations("any", A, b, 0.1),), 6)).estimate
    A, b = np.vstack([A, A[:2], np.zeros(6)]), np.append(b, [np.nan, 9.0, 1.0])
    scale = np.array([0.1] * 5 + [np.inf, 0.0])
    more = LinearSystem((Equations("any", A, b, scale),), 6)
    assert more.n_equations == 4
    assert_allclose(solve(more).estimate, plain, atol=1e-9)


def test_without_equations_the_prior_is_left():
    solution = solve(LinearSystem((), 4), prior=0.3)
    assert_array_equal(solution.estimate, [0.3] * 4)
    assert_array_equal(solution.score, [0.3] * 4)


@pytest.mark.parametrize("limit", ["_MOST_OPERATIONS", "_MOST_DIRECT"])
def test_leverages_without_a_factor_are_those_of_single_rows(monkeypatch, limit):
    A, m, copies = RNG.normal(size=(5, 9)), RNG.random(9) < 0.5, np.ones(9)
    copies[2] = 2
    system = LinearSystem((Equations("any", A, A @ m, 0.1),), 9)
    given = {"prior": 0.4, "copies": copies}
    exact = solve(system, **given)
    monkeypatch.setattr(_solver, limit, 5 * 5 * 9 - 1 if "OPERATIONS" in limit else 4)
    monkeypatch.setattr(_solver, "_ALWAYS_DIRECT", 9 if "OPERATIONS" in limit else 0)
    monkeypatch.setattr(_solver, "_FLOOR", _solver._EXACT_FLOOR)
    found = solve(system, **given)
    assert_allclose(found.estimate, exact.estimate, atol=1e-6)
    assert np.abs(found.score - exact.score).max() > 0.01
    row = 0.1**2 + A**2 @ (0.24 * copies) + 1e-5**2 * (A**2 @ copies)
    tau = 0.24 * copies * (A**2 / row[:, None]).sum(axis=0)
    h = tau / (1 + tau) / copies
    expected = 0.4 + (found.estimate - 0.4 - 0.1 * h) / (1 - h)
    assert_allclose(found.score, expected, atol=1e-6)


@pytest.mark.parametrize("sparse", [False, True])
def test_products_are_a_matrix(sparse):
    F, R = RNG.normal(size=(9, 3)), RNG.normal(size=(9, 4))
    matrix = Products(sp.csr_array(F) if sparse else F, R)
    dense = np.stack([F[:, j] * R[:, k] for j in range(3) for k in range(4)])
    assert_allclose(matrix.toarray(), dense)
    m, z = RNG.normal(size=9), RNG.normal(size=12)
    assert_allclose(matrix @ m, dense @ m)
    assert_allclose(matrix.T @ z, dense.T @ z)
    assert_allclose(matrix.squared() @ m, dense**2 @ m)


def test_groups_are_rows():
    groups = np.array([[0, 1], [1, -1], [1, 0]])
    values = np.array([[1.0, 2.0], [3.0, 9.0], [5.0, 6.0]])
    rows = grouped(groups, [2, 2], values).toarray()
    assert_array_equal(rows, [[1, 0, 0], [0, 3, 5], [0, 0, 6], [2, 0, 0]])


def test_groups_of_a_partition_may_be_none():
    rows = grouped(np.array([[0, -1], [1, -1], [-1, -1]]), [2, 0])
    rows.check_format(full_check=True)
    assert_array_equal(rows.toarray(), [[1, 0, 0], [0, 1, 0]])


def test_columns_may_be_some_records_only():
    part = Equations("any", [[1.0, 2.0]], [3.0], records=np.array([3, 1]))
    system = LinearSystem((part,), 4)
    assert_array_equal(system.toarray(), [[0, 2, 0, 1]])
    assert_array_equal(system.dot(np.arange(4.0)), [5])
    assert_array_equal(system.transposed_dot(np.array([2.0])), [0, 4, 0, 2])
    assert_array_equal(system.squares(np.ones(4)), [5])


def pool(n=600, seed=0):
    X, y = make_classification(n, 8, n_informative=5, flip_y=0.2, random_state=seed)
    m = np.zeros(n, dtype=bool)
    m[np.random.default_rng(seed + 70).permutation(n)[: n // 2]] = True
    return X, y, m


def test_a_file_with_more_numbers_than_members_gives_all_of_them_away():
    X, y, m = pool()
    model = HistGradientBoostingClassifier(max_iter=40).fit(X[m], y[m])
    estimate = solve(linear_equations(model, X, y)).estimate
    assert roc_auc_score(m, estimate) > 0.999
    model = ExtraTreesClassifier(30, min_samples_leaf=5, random_state=0)
    estimate = solve(linear_equations(model.fit(X[m], y[m]), X, y)).estimate
    assert roc_auc_score(m, estimate) > 0.99


def test_a_model_of_neither_side_tells_nothing():
    X, y, _ = pool(1200)
    model = HistGradientBoostingClassifier(max_iter=20).fit(X[:400], y[:400])
    system = linear_equations(model, X[400:], y[400:])
    sides = np.arange(800) % 2 == 0
    solution = solve(system)
    assert abs(roc_auc_score(sides, solution.estimate) - 0.5) < 0.06
    assert abs(roc_auc_score(sides, solution.score) - 0.5) < 0.06


def test_members_elsewhere_are_taken_into_account():
    X, y, m = pool(1600)
    model = HistGradientBoostingClassifier(max_iter=20).fit(X[m], y[m])
    held = np.ones(len(X), dtype=bool)
    held[np.flatnonzero(m)[::4]] = held[np.flatnonzero(~m)[::4]] = False
    system = linear_equations(model, X[held], y[held])
    n_outside = system.n_members - 0.5 * held.sum()
    assert n_outside == 200
    naive = solve(system).estimate
    aware = solve(system, n_outside=n_outside).estimate
    assert roc_auc_score(m[held], aware) > roc_auc_score(m[held], naive) + 0.015


@pytest.mark.parametrize(("n_rows", "max_iter"), [(40, 400), (300, 400), (300, 60)])
def test_damped_least_squares_are_those_of_scipy(n_rows, max_iter):
    rng = np.random.default_rng(0)
    B = sp.csr_array(rng.random((n_rows, 200)) * (rng.random((n_rows, 200)) < 0.1))
    B = sp.diags_array(np.exp(rng.normal(size=n_rows, scale=2))) @ B
    aim = rng.normal(size=n_rows)
    settings = {"atol": 1e-9, "btol": 1e-9, "conlim": 0, "iter_lim": max_iter}
    x, _, n_iterations = lsqr(B, aim, damp=1.0, **settings)[:3]
    found = damped_lsqr(
        lambda v: B @ v,
        lambda u: B.T @ u,
        aim,
        200,
        max_iter=max_iter,
        tol=1e-9,
        content=lambda: None,
    )
    assert_array_equal(found[0], x)
    assert found[1] == n_iterations


def test_no_right_side_has_no_solution_but_0():
    nothing = np.zeros(3)
    x, n_iterations, is_falling = damped_lsqr(
        lambda v: v,
        lambda u: u,
        nothing,
        3,
        max_iter=9,
        tol=1e-9,
        content=lambda: None,
    )
    assert_array_equal(x, nothing)
    assert n_iterations == 0
    assert not is_falling


def test_a_long_solution_goes_on_where_it_was(tmp_path, monkeypatch):
    rng = np.random.default_rng(0)
    B, aim, done = rng.normal(size=(100, 80)), rng.normal(size=100), []
    monkeypatch.setattr(_damped, "_ROUND", 5)

    def solved(stop_after=None):
        def dot(v):
            done.append(1)
            if len(done) == stop_after:
                raise KeyboardInterrupt
            return B @ v

        return damped_lsqr(
            dot, B.T.__matmul__, aim, 80, max_iter=40, tol=0.0, content=lambda: B
        )

    x, n_iterations, _ = solved()
    assert n_iterations == len(done) == 40
    done.clear()
    with keeping(tmp_path), pytest.raises(KeyboardInterrupt):
        solved(stop_after=18)
    with keeping(tmp_path):
        done.clear()
        assert_array_equal(solved()[0], x)
    assert len(done) == 25


def test_a_pool_that_lacks_records_is_solved_alike_after_a_stop(tmp_path, monkeypatch):
    # Iterations do not do for the first fold, and so are not tried for the others.
    monkeypatch.setattr(_solver, "_ALWAYS_DIRECT", 1)
    monkeypatch.setattr(_solver, "_FEW_ITERATIONS", 4)
    rng = np.random.default_rng(0)
    A, m = rng.normal(size=(30, 60)), rng.random(60) < 0.5
    system = LinearSystem((Equations("sums", A, A @ m),), 60)
    whole = solve(system, n_outside=5.0)
    directly, n_done = _solver._Damped._solve_directly, []

    def stopped(self, aim):
        if len(n_done) == 2:
            raise KeyboardInterrupt
        n_done.append(1)
        return directly(self, aim)

    with monkeypatch.context() as patch:
        patch.setattr(_solver._Damped, "_solve_directly", stopped)
        with keeping(tmp_path), pytest.raises(KeyboardInterrupt):
            solve(system, n_outside=5.0)
    iterate, n_tried = _solver._Damped._iterate, []
    monkeypatch.setattr(
        _solver._Damped,
        "_iterate",
        lambda self, *args: n_tried.append(1) or iterate(self, *args),
    )
    with keeping(tmp_path):
        again = solve(system, n_outside=5.0)
    assert_array_equal(again.estimate, whole.estimate)
    assert_array_equal(again.score, whole.score)
    assert len(n_tried) == 1


def test_a_solution_that_is_stopped_early_does_not_say_that_records_are_missing():
    X, y = make_classification(1500, 20, flip_y=0.2, random_state=0)
    model = HistGradientBoostingClassifier(max_iter=60, random_state=0)
    system = linear_equations(model.fit(X[:750], y[:750]), X, y)
    least, few, many = (
        solve(system, max_iter=max_iter, exact=False) for max_iter in (2, 10, 1000)
    )
    assert (least.is_falling, least.n_iterations) == (True, 2)
    assert (few.is_falling, few.n_iterations) == (True, 10)
    assert least.fits
    assert few.fits
    assert few.misfit > 10 * many.misfit
    assert (many.is_falling, many.fits) == (False, True)
    assert roc_auc_score(np.arange(1500) < 750, few.score) > 0.9
    lacking = linear_equations(model, X[300:], y[300:])
    assert not solve(lacking, prior=0.5, max_iter=1000, exact=False).fits


def test_squares_of_a_matrix_with_cells_in_parts():
    whole = sp.csr_array(np.array([[0.0, 3.0], [2.0, 0.0]]))
    parts = sp.coo_array(([1.0, 2.0, 2.0], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    for matrix in (whole, whole.tocsc(), sp.csr_array(parts), parts):
        assert_array_equal(squared(matrix).toarray(), [[0, 9], [4, 0]])
