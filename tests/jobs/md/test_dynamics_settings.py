"""Units of the settings of dynamics, by motion that is known without forces."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield import units
from forgefield.jobs.md.dynamics_settings import DynamicsSettings
from forgefield.molecules.topology import union
from forgefield.simulate.dynamics import start

TOPOLOGY, MASSES = union([np.array([1, 8])]), np.array([1.0, 16.0])


@pytest.fixture
def apart():
    """Two atoms of a molecule without forces that fly apart."""
    motion = start(TOPOLOGY, np.zeros((1, 2, 3)), MASSES, temperature=0.0, seed=0)
    velocities = jnp.asarray([[[16.0, -8.0, 1.6], [-1.0, 0.5, -0.1]]])
    return eqx.tree_at(lambda m: m.velocities, motion, velocities)


@pytest.mark.parametrize("per_ps", [0.5, 2.0, 25.0])
def test_free_particle_slows_down_at_the_rate_of_the_friction(apart, per_ps):
    settings = DynamicsSettings(1, "nvt", temperature=0.0, timestep=0.4, friction=per_ps)

    _, velocities, _ = settings.integrator().moved(apart, jnp.zeros_like, jnp.asarray(MASSES), TOPOLOGY)

    # v(t) = v(0) exp(-γ t), with t = 0.4 fs = 0.0004 ps.
    rate = -np.log(np.asarray(velocities / apart.velocities)) / 0.0004
    np.testing.assert_allclose(rate, per_ps, rtol=1e-9)


def test_free_particle_flies_on_for_the_femtoseconds_of_a_step(apart):
    settings = DynamicsSettings(1, "nve", timestep=0.4)

    positions, velocities, _ = settings.integrator().moved(apart, jnp.zeros_like, jnp.asarray(MASSES), TOPOLOGY)

    np.testing.assert_array_equal(velocities, apart.velocities)
    np.testing.assert_allclose(positions, apart.velocities * 0.4 * units.FEMTOSECOND, rtol=1e-12)
