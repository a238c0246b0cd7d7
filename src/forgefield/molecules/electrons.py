"""Which charges and multiplicities a molecule can have."""

import numpy as np
from jaxtyping import Int

_MOST_GAINED = 4
"""Electrons that each atom may have gained; no anion is near this."""


def electron_problem(species: Int[np.ndarray, " atoms"], charge: int, multiplicity: int | None = None) -> str:
    """Say why atoms cannot have this charge, or this multiplicity with it; an empty text where they can."""
    nuclear = int(np.sum(species))
    n_electrons = nuclear - charge
    if not 0 <= n_electrons <= nuclear + _MOST_GAINED * len(species):
        return f"the charge {charge} is impossible for {len(species)} atom(s) with {nuclear} electrons when neutral"
    if multiplicity is None:
        return ""
    unpaired = multiplicity - 1
    if 0 <= unpaired <= n_electrons and (n_electrons - unpaired) % 2 == 0:
        return ""
    fitting = "an even" if n_electrons % 2 else "an odd"
    return (
        f"{n_electrons} electrons (charge {charge}) cannot have multiplicity {multiplicity}; "
        f"they have {fitting} one from {1 + n_electrons % 2} to {n_electrons + 1}"
    )


def lowest_multiplicity(species: Int[np.ndarray, " atoms"], charge: int) -> int:
    """Return 1 for an even number of electrons, 2 for an odd one."""
    return 1 + int(np.sum(species) - charge) % 2
