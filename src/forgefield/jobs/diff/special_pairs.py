"""The van der Waals and electrostatic energies of pairs of atoms that do not have those of all others."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from jaxtyping import Int

from forgefield.assign.explicit.system import System
from forgefield.io.forcefields.laid.pairs import combined, own_pairs
from forgefield.jobs.diff.acting import Atoms, form_of_pairs

SCALES = ("scale of van der Waals", "scale of charges")
OWN = ("r [Å]", "e [kcal/mol]", "scale of charges")


@dataclass(frozen=True)
class Pair:
    """What two atoms have of each other."""

    scale: float | None
    """Of the van der Waals energy that their values combine to; None where the pair has an own one."""
    radius: float
    depth: float
    charges: float
    """The scale of the electrostatic energy."""
    acting: tuple[bool, bool]
    """Whether the two atoms have a van der Waals and an electrostatic energy, were it not scaled."""


class Pairs:
    """The pairs of a system, by the places of its atoms."""

    def __init__(self, system: System, places: Int[np.ndarray, " atoms"]) -> None:
        space = system.through_space
        self._space, self._atom = space, np.argsort(places)
        self.form, self.rule = form_of_pairs(system), space.term.name
        self._own: dict[Atoms, list[tuple[float, float]]] = {}
        for pair, minimum in own_pairs(system):
            self._own.setdefault(_sorted(places[[*pair]].tolist()), []).append(minimum)
        special = places[space.special].tolist()
        self.n_atoms = system.n_atoms
        self._scales = {_sorted(pair): tuple(two) for pair, two in zip(special, space.scales.tolist(), strict=True)}

    @property
    def special(self) -> set[Atoms]:
        """The pairs that do not have what all others have."""
        return {*self._scales, *self._own}

    def of(self, pair: Atoms) -> Pair:
        """Return what two atoms have of each other."""
        i, j = (int(self._atom[place]) for place in pair)
        space = self._space
        scale, charges = self._scales.get(pair, (1.0, 1.0))
        r, depth = combined(space.parameters[i], space.parameters[j], space).tolist()
        acting = depth != 0.0, bool(space.charges[i] * space.charges[j])
        own = [(R, e) for R, e in self._own.get(pair, []) if e and R]
        if not own:
            return Pair(scale, r, scale * depth, charges, acting)
        radius, depth = _sum([*own, (r, scale * depth)])
        return Pair(None, radius, depth, charges, acting)


def _sum(pairs: list[tuple[float, float]]) -> tuple[float, float]:
    """Return distance and depth of the minimum of several Lennard-Jones energies together."""
    acting = [(r, e) for r, e in pairs if r and e]
    if len(acting) == 1:
        return acting[0]
    repulsion = sum(e * r**12 for r, e in acting)
    attraction = sum(2.0 * e * r**6 for r, e in acting)
    return (2.0 * repulsion / attraction) ** (1.0 / 6.0), attraction**2 / (4.0 * repulsion)


def differing(
    old: Pairs, new: Pairs, close: Callable[[float, float], bool]
) -> Iterator[tuple[Atoms, tuple[str, ...], tuple[float, ...], tuple[float, ...]]]:
    """Yield the pairs that do not have the same energy in two systems, with the names and values of what differs.

    Scales are compared where both systems have them, else distances and depths. None are where the energies have
    other forms. All pairs are compared where values combine by other rules.
    """
    if old.form != new.form:
        return
    by_scale = old.rule == new.rule
    pairs = sorted(old.special | new.special) if by_scale else combinations(range(old.n_atoms), 2)
    for pair in pairs:
        a, b = old.of(pair), new.of(pair)
        same_charges = close(a.charges, b.charges) or not (a.acting[1] and b.acting[1])
        if by_scale and a.scale is not None and b.scale is not None:
            if (close(a.scale, b.scale) or not (a.acting[0] and b.acting[0])) and same_charges:
                continue
            yield pair, SCALES, (a.scale, a.charges), (b.scale, b.charges)
        elif not (
            (a.depth == b.depth == 0.0 or (close(a.radius, b.radius) and close(a.depth, b.depth))) and same_charges
        ):
            yield pair, OWN, (a.radius, a.depth, a.charges), (b.radius, b.depth, b.charges)


def _sorted(pair: list[int]) -> Atoms:
    return min(pair), max(pair)
