"""Reads structures of every format that holds a geometry."""

from dataclasses import replace
from pathlib import Path

from forgefield.assign.explicit.system import System
from forgefield.errors import InputError
from forgefield.io.assemble.length_unit import tell_unit_of_length
from forgefield.io.assemble.parts import Part, molecule
from forgefield.io.assemble.state import assumed_multiplicity, check_electrons
from forgefield.io.formats import format_of
from forgefield.io.sources import stem
from forgefield.io.structures.atom_types import AtomTypes
from forgefield.io.structures.coordinates.bare import WITHOUT_ELEMENTS, Bare
from forgefield.molecules.molecule import Molecule


def read_structures(
    path: Path,
    *,
    atom_types: AtomTypes | None = None,
    system: System | tuple[System, ...] = (),
    charge: int | None = None,
    multiplicity: int | None = None,
) -> list[Molecule]:
    """Return the structures of a file, with charge and multiplicity (0 and the lowest possible where it states none).

    Bonds, types and formal charges are there where the format holds them. `atom_types` name the types of Maestro files;
    by default those of an atom.typ beside the file, else the standard ones. Files of positions alone are of the atoms
    of a `system`, or of one of several. `charge` and `multiplicity` are those of files that leave them open. Raises
    InputError where the file cannot be read, holds no geometry, or states another charge or multiplicity.
    """
    kind = format_of(path)
    found = kind.structures(path, atom_types)
    if found is not None:
        return [_of_state(one, charge, multiplicity) for one in found]
    if kind.positions is not None:
        systems = (system,) if isinstance(system, System) else system
        return [_of_system(path, kind.positions(path), systems)]
    parts = kind.parts(path) if kind.has_geometry else None
    if parts is None:
        raise InputError(f"{path}: a file in {kind.name} format holds no geometry")
    return [_structure(_in_state(part, charge, multiplicity)) for part in parts]


def _in_state(part: Part, charge: int | None, multiplicity: int | None) -> Part:
    """Return what a file holds, in a state where it states none. Raises InputError where it states another."""
    for what, stated, given in (("charge", part.charge, charge), ("multiplicity", part.multiplicity, multiplicity)):
        if None not in (stated, given) and stated != given:
            raise InputError(f"{part.source}: states {what} {stated}, not {given}; leave that out, or change the file")
    return replace(
        part,
        charge=part.charge if charge is None else charge,
        multiplicity=part.multiplicity if multiplicity is None else multiplicity,
    )


def _of_state(found: Molecule, charge: int | None, multiplicity: int | None) -> Molecule:
    """Return a structure whose charge is that of its atoms with another multiplicity, if one is given."""
    if charge is not None and charge != found.charge:
        said = f"{found.source or found.name}: has charge {found.charge} by its atoms, not {charge}"
        raise InputError(f"{said}; change the formal charges in the file, or give the structure as .xyz")
    if multiplicity is None:
        return found
    check_electrons(found.source or found.name, found.species, found.charge, multiplicity)
    return replace(found, multiplicity=multiplicity)


def _structure(part: Part) -> Molecule:
    """Return what a file holds, after checking that a multiplicity fits the charge."""
    found = molecule(part)
    if part.multiplicity is None:
        assumed_multiplicity(part.source, found.species, part.charge)
    check_electrons(part.source, found.species, found.charge, part.multiplicity)
    return found


def _of_system(path: Path, bare: Bare, systems: tuple[System, ...]) -> Molecule:
    """Return the structure of a file, with elements, bonds, types and masses of its system.

    Raises InputError where there is no system, or of other atoms.
    """
    if not systems:
        raise InputError(f"{path}: {WITHOUT_ELEMENTS}")
    alike = [one for one in systems if one.n_atoms == len(bare.positions)]
    if len(alike) > 1:
        alike = [one for one in alike if one.names == bare.names]
    if len(systems) > 1 and len(alike) != 1:
        known = ", ".join(one.source for one in systems)
        raise InputError(f"{path}: does not tell which of {known} it is of; give a structure file that names elements")
    system = next(iter(alike or systems))
    if len(bare.positions) != system.n_atoms:
        raise InputError(f"{path}: has {len(bare.positions)} atoms, but {system.source} {system.n_atoms}")
    # Systems of OpenMM have no names of atoms, only those that we gave them.
    if bare.names is not None and system.program != "OpenMM" and bare.names != system.names:
        k = next(k for k, pair in enumerate(zip(bare.names, system.names, strict=True)) if pair[0] != pair[1])
        raise InputError(
            f"{path}: atom {k + 1} is {bare.names[k]}, but {system.names[k]} in {system.source}; give the structure in "
            "the order of the topology"
        )
    found = system.structure(bare.positions, stem(path), str(path))
    tell_unit_of_length(path, [(found.species, found.positions)])
    return found
