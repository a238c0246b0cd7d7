"""Relaxation with dihedral angles held at values, several at once."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.models.forcefield import select
from forgefield.properties.constraints import FixedDihedrals
from forgefield.properties.implicit import bond_lengths, response, torsions
from forgefield.properties.relax import Failure, relax

# Most of the time goes into compiling second derivatives of dihedral angles.
pytestmark = pytest.mark.slow

SPECIES = [6, 6, 6, 6, *[1] * 10]
BUTANE = (
    SPECIES,
    [
        *([-1.95, -0.12, 0.0], [-0.56, 0.52, 0.0], [0.56, -0.52, 0.0], [1.95, 0.12, 0.0]),
        *([-2.74, 0.64, 0.0], [-2.08, -0.76, 0.88], [-2.08, -0.76, -0.88]),
        *([-0.45, 1.17, 0.88], [-0.45, 1.17, -0.88], [0.45, -1.17, 0.88], [0.45, -1.17, -0.88]),
        *([2.74, -0.64, 0.0], [2.08, 0.76, 0.88], [2.08, 0.76, -0.88]),
    ],
)
QUADS = np.array([[0, 1, 2, 3], [4, 0, 1, 2], [14, 15, 16, 17]])
"""Two angles of the first butane, one of the second."""
STEP = 1e-3


@pytest.fixture(scope="module")
def butanes(batch_of):
    return batch_of(BUTANE, BUTANE)


@pytest.fixture(scope="module")
def held_at(butanes):
    def run(degrees, values=butanes.model.values):
        model = eqx.tree_at(lambda model: model.values, butanes.model, values)
        fixed = FixedDihedrals(QUADS, jnp.radians(jnp.asarray(degrees)), np.array([0, 1, 0]), n_most=2)
        return relax(model, butanes.topology, butanes.positions, order=np.zeros(2, int), fixed=fixed)

    return run


@pytest.fixture(scope="module")
def relaxed(held_at):
    return held_at([-170.0, 165.0, 150.0])


@eqx.filter_jit
def gradients(model, topology, positions, selection):
    slopes = model.sensitivities(topology, positions, selection).gradient()
    return model.gradient(topology, positions), selection.spread(slopes)


@pytest.fixture(scope="module")
def everything(butanes):
    n = len(butanes.model.values)
    return select(butanes.topology, n, np.arange(n))


def test_dihedral_angles_have_their_values_exactly(relaxed):
    np.testing.assert_array_equal(relaxed.failure, Failure.NONE)
    angles, _ = torsions(relaxed.positions, QUADS)
    np.testing.assert_allclose(angles, np.radians([-170.0, 165.0, 150.0]), rtol=0, atol=1e-9)


def test_only_the_held_angles_are_pulled_at(relaxed, butanes, everything):
    gradient, _ = gradients(butanes.model, butanes.topology, relaxed.positions, everything)
    _, slopes = torsions(relaxed.positions, QUADS)
    pulls = np.zeros((3, *gradient.shape))
    for k, (quad, slope) in enumerate(zip(QUADS, slopes, strict=True)):
        pulls[k, quad] = slope

    forces, *_ = np.linalg.lstsq(pulls.reshape(3, -1).T, np.asarray(gradient).reshape(-1), rcond=None)

    np.testing.assert_allclose(np.tensordot(forces, pulls, 1), gradient, atol=1e-8)
    assert np.abs(forces).max() > 0.1


def test_energy_rises_with_the_force_on_a_held_angle(relaxed, held_at, butanes, everything):
    gradient, _ = gradients(butanes.model, butanes.topology, relaxed.positions, everything)
    _, slopes = torsions(relaxed.positions, QUADS[2:])
    mine = np.asarray(gradient)[QUADS[2]]
    force = float(np.sum(mine * slopes[0]) / np.sum(np.asarray(slopes[0]) ** 2))

    up, down = (held_at([-170.0, 165.0, 150.0 + np.degrees(step)]) for step in (STEP, -STEP))

    rise = (up.landscape.energy[1] - down.landscape.energy[1]) / (2 * STEP)
    # Other terms act on the four atoms as well; at the relaxed geometry they cancel along the angle's own slope.
    np.testing.assert_allclose(rise, force, rtol=1e-5)


def answers(topology, atoms, slopes, change):
    """How internal coordinates change with the parameters, from slopes by their atoms' positions and dx*/dp."""
    molecule, slots = jnp.asarray(topology.molecule)[atoms[:, 0]], jnp.asarray(topology.slot)[atoms]
    moved = change.reshape(*change.shape[:2], -1, 3)[molecule[:, None], :, slots]
    return jnp.einsum("vac,vapc->vp", slopes, moved)


def test_answers_to_parameters_keep_the_held_angles(relaxed, butanes, everything):
    _, by_gradient = gradients(butanes.model, butanes.topology, relaxed.positions, everything)
    _, by_atoms = torsions(relaxed.positions, QUADS)

    moved = answers(butanes.topology, QUADS, by_atoms, response(relaxed, by_gradient))

    np.testing.assert_allclose(moved, 0.0, atol=1e-10)


def test_answers_to_parameters_are_those_of_the_whole_relaxation(relaxed, held_at, butanes, everything):
    values = butanes.model.values
    direction = jnp.asarray(np.random.default_rng(2).normal(size=len(values)) * 0.3) * jnp.maximum(jnp.abs(values), 0.3)
    bonds = butanes.bonds
    _, by_gradient = gradients(butanes.model, butanes.topology, relaxed.positions, everything)
    _, by_atoms = bond_lengths(relaxed.positions, bonds)
    slopes = answers(butanes.topology, bonds, by_atoms, response(relaxed, by_gradient)) @ direction

    def central(step):
        ends = [held_at([-170.0, 165.0, 150.0], values + side * step * direction) for side in (1, -1)]
        up, down = (bond_lengths(end.positions, bonds)[0] for end in ends)
        return (up - down) / (2 * step)

    expected = (4.0 * central(STEP / 2) - central(STEP)) / 3.0
    np.testing.assert_allclose(slopes, expected, rtol=1e-6, atol=1e-6 * float(jnp.abs(expected).max()))
