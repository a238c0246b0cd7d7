"""Classes of angles that types cannot tell apart, such as cis and trans: each has rows of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from forgefield import units
from forgefield.assign.instances import KINDS, Types
from forgefield.molecules import paths
from forgefield.molecules.measure import angles
from forgefield.molecules.molecule import Molecule

AngleClasses = Mapping[Types, Mapping[str, float]]
"""By the types of a bend, the name of each class and the angle up to which it reaches [rad], in ascending order."""
MARK = "@"
"""Stands between the type of a centre and the class of the angle there, as in Pd1@90."""
_GAP = 15.0 * units.DEGREE
"""Angles of one row this far apart, with none between, are of two classes."""
_ROUND = 5.0 * units.DEGREE
_MANY = 5
"""Neighbours from which on a centre has angles of several kinds, whatever its neighbours are."""
_OPPOSITE = 160.0 * units.DEGREE
"""So has one with three or more, two of which lie opposite."""
_CENTRES = {"bend": (1,), "stretch_bend": (1,), "stretch_stretch": (1,), "urey_bradley": (1,), "torsion": (1, 2)}
"""Which atoms of an interaction of a kind are the centre of an angle between their neighbours in it."""


@dataclass(frozen=True, eq=False)
class Named:
    """Names interactions as rows do: by the types of their atoms, and those of centres by the class of the angle."""

    types: Types
    """Of all atoms of the batch."""
    positions: Float[np.ndarray, "atoms 3"]
    classes: AngleClasses

    def __call__(self, kind: str, chain: Sequence[int]) -> Types:
        """Return the types of an interaction in the canonical order of its kind."""
        return KINDS[kind].canonical(self.along(kind, chain))

    def along(self, kind: str, chain: Sequence[int]) -> Types:
        """Return the types of an interaction as its atoms run."""
        named = [self.types[a] for a in chain]
        for place in _CENTRES.get(kind, ()) if self.classes else ():
            triple = list(chain[place - 1 : place + 2])
            known = self.classes.get(KINDS["bend"].canonical(tuple(self.types[a] for a in triple)))
            if known:
                (angle,) = angles(self.positions[[triple]])
                named[place] += MARK + next((name for name, upper in known.items() if angle < upper), [*known][-1])
        return tuple(named)

    def has_class(self, chain: Sequence[int]) -> bool:
        """Say whether the angle between three atoms has a class."""
        return MARK in self.along("bend", chain)[1]


def without_class(name: str) -> str:
    """Return the type in a name that may have the class of an angle behind it."""
    return name.partition(MARK)[0]


def angle_classes(
    molecules: list[Molecule], types: Types, positions: Float[np.ndarray, "atoms 3"]
) -> dict[Types, dict[str, float]]:
    """Return the classes of bends whose angles lie far apart at centres where these types cannot tell them apart.

    Such centres have five neighbours or more, two that lie opposite beside others (square-planar, see-saw and T-shaped
    ones), or belong to a ring of three or four atoms, whose angles differ from those outside. Classes are 15° apart or
    more, called by their mean to five degrees, and meet in the middle.
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


def _manifold(
    molecule: Molecule, chains: Int[np.ndarray, "angles 3"], measured: Float[np.ndarray, " angles"]
) -> Bool[np.ndarray, " atoms"]:
    """Say at which centres angles are of several kinds."""
    bonded = np.bincount(molecule.bonds.ravel(), minlength=molecule.n_atoms)
    widest = np.zeros(molecule.n_atoms)
    np.maximum.at(widest, chains[:, 1], measured)
    rings = np.array(paths.small_rings(molecule.n_atoms, molecule.bonds), dtype=np.int64)
    return (bonded >= _MANY) | ((bonded > 2) & (widest > _OPPOSITE)) | (rings > 0)


def _divided(ascending: Float[np.ndarray, " angles"]) -> dict[str, float]:
    """Return the classes of angles, by their mean to five degrees, with the angle up to which each reaches."""
    gaps = np.flatnonzero(np.diff(ascending) >= _GAP)
    uppers = [*((ascending[gaps] + ascending[gaps + 1]) / 2.0).tolist(), np.pi]
    groups = np.split(ascending, gaps + 1)
    return {f"{5 * round(np.mean(group) / _ROUND)}": upper for group, upper in zip(groups, uppers, strict=True)}
