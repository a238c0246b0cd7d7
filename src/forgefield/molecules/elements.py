"""Symbols, masses and covalent radii of the elements."""

import numpy as np
from ase.data import atomic_masses_common, chemical_symbols, covalent_radii

from forgefield.errors import InputError

SYMBOLS: tuple[str, ...] = tuple(chemical_symbols)
MASSES = np.asarray(atomic_masses_common, dtype=np.float64)
"""Mass of the most abundant isotope [amu] by atomic number."""

_RADII = np.asarray(covalent_radii, dtype=np.float64)
# Cordero's table ends at curium; the library fills in what follows.
_LAST_WITH_RADIUS = 96


def atomic_number(symbol: str) -> int:
    """Return the atomic number of an element symbol in any case; raises InputError where there is none."""
    name = symbol.strip().capitalize()
    if name not in SYMBOLS or name == "X":
        raise InputError(f"{symbol!r} is not an element symbol")
    return SYMBOLS.index(name)


def covalent_radius(number: int) -> float:
    """Return the covalent radius [Å] (Cordero et al., Dalton Trans. 2008, 2832).

    Raises InputError for an element that has none.
    """
    if not 0 < number <= _LAST_WITH_RADIUS:
        raise InputError(
            f"element {SYMBOLS[number]} has no covalent radius: give the bonds in the structure file (mol2, mae, sdf)"
        )
    return float(_RADII[number])
