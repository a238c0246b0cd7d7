"""The grammar of Maestro files: named blocks of properties, and tables inside them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from forgefield.errors import InputError, located

_WORD = re.compile(r'\s+|#[^#\n]*#|"(?:[^"\\\n]|\\[^\n])*"|[^\s"]\S*|"')
_HEADER = re.compile(r"([A-Za-z_][\w.-]*)?(?:\[(\d{1,9})\])?(\{)?")
_PROPERTY = re.compile(r"[birs]_\S+")
_EMPTY = "<>"
_SEPARATOR = ":::"
_NUMBERED = ("m_atom", "m_bond")
"""Tables whose rows must be numbered from 1 without a gap."""
_DEEPEST = 10
"""No Maestro file nests its blocks deeper."""

Value = str | None
"""A value as written; None where the file has the mark of an empty field, `<>`."""


@dataclass(frozen=True)
class Table:
    """A table of a block: the names of its columns, its rows, and the 1-based line where each row begins."""

    name: str
    line: int
    columns: tuple[str, ...]
    rows: tuple[tuple[Value, ...], ...]
    lines: tuple[int, ...]

    def column(self, name: str) -> tuple[Value, ...] | None:
        """Return the values of a column, or None where the table has no such column."""
        if name not in self.columns:
            return None
        place = self.columns.index(name)
        return tuple(row[place] for row in self.rows)


@dataclass(frozen=True)
class Block:
    """A block that is no table: its properties and the tables inside it."""

    name: str
    line: int
    properties: dict[str, Value]
    tables: dict[str, Table]


@dataclass(frozen=True, slots=True)
class _Word:
    text: str
    line: int
    quoted: bool = False

    def marks(self, text: str) -> bool:
        """Whether this is the unquoted mark `text`."""
        return self.text == text and not self.quoted

    @property
    def value(self) -> Value:
        return None if self.marks(_EMPTY) else self.text


@dataclass(frozen=True)
class _Header:
    name: str
    line: int
    n_rows: int | None
    """None where the block is no table."""
    body: int
    """The word after the opening brace."""

    @property
    def title(self) -> str:
        return (self.name or "(without a name)") + ("" if self.n_rows is None else f"[{self.n_rows}]")


@dataclass(frozen=True)
class _Words:
    """The words of a file by place; a place behind the last one raises InputError that says what is cut off.

    They are split as they are asked for, so that a file which is none of Maestro costs neither time nor memory.
    """

    path: Path
    rest: Iterator[_Word]
    known: list[_Word] = field(default_factory=list)

    def has(self, place: int) -> bool:
        while len(self.known) <= place:
            word = next(self.rest, None)
            if word is None:
                return False
            self.known.append(word)
        return True

    def at(self, place: int, header: _Header | None) -> _Word:
        if self.has(place):
            return self.known[place]
        inside = "" if header is None else f" inside block {header.title} of line {header.line}"
        raise InputError(f"{self.path}: the file ends{inside}; it is truncated")

    def error(self, word: _Word, message: str) -> InputError:
        return InputError(located(self.path, word.line, message))


def read_blocks(path: Path, text: str) -> list[Block]:
    """Return the top-level blocks of a Maestro file in their order.

    Strings are quoted and escape quotes by a backslash, `#` encloses comments, `<>` is an empty field.
    Raises InputError that names the line.
    """
    words = _Words(path, _split(path, text))
    found, place = [], 0
    while words.has(place):
        header = _header(words, place, None)
        if header.n_rows is not None:
            raise words.error(words.at(place, None), f"table {header.title} stands outside any block")
        block, place = _block(words, header, 1)
        found.append(block)
    return found


def _split(path: Path, text: str) -> Iterator[_Word]:
    line = 1
    for match in _WORD.finditer(text):
        word = match.group()
        if word[0] == '"':
            if len(word) == 1:
                raise InputError(located(path, line, "a string begins with a quote that is never closed"))
            yield _Word(re.sub(r"\\(.)", r"\1", word[1:-1]), line, quoted=True)
        elif word[0] == "#":
            if len(word) == 1 or word[-1] != "#":
                raise InputError(located(path, line, "a comment begins with # that is never closed by another"))
        elif not word.isspace():
            yield _Word(word, line)
        line += word.count("\n")


def _header(words: _Words, place: int, parent: _Header | None) -> _Header:
    word = words.at(place, parent)
    match = _HEADER.fullmatch(word.text)
    if match is None or word.quoted:
        raise words.error(word, f"expected a block such as `f_m_ct {{`, found {word.text!r}; is it a Maestro file?")
    name, count, brace = match.groups()
    header = _Header(name or "", word.line, None if count is None else int(count), place + 1)
    if brace:
        return header
    following = words.at(place + 1, header)
    if not following.marks("{"):
        raise words.error(
            following, f"expected {{ after {word.text!r}, found {following.text!r}; is it a Maestro file?"
        )
    return _Header(header.name, header.line, header.n_rows, place + 2)


def _block(words: _Words, header: _Header, depth: int) -> tuple[Block, int]:
    if depth > _DEEPEST:
        raise InputError(located(words.path, header.line, f"blocks are nested more than {_DEEPEST} deep"))
    names, place = _names(words, header)
    values = [_value(words, header, place + i, f"property {name}") for i, name in enumerate(names)]
    place += len(names)
    tables: dict[str, Table] = {}
    while not words.at(place, header).marks("}"):
        inner = _header(words, place, header)
        if inner.n_rows is None:
            _, place = _block(words, inner, depth + 1)
            continue
        if inner.name in tables:
            raise words.error(words.at(place, header), f"block {header.title} has a second table {inner.name}")
        tables[inner.name], place = _table(words, inner)
    return Block(header.name, header.line, dict(zip(names, values, strict=True)), tables), place + 1


def _names(words: _Words, header: _Header) -> tuple[tuple[str, ...], int]:
    """Return the property names of a block and the place after the separator that ends them."""
    names: list[str] = []
    place = header.body
    while not (word := words.at(place, header)).marks(_SEPARATOR):
        if word.quoted or not _PROPERTY.fullmatch(word.text):
            message = (
                f"block {header.title}: {word.text!r} is no property name (b_, i_, r_ or s_ and ::: after the last)"
            )
            raise words.error(word, message)
        if word.text in names:
            raise words.error(word, f"block {header.title} names the property {word.text} twice")
        names.append(word.text)
        place += 1
    return tuple(names), place + 1


def _value(words: _Words, header: _Header, place: int, what: str) -> Value:
    word = words.at(place, header)
    if any(word.marks(mark) for mark in (_SEPARATOR, "{", "}")):
        raise words.error(word, f"block {header.title} of line {header.line}: found {word.text!r} in place of {what}")
    return word.value


def _table(words: _Words, header: _Header) -> tuple[Table, int]:
    names, place = _names(words, header)
    rows, lines = [], []
    for number in range(1, (header.n_rows or 0) + 1):
        first = words.at(place, header)
        _check_row_begins(words, header, first, number)
        row = [_value(words, header, place + 1 + i, f"{name} of row {number}") for i, name in enumerate(names)]
        rows.append(tuple(row))
        lines.append(first.line)
        place += 1 + len(names)
    end = words.at(place, header)
    if not end.marks(_SEPARATOR):
        raise words.error(end, f"table {header.title} of line {header.line} goes on after its {header.n_rows} rows")
    if not (end := words.at(place + 1, header)).marks("}"):
        raise words.error(end, f"expected }} at the end of table {header.title}, found {end.text!r}")
    return Table(header.name, header.line, names, tuple(rows), tuple(lines)), place + 2


def _check_row_begins(words: _Words, header: _Header, word: _Word, number: int) -> None:
    if word.marks(_SEPARATOR):
        message = f"table {header.title} of line {header.line} ends after {number - 1} of its {header.n_rows} rows"
        raise words.error(word, message)
    if header.name in _NUMBERED and word.text != str(number):
        message = (
            f"row {number} of table {header.title} begins with {word.text!r}, expected its number; "
            "a row before it has a value too many or too few, or rows are missing"
        )
        raise words.error(word, message)
