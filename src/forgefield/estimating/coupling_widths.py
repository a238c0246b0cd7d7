"""How far force constants may go from zero before there are data: couplings less where one of their bonds is weak."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from forgefield import units
from forgefield.models.forcefield import ForceField
from forgefield.models.rows import Row
from forgefield.molecules.topology import Topology

_ORDINARY = 250.0
"""kcal/mol/Å²; weaker are the bonds of halogens and metals, and those that are about to break."""
_BETWEEN_STRETCHES = "stretch_stretch", "stretch_stretch_13"
_OF_STRETCHES = ("stretch_bend", *_BETWEEN_STRETCHES)
_LEAST = 0.1
"""Where a bond has next to no constant."""
_SMALLEST = 0.1 * units.MILLIDYNE_PER_ANGSTROM
"""In the units of files 0.1."""
_BETWEEN = 0.5 * units.MILLIDYNE_PER_ANGSTROM
"""Constants between stretches are 1.3 mdyn/Å in CO₂, 0.7 of neighbours in benzene, less than 0.2 in water."""


def smallest_width(kind: str) -> float:
    """Return the smallest width of a prior on a force constant of a kind of interaction, in internal units."""
    return _BETWEEN if kind in _BETWEEN_STRETCHES else _SMALLEST


def coupling_widths(
    model: ForceField, topology: Topology, rows: Sequence[Row], values: Float[np.ndarray, " parameters"]
) -> Float[np.ndarray, " parameters"]:
    """Return the factors by which priors on couplings of stretches are narrower where a bond of theirs is weak, else 1.

    They fall in proportion to the weakest of the bonds: a constant that is usual elsewhere would leave such a bond
    without one of its own, and the energy without a minimum.
    """
    constant = {row.indices[1]: row.indices[0] for row in rows if row.term.kind == "stretch"}
    weakest = np.full(len(values), np.inf)
    for term, group in zip(model.terms, topology.interactions, strict=True):
        if term.kind in _OF_STRETCHES:
            for places in np.asarray(group.parameters).tolist():
                known = [values[constant[place]] for place in places[term.n_own :] if place in constant]
                for own in places[: term.n_own]:
                    weakest[own] = min(weakest[own], *known, np.inf)
    return np.clip(weakest / _ORDINARY, _LEAST, 1.0)
