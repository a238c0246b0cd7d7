"""DISTIL.toml: its schema, and the plan that it stands for."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from forgefield.assign.rules import AbstractRowRules
from forgefield.config import Real, Section, Whole
from forgefield.distil.recipe import OPTIMISERS, Kind, Precision, Recipe, Weights
from forgefield.errors import InputError
from forgefield.io.forcefields.neural.painn_file import read_baseline
from forgefield.io.sources import content
from forgefield.io.text import decoded
from forgefield.jobs.distil.classical.plan import WEIGHTS, ClassicalPlan, generated, started
from forgefield.jobs.distil.plan import (
    DistilPlan,
    Draw,
    NewStudent,
    Pupil,
    RoundsPlan,
    SplitPlan,
    TrainedStudent,
    ValidationPlan,
)
from forgefield.jobs.label.label_file import TeacherSection
from forgefield.jobs.validate.settings import Settings
from forgefield.jobs.validate.thresholds_file import ThresholdsSection, thresholds_of
from forgefield.models.neural.painn import SIZES, Size
from forgefield.models.neural.radial import CosineEnvelope, GaussianBasis, QuinticEnvelope, SineBasis
from forgefield.toml.read import read_toml

SizeName = Literal["tiny", "small", "original"]
_BASES = {"sine": SineBasis, "gaussian": GaussianBasis}
_ENVELOPES = {"quintic": QuinticEnvelope, "cosine": CosineEnvelope}


class DrawSection(Section):
    """How the split is drawn where the data set does not hold it yet; it is kept there."""

    by: Literal["structure", "molecule", "scaffold", "time"] = "structure"
    """What is drawn: each structure, all of a molecule or of a scaffold together, or the last ones for the test."""
    validation: Real = Field(default=0.1, gt=0.0, lt=1.0)
    """Share of the records by which the best weights are chosen."""
    test: Real = Field(default=0.1, ge=0.0, lt=1.0)
    """Share of the records by which the student is judged."""
    seed: Whole = 0
    """Of the draw."""


class DataSection(Section):
    """What the student learns from."""

    file: str
    """The data set that `forgefield label` or `forgefield dataset` wrote."""
    split: str = "default"
    """Name of the split in it."""
    draw: DrawSection | None = None
    """Optional."""


class StudentSection(Section):
    """What is trained."""

    kind: Literal["painn", "harmonic", "mm3"] = "painn"
    """A neural network that needs elements and positions only, or a classical force field."""
    terms: tuple[str, ...] | None = None
    """Of a classical force field, beside stretches and bends, by the words of FIT.toml; by default those that pay."""
    nonbonded: Literal["none", "uff"] = "uff"
    """What acts through space in a classical force field: the van der Waals terms of UFF, or nothing."""
    baseline: str | None = None
    """A classical force field, by its file or the folder of its run: the network learns what it leaves."""
    size: SizeName | tuple[SizeName, ...] = "small"
    """Features, blocks and radial functions: 32, 2, 10; 64, 2, 12; or 128, 3, 20. Several: a student of each."""
    features: Whole | None = Field(default=None, ge=4, le=2048)
    """Instead of the size's."""
    blocks: Whole | None = Field(default=None, ge=1, le=16)
    """Instead of the size's."""
    radial: Whole | None = Field(default=None, ge=2, le=256)
    """Radial functions, instead of the size's."""
    cutoff: Real = Field(default=5.0, gt=0.5, le=30.0)
    """Where atoms cease to see each other [Å]."""
    envelope: Literal["quintic", "cosine"] = "quintic"
    """How messages fall off: with smooth Hessians, or as in the paper."""
    basis: Literal["sine", "gaussian"] = "sine"
    """The radial functions."""
    core_cutoff: Real = Field(default=1.2, ge=0.0, le=30.0)
    """Where the repulsion of atomic cores (ZBL) ends [Å]; 0 leaves it out, as is the default on a `baseline`."""
    states: bool | None = None
    """Whether charge and unpaired electrons are seen; by default where molecules of the set differ in them."""
    start: str | None = None
    """A student's file: its weights are trained further, and its energies of elements stay. A classical one starts from
    the rows of any force field that is read."""
    seeds: Whole | tuple[Whole, ...] = 0
    """Of the first weights and of the order of the data. Several seeds: a committee."""

    @model_validator(mode="after")
    def _one_start(self) -> "StudentSection":
        shaping = ("size", "features", "blocks", "radial", "cutoff", "envelope", "basis", "core_cutoff", "states")
        classical = ("terms", "nonbonded")
        if self.kind != "painn":
            wrong = [name for name in (*shaping, "seeds", "baseline") if name in self.model_fields_set]
            wrong += [name for name in classical if name in self.model_fields_set and self.start is not None]
            if wrong:
                raise ValueError(f"such a classical force field has no {', '.join(wrong)}; leave it out")
            return self
        if wrong := [name for name in classical if name in self.model_fields_set]:
            raise ValueError(f"{', '.join(wrong)} are of classical force fields; leave them out")
        given = [name for name in (*shaping, "baseline") if name in self.model_fields_set]
        if self.start is not None and given:
            raise ValueError(f"a student that is trained further keeps its form; leave {', '.join(given)} out")
        for name, values in (("size", self.size), ("seeds", self.seeds)):
            if isinstance(values, tuple) and (not values or len({*values}) < len(values)):
                raise ValueError(f"{name} must be one or several different ones")
        return self


class LossSection(Section):
    """What errors weigh. Each is a mean over what there is of it in a batch, in eV and Å."""

    energy: Real = Field(default=1.0, ge=0.0)
    """Of energies per atom."""
    force: Real = Field(default=1.0, ge=0.0)
    """Of components of forces."""
    product: Real = Field(default=0.0, ge=0.0)
    """Of components of Hessian products, along directions that are drawn anew for each batch."""
    atomic_energy: Real = Field(default=0.0, ge=0.0)
    """Of the energies of atoms, where the teacher divides its energy among them."""
    stress: Real = Field(default=0.0, ge=0.0)
    """Of components of the stresses of periodic systems."""
    balanced: bool = False
    """Whether each error is divided by its own running mean and multiplied by that of forces, so that the numbers above
    are shares. See [balanced losses](../distil.md#balanced-losses)."""
    kind: Kind = "mse"
    """Mean square, mean absolute, or Huber: squares up to `corner`, straight beyond."""
    corner: Real = Field(default=0.01, gt=0.0)
    """Where Huber's loss becomes straight, in the unit of each error."""


class TrainingSection(Section):
    """How long and how fast. Without epochs, steps and minutes there are 5000 steps."""

    epochs: Real | None = Field(default=None, gt=0.0)
    """How often each structure is seen."""
    steps: Whole | None = Field(default=None, ge=1)
    """Batches, instead of epochs."""
    minutes: Real | None = Field(default=None, gt=0.0)
    """Of each student: a limit. Without epochs and steps, their number follows from the speed, which is measured."""
    batch: Whole = Field(default=16, ge=1)
    """Structures of one step."""
    optimiser: Literal["adamw", "adam", "lamb", "lion", "nadamw"] = "adamw"
    """Of optax."""
    learning_rate: Real = Field(default=3e-3, gt=0.0)
    """The highest; it falls along half a cosine."""
    last_rate: Real = Field(default=0.01, ge=0.0, le=1.0)
    """That of the last step, as a share of the highest."""
    warmup: Whole = Field(default=100, ge=0)
    """Steps in which the learning rate rises from zero."""
    decay: Real = Field(default=0.0, ge=0.0)
    """Of the weights, by the learning rate and step."""
    largest_gradient: Real = Field(default=10.0, gt=0.0)
    """Longer gradients of the loss are shortened to this norm."""
    accumulate: Whole = Field(default=1, ge=1)
    """Batches whose gradients make one step of the optimiser."""
    averaging: Real = Field(default=0.998, ge=0.0, le=1.0)
    """Kept fraction of the running mean of the weights at each step; the mean is what training returns."""
    check_every: Whole | None = Field(default=None, ge=1)
    """Steps between two looks at the validation set; by default an epoch, at least 100 and at most 1000 steps."""
    patience: Whole = Field(default=0, ge=0)
    """Looks without a better one after which training ends; 0: never."""
    precision: Precision = "f32"
    """In which networks are computed; with bf16 weights stay in float32."""
    loss: LossSection = LossSection()
    """Optional."""

    @model_validator(mode="after")
    def _one_length(self) -> "TrainingSection":
        if self.epochs is not None and self.steps is not None:
            raise ValueError("epochs and steps exclude each other; name one of them")
        return self


class OutputSection(Section):
    """What is written beside the student, its metrics and the results."""

    checkpoint_minutes: Real = Field(default=5.0, gt=0.0)
    """Between checkpoints; there is also one whenever the student got better."""
    tensorboard: bool = False
    """Whether metrics are also written as event files for TensorBoard; needs the extra `tensorboard`."""


class ValidationSection(Section):
    """How students are judged at the end, as `forgefield validate` judges them on the test part of the split."""

    run: bool = True
    """Whether they are."""
    nve: Real = Field(default=5.0, ge=0.1, le=1e5)
    """Dynamics at constant energy [ps]."""
    md: Real = Field(default=5.0, ge=0.1, le=1e5)
    """Dynamics at 300 K and at 500 K [ps]."""
    thresholds: ThresholdsSection | None = None
    """Optional; with them the command ends with the exit code 1 where one is not met."""


class RoundsSection(Section):
    """Rounds of active learning after the first training; it takes several `seeds`, or `size`s, of a student."""

    number: Whole = Field(ge=1)
    """Rounds."""
    structures: Whole = Field(ge=1)
    """Of each molecule that are labelled in a round, by the disagreement of the students, and far from each other."""
    replay_ratio: Real = Field(default=3.0, ge=0.0)
    """Old structures for each new one in a batch."""
    temperature: Real = Field(default=500.0, gt=0.0)
    """Of the dynamics of the first student [K], from the lowest structure of each molecule."""
    snapshots: Whole = Field(default=500, ge=1)
    """Snapshots that structures are picked from."""
    every: Whole = Field(default=50, ge=1)
    """Steps between snapshots."""
    timestep: Real = Field(default=0.5, gt=0.0)
    """Of the dynamics [fs]."""
    steps: Whole | None = Field(default=None, ge=1)
    """Batches of each further training; without steps and minutes it is as long as `[training]` says."""
    minutes: Real | None = Field(default=None, gt=0.0)
    """Of each further training of each student, as in `[training]`."""
    learning_rate: Real | None = Field(default=None, gt=0.0)
    """The highest of each further training; by default a third of that of `[training]`."""
    directions: Whole | None = Field(default=None, ge=0)
    """Hessian products of each new structure; by default as many as those of the data set have."""
    seed: Whole = 0
    """Of the dynamics."""
    workers: Whole | None = Field(default=None, ge=1)
    """Processes that label; by default one for each core."""
    teacher: TeacherSection | None = None
    """As in LABEL.toml; by default the method that the data set names."""


class DistilFile(Section):
    """A whole DISTIL.toml."""

    data: DataSection
    student: StudentSection = StudentSection()
    training: TrainingSection = TrainingSection()
    rounds: RoundsSection | None = None
    """Optional."""
    output: OutputSection = OutputSection()
    validation: ValidationSection = ValidationSection()


def read_distil_file(path: Path) -> DistilFile:
    """Return what a DISTIL.toml says. Raises InputError that lists everything wrong with it."""
    return read_toml(path, DistilFile)


def distil_plan(path: Path, said: DistilFile) -> DistilPlan:
    """Return what a DISTIL.toml asks for; its paths are relative to it. Raises InputError."""
    data, training = path.parent / said.data.file, said.training
    draw = None if said.data.draw is None else Draw(**said.data.draw.model_dump())
    if draw is not None and draw.validation + draw.test >= 1.0:
        raise InputError(f"{path}: the shares of validation and test leave nothing to learn from")
    pupils = () if said.student.kind != "painn" else _pupils(path, said.student)
    if said.rounds is not None and said.student.kind == "painn" and len(pupils) < 2:
        raise InputError(
            f"{path}: [rounds] take several students, which may disagree; name seeds = [0, 1] in [student]"
        )
    return DistilPlan(
        data=data,
        split=SplitPlan(said.data.split, draw),
        pupils=pupils,
        classical=_classical(path, said),
        baseline=_baseline(path, said.student),
        recipe=_recipe(training),
        epochs=training.epochs,
        minutes=training.minutes,
        steps_stated=training.epochs is not None or training.steps is not None,
        checks_stated=training.check_every is not None,
        checkpoint_minutes=said.output.checkpoint_minutes,
        tensorboard=said.output.tensorboard,
        rounds=_rounds(path, said),
        validation=_validation(said.validation),
        text=decoded(content(path)),
        inputs=(path, data, *_named(path, said.student)),
    )


def _classical(path: Path, said: DistilFile) -> ClassicalPlan | None:
    """Return the force field that is to be fitted, if any."""
    student, loss = said.student, said.training.loss
    if student.kind == "painn":
        return None
    idle = said.training.model_fields_set - {"loss"} | loss.model_fields_set & {
        "kind",
        "corner",
        "atomic_energy",
        "balanced",
        "stress",
    }
    if idle:
        raise InputError(
            f"{path}: [training] {', '.join(sorted(idle))}: a classical force field is fitted by least squares to "
            "energies, forces and Hessian products; leave it out"
        )
    start = generated(student.kind, student.terms, nonbonded=student.nonbonded)
    stated = loss.model_dump(include=loss.model_fields_set)
    return ClassicalPlan(
        student.kind,
        start if student.start is None else started(path.parent / student.start),
        weights=replace(WEIGHTS, **stated),
    )


def _rounds(path: Path, said: DistilFile) -> RoundsPlan | None:
    asked = said.rounds
    if asked is None:
        return None
    if said.student.kind != "painn":
        raise InputError(f"{path}: [rounds] are for networks; a classical force field is fitted to all data at once")
    rate = asked.learning_rate or said.training.learning_rate / 3.0
    return RoundsPlan(**asked.model_dump(exclude={"learning_rate", "teacher"}), learning_rate=rate)


def _named(path: Path, said: StudentSection) -> list[Path]:
    return [path.parent / name for name in (said.start, said.baseline) if name is not None]


def _baseline(path: Path, said: StudentSection) -> AbstractRowRules | None:
    """Return the classical force field that a network corrects, or that the one does which is trained further."""
    if said.baseline is not None:
        return started(path.parent / said.baseline)
    if said.kind != "painn" or said.start is None:
        return None
    return read_baseline(path.parent / said.start)


def _validation(said: ValidationSection) -> ValidationPlan | None:
    if not said.run:
        return None
    thresholds = None if said.thresholds is None else thresholds_of(said.thresholds)
    return ValidationPlan(Settings(nve=said.nve, md=said.md), thresholds)


def _recipe(said: TrainingSection) -> Recipe:
    stated = said.model_dump(exclude={"epochs", "minutes", "loss"}, exclude_none=True)
    known = {field.name for field in fields(Recipe)}
    assert known >= {*stated}
    assert said.optimiser in OPTIMISERS
    return Recipe(**stated, weights=Weights(**said.loss.model_dump()))


def _pupils(path: Path, said: StudentSection) -> tuple[Pupil, ...]:
    """Return a student for each size and seed."""
    seeds = said.seeds if isinstance(said.seeds, tuple) else (said.seeds,)
    if said.start is not None:
        file = path.parent / said.start
        if not file.is_file():
            raise InputError(f"{path}: [student] start: there is no file {file}")
        starts: dict[str, NewStudent | TrainedStudent] = {"further": TrainedStudent(file)}
    else:
        sizes = said.size if isinstance(said.size, tuple) else (said.size,)
        starts = {name: _new(said, name) for name in sizes}
    pupils = [Pupil(f"{name}-{seed}", start, seed) for name, start in starts.items() for seed in seeds]
    return tuple(pupils)


def _new(said: StudentSection, name: str) -> NewStudent:
    usual = SIZES[name]
    size = Size(said.features or usual.features, said.blocks or usual.blocks, said.radial or usual.radial)
    basis = _BASES[said.basis](size.radial, said.cutoff)
    # A classical force field has walls of its own.
    has_walls = said.baseline is not None and "core_cutoff" not in said.model_fields_set
    core_cutoff = None if has_walls or said.core_cutoff == 0.0 else said.core_cutoff
    return NewStudent(size, basis, _ENVELOPES[said.envelope](), core_cutoff, said.states)
