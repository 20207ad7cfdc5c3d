"""Damped least squares of a large system, in rounds of which each can be kept."""

from math import sqrt

import numpy as np

from sklearn_mia.memory import kept

# Seconds, where there are tens of thousands of records.
_ROUND = 50
_FALLING = 0.5
_EPS = np.finfo(np.float64).eps


def damped_lsqr(dot, transposed_dot, aim, n_unknowns, *, max_iter, tol, content):
    r"""Minimise :math:`|B x - a|^2 + |x|^2` by LSQR.

    It does what :func:`scipy.sparse.linalg.lsqr` does with ``damp=1``, to the last
    digit, and can go on where a long work was stopped.

    Parameters
    ----------
    dot, transposed_dot : callable
        Products of a vector with B and with its transpose.

    aim : ndarray of shape (n_rows,)

    n_unknowns : int

    max_iter : int
        Most iterations.

    tol : float
        Relative accuracy at which they stop.

    content : callable
        Gives what B, `aim` and `tol` depend on, to be hashed.

    Returns
    -------
    x : ndarray of shape (n_unknowns,)

    n_iterations : int

    is_falling : bool
        Whether the last half of the iterations at `max_iter` took away more than half
        of what is minimised: more of them would take away more.

    References
    ----------
    .. [1] C. Paige and M. Saunders, 1982, "LSQR: an algorithm for sparse linear
       equations and sparse least squares".
    """
    state = _begin(transposed_dot, aim, n_unknowns)
    while not state["ended"] and state["n"] < max_iter:
        end = min(state["n"] + _ROUND, max_iter)

        def go_on(state=state, end=end):
            return _iterate(dot, transposed_dot, dict(state), end, tol)

        def inputs(end=end):
            return content(), end

        state = kept("the solution of the equations", inputs, go_on)
    rests = (state["norm"] ** 2, *state["rests"])
    half = _FALLING * rests[state["n"] // 2]
    is_falling = bool(not state["ended"] and rests[-1] < half)
    return state["x"], state["n"], is_falling


def _begin(transposed_dot, aim, n_unknowns):
    x, norm = np.zeros(n_unknowns), np.linalg.norm(aim)
    u, v, alpha = aim, x, 0.0
    if norm > 0:
        u = (1 / norm) * aim
        v = transposed_dot(u)
        alpha = np.linalg.norm(v)
    if alpha > 0:
        v = (1 / alpha) * v
    return {
        "x": x,
        "u": u,
        "v": v,
        "w": v.copy(),
        "alpha": alpha,
        "rho_bar": alpha,
        "phi_bar": norm,
        "norm": norm,
        "norm_of_b": 0,
        "of_d": 0,
        "damped": 0,
        "norm_of_x": 0,
        "z": 0,
        "cs2": -1,
        "sn2": 0,
        "n": 0,
        "rests": (),
        "ended": alpha * norm == 0,
    }


def _iterate(dot, transposed_dot, s, end, tol):
    """Iterate until a number of iterations, or until it is accurate; new arrays."""
    while s["n"] < end:
        s["n"] += 1
        s["u"] = dot(s["v"]) - s["alpha"] * s["u"]
        beta = np.linalg.norm(s["u"])
        if beta > 0:
            s["u"] = (1 / beta) * s["u"]
            s["norm_of_b"] = sqrt(s["norm_of_b"] ** 2 + s["alpha"] ** 2 + beta**2 + 1)
            s["v"] = transposed_dot(s["u"]) - beta * s["v"]
            s["alpha"] = np.linalg.norm(s["v"])
            if s["alpha"] > 0:
                s["v"] = (1 / s["alpha"]) * s["v"]
        # A rotation takes away the damping, another one what is below the diagonal.
        diagonal = sqrt(s["rho_bar"] ** 2 + 1)
        psi = 1 / diagonal * s["phi_bar"]
        s["phi_bar"] = s["rho_bar"] / diagonal * s["phi_bar"]
        cs, sn, rho = _rotation(diagonal, beta)
        theta, s["rho_bar"] = sn * s["alpha"], -cs * s["alpha"]
        phi, s["phi_bar"] = cs * s["phi_bar"], sn * s["phi_bar"]
        tau = sn * phi
        s["of_d"] += np.linalg.norm((1 / rho) * s["w"]) ** 2
        s["x"] = s["x"] + phi / rho * s["w"]
        s["w"] = s["v"] + -theta / rho * s["w"]
        # A rotation from the right tells the norm of x.
        right = phi - s["sn2"] * rho * s["z"]
        gamma_bar = -s["cs2"] * rho
        norm_of_x = sqrt(s["norm_of_x"] + (right / gamma_bar) ** 2)
        gamma = sqrt(gamma_bar**2 + theta**2)
        s["cs2"], s["sn2"] = gamma_bar / gamma, theta / gamma
        s["z"] = right / gamma
        s["norm_of_x"] += s["z"] ** 2
        s["damped"] += psi**2
        rest = sqrt(s["phi_bar"] ** 2 + s["damped"])
        s["rests"] = (*s["rests"], rest**2)
        fits = rest / s["norm"]
        size = s["norm_of_b"] * norm_of_x / s["norm"]
        slope = s["alpha"] * abs(tau) / (s["norm_of_b"] * rest + _EPS)
        condition = 1 / (s["norm_of_b"] * sqrt(s["of_d"]) + _EPS)
        smallest = min(condition, slope, fits / (1 + size))
        if 1 + smallest <= 1 or slope <= tol or fits <= tol + tol * size:
            s["ended"] = True
            break
    return s


def _rotation(a, b):
    """Cosine, sine and length of the rotation that takes (a, b) to (length, 0)."""
    if b == 0:
        return np.sign(a), 0, abs(a)
    if a == 0:
        return 0, np.sign(b), abs(b)
    if abs(b) > abs(a):
        tau = a / b
        s = np.sign(b) / sqrt(1 + tau * tau)
        return s * tau, s, b / s
    tau = b / a
    c = np.sign(a) / sqrt(1 + tau * tau)
    return c, c * tau, a / c
