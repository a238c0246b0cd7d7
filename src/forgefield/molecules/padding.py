"""Unions of molecules filled up to a fixed size, so that programs are compiled for few sizes only."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from forgefield.molecules.topology import Topology

_APART = 1e3
"""Å between the atoms that fill up; any distance would do, since they do not see each other."""


def padded_union(
    species: Sequence[Int[np.ndarray, " _"]],
    positions: Sequence[Float[np.ndarray, "_ 3"]],
    n_atoms: int,
    n_max: int,
    states: Sequence[tuple[int, int]] | None = None,
) -> tuple[Topology, Float[np.ndarray, "atoms 3"]]:
    """Return molecules as a union of `n_atoms` atoms and as many molecules, none of more than `n_max` atoms.

    The given molecules come first. Each atom that fills up is a molecule of its own; the molecules after these are
    empty. `states` are charge and unpaired electrons of each molecule.
    """
    sizes = np.array([len(s) for s in species], dtype=np.int64)
    filling = n_atoms - int(sizes.sum())
    assert filling >= 0, "more atoms than there is room for"
    assert sizes.max(initial=0) <= n_max, "a molecule is too large"
    lone = np.arange(filling)
    where = np.zeros((filling, 3))
    where[:, 0] = _APART * lone
    topology = Topology(
        species=np.concatenate([*species, np.full(filling, species[0][0])]),
        molecule=np.concatenate([np.repeat(np.arange(len(sizes)), sizes), len(sizes) + lone]),
        slot=np.concatenate([*(np.arange(n) for n in sizes), np.zeros(filling, np.int64)]),
        interactions=(),
        charges=None,
        n_molecules=n_atoms,
        n_max=n_max,
        charge=None if states is None else _filled([charge for charge, _ in states], n_atoms),
        unpaired=None if states is None else _filled([unpaired for _, unpaired in states], n_atoms),
    )
    return topology, np.concatenate([*positions, where])


def padded_each(
    species: Sequence[Int[np.ndarray, " _"]],
    positions: Sequence[Float[np.ndarray, "_ 3"]],
    n_max: int,
    states: Sequence[tuple[int, int]],
) -> tuple[Topology, Float[np.ndarray, "atoms 3"]]:
    """Return a union of `n_max` atoms for each molecule, one after the other and each numbered by itself.

    Arrays whose first axis is split into molecules and `n_max` are those of a batch of unions.
    """
    n, at = len(species), np.arange(n_max)[None]
    size = np.array([len(s) for s in species], dtype=np.int64)[:, None]
    assert size.max() <= n_max, "a molecule is too large"
    kinds, where = np.empty((n, n_max), np.int64), np.zeros((n, n_max, 3))
    kinds[:], where[..., 0] = [[s[0]] for s in species], _APART * (at - size)
    for k, (own, x) in enumerate(zip(species, positions, strict=True)):
        kinds[k, : len(own)], where[k, : len(own)] = own, x
    state = np.zeros((2, n, n_max), dtype=np.int64)
    state[:, :, 0] = np.transpose(states)
    topology = Topology(
        species=kinds.reshape(-1),
        molecule=np.maximum(at - size + 1, 0).reshape(-1),
        slot=np.where(at < size, at, 0).reshape(-1),
        interactions=(),
        charges=None,
        n_molecules=n_max,
        n_max=n_max,
        charge=state[0].reshape(-1),
        unpaired=state[1].reshape(-1),
    )
    return topology, where.reshape(-1, 3)


def _filled(values: list[int], n: int) -> Int[np.ndarray, " molecules"]:
    return np.array(values + [0] * (n - len(values)), dtype=np.int64)
