"""Text of files and the numbers in it, with errors that name the file and the line."""

import codecs
import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from forgefield.errors import InputError, located
from forgefield.io.offenders import listed
from forgefield.io.sources import content

LARGEST = 1e12
"""No quantity of a molecule is as large as this in any unit; a damaged exponent is."""
_FEW = 1000
"""Characters of a text for each zero byte that may be in it."""
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eEdD][+-]?\d{1,4}|[+-]\d{3})?", re.ASCII)
_DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+", re.ASCII)
_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_FORTRAN_EXPONENT = re.compile(r"(?<=\d)(?:[dD](?=[+-]?\d)|(?=[+-]\d{3}\b))")
"""Fortran writes 1.0D-05, and 1.0-100 where the exponent has three digits."""


def read_text(path: Path) -> str:
    """Return the text of a file; raises InputError where it is missing, unreadable, empty or binary."""
    try:
        text = decoded(content(path), errors="replace")
    except FileNotFoundError:
        raise InputError(f"{path}: there is no such file") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    # Lines end in \n whatever the system that wrote them.
    return _sound(path, io.StringIO(text, newline=None).read() if "\r" in text else text)


def decoded(raw: bytes, *, errors: str = "strict") -> str:
    """Return bytes as text in UTF-8, or in UTF-16 where they begin with its mark, as PowerShell's `>` writes it.

    Raises UnicodeDecodeError where they are neither, unless `errors` replaces what is not.
    """
    is_wide = raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return raw.decode("utf-16" if is_wide else "utf-8-sig", errors=errors)


def _sound(path: Path, text: str) -> str:
    if not text or text.isspace():
        raise InputError(f"{path}: the file is empty")
    if "\0" not in text:
        return text
    if text.count("\0") * _FEW > len(text):
        raise InputError(f"{path}: is a binary file where text is expected")
    # Some programs leave a few where a line of theirs was not filled.
    return text.replace("\0", "")


def floats(path: Path | str, line: int | None, rows: Sequence[str], what: str) -> Float[np.ndarray, " numbers"]:
    """Return the numbers of consecutive rows of text, the first of which is the 1-based `line` of the file.

    Raises InputError that quotes each word that is no finite number below 1e12, such as `****` of an overflowed field.
    """
    text = " ".join(rows)
    # Python would take digits of any script, and underscores between them.
    if text.isascii() and "_" not in text:
        try:
            numbers = np.array(text.split(), dtype=np.float64)
        except ValueError:
            numbers = np.full(1, np.nan)
        # Written so that a NaN fails too.
        if (np.abs(numbers) < LARGEST).all():
            return numbers
    return _floats_word_by_word(path, line, rows, what)


def _floats_word_by_word(
    path: Path | str, line: int | None, rows: Sequence[str], what: str
) -> Float[np.ndarray, " numbers"]:
    numbers, wrong = [], []
    for offset, row in enumerate(rows):
        for word in row.split():
            number = _float(word)
            numbers.append(number)
            if not abs(number) < LARGEST:
                wrong.append(repr(word) if line is None else f"{word!r} (line {line + offset})")
    if wrong:
        message = f"{what}: {listed(wrong)} cannot be read as finite numbers of a sane size"
        with_commas = any(_DECIMAL_COMMA.fullmatch(word) for row in rows for word in row.split())
        remedy = "write decimal points instead of commas" if with_commas else "repeat or repair the job"
        raise InputError(f"{path}: {message}; {remedy}")
    return np.array(numbers)


def _float(word: str) -> float:
    return float(_FORTRAN_EXPONENT.sub("E", word)) if _NUMBER.fullmatch(word) else float("nan")


def real(word: str) -> float:
    """Return one number as files state them; raises ValueError where it is none, not finite, or 1e12 or beyond."""
    number = _float(word)
    if not abs(number) < LARGEST:
        raise ValueError(f"{word!r} is not a finite number of a sane size")
    return number


def whole(word: str) -> int:
    """Return one integer as files state them, of up to 18 digits; raises ValueError where it is none."""
    if not _INTEGER.fullmatch(word):
        raise ValueError(f"{word!r} is not an integer")
    return int(word)


def integer(path: Path | str, line: int | None, word: str, what: str) -> int:
    """Return one integer; raises InputError that quotes what stands there instead."""
    try:
        return whole(word)
    except ValueError:
        raise InputError(located(path, line, f"{what} is {word!r}, expected an integer")) from None


def integers(path: Path | str, line: int | None, rows: Sequence[str], what: str) -> Int[np.ndarray, " numbers"]:
    """Return the integers of consecutive rows of text as `floats` does."""
    numbers = floats(path, line, rows, what)
    whole = np.rint(numbers)
    if (numbers != whole).any() or (np.abs(whole) > np.iinfo(np.int32).max).any():
        raise InputError(located(path, line, f"{what} must be integers"))
    return whole.astype(np.int64)
