"""How programs are compiled."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache, update_wrapper
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
    """A function that is compiled at its first call for arguments of new shapes, or in the background before."""

    def __init__(self, function: Callable[Arguments, Result]) -> None:
        # Any: Equinox does not say in types that its compiled functions can be lowered.
        self._alone: Any = eqx.filter_jit(function, **_OPTIONS)
        self._within = eqx.filter_jit(function)
        self._begun: list[Future] = []
        update_wrapper(self, function)

    def __call__(self, *arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
        """Return what the function does, once programs begun in the background are there."""
        while self._begun:
            self._begun.pop().result()
        # A program within another is compiled as that one says.
        traced = any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves((arguments, options)))
        return (self._within if traced else self._alone)(*arguments, **options)

    def soon(self, *arguments: Arguments.args, **options: Arguments.kwargs) -> None:
        """Compile the function for a call with such arguments on another core; Python follows it here and now."""
        self._begun.append(_background().submit(self._alone.lower(*arguments, **options).compile))


@cache
def _background() -> ThreadPoolExecutor:
    """Return what compiles two programs at a time, in the order they are asked for."""
    return ThreadPoolExecutor(2)


def compiled(function: Callable[Arguments, Result]) -> Compiled[Arguments, Result]:
    """Return a function that is compiled at its first call for arguments of new shapes."""
    return Compiled(function)
