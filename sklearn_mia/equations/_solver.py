"""From the equations to an estimate of the membership of each record."""

from dataclasses import dataclass

import numpy as np
from scipy.sparse.linalg import LinearOperator, lsqr
from scipy.special import ndtr

# Of the norm of a row: what rounding and rows that are wrong by a little may do.
_FLOOR = 3e-3


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
class Solution:
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
        Iterations of the solver.
    """

    estimate: np.ndarray
    residual: np.ndarray
    precision: np.ndarray
    misfit: float
    n_iterations: int


def solve(system, *, prior=0.5, copies=None, n_outside=0.0, max_iter=1000, tol=1e-9):
    r"""Linear estimate of least mean squared error of the membership of each record.

    .. math:: \hat m = \pi + v A^\top (v A A^\top + S)^{-1} (b - \pi A 1),
        \qquad v = \pi (1 - \pi)

    with S the variances of the rows: that of what is stored, that of the draws of a
    bootstrap, and at least the square of .003 of the norm of the row. It is the
    solution of a damped least-squares problem, which `lsqr` finds without random
    numbers and in the memory of A.

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
        Most iterations.

    tol : float, default=1e-9
        Relative accuracy at which the solver stops.

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
    known = np.isfinite(system.scale) & (squares > 0)
    # A row whose coefficients are as small as its rounding tells nothing.
    known &= np.sqrt(squares) >= 10 * np.where(known, system.scale, 0.0)
    variance = np.where(known, variance + _FLOOR**2 * squares, 1.0)
    rest = system.b - prior * system.dot(copies)
    if n_outside <= 0:
        return _damped(system, rest, variance, known, prior, copies, max_iter, tol)
    n_pool = copies.sum()
    spread = (n_outside + n_outside**2 / n_pool) * squares / n_pool
    variance = np.where(known, variance + spread, 1.0)
    folds = np.arange(n_records) % 5
    estimate, residual, n_iterations = np.empty(n_records), 0.0, 0
    for fold in range(5):
        others = copies * (folds != fold)
        mean = system.dot(others) / max(others.sum(), 1.0)
        found = _damped(
            system,
            rest - n_outside * mean,
            variance,
            known,
            prior,
            copies,
            max_iter,
            tol,
        )
        estimate[folds == fold] = found.estimate[folds == fold]
        residual = residual + found.residual / 5
        n_iterations = max(n_iterations, found.n_iterations)
    return Solution(estimate, residual, found.precision, found.misfit, n_iterations)


def _damped(system, rest, variance, known, prior, copies, max_iter, tol):
    """Solve for the deviation of each record from the prior, in its own units."""
    weights = np.where(known, 1 / np.sqrt(variance), 0.0)
    spread = np.sqrt(prior * (1 - prior) * copies)
    shape = len(rest), system.n_records
    operator = LinearOperator(
        shape,
        matvec=lambda x: weights * system.dot(spread * np.ravel(x)),
        rmatvec=lambda z: spread * system.transposed_dot(weights * np.ravel(z)),
        dtype=np.float64,
    )
    if not known.any():
        nothing = np.zeros(shape[0])
        return Solution(np.full(shape[1], float(prior)), nothing, nothing, 0.0, 0)
    x, _, n_iterations, _, left = lsqr(
        operator, weights * rest, damp=1.0, iter_lim=max_iter, atol=tol, btol=tol
    )[:5]
    deviation = spread * x
    precision = weights**2
    residual = (rest - system.dot(deviation)) * precision
    estimate = prior + deviation / copies
    misfit = float(left**2 / known.sum())
    return Solution(estimate, residual, precision, misfit, int(n_iterations))


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
