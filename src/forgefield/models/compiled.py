"""How programs are compiled."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import update_wrapper
from typing import Any, Generic, ParamSpec, TypeVar

import equinox as eqx
import jax
from jax.core import Tracer

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_OPTIONS: dict[str, Any] = {"compiler_options": {"xla_cpu_use_fusion_emitters": False}}
"""XLA's newer code generator for CPUs compiles the thousands of small operations of a force field half as fast, to
programs that are no faster. Other devices ignore the option."""


class Compiled(Generic[Arguments, Result]):
    """A function that is compiled at its first call for arguments of new shapes."""

    def __init__(self, function: Callable[Arguments, Result]) -> None:
        self._alone, self._within = eqx.filter_jit(function, **_OPTIONS), eqx.filter_jit(function)
        update_wrapper(self, function)

    def __call__(self, *arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
        """Return what the function does."""
        # A program within another is compiled as that one says.
        traced = any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves((arguments, options)))
        return (self._within if traced else self._alone)(*arguments, **options)

    def compiler(self, *arguments: Arguments.args, **options: Arguments.kwargs) -> Callable[[], object]:
        """Return what compiles the function for a call with such arguments, having followed it already."""
        return self._alone.lower(*arguments, **options).compile


def compiled(function: Callable[Arguments, Result]) -> Compiled[Arguments, Result]:
    """Return a function that is compiled at its first call for arguments of new shapes."""
    return Compiled(function)


def side_by_side(compilers: Iterable[Callable[[], object]]) -> None:
    """Compile programs each on a core of its own, while Python follows the next; calls then find them made."""
    with ThreadPoolExecutor() as threads:
        for one in [threads.submit(compiler) for compiler in compilers]:
            one.result()
