"""Small PaiNN models with random weights and biases, and molecules for them."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from forgefield.models.neural.painn import SIZES, Design, Painn, painn
from forgefield.models.neural.radial import AbstractEnvelope, QuinticEnvelope, SineBasis
from forgefield.units import ELECTRONVOLT

ELEMENTS = (1, 6, 8)
CUTOFF = 4.0

SIZES_OF_CLUSTERS = (9, 4, 1, 7)


def _random_painn(
    seed: int = 0, *, envelope: AbstractEnvelope | None = None, core_cutoff: float | None = None, states: bool = False
) -> Painn:
    """Untrained, every array perturbed, so that no bias is zero."""
    basis = SineBasis(SIZES["tiny"].radial, CUTOFF)
    design = Design(ELEMENTS, basis, envelope or QuinticEnvelope(), ELECTRONVOLT, core_cutoff)
    model = painn(jr.key(seed), design, SIZES["tiny"], references=np.array([-5.0, -40.0, -60.0]), states=states)
    leaves, structure = jax.tree.flatten(model)
    keys = jr.split(jr.key(seed + 1), len(leaves))
    return jax.tree.unflatten(
        structure,
        [a + 0.1 * jr.normal(k, a.shape, jnp.float32).astype(a.dtype) for a, k in zip(leaves, keys, strict=True)],
    )


@pytest.fixture(scope="session")
def random_painn():
    """Makes a small PaiNN whose biases are not zero."""
    return _random_painn


@pytest.fixture
def clusters(generator) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Species and positions of clusters whose atoms are about a bond length apart."""
    grid = np.stack(np.meshgrid(*[np.arange(3.0)] * 3, indexing="ij"), -1).reshape(-1, 3)
    species = [generator.choice(ELEMENTS, n) for n in SIZES_OF_CLUSTERS]
    return species, [1.4 * grid[:n] + 0.15 * generator.normal(size=(n, 3)) for n in SIZES_OF_CLUSTERS]
