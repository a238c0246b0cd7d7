"""Bonds perceived from distances and covalent radii."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components

from forgefield.molecules.elements import covalent_radii
from forgefield.molecules.measure import angles
from forgefield.molecules.paths import neighbours

BOND_TOLERANCE = 1.25
"""Atoms closer than this many times the sum of their covalent radii are bonded."""
PARTIAL_TOLERANCE = 1.5
"""In a transition state, atoms closer than this many times the sum are partially bonded."""
_APART_TOLERANCE = 1.75
"""So they are between pieces that no such bond joins, where no atoms of the two are much nearer."""
_HARDLY_NEARER = 1.1
_SHARED_TOLERANCE = 1.6
"""A hydrogen that is this near to an acceptor of its own molecule is on its way to it."""
_DONORS, _ACCEPTORS = (7, 8, 9), (7, 8, 9, 16, 17, 35, 53)
_SHARP = np.radians(85.0)
"""Angle at an atom that two others share below which they are close because one moves to the other."""
DOUBLE = 0.9
"""Share of the sum of covalent radii below which a bond is a double one: C=C 0.88, but C-N of amides 0.92."""
PARTIAL_ORDER = 0.5
"""Order given to a partial bond."""
_IONS = (3, 11, 19, 37, 55, 12, 20, 38, 56)
"""Alkali and alkaline-earth metals, which charges hold."""
_NEGATIVE = (9, 8, 17, 7, 35, 53, 16, 6, 1)
"""In descending order of their electronegativities (Pauling), those of all other elements are lower."""


def perceive_bonds(
    species: Int[np.ndarray, " atoms"],
    positions: Float[np.ndarray, "atoms 3"],
    *,
    tolerance: float = BOND_TOLERANCE,
) -> tuple[Int[np.ndarray, "bonds 2"], Float[np.ndarray, " bonds"]]:
    """Return the bonds (i < j, ascending) and their orders, 1 but for those of shared hydrogens.

    Two atoms are bonded when their distance [Å] is below `tolerance` times the sum of their covalent
    radii, but for an alkali or alkaline-earth metal and an atom that is near it because a more electronegative
    neighbour is bonded to it, as the carbon of a carboxylate. A hydrogen on nitrogen, oxygen or fluorine has a bond of
    order ½ to an acceptor of the same molecule that is nearer than 1.6 times the sum. Raises InputError that lists the
    elements without a radius.
    """
    relative = _relative_distances(species, positions, tolerance)
    full = relative < tolerance
    np.fill_diagonal(full, val=False)
    return _ordered(full, _shared_hydrogens(species, relative, full))


def perceive_transition_state_bonds(
    species: Int[np.ndarray, " atoms"],
    positions: Float[np.ndarray, "atoms 3"],
    *,
    tolerance: float = BOND_TOLERANCE,
    partial_tolerance: float = PARTIAL_TOLERANCE,
) -> tuple[Int[np.ndarray, "bonds 2"], Float[np.ndarray, " bonds"]]:
    """Return bonds and orders with the forming and breaking bonds of a transition state, of order ½.

    Atoms that share a neighbour are close without being bonded, but where one moves from the other to that neighbour
    (1,2-shifts), at an angle of less than 85° there. Pieces that this leaves apart are joined where they are nearest,
    up to 1.75 times the sum. Raises InputError that lists the elements without a radius.
    """
    relative = _relative_distances(species, positions, tolerance)
    full = relative < tolerance
    np.fill_diagonal(full, val=False)
    shared = np.asarray(csr_array(full) @ full.astype(int))
    partial = (relative < partial_tolerance) & ~full
    for i, j in np.argwhere(np.triu(partial & (shared > 0), 1)).tolist():
        (about,) = np.flatnonzero(full[i] & full[j]) if shared[i, j] == 1 else (None,)
        sharp = about is not None and angles(positions[[[i, about, j]]])[0] < _SHARP
        partial[i, j] = partial[j, i] = sharp
    partial |= _shared_hydrogens(species, relative, full)
    while (between := relative[apart := _in_pieces(full | partial)]).size and between.min() < _APART_TOLERANCE:
        partial |= apart & (relative <= _HARDLY_NEARER * between.min())
    return _ordered(full, partial)


def double(
    species: Int[np.ndarray, " atoms"], positions: Float[np.ndarray, "atoms 3"], bonds: Int[np.ndarray, "bonds 2"]
) -> Bool[np.ndarray, " bonds"]:
    """Say which bonds are double ones, or more, by their lengths [Å]."""
    radii = covalent_radii(species)
    i, j = np.asarray(bonds, dtype=np.int64).reshape(-1, 2).T
    return np.linalg.norm(positions[i] - positions[j], axis=1) < DOUBLE * (radii[i] + radii[j])


def pieces(n_atoms: int, bonds: Int[np.ndarray, "bonds 2"]) -> list[Int[np.ndarray, " _"]]:
    """Return the atoms of each connected piece of a molecule."""
    graph = coo_array((np.ones(len(bonds)), (bonds[:, 0], bonds[:, 1])), shape=(n_atoms, n_atoms))
    n_pieces, piece = connected_components(graph, directed=False)
    return [np.flatnonzero(piece == k) for k in range(n_pieces)]


def bond_graph(species: Int[np.ndarray, " atoms"], bonds: Int[np.ndarray, "bonds 2"]) -> str:
    """Return a word that is the same for molecules with the same elements, bonded in the same way, in any order.

    The colours of Weisfeiler and Leman (1968), which differ for nearly all graphs that do: each atom's is refined by
    those of its neighbours until no more atoms differ.
    """
    return sha256(",".join(sorted(equivalence(species, bonds))).encode()).hexdigest()[:16]


def equivalence(
    species: Int[np.ndarray, " atoms"], bonds: Int[np.ndarray, "bonds 2"], types: Sequence[str] = ()
) -> tuple[str, ...]:
    """Return a word for each atom, the same for atoms of one type that are bonded in the same way (`bond_graph`)."""
    around = neighbours(len(species), bonds)
    colours = [str(int(z)) for z in species]
    colours = [f"{z} {name}" for z, name in zip(colours, types, strict=True)] if types else colours
    while True:
        refined = [
            sha256(",".join([own, *sorted(colours[j] for j in near)]).encode()).hexdigest()[:16]
            for own, near in zip(colours, around, strict=True)
        ]
        if len(set(refined)) == len(set(colours)):
            return tuple(refined)
        colours = refined


def matched(
    own: tuple[Int[np.ndarray, " atoms"], Int[np.ndarray, "bonds 2"]],
    others: tuple[Int[np.ndarray, " others"], Int[np.ndarray, "links 2"]],
) -> Int[np.ndarray, " atoms"] | None:
    """Return, for each atom of one molecule, which of another it is, by elements and bonds; None where they differ.

    Each molecule is given by its species and its bonds.
    """
    if len(own[0]) != len(others[0]) or len(own[1]) != len(others[1]):
        return None
    match = _skeleton(*others).GetSubstructMatch(_skeleton(*own))
    return np.array(match, dtype=np.int64) if len(match) == len(own[0]) else None


def _skeleton(species: Int[np.ndarray, " atoms"], bonds: Int[np.ndarray, "bonds 2"]) -> Any:
    """Return elements and bonds alone, for RDKit."""
    from rdkit import Chem  # noqa: PLC0415 (slow to load, and of use where atoms are in another order alone)

    graph = Chem.RWMol()
    for z in species.tolist():
        graph.AddAtom(Chem.Atom(z))
    for i, j in bonds.tolist():
        graph.AddBond(i, j, Chem.BondType.SINGLE)
    return graph


def _ordered(
    full: Bool[np.ndarray, "atoms atoms"], partial: Bool[np.ndarray, "atoms atoms"]
) -> tuple[Int[np.ndarray, "bonds 2"], Float[np.ndarray, " bonds"]]:
    """Return bonds and their orders."""
    bonds = np.argwhere(np.triu(full | partial, 1))
    return bonds, np.where(full[bonds[:, 0], bonds[:, 1]], 1.0, PARTIAL_ORDER)


def _shared_hydrogens(
    species: Int[np.ndarray, " atoms"],
    relative: Float[np.ndarray, "atoms atoms"],
    full: Bool[np.ndarray, "atoms atoms"],
) -> Bool[np.ndarray, "atoms atoms"]:
    """Say between which hydrogens and acceptors of one molecule there is half a bond."""
    hydrogen = (species == 1) & full[np.isin(species, _DONORS)].any(axis=0)
    near = (relative < _SHARED_TOLERANCE) & ~full & np.outer(hydrogen, np.isin(species, _ACCEPTORS))
    beside = np.asarray(csr_array(full) @ full.astype(int)) > 0
    return (near | near.T) & ~beside & ~_in_pieces(full)


def _in_pieces(bonded: Bool[np.ndarray, "atoms atoms"]) -> Bool[np.ndarray, "atoms atoms"]:
    """Say which atoms are of different pieces."""
    _, piece = connected_components(csr_array(bonded), directed=False)
    return piece[:, None] != piece[None]


def _relative_distances(
    species: Int[np.ndarray, " atoms"], positions: Float[np.ndarray, "atoms 3"], tolerance: float
) -> Float[np.ndarray, "atoms atoms"]:
    """Return distances in units of the sum of the covalent radii; infinite where a neighbour holds the ion instead."""
    radii = covalent_radii(species)
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    relative = distances / (radii[:, None] + radii[None])
    rank = np.array([_NEGATIVE.index(z) if z in _NEGATIVE else len(_NEGATIVE) for z in species.tolist()])
    near, ions = relative < tolerance, np.flatnonzero(np.isin(species, _IONS))
    held = near[ions].astype(int) @ (near & (rank[:, None] < rank)) > 0
    relative[ions] = np.where(held, np.inf, relative[ions])
    relative[:, ions] = np.where(held.T, np.inf, relative[:, ions])
    return relative
