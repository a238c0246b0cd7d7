"""Which pairs of atoms interact through space, and their generic parameters."""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.assign.uff import uff_van_der_waals
from forgefield.molecules.measure import angles, lengths
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.paths import bond_separations, neighbours
from forgefield.terms.nonbonded import LENNARD_JONES_GEOMETRIC
from forgefield.terms.term import Term
from forgefield.terms.torsion import TORSION4

_HYDROGEN, _DONORS, _ACCEPTORS = 1, {7, 8, 9}, {7, 8, 9, 16, 17, 35, 53}
_THREE_BONDS = 3
_HALVED = 0.5
_OF_OPLS = (TORSION4, LENNARD_JONES_GEOMETRIC)
_NEAR, _TOWARDS = 0.72, 100.0 * units.DEGREE
"""Of a hydrogen bond: its length by the distance of UFF's minimum, and the angle at the hydrogen, at least."""
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


def pair_scales(molecules: list[Molecule], terms: Iterable[Term]) -> Float[np.ndarray, " pairs"]:
    """Return by what the energies of `all_distant_pairs` are multiplied: with terms of OPLS ½ three bonds apart."""
    scale = near_scale(terms)
    near = [bond_separations(m.n_atoms, m.bonds)[tuple(distant_pairs(m).T)] == _THREE_BONDS for m in molecules]
    return np.where(np.concatenate(near), scale, 1.0)


def near_scale(terms: Iterable[Term]) -> float:
    """Return by what energies of atoms three bonds apart are multiplied in a force field of these terms."""
    return _HALVED if any(term in _OF_OPLS for term in terms) else 1.0


def has_hydrogen_bond(molecule: Molecule) -> bool:
    """Say whether a hydrogen on nitrogen, oxygen or fluorine points to an acceptor at least three bonds away."""
    around, species = neighbours(molecule.n_atoms, molecule.bonds), molecule.species.tolist()
    found = [
        (around[hydrogen][0], hydrogen, acceptor)
        for pair in distant_pairs(molecule).tolist()
        for hydrogen, acceptor in (pair, pair[::-1])
        if species[hydrogen] == _HYDROGEN
        and species[acceptor] in _ACCEPTORS
        and around[hydrogen]
        and species[around[hydrogen][0]] in _DONORS
    ]
    x = molecule.positions[np.array(found, dtype=np.int64).reshape(-1, 3)]
    radii = np.array([uff_van_der_waals(species[acceptor])[0] for _, _, acceptor in found])
    short = lengths(x[:, 1:]) < _NEAR * (uff_van_der_waals(_HYDROGEN)[0] + radii)
    return bool((short & (angles(x) > _TOWARDS)).any())


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
