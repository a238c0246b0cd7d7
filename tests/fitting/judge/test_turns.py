"""What turns about bonds as structures relax, on ethane made by hand."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from certain import known
from forgefield.fitting.judge.turns import _mean_slope, relabelled, turns
from forgefield.molecules import measure, paths
from forgefield.molecules.molecule import Molecule

K = 3.0
"""kcal/mol/rad², of the torsion about the bond."""


def turned(degrees, first=0.0):
    """Ethane, staggered, with its second methyl group turned."""
    carbons = [[0.0, 0.0, 0.0], [0.0, 0.0, 1.53]]
    angle = np.radians([*(first + 120.0 * np.arange(3)), *(60.0 + degrees + 120.0 * np.arange(3))])
    height = np.repeat([-0.36, 1.89], 3)
    return np.array([*carbons, *np.stack([1.03 * np.cos(angle), 1.03 * np.sin(angle), height], axis=1)])


BONDS = np.array([[0, 1], *([0, h] for h in (2, 3, 4)), *([1, h] for h in (5, 6, 7))])
ETHANE = Molecule("ethane", np.array([6, 6, *[1] * 6]), turned(0.0), bonds=BONDS, orders=np.ones(7))
QUADS = paths.torsions(8, BONDS)


def rigid_but_for_the_turn():
    """A Hessian of the mean torsion, with all else stiff."""
    slope = _mean_slope(ETHANE.positions, QUADS)
    along = slope / np.linalg.norm(slope)
    return K * np.outer(slope, slope) + 1e5 * (np.eye(24) - np.outer(along, along))


def test_derivatives_of_a_mean_torsion_match_central_differences():
    x = turned(25.0) + 0.05 * np.random.default_rng(1).normal(size=(8, 3))
    direction, step = np.random.default_rng(2).normal(size=(8, 3)), 1e-5

    rise = [measure.dihedrals((x + s * step * direction)[QUADS]) for s in (1, -1)]

    assert_allclose(_mean_slope(x, QUADS) @ direction.ravel(), (rise[0] - rise[1]).mean() / (2 * step), rtol=1e-7)


@pytest.mark.parametrize("degrees", [8.0, -30.0])
def test_a_turn_costs_what_the_hessian_says(degrees):
    (found,) = turns(ETHANE, QUADS, turned(degrees), rigid_but_for_the_turn())

    assert found.bond == "C1-C2"
    assert_allclose([found.degrees, found.rest], [degrees, 0.0], atol=1e-6)
    assert_allclose(known(found.energy), 0.5 * K * np.radians(degrees) ** 2, rtol=1e-6)
    assert found.is_soft == (known(found.energy) < 0.592)


def test_small_turns_are_not_told_and_none_has_a_cost_without_a_hessian():
    assert turns(ETHANE, QUADS, turned(4.9), None) == []
    assert turns(ETHANE, QUADS, turned(5.1), None)[0].energy is None
    assert not turns(ETHANE, QUADS, turned(5.1), None)[0].is_soft


def test_along_a_negative_curvature_a_turn_has_no_cost():
    (found,) = turns(ETHANE, QUADS, turned(8.0), -rigid_but_for_the_turn())

    assert found.energy is None


@pytest.mark.parametrize(("degrees", "left"), [(120.0, 0.0), (-120.0, 0.0), (110.0, -10.0), (59.0, 59.0)])
def test_equal_atoms_are_exchanged_where_torsions_come_nearer(degrees, left):
    x = relabelled(ETHANE, QUADS, turned(degrees))

    apart = np.degrees(measure.dihedrals(x[QUADS]) - measure.dihedrals(ETHANE.positions[QUADS]))
    assert_allclose((apart + 180.0) % 360.0 - 180.0, left, atol=1e-6)
    # The same atoms, each kind where it was.
    assert_allclose(np.sort(x[2:], axis=0), np.sort(turned(degrees)[2:], axis=0))


def test_atoms_of_other_elements_are_not_exchanged():
    species = ETHANE.species.copy()
    species[2:] = 9, 17, 35, 9, 17, 35
    other = Molecule("other", species, ETHANE.positions, bonds=BONDS, orders=np.ones(7))

    (found,) = turns(other, QUADS, turned(120.0), None)

    assert_allclose(found.degrees, 120.0, atol=1e-6)
