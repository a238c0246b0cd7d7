"""Charge and multiplicity of a structure: whether they are possible, and what is taken where a file does not say."""

from warnings import warn

import numpy as np
from jaxtyping import Int

from forgefield.errors import InputError, InputWarning
from forgefield.molecules.electrons import electron_problem, lowest_multiplicity


def check_electrons(source: str, species: Int[np.ndarray, " atoms"], charge: int, multiplicity: int | None) -> None:
    """Raise InputError where atoms cannot have a charge, or the multiplicity that is stated with it."""
    problem = electron_problem(species, charge, multiplicity)
    if problem:
        raise InputError(f"{source}: {problem}; state both as the job had them")


def assumed_multiplicity(source: str, species: Int[np.ndarray, " atoms"], charge: int | None) -> int:
    """Return the lowest multiplicity that electrons can have, for a file that states none.

    Where it states no charge either and 1 is impossible, an InputWarning says what is taken.
    """
    lowest = lowest_multiplicity(species, charge or 0)
    if charge is None and lowest > 1:
        said = f"{source}: states neither charge nor multiplicity, and a neutral molecule has {species.sum()} electrons"
        warn(InputWarning(f"{said}: charge 0 and multiplicity 2 are taken; state both"), stacklevel=2)
    return lowest
