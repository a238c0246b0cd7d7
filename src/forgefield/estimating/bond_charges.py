"""Bond moments, or bond charge increments, that give atoms charges nearest to those of the references."""

import numpy as np
from jaxtyping import Bool, Float, Int

from forgefield.molecules.topology import ChargeRule


def nearest_moments(
    rule: ChargeRule,
    values: Float[np.ndarray, " parameters"],
    charges: Float[np.ndarray, " atoms"],
    known: Bool[np.ndarray, " atoms"],
) -> tuple[Int[np.ndarray, " moments"], Float[np.ndarray, " moments"]]:
    """Return where the moments stand that act on atoms with `known` charges [e], and their values by least squares.

    Charges are linear in moments. Where rings leave a combination of moments open, it is the one of smallest norm.
    """
    ends = known[rule.atom]
    places, column = np.unique(np.asarray(rule.moment)[ends], return_inverse=True)
    design = np.zeros((len(known), len(places)))
    np.add.at(design, (rule.atom[ends], column), rule.sign[ends] / values[rule.length[ends]])
    found, *_ = np.linalg.lstsq(design[known], (charges - rule.formal)[known], rcond=None)
    return places, found
