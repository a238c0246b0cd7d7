"""Atomic charges fitted to the electrostatic potential around a molecule."""

import numpy as np
from ase.data.vdw_alvarez import vdw_radii
from jaxtyping import Float, Int

from forgefield import units

_SHELLS = (1.4, 1.6, 1.8, 2.0)
"""In van der Waals radii (B. H. Besler, K. M. Merz, P. A. Kollman, J. Comput. Chem. 1990, 11, 431)."""
_DENSITY = 2.5
"""Points per Å² of the surfaces."""
_UNKNOWN_RADIUS = 2.0
"""Å, of an element without a radius."""
_TURN = np.pi * (3.0 - np.sqrt(5.0))
"""Golden angle [rad]: points that turn by it on their way from pole to pole cover a sphere evenly."""


def surface_points(
    species: Int[np.ndarray, " atoms"], positions: Float[np.ndarray, "atoms 3"]
) -> Float[np.ndarray, "points 3"]:
    """Return points [Å] on the surfaces of spheres about all atoms that lie in no other sphere of the same shell.

    Radii are those of S. Alvarez, Dalton Trans. 2013, 42, 8617.
    """
    radii = np.nan_to_num(vdw_radii[species], nan=_UNKNOWN_RADIUS)
    kept = [np.zeros((0, 3))]
    for shell in _SHELLS:
        for atom, radius in enumerate(shell * radii):
            points = positions[atom] + radius * _sphere(round(_DENSITY * 4.0 * np.pi * radius**2))
            distance = np.linalg.norm(points[:, None] - positions[None], axis=2)
            distance[:, atom] = np.inf
            kept.append(points[(distance >= shell * radii).all(axis=1)])
    return np.concatenate(kept)


def _sphere(n: int) -> Float[np.ndarray, "points 3"]:
    """Return points spread evenly over the unit sphere."""
    z = 1.0 - (2.0 * np.arange(n) + 1.0) / n
    angle, across = _TURN * np.arange(n), np.sqrt(1.0 - z**2)
    return np.stack([across * np.cos(angle), across * np.sin(angle), z], axis=1)


def fitted_charges(
    potential: Float[np.ndarray, " points"],
    points: Float[np.ndarray, "points 3"],
    positions: Float[np.ndarray, "atoms 3"],
    total: float,
) -> Float[np.ndarray, " atoms"]:
    """Return the charges [e] that add up to `total` and make the potential [kcal/mol/e] at points [Å] best.

    Least squares with the total held by a Lagrange multiplier; what the potential does not determine is smallest.
    """
    n = len(positions)
    design = units.COULOMB / np.linalg.norm(points[:, None] - positions[None], axis=2)
    normal = np.zeros((n + 1, n + 1))
    normal[:n, :n] = design.T @ design
    scale = np.trace(normal) / n
    normal[n, :n] = normal[:n, n] = scale
    known = np.append(design.T @ potential, scale * total)
    return np.linalg.lstsq(normal, known, rcond=1e-12)[0][:n]
