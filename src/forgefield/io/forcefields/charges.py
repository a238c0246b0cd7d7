"""The partial charges that a structure brings along."""

from warnings import warn

import numpy as np
from jaxtyping import Float

from forgefield.errors import InputError, InputWarning
from forgefield.molecules.molecule import Molecule

_UNEVEN = 5e-5
"""e"""


def stated_charges(molecule: Molecule, force_field: str) -> Float[np.ndarray, " atoms"]:
    """Return the charges that the file of a molecule states. Raises InputError where it states none.

    An InputWarning says where they do not add up to a whole number.
    """
    name = molecule.source or molecule.name
    if molecule.charges is None:
        raise InputError(
            f"{name}: states no charges of its atoms, which {force_field} does not have; give a structure with charges "
            "(.mol2, as `antechamber -c bcc` writes; .sdf with atom.dprop.PartialCharge)"
        )
    total = float(molecule.charges.sum())
    if abs(total - round(total)) > _UNEVEN:
        warn(
            f"{name}: its charges sum to {total:.5f} e, which is no whole number; they are taken as they are",
            InputWarning,
            stacklevel=2,
        )
    return molecule.charges
