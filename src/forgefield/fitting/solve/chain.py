"""Solvers one after another: the next goes on from the best of all starts, or from the end of each."""

from dataclasses import replace

import equinox as eqx
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from forgefield.fitting.cost.cost import Problem, Quadratic
from forgefield.fitting.cost.gram import Gram
from forgefield.fitting.solve.evaluation import Relaxed
from forgefield.fitting.solve.objective import Needs
from forgefield.fitting.solve.search import Searched
from forgefield.fitting.solve.solver import AbstractSolver, AbstractState, Course, Progress


class Link(eqx.Module):
    """A solver of a chain."""

    solver: AbstractSolver
    from_all: bool = eqx.field(static=True)
    """Whether it goes on from the end of each start, and not from the best alone."""


class Linked(AbstractState):
    """Which solver of a chain is at work, and where it is with each start."""

    at: Float[Array | np.ndarray, "starts free"]
    n_accepted: Int[Array | np.ndarray, " starts"]
    ended: Bool[np.ndarray, " starts"]
    number: Int[np.ndarray, ""]
    """Of the solver."""
    n_iterations: Int[np.ndarray, ""]
    """Made before it."""
    accepted: Int[np.ndarray, " starts"]
    """Steps taken before it."""
    row: Int[np.ndarray, ""]
    """The start that it goes on from, where that is one alone."""
    states: tuple[AbstractState, ...]
    """Of each solver."""

    @property
    def done(self) -> Bool[np.ndarray, " starts"]:
        """Which starts have ended."""
        return self.ended


class Chain(AbstractSolver):
    """Solvers one after another, of which the first goes from all starts."""

    tolerance: float
    max_steps: int
    links: tuple[Link, ...]

    @classmethod
    def of(cls, links: tuple[Link, ...]) -> "Chain":
        """Return the chain of some solvers, with the tolerance of the last and the steps of all."""
        return cls(links[-1].solver.tolerance, sum(link.solver.max_steps for link in links), links)

    @property
    def needs(self) -> Needs:
        """Return what the one does that asks for most."""
        asked = {link.solver.needs for link in self.links}
        return next(one for one in Needs if one in asked)

    def begin(self, problem: Problem, points: Float[np.ndarray, "starts free"]) -> Linked:
        """Return the state before anything has been evaluated."""
        n = len(points)
        states = [link.solver.begin(problem, points if link.from_all else points[:1]) for link in self.links]
        return Linked(
            at=states[0].at,
            n_accepted=np.full(n, -1),
            ended=np.zeros(n, dtype=bool),
            number=np.array(0),
            n_iterations=np.array(0),
            accepted=np.zeros(n, dtype=int),
            row=np.array(0),
            states=tuple(states),
        )

    def run(self, course: Course) -> None:
        """Run one solver after another from where the one before ended."""
        while True:
            state = _linked(course)
            self._run(course, state)
            state, number = _linked(course), int(state.number) + 1
            if number == len(self.links) or not np.isfinite(course.progress.best_cost).any():
                return
            progress, row = course.progress, int(np.argmin(course.progress.best_cost))
            points = progress.best_at if self.links[number].from_all else progress.best_at[row : row + 1]
            begun = self.links[number].solver.begin(course.problem, points)
            states = (*state.states[:number], begun, *state.states[number + 1 :])
            moved = replace(
                state,
                number=np.array(number),
                n_iterations=np.array(progress.n_iterations),
                accepted=state.n_accepted,
                row=np.array(row),
                states=states,
            )
            course.progress = replace(progress, state=moved)

    def _run(self, course: Course, began: Linked) -> None:
        """Run the solver that is at work as if its part were a fit of its own."""
        number, first = int(began.number), int(began.n_iterations)
        link = self.links[number]
        n, whole = len(began.at), course.progress
        rows = np.arange(n) if link.from_all else np.array([began.row])

        def noted(part: Progress) -> None:
            """Take the progress of the part into that of the whole."""
            at, best_cost, best_at = map(np.array, (began.at, whole.best_cost, whole.best_at))
            n_accepted, ended = began.accepted.copy(), np.full(n, number == len(self.links) - 1)
            at[rows], best_cost[rows], best_at[rows] = part.state.at, part.best_cost, part.best_at
            n_accepted[rows] += np.maximum(part.state.n_accepted, 0)
            ended[rows] &= np.asarray(part.state.done)
            best_positions = None if whole.best_positions is None else np.array(whole.best_positions)
            if best_positions is not None:
                best_positions[rows] = part.best_positions
            costs = np.full((len(part.costs), n), np.nan)
            costs[:, rows] = part.costs
            states = (*began.states[:number], part.state, *began.states[number + 1 :])
            state = replace(began, at=at, n_accepted=n_accepted, ended=ended, states=states)
            every = np.concatenate([whole.costs[:first], costs])
            course.take(Progress(state, best_cost, best_at, best_positions, every, whole.effort))

        best_positions = None if whole.best_positions is None else whole.best_positions[rows]
        best = whole.best_cost[rows], whole.best_at[rows], best_positions
        part = Progress(began.states[number], *best, whole.costs[first:, rows], whole.effort)
        link.solver.run(Course(course.problem, course.form, course.objective, part, noted))

    def judge(
        self, problem: Problem, form: Gram | None, at: Float[np.ndarray, "starts free"], positions: Relaxed
    ) -> tuple[Quadratic, Bool[np.ndarray, " starts"]]:
        """Return what the first solver does, by whose program all starts were evaluated."""
        return self.links[0].solver.judge(problem, form, at, positions)

    def why_not(self, state: AbstractState, start: int) -> str:
        """Return why the last solver has not converged from a start."""
        assert isinstance(state, Linked)
        number = int(state.number)
        link = self.links[number]
        return link.solver.why_not(state.states[number], start if link.from_all else 0)


def sensitivity_of(state: AbstractState, start: int) -> Float[np.ndarray, "free 3"] | None:
    """Return what a search, alone or in a chain, chose variables by; None where it chose none."""
    match state:
        case Searched():
            found = state.sensitivity[start]
            return None if np.isnan(found).any() else found
        case Linked():
            parts = [sensitivity_of(one, min(start, len(one.at) - 1)) for one in reversed(state.states)]
            return next((part for part in parts if part is not None), None)
    return None


def _linked(course: Course) -> Linked:
    state = course.progress.state
    assert isinstance(state, Linked)
    return state
