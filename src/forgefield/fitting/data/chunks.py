"""A training set cut into chunks of one shape, so that one program serves any number of molecules in little memory."""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import equinox as eqx
import jax
import numpy as np
from jaxtyping import Array, Int

from forgefield.fitting.data.ladder import Room, filled, grown, has_rung, widened
from forgefield.fitting.data.training_set import OF_MOLECULES, Bucket, TrainingSet, buckets
from forgefield.models.forcefield import ForceField, select
from forgefield.models.model import AbstractModel, Selection
from forgefield.molecules.topology import ChargeRule, Interactions, Topology

ATOMS = 600
"""A chunk holds about as many atoms: its arrays then fit the caches of a processor."""
_SPARE = np.array(
    [
        [0.0, 0.0, 0.0],
        [1.5, 0.1, 0.0],
        [2.1, 1.4, 0.2],
        [3.4, 1.6, 1.1],
        [4.0, 3.0, 1.0],
        [5.3, 3.1, 2.2],
        [6.0, 4.3, 2.0],
    ]
)
"""Å; atoms in no special position, on which the padding of interactions acts."""

_NOWHERE = np.iinfo(np.int32).max
"""A column that nothing has."""


class Chunks(eqx.Module):
    """Chunks of a training set and what is selected of each; the leading axis of every array counts chunks.

    In a chunk, all molecules of the set that it lacks, and the padding of interactions, belong to spare molecules
    without data.
    """

    data: TrainingSet
    selection: Selection
    molecule: Int[Array, "chunks slots"]
    """Which molecule of the set each molecule of a chunk is; their number where it is a spare one."""
    place: Int[np.ndarray, " molecules"]
    """Where each molecule of the set stands among the molecules of all chunks."""

    def gathered(self, found):
        """Return what was found for the molecules of all chunks, [chunks, slots, ...], in the order of the set."""
        return found.reshape(-1, *found.shape[2:])[self.place]


def chunks(data: TrainingSet, n_values: int, wanted: Int[np.ndarray, " columns"]) -> Chunks:
    """Return a training set cut into chunks, with derivatives selected by these places in the model's values."""
    topology = data.topology
    n_atoms = np.bincount(topology.molecule, minlength=topology.n_molecules)
    n_chunks = max(1, round(topology.n_atoms / ATOMS))
    # Dealt out by size, every chunk has molecules of about the same sizes in the same places.
    by_size = np.argsort(-n_atoms, kind="stable")
    dealt = [by_size[c::n_chunks] for c in range(n_chunks)]
    if n_chunks == 1:
        dealt = [np.arange(topology.n_molecules)]
    cutter = _Cutter(data, n_values, dealt)
    parts = [cutter.cut(members) for members in dealt]
    whole = select(topology, n_values, wanted)
    selections = [cutter.cut_selection(members, whole) for members in dealt]
    slots = parts[0].topology.n_molecules
    molecule = np.full((n_chunks, slots), topology.n_molecules)
    for c, members in enumerate(dealt):
        molecule[c, : len(members)] = members
    places = np.full(topology.n_molecules + 1, -1)
    places[molecule.ravel()] = np.arange(molecule.size)
    return Chunks(_stacked(parts), _stacked(selections), jax.device_put(molecule), places[:-1])


def on_ladder(data: TrainingSet, n_values: int) -> TrainingSet:
    """Return a small training set filled up to the sizes of its rung, for a model of so many values."""
    if not has_rung(data):
        return data
    everyone = np.arange(data.topology.n_molecules)
    room = Room.of(data)
    return _Cutter(widened(data, room), n_values, [everyone], room).cut(everyone)


def both_on_ladder(model: AbstractModel, data: TrainingSet) -> tuple[AbstractModel, TrainingSet]:
    """Return a force field and a small training set filled up to the sizes of their rung; other models as they are."""
    if not model.traits.of_terms:
        return model, data
    laid = cast(ForceField, model)
    return filled(laid, data), on_ladder(data, laid.values.shape[0])


def without_interactions(data: TrainingSet) -> TrainingSet:
    """Return the references alone, which need no force field, on their rung."""
    return on_ladder(replace(data, topology=replace(data.topology, interactions=(), charges=None)), 0)


def chunks_on_ladder(whole: Chunks, n_values: int) -> Chunks:
    """Return a small training set that is a single chunk, and what is selected of it, on its rung."""
    data, selection = jax.tree.map(lambda leaf: np.asarray(leaf)[0], (whole.data, whole.selection))
    if len(whole.molecule) > 1 or not has_rung(data):
        return whole
    everyone, room = np.arange(data.topology.n_molecules), Room.of(data)
    cutter = _Cutter(widened(data, room), n_values, [everyone], room)
    molecule = grown(whole.molecule, None, cutter.n_slots + 1, value=len(whole.place))
    part, selected = _stacked([cutter.cut(everyone)]), _stacked([cutter.cut_selection(everyone, selection)])
    return Chunks(part, selected, jax.device_put(molecule), whole.place)


def _stacked(parts: Sequence):
    """Return pytrees of one shape as one whose arrays have an axis more, in the memory of the device."""
    return jax.tree.map(lambda *leaves: jax.device_put(np.stack(leaves)), *parts)


class _ByMolecule:
    """Which things belong to which molecule."""

    def __init__(self, molecule: Array | np.ndarray, n_molecules: int) -> None:
        self._order = np.argsort(molecule, kind="stable")
        self.counts = np.bincount(np.asarray(molecule), minlength=n_molecules)
        self._first = np.cumsum(self.counts) - self.counts

    def of(self, members: Int[np.ndarray, " _"]) -> Int[np.ndarray, " _"]:
        """Return the things of these molecules, one molecule after another."""
        return np.concatenate([self._order[self._first[m] : self._first[m] + self.counts[m]] for m in members])


class _Cutter:
    """Cuts a training set into chunks of one shape: of the largest, or with room for more."""

    def __init__(
        self, data: TrainingSet, n_values: int, dealt: list[Int[np.ndarray, " _"]], room: Room | None = None
    ) -> None:
        topology, n = data.topology, data.topology.n_molecules
        self.data, self.n_values, self.room = data, n_values, room
        rule = topology.charges
        self.atoms = _ByMolecule(topology.molecule, n)
        self.groups = [_ByMolecule(topology.molecule[group.atoms[:, 0]], n) for group in topology.interactions]
        self.ends = _ByMolecule(topology.molecule[np.zeros(0, dtype=int) if rule is None else rule.atom], n)
        sizes = np.array(
            [
                (
                    len(m),
                    self.atoms.counts[m].sum(),
                    self.ends.counts[m].sum(),
                    *(g.counts[m].sum() for g in self.groups),
                )
                for m in dealt
            ]
        )
        largest = sizes.max(axis=0)
        if room is not None:
            orders = [group.atoms.shape[1] for group in topology.interactions]
            counts = map(room.interactions, largest[3:].tolist(), orders)
            spare = room.n_atoms - len(_SPARE)
            largest = np.array([room.n_molecules, spare, room.ends(int(largest[2])), *counts], dtype=int)
        # A single chunk, and chunks that are all alike, need no spare molecule.
        self.padded = room is not None or bool((sizes != largest).any())
        self.n_slots, self.n_ends, self.counts = int(largest[0]), int(largest[2]), largest[3:]
        self.n_atoms = int(largest[1]) + (len(_SPARE) if self.padded else 0)
        self.buckets = data.buckets
        if room is None:
            self.buckets = self._buckets(dealt)

    def _buckets(self, dealt: list[Int[np.ndarray, " _"]]) -> tuple[Bucket, ...]:
        """Return the eigenproblems that all chunks have."""
        data, n_modes = self.data, np.zeros(self.n_slots + self.padded, dtype=int)
        for members in dealt:
            own = np.asarray(data.has_mode)[members].sum(axis=1)
            n_modes[: len(own)] = np.maximum(n_modes[: len(own)], own)
        return buckets(n_modes)

    def cut(self, members: Int[np.ndarray, " _"]) -> TrainingSet:
        """Return the molecules `members` as a training set of the common shape."""
        data, atoms = self.data, self.atoms.of(members)
        n_molecules, spare = self.n_slots + self.padded, self.n_atoms - len(atoms)

        def of_molecules(values):
            return _extended(np.asarray(values)[members], n_molecules - len(members))

        positions = _extended(np.asarray(data.positions)[atoms], spare)
        # Far from each other, should there be more than one set of spare positions.
        positions[len(atoms) :] = _SPARE[np.arange(spare) % len(_SPARE)] + 8.0 * (
            np.arange(spare)[:, None] // len(_SPARE)
        )
        return replace(
            data,
            topology=self._topology(members, atoms),
            positions=positions,
            masses=np.concatenate([np.asarray(data.masses)[atoms], np.ones(spare)]),
            gradient=_extended(np.asarray(data.gradient)[atoms], spare),
            charges=_extended(np.asarray(data.charges)[atoms], spare),
            relaxation=jax.tree.map(of_molecules, data.relaxation),
            buckets=self.buckets,
            **{name: of_molecules(getattr(data, name)) for name in OF_MOLECULES},
        )

    def cut_selection(self, members: Int[np.ndarray, " _"], whole: Selection) -> Selection:
        """Return what is selected of the molecules `members`."""
        spare = self.n_slots + self.padded - len(members)
        whole = self._roomy(whole)
        places, lists = [], []
        for by_molecule, count, active, place, listed in zip(
            self.groups, self.counts, whole.groups, whole.places, whole.members, strict=True
        ):
            own = by_molecule.of(members) if active else np.zeros(0, dtype=int)
            padding = count - len(own) if active else 0
            places.append(np.concatenate([place[own], np.full((padding, place.shape[1]), _NOWHERE)]))
            counts = np.concatenate([by_molecule.counts[members], np.zeros(spare, dtype=int)])
            rank = np.arange(listed.shape[1])
            first = (np.cumsum(counts) - counts)[:, None]
            lists.append(np.where(rank < counts[:, None], first + rank, count))
        ends = None
        if whole.charges is not None:
            own = self.ends.of(members)
            padding = np.full(self.n_ends - len(own), _NOWHERE)
            moment, length = (np.concatenate([of_end[own], padding]) for of_end in whole.charges)
            ends = moment, length
        return Selection(
            n=whole.n,
            groups=whole.groups,
            columns=np.concatenate([whole.columns[members], np.full((spare, whole.columns.shape[1]), whole.n)]),
            places=tuple(places),
            members=tuple(lists),
            charges=ends,
        )

    def _roomy(self, whole: Selection) -> Selection:
        """Return a selection with room for more columns, in which beyond the last is nowhere."""
        if self.room is None:
            return whole
        n, n_own = whole.n, whole.columns.shape[1]
        more, own = self.room.columns(n), self.room.own(n_own)
        # Behind the columns of a molecule come those of its charges, behind these is nowhere.
        last = n_own if whole.charges is None else n_own + self.room.own_n_max

        def moved(place):
            place = np.asarray(place)
            return np.where(place < n_own, place, np.where(place < last, place + own - n_own, _NOWHERE))

        orders = [group.atoms.shape[1] for group in self.data.topology.interactions]
        return Selection(
            n=more,
            groups=whole.groups,
            columns=grown(np.where(np.asarray(whole.columns) < n, whole.columns, more), None, own, value=more),
            places=tuple(map(moved, whole.places)),
            members=tuple(
                grown(one, None, self.room.members(one.shape[1], order))
                for one, order in zip(whole.members, orders, strict=True)
            ),
            charges=None if whole.charges is None else (moved(whole.charges[0]), moved(whole.charges[1])),
        )

    def _topology(self, members: Int[np.ndarray, " _"], atoms: Int[np.ndarray, " _"]) -> Topology:
        topology, n = self.data.topology, len(atoms)
        spare = self.n_atoms - n
        index, rank = np.full(topology.n_atoms, n), np.zeros(topology.n_molecules, dtype=int)
        index[atoms], rank[members] = np.arange(n), np.arange(len(members))
        groups = []
        for group, by_molecule, count in zip(topology.interactions, self.groups, self.counts, strict=True):
            own = by_molecule.of(members)
            padding, order = count - len(own), group.atoms.shape[1]
            # The padding has the parameters of a real interaction, so that its energy is finite.
            parameters = np.concatenate([group.parameters[own], np.repeat(group.parameters[:1], padding, axis=0)])
            groups.append(
                Interactions(
                    atoms=np.concatenate([index[group.atoms[own]], np.tile(n + np.arange(order), (padding, 1))]),
                    parameters=self._renumbered(parameters, index),
                )
            )
        return Topology(
            species=_extended(topology.species[atoms], spare),
            molecule=np.concatenate([rank[topology.molecule[atoms]], np.full(spare, self.n_slots)]),
            slot=np.concatenate([topology.slot[atoms], np.arange(spare) % topology.n_max]),
            interactions=tuple(groups),
            charges=self._charges(members, atoms, index),
            n_molecules=self.n_slots + self.padded,
            n_max=topology.n_max,
        )

    def _renumbered(self, parameters: Int[np.ndarray, "_ _"], index: Int[np.ndarray, " atoms"]) -> np.ndarray:
        """Return parameters of which those that are charges are of the chunk's own atoms."""
        n_values = self.n_values if self.room is None else self.room.values(self.n_values)
        charge = n_values + index[np.maximum(parameters - self.n_values, 0)]
        return np.where(parameters < self.n_values, parameters, charge)

    def _charges(
        self, members: Int[np.ndarray, " _"], atoms: Int[np.ndarray, " _"], index: Int[np.ndarray, " atoms"]
    ) -> ChargeRule | None:
        rule = self.data.topology.charges
        if rule is None:
            return None
        own = self.ends.of(members)
        padding = np.zeros(self.n_ends - len(own), dtype=int)
        return ChargeRule(
            formal=_extended(rule.formal[atoms], self.n_atoms - len(atoms)),
            atom=np.concatenate([index[rule.atom[own]], padding + len(atoms)]),
            moment=np.concatenate([rule.moment[own], rule.moment[padding]]),
            length=np.concatenate([rule.length[own], rule.length[padding]]),
            sign=_extended(rule.sign[own], len(padding)),
        )


def _extended(values: Array | np.ndarray, n: int) -> np.ndarray:
    """Return an array with n zeros, or rows of zeros, after its end."""
    known = np.asarray(values)
    return np.concatenate([known, np.zeros((n, *known.shape[1:]), known.dtype)])
