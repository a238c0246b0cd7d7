"""What all commands share: exit codes, messages for the user, tables and progress."""

import gc
import json
import logging
import math
import sys
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any

import jax
import typer
from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from forgefield.cache import CacheError, folder, mended
from forgefield.errors import ForgeFieldError
from forgefield.jobs.threads import one_thread_a_matrix

STDERR = Console(stderr=True)

DONE, FAILED, BAD_INPUT = 0, 1, 2
_WIDEST = 10_000
"""Columns of the widest table."""
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more on stderr.")]


def command(function: Callable[..., int | None]) -> Callable[..., None]:
    """Turn errors meant for the user into one message and exit code 2, and a returned number into the exit code."""

    @wraps(function)
    def run(*args: Any, **options: Any) -> None:
        _configure(verbose=bool(options.get("verbose")))
        try:
            code = function(*args, **options)
        except ForgeFieldError as error:
            STDERR.print(f"forgefield: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
            raise typer.Exit(BAD_INPUT) from None
        except KeyboardInterrupt:
            STDERR.print("forgefield: interrupted", markup=False)
            raise typer.Exit(FAILED) from None
        raise typer.Exit(code or DONE)

    return run


def collect_seldom() -> None:
    """Look for unreachable objects less often: a fifth of the time in which JAX traces programs goes there."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)


def _configure(*, verbose: bool) -> None:
    """Compute in float64 and keep compiled programs in the user's cache folder."""
    collect_seldom()
    jax.config.update("jax_enable_x64", True)
    one_thread_a_matrix()
    logger = logging.getLogger("forgefield")
    logger.setLevel(logging.INFO if verbose else logging.WARNING)
    if not logger.handlers:
        logger.addHandler(_Said())
    _keep_programs(verbose=verbose)


class _Said(logging.Handler):
    """Writes what the package logs to stderr, a line each."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        STDERR.print(self.format(record), markup=False, highlight=False, soft_wrap=True)


def _keep_programs(*, verbose: bool) -> None:
    """Let JAX keep compiled programs in the cache, or at least use those that are there."""
    try:
        kept = mended(folder("xla"))
    except CacheError as error:
        STDERR.print(
            f"forgefield: programs are compiled anew each time: {error}", markup=False, highlight=False, soft_wrap=True
        )
        return
    jax.config.update("jax_compilation_cache_dir", str(kept.path))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0 if kept.writable else math.inf)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    if verbose:
        text = f"compiled programs are kept in {kept.path} (FORGEFIELD_CACHE moves them)"
        STDERR.print(text, markup=False, highlight=False, soft_wrap=True)


def show(tables: list[Any], summary: dict[str, Any], *, as_json: bool) -> None:
    """Print a summary as JSON on stdout, or tables."""
    if as_json:
        print_json(summary)
    else:
        print_whole(Console(), tables)


def print_json(content: dict[str, Any]) -> None:
    """Print one JSON object on stdout."""
    sys.stdout.write(json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")


def print_whole(console: Console, tables: list[Any]) -> None:
    """Print tables, which are never cut to fit a terminal."""
    wide = console.options.update(max_width=_WIDEST)
    needed = max(Measurement.get(console, wide, table).maximum for table in tables)
    whole = Console(stderr=console.stderr, width=max(console.width, needed))
    for table in tables:
        whole.print(table)


def progress_bar() -> Progress:
    """Return a progress display on stderr that is quiet where stderr is no terminal."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        console=STDERR,
        transient=True,
        disable=not STDERR.is_terminal,
    )
