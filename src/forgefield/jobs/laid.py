"""A force field of any kind laid over the structures of files."""

from dataclasses import dataclass
from pathlib import Path

from forgefield.errors import InputError
from forgefield.io.molecules import read_structures
from forgefield.io.rules import AbstractLay, read_force_field
from forgefield.io.structures.atom_types import find_atom_types
from forgefield.models.model import AbstractModel
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.topology import Topology


@dataclass(frozen=True, eq=False)
class Laid:
    """A model, the molecules it is laid over, and their topology: a batch in the order of the molecules."""

    molecules: list[Molecule]
    model: AbstractModel
    topology: Topology


def laid_over(force_field: Path, files: list[Path]) -> Laid:
    """Return a force field laid over all structures of all files. Raises InputError, or MissingParameters."""
    lay, molecules = opened(force_field, files)
    return Laid(molecules, *lay(molecules))


def opened(force_field: Path, files: list[Path]) -> tuple[AbstractLay, list[Molecule]]:
    """Return what lays a force field over molecules, and the structures of files.

    Atom types are those of an atom.typ beside the structures or the force field, else the standard ones. Raises
    InputError.
    """
    if not force_field.exists():
        raise InputError(f"{force_field}: there is no such file")
    lay = read_force_field(force_field)
    known = find_atom_types([*files, force_field])
    return lay, [molecule for path in files for molecule in read_structures(path, atom_types=known)]
