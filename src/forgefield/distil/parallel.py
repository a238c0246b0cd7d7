"""The slope of the loss of a batch, which is shared out among all devices."""

from typing import TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float, PyTree

from forgefield.distil.batches import Batch
from forgefield.distil.losses import Losses, counted, losses
from forgefield.distil.recipe import Recipe

_Tree = TypeVar("_Tree")


_SHARES = "shares"
"""Name of the axis along which a batch is shared out."""


def everywhere(tree: _Tree) -> _Tree:
    """Return a tree all of which is on each device."""
    return jax.device_put(tree, NamedSharding(_mesh(), PartitionSpec()))


def shared_out(batch: Batch) -> Batch:
    """Return a batch in parts with a share of them on each device."""
    return jax.device_put(batch, NamedSharding(_mesh(), PartitionSpec(_SHARES)))


def losses_and_slope(
    weights: PyTree, fixed: PyTree, batch: Batch, recipe: Recipe, scales: Losses
) -> tuple[Losses, PyTree]:
    """Return the losses of a batch in parts, and the slope of their weighted sum by the weights of a model.

    In the sum each loss is multiplied by its scale.

    The other leaves of the model are `fixed`. Each device computes its share of the parts one after the other.
    """
    molecules_apart = eqx.combine(weights, fixed).fused
    counted_of_part = jax.vmap(counted) if molecules_apart else counted
    counts = jax.tree.map(jnp.sum, jax.vmap(counted_of_part)(batch))

    def of_share(weights: PyTree, fixed: PyTree, counts: Losses, scales: Losses, parts: Batch) -> tuple[Losses, PyTree]:
        def loss(weights: PyTree, part: Batch) -> tuple[Float[Array, ""], Losses]:
            if recipe.precision == "bf16":
                weights = jax.tree.map(lambda w: w.astype(jnp.bfloat16), weights)
            model = eqx.combine(weights, fixed)

            def found_in(batch: Batch) -> Losses:
                return losses(model, batch, recipe.weights, counts)

            found = jax.tree.map(jnp.sum, jax.vmap(found_in)(part)) if molecules_apart else found_in(part)
            return found.total(recipe.weights, scales), found

        def with_part(sums: tuple[PyTree, Losses], part: Batch) -> tuple[tuple[PyTree, Losses], None]:
            return jax.tree.map(jnp.add, sums, jax.grad(loss, has_aux=True)(weights, part)), None

        nothing = jax.tree.map(jnp.zeros_like, (weights, counts))
        slope, found = jax.lax.scan(with_part, nothing, parts)[0]
        # Devices wait for each other for every array: all numbers are one, in the precision of the losses.
        with jax.numpy_dtype_promotion("standard"):
            numbers, back = ravel_pytree((found, slope))
            return back(jax.lax.psum(numbers, _SHARES))

    whole, shared = PartitionSpec(), PartitionSpec(_SHARES)
    on_devices = jax.shard_map(
        of_share, mesh=_mesh(), in_specs=(whole, whole, whole, whole, shared), out_specs=whole, check_vma=False
    )
    return on_devices(weights, fixed, counts, scales, batch)


def _mesh() -> Mesh:
    return Mesh(np.array(jax.devices()), (_SHARES,))
