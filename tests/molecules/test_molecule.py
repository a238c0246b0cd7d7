"""Molecules, elements and batches of them."""

import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.molecules.elements import atomic_number, covalent_radii
from forgefield.molecules.molecule import Molecule, standard_masses, symbol
from forgefield.molecules.topology import union


def test_positions_that_are_no_numbers_are_refused_with_their_atoms():
    positions = np.zeros((3, 3))
    positions[1, 2], positions[2, 0] = np.nan, np.inf

    with pytest.raises(InputError, match=r"water\.xyz: positions of atom\(s\) H2, H3 are not finite numbers"):
        Molecule("water", np.array([8, 1, 1]), positions, source="water.xyz")


def test_a_molecule_without_bonds_has_none():
    molecule = Molecule("helium", np.array([2]), np.zeros((1, 3)))

    assert (molecule.n_atoms, molecule.symbols) == (1, ("He",))
    assert molecule.bonds.shape == (0, 2)
    assert molecule.orders.shape == (0,)


@pytest.mark.parametrize(("text", "number"), [("H", 1), ("cl", 17), ("RH", 45), (" Fe ", 26)])
def test_symbols_are_read_in_any_case(text, number):
    assert atomic_number(text) == number
    assert symbol(number) == text.strip().capitalize()


@pytest.mark.parametrize("text", ["Du", "", "6"])
def test_what_is_no_symbol_is_refused(text):
    with pytest.raises(InputError, match=f"'{text}' is not an element symbol"):
        atomic_number(text)


def test_a_ghost_is_named():
    with pytest.raises(InputError, match="'X' is a ghost or dummy atom"):
        atomic_number("X")


def test_masses_are_those_of_the_most_abundant_isotopes():
    masses = standard_masses(np.array([1, 6, 9, 35, 45]))

    np.testing.assert_allclose(masses, [1.00782503, 12.0, 18.99840316, 78.9183376, 102.905498], rtol=1e-7)


def test_covalent_radii_are_those_of_cordero():
    np.testing.assert_array_equal(covalent_radii(np.array([1, 6, 9, 45])), [0.31, 0.76, 0.57, 1.42])


def test_elements_without_radius_are_listed_once():
    with pytest.raises(InputError, match="no covalent radius of X, Bk, Og: give the bonds in the structure file"):
        covalent_radii(np.array([118, 6, 97, 0, 97]))


def test_a_batch_is_a_disjoint_union():
    topology = union([np.array([8, 1, 1]), np.array([2]), np.array([6, 8])])

    np.testing.assert_array_equal(topology.species, [8, 1, 1, 2, 6, 8])
    np.testing.assert_array_equal(topology.molecule, [0, 0, 0, 1, 2, 2])
    np.testing.assert_array_equal(topology.slot, [0, 1, 2, 0, 0, 1])
    assert (topology.n_atoms, topology.n_molecules, topology.n_max) == (6, 3, 3)
    assert (topology.interactions, topology.charges) == ((), None)
