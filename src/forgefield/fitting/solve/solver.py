"""What a solver is, and what is kept of a fit for all of them: the best point of each start."""

import abc
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from forgefield.fitting.cost.cost import Problem, Quadratic
from forgefield.fitting.cost.gram import Gram
from forgefield.fitting.solve.evaluation import Relaxed
from forgefield.fitting.solve.objective import AbstractObjective, Needs

LEVEL = 1e-12
"""Costs that differ by less than this fraction may be the same."""


class AbstractState(eqx.Module):
    """Where a solver is with every start and all that it needs to go on: arrays with a row for each start."""

    at: eqx.AbstractVar[Array | np.ndarray]
    """Scaled variables of each start."""
    n_accepted: eqx.AbstractVar[Array | np.ndarray]
    """Steps that each start has taken; below zero before the cost is known where it began."""

    @property
    @abc.abstractmethod
    def done(self) -> Bool[Array | np.ndarray, "*starts"]:
        """Which starts have ended: further steps would change nothing."""


class Effort(eqx.Module):
    """What a fit has taken so far, with what it took before it was resumed."""

    evaluations: Int[np.ndarray, ""]
    """Points of which the cost was asked for, those of all starts together."""
    gradients: Int[np.ndarray, ""]
    """Those of them of which derivatives were."""
    compile_s: Float[np.ndarray, ""]
    """What the first call of each program took longer than later ones."""
    run_s: Float[np.ndarray, ""]
    """The rest of the time."""

    @classmethod
    def none(cls) -> "Effort":
        """Return that of a fit that has not begun."""
        return cls(np.array(0), np.array(0), np.array(0.0), np.array(0.0))


class Progress(eqx.Module):
    """Everything a fit needs to go on: saved after each iteration, passed back to resume."""

    state: AbstractState
    """The solver's own."""
    best_cost: Float[np.ndarray, " starts"]
    """The lowest that each start has had, infinite before it is known."""
    best_at: Float[np.ndarray, "starts free"]
    """Scaled variables there."""
    best_positions: Relaxed
    """Relaxed structures there [Å], from which they are found again; None where nothing is relaxed."""
    costs: Float[np.ndarray, "iterations starts"]
    """Cost after each iteration; not a number for starts that it left alone."""
    effort: Effort

    @property
    def n_iterations(self) -> int:
        """Number of iterations so far."""
        return len(self.costs)


@dataclass(frozen=True, eq=False)
class Tried:
    """What an iteration makes of the starts that it did not leave alone."""

    starts: Int[np.ndarray, " tried"]
    moved: Bool[np.ndarray, " tried"]
    """Which of them are at a new point, or at one whose cost was not known."""
    cost: Float[np.ndarray, " tried"]
    """Where they are now."""
    positions: Relaxed
    """Relaxed structures there [Å], from which they are found again; None: from those of the reference."""


class Course:
    """A fit on its way: what it minimises, and its progress, which the solver notes here."""

    def __init__(
        self,
        problem: Problem,
        form: Gram | None,
        objective: AbstractObjective,
        progress: Progress,
        after: Callable[[Progress], None],
    ) -> None:
        self.problem, self.form, self.objective, self.progress, self._after = problem, form, objective, progress, after
        self._before, self._began = progress.effort, perf_counter()

    def note(self, state: AbstractState, tried: Tried) -> None:
        """Take an iteration into the progress, and tell and save it."""
        old, starts = self.progress, tried.starts
        best_cost, best_at, best_positions = jax.tree.map(np.array, (old.best_cost, old.best_at, old.best_positions))
        # Of costs that are level, the last is the best.
        better = tried.moved & (tried.cost < best_cost[starts] + LEVEL * np.abs(tried.cost))
        best_cost[starts[better]], best_at[starts[better]] = tried.cost[better], np.asarray(state.at)[starts[better]]
        if best_positions is not None and tried.positions is not None:
            best_positions[starts[better]] = tried.positions[better]
        costs = np.full((1, len(best_cost)), np.nan)
        costs[0, starts] = tried.cost
        costs = np.concatenate([old.costs, costs])
        self.take(Progress(state, best_cost, best_at, best_positions, costs, old.effort))

    def take(self, progress: Progress) -> None:
        """Go on with a progress, and tell and save it."""
        self.progress = replace(progress, effort=self.effort)
        self._after(self.progress)

    @property
    def effort(self) -> Effort:
        """What the fit has taken until now."""
        meter, before = self.objective.meter, self._before
        compile_s = meter.compile_s
        return Effort(
            np.asarray(before.evaluations + meter.evaluations),
            np.asarray(before.gradients + meter.gradients),
            np.asarray(before.compile_s + compile_s),
            np.asarray(before.run_s + max(0.0, perf_counter() - self._began - compile_s)),
        )


class AbstractSolver(eqx.Module):
    """Moves the free variables of a problem to where its cost is lowest, from many starts."""

    tolerance: eqx.AbstractVar[float]
    """A start has converged when a full Newton step promises to lower the cost by less than this share of it."""
    max_steps: eqx.AbstractVar[int]
    """Steps after which a start ends without having converged."""

    @property
    @abc.abstractmethod
    def needs(self) -> Needs:
        """What it asks for at a point."""

    @abc.abstractmethod
    def begin(self, problem: Problem, points: Float[np.ndarray, "starts free"]) -> AbstractState:
        """Return the state before anything has been evaluated."""

    @abc.abstractmethod
    def run(self, course: Course) -> None:
        """Go on from the progress of a fit until each start has ended or has used up its steps.

        Each accepted point is noted in the course, first the one where a start begins. Whatever is raised there passes
        through, and the progress that the course then holds can be gone on from.
        """

    @abc.abstractmethod
    def judge(
        self, problem: Problem, form: Gram | None, at: Float[np.ndarray, "starts free"], positions: Relaxed
    ) -> tuple[Quadratic, Bool[np.ndarray, " starts"]]:
        """Return cost, gradient and Gauss-Newton matrix at a point of each start, and which have converged there.

        By a program that is compiled already after a run. Relaxed structures are looked for from `positions` [Å], or
        from those of the reference.
        """

    @abc.abstractmethod
    def why_not(self, state: AbstractState, start: int) -> str:
        """Return why a start has not converged although it took steps, as half a sentence."""


def more_steps(max_steps: int) -> str:
    """Say what to do where so many steps were not enough."""
    return f"set max_steps = {5 * max_steps} under [fit]; the best parameters are kept"
