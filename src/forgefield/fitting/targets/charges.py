"""The target of atomic charges: those that follow from bond moments against those of the reference."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from forgefield.fitting.data.observation import Observation
from forgefield.fitting.data.training_set import TrainingSet
from forgefield.fitting.targets.fixed import AbstractHeldTarget, Matching
from forgefield.models.model import AbstractSensitivities


class Charges(AbstractHeldTarget):
    """Atomic charges [e]; the charge of the whole molecule does not change with bond moments."""

    tolerance: float
    weight: float = 1.0

    @property
    def name(self) -> str:
        """Its name in files and reports."""
        return "charges"

    @property
    def unit(self) -> str:
        """Unit of its deviations."""
        return "e"

    def counted(self, data: TrainingSet) -> Float[Array, "molecules atoms"]:
        """The weight of the molecule for each atom of a molecule with reference charges."""
        topology = data.topology
        weight = jnp.where(jnp.asarray(data.has_charges), jnp.asarray(data.weight), 0.0)
        empty = jnp.zeros((topology.n_molecules, topology.n_max))
        return empty.at[topology.molecule, topology.slot].set(weight[jnp.asarray(topology.molecule)])

    def deviations(self, seen: Observation, data: TrainingSet, matching: Matching) -> Float[Array, "molecules atoms"]:
        """Charge minus the reference's."""
        topology = data.topology
        empty = jnp.zeros((topology.n_molecules, topology.n_max))
        return empty.at[topology.molecule, topology.slot].set(seen.charges - data.charges)

    def slopes(
        self, seen: Observation, sensitivities: AbstractSensitivities, data: TrainingSet, matching: Matching
    ) -> Float[Array, "molecules own atoms"]:
        """Derivative of the deviations by the columns that each molecule has."""
        return sensitivities.charges()
