"""What commands print: messages, tables, JSON and progress. Rich is imported where something is printed."""

import json
import sys
from collections.abc import Callable
from functools import cache
from time import perf_counter
from typing import Any

_WIDEST = 10_000
"""Columns of the widest table."""
_FIRST_S, _EVERY_S = 10.0, 60.0
"""Seconds before the first line of progress, and between lines."""


@cache
def stderr() -> Any:
    """Return the `rich` console that prints on stderr."""
    from rich.console import Console

    return Console(stderr=True)


def stdout() -> Any:
    """Return a `rich` console that prints on stdout."""
    from rich.console import Console

    return Console()


def say(message: str, style: str | None = None) -> None:
    """Print a message on stderr as it is: neither coloured by what it holds nor broken into lines."""
    stderr().print(message, style=style, markup=False, highlight=False, soft_wrap=True)


def warn(message: object) -> None:
    """Print a warning on stderr."""
    say(f"Warning: {message}", "yellow")


def complain(message: object) -> None:
    """Print on stderr what went wrong."""
    say(f"forgefield: {message}", "red")


def show(tables: list[Any], summary: dict[str, Any], *, as_json: bool) -> None:
    """Print a summary as JSON on stdout, or tables."""
    if as_json:
        print_json(summary)
    else:
        print_whole(tables)


def print_json(content: dict[str, Any]) -> None:
    """Print one JSON object on stdout."""
    sys.stdout.write(json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")


def print_whole(tables: list[Any], console: Any = None) -> None:
    """Print tables, on stdout if nothing else is said, which are never cut to fit a terminal."""
    from rich.console import Console
    from rich.measure import Measurement

    console = console or stdout()
    wide = console.options.update(max_width=_WIDEST)
    needed = max(Measurement.get(console, wide, table).maximum for table in tables)
    whole = Console(stderr=console.stderr, width=max(console.width, needed))
    for table in tables:
        whole.print(table)


def say_unless_shown(message: str) -> None:
    """Print progress on stderr as a line, where no terminal shows it as a bar."""
    if not stderr().is_terminal:
        say(message)


class NowAndThen:
    """Passes on a line after ten seconds, and then one a minute."""

    def __init__(
        self, tell: Callable[[str], object] = say_unless_shown, clock: Callable[[], float] = perf_counter
    ) -> None:
        self._tell, self._clock = tell, clock
        self._due = clock() + _FIRST_S

    def __call__(self, message: str) -> None:
        """Pass on a line if it is time for one."""
        now = self._clock()
        if now >= self._due:
            self._due = now + _EVERY_S
            self._tell(message)


def progress_bar() -> Any:
    """Return a `rich` progress display on stderr that is quiet where stderr is no terminal."""
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        console=stderr(),
        transient=True,
        disable=not stderr().is_terminal,
    )
