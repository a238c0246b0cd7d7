"""`forgefield convert`: structures with QM results, and force fields, from one format into another."""

from pathlib import Path
from typing import Annotated

import typer

from forgefield.cli.command import DONE, Json, Overwrite, Verbose, command
from forgefield.cli.console import print_json, say, warn


@command
def convert(
    source: Annotated[Path, typer.Argument(help="Structures, QM results or a force field in any format that is read.")],
    target: Annotated[
        Path,
        typer.Argument(help="What to write: .xyz, .extxyz or .json; of force fields .json, .fld, .frcmod or .xml."),
    ],
    drop: Annotated[list[str] | None, typer.Option(help="What may be lost: bonds, types, Hessian, …")] = None,
    over: Annotated[list[Path] | None, typer.Option(help="Structures that a force field is laid over.")] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Convert structures and QM results, or a force field; what the format cannot hold is an error that names it.

    Example: forgefield convert ethane.fchk ethane.json
    """
    from forgefield.errors import InputError
    from forgefield.jobs import convert as job

    del verbose
    if job.is_force_field(source):
        if drop:
            raise InputError("--drop: nothing of a force field can be dropped")
        warnings = job.convert_force_field(source, target, over=over or (), overwrite=overwrite)
        for warning in warnings:
            warn(warning)
        say(f"Written: {target}")
        if as_json:
            print_json({"file": str(target), "warnings": warnings})
        return DONE
    if over:
        raise InputError(f"--over: {source} holds structures, which are laid over nothing")
    structures = job.convert(source, target, drop=drop or (), overwrite=overwrite)
    names = [molecule.name for molecule, _ in structures]
    say(f"Written: {target} ({', '.join(names)})")
    if as_json:
        print_json({"file": str(target), "structures": names})
    return DONE
