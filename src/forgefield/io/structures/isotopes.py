"""Symbols of isotopes in structure files: D, T, and a mass number before an element, such as 13C."""

import re

from forgefield.molecules.elements import SYMBOLS

_OF_HYDROGEN = {"D": 2, "T": 3}
_NUMBERED = re.compile(r"(\d{1,3})([A-Za-z]{1,2})")


def isotope(word: str) -> tuple[str, float] | None:
    """Return the element symbol of an isotope and its mass [amu]; None for any other word."""
    named = _NUMBERED.fullmatch(word)
    symbol, number = (
        ("H", _OF_HYDROGEN.get(word.upper(), 0)) if named is None else (named[2].capitalize(), int(named[1]))
    )
    if not number or symbol not in SYMBOLS[1:]:
        return None
    mass = isotope_mass(SYMBOLS.index(symbol), number)
    return None if mass is None else (symbol, mass)


def isotope_mass(species: int, number: int) -> float | None:
    """Return the mass [amu] of an isotope of an element by its mass number; None where there is no such isotope."""
    from rdkit.Chem import GetPeriodicTable  # noqa: PLC0415 (slow to load, and of use for isotopes alone)

    return float(GetPeriodicTable().GetMassForIsotope(species, number)) or None
