"""Reference values beside the geometry of their rows: water with legs of 0.95 and 1.05 Å, and a skewed NF3."""

import numpy as np
import pytest

from forgefield.assign.generated import generate
from forgefield.jobs.fit.outcome.row_geometry import apart, drifted, geometries, row_geometry
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import Molecule
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.stretch import HARMONIC_STRETCH

BONDED = HARMONIC_STRETCH, HARMONIC_BEND


def molecule(name, species, positions):
    species, positions = np.array(species), np.array(positions, dtype=float)
    return Molecule(name, species, positions, *perceive_bonds(species, positions))


WATER = molecule("water", [8, 1, 1], [[0, 0, 0], [0.95, 0, 0], [0, 1.05, 0]])
SKEWED = molecule("nf3", [7, 9, 9, 9], [[0, 0, 0], [1.40, 0, 0], [0, 1.45, 0], [-0.29, -0.59, 1.23]])


def shapes(one, *, shift=0.0, trained=("stretch", "bend")):
    """Row geometry with all reference angles, or lengths, off by so many rad or Å."""
    laid = generate([one], BONDED)
    values = np.array(laid.model.values)
    for row in laid.rows:
        values[row.indices[1]] += shift
    names = frozenset(row.name for row in laid.rows if row.term.kind in trained)
    return row_geometry(laid, values, geometries(laid, one.positions), names)


def test_geometry_of_rows_by_hand():
    stretch, bend = shapes(WATER)

    assert (stretch.unit, stretch.interactions, bend.unit, bend.interactions) == ("Å", 2, "°", 1)
    np.testing.assert_allclose([stretch.mean, stretch.minimum, stretch.maximum], [1.0, 0.95, 1.05])
    np.testing.assert_allclose([bend.reference, bend.mean, bend.spread, bend.drift], [90.0, 90.0, 0.0, 0.0], atol=1e-9)


def test_a_row_of_different_angles_is_named_with_them():
    # 90°, 102° and 115°. Bonds are of 1.40, 1.45 and 1.395 Å.
    (said,) = apart(shapes(SKEWED))

    assert "bend F1-N1-F1 90.0° to 115.0° (mean 102.3°, 3 of them)" in said
    assert "stretch F1-N1 1.395 Å to 1.450 Å" in said
    assert apart(shapes(SKEWED, trained=())) == []


@pytest.mark.parametrize(("shift", "n_said"), [(0.029, 0), (-0.031, 1)])
def test_a_length_may_drift_by_three_hundredths(shift, n_said):
    found = [one for one in shapes(WATER, shift=shift) if one.kind == "stretch"]

    assert len(drifted(found, {"stretch H1-O1 r0": (1.0, None)})) == n_said


@pytest.mark.parametrize(("degrees", "n_said"), [(5.9, 0), (-6.1, 1)])
def test_an_angle_may_drift_by_six_degrees(degrees, n_said):
    found = [one for one in shapes(WATER, shift=np.radians(degrees)) if one.kind == "bend"]

    assert len(drifted(found, {"bend H1-O1-H1 theta0": (np.pi / 2.0, None)})) == n_said


def test_two_prior_widths_are_a_drift_however_small_and_kept_values_are_none():
    found = [one for one in shapes(WATER, shift=np.radians(4.0)) if one.kind == "bend"]

    (said,) = drifted(found, {"bend H1-O1-H1 theta0": (np.pi / 2.0, np.radians(1.9))})
    assert "bend H1-O1-H1 theta0 = 94.0° (molecules 90.0°)" in said
    assert drifted(found, {"bend H1-O1-H1 theta0": (np.pi / 2.0, np.radians(2.1))}) == []
    assert drifted(found, {}) == []
