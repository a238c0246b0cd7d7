"""The loss of a neural student on a batch: its errors in energies, forces, Hessian products and energies of atoms."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from forgefield.distil.batches import Batch
from forgefield.distil.recipe import Weights
from forgefield.models.painn import Painn
from forgefield.units import ELECTRONVOLT


class Losses(NamedTuple):
    """Means over a batch of what the kind of loss makes of each error, in powers of eV and Å."""

    energy: Float[Array, ""]
    """Of energies per atom."""
    force: Float[Array, ""]
    product: Float[Array, ""]
    atomic_energy: Float[Array, ""]

    def total(self, weights: Weights) -> Float[Array, ""]:
        """Return their weighted sum."""
        return (
            weights.energy * self.energy
            + weights.force * self.force
            + weights.product * self.product
            + weights.atomic_energy * self.atomic_energy
        )


def losses(model: Painn, batch: Batch, weights: Weights) -> Losses:
    """Return the losses of a model on a batch; what weighs nothing is not computed and zero."""
    positions = jnp.asarray(batch.positions)
    real = jnp.asarray(batch.real)
    nothing = jnp.zeros((), positions.dtype)
    product = atomic = nothing
    if weights.product > 0.0:
        along = jnp.asarray(batch.directions)
        (energy, gradient), (_, curved) = jax.jvp(
            lambda x: model.energy_and_gradient(batch.topology, x), (positions,), (along,)
        )
        known = jnp.any(along != 0.0, axis=1)
        product = _mean(curved - batch.products, jnp.broadcast_to(known[:, None], curved.shape), weights)
    else:
        energy, gradient = model.energy_and_gradient(batch.topology, positions)
    off = (energy - batch.energy) / batch.size
    pull = gradient - batch.gradient
    # Atoms that fill up have no forces and no reference.
    counted = jnp.broadcast_to(real[jnp.asarray(batch.topology.molecule)][:, None], pull.shape)
    if weights.atomic_energy > 0.0:
        shares = jnp.asarray(batch.atomic_energy)
        known = jnp.isfinite(shares)
        each = model.atomic_energies(batch.topology, positions)
        atomic = _mean(jnp.where(known, each - jnp.where(known, shares, 0.0), 0.0), known, weights)
    return Losses(_mean(off, real, weights), _mean(pull, counted, weights), product, atomic)


def shaped(error: Float[Array | np.ndarray, "*shape"], weights: Weights) -> Float[Array, "*shape"]:
    """Return what the kind of loss makes of errors [kcal/mol and Å], in eV and Å."""
    x = jnp.asarray(error) / ELECTRONVOLT
    match weights.kind:
        case "mse":
            return x**2
        case "mae":
            return jnp.abs(x)
        case "huber":
            size = jnp.abs(x)
            return jnp.where(size < weights.corner, 0.5 * x**2 / weights.corner, size - 0.5 * weights.corner)


def _mean(error: Float[Array, "*shape"], counted: Bool[Array, "*shape"], weights: Weights) -> Float[Array, ""]:
    found = shaped(jnp.where(counted, error, 0.0), weights)
    return jnp.sum(found) / jnp.maximum(jnp.sum(counted, dtype=found.dtype), 1.0)
