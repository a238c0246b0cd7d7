"""SciPy's methods of minimisation in boxes, and the cycles of gradient steps and simplices made of two of them.

The cycles are those of Q2MM (P.-O. Norrby, T. Liljefors, J. Comput. Chem. 1998, 19, 1146; E. Hansen, A. R. Rosales,
B. Tutkowski, P.-O. Norrby, O. Wiest, Acc. Chem. Res. 2016, 49, 996).
"""

from collections.abc import Callable, Sequence
from typing import Any
from warnings import catch_warnings, simplefilter

import numpy as np
from jaxtyping import Float
from scipy.optimize import Bounds, basinhopping, minimize

from forgefield.fitting.solve.objective import Needs
from forgefield.fitting.solve.search import Attempt, Method

_FINEST = 1e-15
"""Below what a double can tell: a method ends where it finds nothing lower, and its end is judged alike for all."""
_FINE = 1e-10
"""Moves of the variables, and gains relative to the cost of the start, that do not matter."""
_NARROW, _LEVEL = 1e-7, 1e-12
"""A simplex so small, with costs so alike in those of the start, has ended: finer ones tell rounding errors apart."""
_TINY = 1e-30
_MARGIN = 1e-3
"""A barrier begins so far inside the bounds, in prior widths."""
_SPREAD = 0.25
"""Edges of a first simplex, in prior widths."""
_HOP = 0.5
"""Random displacements of basin hopping reach so far, in prior widths."""
_HEAT = 0.1
"""Its temperature, in costs of the start."""
_GRADIENT_STEPS, _SIMPLEX_STEPS = 10, 60
"""Of each cycle of gradient steps and a simplex"""
_FEW = 3
"""in so many variables, as in Q2MM."""
_STEP = 0.01
"""Of the differences by which these are chosen, in prior widths."""


def _box(lower: Float[np.ndarray, " n"], upper: Float[np.ndarray, " n"]) -> Bounds:
    """Return the bounds as SciPy has them."""
    return Bounds(lower, upper, keep_feasible=True)  # pyright: ignore[reportArgumentType] (SciPy takes arrays, too)


def _noted(attempt: Attempt) -> Callable[..., None]:
    """Return a callback that notes each iteration."""

    def note(intermediate_result: Any) -> None:
        attempt.step(np.asarray(intermediate_result.x), float(intermediate_result.fun))

    return note


def _minimised(
    attempt: Attempt,
    method: str,
    options: dict[str, Any],
    *,
    gradient: Any,
    note: Callable[..., None] | None,
    margin: float = 0.0,
) -> bool:
    """Minimise by a method of SciPy, which begins at least `margin` inside the bounds, and return whether it ended.

    `gradient` is True, the name of a difference, or None where none is needed.
    """
    solve: Callable[..., Any] = minimize
    lower, upper = map(np.asarray, attempt.bounds)
    room = np.minimum(margin, (upper - lower) / 4.0)
    found = solve(
        attempt.cost_and_gradient if gradient is True else attempt.value,
        np.clip(attempt.at, lower + room, upper - room),
        method=method,
        jac=gradient,
        bounds=_box(lower, upper),
        callback=note,
        options=options,
    )
    return bool(found.nit < options["maxiter"])


def _lbfgsb(attempt: Attempt) -> bool:
    return _quasi_newton(attempt, gradient=True)


def _lbfgsb_fd(attempt: Attempt) -> bool:
    return _quasi_newton(attempt, gradient="2-point")


def _quasi_newton(attempt: Attempt, gradient: Any) -> bool:
    limits = {"maxiter": attempt.steps_left, "maxfun": 10**9, "ftol": _FINEST, "gtol": _FINEST}
    return _minimised(attempt, "L-BFGS-B", limits, gradient=gradient, note=_noted(attempt))


def _trust_constr(attempt: Attempt) -> bool:
    limits = {"maxiter": attempt.steps_left, "gtol": _FINE, "xtol": _FINE, "barrier_tol": _FINE}
    with catch_warnings():
        # Two points of the same gradient tell it nothing of the curvature.
        simplefilter("ignore", UserWarning)
        return _minimised(attempt, "trust-constr", limits, gradient=True, note=_noted(attempt), margin=_MARGIN)


def simplex(attempt: Attempt, among: Sequence[int], max_steps: int, note: Callable[..., None] | None) -> bool:
    """Let a simplex in some of the variables crawl downhill from the best point, and return whether it ended."""
    begun, (lower, upper) = attempt.at.copy(), (np.asarray(wall)[list(among)] for wall in attempt.bounds)
    corners = np.tile(begun[list(among)], (len(among) + 1, 1))
    for k, corner in enumerate(corners[1:]):
        # Inwards where there is no room outwards.
        corner[k] += _SPREAD if corner[k] + _SPREAD <= upper[k] else -_SPREAD

    def value(some: np.ndarray) -> float:
        whole = begun.copy()
        whole[list(among)] = some
        return attempt.value(whole)

    options = {"initial_simplex": np.clip(corners, lower, upper), "maxiter": max_steps, "maxfev": 10**9}
    tolerances = {"xatol": _NARROW, "fatol": _LEVEL, "adaptive": True}
    solve: Callable[..., Any] = minimize
    found = solve(
        value,
        begun[list(among)],
        method="Nelder-Mead",
        bounds=_box(lower, upper),
        callback=note,
        options=options | tolerances,
    )
    return bool(found.nit < max_steps)


def _nelder_mead(attempt: Attempt) -> bool:
    return simplex(attempt, range(len(attempt.at)), attempt.steps_left, _noted(attempt))


def _powell(attempt: Attempt) -> bool:
    limits = {"maxiter": attempt.steps_left, "maxfev": 10**9}
    return _minimised(
        attempt, "Powell", {**limits, "ftol": _FINEST, "xtol": _FINE}, gradient=None, note=_noted(attempt)
    )


def _basin_hopping(attempt: Attempt) -> bool:
    """Hop at random and roll down: a hop that ends higher is taken with a probability that falls with the rise."""
    lower, upper = map(np.asarray, attempt.bounds)

    def hop(at: np.ndarray) -> np.ndarray:
        return np.clip(at + attempt.lots.uniform(-_HOP, _HOP, len(at)), lower, upper)

    def note(at: np.ndarray, cost: float, _: bool) -> None:
        attempt.step(np.asarray(at), float(cost))

    descent = {"method": "L-BFGS-B", "jac": True, "bounds": _box(lower, upper)}
    options = {"options": {"ftol": _FINE, "gtol": _FINE}}
    solve: Callable[..., Any] = basinhopping
    # The first descent is told as a hop, too.
    solve(
        attempt.cost_and_gradient,
        attempt.at,
        niter=attempt.steps_left - 1,
        T=_HEAT,
        take_step=hop,
        minimizer_kwargs=descent | options,
        callback=note,
        rng=attempt.lots,
    )
    return False


def _cycled(attempt: Attempt) -> bool:
    """Take gradient steps, then let a simplex crawl in the few most sensitive variables, and so on."""
    while attempt.steps_left:
        before = attempt.cost
        limits = {"maxiter": _GRADIENT_STEPS, "ftol": _FINEST, "gtol": _FINEST}
        _minimised(attempt, "L-BFGS-B", limits, gradient=True, note=None)
        first, second = _central_differences(attempt)
        # A step in one variable alone promises to gain d1²/2 d2.
        ranking = np.argsort(second / np.maximum(first**2, _TINY), kind="stable")
        chosen = sorted(int(k) for k in ranking[:_FEW])
        attempt.learn(first, second, chosen)
        simplex(attempt, chosen, _SIMPLEX_STEPS, None)
        attempt.step(attempt.at, attempt.cost)
        if before - attempt.cost <= attempt.tolerance * before:
            return True
    return False


def _central_differences(attempt: Attempt) -> tuple[Float[np.ndarray, " free"], Float[np.ndarray, " free"]]:
    """Return first and second derivatives of the cost by each variable alone, inside the bounds."""
    at, here, (lower, upper) = attempt.at.copy(), attempt.cost, map(np.asarray, attempt.bounds)
    first, second = np.zeros(len(at)), np.zeros(len(at))
    for k in range(len(at)):
        # At a bound both points lie on its inner side, and the middle one moves.
        middle = np.clip(at[k], lower[k] + _STEP, upper[k] - _STEP)
        down, level, up = (
            here if value == at[k] else attempt.value(np.where(np.arange(len(at)) == k, value, at))
            for value in (middle - _STEP, middle, middle + _STEP)
        )
        first[k], second[k] = (up - down) / (2.0 * _STEP), (up - 2.0 * level + down) / _STEP**2
    return first, second


LBFGSB = Method("L-BFGS-B", Needs.GRADIENT, _lbfgsb)
LBFGSB_FD = Method("L-BFGS-B by differences", Needs.COST, _lbfgsb_fd)
TRUST_CONSTR = Method("SciPy's trust-constr", Needs.GRADIENT, _trust_constr)
NELDER_MEAD = Method("Nelder-Mead", Needs.COST, _nelder_mead)
POWELL = Method("Powell's method", Needs.COST, _powell)
BASIN_HOPPING = Method("basin hopping", Needs.GRADIENT, _basin_hopping)
GRAD_SIMP = Method("gradient steps and simplices in turn", Needs.GRADIENT, _cycled)
