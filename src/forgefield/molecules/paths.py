"""Angles, torsions, centres and non-bonded pairs that a list of bonds implies."""

from itertools import combinations

import numpy as np
from jaxtyping import Int
from scipy.sparse import csr_array, eye_array

_LONGEST = 8
"""Atoms of a chain whose ends a torsion may be about."""


def neighbours(n_atoms: int, bonds: Int[np.ndarray, "bonds 2"]) -> list[list[int]]:
    """Return the neighbours of each atom in the order of the bond list."""
    lists: list[list[int]] = [[] for _ in range(n_atoms)]
    for i, j in bonds:
        lists[i].append(int(j))
        lists[j].append(int(i))
    return lists


def angles(n_atoms: int, bonds: Int[np.ndarray, "bonds 2"]) -> Int[np.ndarray, "angles 3"]:
    """Return every (end, centre, end)."""
    found = [
        (i, centre, k) for centre, around in enumerate(neighbours(n_atoms, bonds)) for i, k in combinations(around, 2)
    ]
    return np.array(found, dtype=np.int64).reshape(-1, 3)


def torsions(n_atoms: int, bonds: Int[np.ndarray, "bonds 2"]) -> Int[np.ndarray, "torsions 4"]:
    """Return every chain of four different atoms, once in one of its directions."""
    around = neighbours(n_atoms, bonds)
    found = [(i, j, k, m) for j, k in bonds for i in around[j] for m in around[k] if i != k and m not in (i, j)]
    return np.array(found, dtype=np.int64).reshape(-1, 4)


def passages(n_atoms: int, bonds: Int[np.ndarray, "bonds 2"]) -> dict[tuple[int, int], tuple[int, ...]]:
    """Return the atoms between two that a chain of atoms with two neighbours each joins, by the two in either order.

    They are not bonded to each other. The chain is the shortest one, of eight atoms at most.
    """
    around = neighbours(n_atoms, bonds)
    found: dict[tuple[int, int], tuple[int, ...]] = {}
    for start, near in enumerate(around):
        for first in near:
            before, here, chain = start, first, list[int]()
            while len(around[here]) == 2 and len(chain) < _LONGEST and here != start:
                chain.append(here)
                before, here = here, next(atom for atom in around[here] if atom != before)
                known = found.get((start, here))
                if here not in (start, *near) and (known is None or len(chain) < len(known)):
                    found[start, here], found[here, start] = tuple(chain), tuple(reversed(chain))
    return found


def torsions_across(n_atoms: int, bonds: Int[np.ndarray, "bonds 2"]) -> Int[np.ndarray, "torsions 4"]:
    """Return (end, first, last, end) for the ends about each two atoms that a chain joins (`passages`), once."""
    around = neighbours(n_atoms, bonds)
    found = [
        (i, j, k, m)
        for (j, k), between in passages(n_atoms, bonds).items()
        for i in around[j]
        for m in around[k]
        if j < k and i != m and not {i, m} & {j, k, *between}
    ]
    return np.array(found, dtype=np.int64).reshape(-1, 4)


def planar_centres(n_atoms: int, bonds: Int[np.ndarray, "bonds 2"]) -> Int[np.ndarray, "centres 4"]:
    """Return (first neighbour, centre, second, third) for every atom with exactly three neighbours."""
    found = [
        (around[0], centre, around[1], around[2])
        for centre, around in enumerate(neighbours(n_atoms, bonds))
        if len(around) == 3
    ]
    return np.array(found, dtype=np.int64).reshape(-1, 4)


def small_rings(n_atoms: int, bonds: Int[np.ndarray, "bonds 2"]) -> list[int]:
    """Return the size of the smallest ring that each atom belongs to where it is 3 or 4, else 0.

    A ring of four has no bond across it.
    """
    around = [set(near) for near in neighbours(n_atoms, bonds)]
    sizes = [0] * n_atoms
    for centre, near in enumerate(around):
        for i, k in combinations(near, 2):
            if k in around[i]:
                sizes[centre] = 3
            elif not sizes[centre] and any(far != centre and far not in near for far in around[i] & around[k]):
                sizes[centre] = 4
    return sizes


def angle_pairs(n_atoms: int, bonds: Int[np.ndarray, "bonds 2"]) -> Int[np.ndarray, "pairs 5"]:
    """Return (centre, ends of one angle, ends of another) for every two angles at one centre."""
    found = [
        (centre, *first, *second)
        for centre, around in enumerate(neighbours(n_atoms, bonds))
        for first, second in combinations(combinations(around, 2), 2)
    ]
    return np.array(found, dtype=np.int64).reshape(-1, 5)


def bond_separations(n_atoms: int, bonds: Int[np.ndarray, "bonds 2"], limit: int = 4) -> Int[np.ndarray, "atoms atoms"]:
    """Return the number of bonds between two atoms, `limit` standing for that many or more."""
    # Sparse, for molecules of thousands of atoms.
    i, j = np.asarray(bonds, dtype=np.int64).reshape(-1, 2).T
    bonded = csr_array((np.ones(2 * len(i), bool), (np.append(i, j), np.append(j, i))), shape=(n_atoms, n_atoms))
    separation = np.full((n_atoms, n_atoms), limit)
    np.fill_diagonal(separation, 0)
    reached = eye_array(n_atoms, dtype=bool, format="csr")
    for steps in range(1, limit):
        reached = reached + reached @ bonded
        pairs = reached.nonzero()
        separation[pairs] = np.minimum(separation[pairs], steps * (separation[pairs] > 0))
    return separation
