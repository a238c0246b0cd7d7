"""Priors on couplings of stretches where a bond is weak."""

import numpy as np
import pytest

from forgefield.assign.generated import generate
from forgefield.estimating.coupling_widths import coupling_widths
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import Molecule
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.cross import STRETCH_BEND, STRETCH_STRETCH
from forgefield.terms.stretch import HARMONIC_STRETCH


@pytest.mark.parametrize(
    ("constants", "factor"),
    [((700.0, 300.0), 1.0), ((700.0, 125.0), 0.5), ((50.0, 125.0), 0.2), ((700.0, 0.0), 0.1)],
    ids=["ordinary", "weak", "the weakest counts", "none"],
)
@pytest.mark.parametrize("term", [STRETCH_BEND, STRETCH_STRETCH])
def test_widths_are_those_of_the_weakest_bond(constants, factor, term):
    species, positions = np.array([8, 1, 9]), np.array([[0.0, 0, 0], [0.96, 0, 0], [-0.3, 1.4, 0]])
    acid = Molecule("HOF", species, positions, *perceive_bonds(species, positions))
    made = generate([acid], (HARMONIC_STRETCH, HARMONIC_BEND, term))
    values, first = np.array(made.model.values), [row.indices[0] for row in made.rows]
    values[first[:2]] = constants

    found = coupling_widths(made.model, made.topology, made.rows, values)

    assert made.rows[-1].term is term
    assert found[first[-1]] == pytest.approx(factor)
    assert (np.delete(found, first[-1]) == 1.0).all()
