"""A batch shared out among devices, each of which has some of its molecules."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from jaxtyping import Array, Float

from forgefield.distil.batches import Batch, batch_of, filled_batch
from forgefield.distil.losses import Losses
from forgefield.molecules.molecule import Reference

_Tree = TypeVar("_Tree")


class Devices:
    """Devices that work on one batch together."""

    def __init__(self, devices: Sequence[Any]) -> None:
        self.n = len(devices)
        self._mesh = Mesh(np.array(devices), ("shares",))

    def batch(self, references: Sequence[Reference], n_max: int, generator: np.random.Generator) -> Batch:
        """Return references as a batch, with a share of it on each device where there are several."""
        if self.n == 1:
            return filled_batch(references, n_max, generator)
        shares = batch_in_shares(references, self.n, n_max, generator)
        return jax.device_put(shares, NamedSharding(self._mesh, PartitionSpec("shares")))

    def everywhere(self, tree: _Tree) -> _Tree:
        """Return a tree all of which is on each device."""
        return tree if self.n == 1 else jax.device_put(tree, NamedSharding(self._mesh, PartitionSpec()))


def batch_in_shares(
    references: Sequence[Reference], n_shares: int, n_max: int, generator: np.random.Generator | None = None
) -> Batch:
    """Return a batch whose arrays have the shares as their first axis; a share may have no molecule that counts."""
    lots = np.array_split(np.arange(len(references)), n_shares)
    room = n_max * len(lots[0])
    shares = [
        batch_of([references[k] for k in lot], room, n_max, generator)
        if len(lot)
        else _uncounted(batch_of(references[:1], room, n_max))
        for lot in lots
    ]
    return jax.tree.map(lambda *leaves: np.stack(leaves), *shares)


def mean_losses(losses_of: Callable[[Batch], Losses], batch: Batch) -> Losses:
    """Return the losses of a batch in shares, as if it were one: means weigh by what there is in each share."""
    found, counts = jax.vmap(losses_of)(batch), jax.vmap(_counts)(batch)
    return Losses(
        *(
            jnp.sum(mean * n.astype(mean.dtype)) / jnp.maximum(jnp.sum(n), 1.0).astype(mean.dtype)
            for mean, n in zip(found, counts, strict=True)
        )
    )


def _counts(batch: Batch) -> Losses:
    """Return how many errors each loss is the mean of."""
    real = jnp.asarray(batch.real)

    def number(which: Any) -> Float[Array, ""]:
        return jnp.sum(which, dtype=jnp.result_type(float))

    return Losses(
        energy=number(real),
        force=number(real[jnp.asarray(batch.topology.molecule)]),
        product=number(jnp.any(jnp.asarray(batch.directions) != 0.0, axis=1)),
        atomic_energy=number(jnp.isfinite(jnp.asarray(batch.atomic_energy))),
    )


def _uncounted(batch: Batch) -> Batch:
    """Return a batch of which nothing counts."""
    nothing = np.zeros_like(batch.real), np.zeros_like(batch.directions), np.full_like(batch.atomic_energy, np.nan)
    return eqx.tree_at(lambda b: (b.real, b.directions, b.atomic_energy), batch, nothing)
