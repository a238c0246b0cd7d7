"""What all commands share: exit codes, messages for the user, tables and progress."""

import gc
import json
import logging
import math
import os
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import Annotated, Any

import jax
import typer
from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from forgefield.cache import CacheError, folder, mended
from forgefield.errors import ConvergenceError, ForgeFieldError, InputWarning
from forgefield.jobs.threads import one_thread_a_matrix

STDERR = Console(stderr=True)

DONE, FAILED, BAD_INPUT = 0, 1, 2
_ENDS = (signal.SIGTERM, signal.SIGHUP)
"""The end of a job and of a terminal."""
_WIDEST = 10_000
"""Columns of the widest table."""
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what an earlier run has written.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more on stderr.")]


def command(function: Callable[..., int | None]) -> Callable[..., None]:
    """Turn errors meant for the user into one message and an exit code, and a returned number into the exit code."""

    @wraps(function)
    def run(*args: Any, **options: Any) -> None:
        with _ended_like_by_ctrl_c(), warnings.catch_warnings():
            warnings.showwarning = _shown(warnings.showwarning)
            try:
                _configure(verbose=bool(options.get("verbose")))
                code = function(*args, **options)
            except ForgeFieldError as error:
                _complain(str(error))
                code = FAILED if isinstance(error, ConvergenceError) else BAD_INPUT
            except KeyboardInterrupt:
                _complain(
                    "interrupted; what is written stays: fit and md go on from there with --resume, a scan with the "
                    "same command"
                )
                code = FAILED
        raise typer.Exit(code or DONE)

    return run


def _shown(others: Callable[..., None]) -> Callable[..., None]:
    """Return what shows a warning meant for the user as one line on stderr, and leaves `others` as they are."""

    def show_warning(message: Warning | str, category: type[Warning], *where: Any, **options: Any) -> None:
        if issubclass(category, InputWarning):
            STDERR.print(f"Warning: {message}", style="yellow", markup=False, highlight=False, soft_wrap=True)
        else:
            others(message, category, *where, **options)

    return show_warning


def run_app(app: Callable[[], Any]) -> None:
    """Run the command line: what the system refuses is one message, and nobody is troubled with a closed pipe."""
    _open_streams()
    try:
        try:
            app()
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        _abandon_stdout()
        sys.exit(FAILED)
    except OSError as error:
        _abandon_stdout()
        with suppress(OSError):
            _complain(f"{error.filename or 'the output'}: {error.strerror or error}")
        sys.exit(BAD_INPUT)


def _complain(message: str) -> None:
    STDERR.print(f"forgefield: {message}", style="red", markup=False, highlight=False, soft_wrap=True)


def _open_streams() -> None:
    """Let streams that are closed lead nowhere, lest a file that is opened later takes their place."""
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        pass
    os.close(descriptor)
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 (it stays open)
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 (it stays open)


def _abandon_stdout() -> None:
    """Let what could not be written go nowhere: Python tries again when it ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.close(nowhere)


@contextmanager
def _ended_like_by_ctrl_c() -> Iterator[None]:
    """Let the end of a job and of a terminal end a command as Ctrl-C does, unless they are ignored on purpose."""
    before = {}
    if threading.current_thread() is threading.main_thread():
        before = {n: signal.getsignal(n) for n in _ENDS if signal.getsignal(n) is signal.SIG_DFL}
    for number in before:
        signal.signal(number, signal.default_int_handler)
    tell = sys.unraisablehook
    # Python shows an interruption that it drops; who listens for it says so in a word.
    sys.unraisablehook = lambda told: None if told.exc_type is KeyboardInterrupt else tell(told)
    try:
        yield
    finally:
        sys.unraisablehook = tell
        for number, handler in before.items():
            signal.signal(number, handler)


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
