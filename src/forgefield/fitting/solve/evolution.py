"""Evolution of a normal distribution of points (CMA-ES), by the library cmaes.

N. Hansen, A. Ostermeier, Evol. Comput. 2001, 9, 159.
"""

from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Array, Bool, Float, Int

from forgefield.errors import InputError
from forgefield.fitting.cost.cost import Problem, Quadratic
from forgefield.fitting.cost.gram import Gram
from forgefield.fitting.solve.bounded import walled
from forgefield.fitting.solve.evaluation import Relaxed
from forgefield.fitting.solve.judgement import judged_one_by_one
from forgefield.fitting.solve.objective import Needs
from forgefield.fitting.solve.solver import AbstractSolver, AbstractState, Course, Tried, more_steps

_WIDTH = 0.3
"""Standard deviation of the first points about a start, in prior widths."""
_FORBIDDEN = 1e100
"""What a point without a cost is said to cost."""


class Evolving(AbstractState):
    """What the library was told of each start: told again, it is where it was."""

    at: Float[Array | np.ndarray, "starts free"]
    """The best point of the last generation."""
    begun: Float[np.ndarray, "starts free"]
    told: Float[np.ndarray, "generations starts population"]
    """Costs of all points; not a number for generations that a start has not had."""
    n_accepted: Int[Array | np.ndarray, " starts"]
    ended: Bool[np.ndarray, " starts"]

    @property
    def done(self) -> Bool[np.ndarray, " starts"]:
        """Which starts have ended."""
        return self.ended


class Evolution(AbstractSolver):
    """CMA-ES from one start after another, with at most `max_steps` generations for each."""

    tolerance: float = 1e-9
    max_steps: int = 500
    seed: int = 0

    def __check_init__(self) -> None:
        _library()

    @property
    def needs(self) -> Needs:
        """Costs."""
        return Needs.COST

    def begin(self, problem: Problem, points: Float[np.ndarray, "starts free"]) -> Evolving:
        """Return the state before anything has been evaluated. Raises InputError for a single variable."""
        if problem.n_free < 2:
            raise InputError("solver cma-es needs two parameters to train at least: choose another one")
        n = len(points)
        at = np.clip(np.asarray(points), *problem.bounds)
        told = np.zeros((0, n, 4 + int(3 * np.log(problem.n_free))))
        return Evolving(at, at, told, np.full(n, -1), np.zeros(n, dtype=bool))

    def run(self, course: Course) -> None:
        """Evolve from one start after another."""
        for s in np.flatnonzero(~np.asarray(course.progress.state.done)):
            self._evolve(course, int(s))

    def _evolve(self, course: Course, s: int) -> None:
        """Evolve from a start until the library ends or its generations are used up."""
        state = _evolving(course)
        if not np.isfinite(state.begun[s]).all():
            course.note(replace(state, ended=_with(state.ended, s, True)), _tried(s, np.nan))
            return
        bounds = np.transpose(np.asarray(course.objective.bounds))
        evolution = _library().CMA(
            mean=state.begun[s], sigma=_WIDTH, bounds=bounds, seed=self.seed + s, population_size=state.told.shape[2]
        )
        while evolution.generation < self.max_steps and not evolution.should_stop():
            generation = evolution.generation
            points = np.array([evolution.ask() for _ in range(evolution.population_size)])
            if generation == 0:
                points[0] = state.begun[s]
            known = generation < len(state.told) and bool(np.isfinite(state.told[generation, s]).all())
            costs = state.told[generation, s] if known else course.objective.costs(points)
            costs = np.where(np.isfinite(costs), costs, _FORBIDDEN)
            evolution.tell([*zip(points, costs.tolist(), strict=True)])
            ended = bool(evolution.should_stop())
            if not known:
                state = self._told(course, s, points, costs, generation, ended=ended)
        self._put_on_walls(course, s)

    def _put_on_walls(self, course: Course, s: int) -> None:
        """Look whether the variables that ended next to a bound belong on it."""
        best, state = course.progress.best_at[s], _evolving(course)
        there = walled(best, course.objective.bounds)
        if not np.array_equal(there, best):
            # By the program of a generation.
            cost = float(course.objective.costs(np.tile(there, (state.told.shape[2], 1)))[0])
            course.note(replace(state, at=_with(state.at, s, there)), _tried(s, cost))

    def _told(
        self, course: Course, s: int, points: np.ndarray, costs: np.ndarray, generation: int, *, ended: bool
    ) -> Evolving:
        """Note a generation; before the first, the point where the start begins."""
        state, best = _evolving(course), int(np.argmin(costs))
        if generation == 0:
            state = replace(state, n_accepted=_with(state.n_accepted, s, 0))
            course.note(state, _tried(s, float(costs[0])))
        told = state.told
        if generation == len(told):
            told = np.concatenate([told, np.full((1, *told.shape[1:]), np.nan)])
        told = _with(told, (generation, s), costs)
        n_accepted = _with(state.n_accepted, s, state.n_accepted[s] + 1)
        state = replace(
            state,
            at=_with(state.at, s, points[best]),
            told=told,
            n_accepted=n_accepted,
            ended=_with(state.ended, s, ended),
        )
        course.note(state, _tried(s, float(costs[best])))
        return state

    def judge(
        self, problem: Problem, form: Gram | None, at: Float[np.ndarray, "starts free"], positions: Relaxed
    ) -> tuple[Quadratic, Bool[np.ndarray, " starts"]]:
        """Return what a Newton step promises at these points."""
        return judged_one_by_one(problem, form, at, positions, self.tolerance)

    def why_not(self, state: AbstractState, start: int) -> str:
        """Return why a start has not converged."""
        if state.done[start]:
            return "CMA-ES found no lower cost"
        return f"{self.max_steps} generations of CMA-ES were not enough: {more_steps(self.max_steps)}"


def _evolving(course: Course) -> Evolving:
    state = course.progress.state
    assert isinstance(state, Evolving)
    return state


def _tried(s: int, cost: float) -> Tried:
    return Tried(np.array([s]), np.array([True]), np.array([cost]), None)


def _with(array: Array | np.ndarray, place, value) -> np.ndarray:
    """Return a copy of an array with another entry."""
    changed = np.array(array)
    changed[place] = value
    return changed


def _library() -> Any:
    """Return cmaes. Raises InputError where it is not installed."""
    try:
        import cmaes  # noqa: PLC0415 (an extra)
    except ImportError:
        raise InputError("solver = \"cma-es\" needs the library cmaes: pip install 'forgefield[cma]'") from None
    return cmaes
