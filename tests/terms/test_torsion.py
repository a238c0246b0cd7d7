"""Torsions against the Fourier series in the dihedral angle itself."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from forgefield.terms.geometry import dihedral
from forgefield.terms.out_of_plane import COSINE_OUT_OF_PLANE
from forgefield.terms.torsion import TORSION3, TORSION4, TORSION6


@pytest.fixture
def chains(key):
    """Chains of four atoms whose angles are nowhere near straight, so that nothing is switched off."""
    zigzag = jnp.array([[1.3, 0.4, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.5], [-1.2, 0.5, 1.9]])
    return zigzag[None] + 0.25 * jr.uniform(key, (200, 4, 3), minval=-1.0)


@pytest.mark.parametrize("n", range(1, 7))
def test_each_constant_multiplies_half_of_one_plus_or_minus_the_cosine(chains, n):
    v = jnp.zeros(6).at[n - 1].set(2.0)

    energies = jax.vmap(lambda x: TORSION6.energy(x, *v))(chains)

    sign = 1.0 if n % 2 else -1.0
    angles = np.asarray(jax.vmap(dihedral)(chains))
    np.testing.assert_allclose(energies, 1.0 + sign * np.cos(n * angles), rtol=0, atol=1e-13)


def test_three_constants_are_the_first_of_six(chains):
    v = jnp.array([1.0, -2.0, 0.7])

    three = jax.vmap(lambda x: TORSION3.energy(x, *v))(chains)

    six = jax.vmap(lambda x: TORSION6.energy(x, *v, 0.0, 0.0, 0.0))(chains)
    np.testing.assert_allclose(three, six, rtol=0, atol=1e-14)


def test_four_constants_are_the_first_of_six(chains):
    v = jnp.array([1.0, -2.0, 0.7, 0.4])

    four = jax.vmap(lambda x: TORSION4.energy(x, *v))(chains)

    six = jax.vmap(lambda x: TORSION6.energy(x, *v, 0.0, 0.0))(chains)
    np.testing.assert_allclose(four, six, rtol=0, atol=1e-14)


def test_the_improper_torsion_is_the_second_constant(chains):
    improper = jax.vmap(lambda x: COSINE_OUT_OF_PLANE.energy(x, 3.0))(chains)

    proper = jax.vmap(lambda x: TORSION3.energy(x, 0.0, 3.0, 0.0))(chains)
    np.testing.assert_allclose(improper, proper, rtol=0, atol=1e-14)
