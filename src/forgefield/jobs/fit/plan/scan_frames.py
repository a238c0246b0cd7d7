"""Frames of relaxed scans: one molecule for all of them, and one zero of energy."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from forgefield import units
from forgefield.errors import InputError
from forgefield.io.sources import stem
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import Molecule, Reference


def scan_of(reference: Reference) -> str:
    """Return the files of the scan that a reference is a frame of; nothing where no dihedral was held in it."""
    return ", ".join(reference.sources) if reference.constraints else ""


def perceived(references: Sequence[Reference]) -> list[Molecule | None]:
    """Return the molecule of each frame of a scan, with the bonds of the lowest frame; None for other references.

    Raises InputError where an element has no covalent radius.
    """
    whole = {scan: _molecule(reference, scan) for scan, reference in _lowest(references).items()}
    return [_framed(whole[scan], r) if (scan := scan_of(r)) else None for r in references]


def laid_over(molecules: Sequence[Molecule], references: Sequence[Reference]) -> list[Molecule] | None:
    """Return the structure of each frame where there is one structure for each scan; None where it is not so.

    Raises InputError where a structure is not of the atoms of its scan.
    """
    scans = list(dict.fromkeys(scan_of(reference) for reference in references))
    if not all(scans) or len(scans) != len(molecules) or len(scans) == len(references):
        return None
    lowest = _lowest(references)
    for scan, molecule in zip(scans, molecules, strict=True):
        if not np.array_equal(molecule.species, lowest[scan].species):
            raise InputError(
                f"{molecule.source or molecule.name} and {scan} are not of the same structure: other elements, "
                "or atoms in another order"
            )
    whole = {
        scan: m if len(m.bonds) else replace(_molecule(lowest[scan], scan), name=m.name)
        for scan, m in zip(scans, molecules, strict=True)
    }
    return [_framed(whole[scan_of(r)], r) for r in references]


def _lowest(references: Sequence[Reference]) -> dict[str, Reference]:
    """Return the frame of the lowest energy of each scan."""
    lowest: dict[str, Reference] = {}
    for reference in references:
        scan = scan_of(reference)
        if scan and (scan not in lowest or _energy(reference) < _energy(lowest[scan])):
            lowest[scan] = reference
    return lowest


def _energy(reference: Reference) -> float:
    return np.inf if reference.energy is None else reference.energy


def _molecule(reference: Reference, scan: str) -> Molecule:
    try:
        bonds, orders = perceive_bonds(reference.species, reference.positions)
    except InputError as error:
        raise InputError(f"{scan}: {error}") from error
    return Molecule(
        name=stem(Path(reference.sources[0])),
        species=reference.species,
        positions=reference.positions,
        bonds=bonds,
        orders=orders,
        charge=reference.charge,
        multiplicity=reference.multiplicity,
        source=reference.sources[0],
    )


def _framed(molecule: Molecule, reference: Reference) -> Molecule:
    """Return the molecule in a frame, under the name of its angles."""
    angles = ", ".join(f"{round(held.angle / units.DEGREE, 1) + 0.0:g}°" for held in reference.constraints)
    return replace(molecule, name=f"{molecule.name} {angles}", positions=reference.positions)
