"""The temperature of an oscillator under each integrator, by linear algebra instead of a long run."""

import jax
import jax.numpy as jnp
import jax.random as jr
import numpy as np
import pytest
from scipy.linalg import solve_discrete_lyapunov

from forgefield import units
from forgefield.simulate.integrators import Langevin, VelocityVerlet
from forgefield.simulate.motion import Motion

K, MASS, KT = 80.0, 2.0, units.BOLTZMANN * 300.0
KEY = jr.key(3)


def motion_of(place_and_velocity):
    """An atom that moves along x."""
    x, v = (jnp.zeros((1, 1, 3)).at[0, 0, 0].set(value) for value in place_and_velocity)
    return Motion(
        step=jnp.asarray(7, jnp.int32),
        positions=x,
        velocities=v,
        gradient=K * x,
        failed=jnp.full(1, -1, jnp.int32),
        keys=jr.key_data(KEY)[None],
        listed=x[:, :0],
    )


def step_of(integrator, springs):
    """The linear map that a step is, and the direction of its noise for a unit deviate."""
    _, topology = springs(K, 1)

    def moved(place_and_velocity):
        x, v, _ = integrator.moved(motion_of(place_and_velocity), lambda x: K * x, jnp.asarray([MASS]), topology)
        return jnp.stack([x[0, 0, 0], v[0, 0, 0]])

    nothing = jnp.zeros(2)
    # As `Motion.keys` has it: step n draws from the key with n folded in.
    drawn = jr.normal(jr.fold_in(KEY, jnp.asarray(7, jnp.int32)), (1, 3))[0, 0]
    step, noise = jax.jit(lambda z: (jax.jacobian(moved)(z), moved(z) / drawn))(nothing)
    return np.asarray(step), np.asarray(noise)


def mean_thermal_energy(integrator, covariance):
    """The mean over a distribution of places and velocities of what tells the temperature."""

    def energy(place_and_velocity):
        return integrator.thermal_energy(motion_of(place_and_velocity), jnp.asarray([MASS]))[0]

    return 0.5 * np.trace(np.asarray(jax.jit(jax.hessian(energy))(jnp.zeros(2))) @ covariance)


@pytest.mark.slow
@pytest.mark.parametrize("omega_h", [0.1, 0.5, 1.5])
@pytest.mark.parametrize("friction_h", [1e-3, 0.3, 5.0])
def test_half_steps_of_baoab_have_the_temperature_that_full_steps_lack(springs, omega_h, friction_h):
    h = omega_h * np.sqrt(MASS / K)
    numbers = (jnp.asarray(value) for value in (h, 300.0, friction_h / h))
    integrator = Langevin(*numbers, fixes_momentum=False)
    step, noise = step_of(integrator, springs)

    covariance = solve_discrete_lyapunov(step, np.outer(noise, noise))

    at_full_steps = KT / MASS * (1.0 - omega_h**2 / 4.0)
    np.testing.assert_allclose(covariance, np.diag([KT / K, at_full_steps]), rtol=1e-6, atol=1e-8 * KT / MASS)
    np.testing.assert_allclose(mean_thermal_energy(integrator, covariance), 0.5 * KT, rtol=1e-6)


@pytest.mark.parametrize("omega_h", [0.1, 0.5, 1.5])
def test_full_steps_of_velocity_verlet_share_what_is_conserved_equally_among_modes(springs, omega_h):
    integrator = VelocityVerlet(jnp.asarray(omega_h * np.sqrt(MASS / K)))
    step, _ = step_of(integrator, springs)
    conserved = np.diag([K * (1.0 - omega_h**2 / 4.0), MASS])

    # Distributed as exp(-conserved / kT), which a step must leave as it is.
    covariance = KT * np.linalg.inv(conserved)

    np.testing.assert_allclose(step.T @ conserved @ step, conserved, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(mean_thermal_energy(integrator, covariance), 0.5 * KT, rtol=1e-9)
