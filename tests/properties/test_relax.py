"""All molecules of a batch relax at once, each to its own kind of stationary point."""

import jax.numpy as jnp
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from forgefield.properties.derivatives import energies, gradient, hessians
from forgefield.properties.implicit import bond_angles, bond_lengths, torsions
from forgefield.properties.relax import Failure, Limits, relax

WATER, LINEAR, MINIMUM, SADDLE = range(4)
ORDER = np.array([0, 0, 0, 1])


@pytest.fixture(scope="module")
def go(batch):
    """Relaxes the batch from some positions, held against the same reference."""

    def run(positions, reference=batch.positions):
        limits = Limits(reference, batch.bonds)
        return relax(batch.model, batch.topology, jnp.asarray(positions), order=ORDER, limits=limits)

    return run


@pytest.fixture(scope="module")
def relaxed(go, batch):
    return go(batch.positions)


@pytest.fixture(scope="module")
def broken(go, batch):
    """The same with water torn apart."""
    return go(batch.positions.at[2].add(jnp.array([0.0, -3.0, 0.0])))


def hcch(batch, m):
    """Dihedral angles H-C-C-H of an ethane that are the smallest in size."""
    start = int(np.flatnonzero(batch.topology.molecule == m)[0])
    return np.array([[2, 0, 1, k] for k in (5, 6, 7)]) + start


@pytest.mark.slow
def test_each_reaches_a_stationary_point_of_its_order(relaxed):
    np.testing.assert_array_equal(relaxed.failure, Failure.NONE)
    np.testing.assert_array_equal(relaxed.n_negative, ORDER)
    assert float(relaxed.gradient_max.max()) < 1e-9
    assert int(relaxed.n_iterations.max()) <= 50


@pytest.mark.slow
def test_energies_gradients_and_curvatures_are_those_of_the_relaxed_positions(relaxed, batch):
    here = batch.model, batch.topology, relaxed.positions
    hessian = np.asarray(hessians(*here))

    assert np.abs(gradient(*here)).max() < 1e-9
    np.testing.assert_allclose(relaxed.landscape.energy, energies(*here), atol=1e-12)
    for m, n_rigid in enumerate((6, 5, 6, 6)):
        n = 3 * batch.molecules[m].n_atoms
        expected = np.linalg.eigvalsh(hessian[m, :n, :n])
        vibrations = np.delete(expected, np.argsort(np.abs(expected))[:n_rigid])
        np.testing.assert_allclose(relaxed.landscape.curvatures[m, : n - n_rigid], vibrations, rtol=1e-8)
        np.testing.assert_allclose(relaxed.landscape.n_free[m], n - n_rigid)


@pytest.mark.slow
def test_ethane_is_staggered_at_the_minimum_and_eclipsed_at_the_saddle(relaxed, batch):
    staggered, _ = torsions(relaxed.positions, hcch(batch, MINIMUM))
    eclipsed, _ = torsions(relaxed.positions, hcch(batch, SADDLE))

    np.testing.assert_allclose(np.sort(np.degrees(np.abs(staggered))), [60, 60, 180], atol=1e-6)
    np.testing.assert_allclose(np.sort(np.degrees(np.abs(eclipsed))), [0, 120, 120], atol=1e-6)


@pytest.mark.slow
def test_molecules_without_coupled_terms_go_to_their_reference_values(relaxed, batch):
    for group, measured in zip(batch.topology.interactions[:2], (bond_lengths, bond_angles), strict=True):
        own = np.asarray(batch.topology.molecule)[group.atoms[:, 0]] <= LINEAR
        values, _ = measured(relaxed.positions, group.atoms[own])

        expected = np.asarray(batch.model.values)[group.parameters[own, 1]]
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-7)


def test_result_turns_with_the_molecules(go, relaxed, batch):
    turn = Rotation.from_rotvec([0.4, -1.1, 0.7]).as_matrix().T

    turned = go(np.asarray(batch.positions) @ turn + 3.0)

    np.testing.assert_allclose(turned.positions, np.asarray(relaxed.positions) @ turn + 3.0, atol=1e-8)
    np.testing.assert_allclose(turned.rmsd, relaxed.rmsd, atol=1e-8)


def test_relaxed_molecules_neither_shift_nor_turn(relaxed, batch):
    moved = np.asarray(relaxed.positions - batch.positions)

    for m in range(4):
        np.testing.assert_allclose(batch.of_molecule(moved, m).sum(axis=0), 0.0, atol=1e-10)


def test_relaxed_positions_stay_where_they_are(go, relaxed):
    again = go(relaxed.positions)

    np.testing.assert_allclose(again.positions, relaxed.positions, atol=1e-9)
    assert again.converged.all()


def test_a_broken_bond_is_named_and_changes_no_other_molecule(broken, relaxed, batch):
    assert Failure(int(broken.failure[WATER])) == Failure.BOND_BROKEN
    assert "bond broke" in Failure.BOND_BROKEN.sentence
    np.testing.assert_array_equal(broken.converged, [False, True, True, True])
    for m in (LINEAR, MINIMUM, SADDLE):
        np.testing.assert_allclose(
            batch.of_molecule(broken.positions, m), batch.of_molecule(relaxed.positions, m), rtol=0, atol=1e-12
        )


def test_positions_that_are_no_numbers_are_named_and_change_no_other_molecule(go, relaxed, batch):
    found = go(batch.positions.at[0, 0].set(jnp.nan))

    assert [Failure(int(f)) for f in found.failure] == [Failure.NOT_FINITE, *[Failure.NONE] * 3]
    rest = np.asarray(batch.topology.molecule) > 0
    np.testing.assert_allclose(found.positions[rest], relaxed.positions[rest], rtol=0, atol=1e-12)


def test_a_structure_far_from_its_reference_is_named(go, batch):
    far = batch.positions.at[3:6].multiply(jnp.array([[9.0], [-9.0], [9.0]]))

    found = go(batch.positions, far)

    assert Failure(int(found.failure[LINEAR])) == Failure.MOVED_TOO_FAR
    assert float(found.rmsd[LINEAR]) > Limits().rmsd


def test_a_rotation_that_is_almost_free_is_followed_along_its_curved_valley(almost_free):
    """Straight steps along it stretch bonds: it took 70 of them, and takes 12 that are led back to the floor."""
    one, limits = almost_free, Limits(almost_free.positions, almost_free.bonds, max_iterations=40)

    found = relax(one.model, one.topology, one.positions, order=np.array([0]), limits=limits)

    assert found.failure[0] == Failure.NONE
    turned, _ = torsions(found.positions, hcch(almost_free, 0))
    np.testing.assert_allclose(np.sort(np.degrees(np.abs(turned))), [60, 60, 180], atol=1e-6)


@pytest.mark.slow
def test_molecules_without_steps_left_are_named(batch):
    limits = Limits(max_iterations=1)

    found = relax(batch.model, batch.topology, batch.positions, order=ORDER, limits=limits)

    np.testing.assert_array_equal(found.failure, Failure.NOT_CONVERGED)


def test_every_failure_has_a_sentence_of_its_own():
    sentences = [failure.sentence for failure in Failure]

    assert len(set(sentences)) == len(Failure)
    assert [bool(sentence) for sentence in sentences] == [failure != Failure.NONE for failure in Failure]
