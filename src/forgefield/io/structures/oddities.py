"""What looks wrong in structures: atoms that overlap or are far off, bonds of impossible lengths, missing hydrogens."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from warnings import warn

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.errors import InputWarning
from forgefield.io.assemble.length_unit import unit_problem
from forgefield.io.offenders import listed
from forgefield.molecules.elements import LAST_WITH_RADIUS, NONMETALS, covalent_radii
from forgefield.molecules.measure import angles
from forgefield.molecules.molecule import Molecule, symbol

_OVERLAP, _FAR = 0.5, 3.0
"""Å; no two atoms are nearer, and no atom of a molecule, but a noble gas, is further from all others."""
_SHORTEST, _LONGEST = 0.6, 1.45
"""Lengths of bonds between nonmetals, as shares of the sum of their covalent radii."""
_MOST_ATOMS = 1000
"""Atoms of a structure up to which all distances are looked at."""
_NOBLE = (2, 10, 18, 36, 54, 86)
_BONDED, _NEAR = 1.25, 1.6
"""Shares of the sum of covalent radii up to which atoms are bonded, and may be about to be."""
_PYRAMID, _BEND, _END = 340.0, 150.0, 1.3
"""What carbon without hydrogens does not have: three neighbours with a smaller sum of angles [degrees], two with a
smaller angle [degrees], or one that is further [Å]."""
_VALENCE = {6: 4, 7: 3, 8: 2}
"""Bonds of carbon, nitrogen and oxygen."""
_FEWEST = 3
"""Carbons from which on angles and distances tell that hydrogens are missing."""
_ALIKE, _SPREAD, _UNLIKE = 8, 0.035, 0.05
"""Bonds of an element to hydrogen that make a rule, one in so many of which may break it; by how much all others differ
from their median length at most, and from what deviation on one is told of [Å]."""
_HALF = 0.5
"""Bond orders by which a sum of aromatic ones may differ from a valence."""


@dataclass(frozen=True, eq=False)
class Shape:
    """What of a structure is looked at."""

    name: str
    species: Int[np.ndarray, " atoms"]
    positions: Float[np.ndarray, "atoms 3"]
    """Å"""
    bonds: Int[np.ndarray, "bonds 2"]
    orders: Float[np.ndarray, " bonds"]
    formal_charges: Int[np.ndarray, " atoms"] | None = None
    open_valences: int | None = 0
    """How many hydrogens charges and unpaired electrons may stand for; None where hydrogens are not looked for."""

    def label(self, atom: int) -> str:
        """Return element and number of an atom."""
        return f"{symbol(int(self.species[atom]))}{atom + 1}"


def shape_of(molecule: Molecule, *, is_complete: bool = False) -> Shape:
    """Return what of a molecule is looked at, but for hydrogens where it is known to be complete."""
    stand_ins = (abs(molecule.charge) if molecule.formal_charges is None else 0) + molecule.multiplicity - 1
    return Shape(
        molecule.name,
        molecule.species,
        molecule.positions,
        molecule.bonds,
        molecule.orders,
        molecule.formal_charges,
        None if is_complete else stand_ins,
    )


def tell_oddities(path: Path, shapes: Sequence[Shape]) -> None:
    """Give an InputWarning that names what looks wrong in structures of a file, for each kind where it is first."""
    found: dict[str, list[tuple[str, str]]] = {}
    seen: set[bytes] = set()
    for shape in shapes:
        # Frames of one molecule lack the same hydrogens.
        is_first = shape.species.tobytes() not in seen
        seen.add(shape.species.tobytes())
        for kind, what in _oddities(shape, is_first):
            found.setdefault(kind, []).append((shape.name, what))
    for kind, cases in found.items():
        name, what = cases[0]
        more = f", and in {len(cases) - 1} more structure(s)" if len(cases) > 1 else ""
        warn(InputWarning(f"{path}: {kind} in {name}: {what}{more}"), stacklevel=3)


def _oddities(shape: Shape, is_first: bool) -> Iterator[tuple[str, str]]:
    n_atoms = len(shape.species)
    # Lengths in another unit are told of by who asked for the file, and make all else look wrong.
    if not 1 < n_atoms <= _MOST_ATOMS or unit_problem(shape.species, shape.positions):
        return
    distances = np.linalg.norm(shape.positions[:, None] - shape.positions[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    overlapping = [(i, j) for i, j in np.argwhere(distances < _OVERLAP).tolist() if i < j]
    if overlapping:
        named = [f"{shape.label(i)}-{shape.label(j)} ({distances[i, j]:.2f} Å)" for i, j in overlapping]
        yield "atoms overlap", listed(named)
    nearest = distances.min(axis=1)
    far = np.flatnonzero((nearest > _FAR) & ~np.isin(shape.species, _NOBLE)).tolist()
    if far:
        yield "atoms are far from all others", listed([f"{shape.label(k)} ({nearest[k]:.1f} Å)" for k in far])
    if overlapping or shape.species.max() > LAST_WITH_RADIUS:
        return
    radii = covalent_radii(shape.species)
    relative = distances / (radii[:, None] + radii[None])
    if wrong := _lengths(shape, distances, relative):
        yield "bonds have impossible lengths", listed(wrong)
    elif unlike := _unlike_others(shape, distances, relative):
        yield "bonds to hydrogen are unlike all others", listed(unlike)
    if not is_first or shape.open_valences is None:
        return
    if not len(shape.bonds) or (shape.formal_charges is None and (shape.orders == 1.0).all()):
        lacking = _bare_carbons(shape, relative)
    else:
        lacking = _unsaturated(shape, relative)
    if sum(lacking.values()) > shape.open_valences:
        yield "hydrogens look to be missing", listed([shape.label(k) for k in lacking])


def _lengths(
    shape: Shape, distances: Float[np.ndarray, "atoms atoms"], relative: Float[np.ndarray, "atoms atoms"]
) -> list[str]:
    """Return the bonds between nonmetals whose lengths are none."""
    return [
        f"{shape.label(i)}-{shape.label(j)} ({distances[i, j]:.2f} Å)"
        for (i, j), order in zip(shape.bonds.tolist(), shape.orders, strict=True)
        if order >= 1.0
        and {int(shape.species[i]), int(shape.species[j])} <= NONMETALS
        and not _SHORTEST < relative[i, j] < _LONGEST
    ]


def _unlike_others(
    shape: Shape, distances: Float[np.ndarray, "atoms atoms"], relative: Float[np.ndarray, "atoms atoms"]
) -> list[str]:
    """Return the bonds to hydrogen that differ in length from all others of their element, which agree.

    Hydrogens that a second atom is near, as those of transition states and hydrogen bonds, are not looked at.
    """
    heavy = shape.species > 1
    to_heavy = np.where(heavy[None, :], relative, np.inf)
    alone = np.flatnonzero((shape.species == 1) & ((to_heavy < _NEAR).sum(axis=1) == 1))
    partner = to_heavy[alone].argmin(axis=1)
    lengths = distances[alone, partner]
    said = []
    for element in np.unique(shape.species[partner]):
        own = shape.species[partner] == element
        usual = np.median(lengths[own])
        apart = np.abs(lengths - usual)
        odd = np.flatnonzero(own & (apart > _UNLIKE)).tolist()
        if own.sum() >= _ALIKE and 0 < len(odd) <= own.sum() // _ALIKE and np.sort(apart[own])[-len(odd) - 1] < _SPREAD:
            pairs = [(shape.label(int(partner[k])), shape.label(int(alone[k])), lengths[k]) for k in odd]
            said += [f"{atom}-{end} ({length:.3f} Å, others {usual:.3f} Å)" for atom, end, length in pairs]
    return said


def _bare_carbons(shape: Shape, relative: Float[np.ndarray, "atoms atoms"]) -> dict[int, int]:
    """Return how many hydrogens, at least, carbons lack by their angles and distances to their neighbours.

    One or two such carbons among hydrogens are those of carbenes and of transition states.
    """
    lacking = {}
    for k in np.flatnonzero(shape.species == 6).tolist():
        bonded = np.flatnonzero(relative[k] < _BONDED)
        if _is_settled(shape, relative, k, bonded) and _lacks(shape.positions, k, bonded):
            lacking[k] = 1
    return lacking if len(lacking) >= _FEWEST or not (shape.species == 1).any() else {}


def _is_settled(
    shape: Shape, relative: Float[np.ndarray, "atoms atoms"], atom: int, bonded: Int[np.ndarray, " bonded"]
) -> bool:
    """Say whether no metal is near an atom, and no other that may be about to form a bond."""
    near = np.flatnonzero(relative[atom] < _NEAR)
    # A neighbour of a neighbour is near without any bond.
    loose = [j for j in near.tolist() if j not in bonded and not (relative[j, bonded] < _BONDED).any()]
    return not loose and {int(z) for z in shape.species[near]} <= NONMETALS


def _lacks(positions: Float[np.ndarray, "atoms 3"], atom: int, bonded: Int[np.ndarray, " bonded"]) -> bool:
    around = [angles(positions[[[i, atom, j]]])[0] / units.DEGREE for i, j in combinations(bonded.tolist(), 2)]
    match len(bonded):
        case 0:
            return True
        case 1:
            return bool(np.linalg.norm(positions[bonded[0]] - positions[atom]) > _END)
        case 2:
            return bool(around[0] < _BEND)
        case 3:
            return bool(sum(around) < _PYRAMID)
        case _:
            return False


def _unsaturated(shape: Shape, relative: Float[np.ndarray, "atoms atoms"]) -> dict[int, int]:
    """Return how many hydrogens atoms lack by the orders of their bonds: where no formal charges are stated carbons
    alone. What is bonded to a metal, or has bonds that are none of whole pairs, is not looked at."""
    total = np.zeros(len(shape.species))
    np.add.at(total, shape.bonds.ravel(), np.repeat(shape.orders, 2))
    partial = shape.bonds[shape.orders < 1.0].ravel()
    elements = _VALENCE if shape.formal_charges is not None else {6: 4}
    charges = np.zeros(len(shape.species), int) if shape.formal_charges is None else shape.formal_charges
    lacking = {}
    for k in np.flatnonzero(np.isin(shape.species, list(elements))).tolist():
        z, charge = int(shape.species[k]), int(charges[k])
        wanted = elements[z] - abs(charge) if z == 6 else elements[z] + charge
        pairs = shape.bonds[(shape.bonds == k).any(axis=1)].ravel()
        bonded = pairs[pairs != k]
        # Orders of aromatic rings and transition states are often those of single bonds.
        looks_bare = z != 6 or _lacks(shape.positions, k, bonded)
        if k not in partial and looks_bare and wanted - total[k] > _HALF and _is_settled(shape, relative, k, bonded):
            lacking[k] = round(wanted - total[k])
    return lacking
