import equinox as eqx
import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.models.neural.painn import Design, Size, painn
from forgefield.models.neural.radial import QuinticEnvelope, SineBasis
from forgefield.molecules.neighbour_list import neighbour_list
from forgefield.molecules.topology import union
from forgefield.properties.derivatives import energies, gradient
from forgefield.properties.stress import stress

CELL = np.array([[4.0, 0.0, 0.0], [1.0, 4.5, 0.0], [0.3, -0.7, 5.0]])
EVERYWHERE = (True, True, True)
SPECIES = np.array([8, 1, 1, 6])


@pytest.fixture(scope="module")
def model():
    design = Design((1, 6, 8), SineBasis(6, 4.0), QuinticEnvelope(), 23.06, 1.0)
    return painn(jr.key(3), design, Size(8, 2, 6)).with_precision(jnp.float64)


@pytest.fixture
def positions(generator):
    inside = np.array([[0.1, 0.1, 0.1], [0.4, 0.15, 0.1], [0.1, 0.5, 0.3], [0.6, 0.6, 0.7]])
    return (inside + 0.03 * generator.normal(size=(4, 3))) @ CELL


def crystal(species, positions, cell, places=80):
    listed = neighbour_list(positions, 4.0, 0.4, cell, EVERYWHERE, places=places)
    topology = eqx.tree_at(lambda t: t.neighbours, union([species]), listed.neighbours, is_leaf=lambda v: v is None)
    return topology, jnp.asarray(positions)


def test_stress_is_the_slope_of_the_energy_under_finite_strain(model, positions, generator):
    strain = generator.normal(size=(3, 3))
    strain = 0.5 * (strain + strain.T)
    step = 1e-4

    found = stress(model, *crystal(SPECIES, positions, CELL), jnp.asarray(CELL))

    def energy(s):
        return energies(
            model, *crystal(SPECIES, positions @ (np.eye(3) + s * strain), CELL @ (np.eye(3) + s * strain))
        )[0]

    slope = (energy(step) - energy(-step)) / (2 * step) / np.linalg.det(CELL)
    np.testing.assert_allclose(jnp.sum(found * strain), slope, rtol=1e-6)
    np.testing.assert_allclose(found, found.T, atol=1e-12)


@pytest.mark.slow
def test_a_doubled_cell_has_twice_the_energy_and_the_same_forces_and_stress(model, positions):
    double = np.concatenate([positions, positions + CELL[0]])
    large = CELL * np.array([[2.0], [1.0], [1.0]])
    small = crystal(SPECIES, positions, CELL)
    twice = crystal(np.concatenate([SPECIES, SPECIES]), double, large)

    np.testing.assert_allclose(energies(model, *twice), 2.0 * energies(model, *small), rtol=1e-12)
    np.testing.assert_allclose(gradient(model, *twice), np.tile(gradient(model, *small), (2, 1)), atol=1e-9)
    np.testing.assert_allclose(
        stress(model, *twice, jnp.asarray(large)), stress(model, *small, jnp.asarray(CELL)), atol=1e-11
    )


def test_energy_is_that_in_vacuum_where_the_cell_is_wide(model, positions):
    wide = 40.0 * np.eye(3)

    listed = energies(model, *crystal(SPECIES, positions, wide, places=10))

    np.testing.assert_allclose(listed, energies(model, union([SPECIES]), jnp.asarray(positions)), rtol=1e-13)


def test_atoms_may_move_by_half_the_skin_under_an_old_list(model, positions, generator):
    topology = crystal(SPECIES, positions, CELL)[0]
    moved = positions + 0.19 * (d := generator.normal(size=(4, 3))) / np.linalg.norm(d, axis=1, keepdims=True)

    old = jax.device_get(gradient(model, topology, jnp.asarray(moved)))

    np.testing.assert_allclose(old, gradient(model, *crystal(SPECIES, moved, CELL)), atol=1e-10)


def test_systems_that_have_no_cell_are_refused(model, positions):
    with pytest.raises(InputError, match="one periodic system"):
        stress(model, union([SPECIES]), jnp.asarray(positions), jnp.asarray(CELL))
