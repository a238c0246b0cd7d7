"""Our models as energies of jax-md."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.io.molecules import read_structures
from forgefield.io.rules import load

ETHANOL = Path(__file__).parents[2] / "examples" / "painn" / "ethanol.xyz"


def test_a_model_is_an_energy_of_jax_md_with_its_neighbour_lists():
    # It is written for other settings of JAX than those of our tests.
    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        pytest.importorskip("jax_md", reason="no jax-md (pip install jax-md)")
        from forgefield.engines.jax_md_energy import energy_of  # noqa: PLC0415

        found = energy_of(ETHANOL.with_suffix(".safetensors"), ETHANOL)
        x = jnp.asarray(found.positions)
        energy, slope = jax.jit(jax.value_and_grad(found.function))(x, found.neighbors.allocate(x))

    (molecule, *_) = read_structures(ETHANOL)
    model, topology = load(ETHANOL.with_suffix(".safetensors")).lay([molecule])
    wanted, gradient = model.energy_and_gradient(topology, jnp.asarray(molecule.positions))
    np.testing.assert_allclose(energy, wanted[0], rtol=1e-6)
    np.testing.assert_allclose(slope, gradient, atol=1e-3)
