"""Whole molecules with straight angles: energy, gradient and Hessian exist there."""

import equinox as eqx
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.assign.generated import generate
from forgefield.models.forcefield import ForceField, select
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import Molecule
from forgefield.properties.derivatives import energies, gradient, hessians
from forgefield.terms.bend import HARMONIC_BEND, MM3_BEND
from forgefield.terms.stretch import MM3_STRETCH
from forgefield.terms.torsion import TORSION3

# Most of the time goes into compiling whole force fields.
pytestmark = pytest.mark.slow


def hydrogens(height, radius, n, start=0.0):
    turns = start + 2 * np.pi * np.arange(n) / n
    return [[radius * np.cos(turn), radius * np.sin(turn), height] for turn in turns]


ACETONITRILE = [7, 6, 6, 1, 1, 1], [[0, 0, 2.62], [0, 0, 1.46], [0, 0, 0], *hydrogens(-0.37, 1.03, 3)]
ALLENE = (
    [6, 6, 6, 1, 1, 1, 1],
    [[0, 0, 0], [0, 0, 1.31], [0, 0, -1.31], *hydrogens(1.87, 0.93, 2), *hydrogens(-1.87, 0.93, 2, np.pi / 2)],
)


MIDDLE = 1, 0
"""The atom of each at its straight angle."""
BENDS = pytest.mark.parametrize("bend", [HARMONIC_BEND, MM3_BEND], ids=lambda term: term.name)


def molecules(aside=0.0):
    """Both, with the atom at the straight angle moved aside [Å]."""
    found = []
    for (species, positions), middle in zip((ACETONITRILE, ALLENE), MIDDLE, strict=True):
        moved = np.array(positions, dtype=float)
        moved[middle, 0] += aside
        atoms = np.array(species), moved
        found.append(Molecule("straight", *atoms, *perceive_bonds(*atoms)))
    return found


@pytest.fixture(scope="module", params=[HARMONIC_BEND, MM3_BEND], ids=lambda term: term.name)
def straight(request):
    """Both molecules in one batch, with torsions across their straight angles, as bent ones have them."""
    made = generate(molecules(aside=0.35), (MM3_STRETCH, request.param, TORSION3))
    values = jnp.where(made.model.values == 0.0, 1.5, made.model.values)
    theta0 = made.topology.interactions[1].parameters[:, 1]
    values = values.at[theta0].set(jnp.where(values[theta0] > np.radians(145.0), np.pi, values[theta0]))
    positions = jnp.concatenate([jnp.asarray(molecule.positions) for molecule in molecules()])
    assert len(made.topology.interactions[2].atoms) == 3 + 4
    return ForceField(made.model.terms, values), made.topology, positions


@BENDS
def test_straight_angles_have_a_reference_of_180_degrees_and_no_torsions_across(bend):
    made = generate(molecules(), (MM3_STRETCH, bend, TORSION3))
    _, theta0 = np.asarray(made.model.values)[made.topology.interactions[1].parameters].T

    assert (theta0 == np.pi).sum() == 2
    # Those of allene alone, about its chain: of its ends' hydrogens, and not of the atom between.
    torsions = made.topology.interactions[made.model.terms.index(TORSION3)].atoms
    middle = [MIDDLE[0], len(ACETONITRILE[0]) + MIDDLE[1]]
    assert len(torsions) == 4
    assert not np.isin(torsions, middle).any()


def test_energy_gradient_and_hessian_are_finite(straight):
    for observable in (energies, gradient, hessians):
        assert np.isfinite(observable(*straight)).all()


def test_hessian_is_the_limit_of_central_differences_of_the_gradient(straight):
    model, topology, positions = straight
    # So small since MM3's cubic term leaves an error linear in the step at a straight angle.
    step = 1e-6
    found = np.asarray(hessians(model, topology, positions))

    for a, (m, slot) in enumerate(zip(topology.molecule, topology.slot, strict=True)):
        own = topology.molecule == m
        for axis in range(3):
            shift = jnp.zeros_like(positions).at[a, axis].set(step)
            rise = gradient(model, topology, positions + shift) - gradient(model, topology, positions - shift)
            column = np.asarray(rise)[own].reshape(-1) / (2 * step)
            np.testing.assert_allclose(
                found[m, : len(column), 3 * slot + axis], column, rtol=0, atol=1e-6 * found.max()
            )


@pytest.mark.parametrize("bend", [1e-9, 1e-6, 1e-3])
def test_the_hessian_goes_smoothly_to_the_straight_one(straight, bend):
    model, topology, positions = straight
    shift = bend * jnp.sin(jnp.arange(float(positions.size))).reshape(positions.shape)

    apart = hessians(model, topology, positions + shift) - hessians(model, topology, positions)

    assert float(jnp.abs(apart).max()) < 2e4 * bend + 1e-9


def test_sensitivities_of_the_hessian_are_finite(straight):
    model, topology, positions = straight
    selection = select(topology, len(model.values), np.arange(len(model.values)))

    n = 3 * topology.n_max
    identity = jnp.broadcast_to(jnp.eye(n), (topology.n_molecules, n, n))

    def dense(model):
        return model.sensitivities(topology, positions, selection).each_hessian(identity, lambda hessian: hessian)

    slopes = eqx.filter_jit(dense)(model)

    assert np.isfinite(slopes).all()
