"""What commands print: messages, tables, JSON and progress. Rich is imported where something is printed."""

import json
import sys
from functools import cache
from typing import Any

_WIDEST = 10_000
"""Columns of the widest table."""


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
