"""How stiff a bond can be at most: twice what is known of bonds of its elements and its length.

Badger's rule, k = 1.86 mdyn/Å · (Å / (r - d))³ with a shift d for each pair of periods: R. M. Badger, J. Chem. Phys.
1934, 2, 128; 1935, 3, 710. His shifts stand for hydrogen and the first two rows; those of heavier elements make the
rule exact for diatomic molecules (HI, BrF, IF, BrCl, ICl, Br2, IBr, I2) of K. P. Huber and G. Herzberg, Constants of
Diatomic Molecules, 1979.
"""

import numpy as np
from jaxtyping import Float, Int

from forgefield import units
from forgefield.models.forcefield import ForceField
from forgefield.molecules.measure import lengths
from forgefield.molecules.topology import Topology

_BADGER = 1.86 * units.MILLIDYNE_PER_ANGSTROM
_LAST = np.array([2, 10, 18, 36])
"""The last element of each period; those beyond count as one."""
_SHIFT = np.array(
    [
        [0.025, 0.335, 0.585, 0.650, 0.77],
        [0.335, 0.680, 0.900, 0.99, 1.11],
        [0.585, 0.900, 1.180, 1.27, 1.40],
        [0.650, 0.99, 1.27, 1.37, 1.50],
        [0.77, 1.11, 1.40, 1.50, 1.64],
    ]
)
"""Å, by the periods of both atoms."""
_ABOVE = 1.6
"""So far above the rule lie single bonds, such as C-C with 4.5 mdyn/Å at 1.54 Å."""
_MOST = 25.0 * units.MILLIDYNE_PER_ANGSTROM
"""No bond is stiffer, whatever its length: N2 has 22.9, NO⁺ 24.8 mdyn/Å."""
_UNSEEN = 2.0
"""So many times stiffer than any known one is no bond."""
_SADDLE = 20.8 * units.MILLIDYNE_PER_ANGSTROM
"""At the least, for bonds of transition states, which are long for what a policy makes of their eigenvalue."""


def stiffest(
    species: Int[np.ndarray, "bonds 2"], bond_lengths: Float[np.ndarray, " bonds"]
) -> Float[np.ndarray, " bonds"]:
    """Return the force constant [kcal/mol/Å²] above which a bond of these elements and length [Å] is unphysical."""
    first, second = np.searchsorted(_LAST, species.T)
    beyond = np.maximum(bond_lengths - _SHIFT[first, second], 0.1)
    return _UNSEEN * np.minimum(_ABOVE * _BADGER / beyond**3, _MOST)


def stiffest_rows(
    model: ForceField, topology: Topology, positions: Float[np.ndarray, "atoms 3"], saddles: Int[np.ndarray, " saddles"]
) -> Float[np.ndarray, " parameters"]:
    """Return the largest such constant among the bonds of each row, at the place of its constant; NaN elsewhere.

    `saddles` are the molecules that are transition states.
    """
    limits = np.full(len(model.values), np.nan)
    for term, group in zip(model.terms, topology.interactions, strict=True):
        if term.kind != "stretch":
            continue
        # Behind a term's own atoms may stand the parents of shifted centres.
        atoms = np.asarray(group.atoms)[:, :2]
        each = stiffest(np.asarray(topology.species)[atoms], lengths(positions[atoms]))
        partial = np.isin(np.asarray(topology.molecule)[atoms[:, 0]], saddles)
        np.fmax.at(limits, np.asarray(group.parameters)[:, 0], np.where(partial, np.maximum(each, _SADDLE), each))
    return limits
