"""On which line of a TOML file each key and each entry of a list stands."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field

Place = tuple[str | int, ...]
"""Keys, and numbers of entries from 0, from the outermost table inwards."""

_TOKEN = re.compile(
    r'''"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\])*"|'[^']*'|(?P<nothing>#[^\n]*|\s+)'''
    r"""|[\[\]{},=]|[^\s\[\]{},="'#]+""",
    re.DOTALL,
)


def lines(text: str) -> dict[Place, int]:
    """Return the line, from 1, on which each place of a valid file begins."""
    return _Walk([*_tokens(text)]).document()


def _tokens(text: str) -> Iterator[tuple[str, int]]:
    line = 1
    for found in _TOKEN.finditer(text):
        if found["nothing"] is None:
            yield found[0], line
        line += found[0].count("\n")


def _keys(text: str) -> list[str]:
    """Return the parts of a dotted key."""
    table, keys = tomllib.loads(f"{text} = 0"), []
    while isinstance(table, dict):
        ((key, table),) = table.items()
        keys.append(key)
    return keys


@dataclass
class _Walk:
    """A place in the tokens of a file, with what has been found before it."""

    tokens: list[tuple[str, int]]
    at: int = 0
    found: dict[Place, int] = field(default_factory=dict)

    def document(self) -> dict[Place, int]:
        """Walk through the file."""
        table: Place = ()
        while self.at < len(self.tokens):
            if self._next() == "[":
                table = self._header()
            else:
                self._pair(table)
        return self.found

    def _next(self) -> str:
        return self.tokens[self.at][0]

    def _until(self, end: str) -> str:
        """Return what stands before a token, and go beyond it."""
        begin = self.at
        while self._next() != end:
            self.at += 1
        self.at += 1
        return "".join(token for token, _ in self.tokens[begin : self.at - 1])

    def _header(self) -> Place:
        line = self.tokens[self.at][1]
        n_open = 2 if self.tokens[self.at + 1][0] == "[" else 1
        self.at += n_open
        *outer, last = _keys(self._until("]"))
        self.at += n_open - 1
        table: Place = ()
        for key in outer:
            table = self._last_entry((*table, key))
        table = (*table, last)
        if n_open == 1:
            table = self._last_entry(table)
        else:
            self.found.setdefault(table, line)
            table = (*table, self._n_entries(table))
        self._note(table, line)
        return table

    def _n_entries(self, place: Place) -> int:
        n = 0
        while (*place, n) in self.found:
            n += 1
        return n

    def _last_entry(self, place: Place) -> Place:
        """Return the table that a header means: of a list of tables the last."""
        n = self._n_entries(place)
        return (*place, n - 1) if n else place

    def _note(self, place: Place, line: int) -> None:
        for depth in range(1, len(place) + 1):
            self.found.setdefault(place[:depth], line)

    def _pair(self, table: Place) -> None:
        line = self.tokens[self.at][1]
        place = (*table, *_keys(self._until("=")))
        self._note(place, line)
        self._value(place)

    def _value(self, place: Place) -> None:
        token, line = self.tokens[self.at]
        self.at += 1
        if token == "{":
            while self._next() != "}":
                if not self._skip_comma():
                    self._pair(place)
            self.at += 1
        elif token == "[":
            n = 0
            while self._next() != "]":
                if not self._skip_comma():
                    self._note((*place, n), self.tokens[self.at][1])
                    self._value((*place, n))
                    n += 1
            self.at += 1
        elif token[0] not in "\"'":
            # A date and a time may stand apart.
            while self.at < len(self.tokens) and self.tokens[self.at][1] == line and self._next() not in ",]}":
                self.at += 1

    def _skip_comma(self) -> bool:
        is_comma = self._next() == ","
        self.at += is_comma
        return is_comma
