"""Searches that go from one start after another by costs, or by costs and gradients, whatever method they are of."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import equinox as eqx
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from forgefield.fitting.cost.cost import Problem, Quadratic
from forgefield.fitting.cost.gram import Gram
from forgefield.fitting.solve.bounded import Bounds, walled
from forgefield.fitting.solve.evaluation import Relaxed
from forgefield.fitting.solve.judgement import judged_one_by_one
from forgefield.fitting.solve.objective import Needs
from forgefield.fitting.solve.solver import LEVEL, AbstractSolver, AbstractState, Course, Tried, more_steps

_TINY = 1e-30
_FORBIDDEN = 1e6
"""What a point without a cost is said to cost, in costs of the start."""


class Searched(AbstractState):
    """Where each start is. What a library knows beside that is lost: a resumed search begins anew."""

    at: Float[Array | np.ndarray, "starts free"]
    n_accepted: Int[Array | np.ndarray, " starts"]
    n_steps: Int[np.ndarray, " starts"]
    ended: Bool[np.ndarray, " starts"]
    """Whether the method found no lower cost."""
    sensitivity: Float[np.ndarray, "starts free 3"]
    """First and second derivative of the cost by each variable and how often it was chosen; NaN where none was."""

    @property
    def done(self) -> Bool[np.ndarray, " starts"]:
        """Which starts have ended."""
        return self.ended


@dataclass(frozen=True)
class Method:
    """A way to look for a lower cost."""

    name: str
    """In messages."""
    needs: Needs
    minimise: Callable[["Attempt"], bool]
    """Evaluates points and takes steps until there is no lower cost, which it returns, or no step is left."""


class Search(AbstractSolver):
    """One start after another by a method, with at most `max_steps` of its iterations for each."""

    method: Method = eqx.field(static=True)
    tolerance: float = 1e-9
    max_steps: int = 200
    seed: int = 0
    """Of methods that draw lots."""

    @property
    def needs(self) -> Needs:
        """Return what the method does."""
        return self.method.needs

    def begin(self, problem: Problem, points: Float[np.ndarray, "starts free"]) -> Searched:
        """Return the state before anything has been evaluated."""
        n, (lower, upper) = len(points), problem.bounds
        return Searched(
            at=np.clip(np.asarray(points), lower, upper),
            n_accepted=np.full(n, -1),
            n_steps=np.zeros(n, dtype=int),
            ended=np.zeros(n, dtype=bool),
            sensitivity=np.full((n, problem.n_free, 3), np.nan),
        )

    def run(self, course: Course) -> None:
        """Search from one start after another."""
        for s in np.flatnonzero(~np.asarray(course.progress.state.done)):
            Attempt(course, self, int(s)).run()

    def judge(
        self, problem: Problem, form: Gram | None, at: Float[np.ndarray, "starts free"], positions: Relaxed
    ) -> tuple[Quadratic, Bool[np.ndarray, " starts"]]:
        """Return what a Newton step promises at these points."""
        return judged_one_by_one(problem, form, at, positions, self.tolerance)

    def why_not(self, state: AbstractState, start: int) -> str:
        """Return why a start has not converged."""
        if state.done[start]:
            return f"{self.method.name} found no lower cost"
        return f"{self.max_steps} iterations of {self.method.name} were not enough: {more_steps(self.max_steps)}"


class Attempt:
    """A search from one start: what a method may ask and must tell. Costs are in units of that where it begins."""

    def __init__(self, course: Course, solver: Search, s: int) -> None:
        self._course, self._solver, self._s = course, solver, s
        self.at: Float[np.ndarray, " free"] = np.asarray(self.state.at)[s]
        """The point of lowest cost so far."""
        self.cost, self._unit = np.inf, 1.0
        self.lots = np.random.default_rng([solver.seed, s, int(self.state.n_steps[s])])

    @property
    def state(self) -> Searched:
        """The state of all starts."""
        state = self._course.progress.state
        assert isinstance(state, Searched)
        return state

    @property
    def bounds(self) -> Bounds:
        """Lowest and highest values of the variables."""
        return self._course.objective.bounds

    @property
    def tolerance(self) -> float:
        """The share of the cost that is not worth a step."""
        return self._solver.tolerance

    @property
    def steps_left(self) -> int:
        """Iterations that may still be made."""
        return max(0, self._solver.max_steps - int(self.state.n_steps[self._s]))

    def run(self) -> None:
        """Search until the method ends or its steps are used up."""
        if not self.steps_left:
            return
        begun = self.at
        cost = self._look(begun)
        if not np.isfinite(self.cost):
            self._note(begun, np.nan, n_steps=0, ended=True)
            return
        self._unit, self.cost = max(cost, _TINY), 1.0
        if self.state.n_accepted[self._s] < 0:
            self._note(begun, cost, n_steps=0, ended=False)
        try:
            ended = self._solver.method.minimise(self)
        except KeyboardInterrupt:
            # An iteration may be long, and its best point is not to be lost.
            if self.cost * self._unit < self._course.progress.best_cost[self._s] * (1.0 - LEVEL):
                self._note(self.at, self.cost * self._unit, n_steps=0, ended=False)
            raise
        self._put_on_walls()
        # Some libraries do not tell their last iteration.
        self._note(self.at, self.cost * self._unit, n_steps=0 if ended else self.steps_left, ended=ended)

    def value(self, at: Float[np.ndarray, " free"]) -> float:
        """Return the cost at a point."""
        at = np.clip(at, *self.bounds)
        return self._seen(at, self._course.objective.cost(at))

    def cost_and_gradient(self, at: Float[np.ndarray, " free"]) -> tuple[float, Float[np.ndarray, " free"]]:
        """Return the cost at a point with its gradient."""
        at = np.clip(at, *self.bounds)
        cost, gradient = self._course.objective.cost_and_gradient(at)
        return self._seen(at, cost), np.nan_to_num(np.asarray(gradient) / self._unit)

    def step(self, at: Float[np.ndarray, " free"], cost: float) -> None:
        """Note the point where an iteration ended."""
        self._note(np.clip(at, *self.bounds), cost * self._unit, n_steps=1, ended=False)

    def learn(self, first: Float[np.ndarray, " free"], second: Float[np.ndarray, " free"], chosen: list[int]) -> None:
        """Remember derivatives of the cost by each variable, and which variables were chosen by them."""
        old = np.array(self.state.sensitivity)
        often = np.nan_to_num(old[self._s, :, 2])
        often[chosen] += 1.0
        old[self._s] = np.stack([first * self._unit, second * self._unit, often], axis=1)
        self._course.progress = replace(self._course.progress, state=replace(self.state, sensitivity=old))

    def _look(self, at: Float[np.ndarray, " free"]) -> float:
        """Return the cost at a point by the program that the method uses."""
        return self.cost_and_gradient(at)[0] if self._solver.needs is Needs.GRADIENT else self.value(at)

    def _seen(self, at: Float[np.ndarray, " free"], cost: float) -> float:
        """Return a cost in its unit, and keep the point if it is the best."""
        cost = cost / self._unit
        if cost < self.cost:
            self.at, self.cost = np.array(at), cost
        return cost if np.isfinite(cost) else _FORBIDDEN

    def _put_on_walls(self) -> None:
        """Put the variables that ended next to a bound on it, which lowers the cost where it presses."""
        there = walled(self.at, self.bounds)
        if not np.array_equal(there, self.at) and (cost := self._look(there)) <= self.cost * (1.0 + LEVEL):
            self.at, self.cost = there, cost

    def _note(self, at: Float[np.ndarray, " free"], cost: float, *, n_steps: int, ended: bool) -> None:
        """Note where the start is."""
        s, old = self._s, self.state
        first = bool(old.n_accepted[s] < 0)
        moved = first or not np.array_equal(at, old.at[s])
        state = replace(
            old,
            at=_with(old.at, s, at),
            n_accepted=_with(old.n_accepted, s, old.n_accepted[s] + (moved and np.isfinite(cost))),
            n_steps=_with(old.n_steps, s, old.n_steps[s] + n_steps),
            ended=_with(old.ended, s, ended),
        )
        self._course.note(state, Tried(np.array([s]), np.array([moved]), np.array([cost]), None))


def _with(array: Array | np.ndarray, s: int, value) -> np.ndarray:
    """Return a copy of an array with another entry s."""
    changed = np.array(array)
    changed[s] = value
    return changed
