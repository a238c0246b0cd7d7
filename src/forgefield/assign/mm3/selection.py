"""Rows of an MM3* file chosen by what a user writes: a substructure's title, lines, kinds, type names."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from forgefield.assign.mm3.file import Mm3File, Mm3Row, NonbondedRow, RowKind
from forgefield.errors import InputError

_SUBSTRUCTURE, _LINE = "substructure:", "line:"
_KINDS = {f"{kind.name.lower()}:": kind for kind in RowKind}
_LINES = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?$", re.ASCII)


@dataclass(frozen=True)
class _Candidate:
    """What a pattern is held against."""

    kind: RowKind
    first_line: int
    line: int
    title: str
    names: str
    reversed_names: str


def selected_lines(file: Mm3File, patterns: Iterable[str]) -> frozenset[int]:
    """Return the lines (the last of each row) that any of the patterns chooses.

    `substructure:TITLE` and type names such as `C3-H1` may hold `*` and `?`; `line:1134` or `line:1860-1904`
    choose by number; `stretch:` and the other kinds before any of these narrow it to rows of that kind.
    Raises InputError for patterns that choose nothing.
    """
    candidates = _candidates(file)
    chosen: set[int] = set()
    idle = []
    for pattern in patterns:
        found = {c.line for c in candidates if _chooses(pattern, c)}
        chosen |= found
        if not found:
            idle.append(repr(pattern))
    if idle:
        titles = ", ".join(repr(s.title) for s in file.substructures)
        raise InputError(
            f"{file.path}: {', '.join(idle)} choose(s) no row; use substructure:TITLE ({titles}), line:NUMBER, "
            f"type names such as C3-H1, each with {' or '.join(_KINDS)} before it to choose only that kind"
        )
    return frozenset(chosen)


def _candidates(file: Mm3File) -> list[_Candidate]:
    found = [_candidate(row, row.names, "") for row in file.rows]
    for substructure in file.substructures:
        of_pattern = substructure.pattern.names
        for row in substructure.rows:
            names = tuple(of_pattern[n - 1] if isinstance(n, int) else n for n in row.names)
            found.append(_candidate(row, names, substructure.title))
    return found + [_candidate(row, (row.name,), "") for row in file.nonbonded]


def _candidate(row: Mm3Row | NonbondedRow, names: tuple[str | int, ...], title: str) -> _Candidate:
    kind = RowKind.VAN_DER_WAALS if isinstance(row, NonbondedRow) else row.kind
    first = row.line if isinstance(row, NonbondedRow) else row.first_line
    types = [str(name) for name in names]
    return _Candidate(kind, first, row.line, title, "-".join(types), "-".join(types[::-1]))


def _chooses(pattern: str, candidate: _Candidate) -> bool:
    for prefix, kind in _KINDS.items():
        if pattern.startswith(prefix):
            rest = pattern.removeprefix(prefix)
            return candidate.kind == kind and (not rest or _chooses(rest, candidate))
    if pattern.startswith(_SUBSTRUCTURE):
        return bool(candidate.title) and fnmatchcase(candidate.title, pattern.removeprefix(_SUBSTRUCTURE))
    if pattern.startswith(_LINE):
        numbers = _LINES.match(pattern.removeprefix(_LINE))
        if numbers is None:
            return False
        first, last = int(numbers[1]), int(numbers[2] or numbers[1])
        return first <= candidate.line and candidate.first_line <= last
    return fnmatchcase(candidate.names, pattern) or fnmatchcase(candidate.reversed_names, pattern)
