"""Texts that tell values apart: no two values that a program could depend on have the same.

What cannot be told apart for certain has none: objects of unknown kinds, and functions that no module holds by name.
"""

import dataclasses
import enum
import functools
import hashlib
import sys
import types
from collections.abc import Callable
from typing import Any

import numpy as np
from jax.tree_util import PyTreeDef

_KNOWN = {"forgefield", "jax", "jaxlib", "equinox", "numpy", "optax", "functools", "copyreg", "abc"}
"""Packages of classes and functions that can be told: with their versions, what these do is known."""


class Indescribable(ValueError):  # noqa: N818 (it says what the value is)
    """A value has no strict description."""


def described(value: Any) -> str:
    """Return a text that no other value has. Raises Indescribable where there is none."""
    text = next((text for is_one, text in _TEXTS if is_one(value)), None)
    if text is not None:
        return f"{_by_name(type(value))} {text(value)}"
    if (name := constant(value)) is not None:
        return f"constant {type(value).__module__}.{name}"
    raise Indescribable(f"{type(value).__name__} has no strict description")


def constant(value: Any) -> str | None:
    """Return the name under which the module of a value's class holds this very value, None where it does not."""
    held = vars(sys.modules[type(value).__module__])
    return next((name for name, one in held.items() if one is value), None)


def _several(values: Any) -> str:
    """Return a text of several values; lengths keep what they hold apart from what is around them."""
    parts = [described(value) for value in values]
    return f"{len(parts)}[{' '.join(f'{len(part)}:{part}' for part in parts)}]"


def _by_name(thing: Any) -> str:
    """Return the name by which a class or a function is found in its module."""
    if thing.__module__ == "builtins" and isinstance(thing, type):
        # Some, such as that of functions, are found nowhere; none is anybody else's.
        return thing.__qualname__
    if thing.__module__.split(".")[0] not in _KNOWN:
        raise Indescribable(f"{thing!r} is of a package whose version is not known")
    found: Any = sys.modules.get(thing.__module__)
    for part in thing.__qualname__.split("."):
        found = getattr(found, part, None)
    depth = 0
    # What a decorator replaced has the name of what replaced it.
    while found is not thing and found is not None:
        found, depth = getattr(found, "__wrapped__", None), depth + 1
    if found is None:
        raise Indescribable(f"{thing!r} is not found by its name")
    return f"{thing.__module__}:{thing.__qualname__}:{depth}"


def _of_array(array: np.ndarray | np.generic) -> str:
    if array.dtype.hasobject:
        raise Indescribable("an array of objects has no strict description")
    return f"{array.dtype.str} {array.shape} {hashlib.sha256(array.tobytes()).hexdigest()}"


def _is(*kinds: type) -> Callable[[Any], bool]:
    """Return what says whether a value is of one of these classes and of none derived from it."""
    return lambda value: type(value) in kinds


def _is_a(*kinds: type) -> Callable[[Any], bool]:
    """Return what says whether a value is of one of these classes."""
    return lambda value: isinstance(value, kinds)


_TEXTS: tuple[tuple[Callable[[Any], bool], Callable[[Any], str]], ...] = (
    (_is(types.NoneType, bool, int, str, bytes), repr),
    (_is(float), float.hex),
    (_is_a(np.ndarray, np.generic), _of_array),
    (_is_a(np.dtype), lambda dtype: dtype.str),
    (_is_a(enum.Enum), lambda member: member.name),
    (_is_a(type, types.FunctionType, types.BuiltinFunctionType, type(functools.cache(repr))), _by_name),
    (_is_a(functools.partial), lambda one: _several((one.func, one.args, one.keywords))),
    (_is_a(PyTreeDef), lambda tree: _several((tree.node_data(), tree.num_leaves, tuple(tree.children())))),
    (_is_a(tuple, list), _several),
    (_is(dict), lambda given: _several(part for item in given.items() for part in item)),
    # What makes it, of what, as for pickling.
    (dataclasses.is_dataclass, lambda one: _several(one.__reduce_ex__(4))),
)
"""How values of each kind are told, the first that holds."""
