"""What a force field is not for follows from its terms and its references."""

from dataclasses import replace

import numpy as np
import pytest

from forgefield.assign.generated import generate
from forgefield.fitting.data.training_set import Example
from forgefield.jobs.fit.outcome.purpose import not_for
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import Molecule, Reference
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.nonbonded import CHARGE_INCREMENT, LENNARD_JONES
from forgefield.terms.stretch import HARMONIC_STRETCH

SPECIES = np.array([1, 8, 8, 1])
POSITIONS = np.array([[0.9, 0.2, 0.3], [0.7, 0, -0.6], [-0.7, 0, -0.6], [-0.9, -0.2, 0.3]])
PEROXIDE = Example(
    Molecule("peroxide", SPECIES, POSITIONS, *perceive_bonds(SPECIES, POSITIONS)),
    Reference(species=SPECIES, positions=POSITIONS),
    None,
)
SECOND = replace(PEROXIDE, molecule=replace(PEROXIDE.molecule, positions=POSITIONS * 1.01))


@pytest.mark.parametrize(
    ("added", "examples", "lacking"),
    [
        ({}, [PEROXIDE], ["No van der Waals", "No charges", "No scan", "One geometry"]),
        ({"van_der_waals": LENNARD_JONES}, [PEROXIDE], ["No charges", "No scan", "One geometry"]),
        ({"charging": CHARGE_INCREMENT}, [PEROXIDE, SECOND], ["No van der Waals", "No scan"]),
    ],
)
def test_what_it_lacks_is_told(added, examples, lacking):
    laid = generate([one.molecule for one in examples], (HARMONIC_STRETCH, HARMONIC_BEND), **added)

    said = not_for(laid, examples)

    assert len(said) == len(lacking)
    assert all(sentence.startswith(word) for sentence, word in zip(said, lacking, strict=True))
