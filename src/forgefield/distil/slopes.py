"""The slope of the loss of a batch, part by part, each device computing its share of them."""

import equinox as eqx
import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Float, PyTree

from forgefield.distil.batches import Batch
from forgefield.distil.losses import Losses, counted, losses
from forgefield.distil.recipe import Weights


def losses_and_slope(weights: PyTree, fixed: PyTree, batch: Batch, asked: Weights) -> tuple[Losses, PyTree]:
    """Return the losses of a batch in parts, and the slope of their weighted sum by the weights of a model.

    The other leaves of the model are `fixed`. Parts that a device is given follow one another, so that what is computed
    of one stays in the processor's cache. The number of parts is a multiple of the number of devices.
    """
    counts = jax.tree.map(jnp.sum, jax.vmap(counted)(batch))

    def share(weights: PyTree, fixed: PyTree, counts: Losses, parts: Batch) -> tuple[Losses, PyTree]:
        def loss(weights: PyTree, part: Batch) -> tuple[Float[Array, ""], Losses]:
            found = losses(eqx.combine(weights, fixed), part, asked, counts)
            return found.total(asked), found

        def with_part(sums: tuple[PyTree, Losses], part: Batch) -> tuple[tuple[PyTree, Losses], None]:
            return jax.tree.map(jnp.add, sums, jax.grad(loss, has_aux=True)(weights, part)), None

        nothing = jax.tree.map(jnp.zeros_like, (weights, counts))
        slope, found = jax.lax.scan(with_part, nothing, parts)[0]
        return jax.lax.psum((found, slope), "parts")

    mesh, everywhere, apart = Mesh(jax.devices(), ("parts",)), PartitionSpec(), PartitionSpec("parts")
    shared = jax.shard_map(
        share, mesh=mesh, in_specs=(everywhere, everywhere, everywhere, apart), out_specs=everywhere, check_vma=False
    )
    return shared(weights, fixed, counts, batch)
