"""Which pairs of atoms act otherwise than all others, and van der Waals types that hold a table of pairs."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from forgefield.assign.explicit.system import System, ThroughSpace
from forgefield.errors import InputError
from forgefield.io.offenders import listed
from forgefield.terms.cross import UREY_BRADLEY
from forgefield.terms.nonbonded import LENNARD_JONES_GEOMETRIC, LENNARD_JONES_PAIR

Pair = tuple[int, int]
Minimum = tuple[float, float]
"""Distance [Å] and depth [kcal/mol]."""
_SAME = 1e-9
"""Relative."""
_MOST_KINDS = 1500


@dataclass(frozen=True)
class Special:
    """A pair that does not act as all others do."""

    minimum: Minimum
    """Of its van der Waals energy; a depth of 0 where it has none."""
    charge: float
    """By which its electrostatic energy is multiplied."""
    scale: float | None
    """By which the van der Waals energy that its atoms combine to is multiplied; None where it is another."""

    @property
    def excluded(self) -> bool:
        """Whether it has no energy."""
        return self.minimum[1] == 0.0 and self.charge == 0.0


@dataclass(frozen=True, eq=False)
class Kinds:
    """Van der Waals types such that each pair of them has one minimum."""

    of_atom: Int[np.ndarray, " atoms"]
    parameters: Float[np.ndarray, "kinds 2"]
    """Half the distance of the minimum [Å] and depth [kcal/mol]."""
    own: dict[Pair, Minimum]
    """Pairs of kinds, ascending, whose minimum is not what their parameters combine to."""
    minima: Float[np.ndarray, "kinds kinds 2"]
    """Minima of all pairs of kinds, the own ones among them."""


def special_pairs(system: System, what: str, also: Iterable[Pair] = ()) -> dict[Pair, Special]:
    """Return the pairs that do not act as others do, and others that are asked for, in ascending order.

    Raises InputError that lists pairs with van der Waals energies of two distances.
    """
    space, wrong = system.through_space, []
    usual = np.array(sorted(also), dtype=np.int64).reshape(-1, 2)
    alike = combined(space.parameters[usual[:, 0]], space.parameters[usual[:, 1]], space)
    found = {pair: Special((r, e), 1.0, 1.0) for pair, (r, e) in zip(_pairs(usual), alike.tolist(), strict=True)}
    minima = combined(space.parameters[space.special[:, 0]], space.parameters[space.special[:, 1]], space)
    for pair, (v, q), (r, e) in zip(_pairs(space.special), _scales(space).tolist(), minima.tolist(), strict=True):
        found[pair] = Special((r, v * e), q, v)
    for pair, (r, e) in own_pairs(system):
        before = found.get(pair, Special((r, 1.0), 1.0, None))
        if e == 0.0:
            continue
        if before.minimum[1] != 0.0:
            wrong.append(f"{pair[0] + 1}-{pair[1] + 1}")
        found[pair] = Special((r, e), before.charge, None)
    if wrong:
        raise InputError(f"{what} cannot hold pairs of atoms with several van der Waals energies: {listed(wrong)}")
    return dict(sorted(found.items()))


def _scales(space: ThroughSpace) -> Float[np.ndarray, "pairs 2"]:
    """Return the scales of special pairs; of energies that no atom has, those of the others."""
    scales = space.scales.copy()
    if not space.charges.any():
        scales[:, 1] = scales[:, 0]
    if not space.parameters[:, 1].any():
        scales[:, 0] = scales[:, 1]
    return scales


def own_pairs(system: System) -> list[tuple[Pair, Minimum]]:
    """Return the pairs that have a Lennard-Jones energy of their own, with distance and depth of its minimum."""
    return [
        (pair, (r, e))
        for one in system.interactions
        if one.term is LENNARD_JONES_PAIR
        for pair, (r, e) in zip(_pairs(one.atoms), one.values.tolist(), strict=True)
    ]


def _pairs(atoms: Int[np.ndarray, "pairs 2"]) -> list[Pair]:
    return [(i, j) for i, j in np.sort(atoms, axis=1).tolist()]


def combined(one: np.ndarray, other: np.ndarray, space: ThroughSpace) -> np.ndarray:
    """Return distances and depths of the minima that parameters combine to."""
    (r1, e1), (r2, e2) = np.moveaxis(one, -1, 0), np.moveaxis(other, -1, 0)
    radius = 2.0 * np.sqrt(r1 * r2) if space.term is LENNARD_JONES_GEOMETRIC else r1 + r2
    depth = np.sqrt(e1 * e2)
    return np.stack([np.where(depth == 0.0, 0.0, radius), depth], axis=-1)


def kinds(system: System, wanted: Mapping[Pair, Minimum], free: set[Pair], what: str) -> Kinds:
    """Return the fewest van der Waals types of atoms that give pairs of atoms the minima that are wanted.

    Pairs that are `free` may have any, others what their atoms combine to. Atoms of one value share a type; where the
    wanted minima do not follow from that, atoms of one value and one type of the force field, else each atom that has
    such a pair is a type of its own. Raises InputError where that makes too many types.
    """
    space = system.through_space
    values = [tuple(one) for one in space.parameters.tolist()]
    named = [(value, name) for value, name in zip(values, system.types, strict=True)]
    chosen = {atom for pair in wanted for atom in pair}
    alone = [(value, k) if k in chosen else (value, -1) for k, value in enumerate(values)]
    for labels in (values, named, alone) if wanted else (values,):
        known = {label: k for k, label in enumerate(dict.fromkeys(labels))}
        of_atom = np.array([known[label] for label in labels])
        if len(known) > _MOST_KINDS:
            raise InputError(f"{what} cannot hold {len(known)} van der Waals types, which its pairs of atoms need")
        own = _own_of_kinds(of_atom, wanted, free)
        if own is None:
            continue
        parameters = np.zeros((len(known), 2))
        parameters[of_atom] = space.parameters
        minima = combined(parameters[:, None], parameters[None], space)
        own = {pair: minimum for pair, minimum in own.items() if not _same(minima[pair], minimum)}
        for (i, j), minimum in own.items():
            minima[i, j] = minima[j, i] = minimum
        return Kinds(of_atom, parameters, own, minima)
    raise AssertionError("each atom alone is consistent")


def _own_of_kinds(
    of_atom: Int[np.ndarray, " atoms"], wanted: Mapping[Pair, Minimum], free: set[Pair]
) -> dict[Pair, Minimum] | None:
    """Return the minima of pairs of kinds that are wanted; None where pairs of the same kinds need different ones."""
    found: dict[Pair, Minimum] = {}
    members: dict[Pair, int] = {}
    for (i, j), minimum in wanted.items():
        pair = _ordered(int(of_atom[i]), int(of_atom[j]))
        if not _same(found.setdefault(pair, minimum), minimum):
            return None
        members[pair] = members.get(pair, 0) + 1
    counts = np.bincount(of_atom)
    spared = dict.fromkeys(found, 0)
    for i, j in free - set(wanted):
        pair = _ordered(int(of_atom[i]), int(of_atom[j]))
        if pair in spared:
            spared[pair] += 1
    for (k, m), n in members.items():
        there = counts[k] * (counts[k] - 1) // 2 if k == m else counts[k] * counts[m]
        if n + spared[k, m] != there:
            return None
    return found


def _ordered(i: int, j: int) -> Pair:
    return (i, j) if i <= j else (j, i)


def _same(one: object, other: object) -> bool:
    return bool(np.allclose(np.asarray(one), np.asarray(other), rtol=_SAME, atol=0.0))


def urey_bradley(system: System) -> dict[Pair, tuple[float, float]]:
    """Return constant and distance of each Urey-Bradley interaction, by its ends in ascending order."""
    return {
        (min(chain), max(chain)): (values[0], values[1])
        for one in system.interactions
        if one.term is UREY_BRADLEY
        for chain, values in zip(one.atoms.tolist(), one.values.tolist(), strict=True)
    }
