"""One fit of a comparison, and how good the force field is that comes of it."""

from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from forgefield.fitting.judge.opposition import pieces, weighted
from forgefield.fitting.judge.relaxed_metrics import RelaxedJudge
from forgefield.fitting.solve.fit import fit, start
from forgefield.fitting.solve.levenberg_marquardt import LevenbergMarquardt
from forgefield.fitting.solve.solver import Progress
from forgefield.jobs.bench.clock import timed
from forgefield.jobs.bench.pairs import pair_plan
from forgefield.jobs.fit.outcome.results import record
from forgefield.jobs.fit.plan.prepare import Prepared, prepare_plan
from forgefield.jobs.fit.plan.soundness import evaluable
from forgefield.jobs.fit.plan.starting import with_values
from forgefield.jobs.fit.run.passes import Passed, Stage, begin_stage, run_passes
from forgefield.jobs.fit.run.relaxed_results import structures
from forgefield.report.bench.results import ESTIMATE, Pair, Row
from forgefield.report.record import FitRecord, RelaxedStructure

_JUDGE = LevenbergMarquardt(max_steps=0)
"""Finds the cost of every end by one program, and stays there."""


@dataclass(frozen=True)
class Conditions:
    """What all pairs of a comparison have in common."""

    file: Path
    limit_s: float | None = None
    """Seconds after which a fit is stopped, before its next evaluation."""
    is_timed: bool = True
    """Whether the process is alone with it, so that times mean something."""


def attempt(conditions: Conditions, pair: Pair) -> Row:
    """Fit as a pair says, and judge the end. Raises InputError for what cannot be fitted so."""
    prepared = evaluable(prepare_plan(pair_plan(conditions.file, pair)))
    if pair.solver == ESTIMATE:
        return judged(Row(pair, ending="not fitted"), prepared, Stage(), prepared.start)
    given = prepared if pair.precision == 64 else in_single_precision(prepared)

    def fitted() -> list[Passed]:
        with jax.enable_x64(pair.precision == 64):
            limit = _Limit(conditions.limit_s)
            return run_passes(given, Stage(), given.start, None, limit.save, limit.check)

    times: dict[str, Any] = {}
    if conditions.is_timed:
        passes, times["compile_s"], times["run_s"] = timed(fitted)
    else:
        passes = fitted()
    last = passes[-1]
    row = Row(
        pair,
        ending=f"stopped after {conditions.limit_s:g} s" if last.fit.interrupted else last.fit.message,
        converged=last.fit.success,
        stopped_s=conditions.limit_s if last.fit.interrupted else None,
        evaluations=sum(int(passed.fit.effort.evaluations) for passed in passes),
        gradients=sum(int(passed.fit.effort.gradients) for passed in passes),
        **times,
    )
    return judged(row, prepared, last.stage, np.asarray(last.values, dtype=float))


class _Limit:
    """Ends a fit that has run for longer than a limit [s], after one iteration at least."""

    def __init__(self, limit_s: float | None) -> None:
        self._limit_s, self._began, self._n_iterations = limit_s, perf_counter(), 0

    def save(self, _stage: Stage, progress: Progress, _began: np.ndarray) -> None:
        """Look at the clock after an iteration."""
        self._n_iterations = progress.n_iterations
        self.check()

    def check(self) -> None:
        """Look at the clock before an evaluation."""
        if self._limit_s is not None and self._n_iterations and perf_counter() - self._began > self._limit_s:
            raise KeyboardInterrupt


def in_single_precision(prepared: Prepared) -> Prepared:
    """Return the same fit with all numbers that are evaluated in float32."""
    model, topology, data = jax.tree.map(
        _single, (prepared.assignment.model, prepared.assignment.topology, prepared.data)
    )
    return replace(prepared, assignment=replace(prepared.assignment, model=model, topology=topology), data=data)


def _single(leaf: Any) -> Any:
    if not isinstance(leaf, np.ndarray | np.generic | jax.Array):
        return leaf
    # As NumPy has it, since an array of JAX in double precision stays one.
    array = np.asarray(leaf)
    return array.astype(np.float32) if array.dtype == np.float64 else array


def judged(row: Row, prepared: Prepared, stage: Stage, values: Float[np.ndarray, " parameters"]) -> Row:
    """Add to a row how good values are: in double precision by our own kernel, whoever found them."""
    plain = replace(prepared, plan=replace(prepared.plan, solver=_JUDGE, engine=None, starts=1))
    told = record(plain, [_ended(plain, stage, values)])
    final, parameters = told.results["metrics"]["final"], told.results["parameters"]
    relaxed = _relaxed(plain, told, values)
    constants = [r.indices[0] for r in plain.rows if r.term.kind in ("stretch", "bend")]
    return replace(
        row,
        cost=told.results["fit"]["cost"],
        frequency_rmsd_cm1=final["frequency_rmsd_cm1"],
        force_max_kcal_mol_a=final["force_max_kcal_mol_a"],
        shift_max_a=max((_shift(one) for one in relaxed), default=None),
        n_lost=int(np.asarray(plain.data.relaxation.wanted).sum()) - len(relaxed),
        n_negative=int(np.sum(values[constants] < 0.0)),
        n_undetermined=sum(one["determined"] is False for one in parameters),
    )


def _ended(prepared: Prepared, stage: Stage, values: Float[np.ndarray, " parameters"]) -> Passed:
    """Return a pass that ended at these values."""
    problem, changes, _ = begin_stage(prepared, stage, values)
    centre, width = np.asarray(problem.prior.centre), np.asarray(problem.prior.width)
    parts = pieces(problem, _JUDGE)
    _, form = weighted(parts, (1.0,) * parts.n_targets)
    at = (changes.variables.free(values) - centre) / width
    ended = fit(problem, start(problem, at[None], _JUDGE), _JUDGE, form=form)
    cost = np.array([float(ended.quadratic.cost)])
    return Passed(stage, parts, changes, replace(ended, costs=cost, starts_cost=cost), values, cost[None])


def _relaxed(
    prepared: Prepared, told: FitRecord, values: Float[np.ndarray, " parameters"]
) -> tuple[RelaxedStructure, ...]:
    """Return the relaxed structures, looked for here where the fit is not told by them."""
    if told.structures:
        return told.structures
    model = with_values(prepared.assignment, values).model
    return structures(prepared, RelaxedJudge(energies=False)(model, prepared.data, prepared.examples))


def _shift(one: RelaxedStructure) -> float:
    return float(np.linalg.norm(one.model - one.reference, axis=1).max())
