"""Which atoms see which: every pair of a small molecule, or a list with a skin for large and periodic systems."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

IntArray = Array | np.ndarray


class Neighbours(eqx.Module):
    """For each atom a row of neighbours, each pair in the rows of both its atoms; rows are filled up with non-pairs."""

    atom: Int[IntArray, "#atoms places"]
    """The neighbour, an atom of the batch; one row serves all atoms where theirs are the same."""
    shift: Float[IntArray, "atoms places 3"] | None
    """Where periodic: the lattice vector [Å] added to the neighbour's position."""
    valid: Bool[IntArray, "atoms places"]
    """Whether there is a neighbour in this place."""


def all_pairs(
    molecule: Int[IntArray, " atoms"], slot: Int[IntArray, " atoms"], n_molecules: int, n_max: int
) -> Neighbours:
    """Return all pairs of atoms of the same molecule. The arrays may be traced."""
    molecule, slot = jnp.asarray(molecule), jnp.asarray(slot)
    size = jax.ops.segment_sum(jnp.ones_like(molecule), molecule, n_molecules, indices_are_sorted=True)
    place = jnp.arange(max(n_max - 1, 1), dtype=slot.dtype)[None, :]
    other = place + (place >= slot[:, None]).astype(slot.dtype)
    valid = other < size[molecule][:, None]
    own = jnp.arange(molecule.shape[0], dtype=slot.dtype)[:, None]
    return Neighbours(atom=jnp.where(valid, own - slot[:, None] + other, own), shift=None, valid=valid)


def pairs_of_one(molecule: Int[IntArray, " atoms"]) -> Neighbours:
    """Return all pairs of atoms of the same molecule in a batch that is hardly more than one; it may be traced.

    Every atom has all atoms in its row, itself among those that are none of its neighbours: what they send is looked
    up once for all.
    """
    molecule = jnp.asarray(molecule)
    own = jnp.arange(molecule.shape[0])
    valid = (molecule[:, None] == molecule[None]) & (own[:, None] != own[None])
    return Neighbours(atom=own[None], shift=None, valid=valid)
