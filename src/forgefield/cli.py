"""The command line: the only place where choices have names."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from forgefield.cli_md import md
from forgefield.cli_reference import reference
from forgefield.console import (
    DONE,
    FAILED,
    STDERR,
    Json,
    Overwrite,
    Verbose,
    command,
    print_json,
    print_whole,
    progress_bar,
    run_app,
    show,
)
from forgefield.errors import InputError

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Learns molecular force fields from quantum chemistry and runs them.",
)


def main() -> None:
    """Run the command line."""
    run_app(app)


@app.command()
@command
def fit(
    file: Annotated[Path, typer.Argument(help="The FIT.toml to run.")],
    output: Annotated[Path | None, typer.Option(help="Folder for the results; default: the name of the file.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Only show pairing, coverage and what is trained.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted fit.")] = False,
    overwrite: Overwrite = False,
    starts: Annotated[int | None, typer.Option(min=1, help="Number of starts, instead of the file's.")] = None,
    validate: Annotated[bool, typer.Option("--validate", help="Then leave molecules out, and resample them.")] = False,
    bootstrap: Annotated[int, typer.Option(min=2, help="Samples of --validate.")] = 200,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes of --validate; default: all cores.")] = None,
    trade_off: Annotated[list[str] | None, typer.Option(help="Vary the weight of this target; repeatable.")] = None,
    points: Annotated[int, typer.Option(min=3, help="Weights of --trade-off.")] = 7,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Fit a force field to quantum chemistry, the main job.

    Example: forgefield fit examples/ch3f/FIT.toml
    """
    from forgefield.jobs.fit.fit_job import plain, run_fit
    from forgefield.jobs.fit.plan.check import check_table
    from forgefield.jobs.fit.plan.prepare import prepare
    from forgefield.jobs.fit.run.trade_off import TradeOff
    from forgefield.jobs.fit.run.validation import Validation
    from forgefield.report.tables import fit_summary

    del verbose
    prepared = prepare(file, starts=starts)
    if check:
        Console().print(check_table(prepared))
        return DONE
    folder = output or file.with_suffix("")
    with progress_bar() as progress:
        task = progress.add_task("compiling", total=prepared.file.fit.max_steps)

        def tell(stage, state) -> None:
            text = f"pass {stage.number + 1}: cost {state.best_cost.min():.6g}"
            progress.update(task, completed=state.n_iterations, description=text)

        def count(n_done: int, n: int) -> None:
            progress.update(task, completed=n_done, total=n, description="validating")

        wanted = Validation(bootstrap, workers) if validate else None
        varied = TradeOff(tuple(trade_off), points) if trade_off else None
        outcome = run_fit(
            prepared,
            folder,
            resume=resume,
            overwrite=overwrite,
            validation=wanted,
            trade_off=varied,
            tell=tell,
            count=count,
        )
    STDERR.print(fit_summary(outcome.record))
    STDERR.print(f"Results in {folder}/ (open {folder / 'report.html'})", markup=False)
    if as_json:
        json.dump(plain(outcome.record.results), sys.stdout, indent=1, ensure_ascii=False)
        sys.stdout.write("\n")
    return DONE if outcome.record.results["fit"]["success"] and not outcome.interrupted else FAILED


app.command()(reference)


@app.command()
@command
def evaluate(
    force_field: Annotated[Path, typer.Argument(help="Force field, or the folder of a fit.")],
    files: Annotated[list[Path], typer.Argument(help="Structures; an MM3* file may want types (.mae, .mol2).")],
    listing: Annotated[Path | None, typer.Option(help="Write every interaction to this JSON file.")] = None,
    overwrite: Overwrite = False,
    compare: Annotated[Path | None, typer.Option(help="Compare with a MacroModel listing (.mmo).")] = None,
    reference: Annotated[list[Path] | None, typer.Option(help="QM results to compare frequencies with.")] = None,
    transition_state: Annotated[str, typer.Option(help="C, D, D+, E or none, for negative eigenvalues.")] = "C",
    cutoff: Annotated[float, typer.Option(min=0.0, help="Leave out pairs further apart [Å].")] = float("inf"),
    forces: Annotated[bool, typer.Option("--forces", help="Also the forces on the atoms.")] = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Evaluate a force field: energies by term, every interaction, frequencies against QM.

    Example: forgefield evaluate mm3.fld mae/*.mae --listing all.json
    """
    from forgefield.io.listings.listing import write_listings
    from forgefield.io.outputs import new_outputs
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
    if listing is not None:
        compared_with = [*(reference or ()), *(() if compare is None else (compare,))]
        with new_outputs([listing], [force_field, *files, *compared_with], overwrite=overwrite):
            write_listings(listing, job.listed(found, force_field))
    names, totals = [molecule.name for molecule in found.molecules], found.totals_kj_mol
    shown = [*([coverage_table(found.coverage)] if found.coverage else []), totals_table(names, totals)]
    summary: dict[str, Any] = {"structures": [{"name": n, **t} for n, t in zip(names, totals, strict=True)]}
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
    show(shown, summary, as_json=as_json)
    return DONE


@app.command()
@command
def modes(
    force_field: Annotated[Path, typer.Argument(help="Force field, or the folder of a fit.")],
    file: Annotated[Path, typer.Argument(help="One structure; an MM3* file may want types (.mae, .mol2).")],
    relax: Annotated[bool, typer.Option("--relax", help="Go to the nearest minimum of the force field first.")] = False,
    saddle: Annotated[bool, typer.Option("--saddle", help="Go to its nearest first-order saddle first.")] = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Compute frequencies and modes of a structure from the exact Hessian of a force field.

    Example: forgefield modes mm3.fld molecule.mae --relax
    """
    from forgefield.jobs import evaluate as job
    from forgefield.report.evaluation import frequencies_table

    del verbose
    if relax and saddle:
        raise InputError("--relax and --saddle exclude each other")
    summary: dict[str, Any] = {}
    if relax or saddle:
        found, ended = job.relaxed_modes(force_field, file, saddle=saddle)
        summary["relaxation"] = job.relaxation_summary(ended)
        if not ended.converged.all():
            STDERR.print(f"{file}: {summary['relaxation']['failure']}", markup=False, soft_wrap=True)
            return FAILED
        STDERR.print(job.relaxation_sentence(ended), markup=False, highlight=False, soft_wrap=True)
    else:
        found = job.modes(force_field, file)
    summary |= {"frequencies_cm1": found.frequencies.tolist(), "modes_mass_weighted": found.vectors.T.tolist()}
    show([frequencies_table(found)], summary, as_json=as_json)
    return DONE


@app.command()
@command
def estimate(
    files: Annotated[list[Path], typer.Argument(help="QM results with Hessians; files of one structure are merged.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Force field to write: .fld, .frcmod or .xml.")],
    method: Annotated[str, typer.Option(help="qfuerza, fuerza, seminario, modified-seminario, linear, …")] = "qfuerza",
    form: Annotated[str | None, typer.Option(help="mm3 or harmonic; default: what the file is usual for.")] = None,
    transition_state: Annotated[str | None, typer.Option(help="C, D, D+, E or none, for negative eigenvalues.")] = None,
    overwrite: Overwrite = False,
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
    job.write_estimated(output, found, overwrite=overwrite)
    print_whole(STDERR, [grid(job.parameters_table(found))])
    for warning in found.warnings:
        STDERR.print(f"Warning: {warning}", style="yellow", markup=False, highlight=False, soft_wrap=True)
    STDERR.print(f"Written: {output}", markup=False, highlight=False, soft_wrap=True)
    if as_json:
        print_json(job.summary(found, output))
    return DONE


@app.command()
@command
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
    show([grid(job.differences_table(found))], job.summary(found), as_json=as_json)
    return DONE


@app.command()
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
    STDERR.print(f"Written: {target} ({', '.join(names)})", markup=False, highlight=False, soft_wrap=True)
    if as_json:
        print_json({"file": str(target), "structures": names})
    return DONE


app.command()(md)


@app.command()
@command
def relax(
    force_field: Annotated[Path, typer.Argument(help="Force field: .fld, .frcmod, .safetensors or a fit's folder.")],
    files: Annotated[list[Path], typer.Argument(help="Structures; with atom types where the force field wants them.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for the relaxed structures.")] = Path(
        "relaxed"
    ),
    saddle: Annotated[bool, typer.Option("--saddle", help="Go to first-order saddles, along the lowest mode.")] = False,
    tolerance: Annotated[float, typer.Option(help="Largest gradient that may be left [kcal/mol/Å].")] = 1e-4,
    max_iterations: Annotated[int, typer.Option(help="Largest number of steps.")] = 200,
    overwrite: Overwrite = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Relax structures under a force field, all at once, and write them with their energies and forces.

    Example: forgefield relax ethanol.frcmod conformers/*.xyz -o relaxed
    """
    from forgefield.jobs import relax as job
    from forgefield.report.tables import grid

    del verbose
    found = job.run_relaxation(
        force_field,
        files,
        saddle=saddle,
        tolerance=tolerance,
        max_iterations=max_iterations,
        output=output,
        overwrite=overwrite,
    )
    paths = job.written_to(output, found)
    print_whole(STDERR, [grid(job.relaxed_table(found))])
    STDERR.print(f"Written: {len(paths)} structure(s) in {output}", markup=False, highlight=False, soft_wrap=True)
    if as_json:
        print_json(job.summary(found, paths))
    return DONE if all(one.converged for one in found) else FAILED
