"""MM3* force-field files (.fld) of MacroModel: read whole, written back byte for byte but for new numbers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from forgefield.assign.mm3.file import Condition, Mm3File, Mm3Row, NonbondedRow, RowKind, Substructure
from forgefield.assign.mm3.patterns import Pattern, parse_pattern
from forgefield.assign.mm3.rules import Mm3Rules
from forgefield.assign.rules import AbstractRules
from forgefield.assign.typing import Typing
from forgefield.errors import InputError, located
from forgefield.io.forcefields.mm3.fld_columns import CONSTANTS, NONBONDED_CONSTANTS, column_scales, with_numbers
from forgefield.io.forcefields.mm3.fld_header import Header, header_line
from forgefield.io.forcefields.mm3.fld_rows import (
    PhysicalRow,
    condition_row,
    interaction_row,
    main_row,
    nonbonded_row,
    substructure_row,
)
from forgefield.io.outputs import write_bytes
from forgefield.io.sources import content

_HEADER, _ROWS, _SUBSTRUCTURE, _EQUIVALENCES, _NONBONDED = "-1", "-2", "-3", "-5", "-6"
_END_OF_NONBONDED = "END OF NONBONDED"
_COMMENT = re.compile(r"\s*$|#| ?C(\s|$)")
_TITLE = re.compile(r" ?(?P<mark>[CS])(\s+(?P<title>.*))?$")
"""The last of such lines before a pattern is its title; with S, the substructure stops others."""
_SHOWN = 20
_LEGEND = re.compile(r" C  (?P<name>\S{2}) is \S+  (?P<meaning>\S+)")
"""How a generated file says what a type name stands for."""


@dataclass
class _OpenSubstructure:
    """A substructure whose rows are being read."""

    title: str = ""
    pattern: Pattern | None = None
    line: int = 0
    stops: bool = False
    rows: list[Mm3Row] = field(default_factory=list)
    conditions: dict[str, Condition] = field(default_factory=dict)


@dataclass
class _Reader:
    """What has been read of a file so far."""

    lines: list[str]
    header: Header = field(default_factory=Header)
    scales: dict[RowKind, tuple[float, ...]] = field(default_factory=dict)
    equivalences: dict[str, tuple[str, ...]] = field(default_factory=dict)
    rows: list[Mm3Row] = field(default_factory=list)
    nonbonded: list[NonbondedRow] = field(default_factory=list)
    substructures: list[Substructure] = field(default_factory=list)
    section: str = ""
    inside: _OpenSubstructure | None = None
    place: int = 0
    """The line being read, 0-based."""

    def interaction_row(self) -> PhysicalRow:
        """Return the row that begins on the current line, and move to its last line."""
        row = interaction_row(self.lines, self.place)
        self.place = row.last - 1
        return row


def read_fld(path: str | Path) -> Mm3File:
    """Read a force-field file, as `parse_fld` does."""
    try:
        text = content(Path(path)).decode("latin-1")
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    return parse_fld(path, text)


def read_mm3(path: str | Path) -> Mm3Rules:
    """Return the force field of a file, for molecules with its types or, where it says what they mean, for others."""
    return mm3_rules(read_fld(path))


def mm3_rules(file: Mm3File) -> Mm3Rules:
    """Return what a file holds as a force field."""
    legend = filter(None, (_LEGEND.fullmatch(line.rstrip("\r")) for line in file.lines))
    # A generated file is for neutral molecules, and its bond moments say all of their charges.
    return Mm3Rules(file, Typing(file.path, {found["meaning"]: found["name"] for found in legend}, neutral=True))


def parse_fld(path: str | Path, text: str) -> Mm3File:
    """Return what the text of a file says; messages name it as the file at `path`.

    Lengths in Å, angles in rad and energies in kcal/mol, by the conversion factors of its header. Rows whose
    labels the header does not select are left out. Raises InputError that lists the lines that cannot be read.
    """
    lines = text.split("\n")
    _require_complete(path, lines)
    reader = _Reader([line.rstrip("\r") for line in lines])
    complaints: list[str] = []
    while reader.place < len(reader.lines):
        number = reader.place + 1
        try:
            _read_line(reader, reader.lines[reader.place])
        except InputError as error:
            complaints.append(located(path, number, str(error)))
        reader.place += 1
        if complaints and reader.section not in ("", _HEADER) and not reader.scales:
            # Without the factors of the header no row can be read.
            break
    if not complaints:
        complaints += [located(path, *complaint) for complaint in _finish(reader)]
    if complaints:
        more = [f"… and {len(complaints) - _SHOWN} more"] if len(complaints) > _SHOWN else []
        raise InputError("\n".join(complaints[:_SHOWN] + more))
    return Mm3File(
        path=str(path),
        lines=tuple(lines),
        factors=reader.header.factors,
        equivalences=reader.equivalences,
        rows=tuple(row for row in reader.rows if reader.header.selects((row.origin, row.quality))),
        nonbonded=tuple(row for row in reader.nonbonded if reader.header.selects((row.origin, row.quality))),
        substructures=tuple(reader.substructures),
    )


def write_mm3(path: Path, rules: AbstractRules) -> None:
    """Write the file that a force field was read from. Raises InputError where it was none."""
    if not isinstance(rules, Mm3Rules):
        raise InputError(f"{path}: an MM3* file of a force field that was not read from one is written for molecules")
    write_fld(path, rules.file, {})


def write_fld(path: str | Path, file: Mm3File, changes: Mapping[int, tuple[float | None, ...]]) -> None:
    """Write the file with new numbers on some of its lines, as `changed_text` does."""
    write_bytes(Path(path), changed_text(file, changes).encode("latin-1"))


def changed_text(file: Mm3File, changes: Mapping[int, tuple[float | None, ...]]) -> str:
    """Return the text of the file with new numbers on some of its lines; all else stays as it was read.

    `changes` maps a line (any physical line of the row, 1-based) to the row's columns in internal units, in the
    order of the file; None leaves a column as it is. Raises InputError for lines without a row and for numbers
    that do not fit into their columns.
    """
    lines = list(file.lines)
    scales = column_scales(file.factors)
    for line, columns in changes.items():
        row = file.row_on(line)
        if row is None:
            raise InputError(located(file.path, line, "no row stands here whose numbers could be replaced"))
        if isinstance(row, NonbondedRow):
            first, places, factors = row.line, NONBONDED_CONSTANTS, (1.0, scales[RowKind.VAN_DER_WAALS][1], 1.0, 1.0)
        else:
            first, places, factors = row.first_line, CONSTANTS, scales[row.kind] * (1 + row.is_continued)
        if len(columns) > len(factors):
            raise InputError(located(file.path, line, f"{len(columns)} numbers for {len(factors)} columns"))
        values = tuple(None if c is None else c / s for c, s in zip(columns, factors, strict=False))
        # Those of a torsion beyond the third stand on its last line.
        for place, own in ((first, values[: len(places)]), (row.line, values[len(places) :])):
            try:
                lines[place - 1] = with_numbers(lines[place - 1], places, own)
            except InputError as error:
                raise InputError(located(file.path, place, str(error))) from None
    return "\n".join(lines)


def _require_complete(path: str | Path, lines: list[str]) -> None:
    """Raise InputError for substructures as they are published, without the file that they belong in."""
    if any(line.startswith(" 9") for line in lines) and not any(line.startswith(_HEADER) for line in lines):
        raise InputError(
            f"{path}: holds substructures alone, without the header (-1) and the tables of a force field; insert it "
            "into a complete mm3.fld before the last -3, and give that file"
        )


def _read_line(reader: _Reader, line: str) -> None:
    """Enter the current line."""
    if line[:1] == "-" and line[1:2].isdecimal():
        _open_section(reader, line[:2])
    elif reader.inside is not None and reader.section == _SUBSTRUCTURE and (title := _TITLE.match(line)):
        reader.inside.title = (title["title"] or "").strip() or reader.inside.title
        reader.inside.stops |= title["mark"] == "S"
    elif _COMMENT.match(line):
        pass
    elif reader.section == _HEADER:
        header_line(reader.header, line)
    elif reader.section == _EQUIVALENCES:
        _equivalence(reader, line)
    elif reader.section == _NONBONDED:
        _nonbonded(reader, line)
    elif reader.section == _SUBSTRUCTURE:
        _pattern(reader, line)
    elif reader.section == _ROWS:
        _row(reader, line)


def _open_section(reader: _Reader, name: str) -> None:
    if name not in (_HEADER, _ROWS, _SUBSTRUCTURE, _EQUIVALENCES, _NONBONDED):
        raise InputError(f"section {name} is not known; MM3* files have -1, -2, -3, -5 and -6")
    if reader.section in ("", _HEADER) and name != _HEADER:
        missing = reader.header.missing()
        if missing:
            reader.section = name
            raise InputError(f"the header before this section does not give {missing}")
        reader.scales = column_scales(reader.header.factors)
    if name == _SUBSTRUCTURE:
        reader.section = name
        _close_substructure(reader, following=_OpenSubstructure())
    elif reader.inside is not None and (name != _ROWS or reader.inside.pattern is None):
        raise InputError(f"section {name} where a substructure needs its pattern (9 …) and then its rows (-2)")
    reader.section = name


def _equivalence(reader: _Reader, line: str) -> None:
    number, *names = line.split()
    if not number.isdecimal() or len(names) < 2 or any(len(name) != 2 for name in names):
        raise InputError(f"{line.strip()!r} does not hold a number, a new name and the names it stands for")
    reader.equivalences[names[0]] = tuple(names[1:])


def _nonbonded(reader: _Reader, line: str) -> None:
    if _END_OF_NONBONDED in line:
        reader.section = "closed"
        return
    row = PhysicalRow(line, reader.place + 1, reader.place + 1)
    reader.nonbonded.append(nonbonded_row(row, reader.scales[RowKind.VAN_DER_WAALS][1]))


def _pattern(reader: _Reader, line: str) -> None:
    assert reader.inside is not None
    if line[:2] != " 9":
        raise InputError(f"{line.strip()!r} where a substructure's pattern (9 …) is expected")
    if reader.inside.pattern is not None:
        raise InputError("a second pattern in one substructure is not supported; repeat the substructure")
    reader.inside.line = reader.place + 1
    reader.inside.pattern = parse_pattern(line[2:])


def _row(reader: _Reader, line: str) -> None:
    inside = reader.inside
    if inside is None:
        reader.rows.append(main_row(reader.interaction_row(), reader.scales))
        return
    assert inside.pattern is not None
    if line[1:2].isupper():
        condition = condition_row(PhysicalRow(line, reader.place + 1, reader.place + 1), len(inside.pattern))
        if line[0] in inside.conditions:
            raise InputError(f"alternate {line[0]!r} has a second condition")
        inside.conditions[line[0]] = condition
    else:
        inside.rows.append(substructure_row(reader.interaction_row(), reader.scales, len(inside.pattern)))


def _close_substructure(reader: _Reader, following: _OpenSubstructure | None = None) -> None:
    inside, reader.inside = reader.inside, following
    if inside is None or (inside.pattern is None and not inside.title):
        return
    if inside.pattern is None:
        raise InputError(f"the substructure before this line, {inside.title!r}, has no pattern (9 …)")
    unconditional = [row for row in inside.rows if row.alternate and row.alternate not in inside.conditions]
    if unconditional:
        lines = ", ".join(str(row.first_line) for row in unconditional)
        raise InputError(f"no condition (such as {unconditional[0].alternate}A) for the alternates on line(s) {lines}")
    rows = tuple(row for row in inside.rows if reader.header.selects((row.origin, row.quality)))
    reader.substructures.append(
        Substructure(inside.title, inside.pattern, rows, inside.conditions, inside.line, inside.stops)
    )


def _finish(reader: _Reader) -> list[tuple[int | None, str]]:
    """Close what is open at the end of the file and return what is missing."""
    if reader.section in ("", _HEADER):
        return [(None, "no force-field sections found; is it a MacroModel .fld file?")]
    try:
        _close_substructure(reader)
    except InputError as error:
        return [(len(reader.lines), str(error))]
    if not reader.nonbonded:
        return [(None, "the file has no non-bonded section (-6)")]
    return []
