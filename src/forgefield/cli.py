"""The command line: the only place where choices have names."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from functools import wraps
from pathlib import Path
from typing import Annotated, Any

import jax
import typer
from rich.console import Console
from rich.measure import Measurement
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from forgefield.errors import ForgeFieldError, InputError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Learns molecular force fields from quantum chemistry and runs them.",
)
_stderr = Console(stderr=True)

DONE, FAILED, BAD_INPUT = 0, 1, 2
_WIDEST = 10_000
"""Columns of the widest table."""
Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON on stdout.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more on stderr.")]


def main() -> None:
    """Run the command line."""
    app()


def _command(function: Callable[..., int | None]) -> Callable[..., None]:
    """Turn errors meant for the user into one message and exit code 2, and a returned number into the exit code."""

    @wraps(function)
    def run(*args: Any, **options: Any) -> None:
        _configure(verbose=bool(options.get("verbose")))
        try:
            code = function(*args, **options)
        except ForgeFieldError as error:
            _stderr.print(f"forgefield: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
            raise typer.Exit(BAD_INPUT) from None
        except KeyboardInterrupt:
            _stderr.print("forgefield: interrupted", markup=False)
            raise typer.Exit(FAILED) from None
        raise typer.Exit(code or DONE)

    return run


def _configure(*, verbose: bool) -> None:
    """Compute in float64 and keep compiled programs in the user's cache folder."""
    jax.config.update("jax_enable_x64", True)
    default = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "forgefield" / "xla"
    cache = Path(os.environ.get("FORGEFIELD_CACHE", default))
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        _stderr.print(f"no cache of compiled programs: {error}", markup=False)
        return
    jax.config.update("jax_compilation_cache_dir", str(cache))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    if verbose:
        _stderr.print(f"compiled programs are kept in {cache} (FORGEFIELD_CACHE moves them)", markup=False)


@app.command()
@_command
def fit(
    file: Annotated[Path, typer.Argument(help="The FIT.toml to run.")],
    output: Annotated[Path | None, typer.Option(help="Folder for the results; default: the name of the file.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Only show pairing, coverage and what is trained.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted fit.")] = False,
    starts: Annotated[int | None, typer.Option(min=1, help="Number of starts, instead of the file's.")] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Fit a force field to quantum chemistry, the main job.

    Example: forgefield fit examples/ch3f/FIT.toml
    """
    from forgefield.jobs.check import check_table
    from forgefield.jobs.fit_job import plain, run_fit
    from forgefield.jobs.prepare import prepare
    from forgefield.report.tables import fit_summary

    del verbose
    prepared = prepare(file, starts=starts)
    if check:
        Console().print(check_table(prepared))
        return DONE
    folder = output or file.with_suffix("")
    with _progress() as progress:
        task = progress.add_task("compiling", total=prepared.file.fit.max_steps)

        def tell(stage, state) -> None:
            text = f"pass {stage.number + 1}: cost {state.best_cost.min():.6g}"
            progress.update(task, completed=state.n_iterations, description=text)

        outcome = run_fit(prepared, folder, resume=resume, tell=tell)
    _stderr.print(fit_summary(outcome.record))
    _stderr.print(f"Results in {folder}/ (open {folder / 'report.html'})", markup=False)
    if as_json:
        json.dump(plain(outcome.record.results), sys.stdout, indent=1, ensure_ascii=False)
        sys.stdout.write("\n")
    return DONE if outcome.record.results["fit"]["success"] else FAILED


@app.command()
@_command
def reference(
    file: Annotated[Path, typer.Argument(help="Structure (xyz, mol2, fchk, …); an xyz comment may hold charge=-1.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="QCSchema JSON to write.")],
    method: Annotated[str, typer.Option(help="hf, a density functional, gfn1 or gfn2.")] = "b3lyp",
    basis: Annotated[str | None, typer.Option(help="Basis set; none for gfn1 and gfn2.")] = None,
    optimise: Annotated[bool, typer.Option("--optimise", help="Go to the nearest minimum first.")] = False,
    saddle: Annotated[bool, typer.Option("--saddle", help="Go to the nearest first-order saddle first.")] = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Run quantum chemistry: energy, gradient, Hessian and frequencies of a structure.

    Example: forgefield reference water.xyz --method b3lyp --basis '6-31+G(d)' --optimise -o water.json
    """
    from forgefield.io.qcschema import write_qcschema
    from forgefield.io.single import single
    from forgefield.io.structures import read_structures

    try:
        from forgefield.engines.reference import engine_named, run
    except ImportError as error:
        raise InputError(f"{error.name} is not installed; run: pip install 'forgefield[qm]'") from error

    del verbose
    if optimise and saddle:
        raise InputError("--optimise and --saddle exclude each other")
    molecule = single(read_structures(file))
    task = "minimum" if optimise else "saddle" if saddle else "point"
    with _progress() as progress:
        progress.add_task(f"{method} {basis or ''} {task}", total=None)
        molecule, found = run(molecule, engine_named(method, basis), task)
    write_qcschema(output, molecule, found)
    frequencies = [] if found.frequencies is None else found.frequencies.tolist()
    if as_json:
        summary = {"energy_kcal_mol": found.energy, "frequencies_cm1": frequencies, "file": str(output)}
        sys.stdout.write(json.dumps(summary) + "\n")
    _stderr.print(f"{found.level}: {found.energy:.6f} kcal/mol; written to {output}", markup=False)
    _stderr.print("frequencies / cm⁻¹: " + " ".join(f"{f:.1f}" for f in frequencies), markup=False)
    return DONE


@app.command()
@_command
def evaluate(
    force_field: Annotated[Path, typer.Argument(help="MM3* force-field file (.fld).")],
    files: Annotated[list[Path], typer.Argument(help="Structures with MacroModel types (.mae, .mol2).")],
    listing: Annotated[Path | None, typer.Option(help="Write every interaction to this JSON file.")] = None,
    compare: Annotated[Path | None, typer.Option(help="Compare with a MacroModel listing (.mmo).")] = None,
    reference: Annotated[list[Path] | None, typer.Option(help="QM results to compare frequencies with.")] = None,
    transition_state: Annotated[str, typer.Option(help="C, D, D+, E or none, for negative eigenvalues.")] = "C",
    cutoff: Annotated[float, typer.Option(min=0.0, help="Leave out pairs further apart [Å].")] = float("inf"),
    forces: Annotated[bool, typer.Option("--forces", help="Also the forces on the atoms.")] = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Evaluate an MM3* force field: energies by term, every interaction, frequencies against QM.

    Example: forgefield evaluate mm3.fld mae/*.mae --listing all.json
    """
    from forgefield.io.listing import write_listings
    from forgefield.jobs import evaluate as job
    from forgefield.report.evaluation import (
        comparison_tables,
        coverage_table,
        forces_tables,
        judgement_table,
        totals_table,
        worst_table,
    )

    del verbose
    found = job.evaluate(force_field, files, cutoff=cutoff)
    shown = [coverage_table(found.assigned.coverage), totals_table(found.listings)]
    summary: dict[str, Any] = {"structures": [{"name": x.name, **x.totals_kj_mol} for x in found.listings]}
    if listing is not None:
        write_listings(listing, found.listings)
    if compare is not None:
        comparison = job.compared(found, compare)
        shown += [comparison_tables(comparison), worst_table(comparison)]
        terms = [asdict(term) for term in comparison.terms]
        summary["comparison"] = {"terms": terms, "max_charge_deviation_e": comparison.max_charge_deviation}
    if forces:
        vectors = job.forces_of(found)
        shown.append(forces_tables(found.molecules, vectors))
        summary["forces_kcal_mol_a"] = [f.tolist() for f in vectors]
    if reference:
        examples, judgement = job.judged(force_field, files, reference, transition_state)
        shown.append(judgement_table(examples, judgement))
        summary["metrics"] = asdict(judgement.total)
    _show(shown, summary, as_json=as_json)
    return DONE


@app.command()
@_command
def modes(
    force_field: Annotated[Path, typer.Argument(help="MM3* force-field file (.fld).")],
    file: Annotated[Path, typer.Argument(help="One structure with MacroModel types.")],
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Compute frequencies and modes of a structure from the exact Hessian of a force field.

    Example: forgefield modes mm3.fld molecule.mae
    """
    from forgefield.jobs import evaluate as job
    from forgefield.report.evaluation import frequencies_table

    del verbose
    found = job.modes(force_field, file)
    summary = {"frequencies_cm1": found.frequencies.tolist(), "modes_mass_weighted": found.vectors.T.tolist()}
    _show([frequencies_table(found)], summary, as_json=as_json)
    return DONE


@app.command()
@_command
def estimate(
    files: Annotated[list[Path], typer.Argument(help="QM results with Hessians; files of one structure are merged.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Force field to write: .fld, .frcmod or .xml.")],
    method: Annotated[str, typer.Option(help="qfuerza, fuerza, seminario, modified-seminario, linear, …")] = "qfuerza",
    form: Annotated[str | None, typer.Option(help="mm3 or harmonic; default: what the file is usual for.")] = None,
    transition_state: Annotated[str | None, typer.Option(help="C, D, D+, E or none, for negative eigenvalues.")] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Read force constants off QM Hessians and write a force field, without any fit.

    Example: forgefield estimate examples/ch3f/ch3f.json -o ch3f.frcmod
    """
    from forgefield.jobs import estimate as job
    from forgefield.report.tables import grid

    del verbose
    found = job.estimate(files, method=method, form=form or job.form_of(output), transition_state=transition_state)
    job.write_estimated(output, found)
    _print_whole(_stderr, [grid(job.parameters_table(found))])
    for warning in found.warnings:
        _stderr.print(f"Warning: {warning}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    _stderr.print(f"Written: {output}", markup=False, highlight=False, soft_wrap=True)
    if as_json:
        _print_json(job.summary(found, output))
    return DONE


@app.command()
@_command
def diff(
    old: Annotated[Path, typer.Argument(help="MM3* force-field file (.fld).")],
    new: Annotated[Path, typer.Argument(help="Another one.")],
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Show the rows of two MM3* files that differ, old beside new, in file units.

    Example: forgefield diff mm3.fld runs/rh/forcefield.fld
    """
    from forgefield.jobs import diff as job
    from forgefield.report.tables import grid

    del verbose
    found = job.diff(old, new)
    _show([grid(job.differences_table(found))], job.summary(found), as_json=as_json)
    return DONE


@app.command()
@_command
def convert(
    source: Annotated[Path, typer.Argument(help="Structures or QM results in any format that is read.")],
    target: Annotated[Path, typer.Argument(help="Extended xyz (.xyz, .extxyz) or QCSchema (.json) to write.")],
    drop: Annotated[list[str] | None, typer.Option(help="What may be lost: bonds, types, Hessian, …")] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Convert structures and QM results; what the format cannot hold is an error that names it.

    Example: forgefield convert ethane.fchk ethane.json
    """
    from forgefield.jobs import convert as job

    del verbose
    structures = job.convert(source, target, drop=drop or ())
    names = [molecule.name for molecule, _ in structures]
    _stderr.print(f"Written: {target} ({', '.join(names)})", markup=False, highlight=False, soft_wrap=True)
    if as_json:
        _print_json({"file": str(target), "structures": names})
    return DONE


def _show(tables: list[Any], summary: dict[str, Any], *, as_json: bool) -> None:
    """Print a summary as JSON on stdout, or tables."""
    if as_json:
        _print_json(summary)
    else:
        _print_whole(Console(), tables)


def _print_json(content: dict[str, Any]) -> None:
    """Print one JSON object on stdout."""
    sys.stdout.write(json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n")


def _print_whole(console: Console, tables: list[Any]) -> None:
    """Print tables, which are never cut to fit a terminal."""
    wide = console.options.update(max_width=_WIDEST)
    needed = max(Measurement.get(console, wide, table).maximum for table in tables)
    whole = Console(stderr=console.stderr, width=max(console.width, needed))
    for table in tables:
        whole.print(table)


def _progress() -> Progress:
    """Return a progress display on stderr that is quiet where stderr is no terminal."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        console=_stderr,
        transient=True,
        disable=not _stderr.is_terminal,
    )
