"""Strain of water by hand: bonds that are longer than their reference, at rest nowhere else."""

import numpy as np
import pytest

from forgefield.assign.generated import generate
from forgefield.jobs.fit.outcome.strain import strained, strains
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import Molecule
from forgefield.report.results import Strain
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.stretch import HARMONIC_STRETCH

SPECIES, POSITIONS = np.array([8, 1, 1]), np.array([[0, 0, 0], [0.96, 0, 0], [0, 0.96, 0]])
WATER = Molecule("water", SPECIES, POSITIONS, *perceive_bonds(SPECIES, POSITIONS))
STRETCHED = np.array([[0, 0, 0], [1.06, 0, 0], [0, 0.96, 0]])


def found(positions, *, relaxed):
    """The strain with k = 700 kcal/mol/Å² and r0 = 0.96 Å."""
    laid = generate([WATER], (HARMONIC_STRETCH, HARMONIC_BEND))
    values = np.array(laid.model.values)
    (row,) = (row for row in laid.rows if row.term.kind == "stretch")
    values[list(row.indices)] = 700.0, 0.96
    (strain,) = strains(laid, values, positions, np.array([relaxed]))
    return strain


def test_nothing_is_strained_at_the_reference_values():
    strain = found(POSITIONS, relaxed=False)

    assert strain.energy == pytest.approx(0.0, abs=1e-20)
    assert not strain.relaxed


def test_strain_is_what_the_bonds_hold_and_the_row_that_holds_most_is_named():
    # 700 · 0.1² / 2 = 3.5 kcal/mol in one bond.
    strain = found(STRETCHED, relaxed=True)

    assert strain.energy == pytest.approx(3.5)
    assert strain.most == pytest.approx(3.5)
    assert (strain.relaxed, strain.row) == (True, "stretch H1-O1")


@pytest.mark.parametrize(
    ("energy", "trained", "n_said"),
    [(1.9, {"bend H1-O1-H1"}, 0), (2.1, {"bend H1-O1-H1"}, 1), (2.1, {"stretch H1-O1"}, 1)],
)
def test_much_strain_is_told_with_its_row_and_whether_that_is_kept(energy, trained, n_said):
    said = strained({"water": Strain(energy, relaxed=True, row="bend H1-O1-H1", most=1.5)}, trained)

    kept = "" if "bend H1-O1-H1" in trained else ", which is kept"
    assert len(said) == n_said
    assert all(f"water 2.1 kcal/mol (most in bend H1-O1-H1, 1.5{kept})" in one for one in said)
