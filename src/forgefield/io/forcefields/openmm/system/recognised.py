"""Expressions that are terms of ours: told by their values, however they are written."""

import math
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.terms.nonbonded import LENNARD_JONES_PAIR
from forgefield.terms.periodic import HARMONIC_IMPROPER
from forgefield.terms.stretch import HARMONIC_STRETCH
from forgefield.terms.term import Term

Values = Float[np.ndarray, "interactions parameters"]
Found = tuple[Term, Float[np.ndarray, "interactions own"]] | None
Sampled = Callable[[Float[np.ndarray, "interactions points"]], Float[np.ndarray, "interactions points"]]
"""Energies [kJ/mol] of interactions at distances [nm] or angles [rad]."""
_SAME = 1e-8
"""Relative; constants such as π stand with ten digits in some expressions."""
_DISTANCES = np.array([0.17, 0.26, 0.34, 0.47, 0.71, 1.1])
_BONDS = np.array([0.05, 0.1, 0.13, 0.17, 0.24])
_ANGLES = np.linspace(-3.1, 3.1, 23)


def lennard_jones(energy: Sampled, n: int) -> Float[np.ndarray, "interactions 2"] | None:
    """Return the distance of the minimum [Å] and the depth [kcal/mol] of each interaction; both 0 where it is none.

    None where some are no Lennard-Jones.
    """
    found = np.asarray(energy(np.tile(_DISTANCES, (n, 1))))
    # Each part is taken where it counts most.
    a, b = _linear(found[:, [0, 3]], np.stack([_DISTANCES[[0, 3]] ** -12, -(_DISTANCES[[0, 3]] ** -6)]))
    parts = a[:, None] * _DISTANCES[None] ** -12, b[:, None] * _DISTANCES[None] ** -6
    size = np.abs(parts[0]) + np.abs(parts[1])
    alike = np.abs(parts[0] - parts[1] - found) <= _SAME * size
    acting = size.max(axis=1, initial=0.0) > 0.0
    if not alike.all() or ((a <= 0.0) | (b <= 0.0))[acting].any():
        return None
    a, b = np.where(acting, a, 1.0), np.where(acting, b, 0.0)
    radius = np.where(acting, (2.0 * a / np.where(acting, b, 1.0)) ** (1.0 / 6.0), 0.0)
    return np.stack([radius * units.NANOMETRE, 0.25 * b**2 / a * units.KILOJOULE], axis=1)


def bond(energy: Sampled, parameters: Values) -> Found:
    """Return the term of two atoms that an expression is, and its values; None where it is none of ours."""
    if (found := lennard_jones(energy, len(parameters))) is not None:
        return LENNARD_JONES_PAIR, found
    sampled = np.asarray(energy(np.tile(_BONDS, (len(parameters), 1))))
    if not np.isfinite(sampled).all():
        return None
    powers = np.stack([np.ones(3), _BONDS[:3], _BONDS[:3] ** 2])
    c0, c1, c2 = _linear(sampled[:, :3], powers)
    bent = c2 > 0.0
    r0 = np.where(bent, -0.5 * c1 / np.where(bent, c2, 1.0), 0.0)
    fitted = c2[:, None] * (_BONDS[None] - r0[:, None]) ** 2
    if not bent.all() or not np.allclose(sampled, fitted, rtol=_SAME, atol=_SAME * float(np.abs(c0).max(initial=0.0))):
        return None
    return HARMONIC_STRETCH, np.stack([2.0 * c2 * (units.KILOJOULE / units.NANOMETRE**2), r0 * units.NANOMETRE], axis=1)


def torsion(energy: Sampled, parameters: Values) -> Found:
    """Return the term of a dihedral angle that an expression is, and its values; None where it is none of ours."""
    n = len(parameters)
    sampled = np.asarray(energy(np.tile(_ANGLES, (n, 1))))
    for xi0 in parameters.T:
        apart = _ANGLES[None] - xi0[:, None]
        square = (apart - 2.0 * math.pi * np.round(apart / (2.0 * math.pi))) ** 2
        far = np.arange(n), square.argmax(axis=1)
        half = sampled[far] / square[far]
        if np.allclose(
            sampled, half[:, None] * square, rtol=_SAME, atol=_SAME * float(np.abs(sampled).max(initial=0.0))
        ):
            return HARMONIC_IMPROPER, np.stack([2.0 * half * units.KILOJOULE, xi0], axis=1)
    return None


def _linear(
    found: Float[np.ndarray, "interactions functions"], functions: Float[np.ndarray, "functions functions"]
) -> Float[np.ndarray, "functions interactions"]:
    """Return the factors with which functions, given at as many points, sum to what was found there."""
    return np.linalg.solve(functions.T, np.where(np.isfinite(found), found, 0.0).T)
