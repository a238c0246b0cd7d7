"""Relaxed scans on hydrogen peroxide and propane, and dihedrals that cannot be scanned."""

from dataclasses import replace

import numpy as np
import pytest

from forgefield import units
from forgefield.errors import ConvergenceError, InputError
from forgefield.molecules.molecule import Molecule
from forgefield.molecules.scan_grid import Grid, Turned, full_turn

qm = pytest.importorskip(
    "forgefield.engines.qm.reference", reason="the extra qm is not installed", exc_type=ImportError
)
scan = pytest.importorskip(
    "forgefield.engines.qm.relaxed_scan", reason="the extra qm is not installed", exc_type=ImportError
)

TIGHT_BINDING = qm.engine_named("gfn2", None)
TURN = Grid((full_turn((2, 0, 1, 3), 60),))


@pytest.fixture(scope="module")
def peroxide():
    """Hydrogen peroxide with a dihedral of 90°."""
    positions = np.array([[0.0, 0.0, 0.0], [1.45, 0.0, 0.0], [-0.2, 0.95, 0.0], [1.65, 0.0, 0.95]])
    return Molecule("peroxide", np.array([8, 8, 1, 1]), positions, source="peroxide.xyz")


@pytest.fixture(scope="module")
def whole(peroxide):
    """All points of the turn."""
    return scan.relaxed_scan(peroxide, TIGHT_BINDING, TURN)


@pytest.fixture
def cyclopropane():
    """A ring of three with hydrogens above and below."""
    corners = np.array([[np.cos(a), np.sin(a), 0.0] for a in np.radians([0.0, 120.0, 240.0])])
    outer = [1.46 * corner + [0.0, 0.0, side] for corner in corners for side in (0.91, -0.91)]
    positions = np.concatenate([0.87 * corners, outer])
    return Molecule("ring", np.array([6] * 3 + [1] * 6), positions, source="ring.xyz")


def angles_of(references) -> list[float]:
    return [round(one.constraints[0].angle / units.DEGREE, 4) for one in references]


def test_scan_holds_each_angle_and_relaxes_the_rest(whole):
    assert angles_of(whole) == [-120.0, -60.0, 0.0, 60.0, 120.0, 180.0]
    energies = np.array([one.energy for one in whole])
    # Mirror images, and the planar ones above the twisted minimum.
    np.testing.assert_allclose(energies[[0, 1]], energies[[4, 3]], atol=1e-4)
    assert energies.argmax() == 2
    for one in whole:
        # What is left of the force is that of the rotation about O-O, which bonds and angles have no share in.
        bonds = one.positions[[1, 2, 3]] - one.positions[[0, 0, 1]]
        along = [(one.gradient[2] @ bonds[1]), (one.gradient[3] @ bonds[2])]
        np.testing.assert_allclose(along, 0.0, atol=0.02)
    assert {(one.level, one.sources) for one in whole} == {("GFN2-xTB", ("peroxide.xyz",))}


def test_interrupted_scan_is_continued_to_the_same_end(peroxide, whole):
    told = []

    continued = scan.relaxed_scan(
        peroxide, TIGHT_BINDING, TURN, known=whole[:2], tell=lambda points: told.append(len(points))
    )

    assert angles_of(continued) == angles_of(whole)
    np.testing.assert_allclose([one.energy for one in continued], [one.energy for one in whole], atol=1e-3)
    assert min(told) == 3


def test_lower_path_to_a_point_replaces_a_higher_one(peroxide, whole):
    worse = [replace(one, energy=one.energy + 1.0) for one in whole[:1]]

    found = scan.relaxed_scan(peroxide, TIGHT_BINDING, TURN, known=[*worse, *whole[1:]])

    np.testing.assert_allclose(found[0].energy, whole[0].energy, atol=1e-3)


def test_optimisation_that_fails_names_its_angle(peroxide):
    with pytest.raises(ConvergenceError, match=r"^at 120°: peroxide\.xyz: the optimisation did not converge in 1"):
        scan.relaxed_scan(peroxide, TIGHT_BINDING, Grid((Turned((2, 0, 1, 3), 60, 120, 180),)), max_steps=1)


@pytest.mark.parametrize(
    ("atoms", "message"),
    [
        ((2, 0, 1, 9), "dihedral 3-1-2-10 names an atom that is not there: the molecule has atoms 1 to 4"),
        ((2, 0, 0, 3), "dihedral 3-1-1-4 names an atom twice"),
        ((2, 3, 1, 0), "H3-H4-O2-O1: H3-H4 are not bonded"),
    ],
)
def test_dihedral_that_is_no_chain_of_bonds_is_refused(peroxide, atoms, message):
    with pytest.raises(InputError, match=message):
        scan.check_turnable(peroxide, Grid((Turned(atoms),)))


def test_bond_of_a_ring_is_not_turned(cyclopropane):
    with pytest.raises(InputError, match=r"ring\.xyz: H4-C1-C2-H6 turns about a bond of a ring"):
        scan.check_turnable(cyclopropane, Grid((Turned((3, 0, 1, 5)),)))


def test_one_bond_is_turned_once(peroxide):
    with pytest.raises(InputError, match="H4-O2-O1-H3 turns about the same bond as H3-O1-O2-H4"):
        scan.check_turnable(peroxide, Grid((Turned((2, 0, 1, 3)), Turned((3, 1, 0, 2)))))
