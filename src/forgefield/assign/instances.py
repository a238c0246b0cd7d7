"""Where in a molecule each kind of interaction occurs, and which rows it shares parameters with."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from forgefield import units
from forgefield.molecules import measure as geometry
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.paths import angle_pairs, angles, planar_centres, torsions, torsions_across

Types = tuple[str, ...]
OPPOSITE = 160.0 * units.DEGREE
"""Two neighbours of three this far apart lie opposite each other, as in ClF₃ and BrF₃ (172° and more; by GFN2-xTB 167°
and 161°)."""


@dataclass(frozen=True)
class Borrowed:
    """A parameter that a term takes from the row of another interaction among its own atoms."""

    kind: str
    places: tuple[int, ...]
    """Which of the interaction's atoms make up the other one."""
    parameter: int = 1
    """Which of the other row's own parameters; its reference value by default."""


@dataclass(frozen=True)
class Kind:
    """A kind of interaction: where it occurs and which orders of its types mean the same."""

    find: Callable[[Molecule], Int[np.ndarray, "interactions order"]]
    orders: tuple[tuple[int, ...], ...]
    """Permutations of the atoms that leave the interaction what it is."""
    borrows: tuple[Borrowed, ...] = ()
    acts_on: tuple[int, ...] | None = None
    """Which of the atoms the energy depends on; all where None."""

    def canonical(self, types: Types) -> Types:
        """Return the types in the one of the equivalent orders that sorts first."""
        return min(tuple(types[i] for i in order) for order in self.orders)


def _bonds(molecule: Molecule) -> Int[np.ndarray, "bonds 2"]:
    return molecule.bonds


def _angles(molecule: Molecule) -> Int[np.ndarray, "angles 3"]:
    return angles(molecule.n_atoms, molecule.bonds)


def _torsions(molecule: Molecule) -> Int[np.ndarray, "torsions 4"]:
    """Return chains of bonds, and those that skip a chain of atoms with two neighbours, which may be straight."""
    found = torsions(molecule.n_atoms, molecule.bonds), torsions_across(molecule.n_atoms, molecule.bonds)
    return np.concatenate(found)


def _chains(molecule: Molecule) -> Int[np.ndarray, "chains 4"]:
    return torsions(molecule.n_atoms, molecule.bonds)


def _centres(molecule: Molecule) -> Int[np.ndarray, "centres 4"]:
    """Return (neighbour, centre, neighbour, neighbour); of two neighbours opposite each other one first, one last.

    The dihedral angle of the four is not defined where the first two bonds are in line.
    """
    found = planar_centres(molecule.n_atoms, molecule.bonds)
    turned = [[0, 1, 2, 3], [0, 1, 3, 2], [2, 1, 0, 3]]
    across = [molecule.positions[found[:, [order[0], 1, order[3]]]] for order in turned]
    wide = np.array([geometry.angles(x) for x in across])
    # As listed unless two are opposite each other.
    which = np.where(wide.max(axis=0) > OPPOSITE, wide.argmax(axis=0), 0)
    return np.take_along_axis(found, np.array(turned)[which], axis=1)


def _angle_pairs(molecule: Molecule) -> Int[np.ndarray, "pairs 5"]:
    return angle_pairs(molecule.n_atoms, molecule.bonds)


_EITHER_WAY = ((0, 1, 2), (2, 1, 0))
_ALONG = ((0, 1, 2, 3), (3, 2, 1, 0))
_ARMS = (Borrowed("stretch", (0, 1)), Borrowed("stretch", (1, 2)))
_PAIRED = tuple(
    (0, *first, *second)
    for a, b in (((1, 2), (3, 4)), ((3, 4), (1, 2)))
    for first in (a, a[::-1])
    for second in (b, b[::-1])
)

KINDS: dict[str, Kind] = {
    "stretch": Kind(_bonds, ((0, 1), (1, 0))),
    "bend": Kind(_angles, _EITHER_WAY),
    "stretch_bend": Kind(_angles, _EITHER_WAY, (*_ARMS, Borrowed("bend", (0, 1, 2)))),
    "stretch_stretch": Kind(_angles, _EITHER_WAY, _ARMS),
    "bend_bend": Kind(_angle_pairs, _PAIRED, (Borrowed("bend", (1, 0, 2)), Borrowed("bend", (3, 0, 4)))),
    "stretch_stretch_13": Kind(_chains, _ALONG, (Borrowed("stretch", (0, 1)), Borrowed("stretch", (2, 3)))),
    "bend_torsion_bend": Kind(_chains, _ALONG, (Borrowed("bend", (0, 1, 2)), Borrowed("bend", (1, 2, 3)))),
    "urey_bradley": Kind(_angles, _EITHER_WAY, acts_on=(0, 2)),
    "torsion": Kind(_torsions, _ALONG),
    "out_of_plane": Kind(
        _centres, ((0, 1, 2, 3), (0, 1, 3, 2), (2, 1, 0, 3), (2, 1, 3, 0), (3, 1, 0, 2), (3, 1, 2, 0))
    ),
}
