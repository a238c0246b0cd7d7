"""Fits of published systems: figures at the start and the end, and how far the improvement can be relied on."""

from dataclasses import asdict
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import jax.numpy as jnp
import numpy as np
from published_systems import DATA, System
from published_verdict import verdict

from forgefield.assign.measured import mean_geometry
from forgefield.compiled import compiled
from forgefield.fitting.judge.metrics import judge
from forgefield.fitting.judge.relaxed_metrics import RelaxedJudge
from forgefield.fitting.judge.resampling import FEWEST, Improvement, gain, improvement
from forgefield.fitting.judge.sanity import unphysical
from forgefield.fitting.judge.stiffest import stiffest_rows
from forgefield.jobs.fit.fit_job import plain, run_fit, uncounted
from forgefield.jobs.fit.outcome.outcome import Outcome
from forgefield.jobs.fit.plan.fit_toml import read_plan
from forgefield.jobs.fit.plan.prepare import Prepared, prepare_plan
from forgefield.jobs.fit.plan.starting import with_values
from forgefield.jobs.fit.run.passes import Passed
from forgefield.jobs.fit.run.validation import Validation, validated
from forgefield.molecules.molecule import standard_masses
from forgefield.properties.modes import signed_frequencies
from forgefield.terms.mm3 import BOND_MOMENT

MATCHED = "frequency_rmsd_cm1"
CUT = 50.0
"""cm⁻¹; modes below it are left out by q2mm."""
_HARMONIC = ("stretch", "bend")

Figures = dict[str, Any]


def fitted(system: System, folder: Path) -> Figures:
    """Fit a system in a folder of its own and return what the page tells of it."""
    if system.prepare is not None:
        system.prepare(folder)
    path = folder / "FIT.toml"
    text = filled(system.settings, DATA.resolve(), folder.resolve())
    path.write_text(text, encoding="utf-8")
    prepared = prepare_plan(read_plan(path, starts=system.starts))
    if prepared.mm3 is not None:
        path.write_text(with_charges_kept(text, prepared), encoding="utf-8")
        prepared = prepare_plan(read_plan(path, starts=system.starts))
    began, cpu = perf_counter(), process_time()
    outcome = run_fit(prepared, folder / "fit", overwrite=True)
    wall, fit_cpu = perf_counter() - began, process_time() - cpu
    told = outcome.record.results
    known = told["identifiability"]
    figures: Figures = {
        "molecules": len(prepared.examples),
        "atoms": sorted({example.molecule.n_atoms for example in prepared.examples}),
        "level": next((e.reference.level for e in prepared.examples if e.reference.level), system.level),
        "trained": known["n_free"],
        "values": known["n_values"],
        "determined": known["n_effective"],
        "success": told["fit"]["success"],
        "converged": told["fit"]["converged"],
        "reason": told["fit"]["reason"],
        "iterations": told["fit"]["iterations"],
        "start": at(prepared, prepared.start) | told["metrics"]["start"],
        "final": at(prepared, outcome.values) | told["metrics"]["final"],
        "groups": groups(prepared),
        "fit_wall_s": wall,
        "fit_cpu_s": fit_cpu,
    }
    cpu = process_time()
    if system.samples:
        figures |= by_molecules(prepared, outcome, system)
    else:
        figures |= by_starts(prepared, outcome)
    return plain(figures | {"resampling_cpu_s": process_time() - cpu})


def filled(settings: str, data: Path, folder: Path) -> str:
    """Return settings with the folders that they name."""
    return settings.replace("{data}", str(data)).replace("{folder}", str(folder))


def with_charges_kept(text: str, prepared: Prepared) -> str:
    """Return settings in which bond moments follow the lengths that are trained, so that charges, μ / r0, stay.

    Hessians say next to nothing of charges, and a cost without their changes is a quadratic form.
    """
    stretches = {row.line: row for row in prepared.rows if row.term.kind == "stretch"}
    moments = [row for row in prepared.assignment.rows if row.term is BOND_MOMENT and row.line in stretches]
    polar = [row for row in moments if prepared.start[row.indices[0]] != 0.0]
    named = "".join(f'"bond_moment * (line {row.line})", ' for row in polar)
    ties = ""
    for row in polar:
        length = stretches[row.line]
        factor = prepared.start[row.indices[0]] / prepared.start[length.indices[1]]
        ties += f'[[forcefield.ties]]\nfollower = "{row.parameter_name(0)}"\nleader = "{length.parameter_name(1)}"\n'
        ties += f"factor = {float(factor)!r}\n"
    text = text.replace("train = [", f"train = [{named}")
    return text.replace("[[molecules]]", f"{ties}[[molecules]]", 1)


def groups(prepared: Prepared) -> int:
    """Return in how many groups of two molecules and more relative energies are compared."""
    group = np.asarray(prepared.data.group)[np.asarray(prepared.data.has_energy)]
    return int((np.unique(group, return_counts=True)[1] > 1).sum())


def at(prepared: Prepared, values: np.ndarray) -> Figures:
    """Return what no report tells: q2mm's figure, energies of relaxed structures, what is unphysical."""
    assignment, positions = prepared.assignment, np.asarray(prepared.data.positions)
    saddles = np.flatnonzero([example.is_saddle for example in prepared.examples])
    limits = stiffest_rows(assignment.model, assignment.topology, positions, saddles)
    found = unphysical(prepared.rows, values, mean_geometry(assignment, positions), limits)
    constants = [values[row.indices[0]] for row in prepared.rows if row.term.kind in _HARMONIC]
    relaxed = RelaxedJudge()(with_values(assignment, values).model, prepared.data, prepared.examples)
    there = None if relaxed.relaxed is None else np.asarray(relaxed.relaxed.there)
    return {
        "relaxed_energy_rmsd_kcal_mol": relaxed.total.energy_rmsd_kcal_mol,
        "not_relaxed": None if there is None else int(np.sum(~there)),
        "sorted_and_cut_cm1": sorted_and_cut(prepared, values),
        "constants": len(constants),
        "negative": int(np.sum(np.array(constants) < 0.0)),
        "unphysical": sorted(found),
    }


def sorted_and_cut(prepared: Prepared, values: np.ndarray) -> float:
    """Return q2mm's RMSD [cm⁻¹]: modes from 50 cm⁻¹ on, by rank, translations and rotations not projected out.

    Where the two have different numbers of such modes, the highest of the longer list are left out.
    """
    model = with_values(prepared.assignment, values).model
    topology, positions = prepared.data.topology, jnp.asarray(prepared.data.positions)
    hessians = np.asarray(compiled(lambda one: one.hessian(topology, positions))(model))
    off = []
    for example, hessian in zip(prepared.examples, hessians, strict=True):
        if example.reference.hessian is None:
            continue
        n, masses = 3 * example.molecule.n_atoms, example.reference.masses
        masses = standard_masses(example.molecule.species) if masses is None else masses
        lists = [kept(one[:n, :n], masses) for one in (example.reference.hessian, hessian)]
        shorter = min(map(len, lists))
        off.append(lists[0][:shorter] - lists[1][:shorter])
    return float(np.sqrt(np.mean(np.concatenate(off) ** 2)))


def kept(hessian: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """Return the frequencies of a Hessian from the cut on, in their order [cm⁻¹]."""
    root = np.repeat(np.sqrt(masses), 3)
    frequencies = signed_frequencies(np.linalg.eigvalsh(np.asarray(hessian) / np.outer(root, root)))
    return frequencies[frequencies >= CUT]


def by_molecules(prepared: Prepared, outcome: Outcome, system: System) -> Figures:
    """Leave each molecule out, and refit samples of them."""
    assert len(prepared.examples) >= FEWEST
    wanted = Validation(samples=system.samples, workers=1)
    told = validated(prepared, outcome.passes[-1], wanted, uncounted)
    gains = told["improvement"]
    left_out = read(gains[MATCHED]["left_out"])
    return {
        "over": "molecules",
        "samples": system.samples,
        "failures": len(told["failures"]),
        "fitted": gains[MATCHED]["fitted"],
        "left_out": gains[MATCHED]["left_out"],
        "cost_fitted": gains["cost"]["fitted"],
        "cost_left_out": gains["cost"]["left_out"],
        "left_out_cm1": told["leave_one_out"]["left_out"][MATCHED],
        **decided(left_out, prepared, outcome, by_molecules=True),
    }


def read(told: Figures) -> Improvement:
    """Return an improvement from what results tell of it."""
    return Improvement(told["value"], told["low"], told["high"], told["n"])


def by_starts(prepared: Prepared, outcome: Outcome) -> Figures:
    """Compare the ends of all starts that converged with the estimate."""
    first, last = outcome.passes[0], outcome.passes[-1]
    before = judge(prepared.assignment.model, prepared.data, prepared.examples).total
    ends = np.flatnonzero(first.fit.starts_converged)
    matched, costs = [], []
    start = sum(one["cost_start"] for one in outcome.record.results["targets"])
    for s in ends:
        model = with_values(prepared.assignment, values_at(first, first.fit.starts_at[s])).model
        after = judge(model, prepared.data, prepared.examples).total
        matched.append(gain(before.frequency_rmsd_cm1, after.frequency_rmsd_cm1))
        prior = 0.5 * first.problem.prior.strength * float(np.mean(first.fit.starts_at[s] ** 2))
        costs.append(gain(start, float(first.fit.starts_cost[s]) - prior))
    final = judge(with_values(prepared.assignment, last.values).model, prepared.data, prepared.examples).total
    found = improvement(gain(before.frequency_rmsd_cm1, final.frequency_rmsd_cm1), np.array(matched))
    end = sum(one["cost_final"] for one in outcome.record.results["targets"])
    return {
        "over": "starts",
        "samples": len(first.fit.starts_cost),
        "fitted": told_of(found),
        "cost_fitted": told_of(improvement(gain(start, end), np.array(costs))),
        **decided(found, prepared, outcome, by_molecules=False),
    }


def told_of(found: Improvement) -> Figures:
    """Return what results tell of an improvement."""
    return asdict(found) | {"verdict": found.verdict, "significance": found.significance}


def values_at(passed: Passed, scaled: np.ndarray) -> np.ndarray:
    """Return all values of the model at a point in scaled variables."""
    problem = passed.problem
    free = np.asarray(problem.prior.centre) + np.asarray(problem.prior.width) * np.asarray(scaled)
    return passed.changes.variables.values(np.asarray(problem.model.values), free)


def decided(found: Improvement, prepared: Prepared, outcome: Outcome, *, by_molecules: bool) -> Figures:
    """Return the verdict and why it is none, where it is not decidable."""
    known = outcome.record.results["identifiability"]
    word, reason = verdict(
        found,
        molecules=len(prepared.examples),
        by_molecules=by_molecules,
        values=known["n_values"],
        determined=known["n_effective"],
    )
    return {"verdict": word, "undecided": reason}
