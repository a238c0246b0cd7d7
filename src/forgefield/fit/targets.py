"""Targets: deviations of a model from the reference, and their exact derivatives by the parameters.

A deviation that equals the tolerance counts as one.
"""

import abc

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from forgefield import units
from forgefield.fit.observation import Observation
from forgefield.fit.training import TrainingSet
from forgefield.models.model import AbstractSensitivities

FLOOR = 100.0
"""A frequency below this [cm⁻¹] is not divided by, but this is."""
Matching = Int[Array, "molecules modes"]
"""For each reference mode the model's mode it is compared with."""


class AbstractTarget(eqx.Module):
    """One kind of deviation. The arrays of its methods have one shape, masked by `counted`."""

    tolerance: eqx.AbstractVar[float]
    weight: eqx.AbstractVar[float]

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """Its name in files and reports."""

    @property
    @abc.abstractmethod
    def unit(self) -> str:
        """Unit of its deviations."""

    @abc.abstractmethod
    def counted(self, data: TrainingSet) -> Float[Array, "*values"]:
        """1 for each value that counts, 0 for padding and for what the reference lacks."""

    @abc.abstractmethod
    def deviations(self, seen: Observation, data: TrainingSet, matching: Matching) -> Float[Array, "*values"]:
        """Model minus reference."""

    @abc.abstractmethod
    def slopes(
        self, seen: Observation, sensitivities: AbstractSensitivities, data: TrainingSet, matching: Matching
    ) -> Float[Array, "*values columns"]:
        """Derivative of the deviations by the selected parameters."""


class Diagonal(AbstractTarget):
    """Diagonal of the eigenmatrix: the curvature along each reference mode [cm⁻¹]."""

    tolerance: float
    weight: float = 1.0

    @property
    def name(self) -> str:
        """Its name in files and reports."""
        return "eigenmatrix"

    @property
    def unit(self) -> str:
        """Unit of its deviations."""
        return "cm⁻¹"

    def counted(self, data: TrainingSet) -> Float[Array, "molecules modes"]:
        """1 for each mode of a molecule."""
        return jnp.asarray(data.has_mode, float)

    def deviations(self, seen: Observation, data: TrainingSet, matching: Matching) -> Float[Array, "molecules modes"]:
        """(E_aa - λ_a) / (2 ω_a)."""
        diagonal = jnp.diagonal(seen.eigenmatrix, axis1=1, axis2=2)
        return (diagonal - data.eigenvalues) * units.WAVENUMBER**2 / (2.0 * floored(data))

    def slopes(
        self, seen: Observation, sensitivities: AbstractSensitivities, data: TrainingSet, matching: Matching
    ) -> Float[Array, "molecules modes columns"]:
        """Derivative of the deviations by the selected parameters."""
        scale = units.WAVENUMBER**2 / (2.0 * floored(data))
        return sensitivities.curvatures(jnp.asarray(data.modes)) * scale[:, :, None]


class OffDiagonal(AbstractTarget):
    """Off-diagonal of the eigenmatrix, each pair of modes once [cm⁻¹]."""

    tolerance: float
    weight: float = 1.0

    @property
    def name(self) -> str:
        """Its name in files and reports."""
        return "eigenmatrix off-diagonal"

    @property
    def unit(self) -> str:
        """Unit of its deviations."""
        return "cm⁻¹"

    def counted(self, data: TrainingSet) -> Float[Array, "molecules modes modes"]:
        """1 for each pair a < b of modes of a molecule."""
        mode = jnp.asarray(data.has_mode, float)
        return jnp.triu(mode[:, :, None] * mode[:, None, :], 1)

    def deviations(
        self, seen: Observation, data: TrainingSet, matching: Matching
    ) -> Float[Array, "molecules modes modes"]:
        """E_ab / (2 √(ω_a ω_b)), of which the reference is zero."""
        return seen.eigenmatrix * self._scale(data)

    def slopes(
        self, seen: Observation, sensitivities: AbstractSensitivities, data: TrainingSet, matching: Matching
    ) -> Float[Array, "molecules modes modes columns"]:
        """Derivative of the deviations by the selected parameters."""
        hessian = sensitivities.hessian()
        projected = jnp.einsum("mia,mijp,mjb->mabp", data.modes, hessian, data.modes, optimize="optimal")
        return projected * self._scale(data)[..., None]

    def _scale(self, data: TrainingSet) -> Float[Array, "molecules modes modes"]:
        root = jnp.sqrt(floored(data))
        return units.WAVENUMBER**2 / (2.0 * root[:, :, None] * root[:, None, :])


class Frequencies(AbstractTarget):
    """Signed harmonic frequencies, matched by overlap [cm⁻¹]."""

    tolerance: float
    weight: float = 1.0

    @property
    def name(self) -> str:
        """Its name in files and reports."""
        return "frequencies"

    @property
    def unit(self) -> str:
        """Unit of its deviations."""
        return "cm⁻¹"

    def counted(self, data: TrainingSet) -> Float[Array, "molecules modes"]:
        """1 for each mode of a molecule."""
        return jnp.asarray(data.has_mode, float)

    def deviations(self, seen: Observation, data: TrainingSet, matching: Matching) -> Float[Array, "molecules modes"]:
        """Frequency of the matching mode minus the reference's."""
        own = jnp.take_along_axis(_wavenumbers(seen.eigenvalues), matching, axis=1)
        return own - _wavenumbers(jnp.asarray(data.eigenvalues))

    def slopes(
        self, seen: Observation, sensitivities: AbstractSensitivities, data: TrainingSet, matching: Matching
    ) -> Float[Array, "molecules modes columns"]:
        """dω = vᵀ dH v / (2 ω), with ω floored."""
        own = sensitivities.curvatures(jnp.einsum("mia,mab->mib", data.modes, seen.mixing))
        floor = jnp.maximum(jnp.abs(_wavenumbers(seen.eigenvalues)), FLOOR)
        return jnp.take_along_axis(
            own * (units.WAVENUMBER**2 / (2.0 * floor))[:, :, None], matching[:, :, None], axis=1
        )


class Forces(AbstractTarget):
    """Cartesian gradient at the reference geometry [kcal/mol/Å]."""

    tolerance: float
    weight: float = 1.0

    @property
    def name(self) -> str:
        """Its name in files and reports."""
        return "forces"

    @property
    def unit(self) -> str:
        """Unit of its deviations."""
        return "kcal/mol/Å"

    def counted(self, data: TrainingSet) -> Float[Array, "atoms 3"]:
        """1 for each component of a molecule with a gradient."""
        has = jnp.asarray(data.has_gradient, float)[data.topology.molecule]
        return jnp.broadcast_to(has[:, None], data.gradient.shape)

    def deviations(self, seen: Observation, data: TrainingSet, matching: Matching) -> Float[Array, "atoms 3"]:
        """Gradient minus the reference's."""
        return seen.gradient - data.gradient

    def slopes(
        self, seen: Observation, sensitivities: AbstractSensitivities, data: TrainingSet, matching: Matching
    ) -> Float[Array, "atoms 3 columns"]:
        """Derivative of the deviations by the selected parameters."""
        return sensitivities.gradient()


class HessianElements(AbstractTarget):
    """Elements of the Cartesian Hessian, lower triangle with diagonal [kcal/mol/Å²]."""

    tolerance: float
    weight: float = 1.0

    @property
    def name(self) -> str:
        """Its name in files and reports."""
        return "hessian"

    @property
    def unit(self) -> str:
        """Unit of its deviations."""
        return "kcal/mol/Å²"

    def counted(self, data: TrainingSet) -> Float[Array, "molecules coordinates coordinates"]:
        """1 for each element i ≥ j of a molecule with a Hessian."""
        n = 3 * data.topology.n_max
        sizes = jnp.bincount(jnp.asarray(data.topology.molecule), length=data.topology.n_molecules) * 3
        inside = (jnp.arange(n)[None, :] < sizes[:, None]) & jnp.asarray(data.has_hessian)[:, None]
        return jnp.tril((inside[:, :, None] & inside[:, None, :]).astype(float))

    def deviations(
        self, seen: Observation, data: TrainingSet, matching: Matching
    ) -> Float[Array, "molecules coordinates coordinates"]:
        """Hessian minus the reference's."""
        return seen.hessian - data.hessian

    def slopes(
        self, seen: Observation, sensitivities: AbstractSensitivities, data: TrainingSet, matching: Matching
    ) -> Float[Array, "molecules coordinates coordinates columns"]:
        """Derivative of the deviations by the selected parameters."""
        return sensitivities.hessian()


class Energies(AbstractTarget):
    """Energies relative to the mean of their group [kcal/mol]."""

    tolerance: float
    weight: float = 1.0

    @property
    def name(self) -> str:
        """Its name in files and reports."""
        return "energy"

    @property
    def unit(self) -> str:
        """Unit of its deviations."""
        return "kcal/mol"

    def counted(self, data: TrainingSet) -> Float[Array, " molecules"]:
        """1 for each molecule that has an energy to be compared with another's."""
        return (jnp.asarray(data.has_energy) & (self._same_group(data).sum(axis=1) > 1)).astype(float)

    def deviations(self, seen: Observation, data: TrainingSet, matching: Matching) -> Float[Array, " molecules"]:
        """Energy minus the reference's, less the mean of that over the group."""
        return self._centred(seen.energy - data.energy, data)

    def slopes(
        self, seen: Observation, sensitivities: AbstractSensitivities, data: TrainingSet, matching: Matching
    ) -> Float[Array, "molecules columns"]:
        """Derivative of the deviations by the selected parameters."""
        return self._centred(sensitivities.energy(), data)

    def _same_group(self, data: TrainingSet) -> Float[Array, "molecules molecules"]:
        group, has = jnp.asarray(data.group), jnp.asarray(data.has_energy)
        return ((group[:, None] == group[None, :]) & has[None, :]).astype(float)

    def _centred(self, values: Float[Array, "molecules *_"], data: TrainingSet) -> Float[Array, "molecules *_"]:
        same = self._same_group(data)
        mean = same / jnp.maximum(same.sum(axis=1, keepdims=True), 1.0)
        return values - jnp.tensordot(mean, values, axes=1)


def floored(data: TrainingSet) -> Float[Array, "molecules modes"]:
    """Return max(|ω|, 100 cm⁻¹) of the reference's modes after the policy."""
    return jnp.maximum(jnp.abs(_wavenumbers(jnp.asarray(data.eigenvalues))), FLOOR)


def _wavenumbers(eigenvalues: Float[Array, "*modes"]) -> Float[Array, "*modes"]:
    """Return signed frequencies [cm⁻¹]."""
    return jnp.sign(eigenvalues) * jnp.sqrt(jnp.abs(eigenvalues)) * units.WAVENUMBER
