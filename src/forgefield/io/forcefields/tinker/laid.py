"""A molecule as Tinker sees it: classes, neighbours in order, small rings; and the rows that its interactions take."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Int

from forgefield.errors import MissingParameters
from forgefield.io.forcefields.tinker.files import Row, TinkerStructure
from forgefield.io.forcefields.tinker.parameters import Classes, Parameters, canonical
from forgefield.molecules.paths import angles, torsions

Chain = tuple[int, ...]
_SHOWN, _NEAREST = 20, 3
_RINGS = {
    "bond": ("bond5", "bond4", "bond3"),
    "angle": ("angle5", "angle4", "angle3"),
    "torsion": ("torsion5", "torsion4"),
    "dipole": ("dipole5", "dipole4", "dipole3"),
}


@dataclass(eq=False)
class Laid:
    """A molecule and what is missing for it."""

    structure: TinkerStructure
    parameters: Parameters
    classes: tuple[int, ...]
    species: tuple[int, ...]
    missing: dict[tuple[str, Classes], Chain] = field(default_factory=dict)
    """What has no row, with the first atoms that want it."""

    @property
    def around(self) -> tuple[tuple[int, ...], ...]:
        """Neighbours of each atom in ascending order."""
        return self.structure.around

    def of(self, chain: Sequence[int]) -> Classes:
        """Return the classes of atoms."""
        return tuple(self.classes[a] for a in chain)

    @cached_property
    def bonds(self) -> Int[np.ndarray, "bonds 2"]:
        """Every bond, the lower atom first, in ascending order."""
        found = [(i, j) for i, near in enumerate(self.around) for j in near if i < j]
        return np.array(found, dtype=np.int64).reshape(-1, 2)

    @cached_property
    def angles(self) -> list[Chain]:
        """Every angle, centre by centre."""
        return chains(angles(len(self.around), self.bonds))

    @cached_property
    def torsions(self) -> list[Chain]:
        """Every chain of four atoms once, by its bond in the middle."""
        return chains(torsions(len(self.around), self.bonds))

    def ring(self, chain: Chain) -> int:
        """Return the size of the smallest ring up to five that atoms of a chain belong to together, else 0."""
        seen, last = set(chain), {chain[0]}
        for size in range(len(chain), 6):
            reached = {b for a in last for b in self.around[a]}
            # A bond is no ring of two.
            if size > 2 and chain[-1] in reached:
                return size
            last = reached - seen
            seen |= last
        return 0

    def rows_of(self, keyword: str, chain: Chain, key: Classes) -> tuple[str, list[list[Row]]]:
        """Return the keyword of the table that a chain's rows stand in, and those that its classes take there."""
        word = keyword
        if all(self.parameters.rows.get(ring) for ring in _RINGS.get(keyword, ("",))):
            ring = f"{keyword}{self.ring(chain)}"
            word = ring if ring in _RINGS[keyword] else keyword
        table = self.table(word)
        return word, [rows for group in _wanted(key) for rows in _in_order([table[k] for k in group if k in table])]

    def table(self, keyword: str) -> dict[Classes, list[Row]]:
        """Return the rows of a keyword by their classes."""
        if keyword not in self._tables:
            self._tables[keyword] = self.parameters.table(keyword)
        return self._tables[keyword]

    _tables: dict[str, dict[Classes, list[Row]]] = field(default_factory=dict)

    def note(self, keyword: str, key: Classes, chain: Chain) -> None:
        """Note that a chain has no row."""
        self.missing.setdefault((keyword, key if keyword == "opbend" else canonical(key)), chain)

    def require_all(self) -> None:
        """Raise MissingParameters that lists what has no row, with the nearest rows that there are."""
        if not self.missing:
            return
        lines = []
        for (keyword, key), chain in list(self.missing.items())[:_SHOWN]:
            near = "; ".join(self._nearest(keyword, key))
            atoms = "-".join(self.structure.labels[a] for a in chain)
            lines.append(
                f"  {keyword} {' '.join(map(str, key))} (atoms {atoms})" + (f"; nearest: {near}" if near else "")
            )
        if len(self.missing) > _SHOWN:
            lines.append(f"  and {len(self.missing) - _SHOWN} more")
        head = f"{self.structure.path}: {len(self.missing)} row(s) are not in {self.parameters.source}:"
        raise MissingParameters("\n".join([head, *lines, "Correct the types of the atoms, or add the rows to a .key."]))

    def _nearest(self, keyword: str, key: Classes) -> list[str]:
        """Return the rows of other classes that have most in common with these."""
        plain = keyword.rstrip("345")
        held = {(word, row) for word in (keyword, plain) for row in self.table(word) if len(row) == len(key)}
        scored = [(max(_alike(row, key), _alike(row[::-1], key)), word, row) for word, row in held]
        best = sorted(scored, key=lambda one: (-one[0], one[1] != keyword, one[2]))[:_NEAREST]
        return [f"{word} {' '.join(map(str, row))}" for score, word, row in best if score]


def chains(atoms: Int[np.ndarray, "chains order"]) -> list[Chain]:
    """Return rows of atoms as tuples."""
    return list(map(tuple, atoms.tolist()))


def _alike(one: Classes, other: Classes) -> int:
    return sum(a == b for a, b in zip(one, other, strict=True))


def _wanted(key: Classes) -> list[list[Classes]]:
    """Return the classes that a row may have for those of a chain, the better ones first."""
    key = canonical(key)
    if len(key) < 4:
        return [[key]]
    a, b, c, d = key
    return [[key], [(0, b, c, d), (a, b, c, 0)], [(0, b, c, 0)]]


def _in_order(found: list[list[Row]]) -> list[list[Row]]:
    """Return rows as they stand in the files."""
    return sorted(found, key=lambda rows: (rows[0].in_key, rows[0].line))
