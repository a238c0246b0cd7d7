"""Tinker's parameters (.prm) and keys (.key) as rows by keyword, and its structures (.xyz)."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from forgefield.errors import InputError, located
from forgefield.io.lines import Line, quoted_words
from forgefield.io.offenders import listed
from forgefield.io.structures.coordinates.bare import Bare
from forgefield.io.text import floats, integer, read_text, real

_ATOM = 6
"""Words of an atom's row before those that name its neighbours."""
_BOX = 6


@dataclass(frozen=True)
class Row(Line):
    """A line of parameters, the first word of which is the keyword in small letters."""

    in_key: bool = False
    """Whether it stands in a .key, which goes before the parameters."""

    def classes(self, count: int) -> tuple[int, ...]:
        """Return the numbers of atom classes or types that follow the keyword. Raises InputError."""
        words = self.words[1 : count + 1]
        if len(words) < count:
            raise self.wrong(f"it does not name {count} atom classes")
        return tuple(integer(self.path, self.line, word, "a class or type of atoms") for word in words)

    @property
    def named(self) -> str:
        """What messages call it."""
        return f"{' '.join(self.words[:6])} (line {self.line} of {self.path.name})"


def rows(path: Path, *, in_key: bool = False) -> Iterator[Row]:
    """Yield the lines of a file that begin with a word, without remarks. Raises InputError as `read_text` does."""
    for number, line in enumerate(read_text(path).splitlines(), 1):
        words: list[str] = []
        for word in quoted_words(line):
            if word[0] in "#!":
                break
            words.append(word)
        if words and words[0][0].isalpha():
            yield Row(path, number, (words[0].lower(), *words[1:]), in_key)


@dataclass(frozen=True, eq=False)
class TinkerStructure:
    """A structure with the types and bonds of its atoms."""

    path: Path
    names: tuple[str, ...]
    positions: Float[np.ndarray, "atoms 3"]
    types: tuple[int, ...]
    around: tuple[tuple[int, ...], ...]
    """Neighbours of each atom in ascending order, from 0."""

    @property
    def labels(self) -> tuple[str, ...]:
        """A name for each atom that no other has."""
        if len(set(self.names)) == len(self.names):
            return self.names
        return tuple(f"{name}{k}" for k, name in enumerate(self.names, 1))


def is_tinker_structure(path: Path) -> bool:
    """Say whether a file is a structure of Tinker's: its first atom has a number, a name and a type."""
    if not path.is_file():
        return False
    lines = read_text(path)[:2000].splitlines()
    if not lines or not lines[0].split() or not lines[0].split()[0].isdecimal():
        return False
    return any(_is_atom(line.split()) for line in lines[1:3])


def _is_atom(words: list[str]) -> bool:
    return (
        len(words) >= _ATOM
        and words[0] == "1"
        and not _is_number(words[1])
        and words[5].isdecimal()
        and all(map(_is_number, words[2:5]))
    )


def _is_number(word: str) -> bool:
    try:
        real(word)
    except ValueError:
        return False
    return True


def read_positions(path: Path) -> Bare:
    """Return the positions of a structure, in the order of the atoms' numbers. Raises InputError."""
    found = read_structure(path)
    return Bare(found.positions, found.labels)


def read_structure(path: Path) -> TinkerStructure:
    """Return a structure. Raises InputError for one in a box, for several, and for bonds that one end alone names."""
    lines = [(number, line.split()) for number, line in enumerate(read_text(path).splitlines(), 1) if line.strip()]
    n = integer(path, lines[0][0], lines[0][1][0], "the number of atoms")
    rest = lines[1:]
    if rest and len(rest[0][1]) == _BOX and all(map(_is_number, rest[0][1])):
        raise InputError(located(path, rest[0][0], "a periodic box; molecules are computed in vacuum: remove the line"))
    if n < 1 or len(rest) < n:
        raise InputError(f"{path}: has {len(rest)} rows of atoms, where its head says {n}")
    if len(rest) > n:
        raise InputError(located(path, rest[n][0], f"more than the {n} atoms of one structure; give one structure"))
    if short := [str(number) for number, words in rest if len(words) < _ATOM]:
        raise InputError(f"{path}: line(s) {listed(short)} have no number, name, coordinates and type of an atom")
    numbers = [integer(path, line, words[0], "the number of an atom") for line, words in rest]
    if sorted(numbers) != list(range(1, n + 1)):
        raise InputError(f"{path}: its rows do not have the numbers 1 to {n}, each once")
    rest = [rest[k] for k in np.argsort(numbers).tolist()]
    around = [
        tuple(sorted({integer(path, line, word, "a neighbour") - 1 for word in words[_ATOM:]})) for line, words in rest
    ]
    _require_mutual(path, around)
    return TinkerStructure(
        path=path,
        names=tuple(words[1] for _, words in rest),
        positions=np.array([floats(path, line, [" ".join(words[2:5])], "coordinates") for line, words in rest]),
        types=tuple(integer(path, line, words[5], "the type of an atom") for line, words in rest),
        around=tuple(around),
    )


def _require_mutual(path: Path, around: list[tuple[int, ...]]) -> None:
    n = len(around)
    if strange := [f"{k + 1}" for k, near in enumerate(around) if not all(0 <= a < n and a != k for a in near)]:
        raise InputError(
            f"{path}: atoms {listed(strange)} name neighbours that are none of its {n} atoms, or themselves"
        )
    if single := [f"{k + 1}-{a + 1}" for k, near in enumerate(around) for a in near if k not in around[a]]:
        raise InputError(f"{path}: bonds {listed(single)} are named by their first atom alone; both must name them")
