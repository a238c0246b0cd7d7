"""Which pairs of atoms interact through space, and their generic parameters."""

import numpy as np
from jaxtyping import Int

from forgefield.assign.uff import uff_van_der_waals
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.paths import bond_separations, neighbours

_HYDROGEN, _DONORS = 1, {7, 8, 9}
# W. D. Cornell et al., J. Am. Chem. Soc. 1995, 117, 5179, type H.
_POLAR_HYDROGEN = (0.6, 0.0157)
"""Å and kcal/mol."""


def distant_pairs(molecule: Molecule) -> Int[np.ndarray, "pairs 2"]:
    """Return the pairs of atoms (i < j) that are at least three bonds apart."""
    return np.argwhere(np.triu(bond_separations(molecule.n_atoms, molecule.bonds) >= 3, 1))


def all_distant_pairs(molecules: list[Molecule]) -> Int[np.ndarray, "pairs 2"]:
    """Return those pairs of all molecules as atoms of their batch."""
    starts = np.cumsum([0, *(m.n_atoms for m in molecules)])[:-1]
    return np.concatenate([distant_pairs(m) + start for m, start in zip(molecules, starts, strict=True)])


def type_parameters(molecules: list[Molecule], types: list[tuple[str, ...]]) -> dict[str, tuple[float, float]]:
    """Return half the distance of the minimum [Å] and the well depth [kcal/mol] of each type.

    They are UFF's, but for types that are hydrogens on nitrogen, oxygen or fluorine alone, which UFF keeps too far from
    what they bind to.
    """
    polar: dict[str, bool] = {}
    found = {}
    for molecule, names in zip(molecules, types, strict=True):
        around = neighbours(molecule.n_atoms, molecule.bonds)
        for atom, (z, name) in enumerate(zip(molecule.species, names, strict=True)):
            beside = {int(molecule.species[other]) for other in around[atom]}
            polar[name] = polar.get(name, True) and z == _HYDROGEN and bool(beside & _DONORS)
            found[name] = uff_van_der_waals(int(z))
    return {name: _POLAR_HYDROGEN if polar[name] else values for name, values in found.items()}
