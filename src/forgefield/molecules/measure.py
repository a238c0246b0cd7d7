"""Lengths and angles of molecules as read."""

import numpy as np
from jaxtyping import Float


def lengths(x: Float[np.ndarray, "members 2 3"]) -> Float[np.ndarray, " members"]:
    """Return distances of pairs of atoms [Å]."""
    return np.linalg.norm(x[:, 1] - x[:, 0], axis=1)


def angles(x: Float[np.ndarray, "members 3 3"]) -> Float[np.ndarray, " members"]:
    """Return the angles [rad] at the middle one of three atoms."""
    a, b = x[:, 0] - x[:, 1], x[:, 2] - x[:, 1]
    return np.arctan2(np.linalg.norm(np.cross(a, b), axis=1), np.einsum("ij,ij->i", a, b))


def dihedrals(x: Float[np.ndarray, "members 4 3"]) -> Float[np.ndarray, " members"]:
    """Return the dihedrals [rad] of chains of four atoms, above -π and up to π, with the sign of IUPAC."""
    a, b, c = x[:, 1] - x[:, 0], x[:, 2] - x[:, 1], x[:, 3] - x[:, 2]
    first, second = np.cross(a, b), np.cross(b, c)
    sine = np.linalg.norm(b, axis=1) * np.einsum("ij,ij->i", a, second)
    # Adding zero turns -0 into 0, so that a straight chain's π has one sign.
    return np.arctan2(sine + 0.0, np.einsum("ij,ij->i", first, second))


def elevations(x: Float[np.ndarray, "members 4 3"]) -> Float[np.ndarray, " members"]:
    """Return the sine of the angle between the first bond and the plane of the others, the centre second."""
    first, second, third = (x[:, k] - x[:, 1] for k in (0, 2, 3))
    normal = np.cross(second, third)
    above = np.einsum("ij,ij->i", first, normal)
    return above / (np.linalg.norm(first, axis=1) * np.linalg.norm(normal, axis=1))
