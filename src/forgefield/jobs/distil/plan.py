"""What is to be distilled: the data, the students and how they are trained."""

from dataclasses import dataclass
from pathlib import Path

from forgefield.assign.rules import AbstractRowRules
from forgefield.distil.recipe import Recipe
from forgefield.jobs.distil.classical.plan import ClassicalPlan
from forgefield.jobs.validate.settings import Settings
from forgefield.jobs.validate.verdict import Thresholds
from forgefield.models.neural.painn import Size
from forgefield.models.neural.radial import AbstractBasis, AbstractEnvelope


@dataclass(frozen=True)
class Draw:
    """How records are divided among training, validation and test."""

    by: str = "structure"
    """One of `WAYS`."""
    validation: float = 0.1
    """Share of the records."""
    test: float = 0.1
    seed: int = 0

    @property
    def words(self) -> str:
        """How, in words."""
        return f"{self.by}, {self.validation:g} for validation, {self.test:g} for the test, seed {self.seed}"


@dataclass(frozen=True)
class SplitPlan:
    """The split that is used: one that the data set holds, else one that is drawn and kept there."""

    name: str = "default"
    draw: Draw | None = None
    """How it is, or was, drawn; None takes what is there."""


@dataclass(frozen=True)
class NewStudent:
    """An untrained PaiNN."""

    size: Size
    basis: AbstractBasis
    envelope: AbstractEnvelope
    core_cutoff: float | None = None
    """Å; where the repulsion of atomic cores ends. None leaves it out."""
    states: bool | None = None
    """Whether it takes charge and unpaired electrons; None: where molecules differ in them."""


@dataclass(frozen=True)
class TrainedStudent:
    """A student to be trained further: its file."""

    file: Path


@dataclass(frozen=True)
class Pupil:
    """One student of a run."""

    name: str
    start: NewStudent | TrainedStudent
    seed: int
    """Of its first weights and of the order of the data."""


@dataclass(frozen=True)
class ReplayPlan:
    """How old and new records are mixed."""

    first: int
    """The first new record of the data set; those before it are old."""
    ratio: float
    """Old ones for each new one."""


@dataclass(frozen=True)
class RoundsPlan:
    """Rounds of active learning: students explore, their teacher labels, they go on learning."""

    number: int
    structures: int
    """Labelled in a round, of each molecule."""
    replay_ratio: float
    """Old structures for each new one in a batch."""
    temperature: float
    """Of the students' dynamics [K]."""
    snapshots: int
    """That structures are picked from."""
    every: int
    """Steps between snapshots."""
    timestep: float
    """fs"""
    steps: int | None
    """Of each further training; None with `minutes` None: as before the rounds."""
    minutes: float | None
    learning_rate: float
    """The highest of each further training."""
    directions: int | None
    """Hessian products of each new structure; None: as many as old ones have."""
    seed: int
    workers: int | None
    """Processes; None: one for each core."""


@dataclass(frozen=True)
class ValidationPlan:
    """How students are judged at the end."""

    settings: Settings
    thresholds: Thresholds | None = None
    """What must be reached; None: the usual, which nothing hangs on."""


@dataclass(frozen=True)
class DistilPlan:
    """All of a run."""

    data: Path
    split: SplitPlan
    pupils: tuple[Pupil, ...]
    recipe: Recipe
    epochs: float | None = None
    """Instead of the recipe's steps."""
    minutes: float | None = None
    """Of training each student: a limit, and what steps follow from where nobody states their number."""
    steps_stated: bool = False
    """Whether steps or epochs are stated."""
    checks_stated: bool = False
    """Whether the steps between looks are stated."""
    checkpoint_minutes: float = 5.0
    tensorboard: bool = False
    classical: ClassicalPlan | None = None
    """A force field to be fitted instead of pupils."""
    baseline: AbstractRowRules | None = None
    """A classical force field: pupils learn what it leaves of the teacher."""
    rounds: RoundsPlan | None = None
    replay: ReplayPlan | None = None
    """Of a further training: which records are new to the students."""
    validation: ValidationPlan | None = None
    """None: students are not judged beyond their errors."""
    text: str = ""
    """The settings file."""
    inputs: tuple[Path, ...] = ()
    """Files that are read."""
