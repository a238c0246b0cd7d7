"""`forgefield reference`: quantum chemistry from the command line."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from forgefield.cli.command import DONE, FAILED, Json, Overwrite, Verbose, command
from forgefield.cli.console import NowAndThen, complain, print_json, progress_bar, say
from forgefield.cli.interrupts import heard
from forgefield.errors import ForgeFieldError, InputError

_BASIS = "def2-SVP"
_File = Annotated[
    Path,
    typer.Argument(
        help="Structure: .xyz, .sdf, .mol2, …, or a SMILES (smiles:CCO), which is optimised; an xyz comment may hold "
        "charge=-1, symbols be D, 13C."
    ),
]
_Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", help="QCSchema JSON to write; of a scan also .extxyz; default, and of several: NAME.json."
    ),
]


@command
def reference(
    file: _File,
    output: _Output = None,
    method: Annotated[str, typer.Option(help="hf, a density functional, gfn1 or gfn2.")] = "b3lyp",
    basis: Annotated[str | None, typer.Option(help="Basis set; default def2-SVP, none for gfn1 and gfn2.")] = None,
    optimise: Annotated[bool, typer.Option("--optimise", help="Go to the nearest minimum first.")] = False,
    saddle: Annotated[bool, typer.Option("--saddle", help="Go to the nearest first-order saddle first.")] = False,
    scan: Annotated[list[str] | None, typer.Option(help="Turn this dihedral, the rest relaxed; repeatable.")] = None,
    points: Annotated[int | None, typer.Option(min=1, help="Points of the scan, of each dihedral.")] = None,
    step: Annotated[int | None, typer.Option(min=1, help="Or degrees between them; default 15, or 30.")] = None,
    range_: Annotated[list[str] | None, typer.Option("--range", help="From A:B degrees; default: a turn.")] = None,
    charge: Annotated[int | None, typer.Option(help="Charge of a structure that states none; default 0.")] = None,
    multiplicity: Annotated[int | None, typer.Option(min=1, help="Its multiplicity; default 1, or 2.")] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Run quantum chemistry: energy, gradient, Hessian and frequencies of a structure.

    Of a file of several structures, one after the other. With --scan, energies and gradients of a relaxed scan instead;
    an interrupted one is continued.

    Example: forgefield reference water.xyz --method b3lyp --basis '6-31+G(d)' --optimise -o water.json

    Example: forgefield reference 'smiles:CC(=O)O acetic acid' --method gfn2

    Example: forgefield reference butane.xyz --method gfn2 --scan 1-2-3-4 --step 15 -o scan.json
    """
    from forgefield.io.molecules import read_structures
    from forgefield.io.sources import is_smiles

    del verbose
    if optimise and saddle:
        raise InputError("--optimise and --saddle exclude each other")
    molecules = read_structures(file, charge=charge, multiplicity=multiplicity)
    outputs = _outputs(file, molecules, output)
    basis = basis or (None if method.lower().startswith("gfn") else _BASIS)
    engine = _engine(method, basis)
    if scan:
        from forgefield.io.assemble.single import single
        from forgefield.jobs.scan import grid_of

        if optimise or saddle:
            raise InputError("--scan relaxes the molecule at each point: leave --optimise and --saddle out")
        grid = grid_of(scan, points=points, step=step, ranges=range_ or ())
        _scan(single(molecules), engine, grid, outputs[0], overwrite=overwrite, as_json=as_json)
        return DONE
    if is_smiles(file) and not (saddle or optimise):
        say("A SMILES has no geometry of its own: the conformer made for it is optimised first (--optimise).")
        optimise = True
    if points is not None or step is not None or range_:
        raise InputError("--points, --step and --range belong to --scan")
    task = "minimum" if optimise else "saddle" if saddle else "point"
    if len(molecules) > 1:
        return _each(molecules, engine, task, (file, outputs), overwrite=overwrite, as_json=as_json)
    found = _computed(molecules[0], engine, task, (file, outputs[0]), overwrite)
    if as_json:
        print_json(_summary(found, outputs[0]))
    _tell(found, outputs[0])
    return DONE


def _outputs(file: Path, molecules: Any, output: Path | None) -> list[Path]:
    """Return the file of each structure, by its name; raises InputError where one is given for several."""
    from forgefield.io.sources import file_name

    if output is not None and len(molecules) > 1:
        raise InputError(
            f"{file}: holds {len(molecules)} structures, each of which is written to a file of its own name: leave "
            "--output out"
        )
    if output is not None:
        return [output]
    names: list[str] = []
    for name in (file_name(molecule.name) for molecule in molecules):
        names.append(name if name not in names else f"{name}-{len(names) + 1}")
    return [Path(f"{name}.json") for name in names]


def _each(
    molecules: Any, engine: Any, task: Any, paths: tuple[Path, list[Path]], *, overwrite: bool, as_json: bool
) -> int:
    """Compute the structures of a file one by one, the others where one of them fails, and write each."""
    file, outputs = paths
    told, code = [], DONE
    for molecule, output in zip(molecules, outputs, strict=True):
        try:
            found = _computed(molecule, engine, task, (file, output), overwrite)
        except ForgeFieldError as error:
            complain(f"{molecule.name}: {error}")
            code = FAILED
            continue
        told.append(_summary(found, output))
        _tell(found, output)
    if as_json:
        print_json({"structures": told})
    return code


def _engine(method: str, basis: str | None) -> Any:
    try:
        from forgefield.engines.qm.reference import engine_named
    except ImportError as error:
        raise InputError(f"{error.name} is not installed; run: pip install 'forgefield[qm]'") from error
    return engine_named(method, basis)


def _computed(molecule: Any, engine: Any, task: Any, paths: tuple[Path, Path], overwrite: bool) -> Any:
    """Compute what is asked and write it."""
    from forgefield.io.outputs import new_outputs
    from forgefield.io.qm.qcschema import write_qcschema

    file, output = paths
    last = output.with_name(f"{output.stem}-last.xyz")
    with new_outputs([output, last], [file], overwrite=overwrite), progress_bar() as progress:
        if output.suffix.lower() != ".json":
            raise InputError(f"{output}: is written as QCSchema JSON: give it the suffix .json, by which it is read")
        progress.add_task(f"{engine.level} {task}", total=None)
        molecule, found = _run(molecule, engine, task, molecule.masses, last)
        write_qcschema(output, molecule, found)
    return found


def _scan(molecule: Any, engine: Any, grid: Any, output: Path, *, overwrite: bool, as_json: bool) -> None:
    from forgefield.jobs.scan import run_scan, scan_summary, scan_text

    frames = _followed(partial(run_scan, molecule, engine, grid, output, overwrite=overwrite))
    say(scan_text(frames, output))
    if as_json:
        print_json(scan_summary(frames, output))


def _run(molecule: Any, engine: Any, task: Any, masses: Any, last: Path) -> Any:
    """Compute what is asked; where it fails or is interrupted, write the last geometry of the optimisation."""
    from forgefield.engines.qm.reference import bare, run
    from forgefield.io.structures.xyz import write_xyz

    seen = []
    try:
        return run(molecule, engine, task, masses=masses, seen=seen.append)
    except BaseException:
        if seen:
            write_xyz(last, [bare(seen[-1], masses)])
            say(f"The last geometry is in {last}.")
        raise


def _followed(run: Callable[..., Any]) -> Any:
    """Run a scan while showing how far it is, and end it after the point at which it was interrupted."""
    with progress_bar() as progress, heard() as interrupts:
        task = progress.add_task("scan", total=None)
        line = NowAndThen()

        def tell(description: str) -> None:
            progress.update(task, description=description)
            line(description)
            interrupts.check()

        return run(tell=tell)


def _frequencies(found: Any) -> list[float]:
    return [] if found.frequencies is None else found.frequencies.tolist()


def _summary(found: Any, output: Path) -> dict[str, Any]:
    """Return what was found, for programs."""
    return {"energy_kcal_mol": found.energy, "frequencies_cm1": _frequencies(found), "file": str(output)}


def _tell(found: Any, output: Path) -> None:
    """Print what was found."""
    say(f"{found.level}: {found.energy:.6f} kcal/mol; written to {output}")
    say("frequencies / cm⁻¹: " + " ".join(f"{f:.1f}" for f in _frequencies(found)))
