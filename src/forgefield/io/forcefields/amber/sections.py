"""The sections of an AMBER topology (.prmtop, .parm7): names, numbers and words in fixed columns."""

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from forgefield.errors import InputError, located
from forgefield.io.text import floats, read_text

_FORMAT = re.compile(r"%FORMAT\(\s*\d+\(?[aAiIeEfF](\d+)(?:\.\d+)?\s*\)")


@dataclass(frozen=True)
class _Section:
    line: int
    """1-based, of its first row."""
    width: int
    rows: tuple[str, ...]


_TITLE = "FORCE_FIELD_TYPE"
"""A section of words of several widths."""


@dataclass(frozen=True, eq=False)
class Sections:
    """What a topology states, by the name of each section."""

    path: Path
    held: dict[str, _Section]

    def __contains__(self, name: str) -> bool:
        return name in self.held

    def integers(self, name: str, count: int | None = None) -> Int[np.ndarray, " numbers"]:
        """Return the integers of a section, `count` of them where it is given. Raises InputError."""
        found = self._numbers(name, count)
        if (found != np.rint(found)).any():
            raise InputError(f"{self.path}: section {name} must hold integers")
        return found.astype(np.int64)

    def numbers(self, name: str, count: int, default: float | None = None) -> Float[np.ndarray, " numbers"]:
        """Return the numbers of a section; where there is none, the default if there is one. Raises InputError."""
        if name not in self.held and default is not None:
            return np.full(count, default)
        return self._numbers(name, count)

    def words(self, name: str, count: int) -> tuple[str, ...]:
        """Return the words of a section. Raises InputError."""
        section = self._section(name)
        found = tuple(field.strip() for row in section.rows for field in _split(row, section.width))
        self._require(name, len(found), count)
        return found

    def records(self, name: str, count: int, length: int) -> Int[np.ndarray, "records length"]:
        """Return the integers of a section in records of a length."""
        return self.integers(name, count * length).reshape(-1, length)

    def _numbers(self, name: str, count: int | None) -> Float[np.ndarray, " numbers"]:
        section = self._section(name)
        found = floats(self.path, section.line, [" ".join(_split(row, section.width)) for row in section.rows], name)
        if count is not None:
            self._require(name, len(found), count)
        return found

    def _section(self, name: str) -> _Section:
        if name not in self.held:
            raise InputError(f"{self.path}: has no section {name}; is it a whole AMBER topology?")
        return self.held[name]

    def _require(self, name: str, held: int, count: int) -> None:
        if held != count:
            raise InputError(
                f"{self.path}: section {name} holds {held} entries, not {count} as its head says; it is damaged or cut"
            )


def _split(row: str, width: int) -> list[str]:
    return [row[at : at + width] for at in range(0, len(row.rstrip()), width)]


def read_sections(path: Path) -> Sections:
    """Return the sections of a topology. Raises InputError where it is none."""
    lines = read_text(path).splitlines()
    held: dict[str, _Section] = {}
    name, width, begun = "", 0, 0
    for number, line in enumerate([*lines, "%FLAG"], start=1):
        if line.startswith("%FLAG"):
            if name and width:
                held[name] = _Section(begun, width, tuple(lines[begun - 1 : number - 1]))
            name, width = line[5:].strip(), 0
        elif line.startswith("%FORMAT") and name != _TITLE:
            known = _FORMAT.match(line)
            if known is None or int(known[1]) == 0:
                raise InputError(located(path, number, f"{line.strip()!r} is no format of columns"))
            width, begun = int(known[1]), number + 1
    if "POINTERS" not in held:
        raise InputError(
            f"{path}: has no section POINTERS, so it is no AMBER topology of version 7 or later; write it anew with "
            "tleap or ParmEd"
        )
    return Sections(path, held)
