"""LAMMPS input (.lmp) as its commands, and the data file that it reads as its sections."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from forgefield.errors import InputError, located
from forgefield.io.lines import Line
from forgefield.io.structures.coordinates.bare import Bare
from forgefield.io.text import read_text

_DEEPEST = 10
"""Files that include each other."""
SECTIONS = (
    "Masses", "Atoms", "Velocities", "Bonds", "Angles", "Dihedrals", "Impropers", "Pair Coeffs", "PairIJ Coeffs",
    "Bond Coeffs", "Angle Coeffs", "Dihedral Coeffs", "Improper Coeffs",
)  # fmt: skip
STYLES = {
    "full": (2, 3, 4),
    "molecular": (2, None, 3),
    "bond": (2, None, 3),
    "charge": (1, 2, 3),
    "atomic": (1, None, 2),
}
"""Where atoms of a style have type, charge and x in their row."""


@dataclass(frozen=True)
class Row(Line):
    """A line of a file, in words."""

    remark: str = ""
    """What stands behind #."""


def commands(path: Path, depth: int = 0) -> Iterator[Row]:
    """Yield the commands of an input and of those that it includes. Raises InputError."""
    if depth > _DEEPEST:
        raise InputError(f"{path}: includes itself")
    held: list[str] = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        text = line.partition("#")[0].rstrip()
        held += text.removesuffix("&").split()
        if text.endswith("&") or not held:
            continue
        row, held = Row(path, number, tuple(held)), []
        if any("$" in word for word in row.words) or row.words[0] == "variable":
            raise row.wrong("variables are not read; write the numbers in their place")
        if row.words[0] == "include":
            yield from commands(row.file(), depth + 1)
        else:
            yield row


@dataclass(frozen=True)
class DataFile:
    """The sections of a data file."""

    path: Path
    sections: dict[str, list[Row]]
    style: str
    """Of the atoms, as the head of their section says; empty where it does not."""

    def atoms(self, style: str) -> list[Row]:
        """Return the rows of the atoms in the order of their numbers, which are 1 to N. Raises InputError."""
        if (self.style or style) not in STYLES:
            raise InputError(f"{self.path}: atom_style {self.style or style!r} is not read, only {', '.join(STYLES)}")
        rows = sorted(self.sections.get("Atoms", []), key=lambda row: row.integer(0))
        if not rows or [row.integer(0) for row in rows] != list(range(1, len(rows) + 1)):
            raise InputError(f"{self.path}: section Atoms does not name atoms 1 to N, each once")
        return rows

    def columns(self, style: str) -> tuple[int, int | None, int]:
        """Return where atoms have type, charge and x."""
        return STYLES[self.style or style]


def read_data(path: Path) -> DataFile:
    """Return the sections of a data file. Raises InputError for sections that are not known."""
    found: dict[str, list[Row]] = {}
    style, current = "", None
    for number, line in enumerate(read_text(path).splitlines(), 1):
        text, _, remark = (part.strip() for part in line.partition("#"))
        if number == 1 or not text:
            continue
        if text in SECTIONS:
            current = found.setdefault(text, [])
            style = remark if text == "Atoms" else style
        elif text[0].isalpha():
            raise InputError(located(path, number, f"section {text!r} is not read, only {', '.join(SECTIONS)}"))
        elif current is not None:
            current.append(Row(path, number, tuple(text.split()), remark))
    return DataFile(path, found, style)


def read_positions(path: Path) -> Bare:
    """Return the positions of a data file, in the order of the atoms' numbers. Raises InputError."""
    data = read_data(path)
    _, _, x = data.columns("full") if not data.style else STYLES.get(data.style, STYLES["full"])
    return Bare(np.array([row.numbers(x, 3) for row in data.atoms("full")]))
