"""Angles, torsions and planar centres of small molecules, counted by hand."""

import numpy as np

from forgefield.assign.mm3.graph import TypeNames, graph_of
from forgefield.molecules.molecule import Molecule


def graph(species, bonds, orders=None):
    """A graph of atoms of some type, wherever they are."""
    n, pairs = len(species), np.array(bonds)
    orders = np.ones(len(bonds)) if orders is None else np.array(orders)
    molecule = Molecule("m", np.array(species), np.zeros((n, 3)), pairs, orders, types=("C3",) * n)
    return graph_of(molecule, TypeNames({}))


def test_torsions_of_a_ring_of_three_do_not_close_on_themselves():
    # About each of three C-C bonds, three neighbours at either end, but not the third carbon at both.
    hydrogens = [(c, 3 + 2 * c + h) for c in range(3) for h in range(2)]
    cyclopropane = graph([6] * 3 + [1] * 6, [(0, 1), (1, 2), (2, 0), *hydrogens])

    assert len(cyclopropane.torsions) == 3 * (3 * 3 - 1)
    assert all(len(set(torsion)) == 4 for torsion in cyclopropane.torsions)
    assert len(cyclopropane.angles) == 3 * 6


def test_torsions_of_a_ring_of_four_are_its_corners():
    assert sorted(map(sorted, graph([6] * 4, [(0, 1), (1, 2), (2, 3), (3, 0)]).torsions)) == [[0, 1, 2, 3]] * 4


def test_a_centre_has_exactly_three_neighbours_by_bonds_of_order_above_zero():
    star = [(0, 1), (0, 2), (0, 3), (0, 4)]

    assert graph([6] * 5, star, [1.0, 2.0, 1.0, 0.0]).planar_centres == [(1, 0, 2, 3)]
    assert graph([6] * 5, star).planar_centres == []
    assert graph([6] * 4, star[:3], [1.0, 1.0, 0.0]).planar_centres == []
