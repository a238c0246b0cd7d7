"""`forgefield distil`: students trained on a data set."""

import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from forgefield.cli.command import DONE, FAILED, Json, Overwrite, Verbose, command
from forgefield.cli.console import NowAndThen, print_json, print_whole, say, stderr, warn
from forgefield.cli.interrupts import heard
from forgefield.cli.students.validate import judge
from forgefield.errors import InputError

_LOOKS = 12
"""Looks that the table shows."""


@command
def distil(
    settings: Annotated[Path, typer.Argument(help="DISTIL.toml: data, student, training.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the results; default: the name of the file.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted run exactly.")] = False,
    overwrite: Overwrite = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Train a student, or a committee, on a data set of a teacher's labels.

    Example: forgefield distil examples/distil-ethanol/DISTIL.toml -o runs/ethanol
    """
    from forgefield.jobs.distil.distil_file import distil_plan, read_distil_file
    from forgefield.jobs.distil.distil_job import run_distil, unwatched
    from forgefield.report.tables import grid

    del verbose
    plan = distil_plan(settings, read_distil_file(settings))
    _one_device_a_core(plan.recipe.batch)
    folder = output or settings.with_suffix("")
    events = closing(_events(folder / "tensorboard")) if plan.tensorboard else nullcontext(unwatched)
    with events as watch, _followed() as tell:
        found = run_distil(plan, folder, resume=resume, overwrite=overwrite, tell=tell, watch=watch)
    print_whole([grid(found.table)], stderr())
    say(found.table.note)
    for one in found.results["outliers"]:
        warn(
            f"record {one['record']} of the training set ({one['molecule']}, {one['origin']}) is "
            f"{one['times_the_median']:.0f} times as far off as usual: energy {one['energy_error']:+.2f} kcal/mol, "
            f"force {one['largest_force_error']:.2f} kcal/mol/Å"
        )
    for one in found.results["students"]:
        if one.get("out_of_time"):
            warn(f"{one['name']}: time was up after {one['steps']} steps, before the learning rate had fallen")
    for said in found.complaints:
        warn(said)
    say("Written: " + ", ".join(map(str, found.files)) + f"; results in {folder}/")
    if as_json:
        print_json(found.results)
    accepted = _accepted(plan, found)
    return DONE if found.success and accepted else FAILED


def _accepted(plan: Any, found: Any) -> bool:
    """Validate students where that is asked for, and say whether they reach what the settings ask of them."""
    asked = plan.validation
    if asked is None:
        return True
    part = "test" if found.results["structures"]["test"] else "validation"
    students = [path for path in found.files if path.suffix in {".safetensors", ".json"}]
    split, folder = f"{plan.split.name}:{part}", found.folder / "validation"
    accepted = judge(students, plan.data, split, asked.thresholds, asked.settings, folder)
    return accepted or asked.thresholds is None


def _one_device_a_core(most: int) -> None:
    """Let each core compute a share of a batch, of so many molecules at most."""
    import jax

    from forgefield.cores import n_cores

    if "xla_force_host_platform_device_count" not in os.environ.get("XLA_FLAGS", ""):
        with suppress(RuntimeError):  # Where JAX has computed already in this process.
            jax.config.update("jax_num_cpu_devices", min(n_cores(), most))


def _events(folder: Path) -> Any:
    """Return what writes event files. Raises InputError where it is not installed."""
    try:
        from forgefield.jobs.distil.events import Events
    except ImportError as error:
        raise InputError(f"{error.name} is not installed; run: pip install 'forgefield[tensorboard]'") from error
    return Events(folder)


@contextmanager
def _followed() -> Iterator[Callable[[Any], None]]:
    """Yield what shows how far training is: a table of the last looks on a terminal, else a line now and then."""
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    from forgefield.jobs.distil.results import looks_table, stand_words
    from forgefield.report.tables import grid

    looks: list[Any] = []
    line = NowAndThen()
    shown = stderr().is_terminal
    with (
        heard() as interrupts,
        Live(console=stderr(), transient=True, auto_refresh=False) if shown else nullcontext() as live,
    ):

        def tell(stand: Any) -> None:
            if stand.row is not None:
                looks.append(stand.row)
            words = stand_words(stand, looks)
            line(words)
            if live is not None:
                live.update(Group(grid(looks_table(looks[-_LOOKS:])), Text(words)), refresh=True)
            interrupts.check()

        yield tell
