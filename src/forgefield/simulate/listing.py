"""Neighbours of replicas of one large molecule, listed anew whenever an atom has moved too far."""

from dataclasses import dataclass, replace

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from forgefield.molecules.neighbour_list import neighbour_list
from forgefield.molecules.neighbours import Neighbours
from forgefield.molecules.topology import Topology

_PLACES = 16
"""Rows have room for a multiple of as many neighbours, so that programs are compiled for few lengths."""


class Lists(eqx.Module):
    """For each atom of each replica a row of neighbours, filled up with non-pairs."""

    atom: Int[Array | np.ndarray, "replicas atoms places"]
    valid: Bool[Array | np.ndarray, "replicas atoms places"]

    def in_topology(self, topology: Topology) -> Topology:
        """Return the topology with the neighbours of one replica, for lists without the axis of replicas."""
        return replace(topology, neighbours=Neighbours(atom=self.atom, shift=None, valid=self.valid))


@dataclass(frozen=True)
class Listing:
    """Up to which distance neighbours are listed. Pairs within the cut-off are in a list until an atom has moved by
    half the skin from where it was made."""

    cutoff: float
    """Å"""
    skin: float
    """Å"""

    def neighbours(self, positions: Float[Array | np.ndarray, "replicas atoms 3"]) -> Lists:
        """Return the neighbours of each replica at these positions, stacked; the same for the same positions.

        Raises InputError where a position is not finite.
        """
        x = np.asarray(positions, np.float64)
        listed = [neighbour_list(one, self.cutoff, self.skin).neighbours for one in x]
        most = max(int(np.asarray(one.valid).sum(axis=1).max(initial=0)) for one in listed)
        places = max(-(-most // _PLACES), 1) * _PLACES
        listed = [neighbour_list(one, self.cutoff, self.skin, places=places).neighbours for one in x]
        return Lists(
            atom=np.stack([np.asarray(one.atom, np.int32) for one in listed]),
            valid=np.stack([one.valid for one in listed]),
        )

    def holds(
        self, positions: Float[Array, "replicas atoms 3"], listed: Float[Array, "replicas atoms 3"]
    ) -> Bool[Array, " replicas"]:
        """Say of each replica whether lists made elsewhere hold all pairs within the cut-off. May be traced."""
        moved = jnp.sum((positions - listed) ** 2, axis=2)
        return (moved <= (0.5 * self.skin) ** 2).all(axis=1)
