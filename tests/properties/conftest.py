"""Small molecules with force fields under which they have minima and saddles."""

from dataclasses import dataclass

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.assign.generated import generate
from forgefield.models.forcefield import ForceField
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.topology import Topology
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.stretch import MM3_STRETCH
from forgefield.terms.torsion import TORSION3

WATER = [8, 1, 1], [[0, 0.03, 0.12], [0, 0.76, -0.47], [0.05, -0.76, -0.45]]
HYDROGEN_CYANIDE = [6, 7, 1], [[0, 0, 0], [0, 0, 1.15], [0, 0, -1.07]]
PEROXIDE = [8, 8, 1, 1], [[0, 0.72, 0], [0, -0.72, 0], [0.53, 0.89, 0.77], [-0.53, -0.89, 0.77]]
BARRIER = 2.8
"""kcal/mol per torsion about the bond of ethane, so that staggered is lowest."""


def ethane(twist: float):
    """Ethane with one methyl group turned by `twist` degrees from staggered."""
    turns = np.radians([0.0, 120.0, 240.0])
    one = [[1.02 * np.cos(t), 1.02 * np.sin(t), 1.16] for t in turns]
    other = [[1.02 * np.cos(t), 1.02 * np.sin(t), -1.16] for t in turns + np.pi + np.radians(twist)]
    return [6, 6, *[1] * 6], [[0.01, 0, 0.76], [0, 0.02, -0.77], *one, *other]


@dataclass(frozen=True, eq=False)
class Batch:
    """Molecules, the force field and where they start."""

    molecules: list[Molecule]
    model: ForceField
    topology: Topology
    positions: jax.Array

    @property
    def bonds(self):
        starts = np.cumsum([0, *(m.n_atoms for m in self.molecules)])[:-1]
        return np.concatenate([m.bonds + start for m, start in zip(self.molecules, starts, strict=True)])

    def of_molecule(self, values, m):
        return np.asarray(values)[np.asarray(self.topology.molecule) == m]


@pytest.fixture(scope="session")
def batch_of():
    """A batch with a force field whose values are not those of the geometries, torsions included."""

    def made(*structures, barrier=BARRIER):
        molecules = []
        for species, positions in structures:
            atoms = np.array(species), np.array(positions, dtype=float)
            molecules.append(Molecule(f"molecule {len(molecules) + 1}", *atoms, *perceive_bonds(*atoms)))
        assignment = generate(molecules, (MM3_STRETCH, HARMONIC_BEND, TORSION3))
        values = np.array(assignment.model.values)
        for row in assignment.rows:
            places = list(row.indices)
            if row.term is TORSION3:
                values[places] = 0.02, -0.03, barrier / 9
            elif values[places[1]] != np.pi:
                values[places] *= 1.1, 0.98
        model = eqx.tree_at(lambda m: m.values, assignment.model, jnp.asarray(values))
        positions = np.concatenate([m.positions for m in molecules])
        positions += 0.02 * np.random.default_rng(1).normal(size=positions.shape)
        return Batch(molecules, model, assignment.topology, jnp.asarray(positions))

    return made


@pytest.fixture(scope="session")
def asymmetric(batch_of):
    """Water, hydrogen cyanide (linear), hydrogen peroxide, whose torsion is bound by no symmetry, ethane's saddle."""
    return batch_of(WATER, HYDROGEN_CYANIDE, PEROXIDE, ethane(52.0))


@pytest.fixture(scope="session")
def batch(batch_of):
    """Water, hydrogen cyanide (linear), ethane near its minimum and near its saddle."""
    return batch_of(WATER, HYDROGEN_CYANIDE, ethane(12.0), ethane(52.0))


@pytest.fixture
def almost_free(batch_of):
    """Ethane half-way to eclipsed, with hardly a barrier."""
    return batch_of(ethane(50.0), barrier=1e-3)
