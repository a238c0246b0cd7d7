"""Evaluates an MM3* force field: energies by term, every interaction, comparisons, frequencies."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from forgefield.assign.assignment import Assignment
from forgefield.assign.mm3.laid import Mm3Assignment, assign_mm3
from forgefield.errors import InputError
from forgefield.estimating.transition_state import treat
from forgefield.fitting.data.training_set import Example, training_set
from forgefield.fitting.judge.metrics import Judgement, judge
from forgefield.io.assemble.single import single
from forgefield.io.forcefields.mm3.fld import read_fld
from forgefield.io.listings.listing import Comparison, Listing, compare
from forgefield.io.listings.mm3_listing import mm3_listings
from forgefield.io.listings.mmo import read_mmo
from forgefield.io.molecules import read_structures
from forgefield.io.references import pair, read_files
from forgefield.io.structures.atom_types import AtomTypes, find_atom_types
from forgefield.jobs.fit.plan.choices import policy_named
from forgefield.jobs.fit.plan.load import group_of
from forgefield.molecules.molecule import Molecule, standard_masses
from forgefield.properties.derivatives import forces, hessians
from forgefield.properties.modes import Vibrations, vibrations
from forgefield.properties.relax import Failure, Limits, Relaxed, relax


@dataclass(frozen=True, eq=False)
class Evaluated:
    """A force field laid over structures, and what it says of them."""

    molecules: list[Molecule]
    assigned: Mm3Assignment
    listings: list[Listing]


def atom_types_of(force_field: Path, files: list[Path]) -> AtomTypes:
    """Return the atom types of an atom.typ beside the structures or the force field, else the standard ones."""
    return find_atom_types([*files, force_field])


def typed_structures(force_field: Path, files: list[Path]) -> list[Molecule]:
    """Return the structures of all files, with the atom types that belong to a force field."""
    known = atom_types_of(force_field, files)
    return [molecule for path in files for molecule in read_structures(path, atom_types=known)]


def evaluate(force_field: Path, files: list[Path], *, cutoff: float = math.inf) -> Evaluated:
    """Lay an MM3* file over structures in their own geometry and list every interaction."""
    molecules = typed_structures(force_field, files)
    assigned = assign_mm3(molecules, read_fld(force_field), cutoff=cutoff)
    return Evaluated(molecules, assigned, mm3_listings(molecules, assigned))


def compared(evaluated: Evaluated, path: Path) -> Comparison:
    """Compare with a MacroModel listing of the one structure evaluated."""
    single(evaluated.molecules)
    return compare(evaluated.listings[0], read_mmo(path))


def forces_of(evaluated: Evaluated) -> list[Float[np.ndarray, "atoms 3"]]:
    """Return the forces on the atoms of each structure [kcal/mol/Å]."""
    assignment = evaluated.assigned.assignment
    positions = jnp.asarray(np.concatenate([m.positions for m in evaluated.molecules]))
    found = np.asarray(forces(assignment.model, assignment.topology, positions))
    return np.split(found, np.cumsum([m.n_atoms for m in evaluated.molecules])[:-1])


def judged(
    force_field: Path, files: list[Path], references: list[Path], transition_state: str
) -> tuple[list[Example], Judgement]:
    """Judge a force field against QM at the reference geometries, after a policy for transition states.

    Structures and references are paired in sorted order.
    """
    policy = policy_named(transition_state)
    molecules = typed_structures(force_field, sorted(files))
    found = read_files(references)
    if len(found) != len(molecules):
        raise InputError(
            f"{len(molecules)} structure(s) but {len(found)} reference(s); they are paired in sorted order"
        )
    examples = []
    for molecule, reference in zip(molecules, found, strict=True):
        paired = pair(molecule, reference)
        treated = None
        if paired.hessian is not None:
            masses = standard_masses(paired.species) if paired.masses is None else paired.masses
            treated = treat(paired.hessian, paired.positions, masses, policy, name=molecule.name)
        examples.append(Example(molecule, paired, treated, group_of(paired)))
    assignment = assign_mm3(molecules, read_fld(force_field)).assignment
    data = training_set(assignment.topology, examples)
    return examples, judge(assignment.model, data, examples)


def modes(force_field: Path, file: Path) -> Vibrations:
    """Return the frequencies and modes of one structure in its own geometry, from the exact Hessian."""
    molecule = single(typed_structures(force_field, [file]))
    assignment = assign_mm3([molecule], read_fld(force_field)).assignment
    return _modes_at(assignment, molecule, jnp.asarray(molecule.positions))


def relaxed_modes(force_field: Path, file: Path, *, saddle: bool = False) -> tuple[Vibrations, Relaxed]:
    """Return the same at the nearest minimum of the force field, or saddle, and how the relaxation went."""
    molecule = single(typed_structures(force_field, [file]))
    assignment = assign_mm3([molecule], read_fld(force_field)).assignment
    start = jnp.asarray(molecule.positions)
    limits = Limits(bonds=molecule.bonds)
    found = relax(assignment.model, assignment.topology, start, order=np.array([int(saddle)]), limits=limits)
    return _modes_at(assignment, molecule, found.positions), found


def _modes_at(assignment: Assignment, molecule: Molecule, positions: Float[Array, "atoms 3"]) -> Vibrations:
    hessian = np.asarray(hessians(assignment.model, assignment.topology, positions))[0]
    return vibrations(hessian, np.asarray(positions), standard_masses(molecule.species))


def relaxation_summary(found: Relaxed) -> dict[str, Any]:
    """Return how the relaxation of one molecule went, for JSON."""
    return {
        "failure": Failure(int(found.failure[0])).sentence or None,
        "iterations": int(found.n_iterations[0]),
        "gradient_max_kcal_mol_a": float(found.gradient_max[0]),
        "rmsd_a": float(found.rmsd[0]),
        "energy_kcal_mol": float(found.landscape.energy[0]),
        "positions_a": np.asarray(found.positions).tolist(),
    }


def relaxation_sentence(found: Relaxed) -> str:
    """Say how the relaxation of one molecule went."""
    went = relaxation_summary(found)
    return (
        f"Relaxed in {went['iterations']} steps to a largest gradient of {went['gradient_max_kcal_mol_a']:.1e} "
        f"kcal/mol/Å, {went['rmsd_a']:.4f} Å (RMSD) from the file's geometry"
    )
