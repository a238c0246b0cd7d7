"""Trains students on a data set into a folder; killed at any moment, a run goes on as if it had not ended."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from forgefield.errors import InputError
from forgefield.io.forcefields.neural.painn_file import read_painn, write_painn
from forgefield.io.outputs import make_folder, owned, remove, require_free, write_text
from forgefield.io.rules import STUDENT, STUDENTS
from forgefield.jobs.distil.classical_job import taught
from forgefield.jobs.distil.judging import judged
from forgefield.jobs.distil.labels import data_of
from forgefield.jobs.distil.lessons import Finished, Lessons, Stand, Task
from forgefield.jobs.distil.metrics import METRICS, Log, Row
from forgefield.jobs.distil.plan import DistilPlan, TrainedStudent
from forgefield.jobs.distil.pupils import require_losses
from forgefield.jobs.distil.results import results, students_table
from forgefield.table import AbstractTabled, Table

RESULTS, SETTINGS = "results.json", "DISTIL.toml"
_WRITTEN = (RESULTS, METRICS, SETTINGS, STUDENT, f"{STUDENTS}/*.safetensors", "forcefield*")


@dataclass(frozen=True, eq=False)
class Distilled(AbstractTabled):
    """What a run came to."""

    folder: Path
    results: dict[str, Any]
    """As results.json has it."""
    files: tuple[Path, ...]
    """The students."""

    @property
    def success(self) -> bool:
        """Whether it is what was asked for: of a classical student, that it converged and makes physical sense."""
        return self.results.get("success", True)

    @property
    def complaints(self) -> list[str]:
        """What is to be said of a classical student."""
        wrong = self.results.get("unphysical", [])
        advice = f"This force field is unphysical, however well it reproduces the teacher: {'; '.join(wrong)}."
        message = [] if self.success or wrong else [self.results["message"]]
        return [*message, *([advice] if wrong else []), *self.results.get("warnings", [])]

    @property
    def table(self) -> Table:
        """A line for each student."""
        return students_table(self.results)


def silent(stand: Stand) -> None:
    """Tell nothing."""


def unwatched(row: Row) -> None:
    """Write no events."""


def run_distil(
    plan: DistilPlan,
    output: Path,
    *,
    resume: bool = False,
    overwrite: bool = False,
    tell: Callable[[Stand], None] = silent,
    watch: Callable[[Row], None] = unwatched,
) -> Distilled:
    """Train the students of a plan one after another, write everything into `output`, and return what came of it.

    `resume` continues from the checkpoints, `overwrite` replaces an earlier run; `tell` is called often, `watch` with
    each look. Raises InputError where the folder holds another run or is being written to, and where the data set
    lacks what is asked for.
    """
    if resume and overwrite:
        raise InputError("to resume a run and to overwrite it exclude each other")
    make_folder(output)
    with jax.enable_x64(True), owned(output):
        _begin(plan, output, resume=resume, overwrite=overwrite)
        with data_of(plan) as data:
            require_losses(data, plan.recipe, plan.data)
            task = Task(plan, data, output, Log(output / METRICS, watch), tell)
            write_text(output / SETTINGS, plan.text)
            if plan.classical is not None:
                one = taught(plan, plan.classical, data, output)
                found, files = one.results, one.files
            else:
                finished = [_taught(task, number) for number in range(len(plan.pupils))]
                found, files = _judged(task, finished), tuple(task.file_of(one.pupil) for one in finished)
        write_text(output / RESULTS, json.dumps(found, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return Distilled(output, found, files)


def _begin(plan: DistilPlan, output: Path, *, resume: bool, overwrite: bool) -> None:
    """Look whether a folder may be written to, and remove what is to be replaced. Raises InputError."""
    there = written_in(output)
    require_free(there, plan.inputs, overwrite=overwrite or resume)
    if overwrite:
        remove(there)
    elif not _checkpoints(output) and {path.name for path in there} - {SETTINGS}:
        raise InputError(f"{output}: there is no checkpoint to resume from, but results; --overwrite begins anew")


def _judged(task: Task, finished: list[Finished]) -> dict[str, Any]:
    """Return what results.json holds."""
    test = judged([one.model for one in finished], task.data.test) if len(task.data.test) else None
    best = min(finished, key=lambda one: one.merit)
    training = judged([best.model], task.data.training, curved=False).members[0]
    return results(task, finished, test, training) | _before(task)


def _before(task: Task) -> dict[str, Any]:
    """Return the errors that the students had before their training on what is new to them."""
    new = task.data.training.those(task.data.new(task.plan))
    before = [read_painn(pupil.start.file) for pupil in task.plan.pupils if isinstance(pupil.start, TrainedStudent)]
    return {"before": asdict(judged(before, new, curved=False).mean.means)} if len(new) else {}


def written_in(output: Path) -> list[Path]:
    """Return what runs have written into a folder, the checkpoints last."""
    files = [path for pattern in _WRITTEN for path in sorted(output.glob(pattern))]
    return [*files, *_checkpoints(output)]


def _checkpoints(output: Path) -> list[Path]:
    return sorted(output.glob("checkpoint*.safetensors"))


def _taught(task: Task, number: int) -> Finished:
    """Train one student and write it."""
    found = Lessons(task, number).finished()
    path = task.file_of(found.pupil)
    make_folder(path.parent)
    overview, training = task.data.overview, task.data.training
    teachers = {overview.teachers[k] for k in np.unique(overview.teacher[training.places])}
    origin = {
        "teacher": "; ".join(sorted(teachers)),
        "data": f"{len(training)} structures of {len(np.unique(training.molecules))} molecule(s)",
        "seed": found.pupil.seed,
        "steps": found.steps,
    }
    write_painn(path, found.model, origin=origin, baseline=task.plan.baseline)
    return found
