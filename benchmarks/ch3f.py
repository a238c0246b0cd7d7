"""Fluoromethane: how far frequencies alone, forces and cross terms go, and how long a fit takes.

Run as `python benchmarks/ch3f.py`; one JSON object on stdout, progress on stderr. FORGEFIELD_DATA may name the
folder of reference data, of which `ch3f/` is used.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from forgefield.assign.measured import mean_geometry
from forgefield.engines.native.processor import machine
from forgefield.fitting.cost.cost import Problem
from forgefield.fitting.judge.metrics import Metrics, judge
from forgefield.fitting.judge.sanity import not_stationary, unphysical
from forgefield.fitting.judge.stiffest import stiffest_rows
from forgefield.fitting.solve.fit import Fit, fit, start
from forgefield.fitting.targets.fixed import Frequencies
from forgefield.fitting.targets.spectrum import soft_frequencies
from forgefield.fitting.targets.target import AbstractTarget, Traits
from forgefield.jobs.fit.outcome.results import record
from forgefield.jobs.fit.plan.prepare import Prepared, prepare
from forgefield.jobs.fit.plan.starting import with_values
from forgefield.jobs.fit.run.passes import Passed, Stage, begin_stage, run_passes
from forgefield.models.trainable import Trainable

EXAMPLE = Path(__file__).parents[1] / "examples" / "ch3f"
DATA = Path(os.environ.get("FORGEFIELD_DATA", Path(__file__).parents[2] / "shared" / "data")) / "ch3f"
REPEATS = 5
STARTS = 40
MANY = 1000
CROSS = ("stretch_bend", "stretch_stretch", "bend_bend", "urey_bradley")
FREQUENCIES = "frequencies = { tolerance = 1.0 }"
BOTH = "frequencies = { tolerance = 20.0 }\nforces = { tolerance = 0.1 }"
SAME_OPTIMUM = 1e-4
"""Starts whose costs agree to this fraction ended in the same place."""

Figures = dict[str, Any]


@dataclass(frozen=True)
class Setting:
    """What a FIT.toml of this benchmark says."""

    targets: str
    form: str = "harmonic"
    terms: tuple[str, ...] = ()
    starts: int = STARTS
    prior: float = 0.0
    reference: tuple[str, ...] = (str(EXAMPLE / "ch3f.json"),)

    def prepared(self) -> Prepared:
        """Return the input of the fit, through a file as users write it."""
        terms = ["stretch", "bend", *self.terms]
        text = (
            f'[forcefield]\nform = "{self.form}"\nterms = {json.dumps(terms)}\n'
            f"[[molecules]]\nreference = {json.dumps(self.reference)}\n"
            f"[targets]\n{self.targets}\n"
            f"[fit]\nstarts = {self.starts}\nprior = {{ strength = {self.prior} }}\n"
        )
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "FIT.toml"
            path.write_text(text, encoding="utf-8")
            return prepare(path)


class SortedFrequencies(AbstractTarget):
    """Frequencies paired in ascending order, whatever their modes look like [cm⁻¹]."""

    tolerance: float
    weight: float = 1.0

    @property
    def traits(self) -> Traits:
        return Traits("frequencies sorted by value", "cm⁻¹")

    def counted(self, data):
        return jnp.asarray(data.weight[:, None] * data.mode_weight)

    def deviations(self, seen, data):
        return soft_frequencies(seen.observed.eigenvalues)[0] - soft_frequencies(jnp.asarray(data.eigenvalues))[0]

    def slopes(self, seen, sensitivities, data):
        own = sensitivities.curvatures(jnp.einsum("mia,mab->mib", seen.vibrations, seen.observed.mixing))
        return own * soft_frequencies(seen.observed.eigenvalues)[1][:, None, :]


def main() -> None:
    """Measure everything and print it."""
    jax.config.update("jax_enable_x64", True)
    tell(f"load average {os.getloadavg()}")
    figures: Figures = machine() | {"load_average_start": os.getloadavg()[0]}
    figures |= command_line()
    figures |= many_starts()
    figures |= frequencies_alone()
    figures |= frequencies_and_forces()
    figures |= cross_terms()
    figures |= other_program()
    figures["load_average_end"] = os.getloadavg()[0]
    print(json.dumps(figures, indent=1))


def tell(text: str) -> None:
    """Write a line of progress to stderr."""
    print(text, file=sys.stderr, flush=True)


def frequencies_alone() -> Figures:
    """Fit frequencies only: nine numbers, six of them distinct, do not determine eight parameters."""
    figures: Figures = {}
    for form in ("harmonic", "mm3"):
        prepared = Setting(FREQUENCIES, form).prepared()
        passes = run(prepared)
        said = [w for w in record(prepared, passes).results["warnings"] if "unphysical" in w]
        key = f"frequencies_{form}"
        figures |= named(key, outcome(prepared, passes[-1]))
        figures[f"{key}_warning_text"] = said[0] if said else None
        tell(f"{key}: {figures[f'{key}_matched_cm1']:.4f} cm⁻¹; {said}")
    return figures


def frequencies_and_forces() -> Figures:
    """Fit frequencies and forces with eight harmonic parameters, paired by overlap and by value."""
    prepared = Setting(BOTH).prepared()
    passes = run(prepared)
    last = passes[-1]
    figures = named("forces_harmonic", outcome(prepared, last))
    figures["forces_harmonic_parameters"] = parameters(prepared, last.values)
    figures["forces_harmonic_all_k_positive"] = all_positive(prepared, last.values)
    problem, changes, progress = begin_stage(prepared, Stage(), prepared.start)
    by_value = tuple(SortedFrequencies(t.tolerance) if isinstance(t, Frequencies) else t for t in problem.targets)
    problem = replace(problem, targets=by_value)
    ended = fit(problem, start(problem, progress.best_at, prepared.plan.solver), prepared.plan.solver)
    paired = replace(last, problem=problem, changes=changes, fit=ended, values=values_at(problem, changes, ended.at))
    figures |= named("sorted_pairing", outcome(prepared, paired))
    physical = best_physical(prepared, paired)
    figures |= named("sorted_pairing_physical", physical)
    figures["sorted_pairing_optimum_cm1"] = physical["sorted_cm1"]
    tell(f"frequencies and forces: {figures}")
    return figures


def cross_terms() -> Figures:
    """Add the missing physics, each kind alone and all together, with and without the default prior."""
    figures: Figures = {}
    chosen = {"none": (), **{term: (term,) for term in CROSS}, "all": CROSS}
    for name, terms in chosen.items():
        for prior, label in ((0.0, "no_prior"), (0.01, "prior")):
            prepared = Setting(BOTH, terms=terms, prior=prior).prepared()
            found = run(prepared)[-1]
            key = f"cross_{name}_{label}"
            figures |= named(key, outcome(prepared, found))
            figures |= named(f"{key}_physical", best_physical(prepared, found))
            tell(f"{key}: " + json.dumps({k: v for k, v in figures.items() if k.startswith(key)}))
    return figures


def other_program() -> Figures:
    """Fit frequencies and forces to another program's Hessian, where the reference data are at hand."""
    files = [DATA / name for name in ("ch3f-optimized.xyz", "ch3f-hessian.npy", "ch3f-frequencies.txt")]
    if not all(path.is_file() for path in files):
        tell(f"no reference data in {DATA}: set FORGEFIELD_DATA")
        return {}
    prepared = Setting(BOTH, reference=tuple(str(path.resolve()) for path in files)).prepared()
    return named("psi4_forces_harmonic", outcome(prepared, run(prepared)[-1]))


def many_starts() -> Figures:
    """Time a fit from one start and from a thousand in one kernel."""
    figures: Figures = {}
    for n in (1, MANY):
        prepared = Setting(BOTH, starts=n).prepared()

        def once(prepared: Prepared = prepared) -> Fit:
            problem, _, progress = begin_stage(prepared, Stage(), prepared.start)
            return fit(problem, progress, prepared.plan.solver)

        ended, first_s, median_s = timed(once)
        cost = ended.starts_cost
        figures |= {
            f"starts_{n}_first_s": first_s,
            f"starts_{n}_compile_s": first_s - median_s,
            f"starts_{n}_fit_s": median_s,
            f"starts_{n}_iterations": ended.n_iterations,
            f"starts_{n}_best_cost": float(cost.min()),
            f"starts_{n}_at_best_share": float(np.mean(cost <= cost.min() * (1.0 + SAME_OPTIMUM))),
            f"starts_{n}_converged_share": float(np.mean(ended.starts_converged)),
        }
        tell(f"{n} starts: first {first_s:.2f} s, then {median_s:.2f} s, {ended.n_iterations} iterations")
    return figures


def command_line() -> Figures:
    """Time the command line on the example, with an empty and with a filled cache of compiled programs."""
    cold, warm = [], []
    with tempfile.TemporaryDirectory() as folder:
        for k in range(REPEATS):
            cache = Path(folder) / f"cache{k}"
            cold.append(command_s(cache, Path(folder) / "out"))
            warm.append(command_s(cache, Path(folder) / "out"))
            tell(f"forgefield fit: cold {cold[-1]:.2f} s, warm {warm[-1]:.2f} s")
    return {
        "command_cold_s": statistics.median(cold),
        "command_cold_first_s": cold[0],
        "command_warm_s": statistics.median(warm),
    }


def command_s(cache: Path, output: Path) -> float:
    """Return how long `forgefield fit` takes with this cache folder."""
    words = ("fit", str(EXAMPLE / "FIT.toml"), "--output", str(output), "--overwrite")
    command = [sys.executable, "-m", "forgefield", *words]
    began = perf_counter()
    subprocess.run(command, env={**os.environ, "FORGEFIELD_CACHE": str(cache)}, check=True, capture_output=True)
    return perf_counter() - began


def timed(once: Callable[[], Fit]) -> tuple[Fit, float, float]:
    """Return the outcome, the time of the first call, and the median of further ones."""
    began = perf_counter()
    ended = once()
    first = perf_counter() - began
    times = []
    for _ in range(REPEATS):
        began = perf_counter()
        once()
        times.append(perf_counter() - began)
    return ended, first, statistics.median(times)


def run(prepared: Prepared) -> list[Passed]:
    """Fit without writing anything."""
    return run_passes(prepared, Stage(), prepared.start, None, lambda _stage, _progress, _began: None)


def outcome(prepared: Prepared, found: Passed) -> Figures:
    """Return how well the end of a fit does, and whether it is sane."""
    return judged(prepared, found.values) | {
        "at_best_starts": int(np.sum(found.fit.starts_cost <= found.fit.starts_cost.min() * (1.0 + SAME_OPTIMUM)))
    }


def best_physical(prepared: Prepared, found: Passed) -> Figures:
    """Return how well the best of the starts does that ended at physical parameters."""
    for s in np.argsort(found.fit.starts_cost):
        if not found.fit.starts_converged[s]:
            continue
        values = values_at(found.problem, found.changes, found.fit.starts_at[s])
        if not complaints(prepared, values, metrics_of(prepared, values)):
            return judged(prepared, values)
    return dict.fromkeys(("matched_cm1", "sorted_cm1", "force_kcal_mol_a"))


def judged(prepared: Prepared, values: np.ndarray) -> Figures:
    """Return the figures of a force field and whether the check of its sanity is silent."""
    metrics = metrics_of(prepared, values)
    return {
        "matched_cm1": metrics.frequency_rmsd_cm1,
        "sorted_cm1": metrics.frequency_rmsd_sorted_cm1,
        "force_kcal_mol_a": metrics.force_max_kcal_mol_a,
        "sane": not complaints(prepared, values, metrics),
    }


def metrics_of(prepared: Prepared, values: np.ndarray) -> Metrics:
    """Return the metrics of a force field with these values."""
    return judge(with_values(prepared.assignment, values).model, prepared.data, prepared.examples).total


def complaints(prepared: Prepared, values: np.ndarray, metrics: Metrics) -> list[str]:
    """Return what is unphysical about a force field."""
    assignment, positions = prepared.assignment, np.asarray(prepared.data.positions)
    saddles = np.flatnonzero([example.is_saddle for example in prepared.examples])
    stiffest = stiffest_rows(assignment.model, assignment.topology, positions, saddles)
    found = unphysical(assignment.rows, values, mean_geometry(assignment, positions), stiffest)
    return [*found.values(), *not_stationary([metrics])]


def values_at(problem: Problem, changes: Trainable, at: np.ndarray) -> np.ndarray:
    """Return all values of the model at a point in scaled variables."""
    free = np.asarray(problem.prior.centre) + np.asarray(problem.prior.width) * at
    return changes.variables.values(np.asarray(problem.model.values), free)


def parameters(prepared: Prepared, values: np.ndarray) -> dict[str, float]:
    """Return the values of a force field by name, in internal units."""
    rows = prepared.assignment.rows
    return {r.parameter_name(p): float(values[r.indices[p]]) for r in rows for p in range(r.term.n_own)}


def all_positive(prepared: Prepared, values: np.ndarray) -> bool:
    """Say whether all force constants are positive."""
    return all(values[row.indices[0]] > 0.0 for row in prepared.assignment.rows)


def named(prefix: str, figures: Figures) -> Figures:
    """Return the figures with a prefix to their names."""
    return {f"{prefix}_{name}": value for name, value in figures.items()}


if __name__ == "__main__":
    main()
