"""A training set cut into chunks, which must not be seen in anything that is computed."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.assign.generated import generate
from forgefield.fitting.cost.cost import linearise, quadratic
from forgefield.fitting.data import chunks as cutting
from forgefield.fitting.data.training_set import Example, buckets, training_set
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import Molecule, Reference
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.nonbonded import CHARGE_INCREMENT
from forgefield.terms.stretch import HARMONIC_STRETCH


@pytest.fixture(scope="module")
def cut(both, problem_of):
    """The problem of one chunk and the same in chunks of one and two molecules, with spare molecules."""
    whole = problem_of(both)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "ATOMS", 11)
        parts = problem_of(both)
    return whole, parts


@pytest.fixture(scope="module")
def at(cut):
    generator = np.random.default_rng(2)
    return jnp.asarray(0.3 * generator.standard_normal(cut[0].n_free))


def test_chunks_have_one_shape_and_hold_every_molecule_once(cut):
    whole, parts = cut

    assert whole.chunks.molecule.shape == (1, 3)
    assert parts.chunks.molecule.shape == (2, 3)
    np.testing.assert_array_equal(parts.chunks.molecule.ravel()[parts.chunks.place], [0, 1, 2])
    np.testing.assert_array_equal(
        parts.chunks.gathered(parts.chunks.data.eigenvalues), whole.chunks.gathered(whole.chunks.data.eigenvalues)
    )


@pytest.mark.slow
def test_cost_and_its_derivatives_are_those_of_one_chunk(cut, at):
    one, many = (jax.jit(lambda at, p=p: quadratic(p, at))(at) for p in cut)

    np.testing.assert_allclose(many.cost, one.cost, rtol=1e-12)
    np.testing.assert_allclose(many.gradient, one.gradient, atol=1e-11 * np.abs(one.gradient).max())
    np.testing.assert_allclose(many.normal, one.normal, atol=1e-11 * np.abs(one.normal).max())


@pytest.mark.slow
def test_residuals_come_in_the_order_of_the_molecules(cut, at):
    one, many = (jax.jit(lambda at, p=p: linearise(p, at))(at) for p in cut)

    for a, b in zip(one.residuals, many.residuals, strict=True):
        np.testing.assert_allclose(np.asarray(b), np.asarray(a), atol=1e-9)
    for a, b in zip(one.jacobians, many.jacobians, strict=True):
        np.testing.assert_allclose(np.asarray(b), np.asarray(a), atol=1e-9 * np.abs(a).max())


def test_eigenproblems_of_like_sizes_share_a_bucket():
    found = buckets(np.array([9, 18, 17, 100, 90]))

    assert [(bucket.size, bucket.molecules) for bucket in found] == [(100, (3, 4)), (18, (1, 2)), (9, (0,))]


def example(species, positions):
    """A molecule of which only the energy is known."""
    species, positions = np.array(species), np.array(positions, dtype=float)
    molecule = Molecule("made", species, positions, *perceive_bonds(species, positions))
    return Example(molecule, Reference(species, positions, energy=0.0), None)


def test_charges_in_a_chunk_are_those_of_its_own_atoms():
    # Peroxide, the smallest, comes last in its chunk; Coulomb interactions name atoms by their charges as well.
    peroxide = example([1, 8, 8, 1], [[0.9, 0.2, 0.3], [0.7, 0, -0.6], [-0.7, 0, -0.6], [-0.9, -0.2, 0.3]])
    methanol = [[0, 0, 0], [1.43, 0, 0], [-0.36, 1.03, 0], [-0.36, -0.5, 0.9], [-0.36, -0.5, -0.9], [1.75, 0.9, 0]]
    examples = [peroxide, example([6, 8, 1, 1, 1, 1], methanol), example([6, 8, 1, 1, 1, 1], methanol)]
    laid = generate([e.molecule for e in examples], (HARMONIC_STRETCH, HARMONIC_BEND), charging=CHARGE_INCREMENT)
    n_values = len(laid.model.values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cutting, "ATOMS", 8)
        found = cutting.chunks(training_set(laid.topology, examples), n_values, np.arange(2))

    coulomb = found.data.topology.interactions[-1]
    np.testing.assert_array_equal(found.molecule, [[1, 0, 3], [2, 3, 3]])
    for n_atoms, atoms, parameters in zip((10, 6), coulomb.atoms, coulomb.parameters, strict=True):
        real = (np.asarray(atoms) < n_atoms).all(axis=1)
        assert real.any()
        np.testing.assert_array_equal(parameters[real, :2] - n_values, atoms[real])
