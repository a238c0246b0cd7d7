"""What a validation finds out about a student, in internal units."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Errors:
    """How far values of the student are from those of the teacher."""

    n: int
    mae: float
    rmse: float
    largest: float

    @staticmethod
    def of(deviations: Float[np.ndarray, "*values"]) -> "Errors":
        """Return what some deviations amount to."""
        if not deviations.size:
            return Errors(0, np.nan, np.nan, np.nan)
        off = np.abs(deviations)
        return Errors(off.size, float(off.mean()), float(np.sqrt(np.mean(off**2))), float(off.max()))


@dataclass(frozen=True, eq=False)
class Quantity:
    """How one kind of label is reproduced."""

    total: Errors
    by_molecule: dict[str, Errors]
    by_element: dict[str, Errors]
    by_size: dict[str, Errors]
    """By the length of the teacher's force on the atom."""
    reference: Float[np.ndarray, " values"]
    student: Float[np.ndarray, " values"]


@dataclass(frozen=True)
class Offset:
    """The mean difference of energies for one composition, which relative energies do not see."""

    composition: str
    n: int
    offset: float
    """kcal/mol"""


@dataclass(frozen=True)
class Angles:
    """Angles between forces of teacher and student on one atom."""

    n: int
    smallest: float
    """kcal/mol/Å; weaker forces of the teacher are left out."""
    mean: float
    """Degrees."""
    median: float
    highest: float
    """Of 95 in 100 the highest."""


@dataclass(frozen=True, eq=False)
class Accuracy:
    """What labels say."""

    n: int
    """Records."""
    energy: Quantity
    """kcal/mol of a molecule, each composition less its offset."""
    per_atom: Errors
    """kcal/mol"""
    absolute: Errors
    """kcal/mol of a molecule, offsets left in."""
    offsets: tuple[Offset, ...]
    force: Quantity
    """Components [kcal/mol/Å]."""
    angles: Angles
    product: Quantity | None
    """Components along directions of the length of one for each coordinate [kcal/mol/Å²]."""
    stress: Quantity | None = None
    """Components [kcal/mol/Å³]."""


@dataclass(frozen=True)
class Committee:
    """How the spread of several students tells their error, in components of forces [kcal/mol/Å]."""

    n: int
    spread: float
    """Root mean square of the standard deviations among the students."""
    rmse: float
    """Of their mean."""
    factor: float
    """What standard deviations are multiplied by, from half of the records."""
    within: float
    """Share of errors of the other half within one standard deviation; 0.68 where errors are normal."""
    within_two: float
    correlation: float
    """Of the ranks of spread and error, by atom."""
    bins: tuple[tuple[float, float], ...]
    """Root mean squares of calibrated spread and of error, from small spreads to large ones."""


@dataclass(frozen=True, eq=False)
class Minimum:
    """The minimum of the student near that of the teacher."""

    name: str
    problem: str = ""
    """Why there is none, in words."""
    rmsd: float = np.nan
    """Å after superposition."""
    bond: float = np.nan
    """Å; the largest change of the length of a bond."""
    reference: Float[np.ndarray, " modes"] = field(default_factory=lambda: np.zeros(0))
    """cm⁻¹ of the teacher; none where it is not at hand."""
    student: Float[np.ndarray, " own"] = field(default_factory=lambda: np.zeros(0))
    """cm⁻¹, matched by overlap where there are those of the teacher."""

    @property
    def errors(self) -> Errors:
        """Of the frequencies."""
        return Errors.of(self.student - self.reference if len(self.reference) else np.zeros(0))


@dataclass(frozen=True, eq=False)
class BondScan:
    """A bond from short to long, the rest rigid."""

    molecule: str
    bond: str
    lengths: Float[np.ndarray, " points"]
    """Å"""
    student: Float[np.ndarray, " points"]
    """kcal/mol above the student's minimum."""
    reference: Float[np.ndarray, " points"]
    """kcal/mol above the teacher's lowest point of the scan; NaN where it is not at hand."""
    kink: float
    """Largest share of the range of slopes that one is off what its neighbours say."""
    turns: tuple[float, ...]
    """Å; lengths at which the energy turns over: a bond that is pressed or torn must cost ever more."""

    @property
    def smooth(self) -> bool:
        """Whether there is no kink."""
        return self.kink < KINK

    @property
    def sound(self) -> bool:
        """Whether the bond holds: it costs energy both ways, all the way."""
        return not self.turns


KINK = 0.02
"""Share of the range of slopes."""


@dataclass(frozen=True)
class Drift:
    """Dynamics at constant energy."""

    molecule: str
    asked: float
    """ps"""
    ps: float
    """How long it went."""
    drift: float
    """kcal/mol for each atom and ps."""
    fluctuation: float
    """kcal/mol for each atom, root mean square about the line."""
    problem: str = ""


@dataclass(frozen=True)
class Stability:
    """Dynamics with a thermostat."""

    molecule: str
    temperature: float
    """K"""
    ps: float
    """How long each replica was to go."""
    stable: float
    """ps until the first of them broke."""
    n: int
    """Replicas."""
    problem: str = ""

    @property
    def whole(self) -> bool:
        """Whether none broke."""
        return not self.problem


@dataclass(frozen=True, eq=False)
class Distribution:
    """A distribution in dynamics of teacher and student."""

    molecule: str
    name: str
    unit: str
    """Å or °."""
    temperature: float
    """K"""
    places: Float[np.ndarray, " bins"]
    """Middles of the bins."""
    reference: Float[np.ndarray, " bins"]
    """Shares of the bins."""
    student: Float[np.ndarray, " bins"]
    overlap: float
    """Of teacher and student: 1 where equal, 0 where apart."""
    attainable: float
    """Overlap of the first half of the teacher's structures with the second."""


@dataclass(frozen=True)
class Speed:
    """Energy and forces of one structure after another, measured in turn."""

    molecule: str
    n_atoms: int
    teacher_ms: float
    """NaN where it is not at hand."""
    student_ms: float

    @property
    def factor(self) -> float:
        """How many times faster the student is."""
        return self.teacher_ms / self.student_ms


@dataclass(frozen=True)
class Criterion:
    """A threshold, and what was found."""

    key: str
    """As in the TOML file."""
    meaning: str
    limit: float
    value: float
    """NaN where it could not be found out."""
    unit: str
    upwards: bool = False
    """Whether the value must reach the limit, and not stay below it."""

    @property
    def met(self) -> bool:
        """Whether the value is known and keeps the limit."""
        return self.value >= self.limit if self.upwards else self.value <= self.limit


@dataclass(frozen=True)
class Round:
    """A round of active learning: structures that students came to and disagreed about, labelled and learned."""

    number: int
    """0 is the training before the first."""
    added: int
    """Structures."""
    failures: tuple[tuple[str, str], ...]
    """Molecules with structures that have no label, and why."""
    training: int
    """Structures that were learned from."""
    before: float
    """Mean error of forces on what was added, of the students before they learned it [kcal/mol/Å]; NaN of nothing."""
    energy: float
    """Mean error of energies by atom on the test set afterwards [kcal/mol]; NaN without one."""
    force: float
    """Mean error of force components on the test set afterwards [kcal/mol/Å]; NaN without one."""

    @classmethod
    def of(cls, told: dict[str, Any]) -> "Round":
        """Return a round as the results of a run have it."""
        test, before = told["test"] or {}, told["before"] or {}
        return cls(
            number=told["round"],
            added=told["added"],
            failures=tuple((one["molecule"], one["reason"]) for one in told["failures"]),
            training=told["training"],
            before=before.get("force_mae", np.nan),
            energy=test.get("energy_mae_per_atom", np.nan),
            force=test.get("force_mae", np.nan),
        )


@dataclass(frozen=True, eq=False)
class Findings:
    """All of it."""

    student: str
    n_members: int
    data: str
    part: str
    """Which records were looked at."""
    teacher: str
    """Its name; empty where the data set does not say."""
    teacher_runs: bool
    """Whether it was run here."""
    accuracy: Accuracy
    committee: Committee | None
    minima: tuple[Minimum, ...]
    scans: tuple[BondScan, ...]
    drifts: tuple[Drift, ...]
    stabilities: tuple[Stability, ...]
    distributions: tuple[Distribution, ...]
    speeds: tuple[Speed, ...]
    criteria: tuple[Criterion, ...]
    notes: tuple[str, ...]
    """What was not done, and what else must be known, as sentences."""
    provenance: tuple[tuple[str, str], ...]
    rounds: tuple[Round, ...] = ()

    @property
    def accepted(self) -> bool:
        """Whether all thresholds are met."""
        return all(one.met for one in self.criteria)

    @property
    def verdict(self) -> str:
        """What it comes to, as a sentence."""
        unmet = [one.key for one in self.criteria if not one.met]
        n = len(self.criteria)
        if not unmet:
            return f"Accepted: all {n} thresholds are met."
        return f"Not accepted: {len(unmet)} of {n} thresholds not met ({', '.join(unmet)})."
