"""The integers that describe a batch: a disjoint union of molecules."""

import equinox as eqx
import numpy as np
from jaxtyping import Array, Int


class Interactions(eqx.Module):
    """All interactions of one term in all molecules of a batch."""

    atoms: Int[Array | np.ndarray, "interactions order"]
    """Atoms of the batch."""
    parameters: Int[Array | np.ndarray, "interactions parameters"]
    """Where each parameter of the term stands in the model's flat vector of values."""


class Topology(eqx.Module):
    """A batch of molecules: the atoms of all molecules one after another, and their interactions.

    `interactions` has one entry for each term of the force field, in its order; a neural model needs none.
    """

    species: Int[Array | np.ndarray, " atoms"]
    """Atomic numbers."""
    molecule: Int[Array | np.ndarray, " atoms"]
    """Which molecule an atom belongs to, ascending."""
    slot: Int[Array | np.ndarray, " atoms"]
    """The place of an atom in its own molecule."""
    interactions: tuple[Interactions, ...]
    n_molecules: int = eqx.field(static=True)
    n_max: int = eqx.field(static=True)
    """Atoms of the largest molecule."""

    @property
    def n_atoms(self) -> int:
        """Number of atoms in the batch."""
        return self.species.shape[0]


def batch(
    species: list[Int[np.ndarray, " _"]], interactions: tuple[Interactions, ...] = ()
) -> Topology:
    """Return the topology of molecules with these atomic numbers, one array per molecule."""
    sizes = np.array([len(s) for s in species], dtype=np.int64)
    return Topology(
        species=np.concatenate(species),
        molecule=np.repeat(np.arange(len(sizes)), sizes),
        slot=np.concatenate([np.arange(n) for n in sizes]),
        interactions=interactions,
        n_molecules=len(sizes),
        n_max=int(sizes.max()),
    )
