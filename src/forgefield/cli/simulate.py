"""`forgefield md` and `forgefield relax`: molecules that move under a force field."""

from pathlib import Path
from typing import Annotated

import typer

from forgefield.cli.command import DONE, FAILED, Json, Overwrite, Verbose, command
from forgefield.cli.console import complain, print_json, print_whole, progress_bar, say, say_unless_shown, stderr
from forgefield.cli.interrupts import heard

_EQUILIBRATION = "Leave this time out of averages [ps]; default: the first half of the run as first asked for."
_MASSES = "weights (atomic weights, the default), isotopes (the most abundant), or file (as the structure states)."


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
    equilibration: Annotated[float | None, typer.Option(help=_EQUILIBRATION)] = None,
    masses: Annotated[str | None, typer.Option(help=_MASSES)] = None,
    separate: Annotated[bool, typer.Option("--separate", help="Write an H5MD file for each replica.")] = False,
    resume: Annotated[bool, typer.Option("--resume", "--restart", help="Continue an interrupted run exactly.")] = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Simulate the motion of a molecule, or of replicas of it, in one compiled loop.

    Example: forgefield md ethanol.frcmod ethanol.xyz --ensemble nvt --temperature 300 --steps 20000
    """
    from forgefield.io.sources import stem
    from forgefield.jobs.md.dynamics import run_dynamics
    from forgefield.jobs.md.dynamics_settings import DynamicsSettings
    from forgefield.jobs.md.pace import Pace

    del verbose
    settings = DynamicsSettings(
        steps, ensemble, temperature, timestep, friction, replicas, every, seed, equilibration, masses, separate
    )
    trajectory = output or Path(f"{stem(molecule)}-md.xyz")
    with progress_bar() as progress, heard() as interrupts:
        task = progress.add_task("steps", total=steps)
        pace = Pace(steps, say_unless_shown)

        def follow(step: int) -> None:
            progress.update(task, completed=step, description=pace.words(step))
            interrupts.check()

        found = run_dynamics(
            force_field,
            molecule,
            trajectory,
            settings,
            resume=resume,
            overwrite=overwrite,
            tell=follow,
        )
    _show(found, as_json=as_json)
    return FAILED if found.blown_up else DONE


def _show(found, *, as_json: bool) -> None:
    """Print what a run amounts to."""
    from forgefield.jobs.md.dynamics_results import summary
    from forgefield.report.tables import grid

    print_whole([grid(found.table)], stderr())
    for complaint in found.complaints:
        complain(complaint)
    say("Written: " + ", ".join(map(str, found.files)))
    if as_json:
        print_json(summary(found))


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
    print_whole([grid(found.table)], stderr())
    say(f"Written: {len(paths)} structure(s) in {output}")
    if as_json:
        print_json(job.summary(found, paths))
    return DONE if all(one.converged for one in found) else FAILED
