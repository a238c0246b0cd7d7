"""What outputs print a second time: whether the geometry and the energy that were read are those of the program."""

import re

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.io.qm.programs.printout import Printout

_REPULSION = re.compile(r"nuclear +repulsion[^\n\d]*?[ =:](\d+\.\d+)", re.IGNORECASE)
_REPULSION_AGREES = 1e-5
"""As a share of it; what rounded coordinates and other values of the Bohr radius make of it is below 2e-6."""
_ENERGY_AGREES = 2e-6 * units.HARTREE
"""kcal/mol"""
_OTHER_CHARGES = ("ECP", "ecp", "ffective core", "EFFECTIVE CORE", "seudopotential", "oint charge", "NDO", "PM3")
"""Words of outputs in which the charges of nuclei are not those of the elements, as in semiempirical methods, or not
all that repel each other."""


def repulsion_of(species: Int[np.ndarray, " atoms"], positions: Float[np.ndarray, "atoms 3"]) -> float:
    """Return how nuclei [Å] repel each other [Hartree]."""
    i, j = np.triu_indices(len(species), 1)
    distances = np.linalg.norm(positions[i] - positions[j], axis=1) / units.BOHR
    with np.errstate(divide="ignore"):
        return float((species[i] * species[j] / distances).sum())


def same_repulsion(printed: float, repulsion: float) -> bool:
    """Say whether a printed repulsion is the one that was computed, but for rounding."""
    return abs(printed - repulsion) <= _REPULSION_AGREES * repulsion


def has_other_charges(printout: Printout) -> bool:
    """Say whether nuclei may have other charges than those of their elements."""
    return any(word in printout.text for word in _OTHER_CHARGES)


def check_repulsion(
    printout: Printout, place: int, species: Int[np.ndarray, " atoms"], positions: Float[np.ndarray, "atoms 3"]
) -> None:
    """Raise InputError where no repulsion of the nuclei that is printed behind a place is that of a geometry [Å]."""
    found = printout.matches(_REPULSION, place)
    if not found or len(species) < 2:
        return
    printed = printout.numbers(found[0].start(), [match[1] for match in found], "nuclear repulsion")
    repulsion = repulsion_of(species, positions)
    closest = float(printed[np.abs(printed - repulsion).argmin()])
    if not same_repulsion(closest, repulsion) and not has_other_charges(printout):
        raise printout.wrong(
            place,
            f"the nuclei of the geometry that begins here repel each other by {repulsion:.6f} Hartree, printed is "
            f"{closest:.6f}; the file is damaged",
        )


def check_energy(printout: Printout, place: int, energy: float | None, pattern: re.Pattern[str]) -> None:
    """Raise InputError where an energy [kcal/mol] is printed again [Hartree] behind a place, but nowhere the same."""
    found = printout.matches(pattern, place)
    if energy is None or not found:
        return
    again = printout.numbers(found[-1].start(), [match[1] for match in found], "energy") * units.HARTREE
    apart = np.abs(again - energy)
    if apart.min() > _ENERGY_AGREES:
        raise printout.wrong(
            found[-1].start(),
            f"the energy is {energy / units.HARTREE:.8f} Hartree, and where it is printed again "
            f"{again[apart.argmin()] / units.HARTREE:.8f}; the file is damaged",
        )
