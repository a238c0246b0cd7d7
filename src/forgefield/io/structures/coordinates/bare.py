"""Positions that are those of the atoms of a topology, in its order."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

WITHOUT_ELEMENTS = (
    "holds positions without elements; give it with the topology that it belongs to (.prmtop, .top, .lmp, .key), or a "
    "structure file that names the elements (.xyz, .pdb)"
)
"""What such a file lacks where none is given."""


@dataclass(frozen=True, eq=False)
class Bare:
    """What such a file holds."""

    positions: Float[np.ndarray, "atoms 3"]
    """Å"""
    names: tuple[str, ...] | None = None
    """Of the atoms, where it states them."""
