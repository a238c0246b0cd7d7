"""What is compared at relaxed structures, by hand."""

import numpy as np
import pytest

from forgefield.fitting.data.searches import is_stationary, relaxation
from forgefield.molecules.molecule import Dihedral, Molecule, Reference

SPECIES = np.array([1, 8, 8, 1])
BONDS = np.array([[0, 1], [1, 2], [2, 3]])


def chain(angle):
    """Four atoms in a chain with this angle [°] at the second, a right angle at the third, and a right dihedral."""
    turn = np.radians(angle)
    return np.array([[np.cos(turn), np.sin(turn), 0.0], [0.0, 0.0, 0.0], [1.4, 0.0, 0.0], [1.4, 0.0, 1.0]])


@pytest.mark.parametrize(("angle", "n_torsions"), [(105.0, 1), (168.0, 1), (172.0, 0), (179.5, 0)])
def test_a_torsion_about_a_nearly_straight_bond_is_not_compared(angle, n_torsions):
    molecule, reference = Molecule("chain", SPECIES, chain(angle), BONDS, np.ones(3)), Reference(SPECIES, chain(angle))

    found = relaxation([molecule], [reference], [None], 4)

    assert int(found.torsions.present.sum()) == n_torsions
    np.testing.assert_allclose(np.degrees(np.sort(found.angles.reference[0])), [90.0, angle])
    if n_torsions:
        np.testing.assert_allclose(np.abs(np.degrees(found.torsions.reference[0])), [90.0])


@pytest.mark.parametrize(("force", "stationary"), [(4.9, True), (-5.1, False)])
def test_a_reference_with_forces_beyond_five_is_no_stationary_point(force, stationary):
    gradient = np.zeros((4, 3))
    gradient[2, 1] = force

    assert is_stationary(Reference(SPECIES, chain(105.0), gradient=gradient)) == stationary


def test_held_dihedrals_excuse_forces_and_an_atom_does_not_relax():
    gradient, held = np.full((4, 3), 20.0), Dihedral((0, 1, 2, 3), np.pi / 2.0)

    assert is_stationary(Reference(SPECIES, chain(105.0), gradient=gradient, constraints=(held,)))
    assert is_stationary(Reference(SPECIES, chain(105.0)))
    assert not is_stationary(Reference(SPECIES[:1], np.zeros((1, 3))))
