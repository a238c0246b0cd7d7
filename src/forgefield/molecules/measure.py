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
