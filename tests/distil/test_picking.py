"""What a committee asks about next: what its members disagree about, no two alike, nothing that is broken."""

from dataclasses import replace

import numpy as np
import pytest

from forgefield.distil.picking import broken, disagreement, picked
from forgefield.molecules.molecule import Molecule
from samples import WATER

BONDED = replace(WATER, bonds=np.array([[0, 1], [0, 2]]), orders=np.ones(2))


def test_disagreement_is_that_of_the_force_on_the_worst_atom():
    gradients = np.zeros((2, 3, 4, 3))
    gradients[:, 1, 2, 0] = [3.0, -3.0]
    gradients[:, 2, 0] = [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]

    np.testing.assert_allclose(disagreement(gradients), [0.0, 3.0, 0.0])


def test_what_is_picked_is_doubtful_and_not_twice_the_same():
    line = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    lengths = np.array([1.0, 1.0, 1.001, 2.0, 1.002, 1.003, 1.004, 1.005, 1.006, 9.0])
    geometries = line * lengths[:, None, None]
    doubts = np.array([5.0, 4.0, 4.0, 3.0, 3.0, 3.0, 3.0, 3.0, 1.0, 0.5])

    # The two that differ most among the eight most doubtful ones; the last is the oddest, but nobody doubts it.
    assert picked(geometries, doubts, 2).tolist() == [0, 3]
    assert len(picked(geometries, doubts, 20)) == 10


@pytest.mark.parametrize(
    ("moved", "said"),
    [
        (0.0, ""),
        (-0.65, "O1 and H2 are 0."),
        (2.0, "came apart: 2 pieces, and by its bonds 1"),
    ],
)
def test_what_is_broken_is_told(moved, said):
    along = BONDED.positions[1] - BONDED.positions[0]
    positions = BONDED.positions.copy()
    positions[1] += moved * along

    found = broken(replace(BONDED, positions=positions))

    assert (said in found) if said else found == ""


def test_pieces_without_a_bond_may_be_apart():
    salt = Molecule("pair", np.array([11, 17]), np.array([[0.0, 0.0, 0.0], [9.0, 0.0, 0.0]]))

    assert broken(salt) == ""
