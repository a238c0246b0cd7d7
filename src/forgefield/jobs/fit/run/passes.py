"""The fits that a policy for transition states asks for, one after another, resumable at every iteration."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from forgefield.engines.programs.over_molecules import OverMolecules
from forgefield.estimating.transition_state import C, D, E
from forgefield.fitting.cost.cost import Problem
from forgefield.fitting.judge.opposition import Pieces, pieces, weighted
from forgefield.fitting.solve.fit import Fit, fit, spread_starts, start
from forgefield.fitting.solve.objective import nothing
from forgefield.fitting.solve.of_program import ByProgram
from forgefield.fitting.solve.solver import Progress
from forgefield.jobs.fit.plan.prepare import Prepared
from forgefield.jobs.fit.plan.starting import estimated
from forgefield.models.trainable import Trainable


@dataclass(frozen=True)
class Stage:
    """Which pass a fit is in: parameters that lost their bounds, and those held at a value."""

    number: int = 0
    released: tuple[str, ...] = ()
    held: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, eq=False)
class Passed:
    """A finished pass."""

    stage: Stage
    parts: Pieces
    """The problem, and taken apart by its targets."""
    changes: Trainable
    fit: Fit
    values: Float[np.ndarray, " parameters"]
    """All values of the model at the end."""
    costs: Float[np.ndarray, "iterations starts"]
    """After each iteration; not a number for starts that it left alone."""

    @property
    def problem(self) -> Problem:
        """What was solved."""
        return self.parts.problem

    @property
    def free(self) -> Float[np.ndarray, " free"]:
        """The free variables at the end."""
        return _unscaled(self.problem, self.fit.at)


Saver = Callable[[Stage, Progress, np.ndarray], None]
"""Takes the stage, the progress within it, and the values the stage began with: before and after each iteration."""


def begin_stage(
    prepared: Prepared, stage: Stage, values: Float[np.ndarray, " parameters"]
) -> tuple[Problem, Trainable, Progress]:
    """Return the problem of a stage and its progress before the first iteration, starting from `values`."""
    held = dict(stage.held)
    released = frozenset(stage.released)
    changes = prepared.changes(released=released, held=frozenset(held))
    # From zero, where its bound held it, a constant would begin between two signs.
    values = prepared.signed(values, released)
    places = {r.parameter_name(p): r.indices[p] for r in prepared.assignment.rows for p in range(r.term.n_own)}
    for name, value in held.items():
        values[places[name]] = value
    problem = prepared.problem(changes, values, released=released)
    here = (changes.variables.free(values) - np.asarray(problem.prior.centre)) / np.asarray(problem.prior.width)
    plan = prepared.plan
    further = plan.starts if stage.number == 0 else 1
    points = spread_starts(problem, further, seed=plan.seed, spread=plan.spread)
    points[0] = here
    return problem, changes, start(problem, points, prepared.plan.solver)


def run_passes(
    prepared: Prepared,
    stage: Stage,
    values: Float[np.ndarray, " parameters"],
    progress: Progress | None,
    save: Saver,
    before: Callable[[], None] = nothing,
) -> list[Passed]:
    """Run the pass of `stage` and those that must follow it; `progress` continues an interrupted one.

    A KeyboardInterrupt raised by `save`, or by `before`, which is called before each evaluation, ends them.

    Under D, constants that press against zero are then released; under E, those that thereby come out
    negative are held at what C estimates for them, and the rest is fitted again.
    """
    done: list[Passed] = []
    engine = prepared.plan.engine
    program = None if engine is None else OverMolecules(engine, prepared.assignment, prepared.molecules)
    following: Stage | None = stage
    while following is not None:
        stage = following
        problem, changes, fresh = begin_stage(prepared, stage, values)
        course = _Kept(save, stage, values, progress or fresh)
        if progress is None:
            # Whatever comes before the first iteration, it can be continued.
            course(fresh)
        parts = pieces(problem, prepared.plan.solver, n_starts=len(fresh.best_cost))
        _, form = weighted(parts, (1.0,) * parts.n_targets)
        objective = None if program is None else ByProgram(problem, prepared.data, program)
        ended = fit(
            problem, course.last, prepared.plan.solver, form=form, objective=objective, after=course, before=before
        )
        progress = None
        values = changes.variables.values(np.asarray(problem.model.values), _unscaled(problem, ended.at))
        done.append(Passed(stage, parts, changes, ended, values, course.last.costs))
        following = None if ended.interrupted else _next(prepared, done[-1])
    return done


class _Kept:
    """Saves the progress of a pass that began at these values, and keeps the last."""

    def __init__(self, save: Saver, stage: Stage, began: np.ndarray, last: Progress) -> None:
        self._save, self._stage, self._began, self.last = save, stage, began, last

    def __call__(self, progress: Progress) -> None:
        """Take the progress after an iteration."""
        self.last = progress
        self._save(self._stage, progress, self._began)


def _unscaled(problem: Problem, at: Float[np.ndarray, " free"]) -> Float[np.ndarray, " free"]:
    """Return the free variables, those at a bound exactly there."""
    lower, upper = problem.bounds
    free = np.asarray(problem.prior.centre) + np.asarray(problem.prior.width) * at
    variables = problem.variables
    return np.where(at <= lower, variables.lower, np.where(at >= upper, variables.upper, free))


def _next(prepared: Prepared, passed: Passed) -> Stage | None:
    """Return the pass that must follow, if any."""
    policies = [files.policy for files in prepared.plan.molecules]
    saddle = any(e.is_saddle for e in prepared.examples)
    if not saddle or not any(isinstance(policy, D | E) for policy in policies):
        return None
    if passed.stage.number == 0:
        pressed = _pressed(passed)
        return Stage(1, released=pressed) if pressed else None
    if passed.stage.number == 1 and any(isinstance(policy, E) for policy in policies):
        negative = _negative(passed)
        under_c = _estimates_under_c(prepared)
        held = tuple((name, max(under_c[name], 0.0)) for name in negative)
        return Stage(2, held=held) if held else None
    return None


def _pressed(passed: Passed) -> tuple[str, ...]:
    """Return the force constants that a fit would make negative if it might."""
    low = passed.free <= np.asarray(passed.problem.variables.lower)
    constants = np.asarray(passed.problem.variables.lower) == 0.0
    return tuple(passed.changes.leaders[k] for k in np.flatnonzero(low & constants))


def _negative(passed: Passed) -> tuple[str, ...]:
    """Return the released force constants that are negative."""
    changes = passed.changes
    found = dict(zip(changes.names, passed.values[changes.variables.places], strict=True))
    return tuple(name for name in passed.stage.released if found[name] < 0.0)


def _estimates_under_c(prepared: Prepared) -> dict[str, float]:
    """Return the values that each parameter is given by the estimate on Hessians treated by policy C."""
    examples = [
        example.under(example.policy.c if isinstance(example.policy, E) else C()) if example.is_saddle else example
        for example in prepared.examples
    ]
    values = estimated(prepared.assignment, examples, prepared.plan.estimate, prepared.rows).values
    return {
        row.parameter_name(p): float(values[row.indices[p]])
        for row in prepared.assignment.rows
        for p in range(row.term.n_own)
    }
