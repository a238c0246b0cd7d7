"""`forgefield bench`: solvers and engines compared on the user's own problem."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any

import typer

from forgefield.cli.command import DONE, FAILED, Json, Overwrite, Verbose, command
from forgefield.cli.console import print_json, print_whole, say, say_unless_shown, stderr
from forgefield.cli.interrupts import heard

_OUTPUT = "Folder for the results; default: FIT-bench beside FIT.toml."
_WORKERS = "Processes side by side, for quality alone; default: one fit after another, timed."


@command
def bench(
    files: Annotated[list[Path], typer.Argument(help="One FIT.toml, or QM results as a fit takes them.")],
    output: Annotated[Path | None, typer.Option("--output", "-o", help=_OUTPUT)] = None,
    engines: Annotated[str, typer.Option(help="Names with commas between them, or all.")] = "forgefield",
    solvers: Annotated[str, typer.Option(help="Names with commas between them, or all.")] = "all",
    starts: Annotated[str, typer.Option(help="Numbers of starts with commas; default: the file's.")] = "",
    precision: Annotated[str, typer.Option(help="Bits of the evaluation: 64, 32 or 64,32.")] = "64",
    limit: Annotated[float | None, typer.Option(min=0.0, help="Stop a fit after so many seconds.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, help=_WORKERS)] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
    verbose: Verbose = False,
) -> int:
    """Compare solvers and engines on a fit: cost, frequencies, forces, structures, evaluations and times.

    Each pair runs in a process of its own, and is kept; the same command goes on where it was interrupted. Pairs that
    fail are listed with the reason. Of QM results the settings that suit them are written into the folder first.

    Example: forgefield bench examples/ch3f/FIT.toml --solvers lm,trf --starts 1,16
    """
    from forgefield.io.sources import plain_name
    from forgefield.jobs.bench.bench_job import How
    from forgefield.jobs.bench.pairs import Asked, settings_of
    from forgefield.report.bench.bench_tables import bench_table, extent, failed_table, verdict
    from forgefield.report.bench.results import bench_text
    from forgefield.report.tables import grid

    del verbose
    asked = Asked(_words(engines), _words(solvers), _numbers("starts", starts), _numbers("precision", precision))
    folder = output or plain_name(files[0]).with_name(f"{plain_name(files[0]).stem}-bench")
    file = settings_of(files, folder, overwrite=overwrite)
    found = _followed(file, asked, folder, How(limit, workers), overwrite=overwrite)
    print_whole([grid(bench_table(found).filled)], stderr())
    if found.failed:
        print_whole([grid(failed_table(found))], stderr())
    say(verdict(found), "bold")
    say(extent(found))
    say(f"Written: {folder}/ (open {folder / 'bench.html'})")
    if as_json:
        print_json(json.loads(bench_text(found)))
    return DONE if found.done and not found.waiting else FAILED


def _words(text: str) -> tuple[str, ...]:
    return tuple(filter(None, (word.strip() for word in text.split(","))))


def _numbers(option: str, text: str) -> tuple[int, ...]:
    """Return whole numbers above zero. Raises InputError."""
    from forgefield.errors import InputError

    wrong = [word for word in _words(text) if not word.isdecimal() or not int(word)]
    if wrong:
        raise InputError(f"--{option} {', '.join(wrong)}: whole numbers with commas between them are expected")
    return tuple(map(int, _words(text)))


def _followed(file: Path, asked: Any, folder: Path, how: Any, *, overwrite: bool) -> Any:
    """Compare while showing a table that grows; a line for each pair where no terminal shows it."""
    from rich.live import Live

    from forgefield.jobs.bench.bench_job import run_bench
    from forgefield.report.bench.bench_tables import bench_table, extent
    from forgefield.report.tables import grid

    shown = stderr().is_terminal
    with Live(console=stderr(), transient=True, auto_refresh=False) if shown else nullcontext() as live, heard() as on:

        def tell(bench: Any) -> None:
            if live is not None:
                live.update(grid(bench_table(bench).filled), refresh=True)
            say_unless_shown(f"{extent(bench)} Next: {bench.waiting[0]}" if bench.waiting else extent(bench))
            on.check()

        return run_bench(file, asked, folder, how, overwrite=overwrite, tell=tell)
