"""Models on their way to another process: arrays as NumPy has them, whatever precision is JAX's default there."""

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


@dataclass(frozen=True, eq=False)
class _Device:
    """An array that was on a device."""

    array: np.ndarray


def packed(tree: Any) -> Any:
    """Return a pytree whose JAX arrays can be pickled without loss; it can only be unpacked."""
    return jax.tree.map(lambda leaf: _Device(np.asarray(leaf)) if isinstance(leaf, jax.Array) else leaf, tree)


def unpacked(tree: Any) -> Any:
    """Return the pytree that was packed, in the precision that it had."""
    # Double precision would become single where it is not enabled.
    with jax.enable_x64(True):
        return jax.tree.map(lambda leaf: jnp.asarray(leaf.array) if isinstance(leaf, _Device) else leaf, tree)
