"""Structures made of one: the ensembles have the widths that they should, and turns keep bonds."""

from pathlib import Path

import numpy as np
import pytest

from forgefield import units
from forgefield.distil.sampling import along_modes, clashes, distorted, farthest, snapshots, stretched, turned
from forgefield.io.molecules import read_structures
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import Molecule
from samples import WATER

EXAMPLES = Path(__file__).parents[2] / "examples" / "molecules"


def bonded(name: str) -> Molecule:
    (found,) = read_structures(EXAMPLES / f"{name}.json")
    bonds, orders = perceive_bonds(found.species, found.positions)
    return Molecule(name, found.species, found.positions, bonds, orders)


def lengths(molecule: Molecule, positions: np.ndarray) -> np.ndarray:
    return np.linalg.norm(positions[molecule.bonds[:, 0]] - positions[molecule.bonds[:, 1]], axis=1)


def test_modes_have_half_of_kt_each():
    stiffness = 500.0
    along = WATER.positions[1] - WATER.positions[0]
    along /= np.linalg.norm(along)
    direction = np.zeros((3, 3))
    direction[0], direction[1] = -along, along
    hessian = stiffness * np.outer(direction, direction)

    found = along_modes(WATER, hessian, 20_000, 300.0, np.random.default_rng(0))

    # The others of the three modes are as soft as is allowed, and do not count in this energy.
    length, usual = (np.linalg.norm(x[..., 0, :] - x[..., 1, :], axis=-1) for x in (found, WATER.positions))
    energy = 0.5 * stiffness * (length - usual) ** 2
    assert abs(np.mean(energy) / (0.5 * units.BOLTZMANN * 300.0) - 1.0) < 0.05


def test_modes_that_turn_groups_do_not_stretch_their_bonds():
    molecule = bonded("toluene")
    i, j = molecule.bonds.T
    along = molecule.positions[i] - molecule.positions[j]
    along /= np.linalg.norm(along, axis=1)[:, None]
    rows = np.zeros((len(i), *molecule.positions.shape))
    rows[np.arange(len(i)), i], rows[np.arange(len(i)), j] = along, -along
    rows = rows.reshape(len(i), -1)

    # Bonds are stiff, and all else turns and bends by some 40 degrees.
    found = along_modes(molecule, 700.0 * rows.T @ rows, 300, 500.0, np.random.default_rng(0))

    moved = np.linalg.norm(found - molecule.positions, axis=2).max(axis=1)
    changed = np.stack([lengths(molecule, x) for x in found]) - lengths(molecule, molecule.positions)
    assert np.median(moved) > 0.5
    # Each bond of a tree would have kT/k; those of the ring have less.
    assert 0.5 < np.mean(changed**2) / (units.BOLTZMANN * 500.0 / 700.0) < 1.1
    assert np.abs(changed).max() < 0.2


def test_dynamics_have_the_temperature_of_the_thermostat():
    stiffness = 300.0

    def gradient(positions: np.ndarray) -> np.ndarray:
        return stiffness * (positions - WATER.positions)

    found = snapshots(WATER, gradient, 4000, 400.0, 10, np.random.default_rng(1))

    energy = 0.5 * stiffness * np.mean((found - WATER.positions) ** 2)
    assert abs(energy / (0.5 * units.BOLTZMANN * 400.0) - 1.0) < 0.1


def test_dynamics_end_where_forces_do():
    def gradient(positions: np.ndarray) -> np.ndarray:
        moved = np.abs(positions - WATER.positions).max()
        return np.full_like(positions, np.nan) if moved > 0.3 else np.zeros_like(positions)

    found = snapshots(WATER, gradient, 100, 5000.0, 1, np.random.default_rng(2))

    assert 0 < len(found) < 100
    assert np.isfinite(found).all()


def test_turns_keep_all_bonds_and_do_not_clash():
    ethanol = bonded("ethanol")

    found = turned(ethanol, 6)

    # Two bonds turn: that of the methyl group and that of the hydroxyl group, by five angles each.
    assert len(found) == 10
    for positions in found:
        np.testing.assert_allclose(lengths(ethanol, positions), lengths(ethanol, ethanol.positions), atol=1e-9)
        assert not clashes(ethanol, positions)


def test_turns_bring_no_atoms_as_close_as_if_they_were_bonded():
    aspirin = bonded("aspirin")

    found = turned(aspirin, 12)

    # Groups side by side on the ring do not pass each other: 55 angles, of which some are left.
    assert 0 < len(found) < 55
    for positions in found:
        bonds, _ = perceive_bonds(aspirin.species, positions)
        assert sorted(map(sorted, bonds.tolist())) == sorted(map(sorted, aspirin.bonds.tolist()))


@pytest.mark.parametrize("name", ["butadiene", "benzene"])
def test_neither_double_bonds_nor_rings_turn(name):
    molecule = bonded(name)

    found = turned(molecule, 4)

    # Of butadiene the bond in the middle.
    assert len(found) == (3 if name == "butadiene" else 0)


def test_each_bond_goes_from_short_to_long():
    found = stretched(WATER, 5, 0.8, 1.2)

    here = lengths(WATER, WATER.positions)
    ratios = np.array([lengths(WATER, positions) / here for positions in found])
    np.testing.assert_allclose(ratios[:5, 0], [0.8, 0.9, 1.0, 1.1, 1.2])
    np.testing.assert_allclose(ratios[5:, 1], [0.8, 0.9, 1.0, 1.1, 1.2])
    np.testing.assert_allclose(ratios[:5, 1], 1.0)


def test_a_bond_of_a_ring_is_stretched_by_its_own_atoms():
    ring = bonded("cyclopropane")

    found = stretched(ring, 2, 0.9, 1.1)

    ratio = np.array([lengths(ring, positions) / lengths(ring, ring.positions) for positions in found])
    np.testing.assert_allclose(ratio.min(axis=1)[0], 0.9, atol=1e-6)


def test_distortions_have_their_width():
    found = distorted(WATER, 5000, 0.1, np.random.default_rng(3))

    assert abs(np.std(found - WATER.positions) / 0.1 - 1.0) < 0.02


def test_the_farthest_points_are_apart():
    features = np.array([[0.0], [0.1], [5.0], [5.1], [9.0]])

    assert farthest(features, 3).tolist() == [0, 4, 2]
    assert sorted(farthest(features, 9).tolist()) == [0, 1, 2, 3, 4]
