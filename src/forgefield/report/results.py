"""The schema of results.json: what a fit tells programs, in internal units."""

from dataclasses import asdict, dataclass, field
from typing import Any

from forgefield.fitting.judge.metrics import Metrics
from forgefield.fitting.judge.turns import Turn
from forgefield.report.validation_results import TradeOffResult, ValidationResult


@dataclass(frozen=True)
class Ending:
    """How the fit ended."""

    success: bool
    """Whether it converged, no target ended worse than at the start by more than its tolerance, and nothing is
    unphysical."""
    converged: bool
    """Whether a further step would change nothing."""
    message: str
    """Why it ended, in words."""
    reason: str
    """What it lacks for a success, which target dominates the cost, and what to do; empty after a success."""
    iterations: int
    """Of all passes together."""
    engine: str
    """What evaluated the force field: forgefield, or another program by its name under [fit]."""
    evaluations: int
    """Points of which the cost was asked for, those of all starts together."""
    gradients: int
    """Those of them of which derivatives were."""
    starts: int
    """Of the first pass."""
    wall_s: float
    """Time of all passes [s]."""
    compile_s: float
    """Of it, what the first call of each program took longer than later ones: they are compiled then [s]."""
    run_s: float
    """The rest of it [s]."""
    promise: float
    """Share of the cost by which a full Newton step from the end promises to lower it."""
    cost: float
    """The lowest that was found, with the prior."""


@dataclass(frozen=True)
class Change:
    """Metrics before and after the fit."""

    start: Metrics
    """At the estimate that the fit started from."""
    final: Metrics
    """After the fit."""


@dataclass(frozen=True)
class TargetResult:
    """What the force field was fitted to."""

    name: str
    unit: str
    """Of its deviations."""
    tolerance: float
    """The deviation that counts as one."""
    weight: float
    """Of its mean square in the cost."""
    values: int
    """How many count."""
    independent: int
    """How many do not follow from others."""
    rms_start: float
    """Root of the weighted mean square deviation at the estimate."""
    rms_final: float
    """And after the fit."""
    cost_start: float
    """Its share of the cost at the estimate."""
    cost_final: float
    """And after the fit."""


@dataclass(frozen=True)
class ParameterResult:
    """A parameter of the force field."""

    name: str
    """As `forgefield fit --check` lists it."""
    term: str
    """What kind of interaction it belongs to."""
    unit: str
    start: float
    """At the estimate."""
    value: float
    """After the fit."""
    sigma: float | None
    """Standard deviation; null where it was not trained or the data leave it open."""
    prior: float | None
    """Width of its Gaussian; null where it has none of its own."""
    at_bound: bool
    """Whether it ended at the bound of what makes physical sense."""
    trained: bool
    """Whether it changes in the fit."""
    determined: bool | None
    """Whether sigma is at most the value itself, 20° for an angle, half of a harmonic constant; null where it was not
    trained or is at a bound."""


@dataclass(frozen=True)
class Frequency:
    """A mode of the reference and the mode of the model that matches it."""

    qm: float
    """Signed frequency of the reference, after the policy for transition states [cm⁻¹]."""
    mm: float
    """Signed frequency of the model [cm⁻¹]."""
    overlap: float
    """Square of the scalar product of the two modes."""
    start: float
    """Signed frequency [cm⁻¹] of the mode that matches at the estimate."""


@dataclass(frozen=True)
class Strain:
    """How far the rows of a force field fight each other: what stretches and bends hold where the forces balance."""

    energy: float
    """Of all stretches and bends [kcal/mol]."""
    relaxed: bool
    """Whether at the structure that the force field relaxes to, or else at the reference."""
    row: str | None
    """The row that holds most of it."""
    most: float
    """What that holds [kcal/mol]."""


@dataclass(frozen=True)
class MoleculeResult:
    """A molecule; the metrics after the fit stand among its own keys."""

    name: str
    atoms: int
    """How many it has."""
    final: Metrics
    """After the fit; there is no key of this name."""
    weight: float
    """How often it counts."""
    start: Metrics
    strain: Strain
    reaction_mode: int | None
    """Place in `frequencies` of the reaction mode of a transition state, which metrics leave out."""
    frequencies: list[Frequency]
    turns: list[Turn] = field(default_factory=list)
    """Bonds about which torsions deviate by 5° or more in the relaxed structure, worst first."""
    pieces_a: float | None = None
    """Root mean square deviation of the relaxed structure, superposed, of a complex of several pieces [Å]."""


@dataclass(frozen=True)
class ScanPoint:
    """A point of a relaxed scan."""

    molecule: str
    angles: list[float]
    """Of the dihedrals [degrees]."""
    qm: float
    """Energy of the reference above its lowest point [kcal/mol]."""
    start: float | None
    """Of the model at the estimate, moved so that its mean deviation from the reference is zero [kcal/mol]."""
    mm: float | None
    """The same after the fit."""


@dataclass(frozen=True)
class ScanResult:
    """A relaxed scan among the references: a torsion profile, or a map of two."""

    name: str
    dihedrals: list[list[int]]
    """Atoms of the dihedrals that vary, counted from 1."""
    relaxed: bool
    """Whether the energies of the model are those of structures that it relaxes to, or of the reference's."""
    points: list[ScanPoint]


@dataclass(frozen=True)
class RowDeviation:
    """How the bonds, or angles, of a row deviate from the reference where the molecules relax to."""

    row: str
    """Its name."""
    kind: str
    """`stretch` or `bend`."""
    unit: str
    """Å or °."""
    interactions: int
    """How many of the molecules' interactions it covers."""
    mean: float
    """Of the deviations, model minus reference."""
    rmsd: float
    """Root mean square of the deviations."""
    trained: bool
    """Whether a parameter of the row changes in the fit."""
    pattern: str
    """What trains the row: an entry of `[forcefield] train`."""

    @property
    def square(self) -> float:
        """Sum of the squared deviations."""
        return self.interactions * self.rmsd**2


@dataclass(frozen=True)
class RowGeometry:
    """The reference value of a row of stretches or bends beside the lengths or angles that the references have."""

    row: str
    """Its name."""
    kind: str
    """`stretch` or `bend`."""
    unit: str
    """Å or °."""
    interactions: int
    """How many of the molecules' interactions it covers."""
    reference: float
    """The force field's."""
    mean: float
    """Of the interactions in the references."""
    minimum: float
    maximum: float
    trained: bool
    """Whether a parameter of the row changes in the fit."""

    @property
    def drift(self) -> float:
        """Reference value minus mean."""
        return self.reference - self.mean

    @property
    def spread(self) -> float:
        """Between the smallest and the largest."""
        return self.maximum - self.minimum


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
    """Combinations that the data do not determine; the first of them where they are many."""
    correlation_threshold: float
    n_correlated: int
    """Pairs of variables whose correlation exceeds the threshold."""
    correlated: list[Correlation]
    """These pairs; the first of them where they are many."""


@dataclass(frozen=True)
class Opposition:
    """How the gradients of the targets, and of the prior, lie to each other at the end."""

    targets: list[str]
    gradient_norms: list[float]
    cosines: list[list[float]]
    """-1: what lowers one target raises the other."""


@dataclass(frozen=True)
class Sensitivity:
    """What a step in one parameter alone does to the cost, where a simplex chose its parameters by that."""

    name: str
    first: float
    """Derivative of the cost by the parameter in its prior width."""
    second: float
    ratio: float | None
    """d2/d1²: the lower, the more sensitive; null where there is no slope."""
    chosen: int
    """Cycles in which the simplex was in it."""


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
    """Of all molecules together that are fitted to."""
    left_out: Change | None
    """Of all molecules of weight zero together, which are not fitted to; null where there is none."""
    targets: list[TargetResult]
    parameters: list[ParameterResult]
    molecules: list[MoleculeResult]
    scans: list[ScanResult]
    row_deviations: list[RowDeviation]
    """Largest first by kind; empty where nothing was relaxed."""
    row_geometry: list[RowGeometry]
    identifiability: Identifiability
    sensitivities: list[Sensitivity]
    """Most sensitive first, as last determined; empty unless the solver chose parameters by them."""
    opposition: Opposition | None
    """Null for a single target."""
    trade_off: list[TradeOffResult] | None
    """Null unless `--trade-off` asks for it."""
    validation: ValidationResult | None
    """Null unless `--validate` asks for it."""
    skipped: list[Skipped]
    warnings: list[str]
    """In plain words."""
    not_for: list[str]
    """What the force field is not for, whatever its figures."""
    citations: list[str]
    """What to cite: the program, the methods that the fit used, and what the references say of theirs."""
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
