"""Warnings by kind: of each kind some examples, and how many more there are."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

EXAMPLES = 3
_ALIKE = 0.6
"""Share of their words in which warnings of one kind agree."""
_LIST = re.compile(r"(?<=: ).+?(?=\.(?: [A-Z]|$)|$)")
"""What a sentence lists after a colon."""
_COUNTED = re.compile(r";? and (\d+) more$")
"""How a list tells that it is not whole."""
_OUTSIDE = r"(?![^(]*\))"
"""What follows a mark that is not in parentheses."""


@dataclass(frozen=True)
class Kind:
    """Warnings that differ by names and numbers alone."""

    warnings: tuple[str, ...]

    @property
    def examples(self) -> tuple[str, ...]:
        """The first of them."""
        return self.warnings[:EXAMPLES]

    @property
    def rest(self) -> tuple[str, ...]:
        """All others."""
        return self.warnings[EXAMPLES:]


def kinds(warnings: Sequence[str]) -> list[Kind]:
    """Return warnings by kind, in the order of the first of each."""
    found: list[list[str]] = []
    for warning in warnings:
        kind = next((kind for kind in found if _alike(kind[0], warning)), None)
        if kind is None:
            found.append([warning])
        else:
            kind.append(warning)
    return [Kind(tuple(kind)) for kind in found]


def short(warning: str) -> str:
    """Return a warning with the first three entries of what it lists."""
    return _LIST.sub(lambda listed: _few(listed[0]), warning)


def folded(warnings: Sequence[str], where: str) -> list[str]:
    """Return three warnings of each kind with three examples of what each lists; `where` holds all of them."""
    shown = []
    for kind in kinds(warnings):
        shown += [short(one) for one in kind.examples]
        if kind.rest:
            shown.append(f"… and {len(kind.rest)} more like the {EXAMPLES} above: see {where}")
    return shown


def _alike(one: str, other: str) -> bool:
    return SequenceMatcher(None, one.split(), other.split(), autojunk=False).ratio() >= _ALIKE


def _few(listed: str) -> str:
    """Return a list without what is beyond its first three entries, where that saves more than one."""
    counted = _COUNTED.search(listed)
    named = listed[: counted.start()] if counted else listed
    mark = "; " if re.search(rf"; {_OUTSIDE}", named) else ", "
    entries = re.split(mark + _OUTSIDE, named)
    if len(entries) <= EXAMPLES + 1:
        return listed
    rest = len(entries) - EXAMPLES + (int(counted[1]) if counted else 0)
    return f"{mark.join(entries[:EXAMPLES])}{mark}… and {rest} more"
