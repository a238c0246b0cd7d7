"""The repulsion of atomic cores that nearly touch, where no training data ever are."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from forgefield.models.neural.radial import QuinticEnvelope
from forgefield.units import COULOMB

# Ziegler, Biersack and Littmark, The Stopping and Range of Ions in Solids (1985): the universal screening function.
_WEIGHTS = np.array([0.18175, 0.50986, 0.28022, 0.02817])
_RATES = np.array([3.19980, 0.94229, 0.40290, 0.20162])
_LENGTH = 0.46850
_POWER = 0.23
_SHORTEST = 1e-3
"""Å; nearer than this the repulsion grows no more."""


def core_repulsion(
    species: Int[Array, " atoms"],
    others: Int[Array, "#atoms places"],
    d: Float[Array, "atoms places 3"],
    cutoff: float,
) -> Float[Array, " atoms"]:
    """Return half the screened nuclear repulsion of each atom with its neighbours [kcal/mol].

    Z Z' e²/r Σ cₖ exp(-bₖ r/a) with a = 0.4685 Å / (Z^0.23 + Z'^0.23), times a C² envelope that ends at `cutoff` [Å].
    """
    first = species.astype(d.dtype)[:, None]
    second = others.astype(d.dtype)
    r = jnp.sqrt(jnp.maximum(jnp.sum(d * d, axis=-1), _SHORTEST**2))
    x = r * (first**_POWER + second**_POWER) / _LENGTH
    screening = sum(c * jnp.exp(-b * x) for c, b in zip(_WEIGHTS.tolist(), _RATES.tolist(), strict=True))
    envelope, _ = QuinticEnvelope().expansion(r, cutoff)
    return 0.5 * COULOMB * jnp.sum(first * second / r * screening * envelope, axis=1)
