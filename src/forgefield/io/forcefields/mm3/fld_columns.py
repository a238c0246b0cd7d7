"""The fixed columns of a .fld file: where names, numbers and qualifiers stand, and what the numbers mean."""

import math
import re
from typing import NamedTuple

from forgefield import units
from forgefield.assign.mm3.file import Neighbour, RowKind
from forgefield.errors import InputError

CONSTANTS = ((22, 33), (33, 44), (44, 55))
NONBONDED_CONSTANTS = ((4, 15), (15, 26), (26, 37), (37, 48))
MAIN_NAMES = (4, 9, 14, 19)
MAIN_BONDS = (7, 12, 17)
SUBSTRUCTURE_NAMES = (4, 8, 12, 16)
QUALIFIERS = (57, 62, 67, 72)
NONBONDED_QUALIFIER = 72
SELECTION = 80
"""Column of the origin; the quality stands two columns on."""
COMMENT = 96

ANY = "00"
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)$")
_SOUND = re.compile(r" +[+-]?\d*\.\d+ *$")
"""A number that does not touch the left edge of its columns."""
_BETWEEN = " \t+-"
"""Characters that stand behind a number: blanks, and the sign of the next one."""
_CUT = re.compile(r"[+-]?\d+\.?$")
"""A number without a digit behind its point."""
_NAME = re.compile(r"[A-Z0][A-Za-z0-9]$")
_BEND_BEND = 71.94
"""kcal/mol/rad² in the bend-bend energy of MM3 (Lii & Allinger, JACS 1989, 111, 8551)."""
_TORSION_STRETCH = 5.9975
"""1/Å in the torsion-stretch energy of MM3, as MacroModel has it."""
_DEBYE = 1.0 / 4.80298
"""e·Å by the elementary charge of 1963, with which the pair energies of MacroModel's listings come out."""


class Qualifier(NamedTuple):
    """Four columns that name two neighbours, and how many lines follow that say what these bear."""

    announces: int
    first: str
    second: str


def column_scales(factors: dict[str, float]) -> dict[RowKind, tuple[float, ...]]:
    """Return what each column of each kind of row is multiplied by to enter internal units.

    Bend-bend columns become kcal^½/mol^½/rad, so that the product of two is an energy per rad².
    """
    kilo = {name: factor * units.KILOJOULE for name, factor in factors.items()}
    return {
        RowKind.STRETCH: (1.0, kilo["STR"], _DEBYE),
        RowKind.BEND: (units.DEGREE, kilo["BND"], math.sqrt(_BEND_BEND * kilo["B-B"])),
        RowKind.STRETCH_BEND: (kilo["S-B"],),
        # The file's factor already holds the ½ of ½ V (1 ± cos nφ), which internal barriers do not.
        RowKind.TORSION: (2.0 * kilo["TOR"],) * 3,
        RowKind.OUT_OF_PLANE: (2.0 * kilo["IMP"],) * 2,
        RowKind.VAN_DER_WAALS: (1.0, kilo["VDW"]),
        RowKind.HYDROGEN_BOND: (kilo["HBD"], kilo["HBD"], kilo["HBD"]),
        RowKind.TORSION_STRETCH: (_TORSION_STRETCH * kilo["T-S"],),
    }


def number_in(line: str, start: int, end: int) -> float | None:
    """Return the number in columns start:end of a line, None where they are blank.

    Blanks behind a number do not matter. Raises InputError for text that is no number, that straddles the column's
    edge, or that the end of the line cuts off.
    """
    text = line[start:end]
    field = text.strip()
    if not field:
        return None
    where = f"columns {start + 1}-{end}"
    if any(line[at - 1 : at].strip() and line[at : at + 1].strip(_BETWEEN) for at in (start, end)):
        raise InputError(f"{field!r} runs over the edge of {where}; move it into them")
    if not _NUMBER.match(field):
        raise InputError(f"{field!r} in {where} is not a number")
    if _CUT.match(field) and len(line.rstrip()) == start + len(text.rstrip()) < end - 1:
        raise InputError(f"the line ends inside {where}, after {field!r}; give the digits behind the point")
    return float(field)


def numbers_in(line: str, columns: tuple[tuple[int, int], ...]) -> tuple[float | None, ...]:
    """Return the numbers in each of some columns; raises InputError as `number_in`."""
    numbers: list[float | None] = []
    for start, end in columns:
        text = line[start:end]
        sound = _SOUND.match(text) and len(text) == end - start and line[end : end + 1] in ("", " ")
        numbers.append(float(text) if sound else number_in(line, start, end))
    return tuple(numbers)


def names_in(line: str, starts: tuple[int, ...], position_count: int | None) -> list[str | int | None]:
    """Return the names or positions that begin in some columns; raises InputError as `name_in`."""
    names: list[str | int | None] = []
    for start in starts:
        text = line[start : start + 2]
        sound = _NAME.match(text) and (text == ANY or not text.isdecimal())
        names.append(text if sound else name_in(line, start, position_count))
    return names


def name_in(line: str, start: int, position_count: int | None) -> str | int | None:
    """Return the type name in two columns, or, inside a substructure, the position; None where they are blank.

    Raises InputError for anything else and for a position that the pattern of `position_count` atoms lacks.
    """
    text = line[start : start + 2]
    field = text.strip()
    if not field:
        return None
    if field.isdecimal() and field != ANY:
        if position_count is None:
            raise InputError(f"{field!r} in columns {start + 1}-{start + 2}: positions exist only in substructures")
        if not 1 <= int(field) <= position_count:
            raise InputError(f"position {int(field)} does not exist: the pattern has {position_count} atoms")
        return int(field)
    if not _NAME.match(text):
        raise InputError(f"{text!r} in columns {start + 1}-{start + 2} is no two-character type name")
    return field


def qualifiers_in(line: str, starts: tuple[int, ...]) -> tuple[Qualifier | None, ...]:
    """Return the qualifiers that begin in some columns, None where they are blank.

    Raises InputError for one that does not hold two names, or announces anything but up to three lines.
    """
    qualifiers: list[Qualifier | None] = []
    for start in starts:
        prefix, text = line[start - 1 : start].strip(), line[start : start + 4]
        if not prefix and not text.strip():
            qualifiers.append(None)
            continue
        if len(text) < 4 or not _NAME.match(text[:2]) or not _NAME.match(text[2:]):
            raise InputError(f"{text!r} in columns {start + 1}-{start + 4} does not hold two type names")
        if prefix and prefix not in "123":
            raise InputError(f"{prefix!r} in column {start}: 1, 2 or 3 continuation lines may be announced")
        qualifiers.append(Qualifier(int(prefix or 0), text[:2], text[2:]))
    return tuple(qualifiers)


def neighbours_of(qualifier: Qualifier | None, continuations: tuple[Qualifier | None, ...]) -> tuple[Neighbour, ...]:
    """Return what a qualifier, and those below it on the lines it announces, ask of an atom's neighbours."""
    if qualifier is None or (not qualifier.announces and qualifier.first == qualifier.second == ANY):
        return ()
    below = [c for c in continuations[: qualifier.announces] if c is not None]
    asked = (
        (qualifier.first, tuple(c.first for c in below if c.first != ANY)),
        (qualifier.second, tuple(c.second for c in below if c.second != ANY)),
    )
    return tuple(Neighbour(name, beyond) for name, beyond in asked if name != ANY or beyond)


def with_numbers(line: str, columns: tuple[tuple[int, int], ...], values: tuple[float | None, ...]) -> str:
    """Return the line with new numbers in its fixed columns; None, or a number that prints the same, changes nothing.

    Raises InputError for a number too large for its columns.
    """
    body = line.rstrip("\r\n")
    end_of_line = line[len(body) :]
    for (start, end), value in zip(columns, values, strict=False):
        old = number_in(body, start, end)
        if value is None or (old is not None and f"{value:.4f}" == f"{old:.4f}"):
            continue
        text = f"{value:{end - start}.4f}"
        if len(text) > end - start:
            raise InputError(f"{value} does not fit into columns {start + 1}-{end}")
        body = body.ljust(end)
        body = body[:start] + text + body[end:]
    return body + end_of_line
