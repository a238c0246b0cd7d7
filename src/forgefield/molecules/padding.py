"""Unions of molecules filled up to a fixed size, so that programs are compiled for few sizes only."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from forgefield.molecules.topology import Topology

_APART = 1e3
"""Å between the atoms that fill up; any distance would do, since they do not see each other."""


@dataclass(frozen=True, eq=False)
class Layout:
    """Where molecules stand in unions of one size, which follow each other."""

    n_atoms: int
    """Of each union, which has as many molecules."""
    union: Int[np.ndarray, " given"]
    """Of each molecule."""
    number: Int[np.ndarray, " given"]
    """Of each molecule in its union."""
    first: Int[np.ndarray, " given"]
    """Atom of each molecule in its union."""
    filling: Int[np.ndarray, " unions"]
    """Atom of each union from which on it is filled up."""

    @classmethod
    def of(cls, sizes: Sequence[int], n_atoms: int, in_each: int, n_unions: int) -> "Layout":
        """Return that of molecules of so many atoms, so many in each union; the last ones may have fewer, or none."""
        given = np.arange(len(sizes))
        union, number = np.divmod(given, in_each)
        filled = np.zeros((n_unions, in_each), dtype=np.int64)
        filled[union, number] = sizes
        ends = np.cumsum(filled, axis=1)
        assert ends.max(initial=0) <= n_atoms, "more atoms than there is room for"
        return cls(n_atoms, union, number, (ends - filled)[union, number], ends[:, -1])

    @classmethod
    def of_one(cls, sizes: Sequence[int], n_atoms: int) -> "Layout":
        """Return that of molecules of so many atoms in a single union."""
        return cls.of(sizes, n_atoms, len(sizes), 1)

    @property
    def atoms(self) -> Int[np.ndarray, " given"]:
        """First atom of each molecule among those of all unions."""
        return self.union * self.n_atoms + self.first

    @property
    def molecules(self) -> Int[np.ndarray, " given"]:
        """Number of each molecule among those of all unions."""
        return self.union * self.n_atoms + self.number


def padded_unions(
    species: Sequence[Int[np.ndarray, " _"]],
    positions: Sequence[Float[np.ndarray, "_ 3"]],
    layout: Layout,
    n_max: int,
    states: Sequence[tuple[int, int]] | None = None,
) -> tuple[Topology, Float[np.ndarray, "atoms 3"]]:
    """Return the unions of a layout, none of whose molecules has more than `n_max` atoms, one after the other.

    Numbers of molecules begin anew in each. The given molecules come first in theirs; each atom that fills up is a
    molecule of its own, and the molecules after these are empty. `states` are charge and unpaired electrons of each.
    """
    n_unions, n_atoms = len(layout.filling), layout.n_atoms
    assert max(map(len, species), default=0) <= n_max, "a molecule is too large"
    lone = np.maximum(np.arange(n_atoms)[None] - layout.filling[:, None], 0)
    kinds, slot = np.full(n_unions * n_atoms, species[0][0]), np.zeros(n_unions * n_atoms, np.int64)
    molecule = (np.bincount(layout.union, minlength=n_unions)[:, None] + lone).ravel()
    where = np.zeros((n_unions * n_atoms, 3))
    where[:, 0] = _APART * lone.ravel()
    for own, x, number, first in zip(species, positions, layout.number, layout.atoms, strict=True):
        rows = slice(first, first + len(own))
        kinds[rows], where[rows], molecule[rows], slot[rows] = own, x, number, np.arange(len(own))
    charge, unpaired = np.zeros((2, n_unions * n_atoms), np.int64)
    if states is not None:
        charge[layout.molecules], unpaired[layout.molecules] = np.transpose(states)
    topology = Topology(
        species=kinds,
        molecule=molecule,
        slot=slot,
        interactions=(),
        charges=None,
        n_molecules=n_atoms,
        n_max=n_max,
        charge=None if states is None else charge,
        unpaired=None if states is None else unpaired,
    )
    return topology, where


def padded_union(
    species: Sequence[Int[np.ndarray, " _"]],
    positions: Sequence[Float[np.ndarray, "_ 3"]],
    n_atoms: int,
    n_max: int,
    states: Sequence[tuple[int, int]] | None = None,
) -> tuple[Topology, Float[np.ndarray, "atoms 3"]]:
    """Return molecules as one union of `n_atoms` atoms and as many molecules, as `padded_unions` does."""
    layout = Layout.of_one([len(s) for s in species], n_atoms)
    return padded_unions(species, positions, layout, n_max, states)
