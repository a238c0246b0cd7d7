"""Runs rounds of active learning into a folder; killed at any moment, they go on as if they had not ended."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from forgefield.cores import n_cores
from forgefield.engines.teachers.model_teacher import teacher_of_file
from forgefield.engines.teachers.teacher import AbstractTeacher
from forgefield.errors import InputError
from forgefield.io.datasets.data_set import overview, read_failures
from forgefield.io.outputs import make_folder, owned, remove, require_free, write_copy, write_text
from forgefield.io.rules import STUDENTS
from forgefield.jobs.distil.distil_job import RESULTS, SETTINGS, Distilled, run_distil, silent, unwatched, written_in
from forgefield.jobs.distil.labels import require_molecules
from forgefield.jobs.distil.lessons import Stand
from forgefield.jobs.distil.metrics import Row
from forgefield.jobs.distil.plan import DistilPlan, ReplayPlan, RoundsPlan, TrainedStudent
from forgefield.jobs.distil.rounds.collected import add_round, begin_collected, is_added, starts
from forgefield.jobs.label.explored import explored
from forgefield.jobs.label.label_job import LabelPlan, Tell, run_label
from forgefield.jobs.label.label_job import silent as unheard
from forgefield.jobs.label.structures import Dynamics, sources_of
from forgefield.jobs.processes.pool import AbstractWorkers

DATA, LABELS, ROUNDS = "data.h5", "labels.h5", "rounds"


@dataclass(frozen=True, eq=False)
class RoundsTask:
    """What is asked for, and who is told of it."""

    plan: DistilPlan
    rounds: RoundsPlan
    teacher: AbstractTeacher
    output: Path
    by: AbstractWorkers | None = None
    """Who labels; by default processes of its own."""
    tell: Callable[[Stand], None] = silent
    watch: Callable[[Row], None] = unwatched
    tell_of_labels: Tell = unheard

    @property
    def data(self) -> Path:
        """The data set of the run."""
        return self.output / DATA

    def folder(self, number: int) -> Path:
        """Return the folder of a round; of 0 that of the training before the first."""
        return self.output / ROUNDS / str(number)

    def students(self, number: int) -> list[Path]:
        """Return the students at the end of a round."""
        return [self.folder(number) / STUDENTS / f"{pupil.name}.safetensors" for pupil in self.plan.pupils]


def run_rounds(task: RoundsTask, *, resume: bool = False, overwrite: bool = False) -> Distilled:
    """Train students, let them explore, have the teacher label, and train them further, round after round.

    Raises InputError where the folder holds another run, and where the teacher is none for the data set.
    """
    make_folder(task.output)
    with owned(task.output):
        _begin(task, resume=resume, overwrite=overwrite)
        begin_collected(task.plan, task.data)
        found = [_round(task, number) for number in range(task.rounds.number + 1)]
        files = []
        for path in task.students(task.rounds.number):
            files.append(task.output / STUDENTS / path.name)
            make_folder(files[-1].parent)
            write_copy(files[-1], path)
        # The files of students are named from the folder alike.
        told = found[-1] | {
            "data": str(task.plan.data),
            "rounds": [_summary(task, k, one) for k, one in enumerate(found)],
        }
        write_text(task.output / RESULTS, json.dumps(told, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return Distilled(task.output, told, tuple(files))


def _begin(task: RoundsTask, *, resume: bool, overwrite: bool) -> None:
    """Look whether a folder may be written to, and remove what is to be replaced. Raises InputError."""
    if resume and overwrite:
        raise InputError("to resume a run and to overwrite it exclude each other")
    found = overview(task.plan.data)
    require_molecules(task.plan, found)
    others = [text or "not stated" for text in found.teachers if text != task.teacher.identity.text]
    if others:
        raise InputError(
            f"{task.plan.data}: holds labels of another teacher ({others[0]}), not of {task.teacher.identity.text}; "
            "name that one in [rounds.teacher]"
        )
    there = [*written_in(task.output), *sorted(task.output.glob(f"{DATA}*"))]
    there += sorted(path for path in (task.output / ROUNDS).rglob("*") if path.is_file())
    require_free(there, task.plan.inputs, overwrite=overwrite or resume)
    settings = task.output / SETTINGS
    if overwrite:
        remove(there)
    elif there and not (settings.is_file() and settings.read_text(encoding="utf-8") == task.plan.text):
        raise InputError(f"{task.output}: holds a run with other settings; --overwrite begins anew")
    write_text(settings, task.plan.text)


def _round(task: RoundsTask, number: int) -> dict[str, Any]:
    """Return the results of a round, which may be finished already."""
    folder = task.folder(number)
    if (folder / RESULTS).is_file():
        return json.loads((folder / RESULTS).read_text(encoding="utf-8"))
    plan = replace(task.plan, data=task.data, rounds=None)
    if number:
        make_folder(folder)
        if not is_added(task.data, folder / LABELS):
            run_label(_labels(task, number), tell=task.tell_of_labels)
        plan = _further(task, plan, number, add_round(task.data, plan.split.name, folder / LABELS))
    return run_distil(plan, folder, resume=True, tell=task.tell, watch=_of_round(task, number)).results


def _of_round(task: RoundsTask, number: int) -> Callable[[Row], None]:
    return lambda row: task.watch(replace(row, student=f"round-{number}-{row.student}"))


def _labels(task: RoundsTask, number: int) -> LabelPlan:
    """Return what is labelled in a round: what the students of the one before come to and disagree about."""
    asked, teacher = task.rounds, task.teacher
    dynamics = Dynamics(asked.snapshots, asked.temperature, asked.every, asked.timestep)
    sampler = explored([teacher_of_file(path) for path in task.students(number - 1)], asked.structures, dynamics)
    begun = [(molecule, f"round {number}, ") for molecule in starts(task.plan)]
    usual = int(np.median(overview(task.plan.data).n_directions))
    return LabelPlan(
        teacher,
        tuple(sources_of(begun, [sampler], asked.seed)),
        task.folder(number) / LABELS,
        directions=usual if asked.directions is None else asked.directions,
        workers=asked.workers or n_cores(),
        allow_nonconservative=bool(teacher.identity.options.get("allow_nonconservative", False)),
        by=task.by,
    )


def _further(task: RoundsTask, plan: DistilPlan, number: int, first: int) -> DistilPlan:
    """Return the training of a round, which goes on from the students of the one before."""
    asked, recipe = task.rounds, replace(plan.recipe, learning_rate=task.rounds.learning_rate)
    pupils = [
        replace(pupil, start=TrainedStudent(path))
        for pupil, path in zip(plan.pupils, task.students(number - 1), strict=True)
    ]
    plan = replace(plan, recipe=recipe, pupils=tuple(pupils), replay=ReplayPlan(first, asked.replay_ratio))
    if asked.steps is None and asked.minutes is None:
        return plan
    recipe = recipe if asked.steps is None else replace(recipe, steps=asked.steps)
    return replace(plan, recipe=recipe, epochs=None, minutes=asked.minutes, steps_stated=asked.steps is not None)


def _summary(task: RoundsTask, number: int, found: dict[str, Any]) -> dict[str, Any]:
    """Return what a round added, and the errors of the mean of the students on the test set after it."""
    labels = task.folder(number) / LABELS
    failures = read_failures(labels) if number else []
    return {
        "round": number,
        "added": len(overview(labels)) if number else 0,
        "training": found["structures"]["training"],
        "failures": [{"molecule": one.molecule.name, "reason": one.reason} for one in failures],
        "before": found.get("before"),
        "test": found["committee"] and found["committee"]["test"],
    }
