"""What a data set holds: a structure with its label and where both come from, or why there is none."""

import hashlib
from dataclasses import dataclass

import numpy as np

from forgefield.molecules.lattice import Lattice
from forgefield.molecules.molecule import Molecule, Reference


@dataclass(frozen=True, eq=False)
class Record:
    """One labelled structure."""

    molecule: Molecule
    """In the geometry that the label is for."""
    label: Reference
    teacher: str
    """Who labelled it, as the text of an identity; empty where nobody says."""
    origin: str
    """How the structure came about, for example "normal modes at 500 K"."""
    key: bytes
    """Digest of teacher, atoms, state and positions, by which equal structures are known."""


@dataclass(frozen=True, eq=False)
class Failure:
    """A structure without a label."""

    molecule: Molecule
    origin: str
    key: bytes
    reason: str


def record_key(teacher: str, molecule: Molecule, lattice: Lattice | None = None) -> bytes:
    """Return the SHA-256 of what a label depends on: the teacher, atoms, charge, multiplicity, positions and cell."""
    digest = hashlib.sha256(hashlib.sha256(teacher.encode()).digest())
    digest.update(f"{molecule.charge} {molecule.multiplicity} ".encode())
    digest.update(np.asarray(molecule.species, np.int64).tobytes())
    digest.update(np.asarray(molecule.positions, np.float64).tobytes())
    if lattice is not None:
        digest.update(np.asarray(lattice.vectors, np.float64).tobytes() + bytes(lattice.periodic))
    return digest.digest()
