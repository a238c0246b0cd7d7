"""Targets at the reference geometries."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from forgefield import units
from forgefield.fitting.data.training_set import FloatArray, TrainingSet
from forgefield.fitting.targets.spectrum import FLOOR, place_slopes, places, soft_frequencies
from forgefield.fitting.targets.target import (
    AbstractStreamedTarget,
    AbstractTarget,
    Seen,
    Traits,
    flat,
    of_atoms,
)
from forgefield.models.model import AbstractSensitivities
from forgefield.properties.rigid import by_molecule

_HESSIAN = "a Hessian"


class Diagonal(AbstractTarget):
    """Diagonal of the eigenmatrix: the curvature along each reference mode [cm⁻¹]."""

    tolerance: float
    weight: float = 1.0

    @property
    def traits(self) -> Traits:
        """What it says of itself."""
        return Traits("eigenmatrix", "cm⁻¹", _HESSIAN, is_linear=True)

    def counted(self, data: TrainingSet) -> Float[FloatArray, "molecules modes"]:
        """The weight of each mode."""
        return data.weight[:, None] * data.mode_weight

    def deviations(self, seen: Seen, data: TrainingSet) -> Float[Array, "molecules modes"]:
        """(E_aa - λ_a) / (2 ω_a)."""
        diagonal = jnp.diagonal(seen.observed.eigenmatrix, axis1=1, axis2=2)
        return (diagonal - data.eigenvalues) * self.scale(data)

    def slopes(
        self, seen: Seen, sensitivities: AbstractSensitivities, data: TrainingSet
    ) -> Float[FloatArray, "molecules own modes"]:
        """Derivative of the deviations by the parameters that each molecule has."""
        return sensitivities.curvatures(data.modes) * self.scale(data)[:, None, :]

    def reference(self, data: TrainingSet) -> Float[FloatArray, "molecules modes"]:
        """The frequencies."""
        return _wavenumbers(data.eigenvalues)

    def scale(self, data: TrainingSet) -> Float[FloatArray, "molecules modes"]:
        """What an element of the eigenmatrix is multiplied by to be in cm⁻¹."""
        return units.WAVENUMBER**2 / (2.0 * _floored(data))


class OffDiagonal(AbstractStreamedTarget):
    """Off-diagonal of the eigenmatrix, each pair of modes once [cm⁻¹]."""

    tolerance: float
    weight: float = 1.0

    @property
    def traits(self) -> Traits:
        """What it says of itself."""
        return Traits("eigenmatrix off-diagonal", "cm⁻¹", is_linear=True)

    def deviations(self, seen: Seen, data: TrainingSet) -> Float[Array, "molecules pairs"]:
        """E_ab / (2 √(ω_a ω_b)), of which the reference is zero."""
        return flat(seen.observed.eigenmatrix) * self.scale(data)

    def basis(self, data: TrainingSet) -> Float[Array, "molecules coordinates modes"]:
        """The reference's modes."""
        return jnp.asarray(data.modes)

    def counted_root(self, data: TrainingSet) -> Float[Array, "molecules modes"]:
        """A pair counts the geometric mean of the weights of its modes."""
        return jnp.sqrt(data.weight[:, None] * data.mode_weight)

    def scale_root(self, data: TrainingSet) -> Float[Array, "molecules modes"]:
        """Elements of the eigenmatrix in cm⁻¹."""
        return units.WAVENUMBER / jnp.sqrt(2.0 * _floored(data))

    def pairs(self, n_vectors: int) -> Float[np.ndarray, "modes modes"]:
        """1 for a < b."""
        return np.triu(np.ones((n_vectors, n_vectors)), 1)


class Frequencies(AbstractTarget):
    """Signed harmonic frequencies: where the reference's modes lie in the spectrum of the model [cm⁻¹]."""

    tolerance: float
    weight: float = 1.0

    @property
    def traits(self) -> Traits:
        """What it says of itself."""
        return Traits("frequencies", "cm⁻¹", _HESSIAN)

    def counted(self, data: TrainingSet) -> Float[FloatArray, "molecules modes"]:
        """The weight of each mode."""
        return data.weight[:, None] * data.mode_weight

    def deviations(self, seen: Seen, data: TrainingSet) -> Float[Array, "molecules modes"]:
        """Where a mode lies minus its frequency in the reference, both as `soft_frequencies` has them."""
        own = jax.vmap(places)(seen.observed.eigenvalues, seen.observed.mixing)
        return own - soft_frequencies(jnp.asarray(data.eigenvalues))[0]

    def slopes(
        self, seen: Seen, sensitivities: AbstractSensitivities, data: TrainingSet
    ) -> Float[Array, "molecules own modes"]:
        """Derivative of the deviations by the parameters that each molecule has."""

        def reduce(product, modes, eigenvalues, mixing):
            return place_slopes(eigenvalues, mixing, jnp.einsum("lca,cb->lab", product, modes))

        modes = jnp.einsum("mia,mab->mib", seen.vibrations, seen.observed.mixing)
        return sensitivities.each_hessian(modes, reduce, modes, seen.observed.eigenvalues, seen.observed.mixing)

    def reference(self, data: TrainingSet) -> Float[FloatArray, "molecules modes"]:
        """The frequencies."""
        return _wavenumbers(data.eigenvalues)


class Forces(AbstractTarget):
    """Components of the forces at the reference geometry [kcal/mol/Å]."""

    tolerance: float
    weight: float = 1.0

    @property
    def traits(self) -> Traits:
        """What it says of itself."""
        return Traits(
            "forces",
            "kcal/mol/Å",
            "a gradient, or a Hessian of a stationary point",
            is_curved=False,
            is_linear=True,
            holds_structure=True,
        )

    def counted(self, data: TrainingSet) -> Float[Array, "molecules coordinates"]:
        """The weight of the molecule for each component of a molecule with a gradient."""
        return of_atoms(data, jnp.where(data.has_gradient, data.weight, 0.0), 3)

    def deviations(self, seen: Seen, data: TrainingSet) -> Float[Array, "molecules coordinates"]:
        """Force minus the reference's."""
        return flat(by_molecule(data.topology, jnp.asarray(data.gradient) - seen.observed.gradient))

    def slopes(
        self, seen: Seen, sensitivities: AbstractSensitivities, data: TrainingSet
    ) -> Float[FloatArray, "molecules own coordinates"]:
        """Derivative of the deviations by the parameters that each molecule has."""
        return -sensitivities.gradient()

    def reference(self, data: TrainingSet) -> Float[Array, "molecules coordinates"]:
        """The forces."""
        return flat(by_molecule(data.topology, -jnp.asarray(data.gradient)))


class HessianElements(AbstractStreamedTarget):
    """Elements of the Cartesian Hessian, lower triangle with diagonal [kcal/mol/Å²]."""

    tolerance: float
    weight: float = 1.0

    @property
    def traits(self) -> Traits:
        """What it says of itself."""
        return Traits("hessian", "kcal/mol/Å²", _HESSIAN, is_linear=True)

    def deviations(self, seen: Seen, data: TrainingSet) -> Float[Array, "molecules elements"]:
        """Hessian minus the reference's."""
        return flat(seen.observed.hessian - data.hessian)

    def reference(self, data: TrainingSet) -> Float[Array, "molecules elements"]:
        """The elements."""
        return flat(jnp.asarray(data.hessian))

    def basis(self, data: TrainingSet) -> Float[Array, "molecules coordinates coordinates"]:
        """Every coordinate."""
        n = 3 * data.topology.n_max
        return jnp.broadcast_to(jnp.eye(n), (data.topology.n_molecules, n, n))

    def counted_root(self, data: TrainingSet) -> Float[Array, "molecules coordinates"]:
        """The weight of the molecule for coordinates of a molecule with a Hessian."""
        return of_atoms(data, jnp.sqrt(jnp.where(data.has_hessian, data.weight, 0.0)), 3)

    def scale_root(self, data: TrainingSet) -> Float[Array, "molecules coordinates"]:
        """One."""
        return jnp.ones((data.topology.n_molecules, 3 * data.topology.n_max))

    def pairs(self, n_vectors: int) -> Float[np.ndarray, "coordinates coordinates"]:
        """1 for i ≥ j."""
        return np.tril(np.ones((n_vectors, n_vectors)))


class Energies(AbstractTarget):
    """Energies relative to the mean of their group [kcal/mol]."""

    tolerance: float
    weight: float = 1.0

    @property
    def traits(self) -> Traits:
        """What it says of itself."""
        return Traits(
            "energy",
            "kcal/mol",
            "the energies of at least two structures of one group (of the same bonds, unless group is stated)",
            observes=False,
            is_relative=True,
            is_linear=True,
        )

    def counted(self, data: TrainingSet) -> Float[Array, "molecules one"]:
        """The weight of each molecule that has an energy."""
        return jnp.where(jnp.asarray(data.has_energy), jnp.asarray(data.weight), 0.0)[:, None]

    def deviations(self, seen: Seen, data: TrainingSet) -> Float[Array, "molecules one"]:
        """Energy minus the reference's."""
        return (seen.energy - data.energy)[:, None]

    def slopes(
        self, seen: Seen, sensitivities: AbstractSensitivities, data: TrainingSet
    ) -> Float[FloatArray, "molecules own one"]:
        """Derivative of the deviations by the parameters that each molecule has."""
        return sensitivities.energy()[:, :, None]

    def reference(self, data: TrainingSet) -> Float[Array, "molecules one"]:
        """The energies."""
        return jnp.asarray(data.energy)[:, None]

    def dependent(self, data: TrainingSet, counts: Bool[np.ndarray, "molecules one"]) -> int:
        """One in each group: the mean is free."""
        return len(np.unique(np.asarray(data.group)[counts[:, 0]]))


def _floored(data: TrainingSet) -> Float[FloatArray, "molecules modes"]:
    """Return max(|ω|, 100 cm⁻¹) of the reference's modes after the policy."""
    return abs(_wavenumbers(data.eigenvalues)).clip(FLOOR)


def _wavenumbers(eigenvalues: Float[FloatArray, "*modes"]) -> Float[FloatArray, "*modes"]:
    """Return signed frequencies [cm⁻¹]."""
    given = eigenvalues.__array_namespace__()
    return given.sign(eigenvalues) * given.sqrt(abs(eigenvalues)) * units.WAVENUMBER
