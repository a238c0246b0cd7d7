"""Internal units (Å, kcal/mol, rad, amu, e) and the factors that lead to them.

All factors derive from the constants of CODATA 2022. A quantity in a foreign unit is multiplied by
the constant of that unit's name: `energy = energy_hartree * HARTREE`.
"""

import math

# CODATA 2022 (E. Tiesinga et al., 2024), SI.
_AVOGADRO = 6.02214076e23
_SPEED_OF_LIGHT = 299792458.0
_ELEMENTARY_CHARGE = 1.602176634e-19
_HARTREE_JOULE = 4.3597447222060e-18
_BOHR_METRE = 5.29177210544e-11
_ATOMIC_MASS_KG = 1.66053906892e-27
_BOLTZMANN = 1.380649e-23

_KCAL_JOULE = 4184.0
_KCAL_PER_MOL_JOULE = _KCAL_JOULE / _AVOGADRO

HARTREE = _HARTREE_JOULE / _KCAL_PER_MOL_JOULE
"""kcal/mol"""
ELECTRONVOLT = _ELEMENTARY_CHARGE / _KCAL_PER_MOL_JOULE
"""kcal/mol"""
KILOJOULE = 1000.0 / _KCAL_JOULE
"""kcal/mol"""
BOHR = _BOHR_METRE * 1e10
"""Å"""
NANOMETRE = 10.0
"""Å"""
DEGREE = math.pi / 180.0
"""rad"""
MILLIDYNE_PER_ANGSTROM = 1e-18 / _KCAL_PER_MOL_JOULE
"""kcal/mol/Å² for k of E = ½ k x²; 1 mdyn·Å = 1e-18 J, so also kcal/mol/rad² for mdyn·Å/rad²."""
HARTREE_PER_BOHR = HARTREE / BOHR
"""kcal/mol/Å"""
HARTREE_PER_BOHR2 = HARTREE / BOHR**2
"""kcal/mol/Å²"""
COULOMB = _HARTREE_JOULE / _KCAL_PER_MOL_JOULE * BOHR
"""kcal/mol·Å/e²: the energy of two unit charges at 1 Å."""
DEBYE = 1e-21 / _SPEED_OF_LIGHT / _ELEMENTARY_CHARGE * 1e10
"""e·Å"""
BOLTZMANN = _BOLTZMANN / _KCAL_PER_MOL_JOULE
"""kcal/mol/K"""
FEMTOSECOND = 1e-15 / math.sqrt(_ATOMIC_MASS_KG * 1e-20 / _KCAL_PER_MOL_JOULE)
"""The internal unit of time is √(amu·Å²/(kcal/mol)), about 48.9 fs."""
WAVENUMBER = math.sqrt(_KCAL_PER_MOL_JOULE / 1e-20 / _ATOMIC_MASS_KG) / (2.0 * math.pi * _SPEED_OF_LIGHT * 100.0)
"""cm⁻¹ of an angular frequency √λ = 1, λ in kcal/mol/Å²/amu: about 108.591."""


def shown(unit: str) -> tuple[str, float]:
    """Return the unit that tables show for an internal one, and what numbers are divided by: angles are in degrees."""
    return ("°", DEGREE) if unit == "rad" else (unit, 1.0)
