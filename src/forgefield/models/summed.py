"""A classical force field and a model that corrects it, as one."""

from dataclasses import replace

import jax.numpy as jnp
from jaxtyping import Array, Float

from forgefield.models.forcefield import ForceField
from forgefield.models.model import AbstractModel, Traits
from forgefield.molecules.topology import Topology


class Summed(AbstractModel):
    """Adds what a model that needs no bonds was trained on: what its baseline leaves of the reference."""

    baseline: ForceField
    correction: AbstractModel

    @property
    def traits(self) -> Traits:
        """Laid over molecules by their bonds, with all pairs of atoms: neighbours are not listed."""
        return replace(self.correction.traits, laid=True, cutoff=None, most_in_pairs=None)

    def with_precision(self, dtype: type) -> "Summed":
        """Return it with numbers of both parts in float32 or float64."""
        return Summed(self.baseline.with_precision(dtype), self.correction.with_precision(dtype))

    def energy(self, topology: Topology, positions: Float[Array, "atoms 3"]) -> Float[Array, " molecules"]:
        """Potential energy of each molecule [kcal/mol] at positions [Å]."""
        return self.baseline.energy(topology, positions) + self.correction.energy(topology, positions)

    def gradient(self, topology: Topology, positions: Float[Array, "atoms 3"]) -> Float[Array, "atoms 3"]:
        """Derivative of each molecule's energy by its positions [kcal/mol/Å]."""
        return self.baseline.gradient(topology, positions) + self.correction.gradient(topology, positions)

    def energy_and_gradient(
        self, topology: Topology, positions: Float[Array, "atoms 3"]
    ) -> tuple[Float[Array, " molecules"], Float[Array, "atoms 3"]]:
        """Both, each part by its own way."""
        first = self.baseline.energy_and_gradient(topology, positions)
        second = self.correction.energy_and_gradient(topology, positions)
        return first[0] + second[0], first[1] + second[1]

    def hessian(
        self, topology: Topology, positions: Float[Array, "atoms 3"]
    ) -> Float[Array, "molecules coordinates coordinates"]:
        """Second derivatives of each molecule's energy [kcal/mol/Å²], zero-padded to the largest molecule."""
        return self.baseline.hessian(topology, positions) + self.correction.hessian(topology, positions)

    def charges(self, topology: Topology) -> Float[Array, " charges"]:
        """Charge of each atom [e] that the baseline gives."""
        return jnp.asarray(self.baseline.charges(topology))
