"""Runs: restarts, replicas, frames, and replicas that blow up."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield import units
from forgefield.simulate.dynamics import LONGEST_MOVE, start, trajectory
from forgefield.simulate.integrators import Langevin, VelocityVerlet
from forgefield.simulate.motion import NEVER

INTEGRATORS = [
    pytest.param(VelocityVerlet(jnp.asarray(0.5 * units.FEMTOSECOND)), id="nve"),
    pytest.param(
        Langevin(jnp.asarray(0.5 * units.FEMTOSECOND), jnp.asarray(300.0), jnp.asarray(1.0)),
        id="nvt",
    ),
]


def begun(water, replicas):
    return start(water[1], np.repeat(water[2][None], replicas, 0), water[3], temperature=300.0, seed=3)


def ended(water, integrator, motion, n_steps):
    *_, last = trajectory(water[0], water[1], water[3], integrator, motion, n_steps=n_steps, every=7)
    return last.motion


def replica(motion, k):
    """One replica of several."""
    return jax.tree.map(lambda a: a[k : k + 1] if a.ndim else a, motion)


@pytest.mark.slow
@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_restart_is_exact_to_the_bit(water, integrator):
    straight = ended(water, integrator, begun(water, 2), 500)

    halfway = ended(water, integrator, begun(water, 2), 123)
    again = jax.tree.map(lambda a: jnp.asarray(np.asarray(a).copy()), halfway)
    continued = ended(water, integrator, again, 500)

    assert int(halfway.step) == 123
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(straight), jax.tree.leaves(continued), strict=True))


@pytest.mark.parametrize("integrator", INTEGRATORS)
def test_replicas_move_as_they_would_alone(water, integrator):
    motion = begun(water, 2)

    together = ended(water, integrator, motion, 200)
    alone = [ended(water, integrator, replica(motion, k), 200) for k in range(2)]

    for k in range(2):
        np.testing.assert_allclose(together.positions[k], alone[k].positions[0], atol=1e-9)
        np.testing.assert_allclose(together.velocities[k], alone[k].velocities[0], atol=1e-8)
    assert np.abs(together.positions[0] - together.positions[1]).max() > 0.01


@pytest.mark.parametrize(("n_steps", "every"), [(10, 3), (5000, 1700), (200, 1), (3, 5)])
def test_frames_stand_at_multiples_of_the_interval(springs, n_steps, every):
    model, topology = springs(1.0, 2)
    motion = start(topology, np.zeros((1, 2, 3)), np.ones(2), temperature=300.0, seed=0)
    integrator = VelocityVerlet(jnp.asarray(0.01))

    blocks = [*trajectory(model, topology, np.ones(2), integrator, motion, n_steps=n_steps, every=every)]

    steps = np.concatenate([block.frames.step for block in blocks])
    assert steps.tolist() == [*range(0, n_steps + 1, every)]
    assert int(blocks[-1].motion.step) == n_steps


def test_replica_that_blows_up_stays_and_names_the_step_while_others_go_on(springs):
    model, topology = springs(1.0, 1)
    timestep, x, v = 2.5, 0.01, 0.0
    at_rest = start(topology, np.array([[[x, 0.0, 0.0]], [[0.0, 0.0, 0.0]]]), np.ones(1), temperature=0.0, seed=0)
    # Twice the square of the inverse frequency is the longest stable step; velocity Verlet by hand beyond it.
    expected, moved, kept = 0, 0.0, x
    while moved < LONGEST_MOVE:
        expected += 1
        new = x + timestep * (v - 0.5 * timestep * x)
        v, moved = v - 0.5 * timestep * (x + new), abs(new - x)
        kept, x = x, new

    *_, last = trajectory(
        model, topology, np.ones(1), VelocityVerlet(jnp.asarray(timestep)), at_rest, n_steps=100, every=10
    )

    assert np.asarray(last.motion.failed).tolist() == [expected, NEVER]
    assert int(last.motion.step) == 100
    assert float(last.motion.positions[0, 0, 0]) == pytest.approx(kept)


def test_run_ends_early_when_all_replicas_have_blown_up(springs):
    model, topology = springs(1.0, 1)
    motion = start(topology, np.full((1, 1, 3), 0.01), np.ones(1), temperature=0.0, seed=0)

    blocks = [
        *trajectory(model, topology, np.ones(1), VelocityVerlet(jnp.asarray(3.0)), motion, n_steps=10**9, every=1)
    ]

    assert len(blocks) == 1
    assert 0 < int(blocks[0].motion.failed[0]) < 100


def test_forces_that_are_not_finite_are_a_blow_up_at_the_start(springs):
    model, topology = springs(np.nan, 1)
    motion = start(topology, np.zeros((1, 1, 3)), np.ones(1), temperature=300.0, seed=0)

    *_, last = trajectory(model, topology, np.ones(1), VelocityVerlet(jnp.asarray(0.1)), motion, n_steps=5, every=1)

    assert np.asarray(last.motion.failed).tolist() == [0]


def test_precision_is_that_of_the_positions(springs):
    model, topology = springs(1.0, 2)
    motion = start(topology, np.zeros((2, 2, 3), np.float32), np.ones(2), temperature=300.0, seed=0)
    step, warmth, friction = jnp.asarray([0.1, 300.0, 1.0], jnp.float32)
    thermostat = Langevin(step, warmth, friction)

    *_, last = trajectory(model, topology, np.ones(2), thermostat, motion, n_steps=5, every=1)

    assert {a.dtype for a in jax.tree.leaves(last.motion) if eqx.is_inexact_array(a)} == {jnp.dtype("float32")}
    assert last.frames.potential.dtype == np.float32


@pytest.mark.parametrize(("move", "failed"), [(0.45, NEVER), (0.55, 1)])
def test_a_move_of_half_an_angstrom_in_a_step_is_a_blow_up(springs, move, failed):
    # Nothing acts on the atom, so that it moves by its velocity times the time step.
    model, topology = springs(0.0, 1)
    at_rest = start(topology, np.zeros((1, 1, 3)), np.ones(1), temperature=0.0, seed=0)
    motion = eqx.tree_at(lambda m: m.velocities, at_rest, jnp.array([[[0.0, -move / 0.1, 0.0]]]))

    *_, last = trajectory(model, topology, np.ones(1), VelocityVerlet(jnp.asarray(0.1)), motion, n_steps=1, every=1)

    assert np.asarray(last.motion.failed).tolist() == [failed]
    np.testing.assert_allclose(last.motion.positions[0, 0, 1], -move if failed == NEVER else 0.0, rtol=1e-12)


@pytest.mark.slow
def test_replicas_that_do_not_fit_memory_together_are_computed_in_parts(water, monkeypatch):
    monkeypatch.setattr("forgefield.simulate.dynamics._LARGEST_BATCH", 2 * 3)
    motion = begun(water, 5)

    together = ended(water, INTEGRATORS[0].values[0], motion, 200)

    for k in (0, 4):
        alone = ended(water, INTEGRATORS[0].values[0], replica(motion, k), 200)
        np.testing.assert_allclose(together.positions[k], alone.positions[0], atol=1e-9)
