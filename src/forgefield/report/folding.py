"""Warnings for the terminal: of each kind some examples, and how many more there are."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher

EXAMPLES = 3
_ALIKE = 0.6
"""Share of their words in which warnings of one kind agree."""
_LIST = re.compile(r"(?<=: ).+?(?=\.(?: [A-Z]|$)|$)")
"""What a sentence lists after a colon."""


def folded(warnings: Sequence[str], where: str) -> list[str]:
    """Return three warnings of each kind with three examples of what each lists; `where` holds all of them."""
    kinds: list[list[str]] = []
    for warning in warnings:
        kind = next((kind for kind in kinds if _alike(kind[0], warning)), None)
        if kind is None:
            kinds.append([warning])
        else:
            kind.append(warning)
    shown = []
    for kind in kinds:
        shown += [_LIST.sub(lambda found: _few(found[0]), one) for one in kind[:EXAMPLES]]
        if len(kind) > EXAMPLES:
            shown.append(f"… and {len(kind) - EXAMPLES} more like the {EXAMPLES} above: see {where}")
    return shown


def _alike(one: str, other: str) -> bool:
    return SequenceMatcher(None, one.split(), other.split(), autojunk=False).ratio() >= _ALIKE


def _few(listed: str) -> str:
    """Return a list without what is beyond its first three entries, where that saves more than one."""
    mark = "; " if "; " in listed else ", "
    entries = listed.split(mark)
    if len(entries) <= EXAMPLES + 1:
        return listed
    return f"{mark.join(entries[:EXAMPLES])}{mark}… and {len(entries) - EXAMPLES} more"
