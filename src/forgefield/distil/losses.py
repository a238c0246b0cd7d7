"""The loss of a neural student on a batch: its errors in energies, forces, Hessian products and what else is known."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from forgefield.distil.batches import Batch
from forgefield.distil.recipe import Weights
from forgefield.models.model import AbstractModel
from forgefield.models.neural.painn import Painn
from forgefield.properties.stress import energy_gradient_and_virials
from forgefield.units import ELECTRONVOLT


class Losses(NamedTuple):
    """Means over a batch of what the kind of loss makes of each error, in powers of eV and Å."""

    energy: Float[Array, ""]
    """Of energies per atom."""
    force: Float[Array, ""]
    product: Float[Array, ""]
    atomic_energy: Float[Array, ""]
    stress: Float[Array, ""]

    def total(self, weights: Weights, scales: "Losses | None" = None) -> Float[Array, ""]:
        """Return their weighted sum, each multiplied by its scale where there are some."""
        each = self if scales is None else Losses(*(a * b.astype(a.dtype) for a, b in zip(self, scales, strict=True)))
        return (
            weights.energy * each.energy
            + weights.force * each.force
            + weights.product * each.product
            + weights.atomic_energy * each.atomic_energy
            + weights.stress * each.stress
        )

    def merit(self, weights: Weights) -> Float[Array, ""]:
        """Return what is lower the better they are: their weighted sum, or that of their logarithms where balanced."""
        if not weights.balanced:
            return self.total(weights)
        return Losses(*(jnp.log(jnp.maximum(one, _SMALLEST)) for one in self)).total(weights)


def no_losses(nothing: Float[Array, ""]) -> Losses:
    """Return losses that are all the same zero."""
    return Losses(*(nothing for _ in Losses._fields))


_SMALLEST = 1e-30
"""Of a loss whose logarithm is taken."""
_KEPT, _SOON = 0.99, 10.0
"""Fraction of a running mean of losses that is kept at each step, and the steps after which it is half."""


def scales(running: Losses, weights: Weights) -> Losses:
    """Return what losses are multiplied by: 1, or where they are balanced what makes each as large as that of forces.

    Where uncertainties of several errors are learned (Kendall, Gal and Cipolla, CVPR 2018), the best ones make the
    loss the sum of the logarithms of all; its slope is that of each loss divided by itself. Of a running mean that
    is zero yet the scale is 1; without forces the first loss that weighs is what others are compared with.
    """
    ones = Losses(*(jnp.ones_like(one) for one in running))
    if not weights.balanced:
        return ones
    shares = (weights.energy, weights.force, weights.product, weights.atomic_energy, weights.stress)
    weighed = [k for k, share in enumerate(shares) if share > 0.0]
    unit = running.force if weights.force > 0.0 else running[weighed[0]]
    known = [(k in weighed) & (unit > 0.0) & (one > 0.0) for k, one in enumerate(running)]
    return Losses(
        *(
            jnp.where(is_known, unit / jnp.where(is_known, one, 1.0), 1.0)
            for is_known, one in zip(known, running, strict=True)
        )
    )


def with_losses(running: Losses, found: Losses, step: Int[Array, ""]) -> Losses:
    """Return running means after the losses of a step, counted from 0; of what a batch has nothing of they stay."""
    done = step.astype(running.energy.dtype)
    kept = jnp.minimum(_KEPT, done / (done + _SOON))
    return jax.tree.map(
        lambda mean, new: jnp.where(new > 0.0, new.astype(mean.dtype) + kept * (mean - new.astype(mean.dtype)), mean),
        running,
        found,
    )


def losses(model: Painn, batch: Batch, weights: Weights, counts: Losses | None = None) -> Losses:
    """Return the losses of a model on a batch; what weighs nothing is not computed and zero.

    Means are over `counts`, by default over what the batch has: those of a batch in parts are sums of the parts'.
    """
    counts = counted(batch) if counts is None else counts
    positions = jnp.asarray(batch.positions)
    nothing = jnp.zeros((), positions.dtype)
    product = atomic = stress = nothing
    has = _present(batch)
    if weights.product > 0.0:
        along = jnp.asarray(batch.directions)
        (energy, gradient, pressed), (_, curved, _) = jax.jvp(
            lambda x: answers(model, batch, x, stressed=weights.stress > 0.0), (positions,), (along,)
        )
        product = _mean(curved - batch.products, has.product, counts.product, weights)
    else:
        energy, gradient, pressed = answers(model, batch, positions, stressed=weights.stress > 0.0)
    if weights.stress > 0.0:
        known = jnp.where(has.stress, jnp.asarray(batch.stress), 0.0)
        stress = _mean(pressed - known, has.stress, counts.stress, weights)
    off = (energy - batch.energy) / batch.size
    pull = gradient - batch.gradient
    if weights.atomic_energy > 0.0:
        each = model.atomic_energies(batch.topology, positions)
        known = jnp.where(has.atomic_energy, jnp.asarray(batch.atomic_energy), 0.0)
        atomic = _mean(each - known, has.atomic_energy, counts.atomic_energy, weights)
    return Losses(
        _mean(off, has.energy, counts.energy, weights),
        _mean(pull, has.force, counts.force, weights),
        product,
        atomic,
        stress,
    )


def answers(
    model: AbstractModel, batch: Batch, positions: Float[Array, "atoms 3"], *, stressed: bool
) -> tuple[Float[Array, " molecules"], Float[Array, "atoms 3"], Float[Array, "molecules 3 3"]]:
    """Return energies [kcal/mol], gradients [kcal/mol/Å] and, where asked for and cells are there, stresses."""
    if stressed and batch.topology.neighbours is not None:
        energy, gradient, virials = energy_gradient_and_virials(model, batch.topology, positions)
        return energy, gradient, virials / jnp.asarray(batch.volume, positions.dtype)[:, None, None]
    energy, gradient = model.energy_and_gradient(batch.topology, positions)
    return energy, gradient, jnp.zeros_like(jnp.asarray(batch.stress))


def counted(batch: Batch) -> Losses:
    """Return how many numbers each mean over a batch is of."""
    return Losses(*(jnp.sum(one, dtype=jnp.asarray(batch.positions).dtype) for one in _present(batch)))


def _present(batch: Batch) -> Losses:
    """Return which numbers of a batch are known; atoms that fill up have no forces and no reference."""
    real = jnp.asarray(batch.real)
    atoms = jnp.broadcast_to(real[jnp.asarray(batch.topology.molecule)][:, None], batch.gradient.shape)
    along = jnp.any(jnp.asarray(batch.directions) != 0.0, axis=1)
    curved = jnp.broadcast_to(along[:, None], batch.products.shape)
    return Losses(real, atoms, curved, *map(jnp.isfinite, map(jnp.asarray, (batch.atomic_energy, batch.stress))))


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


def _mean(
    error: Float[Array, "*shape"], known: Bool[Array, "*shape"], count: Float[Array, ""], weights: Weights
) -> Float[Array, ""]:
    return jnp.sum(shaped(jnp.where(known, error, 0.0), weights)) / jnp.maximum(count, 1.0)
