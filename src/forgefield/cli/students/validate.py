"""`forgefield validate`: a student against the teacher that labelled a data set."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from forgefield.cli.command import DONE, FAILED, Json, Overwrite, Verbose, command
from forgefield.cli.console import print_json, print_whole, progress_bar, say, say_unless_shown, stderr
from forgefield.cli.interrupts import heard

_TEACHER = "LABEL.toml that names the teacher, or a force field that is it; default: the level that the data set names."


@command
def validate(
    students: Annotated[
        list[Path], typer.Argument(metavar="STUDENT...", help="Force field, or several or a folder: a committee.")
    ],
    data: Annotated[Path, typer.Argument(help="Data set (.h5).")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the report; default: STUDENT-validation.")
    ] = None,
    split: Annotated[str, typer.Option(help="NAME:test or NAME:validation; default: all records.")] = "",
    thresholds: Annotated[Path | None, typer.Option(help="TOML file with what must be reached.")] = None,
    teacher: Annotated[Path | None, typer.Option(help=_TEACHER)] = None,
    records: Annotated[int, typer.Option(help="Records that are compared, drawn at random.")] = 300,
    molecules: Annotated[int, typer.Option(help="Molecules whose surface and dynamics are looked at.")] = 2,
    nve: Annotated[float, typer.Option(help="Dynamics at constant energy [ps].")] = 5.0,
    md_ps: Annotated[float, typer.Option("--md", help="Dynamics at each temperature [ps].")] = 5.0,
    temperature: Annotated[list[float] | None, typer.Option(help="Of dynamics [K]; default: 300 and 500.")] = None,
    teacher_seconds: Annotated[float, typer.Option(help="What one thing asked of the teacher may take.")] = 20.0,
    seed: Annotated[int, typer.Option(help="Of all that is drawn at random.")] = 0,
    overwrite: Overwrite = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Validate a student: errors, frequencies, bonds, dynamics and speed beside its teacher, with a verdict.

    Ends with exit code 1 where a threshold is not met.

    Example: forgefield validate student.safetensors ethanol.h5 --split default:test
    """
    from forgefield.io.sources import stem
    from forgefield.jobs.validate.settings import Settings
    from forgefield.jobs.validate.thresholds_file import read_thresholds

    del verbose
    settings = Settings(records, molecules, nve, md_ps, tuple(temperature or (300.0, 500.0)), 2, teacher_seconds, seed)
    wanted = None if thresholds is None else read_thresholds(thresholds)
    inputs = tuple(path for path in (thresholds, teacher) if path is not None)
    task = _task(students, data, split, wanted, settings, teacher=teacher, inputs=inputs)
    folder = output or Path(f"{stem(students[0])}-validation")
    found = _run(task, folder, overwrite=overwrite)
    _say(found, folder)
    if as_json:
        from forgefield.report.student.results import results_text

        print_json(json.loads(results_text(found)))
    return DONE if found.accepted else FAILED


def judge(
    students: list[Path], data: Path, split: str, wanted: Any, settings: Any, folder: Path, rounds: tuple[Any, ...] = ()
) -> bool:
    """Validate students into a folder, print what is found, and say whether they are accepted.

    `wanted` None asks the usual; `rounds` are those that the students come from.
    """
    found = _run(replace(_task(students, data, split, wanted, settings), rounds=rounds), folder, overwrite=True)
    _say(found, folder)
    return found.accepted


def _task(
    students: list[Path],
    data: Path,
    split: str,
    wanted: Any,
    settings: Any,
    *,
    teacher: Path | None = None,
    inputs: tuple[Path, ...] = (),
) -> Any:
    """Return what is asked for."""
    from forgefield.jobs.validate.members import students as members
    from forgefield.jobs.validate.validate_job import Task

    return Task(members(students), data, split, _teacher(data, teacher), wanted, settings, inputs)


def _run(task: Any, folder: Path, *, overwrite: bool) -> Any:
    from forgefield.jobs.validate.validate_job import run_validation

    with progress_bar() as progress, heard() as interrupts:
        bar = progress.add_task("labels", total=None)

        def tell(stage: str, done: int, n: int) -> None:
            progress.update(bar, completed=done, total=n, description=stage)
            say_unless_shown(stage)
            interrupts.check()

        return run_validation(task, folder, overwrite=overwrite, tell=tell)


def _say(found: Any, folder: Path) -> None:
    """Print what was found."""
    from forgefield.report.student.student_tables import criteria_table
    from forgefield.report.tables import grid

    print_whole([grid(one) for one in _shown(found)], stderr())
    for note in found.notes:
        say(note)
    print_whole([grid(criteria_table(found))], stderr())
    say(found.verdict, "bold")
    say(f"Written: {folder / 'report.html'}, {folder / 'results.json'}")


def _shown(found: Any) -> list[Any]:
    """Return the tables for the terminal."""
    from forgefield.report.student import student_tables as tables

    whole = [
        tables.errors_table(found),
        tables.committee_table(found),
        tables.minima_table(found),
        tables.scans_table(found),
        tables.dynamics_table(found),
        tables.distributions_table(found),
        tables.speed_table(found),
    ]
    return [one for one in whole if one is not None and one.n_rows]


def _teacher(data: Path, given: Path | None) -> Any:
    """Return the teacher that is named, or that the data set names; None where that cannot be run here.

    Raises InputError.
    """
    from forgefield.cli.students.teachers import teacher_again, teacher_of
    from forgefield.engines.teachers.model_teacher import teacher_of_file
    from forgefield.io.datasets.data_set import overview
    from forgefield.jobs.label.label_file import read_label_file

    if given is not None and given.suffix == ".toml":
        return teacher_of(read_label_file(given).teacher, given.parent)
    if given is not None:
        return teacher_of_file(given)
    named = [text for text in overview(data).teachers if text]
    return teacher_again(named[0]) if len(named) == 1 else None
