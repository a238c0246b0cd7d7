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
    `reference` and `model` are eigenvalues [kcal/mol/Å²/amu], neighbours in value next to each other. Within a
    degenerate set of the reference the overlaps are arbitrary, so the set's partners are sorted.
    """
    _, partner = linear_sum_assignment(overlaps, maximize=True)
    for members in degenerate_sets(reference):
        chosen = partner[members]
        partner[members] = chosen[np.argsort(model[chosen], kind="stable")]
    return partner


def matched_overlaps(
    overlaps: Float[np.ndarray, "modes modes"],
    partner: Int[np.ndarray, " modes"],
    reference: Float[np.ndarray, " modes"],
) -> Float[np.ndarray, " modes"]:
    """Return how much of each reference mode is in its partner, or in the partners of its degenerate set."""
    shared = np.zeros(len(partner))
    for members in degenerate_sets(reference):
        shared[members] = overlaps[np.ix_(members, partner[members])].sum(axis=1)
    return shared


def degenerate_sets(eigenvalues: Float[np.ndarray, " modes"]) -> list[Int[np.ndarray, " _"]]:
    """Return the modes in sets of neighbours closer than `DEGENERATE`."""
    # A reaction mode whose eigenvalue was replaced is out of order, and its neighbour far away.
    apart = np.abs(np.diff(signed_frequencies(eigenvalues))) > DEGENERATE
    return np.split(np.arange(len(eigenvalues)), np.flatnonzero(apart) + 1)
