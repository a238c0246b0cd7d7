"""How long a fit compiles and how long it runs: nothing that was kept of another run counts."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any, TypeVar

import jax
from jax import monitoring
from jax.experimental.compilation_cache.compilation_cache import reset_cache

from forgefield.compiled import forget

Result = TypeVar("Result")

_KEPT_IN = "jax_compilation_cache_dir"
_COMPILING = "/jax/core/compile/"
"""Begins the names of what JAX tells of tracing, lowering and compiling."""
_SHORT = 10.0
"""Seconds: what runs for less is run again, since the first time JAX and Python also warm up."""


def timed(work: Callable[[], Result]) -> tuple[Result, float, float]:
    """Return what work brings, and how long it compiled and ran [s].

    Compiling is tracing, lowering and compiling by any thread, of all programs that the work needs. What runs for less
    than ten seconds is run a second time, when all is compiled.
    """
    with _nothing_kept(), _compiling() as spans:
        began = perf_counter()
        result = work()
        whole = perf_counter() - began
        compile_s = covered(spans)
        run_s = whole - compile_s
        if run_s < _SHORT:
            began = perf_counter()
            result = work()
            run_s = min(run_s, perf_counter() - began)
    return result, compile_s, run_s


def covered(spans: list[tuple[float, float]]) -> float:
    """Return the length of what intervals cover together."""
    total, end = 0.0, float("-inf")
    for start, stop in sorted(spans):
        total += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return total


@contextmanager
def _compiling() -> Iterator[list[tuple[float, float]]]:
    """Yield a list of the intervals in which something is compiled, which grows."""
    spans: list[tuple[float, float]] = []

    def note(event: str, duration_secs: float, **_: Any) -> None:
        if event.startswith(_COMPILING):
            now = perf_counter()
            spans.append((now - duration_secs, now))

    monitoring.register_event_duration_secs_listener(note)
    try:
        yield spans
    finally:
        monitoring.unregister_event_duration_listener(note)


@contextmanager
def _nothing_kept() -> Iterator[None]:
    """Forget what the process has compiled, and let JAX neither read compiled programs from the disk nor write them."""
    folder = jax.config.values[_KEPT_IN]
    jax.config.update(_KEPT_IN, None)
    forget()
    # Whether there is a folder is asked once.
    reset_cache()
    try:
        yield
    finally:
        jax.config.update(_KEPT_IN, folder)
        reset_cache()
