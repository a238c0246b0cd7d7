"""A molecule as MM3* rows see it: typed atoms, their neighbours in file order, and what names fit them."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Float

from forgefield.assign.mm3.file import Neighbour
from forgefield.molecules.elements import SYMBOLS
from forgefield.molecules.molecule import Molecule

ANY = "00"
_METAL = "Z0"
_UNNAMED = ("Du", "Lp")
_TYPED = "H B C N O F Si P S Cl Br I Se Li Na K Rb Cs Mg Ca Ba Zn"
_TYPED_ELEMENTS = frozenset(SYMBOLS.index(symbol) for symbol in _TYPED.split())
"""Elements that MacroModel has types for; what is of none of them is a Z0, as RH is in its listings."""

AtomClass = tuple[str, int]
"""Type name and atomic number."""


@dataclass
class TypeNames:
    """Which atom types the names in a file stand for."""

    equivalences: dict[str, tuple[str, ...]]
    known: dict[tuple[str, AtomClass], bool] = field(default_factory=dict)
    """Answers given before."""

    def fits(self, name: str, atom: AtomClass) -> bool:
        """Whether a name (a type, `00`, an element's `C0`, or an equivalence) stands for this class of atom."""
        key = name, atom
        if key not in self.known:
            self.known[key] = self._fits(name, atom)
        return self.known[key]

    def _fits(self, name: str, atom: AtomClass) -> bool:
        type_name, number = atom
        if name in self.equivalences:
            # A member that is again an equivalence would be circular: members are types or element wildcards.
            return any(_is_type(member, type_name, number) for member in self.equivalences[name])
        return _is_type(name, type_name, number)


def _is_type(name: str, type_name: str, number: int) -> bool:
    if name in (ANY, type_name):
        return True
    if name == _METAL:
        return number >= 0 and number not in _TYPED_ELEMENTS and type_name not in _UNNAMED
    return name[1] == "0" and 0 < number < len(SYMBOLS) and SYMBOLS[number] == name[0]


@dataclass(frozen=True, eq=False)
class Graph:
    """The atoms of one molecule with their classes and neighbours."""

    classes: tuple[AtomClass, ...]
    around: list[dict[int, float]]
    """Neighbours of each atom in the order of the bond table, with bond orders."""
    bonds: tuple[tuple[int, int], ...]
    positions: Float[np.ndarray, "atoms 3"]
    names: TypeNames

    def fits(self, name: str, atom: int) -> bool:
        """Whether a name stands for an atom's type."""
        return self.names.fits(name, self.classes[atom])

    def atoms_called(self, name: str) -> frozenset[int]:
        """Return the atoms whose types a name stands for."""
        classes = frozenset(c for c in set(self.classes) if self.names.fits(name, c))
        return frozenset(atom for atom, c in enumerate(self.classes) if c in classes)

    def covalent(self, atom: int) -> list[int]:
        """Return the neighbours of an atom by bonds of order above zero."""
        return [other for other, order in self.around[atom].items() if order > 0.0]

    @cached_property
    def angles(self) -> list[tuple[int, int, int]]:
        """Every (end, centre, end), in the order in which MacroModel lists them."""
        neighbours = [list(around) for around in self.around]
        return [
            (around[i], c, k) for c, around in enumerate(neighbours) for n, k in enumerate(around) for i in range(n)
        ]

    @cached_property
    def torsions(self) -> list[tuple[int, int, int, int]]:
        """Every chain of four different atoms, once."""
        return [
            (i, j, k, m)
            for j, k in self.bonds
            for i in self.around[j]
            for m in self.around[k]
            if i != k and m not in (i, j)
        ]

    @cached_property
    def planar_centres(self) -> list[tuple[int, int, int, int]]:
        """(first neighbour, centre, second, third) where there are exactly three by bonds of order above zero."""
        covalent = [self.covalent(atom) for atom in range(len(self.around))]
        return [(n[0], centre, n[1], n[2]) for centre, n in enumerate(covalent) if len(n) == 3]

    def bears(self, atom: int, wanted: tuple[Neighbour, ...], taken: Iterable[int]) -> bool:
        """Whether an atom has different neighbours, none of them `taken`, that are as wanted."""
        if not wanted:
            return True
        first, *rest = wanted
        beyond = tuple(Neighbour(name) for name in first.beyond)
        return any(
            self.fits(first.name, other)
            and self.bears(other, beyond, (atom,))
            and self.bears(atom, tuple(rest), (*taken, other))
            for other in self.around[atom]
            if other not in taken
        )


def graph_of(molecule: Molecule, names: TypeNames) -> Graph:
    """Return a molecule's graph; its atoms must have types."""
    assert molecule.types is not None
    around: list[dict[int, float]] = [{} for _ in range(molecule.n_atoms)]
    for (i, j), order in zip(molecule.bonds.tolist(), molecule.orders.tolist(), strict=True):
        around[i][j] = around[j][i] = order
    return Graph(
        classes=tuple(zip(molecule.types, molecule.species.tolist(), strict=True)),
        around=around,
        bonds=tuple((i, j) for i, j in molecule.bonds.tolist()),
        positions=molecule.positions,
        names=names,
    )
