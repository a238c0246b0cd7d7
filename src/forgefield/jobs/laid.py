"""A force field of any kind laid over the structures of files."""

from dataclasses import dataclass
from pathlib import Path

from forgefield.assign.explicit.library import AbstractLibrary
from forgefield.assign.explicit.rules import systems_of
from forgefield.assign.rules import AbstractRules
from forgefield.errors import InputError
from forgefield.io.molecules import read_structures
from forgefield.io.rules import load, parts_of
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
    rules, molecules = opened(force_field, files)
    return Laid(molecules, *rules.lay(molecules))


def opened(force_field: Path, files: list[Path]) -> tuple[AbstractRules, list[Molecule]]:
    """Return a force field, and the structures of files that it may be laid over.

    Atom types are those of an atom.typ beside the structures or the force field, else the standard ones. Raises
    InputError.
    """
    for part in parts_of(force_field):
        if not part.exists():
            raise InputError(f"{part}: there is no such file")
    rules = load(force_field)
    known, system = find_atom_types([*files, force_field]), systems_of(rules)
    molecules = [m for path in files for m in read_structures(path, atom_types=known, system=system)]
    return rules.narrowed(molecules) if isinstance(rules, AbstractLibrary) else rules, molecules
