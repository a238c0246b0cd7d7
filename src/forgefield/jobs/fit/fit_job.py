"""The main job: from FIT.toml to a folder with the force field, results.json, report.html and fit.log."""

import json
import math
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from forgefield.assign.explicit.rules import AbstractStatedRules
from forgefield.assign.rules import AbstractRules, ExplicitRules
from forgefield.assign.typed_rules import generated_rules
from forgefield.compiled import make_room
from forgefield.errors import InputError, WriteError
from forgefield.fitting.data.training_set import Example
from forgefield.fitting.solve.solver import Progress
from forgefield.io.checkpoint import read_arrays, read_facts, write_checkpoint
from forgefield.io.formats import NATIVE, force_fields
from forgefield.io.outputs import make_folder, owned, remove, require_free, write_text
from forgefield.jobs.fit.outcome.citations import RESAMPLED
from forgefield.jobs.fit.outcome.outcome import Outcome
from forgefield.jobs.fit.outcome.results import record
from forgefield.jobs.fit.plan.asked import SETTINGS
from forgefield.jobs.fit.plan.prepare import Prepared
from forgefield.jobs.fit.plan.soundness import evaluable
from forgefield.jobs.fit.plan.starting import with_values
from forgefield.jobs.fit.plan.writing import Written, changed_file
from forgefield.jobs.fit.run.passes import Stage, begin_stage, run_passes
from forgefield.jobs.fit.run.trade_off import TradeOff, require_targets, trade_offs
from forgefield.jobs.fit.run.validation import Validation, not_validated, validated, warnings_of
from forgefield.report.fit_report import fit_report

CHECKPOINT = "checkpoint.safetensors"
_FILES = ("results.json", "report.html", "fit.log", SETTINGS, "forcefield.typ")
"""What a fit writes besides its checkpoint, the force field and structures for AMBER."""
_PAUSE = 20.0
"""Between two checkpoints pass so many times the seconds that one takes to write."""
_STRUCTURES = "forcefield*.mol2"


def silent(stage: Stage, progress: Progress) -> None:
    """Tell nothing."""


def uncounted(n_done: int, n: int) -> None:
    """Tell nothing."""


def run_fit(  # noqa: PLR0913 (these are the words of the command)
    prepared: Prepared,
    output: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    validation: Validation | None = None,
    trade_off: TradeOff | None = None,
    tell: Callable[[Stage, Progress], None] = silent,
    count: Callable[[int, int], None] = uncounted,
) -> Outcome:
    """Fit and write everything into `output`. `tell` is called after each iteration.

    A checkpoint is written after each iteration; `resume` continues from it, `overwrite` replaces an earlier fit. With
    `validation` the fit is then repeated without each molecule and on samples of them, after its own results have been
    written; `count` is called with the number of refits done and of all. With `trade_off` it is also repeated for other
    weights of targets. Raises InputError where the folder holds another fit or is being written to, where a molecule
    cannot be evaluated, and for unknown targets.
    """
    if resume and overwrite:
        raise InputError("to resume a fit and to overwrite it exclude each other")
    prepared = evaluable(prepared)
    if trade_off is not None:
        require_targets(prepared, trade_off)
    make_room()
    make_folder(output)
    with owned(output):
        require_free(written_in(output), prepared.files, overwrite=overwrite or resume)
        began = _begin(prepared, output) if resume else None
        if overwrite:
            remove(written_in(output))
        outcome, log = _fitted(prepared, output, began, tell)
        if trade_off is not None and not outcome.interrupted:
            outcome = _written(prepared, _with_trade_offs(outcome, trade_off, tell), output, log)
        if validation is not None:
            outcome = _written(prepared, _with_validation(prepared, outcome, validation, count), output, log)
        return outcome


def written_in(output: Path) -> list[Path]:
    """Return what fits have written into a folder, the checkpoint last."""
    beside = [f"forcefield{suffix}" for one in force_fields() if one.system for suffix in one.system.beside]
    names = (*_FILES, *(one.in_folder for one in force_fields() if one.write_laid), *beside)
    files = [output / name for name in names]
    ends = [end for one in force_fields() if one.system for end in (one.suffixes[0], *one.system.beside)]
    named = [
        path for pattern in (_STRUCTURES, *(f"forcefield-*{end}" for end in ends)) for path in output.glob(pattern)
    ]
    every = [*files, *sorted(named), output / CHECKPOINT]
    return [path for path in every if path.is_symlink() or path.exists()]


def _fitted(
    prepared: Prepared,
    output: Path,
    began: tuple[Stage, np.ndarray, Progress] | None,
    tell: Callable[[Stage, Progress], None],
) -> tuple[Outcome, list[str]]:
    """Run all passes, from the start or where they were, write what comes of them, and return the lines of a log."""
    stage, values, progress = began or (Stage(), prepared.start, None)
    log: list[str] = []
    checkpoint = _Checkpoint(output / CHECKPOINT, prepared.input_sha256)

    def save(stage: Stage, progress: Progress, began: np.ndarray) -> None:
        checkpoint.keep(stage, progress, began)
        if not progress.n_iterations:
            return
        log.append(f"pass {stage.number} iteration {progress.n_iterations}: cost {progress.best_cost.min():.9g}")
        tell(stage, progress)

    passes = run_passes(prepared, stage, values, progress, save)
    checkpoint.write()
    last = passes[-1]
    outcome = Outcome(
        passes=passes,
        record=record(prepared, passes),
        values=last.values,
        force_field=_rules(prepared, last.values, output),
        assignment=with_values(prepared.assignment, last.values),
        molecules=prepared.molecules,
        sources=prepared.files,
        interrupted=last.fit.interrupted,
    )
    return _written(prepared, outcome, output, log), log


class _Checkpoint:
    """Keeps where a fit is in a file, for which it takes a small share of the time: steps may be of microseconds."""

    def __init__(self, path: Path, input_sha256: str) -> None:
        self._path, self._input_sha256, self._due = path, input_sha256, -np.inf
        self._last: tuple[Stage, Progress, np.ndarray] | None = None

    def keep(self, stage: Stage, progress: Progress, began: np.ndarray) -> None:
        """Take the progress after an iteration."""
        self._last = stage, progress, began
        if perf_counter() >= self._due:
            self.write()

    def write(self) -> None:
        """Write what was kept last; a finished fit that is resumed takes no step."""
        if self._last is None:
            return
        stage, progress, began = self._last
        facts = {"input": self._input_sha256, "stage": [stage.number, stage.released, stage.held]}
        since = perf_counter()
        write_checkpoint(self._path, (progress, began), facts)
        self._due = perf_counter() + _PAUSE * (perf_counter() - since)


def _with_trade_offs(outcome: Outcome, asked: TradeOff, tell: Callable[[Stage, Progress], None]) -> Outcome:
    """Add what varying the weights of targets shows."""
    found, interrupted = trade_offs(outcome.passes[-1], asked, tell)
    said = ["The trade-off was interrupted: it lacks points; --resume repeats it."] if interrupted else []
    return replace(_told(outcome, {"trade_off": found}, said), interrupted=interrupted)


def _with_validation(
    prepared: Prepared, outcome: Outcome, wanted: Validation, count: Callable[[int, int], None]
) -> Outcome:
    """Add what comes of refits, unless there was an interruption before."""
    if outcome.interrupted:
        told = not_validated("the fit was interrupted; continue it with --resume")
    else:
        told = validated(prepared, outcome.passes[-1], wanted, count)
    citations = [*outcome.record.results["citations"], *([RESAMPLED] if told["bootstrap"] else [])]
    added = _told(outcome, {"validation": told, "citations": citations}, warnings_of(told))
    return replace(added, interrupted=outcome.interrupted or told["interrupted"])


def _told(outcome: Outcome, found: dict[str, Any], warnings: list[str]) -> Outcome:
    """Add to the results, and to their warnings."""
    results = outcome.record.results
    results = results | found | {"warnings": [*results["warnings"], *warnings]}
    return replace(outcome, record=replace(outcome.record, results=results))


def _begin(prepared: Prepared, output: Path) -> tuple[Stage, np.ndarray, Progress] | None:
    """Return where the checkpoint of an interrupted fit was; None where it had not come that far."""
    path = output / CHECKPOINT
    if not path.is_file():
        if written_in(output):
            raise InputError(f"{path}: there is no checkpoint to resume from, but results; --overwrite begins anew")
        return None
    facts = read_facts(path)
    if facts.get("input") != prepared.input_sha256:
        raise InputError(
            f"{path}: the checkpoint belongs to other input (FIT.toml or a file it names has changed); "
            "--overwrite begins anew"
        )
    number, released, held = facts["stage"]
    stage = Stage(number, tuple(released), tuple((name, value) for name, value in held))
    _, _, like = begin_stage(prepared, stage, prepared.start)
    progress, began = read_arrays(path, (like, prepared.start))
    return stage, began, progress


def _written(prepared: Prepared, outcome: Outcome, output: Path, log: list[str]) -> Outcome:
    """Write the force field, results.json, report.html and fit.log."""
    files, unwritten = _write_force_field(prepared, outcome, output)
    known = outcome.record.results["warnings"]
    results = {**outcome.record.results, "warnings": [*known, *(said for said in unwritten if said not in known)]}
    structure, is_alone = _structure(prepared.examples, output)
    told = replace(
        outcome.record,
        results=results,
        files=(*files, "results.json", "fit.log"),
        structure=structure,
        structure_is_alone=is_alone,
        settings=prepared.plan.text,
    )
    write_text(output / "results.json", json.dumps(plain(told.results), indent=1, ensure_ascii=False, allow_nan=False))
    write_text(output / "report.html", fit_report(told))
    write_text(output / "fit.log", "\n".join([*told.statements, *log, *told.results["warnings"]]) + "\n")
    if prepared.plan.text:
        write_text(output / SETTINGS, prepared.plan.text)
    return replace(outcome, record=told)


def _structure(examples: Sequence[Example], output: Path) -> tuple[str, bool]:
    """Return a file of a structure that was fitted to, as seen from the folder, and whether it holds no other."""
    sources = [example.molecule.source or next(iter(example.reference.sources), "") for example in examples]
    known = sorted(filter(None, sources), key=lambda source: sources.count(source) > 1)
    if not known:
        return "", False
    path = os.path.relpath(Path(known[0]).resolve(), output.resolve())
    return Path(path).as_posix(), sources.count(known[0]) == 1


def _rules(prepared: Prepared, values: np.ndarray, output: Path) -> AbstractRules:
    """Return the force field with these values; laid over the molecules where no MM3* file could hold them."""
    fitted = with_values(prepared.assignment, values)
    if isinstance(prepared.plan.start, AbstractStatedRules):
        return prepared.plan.start.with_values(values)
    if prepared.mm3 is None:
        return generated_rules(fitted)
    try:
        return changed_file(prepared.mm3, values, output / NATIVE.in_folder)
    except InputError:
        return ExplicitRules(fitted)


def _write_force_field(prepared: Prepared, outcome: Outcome, output: Path) -> tuple[list[str], list[str]]:
    """Return the files written, and a sentence for each format that cannot hold the fitted values."""
    files, unwritten = [], []
    laid = with_values(prepared.assignment, outcome.values)
    fitted = Written(prepared.plan, prepared.mm3, laid, prepared.molecules)
    for one in (*prepared.formats, NATIVE):
        try:
            files += fitted.write(one, output / one.in_folder)
        except WriteError:
            raise
        except InputError as error:
            unwritten.append(f"Not written as {one.word or one.name}: {error}")
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
