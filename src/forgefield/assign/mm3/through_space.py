"""Van der Waals interactions and charges of a molecule, with the rows of an MM3* file that they take.

Rows 7 (10-12 hydrogen bonds) take no part: structures that MacroModel minimised have no gradient without them, and one
with them, added or in the place of van der Waals.
"""

import math
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from forgefield import units
from forgefield.assign.mm3.file import NonbondedRow, RowKind
from forgefield.assign.mm3.ledger import Ledger
from forgefield.assign.mm3.match import Atoms, Match, Matcher
from forgefield.molecules.paths import bond_separations
from forgefield.terms.nonbonded import COULOMB, EXP6, EXP6_PAIR
from forgefield.terms.shifted import scaled, shifted
from forgefield.terms.term import Term

RADIUS, DEPTH, OFFSET = 0, 1, 2
TAPER = 1.0
"""Å before and beyond its cutoff, over which MacroModel scales van der Waals interactions down."""
SHORTEST_CUTOFF = 7.0
"""Å, of van der Waals interactions in MacroModel."""
EXTENDED_CUTOFF = 8.0
"""Å, where its input says EXNB."""


@dataclass(frozen=True)
class Cutoffs:
    """Up to which distance in the given geometry [Å] pairs interact."""

    pairs: float = math.inf
    """Those further apart are left out."""
    van_der_waals: float = math.inf
    """Where MacroModel cuts off: it scales depths down from 1 Å before to 1 Å beyond."""

    def share(self, distances: Float[np.ndarray, " pairs"]) -> Float[np.ndarray, " pairs"]:
        """Return what is left of the van der Waals interaction of pairs of nuclei so far apart."""
        if self.van_der_waals == math.inf:
            return np.ones(len(distances))
        inner, outer = self.van_der_waals - TAPER, self.van_der_waals + TAPER
        # Linear in r², as the depths in its listings are.
        return np.clip((outer**2 - distances**2) / (outer**2 - max(inner, 0.0) ** 2), 0.0, 1.0)


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

    def lay(self, polar: Bool[np.ndarray, " atoms"], cutoffs: Cutoffs) -> None:
        """Enter all pairs of this molecule within the cutoffs; `polar` says which of its atoms may be charged."""
        pairs, is_14 = self._pairs(cutoffs.pairs)
        self._van_der_waals(pairs, is_14, cutoffs)
        charged = pairs[polar[pairs].all(axis=1)]
        factor = self.ledger.file.factors["ELE"] * units.KILOJOULE / units.COULOMB
        scale = np.full((len(charged), 1), self.ledger.constant(factor))
        self._add(COULOMB, charged, np.concatenate([self.ledger.charge(self.start + charged), scale], axis=1))

    def _van_der_waals(
        self, pairs: Int[np.ndarray, "pairs 2"], is_14: Bool[np.ndarray, " pairs"], cutoffs: Cutoffs
    ) -> None:
        x = self.matcher.graph.positions
        share = cutoffs.share(np.linalg.norm(x[pairs[:, 0]] - x[pairs[:, 1]], axis=1))
        share = share * np.where(is_14, self.ledger.file.factors["V14"], 1.0)
        pairs, share = pairs[share > 0.0], share[share > 0.0]
        special = self._special(pairs, share)
        self._exp6(pairs[~special], share[~special])

    def _exp6(self, pairs: Int[np.ndarray, "pairs 2"], share: Float[np.ndarray, " pairs"]) -> None:
        """Enter the pairs whose parameters combine those of their atoms; atoms without a row or a radius have none."""
        takes_part = np.array([row is not None and self.ledger.values[row.radius] > 0.0 for row in self.rows])
        table = np.array([(row.radius, row.depth) if row else (0, 0) for row in self.rows], dtype=np.int64)
        kept = takes_part[pairs].all(axis=1)
        different, which = np.unique(share[kept], return_inverse=True)
        scale = np.array([self.ledger.constant(value) for value in different.tolist()], dtype=np.int64)[which]
        pairs = pairs[kept]
        self._add(EXP6, pairs, np.concatenate([table[pairs[:, 0]], table[pairs[:, 1]], scale[:, None]], axis=1))

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
        self, pairs: Int[np.ndarray, "pairs 2"], share: Float[np.ndarray, " pairs"]
    ) -> Bool[np.ndarray, " pairs"]:
        """Enter the pairs that have a row of their own, and return which they are."""
        special = np.zeros(len(pairs), dtype=bool)
        by_row: dict[tuple[int, float], tuple[Match, list[Atoms]]] = {}
        # Of the millions of pairs of a large molecule few are of classes that have such rows.
        for place in np.flatnonzero(self._may_be_special(pairs)):
            (i, j), factor = pairs[place].tolist(), float(share[place])
            match = self.matcher.match(RowKind.VAN_DER_WAALS, (i, j))
            if match is not None:
                special[place] = True
                by_row.setdefault((match.row.line, factor), (match, []))[1].append((i, j))
        for (_, factor), (match, found) in by_row.items():
            self._enter_pairs(match, np.array(found), factor)
        return special

    def _may_be_special(self, pairs: Int[np.ndarray, "pairs 2"]) -> Bool[np.ndarray, " pairs"]:
        """Say of each pair whether its two classes may have a row of their own."""
        classes = self.matcher.graph.classes
        different = list(dict.fromkeys(classes))
        numbers = np.array([different.index(one) for one in classes], dtype=np.int64)
        of_pair = numbers[pairs] @ np.array([len(different), 1])
        may = np.zeros(len(different) ** 2, dtype=bool)
        for two in np.unique(of_pair).tolist():
            key = different[two // len(different)], different[two % len(different)]
            may[two] = self.matcher.may_match(RowKind.VAN_DER_WAALS, key)
        return may[of_pair]

    def _enter_pairs(self, match: Match, pairs: Int[np.ndarray, "pairs 2"], factor: float) -> None:
        row = match.row
        columns = tuple(c or 0.0 for c in row.columns)
        parameters = self.ledger.columns(row, columns, ((EXP6_PAIR, (0, 1)),), match.substructure)[:2]
        if columns[RADIUS]:
            parameters = *parameters, self.ledger.constant(factor)
            self._add(scaled(EXP6_PAIR), pairs, np.tile(np.array(parameters), (len(pairs), 1)), row.line)

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
