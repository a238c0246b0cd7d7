"""How programs are compiled, and where a compiled one is found."""

import ctypes
import gc
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property, update_wrapper
from importlib.metadata import version
from secrets import token_hex
from typing import Any, Generic, ParamSpec, TypeVar
from weakref import WeakSet

import jax
import numpy as np
from jax.core import Tracer

from forgefield.kept_programs import kept_programs

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_OPTIONS: dict[str, Any] = {"xla_cpu_use_fusion_emitters": False}
"""XLA's newer code generator for CPUs compiles the thousands of small operations of a force field half as fast, to
programs that are no faster."""
_QUICKLY = {**_OPTIONS, "xla_backend_optimization_level": 0}
"""Compiles in a third of the time to programs that take longer: for those that run a few times on little data."""
_SURE = ("0.8.", "0.9.", "0.10.")
"""Versions of jaxlib that have these options; what others have is tried."""
_MOST = 24
"""Programs that a process holds when another fit begins: those of one, 130 MB with all that JAX keeps beside them."""


@jax.tree_util.register_pytree_node_class
@dataclass(frozen=True)
class _Parts:
    """A tree as the numbers that a program is given and all else, which the program is made for."""

    numbers: tuple
    """Arrays and floats: another tolerance needs no other program."""
    structure: Any
    """How a tree is made of its leaves."""
    others: tuple[tuple[type, Any] | None, ...]
    """None where a number is, else a leaf with its type: True and 1 are equal."""

    @classmethod
    def of(cls, tree: Any) -> "_Parts":
        """Return the parts of a tree."""
        leaves, structure = jax.tree.flatten(tree)
        given = [isinstance(leaf, jax.Array | np.ndarray | np.generic | float) for leaf in leaves]
        numbers = tuple(leaf for leaf, is_number in zip(leaves, given, strict=True) if is_number)
        others = tuple(None if is_number else (type(leaf), leaf) for leaf, is_number in zip(leaves, given, strict=True))
        return cls(numbers, structure, others)

    def tree(self) -> Any:
        """Return the tree."""
        numbers = iter(self.numbers)
        return jax.tree.unflatten(self.structure, [next(numbers) if one is None else one[1] for one in self.others])

    def tree_flatten(self) -> tuple[tuple, tuple]:
        """Return the numbers, and what is known of a program before it runs."""
        return self.numbers, (self.structure, self.others)

    @classmethod
    def tree_unflatten(cls, known: tuple, numbers: tuple) -> "_Parts":
        """Return the parts that `tree_flatten` was given."""
        return cls(tuple(numbers), *known)


class Compiled(Generic[Arguments, Result]):
    """A function that is compiled at its first call for arguments of new shapes, or in the background before.

    Arrays and floats are arguments of the program; all else that the function is given is part of it. Where JAX keeps
    programs, so does this, by what they are made from: one that is found needs not be traced.
    """

    def __init__(self, function: Callable[Arguments, Result], options: dict[str, Any]) -> None:
        call: Callable[..., Result] = function

        def of_parts(given: _Parts) -> _Parts:
            arguments, options = given.tree()
            return _Parts.of(call(*arguments, **options))

        self._function, self._of_parts, self._wanted = function, of_parts, options
        self._within = jax.jit(of_parts)
        self._programs: dict[Any, Future] = {}
        self._begun: list[Future] = []
        update_wrapper(self, function)
        _ALL.add(self)

    def __call__(self, *arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
        """Return what the function does, once programs begun in the background are there."""
        given = _Parts.of((arguments, options))
        # A program within another is compiled as that one says.
        if any(isinstance(number, Tracer) for number in given.numbers):
            return self._within(given).tree()
        found = self._found(given, _now)
        if found is not None:
            return found.result()(given).tree()
        while self._begun:
            self._begun.pop().result()
        return self._alone(given).tree()

    def soon(self, *arguments: Arguments.args, **options: Arguments.kwargs) -> None:
        """Compile the function for a call with such arguments on another core; Python follows it here and now."""
        given, later = _Parts.of((arguments, options)), _background().submit
        if self._found(given, later) is None:
            self._begun.append(later(self._alone.lower(given).compile))

    @cached_property
    def _alone(self) -> Any:
        return self._program(self._function.__name__)

    @property
    def _options(self) -> dict[str, Any]:
        """What XLA is told of what it knows."""
        return {name: value for name, value in self._wanted.items() if _known(name, value)}

    @property
    def n_programs(self) -> int:
        """How many programs this process holds of it."""
        return len(self._programs) + self._alone._cache_size()

    def forget(self) -> None:
        """Forget the programs that were found; those that JAX holds are its own."""
        self._programs.clear()

    def _program(self, name: str) -> Any:
        """Return a program that is new to JAX."""

        def program(given: _Parts) -> _Parts:
            return self._of_parts(given)

        program.__name__ = program.__qualname__ = name
        return jax.jit(program, compiler_options=self._options)

    def _found(self, given: _Parts, compiling: Callable[..., Future]) -> Future | None:
        """Return the program for such arguments: this process's, a kept one, or a new one; None where none is kept."""
        kept = kept_programs()
        if kept is None:
            return None
        shapes = tuple(map(_shape, given.numbers))
        like = jax.tree.structure(given), shapes, jax.config.read("jax_enable_x64")
        if like not in self._programs:
            name = kept.name(self._function, (given.structure, given.others, shapes), self._options)
            if name is None:
                return None
            program = kept.load(name, jax.tree.structure(((given,), {})))
            if program is None:
                # Of a program that JAX itself found in its cache, jaxlib 0.10.2 cannot write all that it needs.
                label = f"{self._function.__name__}_{token_hex(8)}"
                lowered = self._program(label).lower(given)
                self._programs[like] = compiling(lambda: kept.keep(name, lowered.compile(), label))
            else:
                self._programs[like] = _now(lambda: program)
        return self._programs[like]


_ALL: WeakSet[Compiled] = WeakSet()


def forget() -> None:
    """Forget everything that was compiled and traced in this process, by whomever, and give the memory back."""
    for one in _ALL:
        one.forget()
    jax.clear_caches()
    gc.collect()
    # The C library of GNU keeps what is freed.
    with suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def make_room() -> None:
    """Forget everything where there are so many programs that fits of ever other molecules would fill the memory."""
    if sum(one.n_programs for one in _ALL) > _MOST:
        forget()


def _shape(number: Any) -> tuple:
    """Return what a program needs to know of a number."""
    if isinstance(number, float) and not isinstance(number, np.generic):
        return (), "float", True
    return number.shape, str(number.dtype), isinstance(number, jax.Array) and number.weak_type


def _now(work: Callable[[], Any]) -> Future:
    """Return what work brings, done here."""
    done: Future = Future()
    done.set_result(work())
    return done


@cache
def _known(name: str, value: Any) -> bool:
    """Say whether XLA has an option: that of another device, or of another version, would be an error."""
    if name in _QUICKLY and jax.default_backend() == "cpu" and version("jaxlib").startswith(_SURE):
        return True
    try:
        jax.jit(lambda: 0.0, compiler_options={name: value}).lower().compile()
    except jax.errors.JaxRuntimeError as error:
        if "No such compile option" not in str(error):
            raise
        return False
    return True


@cache
def _background() -> ThreadPoolExecutor:
    """Return what compiles two programs at a time, in the order they are asked for."""
    return ThreadPoolExecutor(2)


def compiled(function: Callable[Arguments, Result]) -> Compiled[Arguments, Result]:
    """Return a function that is compiled at its first call for arguments of new shapes."""
    return Compiled(function, _OPTIONS)


def compiled_for_long(function: Callable[Arguments, Result]) -> Compiled[Arguments, Result]:
    """Return the same for a function of few operations on much data, such as a network: by XLA's newer generator."""
    return Compiled(function, {})


def compiled_quickly(function: Callable[Arguments, Result]) -> Compiled[Arguments, Result]:
    """Return the same for a function that runs a few times on little data: it is not made as fast as can be."""
    return Compiled(function, _QUICKLY)
