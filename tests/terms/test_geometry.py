"""Lengths, angles and dihedral angles worked out by hand."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.terms.geometry import angle, dihedral, distance


def test_distance_is_the_length_of_the_difference():
    x = jnp.array([[1.0, 2.0, 3.0], [3.0, 5.0, 9.0]])

    np.testing.assert_allclose(distance(x), 7.0, rtol=1e-15)
    np.testing.assert_allclose(jax.grad(distance)(x)[1], np.array([2.0, 3.0, 6.0]) / 7.0, rtol=1e-15)


@pytest.mark.parametrize(
    ("end", "degrees"),
    [((2.0, 0.0, 0.0), 0.0), ((3.0, 3.0, 0.0), 45.0), ((0.0, 0.0, 5.0), 90.0), ((-1.0, 3**0.5, 0.0), 120.0)],
)
def test_angle_is_the_one_at_the_middle_atom(end, degrees):
    x = jnp.array([[1.5, 0.0, 0.0], [0.0, 0.0, 0.0], end])

    np.testing.assert_allclose(angle(x), math.radians(degrees), rtol=1e-15)
    np.testing.assert_allclose(angle(x[::-1]), math.radians(degrees), rtol=1e-15)


def test_angles_differ_from_180_degrees_by_the_smallest_bend():
    x = jnp.array([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0], [-1.0, 1e-7, 0.0]])

    np.testing.assert_allclose(math.pi - angle(x), 1e-7, rtol=0, atol=1e-15)


@pytest.mark.parametrize("degrees", [-179.0, -90.0, -1e-6, 0.0, 1e-6, 60.0, 90.0, 179.0, 180.0])
def test_dihedral_is_signed_and_zero_for_cis(degrees):
    phi = math.radians(degrees)
    # Seen from the first bond along the z axis, a positive dihedral angle turns the last bond clockwise.
    x = jnp.array([[1.0, 0.0, 0.3], [0.0, 0.0, 0.0], [0.0, 0.0, 1.5], [math.cos(phi), math.sin(phi), 1.1]])

    np.testing.assert_allclose(dihedral(x), phi, rtol=1e-15, atol=1e-15)
    np.testing.assert_allclose(dihedral(x[::-1]), phi, rtol=1e-15, atol=1e-15)


def test_dihedral_changes_sign_in_a_mirror():
    x = jnp.array([[1.0, 0.2, 0.1], [0.0, 0.0, 0.0], [0.1, -0.2, 1.5], [0.4, 0.9, 1.6]])

    np.testing.assert_allclose(dihedral(-x), -dihedral(x), rtol=1e-15)


def test_dihedral_and_its_gradient_are_finite_next_to_a_straight_angle():
    x = jnp.array([[1.0, 0.5, 0.0], [0.0, 0.0, 0.0], [0.0, 0.0, 1.5], [0.0, 0.0, 2.6]])

    phi, gradient = jax.value_and_grad(dihedral)(x)

    assert phi == 0.0
    assert jnp.isfinite(gradient).all()
