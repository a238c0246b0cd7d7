"""The structures of a data set by molecule: one bond graph each, whose energies have one zero."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from forgefield.errors import InputError
from forgefield.fitting.frames.frames import Frames, frames_of
from forgefield.io.datasets.records import Record
from forgefield.molecules.bonds import bond_graph, perceive_bonds
from forgefield.molecules.measure import lengths
from forgefield.molecules.molecule import Molecule, Reference

_TORN = 0.2
"""Share of its length by which a bond is longer or shorter only where no force field with fixed bonds describes it."""


@dataclass(frozen=True, eq=False)
class Labelled:
    """The structures of one molecule."""

    molecule: Molecule
    """In its lowest structure, or the one that stands for it."""
    references: tuple[Reference, ...]

    @property
    def graph(self) -> str:
        """The same for all molecules with the same atoms, bonds and charge, in any order: their energies compare."""
        one = self.molecule
        return f"{bond_graph(one.species, one.bonds)} {one.charge} {one.multiplicity}"

    @property
    def lowest(self) -> Reference:
        """The structure of the lowest energy."""
        return min(self.references, key=lambda reference: float(reference.energy or 0.0))

    @property
    def frames(self) -> Frames:
        """Its structures as arrays."""
        return frames_of(self.references)

    def whole(self) -> "Labelled":
        """Return the structures in which no bond is torn or crushed, compared with the one that stands for it."""
        i, j = self.molecule.bonds.T
        pairs = np.stack([i, j], axis=1)
        usual = lengths(self.molecule.positions[pairs])
        kept = [r for r in self.references if (np.abs(lengths(r.positions[pairs]) / usual - 1.0) <= _TORN).all()]
        return replace(self, references=tuple(kept))


def by_molecule(records: Iterable[Record]) -> list[Labelled]:
    """Return the structures of each molecule. Raises InputError where one lacks energy or forces."""
    found: dict[tuple, list[Record]] = {}
    for record in records:
        molecule = record.molecule
        if record.label.energy is None or record.label.gradient is None:
            raise InputError(f"{molecule.name}: a structure without energy and forces")
        found.setdefault(molecule_key(molecule), []).append(record)
    return [_labelled(own) for own in found.values()]


def molecule_key(molecule: Molecule) -> tuple:
    """Return what structures of one molecule share."""
    bonds = np.asarray(molecule.bonds, np.int64).tobytes()
    return molecule.species.tobytes(), bonds, molecule.charge, molecule.multiplicity


def _labelled(records: Sequence[Record]) -> Labelled:
    lowest = min(records, key=lambda record: float(record.label.energy or 0.0)).molecule
    return Labelled(bonded(lowest), tuple(record.label for record in records))


def bonded(molecule: Molecule) -> Molecule:
    """Return a molecule with its bonds, which are perceived where it has none."""
    if len(molecule.bonds):
        return molecule
    bonds, orders = perceive_bonds(molecule.species, molecule.positions)
    return replace(molecule, bonds=bonds, orders=orders)
