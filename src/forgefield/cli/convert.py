"""`forgefield convert`: structures with QM results, force fields and weights, from one format into another."""

from pathlib import Path
from typing import Annotated, Any

import typer

from forgefield.cli.command import DONE, Json, Overwrite, Trust, Verbose, command
from forgefield.cli.console import print_json, say, warn
from forgefield.errors import InputError


@command
def convert(
    source: Annotated[
        Path, typer.Argument(help="Structures, QM results or a force field in any format that is read, or weights.")
    ],
    target: Annotated[
        Path,
        typer.Argument(
            help="What to write: .xyz, .extxyz or .json; of force fields .json, .fld, .frcmod, .xml, .system.xml, "
            ".prmtop, .top, .lmp, .psf, .offxml or .key; of weights .safetensors."
        ),
    ],
    drop: Annotated[list[str] | None, typer.Option(help="What may be lost: bonds, types, Hessian, …")] = None,
    over: Annotated[list[Path] | None, typer.Option(help="Structures that a force field is laid over.")] = None,
    approximate: Annotated[
        bool, typer.Option(help="Leave out what the file of an engine cannot hold, and say what.")
    ] = False,
    settings: Annotated[Path | None, typer.Option(help="TOML file with what weights of SchNetPack do not say.")] = None,
    trust: Trust = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Convert structures and QM results, a force field, or weights; what the format cannot hold is an error.

    Example: forgefield convert ethane.fchk ethane.json

    Example: forgefield convert ligand.prmtop ligand.top --over ligand.inpcrd

    Example: forgefield convert painn.npz painn.safetensors --settings painn.toml
    """
    from forgefield.jobs import convert as job
    from forgefield.jobs.convert_weights import are_weights

    del verbose
    given = {"--drop": drop, "--over": over, "--settings": settings, "--approximate": approximate or None}
    if are_weights(source, target):
        _refuse(given, but="--settings")
        told = _weights(source, target, settings, overwrite)
    elif job.is_force_field(source):
        _refuse(given, but="--over", too="--approximate")
        told = _force_field(source, target, over or [], approximate, overwrite)
    else:
        _refuse(given, but="--drop")
        told = _structures(source, target, drop or [], overwrite, trust)
    if as_json:
        print_json(told)
    return DONE


def _refuse(given: dict[str, object], *, but: str, too: str = "") -> None:
    """Raise InputError for options that belong to what is not converted."""
    belong = {
        "--drop": "structures",
        "--over": "force fields",
        "--approximate": "force fields",
        "--settings": "weights, written as .safetensors",
    }
    wrong = [
        f"{option} belongs to {belong[option]}" for option, value in given.items() if value and option not in (but, too)
    ]
    if wrong:
        raise InputError(f"{'; '.join(wrong)}; what is converted here takes {but} alone")


def _weights(source: Path, target: Path, settings: Path | None, overwrite: bool) -> dict[str, Any]:
    from forgefield.jobs.convert_weights import convert_weights
    from forgefield.molecules.molecule import symbol

    model = convert_weights(source, target, settings, overwrite=overwrite)
    elements = [symbol(number) for number in model.design.elements]
    say(f"Written: {target} (a PaiNN of {', '.join(elements)})")
    return {"file": str(target), "elements": elements}


def _force_field(source: Path, target: Path, over: list[Path], approximate: bool, overwrite: bool) -> dict[str, Any]:
    from forgefield.jobs import convert as job

    found = job.convert_force_field(source, target, over=over, approximate=approximate, overwrite=overwrite)
    for remark in found.remarks:
        warn(remark)
    files = [str(file) for file in found.files]
    say(f"Written: {', '.join(files)}")
    return {"file": str(target), "files": files, "warnings": found.remarks}


def _structures(source: Path, target: Path, drop: list[str], overwrite: bool, trust: bool) -> dict[str, Any]:
    from forgefield.jobs import convert as job

    found = job.convert(source, target, drop=drop, overwrite=overwrite, trust=trust)
    names, held = [molecule.name for molecule, _ in found], job.held(found)
    say(f"Read:    {source} ({job.format_of(source).name}): {', '.join(held) or 'no results'}")
    lost = [what for what in drop if what in held]
    say(f"Written: {target} ({', '.join(names)}){' without ' + ', '.join(lost) if lost else ''}")
    return {"file": str(target), "structures": names, "held": held, "dropped": lost}
