"""Reads structures of every format that holds a geometry."""

from pathlib import Path

from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part, molecule
from forgefield.io.assemble.state import assumed_multiplicity, check_electrons
from forgefield.io.formats import format_of
from forgefield.io.structures.atom_types import AtomTypes
from forgefield.molecules.molecule import Molecule


def read_structures(path: Path, *, atom_types: AtomTypes | None = None) -> list[Molecule]:
    """Return the structures of a file, with charge and multiplicity (0 and the lowest possible where it states none).

    Bonds, types and formal charges are there where the format holds them. `atom_types` name the types of Maestro files;
    by default those of an atom.typ beside the file, else the standard ones. Raises InputError where the file cannot be
    read or holds no geometry.
    """
    kind = format_of(path)
    if kind.molecules is not None:
        return kind.molecules(path, atom_types)
    parts = kind.parts(path) if kind.has_geometry else None
    if parts is None:
        raise InputError(f"{path}: a file in {kind.name} format holds no geometry")
    return [_structure(part) for part in parts]


def _structure(part: Part) -> Molecule:
    """Return what a file holds, after checking that a multiplicity fits the charge."""
    found = molecule(part)
    if part.multiplicity is None:
        assumed_multiplicity(part.source, found.species, part.charge)
    check_electrons(part.source, found.species, found.charge, part.multiplicity)
    return found
