"""OpenMM's language of expressions: numbers, names, + - * / ^, functions, and definitions behind semicolons."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from forgefield.errors import InputError

_TOKEN = re.compile(
    r"\s*(?:(?P<number>(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)|(?P<name>[A-Za-z_]\w*)|(?P<sign>[-+*/^(),]))"
)
_BINDS = {"+": 0, "-": 0, "*": 1, "/": 1, "^": 3}
_NEGATION_BINDS = 2
"""More than a product, less than a power."""
NEGATION = "-x"
_DEEPEST = 100


@dataclass(frozen=True, eq=False)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True, eq=False)
class Name:
    """A variable or parameter."""

    name: str


@dataclass(frozen=True, eq=False)
class Call:
    """A function of arguments; operators have their sign as a name, and a change of sign `NEGATION`."""

    function: str
    arguments: tuple["Node", ...]


Node = Number | Name | Call


def parsed(expression: str) -> Node:
    """Return the tree of an expression in which defined names stand for what defines them.

    A definition may use those behind it. Raises InputError where the expression cannot be read.
    """
    first, *definitions = expression.split(";")
    known: dict[str, Node] = {}
    for definition in reversed(definitions):
        if not definition.strip():
            continue
        name, sign, meaning = definition.partition("=")
        if not sign or not name.strip().isidentifier():
            raise InputError(f"the expression {expression!r} has no definition in {definition.strip()!r}")
        known[name.strip()] = _Reader(meaning, known).whole()
    return _Reader(first, known).whole()


def nodes(tree: Node) -> Iterator[Node]:
    """Yield every node of a tree once, those that it is an argument of before it."""
    waiting: Counter[int] = Counter()
    seen, left = {id(tree)}, [tree]
    while left:
        node = left.pop()
        for argument in _arguments_of(node):
            waiting[id(argument)] += 1
            if id(argument) not in seen:
                seen.add(id(argument))
                left.append(argument)
    left = [tree]
    while left:
        node = left.pop()
        yield node
        for argument in _arguments_of(node):
            waiting[id(argument)] -= 1
            if not waiting[id(argument)]:
                left.append(argument)


def _arguments_of(node: Node) -> tuple[Node, ...]:
    return node.arguments if isinstance(node, Call) else ()


class _Reader:
    """Reads one expression from its tokens."""

    def __init__(self, text: str, known: dict[str, Node]) -> None:
        self._text, self._known, self._depth = text, known, 0
        self._tokens, self._at = self._split(text), 0

    def whole(self) -> Node:
        """Return the tree of all tokens."""
        tree = self._operation(0)
        if self._at < len(self._tokens):
            raise self._wrong(f"{self._tokens[self._at][1]!r} is not expected")
        return tree

    def _split(self, text: str) -> list[tuple[str, str]]:
        text, at, found = text.rstrip(), 0, []
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None:
                raise self._wrong(f"{text[at:].strip()[0]!r} is no part of OpenMM's language")
            assert match.lastgroup is not None
            found.append((match.lastgroup, match[match.lastgroup]))
            at = match.end()
        return found

    def _wrong(self, why: str) -> InputError:
        return InputError(f"the expression {self._text.strip()!r} cannot be read: {why}")

    def _next(self) -> str:
        return self._tokens[self._at][1] if self._at < len(self._tokens) else ""

    def _take(self, sign: str) -> None:
        if self._next() != sign:
            raise self._wrong(f"{sign!r} is missing{f' before {self._next()!r}' if self._next() else ' at its end'}")
        self._at += 1

    def _operation(self, least: int) -> Node:
        """Return an operand with all operations that bind at least so much."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._wrong(f"it is nested more than {_DEEPEST} times")
        if self._next() == "-":
            self._at += 1
            left: Node = Call(NEGATION, (self._operation(_NEGATION_BINDS),))
        else:
            left = self._operand()
        while (sign := self._next()) in _BINDS and _BINDS[sign] >= least:
            self._at += 1
            # Powers are taken from the right, all else from the left.
            left = Call(sign, (left, self._operation(_BINDS[sign] + (sign != "^"))))
        self._depth -= 1
        return left

    def _operand(self) -> Node:
        if self._at == len(self._tokens):
            raise self._wrong("something is missing at its end")
        kind, text = self._tokens[self._at]
        self._at += 1
        if kind == "number":
            return Number(float(text))
        if kind == "name":
            if self._next() == "(":
                return Call(text, self._arguments())
            return self._known.get(text) or Name(text)
        if text != "(":
            raise self._wrong(f"{text!r} is not expected")
        inside = self._operation(0)
        self._take(")")
        return inside

    def _arguments(self) -> tuple[Node, ...]:
        self._take("(")
        found = [self._operation(0)]
        while self._next() == ",":
            self._at += 1
            found.append(self._operation(0))
        self._take(")")
        return tuple(found)
