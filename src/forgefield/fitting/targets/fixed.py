"""Targets: deviations of a model from the reference, and their exact derivatives by the parameters.

A deviation that equals the tolerance counts as one.
"""

import abc

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from forgefield import units
from forgefield.fitting.data.observation import Observation
from forgefield.fitting.data.training_set import KnownEnergies, TrainingSet
from forgefield.models.model import AbstractSensitivities

_TINY = 1e-30
FLOOR = 100.0
"""A frequency below this [cm⁻¹] is not divided by, but this is."""
Products = tuple[Float[Array, "molecules own"], Float[Array, "molecules own own"]]
Matching = Int[Array, "molecules modes"]
"""For each reference mode the model's mode it is compared with."""


class AbstractTarget(eqx.Module):
    """One kind of deviation, masked and weighted by `counted`."""

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
    def counted(self, data: TrainingSet) -> Float[Array, "molecules *values"]:
        """How much each value counts: 0 for padding and for what the reference lacks."""


class AbstractLocalTarget(AbstractTarget):
    """Its deviations are those of one molecule, whatever the others do."""

    @abc.abstractmethod
    def deviations(self, seen: Observation, data: TrainingSet, matching: Matching) -> Float[Array, "molecules values"]:
        """Model minus reference."""

    @abc.abstractmethod
    def slopes(
        self, seen: Observation, sensitivities: AbstractSensitivities, data: TrainingSet, matching: Matching
    ) -> Float[Array, "molecules own values"]:
        """Derivative of the deviations by the columns that each molecule has."""

    @abc.abstractmethod
    def products(
        self,
        seen: Observation,
        sensitivities: AbstractSensitivities,
        data: TrainingSet,
        matching: Matching,
        scale: Float[Array, "molecules values"],
    ) -> Products:
        """Return Jᵀr and JᵀJ of each molecule for the residuals, which are `scale` times the deviations."""


class AbstractHeldTarget(AbstractLocalTarget):
    """Its slopes are few enough to be held in memory for all molecules at once."""

    def products(
        self,
        seen: Observation,
        sensitivities: AbstractSensitivities,
        data: TrainingSet,
        matching: Matching,
        scale: Float[Array, "molecules values"],
    ) -> Products:
        """Return Jᵀr and JᵀJ of each molecule for the residuals, which are `scale` times the deviations."""
        slopes = self.slopes(seen, sensitivities, data, matching) * scale[:, None, :]
        residuals = self.deviations(seen, data, matching) * scale
        return jnp.einsum("mlv,mv->ml", slopes, residuals), jnp.einsum("mlv,mkv->mlk", slopes, slopes)


class AbstractStreamedTarget(AbstractLocalTarget):
    """Elements of the Hessian between pairs of vectors, too many for their slopes to be held in memory.

    What an element counts and what it is multiplied by are products of one number for each vector.
    """

    @abc.abstractmethod
    def basis(self, data: TrainingSet) -> Float[Array, "molecules coordinates vectors"]:
        """The vectors."""

    @abc.abstractmethod
    def counted_root(self, data: TrainingSet) -> Float[Array, "molecules vectors"]:
        """What an element counts is the product of two of these, where the element is one of `pairs`."""

    @abc.abstractmethod
    def scale_root(self, data: TrainingSet) -> Float[Array, "molecules vectors"]:
        """An element is multiplied by two of these."""

    @abc.abstractmethod
    def pairs(self, n_vectors: int) -> Float[np.ndarray, "vectors vectors"]:
        """1 for the elements that are compared: each pair once."""

    def counted(self, data: TrainingSet) -> Float[Array, "molecules values"]:
        """How much each value counts: 0 for padding and for what the reference lacks."""
        root = self.counted_root(data)
        return _flat(root[:, :, None] * root[:, None, :] * self.pairs(root.shape[1])[None])

    def scale(self, data: TrainingSet) -> Float[Array, "molecules values"]:
        """What elements of the Hessian between the vectors are multiplied by."""
        root = self.scale_root(data)
        return _flat(root[:, :, None] * root[:, None, :])

    def slopes(
        self, seen: Observation, sensitivities: AbstractSensitivities, data: TrainingSet, matching: Matching
    ) -> Float[Array, "molecules own values"]:
        """Derivative of the deviations by the columns that each molecule has."""
        basis = self.basis(data)
        return sensitivities.each_hessian(basis, _between, basis) * self.scale(data)[:, None, :]

    def products(
        self,
        seen: Observation,
        sensitivities: AbstractSensitivities,
        data: TrainingSet,
        matching: Matching,
        scale: Float[Array, "molecules values"],
    ) -> Products:
        """Return Jᵀr and JᵀJ of each molecule for the residuals, which are `scale` times the deviations."""
        basis = self.basis(data)

        def reduce(product, basis, scale, residuals):
            slopes = _between(product, basis) * scale[None, :]
            return slopes @ residuals, slopes @ slopes.T

        residuals = self.deviations(seen, data, matching) * scale
        return sensitivities.each_hessian(basis, reduce, basis, scale * self.scale(data), residuals)


def _between(
    product: Float[Array, "own coordinates vectors"], basis: Float[Array, "coordinates vectors"]
) -> Float[Array, "own values"]:
    """Return the elements between vectors of matrices that are given times these vectors."""
    return _flat(jnp.einsum("lca,cb->lab", product, basis))


class Diagonal(AbstractHeldTarget):
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
        """The weight of each mode."""
        return jnp.asarray(data.weight[:, None] * data.mode_weight)

    def deviations(self, seen: Observation, data: TrainingSet, matching: Matching) -> Float[Array, "molecules modes"]:
        """(E_aa - λ_a) / (2 ω_a)."""
        diagonal = jnp.diagonal(seen.eigenmatrix, axis1=1, axis2=2)
        return (diagonal - data.eigenvalues) * self.scale(data)

    def slopes(
        self, seen: Observation, sensitivities: AbstractSensitivities, data: TrainingSet, matching: Matching
    ) -> Float[Array, "molecules own modes"]:
        """Derivative of the deviations by the columns that each molecule has."""
        return sensitivities.curvatures(jnp.asarray(data.modes)) * self.scale(data)[:, None, :]

    def scale(self, data: TrainingSet) -> Float[Array, "molecules modes"]:
        """What an element of the eigenmatrix is multiplied by to be in cm⁻¹."""
        return units.WAVENUMBER**2 / (2.0 * floored(data))


class OffDiagonal(AbstractStreamedTarget):
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

    def deviations(self, seen: Observation, data: TrainingSet, matching: Matching) -> Float[Array, "molecules pairs"]:
        """E_ab / (2 √(ω_a ω_b)), of which the reference is zero."""
        return _flat(seen.eigenmatrix) * self.scale(data)

    def basis(self, data: TrainingSet) -> Float[Array, "molecules coordinates modes"]:
        """The reference's modes."""
        return jnp.asarray(data.modes)

    def counted_root(self, data: TrainingSet) -> Float[Array, "molecules modes"]:
        """A pair counts the geometric mean of the weights of its modes."""
        return jnp.sqrt(data.weight[:, None] * data.mode_weight)

    def scale_root(self, data: TrainingSet) -> Float[Array, "molecules modes"]:
        """Elements of the eigenmatrix in cm⁻¹."""
        return units.WAVENUMBER / jnp.sqrt(2.0 * floored(data))

    def pairs(self, n_vectors: int) -> Float[np.ndarray, "modes modes"]:
        """1 for a < b."""
        return np.triu(np.ones((n_vectors, n_vectors)), 1)


class Frequencies(AbstractHeldTarget):
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
        """The weight of each mode."""
        return jnp.asarray(data.weight[:, None] * data.mode_weight)

    def deviations(self, seen: Observation, data: TrainingSet, matching: Matching) -> Float[Array, "molecules modes"]:
        """Frequency of the matching mode minus the reference's."""
        own = jnp.take_along_axis(_wavenumbers(seen.eigenvalues), matching, axis=1)
        return own - _wavenumbers(jnp.asarray(data.eigenvalues))

    def slopes(
        self, seen: Observation, sensitivities: AbstractSensitivities, data: TrainingSet, matching: Matching
    ) -> Float[Array, "molecules own modes"]:
        """dω = vᵀ dH v / (2 ω), with ω floored."""
        own = sensitivities.curvatures(jnp.einsum("mia,mab->mib", data.modes, seen.mixing))
        floor = jnp.maximum(jnp.abs(_wavenumbers(seen.eigenvalues)), FLOOR)
        slopes = own * (units.WAVENUMBER**2 / (2.0 * floor))[:, None, :]
        return jnp.take_along_axis(slopes, matching[:, None, :], axis=2)


class Forces(AbstractHeldTarget):
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

    def counted(self, data: TrainingSet) -> Float[Array, "molecules coordinates"]:
        """The weight of the molecule for each component of a molecule with a gradient."""
        return _inside(data) * jnp.where(data.has_gradient, data.weight, 0.0)[:, None]

    def deviations(
        self, seen: Observation, data: TrainingSet, matching: Matching
    ) -> Float[Array, "molecules coordinates"]:
        """Gradient minus the reference's."""
        topology, deviation = data.topology, seen.gradient - data.gradient
        padded = jnp.zeros((topology.n_molecules, topology.n_max, 3), deviation.dtype)
        return _flat(padded.at[topology.molecule, topology.slot].set(deviation))

    def slopes(
        self, seen: Observation, sensitivities: AbstractSensitivities, data: TrainingSet, matching: Matching
    ) -> Float[Array, "molecules own coordinates"]:
        """Derivative of the deviations by the columns that each molecule has."""
        return sensitivities.gradient()


class HessianElements(AbstractStreamedTarget):
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

    def deviations(
        self, seen: Observation, data: TrainingSet, matching: Matching
    ) -> Float[Array, "molecules elements"]:
        """Hessian minus the reference's."""
        return _flat(seen.hessian - data.hessian)

    def basis(self, data: TrainingSet) -> Float[Array, "molecules coordinates coordinates"]:
        """Every coordinate."""
        n = 3 * data.topology.n_max
        return jnp.broadcast_to(jnp.eye(n), (data.topology.n_molecules, n, n))

    def counted_root(self, data: TrainingSet) -> Float[Array, "molecules coordinates"]:
        """The weight of the molecule for coordinates of a molecule with a Hessian."""
        return _inside(data) * jnp.sqrt(jnp.where(data.has_hessian, data.weight, 0.0))[:, None]

    def scale_root(self, data: TrainingSet) -> Float[Array, "molecules coordinates"]:
        """One."""
        return jnp.ones((data.topology.n_molecules, 3 * data.topology.n_max))

    def pairs(self, n_vectors: int) -> Float[np.ndarray, "coordinates coordinates"]:
        """1 for i ≥ j."""
        return np.tril(np.ones((n_vectors, n_vectors)))


class Energies(AbstractTarget):
    """Energies relative to the mean of their group [kcal/mol]: one deviation for each molecule of the whole set."""

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
        """The weight of each molecule that has an energy to be compared with another's."""
        return self.comparable(data.energies)

    def comparable(self, known: KnownEnergies) -> Float[Array, " molecules"]:
        """The weight of each molecule that has an energy to be compared with another's."""
        n_members = (_group_weights(known) > 0.0).sum(axis=1)
        return jnp.where(jnp.asarray(known.has_energy) & (n_members > 1), jnp.asarray(known.weight), 0.0)

    def deviations(self, energy: Float[Array, " molecules"], known: KnownEnergies) -> Float[Array, " molecules"]:
        """Energy minus the reference's, less the mean of that over the group."""
        return self.centred(energy - known.energy, known)

    def centred(self, values: Float[Array, "molecules *_"], known: KnownEnergies) -> Float[Array, "molecules *_"]:
        """Return values less their weighted mean over the group, which is free: energies have no common zero."""
        weights = _group_weights(known)
        mean = weights / jnp.maximum(weights.sum(axis=1, keepdims=True), _TINY)
        return values - jnp.tensordot(mean, values, axes=1)


def _group_weights(known: KnownEnergies) -> Float[Array, "molecules molecules"]:
    """Return the weight that each molecule (columns) has in the group of each (rows)."""
    group, has = jnp.asarray(known.group), jnp.asarray(known.has_energy)
    same = (group[:, None] == group[None, :]) & has[None, :]
    return jnp.where(same, jnp.asarray(known.weight)[None, :], 0.0)


def _flat(values: Float[Array, "leading rows columns"]) -> Float[Array, "leading values"]:
    """Return matrices as vectors."""
    return values.reshape(values.shape[0], -1)


def _inside(data: TrainingSet) -> Float[Array, "molecules coordinates"]:
    """1 for each coordinate of an atom."""
    topology = data.topology
    atoms = jnp.zeros((topology.n_molecules, topology.n_max)).at[topology.molecule, topology.slot].set(1.0)
    return jnp.repeat(atoms, 3, axis=1)


def floored(data: TrainingSet) -> Float[Array, "molecules modes"]:
    """Return max(|ω|, 100 cm⁻¹) of the reference's modes after the policy."""
    return jnp.maximum(jnp.abs(_wavenumbers(jnp.asarray(data.eigenvalues))), FLOOR)


def _wavenumbers(eigenvalues: Float[Array, "*modes"]) -> Float[Array, "*modes"]:
    """Return signed frequencies [cm⁻¹]."""
    return jnp.sign(eigenvalues) * jnp.sqrt(jnp.abs(eigenvalues)) * units.WAVENUMBER
