"""Force fields in files of any format, ready to be laid over molecules."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from forgefield.assign.assignment import Assignment
from forgefield.assign.environments import environments
from forgefield.assign.mm3.laid import assign_mm3
from forgefield.errors import InputError
from forgefield.io.forcefields.amber.frcmod import read_frcmod
from forgefield.io.forcefields.mm3.fld import read_fld
from forgefield.io.forcefields.neural.painn_file import read_painn
from forgefield.io.text import read_text
from forgefield.models.forcefield import ForceField
from forgefield.models.model import AbstractModel
from forgefield.models.painn import Painn, require_known
from forgefield.molecules.bonds import perceive_bonds, perceive_transition_state_bonds
from forgefield.molecules.molecule import Molecule, symbol
from forgefield.molecules.topology import Topology, union

Lay = Callable[[list[Molecule]], tuple[AbstractModel, Topology]]
"""From molecules to a model and the topology it acts on."""

_NAMES_IN_FOLDER = ("forcefield.fld", "forcefield.frcmod")
"""What a fit writes, in the order of preference."""
_DEEPEST = 4
_LEGENDS = {
    ".fld": re.compile(r"^ C  (?P<name>\S{2}) is \S+  (?P<meaning>\S+)$", re.MULTILINE),
    ".frcmod": re.compile(r"^(?P<name>\S{2}) +\S+ +0\.000    \S+ (?P<meaning>\S+)$", re.MULTILINE),
}
"""How generated files say what a type name stands for."""


def read_force_field(path: Path) -> Lay:
    """Return what lays the force field of a file, or of the folder of a fit, over molecules.

    An MM3* file (.fld) wants MacroModel atom types, an AMBER parameter file (.frcmod) its own; a file that ForgeField
    generated says what its types stand for, so that it fits any molecule with the same surroundings of atoms, whose
    bonds are perceived where it has none. A neural model (.safetensors) needs elements only. Raises InputError, as does
    what is returned, which also raises MissingParameters.
    """
    if path.is_dir():
        path = _in_folder(path)
    match path.suffix.lower():
        case ".fld":
            parsed = read_fld(path)
            typed = _typing(path)

            def lay_mm3(molecules: list[Molecule]) -> tuple[AbstractModel, Topology]:
                laid = assign_mm3([typed(m) for m in molecules], parsed).assignment
                return laid.model, laid.topology

            return lay_mm3
        case ".frcmod":
            typed = _typing(path)

            def lay_amber(molecules: list[Molecule]) -> tuple[AbstractModel, Topology]:
                laid = read_frcmod(path, [typed(m) for m in molecules])
                return laid.model, laid.topology

            return lay_amber
        case ".safetensors":
            return lay_model(read_painn(path))
        case ".xml":
            raise InputError(
                f"{path}: OpenMM XML is written, not read; give the .fld or .frcmod of the same force field"
            )
        case other:
            raise InputError(
                f"{path}: no force field is read from {other!r} files; give a .fld, a .frcmod or a fit's folder"
            )


def lay_assignment(assignment: Assignment) -> Lay:
    """Return what lays an assignment over the one molecule that it is of; raises InputError for others."""

    def lay(molecules: list[Molecule]) -> tuple[AbstractModel, Topology]:
        species = np.concatenate([m.species for m in molecules])
        own = np.asarray(assignment.topology.species)
        if assignment.topology.n_molecules != len(molecules) or not np.array_equal(own, species):
            raise InputError(
                f"the force field is laid over {assignment.topology.n_molecules} molecule(s) with the atoms "
                f"{' '.join(map(symbol, own))}, not {len(molecules)} with {' '.join(map(symbol, species))}"
            )
        return assignment.model, assignment.topology

    return lay


def lay_model(model: AbstractModel) -> Lay:
    """Return what lays a model that needs no bonds over molecules. Raises InputError for one that does."""
    if isinstance(model, ForceField):
        raise InputError("a ForceField knows no bonds; give the assignment that it belongs to, or its file")

    def lay(molecules: list[Molecule]) -> tuple[AbstractModel, Topology]:
        if isinstance(model, Painn):
            for molecule in molecules:
                require_known(model, molecule.species, molecule.source or molecule.name)
        states = replace(
            union([m.species for m in molecules]),
            charge=np.array([m.charge for m in molecules]),
            unpaired=np.array([m.multiplicity - 1 for m in molecules]),
        )
        return model, states

    return lay


def _in_folder(folder: Path) -> Path:
    """Return the force field that a fit has written. Raises InputError."""
    found = [folder / name for name in _NAMES_IN_FOLDER if (folder / name).is_file()]
    if not found:
        raise InputError(f"{folder}: holds none of {', '.join(_NAMES_IN_FOLDER)}; has the fit ended?")
    return found[0]


def _typing(path: Path) -> Callable[[Molecule], Molecule]:
    """Return what gives molecules the types of a file: those they have, or those that its legend explains."""
    legend = _LEGENDS[path.suffix.lower()]
    meanings = {found["meaning"]: found["name"] for found in legend.finditer(read_text(path))}
    names = set(meanings.values())

    def typed(molecule: Molecule) -> Molecule:
        if molecule.types is not None and (not meanings or names.issuperset(molecule.types)):
            return molecule
        if not meanings:
            raise InputError(
                f"{molecule.source or molecule.name}: {path} goes by atom types, which the molecule does not have; "
                "give a structure that has them (.mae, .mol2)"
            )
        return _by_environment(molecule, meanings, path)

    return typed


def _by_environment(molecule: Molecule, meanings: dict[str, str], path: Path) -> Molecule:
    """Return a molecule with the types whose meaning is the surroundings of its atoms. Raises InputError."""
    unknown: list[str] = []
    for bonded in _connected(molecule):
        for depth in range(_DEEPEST, -1, -1):
            described = environments(bonded, depth)
            missing = sorted({d for d in described if d not in meanings})
            if not missing:
                # A generated .fld is for neutral molecules, and its bond moments say all of their charges.
                formal = None if path.suffix.lower() == ".fld" else bonded.formal_charges
                return replace(bonded, types=tuple(meanings[d] for d in described), formal_charges=formal)
            if not unknown or len(missing) < len(unknown):
                unknown = missing
    raise InputError(
        f"{molecule.source or molecule.name}: {path} has no types for atoms such as {', '.join(unknown)}; it has those "
        f"of {', '.join(sorted(meanings))}"
    )


def _connected(molecule: Molecule) -> list[Molecule]:
    """Return a molecule with its bonds or, where it has none, with those perceived, without and with partial ones."""
    if len(molecule.bonds):
        return [molecule]
    found = []
    for perceive in (perceive_bonds, perceive_transition_state_bonds):
        bonds, orders = perceive(molecule.species, molecule.positions)
        found.append(replace(molecule, bonds=bonds, orders=orders))
    return found
