"""Symbols, masses and covalent radii of the elements."""

import re

import ase.data
import numpy as np
from ase.data import atomic_masses_common, atomic_masses_iupac2016, chemical_symbols
from jaxtyping import Float, Int

from forgefield.errors import InputError

SYMBOLS: tuple[str, ...] = tuple(chemical_symbols)
MASSES = np.asarray(atomic_masses_common, dtype=np.float64)
"""Mass of the most abundant isotope [amu] by atomic number."""
WEIGHTS = np.asarray(atomic_masses_iupac2016, dtype=np.float64)
"""Standard atomic weight (IUPAC 2016) by atomic number; of elements without one, the mass of a long-lived isotope."""

_RADII = np.asarray(ase.data.covalent_radii, dtype=np.float64)
# Cordero's table ends at curium; the library fills in what follows.
LAST_WITH_RADIUS = 96
NONMETALS = frozenset((1, 2, 5, 6, 7, 8, 9, 10, 14, 15, 16, 17, 18, 32, 33, 34, 35, 36, 51, 52, 53, 54, 85, 86))
"""Atomic numbers, with the metalloids that form such bonds."""


GHOST = "is a ghost or dummy atom, of which no molecule is made; repeat the job without it"
"""What is said of such labels."""
_GHOST = re.compile(r"(?:bq|gh|@).*|x{1,2}[\d_]*|.+(?:[-_]?bq|\(gh\)|[:@])\d*", re.IGNORECASE)


def is_ghost(label: str) -> bool:
    """Say whether a label is that of an atom without a nucleus: Bq, H-Bq, bqH, Gh, Gh(H), @H, `H :`, X."""
    return _GHOST.fullmatch(label.replace(" ", "")) is not None


def atomic_number(symbol: str) -> int:
    """Return the atomic number of an element symbol in any case; raises InputError where there is none."""
    name = symbol.strip().capitalize()
    if is_ghost(name):
        raise InputError(f"{symbol!r} {GHOST}")
    if name not in SYMBOLS:
        raise InputError(f"{symbol!r} is not an element symbol")
    return SYMBOLS.index(name)


def covalent_radii(species: Int[np.ndarray, " atoms"]) -> Float[np.ndarray, " atoms"]:
    """Return the covalent radii [Å] of atomic numbers (Cordero et al., Dalton Trans. 2008, 2832).

    Raises InputError that lists the elements that have none.
    """
    without = np.unique(species[(species < 1) | (species > LAST_WITH_RADIUS)])
    if without.size:
        named = ", ".join(SYMBOLS[z] for z in without)
        raise InputError(f"no covalent radius of {named}: give the bonds in the structure file (mol2, mae, sdf)")
    return _RADII[species]
