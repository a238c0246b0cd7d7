"""Minima of quadratic functions inside bounds, and whether a point is one."""

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import cho_factor, cho_solve

from forgefield.fitting.cost.cost import Quadratic
from forgefield.fitting.data.training_set import FloatArray

_TINY = 1e-30
_SMALL_COST = 1e-4
"""A cost far below this (deviations of a hundredth of their tolerance) need not be lowered further."""
_PIVOTS = 100
"""Changes of the variables at walls after which the last one must do."""
_PATIENCE = 3
"""How often all offenders change sides without becoming fewer, before they do so one by one."""
_NEAR = 1e-5
"""A variable this close to a bound, in prior widths, is next to it."""
_ROUNDING = 1e-13
"""Relative size of what may be a rounding error."""


Bounds = tuple[Float[FloatArray, " free"], Float[FloatArray, " free"]]
"""Lowest and highest values of the scaled variables."""


def bounded_minimum(
    gradient: Float[np.ndarray, " n"],
    matrix: Float[np.ndarray, "n n"],
    lower: Float[np.ndarray, " n"],
    upper: Float[np.ndarray, " n"],
) -> Float[np.ndarray, " n"]:
    """Return the minimum of gᵀs + ½ sᵀAs inside a box that contains zero, for a positive definite A, else NaN.

    Block principal pivoting (J. J. Júdice, F. M. Pires, Computers Oper. Res. 1994, 21, 587): variables that
    leave the box go to its wall, those that a wall holds back for nothing are freed, all at once while
    that makes the offenders fewer, else the last of them alone.
    """
    side = np.where((lower >= 0.0) & (gradient > 0.0), -1, np.where((upper <= 0.0) & (gradient < 0.0), 1, 0))
    fewest, patience = len(gradient) + 1, _PATIENCE
    count = 0
    while True:
        fixed = side != 0
        move = np.where(side < 0, lower, np.where(side > 0, upper, 0.0))
        free = np.flatnonzero(~fixed)
        move[free] = solved(matrix[np.ix_(free, free)], -(gradient + matrix @ move)[free])
        offence = _offenders(gradient, matrix, move, side, (lower, upper))
        offends = np.flatnonzero(offence)
        if not offends.size or count == _PIVOTS:
            return np.clip(move, lower, upper)
        patience = _PATIENCE if offends.size < fewest else patience - 1
        fewest, count = min(fewest, offends.size), count + 1
        changed = offends if patience > 0 else offends[-1:]
        side[changed] = np.where(side[changed] == 0, offence[changed], 0)


def solved(matrix: Float[np.ndarray, "n n"], right: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Return the solution of linear equations with a positive definite matrix, NaN where it is none."""
    if not (len(right) and np.isfinite(matrix).all()):
        return np.full(len(right), np.nan)
    try:
        return np.asarray(cho_solve(cho_factor(matrix, check_finite=False), right, check_finite=False))
    except np.linalg.LinAlgError:
        return np.full(len(right), np.nan)


def _offenders(
    gradient: Float[np.ndarray, " n"],
    matrix: Float[np.ndarray, "n n"],
    move: Float[np.ndarray, " n"],
    side: Int[np.ndarray, " n"],
    walls: tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]],
) -> Int[np.ndarray, " n"]:
    """Return -1 or 1 for a variable beyond its lower or upper wall, or held by one for nothing, else 0."""
    lower, upper = walls
    rounding = _ROUNDING * (np.abs(gradient) + np.abs(matrix) @ np.abs(move))
    slope = gradient + matrix @ move
    slack = _ROUNDING * np.abs(move)
    beyond = np.where(move < lower - slack, -1, np.where(move > upper + slack, 1, 0))
    held_for_nothing = np.where(side * slope > rounding, side, 0)
    return np.where(side == 0, beyond, held_for_nothing)


def walled(at: Float[np.ndarray, " n"], bounds: Bounds) -> Float[np.ndarray, " n"]:
    """Return a point with the variables next to a bound on it, where searches that stay inside mean to be."""
    lower, upper = map(np.asarray, bounds)
    return np.where(at - lower < _NEAR, lower, np.where(upper - at < _NEAR, upper, at))


def has_converged(model: Quadratic, at: Float[FloatArray, " n"], bounds: Bounds, tolerance: float) -> bool:
    """Say whether a full Newton step promises to lower the cost by no more than this fraction of it."""
    return is_small(newton_decrement(model, at, bounds), float(model.cost), tolerance)


def is_small(promise: float, cost: float, tolerance: float) -> bool:
    """Say whether what a Newton step promises to gain is no more than this fraction of the cost."""
    return bool(np.isfinite(cost) and promise <= tolerance * (cost + _SMALL_COST))


def newton_decrement(model: Quadratic, at: Float[FloatArray, " n"], bounds: Bounds) -> float:
    """Return what an undamped step of the variables that are not pressed against a bound promises to gain."""
    at, lower, upper = np.asarray(at), *map(np.asarray, bounds)
    gradient, normal = np.asarray(model.gradient), np.asarray(model.normal)
    pressed = ((at <= lower) & (gradient > 0.0)) | ((at >= upper) & (gradient < 0.0))
    free = np.flatnonzero(~pressed)
    ridge = 1e-10 * np.diagonal(normal).max(initial=0.0) + _TINY
    matrix = normal[np.ix_(free, free)] + ridge * np.eye(len(free))
    return 0.5 * float(gradient[free] @ solved(matrix, gradient[free]))
