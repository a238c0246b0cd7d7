"""Angles, torsions, centres and separations counted by hand."""

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import shortest_path

from forgefield.molecules.paths import (
    angle_pairs,
    angles,
    bond_separations,
    neighbours,
    passages,
    planar_centres,
    torsions,
    torsions_across,
)

ETHANE = 8, np.array([[0, 1], [0, 2], [0, 3], [0, 4], [1, 5], [1, 6], [1, 7]])
"""Atoms 0 and 1 are the carbons."""
TRIANGLE = 3, np.array([[0, 1], [1, 2], [0, 2]])
SQUARE = 4, np.array([[0, 1], [1, 2], [2, 3], [0, 3]])
STAR = 4, np.array([[0, 1], [0, 2], [0, 3]])
ATOM = 1, np.zeros((0, 2), dtype=np.int64)


def chains(found):
    """Chains without their direction."""
    return {min(tuple(map(int, chain)), tuple(map(int, chain[::-1]))) for chain in found}


@pytest.mark.parametrize(
    ("molecule", "n_angles", "n_torsions", "n_centres", "n_angle_pairs"),
    [(ETHANE, 12, 9, 0, 30), (TRIANGLE, 3, 0, 0, 0), (SQUARE, 4, 4, 0, 0), (STAR, 3, 0, 1, 3), (ATOM, 0, 0, 0, 0)],
    ids=["ethane", "triangle", "square", "star", "atom"],
)
def test_numbers_of_paths(molecule, n_angles, n_torsions, n_centres, n_angle_pairs):
    assert angles(*molecule).shape == (n_angles, 3)
    assert torsions(*molecule).shape == (n_torsions, 4)
    assert planar_centres(*molecule).shape == (n_centres, 4)
    assert angle_pairs(*molecule).shape == (n_angle_pairs, 5)


def test_neighbours_keep_the_order_of_the_bonds():
    assert neighbours(4, np.array([[2, 0], [0, 3], [1, 0]])) == [[2, 3, 1], [0], [0], [0]]


def test_angles_and_torsions_of_a_square_go_round_it_once():
    assert chains(angles(*SQUARE)) == {(0, 1, 2), (1, 2, 3), (0, 3, 2), (1, 0, 3)}
    assert chains(torsions(*SQUARE)) == {(0, 1, 2, 3), (0, 3, 2, 1), (1, 0, 3, 2), (2, 1, 0, 3)}


def test_torsions_of_ethane_are_those_of_hydrogens_across_the_bond():
    assert chains(torsions(*ETHANE)) == {(i, 0, 1, k) for i in (2, 3, 4) for k in (5, 6, 7)}


BUTATRIENE = 8, np.array([[0, 1], [1, 2], [2, 3], [0, 4], [0, 5], [3, 6], [3, 7]])
"""Atoms 0 to 3 are the carbons."""
RING = 6, np.array([[k, (k + 1) % 6] for k in range(6)])


def test_passages_are_the_atoms_with_two_neighbours_between_ends_in_either_order():
    # The middle ones join each end to the one before the other.
    assert passages(*BUTATRIENE) == {
        (0, 3): (1, 2),
        (3, 0): (2, 1),
        (0, 2): (1,),
        (2, 0): (1,),
        (1, 3): (2,),
        (3, 1): (2,),
    }
    assert passages(*ETHANE) == {}


@pytest.mark.parametrize("molecule", [TRIANGLE, SQUARE, RING], ids=["triangle", "square", "ring"])
def test_passages_in_a_ring_are_the_short_ways_between_atoms_that_are_not_bonded(molecule):
    n = molecule[0]

    found = passages(*molecule)

    assert found.keys() == {(i, j) for i in range(n) for j in range(n) if min((i - j) % n, (j - i) % n) > 1}
    assert all(len(way) == min((i - j) % n, (j - i) % n) - 1 for (i, j), way in found.items())


def test_torsions_across_a_chain_are_those_of_its_ends():
    ends = {(i, 0, 3, k) for i in (4, 5) for k in (6, 7)}

    # The other two passages have the next atom of the chain at one end.
    near = {(i, 0, 2, 3) for i in (4, 5)} | {(0, 1, 3, k) for k in (6, 7)}
    assert chains(torsions_across(*BUTATRIENE)) == chains(ends | near)


def test_a_centre_has_its_second_place():
    np.testing.assert_array_equal(planar_centres(*STAR), [[1, 0, 2, 3]])


def test_pairs_of_angles_are_given_by_centre_and_ends():
    found = {tuple(map(int, pair)) for pair in angle_pairs(*STAR)}

    assert found == {(0, 1, 2, 1, 3), (0, 1, 2, 2, 3), (0, 1, 3, 2, 3)}


def test_separations_count_bonds_up_to_the_limit():
    line = np.array([[0, 1], [1, 2], [2, 3], [3, 4], [4, 5]])

    np.testing.assert_array_equal(bond_separations(6, line)[0], [0, 1, 2, 3, 4, 4])
    np.testing.assert_array_equal(bond_separations(6, line, limit=3)[0], [0, 1, 2, 3, 3, 3])


def test_separations_take_the_short_way_round_a_ring():
    ring = np.array([[k, (k + 1) % 6] for k in range(6)])

    np.testing.assert_array_equal(bond_separations(6, ring)[0], [0, 1, 2, 3, 2, 1])
    np.testing.assert_array_equal(bond_separations(6, ring), bond_separations(6, ring).T)


def test_unconnected_atoms_are_as_far_as_the_limit():
    np.testing.assert_array_equal(bond_separations(2, ATOM[1]), [[0, 4], [4, 0]])


def test_separations_are_the_shortest_ways_along_bonds(generator):
    n = 40
    bonds = generator.integers(0, n, (50, 2))
    bonds = bonds[bonds[:, 0] != bonds[:, 1]]
    ways = shortest_path(
        coo_array((np.ones(len(bonds)), tuple(bonds.T)), shape=(n, n)), directed=False, unweighted=True
    )

    found = bond_separations(n, bonds, limit=5)

    np.testing.assert_array_equal(found, np.minimum(ways, 5))
