"""Which row of an MM3* file an interaction takes: substructures before tables, last row there, first row here.

Of the places where a substructure lies the last one that has a row supplies it; within one place the last row wins.
"""

from dataclasses import dataclass, field
from itertools import permutations

from forgefield.assign.mm3.file import N_ATOMS, Mm3File, Mm3Row, RowKind
from forgefield.assign.mm3.graph import ANY, AtomClass, Graph, TypeNames
from forgefield.assign.mm3.patterns import bond_fits
from forgefield.assign.mm3.places import Place, places, rows_placed

Atoms = tuple[int, ...]
_FORWARD_AND_BACK = {n: (tuple(range(n)), tuple(reversed(range(n)))) for n in (2, 3, 4)}
# Out-of-plane rows name the centre first; their interactions have it second.
_STAR = tuple((1, *rest) for rest in permutations((0, 2, 3)))


@dataclass(frozen=True)
class Match:
    """The row an interaction takes."""

    row: Mm3Row
    atoms: Atoms
    """The interaction's atoms in the order of the row's names."""
    substructure: int | None
    """Which substructure the row stands in; None for the main tables."""


@dataclass(frozen=True)
class _Found:
    """A substructure that lies somewhere in a molecule."""

    which: int
    places: list[Place]
    """In the order found."""
    atoms: frozenset[int]
    """All atoms it covers."""


@dataclass
class Tables:
    """The rows of a file, arranged for look-up."""

    file: Mm3File
    names: TypeNames = field(init=False)
    main: dict[RowKind, list[Mm3Row]] = field(init=False)
    inside: list[dict[RowKind, list[Mm3Row]]] = field(init=False)
    """Rows of each substructure."""
    named: dict[tuple[RowKind, tuple[AtomClass, ...]], list[tuple[Mm3Row, tuple[int, ...]]]] = field(init=False)
    """Main rows whose names fit some classes of atoms, with the order of the atoms in which they do."""
    placed: dict[tuple[int, RowKind, tuple[int, ...]], list[tuple[Mm3Row, tuple[int, ...]]]] = field(init=False)
    """Rows of a substructure that fit some positions (0 outside), last first."""
    fitting: dict[AtomClass, frozenset[str]] = field(init=False)
    """The names in the main tables that stand for a class of atoms."""

    def __post_init__(self) -> None:
        self.names = TypeNames(self.file.equivalences)
        # Hydrogen-bond rows of three and four atoms belong to other equations than the 10-12 one.
        self.main = {
            kind: [row for row in self.file.rows if row.kind == kind and len(row.names) == N_ATOMS[kind]]
            for kind in RowKind
        }
        self.inside = [
            {kind: [row for row in s.rows if row.kind == kind] for kind in RowKind} for s in self.file.substructures
        ]
        self.named = {}
        self.placed = {}
        self.fitting = {}

    def main_candidates(self, kind: RowKind, classes: tuple[AtomClass, ...]) -> list[tuple[Mm3Row, tuple[int, ...]]]:
        """Return the main rows whose names fit, in the order of the file."""
        key = kind, classes
        if key not in self.named:
            fitting = [self._names_of(c) for c in classes]
            orders = arrangements(kind, len(classes))
            self.named[key] = [
                (row, order)
                for row in self.main[kind]
                for order in orders
                if all(name in fitting[i] for name, i in zip(row.names, order, strict=True))
            ]
        return self.named[key]

    def _names_of(self, atom: AtomClass) -> frozenset[str]:
        if atom not in self.fitting:
            names = {str(name) for row in self.file.rows for name in row.names}
            self.fitting[atom] = frozenset(name for name in names if self.names.fits(name, atom))
        return self.fitting[atom]

    def substructure_candidates(
        self, which: int, kind: RowKind, places: tuple[int, ...]
    ) -> list[tuple[Mm3Row, tuple[int, ...]]]:
        """Return the rows of a substructure whose positions fit, the last first."""
        key = which, kind, places
        if key not in self.placed:
            self.placed[key] = [
                (row, order)
                for row in reversed(self.inside[which][kind])
                if len(row.names) == len(places) and not _is_of_one_atom(row)
                for order in arrangements(kind, len(places))
                if all(_placed(n, places[i]) for n, i in zip(row.names, order, strict=True))
            ]
        return self.placed[key]


def arrangements(kind: RowKind, n_atoms: int) -> tuple[tuple[int, ...], ...]:
    """Return the orders in which an interaction's atoms may meet a row's names."""
    return _STAR if kind == RowKind.OUT_OF_PLANE else _FORWARD_AND_BACK[n_atoms]


def _is_of_one_atom(row: Mm3Row) -> bool:
    """Whether a van der Waals row of a substructure is that of one atom, with `00` for whatever it meets."""
    return row.kind == RowKind.VAN_DER_WAALS and row.names[1] == ANY


def _placed(name: str | int, place: int) -> bool:
    """Whether a name fits a position; a position fits itself, a type only what is outside, `00` anything."""
    return name == place if isinstance(name, int) else place == 0 or name == ANY


@dataclass
class Matcher:
    """Finds the rows of one molecule's interactions."""

    tables: Tables
    graph: Graph
    laid: list[_Found] = field(init=False)
    """The substructures that lie somewhere in the molecule, last of the file first."""
    found: dict[RowKind, list[_Found]] = field(init=False)
    """Those with rows of a kind."""

    def __post_init__(self) -> None:
        self.laid = []
        stopped: frozenset[int] = frozenset()
        for which, substructure in enumerate(self.tables.file.substructures):
            found = [place for place in places(substructure, self.graph) if stopped.isdisjoint(place.position)]
            atoms = frozenset(atom for place in found for atom in place.position)
            if found:
                self.laid.insert(0, _Found(which, found, atoms))
            if substructure.stops:
                stopped |= atoms
        self.found = {kind: [f for f in self.laid if self.tables.inside[f.which][kind]] for kind in RowKind}

    def match(self, kind: RowKind, atoms: Atoms) -> Match | None:
        """Return the row of an interaction, or None where no row covers it."""
        for found in self.found[kind]:
            if not found.atoms.isdisjoint(atoms):
                match = self._in_substructure(found, kind, atoms)
                if match is not None:
                    return match
        return self.main_match(kind, atoms)

    def may_match(self, kind: RowKind, classes: tuple[AtomClass, ...]) -> bool:
        """Whether some row may cover an interaction of atoms of these classes."""
        return bool(self.found[kind]) or bool(self.tables.main_candidates(kind, classes))

    def main_match(self, kind: RowKind, atoms: Atoms) -> Match | None:
        """Return the row of the main tables that covers an interaction, the first that does."""
        classes = tuple(self.graph.classes[a] for a in atoms)
        for row, order in self.tables.main_candidates(kind, classes):
            arranged = tuple(atoms[i] for i in order)
            if self._bonds_fit(row, arranged) and self._neighbours_fit(row, arranged):
                return Match(row, arranged, None)
        return None

    def atom_row(self, atom: int) -> tuple[Mm3Row, int] | None:
        """Return a substructure's van der Waals row for an atom (a position and `00`), and which one's it is."""
        for found in self.found[RowKind.VAN_DER_WAALS]:
            rows = [row for row in self.tables.inside[found.which][RowKind.VAN_DER_WAALS] if row.names[1] == ANY]
            for place in reversed(found.places):
                row = next((row for row in reversed(rows) if row.names[0] == place.position.get(atom)), None)
                if row is not None:
                    return row, found.which
        return None

    def rows_placed(self) -> dict[int, bool]:
        """Return the lines of rows whose positions are atoms of the molecule, and whether bonded as their kinds ask."""
        rows = [self.tables.file.substructures[found.which].rows for found in self.laid]
        placed = (rows_placed(own, found.places, self.graph) for own, found in zip(rows, self.laid, strict=True))
        return {line: bonded for lines in placed for line, bonded in lines.items()}

    def _in_substructure(self, found: _Found, kind: RowKind, atoms: Atoms) -> Match | None:
        """Return the row of the last place that has one."""
        for place in reversed(found.places):
            position = tuple(place.position.get(a, 0) for a in atoms)
            if any(position):
                match = self._in_place(found.which, place, kind, atoms, position)
                if match is not None:
                    return match
        return None

    def _in_place(
        self, which: int, place: Place, kind: RowKind, atoms: Atoms, position: tuple[int, ...]
    ) -> Match | None:
        """Return the last row that fits, or that of an alternate whose condition holds where there is one."""
        last: Match | None = None
        for row, order in self.tables.substructure_candidates(which, kind, position):
            # Candidates come last first: of the plain rows, the first that fits.
            if row.alternate not in place.alternates and (row.alternate or last is not None):
                continue
            arranged = tuple(atoms[i] for i in order)
            if self._names_fit(row, arranged) and self._neighbours_fit(row, arranged):
                last = Match(row, arranged, which)
                if row.alternate:
                    break
        return last

    def _names_fit(self, row: Mm3Row, arranged: Atoms) -> bool:
        return all(isinstance(n, int) or self.graph.fits(n, a) for n, a in zip(row.names, arranged, strict=True))

    def _bonds_fit(self, row: Mm3Row, arranged: Atoms) -> bool:
        centre = row.kind == RowKind.OUT_OF_PLANE
        return all(
            not symbol or bond_fits(symbol, self.graph.around[arranged[0 if centre else i]][arranged[i + 1]])
            for i, symbol in enumerate(row.bonds)
        )

    def _neighbours_fit(self, row: Mm3Row, arranged: Atoms) -> bool:
        return all(
            not wanted or self.graph.bears(atom, wanted, arranged)
            for atom, wanted in zip(arranged, row.neighbours, strict=True)
        )
