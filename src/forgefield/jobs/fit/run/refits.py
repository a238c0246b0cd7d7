"""Fits of the same problem to other weights of its molecules: one left out, or as often as a sample drew them."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from forgefield.assign.generated import STRAIGHT
from forgefield.assign.measured import mean_geometry
from forgefield.fitting.judge.metrics import Judgement, Metrics, ModeComparison, pooled
from forgefield.fitting.judge.resampling import Shares, shares
from forgefield.jobs.fit.plan.plan import Generated
from forgefield.jobs.fit.plan.prepare import Prepared
from forgefield.jobs.fit.plan.starting import estimated, with_values
from forgefield.jobs.fit.run.passes import Passed, Stage, run_passes
from forgefield.jobs.fit.run.relaxed_results import judge_fitted
from forgefield.models.rows import Row


@dataclass(frozen=True, eq=False)
class Basis:
    """The fit that is repeated: its input, the pass it ended in, and where it ended."""

    prepared: Prepared
    stage: Stage
    values: Float[np.ndarray, " parameters"]


@dataclass(frozen=True)
class LeaveOut:
    """Fit to all molecules but this."""

    molecule: int


@dataclass(frozen=True)
class Resample:
    """Fit to each molecule as often as it was drawn."""

    number: int
    multiplicity: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class LeftOut:
    """A molecule as the estimate and the fit of all others have it."""

    values: Float[np.ndarray, " parameters"]
    converged: bool
    message: str
    unseen: tuple[str, ...]
    """Names of rows that no other molecule has."""
    before: "View"
    after: "View"


@dataclass(frozen=True, eq=False)
class View:
    """What a set of values makes of one molecule."""

    metrics: Metrics
    modes: ModeComparison | None
    shares: Shares
    """Of all molecules."""


@dataclass(frozen=True, eq=False)
class Resampled:
    """What a fit to a sample makes of the molecules in it and of the others."""

    converged: bool
    shares: Shares
    inside: Metrics
    outside: Metrics | None
    """None where every molecule was drawn."""


def attempt(basis: Basis, task: LeaveOut | Resample) -> LeftOut | Resampled:
    """Return what comes of one refit."""
    match task:
        case LeaveOut(molecule):
            return _left_out(basis.prepared, molecule)
        case Resample(_, multiplicity):
            return _resampled(basis, np.array(multiplicity))


def judged(prepared: Prepared, values: Float[np.ndarray, " parameters"]) -> Judgement:
    """Return how values do on every molecule."""
    judge = judge_fitted(prepared.plan.targets)
    return judge(with_values(prepared.assignment, values).model, prepared.data, prepared.examples)


def shares_of(prepared: Prepared, passed: Passed, judgement: Judgement) -> Shares:
    """Return what each molecule adds to the targets."""
    return shares(passed.problem.targets, prepared.data, judgement.sights)


def together(judgement: Judgement, multiplicity: Int[np.ndarray, " molecules"]) -> Metrics | None:
    """Return the metrics of molecules that count so many times; None where there is none."""
    members = np.repeat(np.arange(len(multiplicity)), multiplicity)
    if not len(members):
        return None
    return pooled([judgement.modes[m] for m in members], [judgement.each[m] for m in members])


def _left_out(prepared: Prepared, molecule: int) -> LeftOut:
    start = start_without(prepared, molecule)
    others = np.ones(prepared.data.topology.n_molecules)
    others[molecule] = 0.0
    fold = replace(prepared, assignment=with_values(prepared.assignment, start))
    last = _refitted(fold, others, Stage(), start)
    views = []
    for values in (start, last.values):
        seen = judged(prepared, values)
        views.append(View(seen.each[molecule], seen.modes[molecule], shares_of(prepared, last, seen)))
    unseen = tuple(row.name for row in unseen_rows(prepared, molecule))
    return LeftOut(last.values, last.fit.success, last.fit.message, unseen, *views)


def _resampled(basis: Basis, multiplicity: Int[np.ndarray, " molecules"]) -> Resampled:
    prepared = basis.prepared
    last = _refitted(prepared, multiplicity, basis.stage, basis.values)
    seen = judged(prepared, last.values)
    counting = np.asarray(prepared.data.weight) > 0.0
    inside, outside = together(seen, multiplicity), together(seen, (counting & (multiplicity == 0)).astype(np.int64))
    assert inside is not None
    # A sample whose optimum is that of the whole set needs no step.
    converged = bool(last.fit.starts_converged[0])
    return Resampled(converged, shares_of(prepared, last, seen), inside, outside)


def _refitted(
    prepared: Prepared,
    multiplicity: Float[np.ndarray, " molecules"] | Int[np.ndarray, " molecules"],
    stage: Stage,
    values: Float[np.ndarray, " parameters"],
) -> Passed:
    """Fit from one start to molecules that count so many times; the shapes, and so the program, are those of all."""
    weight = np.asarray(prepared.data.weight) * multiplicity
    weighted = replace(prepared, plan=replace(prepared.plan, starts=1), data=replace(prepared.data, weight=weight))
    last = run_passes(weighted, stage, values, None, _keep_nothing)[-1]
    if last.fit.interrupted:
        raise KeyboardInterrupt
    return last


def _keep_nothing(*_: object) -> None:
    """Save nothing."""


def start_without(prepared: Prepared, molecule: int) -> Float[np.ndarray, " parameters"]:
    """Return where a fit without a molecule starts: what the others alone give, by the estimate of the plan.

    Rows that only this molecule has keep what the force field had before the estimate: customary constants, or those
    of its file.
    """
    laid = with_values(prepared.laid, _geometry_without(prepared, molecule))
    estimate = prepared.plan.estimate
    found = estimated(laid, prepared.examples, estimate, prepared.rows, left_out=frozenset({molecule}))
    return prepared.changes().variables.within(found.values)


def _geometry_without(prepared: Prepared, molecule: int) -> Float[np.ndarray, " parameters"]:
    """Return values whose reference lengths and angles, where made from the molecules, are means over the others."""
    values = np.array(prepared.laid.model.values)
    if not isinstance(prepared.plan.start, Generated):
        return values
    others = np.asarray(prepared.data.topology.molecule) != molecule
    mean = mean_geometry(prepared.laid, np.asarray(prepared.data.positions), others)
    mean = np.where(np.isnan(mean), values, mean)
    straight = {row.indices[1] for row in prepared.laid.rows if row.term.kind == "bend"}
    for place in straight:
        mean[place] = np.pi if np.pi - mean[place] < STRAIGHT else mean[place]
    # What is straight for all molecules together stays so, since it is no variable.
    return np.where(values == np.pi, values, mean)


def unseen_rows(prepared: Prepared, molecule: int) -> tuple[Row, ...]:
    """Return the trained rows whose interactions are all in one molecule."""
    of_atom = np.asarray(prepared.data.topology.molecule)
    inside, outside = np.zeros(len(prepared.start), dtype=int), np.zeros(len(prepared.start), dtype=int)
    for term, group in zip(prepared.assignment.model.terms, prepared.assignment.topology.interactions, strict=True):
        if term.n_own:
            own = np.asarray(group.parameters)[:, 0]
            here = of_atom[np.asarray(group.atoms)[:, 0]] == molecule
            known = own < len(inside)
            np.add.at(inside, own[known & here], 1)
            np.add.at(outside, own[known & ~here], 1)
    return tuple(row for row in prepared.rows if inside[row.indices[0]] and not outside[row.indices[0]])
