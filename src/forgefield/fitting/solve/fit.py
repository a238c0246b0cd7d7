"""The fit: a solver's course from many starts to the best end of them."""

from collections.abc import Callable
from dataclasses import dataclass

import jax
import numpy as np
from jaxtyping import Float
from scipy.special import ndtri

from forgefield.fitting.cost.cost import Problem, Quadratic
from forgefield.fitting.cost.gram import Gram
from forgefield.fitting.solve.bounded import newton_decrement
from forgefield.fitting.solve.chain import sensitivity_of
from forgefield.fitting.solve.objective import AbstractObjective, Objective, nothing
from forgefield.fitting.solve.solver import AbstractSolver, Course, Effort, Progress

_TINY = 1e-30
SPREAD = 1.0
"""Further starts lie about the first with this standard deviation, in prior widths."""


@dataclass(frozen=True, eq=False)
class Fit:
    """How a fit ended; everything about the best start unless it says starts."""

    at: Float[np.ndarray, " free"]
    """Scaled variables with the lowest cost found."""
    quadratic: Quadratic
    """Cost, gradient and Gauss-Newton matrix there."""
    success: bool
    interrupted: bool
    message: str
    costs: Float[np.ndarray, " iterations"]
    starts_cost: Float[np.ndarray, " starts"]
    starts_at: Float[np.ndarray, "starts free"]
    starts_converged: np.ndarray
    n_accepted: int
    n_iterations: int
    promise: float
    """Share of the cost by which a full Newton step there promises to lower it."""
    effort: Effort
    sensitivity: Float[np.ndarray, "free 3"] | None = None
    """First and second derivative of the cost by each variable and how often a simplex was in it; None without one."""


def spread_starts(
    problem: Problem, n: int, *, seed: int = 0, spread: float = SPREAD
) -> Float[np.ndarray, "starts free"]:
    """Return n starting points in scaled variables: the estimate, then a Latin hypercube mapped to a normal."""
    n_free = problem.n_free
    points = np.zeros((n, n_free))
    if n > 1:
        generator = np.random.default_rng(seed)
        stratum = generator.permuted(np.tile(np.arange(n - 1)[:, None], n_free), axis=0)
        share = (stratum + generator.uniform(size=stratum.shape)) / (n - 1)
        points[1:] = spread * ndtri(np.clip(share, 1e-6, 1 - 1e-6))
    lower, upper = problem.bounds
    return np.clip(points, lower, upper)


def start(problem: Problem, points: Float[np.ndarray, "starts free"], solver: AbstractSolver) -> Progress:
    """Return the progress of a fit that has not begun."""
    n = len(points)
    return Progress(
        state=solver.begin(problem, points),
        best_cost=np.full(n, np.inf),
        best_at=np.array(points),
        best_positions=np.stack(n * [np.asarray(problem.chunks.data.positions)]) if problem.relaxes else None,
        costs=np.zeros((0, n)),
        effort=Effort.none(),
    )


def _nothing(progress: Progress) -> None:
    """Do nothing."""


def fit(
    problem: Problem,
    progress: Progress,
    solver: AbstractSolver,
    *,
    form: Gram | None = None,
    objective: AbstractObjective | None = None,
    after: Callable[[Progress], None] = _nothing,
    before: Callable[[], None] = nothing,
) -> Fit:
    """Minimise the cost from every start of `progress` and return the best end.

    `form` is the cost as a quadratic form, where it is one: steps then cost next to nothing. `objective` is the cost by
    another program, for solvers that ask for no residuals. `after` is called with the progress after each iteration,
    `before` before each evaluation, of which an iteration may take many; a KeyboardInterrupt ends the fit with the best
    point so far, from which no fit ends above where it began. Success needs an accepted step and a converged gradient;
    the message says which failed.
    """
    course = Course(problem, form, objective or Objective(problem, form), progress, after)
    stopped = ""
    try:
        with course.objective.meter.watched(before):
            solver.run(course)
    except KeyboardInterrupt:
        stopped = "interrupted: the best parameters so far are kept"
    return _ended(course, solver, stopped)


def _ended(course: Course, solver: AbstractSolver, stopped: str) -> Fit:
    """Judge every start at its best point."""
    progress = course.progress
    meter = course.objective.meter
    with meter.timed(meter.program_of(len(progress.best_at))):
        quadratic, converged = solver.judge(course.problem, course.form, progress.best_at, progress.best_positions)
    best = int(np.argmin(progress.best_cost))
    there = jax.tree.map(lambda leaf: np.asarray(leaf)[best], quadratic)
    promise = newton_decrement(there, progress.best_at[best], course.problem.bounds) / max(float(there.cost), _TINY)
    n_accepted = int(progress.state.n_accepted[best])
    tried = progress.costs[:, best]
    return Fit(
        at=progress.best_at[best],
        quadratic=there,
        success=bool(converged[best]) and n_accepted > 0 and not stopped,
        interrupted=bool(stopped),
        message=stopped or _message(progress, best, bool(converged[best]), solver, promise),
        costs=tried[np.isfinite(tried)],
        starts_cost=progress.best_cost,
        starts_at=progress.best_at,
        starts_converged=converged,
        n_accepted=n_accepted,
        n_iterations=progress.n_iterations,
        promise=promise,
        effort=course.effort,
        sensitivity=sensitivity_of(progress.state, best),
    )


def evaluated(
    problem: Problem, form: Gram | None, at: Float[np.ndarray, " free"], solver: AbstractSolver, *, n_starts: int = 1
) -> Quadratic:
    """Return the cost and its derivatives at scaled variables, by the program of a fit from `n_starts` starts."""
    quadratic, _ = solver.judge(problem, form, np.tile(at, (n_starts, 1)), None)
    return jax.tree.map(lambda leaf: np.asarray(leaf)[0], quadratic)


def _message(progress: Progress, best: int, converged: bool, solver: AbstractSolver, promise: float) -> str:
    if not np.isfinite(progress.best_cost[best]):
        return "not converged: the cost is not a finite number at the start"
    if progress.state.n_accepted[best] <= 0 and progress.state.done[best]:
        return "not converged: no step was accepted; the start is already stationary or cannot be improved"
    if converged:
        return f"converged: a further step would lower the cost by less than {solver.tolerance:g} of it"
    left = f"a full Newton step from there promises to lower the cost by {promise:.2g} of it"
    return f"not converged: {solver.why_not(progress.state, best)}; {left}"
