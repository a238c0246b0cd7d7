"""Bounded Levenberg-Marquardt on a quadratic model of the cost.

What the Gauss-Newton matrix leaves out of the curvature, second derivatives of large residuals, is learned from the
gradients along the way, and used while it foretells the cost better (J. E. Dennis, D. M. Gay, R. E. Welsch, ACM Trans.
Math. Softw. 1981, 7, 348).
"""

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from forgefield.fitting.cost.cost import Problem, Quadratic
from forgefield.fitting.cost.gram import Gram
from forgefield.fitting.data.training_set import FloatArray
from forgefield.fitting.solve.bounded import Bounds, bounded_minimum, is_small, newton_decrement, solved
from forgefield.fitting.solve.evaluation import Relaxed, begin_programs, quadratics
from forgefield.fitting.solve.objective import Needs
from forgefield.fitting.solve.solver import LEVEL, AbstractSolver, AbstractState, Course, Tried, more_steps

_TINY = 1e-30
_ACCEPTED = 1e-4
"""A step is taken when the cost falls by this share of what the quadratic model promised."""
_FAIR, _GOOD = 0.25, 0.75
"""Gains from which the damping is lowered, and lowered more."""
_OF_WIDTH = 0.01
"""What damping holds a step of one prior width by, as a curvature of the cost."""
_LONGEST = 3.0
"""Prior widths that a variable may move in one step: longer ones lead over ridges, to minima far from all priors."""
_NEAR = 0.1
"""Share of the cost by which a trial may raise it and still say something of the curvature."""
_ALONG = 1e-8
"""Corrections of the curvature that are at right angles to the step but for this are left out."""
_GIVE_UP = 1e14
"""Damping beyond which no step can lower the cost."""


_Structures = Float[Array | np.ndarray, "*starts chunks atoms 3"] | None


class State(AbstractState):
    """Where one start is, or each of many. The cost is infinite until the first evaluation."""

    at: Float[FloatArray, "*starts free"]
    """Scaled variables."""
    quadratic: Quadratic
    rest: Float[FloatArray, "*starts free free"]
    """What steps have shown of the curvature beside the Gauss-Newton matrix."""
    uses_rest: Bool[FloatArray, "*starts"]
    """Whether it foretold the last cost better."""
    damping: Float[FloatArray, "*starts"]
    growth: Float[FloatArray, "*starts"]
    promise: Float[FloatArray, "*starts"]
    """What a full Newton step promises to gain there."""
    n_accepted: Int[FloatArray, "*starts"]
    accepted: Bool[FloatArray, "*starts"]
    """Whether the last step was taken."""
    converged: Bool[FloatArray, "*starts"]
    stuck: Bool[FloatArray, "*starts"]
    """No step lowers the cost any more, although the gradient is not zero."""
    positions: _Structures
    """Relaxed structures at `at` [Å], from which the next ones are looked for; None where nothing is relaxed."""

    @property
    def done(self) -> Bool[Array | np.ndarray, "*starts"]:
        """Whether further steps would change nothing."""
        return np.asarray(self.converged | self.stuck)


class LevenbergMarquardt(AbstractSolver):
    """Damped Gauss-Newton, all starts at once; the ratio of the gain to the promised one controls the damping."""

    tolerance: float = 1e-9
    max_steps: int = 200
    damping: float = 1e-3

    @property
    def needs(self) -> Needs:
        """Residuals: it works on the Gauss-Newton matrix."""
        return Needs.RESIDUALS

    def begin(self, problem: Problem, points: Float[np.ndarray, "starts free"]) -> State:
        """Return the state of all starts before anything has been evaluated."""
        positions = np.asarray(problem.chunks.data.positions) if problem.relaxes else None
        return _together([begin(np.asarray(at), positions, self) for at in points])

    def run(self, course: Course) -> None:
        """Take steps of all starts at once; one that has ended stays where it is."""
        problem, form, state = course.problem, course.form, course.progress.state
        assert isinstance(state, State)
        begin_programs(problem, form, state.at, state.quadratic, state.positions)
        while course.progress.n_iterations < self.max_steps and not np.all(state.done):
            tried = np.flatnonzero(~state.done)
            n = len(tried)
            with course.objective.meter.timed(f"derivatives of {len(state.at)}", evaluations=n, gradients=n):
                state = step_all(problem, form, state, self)
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


def _together(states: list[State]) -> State:
    """Return the state of all starts from that of each."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *states)


def begin(at: Float[np.ndarray, " free"], positions: _Structures, solver: LevenbergMarquardt) -> State:
    """Return the state before anything has been evaluated."""
    n = len(at)
    return State(
        at=at,
        quadratic=Quadratic(np.array(np.inf), np.zeros(n), np.eye(n)),
        rest=np.zeros((n, n)),
        uses_rest=np.array(False),
        damping=np.array(solver.damping),
        growth=np.array(2.0),
        promise=np.array(np.inf),
        n_accepted=np.array(-1),
        accepted=np.array(False),
        converged=np.array(False),
        stuck=np.array(False),
        positions=positions,
    )


def trial(state: State, bounds: Bounds) -> Float[np.ndarray, " free"]:
    """Return where to go next: the minimum of the damped model inside the bounds, three prior widths away at most.

    Damping holds each variable by its own curvature, and by its prior width, lest those that the data hardly know go
    far while the cost is not yet what its model says.
    """
    at, gradient, normal = (np.asarray(one) for one in (state.at, state.quadratic.gradient, state.quadratic.normal))
    lower, upper = np.maximum(bounds[0], at - _LONGEST), np.minimum(bounds[1], at + _LONGEST)
    damped = normal + np.diag(state.damping * (np.diagonal(normal) + _OF_WIDTH))
    whole = damped + state.rest
    # Where the whole has no minimum, nothing is solved.
    if state.uses_rest and np.isfinite(solved(whole, gradient)).all():
        damped = whole
    return np.clip(at + bounded_minimum(gradient, damped, lower - at, upper - at), lower, upper)


def step(
    state: State,
    there: Float[np.ndarray, " free"],
    new: Quadratic,
    positions: _Structures,
    bounds: Bounds,
    solver: LevenbergMarquardt,
) -> State:
    """Return the state after a trial: where it led, with this cost and relaxed structures, or as it was."""
    model, move, rest = state.quadratic, there - state.at, np.asarray(state.rest)
    cost, first = float(new.cost), bool(np.isinf(model.cost))
    gained = float(model.cost) - cost if np.isfinite(cost) else -np.inf
    without_rest = -float(model.gradient @ move + 0.5 * move @ model.normal @ move)
    with_rest = without_rest - 0.5 * float(move @ rest @ move)
    gain = gained / max(with_rest if state.uses_rest else without_rest, _TINY)
    finite = all(np.isfinite(one).all() for one in (cost, new.gradient, new.normal))
    promise = newton_decrement(new, there, bounds) if finite else np.nan
    # Where rounding hides which cost is lower, the gradient says it.
    level = abs(gained) <= LEVEL * model.cost and promise < state.promise
    accepted = finite and (first or (gain > _ACCEPTED and gained > 0.0) or level)
    # A gain near a half is that of a residual quadratic in the step: damping would only slow it down.
    calmer = 1.0 if first else 0.2 if gain > _GOOD else 0.4 if gain > _FAIR else 2.0
    # Less damping than this has just failed.
    calmer = calmer if state.accepted else max(calmer, 1.0)
    kept, kept_promise = (new, promise) if accepted else (model, float(state.promise))
    damping = max(state.damping * calmer, 1e-12) if accepted else state.damping * state.growth
    converged = is_small(kept_promise, float(kept.cost), solver.tolerance)
    # A trial that raised the cost by much was too far away to say anything of the curvature here.
    if finite and not first and gained > -_NEAR * model.cost:
        rest = _learned(rest, move, np.asarray(new.gradient - model.gradient - new.normal @ move))
    return State(
        at=there if accepted else state.at,
        quadratic=kept,
        rest=rest,
        uses_rest=np.array(not first and abs(gained - with_rest) < abs(gained - without_rest)),
        damping=np.array(damping),
        growth=np.array(2.0 if accepted else 2.0 * state.growth),
        promise=np.array(kept_promise),
        n_accepted=np.array(state.n_accepted + accepted),
        accepted=np.array(accepted),
        converged=np.array(converged),
        stuck=np.array(not converged and damping > _GIVE_UP),
        positions=positions if accepted else state.positions,
    )


def _learned(
    rest: Float[np.ndarray, "free free"], move: Float[np.ndarray, " free"], seen: Float[np.ndarray, " free"]
) -> Float[np.ndarray, "free free"]:
    """Return a symmetric matrix near `rest` of which the product with a move is what was `seen`.

    It is made smaller first where it is too large along the move, then corrected by a matrix of rank one.
    """
    along = abs(move @ rest @ move)
    sized = min(1.0, abs(move @ seen) / max(along, _TINY)) * rest
    missing = seen - sized @ move
    product = missing @ move
    if abs(product) <= _ALONG * np.linalg.norm(missing) * np.linalg.norm(move):
        return sized
    return sized + np.outer(missing, missing) / product


def step_all(problem: Problem, form: Gram | None, state: State, solver: LevenbergMarquardt) -> State:
    """Return the state of all starts after a step of each; one that has ended stays as it is."""
    bounds = problem.bounds
    each = [jax.tree.map(lambda leaf, s=s: np.asarray(leaf)[s], state) for s in range(len(state.at))]
    trials = [one.at if one.done else trial(one, bounds) for one in each]
    found, positions = quadratics(problem, form, np.stack(trials), state.positions)
    after = []
    for s, (one, there) in enumerate(zip(each, trials, strict=True)):
        new, where = jax.tree.map(lambda leaf, s=s: np.asarray(leaf)[s], (found, positions))
        after.append(one if one.done else step(one, there, new, where, bounds, solver))
    return _together(after)
