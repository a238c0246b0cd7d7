"""Substructure patterns: connected atoms with names and bond symbols, found in a molecule in every way."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from forgefield.errors import InputError

BOND_SYMBOLS = "-=%*."
"""Single, double, triple, any of these three, zero-order."""

_ORDERS = {"-": 1.0, "=": 2.0, "%": 3.0, ".": 0.0}
_TOKEN = re.compile(
    r"(?P<bond>[-=%*.])|(?P<open>[(\[])|(?P<close>[)\]])|(?P<atom>00|[A-Z][A-Za-z0-9]?)|(?P<ring>[1-9]\d?)"
)
_OPENS = {")": "(", "]": "["}
_OPTIONAL = "["
_MISPLACED = "a parenthesis or bracket stands after a bond symbol or before the first atom"


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
    optional: tuple[tuple[int, int], ...] = ()
    """First and last position (0-based) of each branch in brackets, which need not be there."""

    def __len__(self) -> int:
        return len(self.names)


def bond_fits(symbol: str, order: float) -> bool:
    """Whether a bond of this order is one that the symbol stands for."""
    return order != 0.0 if symbol == "*" else order == _ORDERS[symbol]


@dataclass(frozen=True)
class _Branch:
    """A branch that is open: its parenthesis or bracket, the atom that it leaves, and its first position."""

    opened_by: str
    leaves: int
    first: int


@dataclass
class _Reader:
    """What has been read of a pattern so far."""

    names: list[str] = field(default_factory=list)
    bonds: list[PatternBond] = field(default_factory=list)
    optional: list[tuple[int, int]] = field(default_factory=list)
    branches: list[_Branch] = field(default_factory=list)
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

    def open(self, sign: str) -> None:
        if self.symbol is not None or self.last is None:
            raise InputError(_MISPLACED)
        self.branches.append(_Branch(sign, self.last, len(self.names)))

    def close(self, sign: str) -> None:
        if not self.branches or self.branches[-1].opened_by != _OPENS[sign]:
            raise InputError(f"{sign!r} without {_OPENS[sign]!r}")
        branch = self.branches.pop()
        if self.symbol is not None:
            raise InputError(_MISPLACED)
        if branch.opened_by == _OPTIONAL:
            if branch.first == len(self.names):
                raise InputError("the brackets hold no atom")
            self.optional.append((branch.first, len(self.names) - 1))
        self.last = branch.leaves


def parse_pattern(text: str) -> Pattern:
    """Return the pattern that a line such as `C2*C2*AA*AA*AA*AA*1` or `HX-RH(-PX)[-HX]` describes.

    Two-letter names, joined by bond symbols; parentheses open a branch, brackets one that need not be there; a
    number after a bond symbol closes a ring to that position. Raises InputError that says where reading stopped
    and why.
    """
    reader = _Reader()
    text = text.strip()
    place = 0
    try:
        while place < len(text):
            token = _TOKEN.match(text, place)
            if token is None:
                raise InputError(f"{text[place]!r} is no atom name, bond symbol, parenthesis, bracket or ring closure")
            _take(reader, token)
            place = token.end()
        if reader.symbol is not None or reader.branches or not reader.names:
            raise InputError("it ends too early")
    except InputError as error:
        raise InputError(f"the pattern {text!r} cannot be read at column {place + 1}: {error}") from None
    return Pattern(tuple(reader.names), tuple(reader.bonds), tuple(reader.optional))


def _take(reader: _Reader, token: re.Match[str]) -> None:
    if token["bond"]:
        if reader.symbol is not None:
            raise InputError("two bond symbols in a row")
        reader.symbol = token["bond"]
    elif token["atom"]:
        reader.atom(token["atom"])
    elif token["ring"]:
        reader.ring(int(token["ring"]))
    elif token["open"]:
        reader.open(token["open"])
    else:
        reader.close(token["close"])


def embeddings(
    pattern: Pattern, around: list[dict[int, float]], fits: Callable[[str, int], bool]
) -> Iterator[tuple[int | None, ...]]:
    """Yield every way to lay the pattern over a molecule, as the atom at each position.

    `around[a]` maps the neighbours of atom a to bond orders; `fits(name, a)` says whether atom a has the name. An
    optional branch is left out, its positions None, only where no way to lay it goes with the positions before it.
    """
    backward = [sorted((b for b in pattern.bonds if b.second == k), key=_first) for k in range(len(pattern))]
    # Of branches that begin at the same position, the outer one comes first.
    branches = [sorted((last for f, last in pattern.optional if f == k), reverse=True) for k in range(len(pattern))]

    def extend(image: tuple[int | None, ...], entered: int = 0) -> Iterator[tuple[int | None, ...]]:
        position = len(image)
        if position == len(pattern):
            yield image
        elif entered < len(branches[position]):
            found = False
            for laid in extend(image, entered + 1):
                found = True
                yield laid
            if not found:
                yield from extend((*image, *(None for _ in range(position, branches[position][entered] + 1))))
        else:
            for atom in _candidates(backward[position], image, around):
                if fits(pattern.names[position], atom):
                    yield from extend((*image, atom))

    yield from extend(())


def _candidates(
    bonds: list[PatternBond], image: tuple[int | None, ...], around: list[dict[int, float]]
) -> Iterator[int]:
    """Yield the atoms that have these bonds to positions laid before and stand at none of them."""
    present = [(other, b.symbol) for b in bonds if (other := image[b.first]) is not None]
    for atom in around[present[0][0]] if present else range(len(around)):
        orders = ((around[atom].get(other), symbol) for other, symbol in present)
        if atom not in image and all(order is not None and bond_fits(symbol, order) for order, symbol in orders):
            yield atom


def _first(bond: PatternBond) -> int:
    return bond.first
