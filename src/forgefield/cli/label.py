"""`forgefield label`: structures labelled by a teacher."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from forgefield.cli.command import DONE, FAILED, Json, Overwrite, Verbose, command
from forgefield.cli.console import NowAndThen, print_json, progress_bar, say, warn
from forgefield.cli.interrupts import heard
from forgefield.errors import InputError


@command
def label(
    settings: Annotated[Path, typer.Argument(help="LABEL.toml: teacher, structures, how many.")],
    scheduler: Annotated[
        str | None, typer.Option(help="Dask scheduler that has the work done (tcp://HOST:PORT), or slurm.")
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Label structures with energies, forces and Hessian products of a teacher, into one data set.

    The same command continues what was interrupted; nothing is labelled twice.

    Example: forgefield label examples/distil-ethanol/LABEL.toml
    """
    from forgefield.cli.students.teachers import teacher_of
    from forgefield.cores import n_cores
    from forgefield.jobs.label.label_file import label_plan, read_label_file
    from forgefield.jobs.label.label_job import run_label

    del verbose
    said = read_label_file(settings)
    plan = label_plan(settings, said, teacher_of(said.teacher, settings.parent), n_cores())
    with workers_of(scheduler, plan.workers) as by, progress_bar() as progress, heard() as interrupts:
        task = progress.add_task("structures", total=None)
        line = NowAndThen()

        def tell(stage: str, done: int, n: int) -> None:
            progress.update(task, completed=done, total=n, description=stage)
            line(f"{stage}: {done} of {n}")
            interrupts.check()

        found = run_label(replace(plan, by=by), overwrite=overwrite, tell=tell)
    for name in found.nonconservative:
        warn(f"{name}: the forces of {plan.teacher.identity.name} are no slope of an energy")
    for where, reason in found.failures[:10]:
        warn(f"no label of {where}: {reason}")
    if len(found.failures) > 10:
        warn(f"and {len(found.failures) - 10} more structures without a label; the data set holds their reasons")
    say(
        f"{found.n_new} structures labelled by {plan.teacher.identity.name} in {found.seconds:.1f} s, "
        f"{found.n_before} were there before, {len(found.failures)} failed; data set {found.data}"
    )
    if as_json:
        told = {"data": str(found.data), "new": found.n_new, "before": found.n_before, "failed": len(found.failures)}
        print_json(told | {"seconds": found.seconds})
    return DONE if found.n_new + found.n_before else FAILED


@contextmanager
def workers_of(scheduler: str | None, n: int) -> Iterator[Any]:
    """Yield the workers of a scheduler, or None where there is none. Raises InputError."""
    if scheduler is None:
        yield None
        return
    try:
        from forgefield.jobs.processes.cluster import cluster
    except ImportError as error:
        raise InputError(f"{error.name} is not installed; run: pip install 'forgefield[distributed]'") from error
    with cluster(scheduler, n) as found:
        yield found
