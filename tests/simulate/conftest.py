"""Atoms on springs, whose motion is known exactly, and a water molecule."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.assign.generated import generate
from forgefield.models.model import AbstractModel, Traits
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.topology import union
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.stretch import HARMONIC_STRETCH
from samples import AT_WATER


class Springs(AbstractModel):
    """½ k x² for each coordinate of each atom."""

    k: float

    @property
    def traits(self):
        return Traits(False, None, frozenset(), None, None, in_turn=False, precision=np.dtype(np.float64))

    def with_precision(self, dtype):
        return self

    def energy(self, topology, positions):
        nothing = jnp.zeros(topology.n_molecules, positions.dtype)
        return 0.5 * self.k * nothing.at[topology.molecule].add((positions**2).sum(1))

    def gradient(self, topology, positions):
        return self.k * positions

    def energy_and_gradient(self, topology, positions):
        return self.energy(topology, positions), self.gradient(topology, positions)

    def hessian(self, topology, positions):
        curvature = self.k * jnp.eye(3 * topology.n_max, dtype=positions.dtype)
        return jnp.broadcast_to(curvature, (topology.n_molecules, *curvature.shape))

    def charges(self, topology):
        return jnp.zeros(0)


@pytest.fixture(scope="session")
def springs():
    """Makes free atoms on springs, each a molecule."""
    return lambda k, n_atoms: (Springs(k), union([np.array([1])] * n_atoms))


@pytest.fixture(scope="session")
def water():
    """A water molecule with harmonic stretches and bend: model, topology, positions, masses."""
    positions = AT_WATER
    molecule = Molecule("water", np.array([8, 1, 1]), positions, np.array([[0, 1], [0, 2]]), np.ones(2))
    laid = generate([molecule], (HARMONIC_STRETCH, HARMONIC_BEND))
    values = jnp.where(jnp.arange(len(laid.model.values)) % 2 == 0, 1.5 * laid.model.values, laid.model.values)
    model = eqx.tree_at(lambda m: m.values, laid.model, values)
    return model, laid.topology, positions, np.array([16.0, 1.0, 1.0])
