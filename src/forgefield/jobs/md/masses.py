"""Which masses the atoms of a simulation have."""

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from forgefield.errors import InputError
from forgefield.io.molecules import stated_masses
from forgefield.molecules.molecule import atomic_weights, standard_masses, symbol

MASSES = {
    "weights": "standard atomic weights",
    "isotopes": "most abundant isotopes",
    "file": "as the structure file states",
}
"""Choices of masses, and what the output calls them."""
_ALIKE = 0.1
"""amu; masses that differ by less are of the same isotope or mixture of isotopes."""


def chosen_masses(
    structure: Path, species: Int[np.ndarray, " atoms"], choice: str | None
) -> Float[np.ndarray, " atoms"]:
    """Return the masses of atoms [amu] by a choice of `MASSES`; without one, the standard atomic weights.

    Raises InputError where the file is to state masses and does not, or where it states those of other isotopes and
    there is no choice.
    """
    weights, isotopes = atomic_weights(species), standard_masses(species)
    match choice:
        case "weights":
            return weights
        case "isotopes":
            return isotopes
    stated = stated_masses(structure)
    if choice == "file":
        if stated is None:
            raise InputError(f"{structure}: states no masses; choose --masses weights or isotopes")
        return stated
    if stated is not None:
        unusual = np.flatnonzero(np.minimum(np.abs(stated - weights), np.abs(stated - isotopes)) > _ALIKE)
        if unusual.size:
            atoms = ", ".join(f"{symbol(int(species[k]))}{k + 1} {stated[k]:g}" for k in unusual[:6].tolist())
            more = f" and {unusual.size - 6} more" if unusual.size > 6 else ""
            raise InputError(
                f"{structure}: states masses of other isotopes ({atoms}{more} amu); choose --masses file to take them, "
                "or --masses weights or isotopes"
            )
    return weights
