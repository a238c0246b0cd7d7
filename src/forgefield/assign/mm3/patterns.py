"""Substructure patterns: connected atoms with names and bond symbols, found in a molecule in every way."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from forgefield.errors import InputError

BOND_SYMBOLS = "-=%*."
"""Single, double, triple, any of these three, zero-order."""

_ORDERS = {"-": 1.0, "=": 2.0, "%": 3.0, ".": 0.0}
_TOKEN = re.compile(r"(?P<bond>[-=%*.])|(?P<open>\()|(?P<close>\))|(?P<atom>00|[A-Z][A-Za-z0-9]?)|(?P<ring>[1-9]\d?)")


@dataclass(frozen=True)
class PatternBond:
    """A bond between two positions of a pattern (0-based, the earlier one first)."""

    first: int
    second: int
    symbol: str


@dataclass(frozen=True)
class Pattern:
    """The names of a pattern's positions and the bonds between them; each but the first is bonded to an earlier one."""

    names: tuple[str, ...]
    bonds: tuple[PatternBond, ...]

    def __len__(self) -> int:
        return len(self.names)


def bond_fits(symbol: str, order: float) -> bool:
    """Whether a bond of this order is one that the symbol stands for."""
    return order != 0.0 if symbol == "*" else order == _ORDERS[symbol]


@dataclass
class _Reader:
    """What has been read of a pattern so far."""

    names: list[str]
    bonds: list[PatternBond]
    branches: list[int]
    last: int | None = None
    symbol: str | None = None

    def atom(self, name: str) -> None:
        if self.last is None and self.symbol is not None:
            raise InputError(f"a bond {self.symbol!r} before the first atom")
        if self.last is not None:
            self.bond_to(len(self.names), f"atom {name!r}")
        self.last = len(self.names)
        self.names.append(name if len(name) == 2 else f"{name}0")

    def ring(self, number: int) -> None:
        target = number - 1
        if self.last is None or target >= len(self.names) or target == self.last:
            raise InputError(f"the ring closure names position {number}, which is no other atom before it")
        if any({b.first, b.second} == {target, self.last} for b in self.bonds):
            raise InputError(f"the ring closure repeats the bond to position {number}")
        self.bond_to(target, f"position {number}")

    def bond_to(self, target: int, what: str) -> None:
        if self.symbol is None or self.last is None:
            raise InputError(f"no bond symbol ({' '.join(BOND_SYMBOLS)}) before {what}")
        first, second = sorted((self.last, target))
        self.bonds.append(PatternBond(first, second, self.symbol))
        self.symbol = None

    def branch(self, opens: str | None) -> None:
        if self.symbol is not None or self.last is None:
            raise InputError("a parenthesis stands after a bond symbol or before the first atom")
        if opens:
            self.branches.append(self.last)
        elif self.branches:
            self.last = self.branches.pop()
        else:
            raise InputError("')' without '('")


def parse_pattern(text: str) -> Pattern:
    """Return the pattern that a line such as `C2*C2*AA*AA*AA*AA*1` or `HX-RH(-PX)-HX` describes.

    Two-letter names, joined by bond symbols; parentheses open a branch; a number after a bond symbol
    closes a ring to that position. Raises InputError that says where reading stopped and why.
    """
    reader = _Reader([], [], [])
    text = text.strip()
    place = 0
    try:
        while place < len(text):
            token = _TOKEN.match(text, place)
            if token is None:
                raise InputError(f"{text[place]!r} is no atom name, bond symbol, parenthesis or ring closure")
            _take(reader, token)
            place = token.end()
        if reader.symbol is not None or reader.branches or not reader.names:
            raise InputError("it ends too early")
    except InputError as error:
        raise InputError(f"the pattern {text!r} cannot be read at column {place + 1}: {error}") from None
    return Pattern(tuple(reader.names), tuple(reader.bonds))


def _take(reader: _Reader, token: re.Match[str]) -> None:
    if token["bond"]:
        if reader.symbol is not None:
            raise InputError("two bond symbols in a row")
        reader.symbol = token["bond"]
    elif token["atom"]:
        reader.atom(token["atom"])
    elif token["ring"]:
        reader.ring(int(token["ring"]))
    else:
        reader.branch(token["open"])


def embeddings(
    pattern: Pattern, around: list[dict[int, float]], fits: Callable[[str, int], bool]
) -> Iterator[tuple[int, ...]]:
    """Yield every way to lay the pattern over a molecule, as the atom at each position.

    `around[a]` maps the neighbours of atom a to bond orders; `fits(name, a)` says whether atom a has the name.
    """
    grown_from = [min(b.first for b in pattern.bonds if b.second == k) for k in range(1, len(pattern))]
    backward = [[b for b in pattern.bonds if b.second == k] for k in range(len(pattern))]

    def extend(image: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        position = len(image)
        if position == len(pattern):
            yield image
            return
        candidates = around[image[grown_from[position - 1]]] if image else range(len(around))
        for atom in candidates:
            if atom in image or not fits(pattern.names[position], atom):
                continue
            orders = ((b.symbol, around[atom].get(image[b.first])) for b in backward[position])
            if all(order is not None and bond_fits(symbol, order) for symbol, order in orders):
                yield from extend((*image, atom))

    yield from extend(())
