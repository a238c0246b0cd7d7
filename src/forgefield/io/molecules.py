"""Reads structures of every format that holds a geometry."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from forgefield.errors import InputError
from forgefield.io.assemble.parts import Part, check_electrons, molecule
from forgefield.io.formats import Format, format_of
from forgefield.io.qm.fchk import read_fchk
from forgefield.io.qm.gaussian_log import read_gaussian_log
from forgefield.io.qm.gaussian_scan import read_gaussian_scan
from forgefield.io.qm.jaguar import read_jaguar_input, read_jaguar_output
from forgefield.io.qm.qcschema import read_qcschema
from forgefield.io.qm.torsion_drive import read_torsion_drive
from forgefield.io.structures.atom_types import AtomTypes
from forgefield.io.structures.mae import read_mae
from forgefield.io.structures.mol2 import read_mol2
from forgefield.io.structures.xyz import read_xyz
from forgefield.molecules.molecule import Molecule

_ONE_STRUCTURE = {
    Format.FCHK: read_fchk,
    Format.GAUSSIAN_LOG: read_gaussian_log,
    Format.QCSCHEMA: read_qcschema,
    Format.JAGUAR_INPUT: read_jaguar_input,
    Format.JAGUAR_OUTPUT: read_jaguar_output,
}
_FRAMES = {Format.XYZ: read_xyz, Format.GAUSSIAN_SCAN: read_gaussian_scan, Format.TORSION_DRIVE: read_torsion_drive}


def read_structures(path: Path, *, atom_types: AtomTypes | None = None) -> list[Molecule]:
    """Return the structures of a file, with charge and multiplicity (0 and 1 where it states none).

    Bonds, types and formal charges are there where the format holds them. `atom_types` name the types of Maestro files;
    by default those of an atom.typ beside the file, else the standard ones. Raises InputError where the file cannot be
    read or holds no geometry.
    """
    kind = format_of(path)
    if kind in _FRAMES:
        return [_structure(part) for part in _FRAMES[kind](path)]
    if kind == Format.MAESTRO:
        return read_mae(path, atom_types=atom_types)
    if kind == Format.MOL2:
        return read_mol2(path)
    if kind not in _ONE_STRUCTURE:
        raise InputError(f"{path}: a file in {kind} format holds no geometry")
    return [_structure(_ONE_STRUCTURE[kind](path))]


def stated_masses(path: Path) -> Float[np.ndarray, " atoms"] | None:
    """Return the masses [amu] that a file of one structure states; None where it, or its format, states none.

    Raises InputError where the file cannot be read.
    """
    kind = format_of(path)
    if kind in _FRAMES:
        return _FRAMES[kind](path)[0].masses
    return _ONE_STRUCTURE[kind](path).masses if kind in _ONE_STRUCTURE else None


def _structure(part: Part) -> Molecule:
    """Return what a file holds, after checking that a multiplicity which it states fits the charge."""
    found = molecule(part)
    check_electrons(part.source, found.species, found.charge, part.multiplicity)
    return found
