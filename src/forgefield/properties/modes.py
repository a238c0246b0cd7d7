"""Normal modes of a Hessian: mass-weighted, translations and rotations projected out, signed frequencies."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.table import AbstractTabled, Column, Table, table

LINEAR = 1e-4
"""A moment of inertia below this fraction of the largest is that of a linear molecule."""
POINT = 1e-8
"""Å²; a moment of inertia below this times the mass is that of a single atom, but for rounding."""


@dataclass(frozen=True, eq=False, repr=False)
class Vibrations(AbstractTabled):
    """Vibrations of one molecule in ascending order of eigenvalue."""

    eigenvalues: Float[np.ndarray, " modes"]
    """kcal/mol/Å²/amu"""
    vectors: Float[np.ndarray, "coordinates modes"]
    """Orthonormal, in mass-weighted coordinates."""

    @property
    def frequencies(self) -> Float[np.ndarray, " modes"]:
        """cm⁻¹, imaginary ones negative."""
        return signed_frequencies(self.eigenvalues)

    @property
    def table(self) -> Table:
        """The frequencies."""
        rows = [(str(k), f"{frequency:.2f}") for k, frequency in enumerate(self.frequencies, start=1)]
        return table("Frequencies (negative: imaginary)", (Column("mode"), Column("frequency", "cm⁻¹")), rows)

    def __repr__(self) -> str:
        if not len(self.eigenvalues):
            return "Vibrations(no modes)"
        return (
            f"Vibrations({len(self.eigenvalues)} modes, {self.frequencies[0]:.1f} to {self.frequencies[-1]:.1f} cm⁻¹)"
        )


def signed_frequencies(eigenvalues: Float[np.ndarray, " modes"]) -> Float[np.ndarray, " modes"]:
    """Return sign(λ) √|λ| in cm⁻¹ for λ in kcal/mol/Å²/amu."""
    return np.sign(eigenvalues) * np.sqrt(np.abs(eigenvalues)) * units.WAVENUMBER


def rigid_motions(
    positions: Float[np.ndarray, "atoms 3"], masses: Float[np.ndarray, " atoms"], *, linear: float = LINEAR
) -> Float[np.ndarray, "coordinates motions"]:
    """Return an orthonormal basis of translations and rotations in mass-weighted coordinates.

    Six columns, five for a linear molecule, three for an atom, by the rank of the inertia tensor; `linear` is the share
    of the largest moment below which the smallest is none.
    """
    weights = np.sqrt(masses)
    centred = positions - masses @ positions / masses.sum()
    translations = (np.eye(3)[:, None, :] * weights[:, None]).reshape(3, -1)
    inertia = np.einsum("a,ai,aj->ij", masses, centred, centred)
    moments, axes = np.linalg.eigh(np.trace(inertia) * np.eye(3) - inertia)
    turning = moments > max(linear * moments[-1], POINT * masses.sum())
    rotations = (np.cross(axes.T[turning, None, :], centred) * weights[:, None]).reshape(-1, positions.size)
    basis, _ = np.linalg.qr(np.concatenate([translations, rotations]).T)
    return basis


def vibrations(
    hessian: Float[np.ndarray, "coordinates coordinates"],
    positions: Float[np.ndarray, "atoms 3"],
    masses: Float[np.ndarray, " atoms"],
) -> Vibrations:
    """Return the vibrations of one molecule: its Hessian [kcal/mol/Å²] inside the space of vibrations."""
    space, inside = _projected(hessian, positions, masses)
    eigenvalues, vectors = np.linalg.eigh(inside)
    return Vibrations(eigenvalues=eigenvalues, vectors=space @ vectors)


def frequencies(
    hessian: Float[np.ndarray, "coordinates coordinates"],
    positions: Float[np.ndarray, "atoms 3"],
    masses: Float[np.ndarray, " atoms"],
    *,
    linear: float = LINEAR,
    across: Float[np.ndarray, "atoms 3"] | None = None,
) -> Float[np.ndarray, " modes"]:
    """Return those of `vibrations` [cm⁻¹], in a fraction of its time.

    `linear` is as in `rigid_motions`; `across` is a gradient, along whose path of steepest descent nothing vibrates.
    """
    return signed_frequencies(np.linalg.eigvalsh(_projected(hessian, positions, masses, linear, across)[1]))


def _projected(
    hessian: Float[np.ndarray, "coordinates coordinates"],
    positions: Float[np.ndarray, "atoms 3"],
    masses: Float[np.ndarray, " atoms"],
    linear: float = LINEAR,
    across: Float[np.ndarray, "atoms 3"] | None = None,
) -> tuple[Float[np.ndarray, "coordinates modes"], Float[np.ndarray, "modes modes"]]:
    """Return a basis of the space of vibrations and the mass-weighted Hessian [kcal/mol/Å²/amu] inside it."""
    weights = np.repeat(1.0 / np.sqrt(masses), 3)
    motions = rigid_motions(positions, masses, linear=linear)
    if across is not None:
        motions = np.column_stack([motions, weights * across.ravel()])
    # The trailing columns of a complete QR span what translations and rotations leave over.
    complete, _ = np.linalg.qr(motions, mode="complete")
    space = complete[:, motions.shape[1] :]
    weighted = weights[:, None] * (0.5 * (hessian + hessian.T)) * weights
    return space, space.T @ weighted @ space


def unprojected_frequencies(
    hessian: Float[np.ndarray, "coordinates coordinates"], masses: Float[np.ndarray, " atoms"]
) -> Float[np.ndarray, " coordinates"]:
    """Return all 3N signed frequencies [cm⁻¹] of a Hessian, translations and rotations among them."""
    weights = np.repeat(1.0 / np.sqrt(masses), 3)
    return signed_frequencies(np.linalg.eigvalsh(weights[:, None] * (0.5 * (hessian + hessian.T)) * weights))
