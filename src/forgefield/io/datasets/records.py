"""What a data set holds: a structure with its label and where both come from, or why there is none."""

from dataclasses import dataclass

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
