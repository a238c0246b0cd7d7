"""`forgefield estimate` and `forgefield diff`: force fields without any fit."""

from pathlib import Path
from typing import Annotated

import typer

from forgefield.cli.command import DONE, Json, Overwrite, Trust, Verbose, command
from forgefield.cli.console import print_json, print_whole, say, show, stderr, warn


@command
def estimate(
    files: Annotated[list[Path], typer.Argument(help="QM results with Hessians; files of one structure are merged.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Force field to write: .json, .fld, .frcmod or .xml.")],
    method: Annotated[str, typer.Option(help="qfuerza, fuerza, seminario, modified-seminario, linear, …")] = "qfuerza",
    form: Annotated[str | None, typer.Option(help="mm3 or harmonic; default: what the file is usual for.")] = None,
    transition_state: Annotated[str | None, typer.Option(help="C, D, D+, E or none, for negative eigenvalues.")] = None,
    trust: Trust = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Read force constants off QM Hessians and write a force field, without any fit.

    Example: forgefield estimate examples/ch3f/ch3f.json -o ch3f.frcmod
    """
    from forgefield.jobs import estimate as job
    from forgefield.jobs.write import usual_form
    from forgefield.report.folding import folded
    from forgefield.report.tables import grid

    del verbose
    form = form or usual_form(output)
    found = job.estimate(files, method=method, form=form, transition_state=transition_state, trust=trust)
    files = job.write_estimated(output, found, overwrite=overwrite)
    print_whole([grid(found.table)], stderr())
    for warning in folded(found.warnings, "the output of --json"):
        warn(warning)
    say(f"Written: {', '.join(map(str, files))}")
    if as_json:
        print_json(job.summary(found, output, files))
    return DONE


@command
def diff(
    old: Annotated[Path, typer.Argument(help="Force field, or the folder of a fit.")],
    new: Annotated[Path, typer.Argument(help="Another one, in whatever format.")],
    over: Annotated[
        list[Path] | None, typer.Option(help="Structures that force fields of any molecule are laid over.")
    ] = None,
    tolerance: Annotated[
        float, typer.Option(help="Numbers that differ by no more, or by this share of the larger, are the same.")
    ] = 1e-6,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Show the rows of two force fields that differ, old beside new, and what is the same.

    Example: forgefield diff mm3.fld runs/rh/forcefield.fld

    Example: forgefield diff ligand.prmtop ligand.top

    Example: forgefield diff ligand.prmtop ligand.offxml --over ligand.mol2
    """
    from rich.text import Text

    from forgefield.jobs.diff.diff_job import diff as run
    from forgefield.jobs.diff.diff_job import summary
    from forgefield.jobs.diff.table import differences_table
    from forgefield.report.tables import grid

    del verbose
    found = run(old, new, over=over or [], tolerance=tolerance)
    shown = differences_table(found)
    words = [Text(line) for line in found.words]
    show([grid(shown) if shown.n_rows else Text(shown.title), *words], summary(found), as_json=as_json)
    return DONE
