"""Whether two geometries are the same one, in whatever frame, and which atoms differ if not."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from forgefield.errors import InputError
from forgefield.io.offenders import listed
from forgefield.molecules.molecule import Molecule, Reference, symbol

SAME_FRAME = 2e-3
"""Å; positions that agree to this without being moved share a frame (files print three decimals or more)."""
SAME_GEOMETRY = 0.02
"""Å; further than this from its partner after superposition, an atom is in another geometry."""


@dataclass(frozen=True, eq=False)
class Superposition:
    """How one geometry lies on another: moving = (moved - centre) @ rotation + new centre."""

    rotation: Float[np.ndarray, "3 3"]
    """Proper; acts on row vectors from the right. Exactly the identity where both share a frame."""
    deviations: Float[np.ndarray, " atoms"]
    """Distance of each atom from its partner after superposition [Å]."""

    @property
    def is_same_frame(self) -> bool:
        """Whether nothing has to be rotated."""
        return bool((self.rotation == np.eye(3)).all())


def superpose(moving: Float[np.ndarray, "atoms 3"], target: Float[np.ndarray, "atoms 3"]) -> Superposition:
    """Return the rotation that lays `moving` on `target` with the least squared deviation, atom by atom.

    W. Kabsch, Acta Cryst. 1978, A34, 827, with the sign of the determinant fixed so that no mirror image results.
    """
    direct = np.linalg.norm(moving - target, axis=1)
    if direct.max(initial=0.0) <= SAME_FRAME:
        return Superposition(np.eye(3), direct)
    a, b = moving - moving.mean(axis=0), target - target.mean(axis=0)
    left, _, right = np.linalg.svd(a.T @ b)
    handedness = np.array([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    rotation = (left * handedness) @ right
    return Superposition(rotation, np.linalg.norm(a @ rotation - b, axis=1))


def same_geometry(
    species: Int[np.ndarray, " first"],
    positions: Float[np.ndarray, "first 3"],
    other_species: Int[np.ndarray, " second"],
    other_positions: Float[np.ndarray, "second 3"],
) -> bool:
    """Return whether two geometries are of the same atoms and within 0.02 Å of each other after superposition."""
    if not np.array_equal(species, other_species):
        return False
    # The root mean square deviation is at least the difference of the radii of gyration.
    sizes = [np.sqrt(((x - x.mean(axis=0)) ** 2).sum(axis=1).mean()) for x in (positions, other_positions)]
    if abs(sizes[0] - sizes[1]) > SAME_GEOMETRY:
        return False
    return bool((superpose(positions, other_positions).deviations <= SAME_GEOMETRY).all())


def rotated_hessian(
    hessian: Float[np.ndarray, "coordinates coordinates"], rotation: Float[np.ndarray, "3 3"]
) -> Float[np.ndarray, "coordinates coordinates"]:
    """Return a Hessian in the frame to which `rotation` takes row vectors."""
    n_atoms = len(hessian) // 3
    blocks = hessian.reshape(n_atoms, 3, n_atoms, 3)
    return np.einsum("ip,aibj,jq->apbq", rotation, blocks, rotation).reshape(hessian.shape)


def same_structure(first: Molecule | Reference, second: Molecule | Reference, names: tuple[str, str]) -> Superposition:
    """Return how the first structure lies on the second, after checking that they are one and the same.

    Raises InputError that lists the atoms of another element, or those that are off by more than 0.02 Å.
    """
    wrong = _other_species(first.species, second.species, names)
    if wrong:
        raise InputError(f"{names[0]} and {names[1]} are not of the same structure: {wrong}")
    superposition = superpose(first.positions, second.positions)
    far = np.flatnonzero(superposition.deviations > SAME_GEOMETRY)
    if far.size:
        atoms = [f"{symbol(first.species[i])}{i + 1} by {superposition.deviations[i]:.3f} Å" for i in far]
        raise InputError(
            f"{names[0]} and {names[1]} are not of the same geometry: after superposition these atoms are off: "
            f"{listed(atoms)} (accepted: {SAME_GEOMETRY} Å); is it another structure, a mirror image, or are "
            "atoms of one element in another order?"
        )
    return superposition


def _other_species(first: Int[np.ndarray, " first"], second: Int[np.ndarray, " second"], names: tuple[str, str]) -> str:
    if len(first) != len(second):
        return f"{len(first)} atoms in {names[0]}, {len(second)} in {names[1]}"
    wrong = np.flatnonzero(first != second)
    if not wrong.size:
        return ""
    atoms = [f"atom {i + 1} is {symbol(first[i])} in {names[0]}, {symbol(second[i])} in {names[1]}" for i in wrong]
    same_formula = np.array_equal(np.sort(first), np.sort(second))
    head = "the atoms of one are in another order than in the other" if same_formula else "other elements"
    return f"{head}: {listed(atoms)}"
