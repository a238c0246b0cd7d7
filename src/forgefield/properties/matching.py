"""Which mode of a model is which mode of the reference: assignment by overlap."""

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import linear_sum_assignment

from forgefield.properties.modes import signed_frequencies

DEGENERATE = 1.0
"""Reference modes closer than this [cm⁻¹] are one set, compared by sorted values."""


def match_modes(
    overlaps: Float[np.ndarray, "modes modes"],
    reference: Float[np.ndarray, " modes"],
    model: Float[np.ndarray, " modes"],
) -> Int[np.ndarray, " modes"]:
    """Return for each reference mode the model's mode that it is compared with.

    `overlaps[a, b]` is |q_a · v_b|² of reference mode a and model mode b; their sum is made maximal.
    `reference` and `model` are eigenvalues [kcal/mol/Å²/amu], the reference's ascending. Within a
    degenerate set of the reference the overlaps are arbitrary, so the set's partners are sorted.
    """
    _, partner = linear_sum_assignment(overlaps, maximize=True)
    frequencies = signed_frequencies(reference)
    for members in np.split(np.arange(len(frequencies)), np.flatnonzero(np.diff(frequencies) > DEGENERATE) + 1):
        chosen = partner[members]
        partner[members] = chosen[np.argsort(model[chosen], kind="stable")]
    return partner
