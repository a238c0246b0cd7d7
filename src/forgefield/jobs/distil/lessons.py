"""The training of one pupil, with checkpoints from which it goes on as if it had not ended."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from forgefield.distil.batches import Feed, Replay
from forgefield.distil.losses import Losses
from forgefield.distil.training import Course, Look, begin, run, trained
from forgefield.engines.native.choice import fastest_to_train, way_of
from forgefield.errors import InputError
from forgefield.io.checkpoint import read_arrays, read_facts, write_checkpoint
from forgefield.io.rules import STUDENT, STUDENTS
from forgefield.jobs.distil.labels import Data
from forgefield.jobs.distil.metrics import Log, Row
from forgefield.jobs.distil.plan import DistilPlan, Pupil, TrainedStudent
from forgefield.jobs.distil.pupils import first_model, resolved
from forgefield.models.neural.painn import Painn

_LOOKED_AT = 1000
"""Structures of the validation set that a look takes."""
_TOLD_S = 0.25
"""Seconds between two words on how far training is."""


@dataclass(frozen=True)
class Stand:
    """How far training is."""

    student: str
    number: int
    """Of the student, from 1."""
    n_students: int
    step: int
    steps: int
    epoch: float
    loss: float
    """Mean since the last look."""
    structures_per_s: float
    seconds_left: float | None
    """None where no speed is known yet."""
    row: Row | None
    """Of a look."""


@dataclass(frozen=True, eq=False)
class Task:
    """A run into a folder."""

    plan: DistilPlan
    data: Data
    output: Path
    log: Log
    tell: Callable[[Stand], None]
    """Called often."""

    @property
    def digest(self) -> str:
        """Of all that a checkpoint must belong to."""
        files = [pupil.start.file for pupil in self.plan.pupils if isinstance(pupil.start, TrainedStudent)]
        digest = hashlib.sha256(f"{self.data.digest} {self.plan.text} {self.plan}".encode())
        for file in files:
            digest.update(file.read_bytes())
        return digest.hexdigest()

    def checkpoint_of(self, pupil: Pupil) -> Path:
        """Return where the training of a pupil stands."""
        return self.output / ("checkpoint.safetensors" if self.is_alone else f"checkpoint-{pupil.name}.safetensors")

    def file_of(self, pupil: Pupil) -> Path:
        """Return where a pupil is written when it is trained."""
        return self.output / (STUDENT if self.is_alone else f"{STUDENTS}/{pupil.name}.safetensors")

    @property
    def is_alone(self) -> bool:
        """Whether there is one pupil."""
        return len(self.plan.pupils) == 1


@dataclass(frozen=True, eq=False)
class Finished:
    """A student at the end of its training."""

    pupil: Pupil
    model: Painn
    steps: int
    epochs: float
    best_step: int
    """At which the weights were taken."""
    merit: float
    """Its loss on the validation set."""
    seconds: float
    structures_per_s: float
    """Over the whole training, with looks and checkpoints."""
    out_of_time: bool
    """Whether the limit of minutes ended it."""


class Lessons:
    """The training of one pupil."""

    def __init__(self, task: Task, number: int) -> None:
        self._task, self._number = task, number
        self._plan, self._pupil = task.plan, task.plan.pupils[number]
        self._checkpoint = task.checkpoint_of(self._pupil)
        validation = task.data.validation
        chosen = np.random.default_rng(0).permutation(len(validation))[:_LOOKED_AT]
        self._validation = validation.fetch(np.sort(chosen))
        if task.plan.recipe.weights.product == 0.0:
            # Not weighed, they would cost more than all else of a look.
            self._validation = [replace(reference, products=None) for reference in self._validation]
        self._spent, self._out_of_time = 0.0, False
        self._began = self._saved = self._told = perf_counter()
        self._mark = (-1, self._began)
        """Step and time from which the speed is measured: after the first step of a run, and after each look."""

    def finished(self) -> Finished:
        """Train, from the start or from the checkpoint, and return what comes of it. Raises InputError."""
        model, facts = first_model(self._pupil, self._task.data, self._plan.recipe), self._facts()
        # Neighbours through the faces of cells are listed, and their messages XLA's.
        if self._plan.recipe.precision == "f32" and not self._task.data.overview.periodic.any():
            model = fastest_to_train(model, begun=None if facts is None else facts.get("way", "xla"))
        self._way, self._feed = way_of(model), self._fed(model)
        self._per_step = len(self._task.data.training) / self._feed.steps_of_epoch
        if facts is None:
            self._recipe = resolved(self._plan, model, self._feed, self._validation)
            self._spent = perf_counter() - self._began
            self._course = begin(model, self._recipe)
        else:
            self._recipe = replace(self._plan.recipe, steps=facts["steps"], check_every=facts["check_every"])
            kept = read_arrays(self._checkpoint, begin(model, self._recipe))
            self._course = jax.tree.map(jnp.asarray, kept)
            self._spent, self._out_of_time = facts["seconds"], facts["out_of_time"]
        if facts is None or not facts["done"]:
            self._task.log.begin(self._pupil.name, int(self._course.step))
            self._run(model)
        seconds, step = self._spent, int(self._course.step)
        return Finished(
            pupil=self._pupil,
            model=trained(model, self._course),
            steps=step,
            epochs=step / self._feed.steps_of_epoch,
            best_step=int(self._course.at),
            merit=float(self._course.merit),
            seconds=seconds,
            structures_per_s=step * self._per_step / seconds,
            out_of_time=self._out_of_time,
        )

    def _fed(self, model: Painn) -> Feed:
        """Return the batches for a model."""
        plan, training, new = self._plan, self._task.data.training, self._task.data.new(self._plan)
        replay = Replay(new, plan.replay.ratio) if plan.replay is not None and new.any() else None
        batch, seed, cutoff = plan.recipe.batch, self._pupil.seed, model.design.basis.cutoff
        return Feed(training.fetch, training.sizes, batch, seed, replay, cutoff=cutoff, fused=model.fused)

    def _facts(self) -> dict[str, Any] | None:
        """Return what the checkpoint says beside its arrays. Raises InputError where it is of something else."""
        if not self._checkpoint.is_file():
            return None
        facts = read_facts(self._checkpoint)
        if facts.get("input") != self._task.digest:
            raise InputError(
                f"{self._checkpoint}: the checkpoint belongs to other input (DISTIL.toml, the data set or its split "
                "have changed); --overwrite begins anew"
            )
        return facts

    def _run(self, model: Painn) -> None:
        self._began = self._saved = perf_counter()
        try:
            self._save()
            for look in run(model, self._course, self._feed, self._validation, self._recipe, ends=self._ends):
                row = self._row(look)
                self._task.log.keep(row)
                self._course = look.course
                self._say(look.losses, row)
                if look.better:
                    self._save()
                self._mark = int(look.course.step), perf_counter()
        except KeyboardInterrupt:
            self._save()
            raise
        self._spent = self._seconds
        self._save(done=True)

    @property
    def _seconds(self) -> float:
        return self._spent + perf_counter() - self._began

    def _ends(self, course: Course) -> bool:
        """Take what a step has come to, and say whether time is up."""
        self._course, now = course, perf_counter()
        if self._mark[0] < 0:
            self._mark = int(course.step), now
        if now - self._saved >= 60.0 * self._plan.checkpoint_minutes:
            self._save()
        if now - self._told >= _TOLD_S:
            self._say(Losses(*(total / int(course.since) for total in course.seen)), None)
        minutes = self._plan.minutes
        last = int(course.step) >= self._recipe.steps
        self._out_of_time = minutes is not None and not last and self._seconds >= 60.0 * minutes
        return self._out_of_time

    def _save(self, *, done: bool = False) -> None:
        facts = {"input": self._task.digest, "steps": self._recipe.steps, "check_every": self._recipe.check_every}
        facts |= {"step": int(self._course.step), "way": self._way}
        facts |= {"seconds": self._spent if done else self._seconds, "done": done, "out_of_time": self._out_of_time}
        write_checkpoint(self._checkpoint, self._course, facts)
        self._saved = perf_counter()

    def _speed(self) -> float:
        """Return structures a second since the last look; 0 where none is known."""
        step, time = self._mark
        return (int(self._course.step) - step) * self._per_step / max(perf_counter() - time, 1e-9)

    def _say(self, losses: Losses, row: Row | None) -> None:
        """Tell how far training is."""
        self._told, step = perf_counter(), int(self._course.step)
        speed = self._speed() if row is None else row.structures_per_s
        self._task.tell(
            Stand(
                student=self._pupil.name,
                number=self._number + 1,
                n_students=len(self._plan.pupils),
                step=step,
                steps=self._recipe.steps,
                epoch=step / self._feed.steps_of_epoch,
                loss=float(losses.total(self._recipe.weights)),
                structures_per_s=speed,
                seconds_left=(self._recipe.steps - step) * self._per_step / speed if speed else None,
                row=row,
            )
        )

    def _row(self, look: Look) -> Row:
        step, errors = int(look.course.step), look.errors
        energy, force, product, atomic_energy, stress = map(float, look.losses)
        return Row(
            student=self._pupil.name,
            step=step,
            epoch=step / self._feed.steps_of_epoch,
            seconds=self._seconds,
            structures_per_s=self._speed(),
            learning_rate=float(self._recipe.pace.rate(jnp.asarray(step - 1))),
            loss=float(look.losses.total(self._recipe.weights)),
            loss_energy=energy,
            loss_force=force,
            loss_product=product,
            loss_atomic_energy=atomic_energy,
            loss_stress=stress,
            validation_loss=look.merit,
            validation_energy_mae=errors.energy_mae,
            validation_energy_rmse=errors.energy_rmse,
            validation_force_mae=errors.force_mae,
            validation_force_rmse=errors.force_rmse,
            validation_product_rmse=errors.product_rmse,
            validation_stress_mae=errors.stress_mae,
            better=look.better,
        )
