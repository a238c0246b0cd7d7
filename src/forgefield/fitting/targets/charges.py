"""The target of atomic charges: those that follow from bond moments against those of the reference."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from forgefield.fitting.data.training_set import TrainingSet
from forgefield.fitting.targets.target import AbstractTarget, Seen, Traits, of_atoms
from forgefield.models.model import AbstractSensitivities
from forgefield.properties.rigid import by_molecule


class Charges(AbstractTarget):
    """Atomic charges [e]; the charge of the whole molecule does not change with bond moments."""

    tolerance: float
    weight: float = 1.0

    @property
    def traits(self) -> Traits:
        """What it says of itself."""
        return Traits("charges", "e", "atomic charges", is_curved=False)

    def counted(self, data: TrainingSet) -> Float[Array, "molecules atoms"]:
        """The weight of the molecule for each atom of a molecule with reference charges."""
        return of_atoms(data, jnp.where(jnp.asarray(data.has_charges), jnp.asarray(data.weight), 0.0), 1)

    def deviations(self, seen: Seen, data: TrainingSet) -> Float[Array, "molecules atoms"]:
        """Charge minus the reference's."""
        return by_molecule(data.topology, seen.observed.charges - data.charges)

    def slopes(
        self, seen: Seen, sensitivities: AbstractSensitivities, data: TrainingSet
    ) -> Float[Array, "molecules own atoms"]:
        """Derivative of the deviations by the parameters that each molecule has."""
        return sensitivities.charges()

    def reference(self, data: TrainingSet) -> Float[Array, "molecules atoms"]:
        """The charges."""
        return by_molecule(data.topology, jnp.asarray(data.charges))

    def dependent(self, data: TrainingSet, counts: Bool[np.ndarray, "molecules atoms"]) -> int:
        """One in each molecule: the sum is given."""
        return int(counts.any(axis=1).sum())
