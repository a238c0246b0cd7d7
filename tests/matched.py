"""A target of one's own that compares matched modes."""

import jax.numpy as jnp

from forgefield.fitting.targets.spectrum import soft_frequencies
from forgefield.fitting.targets.target import AbstractTarget, Traits


class Matched(AbstractTarget):
    """Frequencies [cm⁻¹] of the modes that are matched by overlap."""

    tolerance: float
    weight: float = 1.0

    @property
    def traits(self):
        return Traits("matched", "cm⁻¹", is_matched=True)

    def counted(self, data):
        return jnp.asarray(data.mode_weight)

    def deviations(self, seen, data, matching):
        own = jnp.take_along_axis(soft_frequencies(seen.observed.eigenvalues)[0], matching, axis=1)
        return own - soft_frequencies(jnp.asarray(data.eigenvalues))[0]

    def slopes(self, seen, sensitivities, data, matching):
        own = sensitivities.curvatures(jnp.einsum("mia,mab->mib", seen.vibrations, seen.observed.mixing))
        slopes = own * soft_frequencies(seen.observed.eigenvalues)[1][:, None, :]
        return jnp.take_along_axis(slopes, matching[:, None, :], axis=2)
