"""What is solved, and how well it fits, by dense inverses."""

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse.linalg import lsqr
from scipy.stats import norm

from sklearn_mia.equations import (
    Equations,
    LinearSystem,
    _damped,
    _solver,
    auc_ceiling,
    solve,
)
from sklearn_mia.equations._damped import damped_lsqr
from sklearn_mia.equations._solver import (
    Solution,
    _add_products,
    evidence,
    share_of_pool,
)


@pytest.mark.parametrize("size", [1.0, 1e3, 1e6])
def test_iterations_stop_where_those_of_scipy_do(size):
    rng = np.random.default_rng(0)
    B = size * rng.random((30, 20)) * (rng.random((30, 20)) < 0.3)
    for aim in (rng.normal(size=30), B @ rng.normal(size=20)):
        for tol in 10.0 ** -np.arange(14):
            settings = {"atol": tol, "btol": tol, "conlim": 0, "iter_lim": 60}
            x, _, n_iterations = lsqr(B, aim, damp=1.0, **settings)[:3]
            settings = {"max_iter": 60, "tol": tol, "content": lambda: None}
            found = damped_lsqr(B.__matmul__, B.T.__matmul__, aim, 20, **settings)
            assert_array_equal(found[0], x)
            assert found[1] == n_iterations


def test_iterations_are_kept_in_rounds_of_50(monkeypatch):
    ends = []

    def kept(what, inputs, work):
        ends.append(inputs()[1])
        # A round that does not go on would be asked for without end.
        assert len(ends) < 9
        return work()

    monkeypatch.setattr(_damped, "kept", kept)
    rng = np.random.default_rng(1)
    B, aim = rng.normal(size=(60, 60)) * np.logspace(0, 4, 60), rng.normal(size=60)
    settings = {"max_iter": 120, "tol": 0.0, "content": lambda: None}
    found = damped_lsqr(B.__matmul__, B.T.__matmul__, aim, 60, **settings)
    assert found[1] == 120
    assert ends == [50, 100, 120]


def test_iterations_are_falling_while_the_last_half_takes_away_half():
    rng = np.random.default_rng(1)
    B = rng.normal(size=(60, 60)) * np.logspace(0, 2, 60)
    aim, seen = rng.normal(size=60), set()

    def left(n):
        settings = {"atol": 0, "btol": 0, "conlim": 0, "iter_lim": n}
        x = lsqr(B, aim, damp=1.0, **settings)[0] if n else np.zeros(60)
        return np.sum((B @ x - aim) ** 2) + x @ x

    for n in (1, 2, 3, 5, 9, 20, 29, 30, 40, 55):
        settings = {"max_iter": n, "tol": 0.0, "content": lambda: None}
        found = damped_lsqr(B.__matmul__, B.T.__matmul__, aim, 60, **settings)
        assert found[1] == n
        assert found[2] == (left(n) < left(n // 2) / 2)
        seen.add(found[2])
    assert seen == {True, False}


def test_a_right_side_that_no_column_reaches_has_no_solution_but_0():
    B = np.array([[1.0, 2.0], [0.0, 0.0]])
    x, n_iterations, is_falling = damped_lsqr(
        B.__matmul__,
        B.T.__matmul__,
        np.array([0.0, 3.0]),
        2,
        max_iter=9,
        tol=1e-9,
        content=lambda: None,
    )
    assert_array_equal(x, [0, 0])
    assert (n_iterations, is_falling) == (0, False)


def test_the_ceiling_of_the_auc():
    for n_equations in (1, 30, 99):
        rho = n_equations / 100
        expected = norm.cdf(np.sqrt(2 * rho / (1 - rho)))
        assert auc_ceiling(n_equations, 100) == pytest.approx(expected)
    assert auc_ceiling(100, 100) == auc_ceiling(101, 100) == 1.0


def test_what_fits_is_a_misfit_that_so_many_equations_may_have():
    for n_used, most in ((0, 8.5), (1, 8.5), (4, 5.0), (49, 2.5)):
        precision = np.append(np.ones(n_used), [0.0, 0.0])
        for factor in (1 - 1e-9, 1 + 1e-9):
            given = np.zeros(3), precision, precision, factor * most, 0, np.zeros(3)
            assert Solution(*given).fits == (factor < 1)
            assert Solution(*given, is_falling=True).fits


def test_a_row_as_small_as_ten_roundings_still_tells():
    A = np.array([[3.0, 4.0], [3.0, 4.0], [0.0, 5.0]])
    scale = np.array([0.5, 0.500001, 0.1])
    found = solve(LinearSystem((Equations("any", A, [3.0, 9.0, 0.0], scale),), 2))
    assert_array_equal(found.precision > 0, [True, False, True])
    assert found.residual[1] == 0


def solved_by_hand(A, b, variance, prior, copies):
    """Estimate, score and what is left, by inverses."""
    v = prior * (1 - prior) * copies
    spread = A @ np.diag(v) @ A.T + np.diag(variance)
    rest = b - prior * A @ copies
    gain = np.diag(v) @ A.T @ np.linalg.inv(spread)
    off = gain @ rest
    h = np.diag(gain @ A) / copies
    estimate = prior + off / copies
    score = prior + (estimate - prior - h * (0.5 - prior)) / (1 - h)
    left = rest - A @ off
    misfit = np.sum(left**2 / variance) + np.sum(off**2 / v)
    return estimate, score, left / variance, misfit / len(b)


@pytest.mark.parametrize("n_rows", [9, 30])
@pytest.mark.parametrize("block", [3, 500])
def test_the_solution_and_what_is_left_by_hand(n_rows, block, monkeypatch):
    monkeypatch.setattr(_solver, "_BLOCK", block)
    rng = np.random.default_rng(0)
    A, prior = 3 * rng.normal(size=(n_rows, 14)), 0.3
    copies = np.ones(14)
    copies[3] = 2
    b = A @ (rng.random(14) < 0.3) + 0.3 * rng.normal(size=n_rows)
    half = n_rows // 2
    blocks = (
        Equations("dense", A[:half], b[:half], 0.2, 0.5),
        Equations("sparse", sp.csr_array(A[half:]), b[half:], 0.3),
    )
    found = solve(LinearSystem(blocks, 14), prior=prior, copies=copies)
    variance = np.where(np.arange(n_rows) < half, 0.2, 0.3) ** 2
    squares = A**2 @ copies
    variance += np.where(np.arange(n_rows) < half, 0.5, 0) * prior * squares
    variance += 1e-10 * squares
    expected = solved_by_hand(A, b, variance, prior, copies)
    assert_allclose(found.estimate, expected[0], rtol=1e-8)
    assert_allclose(found.score, expected[1], rtol=1e-8)
    assert_allclose(found.residual, expected[2], rtol=1e-6)
    assert_allclose(found.precision, 1 / variance)
    assert found.misfit == pytest.approx(expected[3])
    assert (found.n_iterations, found.is_falling) == (0, False)


def test_a_pool_that_lacks_records_is_solved_in_folds_by_hand():
    rng = np.random.default_rng(0)
    A, prior, n_outside = rng.normal(size=(6, 13)) + 0.5, 0.4, 5.0
    copies = np.where(np.arange(13) == 3, 3.0, 1.0)
    b = A @ (rng.random(13) < 0.4) + 2
    system = LinearSystem((Equations("any", A, b, 0.1),), 13)
    found = solve(system, prior=prior, copies=copies, n_outside=n_outside)
    squares, n = A**2 @ copies, copies.sum()
    variance = 0.01 + 9e-6 * squares + (5 + 25 / n) * squares / n
    estimate, score, left = np.empty(13), np.empty(13), np.zeros(6)
    for fold in range(5):
        others = copies * (np.arange(13) % 5 != fold)
        mean = A @ others / others.sum()
        own = np.arange(13) % 5 == fold
        one = solved_by_hand(A, b - 5 * mean, variance, prior, copies)
        estimate[own], score[own] = one[0][own], one[1][own]
        left += one[2] / 5
    assert_allclose(found.estimate, estimate, rtol=1e-8)
    assert_allclose(found.score, score, rtol=1e-8)
    assert_allclose(found.residual, left, rtol=1e-8)
    assert found.n_iterations == 0
    single = LinearSystem((Equations("any", A[:, :1], b, 0.1),), 1)
    assert np.isfinite(solve(single, n_outside=1.0).estimate).all()


def test_without_exactness_iterations_are_as_coarse_as_ranks_need(monkeypatch):
    asked = []
    iterate = _solver.damped_lsqr
    monkeypatch.setattr(
        _solver,
        "damped_lsqr",
        lambda *args, tol, **rest: asked.append(tol) or iterate(*args, tol=tol, **rest),
    )
    rng = np.random.default_rng(0)
    A = rng.normal(size=(20, 30))
    system = LinearSystem((Equations("any", A, rng.normal(size=20), 0.1),), 30)
    monkeypatch.setattr(_solver, "_ALWAYS_DIRECT", 19)
    assert solve(system).n_iterations > 0
    assert set(asked) == {1e-9}
    for tol, expected in ((1e-9, 1e-4), (1e-3, 1e-3)):
        asked.clear()
        assert solve(system, exact=False, tol=tol).n_iterations > 0
        assert set(asked) == {expected}
    monkeypatch.setattr(_solver, "_ALWAYS_DIRECT", 20)
    assert solve(system, exact=False).n_iterations == 0
    # More coefficients than may be held leave the iterations, too.
    monkeypatch.setattr(_solver, "_MOST_DENSE", 599)
    assert solve(system).n_iterations > 0
    monkeypatch.setattr(_solver, "_MOST_DENSE", 600)
    assert solve(system).n_iterations == 0


def test_the_lower_half_of_a_product_is_added_in_steps():
    rng = np.random.default_rng(0)
    left = sp.csr_array(rng.random((8, 5)) * (rng.random((8, 5)) < 0.5))
    expected = np.tril(2.0 + (left @ left.T).toarray())
    for step in (3, 8, 20):
        total = np.full((8, 8), 2.0)
        _add_products(total, left, left.T.tocsc(), step)
        assert_allclose(np.tril(total), expected)


def test_the_share_of_a_pool_by_its_formula():
    rng = np.random.default_rng(0)
    A, copies = rng.normal(size=(8, 12)), np.where(np.arange(12) == 2, 3.0, 1.0)
    A[5], n = 1.0, copies.sum()
    for n_members, b in ((9.0, rng.normal(size=8)), (9.0, 4 * rng.normal(size=8))):
        scale = np.append(np.full(7, 0.1), np.inf)
        block = Equations("any", A, b, scale, 0.2, n_members)
        system = LinearSystem((block,), 12)
        rho, mean = n_members / n, A @ copies / n
        spread = A**2 @ copies - n * mean**2
        rest = (b - n_members * mean) ** 2 - 0.01 - 0.2 * rho * (A**2 @ copies)
        known = [0, 1, 2, 3, 4, 6]
        ratio = rest[known].sum() / spread[known].sum()
        expected = (rho + rho**2 - ratio) / (2 * rho)
        expected = min(max(expected, 0.02), rho)
        assert share_of_pool(system, copies) == pytest.approx(expected)
    # Nothing known, and bounds.
    void = LinearSystem((Equations("any", A, b, np.inf, 0.0, 7.0),), 12)
    assert share_of_pool(void, copies) == pytest.approx(0.5)
    many = LinearSystem((Equations("any", A, b, np.inf, 0.0, 28.0),), 12)
    assert share_of_pool(many, copies) == pytest.approx(0.98)


def test_evidence_is_the_cosine_of_a_column_and_what_is_left():
    rng = np.random.default_rng(0)
    A, residual, precision = rng.normal(size=(5, 4)), rng.normal(size=5), rng.random(5)
    A[:, 2] = 0
    system = LinearSystem((Equations("any", A, np.zeros(5)),), 4)
    found, held = evidence(system, residual, precision), [0, 1, 3]
    expected = A.T @ residual / np.maximum(np.sqrt((A**2).T @ precision), 1e-9)
    assert_allclose(found[held], expected[held])
    assert np.isnan(found[2])
