"""The value of an expression, by NumPy or by JAX."""

import inspect
from collections.abc import Callable, Mapping
from functools import cache
from types import ModuleType
from typing import Any

import jax.numpy as jnp
import jax.scipy.special
import numpy as np
import scipy.special

from forgefield.errors import InputError
from forgefield.terms.expressions.language import NEGATION, Call, Name, Node, Number, nodes

Table = Mapping[str, Callable[..., Any]]
COORDINATES = {"distance": 2, "angle": 3, "dihedral": 4}
"""Functions of OpenMM whose arguments are particles p1, p2, …, and how many of these."""


def _table(xp: ModuleType, special: ModuleType) -> Table:
    """Return OpenMM's functions."""
    shared = ["sqrt", "exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "abs", "floor", "ceil"]
    return {
        **{name: getattr(xp, name) for name in shared},
        **{name: getattr(xp, f"arc{name[1:]}") for name in ("asin", "acos", "atan", "atan2")},
        "erf": special.erf,
        "erfc": special.erfc,
        "min": xp.minimum,
        "max": xp.maximum,
        "+": lambda x, y: x + y,
        "-": lambda x, y: x - y,
        "*": lambda x, y: x * y,
        "/": lambda x, y: x / y,
        "^": lambda x, y: x ** (int(y) if isinstance(y, float) and y.is_integer() else y),
        NEGATION: lambda x: -x,
        "sec": lambda x: 1.0 / xp.cos(x),
        "csc": lambda x: 1.0 / xp.sin(x),
        "cot": lambda x: 1.0 / xp.tan(x),
        "step": lambda x: xp.where(x >= 0.0, 1.0, 0.0),
        "delta": lambda x: xp.where(x == 0.0, 1.0, 0.0),
        "square": lambda x: x * x,
        "cube": lambda x: x * x * x,
        "recip": lambda x: 1.0 / x,
        "select": lambda x, y, z: xp.where(x != 0.0, y, z),
    }


NUMPY, JAX = _table(np, scipy.special), _table(jnp, jax.scipy.special)


@cache
def _n_arguments(function: str) -> int:
    known = NUMPY[function]
    return known.nin if isinstance(known, np.ufunc) else len(inspect.signature(known).parameters)


def require_understood(tree: Node, names: set[str], n_atoms: int, tables: Table) -> None:
    """Raise InputError for functions and names that an expression has and nobody knows."""
    complaints = []
    for node in nodes(tree):
        if isinstance(node, Call) and node.function in COORDINATES:
            if len(particles(node)) != COORDINATES[node.function] or not _among(particles(node), n_atoms):
                complaints.append(f"{node.function} must be of {COORDINATES[node.function]} of its {n_atoms} particles")
        elif isinstance(node, Call) and node.function not in tables:
            if node.function not in NUMPY:
                complaints.append(f"the function {node.function!r} is not known")
            elif len(node.arguments) != _n_arguments(node.function):
                complaints.append(f"{node.function} takes {_n_arguments(node.function)} argument(s)")
        elif isinstance(node, Name) and node.name not in names | {f"p{n}" for n in range(1, n_atoms + 1)}:
            complaints.append(f"the name {node.name!r} is not known")
    if complaints:
        raise InputError("; ".join(dict.fromkeys(complaints)))


def particles(call: Call) -> tuple[str, ...]:
    """Return the names of the particles of a coordinate."""
    return tuple(argument.name if isinstance(argument, Name) else "" for argument in call.arguments)


def _among(names: tuple[str, ...], n_atoms: int) -> bool:
    return set(names) <= {f"p{n}" for n in range(1, n_atoms + 1)}


def value(tree: Node, known: Mapping[Any, Any], table: Table) -> Any:
    """Return the value of an expression: `known` has those of names, and of coordinates by function and particles."""
    found: dict[int, Any] = {}
    for node in reversed(list(nodes(tree))):
        found[id(node)] = _fresh(node, found, known, table)
    return found[id(tree)]


def _fresh(node: Node, found: Mapping[int, Any], known: Mapping[Any, Any], table: Table) -> Any:
    """Return the value of a node from those of its arguments, which are found."""
    if isinstance(node, Number):
        return node.value
    if isinstance(node, Name):
        return known.get(node.name)
    if node.function in COORDINATES:
        return known[node.function, particles(node)]
    arguments = [found[id(argument)] for argument in node.arguments]
    if node.function in NUMPY and all(isinstance(argument, float) for argument in arguments):
        return _constant(node.function, arguments)
    return table[node.function](*arguments)


def _constant(function: str, arguments: list[float]) -> float:
    try:
        return float(NUMPY[function](*arguments))
    except (ArithmeticError, TypeError, ValueError):
        shown = ", ".join(map(repr, arguments))
        raise InputError(f"{function}({shown}) has no value") from None
