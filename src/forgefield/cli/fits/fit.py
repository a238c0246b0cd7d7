"""`forgefield fit`: the main job from the command line."""

import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from forgefield.cli.command import DONE, FAILED, Json, Overwrite, Trust, Verbose, command
from forgefield.cli.console import NowAndThen, progress_bar, say, stderr, stdout
from forgefield.cli.interrupts import heard


@command
def fit(
    files: Annotated[list[Path], typer.Argument(help="QM results (fchk, log, json, …), or one FIT.toml.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder for the results; default: the name of the first file.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Only show pairing, coverage and what is trained.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue an interrupted fit.")] = False,
    overwrite: Overwrite = False,
    trust: Trust = False,
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

    Files of QM results are fitted to with settings that suit them, which are written into the folder as FIT.toml.

    Example: forgefield fit examples/ch3f/ch3f.json -o runs/first
    """
    from forgefield.jobs.fit.fit_job import plain, run_fit
    from forgefield.jobs.fit.plan.asked import SETTINGS, asked
    from forgefield.jobs.fit.plan.check import check_table
    from forgefield.jobs.fit.plan.prepare import prepare_plan
    from forgefield.jobs.fit.run.trade_off import TradeOff
    from forgefield.jobs.fit.run.validation import Validation
    from forgefield.report.tables import fit_summary

    del verbose
    plan, folder = asked(files, output, starts=starts, trust=trust)
    prepared = prepare_plan(plan)
    if check:
        stdout().print(check_table(prepared))
        return DONE
    job = partial(
        run_fit,
        prepared,
        folder,
        resume=resume,
        overwrite=overwrite,
        validation=Validation(bootstrap, workers) if validate else None,
        trade_off=TradeOff(tuple(trade_off), points) if trade_off else None,
    )
    outcome = _followed(job, prepared.plan.solver.max_steps)
    stderr().print(fit_summary(outcome.record))
    say(f"Results in {folder}/ (open {folder / 'report.html'})")
    if files[0].suffix.lower() != ".toml":
        say(f"The settings are in {folder / SETTINGS}: edit them and run `forgefield fit {folder / SETTINGS}`")
    if as_json:
        json.dump(plain(outcome.record.results), sys.stdout, indent=1, ensure_ascii=False)
        sys.stdout.write("\n")
    return DONE if outcome.record.results["fit"]["success"] and not outcome.interrupted else FAILED


def _followed(run: Callable[..., Any], max_steps: int) -> Any:
    """Run a fit while showing how far it is, and end it after the step in which it was interrupted."""
    with progress_bar() as progress, heard() as interrupts:
        task = progress.add_task("compiling", total=max_steps)
        line = NowAndThen()

        def tell(stage, state) -> None:
            text = f"pass {stage.number + 1}: cost {state.best_cost.min():.6g}"
            progress.update(task, completed=state.n_iterations, description=text)
            line(f"iteration {state.n_iterations} of at most {max_steps}, {text}")
            interrupts.check()

        def count(n_done: int, n: int) -> None:
            progress.update(task, completed=n_done, total=n, description="validating")
            line(f"validating: {n_done} of {n} fits")
            interrupts.check()

        return run(tell=tell, count=count)
