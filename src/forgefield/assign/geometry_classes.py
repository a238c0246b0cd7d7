"""Classes of angles and bonds that types cannot tell apart, such as cis and trans: each has rows of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from forgefield import units
from forgefield.assign.instances import KINDS, OPPOSITE, Types
from forgefield.molecules import paths
from forgefield.molecules.measure import angles
from forgefield.molecules.molecule import Molecule

AngleClasses = Mapping[Types, Mapping[str, float]]
"""By the types of a bend, the name of each class and the angle up to which it reaches [rad], in ascending order."""
MARK = "@"
"""Stands between the type of a centre and the class of the angle there, as in Pd1@90, or what is opposite a bond.

Before the types of atoms that a torsion skips too, as in H1-C2@C1-C2@C1-H1 of allene.
"""
IN_BOTH = f"{MARK}both"
"""Stands behind the type of an atom that is an end of both angles of a pair. Such a pair is coupled otherwise than two
angles with all ends apart: by these the wagging, rocking and twisting of CH₂ differ."""
_GAP = 15.0 * units.DEGREE
"""Angles of one row this far apart, with none between, are of two classes."""
_ROUND = 5.0 * units.DEGREE
_MANY = 5
"""Neighbours from which on a centre has angles of several kinds, whatever its neighbours are."""
_FLATTENED = 130.0 * units.DEGREE
"""So has one with three or more, two of which lie opposite, and one with four, two of which are this far apart: about
no tetrahedral one they are."""
_ACROSS = 150.0 * units.DEGREE
"""From this angle on, atoms about a centre of four or more neighbours are opposite each other."""
_LONGER = 0.02
"""Å by which bonds of the same types differ, in the mean, that have rows by what is opposite."""
_CENTRES = {"bend": (1,), "stretch_bend": (1,), "stretch_stretch": (1,), "urey_bradley": (1,), "torsion": (1, 2)}
"""Which atoms of an interaction of a kind are the centre of an angle between their neighbours in it."""
_ENDS = {"stretch": ((0, 1, 1), (1, 0, 0)), "bend": ((0, 1, 0), (2, 1, 2))}
"""Ends and centres of bonds in an interaction of a kind, and which of its atoms is named with what is opposite."""


@dataclass(frozen=True)
class GeometryClasses:
    """What has rows by its geometry; nothing by default."""

    angles: AngleClasses = field(default_factory=dict)
    across: frozenset[tuple[str, str]] = frozenset()
    """The types of an end and a centre whose bonds have rows by the type of the atom that is opposite the end."""
    tells_ends: bool = True
    """Whether pairs of angles that share an end have rows of their own."""

    def __bool__(self) -> bool:
        return bool(self.angles or self.across)


@dataclass(frozen=True, eq=False)
class Named:
    """Names interactions as rows do: by the types of their atoms, and those of centres by what the geometry is there.

    That is the class of an angle or, of a bond, the type of the atom that is opposite, if any is.
    """

    types: Types
    """Of all atoms of the batch."""
    positions: Float[np.ndarray, "atoms 3"]
    classes: GeometryClasses
    opposite: Mapping[tuple[int, int], int]
    """By an end and a centre, the atom opposite."""
    between: Mapping[tuple[int, int], tuple[int, ...]]
    """By the middle atoms of torsions that skip a chain, its atoms."""

    @classmethod
    def over(
        cls,
        molecules: list[Molecule],
        types: Types,
        classes: GeometryClasses | None = None,
    ) -> "Named":
        """Return what names interactions of these molecules, by these classes or those that their geometries need."""
        positions = np.concatenate([m.positions for m in molecules])
        opposite = _opposite(molecules, positions)
        if classes is None:
            across = _told_across(molecules, types, positions, opposite)
            classes = GeometryClasses(angle_classes(molecules, types, positions), across)
        return cls(types, positions, classes, opposite, skipped_chains(molecules))

    def __call__(self, kind: str, chain: Sequence[int]) -> Types:
        """Return the types of an interaction in the canonical order of its kind."""
        return KINDS[kind].canonical(self.along(kind, chain))

    def along(self, kind: str, chain: Sequence[int]) -> Types:
        """Return the types of an interaction as its atoms run."""
        named = [self.types[a] for a in chain]
        skipped = self.skipped(kind, chain)
        for end, centre, place in _ENDS.get(kind, ()) if self.classes.across else ():
            if (self.types[chain[end]], self.types[chain[centre]]) in self.classes.across:
                other = self.opposite.get((chain[end], chain[centre]))
                named[place] += "" if other is None else MARK + self.types[other]
        for place in _CENTRES.get(kind, ()) if self.classes.angles else ():
            whole = [*chain[:2], *skipped, *chain[2:]]
            triple = whole[:3] if place == 1 else whole[-3:]
            known = self.classes.angles.get(KINDS["bend"].canonical(tuple(self.types[a] for a in triple)))
            if known:
                (angle,) = angles(self.positions[[triple]])
                named[place] += MARK + next((name for name, upper in known.items() if angle < upper), [*known][-1])
        if kind == "bend_bend" and self.classes.tells_ends:
            for place in places_in_both(chain):
                named[place] += IN_BOTH
        for place, others in ((1, skipped), (2, skipped[::-1])) if skipped else ():
            named[place] += "".join(MARK + self.types[a] for a in others)
        return tuple(named)

    def skipped(self, kind: str, chain: Sequence[int]) -> tuple[int, ...]:
        """Return the atoms between the middle ones of a torsion that are not bonded to each other."""
        return self.between.get((chain[1], chain[2]), ()) if kind == "torsion" else ()


def places_in_both(chain: Sequence[int]) -> tuple[int, ...]:
    """Return where the atom stands that is an end of both angles of a pair about one centre, if one is."""
    both = set(chain[1:3]) & set(chain[3:])
    return tuple(place for place in range(1, 5) if chain[place] in both)


def in_any(types: Types) -> Types:
    """Return the types of a row without the mark of an atom that two angles share."""
    return tuple(map(unmarked, types))


def unmarked(name: str) -> str:
    """Return the name of a type without the mark of an atom that two angles share."""
    return name.removesuffix(IN_BOTH)


def has_class(name: str) -> bool:
    """Say whether the name of a type has a class behind it."""
    return MARK in name


def without_class(name: str) -> str:
    """Return the type in a name that may have a class behind it."""
    return name.partition(MARK)[0]


def angle_classes(
    molecules: list[Molecule], types: Types, positions: Float[np.ndarray, "atoms 3"]
) -> dict[Types, dict[str, float]]:
    """Return the classes of bends whose angles lie far apart at centres where these types cannot tell them apart.

    Such centres have five neighbours or more, two that lie opposite beside others (square-planar, see-saw and T-shaped
    ones) or, of four, 130° apart (flattened tetrahedral ones), or belong to a ring of three or four atoms, whose angles
    differ from those outside. Classes are 15° apart or more, called by their mean to five degrees, and meet in the
    middle.
    """
    starts = np.cumsum([0, *(m.n_atoms for m in molecules)])[:-1].tolist()
    found: dict[Types, list[float]] = {}
    several: set[Types] = set()
    for molecule, start in zip(molecules, starts, strict=True):
        chains = paths.angles(molecule.n_atoms, molecule.bonds)
        measured = angles(positions[chains + start])
        manifold = _manifold(molecule, chains, measured)
        for chain, angle in zip(chains.tolist(), measured.tolist(), strict=True):
            key = KINDS["bend"].canonical(tuple(types[start + a] for a in chain))
            found.setdefault(key, []).append(angle)
            if manifold[chain[1]]:
                several.add(key)
    divided = {key: _divided(np.sort(found[key])) for key in sorted(several)}
    return {key: classes for key, classes in divided.items() if len(classes) > 1}


def skipped_chains(molecules: Sequence[Molecule]) -> dict[tuple[int, int], tuple[int, ...]]:
    """Return the atoms of the batch between two that a chain joins (`paths.passages`), by the two in either order."""
    found: dict[tuple[int, int], tuple[int, ...]] = {}
    start = 0
    for molecule in molecules:
        for (i, j), chain in paths.passages(molecule.n_atoms, molecule.bonds).items():
            found[i + start, j + start] = tuple(atom + start for atom in chain)
        start += molecule.n_atoms
    return found


def _opposite(molecules: list[Molecule], positions: Float[np.ndarray, "atoms 3"]) -> dict[tuple[int, int], int]:
    """Return the atom that is most nearly opposite an end about a centre, by end and centre, where one is."""
    widest: dict[tuple[int, int], tuple[float, int]] = {}
    start = 0
    for molecule in molecules:
        chains = paths.angles(molecule.n_atoms, molecule.bonds) + start
        bonded = np.bincount(molecule.bonds.ravel() + start, minlength=start + molecule.n_atoms)
        chains = chains[bonded[chains[:, 1]] > 2]
        measured = angles(positions[chains])
        wide = measured >= np.where(bonded[chains[:, 1]] > 3, _ACROSS, OPPOSITE)
        for (end, centre, other), angle in zip(chains[wide].tolist(), measured[wide].tolist(), strict=True):
            for one, across in ((end, other), (other, end)):
                widest[one, centre] = max(widest.get((one, centre), (0.0, -1)), (angle, across))
        start += molecule.n_atoms
    return {ends: across for ends, (_, across) in widest.items()}


def _told_across(
    molecules: list[Molecule],
    types: Types,
    positions: Float[np.ndarray, "atoms 3"],
    opposite: Mapping[tuple[int, int], int],
) -> frozenset[tuple[str, str]]:
    """Return the types of ends and centres whose bonds differ by what is opposite: axial and equatorial, trans."""
    found: dict[tuple[str, str], dict[str | None, list[float]]] = {}
    start = 0
    for molecule in molecules:
        for bond in (molecule.bonds + start).tolist():
            length = float(np.linalg.norm(positions[bond[0]] - positions[bond[1]]))
            for end, centre in (bond, bond[::-1]):
                across = opposite.get((end, centre))
                told = None if across is None else types[across]
                found.setdefault((types[end], types[centre]), {}).setdefault(told, []).append(length)
        start += molecule.n_atoms
    means = {key: [float(np.mean(group)) for group in groups.values()] for key, groups in found.items()}
    return frozenset(key for key, mean in means.items() if max(mean) - min(mean) >= _LONGER)


def _manifold(
    molecule: Molecule, chains: Int[np.ndarray, "angles 3"], measured: Float[np.ndarray, " angles"]
) -> Bool[np.ndarray, " atoms"]:
    """Say at which centres angles are of several kinds."""
    bonded = np.bincount(molecule.bonds.ravel(), minlength=molecule.n_atoms)
    widest = np.zeros(molecule.n_atoms)
    np.maximum.at(widest, chains[:, 1], measured)
    rings = np.array(paths.small_rings(molecule.n_atoms, molecule.bonds), dtype=np.int64)
    wide = ((bonded > 2) & (widest > OPPOSITE)) | ((bonded > 3) & (widest > _FLATTENED))
    return (bonded >= _MANY) | wide | (rings > 0)


def _divided(ascending: Float[np.ndarray, " angles"]) -> dict[str, float]:
    """Return the classes of angles, by their mean to five degrees, with the angle up to which each reaches."""
    gaps = np.flatnonzero(np.diff(ascending) >= _GAP)
    uppers = [*((ascending[gaps] + ascending[gaps + 1]) / 2.0).tolist(), np.pi]
    groups = np.split(ascending, gaps + 1)
    return {f"{5 * round(np.mean(group) / _ROUND)}": upper for group, upper in zip(groups, uppers, strict=True)}
