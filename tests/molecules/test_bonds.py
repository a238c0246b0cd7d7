"""Bonds from distances, by hand-made geometries."""

import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.molecules.bonds import (
    PARTIAL_ORDER,
    bond_graph,
    perceive_bonds,
    perceive_transition_state_bonds,
    pieces,
)

WATER = np.array([[0.0, 0.0, 0.0], [0.96, 0.0, 0.0], [-0.24, 0.93, 0.0]])
TETRAHEDRON = np.array([[1.0, 1.0, 1.0], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0], [-1.0, -1.0, 1.0]]) / 3**0.5


def test_water_has_two_bonds_and_none_between_its_hydrogens():
    bonds, orders = perceive_bonds(np.array([8, 1, 1]), WATER)

    np.testing.assert_array_equal(bonds, [[0, 1], [0, 2]])
    np.testing.assert_array_equal(orders, [1.0, 1.0])


def test_ethane_has_seven_bonds():
    second = np.array([1.53, 0.0, 0.0])
    rotation = np.array([[1.0, 1.0, 1.0], [1.0, -1.0, 0.0], [1.0, 1.0, -2.0]])
    rotation /= np.linalg.norm(rotation, axis=1)[:, None]
    tripod = -1.09 * TETRAHEDRON[1:] @ rotation.T
    tripod[:, 0] = -np.abs(tripod[:, 0])
    positions = np.concatenate([np.zeros((1, 3)), second[None], tripod, second - tripod])

    bonds, _ = perceive_bonds(np.array([6, 6] + [1] * 6), positions)

    np.testing.assert_array_equal(bonds, [[0, 1], [0, 2], [0, 3], [0, 4], [1, 5], [1, 6], [1, 7]])


@pytest.mark.parametrize(("share", "n_bonds"), [(1.249, 1), (1.251, 0)])
def test_a_bond_ends_at_the_tolerance(share, n_bonds):
    radii_of_two_carbons = 2 * 0.76
    positions = np.array([[0.0, 0.0, 0.0], [share * radii_of_two_carbons, 0.0, 0.0]])

    bonds, _ = perceive_bonds(np.array([6, 6]), positions)

    assert len(bonds) == n_bonds


@pytest.mark.parametrize("perceive", [perceive_bonds, perceive_transition_state_bonds])
@pytest.mark.parametrize(
    ("species", "wanted"),
    [
        ([6, 8, 8, 1, 11], [[0, 1], [0, 2], [0, 3], [1, 4], [2, 4]]),
        ([7, 8, 8, 8, 12], [[0, 1], [0, 2], [0, 3], [1, 4], [2, 4]]),
        ([6, 8, 8, 1, 30], [[0, 1], [0, 2], [0, 3], [0, 4], [1, 4], [2, 4]]),
        ([6, 6, 6, 1, 11], [[0, 1], [0, 2], [0, 3], [0, 4], [1, 4], [2, 4]]),
    ],
    ids=["formate", "nitrate", "zinc", "allyl"],
)
def test_ions_of_metals_are_bonded_to_the_negative_atoms_and_not_to_what_bears_them(perceive, species, wanted):
    positions = np.array([[0, 0, 0], [1.1, 0.6, 0], [-1.1, 0.6, 0], [0, -1.15, 0], [0, 2.3, 0]])

    bonds, _ = perceive(np.array(species), positions)

    np.testing.assert_array_equal(bonds, wanted)


def saddle():
    """F…CH3…F: planar CH3 with a fluorine at 1.83 Å on either side."""
    turns = np.arange(3) * 2 * np.pi / 3
    hydrogens = 1.08 * np.stack([np.cos(turns), np.sin(turns), np.zeros(3)], axis=1)
    fluorines = np.array([[0.0, 0.0, 1.83], [0.0, 0.0, -1.83]])
    return np.array([6, 9, 9, 1, 1, 1]), np.concatenate([np.zeros((1, 3)), fluorines, hydrogens])


def test_a_saddle_of_substitution_has_two_partial_bonds_and_none_from_hydrogen_to_fluorine():
    bonds, orders = perceive_transition_state_bonds(*saddle())

    np.testing.assert_array_equal(bonds, [[0, 1], [0, 2], [0, 3], [0, 4], [0, 5]])
    np.testing.assert_array_equal(orders, [PARTIAL_ORDER, PARTIAL_ORDER, 1.0, 1.0, 1.0])


def test_the_computed_saddle_of_substitution_has_the_same_bonds(data):
    lines = [line.split() for line in (data / "sn2/sn2-ts-optimized.xyz").read_text().splitlines()[2:]]
    species = np.array([{"C": 6, "F": 9, "H": 1}[words[0]] for words in lines if words])
    positions = np.array([[float(word) for word in words[1:4]] for words in lines if words])

    bonds, orders = perceive_transition_state_bonds(species, positions)

    kinds = sorted((*sorted(species[pair]), order) for pair, order in zip(bonds, orders, strict=True))
    assert kinds == [(1, 6, 1.0)] * 3 + [(6, 9, PARTIAL_ORDER)] * 2


@pytest.mark.parametrize(("degrees", "n_partial"), [(75.0, 1), (84.0, 1), (86.0, 0)])
def test_what_moves_to_its_neighbour_is_partially_bonded_to_both(degrees, n_partial):
    # From hydrogen cyanide to isocyanide: 1.15 Å from carbon, 1.31 and more from nitrogen.
    moving = 1.15 * np.array([[np.cos(np.radians(degrees)), np.sin(np.radians(degrees)), 0.0]])
    positions = np.concatenate([np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]), moving])

    bonds, orders = perceive_transition_state_bonds(np.array([6, 7, 1]), positions)

    np.testing.assert_array_equal(bonds[orders == 1.0], [[0, 1], [0, 2]])
    assert bonds[orders == PARTIAL_ORDER].tolist() == [[1, 2]] * n_partial


def test_no_partial_bond_runs_across_a_ring_of_four():
    corners = 1.1 * np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, -1.0, 0.0]])

    _, orders = perceive_transition_state_bonds(np.full(4, 6), corners)

    np.testing.assert_array_equal(orders, [1.0] * 4)


@pytest.mark.parametrize(
    ("acceptor", "share", "n_partial"),
    [("O", 1.59, 1), ("O", 1.61, 0), ("Cl", 1.59, 1), ("C", 1.55, 0)],
)
@pytest.mark.parametrize("perceive", [perceive_bonds, perceive_transition_state_bonds])
def test_hydrogen_on_its_way_to_an_acceptor_is_partially_bonded(perceive, acceptor, share, n_partial):
    # A ring of five, N-C-C-X…H, with the hydrogen on nitrogen.
    radius = {"O": 0.66, "Cl": 1.02, "C": 0.76}[acceptor]
    number = {"O": 8, "Cl": 17, "C": 6}[acceptor]
    hydrogen = np.array([1.0, 0.0, 0.0])
    other = hydrogen + share * (0.31 + radius) * np.array([np.cos(0.7), np.sin(0.7), 0.0])
    carbons = np.stack([np.array([-0.3, 1.4, 0.0]), other + np.array([-1.2, 0.5, 0.0])])
    positions = np.vstack([np.zeros(3), hydrogen, other, carbons])

    bonds, orders = perceive(np.array([7, 1, number, 6, 6]), positions)

    assert bonds[orders == PARTIAL_ORDER].tolist().count([1, 2]) == n_partial
    assert [3, 4] in bonds.tolist()


def test_hydrogen_between_two_molecules_belongs_to_its_own():
    positions = np.vstack([WATER, WATER + np.array([0.96 + 1.5, 0.0, 0.0])])

    bonds, orders = perceive_bonds(np.array([8, 1, 1] * 2), positions)

    np.testing.assert_array_equal(bonds, [[0, 1], [0, 2], [3, 4], [3, 5]])
    assert (orders == 1.0).all()


@pytest.mark.parametrize(("share", "n_partial"), [(1.74, 2), (1.76, 0)])
def test_pieces_of_a_saddle_are_joined_where_they_are_nearest(share, n_partial):
    # Two molecules of two carbons, side by side, askew by less than a tenth.
    apart = share * 2 * 0.76
    positions = np.array([[0.0, 0.0, 0.0], [1.4, 0.0, 0.0], [0.0, apart, 0.0], [1.4, 1.05 * apart, 0.0]])

    bonds, orders = perceive_transition_state_bonds(np.full(4, 6), positions)

    assert (orders == PARTIAL_ORDER).sum() == n_partial
    assert bonds[orders == PARTIAL_ORDER].tolist() == [[0, 2], [1, 3]][:n_partial]


def test_a_minimum_has_the_same_bonds_as_a_transition_state():
    bonds, orders = perceive_transition_state_bonds(np.array([8, 1, 1]), WATER)

    np.testing.assert_array_equal(bonds, [[0, 1], [0, 2]])
    np.testing.assert_array_equal(orders, [1.0, 1.0])


def test_elements_without_radius_are_named():
    positions = np.arange(9.0).reshape(3, 3)

    with pytest.raises(InputError, match=r"no covalent radius of Bk, Cf: give the bonds in the structure file"):
        perceive_bonds(np.array([97, 6, 98]), positions)


def test_pieces_are_the_connected_atoms():
    found = pieces(6, np.array([[0, 3], [3, 1], [4, 5]]))

    assert [list(piece) for piece in found] == [[0, 1, 3], [2], [4, 5]]


def test_atoms_without_bonds_are_pieces_of_their_own():
    found = pieces(2, np.zeros((0, 2), dtype=np.int64))

    assert [list(piece) for piece in found] == [[0], [1]]


CHAIN, BRANCHED = np.array([[0, 1], [1, 2], [2, 3]]), np.array([[0, 1], [0, 2], [0, 3]])
CARBONS = np.full(4, 6)


def test_graph_is_that_of_the_same_bonds_in_any_order():
    graph = bond_graph(CARBONS, CHAIN)

    assert bond_graph(CARBONS, np.array([[3, 1], [0, 2], [1, 0]])) == graph
    assert bond_graph(CARBONS, BRANCHED) != graph
    assert bond_graph(np.array([6, 6, 6, 8]), CHAIN) != bond_graph(np.array([6, 6, 8, 6]), CHAIN)
