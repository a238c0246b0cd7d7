"""Which masses the atoms of a simulation have."""

import numpy as np
from jaxtyping import Float

from forgefield.errors import InputError
from forgefield.molecules.molecule import Molecule, atomic_weights, standard_masses, symbol

MASSES = {
    "weights": "standard atomic weights",
    "isotopes": "most abundant isotopes",
    "file": "as the structure file states",
}
"""Choices of masses, and what the output calls them."""
_ALIKE = 0.1
"""amu; masses that differ by less are of the same isotope or mixture of isotopes."""


def chosen_masses(molecule: Molecule, choice: str | None) -> Float[np.ndarray, " atoms"]:
    """Return the masses of atoms [amu] by a choice of `MASSES`; without one, the standard atomic weights.

    Raises InputError where the file is to state masses and does not, or where it states those of other isotopes and
    there is no choice.
    """
    species, stated, source = molecule.species, molecule.masses, molecule.source or molecule.name
    weights, isotopes = atomic_weights(species), standard_masses(species)
    match choice:
        case "weights":
            return weights
        case "isotopes":
            return isotopes
    if choice == "file":
        if stated is None:
            raise InputError(f"{source}: states no masses; choose --masses weights or isotopes")
        return stated
    if stated is not None:
        unusual = np.flatnonzero(np.minimum(np.abs(stated - weights), np.abs(stated - isotopes)) > _ALIKE)
        if unusual.size:
            atoms = ", ".join(f"{symbol(int(species[k]))}{k + 1} {stated[k]:g}" for k in unusual[:6].tolist())
            more = f" and {unusual.size - 6} more" if unusual.size > 6 else ""
            raise InputError(
                f"{source}: states masses of other isotopes ({atoms}{more} amu); choose --masses file to take them, "
                "or --masses weights or isotopes"
            )
    return weights
