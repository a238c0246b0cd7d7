"""Runs with listed neighbours: the same motion, the same restarts, and lists made anew when atoms have moved."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield import units
from forgefield.models.model import AbstractModel, Traits
from forgefield.models.neural.painn import displacements
from forgefield.molecules.neighbours import all_pairs
from forgefield.molecules.topology import union
from forgefield.simulate.dynamics import start, trajectory
from forgefield.simulate.integrators import Langevin
from forgefield.simulate.listing import Listing
from forgefield.simulate.motion import NEVER

CUTOFF, SKIN = 2.5, 0.4
LATTICE = 1.6 * np.stack(np.meshgrid(*[np.arange(3.0)] * 3), axis=-1).reshape(-1, 3)
TOPOLOGY, MASSES = union([np.ones(27, np.int64)]), np.ones(27)
THERMOSTAT = Langevin(
    jnp.asarray(0.5 * units.FEMTOSECOND), jnp.asarray(2000.0), jnp.asarray(5.0 / (1000 * units.FEMTOSECOND))
)


class Soft(AbstractModel):
    """Soft spheres: 5 (1 - r²/c²)³ for each pair within the cut-off."""

    @property
    def traits(self):
        return Traits(False, None, frozenset(), CUTOFF, None, in_turn=False, precision=np.dtype(np.float64))

    def with_precision(self, dtype):
        return self

    def energy(self, topology, positions):
        neighbours = topology.neighbours
        if neighbours is None:
            neighbours = all_pairs(topology.molecule, topology.slot, topology.n_molecules, topology.n_max)
        square = jnp.sum(displacements(neighbours, positions) ** 2, axis=2)
        inside = jnp.where(neighbours.valid, jnp.maximum(1.0 - square / CUTOFF**2, 0.0), 0.0)
        return 0.5 * 5.0 * jnp.sum(inside**3)[None]

    def gradient(self, topology, positions):
        return jax.grad(lambda x: self.energy(topology, x)[0])(positions)

    def energy_and_gradient(self, topology, positions):
        return self.energy(topology, positions), self.gradient(topology, positions)

    def hessian(self, topology, positions):
        n = positions.size
        return jax.hessian(lambda x: self.energy(topology, x)[0])(positions).reshape(1, n, n)

    def charges(self, topology):
        return jnp.zeros(0)


def begun(listing, velocities=None):
    positions = np.stack([LATTICE, LATTICE[::-1]])
    motion = start(TOPOLOGY, positions, MASSES, temperature=2000.0, seed=1, listing=listing)
    return motion if velocities is None else eqx.tree_at(lambda m: m.velocities, motion, velocities)


def blocks(motion, n_steps):
    return [*trajectory(Soft(), TOPOLOGY, MASSES, THERMOSTAT, motion, n_steps=n_steps, every=5)]


@pytest.mark.slow
def test_listed_neighbours_move_atoms_as_all_pairs_do():
    listed, paired = (blocks(begun(listing), 60) for listing in (Listing(CUTOFF, SKIN), None))

    for name, tolerance in (("step", 0), ("positions", 1e-8), ("potential", 1e-8), ("thermal", 1e-6)):
        found, expected = (np.concatenate([getattr(block.frames, name) for block in run]) for run in (listed, paired))
        np.testing.assert_allclose(found, expected, atol=tolerance, err_msg=name)
    # Atoms have passed from neighbour to neighbour, so that lists of the start would not do.
    assert np.abs(listed[-1].motion.positions - begun(None).positions).max() > 2.0 * SKIN
    assert len(listed) > 3


@pytest.mark.slow
def test_restart_between_two_lists_is_exact_to_the_bit():
    straight = blocks(begun(Listing(CUTOFF, SKIN)), 60)[-1].motion

    halfway = blocks(begun(Listing(CUTOFF, SKIN)), 33)[-1].motion
    again = jax.tree.map(lambda a: jnp.asarray(np.asarray(a).copy()), halfway)
    continued = blocks(again, 60)[-1].motion

    assert np.abs(halfway.listed - halfway.positions).max() > 0.0
    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(straight), jax.tree.leaves(continued), strict=True))


def test_step_that_no_list_outlasts_is_a_blow_up():
    fast = np.zeros((2, 27, 3))
    # Further in one step than half the skin.
    fast[1, 0, 0] = 0.3 / float(THERMOSTAT.timestep)

    last = blocks(begun(Listing(CUTOFF, SKIN), jnp.asarray(fast)), 20)[-1].motion

    assert int(last.step) == 20
    assert np.asarray(last.failed).tolist() == [NEVER, 1]


def test_lists_depend_on_the_positions_alone():
    listing = Listing(CUTOFF, SKIN)

    there = listing.neighbours(LATTICE[None])
    listing.neighbours(0.5 * LATTICE[None])
    again = listing.neighbours(LATTICE[None])

    assert all(np.array_equal(a, b) for a, b in zip(jax.tree.leaves(there), jax.tree.leaves(again), strict=True))
    pairs = np.linalg.norm(LATTICE[:, None] - LATTICE[None], axis=2) < CUTOFF + SKIN
    np.testing.assert_array_equal(there.valid[0].sum(axis=1), pairs.sum(axis=1) - 1)
