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
from forgefield.terms.term import Term

DATA = Path(os.environ.get("FORGEFIELD_DATA", Path(__file__).parents[2] / "shared" / "data"))
AMBER, GROMACS, RHODIUM = DATA / "programs" / "amber", DATA / "programs" / "gromacs", DATA / "rh-enamide"
REPEATS = 5
ENOUGH = 3000.0
"""ms, after which work is not repeated."""
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
    """Return the force field in which all other kinds of interactions have constants of zero.

    They are there: programs exclude pairs of atoms by the bonds between them.
    """
    model, topology = case.laid.model, case.laid.topology
    zero = len(model.values)
    groups = []
    for term, group in _groups(case):
        # Charges, which are numbered behind the values, have one value more before them.
        places = np.array(group.parameters) + (np.asarray(group.parameters) >= zero)
        if term.kind != kind:
            places[:, _constants(term)] = zero
        groups.append(Interactions(np.asarray(group.atoms), places))
    values = np.append(case.values, 0.0)
    return replace(
        case.laid,
        model=replace(model, values=values),
        topology=replace(topology, interactions=tuple(groups)),
    )


def _constants(term: Term) -> list[int]:
    """Return the parameters of a term without which it has no energy."""
    names = [parameter.name for parameter in term.parameters]
    if "factor" in names:
        return [names.index("factor")]
    if term.polynomial is not None:
        return list(range(term.polynomial.n_linear))
    return [k for k, name in enumerate(names) if name in ("e", "e_i", "e_j", "q_i", "q_j")]


def _groups(case: Case) -> Iterator[tuple[Term, Interactions]]:
    return zip(case.laid.model.terms, case.laid.topology.interactions, strict=True)


def kinds(case: Case) -> list[str]:
    """Return the kinds of interactions with an energy."""
    silent = ("bond_moment", "charge_increment")
    return list(dict.fromkeys(t.kind for t, group in _groups(case) if len(group.atoms) and t.kind not in silent))


def ours(case: Case, laid: Assignment) -> Evaluated:
    values = np.asarray(laid.model.values)
    found = expansions(laid.model.terms, values, laid.topology, case.molecule.positions)
    return evaluated(found, values, laid.topology)


def compared(case: Case, laid: Assignment, program: AbstractProgram) -> Figures:
    """Return by how much energies and gradients differ, and the curvatures."""
    values = np.asarray(laid.model.values)
    theirs = OverMolecules(program, laid, [case.molecule])(values, case.molecule.positions, curved=False)
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
        if sum(taken) > ENOUGH:
            break
    return statistics.median(taken)


def measured(case: Case, program: AbstractProgram) -> Figures:
    """Return the figures of a program, or why it has none."""
    try:
        whole = compared(case, case.laid, program)
    except InputError as error:
        return {"refused": str(error)}
    return {"total": whole, **curvature(case, program), "terms": by_kind(case, program)}


def by_kind(case: Case, program: AbstractProgram) -> Figures:
    """Return the figures of each kind of interactions."""
    return {kind: compared(case, of_kind(case, kind), program) for kind in kinds(case)}


def own_time(case: Case) -> float:
    """Return the milliseconds that our evaluation takes with a Hessian, compiled."""

    def work(k: int) -> Evaluated:
        return ours(replace(case, laid=replace(case.laid, model=replace(model, values=changed(case, k)))), case.laid)

    model = case.laid.model
    return timed(work)


def table(told: Figures) -> str:
    """Return the figures as a table of Markdown."""
    names = told["programs"]
    lines = [f"| force field, term | kcal/mol | {' | '.join(names)} |", "|---|" + "---|" * (len(names) + 1)]

    def row(head: str, energy: str, of_each: Callable[[Figures], str]) -> str:
        cells = [of_each(found[name]) if "total" in found[name] else "" for name in names]
        return f"| {head} | {energy} | {' | '.join(cells)} |"

    for case, found in told["cases"].items():
        first = next(one for one in found.values() if "total" in one)
        total = f"{first['total']['energy']:.3f}"
        lines.append(row(f"{case}, in all", total, lambda one: f"{one['total']['energy_off']:.0e}"))
        for kind, told_of_kind in first["terms"].items():
            energy = f"{told_of_kind['energy']:.3f}"
            lines.append(row(kind, energy, lambda one, kind=kind: f"{one['terms'][kind]['energy_off']:.0e}"))
        lines.append(row("gradient [kcal/mol/Å]", "", lambda one: f"{one['total']['gradient_off']:.0e}"))
        lines.append(row("frequencies [cm⁻¹]", "", lambda one: f"{one['frequency_off']:.0e}"))
        lines.append(row("ms with new values", "", lambda one: f"{one['energy_ms']:.2g}"))
        lines.append(row("the same with Hessian", "", lambda one: f"{one['hessian_ms']:.2g}"))
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
