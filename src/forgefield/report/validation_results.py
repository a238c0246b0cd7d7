"""The schema of what results.json says of repeated fits: of a validation and of trade-offs."""

from dataclasses import dataclass

from forgefield.fitting.judge.metrics import Metrics


@dataclass(frozen=True)
class Failure:
    """A refit that failed."""

    task: str
    reason: str


@dataclass(frozen=True)
class Gain:
    """A relative improvement over the estimate, 1 - after/before, with its interval."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    """Samples behind the interval."""
    verdict: str
    """In words."""
    significance: str
    """`significant`, `not significant` or `not tested`."""


@dataclass(frozen=True)
class Gains:
    """The improvement of the cost, or of a metric."""

    fitted: Gain
    """On the molecules of the fit; the interval is that of the samples."""
    left_out: Gain
    """On each molecule in the fit of all others; the interval is that of drawing the molecules again."""
    out_of_bag: Gain
    """Of the samples, on the molecules that they lack."""


@dataclass(frozen=True)
class LeftOutCost:
    """What one molecule adds to the cost, without the prior."""

    start: float
    left_out: float
    fitted: float


@dataclass(frozen=True)
class LeftOutMolecule:
    """A molecule left out of the fit."""

    name: str
    converged: bool
    """Whether the fit of the others converged."""
    message: str
    unseen: list[str]
    """Rows of the force field that no other molecule has."""
    cost: LeftOutCost
    start: Metrics
    """At the estimate of the others."""
    left_out: Metrics
    """In the fit of the others."""
    fitted: Metrics
    """In the fit of all."""


@dataclass(frozen=True)
class LeaveOneOut:
    """Every molecule left out in turn; the metrics are those of all of them taken together."""

    start: Metrics | None
    left_out: Metrics | None
    fitted: Metrics | None
    molecules: list[LeftOutMolecule]


@dataclass(frozen=True)
class Interval:
    """A metric among the samples."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Bootstrap:
    """Fits to samples drawn from the molecules."""

    samples: int
    finished: int
    converged: int
    fitted: dict[str, Interval | None]
    """By the names of the metrics, on the molecules of the sample; null where there is no such data."""
    out_of_bag: dict[str, Interval | None]
    """On the molecules that the sample lacks."""


@dataclass(frozen=True)
class JackknifeParameter:
    """A parameter in the fits with one molecule left out."""

    name: str
    unit: str
    sigma: float | None
    """Standard deviation; null for a row that only one molecule has."""


@dataclass(frozen=True)
class Jackknife:
    """The delete-one-molecule jackknife."""

    message: str
    molecules: int
    parameters: list[JackknifeParameter]


@dataclass(frozen=True)
class ValidationResult:
    """How the fit does on molecules that it has not seen."""

    possible: bool
    """False where there are too few molecules; then all that follows `failures` is null."""
    message: str
    verdict: str
    interrupted: bool
    failures: list[Failure]
    level: float | None = None
    """Of the intervals."""
    seed: int | None = None
    workers: int | None = None
    wall_s: float | None = None
    improvement: dict[str, Gains] | None = None
    """Of the cost, and of each metric of which less is better."""
    leave_one_out: LeaveOneOut | None = None
    bootstrap: Bootstrap | None = None
    jackknife: Jackknife | None = None


@dataclass(frozen=True)
class TradeOffPoint:
    """Where a fit ends in which one target weighs `factor` times as much."""

    factor: float
    rms: dict[str, float]
    """Root mean square deviation of each target, in its unit."""
    others: float
    """Cost of the other targets."""
    converged: bool


@dataclass(frozen=True)
class TradeOffResult:
    """What the other targets pay for one."""

    target: str
    unit: str
    units: dict[str, str]
    """Of all targets."""
    points: list[TradeOffPoint]
