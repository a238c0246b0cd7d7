"""What all commands share: options, exit codes, and what becomes of errors, signals and streams."""

import os
import sys
import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Annotated, Any

import typer

from forgefield.cli.collecting import collect_seldom
from forgefield.cli.console import complain, warn
from forgefield.cli.interrupts import ended_like_by_ctrl_c
from forgefield.errors import ConvergenceError, ForgeFieldError, InputWarning

DONE, FAILED, BAD_INPUT = 0, 1, 2
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace what an earlier run has written.")]
Trust = Annotated[
    bool, typer.Option("--trust", help="Make warnings of what QM results contradict their job in, instead of errors.")
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more on stderr.")]


def command(function: Callable[..., int | None]) -> Callable[..., None]:
    """Turn errors meant for the user into one message and an exit code, and a returned number into the exit code."""

    @wraps(function)
    def run(*args: Any, **options: Any) -> None:
        # Of what is imported now as well.
        collect_seldom()
        with ended_like_by_ctrl_c(), warnings.catch_warnings():
            warnings.showwarning = _shown(warnings.showwarning)
            try:
                from forgefield.cli.process import configure

                configure(verbose=bool(options.get("verbose")))
                code = function(*args, **options)
            except ForgeFieldError as error:
                complain(str(error))
                code = FAILED if isinstance(error, ConvergenceError) else BAD_INPUT
            except KeyboardInterrupt:
                complain(
                    "interrupted; what is written stays: fit, md and distil go on from there with --resume, a scan and "
                    "label with the same command"
                )
                code = FAILED
        raise typer.Exit(code or DONE)

    return run


def _shown(others: Callable[..., None]) -> Callable[..., None]:
    """Return what shows a warning meant for the user as one line on stderr, and leaves `others` as they are."""

    def show_warning(message: Warning | str, category: type[Warning], *where: Any, **options: Any) -> None:
        if issubclass(category, InputWarning):
            warn(message)
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
            complain(f"{error.filename or 'the output'}: {error.strerror or error}")
        sys.exit(BAD_INPUT)


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
