"""Tells two MM3* files apart: rows whose numbers differ, and rows that only one of them has."""

from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import dataclass

from forgefield.assign.mm3.file import Mm3File, Mm3Row, NonbondedRow, RowKind
from forgefield.io.forcefields.mm3.fld_columns import CONSTANTS, NONBONDED_CONSTANTS, numbers_in

Numbers = tuple[float | None, ...]

COLUMNS: dict[RowKind, tuple[str, ...]] = {
    RowKind.STRETCH: ("r0", "k", "moment"),
    RowKind.BEND: ("theta0", "k", "k_bend_bend"),
    RowKind.STRETCH_BEND: ("k",),
    RowKind.TORSION: ("v1", "v2", "v3"),
    RowKind.OUT_OF_PLANE: ("v1", "v2"),
    RowKind.VAN_DER_WAALS: ("radius", "epsilon"),
    RowKind.HYDROGEN_BOND: ("c", "d", "e"),
    RowKind.TORSION_STRETCH: ("k",),
}
"""What the columns of each kind of interaction row are called."""
HIGHER = ("v4", "v5", "v6")
"""What those of a row 54 are called, which continues a torsion."""
NONBONDED_COLUMNS = ("radius", "epsilon", "offset", "charge")
FACTOR = "factor"


@dataclass(frozen=True)
class Difference:
    """A row of one or both files whose numbers differ."""

    kind: str
    """stretch, bend, …; non_bonded for the rows of types, factor for the conversion factors of the header."""
    name: str
    """Types, as the file writes them."""
    section: str
    """Title of the substructure; empty for the main tables."""
    line: tuple[int | None, int | None]
    """1-based line in the old and in the new file; None where it has no such row."""
    columns: tuple[str, ...]
    numbers: tuple[Numbers | None, Numbers | None]
    """Old and new, in the units of the file."""
    new_name: str = ""
    """What the row is called in the new file, where that is something else."""
    atoms: str = ""
    """Which atoms the first interactions of the row are of, where the two force fields are over a molecule."""


@dataclass(frozen=True)
class _Entry:
    kind: str
    name: str
    section: str
    line: int | None
    columns: tuple[str, ...]
    numbers: Numbers


def fld_differences(old: Mm3File, new: Mm3File) -> list[Difference]:
    """Return what differs, in the order of the old file, then what only the new one has.

    Rows are the same row where their kind, section, types, bonds, neighbours and alternate are; equal ones are
    paired in their order. Blank columns count as zero.
    """
    entries, others = dict(_entries(old)), dict(_entries(new))
    keys = [*entries, *(key for key in others if key not in entries)]
    return [found for key in keys if (found := _difference(entries.get(key), others.get(key))) is not None]


def _difference(old: _Entry | None, new: _Entry | None) -> Difference | None:
    either = old or new
    assert either is not None
    if old is not None and new is not None and _filled(old.numbers) == _filled(new.numbers):
        return None
    return Difference(
        kind=either.kind,
        name=either.name,
        section=either.section,
        line=(old.line if old else None, new.line if new else None),
        columns=either.columns,
        numbers=(old.numbers if old else None, new.numbers if new else None),
    )


def _filled(numbers: Numbers) -> tuple[float, ...]:
    return tuple(number or 0.0 for number in numbers)


def _entries(file: Mm3File) -> Iterator[tuple[Hashable, _Entry]]:
    """Yield what a file holds, each under what makes it the same in another file."""
    for name, factor in file.factors.items():
        yield (FACTOR, name), _Entry(FACTOR, name, "", None, (FACTOR,), (factor,))
    seen: Counter[Hashable] = Counter()
    tables = [("", (), file.rows), *((s.title, s.pattern.names, s.rows) for s in file.substructures)]
    for title, pattern, rows in tables:
        for row in rows:
            key = row.kind, title, pattern, row.names, row.bonds, row.neighbours, row.alternate
            yield (*key, seen[key]), _interaction(file, row, title, pattern)
            seen[key] += 1
    for row in file.nonbonded:
        key = row.name, row.neighbours
        yield (*key, seen[key]), _nonbonded(file, row)
        seen[key] += 1


def _interaction(file: Mm3File, row: Mm3Row, title: str, pattern: tuple[str, ...]) -> _Entry:
    columns = COLUMNS[row.kind]
    numbers = numbers_in(_text(file, row.first_line), CONSTANTS[: len(columns)])
    if row.is_continued:
        columns, numbers = (*columns, *HIGHER), (*numbers, *numbers_in(_text(file, row.line), CONSTANTS))
    types = [pattern[name - 1] if isinstance(name, int) else name for name in row.names]
    return _Entry(row.kind.name.lower(), "-".join(types), title, row.first_line, columns, numbers)


def _nonbonded(file: Mm3File, row: NonbondedRow) -> _Entry:
    numbers = numbers_in(_text(file, row.line), NONBONDED_CONSTANTS)
    return _Entry("non_bonded", row.name, "", row.line, NONBONDED_COLUMNS, numbers)


def _text(file: Mm3File, line: int) -> str:
    return file.lines[line - 1].rstrip("\r")
