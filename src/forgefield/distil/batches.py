"""References in batches that are filled up to few sizes, in an order that follows from the number of the step alone."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from forgefield.fitting.data.ladder import rung
from forgefield.molecules.molecule import Reference
from forgefield.molecules.neighbour_list import NeighbourList, neighbour_list
from forgefield.molecules.neighbours import Neighbours
from forgefield.molecules.padding import Layout, padded_unions
from forgefield.molecules.topology import Topology

_FEW = 4
"""Sizes of molecules that have a program each."""
_PAIRS = 600
"""Pairs of atoms whose features fit into the cache of a core."""
_FUSED_PAIRS = 2000
"""Where no array of pairs times features is made."""


class Batch(eqx.Module):
    """Some references as a padded union."""

    topology: Topology
    positions: Float[Array | np.ndarray, "atoms 3"]
    energy: Float[Array | np.ndarray, " molecules"]
    gradient: Float[Array | np.ndarray, "atoms 3"]
    size: Float[Array | np.ndarray, " molecules"]
    """Atoms of each molecule; 1 where there is none."""
    real: Bool[Array | np.ndarray, " molecules"]
    """Which molecules are references."""
    directions: Float[Array | np.ndarray, "atoms 3"]
    """A displacement of each molecule that has Hessian products, of the mean square 1; zero elsewhere."""
    products: Float[Array | np.ndarray, "atoms 3"]
    """Its Hessian times that [kcal/mol/Å²]."""
    atomic_energy: Float[Array | np.ndarray, " atoms"]
    """kcal/mol; NaN where there is none."""
    stress: Float[Array | np.ndarray, "molecules 3 3"]
    """kcal/mol/Å³; NaN where there is none."""
    volume: Float[Array | np.ndarray, " molecules"]
    """Å³; 1 of molecules."""


@dataclass(frozen=True)
class Sight:
    """How far atoms see in a batch with periodic references, and how many neighbours there is room for."""

    cutoff: float
    """Å"""
    places: int


def sight_of(references: Sequence[Reference], cutoff: float) -> Sight | None:
    """Return what references need; None where none of them is periodic."""
    if all(reference.lattice is None for reference in references):
        return None
    return Sight(cutoff, max(_list(reference, cutoff).places for reference in references))


def _list(reference: Reference, cutoff: float, places: int | None = None) -> NeighbourList:
    lattice = reference.lattice
    if lattice is None:
        return neighbour_list(reference.positions, cutoff, 0.0, places=places)
    return neighbour_list(reference.positions, cutoff, 0.0, lattice.vectors, lattice.periodic, places=places)


def listed(references: Sequence[Reference], layout: Layout, sight: Sight) -> Neighbours:
    """Return the neighbours of the atoms of references that are laid out so; atoms that fill up have none."""
    n = len(layout.filling) * layout.n_atoms
    atom = np.repeat(np.arange(n)[:, None] % layout.n_atoms, sight.places, axis=1)
    shift, valid = np.zeros((n, sight.places, 3)), np.zeros((n, sight.places), bool)
    for reference, in_union, start in zip(references, layout.first, layout.atoms, strict=True):
        found = _list(reference, sight.cutoff, sight.places).neighbours
        rows = slice(start, start + len(reference.species))
        atom[rows], valid[rows] = in_union + found.atom, found.valid
        if found.shift is not None:
            shift[rows] = found.shift
    return Neighbours(atom=atom, shift=shift, valid=valid)


def batch_of(
    references: Sequence[Reference],
    n_atoms: int,
    n_max: int,
    generator: np.random.Generator | None = None,
    sight: Sight | None = None,
) -> Batch:
    """Return references as a batch filled up to `n_atoms`, none having more than `n_max`.

    Of the Hessian products of each a combination is taken: the first one, or one at random where there is a generator.
    With a `sight` neighbours are listed, through the faces of cells.
    """
    layout = Layout.of_one([len(r.species) for r in references], n_atoms)
    return _laid_out(references, layout, n_max, generator, sight)


def _laid_out(
    references: Sequence[Reference],
    layout: Layout,
    n_max: int,
    generator: np.random.Generator | None,
    sight: Sight | None,
) -> Batch:
    """Return a batch of unions one after the other."""
    states = [(r.charge, r.multiplicity - 1) for r in references]
    topology, positions = padded_unions(
        [r.species for r in references], [r.positions for r in references], layout, n_max, states
    )
    if sight is not None:
        topology = replace(topology, neighbours=listed(references, layout, sight))
    n, place = len(positions), layout.molecules
    energy, size, gradient, real = np.zeros(n), np.ones(n), np.zeros((n, 3)), np.zeros(n, bool)
    directions, products, atomic = np.zeros((n, 3)), np.zeros((n, 3)), np.full(n, np.nan)
    stress, volume = np.full((n, 3, 3), np.nan), np.ones(n)
    real[place] = True
    energy[place] = [r.energy for r in references]
    size[place] = [len(r.species) for r in references]
    for reference, start, k in zip(references, layout.atoms, place, strict=True):
        stress[k] = np.nan if reference.stress is None else reference.stress
        volume[k] = 1.0 if reference.lattice is None else reference.lattice.volume
        rows = slice(start, start + len(reference.species))
        if reference.gradient is not None:
            gradient[rows] = reference.gradient
        if reference.atomic_energies is not None:
            atomic[rows] = reference.atomic_energies
        if reference.products is not None:
            directions[rows], products[rows] = combined(reference, generator)
    return Batch(topology, positions, energy, gradient, size, real, directions, products, atomic, stress, volume)


def combined(
    reference: Reference, generator: np.random.Generator | None
) -> tuple[Float[np.ndarray, "atoms 3"], Float[np.ndarray, "atoms 3"]]:
    """Return a direction of the mean square 1 among those of a reference, and the product along it."""
    assert reference.products is not None
    known = reference.products
    n = len(known.directions)
    shares = np.eye(n)[0] if generator is None else generator.normal(size=n)
    direction, value = (np.einsum("k,kax->ax", shares, one) for one in (known.directions, known.values))
    scale = 1.0 / np.sqrt(np.mean(direction**2))
    return scale * direction, scale * value


def batch_in_parts(
    references: Sequence[Reference],
    n_max: int,
    generator: np.random.Generator | None = None,
    sight: Sight | None = None,
    *,
    fused: bool = False,
) -> Batch:
    """Return references as a batch in parts of one size, which are the first axis of its arrays.

    Their number is a multiple of that of the devices; the last ones may have fewer molecules, or none. A part is a
    union of molecules; for a fused model (`Painn.fused`) each of its molecules is one, and they are the second axis.
    """
    n_parts, size = _parts(len(references), n_max * (n_max if sight is None else sight.places), fused=fused)
    shape = (n_parts, size, n_max) if fused else (n_parts, size * n_max)
    in_each, n_unions = (1, n_parts * size) if fused else (size, n_parts)
    layout = Layout.of([len(r.species) for r in references], shape[-1], in_each, n_unions)
    batch = _laid_out(references, layout, n_max, generator, sight)
    return jax.tree.map(lambda one: one.reshape(*shape, *one.shape[1:]), batch)


def _parts(n_molecules: int, pairs: int, *, fused: bool) -> tuple[int, int]:
    """Return in how many parts a batch of molecules of so many pairs of atoms each is computed, and those of a part.

    What a processor computes of one part stays in its cache; another device is given its whole share at once.
    """
    devices = jax.device_count()
    share = -(-n_molecules // devices)
    most = _FUSED_PAIRS if fused else _PAIRS
    at_once = max(most // pairs, 1) if jax.default_backend() == "cpu" else share
    parts = -(-share // at_once)
    return devices * parts, -(-n_molecules // (devices * parts))


@dataclass(frozen=True, eq=False)
class Replay:
    """Which references are new, and how many old ones come with each of them."""

    new: Bool[np.ndarray, " references"]
    ratio: float
    """Old ones for each new one."""


class Feed:
    """Batches in parts of a set of references, which may stand in a file.

    In an epoch each reference comes once, but for those that fill up the last batch of their size; what a step sees
    follows from the seed and its number. `fetch` returns the references of places; `sizes` are the atoms of each.
    With `replay` each new one comes once, and old ones as many times as its ratio says, spread evenly over batches.
    Where references are periodic, `cutoff` says how far atoms see [Å]. `fused` says whether batches are for a fused
    model.
    """

    def __init__(
        self,
        fetch: Callable[[Sequence[int]], Sequence[Reference]],
        sizes: Int[np.ndarray, " references"],
        batch: int,
        seed: int,
        replay: Replay | None = None,
        *,
        cutoff: float = 0.0,
        fused: bool = False,
    ) -> None:
        self._fetch, self._sizes, self._batch, self._seed, self._replay = fetch, sizes, batch, seed, replay
        self._cutoff, self._fused = cutoff, fused
        kinds = np.unique(sizes)
        self._filled = np.array([filled_size(int(size), kinds) for size in kinds])[np.searchsorted(kinds, sizes)]
        self._drawn = (0, self._epoch(0))
        self.steps_of_epoch = len(self._drawn[1])
        """Batches in which each reference comes once."""

    def __call__(self, step: int) -> Batch:
        """Return the batch of a step, counted from 0."""
        epoch, place = divmod(step, self.steps_of_epoch)
        if self._drawn[0] != epoch:
            self._drawn = (epoch, self._epoch(epoch))
        chosen = self._drawn[1][place]
        generator = np.random.default_rng([self._seed, 1, step])
        references = self._fetch(chosen.tolist())
        n_max, sight = int(self._filled[chosen[0]]), sight_of(references, self._cutoff)
        return batch_in_parts(references, n_max, generator, sight, fused=self._fused)

    def _epoch(self, epoch: int) -> list[Int[np.ndarray, " chosen"]]:
        """Return the places of the references of each batch of an epoch."""
        generator = np.random.default_rng([self._seed, 0, epoch])
        batches = []
        for size in np.unique(self._filled):
            own = self._drawn_of(np.flatnonzero(self._filled == size), generator)
            n = min(self._batch, max(len(own), 1))
            # The first ones fill up the last batch.
            own = np.concatenate([own, own[: -len(own) % n]])
            batches += [*own.reshape(-1, n)]
        return [batches[k] for k in generator.permutation(len(batches))]

    def _drawn_of(
        self, places: Int[np.ndarray, " places"], generator: np.random.Generator
    ) -> Int[np.ndarray, " drawn"]:
        """Return those of one size that an epoch has, in the order in which batches take them."""
        if self._replay is None:
            return generator.permutation(places)
        is_new = self._replay.new
        new, old = (generator.permutation(some) for some in (places[is_new[places]], places[~is_new[places]]))
        # Of each size the same share, lest the number of batches changes from one epoch to the next.
        share = self._replay.ratio * np.sum(is_new) / max(np.sum(~is_new), 1)
        old = np.resize(old, round(share * len(old)))
        # Spread evenly: each stands where its number says among its own kind.
        rank = np.concatenate([(np.arange(len(some)) + 0.5) / max(len(some), 1) for some in (new, old)])
        return np.concatenate([new, old])[np.argsort(rank, kind="stable")]


def filled_size(size: int, sizes: Int[np.ndarray, " references"]) -> int:
    """Return the number of atoms that a molecule is filled up to among others of these sizes."""
    own = np.unique(sizes)
    if len(own) <= _FEW:
        return size
    return rung(size)


def in_order(references: Sequence[Reference], batch: int, cutoff: float = 0.0) -> Iterator[tuple[list[int], Batch]]:
    """Yield all references once, largest first, with their places; atoms of periodic ones see up to `cutoff` [Å]."""
    sizes = np.array([len(r.species) for r in references])
    for first in range(0, len(sizes), batch):
        chosen = np.argsort(-sizes, kind="stable")[first : first + batch]
        n_max = filled_size(int(sizes[chosen].max()), sizes)
        some = [references[k] for k in chosen]
        yield chosen.tolist(), batch_of(some, n_max * batch, n_max, sight=sight_of(some, cutoff))
