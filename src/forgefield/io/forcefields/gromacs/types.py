"""The parameters by types of a GROMACS topology: of atoms, of pairs, and of bonded interactions."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from forgefield import units
from forgefield.io.forcefields.gromacs.functions import ANGLES, BONDS, DIHEDRALS, REFUSED, Function, Numbers
from forgefield.io.lines import Line

FUNCTIONS: dict[str, tuple[int, Mapping[int, Function]]] = {
    "bonds": (2, BONDS),
    "angles": (3, ANGLES),
    "dihedrals": (4, DIHEDRALS),
}
"""Atoms and functions of each section."""
_WILD = "X"
_SIXTH = 2.0 ** (1.0 / 6.0)

Types = tuple[str, ...]


@dataclass(frozen=True)
class AtomType:
    """One type of atoms."""

    particle: str
    """A; virtual sites and the like are others."""
    bonded: str
    """The name that it has in bonded interactions."""
    number: int
    """Atomic number; 0 where the file has none."""
    mass: float
    charge: float
    minimum: float
    """Distance of the minimum of its Lennard-Jones [Å]."""
    depth: float
    """kcal/mol"""


@dataclass
class Defaults:
    """What the head of a topology says."""

    rule: int = 0
    """Of combination; 0 where there is no head."""
    generates_pairs: bool = False
    fudge_lj: float = 1.0
    fudge_qq: float = 1.0

    def minimum(self, line: Line, place: int) -> tuple[float, float]:
        """Return distance [Å] and depth [kcal/mol] of the minimum that two numbers of a line stand for."""
        v, w = line.number(place), line.number(place + 1)
        if v < 0.0 or w < 0.0 or (self.rule == 1 and (v > 0.0) != (w > 0.0)):
            raise line.wrong("atoms that only attract, or only repel, are not computed by ForgeField")
        if self.rule != 1:
            return v * units.NANOMETRE * _SIXTH, w * units.KILOJOULE
        if v == 0.0:
            return 0.0, 0.0
        return (2.0 * w / v) ** (1.0 / 6.0) * units.NANOMETRE, v**2 / (4.0 * w) * units.KILOJOULE

    def combined(self, one: AtomType, other: AtomType) -> tuple[float, float]:
        """Return the same of two types together."""
        depth = float(np.sqrt(one.depth * other.depth))
        if self.rule == 2:
            return 0.5 * (one.minimum + other.minimum), depth
        return float(np.sqrt(one.minimum * other.minimum)), depth


@dataclass
class TypeTables:
    """All parameters by types."""

    defaults: Defaults = field(default_factory=Defaults)
    atoms: dict[str, AtomType] = field(default_factory=dict)
    pairs: dict[Types, tuple[float, float]] = field(default_factory=dict)
    """Of atoms three bonds apart, by types in either order."""
    nonbonded: dict[Types, tuple[float, float]] = field(default_factory=dict)
    """Of all others that do not combine."""
    bonded: dict[tuple[str, int], dict[Types, list[Numbers]]] = field(default_factory=dict)
    """By section and function; several entries of one periodic torsion are summed."""
    maps: dict[Types, tuple[tuple[float, ...], ...]] = field(default_factory=dict)
    """Grids of correction maps [kcal/mol], from 0° on."""
    _last: tuple[str, int, Types] | None = None

    def enter(self, section: str, line: Line) -> bool:
        """Enter a line; return whether it is of these sections. Raises InputError."""
        match section:
            case "defaults":
                self._defaults(line)
            case "atomtypes":
                self._atom(line)
            case "pairtypes" | "nonbond_params":
                if line.integer(2) != 1:
                    raise line.wrong("pairs of another function than 1 (Lennard-Jones) are not computed by ForgeField")
                table = self.pairs if section == "pairtypes" else self.nonbonded
                found = self.defaults.minimum(line, 3)
                table[line.words[:2]] = table[line.words[1::-1]] = found
            case "bondtypes" | "angletypes" | "dihedraltypes":
                self._bonded(f"{section.removesuffix('types')}s", line)
            case "cmaptypes":
                self._map(line)
            case "constrainttypes" | "implicit_genborn_params" | "implicit_surface_params":
                pass
            case _:
                return False
        return True

    def of(self, section: str, function: int, types: Types) -> list[Numbers]:
        """Return the parameters of an interaction, the ones with the fewest wildcards; none where there are none."""
        table = self.bonded.get((section, FUNCTIONS[section][1][function].table), {})
        for turned in (types, types[::-1]):
            if turned in table:
                return table[turned]
        if section != "dihedrals":
            return []
        best, found = -1, []
        for key, held in table.items():
            for turned in (types, types[::-1]):
                if all(a in (b, _WILD) for a, b in zip(key, turned, strict=True)):
                    exact = 4 - key.count(_WILD)
                    if exact > best:
                        best, found = exact, held
        return found

    def _defaults(self, line: Line) -> None:
        if line.integer(0) != 1:
            raise line.wrong("the Buckingham potential is not computed by ForgeField (nbfunc must be 1)")
        self.defaults.rule = line.integer(1)
        if self.defaults.rule not in (1, 2, 3):
            raise line.wrong(f"combination rule {self.defaults.rule} is none of 1, 2, 3")
        n = len(line.words)
        self.defaults.generates_pairs = n > 2 and line.words[2].lower() == "yes"
        self.defaults.fudge_lj = line.number(3) if n > 3 else 1.0
        self.defaults.fudge_qq = line.number(4) if n > 4 else 1.0

    def _atom(self, line: Line) -> None:
        words = line.words
        # The particle type, one letter, tells which of bonded type and atomic number are there before the mass.
        place = next((k for k in (5, 3, 4) if len(words) > k and len(words[k]) == 1 and words[k].isalpha()), None)
        if place is None:
            raise line.wrong("an atom type has no particle type (A, V, …) in its place")
        between = words[1 : place - 2]
        bonded = next((word for word in between if word[0].isalpha()), words[0])
        number = line.integer(place - 3) if between and not between[-1][0].isalpha() else 0
        minimum, depth = self.defaults.minimum(line, place + 1)
        mass, charge = line.number(place - 2), line.number(place - 1)
        self.atoms[words[0]] = AtomType(words[place], bonded, number, mass, charge, minimum, depth)

    def _bonded(self, section: str, line: Line) -> None:
        order = FUNCTIONS[section][0]
        types, words = line.words[:order], line.words
        if section == "dihedrals" and len(words) > 2 and words[2].isdigit():
            # Two types: of the bond in the middle, but of the ends of a harmonic improper.
            order, pair = 2, words[:2]
            types = (pair[0], _WILD, _WILD, pair[1]) if words[2] == "2" else (_WILD, *pair, _WILD)
        number = line.integer(order)
        if number in REFUSED[section]:
            return
        function = require_function(section, number, line)
        values = tuple(line.number(order + 1 + k) for k in range(function.n))
        table = self.bonded.setdefault((section, function.table), {})
        key = types if types in table else types[::-1] if types[::-1] in table else types
        last, self._last = self._last, (section, number, key)
        if number == 9 and last == self._last:
            table[key] += [] if values in table[key] else [values]
        else:
            table[key] = [values]

    def _map(self, line: Line) -> None:
        rows, columns = line.integer(6), line.integer(7)
        held = [line.number(8 + k) for k in range(len(line.words) - 8)]
        if rows != columns or rows < 2 or len(held) != rows * columns:
            raise line.wrong(
                f"a correction map of {rows} by {columns} has {len(held)} values; it must be square and whole"
            )
        # From -180° on, the first dihedral slow.
        grid = np.roll(np.array(held).reshape(rows, rows) * units.KILOJOULE, rows // 2, (0, 1))
        self.maps[line.words[:5]] = tuple(map(tuple, grid.tolist()))


def require_function(section: str, number: int, line: Line) -> Function:
    """Return a function by its number. Raises InputError for one that is not ours, or unknown."""
    functions = FUNCTIONS[section][1]
    if number in functions:
        return functions[number]
    what = REFUSED[section].get(number)
    known = f"is {what} and not computed by ForgeField" if what else "is not known"
    raise line.wrong(f"function {number} of [ {section} ] {known}; known are {', '.join(map(str, functions))}")
