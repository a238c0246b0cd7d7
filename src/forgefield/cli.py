"""The command line: the only place where choices have names."""

import json
import sys
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from forgefield.console import (
    DONE,
    FAILED,
    STDERR,
    Json,
    Verbose,
    command,
    print_json,
    print_whole,
    progress_bar,
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
    app()


@app.command()
@command
def fit(
    file: Annotated[Path, typer.Argument(help="The FIT.toml to run.")],
    output: Annotated[Path | None, typer.Option(help="Folder for the results; default: the name of the file.")] = None,
    check: Annotated[bool, typer.Option("--check", help="Only show pairing, coverage and what is trained.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted fit.")] = False,
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
        outcome = run_fit(prepared, folder, resume=resume, validation=wanted, trade_off=varied, tell=tell, count=count)
    STDERR.print(fit_summary(outcome.record))
    STDERR.print(f"Results in {folder}/ (open {folder / 'report.html'})", markup=False)
    if as_json:
        json.dump(plain(outcome.record.results), sys.stdout, indent=1, ensure_ascii=False)
        sys.stdout.write("\n")
    return DONE if outcome.record.results["fit"]["success"] else FAILED


@app.command()
@command
def reference(
    file: Annotated[Path, typer.Argument(help="Structure (xyz, mol2, fchk, …); an xyz comment may hold charge=-1.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="QCSchema JSON to write; of a scan also .extxyz.")],
    method: Annotated[str, typer.Option(help="hf, a density functional, gfn1 or gfn2.")] = "b3lyp",
    basis: Annotated[str | None, typer.Option(help="Basis set; none for gfn1 and gfn2.")] = None,
    optimise: Annotated[bool, typer.Option("--optimise", help="Go to the nearest minimum first.")] = False,
    saddle: Annotated[bool, typer.Option("--saddle", help="Go to the nearest first-order saddle first.")] = False,
    scan: Annotated[list[str] | None, typer.Option(help="Turn this dihedral, the rest relaxed; repeatable.")] = None,
    points: Annotated[int | None, typer.Option(min=1, help="Points of the scan, of each dihedral.")] = None,
    step: Annotated[int | None, typer.Option(min=1, help="Or degrees between them; default 15, or 30.")] = None,
    range_: Annotated[list[str] | None, typer.Option("--range", help="From A:B degrees; default: a turn.")] = None,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Run quantum chemistry: energy, gradient, Hessian and frequencies of a structure.

    With --scan, energies and gradients of a relaxed scan instead; an interrupted one is continued.

    Example: forgefield reference water.xyz --method b3lyp --basis '6-31+G(d)' --optimise -o water.json

    Example: forgefield reference butane.xyz --method gfn2 --scan 1-2-3-4 --step 15 -o scan.json
    """
    from forgefield.io.assemble.single import single
    from forgefield.io.molecules import read_structures
    from forgefield.io.qm.qcschema import write_qcschema

    try:
        from forgefield.engines.qm.reference import engine_named, run
        from forgefield.jobs.scan import grid_of, run_scan, scan_summary, scan_text
    except ImportError as error:
        raise InputError(f"{error.name} is not installed; run: pip install 'forgefield[qm]'") from error

    del verbose
    if optimise and saddle:
        raise InputError("--optimise and --saddle exclude each other")
    molecule = single(read_structures(file))
    if scan:
        if optimise or saddle:
            raise InputError("--scan relaxes the molecule at each point: leave --optimise and --saddle out")
        grid = grid_of(scan, points=points, step=step, ranges=range_ or ())
        with progress_bar() as progress:
            tell = partial(progress.update, progress.add_task("scan", total=None))
            frames = run_scan(molecule, engine_named(method, basis), grid, output, tell=tell)
        STDERR.print(scan_text(frames, output), markup=False)
        if as_json:
            print_json(scan_summary(frames, output))
        return DONE
    if points is not None or step is not None or range_:
        raise InputError("--points, --step and --range belong to --scan")
    task = "minimum" if optimise else "saddle" if saddle else "point"
    with progress_bar() as progress:
        progress.add_task(f"{method} {basis or ''} {task}", total=None)
        molecule, found = run(molecule, engine_named(method, basis), task)
    write_qcschema(output, molecule, found)
    frequencies = [] if found.frequencies is None else found.frequencies.tolist()
    if as_json:
        print_json({"energy_kcal_mol": found.energy, "frequencies_cm1": frequencies, "file": str(output)})
    STDERR.print(f"{found.level}: {found.energy:.6f} kcal/mol; written to {output}", markup=False)
    STDERR.print("frequencies / cm⁻¹: " + " ".join(f"{f:.1f}" for f in frequencies), markup=False)
    return DONE


@app.command()
@command
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
    from forgefield.io.listings.listing import write_listings
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
    show(shown, summary, as_json=as_json)
    return DONE


@app.command()
@command
def modes(
    force_field: Annotated[Path, typer.Argument(help="MM3* force-field file (.fld).")],
    file: Annotated[Path, typer.Argument(help="One structure with MacroModel types.")],
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
    STDERR.print(f"Written: {target} ({', '.join(names)})", markup=False, highlight=False, soft_wrap=True)
    if as_json:
        print_json({"file": str(target), "structures": names})
    return DONE


@app.command()
@command
def md(
    force_field: Annotated[Path, typer.Argument(help="Force field: .fld, .frcmod, .safetensors or a fit's folder.")],
    molecule: Annotated[Path, typer.Argument(help="One structure; with atom types where the force field wants them.")],
    steps: Annotated[int, typer.Option(help="Number of steps, with those before where a run is continued.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Trajectory: .xyz or .h5; default: MOLECULE-md.xyz.")
    ] = None,
    ensemble: Annotated[str, typer.Option(help="nve (velocity Verlet) or nvt (Langevin).")] = "nve",
    temperature: Annotated[float, typer.Option(help="Of the thermostat and the velocities at the start [K].")] = 300.0,
    timestep: Annotated[float, typer.Option(help="Time step [fs].")] = 0.5,
    friction: Annotated[float, typer.Option(help="Friction of the thermostat [1/ps].")] = 1.0,
    replicas: Annotated[int, typer.Option(help="Number of independent replicas.")] = 1,
    every: Annotated[int, typer.Option(help="Steps between frames.")] = 20,
    seed: Annotated[int, typer.Option(help="Seed of velocities and noise.")] = 0,
    resume: Annotated[bool, typer.Option("--resume", "--restart", help="Continue an interrupted run exactly.")] = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Simulate the motion of a molecule, or of replicas of it, in one compiled loop.

    Example: forgefield md ethanol.frcmod ethanol.xyz --ensemble nvt --temperature 300 --steps 20000
    """
    from forgefield.jobs import md as job
    from forgefield.report.tables import grid

    del verbose
    settings = job.DynamicsSettings(steps, ensemble, temperature, timestep, friction, replicas, every, seed)
    trajectory = output or Path(f"{molecule.stem}-md.xyz")
    with progress_bar() as progress:
        task = progress.add_task("steps", total=steps)
        found = job.run_dynamics(
            force_field,
            molecule,
            trajectory,
            settings,
            resume=resume,
            tell=lambda step: progress.update(task, completed=step, description=f"step {step}"),
        )
    print_whole(STDERR, [grid(job.dynamics_table(found))])
    for complaint in found.complaints:
        STDERR.print(f"forgefield: {complaint}", style="red", markup=False, highlight=False, soft_wrap=True)
    STDERR.print("Written: " + ", ".join(map(str, found.files)), markup=False, highlight=False, soft_wrap=True)
    if as_json:
        print_json(job.summary(found))
    return FAILED if found.blown_up else DONE


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
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Relax structures under a force field, all at once, and write them with their energies and forces.

    Example: forgefield relax ethanol.frcmod conformers/*.xyz -o relaxed
    """
    from forgefield.jobs import relax as job
    from forgefield.report.tables import grid

    del verbose
    found = job.run_relaxation(force_field, files, saddle=saddle, tolerance=tolerance, max_iterations=max_iterations)
    paths = job.write_relaxed(output, found, level=force_field.name)
    print_whole(STDERR, [grid(job.relaxed_table(found))])
    STDERR.print(f"Written: {len(paths)} structure(s) in {output}", markup=False, highlight=False, soft_wrap=True)
    if as_json:
        print_json(job.summary(found, paths))
    return DONE if all(one.converged for one in found) else FAILED
