"""A force field that is laid over molecules, fitted to their structures."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from forgefield.assign.assignment import Assignment
from forgefield.estimating.seminario import Approximation
from forgefield.fitting.cost.cost import Problem
from forgefield.fitting.data.chunks import chunks
from forgefield.fitting.data.training_set import Example, training_set
from forgefield.fitting.frames.evaluation import Said, said
from forgefield.fitting.frames.form import FrameWeights, frame_form
from forgefield.fitting.frames.frames import Frames
from forgefield.fitting.solve.fit import Fit, fit, spread_starts, start
from forgefield.jobs.distil.classical.labelled import Labelled
from forgefield.jobs.distil.classical.plan import ClassicalPlan
from forgefield.jobs.fit.plan.plan import Estimate, Kept
from forgefield.jobs.fit.plan.starting import estimated, prior, trained_rows, what_changes, with_values
from forgefield.models.expansions import with_charges
from forgefield.models.rows import Row

_CHARGE_PASSES = 3
"""Passes where charges follow from bond lengths that change: in each they stay as the one before has left them."""


@dataclass(frozen=True, eq=False)
class Fitted:
    """A force field at the end of a fit."""

    assignment: Assignment
    start: Float[np.ndarray, " parameters"]
    rows: tuple[Row, ...]
    """Those that changed."""
    fit: Fit


def fitted(laid: Assignment, labelled: Sequence[Labelled], plan: ClassicalPlan, *, made: bool) -> Fitted:
    """Return a force field fitted to the structures of the molecules that it is laid over.

    Constants of one that was `made` from them start from customary ones, else as they are. The strength of the prior is
    a share of the mean square that a first fit leaves.
    """
    examples = [Example(one.molecule, one.lowest, None) for one in labelled]
    rows = trained_rows(laid, plan.changing.train, [one.molecule for one in labelled])
    usual: Estimate = Approximation() if made else Kept()
    changes = what_changes(laid, examples, rows, plan.changing)
    begun = changes.variables.within(estimated(laid, examples, usual, rows).values)
    frames = _grouped(labelled)
    weights = FrameWeights(plan.weights.energy, plan.weights.force, plan.weights.product)
    places = np.asarray(changes.variables.places)
    problem = Problem(
        model=with_values(laid, begun).model,
        chunks=chunks(training_set(laid.topology, examples), len(begun), places),
        targets=(),
        counts=(),
        prior=prior(changes, laid.rows, begun, plan.prior),
        variables=changes.variables,
    )
    values, ended = begun, None
    moving = problem.chunks.selection.charges is not None
    for _ in range(_CHARGE_PASSES if moving else 1):
        form = frame_form(problem, laid.topology, with_charges(values, laid.topology)[len(values) :], frames, weights)
        at = spread_starts(problem, 1) if ended is None else ended.at[None]
        first = fit(problem, start(problem, at, plan.solver), plan.solver, form=form)
        left = float(form.quadratic(_with_strength(problem, 0.0), first.at).cost)
        problem = _with_strength(problem, 2.0 * left * plan.prior.strength)
        ended = fit(problem, start(problem, first.at[None], plan.solver), plan.solver, form=form)
        free = np.asarray(problem.prior.centre) + np.asarray(problem.prior.width) * ended.at
        values = changes.variables.values(begun, np.clip(free, changes.variables.lower, changes.variables.upper))
    assert ended is not None
    return Fitted(with_values(laid, values), begun, rows, ended)


def _with_strength(problem: Problem, strength: float) -> Problem:
    return replace(problem, prior=replace(problem.prior, strength=strength))


def answers_of(laid: Assignment, molecule: int, frames: Frames) -> Said:
    """Return what a force field says at structures of one of the molecules that it is laid over."""
    known = with_charges(laid.model.values, laid.topology)
    return said(laid.model.terms, laid.topology, molecule, known, frames)


def _grouped(labelled: Sequence[Labelled]) -> list[tuple[Frames, int]]:
    numbers: dict[str, int] = {}
    return [(one.frames, numbers.setdefault(one.graph, len(numbers))) for one in labelled]


def standing(labelled: Labelled, positions: Float[np.ndarray, "atoms 3"]) -> Labelled:
    """Return the structures of a molecule with another one to stand for it."""
    return replace(labelled, molecule=replace(labelled.molecule, positions=positions))
