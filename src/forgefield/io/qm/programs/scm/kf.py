"""Reads KF files, in which ADF and AMS keep typed variables in sections.

A file is a row of blocks. The first is a superindex: a head, then entries of a name, a block, its number within its
section, a count of blocks and their kind. Blocks of an index hold entries of a name, a block of the section, a place in
it, a length and a type; blocks of data begin with the numbers of their integers, reals, characters and logicals, which
follow.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from forgefield.errors import InputError
from forgefield.io.sources import content

_NAME = 32
_BLOCK = 4096
_MARK = b"SUPERINDEX".ljust(_NAME)
_INDEX, _DATA = 3, 4
_INTEGER, _REAL, _TEXT = 1, 2, 3
_HEAD = 7
"""Integers that follow the name in the head of an index block."""


@dataclass(frozen=True)
class _Variable:
    block: int
    """Within its section, from 1."""
    place: int
    """Within the variables of its type in that block, from 1."""
    length: int
    type: int


@dataclass(frozen=True)
class KfFile:
    """The variables of a KF file, by section and name."""

    path: Path
    data: bytes
    integer: str
    """How NumPy names the integers of the file, with their byte order."""
    sections: dict[str, dict[str, _Variable]]
    blocks: dict[str, dict[int, int]]
    """Of each section, where in the file its blocks are, from 1."""

    @classmethod
    def of(cls, path: Path) -> "KfFile":
        """Read a file; raises InputError where it is none of this kind, or cut."""
        try:
            data = content(path)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from None
        integer = _integer(path, data)
        sections: dict[str, dict[str, _Variable]] = {}
        blocks: dict[str, dict[int, int]] = {}
        size = int(integer[-1])
        for name, block, logical, count, kind in _superindex(path, data, integer):
            if kind == _DATA:
                blocks.setdefault(name, {}).update({logical + k: block + k for k in range(count)})
            elif kind == _INDEX:
                for k in range(count):
                    start = _NAME + _HEAD * size
                    body = _block(path, data, block + k)[start:]
                    found = _entries(body, integer, 6)
                    sections.setdefault(name, {}).update(
                        {key: _Variable(row[0], row[1], row[4], row[5]) for key, row in found if key != "EMPTY"}
                    )
        return cls(path, data, integer, sections, blocks)

    def numbers(self, section: str, name: str) -> np.ndarray | None:
        """Return integers or reals; None where there is no such variable."""
        variable = self.sections.get(section, {}).get(name)
        if variable is None:
            return None
        if variable.type not in (_INTEGER, _REAL):
            raise InputError(f"{self.path}: {section}%{name} is not of numbers")
        return np.concatenate([np.zeros(0), *self._pieces(section, name, variable)])[: variable.length]

    def text(self, section: str, name: str) -> str:
        """Return a text; nothing where there is no such variable."""
        variable = self.sections.get(section, {}).get(name)
        if variable is None or variable.type != _TEXT:
            return ""
        pieces = b"".join(piece.tobytes() for piece in self._pieces(section, name, variable))
        return pieces[: variable.length].decode("latin-1").strip()

    def _pieces(self, section: str, name: str, variable: _Variable) -> list[np.ndarray]:
        """Return what each block holds of a variable, which goes on in those that follow."""
        found, pieces, logical, place = 0, [], variable.block, max(variable.place, 1) - 1
        while found < variable.length:
            block = self.blocks.get(section, {}).get(logical)
            if block is None:
                raise InputError(f"{self.path}: {section}%{name} ends early; is the file cut?")
            piece = _typed(self.path, _block(self.path, self.data, block), self.integer, variable.type)[place:]
            pieces.append(piece)
            found, logical, place = found + len(piece), logical + 1, 0
        return pieces


def _integer(path: Path, data: bytes) -> str:
    """Return the integers of a file: 4 or 8 bytes, of either order; the first block is number 1."""
    for size, start in ((4, 48), (8, 64)):
        if data[start : start + _NAME] == _MARK:
            for order in "<>":
                if np.frombuffer(data, f"{order}i{size}", 1, start + _NAME)[0] == 1:
                    return f"{order}i{size}"
    raise InputError(f"{path}: is no KF file of ADF or AMS")


def _block(path: Path, data: bytes, number: int) -> bytes:
    start = (number - 1) * _BLOCK
    if number < 1 or start >= len(data):
        raise InputError(f"{path}: block {number} is not there; is the file cut?")
    return data[start : start + _BLOCK]


def _entries(block: bytes, integer: str, count: int) -> list[tuple[str, list[int]]]:
    """Return names, each with the integers that follow it."""
    size = int(integer[-1])
    step = _NAME + count * size
    return [
        (
            block[at : at + _NAME].decode("latin-1").strip(),
            np.frombuffer(block, integer, count, at + _NAME).tolist(),
        )
        for at in range(0, len(block) - step + 1, step)
    ]


def _superindex(path: Path, data: bytes, integer: str) -> list[tuple[str, int, int, int, int]]:
    """Return the entries of all blocks of the superindex; the head of each names the one that follows."""
    found, number, seen = [], 1, set()
    while number not in seen:
        seen.add(number)
        entries = _entries(_block(path, data, number), integer, 4)
        number = entries[0][1][3]
        found += [(name, *row) for name, row in entries[1:] if name not in ("SUPERINDEX", "EMPTY", "")]
    if any(row[3] > len(data) // _BLOCK + 1 for row in found):
        raise InputError(f"{path}: its superindex is damaged")
    return found


def _typed(path: Path, block: bytes, integer: str, kind: int) -> np.ndarray:
    """Return the variables of one type in a block of data."""
    size = int(integer[-1])
    counts = np.frombuffer(block, integer, 4).tolist()
    sizes = {_INTEGER: (size, integer), _REAL: (8, f"{integer[0]}f8"), _TEXT: (1, "S1")}
    start = 4 * size + sum(counts[other - 1] * sizes[other][0] for other in sizes if other < kind)
    width, name = sizes[kind]
    if min(counts) < 0 or start + counts[kind - 1] * width > len(block):
        raise InputError(f"{path}: a block of data is damaged or cut")
    return np.frombuffer(block, name, counts[kind - 1], start)
