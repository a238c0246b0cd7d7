"""How often a force field's rows are used, and molecules that are in pieces."""

import numpy as np
import pytest

from forgefield.assign.assignment import require_connected, uses
from forgefield.assign.generated import generate
from forgefield.errors import InputError
from forgefield.molecules.molecule import Molecule
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.cross import STRETCH_BEND
from forgefield.terms.nonbonded import CHARGE_INCREMENT, LENNARD_JONES
from forgefield.terms.stretch import HARMONIC_STRETCH

PEROXIDE = [[0.9, 0.2, 0.3], [0.7, 0, -0.6], [-0.7, 0, -0.6], [-0.9, -0.2, 0.3]]


def chain(n_pieces=1, bonds=((0, 1), (1, 2), (2, 3))):
    pairs = np.array(bonds)
    return Molecule("HOOH", np.array([1, 8, 8, 1]), np.array(PEROXIDE), pairs, np.ones(len(pairs)), n_pieces=n_pieces)


def test_values_are_used_by_the_interactions_of_their_own_kind_and_increments_by_bonds():
    # Peroxide: two O-H bonds and one O-O bond, two angles; only the O-H bonds are polar; one pair three bonds apart.
    terms = HARMONIC_STRETCH, HARMONIC_BEND, STRETCH_BEND
    made = generate([chain()], terms, van_der_waals=LENNARD_JONES, charging=CHARGE_INCREMENT)

    counts = uses(made)

    found = {row.name: counts[list(row.indices)].tolist() for row in made.rows}
    assert found == {
        "stretch H1-O1": [2, 2],
        "stretch O1-O1": [1, 1],
        "bend H1-O1-O1": [2, 2],
        "stretch_bend H1-O1-O1": [2],
        "vdw H1": [1, 1],
        "vdw O1": [0, 0],
        "charge_increment H1-O1": [2],
    }


def test_as_many_pieces_as_are_stated_are_connected():
    apart = ((0, 1), (2, 3))

    require_connected([chain(2, apart), chain()])
    with pytest.raises(InputError, match="HOOH: the molecule is in 2 pieces: H1, O2; O3, H4"):
        require_connected([chain(2, apart), chain(1, apart)])
