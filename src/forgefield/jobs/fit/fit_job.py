"""The main job: from FIT.toml to a folder with the force field, results.json, report.html and fit.log."""

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from forgefield.assign.mm3.laid import changed_columns
from forgefield.errors import InputError
from forgefield.fitting.solve.fit import Progress
from forgefield.io.checkpoint import read_arrays, read_facts, write_checkpoint
from forgefield.io.forcefields.mm3.fld import write_fld
from forgefield.io.text import write_text
from forgefield.jobs.fit.outcome.results import record
from forgefield.jobs.fit.plan.prepare import Prepared
from forgefield.jobs.fit.plan.soundness import evaluable
from forgefield.jobs.fit.plan.starting import with_values
from forgefield.jobs.fit.plan.writing import write_force_fields
from forgefield.jobs.fit.run.passes import Passed, Stage, begin_stage, run_passes
from forgefield.jobs.fit.run.trade_off import TradeOff, require_targets, trade_offs
from forgefield.jobs.fit.run.validation import Validation, not_validated, validated, warnings_of
from forgefield.report.fit_report import fit_report
from forgefield.report.record import FitRecord

CHECKPOINT = "checkpoint.safetensors"
FLD = "forcefield.fld"


@dataclass(frozen=True, eq=False)
class Outcome:
    """A finished fit: every pass, and what was written about the last."""

    passes: list[Passed]
    record: FitRecord
    values: np.ndarray


def silent(stage: Stage, progress: Progress) -> None:
    """Tell nothing."""


def uncounted(n_done: int, n: int) -> None:
    """Tell nothing."""


def run_fit(
    prepared: Prepared,
    output: Path,
    *,
    resume: bool = False,
    validation: Validation | None = None,
    trade_off: TradeOff | None = None,
    tell: Callable[[Stage, Progress], None] = silent,
    count: Callable[[int, int], None] = uncounted,
) -> Outcome:
    """Fit and write everything into `output`. `tell` is called after each iteration.

    A checkpoint is written after each iteration; `resume` continues from it. With `validation` the fit is then
    repeated without each molecule and on samples of them, after its own results have been written; `count` is called
    with the number of refits done and of all. With `trade_off` it is also repeated for other weights of targets. Raises
    InputError where the folder holds another fit, where a molecule cannot be evaluated, and for unknown targets.
    """
    prepared = evaluable(prepared)
    if trade_off is not None:
        require_targets(prepared, trade_off)
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{output}: cannot be the folder of results ({error.strerror}); name another") from error
    stage, values, progress = _begin(prepared, output, resume)
    log: list[str] = []

    def save(stage: Stage, progress: Progress, began: np.ndarray) -> None:
        facts = {"input": prepared.input_sha256, "stage": [stage.number, stage.released, stage.held]}
        write_checkpoint(output / CHECKPOINT, (progress, began), facts)
        log.append(f"pass {stage.number} iteration {progress.n_iterations}: cost {progress.best_cost.min():.9g}")
        tell(stage, progress)

    passes = run_passes(prepared, stage, values, progress, save)
    outcome = Outcome(passes, record(prepared, passes), passes[-1].values)
    written = _written(prepared, outcome, output, log)
    if trade_off is not None and not passes[-1].fit.interrupted:
        found = {"trade_off": trade_offs(prepared, passes[-1], trade_off, tell)}
        outcome = replace(outcome, record=replace(outcome.record, results=outcome.record.results | found))
        written = _written(prepared, outcome, output, log)
    if validation is None:
        return written
    if passes[-1].fit.interrupted:
        told = not_validated("the fit was interrupted; continue it with --resume")
    else:
        told = validated(prepared, passes[-1], validation, count)
    results = outcome.record.results | {
        "validation": told,
        "warnings": [*outcome.record.results["warnings"], *warnings_of(told)],
    }
    return _written(prepared, replace(outcome, record=replace(outcome.record, results=results)), output, log)


def _begin(prepared: Prepared, output: Path, resume: bool) -> tuple[Stage, np.ndarray, Progress | None]:
    """Return where to begin: at the start, or where the checkpoint of an interrupted fit was."""
    path = output / CHECKPOINT
    if not resume or not path.is_file():
        return Stage(), prepared.start, None
    facts = read_facts(path)
    if facts.get("input") != prepared.input_sha256:
        raise InputError(
            f"{path}: the checkpoint belongs to other input (FIT.toml or a file it names has changed); "
            "run without --resume to begin anew"
        )
    number, released, held = facts["stage"]
    stage = Stage(number, tuple(released), tuple((name, value) for name, value in held))
    _, _, like = begin_stage(prepared, stage, prepared.start)
    progress, began = read_arrays(path, (like, prepared.start))
    return stage, began, progress


def _written(prepared: Prepared, outcome: Outcome, output: Path, log: list[str]) -> Outcome:
    """Write the force field, results.json, report.html and fit.log."""
    files, unwritten = _write_force_field(prepared, outcome.values, output)
    results = {**outcome.record.results, "warnings": [*outcome.record.results["warnings"], *unwritten]}
    told = replace(outcome.record, results=results, files=(*files, "results.json", "fit.log"))
    write_text(output / "results.json", json.dumps(plain(told.results), indent=1, ensure_ascii=False, allow_nan=False))
    write_text(output / "report.html", fit_report(told))
    write_text(output / "fit.log", "\n".join([*told.statements, *log, *told.results["warnings"]]) + "\n")
    shutil.copyfile(prepared.path, output / "FIT.toml")
    return replace(outcome, record=told)


def _write_force_field(prepared: Prepared, values: np.ndarray, output: Path) -> tuple[list[str], list[str]]:
    """Return the files written, and a sentence for each format that cannot hold the fitted values."""
    files, unwritten = [], []
    for name in prepared.formats:
        try:
            if prepared.mm3 is not None:
                write_fld(output / FLD, prepared.mm3.file, changed_columns(prepared.mm3, values))
                files.append(FLD)
            else:
                fitted = with_values(prepared.assignment, values)
                files += write_force_fields(fitted, prepared.molecules, (name,), output)
        except InputError as error:
            unwritten.append(f"Not written as {name}: {error}")
    return files, unwritten


def plain(value: Any) -> Any:
    """Return JSON's own types; what is not a finite number becomes null."""
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value
