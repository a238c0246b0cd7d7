"""Which charges and multiplicities a molecule can have."""

import numpy as np
from jaxtyping import Int


def possible_state(species: Int[np.ndarray, " atoms"], charge: int, multiplicity: int) -> bool:
    """Say whether a molecule of these atomic numbers can have a charge [e] together with a multiplicity (2S + 1).

    The electrons left must be as even as those paired, enough for those unpaired, and at most twice as many as the
    nuclei hold.
    """
    protons = int(np.sum(species))
    electrons, unpaired = protons - charge, multiplicity - 1
    return 0 <= unpaired <= electrons <= 2 * protons and (electrons - unpaired) % 2 == 0


def impossible_state(species: Int[np.ndarray, " atoms"], charge: int, multiplicity: int) -> str:
    """Return why `possible_state` is false, and what would do."""
    protons = int(np.sum(species))
    electrons = protons - charge
    if not 0 <= electrons <= 2 * protons:
        return f"a charge of {charge:+d} leaves {electrons} electrons to nuclei that hold {protons}; check the charge"
    fitting = "an even" if electrons % 2 else "an odd"
    return (
        f"{electrons} electrons (charge {charge:+d}) cannot have multiplicity {multiplicity}; "
        f"they have {fitting} one from {1 + electrons % 2} to {electrons + 1}"
    )
