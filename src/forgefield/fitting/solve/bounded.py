"""Minima of quadratic functions inside bounds, and whether a point is one."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from forgefield.fitting.cost.cost import Quadratic

_TINY = 1e-30
_SMALL_COST = 1e-4
"""A cost far below this (deviations of a hundredth of their tolerance) need not be lowered further."""
_PIVOTS = 100
"""Changes of the variables at walls after which the last one must do."""
_PATIENCE = 3
"""How often all offenders change sides without becoming fewer, before they do so one by one."""
_ROUNDING = 1e-13
"""Relative size of what may be a rounding error."""


Bounds = tuple[Float[Array | np.ndarray, " free"], Float[Array | np.ndarray, " free"]]
"""Lowest and highest values of the scaled variables."""


def bounded_minimum(
    gradient: Float[Array, " n"],
    matrix: Float[Array, "n n"],
    lower: Float[Array, " n"],
    upper: Float[Array, " n"],
) -> Float[Array, " n"]:
    """Return the minimum of gᵀs + ½ sᵀAs inside a box that contains zero, for a positive definite A.

    Block principal pivoting (J. J. Júdice, F. M. Pires, Computers Oper. Res. 1994, 21, 587): variables that
    leave the box go to its wall, those that a wall holds back for nothing are freed, all at once while
    that makes the offenders fewer, else the last of them alone.
    """
    n = gradient.shape[0]

    def solved(side):
        fixed = side != 0
        wall = jnp.where(side < 0, lower, jnp.where(side > 0, upper, 0.0))
        reduced = jnp.where(fixed[:, None] | fixed[None, :], jnp.eye(n, dtype=matrix.dtype), matrix)
        right = jnp.where(fixed, wall, -(gradient + matrix @ wall))
        move = jnp.where(fixed, wall, jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(reduced), right))
        return move, _offenders(gradient, matrix, move, side, (lower, upper))

    def unfinished(carry):
        _, _, offence, _, _, count = carry
        return jnp.any(offence != 0) & (count < _PIVOTS)

    def pivot(carry):
        side, _, offence, fewest, patience, count = carry
        offends = offence != 0
        n_offenders = jnp.sum(offends)
        fewer = n_offenders < fewest
        patience = jnp.where(fewer, _PATIENCE, patience - 1)
        last = jnp.arange(n) == jnp.max(jnp.where(offends, jnp.arange(n), -1))
        changed = offends & (last | (patience > 0))
        side = jnp.where(changed, jnp.where(side == 0, offence, 0), side)
        return side, *solved(side), jnp.minimum(fewest, n_offenders), patience, count + 1

    side = jnp.where((lower >= 0.0) & (gradient > 0.0), -1, jnp.where((upper <= 0.0) & (gradient < 0.0), 1, 0))
    carry = (side, *solved(side), jnp.asarray(n + 1), jnp.asarray(_PATIENCE), jnp.asarray(0))
    return jnp.clip(jax.lax.while_loop(unfinished, pivot, carry)[1], lower, upper)


def _offenders(
    gradient: Float[Array, " n"],
    matrix: Float[Array, "n n"],
    move: Float[Array, " n"],
    side: Int[Array, " n"],
    walls: tuple[Float[Array, " n"], Float[Array, " n"]],
) -> Int[Array, " n"]:
    """Return -1 or 1 for a variable beyond its lower or upper wall, or held by one for nothing, else 0."""
    lower, upper = walls
    rounding = _ROUNDING * (jnp.abs(gradient) + jnp.abs(matrix) @ jnp.abs(move))
    slope = gradient + matrix @ move
    slack = _ROUNDING * jnp.abs(move)
    beyond = jnp.where(move < lower - slack, -1, jnp.where(move > upper + slack, 1, 0))
    held_for_nothing = jnp.where(side * slope > rounding, side, 0)
    return jnp.where(side == 0, beyond, held_for_nothing)


def has_converged(model: Quadratic, at: Float[Array, " n"], bounds: Bounds, tolerance: float) -> Bool[Array, ""]:
    """Say whether a full Newton step promises to lower the cost by no more than this fraction of it."""
    return is_small(newton_decrement(model, at, bounds), model.cost, tolerance)


def is_small(promise: Float[Array, ""], cost: Float[Array, ""], tolerance: float | Float[Array, ""]) -> Bool[Array, ""]:
    """Say whether what a Newton step promises to gain is no more than this fraction of the cost."""
    return jnp.isfinite(cost) & (promise <= tolerance * (cost + _SMALL_COST))


def newton_decrement(model: Quadratic, at: Float[Array, " n"], bounds: Bounds) -> Float[Array, ""]:
    """Return what an undamped step of the variables that are not pressed against a bound promises to gain."""
    lower, upper = bounds
    pressed = ((at <= lower) & (model.gradient > 0.0)) | ((at >= upper) & (model.gradient < 0.0))
    gradient = jnp.where(pressed, 0.0, model.gradient)
    scale = jnp.diagonal(model.normal)
    ridge = 1e-10 * jnp.max(scale) + _TINY
    free = ~pressed
    reduced = jnp.where(free[:, None] & free[None, :], model.normal, 0.0)
    matrix = reduced + jnp.diag(jnp.where(pressed, 1.0, ridge))
    return 0.5 * gradient @ jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(matrix), gradient)
