"""The wall inside MM3's exp-6, minima, and atoms without van der Waals interactions."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.terms.nonbonded import EXP6, EXP6_PAIR, LENNARD_JONES

RV, E = 3.3, 0.04


def pair(r):
    return jnp.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]) * jnp.asarray(r)


def exp6(r):
    return EXP6_PAIR.energy(pair(r), RV, E)


def test_wall_continues_exp6_with_the_same_value_slope_and_curvature():
    edge = 0.34 * RV
    derivatives = [jax.jit(f) for f in (exp6, jax.grad(exp6), jax.grad(jax.grad(exp6)))]

    inside, outside = ([f(edge * (1.0 + side)) for f in derivatives] for side in (-1e-12, 1e-12))

    np.testing.assert_allclose(inside, outside, rtol=1e-9)
    u = 0.34
    steep, soft = E * 184000.0 * np.exp(-12.0 * u), E * 2.25 / u**6
    by_hand = [steep - soft, (-12.0 * steep + 6.0 * soft / u) / RV, (144.0 * steep - 42.0 * soft / u**2) / RV**2]
    np.testing.assert_allclose(outside, by_hand, rtol=1e-9)


def test_exp6_rises_all_the_way_to_a_finite_value_where_atoms_coincide():
    r = jnp.linspace(0.0, RV, 2001)

    energies = jax.vmap(exp6)(r)

    assert jnp.all(jnp.diff(energies) < 0.0)
    np.testing.assert_allclose(energies[0], 3107.8 * E, rtol=1e-4)


@pytest.mark.parametrize("precision", [jnp.float64, jnp.float32])
def test_derivatives_of_exp6_are_finite_where_atoms_coincide(precision):
    x = jnp.zeros((2, 3), precision)
    energy = jax.jit(lambda y: EXP6_PAIR.energy(y, RV, E))

    gradient, hessian = jax.grad(energy)(x), jax.jit(jax.hessian(energy))(x)

    np.testing.assert_array_equal(gradient, np.zeros((2, 3)))
    assert jnp.isfinite(hessian).all()


@pytest.mark.parametrize(
    ("term", "parameters", "r"),
    [(LENNARD_JONES, (1.5, 0.1, 2.0, 0.4, 1.0), 3.5)],
)
def test_minimum_lies_where_the_parameters_say_and_as_deep(term, parameters, r):
    energy, slope = jax.jit(jax.value_and_grad(lambda r: term.energy(pair(r), *parameters)))(r)

    np.testing.assert_allclose(energy, -0.2, rtol=1e-14)
    np.testing.assert_allclose(slope, 0.0, atol=1e-13)


@pytest.mark.parametrize("term", [LENNARD_JONES, EXP6])
@pytest.mark.parametrize("depths", [(0.0, 0.1), (0.1, 0.0), (0.0, 0.0)])
def test_an_atom_without_well_has_no_interaction_and_finite_derivatives(term, depths):
    p = jnp.array([1.5, depths[0], 2.0, depths[1], 0.5])

    energy, slopes = jax.jit(jax.value_and_grad(lambda p: term.energy(pair(2.0), *p)))(p)

    assert energy == 0.0
    np.testing.assert_array_equal(slopes, np.zeros(5))
