"""Bounded Levenberg-Marquardt on a quadratic model of the cost, one step at a time.

The step is pure and free of branches, so that `vmap` runs many starts in one kernel; the loop that
repeats it (and saves, reports and stops) is the caller's.
"""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, PyTree

from forgefield.fit.cost import Quadratic

_TINY = 1e-30
_SMALL_COST = 1e-4
"""A cost far below this (deviations of a hundredth of their tolerance) need not be lowered further."""
_ACCEPTED = 1e-4
"""A step is taken when the cost falls by this share of what the quadratic model promised."""
_FAIR, _GOOD = 0.25, 0.75
"""Gains from which the damping is lowered, and lowered more."""
_GIVE_UP = 1e14
"""Damping beyond which no step can lower the cost."""


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
    n_accepted: Int[Array, ""]
    accepted: Bool[Array, ""]
    """Whether the last step was taken."""
    converged: Bool[Array, ""]
    stuck: Bool[Array, ""]
    """No step lowers the cost any more, although the gradient is not zero."""
    seen: PyTree
    """What the evaluation observed at `at`."""

    @property
    def done(self) -> Bool[Array, ""]:
        """Whether further steps would change nothing."""
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


def step(
    state: State,
    evaluate: Callable[[Float[Array, " free"]], tuple[Quadratic, PyTree]],
    lower: Float[Array, " free"],
    upper: Float[Array, " free"],
    solver: LevenbergMarquardt,
) -> State:
    """Return the state after one trial step inside the bounds (of the scaled variables)."""
    model = state.quadratic
    scale = jnp.diagonal(model.normal)
    scale = jnp.maximum(scale, 1e-9 * jnp.max(scale)) + _TINY
    damped = model.normal + jnp.diag(state.damping * scale)
    move = bounded_minimum(model.gradient, damped, lower - state.at, upper - state.at)
    trial = jnp.clip(state.at + move, lower, upper)
    new, seen = evaluate(trial)
    promised = -(model.gradient @ move + 0.5 * move @ model.normal @ move)
    gain = (model.cost - new.cost) / jnp.maximum(promised, _TINY)
    finite = jnp.isfinite(new.cost) & jnp.all(jnp.isfinite(new.gradient)) & jnp.all(jnp.isfinite(new.normal))
    first = jnp.isinf(model.cost)
    accepted = finite & (first | ((gain > _ACCEPTED) & (new.cost < model.cost))) & ~state.done
    # A gain near a half is that of a residual quadratic in the step: damping would only slow it down.
    calmer = jnp.where(first, 1.0, jnp.where(gain > _GOOD, 0.2, jnp.where(gain > _FAIR, 0.4, 2.0)))
    kept = Quadratic(
        jnp.where(accepted, new.cost, model.cost),
        jnp.where(accepted, new.gradient, model.gradient),
        jnp.where(accepted, new.normal, model.normal),
    )
    at = jnp.where(accepted, trial, state.at)
    damping = jnp.where(accepted, jnp.maximum(state.damping * calmer, 1e-12), state.damping * state.growth)
    known = jnp.isfinite(kept.cost)
    converged = known & (newton_decrement(kept, at, lower, upper) <= solver.tolerance * (kept.cost + _SMALL_COST))
    updated = State(
        at=at,
        quadratic=kept,
        damping=damping,
        growth=jnp.where(accepted, 2.0, 2.0 * state.growth),
        n_accepted=state.n_accepted + accepted,
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
    """Return an approximate minimum of gᵀs + ½ sᵀAs inside a box that contains zero.

    Variables that would leave the box are put on its wall and the others solved for again, until none leaves.
    """
    n = gradient.shape[0]
    fixed = ((lower >= 0.0) & (gradient > 0.0)) | ((upper <= 0.0) & (gradient < 0.0))

    def solve(fixed, wall):
        known = jnp.where(fixed, wall, 0.0)
        inside = ~fixed
        reduced = jnp.where(inside[:, None] & inside[None, :], matrix, 0.0) + jnp.diag(jnp.where(fixed, 1.0, 0.0))
        right = jnp.where(inside, -(gradient + matrix @ known), known)
        return jnp.where(fixed, wall, jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(reduced), right))

    def leaves(carry):
        _, _, move, count = carry
        return jnp.any((move < lower) | (move > upper)) & (count < n)

    def put_on_wall(carry):
        fixed, wall, move, count = carry
        outside = (move < lower) | (move > upper)
        wall = jnp.where(outside, jnp.clip(move, lower, upper), wall)
        fixed = fixed | outside
        return fixed, wall, solve(fixed, wall), count + 1

    wall = jnp.zeros_like(gradient)
    carry = (fixed, wall, solve(fixed, wall), 0)
    return jnp.clip(jax.lax.while_loop(leaves, put_on_wall, carry)[2], lower, upper)


def newton_decrement(
    model: Quadratic, at: Float[Array, " n"], lower: Float[Array, " n"], upper: Float[Array, " n"]
) -> Float[Array, ""]:
    """Return what an undamped step of the variables that are not pressed against a bound promises to gain."""
    pressed = ((at <= lower) & (model.gradient > 0.0)) | ((at >= upper) & (model.gradient < 0.0))
    gradient = jnp.where(pressed, 0.0, model.gradient)
    scale = jnp.diagonal(model.normal)
    ridge = 1e-10 * jnp.max(scale) + _TINY
    free = ~pressed
    reduced = jnp.where(free[:, None] & free[None, :], model.normal, 0.0)
    matrix = reduced + jnp.diag(jnp.where(pressed, 1.0, ridge))
    return 0.5 * gradient @ jax.scipy.linalg.cho_solve(jax.scipy.linalg.cho_factor(matrix), gradient)
