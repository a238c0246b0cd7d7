"""Which pairs of atoms interact through space, and their generic parameters."""

import numpy as np
from jaxtyping import Int

from forgefield.assign.uff import uff_van_der_waals
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.paths import bond_separations


def distant_pairs(molecule: Molecule) -> Int[np.ndarray, "pairs 2"]:
    """Return the pairs of atoms (i < j) that are at least three bonds apart."""
    return np.argwhere(np.triu(bond_separations(molecule.n_atoms, molecule.bonds) >= 3, 1))


def all_distant_pairs(molecules: list[Molecule]) -> Int[np.ndarray, "pairs 2"]:
    """Return those pairs of all molecules as atoms of their batch."""
    starts = np.cumsum([0, *(m.n_atoms for m in molecules)])[:-1]
    return np.concatenate([distant_pairs(m) + start for m, start in zip(molecules, starts, strict=True)])


def type_parameters(molecules: list[Molecule], types: list[tuple[str, ...]]) -> dict[str, tuple[float, float]]:
    """Return half the distance of the minimum [Å] and the well depth [kcal/mol] of each type, from UFF."""
    return {
        name: uff_van_der_waals(int(z))
        for molecule, names in zip(molecules, types, strict=True)
        for z, name in zip(molecule.species, names, strict=True)
    }
