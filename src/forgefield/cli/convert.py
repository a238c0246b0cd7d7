"""`forgefield convert`: structures and QM results from one format into another."""

from pathlib import Path
from typing import Annotated

import typer

from forgefield.cli.command import DONE, Json, Overwrite, Verbose, command
from forgefield.cli.console import print_json, say


@command
def convert(
    source: Annotated[Path, typer.Argument(help="Structures or QM results in any format that is read.")],
    target: Annotated[Path, typer.Argument(help="Extended xyz (.xyz, .extxyz) or QCSchema (.json) to write.")],
    drop: Annotated[list[str] | None, typer.Option(help="What may be lost: bonds, types, Hessian, …")] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Convert structures and QM results; what the format cannot hold is an error that names it.

    Example: forgefield convert ethane.fchk ethane.json
    """
    from forgefield.jobs import convert as job

    del verbose
    structures = job.convert(source, target, drop=drop or (), overwrite=overwrite)
    names = [molecule.name for molecule, _ in structures]
    say(f"Written: {target} ({', '.join(names)})")
    if as_json:
        print_json({"file": str(target), "structures": names})
    return DONE
