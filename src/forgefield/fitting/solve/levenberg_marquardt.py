"""Bounded Levenberg-Marquardt on a quadratic model of the cost, one step at a time.

The step is pure and free of branches, so that `vmap` runs many starts in one kernel; the loop that
repeats it (and saves, reports and stops) is the caller's.
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, PyTree

from forgefield.fitting.cost.cost import Quadratic

_TINY = 1e-30
_SMALL_COST = 1e-4
"""A cost far below this (deviations of a hundredth of their tolerance) need not be lowered further."""
_ACCEPTED = 1e-4
"""A step is taken when the cost falls by this share of what the quadratic model promised."""
_FAIR, _GOOD = 0.25, 0.75
"""Gains from which the damping is lowered, and lowered more."""
_OF_WIDTH = 0.01
"""What damping holds a step of one prior width by, as a curvature of the cost."""
LEVEL = 1e-12
"""Costs that differ by less than this fraction may be the same."""
_GIVE_UP = 1e14
"""Damping beyond which no step can lower the cost."""
_PIVOTS = 100
"""Changes of the variables at walls after which the last one must do."""
_PATIENCE = 3
"""How often all offenders change sides without becoming fewer, before they do so one by one."""
_ROUNDING = 1e-13
"""Relative size of what may be a rounding error."""


Bounds = tuple[Float[Array | np.ndarray, " free"], Float[Array | np.ndarray, " free"]]
"""Lowest and highest values of the scaled variables."""


class LevenbergMarquardt(eqx.Module):
    """Damped Gauss-Newton; the ratio of the gain to the promised one controls the damping.

    `tolerance`: a start has converged when a full Newton step promises to lower the cost by less than
    this fraction of it.
    """

    tolerance: float = 1e-9
    max_steps: int = 200
    damping: float = 1e-3


class State(eqx.Module):
    """Where one start is. The cost is infinite until the first evaluation."""

    at: Float[Array, " free"]
    """Scaled variables."""
    quadratic: Quadratic
    damping: Float[Array, ""]
    growth: Float[Array, ""]
    promise: Float[Array, ""]
    """What a full Newton step promises to gain there."""
    n_accepted: Int[Array, ""]
    accepted: Bool[Array, ""]
    """Whether the last step was taken."""
    converged: Bool[Array, ""]
    stuck: Bool[Array, ""]
    """No step lowers the cost any more, although the gradient is not zero."""
    seen: PyTree
    """What the evaluation observed at `at`."""

    @property
    def done(self) -> Bool[Array | np.ndarray, "*starts"]:
        """Whether further steps would change nothing; of many starts where the state is of many."""
        return self.converged | self.stuck


def begin(at: Float[Array, " free"], seen: PyTree, solver: LevenbergMarquardt) -> State:
    """Return the state before anything has been evaluated; `seen` gives the shapes of what will be observed."""
    n = at.shape[0]
    unknown = Quadratic(jnp.asarray(jnp.inf, at.dtype), jnp.zeros(n, at.dtype), jnp.eye(n, dtype=at.dtype))
    return State(
        at=at,
        quadratic=unknown,
        damping=jnp.asarray(solver.damping, at.dtype),
        growth=jnp.asarray(2.0, at.dtype),
        promise=jnp.asarray(jnp.inf, at.dtype),
        n_accepted=jnp.asarray(-1),
        accepted=jnp.asarray(False),
        converged=jnp.asarray(False),
        stuck=jnp.asarray(False),
        seen=jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), seen),
    )


def reconsider(state: State) -> State:
    """Forget the cost at the present point, so that the next step evaluates it again (under a new matching)."""
    quadratic = Quadratic(
        jnp.full_like(state.quadratic.cost, jnp.inf),
        jnp.zeros_like(state.quadratic.gradient),
        jnp.broadcast_to(jnp.eye(state.at.shape[-1]), state.quadratic.normal.shape),
    )
    return eqx.tree_at(
        lambda s: (s.quadratic, s.n_accepted, s.converged, s.stuck),
        state,
        (quadratic, state.n_accepted - 1, jnp.zeros_like(state.converged), jnp.zeros_like(state.stuck)),
    )


def trial(state: State, bounds: Bounds) -> Float[Array, " free"]:
    """Return where to go next: the minimum of the damped model inside the bounds (of the scaled variables).

    Damping holds each variable by its own curvature, and by its prior width, lest those that the data hardly know go
    far while the cost is not yet what its model says.
    """
    model, (lower, upper) = state.quadratic, (jnp.asarray(bound) for bound in bounds)
    damped = model.normal + jnp.diag(state.damping * (jnp.diagonal(model.normal) + _OF_WIDTH))
    move = bounded_minimum(model.gradient, damped, lower - state.at, upper - state.at)
    return jnp.clip(state.at + move, lower, upper)


def step(
    state: State, there: Float[Array, " free"], new: Quadratic, seen: PyTree, bounds: Bounds, solver: LevenbergMarquardt
) -> State:
    """Return the state after a trial: where it led, with this cost and what was `seen` there, or as it was."""
    model, move = state.quadratic, there - state.at
    promised = -(model.gradient @ move + 0.5 * move @ model.normal @ move)
    gain = (model.cost - new.cost) / jnp.maximum(promised, _TINY)
    finite = jnp.isfinite(new.cost) & jnp.all(jnp.isfinite(new.gradient)) & jnp.all(jnp.isfinite(new.normal))
    first = jnp.isinf(model.cost)
    promise = newton_decrement(new, there, bounds)
    lower_cost = (gain > _ACCEPTED) & (new.cost < model.cost)
    # Where rounding hides which cost is lower, the gradient says it.
    level = (jnp.abs(new.cost - model.cost) <= LEVEL * model.cost) & (promise < state.promise)
    accepted = finite & (first | lower_cost | level) & ~state.done
    # A gain near a half is that of a residual quadratic in the step: damping would only slow it down.
    calmer = jnp.where(first, 1.0, jnp.where(gain > _GOOD, 0.2, jnp.where(gain > _FAIR, 0.4, 2.0)))
    # Less damping than this has just failed.
    calmer = jnp.where(state.accepted, calmer, jnp.maximum(calmer, 1.0))
    kept = Quadratic(
        jnp.where(accepted, new.cost, model.cost),
        jnp.where(accepted, new.gradient, model.gradient),
        jnp.where(accepted, new.normal, model.normal),
    )
    promise = jnp.where(accepted, promise, state.promise)
    damping = jnp.where(accepted, jnp.maximum(state.damping * calmer, 1e-12), state.damping * state.growth)
    converged = _is_small(promise, kept.cost, solver.tolerance)
    updated = State(
        at=jnp.where(accepted, there, state.at),
        quadratic=kept,
        damping=damping,
        growth=jnp.where(accepted, 2.0, 2.0 * state.growth),
        promise=promise,
        n_accepted=jnp.where(accepted, state.n_accepted + 1, state.n_accepted),
        accepted=accepted,
        converged=converged,
        stuck=~converged & (damping > _GIVE_UP),
        seen=jax.tree.map(lambda a, b: jnp.where(accepted, a, b), seen, state.seen),
    )
    return jax.tree.map(lambda a, b: jnp.where(state.done, b, a), updated, state)


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
    return _is_small(newton_decrement(model, at, bounds), model.cost, tolerance)


def _is_small(promise: Float[Array, ""], cost: Float[Array, ""], tolerance: float) -> Bool[Array, ""]:
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
