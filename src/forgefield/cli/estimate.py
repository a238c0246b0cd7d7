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
    job.write_estimated(output, found, overwrite=overwrite)
    print_whole([grid(found.table)], stderr())
    for warning in folded(found.warnings, "the output of --json"):
        warn(warning)
    say(f"Written: {output}")
    if as_json:
        print_json(job.summary(found, output))
    return DONE


@command
def diff(
    old: Annotated[Path, typer.Argument(help="Force field, or the folder of a fit.")],
    new: Annotated[Path, typer.Argument(help="Another one.")],
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Show the rows of two force fields that differ, old beside new.

    Example: forgefield diff mm3.fld runs/rh/forcefield.fld
    """
    from forgefield.jobs import diff as job
    from forgefield.report.tables import grid

    del verbose
    found = job.diff(old, new)
    show([grid(found.table)], job.summary(found), as_json=as_json)
    return DONE
