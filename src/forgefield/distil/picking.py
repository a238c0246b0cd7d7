"""Which structures a committee of students should be taught next, and which nobody should be asked about."""

import numpy as np
from jaxtyping import Float, Int

from forgefield.distil.sampling import Geometries, farthest
from forgefield.molecules.bonds import pieces
from forgefield.molecules.elements import covalent_radii
from forgefield.molecules.molecule import Molecule, symbol

_DOUBTFUL = 4
"""Of so many times as many doubtful structures as are wanted, those farthest from each other are picked."""
_INSIDE, _APART = 0.4, 2.5
"""Shares of the sum of covalent radii: nearer, atoms are inside each other; farther, nothing holds them together."""


def disagreement(gradients: Float[np.ndarray, "members structures atoms 3"]) -> Float[np.ndarray, " structures"]:
    """Return the largest deviation of a force among the members of a committee [kcal/mol/Å], as root mean square."""
    off = gradients - gradients.mean(axis=0)
    return np.sqrt((off**2).sum(axis=-1).mean(axis=0)).max(axis=-1)


def picked(geometries: Geometries, doubts: Float[np.ndarray, " structures"], n: int) -> Int[np.ndarray, " chosen"]:
    """Return the places of n structures of one molecule: doubtful ones, and among them those that differ most.

    The most doubtful comes first, then whichever is farthest from all before it, by reciprocal distances of atoms.
    """
    candidates = np.argsort(-doubts, kind="stable")[: _DOUBTFUL * n]
    return candidates[farthest(_reciprocal_distances(geometries[candidates]), n)]


def broken(molecule: Molecule) -> str:
    """Say why no teacher is asked about a structure, if so: atoms are inside each other, or parts have come away.

    What is in several pieces by its bonds may be apart.
    """
    radii = covalent_radii(molecule.species)
    distances = np.linalg.norm(molecule.positions[:, None] - molecule.positions[None], axis=-1)
    share = distances / (radii[:, None] + radii[None])
    near = np.argwhere(np.triu(share < _INSIDE, 1))
    if len(near):
        i, j = near[0]
        names = (f"{symbol(int(molecule.species[k]))}{k + 1}" for k in (i, j))
        return f"came to grief: {' and '.join(names)} are {distances[i, j]:.2f} Å apart"
    bonds = np.asarray(molecule.bonds, np.int64).reshape(-1, 2)
    found, drawn = (len(pieces(molecule.n_atoms, pairs)) for pairs in (np.argwhere(np.triu(share < _APART, 1)), bonds))
    return f"came apart: {found} pieces, and by its bonds {drawn}" if found > drawn else ""


def _reciprocal_distances(geometries: Geometries) -> Float[np.ndarray, "structures pairs"]:
    first, second = np.triu_indices(geometries.shape[1], 1)
    return 1.0 / np.linalg.norm(geometries[:, first] - geometries[:, second], axis=-1)
