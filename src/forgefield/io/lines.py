"""Lines of a file in words, with errors that name the file and the line."""

import re
from dataclasses import dataclass
from pathlib import Path

from forgefield.errors import InputError, located
from forgefield.io.text import integer, real

_WORD = re.compile(r'"[^"]*"|\S+')
_SHOWN = 120
"""Characters of a line in a message."""


def quoted_words(text: str) -> list[str]:
    """Return the words of a text; what stands in double quotes is one, with these."""
    return _WORD.findall(text)


@dataclass(frozen=True)
class Line:
    """A line of a file, in words."""

    path: Path
    line: int
    """1-based"""
    words: tuple[str, ...]

    def number(self, place: int) -> float:
        """Return the number at a place. Raises InputError."""
        try:
            return real(self._word(place))
        except ValueError as error:
            raise self.wrong(str(error)) from None

    def optional(self, place: int, otherwise: float = 0.0) -> float:
        """Return the number at a place, where there is one. Raises InputError."""
        return self.number(place) if place < len(self.words) else otherwise

    def numbers(self, start: int, count: int) -> tuple[float, ...]:
        """Return numbers one after another. Raises InputError."""
        return tuple(self.number(start + k) for k in range(count))

    def integer(self, place: int) -> int:
        """Return the integer at a place. Raises InputError."""
        return integer(self.path, self.line, self._word(place), f"word {place + 1}")

    def file(self) -> Path:
        """Return the file that the second word names, as seen from the folder of this one. Raises InputError."""
        found = self.path.parent / self._word(1)
        if not found.is_file():
            raise self.wrong(f"there is no file {found}")
        return found

    def wrong(self, said: str) -> InputError:
        """Return an error about it."""
        text = " ".join(self.words)
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]} …"
        return InputError(located(self.path, self.line, f"{shown!r}: {said}"))

    def _word(self, place: int) -> str:
        if place >= len(self.words):
            raise self.wrong(f"it has no word {place + 1}")
        return self.words[place]
