"""The integers that describe a batch: a disjoint union of molecules."""

from collections.abc import Iterable

import equinox as eqx
import numpy as np
from jaxtyping import Array, Float, Int

from forgefield.molecules.neighbours import Neighbours

IntArray = Array | np.ndarray


class Interactions(eqx.Module):
    """All interactions of one term in all molecules of a batch."""

    atoms: Int[IntArray, "interactions order"]
    """Atoms of the batch."""
    parameters: Int[IntArray, "interactions parameters"]
    """Where each parameter of the term stands in the model's flat vector of values."""


class ChargeRule(eqx.Module):
    """How atomic charges follow from bond moments: q = formal + Σ sign μ / r0 over the bonds of an atom.

    A bond charge increment is a moment over a length of 1 Å. What one end of a bond gains the other loses, so that
    the charge of a molecule is the sum of its formal charges whatever the moments are. The charge of atom `a` of the
    batch is parameter `n + a` of an interaction, n being the number of the model's values.
    """

    formal: Float[IntArray, " atoms"]
    """e; the charge of an ion may be spread over its atoms."""
    atom: Int[IntArray, " ends"]
    """The atom at this end of a bond."""
    moment: Int[IntArray, " ends"]
    """Where the bond moment [e·Å], or the bond charge increment [e], stands in the values."""
    length: Int[IntArray, " ends"]
    """Where the reference length [Å] stands in the values; for an increment, a constant 1."""
    sign: Int[IntArray, " ends"]

    @classmethod
    def of(cls, formal: Float[np.ndarray, " atoms"], ends: Iterable[tuple[int, int, int, int]]) -> "ChargeRule":
        """Return the rule of these ends: atom, places of moment and length, sign."""
        atom, moment, length, sign = np.array(list(ends), dtype=np.int64).reshape(-1, 4).T
        return cls(formal, atom, moment, length, sign)


class Topology(eqx.Module):
    """A batch of molecules: the atoms of all molecules one after another, and their interactions.

    `interactions` has one entry for each term of the force field, in its order; a neural model needs none.
    """

    species: Int[IntArray, " atoms"]
    """Atomic numbers."""
    molecule: Int[IntArray, " atoms"]
    """Which molecule an atom belongs to, ascending."""
    slot: Int[IntArray, " atoms"]
    """The place of an atom in its own molecule."""
    interactions: tuple[Interactions, ...]
    charges: ChargeRule | None
    n_molecules: int = eqx.field(static=True)
    n_max: int = eqx.field(static=True)
    """Atoms of the largest molecule."""
    neighbours: Neighbours | None = None
    """Which atoms a neural model lets interact; None stands for all pairs of each molecule, in vacuum."""
    charge: Int[IntArray, " molecules"] | None = None
    """Charge of each molecule [e], for neural models that take it into account."""
    unpaired: Int[IntArray, " molecules"] | None = None
    """Unpaired electrons of each molecule, likewise."""

    @property
    def n_atoms(self) -> int:
        """Number of atoms in the batch."""
        return self.species.shape[0]


def union(
    species: list[Int[np.ndarray, " _"]],
    interactions: tuple[Interactions, ...] = (),
    charges: ChargeRule | None = None,
) -> Topology:
    """Return the topology of molecules with these atomic numbers, one array per molecule."""
    sizes = np.array([len(s) for s in species], dtype=np.int64)
    return Topology(
        species=np.concatenate(species),
        molecule=np.repeat(np.arange(len(sizes)), sizes),
        slot=np.concatenate([np.arange(n) for n in sizes]),
        interactions=interactions,
        charges=charges,
        n_molecules=len(sizes),
        n_max=int(sizes.max()),
    )
