"""What the comments of xyz files name: checks that rows hold their columns, and tells what is not read."""

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

from forgefield.errors import InputError, InputWarning, located
from forgefield.io.assemble.digits import tell_odd_digits
from forgefield.io.offenders import listed
from forgefield.io.text import floats, whole

_PAIR = re.compile(r"""([^\s=]+)\s*=\s*("[^"]*"|'[^']*'|\{[^}]*\}|\[[^\]]*\]|\S*)""")
_CLOSING = {'"': '"', "'": "'", "{": "}", "[": "]"}
_DEFAULT = "species:S:1:pos:R:3"
_COLUMNS = {
    "species": ("S", 1),
    "symbols": ("S", 1),
    "Z": ("I", 1),
    "numbers": ("I", 1),
    "pos": ("R", 3),
    "positions": ("R", 3),
    "forces": ("R", 3),
    "REF_forces": ("R", 3),
    "dft_forces": ("R", 3),
    "dft_total_gradient": ("R", 3),
    "masses": ("R", 1),
    "charge": ("R", 1),
}
"""Columns that are read: their type, and how many words they take. So are those whose name ends in `charges`."""
_ELEMENTS, _POSITIONS = ("species", "symbols", "Z", "numbers"), ("pos", "positions")
_OTHER_COLUMNS = ("tags", "momenta", "magmoms", "initial_magmoms", "move_mask", "velocities", "stresses", "energies")
"""Columns that programs write and that nobody misses here."""
_OTHER_KEYS = ("free_energy", "kinetic_energy", "stress", "virial", "dipole", "magmom")
_RESULT = re.compile(r"energ|force(?!.?field)|grad|hess|charge|mult|spin|freq", re.IGNORECASE)
_TYPES = ("R", "I", "S", "L")
_NEAR = 0.7


@dataclass(frozen=True)
class _Column:
    name: str
    kind: str
    """R, I, S or L."""
    start: int
    """Its first word in a row."""
    count: int

    @property
    def is_read(self) -> bool:
        return self.name in _COLUMNS or self.name.endswith("charges")


def stated(comment: str) -> dict[str, str]:
    """Return the keys of a comment with their values as they are written, without quotes."""
    return {key: value.strip("\"'{}[]") for key, value in _PAIR.findall(comment)}


def check_columns(path: Path, lines: Sequence[str], starts: Sequence[int], numeric: Sequence[str]) -> None:
    """Raise InputError where rows are not what `Properties` says, or a number is none.

    `numeric` are the keys of the comment that are read as numbers. Columns of numbers that are not read give an
    InputWarning. A library parses the file afterwards, which takes digits of any script and any number of columns.
    """
    unknown: dict[str, None] = {}
    for start in starts:
        keys = stated(lines[start + 1])
        opened = _never_closed(lines[start + 1])
        if opened:
            raise InputError(located(path, start + 2, f"{opened} in the comment is never closed"))
        for key in numeric:
            if key in keys and not (keys[key].isascii() and "_" not in keys[key]):
                raise InputError(located(path, start + 2, f"{key} is {keys[key]!r}, expected plain numbers"))
        columns = list(_columns(path, start + 2, keys.get("Properties", _DEFAULT)))
        _check_rows(path, start + 3, lines[start + 2 : start + 2 + whole(lines[start].strip())], columns)
        unknown |= dict.fromkeys(c.name for c in columns if c.kind in "RI" and not c.is_read)
    known = [*_COLUMNS, "charges"]
    _warn(path, "column", [name for name in unknown if name not in _OTHER_COLUMNS], {n.lower(): n for n in known})


def elements_at(comment: str) -> int | None:
    """Return which word of a row of a checked frame is the symbol of its element; None where numbers stand for it."""
    columns = _columns(Path(), 0, stated(comment).get("Properties", _DEFAULT))
    return next((column.start for column in columns if column.name in _ELEMENTS and column.kind == "S"), None)


def _never_closed(comment: str) -> str:
    """Return the quote or bracket behind which the library would take all that follows for one value."""
    opened, escaped = "", False
    for character in comment:
        if escaped or character == "\\":
            escaped = not escaped
        elif opened:
            opened = "" if character == _CLOSING[opened] else opened
        elif character in _CLOSING:
            opened = character
    return opened


def warn_of_keys(path: Path, comments: Sequence[str], read: Sequence[str]) -> None:
    """Give an InputWarning of each key that looks like a result and is not one of those that are `read`."""
    known = {key.lower(): key for key in read}
    keys = dict.fromkeys(key for comment in comments for key in stated(comment))
    suspect = [
        key
        for key in keys
        if key not in (*read, *_OTHER_KEYS)
        and (_RESULT.search(key) or get_close_matches(key.lower(), known, n=1, cutoff=_NEAR))
    ]
    _warn(path, "key", suspect, known)


def _warn(path: Path, what: str, names: Sequence[str], known: Mapping[str, str]) -> None:
    for name in names:
        near = get_close_matches(name.lower(), known, n=1, cutoff=0.5)
        hint = f"did you mean {known[near[0]]!r}?" if near else f"known are {', '.join(known.values())}"
        warnings.warn(InputWarning(f"{path}: the {what} {name!r} is not read; {hint}"), stacklevel=3)


def _columns(path: Path, line: int, properties: str) -> Iterator[_Column]:
    fields = properties.split(":")
    if len(fields) % 3:
        raise InputError(located(path, line, f"Properties={properties} is not made of name:type:count"))
    start, names = 0, []
    for name, kind, count in zip(fields[::3], fields[1::3], fields[2::3], strict=True):
        if kind not in _TYPES or not count.isascii() or not count.isdecimal() or not 0 < len(count) < 10:
            raise InputError(
                located(path, line, f"the column {name}:{kind}:{count} has no type R, I, S or L and count")
            )
        column = _Column(name, kind, start, int(count))
        expected = _COLUMNS.get(name)
        if expected is not None and (kind, int(count)) != expected and not (kind == "I" and expected == ("R", 1)):
            wanted = ":".join(map(str, (name, *expected)))
            raise InputError(located(path, line, f"the column {name}:{kind}:{count} must be {wanted}"))
        names.append(name)
        start += int(count)
        yield column
    if len({*names}) < len(names) or not {*_ELEMENTS} & {*names} or not {*_POSITIONS} & {*names}:
        message = f"Properties={properties} must name `species` and `pos`, and each column once"
        raise InputError(located(path, line, message))


def _check_rows(path: Path, first: int, rows: Sequence[str], columns: Sequence[_Column]) -> None:
    n_words = sum(column.count for column in columns)
    words = [row.split() for row in rows]
    wrong = [f"line {first + i} has {len(row)}" for i, row in enumerate(words) if len(row) != n_words]
    if wrong:
        raise InputError(
            f"{path}: is not a readable extended xyz file: Properties name columns of {n_words} words in all, but "
            f"{listed(wrong)}"
        )
    for column in columns:
        taken = [row[column.start : column.start + column.count] for row in words]
        if column.kind in "RI":
            floats(path, first, [" ".join(row) for row in taken], f"column {column.name}")
        if column.kind == "R":
            placed = [(first + i, word) for i, row in enumerate(taken) for word in row]
            tell_odd_digits(path, placed, f"column {column.name}")
