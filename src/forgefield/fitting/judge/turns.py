"""What turns about bonds as a structure relaxes: which of equal atoms is which, and what a turn costs the reference."""

from dataclasses import dataclass
from itertools import permutations

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.molecules import measure
from forgefield.molecules.molecule import Molecule
from forgefield.properties.modes import rigid_motions

MUCH = 5.0
"""Degrees from which a bond whose torsions deviate is named."""
SOFT = units.BOLTZMANN * 298.15
"""kcal/mol; a turn that costs less happens all the time at room temperature."""
_PASSED = np.pi / 3
"""rad; by less, no turn takes an atom past the place of another that is equal."""
_MOST_EQUAL = 4
"""Equal atoms on one, whose orders are all tried."""
_SWEEPS = 3
_RIGID = 1e4
"""kcal/mol/Å²; stiffness given to translations and rotations, which leave torsions alone."""

Positions = Float[np.ndarray, "atoms 3"]
Quads = Int[np.ndarray, "torsions 4"]


@dataclass(frozen=True)
class Turn:
    """The torsions about a bond, which deviate from the reference where the force field relaxes to."""

    bond: str
    """Its atoms, as C1-B2."""
    degrees: float
    """Mean deviation of the torsions."""
    rest: float
    """Root mean square of what is left without the mean [degrees]."""
    energy: float | None
    """What the reference's Hessian says that such a turn costs while all else gives way [kcal/mol]; null where it has
    none, or is no minimum in this direction."""

    @property
    def is_soft(self) -> bool:
        """Whether one side turns as a whole, at less than RT at room temperature."""
        return self.energy is not None and self.energy < SOFT and self.rest < MUCH


def relabelled(molecule: Molecule, quads: Quads, positions: Positions) -> Positions:
    """Return positions [Å] with equal atoms at the ends of bonds exchanged where that brings torsions nearer.

    A methyl group that is turned by 120° is where it was.
    """
    x = positions
    for _ in range(_SWEEPS):
        before = x
        for equal in _equal_ends(molecule):
            x = _nearest(molecule, quads[np.isin(quads, equal).any(axis=1)], equal, x)
        if x is before:
            break
    return x


def turns(
    molecule: Molecule, quads: Quads, positions: Positions, hessian: Float[np.ndarray, "coordinates coordinates"] | None
) -> list[Turn]:
    """Return the bonds about which torsions of relaxed positions [Å] deviate by 5° or more; worst first.

    Harmonically, a mean torsion with the derivatives g costs δ²/2 (gᵀ H⁺ g) with the reference's Hessian H, which is
    that of the molecule's own geometry.
    """
    deviations = _deviations(quads, molecule.positions, relabelled(molecule, quads, positions))
    bonds = np.sort(quads[:, 1:3], axis=1)
    found = []
    for bond in np.unique(bonds, axis=0):
        about = (bonds == bond).all(axis=1)
        own = deviations[about]
        if np.degrees(np.sqrt(np.mean(own**2))) < MUCH:
            continue
        mean = float(np.angle(np.mean(np.exp(1j * own))))
        rest = float(np.sqrt(np.mean(_the_shorter_way(own - mean) ** 2)))
        energy = None if hessian is None else _cost(molecule.positions, quads[about], mean, hessian)
        name = "-".join(f"{molecule.symbols[atom]}{atom + 1}" for atom in bond)
        found.append(Turn(name, float(np.degrees(mean)), float(np.degrees(rest)), energy))
    return sorted(found, key=lambda one: -np.hypot(one.degrees, one.rest))


def _equal_ends(molecule: Molecule) -> list[Int[np.ndarray, " equal"]]:
    """Return the atoms of one element that are bonded to one other atom alone, the same."""
    bonds = molecule.bonds
    alone = np.bincount(bonds.ravel(), minlength=molecule.n_atoms) == 1
    ends = np.concatenate([bonds, bonds[:, ::-1]])
    ends = ends[alone[ends[:, 1]]]
    groups: dict[tuple[int, int], list[int]] = {}
    for centre, end in ends:
        groups.setdefault((int(centre), int(molecule.species[end])), []).append(int(end))
    return [np.array(one) for one in groups.values() if 1 < len(one) <= _MOST_EQUAL]


def _nearest(molecule: Molecule, quads: Quads, equal: Int[np.ndarray, " equal"], x: Positions) -> Positions:
    """Return positions in the order of equal atoms that leaves their torsions nearest to the reference's."""
    deviations = _deviations(quads, molecule.positions, x)
    if np.abs(deviations).max(initial=0.0) < _PASSED:
        return x
    best, least = x, float(np.sum(deviations**2))
    for order in permutations(equal):
        other = x.copy()
        other[equal] = x[list(order)]
        amount = float(np.sum(_deviations(quads, molecule.positions, other) ** 2))
        if amount < least:
            best, least = other, amount
    return best


def _deviations(quads: Quads, reference: Positions, x: Positions) -> Float[np.ndarray, " torsions"]:
    """Return by how much torsions deviate [rad], the shorter way round."""
    return _the_shorter_way(measure.dihedrals(x[quads]) - measure.dihedrals(reference[quads]))


def _the_shorter_way(turned: Float[np.ndarray, " torsions"]) -> Float[np.ndarray, " torsions"]:
    return (turned + np.pi) % (2.0 * np.pi) - np.pi


def _cost(
    x: Positions, quads: Quads, turn: float, hessian: Float[np.ndarray, "coordinates coordinates"]
) -> float | None:
    rigid = rigid_motions(x, np.ones(len(x)))
    slope = _mean_slope(x, quads)
    answer = np.linalg.lstsq(hessian + _RIGID * rigid @ rigid.T, slope, rcond=None)[0]
    compliance = float(slope @ answer)
    return 0.5 * turn**2 / compliance if compliance > 0.0 else None


def _mean_slope(x: Positions, quads: Quads) -> Float[np.ndarray, " coordinates"]:
    """Return the derivatives of the mean of torsions by all positions.

    A. Blondel and M. Karplus, J. Comput. Chem. 1996, 17, 1132, eq. 27.
    """
    f, g, h = (x[quads[:, i]] - x[quads[:, j]] for i, j in ((0, 1), (1, 2), (3, 2)))
    a, b = np.cross(f, g), np.cross(h, g)
    length = np.linalg.norm(g, axis=1, keepdims=True)
    a, b = (one / np.sum(one**2, axis=1, keepdims=True) for one in (a, b))
    between = (np.sum(f * g, axis=1, keepdims=True) * a - np.sum(h * g, axis=1, keepdims=True) * b) / length
    slope = np.zeros_like(x)
    for k, own in enumerate((-length * a, length * a + between, -length * b - between, length * b)):
        np.add.at(slope, quads[:, k], own / len(quads))
    return slope.ravel()
