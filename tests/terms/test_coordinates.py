"""Closed-form derivatives of internal coordinates against those by machine."""

import math

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from forgefield.terms.composed import COSINE, DIHEDRAL
from forgefield.terms.coordinates import LENGTH, SQUARE, SUPPLEMENT, TWIST
from forgefield.terms.cross import BEND_BEND, BEND_TORSION_BEND, STRETCH_BEND, STRETCH_STRETCH_13, TORSION_STRETCH
from forgefield.terms.geometry import angle

# Most of the time goes into compiling whole force fields.
pytestmark = pytest.mark.slow

NO_PARAMETERS = jnp.zeros(0)
DELTAS = 10.0 ** -np.arange(1.0, 9.0)
COORDINATES = [
    pytest.param(LENGTH, 2, id="length"),
    pytest.param(SQUARE, 2, id="square"),
    pytest.param(SUPPLEMENT, 3, id="supplement"),
    pytest.param(TWIST, 4, id="twist"),
    pytest.param(COSINE, 3, id="cosine"),
    pytest.param(DIHEDRAL, 4, id="dihedral"),
    pytest.param(STRETCH_BEND.coordinates, 3, id="bonds and angle"),
    pytest.param(BEND_BEND.coordinates, 5, id="two angles"),
    pytest.param(STRETCH_STRETCH_13.coordinates, 4, id="two bonds apart"),
    pytest.param(BEND_TORSION_BEND.coordinates, 4, id="two angles and twist"),
    pytest.param(TORSION_STRETCH.coordinates, 4, id="twist and bond"),
]


@pytest.mark.parametrize(("coordinates", "order"), COORDINATES)
def test_expansions_are_what_the_machine_finds(coordinates, order, key):
    x = jr.normal(key, (5, order, 3))

    q, first, second = jax.vmap(lambda x: coordinates.expansion(x, NO_PARAMETERS))(x)

    def values(flat):
        return coordinates.values(flat.reshape(order, 3), NO_PARAMETERS)

    flat = x.reshape(5, -1)
    slopes = jax.jacrev(values)
    curvatures = jax.jit(jax.vmap(jax.jacfwd(slopes)))(flat)
    np.testing.assert_array_equal(q, jax.vmap(values)(flat))
    np.testing.assert_allclose(first, jax.jit(jax.vmap(slopes))(flat), rtol=0, atol=1e-12 * abs(first).max())
    np.testing.assert_allclose(second, curvatures, rtol=0, atol=1e-12 * abs(second).max())


@pytest.mark.parametrize(("coordinates", "order"), COORDINATES)
def test_third_derivatives_are_what_the_machine_finds(coordinates, order, key):
    x, v = jr.normal(key, (order, 3)), jr.normal(jr.key(3), (3 * order, 2))
    w = jr.normal(jr.key(4), coordinates.values(x, NO_PARAMETERS).shape)

    found = jax.jit(lambda x: coordinates.third(x, NO_PARAMETERS, w, v))(x)

    def curvatures(flat):
        return jnp.einsum("q,qcd,ck,dk->k", w, coordinates.expansion(flat.reshape(x.shape), NO_PARAMETERS)[2], v, v)

    exact = jax.jit(jax.jacrev(curvatures))(x.reshape(-1)).T
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-12 * abs(exact).max())


@pytest.mark.parametrize("side", [0.0, math.pi], ids=["folded", "straight"])
def test_the_supplement_next_to_a_line_is_that_of_the_angle(side, generator):
    theta = np.abs(side - DELTAS)
    rotation = np.linalg.qr(generator.normal(size=(3, 3)))[0]
    zero = np.zeros_like(theta)
    ends = np.stack([1.4 * np.cos(theta), 1.4 * np.sin(theta), zero], axis=1) @ rotation
    x = np.stack([np.tile(1.1 * rotation[0], (len(theta), 1)), np.zeros((len(theta), 3)), ends], axis=1)

    _, first, second = jax.vmap(lambda x: SUPPLEMENT.expansion(x, NO_PARAMETERS))(jnp.asarray(x))

    # The derivatives of `angle` by machine are themselves held to eighty-digit arithmetic.
    slopes = jax.grad(lambda flat: angle(flat.reshape(3, 3)))
    flat = jnp.asarray(x.reshape(-1, 9))
    curvatures = jax.jit(jax.vmap(jax.jacfwd(slopes)))(flat)
    for found, exact in ((first[:, 0], jax.vmap(slopes)(flat)), (second[:, 0], curvatures)):
        size = np.abs(exact).reshape(len(theta), -1).max(axis=1)
        errors = np.abs(found + exact).reshape(len(theta), -1).max(axis=1) / size
        assert (errors < np.maximum(1e-9, 3e-16 / DELTAS)).all(), errors
