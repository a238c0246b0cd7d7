"""Parameters that no molecule has are named in words."""

from dataclasses import fields

import numpy as np
import pytest

from forgefield.fitting.judge.metrics import Metrics
from forgefield.fitting.judge.sanity import cancelling, not_stationary, unbounded, unphysical
from forgefield.models.rows import Row
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.cross import BEND_TORSION_BEND, STRETCH_BEND
from forgefield.terms.stretch import HARMONIC_STRETCH
from forgefield.terms.torsion import TORSION3

ROWS = (
    Row(HARMONIC_STRETCH, ("C1", "H1"), (0, 1)),
    Row(HARMONIC_BEND, ("H1", "C1", "H1"), (2, 3)),
    Row(TORSION3, ("H1", "C1", "C1", "H1"), (4, 5, 6)),
)
SANE = np.array([700.0, 1.09, 70.0, np.radians(109.0), -5.0, 900.0, 0.0])
STIFFEST = np.array([1900.0, *[np.nan] * 6])
GEOMETRY = np.array([np.nan, 1.10, np.nan, np.radians(110.0), np.nan, np.nan, np.nan])


def metrics(**known):
    return Metrics(**(dict.fromkeys(field.name for field in fields(Metrics)) | known))


def test_sane_parameters_are_not_mentioned():
    assert unphysical(ROWS, SANE, GEOMETRY, STIFFEST) == {}
    assert cancelling(ROWS, SANE) == []


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (0, -1.0, "stretch C1-H1 k is negative (-1.0 kcal/mol/Å²)"),
        (0, 5000.0, "stretch C1-H1 k is larger than of any known one (5000, at most 1900 kcal/mol/Å²)"),
        (1, 1.50, "stretch C1-H1 r0 = 1.500 Å, but the bonds are 1.100 Å long"),
        (2, 900.0, "bend H1-C1-H1 k is larger than of any known one (900, at most 800 kcal/mol/rad²)"),
        (3, np.radians(60.0), "bend H1-C1-H1 theta0 = 60.0°, but the angles are 110.0°"),
    ],
)
def test_parameter_that_no_molecule_has_is_named(place, value, said):
    values = SANE.copy()
    values[place] = value

    (found,) = unphysical(ROWS, values, GEOMETRY, STIFFEST).items()
    assert found[1] == said
    assert said.startswith(found[0])


def test_force_that_remains_at_the_reference_geometry_is_told():
    assert not_stationary([metrics(force_max_kcal_mol_a=230.0), metrics(force_max_kcal_mol_a=9.0)]) == [
        "the force on an atom at the reference geometry is off by up to 230.0 kcal/mol/Å"
    ]
    assert not_stationary([metrics(force_max_kcal_mol_a=4.9)]) == []
    assert not_stationary([metrics()]) == []


@pytest.mark.parametrize(
    ("force", "bonds", "angles", "n_said"),
    [(19.9, 0.019, 2.9, 0), (20.1, 0.019, 2.9, 1), (6.0, 0.021, 2.9, 1), (6.0, 0.019, 3.1, 1)],
)
def test_a_moderate_force_says_nothing_of_a_molecule_that_rests_beside_its_reference(force, bonds, angles, n_said):
    one = metrics(force_max_kcal_mol_a=force, bond_rmsd_a=bonds, angle_rmsd_deg=angles)

    assert len(not_stationary([one])) == n_said


@pytest.mark.parametrize(("place", "apart", "n_said"), [(1, 0.14, 0), (1, -0.16, 1), (3, 0.33, 0), (3, -0.36, 1)])
def test_a_reference_value_may_differ_by_so_much_from_the_molecules(place, apart, n_said):
    # 0.15 Å, and 20° or 0.349 rad.
    values = SANE.copy()
    values[place] = GEOMETRY[place] + apart

    assert len(unphysical(ROWS, values, GEOMETRY, STIFFEST)) == n_said


@pytest.mark.parametrize(
    ("v", "told"), [((34.6, -16.7, 0.0), True), ((34.6, 16.7, 0.0), False), ((34.6, -4.9, 0.0), False)]
)
def test_large_torsional_constants_of_opposite_signs_are_told(v, told):
    values = SANE.copy()
    values[4:] = v

    said = cancelling(ROWS, values)

    assert bool(said) is told
    assert not told or "torsion H1-C1-C1-H1 v1 = 34.6 and v2 = -16.7 kcal/mol" in said[0]


@pytest.mark.parametrize(("constant", "told"), [(150.0, False), (160.0, True), (-160.0, True), (0.0, False)])
def test_stretch_bend_stronger_than_what_it_couples_is_told(constant, told):
    rows = (*ROWS[:2], Row(STRETCH_BEND, ("H1", "C1", "H1"), (4,)))
    couplings = [[4, 1, 1, 3]]

    # The limit is √(70 · 700 / 2) = 156.5.
    said = unbounded(rows, couplings, np.array([*SANE[:4], constant]))

    assert bool(said) is told
    assert not told or "stretch_bend H1-C1-H1 k" in said[0]
    assert not told or 'leave "stretch_bend" out of the terms' in said[0]


@pytest.mark.parametrize(("constant", "told"), [(220.0, False), (222.0, True), (-222.0, True)])
def test_coupling_of_two_that_is_stronger_than_both_is_told(constant, told):
    rows = (*ROWS[:2], Row(BEND_TORSION_BEND, ("H1", "C1", "C1", "H1"), (4,)))

    # Of a stretch and a bend, which no term couples so: the limit is √(700 · 70) = 221.4.
    said = unbounded(rows, [[4, 1, 3]], np.array([*SANE[:4], constant]))

    assert bool(said) is told
    assert not told or "bend_torsion_bend H1-C1-C1-H1 k" in said[0]
