"""`forgefield convert`: structures, QM results and weights from one format into another."""

from pathlib import Path
from typing import Annotated

import typer

from forgefield.cli.command import DONE, Json, Overwrite, Verbose, command
from forgefield.cli.console import print_json, say
from forgefield.errors import InputError


@command
def convert(
    source: Annotated[Path, typer.Argument(help="Structures or QM results in any format that is read, or weights.")],
    target: Annotated[
        Path, typer.Argument(help="Extended xyz (.xyz, .extxyz), QCSchema (.json) or a neural model (.safetensors).")
    ],
    drop: Annotated[list[str] | None, typer.Option(help="What may be lost: bonds, types, Hessian, …")] = None,
    settings: Annotated[Path | None, typer.Option(help="TOML file with what weights of SchNetPack do not say.")] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Convert structures, QM results and weights; what the format cannot hold is an error that names it.

    Example: forgefield convert ethane.fchk ethane.json

    Example: forgefield convert painn.npz painn.safetensors --settings painn.toml
    """
    from forgefield.jobs import convert as job
    from forgefield.jobs.convert_weights import SUFFIX, convert_weights
    from forgefield.molecules.molecule import symbol

    del verbose
    if target.suffix == SUFFIX:
        if drop:
            raise InputError("--drop belongs to structures, not to weights")
        model = convert_weights(source, target, settings, overwrite=overwrite)
        elements = [symbol(number) for number in model.design.elements]
        told = {"file": str(target), "elements": elements}
        say(f"Written: {target} (a PaiNN of {', '.join(elements)})")
    else:
        if settings is not None:
            raise InputError(f"--settings belongs to weights, which are written as {SUFFIX}")
        names = [m.name for m, _ in job.convert(source, target, drop=drop or (), overwrite=overwrite)]
        told = {"file": str(target), "structures": names}
        say(f"Written: {target} ({', '.join(names)})")
    if as_json:
        print_json(told)
    return DONE
