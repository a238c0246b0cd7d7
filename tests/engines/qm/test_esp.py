"""Charges fitted to electrostatic potentials."""

import numpy as np
import pytest

from forgefield import units
from forgefield.engines.qm.esp import fitted_charges, surface_points

SPECIES = np.array([8, 1, 1])
POSITIONS = np.array([[0.0, 0.0, 0.117], [0.0, 0.757, -0.467], [0.0, -0.757, -0.467]])


@pytest.fixture(scope="module")
def points():
    return surface_points(SPECIES, POSITIONS)


def potential(points, charges):
    """Coulomb's law, from atom to atom [kcal/mol/e]."""
    distances = np.sqrt(((points[:, None] - POSITIONS) ** 2).sum(axis=2))
    return units.COULOMB * (charges / distances).sum(axis=1)


def test_points_lie_on_spheres_and_in_none(points):
    # Radii of O and H by Alvarez.
    relative = np.linalg.norm(points[:, None] - POSITIONS[None], axis=2) / np.array([1.50, 1.20, 1.20])

    nearest = relative.min(axis=1)
    shells = np.array([1.4, 1.6, 1.8, 2.0])
    np.testing.assert_allclose(np.abs(nearest[:, None] - shells).min(axis=1), 0.0, atol=1e-12)
    assert {round(x, 6) for x in nearest} == set(shells)


def test_the_surface_is_covered_evenly(points):
    """A lone sphere of each shell would have 2.5 points per Å², which add up to nothing in any direction."""
    alone = surface_points(np.array([8]), np.zeros((1, 3)))

    assert len(alone) == pytest.approx(2.5 * 4 * np.pi * 1.5**2 * (1.4**2 + 1.6**2 + 1.8**2 + 2.0**2), rel=0.01)
    assert np.abs(alone.mean(axis=0)).max() < 0.02


def test_charges_that_make_the_potential_are_found(points):
    charges = np.array([-0.9, 0.5, 0.3])

    found = fitted_charges(potential(points, charges), points, POSITIONS, -0.1)

    np.testing.assert_allclose(found, charges, rtol=0, atol=1e-10)


def test_the_total_is_held_whatever_the_potential(points):
    found = fitted_charges(potential(points, [-0.9, 0.5, 0.3]), points, POSITIONS, 1.0)

    np.testing.assert_allclose(found.sum(), 1.0, rtol=0, atol=1e-12)
