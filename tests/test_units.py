"""Units against published values and against other ways to the same constant."""

import math

import numpy as np
import pytest

from forgefield import units

AVOGADRO, CHARGE, LIGHT, PLANCK = 6.02214076e23, 1.602176634e-19, 299792458.0, 6.62607015e-34
PUBLISHED = [
    # From the constants of CODATA 2022, worked out apart in forty digits.
    pytest.param(units.HARTREE, 627.509474, id="Hartree in kcal/mol"),
    pytest.param(units.ELECTRONVOLT, 23.0605478, id="eV in kcal/mol"),
    pytest.param(units.KILOJOULE, 1.0 / 4.184, id="kJ/mol in kcal/mol"),
    pytest.param(units.BOHR, 0.529177211, id="Bohr in Å"),
    pytest.param(units.MILLIDYNE_PER_ANGSTROM, 143.9326185, id="mdyn/Å in kcal/mol/Å²"),
    pytest.param(units.BOLTZMANN, 1.98720426e-3, id="k in kcal/mol/K"),
    pytest.param(1.0 / units.FEMTOSECOND, 48.8882129, id="fs in √(amu·Å²/(kcal/mol))"),
    pytest.param(units.WAVENUMBER, 108.5913585, id="cm⁻¹"),
    pytest.param(units.DEBYE, 0.2081943327, id="Debye in e·Å"),
    pytest.param(units.COULOMB, 332.063713, id="e²/Å in kcal/mol"),
    pytest.param(units.HARTREE_PER_BOHR, 1185.82105, id="Hartree/Bohr in kcal/mol/Å"),
    pytest.param(units.HARTREE_PER_BOHR2, 2240.877014, id="Hartree/Bohr² in kcal/mol/Å²"),
]


@pytest.mark.parametrize(("unit", "published"), PUBLISHED)
def test_unit_has_its_published_value(unit, published):
    np.testing.assert_allclose(unit, published, rtol=3e-9)


def test_coulomb_constant_is_that_of_the_vacuum():
    # e²/(4πε₀) per mole, with ε₀ = 8.8541878188e-12 F/m (CODATA 2022).
    joule_metre = CHARGE**2 / (4.0 * math.pi * 8.8541878188e-12)

    np.testing.assert_allclose(units.COULOMB, joule_metre * AVOGADRO / 4184.0 * 1e10, rtol=1e-9)


def test_a_period_of_time_and_its_wavenumber_are_of_one_vibration():
    # λ = 1 has the period 2π in internal units, and one over the speed of light times it is the wavenumber.
    seconds = 2.0 * math.pi / units.FEMTOSECOND * 1e-15

    np.testing.assert_allclose(units.WAVENUMBER, 1.0 / (100.0 * LIGHT * seconds), rtol=1e-12)


def test_an_atomic_unit_of_curvature_per_amu_is_the_wavenumber_that_programs_print():
    np.testing.assert_allclose(math.sqrt(units.HARTREE_PER_BOHR2) * units.WAVENUMBER, 5140.487, rtol=1e-6)


def test_a_hartree_is_two_rydbergs_of_light():
    # R∞ = 10973731.568157 /m (CODATA 2022).
    np.testing.assert_allclose(units.HARTREE, 2.0 * PLANCK * LIGHT * 10973731.568157 * AVOGADRO / 4184.0, rtol=1e-10)
