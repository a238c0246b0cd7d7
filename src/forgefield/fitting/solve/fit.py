"""The fit: many starts in one compiled step, repeated until every one of them has ended."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from scipy.special import ndtri

from forgefield.compiled import compiled
from forgefield.fitting.cost.cost import Modes, Problem, Quadratic
from forgefield.fitting.cost.gram import Gram
from forgefield.fitting.solve.levenberg_marquardt import LEVEL, LevenbergMarquardt, State, begin, reconsider
from forgefield.fitting.solve.steps import Seen, begin_programs, step_all
from forgefield.properties.matching import match_modes_of_models

_REMATCHED = 20
"""Changes of its matching after which a start keeps the one it has."""
SPREAD = 1.0
"""Further starts lie about the first with this standard deviation, in prior widths."""


class Progress(eqx.Module):
    """Everything a fit needs to go on: saved after each iteration, passed back to resume."""

    state: State
    matching: Int[np.ndarray, "starts molecules modes"]
    n_rematched: Int[np.ndarray, " starts"]
    """How often the matching of a start has changed."""
    best_cost: Float[np.ndarray, " starts"]
    best_at: Float[np.ndarray, "starts free"]
    best_matching: Int[np.ndarray, "starts molecules modes"]
    """The one under which the best cost was found."""
    best_positions: Float[np.ndarray, "starts chunks atoms 3"]
    """Relaxed structures there [Å], from which they are found again; empty where nothing is relaxed."""
    costs: Float[np.ndarray, "iterations starts"]
    """Cost after each iteration."""

    @property
    def n_iterations(self) -> int:
        """Number of iterations so far."""
        return len(self.costs)


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


def start(problem: Problem, points: Float[np.ndarray, "starts free"], solver: LevenbergMarquardt) -> Progress:
    """Return the progress of a fit that has not begun."""
    n_starts = len(points)
    n_molecules, n_modes = problem.modes_shape
    state = _begun(problem, points, solver)
    if problem.relaxes:
        everywhere = jnp.broadcast_to(problem.chunks.data.positions, state.seen.positions.shape)
        state = eqx.tree_at(lambda state: state.seen.positions, state, everywhere)
    identity = np.broadcast_to(np.arange(n_modes), (n_starts, n_molecules, n_modes))
    return Progress(
        state=state,
        matching=np.array(identity),
        n_rematched=np.zeros(n_starts, dtype=np.int64),
        best_cost=np.full(n_starts, np.inf),
        best_at=np.array(points),
        best_matching=np.array(identity),
        best_positions=np.array(state.seen.positions) if problem.relaxes else np.zeros((n_starts, 0, 0, 3)),
        costs=np.zeros((0, n_starts)),
    )


def _nothing(progress: Progress) -> None:
    """Do nothing."""


def fit(
    problem: Problem,
    progress: Progress,
    solver: LevenbergMarquardt,
    *,
    form: Gram | None = None,
    after: Callable[[Progress], None] = _nothing,
) -> Fit:
    """Minimise the cost from every start of `progress` and return the best end.

    `form` is the cost as a quadratic form, where it is one: steps then cost next to nothing. `after` is called
    with the progress after each iteration; a KeyboardInterrupt ends the fit with the best point so far. Success
    needs an accepted step and a converged gradient; the message says which failed.
    """
    began = perf_counter()
    compile_s = 0.0
    stopped = ""
    try:
        while progress.n_iterations < solver.max_steps and not bool(np.all(progress.state.done)):
            iteration_began = perf_counter()
            if not compile_s:
                begin_programs(problem, form, progress.state, jnp.asarray(progress.matching))
            progress = _iterate(problem, form, progress, solver)
            compile_s = compile_s or perf_counter() - iteration_began
            after(progress)
    except KeyboardInterrupt:
        stopped = "interrupted: the best parameters so far are kept"
    return _ended(problem, form, progress, solver, stopped, (compile_s, perf_counter() - began))


def _iterate(problem: Problem, form: Gram | None, progress: Progress, solver: LevenbergMarquardt) -> Progress:
    """Take one step from every start, renew the matching of modes, and note the best."""
    state = step_all(problem, form, progress.state, jnp.asarray(progress.matching), solver)
    moved = np.asarray(state.accepted & ~progress.state.done)
    own = _own_matchings(problem, state, progress.matching, moved)
    outdated = (own != progress.matching).any(axis=(1, 2))
    # A start that goes back and forth between matchings keeps the one it has in the end.
    changed = outdated & (progress.n_rematched < _REMATCHED)
    matching = np.where(changed[:, None, None], own, progress.matching)
    cost = np.asarray(state.quadratic.cost)
    # A cost under an outdated matching is not comparable with others. Of costs that are level, the last is the best.
    better = moved & ~outdated & (cost < progress.best_cost + LEVEL * np.abs(cost))
    best_at = np.where(better[:, None], np.asarray(state.at), progress.best_at)
    best_cost = np.where(better, cost, progress.best_cost)
    best_matching = np.where(better[:, None, None], progress.matching, progress.best_matching)
    best_positions = progress.best_positions
    if problem.relaxes:
        best_positions = np.where(better[:, None, None, None], np.asarray(state.seen.positions), best_positions)
    if changed.any():
        state = _reconsider_some(state, jnp.asarray(changed))
    costs = np.concatenate([progress.costs, cost[None]])
    return replace(
        progress,
        state=state,
        matching=matching,
        n_rematched=progress.n_rematched + changed,
        best_cost=best_cost,
        best_at=best_at,
        best_matching=best_matching,
        best_positions=best_positions,
        costs=costs,
    )


@compiled
def _reconsider_some(state: State, changed) -> State:
    def one(state, changed):
        return jax.tree.map(lambda a, b: jnp.where(changed, a, b), reconsider(state), state)

    return jax.vmap(one)(state, changed)


@compiled
def _begun(problem: Problem, points: Float[Array | np.ndarray, "starts free"], solver: LevenbergMarquardt) -> State:
    seen = _shapes(problem)
    return jax.vmap(lambda at: begin(at, seen, solver))(jnp.asarray(points))


def _shapes(problem: Problem) -> Seen:
    n_molecules, n_modes = problem.modes_shape
    modes = Modes(jnp.zeros((n_molecules, n_modes, n_modes)), jnp.zeros((n_molecules, n_modes)))
    positions = jnp.zeros(problem.chunks.data.positions.shape)
    return Seen(modes if problem.uses_matching else None, positions if problem.relaxes else None)


def _own_matchings(
    problem: Problem,
    state: State,
    matching: Int[np.ndarray, "starts molecules modes"],
    moved: Bool[np.ndarray, " starts"],
) -> Int[np.ndarray, "starts molecules modes"]:
    """Return the matchings with those of the starts that moved renewed where they are now."""
    own = matching.copy()
    if problem.uses_matching:
        overlaps, eigenvalues = np.asarray(state.seen.modes.overlaps), np.asarray(state.seen.modes.eigenvalues)
        own[moved] = matchings(problem, overlaps[moved], eigenvalues[moved])
    return own


def matchings(
    problem: Problem,
    overlaps: Float[np.ndarray, "starts molecules modes modes"],
    eigenvalues: Float[np.ndarray, "starts molecules modes"],
) -> Int[np.ndarray, "starts molecules modes"]:
    """Match the modes of each molecule for each start; padding is matched with itself."""
    data, gathered = problem.chunks.data, problem.chunks.gathered
    reference, counts = gathered(np.asarray(data.eigenvalues)), gathered(np.asarray(data.has_mode)).sum(axis=1)
    matching = np.tile(np.arange(reference.shape[1]), (len(overlaps), len(reference), 1))
    for m, n in enumerate(counts):
        matching[:, m, :n] = match_modes_of_models(overlaps[:, m, :n, :n], reference[m, :n], eigenvalues[:, m, :n])
    return matching


def _ended(
    problem: Problem,
    form: Gram | None,
    progress: Progress,
    solver: LevenbergMarquardt,
    stopped: str,
    times: tuple[float, float],
) -> Fit:
    best = int(np.argmin(progress.best_cost))
    again = _at_best(problem, form, progress, solver)
    n_accepted = int(progress.state.n_accepted[best])
    converged = np.asarray(again.converged)
    return Fit(
        at=progress.best_at[best],
        quadratic=jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[best]), again.quadratic),
        success=bool(converged[best]) and n_accepted > 0 and not stopped,
        interrupted=bool(stopped),
        message=stopped or _message(progress, best, bool(converged[best]), solver),
        costs=progress.costs[:, best],
        matching=progress.best_matching[best],
        starts_cost=progress.best_cost,
        starts_at=progress.best_at,
        starts_converged=converged,
        n_accepted=n_accepted,
        n_iterations=progress.n_iterations,
        compile_s=times[0],
        wall_s=times[1],
    )


def _at_best(problem: Problem, form: Gram | None, progress: Progress, solver: LevenbergMarquardt) -> State:
    """Evaluate the best points again, with the kernel that is compiled already."""
    fresh = start(problem, progress.best_at, solver).state
    if problem.relaxes:
        fresh = eqx.tree_at(lambda state: state.seen.positions, fresh, jnp.asarray(progress.best_positions))
    return step_all(problem, form, fresh, jnp.asarray(progress.best_matching), solver)


def evaluated(
    problem: Problem,
    form: Gram | None,
    at: Float[np.ndarray, " free"],
    matching: Int[np.ndarray, "molecules modes"],
    solver: LevenbergMarquardt,
    *,
    n_starts: int = 1,
) -> Quadratic:
    """Return the cost and its derivatives at scaled variables, by the program of a fit from `n_starts` starts."""
    state = start(problem, np.tile(at, (n_starts, 1)), solver).state
    found = step_all(problem, form, state, jnp.asarray(np.tile(matching, (n_starts, 1, 1))), solver)
    return jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[0]), found.quadratic)


def _message(progress: Progress, best: int, converged: bool, solver: LevenbergMarquardt) -> str:
    if not np.isfinite(progress.best_cost[best]):
        return "not converged: the cost is not a finite number at the start"
    if int(progress.state.n_accepted[best]) <= 0 and progress.state.done[best]:
        return "not converged: no step was accepted; the start is already stationary or cannot be improved"
    if converged:
        return f"converged: a further step would lower the cost by less than {solver.tolerance:g} of it"
    if progress.state.stuck[best]:
        return "not converged: no step lowers the cost any more, although its gradient is not zero"
    return f"not converged: {solver.max_steps} iterations were not enough; the best parameters are kept"
