"""A force field laid over the one molecule that it is exported for."""

from dataclasses import dataclass
from pathlib import Path

from forgefield.io.assemble.single import single
from forgefield.jobs.laid import laid_over
from forgefield.models.model import AbstractModel
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.topology import Topology


@dataclass(frozen=True, eq=False)
class LaidMolecule:
    """Model and topology over one molecule."""

    molecule: Molecule
    model: AbstractModel
    topology: Topology


def laid_molecule(force_field: Path, structure: Path) -> LaidMolecule:
    """Return a force field over the one structure of a file. Raises InputError, or MissingParameters."""
    laid = laid_over(force_field, [structure])
    return LaidMolecule(single(laid.molecules), laid.model, laid.topology)
