"""Van der Waals, hydrogen bonds and charges of a molecule, with the rows of an MM3* file that they take."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Int

from forgefield import units
from forgefield.assign.mm3.file import NonbondedRow, RowKind
from forgefield.assign.mm3.ledger import Ledger
from forgefield.assign.mm3.match import Atoms, Match, Matcher
from forgefield.molecules.paths import bond_separations
from forgefield.terms.mm3 import HYDROGEN_BOND_10_12
from forgefield.terms.nonbonded import COULOMB, EXP6, EXP6_PAIR
from forgefield.terms.shifted import scaled, shifted
from forgefield.terms.term import Term

RADIUS, DEPTH, OFFSET = 0, 1, 2
_PAIR_KINDS = (RowKind.HYDROGEN_BOND, RowKind.VAN_DER_WAALS)


@dataclass(frozen=True)
class AtomRow:
    """The van der Waals row of an atom: its line and where radius, depth and offset stand in the values."""

    line: int
    radius: int
    depth: int
    offset: int
    shift: float
    """Value of the offset."""
    charge: float
    """Formal charge that the row states for its type; 0 where it states none or names the type by a wildcard."""


@dataclass
class Nonbonded:
    """Lays the non-bonded terms of a file over one molecule."""

    ledger: Ledger
    matcher: Matcher
    start: int
    """Number of atoms before this molecule in the batch."""
    rows: list[AtomRow | None] = field(init=False)
    """Row of each atom; None where no row names its type."""

    def __post_init__(self) -> None:
        self.rows = [self._atom_row(atom) for atom in range(len(self.matcher.graph.classes))]

    @cached_property
    def centres(self) -> dict[int, tuple[int, int]]:
        """Return the parent of each atom whose centre is shifted, and where its offset stands in the values."""
        graph = self.matcher.graph
        return {
            atom: (graph.covalent(atom)[0], row.offset)
            for atom, row in enumerate(self.rows)
            if row is not None and row.shift != 0.0 and graph.covalent(atom)
        }

    def lay(self, polar: Bool[np.ndarray, " atoms"], cutoff: float) -> None:
        """Enter all pairs of this molecule that are no further apart than `cutoff` [Å].

        `polar` says which of its atoms may be charged.
        """
        pairs, is_14 = self._pairs(cutoff)
        special = self._special(pairs, is_14)
        self._exp6(pairs[~special], is_14[~special])
        charged = pairs[polar[pairs].all(axis=1)]
        factor = self.ledger.file.factors["ELE"] * units.KILOJOULE / units.COULOMB
        scale = np.full((len(charged), 1), self.ledger.constant(factor))
        self._add(COULOMB, charged, np.concatenate([self.ledger.charge(self.start + charged), scale], axis=1))

    def _exp6(self, pairs: Int[np.ndarray, "pairs 2"], is_14: Bool[np.ndarray, " pairs"]) -> None:
        """Enter the pairs whose parameters combine those of their atoms; atoms without a row have none."""
        has_row = np.array([row is not None for row in self.rows])
        table = np.array([(row.radius, row.depth) if row else (0, 0) for row in self.rows], dtype=np.int64)
        kept = has_row[pairs].all(axis=1)
        one, near = self.ledger.constant(1.0), self.ledger.constant(self.ledger.file.factors["V14"])
        scale = np.where(is_14[kept], near, one)[:, None]
        pairs = pairs[kept]
        self._add(EXP6, pairs, np.concatenate([table[pairs[:, 0]], table[pairs[:, 1]], scale], axis=1))

    def _atom_row(self, atom: int) -> AtomRow | None:
        graph, ledger = self.matcher.graph, self.ledger
        row = next(
            (
                row
                for row in ledger.file.nonbonded
                if graph.fits(row.name, atom) and graph.bears(atom, row.neighbours, ())
            ),
            None,
        )
        if row is None:
            return None
        radius, depth, offset = self._enter(row)
        line = row.line
        override = self.matcher.atom_row(atom)
        if override is not None:
            special, which = override
            columns = tuple(c or 0.0 for c in special.columns)
            radius, depth = ledger.columns(special, columns, ((EXP6, (RADIUS, DEPTH)),), which)
            line = special.line
        named = row.name == graph.classes[atom][0]
        return AtomRow(line, radius, depth, offset, row.offset, row.charge or 0.0 if named else 0.0)

    def _enter(self, row: NonbondedRow) -> tuple[int, ...]:
        return self.ledger.columns(row, (row.radius, row.depth, row.offset), ((EXP6, (RADIUS, DEPTH)),))

    def _pairs(self, cutoff: float) -> tuple[Int[np.ndarray, "pairs 2"], Bool[np.ndarray, " pairs"]]:
        """Return the pairs that are at least three bonds apart, and which are three apart.

        Where only one atom's centre is shifted, it comes first, so that there are fewer terms to compile.
        """
        graph = self.matcher.graph
        separation = bond_separations(len(graph.classes), np.array(graph.bonds, dtype=np.int64).reshape(-1, 2))
        pairs = np.argwhere(np.triu(separation >= 3, 1))
        x = graph.positions
        pairs = pairs[np.linalg.norm(x[pairs[:, 0]] - x[pairs[:, 1]], axis=1) <= cutoff]
        moves = self._shifts[0][pairs] >= 0
        pairs = np.where((moves[:, 1] & ~moves[:, 0])[:, None], pairs[:, ::-1], pairs)
        return pairs, separation[pairs[:, 0], pairs[:, 1]] == 3

    def _special(
        self, pairs: Int[np.ndarray, "pairs 2"], is_14: Bool[np.ndarray, " pairs"]
    ) -> Bool[np.ndarray, " pairs"]:
        """Enter the pairs that have a row of their own, and return which they are.

        A hydrogen bond takes the place of the van der Waals interaction, but not three bonds apart, and a row of
        zeros leaves it in place.
        """
        special = np.zeros(len(pairs), dtype=bool)
        by_row: dict[tuple[int, bool], tuple[Match, list[Atoms]]] = {}
        kinds, kind_of = self._kinds(pairs)
        # Of the millions of pairs of a large molecule few are of classes that have such rows.
        for place in np.flatnonzero(np.array([bool(some) for some in kinds], dtype=bool)[kind_of]):
            (i, j), near = pairs[place].tolist(), bool(is_14[place])
            match = self._pair_match((i, j), kinds[kind_of[place]], near)
            if match is not None:
                special[place] = True
                by_row.setdefault((match.row.line, near), (match, []))[1].append((i, j))
        for (_, near), (match, found) in by_row.items():
            self._enter_pairs(match, np.array(found), self.ledger.file.factors["V14"] if near else 1.0)
        return special

    def _kinds(self, pairs: Int[np.ndarray, "pairs 2"]) -> tuple[list[tuple[RowKind, ...]], Int[np.ndarray, " pairs"]]:
        """Return which kinds of rows of their own two classes may have, for all twos, and which of these each pair is.

        There is an empty entry for twos that do not occur.
        """
        classes = self.matcher.graph.classes
        different = list(dict.fromkeys(classes))
        numbers = np.array([different.index(one) for one in classes], dtype=np.int64)
        of_pair = numbers[pairs] @ np.array([len(different), 1])
        kinds: list[tuple[RowKind, ...]] = [()] * len(different) ** 2
        for two in np.unique(of_pair).tolist():
            key = different[two // len(different)], different[two % len(different)]
            kinds[two] = tuple(kind for kind in _PAIR_KINDS if self.matcher.may_match(kind, key))
        return kinds, of_pair

    def _pair_match(self, pair: Atoms, kinds: tuple[RowKind, ...], is_14: bool) -> Match | None:
        for kind in kinds:
            bridge = kind == RowKind.HYDROGEN_BOND
            match = None if bridge and is_14 else self.matcher.match(kind, pair)
            if match is not None and (not bridge or any(match.row.columns[:2])):
                return match
        return None

    def _enter_pairs(self, match: Match, pairs: Int[np.ndarray, "pairs 2"], factor: float) -> None:
        row = match.row
        term = EXP6_PAIR if row.kind == RowKind.VAN_DER_WAALS else HYDROGEN_BOND_10_12
        columns = tuple(c or 0.0 for c in row.columns)
        parameters = self.ledger.columns(row, columns, ((term, (0, 1)),), match.substructure)[:2]
        if factor != 1.0:
            term, parameters = scaled(term), (*parameters, self.ledger.constant(factor))
        self._add(term, pairs, np.tile(np.array(parameters), (len(pairs), 1)), row.line)

    def _add(
        self,
        term: Term,
        pairs: Int[np.ndarray, "pairs 2"],
        parameters: Int[np.ndarray, "pairs parameters"],
        line: int = 0,
    ) -> None:
        """Enter pairs, atoms with an offset at their shifted centres."""
        parent, offset = self._shifts
        moves = parent[pairs] >= 0
        for moved in ((), (0,), (0, 1)):
            chosen = (moves == [place in moved for place in (0, 1)]).all(axis=1)
            atoms, extra = pairs[chosen], pairs[chosen][:, moved]
            self.ledger.add_all(
                shifted(term, moved) if moved else term,
                np.concatenate([atoms, parent[extra]], axis=1) + self.start,
                np.concatenate([parameters[chosen], offset[extra]], axis=1),
                np.full(len(atoms), line),
            )

    @cached_property
    def _shifts(self) -> tuple[Int[np.ndarray, " atoms"], Int[np.ndarray, " atoms"]]:
        """The parent of each atom (-1 without a shift) and where its offset stands in the values."""
        parent, offset = np.full((2, len(self.rows)), -1)
        for atom, (other, place) in self.centres.items():
            parent[atom], offset[atom] = other, place
        return parent, offset
