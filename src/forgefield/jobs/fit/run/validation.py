"""Validation of a fit: every molecule left out in turn, and fits to samples drawn from the molecules."""

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from time import perf_counter
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from forgefield.cores import n_cores
from forgefield.fitting.judge.metrics import Judgement, Metrics, pooled
from forgefield.fitting.judge.resampling import (
    FEWEST,
    FEWEST_OF_JACKKNIFE,
    LEVEL,
    Improvement,
    gain,
    improvement,
    jackknife,
    resamples,
)
from forgefield.jobs.fit.plan.prepare import Prepared
from forgefield.jobs.fit.run.passes import Passed
from forgefield.jobs.fit.run.refits import (
    Basis,
    LeaveOut,
    LeftOut,
    Resample,
    Resampled,
    attempt,
    judged,
    shares_of,
    together,
    unseen_rows,
)
from forgefield.jobs.processes.pool import Done, Processes, ThisProcess
from forgefield.report.validation_results import (
    Bootstrap,
    Failure,
    Gain,
    Gains,
    Interval,
    Jackknife,
    JackknifeParameter,
    LeaveOneOut,
    LeftOutCost,
    LeftOutMolecule,
    ValidationResult,
)

SAMPLES = 200
_IMPROVING = (
    "frequency_rmsd_cm1",
    "frequency_rmsd_sorted_cm1",
    "eigenmatrix_rmsd_cm1",
    "force_max_kcal_mol_a",
    "bond_rmsd_a",
    "angle_rmsd_deg",
    "torsion_rmsd_deg",
    "energy_rmsd_kcal_mol",
)
"""Metrics of which less is better."""


@dataclass(frozen=True)
class Validation:
    """How a fit is to be validated."""

    samples: int = SAMPLES
    """Fits to samples drawn from the molecules."""
    workers: int | None = None
    """Processes; None: one for each processor that may be used."""


def validated(prepared: Prepared, last: Passed, wanted: Validation, tell: Callable[[int, int], None]) -> dict[str, Any]:
    """Return what results.json holds of the validation of a fit that ended; `tell` hears how many of all are done.

    Each molecule is left out in turn and judged as the fit of the others, from their own estimate, has it. Samples
    are drawn from the molecules with replacement, and fitted from the optimum.
    """
    began = perf_counter()
    before, after = judged(prepared, prepared.start), judged(prepared, last.values)
    known = shares_of(prepared, last, before).counts.sum(axis=0) > 0.0
    counts = known & (np.asarray(prepared.data.weight) > 0.0)
    counting = np.flatnonzero(counts)
    if len(counting) < FEWEST:
        return not_validated(
            f"leaving molecules out and resampling them need at least {FEWEST} molecules with data and a weight above "
            f"zero, and there {'is' if len(counting) == 1 else 'are'} {len(counting)}; how well the force field does "
            "on other molecules cannot be told from this fit"
        )
    seed, n_molecules = prepared.plan.seed, len(prepared.examples)
    drawn = resamples(counting, n_molecules, wanted.samples, seed)
    out = [LeaveOut(int(m)) for m in counting]
    tasks = [*out, *(Resample(k, tuple(map(int, sample))) for k, sample in enumerate(drawn))]
    workers = min(wanted.workers or n_cores(), len(tasks))
    basis = Basis(prepared, last.stage, last.values)
    with Processes() if workers > 1 else nullcontext(ThisProcess()) as by:
        done = by.run(attempt, basis, tasks, workers=workers, tell=lambda n: tell(n, len(tasks)))
    left_out = {int(counting[k]): done.results[k] for k in range(len(out)) if k in done.results}
    refits = {k - len(out): result for k, result in done.results.items() if k >= len(out)}
    summary = _Summary(prepared, last, before, after, counts, drawn, left_out, refits)
    gains = summary.improvements()
    found = ValidationResult(
        possible=True,
        message=_message(done, len(tasks)),
        verdict=_verdict(gains),
        level=LEVEL,
        seed=seed,
        workers=workers,
        wall_s=perf_counter() - began,
        interrupted=done.interrupted,
        failures=[Failure(_named(prepared, tasks[k]), said) for k, said in sorted(done.failures.items())],
        improvement=gains,
        leave_one_out=summary.leave_one_out(),
        bootstrap=summary.bootstrap(),
        jackknife=summary.jackknife(),
    )
    return asdict(found)


def not_validated(reason: str) -> dict[str, Any]:
    """Return what results.json holds where a validation was asked for that cannot be had."""
    said = f"Not validated: {reason}."
    return asdict(ValidationResult(possible=False, message=said, verdict=said, interrupted=False, failures=[]))


def warnings_of(validation: dict[str, Any]) -> list[str]:
    """Return what a validation found that must not be overlooked."""
    if not validation["possible"]:
        return [validation["message"]]
    said = [f"Validation, {failure['task']}: {failure['reason']}." for failure in validation["failures"]]
    gain = validation["improvement"]["cost"]["left_out"]
    if gain["significance"] != "significant" or gain["value"] < 0.0:
        said.append(f"On molecules left out of the fit, the cost against the estimate's is {gain['verdict']}.")
    others = {name: three["left_out"] for name, three in validation["improvement"].items() if name != "cost"}
    worse = [f"{name} {g['verdict']}" for name, g in others.items() if g["high"] is not None and g["high"] < 0.0]
    if worse:
        said.append(
            f"On molecules left out of the fit, not everything is better than the estimate: {'; '.join(worse)}."
        )
    unfinished = [row["name"] for row in validation["leave_one_out"]["molecules"] if not row["converged"]]
    if unfinished:
        said.append(f"Validation: the fit without each of these did not converge: {', '.join(unfinished)}.")
    if validation["interrupted"]:
        said.append(f"The validation was interrupted: {validation['message']}")
    return said


def _message(done: Done, n: int) -> str:
    said = f"{len(done.results)} of {n} refits came to an end"
    if done.failures:
        said += f", {len(done.failures)} failed"
    return f"{said}; interrupted." if done.interrupted else f"{said}."


def _named(prepared: Prepared, task: LeaveOut | Resample) -> str:
    match task:
        case LeaveOut(molecule):
            return f"without {prepared.examples[molecule].molecule.name}"
        case Resample(number, _):
            return f"sample {number + 1}"


def _verdict(gains: dict[str, Gains]) -> str:
    """Say in two sentences how much better than its start the fit is, where it was fitted and where not."""
    cost = gains["cost"]
    return (
        f"On molecules left out of the fit, the cost against the estimate's is {cost.left_out.verdict}. "
        f"On the molecules fitted to, {cost.fitted.verdict}."
    )


@dataclass(frozen=True, eq=False)
class _Summary:
    """Everything that came of the refits, by molecule left out and by number of the sample."""

    prepared: Prepared
    last: Passed
    before: Judgement
    after: Judgement
    counting: Bool[np.ndarray, " molecules"]
    """Which molecules are left out or drawn."""
    drawn: Int[np.ndarray, "samples molecules"]
    left_out: dict[int, LeftOut]
    refits: dict[int, Resampled]

    def improvements(self) -> dict[str, Gains]:
        """Return relative improvements of cost and metrics over the start, each with its interval."""
        pairs = {"cost": self._costs()} | {name: self._metrics(name) for name in _IMPROVING}
        return {name: Gains(*map(_told, three)) for name, three in pairs.items()}

    def _costs(self) -> tuple[Improvement, Improvement, Improvement]:
        start, end = (shares_of(self.prepared, self.last, j) for j in (self.before, self.after))
        everything = self.counting.astype(float)
        inside, outside = [], []
        for k, refit in sorted(self.refits.items()):
            lacking = everything * (self.drawn[k] == 0)
            inside.append(gain(start.cost(self.drawn[k]), refit.shares.cost(self.drawn[k])))
            outside.append(gain(start.cost(lacking), refit.shares.cost(lacking)))
        squares, counts = (np.zeros((2, *start.squares.shape)) for _ in range(2))
        for m, found in self.left_out.items():
            for side, view in enumerate((found.before, found.after)):
                squares[side, :, m], counts[side, :, m] = view.shares.squares[:, m], view.shares.counts[:, m]
        crossed = [type(start)(squares[side], counts[side]) for side in (0, 1)]
        resampled = [gain(crossed[0].cost(sample), crossed[1].cost(sample)) for sample in self.drawn]
        return (
            improvement(gain(start.cost(everything), end.cost(everything)), np.array(inside)),
            improvement(gain(crossed[0].cost(everything), crossed[1].cost(everything)), np.array(resampled)),
            improvement(_mean(outside), np.array(outside)),
        )

    def _metrics(self, name: str) -> tuple[Improvement, Improvement, Improvement]:
        def value(metrics: Metrics | None) -> float | None:
            return None if metrics is None else getattr(metrics, name)

        everything = self.counting.astype(np.int64)
        inside, outside = [], []
        for k, refit in sorted(self.refits.items()):
            lacking = everything * (self.drawn[k] == 0)
            inside.append(gain(value(together(self.before, self.drawn[k])), value(refit.inside)))
            outside.append(gain(value(together(self.before, lacking)), value(refit.outside)))
        resampled = [gain(*(value(m) for m in self._crossed(sample))) for sample in self.drawn]
        return (
            improvement(gain(*(value(together(j, everything)) for j in (self.before, self.after))), np.array(inside)),
            improvement(gain(*(value(m) for m in self._crossed(everything))), np.array(resampled)),
            improvement(_mean(outside), np.array(outside)),
        )

    def _crossed(self, multiplicity: Int[np.ndarray, " molecules"]) -> tuple[Metrics | None, Metrics | None]:
        """Return the metrics of molecules left out, at the estimate and after the fit of the others."""
        members = [m for m in self.left_out for _ in range(int(multiplicity[m]))]
        if not members:
            return None, None
        views = [[getattr(self.left_out[m], side) for m in members] for side in ("before", "after")]
        start, end = (pooled([v.modes for v in side], [v.metrics for v in side]) for side in views)
        return start, end

    def leave_one_out(self) -> LeaveOneOut:
        """Return how each molecule does at the estimate of the others, in their fit, and in the fit of all."""
        of_fit = shares_of(self.prepared, self.last, self.after)
        members = np.isin(np.arange(len(self.counting)), list(self.left_out))
        start, end = self._crossed(members.astype(np.int64))
        fitted = together(self.after, members.astype(np.int64))
        rows = []
        for m, found in sorted(self.left_out.items()):
            one = (np.arange(len(members)) == m).astype(float)
            rows.append(
                LeftOutMolecule(
                    name=self.prepared.examples[m].molecule.name,
                    converged=found.converged,
                    message=found.message,
                    unseen=list(found.unseen),
                    cost=LeftOutCost(
                        start=found.before.shares.cost(one),
                        left_out=found.after.shares.cost(one),
                        fitted=of_fit.cost(one),
                    ),
                    start=found.before.metrics,
                    left_out=found.after.metrics,
                    fitted=self.after.each[m],
                )
            )
        return LeaveOneOut(start, end, fitted, rows)

    def bootstrap(self) -> Bootstrap:
        """Return how many samples came to an end, and the intervals of the metrics among them."""
        refits = [refit for _, refit in sorted(self.refits.items())]
        return Bootstrap(
            samples=len(self.drawn),
            finished=len(refits),
            converged=sum(refit.converged for refit in refits),
            fitted=_intervals([refit.inside for refit in refits]),
            out_of_bag=_intervals([refit.outside for refit in refits if refit.outside is not None]),
        )

    def jackknife(self) -> Jackknife:
        """Return standard deviations of parameters from the fits with one molecule left out."""
        n = len(self.left_out)
        if n < FEWEST_OF_JACKKNIFE:
            said = f"needs {FEWEST_OF_JACKKNIFE} molecules left out in turn; there are {n}"
            return Jackknife(said, n, [])
        sigma = jackknife(np.stack([found.values for _, found in sorted(self.left_out.items())]))
        alone = {row.name for m in self.left_out for row in unseen_rows(self.prepared, m)}
        changes = self.last.changes
        changing = {int(place): name for name, place in zip(changes.names, changes.variables.places, strict=True)}
        rows = [
            # What only one molecule has says nothing of how it varies among molecules.
            JackknifeParameter(changing[place], parameter.unit, None if row.name in alone else float(sigma[place]))
            for row in self.prepared.rows
            for place, parameter in zip(row.indices, row.term.own, strict=True)
            if place in changing
        ]
        return Jackknife("delete-one-molecule jackknife", n, rows)


def _mean(values: list[float]) -> float:
    """Return the mean of those that are known."""
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


def _told(found: Improvement) -> Gain:
    return Gain(found.value, found.low, found.high, found.n, found.verdict, found.significance)


def _intervals(found: list[Metrics]) -> dict[str, Interval | None]:
    """Return the mean of each metric among samples with its percentile interval; null where there is no such data."""
    told: dict[str, Interval | None] = {}
    for name in Metrics.__dataclass_fields__:
        values: Float[np.ndarray, " samples"] = np.array(
            [value for one in found if (value := getattr(one, name)) is not None], dtype=np.float64
        )
        if len(values) < 2:
            told[name] = None
            continue
        low, high = np.quantile(values, [0.5 - LEVEL / 2.0, 0.5 + LEVEL / 2.0])
        told[name] = Interval(float(values.mean()), float(low), float(high))
    return told
