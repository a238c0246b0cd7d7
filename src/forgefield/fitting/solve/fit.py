"""The fit: a solver's course from many starts to the best end of them."""

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import jax
import numpy as np
from jaxtyping import Float, Int
from scipy.special import ndtri

from forgefield.fitting.cost.cost import Problem, Quadratic
from forgefield.fitting.cost.gram import Gram
from forgefield.fitting.solve.solver import REMATCHED, AbstractSolver, Course, Points, Progress

_SAME = 1e-9
"""Costs that differ by less than this fraction are one."""
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
    matching: Int[np.ndarray, "molecules modes"]
    starts_cost: Float[np.ndarray, " starts"]
    starts_at: Float[np.ndarray, "starts free"]
    starts_converged: np.ndarray
    n_accepted: int
    n_iterations: int
    compile_s: float
    wall_s: float


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


def start(
    problem: Problem,
    points: Float[np.ndarray, "starts free"],
    solver: AbstractSolver,
    *,
    matching: Int[np.ndarray, "molecules modes"] | None = None,
) -> Progress:
    """Return the progress of a fit that has not begun, with a first matching of modes where one is known."""
    n = len(points)
    n_molecules, n_modes = problem.modes_shape
    matchings = np.array(
        np.broadcast_to(np.arange(n_modes) if matching is None else matching, (n, n_molecules, n_modes))
    )
    positions = np.asarray(problem.chunks.data.positions) if problem.relaxes else np.zeros((0, 0, 3))
    everywhere = np.array(np.broadcast_to(positions, (n, *positions.shape)))
    begun = Points(np.full(n, np.inf), np.array(points), matchings, everywhere)
    return Progress(
        state=solver.begin(problem, points),
        matching=matchings,
        n_rematched=np.zeros(n, dtype=np.int64),
        first_cost=np.full(n, np.inf),
        lowest=begun,
        best=begun,
        best_rematched=np.zeros(n, dtype=np.int64),
        costs=np.zeros((0, n)),
    )


def _nothing(progress: Progress) -> None:
    """Do nothing."""


def fit(
    problem: Problem,
    progress: Progress,
    solver: AbstractSolver,
    *,
    form: Gram | None = None,
    after: Callable[[Progress], None] = _nothing,
) -> Fit:
    """Minimise the cost from every start of `progress` and return the best end.

    `form` is the cost as a quadratic form, where it is one: steps then cost next to nothing. `after` is called
    with the progress after each iteration; a KeyboardInterrupt ends the fit with the best point so far, from which
    no fit ends above where it began. Success needs an accepted step and a converged gradient; the message says which
    failed.
    """
    began = perf_counter()
    course = Course(problem, form, progress, after)
    stopped = ""
    try:
        solver.run(course)
    except KeyboardInterrupt:
        stopped = "interrupted: the best parameters so far are kept"
    compile_s = 0.0 if course.first_noted is None else course.first_noted - began
    return _ended(course, solver, stopped, (compile_s, perf_counter() - began))


def _ended(course: Course, solver: AbstractSolver, stopped: str, times: tuple[float, float]) -> Fit:
    """Judge every start at its best point; at the lowest that it had where another matching led it above its start."""
    progress = course.progress
    back = progress.best_cost > progress.first_cost * (1.0 + _SAME)
    kept = progress.lowest.where(back, progress.best)
    positions = kept.positions if course.problem.relaxes else None
    quadratic, converged = solver.judge(course.problem, course.form, kept.at, kept.matching, positions)
    best = int(np.argmin(kept.cost))
    n_accepted = int(progress.state.n_accepted[best])
    tried = progress.costs[:, best]
    return Fit(
        at=kept.at[best],
        quadratic=jax.tree.map(lambda leaf: np.asarray(leaf)[best], quadratic),
        success=bool(converged[best]) and n_accepted > 0 and not stopped and not back[best],
        interrupted=bool(stopped),
        message=stopped or _message(progress, best, (bool(converged[best]), bool(back[best])), solver),
        costs=tried[np.isfinite(tried)],
        matching=kept.matching[best],
        starts_cost=kept.cost,
        starts_at=kept.at,
        starts_converged=converged,
        n_accepted=n_accepted,
        n_iterations=progress.n_iterations,
        compile_s=times[0],
        wall_s=times[1],
    )


def evaluated(
    problem: Problem,
    form: Gram | None,
    at: Float[np.ndarray, " free"],
    matching: Int[np.ndarray, "molecules modes"],
    solver: AbstractSolver,
    *,
    n_starts: int = 1,
) -> Quadratic:
    """Return the cost and its derivatives at scaled variables, by the program of a fit from `n_starts` starts."""
    points, matchings = np.tile(at, (n_starts, 1)), np.tile(matching, (n_starts, 1, 1))
    quadratic, _ = solver.judge(problem, form, points, matchings, None)
    return jax.tree.map(lambda leaf: np.asarray(leaf)[0], quadratic)


def _message(progress: Progress, best: int, ended: tuple[bool, bool], solver: AbstractSolver) -> str:
    said = _ending(progress, best, ended, solver)
    if progress.n_rematched[best] < REMATCHED:
        return said
    return f"{said} (modes changed partners {REMATCHED} times, and were then compared as at the lowest point by then)"


def _ending(progress: Progress, best: int, ended: tuple[bool, bool], solver: AbstractSolver) -> str:
    converged, back = ended
    if not np.isfinite(progress.best_cost[best]):
        return "not converged: the cost is not a finite number at the start"
    if back:
        return (
            "not converged: the steps changed which modes are compared, and led to a higher cost than that of the "
            "start; the best parameters on the way are kept"
        )
    if progress.state.n_accepted[best] <= 0 and progress.state.done[best]:
        return "not converged: no step was accepted; the start is already stationary or cannot be improved"
    if converged:
        return f"converged: a further step would lower the cost by less than {solver.tolerance:g} of it"
    return f"not converged: {solver.why_not(progress.state, best)}"
