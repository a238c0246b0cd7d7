"""The schema of FIT.toml: strings, paths and units as users write them."""

from functools import cache
from typing import Annotated, Any, Literal, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    create_model,
    field_validator,
    model_validator,
)

from forgefield.toml.synonyms import meant

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
    "stretch_stretch_13",
    "bend_torsion_bend",
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

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class TieSection(Section):
    """follower = factor · leader + offset, in internal units; names as `fit --check` lists them."""

    follower: str
    """The parameter that does not vary of its own."""
    leader: str
    """The one that it follows."""
    factor: Real = 1.0
    """What the leader is multiplied by."""
    offset: Real = 0.0
    """What is added, in the unit of the follower."""


class ForceFieldSection(Section):
    """Where the force field comes from, what is trained and in which formats it is written."""

    start: str | tuple[str, ...] = "environments"
    """`environments`: types made from the molecules, by the surroundings of their atoms; or the path of a .fld, of a
    .json or .frcmod that a fit wrote, or of its folder, or of a topology (.prmtop, .top), whose values are kept unless
    an estimate is asked for; or parameters by types or SMARTS (.dat, .frcmod, .offxml), several as a list of which the
    last goes first. `estimate = "none"` keeps the force constants of other files too."""
    form: Literal["mm3", "harmonic", "opls"] = "mm3"
    """Of the energy of a generated force field: of stretches and bends, and with `opls` of torsions, V1 to V4, and of
    pairs, whose radii combine as geometric means and whose energies are halved three bonds apart, charges' too."""
    nonbonded: Literal["none", "uff"] = "none"
    """Van der Waals terms of a generated force field: none, or those of UFF, with smaller polar hydrogens."""
    charges: Literal["none", "bonds"] = "none"
    """Whether atoms of a generated force field have charges, which follow from what each kind of bond moves."""
    estimate: Literal["qfuerza", "fuerza", "seminario", "modified-seminario", "linear", "approximation", "none"] = (
        "qfuerza"
    )
    """How force constants are read off the Hessians before the fit."""
    terms: tuple[TermName, ...] = ("stretch", "bend", "torsion", "out_of_plane")
    """Kinds of interaction of a generated force field; torsions have V1 to V3, as torsion6 V1 to V6."""
    depth: Whole | None = Field(default=None, ge=0, le=4)
    """How far an atom's environment reaches, in bonds, when types are made from the molecules; by default 1, and 2 or 3
    where bonds or angles of one row would differ by 0.03 Å or 10° that further neighbours tell apart."""
    train: tuple[str, ...] | None = None
    """Patterns of the rows that change: of rows or their types (`torsion c3-os-*-*`), `smarts:` with the atoms of an
    interaction, `atoms:` with their names; by default all of a generated force field, none of another."""
    split: tuple[str, ...] = ()
    """Patterns of the interactions of a topology that get rows of their own, as `train` has them."""
    freeze: tuple[str, ...] = ()
    """Patterns (with * and ?) of the parameters that do not change, by the names that `fit --check` lists."""
    ties: tuple[TieSection, ...] = ()
    """Parameters that follow others."""
    allow_negative: tuple[str, ...] = ()
    """Patterns of the parameters that keep no bounds."""
    hessian_scale: Real = Field(default=1.0, gt=0.0)
    """Factor on the reference Hessians."""
    write: tuple[str, ...] | None = None
    """Formats of the result beside the native one, of `fld`, `frcmod`, `openmm-xml`; by default all of these that can
    hold the form. Of one molecule alone also `openmm-system`, which holds any form, `prmtop`, `gromacs`, `lammps` and
    `tinker`, with its geometry, `charmm` and `offxml`; of a topology all of these but `fld`, of an MM3* file `fld` and
    `openmm-system`."""

    @field_validator("terms")
    @classmethod
    def _one_series(cls, terms: tuple[TermName, ...]) -> tuple[TermName, ...]:
        if {"torsion", "torsion6"} <= {*terms}:
            raise ValueError("torsion (V1 to V3) and torsion6 (V1 to V6) exclude each other; name one of them")
        return terms


class BandSection(Section):
    """Modes whose reference frequency lies in [lowest, highest) cm⁻¹ count `weight` times."""

    lowest: Edge = float("-inf")
    """Lower end of the band [cm⁻¹]; imaginary frequencies are negative."""
    highest: Edge = float("inf")
    """Upper end [cm⁻¹], which is outside of the band."""
    weight: Real = Field(ge=0.0)
    """How often a mode of the band counts."""

    @model_validator(mode="after")
    def _some_room(self) -> "BandSection":
        if not self.lowest < self.highest:
            raise ValueError(f"lowest = {self.lowest:g} is not below highest = {self.highest:g}")
        return self


class MoleculesSection(Section):
    """Structures and their references, paired in sorted order."""

    structures: str | tuple[str, ...] | None = None
    """Files with the bonds and types; by default the reference's own geometry, bonds perceived."""
    reference: str | tuple[str, ...]
    """QM results: a file or a pattern, or several that are merged, such as a Gaussian log and its fchk."""
    hessian_unit: str | None = None
    """Of Hessians in .npy files, where it is not `hartree/bohr^2`: `kcal/mol/Å^2`, `eV/Å^2` and the like."""
    trust: bool = False
    """Whether results that contradict their job, such as a Hessian its frequencies, are warnings instead of errors."""
    transition_state: Policy | None = None
    """What is done to the negative eigenvalue of a transition state; `none`: the Hessian is used as it is."""
    eigenvalue: Real | None = None
    """What replaces the negative eigenvalue under C and D+ [Hartree/Bohr²/amu]."""
    group: str = "all"
    """Relative energies are compared within a group; where none is stated, molecules with the same bonds
    are one, and each relaxed scan is one of its own."""
    pieces: Whole = Field(default=1, ge=1)
    """Of how many molecules, not bonded to each other, each structure may consist."""
    weight: Real = Field(default=1.0, ge=0.0)
    """How often each of these molecules counts in the mean of a target; 0: judged, but not fitted to."""
    reaction_mode_weight: Real | None = Field(default=None, ge=0.0)
    """How often the reaction mode of a transition state counts among the modes of its molecule; where nothing is said,
    not at all with an eigenvalue that the policy put in (C, D+), and once with its own."""
    mode_weights: tuple[BandSection, ...] = ()
    """How often modes count by their frequency; weights of bands that overlap multiply."""


class Target(Section):
    """A deviation of `tolerance` counts as one."""

    tolerance: Real = Field(gt=0.0)
    """The deviation that counts as one, in the unit of the target."""
    weight: Real = Field(default=1.0, gt=0.0)
    """What the mean of the squared deviations is multiplied by in the cost."""


class CurvatureTarget(Target):
    """Of the Hessian at the reference geometries, or at the structures that the force field relaxes to."""

    at: Literal["reference", "relaxed"] = "reference"
    """Of which structures."""


class EigenmatrixTarget(CurvatureTarget):
    """Diagonal with its tolerance [cm⁻¹]; `off_diagonal` is a second target."""

    off_diagonal: Real | None = Field(default=None, gt=0.0)
    """Tolerance of the elements off the diagonal [cm⁻¹]; by default these are not fitted to."""


class RelaxedTarget(Target):
    """Its tolerance is in Å or degrees."""

    at: Literal["relaxed"] = "relaxed"
    """Of which structures: there is no other choice."""


class EnergyTarget(Target):
    """Relative energies, of the reference geometries or of the structures that the force field relaxes to."""

    at: Literal["reference", "relaxed"] = "reference"
    """Of which structures."""


class ChargesTarget(Target):
    """Atomic charges; the tolerance is in e."""

    kind: str | None = None
    """Which of the charges in the files; by default the first of esp, cm5, hirshfeld, npa, mulliken that all have."""


class TargetsSection(Section):
    """What the force field should reproduce; at least one of them."""

    def entry(self, key: str) -> Target | None:
        """Return what the file says of a target; None where it does not ask for it."""
        return getattr(self, key, None)


class PriorSection(Section):
    """Widths of the Gaussians about the start; k is relative, theta0 in degrees, v in kcal/mol."""

    strength: Real = Field(default=0.01, ge=0.0)
    """What the mean of the squares is multiplied by in the cost; 0: no prior."""
    k: Real = Field(default=0.5, gt=0.0)
    """Width of a force constant, as a share of its value at the start; at least 0.1 mdyn/Å."""
    r0: Real = Field(default=0.03, gt=0.0)
    """Width of a reference length [Å]."""
    theta0: Real = Field(default=5.0, gt=0.0)
    """Width of a reference angle [degrees]."""
    v: Real = Field(default=1.0, gt=0.0)
    """Width of a torsion's constant [kcal/mol]."""


SolverName = Literal[
    "lm",
    "trf",
    "lbfgsb",
    "lbfgsb-fd",
    "trust-constr",
    "nelder-mead",
    "powell",
    "adam",
    "adam-cosine",
    "adagrad",
    "sgd",
    "grad-simp",
    "basin-hopping",
    "cma-es",
]
EngineName = Literal[
    "forgefield",
    "openmm",
    "openmm-cpu",
    "openmm-cuda",
    "openmm-opencl",
    "jax-md",
    "lammps",
    "sander",
    "tinker",
]
ALL = "multi:"
"""Before the name of a solver in a chain: from all starts."""


class FitSection(Section):
    """How the minimum is looked for."""

    solver: str = "lm"
    """`lm`, our own bounded Levenberg-Marquardt, or another of the page on solvers, or a chain: `multi:adam -> lm`."""
    engine: EngineName = "forgefield"
    """What evaluates the force field: ForgeField, or another program with a solver that needs no residuals."""
    starts: Whole = Field(default=1, ge=1, le=100_000)
    """Number of starts: the estimate, and points about it."""
    max_steps: Whole | None = Field(default=None, ge=1)
    """Steps after which a start ends without having converged; by default what suits the solver: 200 of lm."""
    tolerance: Real = Field(default=1e-9, gt=0.0)
    """A start has converged when a full step promises to lower the cost by less than this share of it."""
    seed: Whole = 0
    """Of the further starts, and of the samples of `--validate`."""
    spread: Real = Field(default=1.0, gt=0.0)
    """Standard deviation of the further starts about the estimate, in prior widths."""
    on_error: Literal["stop", "skip"] = "stop"
    """What is done about a molecule that cannot be read, assigned or evaluated: skip leaves it out and lists it."""
    prior: PriorSection = PriorSection()
    """What keeps parameters near the start."""

    @field_validator("solver")
    @classmethod
    def _known_solver(cls, solver: str) -> str:
        known = get_args(SolverName)
        wrong = [name for _, name in stages_of(solver) if name not in known]
        if wrong:
            near = meant(wrong[0], known, nearness=0.5)
            hint = f'; did you mean "{near}"?' if near else ""
            listed = ", ".join(f'"{name}"' for name in known)
            raise ValueError(f'must be one of {listed}, or a chain of them such as "multi:adam -> lm"{hint}')
        return solver


def stages_of(solver: str) -> list[tuple[bool, str]]:
    """Return the solvers of a chain by name, and whether each is said to go on from all starts."""
    stages = [stage.strip() for stage in solver.replace("→", "->").split("->")]
    return [(stage.startswith(ALL), stage.removeprefix(ALL).strip()) for stage in stages]


class FitFile(Section):
    """A whole FIT.toml."""

    forcefield: ForceFieldSection = ForceFieldSection()
    molecules: tuple[MoleculesSection, ...] = Field(min_length=1)
    """The data: a table for each set of files that is treated alike."""
    targets: TargetsSection
    fit: FitSection = FitSection()

    @field_validator("targets")
    @classmethod
    def _some_target(cls, targets: TargetsSection) -> TargetsSection:
        if not targets.model_dump(exclude_none=True):
            raise ValueError(f"name at least one of: {', '.join(type(targets).model_fields)}")
        return targets


@cache
def fit_file(targets: tuple[tuple[str, type[Target], str], ...]) -> type[FitFile]:
    """Return the schema of a FIT.toml with these targets: the key of each, what its table may hold, what it means."""
    fields: dict[str, Any] = {
        key: (section | None, Field(default=None, description=says)) for key, section, says in targets
    }
    known = create_model("TargetsSection", __base__=TargetsSection, __doc__=TargetsSection.__doc__, **fields)
    return create_model("FitFile", __base__=FitFile, __doc__=FitFile.__doc__, targets=(known, ...))
