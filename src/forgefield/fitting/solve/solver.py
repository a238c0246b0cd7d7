"""What a solver is, and what is kept of a fit for all of them: matchings of modes, the best point of each start."""

import abc
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from forgefield.fitting.cost.cost import Modes, Problem, Quadratic
from forgefield.fitting.cost.gram import Gram
from forgefield.properties.matching import match_modes_of_models

REMATCHED = 20
"""Changes of its matching after which a start goes back to the lowest point it had, and keeps the matching there."""
LEVEL = 1e-12
"""Costs that differ by less than this fraction may be the same."""

Matchings = Int[np.ndarray, "starts molecules modes"]


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

    @abc.abstractmethod
    def renewed(self, starts: Bool[np.ndarray, " starts"]) -> "AbstractState":
        """Return the state with the cost of some starts forgotten, because their matching of modes has changed.

        They go on from where they are, and to note the cost there once more is no step.
        """

    @abc.abstractmethod
    def moved(self, starts: Bool[np.ndarray, " starts"], points: "Points") -> "AbstractState":
        """Return the state with some starts at other points, from which they go on."""


class Points(eqx.Module):
    """A point of each start."""

    cost: Float[np.ndarray, " starts"]
    """Infinite before it is known."""
    at: Float[np.ndarray, "starts free"]
    matching: Matchings
    """The one under which the cost was found."""
    positions: Float[np.ndarray, "starts chunks atoms 3"]
    """Relaxed structures there [Å], from which they are found again; empty where nothing is relaxed."""

    def where(self, starts: Bool[np.ndarray, " starts"], others: "Points") -> "Points":
        """Return these points of some starts, and other points of the others."""
        return jax.tree.map(lambda a, b: np.where(_each(starts, a.ndim), a, b), self, others)


class Progress(eqx.Module):
    """Everything a fit needs to go on: saved after each iteration, passed back to resume."""

    state: AbstractState
    """The solver's own."""
    matching: Matchings
    n_rematched: Int[np.ndarray, " starts"]
    """How often the matching of a start has changed."""
    first_cost: Float[np.ndarray, " starts"]
    """Where the starts began, infinite before it is known."""
    lowest: Points
    """Of all that a start has had, each under the matching that its modes had there or that the start keeps."""
    best: Points
    """The lowest that each start has had since its matching is what it is."""
    best_rematched: Int[np.ndarray, " starts"]
    """How often the matching had changed when the best was found."""
    costs: Float[np.ndarray, "iterations starts"]
    """Cost after each iteration; not a number for starts that it left alone."""

    @property
    def n_iterations(self) -> int:
        """Number of iterations so far."""
        return len(self.costs)

    @property
    def best_cost(self) -> Float[np.ndarray, " starts"]:
        """The lowest cost of each start so far, under the matching that it has."""
        return self.best.cost


@dataclass(frozen=True, eq=False)
class Tried:
    """What an iteration makes of the starts that it did not leave alone."""

    starts: Int[np.ndarray, " tried"]
    moved: Bool[np.ndarray, " tried"]
    """Which of them are at a new point, or at one whose cost was not known."""
    cost: Float[np.ndarray, " tried"]
    """Where they are now, under their matchings."""
    modes: Modes | None
    """There, where they are matched; with a row for each of these starts."""
    positions: Float[Array | np.ndarray, "tried chunks atoms 3"] | None
    """Relaxed structures there [Å], from which they are found again; None: from those of the reference."""


class Course:
    """A fit on its way: what it minimises, and its progress, which the solver notes here."""

    def __init__(
        self, problem: Problem, form: Gram | None, progress: Progress, after: Callable[[Progress], None]
    ) -> None:
        self.problem, self.form, self.progress, self._after = problem, form, progress, after
        self.first_noted: float | None = None
        """When the first iteration was over [s], by `perf_counter`."""

    def note(self, state: AbstractState, tried: Tried) -> None:
        """Take an iteration into the progress, and tell and save it.

        Matchings of modes are renewed, so that the progress may hold another state afterwards than was given. Only
        costs under one matching are compared: a start whose matching has changed has its best from there on. One that
        has changed too often goes back to the lowest point that it had, and keeps the matching there.
        """
        old = self.progress
        moved, cost = np.zeros(len(old.best_cost), dtype=bool), np.full(len(old.best_cost), np.nan)
        moved[tried.starts], cost[tried.starts] = tried.moved, tried.cost
        own = self._own_matchings(tried)
        outdated = (own != old.matching).any(axis=(1, 2)) & (old.n_rematched < REMATCHED)
        known = moved & ~outdated & np.isfinite(cost)
        positions = np.array(old.best.positions)
        if tried.positions is not None:
            positions[tried.starts] = tried.positions
        here = Points(cost, np.array(state.at), old.matching, positions)
        # Of costs that are level, the last is the best.
        better, lower = (known & (cost < kept.cost + LEVEL * np.abs(cost)) for kept in (old.best, old.lowest))
        better |= known & (old.best_rematched != old.n_rematched)
        lowest = here.where(lower, old.lowest)
        n_rematched = old.n_rematched + outdated
        back = outdated & (n_rematched == REMATCHED) & np.isfinite(lowest.cost)
        state = state.moved(back, lowest) if back.any() else state
        self.progress = Progress(
            state=state.renewed(outdated) if outdated.any() else state,
            matching=np.where(_each(back, 3), lowest.matching, np.where(_each(outdated, 3), own, old.matching)),
            n_rematched=n_rematched,
            first_cost=np.where(known & np.isinf(old.first_cost), cost, old.first_cost),
            lowest=lowest,
            best=here.where(better, old.best),
            best_rematched=np.where(better, old.n_rematched, old.best_rematched),
            costs=np.concatenate([old.costs, cost[None]]),
        )
        self.first_noted = self.first_noted or perf_counter()
        self._after(self.progress)

    def _own_matchings(self, tried: Tried) -> Matchings:
        """Return the matchings with those of the starts that moved renewed where they are now."""
        own = self.progress.matching.copy()
        if tried.modes is None:
            return own
        overlaps, eigenvalues = np.asarray(tried.modes.overlaps), np.asarray(tried.modes.eigenvalues)
        there = tried.moved & np.isfinite(overlaps).all(axis=(1, 2, 3))
        own[tried.starts[there]] = matchings(self.problem, overlaps[there], eigenvalues[there])
        return own


class AbstractSolver(eqx.Module):
    """Moves the free variables of a problem to where its cost is lowest, from many starts."""

    tolerance: eqx.AbstractVar[float]
    """A start has converged when a full Newton step promises to lower the cost by less than this share of it."""
    max_steps: eqx.AbstractVar[int]
    """Steps after which a start ends without having converged."""

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
        self,
        problem: Problem,
        form: Gram | None,
        at: Float[np.ndarray, "starts free"],
        matching: Matchings,
        positions: Float[np.ndarray, "starts chunks atoms 3"] | None,
    ) -> tuple[Quadratic, Bool[np.ndarray, " starts"]]:
        """Return cost, gradient and Gauss-Newton matrix at a point of each start, and which have converged there.

        By a program that is compiled already after a run. Relaxed structures are looked for from `positions` [Å], or
        from those of the reference.
        """

    @abc.abstractmethod
    def why_not(self, state: AbstractState, start: int) -> str:
        """Return why a start has not converged although it took steps, as half a sentence."""


OTHER_MODES = (
    "the steps ended where other modes are compared than at the best point, which is kept and is not stationary; a "
    "target eigenmatrix compares modes without matching them"
)


def more_steps(max_steps: int) -> str:
    """Say what to do where so many steps were not enough."""
    return f"set max_steps = {5 * max_steps} under [fit]; the best parameters are kept"


def matchings(
    problem: Problem,
    overlaps: Float[np.ndarray, "starts molecules modes modes"],
    eigenvalues: Float[np.ndarray, "starts molecules modes"],
) -> Matchings:
    """Match the modes of each molecule for each start; padding is matched with itself."""
    data, gathered = problem.chunks.data, problem.chunks.gathered
    reference, counts = gathered(np.asarray(data.eigenvalues)), gathered(np.asarray(data.has_mode)).sum(axis=1)
    matching = np.tile(np.arange(reference.shape[1]), (len(overlaps), len(reference), 1))
    for m, n in enumerate(counts):
        matching[:, m, :n] = match_modes_of_models(overlaps[:, m, :n, :n], reference[m, :n], eigenvalues[:, m, :n])
    return matching


def _each(starts: Bool[np.ndarray, " starts"], n_axes: int) -> np.ndarray:
    """Return an array of one value a start that goes with one of more axes."""
    return starts.reshape(-1, *(1,) * (n_axes - 1))
