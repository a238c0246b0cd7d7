"""Stretches, bends, torsions and their cross terms of a molecule, with the rows of an MM3* file that they take."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations

from forgefield.assign.mm3.file import Mm3Row, RowKind
from forgefield.assign.mm3.graph import ANY
from forgefield.assign.mm3.ledger import Ledger
from forgefield.assign.mm3.match import Atoms, Match, Matcher
from forgefield.terms.bend import MM3_BEND
from forgefield.terms.cross import STRETCH_BEND, TORSION_STRETCH
from forgefield.terms.mm3 import BEND_BEND_PRODUCT, BOND_MOMENT
from forgefield.terms.out_of_plane import COSINE_OUT_OF_PLANE, ONE_FOLD_OUT_OF_PLANE
from forgefield.terms.shifted import scaled, shifted, shifted_stretch
from forgefield.terms.stretch import MM3_STRETCH
from forgefield.terms.term import Term
from forgefield.terms.torsion import TORSION3, TORSION6

LENGTH, STRETCH_CONSTANT, MOMENT = 0, 1, 2
ANGLE, BEND_CONSTANT, BEND_BEND_CONSTANT = 0, 1, 2

V1, V2 = 0, 1

_Own = tuple[tuple[Term, tuple[int, ...]], ...]
"""Terms, and which columns of a row are their own parameters."""
_OWN: dict[RowKind, _Own] = {
    RowKind.STRETCH: ((MM3_STRETCH, (STRETCH_CONSTANT, LENGTH)), (BOND_MOMENT, (MOMENT,))),
    RowKind.BEND: ((MM3_BEND, (BEND_CONSTANT, ANGLE)), (BEND_BEND_PRODUCT, (BEND_BEND_CONSTANT,))),
    RowKind.STRETCH_BEND: ((STRETCH_BEND, (0,)),),
    RowKind.TORSION: ((TORSION3, (0, 1, 2)),),
    RowKind.OUT_OF_PLANE: ((COSINE_OUT_OF_PLANE, (V2,)),),
    RowKind.TORSION_STRETCH: ((TORSION_STRETCH, (0,)),),
}
_CONTINUED: _Own = ((TORSION6, tuple(range(6))),)
_BENT: _Own = (*_OWN[RowKind.OUT_OF_PLANE], (ONE_FOLD_OUT_OF_PLANE, (V1,)))
"""An out-of-plane row whose first column is zero has but V2."""
_QUARTER = 0.25
"""In a substructure, `00` at both ends of a torsion names the sum over the four torsions about a bond.

The listings print a quarter of the row (36.8 as 9.2, on bonds with four torsions); furan and thiophene give
specific rows a quarter of their general ones on bonds with two torsions as well.
"""


@dataclass(frozen=True)
class BondRow:
    """The stretch row of a bond, as far as charges need it."""

    atoms: Atoms
    """The atom that the row names first, then the other."""
    length: int
    moment: int
    polar: bool
    """Whether the moment is, or may become, other than zero."""


@dataclass
class Bonded:
    """Lays the bonded terms of a file over one molecule."""

    ledger: Ledger
    matcher: Matcher
    start: int
    """Number of atoms before this molecule in the batch."""
    centres: dict[int, tuple[int, int]]
    """Parent of each hydrogen whose centre is shifted, and where its offset stands in the values."""
    trained: frozenset[int]
    """Lines whose interactions are kept even where all their numbers are zero."""
    uncovered: list[tuple[RowKind, Atoms]] = field(default_factory=list)
    """Interactions that no row covers."""
    covered: list[tuple[RowKind, Match]] = field(default_factory=list)
    stretches: dict[Atoms, BondRow] = field(default_factory=dict)
    bends: dict[Atoms, int] = field(default_factory=dict)
    """Where the reference angle of each bend stands in the values."""
    couplings: dict[int, list[tuple[Atoms, int, int]]] = field(default_factory=dict)
    """The angles at each centre that are coupled, and where constant and reference angle of that coupling stand."""

    def lay(self) -> None:
        """Enter all bonded interactions of the molecule into the ledger."""
        graph = self.matcher.graph
        for bond in graph.bonds:
            self._stretch(bond)
        for angle in graph.angles:
            self._bend(angle)
        for angle in graph.angles:
            self._stretch_bend(angle)
        self._bend_bends()
        for torsion in graph.torsions:
            self._torsion(torsion)
            self._torsion_stretch(torsion)
        for centre in graph.planar_centres:
            self._out_of_plane(centre)

    def _match(self, kind: RowKind, atoms: Atoms) -> tuple[Match, tuple[int, ...]] | None:
        """Return the row of an interaction and where its columns stand, or None after noting that there is none."""
        match = self.matcher.match(kind, atoms)
        if match is None:
            self.uncovered.append((kind, atoms))
            return None
        self.covered.append((kind, match))
        return match, self._columns(match)

    def _columns(self, match: Match) -> tuple[int, ...]:
        row = match.row
        columns = tuple(c or 0.0 for c in row.columns)
        # A column that the file leaves blank is no parameter of it.
        own = tuple((term, at) for term, at in _own(row) if all(row.columns[c] is not None for c in at))
        return self.ledger.columns(row, columns, own, match.substructure)

    def _active(self, row: Mm3Row) -> bool:
        return row.line in self.trained or any(row.columns)

    def _add(self, term: Term, atoms: Atoms, parameters: tuple[int, ...], line: int, bonds: Iterable[Atoms]) -> None:
        """Enter an interaction, hydrogens across zero-order bonds at their shifted centres.

        `bonds` are the bonds it runs along, as places in `atoms`.
        """
        around = self.matcher.graph.around
        across = {i for bond in bonds if around[atoms[bond[0]]][atoms[bond[1]]] == 0.0 for i in bond}
        if any(atoms[i] in self.centres for i in across):
            # All atoms take part in the move, some by nothing, so that there is one such term to compile.
            moved = tuple(range(len(atoms)))
            still = self.ledger.constant(0.0)
            moves = [self.centres.get(a, (a, still)) if i in across else (a, still) for i, a in enumerate(atoms)]
            term = shifted_stretch(term, moved) if term is MM3_STRETCH else shifted(term, moved)
            parameters = (*parameters, *(offset for _, offset in moves))
            atoms = (*atoms, *(parent for parent, _ in moves))
        self.ledger.add(term, tuple(self.start + a for a in atoms), parameters, line)

    def _stretch(self, bond: Atoms) -> None:
        found = self._match(RowKind.STRETCH, bond)
        if found is None:
            return
        match, columns = found
        polar = bool(match.row.columns[MOMENT]) or match.row.line in self.trained
        row = BondRow(match.atoms, columns[LENGTH], columns[MOMENT], polar)
        self.stretches[bond] = self.stretches[bond[::-1]] = row
        self._add(MM3_STRETCH, bond, (columns[STRETCH_CONSTANT], columns[LENGTH]), match.row.line, ((0, 1),))

    def _bend(self, angle: Atoms) -> None:
        found = self._match(RowKind.BEND, angle)
        if found is None:
            return
        match, columns = found
        self.bends[angle] = columns[ANGLE]
        coupled = columns
        if match.substructure is not None and match.row.columns[BEND_BEND_CONSTANT] is None:
            # A substructure that says nothing of bend-bend leaves the whole coupling, its reference angle
            # included, to the row that the angle would have had without it.
            general = self.matcher.main_match(RowKind.BEND, angle)
            coupled = self._columns(general) if general else ()
        if coupled and (match.row.line in self.trained or self.ledger.values[coupled[BEND_BEND_CONSTANT]]):
            coupling = coupled[BEND_BEND_CONSTANT], coupled[ANGLE]
            self.couplings.setdefault(angle[1], []).append((angle, *coupling))
        self._add(MM3_BEND, angle, (columns[BEND_CONSTANT], columns[ANGLE]), match.row.line, ((0, 1), (1, 2)))

    def _stretch_bend(self, angle: Atoms) -> None:
        i, j, k = angle
        arms = self.stretches.get((i, j)), self.stretches.get((j, k))
        if angle not in self.bends or arms[0] is None or arms[1] is None:
            return
        found = self._match(RowKind.STRETCH_BEND, angle)
        if found is not None and self._active(found[0].row):
            parameters = (found[1][0], arms[0].length, arms[1].length, self.bends[angle])
            self._add(STRETCH_BEND, angle, parameters, found[0].row.line, ((0, 1), (1, 2)))

    def _bend_bends(self) -> None:
        bonds = ((0, 1), (0, 2), (0, 3), (0, 4))
        for centre, coupled in self.couplings.items():
            for (first, k1, angle1), (second, k2, angle2) in combinations(coupled, 2):
                atoms = (centre, first[0], first[2], second[0], second[2])
                self._add(BEND_BEND_PRODUCT, atoms, (k1, k2, angle1, angle2), 0, bonds)

    def _torsion(self, torsion: Atoms) -> None:
        found = self._match(RowKind.TORSION, torsion)
        if found is None or not self._active(found[0].row):
            return
        match, columns = found
        shared = match.substructure is not None and match.row.names[0] == match.row.names[3] == ANY
        parameters = (*columns, self.ledger.constant(_QUARTER if shared else 1.0))
        term = TORSION6 if match.row.is_continued else TORSION3
        self._add(scaled(term), torsion, parameters, match.row.line, ((0, 1), (1, 2), (2, 3)))

    def _torsion_stretch(self, torsion: Atoms) -> None:
        middle = self.stretches.get(torsion[1:3])
        found = self._match(RowKind.TORSION_STRETCH, torsion) if middle else None
        if middle is not None and found is not None and (found[0].row.columns[0] or found[0].row.line in self.trained):
            parameters = (found[1][0], middle.length)
            self._add(TORSION_STRETCH, torsion, parameters, found[0].row.line, ((0, 1), (1, 2), (2, 3)))

    def _out_of_plane(self, centre: Atoms) -> None:
        found = self._match(RowKind.OUT_OF_PLANE, centre)
        if found is None or not self._active(found[0].row):
            return
        match, columns = found
        # The dihedral angle runs as the row names the neighbours: O2, C2, 00, 00 of `C2 * O2 * 00 * 00`.
        middle, first, second, third = match.atoms
        for term, (column,) in _own(match.row):
            atoms, bonds = (first, middle, second, third), ((0, 1), (1, 2), (1, 3))
            self._add(term, atoms, (columns[column],), match.row.line, bonds)


def _own(row: Mm3Row) -> _Own:
    if row.is_continued:
        return _CONTINUED
    return _BENT if row.kind == RowKind.OUT_OF_PLANE and row.columns[V1] else _OWN[row.kind]
