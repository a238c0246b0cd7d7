"""Rows of a .fld file: interaction rows of the tables and of substructures, non-bonded rows, conditions."""

from dataclasses import dataclass

from forgefield import units
from forgefield.assign.mm3.file import N_ATOMS, THROUGH_SPACE, Condition, Mm3Row, Neighbour, NonbondedRow, RowKind
from forgefield.assign.mm3.patterns import BOND_SYMBOLS
from forgefield.errors import InputError
from forgefield.io.forcefields.mm3.fld_columns import (
    COMMENT,
    CONSTANTS,
    MAIN_BONDS,
    MAIN_NAMES,
    NONBONDED_CONSTANTS,
    NONBONDED_QUALIFIER,
    QUALIFIERS,
    SELECTION,
    SUBSTRUCTURE_NAMES,
    name_in,
    names_in,
    neighbours_of,
    numbers_in,
    qualifiers_in,
)

_ATOMS = {kind: (n,) for kind, n in N_ATOMS.items()} | {RowKind.HYDROGEN_BOND: (2, 3, 4)}
"""Hydrogen bonds may be described by angles and torsions too, which other equations use."""
_REQUIRED = {
    RowKind.STRETCH: 2,
    RowKind.BEND: 2,
    RowKind.STRETCH_BEND: 1,
    RowKind.TORSION: 3,
    RowKind.OUT_OF_PLANE: 2,
    RowKind.VAN_DER_WAALS: 2,
    RowKind.HYDROGEN_BOND: 2,
    RowKind.TORSION_STRETCH: 1,
}
_WRONG_VAN_DER_WAALS = "a radius must be positive (or zero where the depth is), a depth must not be negative"
_HIGHER = "54"
"""Begins the line that continues a torsion with V4 to V6."""
_CONDITIONS = {"A": 3, "T": 4}
"""Number of positions that conditions on an angle and on a dihedral angle name."""


@dataclass(frozen=True)
class PhysicalRow:
    """The lines of one row, and where the first of them stands (1-based)."""

    line: str
    number: int
    last: int
    """The last physical line."""
    neighbours: tuple[tuple[Neighbour, ...], ...] = ()
    """What the row asks of each of up to four atoms."""
    n_qualifiers: int = 0
    """Number of atoms that it has qualifiers for."""
    higher: str | None = None
    """The line that continues a torsion with V4 to V6."""


def interaction_row(lines: list[str], place: int) -> PhysicalRow:
    """Return the row that begins at `lines[place]`, with the lines that continue it.

    Raises InputError where these do not follow.
    """
    line = lines[place]
    qualifiers = qualifiers_in(line, QUALIFIERS)
    count = max((q.announces for q in qualifiers if q is not None), default=0)
    continuations = lines[place + 1 : place + 1 + count]
    if len(continuations) < count or any(t[1:2] != line[1:2] or t[2:54].strip() for t in continuations):
        raise InputError(f"a qualifier announces {count} continuation line(s), which do not follow")
    below = [qualifiers_in(text, QUALIFIERS) for text in continuations]
    following = lines[place + 1 + count] if place + 1 + count < len(lines) else ""
    higher = following if following.startswith(_HIGHER) and line[1:2] == _HIGHER[1] else None
    return PhysicalRow(
        line=line,
        number=place + 1,
        last=place + 1 + count + (higher is not None),
        neighbours=tuple(neighbours_of(q, tuple(b[i] for b in below)) for i, q in enumerate(qualifiers)),
        n_qualifiers=next((i for i, q in enumerate(qualifiers) if q is None), len(qualifiers)),
        higher=higher,
    )


def row_kind(line: str) -> RowKind:
    """Return the kind of an interaction row; raises InputError where its first columns name none."""
    digit = line[1:2]
    if not digit.isdecimal() or int(digit) not in list(RowKind):
        raise InputError(f"{line[:2]!r} in columns 1-2 is no kind of row (1 to 8)")
    if line[:2] == _HIGHER:
        raise InputError("torsion constants V4 to V6 (54) follow a torsion (4) on the line before, which none is")
    return RowKind(int(digit))


def main_row(row: PhysicalRow, scales: dict[RowKind, tuple[float, ...]]) -> Mm3Row:
    """Return a row of the main tables; raises InputError for one that is incomplete or cannot be read."""
    kind = row_kind(row.line)
    if row.line[:1].strip():
        raise InputError(f"label {row.line[0]!r} in column 1: alternates exist only in substructures")
    names = _names(row.line, MAIN_NAMES, _ATOMS[kind], None)
    bonds = tuple(row.line[place : place + 1].strip() for place in MAIN_BONDS[: len(names) - 1])
    wrong = [b for b in bonds if b not in BOND_SYMBOLS or (not b and kind not in THROUGH_SPACE)]
    if wrong:
        raise InputError(f"{wrong[0]!r} between the types is no bond symbol ({' '.join(BOND_SYMBOLS)})")
    _nothing_else(row.line, [*_spans(MAIN_NAMES, names), *((b, b + 1) for b in MAIN_BONDS[: len(bonds)])])
    found = _row(row, kind, names, bonds, scales)
    if row.n_qualifiers < len(names):
        raise InputError(f"the line ends before the qualifiers of its {len(names)} atoms (0000 where there are none)")
    return found


def substructure_row(row: PhysicalRow, scales: dict[RowKind, tuple[float, ...]], position_count: int) -> Mm3Row:
    """Return a row of a substructure whose pattern has `position_count` atoms; raises InputError as `main_row`."""
    kind = row_kind(row.line)
    label = row.line[:1].strip()
    if label and not label.islower():
        raise InputError(f"{label!r} in column 1 is no label of an alternate (a to z)")
    names = _names(row.line, SUBSTRUCTURE_NAMES, _ATOMS[kind], position_count)
    if not any(isinstance(name, int) for name in names):
        raise InputError("the row names no position of the pattern")
    _nothing_else(row.line, _spans(SUBSTRUCTURE_NAMES, names))
    return _row(row, kind, names, (), scales)


def condition_row(row: PhysicalRow, position_count: int) -> Condition:
    """Return the condition of an alternate, such as `aA   3   2   9           180.0000    45.0000`.

    Raises InputError as `main_row`.
    """
    label = row.line[:1]
    if not label.islower():
        raise InputError(f"{label!r} in column 1 is no label of an alternate (a to z)")
    count = _CONDITIONS.get(row.line[1:2])
    if count is None:
        raise InputError(f"conditions of kind {row.line[1:2]!r} are not supported, only angles (A) and torsions (T)")
    names = _names(row.line, SUBSTRUCTURE_NAMES, (count,), position_count)
    positions = tuple(dict.fromkeys(name for name in names if isinstance(name, int)))
    if len(positions) < count:
        raise InputError(f"a condition of kind {row.line[1]} names {count} different positions of the pattern")
    angle, tolerance = _complete(numbers_in(row.line, CONSTANTS[:2]), 2)
    return Condition(positions, angle * units.DEGREE, tolerance * units.DEGREE, row.number)


def nonbonded_row(row: PhysicalRow, depth_scale: float) -> NonbondedRow:
    """Return a van der Waals row of a type."""
    line = row.line
    name = name_in(line, 2, None)
    if not isinstance(name, str) or line[:2].strip():
        raise InputError("a non-bonded row has a type name in columns 3-4")
    radius, depth, offset, charge = numbers_in(line, NONBONDED_CONSTANTS)
    radius, depth, offset = _complete((radius, depth, offset), 3)
    if _not_van_der_waals(radius, depth) or not -1.0 < offset < 1.0:
        raise InputError(f"{_WRONG_VAN_DER_WAALS}, an offset is a fraction below 1")
    (qualifier,) = qualifiers_in(line, (NONBONDED_QUALIFIER,))
    if qualifier is None or qualifier.announces:
        raise InputError("a non-bonded row ends with one qualifier (0000 where there is none) on the same line")
    return NonbondedRow(
        name=name,
        radius=radius,
        depth=depth * depth_scale,
        offset=offset,
        charge=charge,
        neighbours=neighbours_of(qualifier, ()),
        line=row.last,
        origin=line[SELECTION : SELECTION + 1].strip(),
        quality=line[SELECTION + 2 : SELECTION + 3].strip(),
    )


def _row(
    row: PhysicalRow,
    kind: RowKind,
    names: tuple[str | int, ...],
    bonds: tuple[str, ...],
    scales: dict[RowKind, tuple[float, ...]],
) -> Mm3Row:
    values = numbers_in(row.line, CONSTANTS)
    complete = _complete(values, _REQUIRED[kind])
    if kind == RowKind.STRETCH and not complete[0] > 0.0:
        raise InputError("a bond length must be positive")
    if kind == RowKind.VAN_DER_WAALS and _not_van_der_waals(complete[0], complete[1]):
        raise InputError(_WRONG_VAN_DER_WAALS)
    if kind == RowKind.TORSION_STRETCH and any(values[1:]):
        raise InputError("torsion-bend and torsion-torsion constants (the second and third) are not supported")
    columns = tuple(None if v is None else v * s for v, s in zip(values, scales[kind], strict=False))
    if row.higher is not None:
        columns += tuple(v * s for v, s in zip(_higher(row.higher), scales[kind], strict=True))
    return Mm3Row(
        kind=kind,
        names=names,
        bonds=bonds,
        columns=columns,
        neighbours=row.neighbours[: len(names)],
        line=row.last,
        first_line=row.number,
        alternate=row.line[:1].strip(),
        origin=row.line[SELECTION : SELECTION + 1].strip(),
        quality=row.line[SELECTION + 2 : SELECTION + 3].strip(),
        comment=row.line[COMMENT:].strip(),
    )


def _higher(line: str) -> tuple[float, ...]:
    """Return V4 to V6 of the line that continues a torsion; blank ones are zero."""
    if line[len(_HIGHER) : CONSTANTS[0][0]].strip():
        raise InputError(f"the line {_HIGHER} below a torsion holds no names, only V4 to V6")
    return tuple(v or 0.0 for v in numbers_in(line, CONSTANTS))


def _not_van_der_waals(radius: float, depth: float) -> bool:
    """Whether these are no radius and depth; what takes no part, such as a dummy atom, has neither."""
    return radius < 0.0 or depth < 0.0 or (radius == 0.0 and depth != 0.0)


def _names(
    line: str, starts: tuple[int, ...], counts: tuple[int, ...], position_count: int | None
) -> tuple[str | int, ...]:
    found = names_in(line, starts[: counts[-1]], position_count)
    names = tuple(name for name in found if name is not None)
    if len(names) not in counts or any(name is None for name in found[: len(names)]):
        wanted = " or ".join(str(n) for n in counts)
        raise InputError(f"the row names {len(names)} atom(s), not {wanted}, in its fixed columns")
    return names


def _complete(values: tuple[float | None, ...], required: int) -> tuple[float, ...]:
    complete = tuple(v for v in values[:required] if v is not None)
    if len(complete) < required:
        raise InputError(f"the line holds {len(complete)} of the {required} numbers it needs")
    return complete


def _spans(starts: tuple[int, ...], names: tuple[str | int, ...]) -> list[tuple[int, int]]:
    return [(start, start + 2) for start in starts[: len(names)]]


def _nothing_else(line: str, spans: list[tuple[int, int]]) -> None:
    """Raise InputError unless the columns before the numbers are blank outside the kind and these spans."""
    rest = line[: CONSTANTS[0][0]]
    for start, end in [(0, 2), *spans]:
        rest = rest[:start] + " " * (end - start) + rest[end:]
    if rest.strip():
        column = len(rest) - len(rest.lstrip())
        raise InputError(f"unexpected {rest[column]!r} in column {column + 1}, between or after the names")
