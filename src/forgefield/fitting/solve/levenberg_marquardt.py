"""Bounded Levenberg-Marquardt on a quadratic model of the cost.

The step is pure and free of branches, so that `vmap` runs many starts in one kernel. What the Gauss-Newton matrix
leaves out of the curvature, second derivatives of large residuals, is learned from the gradients along the way, and
used while it foretells the cost better (J. E. Dennis, D. M. Gay, R. E. Welsch, ACM Trans. Math. Softw. 1981, 7, 348).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from forgefield.compiled import compiled
from forgefield.fitting.cost.cost import Problem, Quadratic
from forgefield.fitting.cost.gram import Gram
from forgefield.fitting.solve.bounded import Bounds, bounded_minimum, is_small, newton_decrement
from forgefield.fitting.solve.evaluation import Relaxed, begin_programs, map_starts, quadratics
from forgefield.fitting.solve.solver import LEVEL, AbstractSolver, AbstractState, Course, Tried, more_steps

_TINY = 1e-30
_ACCEPTED = 1e-4
"""A step is taken when the cost falls by this share of what the quadratic model promised."""
_FAIR, _GOOD = 0.25, 0.75
"""Gains from which the damping is lowered, and lowered more."""
_OF_WIDTH = 0.01
"""What damping holds a step of one prior width by, as a curvature of the cost."""
_NEAR = 0.1
"""Share of the cost by which a trial may raise it and still say something of the curvature."""
_ALONG = 1e-8
"""Corrections of the curvature that are at right angles to the step but for this are left out."""
_GIVE_UP = 1e14
"""Damping beyond which no step can lower the cost."""


_Structures = Float[Array | np.ndarray, "*starts chunks atoms 3"] | None


class State(AbstractState):
    """Where one start is, or each of many. The cost is infinite until the first evaluation."""

    at: Float[Array | np.ndarray, " free"]
    """Scaled variables."""
    quadratic: Quadratic
    rest: Float[Array, "free free"]
    """What steps have shown of the curvature beside the Gauss-Newton matrix."""
    uses_rest: Bool[Array, ""]
    """Whether it foretold the last cost better."""
    damping: Float[Array, ""]
    growth: Float[Array, ""]
    promise: Float[Array, ""]
    """What a full Newton step promises to gain there."""
    n_accepted: Int[Array | np.ndarray, ""]
    accepted: Bool[Array, ""]
    """Whether the last step was taken."""
    converged: Bool[Array, ""]
    stuck: Bool[Array, ""]
    """No step lowers the cost any more, although the gradient is not zero."""
    positions: _Structures
    """Relaxed structures at `at` [Å], from which the next ones are looked for; None where nothing is relaxed."""

    @property
    def done(self) -> Bool[Array | np.ndarray, "*starts"]:
        """Whether further steps would change nothing."""
        return self.converged | self.stuck


class LevenbergMarquardt(AbstractSolver):
    """Damped Gauss-Newton, all starts at once; the ratio of the gain to the promised one controls the damping."""

    tolerance: float = 1e-9
    max_steps: int = 200
    damping: float = 1e-3

    def begin(self, problem: Problem, points: Float[np.ndarray, "starts free"]) -> State:
        """Return the state of all starts before anything has been evaluated."""
        return _here(_begun(problem, points, self))

    def run(self, course: Course) -> None:
        """Take steps of all starts at once; one that has ended stays where it is."""
        problem, form, state = course.problem, course.form, course.progress.state
        assert isinstance(state, State)
        begin_programs(problem, form, state.at, state.quadratic, state.positions)
        while course.progress.n_iterations < self.max_steps and not np.all(state.done):
            tried = np.flatnonzero(~state.done)
            state = _here(step_all(problem, form, state, self))
            moved, cost = np.asarray(state.accepted)[tried], np.asarray(state.quadratic.cost)[tried]
            positions = None if state.positions is None else state.positions[tried]
            course.note(state, Tried(tried, moved, cost, positions))

    def judge(
        self, problem: Problem, form: Gram | None, at: Float[np.ndarray, "starts free"], positions: Relaxed
    ) -> tuple[Quadratic, Bool[np.ndarray, " starts"]]:
        """Return what a first step finds at these points."""
        state = self.begin(problem, at)
        if positions is not None:
            state = eqx.tree_at(lambda state: state.positions, state, positions)
        found = step_all(problem, form, state, self)
        return found.quadratic, np.asarray(found.converged)

    def why_not(self, state: AbstractState, start: int) -> str:
        """Return why a start has not converged."""
        assert isinstance(state, State)
        if state.done[start]:
            return "no step lowers the cost any more, although its gradient is not zero"
        return f"{self.max_steps} iterations were not enough: {more_steps(self.max_steps)}"


def _here(state: State) -> State:
    """Return a state as NumPy arrays: each operation on JAX's would be a program."""
    return jax.tree.map(np.asarray, state)


def begin(at: Float[Array, " free"], positions: _Structures, solver: LevenbergMarquardt) -> State:
    """Return the state before anything has been evaluated."""
    n = at.shape[0]
    unknown = Quadratic(jnp.asarray(jnp.inf, at.dtype), jnp.zeros(n, at.dtype), jnp.eye(n, dtype=at.dtype))
    return State(
        at=at,
        quadratic=unknown,
        rest=jnp.zeros((n, n), at.dtype),
        uses_rest=jnp.asarray(False),
        damping=jnp.asarray(solver.damping, at.dtype),
        growth=jnp.asarray(2.0, at.dtype),
        promise=jnp.asarray(jnp.inf, at.dtype),
        n_accepted=jnp.asarray(-1),
        accepted=jnp.asarray(False),
        converged=jnp.asarray(False),
        stuck=jnp.asarray(False),
        positions=positions,
    )


def trial(state: State, bounds: Bounds) -> Float[Array, " free"]:
    """Return where to go next: the minimum of the damped model inside the bounds (of the scaled variables).

    Damping holds each variable by its own curvature, and by its prior width, lest those that the data hardly know go
    far while the cost is not yet what its model says.
    """
    model, (lower, upper) = state.quadratic, (jnp.asarray(bound) for bound in bounds)
    held = model.normal + jnp.diag(state.damping * (jnp.diagonal(model.normal) + _OF_WIDTH))
    # Where the whole has no minimum, its factor is not a number.
    whole = held + state.rest
    has_minimum = jnp.all(jnp.isfinite(jnp.linalg.cholesky(whole, symmetrize_input=False)))
    damped = jnp.where(state.uses_rest & has_minimum, whole, held)
    move = bounded_minimum(model.gradient, damped, lower - state.at, upper - state.at)
    return jnp.clip(state.at + move, lower, upper)


def step(
    state: State,
    there: Float[Array, " free"],
    new: Quadratic,
    positions: _Structures,
    bounds: Bounds,
    solver: LevenbergMarquardt,
) -> State:
    """Return the state after a trial: where it led, with this cost and relaxed structures, or as it was."""
    model, move = state.quadratic, there - state.at
    gained = model.cost - new.cost
    without_rest = -(model.gradient @ move + 0.5 * move @ model.normal @ move)
    with_rest = without_rest - 0.5 * move @ state.rest @ move
    gain = gained / jnp.maximum(jnp.where(state.uses_rest, with_rest, without_rest), _TINY)
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
    converged = is_small(promise, kept.cost, solver.tolerance)
    # A trial that raised the cost by much was too far away to say anything of the curvature here.
    near = finite & ~first & (gained > -_NEAR * model.cost)
    rest = _learned(state.rest, move, new.gradient - model.gradient - new.normal @ move)
    updated = State(
        at=jnp.where(accepted, there, state.at),
        quadratic=kept,
        rest=jnp.where(near, rest, state.rest),
        uses_rest=~first & (jnp.abs(gained - with_rest) < jnp.abs(gained - without_rest)),
        damping=damping,
        growth=jnp.where(accepted, 2.0, 2.0 * state.growth),
        promise=promise,
        n_accepted=jnp.where(accepted, state.n_accepted + 1, state.n_accepted),
        accepted=accepted,
        converged=converged,
        stuck=~converged & (damping > _GIVE_UP),
        positions=jax.tree.map(lambda a, b: jnp.where(accepted, a, b), positions, state.positions),
    )
    return jax.tree.map(lambda a, b: jnp.where(state.done, b, a), updated, state)


def _learned(
    rest: Float[Array, "free free"], move: Float[Array, " free"], seen: Float[Array, " free"]
) -> Float[Array, "free free"]:
    """Return a symmetric matrix near `rest` of which the product with a move is what was `seen`.

    It is made smaller first where it is too large along the move, then corrected by a matrix of rank one.
    """
    along = jnp.abs(move @ rest @ move)
    sized = jnp.minimum(1.0, jnp.abs(move @ seen) / jnp.maximum(along, _TINY)) * rest
    missing = seen - sized @ move
    product = missing @ move
    sound = jnp.abs(product) > _ALONG * jnp.linalg.norm(missing) * jnp.linalg.norm(move)
    correction = missing[:, None] * missing[None, :] / jnp.where(sound, product, 1.0)
    return sized + jnp.where(sound, correction, 0.0)


def step_all(problem: Problem, form: Gram | None, state: State, solver: LevenbergMarquardt) -> State:
    """Return the state of all starts after a step of each: by one program, or several where molecules relax."""
    return (_in_parts if problem.relaxes else _in_one)(problem, form, state, solver)


def _in_parts(problem: Problem, form: Gram | None, state: State, solver: LevenbergMarquardt) -> State:
    trials = _trials(problem, form, state)
    found, positions = quadratics(problem, form, trials, state.positions)
    return _stepped(problem, form, (state, trials, found, positions), solver)


_in_one = compiled(_in_parts)


@compiled
def _trials(problem: Problem, form: Gram | None, state: State) -> Float[Array, "starts free"]:
    """Return where each start goes next."""
    return map_starts(problem, form, lambda state: trial(state, problem.bounds), state)


@compiled
def _stepped(problem: Problem, form: Gram | None, tried, solver: LevenbergMarquardt) -> State:
    """Return the state of each start after its trial."""

    def one(given):
        state, there, found, positions = given
        return step(state, there, found, positions, problem.bounds, solver)

    return map_starts(problem, form, one, tried)


@compiled
def _begun(problem: Problem, points: Float[Array | np.ndarray, "starts free"], solver: LevenbergMarquardt) -> State:
    positions = jnp.asarray(problem.chunks.data.positions) if problem.relaxes else None
    return jax.vmap(lambda at: begin(at, positions, solver))(jnp.asarray(points))
