"""Numbers of a table that are written unlike all others: digits that were lost, added or exchanged."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from warnings import warn

from forgefield.errors import InputWarning
from forgefield.io.offenders import listed

_FEWEST = 15
"""Numbers from which on those that are written alike are a rule."""
_MOST = 100_000
"""Numbers beyond which a table is not looked at."""
_FEW = ((60, 1), (300, 2), (_MOST, 3))
"""Up to so many numbers, how many may break the rule; more are another rule."""

Words = Sequence[tuple[int, str]]
"""Numbers as they are written, each with its 1-based line."""


def tell_odd_digits(path: Path | str, words: Words, what: str) -> None:
    """Give an InputWarning where a few numbers of a table are written unlike all others.

    Either they have more or fewer decimals than all others, or digits where all others end in zeros.
    """
    if not _FEWEST <= len(words) <= _MOST:
        return
    if said := _other_decimals(words) or _longer(words):
        warn(InputWarning(f"{path}: {what}: {said}; was a digit lost, added or changed?"), stacklevel=3)


def _other_decimals(words: Words) -> str:
    counts = [len(_decimals(word)) for _, word in words]
    common = Counter(counts).most_common(1)[0][0]
    # Where zeros at the end are cut off, as many programs do, a number may have fewer.
    padded = any(count == common and word.endswith("0") for (_, word), count in zip(words, counts, strict=True))
    odd = [word for word, count in zip(words, counts, strict=True) if count > common or (padded and count < common)]
    return f"{_named(odd)}, and all others have {common} decimals" if 0 < len(odd) <= _few(words) else ""


def _longer(words: Words) -> str:
    some = [(line, word) for line, word in words if any(digit in word for digit in "123456789")]
    if len(some) < _FEWEST:
        return ""
    counts = [len(_decimals(word).rstrip("0")) for _, word in some]
    common = sorted(counts)[-_few(some) - 1]
    odd = [word for word, count in zip(some, counts, strict=True) if count > common]
    return f"{_named(odd)}, and all others end in zeros from decimal {common + 1} on" if odd else ""


def _few(words: Words) -> int:
    return next(few for size, few in _FEW if len(words) <= size)


def _named(odd: Words) -> str:
    return listed([f"{word} (line {line})" for line, word in odd])


def _decimals(word: str) -> str:
    """Return what stands behind the point of a number, without its exponent."""
    return word.partition(".")[2].upper().replace("D", "E").partition("E")[0]
