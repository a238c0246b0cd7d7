"""What a solver minimises that asks for no residuals: a cost in scaled variables, counted and timed."""

import abc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from time import perf_counter

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from forgefield.fitting.cost.cost import Problem
from forgefield.fitting.cost.gram import Gram
from forgefield.fitting.cost.on_ladder import on_ladder
from forgefield.fitting.data.ladder import grown
from forgefield.fitting.solve.bounded import Bounds
from forgefield.fitting.solve.evaluation import costs_at_reference, costs_at_relaxed, quadratics


def nothing() -> None:
    """Do nothing."""


class Needs(Enum):
    """What a solver asks for at a point: the first can be had of our own programs alone."""

    RESIDUALS = "residuals"
    GRADIENT = "gradient"
    COST = "cost"


@dataclass
class Meter:
    """Counts points that were evaluated, and takes the time: what a program's first call takes longer is compiling."""

    evaluations: int = 0
    """Points of which the cost was asked for."""
    gradients: int = 0
    """Those of them of which derivatives were."""
    before: Callable[[], None] = nothing
    """Called before each evaluation; what it raises ends the fit."""
    _first: dict[str, float] = field(default_factory=dict)
    _fastest: dict[str, float] = field(default_factory=dict)
    """Seconds of a call of each program."""

    @contextmanager
    def timed(self, program: str, *, evaluations: int = 0, gradients: int = 0) -> Iterator[None]:
        """Count and time what is evaluated within."""
        self.before()
        began = perf_counter()
        yield
        seconds = perf_counter() - began
        self.evaluations += evaluations
        self.gradients += gradients
        if program not in self._first:
            self._first[program] = seconds
        else:
            self._fastest[program] = min(seconds, self._fastest.get(program, np.inf))

    @contextmanager
    def watched(self, before: Callable[[], None]) -> Iterator[None]:
        """Call a function before each evaluation within."""
        self.before = before
        try:
            yield
        finally:
            self.before = nothing

    def program_of(self, n_points: int) -> str:
        """Return which program so many points have their derivatives by: that of all where there is, else of one."""
        together = f"derivatives of {n_points}"
        return together if together in self._first else "derivatives of 1"

    @property
    def compile_s(self) -> float:
        """Seconds that the first call of each program took more than the fastest of its later ones."""
        each = (first - self._fastest.get(program, 0.0) for program, first in self._first.items())
        return sum((max(0.0, seconds) for seconds in each), 0.0)


class AbstractObjective(abc.ABC):
    """The cost of a fit as a function of its scaled variables (q - q₀)/width, whatever program evaluates it.

    `exact` says whether gradients are, and not from differences.
    """

    def __init__(self, n_free: int, bounds: Bounds, *, exact: bool) -> None:
        self.n_free, self.bounds, self.exact, self.meter = n_free, bounds, exact, Meter()

    @abc.abstractmethod
    def _costs(self, at: Float[np.ndarray, "points free"]) -> Float[np.ndarray, " points"]:
        """Return the cost at each point, not a number where there is none."""

    @abc.abstractmethod
    def _slopes(
        self, at: Float[np.ndarray, "points free"]
    ) -> tuple[Float[np.ndarray, " points"], Float[np.ndarray, "points free"]]:
        """Return the cost at each point with its gradient."""

    def costs(self, at: Float[np.ndarray, "points free"]) -> Float[np.ndarray, " points"]:
        """Return the cost at each point, not a number where there is none."""
        with self.meter.timed(f"costs of {len(at)}", evaluations=len(at)):
            return self._costs(at)

    def costs_and_gradients(
        self, at: Float[np.ndarray, "points free"]
    ) -> tuple[Float[np.ndarray, " points"], Float[np.ndarray, "points free"]]:
        """Return the cost at each point with its gradient."""
        with self.meter.timed(f"derivatives of {len(at)}", evaluations=len(at), gradients=len(at)):
            return self._slopes(at)

    def cost(self, at: Float[np.ndarray, " free"]) -> float:
        """Return the cost at a point."""
        return float(self.costs(at[None])[0])

    def cost_and_gradient(self, at: Float[np.ndarray, " free"]) -> tuple[float, Float[np.ndarray, " free"]]:
        """Return the cost at a point with its gradient."""
        cost, gradient = self.costs_and_gradients(at[None])
        return float(cost[0]), gradient[0]


class Objective(AbstractObjective):
    """The cost by our own programs. Molecules relax from the structures of the reference, wherever a solver was.

    A gradient comes from the program of the Gauss-Newton matrix, which judges the end, where the cost is no quadratic
    form: to leave the matrix out would save less than compiling another one takes.
    """

    def __init__(self, problem: Problem, form: Gram | None) -> None:
        super().__init__(problem.n_free, problem.bounds, exact=True)
        self._problem, self._form = problem, form

    @cached_property
    def _wide(self) -> Problem:
        """The problem on its rung, its arrays where programs find them at once."""
        return jax.tree.map(
            lambda leaf: jnp.asarray(leaf) if isinstance(leaf, np.ndarray) else leaf, on_ladder(self._problem)
        )

    def _costs(self, at: Float[np.ndarray, "points free"]) -> Float[np.ndarray, " points"]:
        problem, form = self._problem, self._form
        if form is None:
            measured = np.asarray(costs_at_reference(self._wide, grown(at, None, self._wide.n_free)))
            found = measured + 0.5 * problem.prior.strength * np.mean(at**2, axis=1)
        else:
            found = form.costs(problem, at)
        if not problem.relaxes:
            return found
        return found + np.asarray(costs_at_relaxed(self._wide, grown(at, None, self._wide.n_free)))

    def _slopes(
        self, at: Float[np.ndarray, "points free"]
    ) -> tuple[Float[np.ndarray, " points"], Float[np.ndarray, "points free"]]:
        problem, form = self._problem, self._form
        if form is not None and not problem.relaxes:
            return form.costs_and_gradients(problem, at)
        begun = np.stack(len(at) * [np.asarray(problem.chunks.data.positions)]) if problem.relaxes else None
        found, _ = quadratics(problem, form, at, begun, wide=self._wide)
        return np.asarray(found.cost), np.asarray(found.gradient)
