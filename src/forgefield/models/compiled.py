"""How programs are compiled."""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import equinox as eqx
import jax
from jax.core import Tracer

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")

_OPTIONS: dict[str, Any] = {"compiler_options": {"xla_cpu_use_fusion_emitters": False}}
"""XLA's newer code generator for CPUs compiles the thousands of small operations of a force field half as fast, to
programs that are no faster. Other devices ignore the option."""


def compiled(function: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Return a function that is compiled at its first call for arguments of new shapes."""
    alone, within = eqx.filter_jit(function, **_OPTIONS), eqx.filter_jit(function)

    @wraps(function)
    def run(*arguments: Arguments.args, **options: Arguments.kwargs) -> Result:
        # A program within another is compiled as that one says.
        traced = any(isinstance(leaf, Tracer) for leaf in jax.tree.leaves((arguments, options)))
        return (within if traced else alone)(*arguments, **options)

    return run
