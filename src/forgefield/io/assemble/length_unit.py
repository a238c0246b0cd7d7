"""Tells of geometries whose lengths look to be in another unit: Bohr that was read as Å, or Å that was read as Bohr."""

from collections.abc import Sequence
from pathlib import Path
from warnings import warn

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.errors import InputWarning
from forgefield.molecules.elements import LAST_WITH_RADIUS, NONMETALS, covalent_radii
from forgefield.molecules.molecule import symbol

_NEAREST, _FURTHEST = 0.7, 1.27
"""Distances from an atom to its nearest neighbour, as shares of the sum of their covalent radii: N₂ 0.77, F₂ 1.24."""
_FEWEST, _MOST_ATOMS = 3, 1000
"""Two atoms may be any distance apart, as those of a scan."""
_NOBLE = (2, 10, 18, 36, 54, 86)


def tell_unit_of_length(
    path: Path, structures: Sequence[tuple[Int[np.ndarray, "_"], Float[np.ndarray, "_ 3"]]]
) -> None:
    """Give an InputWarning where all structures of a file, as atomic numbers and positions [Å], look so."""
    first = ""
    for species, positions in structures:
        said = unit_problem(species, positions)
        if not said:
            return
        first = first or said
    if first:
        warn(InputWarning(f"{path}: {first}"), stacklevel=3)


def unit_problem(species: Int[np.ndarray, " atoms"], positions: Float[np.ndarray, "atoms 3"]) -> str:
    """Return what is said of a geometry [Å] no two atoms of which are bonded as they stand, but all in another unit.

    Nothing is said of fewer than three atoms, more than a thousand, noble gases, metals, and elements but carbon alone.
    """
    kinds = {int(z) for z in species}
    if not _FEWEST <= len(species) <= _MOST_ATOMS or max(kinds) > LAST_WITH_RADIUS:
        return ""
    if not kinds & NONMETALS or kinds & set(_NOBLE) or (len(kinds) == 1 and kinds != {6}):
        return ""
    radii = covalent_radii(species)
    distances = np.linalg.norm(positions[:, None] - positions[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    relative = distances / (radii[:, None] + radii[None])
    nearest = relative.min(axis=1)
    for read, meant, factor in (("Å", "Bohr", units.BOHR), ("Bohr", "Å", 1.0 / units.BOHR)):
        as_meant = factor * nearest
        # Farther or nearer than any bond as they stand, with every one a bond in the other unit.
        is_off = nearest.min() > _FURTHEST if factor < 1.0 else nearest.max() < _NEAREST
        if is_off and as_meant.min() > _NEAREST and as_meant.max() < _FURTHEST:
            first, second = np.unravel_index(int(relative.argmin()), relative.shape)
            pair = "-".join(f"{symbol(int(species[k]))}{k + 1}" for k in sorted((int(first), int(second))))
            return (
                f"the lengths look to be in {meant}, but were read in {read}: {pair} would be "
                f"{distances[first, second]:.2f} Å long, and {factor * distances[first, second]:.2f} Å in {meant}; "
                f"give the coordinates in {read}"
            )
    return ""
