"""The schema of FIT.toml: strings, paths and units as users write them."""

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from forgefield.errors import InputError

Policy = Literal["C", "D", "D+", "E", "none"]
_LARGEST = 1e12
TermName = Literal[
    "stretch",
    "bend",
    "torsion",
    "torsion6",
    "out_of_plane",
    "stretch_bend",
    "stretch_stretch",
    "bend_bend",
    "urey_bradley",
]


def _sane(value: float | int) -> float | int:
    if not abs(value) < _LARGEST:
        raise ValueError(f"must be below {_LARGEST:g}")
    return value


# True is no number, and text is none either.
Real = Annotated[float, Field(strict=True, allow_inf_nan=False), AfterValidator(_sane)]
Edge = Annotated[float, Field(strict=True)]
"""May be infinite."""
Whole = Annotated[int, Field(strict=True), AfterValidator(_sane)]


class Section(BaseModel):
    """A table of the file: unknown keys are errors, values do not change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class TieSection(Section):
    """follower = factor · leader + offset, in internal units; names as `fit --check` lists them."""

    follower: str
    leader: str
    factor: Real = 1.0
    offset: Real = 0.0


class ForceFieldSection(Section):
    """Where the force field comes from, what is trained and in which formats it is written."""

    start: str = "environments"
    form: Literal["mm3", "harmonic"] = "mm3"
    nonbonded: Literal["none", "uff"] = "none"
    charges: Literal["none", "bonds"] = "none"
    """Whether atoms of a generated force field have charges, which follow from what each kind of bond moves."""
    estimate: Literal["qfuerza", "fuerza", "seminario", "modified-seminario", "linear", "approximation", "none"] = (
        "qfuerza"
    )
    terms: tuple[TermName, ...] = ("stretch", "bend", "torsion", "out_of_plane")
    """Kinds of interaction of a generated force field; torsions have V1 to V3, as torsion6 V1 to V6."""
    depth: Whole = Field(default=1, ge=0, le=4)
    """How far an atom's environment reaches, in bonds, when types are made from the molecules."""
    train: tuple[str, ...] | None = None
    """Patterns of the rows that change; None: all of a generated force field."""
    freeze: tuple[str, ...] = ()
    """Patterns (with * and ?) of the parameters that do not change, by the names that `fit --check` lists."""
    ties: tuple[TieSection, ...] = ()
    allow_negative: tuple[str, ...] = ()
    """Patterns of the parameters that keep no bounds."""
    hessian_scale: Real = Field(default=1.0, gt=0.0)
    """Factor on the reference Hessians."""
    write: tuple[Literal["fld", "frcmod", "openmm-xml"], ...] | None = None
    """Formats; None: all that can hold the form."""

    @field_validator("terms")
    @classmethod
    def _one_series(cls, terms: tuple[TermName, ...]) -> tuple[TermName, ...]:
        if {"torsion", "torsion6"} <= {*terms}:
            raise ValueError("torsion (V1 to V3) and torsion6 (V1 to V6) exclude each other; name one of them")
        return terms


class BandSection(Section):
    """Modes whose reference frequency lies in [lowest, highest) cm⁻¹ count `weight` times."""

    lowest: Edge = float("-inf")
    highest: Edge = float("inf")
    weight: Real = Field(ge=0.0)

    @model_validator(mode="after")
    def _some_room(self) -> "BandSection":
        if not self.lowest < self.highest:
            raise ValueError(f"lowest = {self.lowest:g} is not below highest = {self.highest:g}")
        return self


class MoleculesSection(Section):
    """Structures and their references, paired in sorted order."""

    structures: str | tuple[str, ...] | None = None
    """Files with the bonds and types; None: the reference's own geometry, bonds perceived."""
    reference: str | tuple[str, ...]
    transition_state: Policy | None = None
    eigenvalue: Real | None = None
    """Replaces the negative eigenvalue under C and D+ [Hartree/Bohr²/amu]."""
    group: str = "all"
    """Relative energies are compared within a group; where none is stated, each relaxed scan is one of its own."""
    pieces: Whole = Field(default=1, ge=1)
    """Of how many molecules, not bonded to each other, each structure may consist."""
    weight: Real = Field(default=1.0, ge=0.0)
    """How often each of these molecules counts in the mean of a target; 0: judged, but not fitted to."""
    reaction_mode_weight: Real = Field(default=1.0, ge=0.0)
    """How often the reaction mode of a transition state counts among the modes of its molecule."""
    mode_weights: tuple[BandSection, ...] = ()
    """How often modes count by their frequency; weights of bands that overlap multiply."""


class Target(Section):
    """A deviation of `tolerance` counts as one."""

    tolerance: Real = Field(gt=0.0)
    weight: Real = Field(default=1.0, gt=0.0)


class CurvatureTarget(Target):
    """Of the Hessian at the reference geometries, or at the structures that the force field relaxes to."""

    at: Literal["reference", "relaxed"] = "reference"


class EigenmatrixTarget(CurvatureTarget):
    """Diagonal with its tolerance [cm⁻¹]; `off_diagonal` is a second target."""

    off_diagonal: Real | None = Field(default=None, gt=0.0)


class RelaxedTarget(Target):
    """Its tolerance is in Å or degrees."""

    at: Literal["relaxed"] = "relaxed"


class EnergyTarget(Target):
    """Relative energies, of the reference geometries or of the structures that the force field relaxes to."""

    at: Literal["reference", "relaxed"] = "reference"


class ChargesTarget(Target):
    """Atomic charges; the tolerance is in e."""

    kind: str | None = None
    """Which of the charges in the files; None: the first of esp, cm5, hirshfeld, npa, mulliken that all have."""


class TargetsSection(Section):
    """What the force field should reproduce."""

    eigenmatrix: EigenmatrixTarget | None = None
    frequencies: CurvatureTarget | None = None
    hessian: CurvatureTarget | None = None
    charges: ChargesTarget | None = None
    forces: Target | None = None
    energy: EnergyTarget | None = None
    bond_length: RelaxedTarget | None = None
    """Å"""
    bond_angle: RelaxedTarget | None = None
    """degrees"""
    torsion: RelaxedTarget | None = None
    """degrees, the shorter way round"""
    positions: RelaxedTarget | None = None
    """Å, after superposition on the reference"""

    @property
    def curvatures(self) -> tuple[CurvatureTarget, ...]:
        """Those of the Hessian."""
        return tuple(t for t in (self.eigenmatrix, self.frequencies, self.hessian) if t is not None)

    @property
    def geometry(self) -> tuple[RelaxedTarget, ...]:
        """Those of the relaxed structures themselves."""
        asked = self.bond_length, self.bond_angle, self.torsion, self.positions
        return tuple(t for t in asked if t is not None)


class PriorSection(Section):
    """Widths of the Gaussians about the start; k is relative, theta0 in degrees, v in kcal/mol."""

    strength: Real = Field(default=0.01, ge=0.0)
    k: Real = Field(default=0.5, gt=0.0)
    r0: Real = Field(default=0.03, gt=0.0)
    theta0: Real = Field(default=5.0, gt=0.0)
    v: Real = Field(default=1.0, gt=0.0)


class FitSection(Section):
    """How the minimum is looked for."""

    solver: Literal["lm", "trf"] = "lm"
    starts: Whole = Field(default=1, ge=1, le=100_000)
    max_steps: Whole = Field(default=200, ge=1)
    tolerance: Real = Field(default=1e-9, gt=0.0)
    seed: Whole = 0
    spread: Real = Field(default=1.0, gt=0.0)
    """Standard deviation of the further starts about the estimate, in prior widths."""
    on_error: Literal["stop", "skip"] = "stop"
    """What is done about a molecule that cannot be read, assigned or evaluated: skip leaves it out and lists it."""
    prior: PriorSection = PriorSection()


class FitFile(Section):
    """A whole FIT.toml."""

    forcefield: ForceFieldSection = ForceFieldSection()
    molecules: tuple[MoleculesSection, ...] = Field(min_length=1)
    targets: TargetsSection
    fit: FitSection = FitSection()

    @field_validator("targets")
    @classmethod
    def _some_target(cls, targets: TargetsSection) -> TargetsSection:
        if not targets.model_dump(exclude_none=True):
            raise ValueError(f"name at least one of: {', '.join(TargetsSection.model_fields)}")
        return targets


def read_fit_file(path: Path) -> FitFile:
    """Return a validated FIT.toml. Raises InputError that lists everything wrong with it."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such file")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    # Of numbers with thousands of digits and of deep nesting the parser says so in errors of its own.
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: not valid TOML: {error}") from error
    try:
        return FitFile.model_validate(content)
    except ValidationError as error:
        raise InputError("\n".join(f"{path}: {_sentence(e)}" for e in error.errors())) from error


def _sentence(error) -> str:
    """Say in one sentence what pydantic found wrong."""
    where = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        known = _known_keys(error["loc"][:-1])
        near = get_close_matches(str(error["loc"][-1]), known, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known keys here: {', '.join(known)}"
        return f"unknown key {where!r}; {hint}"
    if error["type"] == "missing":
        return f"{where!r} is missing"
    return f"{where}: {error['msg']} (got {error['input']!r})"


def _known_keys(location: tuple) -> list[str]:
    """Return the keys that the table at this place of the file may have."""
    sections: dict[str, type[Section]] = {
        "": FitFile,
        "forcefield": ForceFieldSection,
        "forcefield.ties": TieSection,
        "molecules": MoleculesSection,
        "molecules.mode_weights": BandSection,
        "targets": TargetsSection,
        "targets.eigenmatrix": EigenmatrixTarget,
        "targets.frequencies": CurvatureTarget,
        "targets.hessian": CurvatureTarget,
        "targets.charges": ChargesTarget,
        "targets.energy": EnergyTarget,
        "targets.bond_length": RelaxedTarget,
        "targets.bond_angle": RelaxedTarget,
        "targets.torsion": RelaxedTarget,
        "targets.positions": RelaxedTarget,
        "fit": FitSection,
        "fit.prior": PriorSection,
    }
    name = ".".join(part for part in location if isinstance(part, str))
    return list(sections.get(name, Target).model_fields)
