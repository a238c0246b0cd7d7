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
    from rdkit.Chem import GetPeriodicTable  # noqa: PLC0415 (slow to load, and of use for isotopes alone)

    mass = float(GetPeriodicTable().GetMassForIsotope(SYMBOLS.index(symbol), number))
    return (symbol, mass) if mass > 0.0 else None
