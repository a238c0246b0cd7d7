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
    told = read_distil_file(settings)
    plan = distil_plan(settings, told)
    _one_device_a_core(plan.recipe.batch)
    folder = output or settings.with_suffix("")
    events = closing(_events(folder / "tensorboard")) if plan.tensorboard else nullcontext(unwatched)
    with events as watch, _followed() as (tell, tell_of_labels):
        if told.rounds is None:
            found = run_distil(plan, folder, resume=resume, overwrite=overwrite, tell=tell, watch=watch)
        else:
            teacher = _teacher(settings, plan.data, told.rounds.teacher)
            words = {"tell": tell, "watch": watch, "tell_of_labels": tell_of_labels}
            found = _rounds(plan, teacher, folder, words, resume=resume, overwrite=overwrite)
    print_whole([grid(table) for table in (*_history(found), found.table)], stderr())
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


def _rounds(plan: Any, teacher: Any, folder: Path, words: dict[str, Any], *, resume: bool, overwrite: bool) -> Any:
    from forgefield.jobs.distil.rounds.rounds_job import RoundsTask, run_rounds

    return run_rounds(RoundsTask(plan, plan.rounds, teacher, folder, **words), resume=resume, overwrite=overwrite)


def _teacher(settings: Path, data: Path, said: Any) -> Any:
    """Return the teacher that is named, or that the data set names. Raises InputError where it cannot be run here."""
    from forgefield.cli.students.teachers import teacher_again, teacher_of
    from forgefield.io.datasets.data_set import overview

    if said is not None:
        return teacher_of(said, settings.parent)
    named = overview(data).teachers
    found = teacher_again(named[0]) if len(named) == 1 else None
    if found is None:
        raise InputError(
            f"{settings}: [rounds] ask the teacher of {data}, which is {'; '.join(named) or 'not stated'} and cannot "
            "be made again from its name; say in [rounds.teacher] what LABEL.toml says in [teacher]"
        )
    return found


def _history(found: Any) -> list[Any]:
    """Return the table of rounds, if there were some."""
    from forgefield.report.student.student_tables import rounds_table

    return [] if "rounds" not in found.results else [rounds_table(_told_rounds(found))]


def _told_rounds(found: Any) -> tuple[Any, ...]:
    """Return what each round came to, as reports take it."""
    from forgefield.report.student.findings import Round

    return tuple(Round.of(one) for one in found.results.get("rounds", []))


def _accepted(plan: Any, found: Any) -> bool:
    """Validate students where that is asked for, and say whether they reach what the settings ask of them."""
    asked = plan.validation
    if asked is None:
        return True
    part = "test" if found.results["structures"]["test"] else "validation"
    students = [path for path in found.files if path.suffix in {".safetensors", ".json"}]
    split, folder = f"{plan.split.name}:{part}", found.folder / "validation"
    accepted = judge(students, plan.data, split, asked.thresholds, asked.settings, folder, _told_rounds(found))
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
def _followed() -> Iterator[tuple[Callable[[Any], None], Callable[[str, int, int], None]]]:
    """Yield what shows how far training is, and what shows how far labelling is.

    It is a table of the last looks on a terminal, else a line now and then.
    """
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

        def show(words: str) -> None:
            line(words)
            if live is not None:
                live.update(Group(grid(looks_table(looks[-_LOOKS:])), Text(words)), refresh=True)
            interrupts.check()

        def tell(stand: Any) -> None:
            if stand.row is not None:
                looks.append(stand.row)
            show(stand_words(stand, looks))

        def tell_of_labels(stage: str, done: int, n: int) -> None:
            show(f"{stage}: {done} of {n}")

        yield tell, tell_of_labels
