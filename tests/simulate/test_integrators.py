"""What integrators conserve, and the distributions that they sample."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield import units
from forgefield.simulate.dynamics import start, trajectory
from forgefield.simulate.integrators import Langevin, VelocityVerlet
from forgefield.simulate.motion import temperature

# Most of the time goes into compiling whole models.
pytestmark = pytest.mark.slow

KT = units.BOLTZMANN * 300.0


def verlet(fs):
    return VelocityVerlet(jnp.asarray(fs * units.FEMTOSECOND))


def langevin(fs, per_ps, **options):
    friction = per_ps / (1000 * units.FEMTOSECOND)
    return Langevin(jnp.asarray(fs * units.FEMTOSECOND), jnp.asarray(300.0), jnp.asarray(friction), **options)


def run(system, integrator, n_steps, *, every=1, replicas=1, motion=None, seed=0):
    """Frames of a run as NumPy arrays, and the motion at its end."""
    model, topology, positions, masses = system
    if motion is None:
        repeated = np.repeat(positions[None], replicas, 0)
        motion = start(topology, repeated, masses, temperature=300.0, seed=seed)
    blocks = [*trajectory(model, topology, masses, integrator, motion, n_steps=n_steps, every=every)]
    names = ("step", "positions", "velocities", "potential", "kinetic", "failed")
    frames = {name: np.concatenate([getattr(b.frames, name) for b in blocks]) for name in names}
    return frames, blocks[-1].motion


def test_energy_of_velocity_verlet_fluctuates_with_the_square_of_the_time_step(water):
    def fluctuation(fs):
        frames, _ = run(water, verlet(fs), int(100 / fs), every=int(1 / fs))
        return np.std(frames["potential"] + frames["kinetic"])

    assert fluctuation(0.5) / fluctuation(0.25) == pytest.approx(4.0, rel=0.1)
    assert fluctuation(0.25) < 0.01 * KT


def test_velocity_verlet_runs_backwards_as_it_came(water):
    _, there = run(water, verlet(0.5), 400, every=400)
    turned = eqx.tree_at(lambda m: (m.velocities, m.step), there, (-there.velocities, jnp.zeros((), jnp.int32)))

    _, back = run(water, verlet(0.5), 400, every=400, motion=turned)

    first, _ = run(water, verlet(0.5), 1)
    np.testing.assert_allclose(back.positions[0], water[2], atol=1e-10)
    np.testing.assert_allclose(back.velocities[0], -first["velocities"][0, 0], atol=1e-9)
    assert np.abs(there.positions[0] - water[2]).max() > 0.1


@pytest.mark.parametrize("integrator", [verlet(0.5), langevin(0.5, 10.0)], ids=["verlet", "langevin"])
def test_momentum_stays_zero(water, integrator):
    frames, _ = run(water, integrator, 300, every=100, replicas=2)

    momentum = np.einsum("a,fraj->frj", water[3], frames["velocities"])
    np.testing.assert_allclose(momentum, 0.0, atol=1e-12)
    assert np.abs(frames["velocities"]).min(axis=(2, 3)).max() > 0.0


def test_baoab_samples_an_oscillator_exactly_in_space_and_as_known_in_velocity(springs):
    k, m, n_atoms = 80.0, 2.0, 64
    model, topology = springs(k, n_atoms)
    # ωh = 1, where positions under velocity Verlet would be spread a third too far.
    fs = np.sqrt(m / k) / units.FEMTOSECOND
    system = model, topology, np.zeros((n_atoms, 3)), np.full(n_atoms, m)

    frames, _ = run(system, langevin(fs, 200.0, fixes_momentum=False), 1000, every=20, replicas=32)

    settled = frames["step"] > 200
    x, v = (frames[name][settled] for name in ("positions", "velocities"))
    assert np.mean(x**2) == pytest.approx(KT / k, rel=0.01)
    assert np.mean(v**2) == pytest.approx(KT / m * (1 - 0.25), rel=0.01)
    assert np.mean(x**4) == pytest.approx(3 * (KT / k) ** 2, rel=0.02)


def test_thermostat_without_momentum_has_the_temperature_of_the_motion_inside(water):
    frames, _ = run(water, langevin(0.25, 50.0), 2500, every=50, replicas=64)

    warmth = temperature(frames["kinetic"][20:], water[1])

    # Of the step's error (ωh)²/4, 1 % here, next to nothing is left.
    assert warmth.mean() == pytest.approx(300.0, rel=0.02)
    assert warmth.std() == pytest.approx(300.0 * np.sqrt(2 / 6), rel=0.05)


def test_first_velocities_are_thermal_and_differ_by_replica_and_seed(water):
    _, topology, positions, masses = water

    motions = [start(topology, np.repeat(positions[None], 2000, 0), masses, temperature=300.0, seed=s) for s in (1, 2)]

    velocities = np.asarray(motions[0].velocities)
    # Without momentum an atom keeps the share 1 - m/M of its variance.
    share = KT / masses * (1 - masses / masses.sum())
    np.testing.assert_allclose(np.mean(velocities**2, axis=(0, 2)), share, rtol=0.05)
    assert len(np.unique(velocities[:, 0, 0])) == 2000
    assert not np.any(velocities == np.asarray(motions[1].velocities))
