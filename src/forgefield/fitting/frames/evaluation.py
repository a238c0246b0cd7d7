"""What a force field says at many structures of a molecule, by the programs that a fit to them uses."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from forgefield.fitting.frames.columns import answers, parts_of
from forgefield.fitting.frames.frames import Frames
from forgefield.molecules.topology import Topology
from forgefield.terms.term import Term


class Said(NamedTuple):
    """Energies, gradients and Hessian products along the directions of the structures."""

    energy: Float[np.ndarray, " frames"]
    """kcal/mol"""
    gradient: Float[np.ndarray, "frames atoms 3"]
    """kcal/mol/Å"""
    products: Float[np.ndarray, "frames directions atoms 3"]
    """kcal/mol/Å²"""


def said(
    terms: Sequence[Term], topology: Topology, molecule: int, known: Float[np.ndarray, " values"], frames: Frames
) -> Said:
    """Return what a force field with the `known` values, and the charges behind them, says of one molecule."""
    parts, _ = parts_of(terms, topology, molecule, known)
    found = [told for _, told in answers(parts, 1, frames)]
    return Said(
        np.concatenate([one.energy[0] for one in found]),
        np.concatenate([np.moveaxis(one.gradient[0], 0, 1) for one in found]),
        np.concatenate([one.products[0].transpose(2, 1, 0, 3) for one in found]),
    )
