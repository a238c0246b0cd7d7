"""The same force field by ForgeField and by every other program that is there: parity term by term, and time.

Run as `python benchmarks/engines.py`; one JSON object on stdout, the table of docs/engines-of-fits.md on stderr.
FORGEFIELD_DATA may name the folder of reference data, which the force fields are read from.
"""

import json
import os
import statistics
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import jax
import numpy as np

from forgefield.assign.assignment import Assignment
from forgefield.assign.explicit.rules import SystemRules
from forgefield.engines.native.processor import machine
from forgefield.engines.programs.choices import PROGRAMS
from forgefield.engines.programs.over_molecules import OverMolecules
from forgefield.engines.programs.program import AbstractProgram
from forgefield.errors import InputError
from forgefield.io.molecules import read_structures
from forgefield.io.rules import load
from forgefield.io.structures.atom_types import find_atom_types
from forgefield.models.expansions import Evaluated, evaluated, expansions
from forgefield.molecules.elements import WEIGHTS
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.topology import Interactions
from forgefield.properties.modes import frequencies

DATA = Path(os.environ.get("FORGEFIELD_DATA", Path(__file__).parents[2] / "shared" / "data"))
AMBER, GROMACS, RHODIUM = DATA / "programs" / "amber", DATA / "programs" / "gromacs", DATA / "rh-enamide"
REPEATS = 5
Figures = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A force field over one molecule."""

    name: str
    laid: Assignment
    molecule: Molecule

    @property
    def values(self) -> np.ndarray:
        """Of the force field."""
        return np.asarray(self.laid.model.values)


def of_topology(name: str, topology: Path, structure: Path) -> Case:
    rules = load(topology)
    assert isinstance(rules, SystemRules)
    (molecule,) = read_structures(structure, system=rules.system)
    # Off the geometry of the file, where some terms are at rest; sander reads coordinates to 1e-7 Å.
    shaken = molecule.positions + np.random.default_rng(0).normal(0.0, 0.05, molecule.positions.shape)
    molecule = replace(molecule, positions=shaken.round(7))
    return Case(name, rules.assign([molecule]), molecule)


def of_mm3(name: str, file: Path, structure: Path) -> Case:
    (molecule, *_) = read_structures(structure, atom_types=find_atom_types([file]))
    return Case(name, load(file).assign([molecule]), molecule)  # type: ignore[attr-defined]


def cases() -> Iterator[Case]:
    yield of_topology("paracetamol, GAFF2", AMBER / "paracetamol.prmtop", AMBER / "paracetamol.inpcrd")
    yield of_topology("alanine dipeptide, OPLS-AA", GROMACS / "aladip_oplsaa.top", GROMACS / "aladip_oplsaa.gro")
    first = min((RHODIUM / "mae").glob("*.mae"))
    yield of_mm3("rhodium-enamide, MM3*", RHODIUM / "forcefield" / "mm3.fld", first)


def of_kind(case: Case, kind: str) -> Assignment:
    """Return the force field with the interactions of one kind alone."""
    topology = case.laid.topology
    kept = [group if term.kind == kind else _none(group) for term, group in _groups(case)]
    return replace(case.laid, topology=replace(topology, interactions=tuple(kept)))


def _none(group: Interactions) -> Interactions:
    return Interactions(np.asarray(group.atoms)[:0], np.asarray(group.parameters)[:0])


def _groups(case: Case) -> Iterator[tuple[Any, Interactions]]:
    return zip(case.laid.model.terms, case.laid.topology.interactions, strict=True)


def kinds(case: Case) -> list[str]:
    """Return the kinds of interactions with an energy."""
    silent = ("bond_moment", "charge_increment")
    return list(dict.fromkeys(t.kind for t, group in _groups(case) if len(group.atoms) and t.kind not in silent))


def ours(case: Case, laid: Assignment) -> Evaluated:
    found = expansions(laid.model.terms, case.values, laid.topology, case.molecule.positions)
    return evaluated(found, case.values, laid.topology)


def compared(case: Case, laid: Assignment, program: AbstractProgram) -> Figures:
    """Return by how much energies and gradients differ, and the curvatures."""
    theirs = OverMolecules(program, laid, [case.molecule])(case.values, case.molecule.positions, curved=False)
    own = ours(case, laid)
    apart = float(np.abs(theirs.gradient - own.gradient).max())
    return {
        "energy": float(own.energy[0]),
        "energy_off": abs(float(theirs.energy[0] - own.energy[0])),
        "gradient_off": apart,
    }


def curvature(case: Case, program: AbstractProgram) -> Figures:
    """Return by how much frequencies differ, and what an evaluation with a Hessian takes."""
    theirs = OverMolecules(program, case.laid, [case.molecule])
    molecule, masses = case.molecule, WEIGHTS[case.molecule.species]
    found = theirs(case.values, molecule.positions, curved=True).hessian[0]
    own = ours(case, case.laid).hessian[0]
    apart = [frequencies(one, molecule.positions, masses) for one in (found, own)]
    return {
        "frequency_off": float(np.abs(apart[0] - apart[1]).max()),
        "step": program.step,
        "precision": program.precision,
        "energy_ms": timed(lambda k: theirs(changed(case, k), molecule.positions, curved=False)),
        "hessian_ms": timed(lambda k: theirs(changed(case, k), molecule.positions, curved=True)),
    }


def changed(case: Case, k: int) -> np.ndarray:
    """Return constants that are new each time, as in a fit."""
    values = case.values.copy()
    rows = [row for row in case.laid.rows if row.term.polynomial is not None]
    values[[row.indices[0] for row in rows]] *= 1.0 + 1e-6 * (k + 1)
    return values


def timed(work: Callable[[int], Any]) -> float:
    """Return the milliseconds that work takes."""
    taken = []
    for k in range(REPEATS):
        began = perf_counter()
        work(k)
        taken.append(1e3 * (perf_counter() - began))
    return statistics.median(taken)


def measured(case: Case, program: AbstractProgram) -> Figures:
    """Return the figures of a program, or why it has none."""
    try:
        whole = compared(case, case.laid, program)
    except InputError as error:
        return {"refused": str(error)}
    return {"total": whole, **curvature(case, program), "terms": by_kind(case, program)}


def by_kind(case: Case, program: AbstractProgram) -> Figures:
    """Return the figures of each kind of interactions alone; a topology without bonds is refused by some programs."""
    found = {}
    for kind in kinds(case):
        try:
            found[kind] = compared(case, of_kind(case, kind), program)
        except InputError as error:
            found[kind] = {"refused": str(error)}
    return found


def own_time(case: Case) -> float:
    """Return the milliseconds that our evaluation takes with a Hessian, compiled."""

    def work(k: int) -> Evaluated:
        return ours(replace(case, laid=replace(case.laid, model=replace(model, values=changed(case, k)))), case.laid)

    model = case.laid.model
    return timed(work)


def table(told: Figures) -> str:
    """Return the figures as a table of Markdown."""
    lines = ["| force field, term | kcal/mol | " + " | ".join(told["programs"]) + " |"]
    lines += ["|---|---|" + "---|" * len(told["programs"])]
    for name, of_programs in told["cases"].items():
        held = [one for one in of_programs.values() if "total" in one]
        for kind in ("total", *(held[0]["terms"] if held else ())):
            cells, energy = [], None
            for program in told["programs"]:
                one = of_programs[program]
                found = one.get("total") if kind == "total" else one.get("terms", {}).get(kind)
                energy = found["energy"] if found and "energy" in found else energy
                cells.append(f"{found['energy_off']:.0e}" if found and "energy" in found else "")
            lines.append(f"| {name}, {kind} | {energy:.3f} | " + " | ".join(cells) + " |")
        for key, what in (
            ("frequency_off", "frequencies [cm⁻¹]"),
            ("energy_ms", "energy and gradient [ms]"),
            ("hessian_ms", "with Hessian [ms]"),
        ):
            cells = [f"{of_programs[p][key]:.2g}" if key in of_programs[p] else "" for p in told["programs"]]
            lines.append(f"| {name}, {what} | | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    jax.config.update("jax_enable_x64", True)
    there = {name: program for name, program in PROGRAMS.items() if not program.why_not()}
    absent = {name: program.why_not() for name, program in PROGRAMS.items() if name not in there}
    told: Figures = {"machine": machine(), "programs": [*there], "absent": absent, "cases": {}, "own_ms": {}}
    for case in cases():
        told["cases"][case.name] = {name: measured(case, program) for name, program in there.items()}
        told["own_ms"][case.name] = own_time(case)
        print(case.name, "done", file=sys.stderr)
    print(table(told), file=sys.stderr)
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    main()
