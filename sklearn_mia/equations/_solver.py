"""From the equations to an estimate of the membership of each record."""

from dataclasses import dataclass, replace
from functools import cached_property, partial

import joblib
import numpy as np
import scipy.sparse as sp
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.special import ndtr

from sklearn_mia._views import TableViewMixin
from sklearn_mia.equations._damped import damped_lsqr
from sklearn_mia.memory import kept

# Of the norm of a row: what rounding and rows that are wrong by a little may do.
_FLOOR = 3e-3
# The same where equations are solved exactly and fit each other.
_EXACT_FLOOR = 1e-5
# Squared standard deviations an equation that no pool with all members has: for many
# equations, and what few of them, of 10 or 20 trees say, may be off.
_MOST_MISFIT, _MISFIT_OF_FEW = 1.5, 7.0
# Where the error is known by a bound alone: shares of it that are tried, while what is
# left is less than _TOO_WELL.
_SHARES_OF_BOUNDS, _TOO_WELL = (0.3, 0.1, 0.03), 0.5
# Up to so many records or equations, and coefficients that are not sparse.
_MOST_DIRECT = 10_000
_MOST_DENSE = 60_000_000
# Above so many, only where so few iterations do not do.
_ALWAYS_DIRECT = 1000
_FEW_ITERATIONS = 150
_N_REFINEMENTS = 2
# Accuracy of iterations that only have to rank the records.
_COARSE = 1e-4
# Operations that the leverages may take: about a minute of one core.
_MOST_OPERATIONS = 1e12
# A record of which less is open is certain.
_LEAST_OPEN = 1e-3
_BLOCK = 500


def auc_ceiling(n_equations, n_records):
    r"""Largest AUC that so many equations, however exact, allow on average.

    .. math:: \Phi\left(\sqrt{2 \rho / (1 - \rho)}\right),
        \qquad \rho = \text{equations} / \text{records}

    Equations at random leave of the membership of a record what lies outside of a space
    of as many dimensions. Those of a model are uneven and partly the same, and tell
    less; of single records they can tell more.

    Parameters
    ----------
    n_equations : int
        Number of equations.

    n_records : int
        Records of the pool, half of them members.

    Returns
    -------
    auc : float
        The area, 1 if there are as many equations as records.

    Examples
    --------
    >>> from sklearn_mia.equations import auc_ceiling
    >>> round(auc_ceiling(16, 2000), 2), auc_ceiling(3000, 2000)
    (0.55, 1.0)
    """
    rho = n_equations / n_records
    return 1.0 if rho >= 1 else float(ndtr(np.sqrt(2 * rho / (1 - rho))))


@dataclass(frozen=True, repr=False)
class Solution(TableViewMixin):
    """Estimated membership of a pool.

    Attributes
    ----------
    estimate : ndarray of shape (n_records,)
        Linear estimate of how often a record is in the training data, by copy of the
        record; any real number.

    residual : ndarray of shape (n_rows,)
        What is left of each equation, divided by its variance.

    precision : ndarray of shape (n_rows,)
        One over the variance of each row, 0 for one that tells nothing.

    misfit : float
        What the equations and the prior leave, in squared standard deviations an
        equation: about 1 or less where they are right, and much more where exact
        equations hold for no membership of this pool.

    n_iterations : int
        Iterations of the solver, 0 for a direct one.

    score : ndarray of shape (n_records,)
        Linear in the log odds of the membership of each record, on the scale of
        `estimate`.

    is_falling : bool, default=False
        Whether iterations were stopped while the misfit was still falling fast.
    """

    estimate: np.ndarray
    residual: np.ndarray
    precision: np.ndarray
    misfit: float
    n_iterations: int
    score: np.ndarray
    is_falling: bool = False

    @property
    def fits(self):
        """Whether the pool may have all training records."""
        if self.is_falling:
            return True
        n_used = np.count_nonzero(self.precision)
        return self.misfit <= _MOST_MISFIT + _MISFIT_OF_FEW / np.sqrt(max(n_used, 1))


def solve(
    system,
    *,
    prior=0.5,
    copies=None,
    n_outside=0.0,
    max_iter=1000,
    exact=True,
    tol=1e-9,
):
    r"""Linear estimate of least mean squared error of the membership of each record.

    .. math:: \hat m = \pi + v A^\top (v A A^\top + S)^{-1} (b - \pi A 1),
        \qquad v = \pi (1 - \pi)

    with S the variances of the rows: that of what is stored, that of the draws of a
    bootstrap, and a share of the norm of the row. Up to 10,000 records or equations the
    solution is exact, by a Cholesky factor if need be, and the share is 1e-5 or, where
    the equations do not fit each other as well as that, .003. It is .003 for larger
    systems, which `lsqr` solves without random numbers and in the memory of A.

    The estimate holds a record back to the prior by its leverage h, and by much where
    the equations tell little of it. A record is therefore ranked by

    .. math:: \pi + \frac{\hat m_i - \pi - h_i (1 - 2 \pi) / 2}{1 - h_i}, \qquad
        h = \text{diag} \big(v A^\top (v A A^\top + S)^{-1} A\big)

    which is linear in its log odds where all others and the noise are as if normal.
    They need the factor of a direct solution. After iterations, and where it would take
    more than a minute, each row k is taken by itself:

    .. math:: h_i \approx \frac{\tau_i}{1 + \tau_i}, \qquad
        \tau_i = v \sum_k \frac{a_{ki}^2}{s_k^2 + v \sum_j a_{kj}^2}

    A pool that lacks :math:`R` training records sees their sum in every row. Their
    mean row is taken to be that of the pool, which adds
    :math:`(R + R^2 / n) \overline{a^2}` to the variance of a row. A record must not
    be in the mean that it is compared with, so that the pool is solved in five folds,
    each with the mean of the others.

    Parameters
    ----------
    system : LinearSystem
        Records in an order that does not depend on how they were given, such as that
        of their ids: a permuted pool changes the last digits.

    prior : float, default=0.5
        Share of the pool that is in the training data, in (0, 1).

    copies : ndarray of shape (n_records,) or None, default=None
        How many equal records each column stands for, 1 by default.

    n_outside : float, default=0.0
        Training records that are expected to be outside the pool.

    max_iter : int, default=1000
        Most iterations for a large system.

    exact : bool, default=True
        Whether a system of more than 1,000 records and equations is solved exactly
        where it may be. False takes the iterations for it, and stops them where the
        ranks of the records hardly change.

    tol : float, default=1e-9
        Relative accuracy at which they stop; 1e-4 at the least without `exact`.

    Returns
    -------
    solution : Solution
        The estimate, and what is left of the equations.

    References
    ----------
    .. [1] I. Dinur and K. Nissim, 2003, "Revealing information while preserving
       privacy".
    .. [2] S. Kasiviswanathan, M. Rudelson and A. Smith, 2013, "The power of linear
       reconstruction attacks".
    """
    n_records = system.n_records
    copies = np.ones(n_records) if copies is None else np.asarray(copies, float)
    squares = system.squares(copies)
    variance = system.noise(prior * copies) ** 2
    bounds = any(block.is_bound for block in system.blocks)
    known = np.isfinite(system.scale) & (squares > 0)
    # A row whose coefficients are as small as its rounding tells nothing.
    known &= np.sqrt(squares) >= 10 * np.where(known, system.scale, 0.0)
    rest = system.b - prior * system.dot(copies)
    if not known.any():
        nothing = np.zeros(len(rest))
        flat = np.full(n_records, float(prior))
        return Solution(flat, nothing, nothing, 0.0, 0, flat)

    tol = tol if exact else max(tol, _COARSE)
    most_direct = _MOST_DIRECT if exact else min(_ALWAYS_DIRECT, _MOST_DIRECT)

    def prepared(floor, more=0.0, variance=variance):
        total = np.where(known, variance + floor**2 * squares + more, np.inf)
        return _Damped(system, total, prior, copies, max_iter, most_direct, tol)

    if n_outside <= 0:
        damped = prepared(_EXACT_FLOOR)
        if damped.side <= most_direct:
            found = damped.solve(rest)
            for share in _SHARES_OF_BOUNDS if bounds else ():
                if found.misfit >= _TOO_WELL:
                    break
                less = system.noise(prior * copies, share) ** 2
                tighter = prepared(_EXACT_FLOOR, variance=less)
                closer = tighter.solve(rest)
                if closer.misfit > 1:
                    break
                damped, found = tighter, closer
            if found.fits:
                return damped.scored(found)
        del damped
        damped = prepared(_FLOOR)
        return damped.scored(damped.solve(rest))
    n_pool = copies.sum()
    damped = prepared(_FLOOR, (n_outside + n_outside**2 / n_pool) * squares / n_pool)
    folds = np.arange(n_records) % 5
    estimate, residual, n_iterations = np.empty(n_records), 0.0, 0
    for fold in range(5):
        others = copies * (folds != fold)
        mean = system.dot(others) / max(others.sum(), 1.0)
        found = damped.solve(rest - n_outside * mean)
        estimate[folds == fold] = found.estimate[folds == fold]
        residual = residual + found.residual / 5
        n_iterations = max(n_iterations, found.n_iterations)
    told = {"estimate": estimate, "residual": residual, "n_iterations": n_iterations}
    return damped.scored(replace(found, **told))


class _Damped:
    """Finds the deviation of each record from the prior, in its own units.

    A pickle of it holds the coefficients of the pool.
    """

    def __init__(self, system, variance, prior, copies, max_iter, most_direct, tol):
        self.system, self.prior, self.copies = system, prior, copies
        self.max_iter, self.most_direct, self.tol = max_iter, most_direct, tol
        self.weights = 1 / np.sqrt(variance)
        self.spread = np.sqrt(prior * (1 - prior) * copies)
        # The unknowns of a direct solution.
        self.side = min(np.count_nonzero(self.weights), system.n_records)
        if system.n_dense > _MOST_DENSE:
            self.side = np.inf
        # Once iterations were not enough they are not tried again.
        self.is_direct = self.side <= _ALWAYS_DIRECT
        self.factors = None

    def solve(self, rest):
        """Solve for what the prior leaves of the equations."""
        aim = self.weights * rest
        x, n_iterations, is_falling = self._find(aim)
        left = aim - self._dot(x)
        misfit = float((left @ left + x @ x) / np.count_nonzero(self.weights))
        estimate = self.prior + self.spread * x / self.copies
        residual, precision = left * self.weights, self.weights**2
        found = estimate, residual, precision, misfit, n_iterations, estimate
        return Solution(*found, is_falling)

    def scored(self, found):
        """The solution, its records ranked by their log odds."""
        if self.is_direct and self._n_operations <= _MOST_OPERATIONS:
            leverage = kept(
                "the solution of the equations",
                lambda: ("leverages", self._content),
                lambda: self._factored().leverages(),
            )
        else:
            leverage = self._leverages_of_rows()
        # Of one of several equal records.
        leverage = leverage / self.copies
        off = found.estimate - self.prior - leverage * (0.5 - self.prior)
        score = self.prior + off / np.maximum(1 - leverage, _LEAST_OPEN)
        return replace(found, score=score)

    def _leverages_of_rows(self):
        """Leverages as if no two rows had anything in common but the record."""
        precision, variance = self.weights**2, self.spread**2
        told = precision / (1 + precision * self.system.squares(variance))
        odds = variance * self.system.transposed_squares(told)
        return odds / (1 + odds)

    @property
    def _n_operations(self):
        n_rows, n_records = np.count_nonzero(self.weights), self.system.n_records
        return n_records * min(n_rows, n_records) ** 2

    def _find(self, aim):
        if self.side > self.most_direct:
            return self._iterate(aim, self.max_iter)
        if not self.is_direct:
            x, n_iterations, _ = self._iterate(aim, _FEW_ITERATIONS)
            if n_iterations < _FEW_ITERATIONS:
                return x, n_iterations, False
            self.is_direct = True
        x = kept(
            "the solution of the equations",
            lambda: ("direct", *self._inputs(aim)),
            partial(self._solve_directly, aim),
        )
        return x, 0, False

    def _solve_directly(self, aim):
        return self._factored().solve(aim)

    def _factored(self):
        if self.factors is None:
            self.factors = _Factors(self.system, self.weights, self.spread)
        return self.factors

    def _inputs(self, aim):
        """What a solution depends on, to be hashed."""
        return self._content, joblib.hash(aim), self.tol

    def _iterate(self, aim, most):
        return damped_lsqr(
            self._dot,
            self._transposed_dot,
            aim,
            self.system.n_records,
            max_iter=most,
            tol=self.tol,
            content=partial(self._inputs, aim),
        )

    @cached_property
    def _content(self):
        return joblib.hash((self.system, self.weights, self.spread))

    def _dot(self, x):
        return self.weights * self.system.dot(self.spread * np.ravel(x))

    def _transposed_dot(self, z):
        return self.spread * self.system.transposed_dot(self.weights * np.ravel(z))


class _Factors:
    """Cholesky factor of the normal equations, by the smaller side of the system.

    A pickle of it holds products of the coefficients of the pool.
    """

    def __init__(self, system, weights, spread):
        stacked = system.stacked(np.flatnonzero(weights))
        (sparse, at_sparse), (dense, at_dense) = stacked
        self.order = np.concatenate([at_sparse, at_dense])
        scale = sp.diags_array(weights[at_sparse])
        self.sparse = (scale @ sparse @ sp.diags_array(spread)).tocsr()
        self.dense = dense * weights[at_dense][:, None] * spread
        self.by_records = system.n_records <= len(self.order)
        gram = self._of_records() if self.by_records else self._of_rows()
        gram[np.diag_indices_from(gram)] += 1.0
        self.factor = cho_factor(gram, lower=True, overwrite_a=True)

    def solve(self, aim):
        """The x of least squares |aim - B x| and |x| together."""
        aim = aim[self.order]
        x = z = 0.0
        for _ in range(1 + _N_REFINEMENTS):
            if self.by_records:
                left = self._transposed_dot(aim - self._dot(x)) - x
                x = x + cho_solve(self.factor, left)
            else:
                z = z + cho_solve(self.factor, aim - z - self._dot(x))
                x = self._transposed_dot(z)
        return x

    def leverages(self):
        """Share of the variance of each record that the equations take away."""
        factor, n_records = self.factor[0], self.sparse.shape[1]
        found = np.empty(n_records)
        for start in range(0, n_records, _BLOCK):
            own = slice(start, start + _BLOCK)
            if self.by_records:
                # Its inverse is lower triangular as well.
                inner, side = factor[start:, start:], n_records - start
                half = solve_triangular(inner, np.eye(side, _BLOCK), lower=True)
                found[own] = 1 - np.sum(half**2, axis=0)[:side]
            else:
                rows = np.vstack([self.sparse[:, own].toarray(), self.dense[:, own]])
                half = solve_triangular(factor, rows, lower=True)
                found[own] = np.sum(half**2, axis=0)
        return found

    def _dot(self, x):
        if np.ndim(x) == 0:
            return 0.0
        return np.concatenate([self.sparse @ x, self.dense @ x])

    def _transposed_dot(self, z):
        n = self.sparse.shape[0]
        return self.sparse.T @ z[:n] + self.dense.T @ z[n:]

    def _of_records(self):
        # In the order of the factor, so that it takes the same memory.
        gram = np.zeros((self.sparse.shape[1],) * 2, order="F")
        if len(self.dense):
            gram += self.dense.T @ self.dense
        _add_products(gram, self.sparse.T.tocsr(), self.sparse.tocsc())
        return gram

    def _of_rows(self):
        n = self.sparse.shape[0]
        gram = np.zeros((len(self.order),) * 2, order="F")
        _add_products(gram[:n, :n], self.sparse, self.sparse.T.tocsc())
        gram[n:, :n] = (self.sparse @ self.dense.T).T
        gram[n:, n:] = self.dense @ self.dense.T
        return gram


def _add_products(total, left, right, step=500):
    """Add the lower half of a symmetric product, in little memory."""
    for start in range(0, right.shape[1], step):
        columns = slice(start, start + step)
        total[start:, columns] += (left[start:] @ right[:, columns]).toarray()


def share_of_pool(system, copies):
    r"""Estimate which share of an incomplete pool is in the training data.

    Let a row have the mean :math:`\bar a` and the variance :math:`s^2` in the pool, of
    which a share :math:`\pi` is among the :math:`N = \rho n` training records, and let
    the others of these be like the pool. Then

    .. math:: \frac{E (b - N \bar a)^2}{n s^2} = \rho + \rho^2 - 2 \pi \rho

    whatever the row, and the mean over all of them tells the share.

    Parameters
    ----------
    system : LinearSystem
        With `n_members`.

    copies : ndarray of shape (n_records,)
        How many equal records each column stands for.

    Returns
    -------
    share : float
        Between .02 and .98, and at most that of a pool with all training records.
    """
    n_pool = copies.sum()
    rho = system.n_members / n_pool
    mean = system.dot(copies) / n_pool
    spread = system.squares(copies) - n_pool * mean**2
    rest = (system.b - system.n_members * mean) ** 2
    rest -= system.noise(rho * copies) ** 2
    known = np.isfinite(system.scale) & (spread > 0)
    share = (1 + rho) / 2
    if known.any():
        share -= rest[known].sum() / spread[known].sum() / (2 * rho)
    return float(np.clip(share, 0.02, min(rho, 0.98)))


def evidence(system, residual, precision):
    r"""What is left of the equations of a solved pool that a record would explain.

    .. math:: \frac{a^\top z}{|a|}

    with a the column of the record, z the `residual` and \|a\| its norm where rows
    count by their precision. For a record of the pool it is the deviation of its
    estimate from the prior, in other units.

    Parameters
    ----------
    system : LinearSystem
        The same rows, with the columns of the records in question.

    residual, precision : ndarray of shape (n_rows,)
        Of the :class:`Solution`.

    Returns
    -------
    evidence : ndarray of shape (n_records,)
        NaN for a record that is in no equation.
    """
    size = np.sqrt(system.transposed_squares(precision))
    found = np.full(len(size), np.nan)
    return np.divide(system.transposed_dot(residual), size, out=found, where=size > 0)
