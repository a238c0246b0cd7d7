"""The schema of results.json: what a fit tells programs, in internal units."""

from dataclasses import asdict, dataclass
from typing import Any

from forgefield.fitting.judge.metrics import Metrics


@dataclass(frozen=True)
class Ending:
    """How the fit ended."""

    success: bool
    message: str
    """Why it ended, in words."""
    iterations: int
    """Of all passes together."""
    starts: int
    wall_s: float
    """Time of the iterations [s]."""
    compile_s: float
    """Of it, until the first program was compiled [s]."""
    cost: float
    """The lowest that was found, with the prior."""


@dataclass(frozen=True)
class Change:
    """Metrics before and after the fit."""

    start: Metrics
    """At the estimate that the fit started from."""
    final: Metrics


@dataclass(frozen=True)
class ParameterResult:
    """A parameter of the force field."""

    name: str
    """As `forgefield fit --check` lists it."""
    term: str
    unit: str
    start: float
    value: float
    sigma: float | None
    """Standard deviation; null where it was not trained or the data leave it open."""
    prior: float | None
    """Width of its Gaussian; null where it has none of its own."""
    at_bound: bool
    trained: bool


@dataclass(frozen=True)
class Frequency:
    """A mode of the reference and the mode of the model that matches it."""

    qm: float
    """Signed frequency of the reference, after the policy for transition states [cm⁻¹]."""
    mm: float
    """Signed frequency of the model [cm⁻¹]."""
    overlap: float
    """Square of the scalar product of the two modes."""


@dataclass(frozen=True)
class MoleculeResult:
    """A molecule; the metrics after the fit stand among its own keys."""

    name: str
    atoms: int
    """How many it has."""
    final: Metrics
    weight: float
    start: Metrics
    reaction_mode: int | None
    """Place in `frequencies` of the reaction mode of a transition state, which metrics leave out."""
    frequencies: list[Frequency]


@dataclass(frozen=True)
class RowDeviation:
    """How the bonds, or angles, of a row deviate from the reference where the molecules relax to."""

    row: str
    kind: str
    """`stretch` or `bend`."""
    unit: str
    """Å or °."""
    interactions: int
    mean: float
    rmsd: float
    trained: bool
    pattern: str
    """What trains the row: an entry of `[forcefield] train`."""

    @property
    def square(self) -> float:
        """Sum of the squared deviations."""
        return self.interactions * self.rmsd**2


@dataclass(frozen=True)
class Component:
    """What a parameter adds to a direction."""

    name: str
    coefficient: float


@dataclass(frozen=True)
class Direction:
    """A combination of parameters that the data do not determine, in units of prior widths."""

    singular_value: float
    determined_by: str
    """`prior` or `nothing`."""
    combination: list[Component]
    """Largest first."""


@dataclass(frozen=True)
class Correlation:
    """Two parameters that the data determine together rather than each."""

    first: str
    second: str
    correlation: float


@dataclass(frozen=True)
class Identifiability:
    """What the data determine, by the free variables in units of their prior widths."""

    n_free: int
    n_at_bound: int
    n_values: int
    """Independent values of the data."""
    n_effective: float
    """Variables that the data determine rather than the prior."""
    singular_values: list[float]
    """Of the Jacobian of the data, without the prior, by the variables that are not at a bound."""
    condition: float | None
    """Largest over smallest singular value; null where that is infinite."""
    n_undetermined: int
    """Combinations that neither data nor prior determine."""
    n_ruled_by_prior: int
    """Combinations that the prior determines."""
    undetermined: list[str]
    """Variables that take part in undetermined combinations."""
    directions: list[Direction]
    """The first of them."""
    correlation_threshold: float
    n_correlated: int
    """Pairs of variables whose correlation exceeds the threshold."""
    correlated: list[Correlation]
    """The first of them."""


@dataclass(frozen=True)
class Opposition:
    """How the gradients of the targets, and of the prior, lie to each other at the end."""

    targets: list[str]
    gradient_norms: list[float]
    cosines: list[list[float]]
    """-1: what lowers one target raises the other."""


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
class Skipped:
    """A molecule that cannot be used and is left out, as `on_error = "skip"` asks for."""

    name: str
    file: str
    reason: str

    @property
    def warning(self) -> str:
        """Say which molecule is left out, and why."""
        return f"{self.name} is left out ({self.file}): {self.reason}"


@dataclass(frozen=True)
class Provenance:
    """What ran."""

    version: str
    """Of ForgeField."""
    input_sha256: str
    """Of FIT.toml and the files that it names."""
    packages: dict[str, str]
    """Versions."""
    device: str
    precision: str


@dataclass(frozen=True)
class Results:
    """The whole file."""

    fit: Ending
    metrics: Change
    """Of all molecules together."""
    parameters: list[ParameterResult]
    molecules: list[MoleculeResult]
    row_deviations: list[RowDeviation]
    """Largest first by kind; empty where nothing was relaxed."""
    identifiability: Identifiability
    opposition: Opposition | None
    """Null for a single target."""
    trade_off: list[TradeOffResult] | None
    """Null unless `--trade-off` asks for it."""
    validation: ValidationResult | None
    """Null unless `--validate` asks for it."""
    skipped: list[Skipped]
    warnings: list[str]
    """In plain words."""
    provenance: Provenance


def told(results: Results) -> dict[str, Any]:
    """Return results as the tables and lists of JSON; the metrics of a molecule join its own keys."""
    content = asdict(results)
    content["molecules"] = [_flat(molecule) for molecule in content["molecules"]]
    return content


def _flat(molecule: dict[str, Any]) -> dict[str, Any]:
    """Return the table of a molecule with the metrics after the fit in place of the key that holds them."""
    flat: dict[str, Any] = {}
    for key, value in molecule.items():
        flat |= value if key == "final" else {key: value}
    return flat
