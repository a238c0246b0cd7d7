"""The sizes that small training sets are filled up to, so that molecules of about one size share programs.

What fills up are spare atoms of a spare molecule without data, and interactions, modes and values that nothing counts.
"""

from dataclasses import dataclass, replace

import jax
import numpy as np

from forgefield.fitting.data.searches import Internals
from forgefield.fitting.data.training_set import Bucket, TrainingSet
from forgefield.models.forcefield import ForceField

LARGEST = 128
"""Atoms of the largest training set that is filled up: in larger ones the filling would cost more than compiling."""
_SPARE = 7
"""Atoms of the spare molecule at least, on which interactions that fill up act."""
_BY_ORDER = {2: 1.25, 3: 2.0}
"""Interactions of two and of three atoms that a molecule of n atoms usually has, as multiples of n; 3 of others."""
_USUAL = 3.0
_VALUES, _COLUMNS = 6.0, 4.0
"""Values of a model, and those of them that change, likewise."""


def rung(n: int) -> int:
    """Return the next of 4, 6, 8, 12, 16, 24, 32, from where steps are a quarter of the last power of two."""
    if n <= 4:
        return 4
    octave = 1 << ((n - 1).bit_length() - 1)
    step = octave // (2 if octave < 32 else 4)
    return -(-n // step) * step


def multiple(n: int, usual: float) -> int:
    """Return 0 for none, else the next of 1, 3/2, 2, 3, 4, 6 and so on times what is usual."""
    size = int(usual)
    while size < n:
        if n <= size * 3 // 2:
            return size * 3 // 2
        size *= 2
    return size if n else 0


@dataclass(frozen=True)
class Room:
    """How much there is room for in a filled training set."""

    n_atoms: int
    n_molecules: int
    """Without the spare one."""
    n_max: int
    """Atoms of the largest molecule."""
    own_n_max: int
    """Without those that fill it up."""
    n_modes: int

    @classmethod
    def of(cls, data: TrainingSet) -> "Room":
        """Return the room for a training set."""
        topology, n_modes = data.topology, data.has_mode.shape[1]
        n_molecules, n_max = topology.n_molecules, rung(topology.n_max)
        return cls(
            n_atoms=rung(topology.n_atoms) + _SPARE,
            n_molecules=n_molecules if n_molecules < 3 else rung(n_molecules),
            n_max=n_max,
            own_n_max=topology.n_max,
            n_modes=3 * n_max if data.buckets else n_modes,
        )

    @property
    def _filled(self) -> int:
        return self.n_atoms - _SPARE

    def interactions(self, n: int, order: int) -> int:
        """Return the room for interactions of so many atoms each."""
        return multiple(n, _BY_ORDER.get(order, _USUAL) * self._filled)

    def members(self, n: int, order: int) -> int:
        """Return the room for those of one molecule."""
        return multiple(n, _BY_ORDER.get(order, _USUAL) * self.n_max)

    def ends(self, n: int) -> int:
        """Return the room for ends of bonds."""
        return 2 * self.interactions(-(-n // 2), 2)

    def values(self, n: int) -> int:
        """Return the room for values of a model."""
        return multiple(n, _VALUES * self._filled)

    def columns(self, n: int) -> int:
        """Return the room for values that change."""
        return multiple(n, _COLUMNS * self._filled)

    def own(self, n: int) -> int:
        """Return the room for those of one molecule."""
        return multiple(n, _COLUMNS * self.n_max)

    def buckets(self, known: tuple[Bucket, ...]) -> tuple[Bucket, ...]:
        """Return eigenproblems of as many sizes as there are rungs."""
        return tuple(replace(one, size=min(3 * rung(one.size // 3 + 2), self.n_modes)) for one in known)


def has_rung(data: TrainingSet) -> bool:
    """Say whether a training set is filled up."""
    return data.topology.n_atoms <= LARGEST


def filled(model: ForceField, data: TrainingSet) -> ForceField:
    """Return a force field with as many values as there is room for beside a training set, ones behind its own."""
    if not has_rung(data):
        return model
    n = model.values.shape[0]
    return ForceField(model.terms, jax.device_put(grown(model.values, Room.of(data).values(n), value=1.0)))


def widened(data: TrainingSet, room: Room) -> TrainingSet:
    """Return a training set of the same molecules with room for larger ones."""
    n, n_atoms = 3 * room.n_max, room.n_max

    def internals(own: Internals) -> Internals:
        order = own.slots.shape[2]
        return jax.tree.map(lambda leaf: grown(leaf, None, room.members(own.present.shape[1], order)), own)

    about = data.relaxation
    kinds = {name: internals(getattr(about, name)) for name in ("bonds", "angles", "torsions", "fixed")}
    return replace(
        data,
        topology=replace(data.topology, n_max=n_atoms),
        modes=grown(data.modes, None, n, room.n_modes),
        eigenvalues=grown(data.eigenvalues, None, room.n_modes),
        has_mode=grown(data.has_mode, None, room.n_modes),
        mode_weight=grown(data.mode_weight, None, room.n_modes),
        hessian=grown(data.hessian, None, n, n),
        relaxation=replace(about, follow=grown(about.follow, None, n), **kinds),
        buckets=room.buckets(data.buckets),
    )


def grown(array, *shape: int | None, value: float | int = 0.0) -> np.ndarray:
    """Return an array cut, or filled up with a value, to a shape; None leaves an axis and all after the last one."""
    known = np.asarray(array)
    wanted = [old if new is None else new for old, new in zip(known.shape, shape, strict=False)]
    wanted += known.shape[len(wanted) :]
    if tuple(wanted) == known.shape:
        return known
    total = np.full(wanted, value, known.dtype)
    kept = tuple(slice(min(old, new)) for old, new in zip(known.shape, wanted, strict=True))
    total[kept] = known[kept]
    return total
