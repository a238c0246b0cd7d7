"""`forgefield export`: a force field for JAX alone, OpenMM, i-PI or SchNetPack."""

from pathlib import Path
from typing import Annotated

import typer

from forgefield.cli.command import DONE, Json, Overwrite, Verbose, command
from forgefield.cli.console import print_json, say


@command
def export(
    force_field: Annotated[Path, typer.Argument(help="Force field, or the folder of a fit.")],
    structure: Annotated[Path | None, typer.Argument(help="The molecule that it is for; none for schnetpack.")] = None,
    to: Annotated[str, typer.Option(help="jax, openmm, ipi or schnetpack.")] = "jax",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File; default: named after the structure.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Write a force field as another program takes it.

    Example: forgefield export student.safetensors ethanol.xyz --to jax -o ethanol.jax
    """
    from forgefield.jobs.export.export_job import export as write

    del verbose
    files = write(force_field, structure, to, output, overwrite=overwrite)
    say("Written: " + ", ".join(map(str, files)))
    if as_json:
        print_json({"files": [str(file) for file in files]})
    return DONE
