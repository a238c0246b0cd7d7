"""`forgefield info`: what files are, hold and lack."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from forgefield.cli.command import BAD_INPUT, DONE, Json, Verbose, command
from forgefield.cli.console import show, warn

_WIDEST = 44
"""Characters of a column but that of the names, beyond which its lines are broken."""


@command
def info(
    files: Annotated[list[Path], typer.Argument(help="Files of any kind: structures, QM results, force fields, …")],
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Show what each file is and holds, by its content, and what it lacks for which command.

    Ends with exit code 2 where one of them is unknown or cannot be used; the others are shown all the same.

    Example: forgefield info runs/molecule/* ethane.fchk
    """
    from forgefield.jobs import info as job
    from forgefield.report.tables import grid

    del verbose
    found = job.info(files)
    shown = grid(found.table)
    for column in shown.columns[1:]:
        column.max_width = _WIDEST
    show([shown], {"files": [asdict(one) for one in found]}, as_json=as_json)
    for one in found:
        for warning in one.warnings:
            warn(warning)
    return BAD_INPUT if any(one.problem for one in found) else DONE
