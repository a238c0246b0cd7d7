"""Everything that a fit does, as values: made of a FIT.toml, or by a program."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from forgefield import units
from forgefield.assign.explicit.rules import AbstractStatedRules
from forgefield.assign.mm3.rules import Mm3Rules
from forgefield.assign.typed_rules import TypedRules
from forgefield.engines.programs.program import AbstractProgram
from forgefield.errors import ForgeFieldError
from forgefield.estimating.seminario import Method, Qfuerza
from forgefield.estimating.transition_state import Policy
from forgefield.fitting.data.training_set import Weights
from forgefield.fitting.solve.levenberg_marquardt import LevenbergMarquardt
from forgefield.fitting.solve.solver import AbstractSolver
from forgefield.fitting.targets.charges import Charges
from forgefield.fitting.targets.target import AbstractTarget
from forgefield.io.formats import Format
from forgefield.io.structures.atom_types import AtomTypes
from forgefield.models.trainable import Tie
from forgefield.report.results import Skipped
from forgefield.terms.term import Term

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


@dataclass(frozen=True)
class Generated:
    """A force field whose types are made from the molecules: stretches and bends first, others borrow from them."""

    terms: tuple[Term, ...]
    depth: int | None = None
    """How far an atom's environment reaches, in bonds; None: as far as tells geometries apart."""
    van_der_waals: Term | None = None
    charging: Term | None = None
    """What gives atoms charges."""


@dataclass(frozen=True)
class Linear:
    """An estimate of all constants that Hessians are linear in, together."""


@dataclass(frozen=True)
class Kept:
    """No estimate: the force constants are those that the force field has."""


Estimate = Method | Linear | Kept


@dataclass(frozen=True)
class Changing:
    """Which parameters of a force field change; patterns hold * and ?."""

    train: tuple[str, ...] | None = None
    """Rows; None: all of a generated force field but for van der Waals."""
    freeze: tuple[str, ...] = ()
    """Parameters."""
    allow_negative: tuple[str, ...] = ()
    """Parameters that keep no bounds."""
    ties: tuple[Tie, ...] = ()


@dataclass(frozen=True)
class Widths:
    """Strength and widths of the Gaussians about the start."""

    strength: float = 0.01
    k: float = 0.5
    """Of force constants, as a share of them."""
    r0: float = 0.03
    """Å"""
    theta0: float = 5.0 * units.DEGREE
    """rad"""
    v: float = 1.0
    """kcal/mol, of torsions."""


@dataclass(frozen=True)
class MoleculeFiles:
    """Files of structures and references that are treated alike."""

    references: tuple[tuple[Path, ...], ...]
    """Columns whose rows are merged."""
    structures: tuple[Path, ...] | None = None
    """None: the references' own geometries, with bonds perceived."""
    policy: Policy | None = None
    """What is done to negative eigenvalues; None: they are errors."""
    weights: Weights = field(default_factory=Weights)
    group: str | None = None
    """Within which energies are compared; None: each relaxed scan is one, the rest another."""
    pieces: int = 1
    """Of how many molecules each structure may consist."""
    hessian_unit: float | None = None
    """Of Hessians whose format states none [kcal/mol/Å²]; None: Hartree/Bohr²."""
    trust: bool = False
    """Whether results that contradict their job are warnings instead of errors."""

    @property
    def all(self) -> tuple[Path, ...]:
        """Every file."""
        return (*(self.structures or ()), *(path for column in self.references for path in column))

    def rows(self) -> list["MoleculeFiles"]:
        """Return the files of each structure; all files where it cannot be told which belong together."""
        lists = (*self.references, *(() if self.structures is None else (self.structures,)))
        if len({len(files) for files in lists}) > 1:
            return [self]
        return [self._of([k]) for k in range(len(self.references[0]))]

    def _of(self, rows: list[int]) -> "MoleculeFiles":
        structures = None if self.structures is None else tuple(self.structures[k] for k in rows)
        return replace(
            self, structures=structures, references=tuple(tuple(column[k] for k in rows) for column in self.references)
        )

    def without(self, rows: list["MoleculeFiles"]) -> "MoleculeFiles":
        """Return what is left without some of its `rows`; all of them where these are all that there are."""
        return self._of([k for k, row in enumerate(self.rows()) if row not in rows])

    def left_out(self, error: ForgeFieldError) -> Skipped:
        """Return the files as a structure that cannot be used."""
        first = (self.structures or self.references[0])[0]
        return Skipped(first.stem, ", ".join(map(str, self.all)), str(error))


@dataclass(frozen=True, eq=False)
class Plan:
    """What is fitted to what, how, and what is written."""

    molecules: tuple[MoleculeFiles, ...]
    targets: tuple[AbstractTarget, ...]
    start: Generated | TypedRules | Mm3Rules | AbstractStatedRules
    """Where the force field comes from: it is made from the molecules, or laid over them."""
    estimate: Estimate = field(default_factory=Qfuerza)
    """How force constants are read off Hessians before the fit."""
    changing: Changing = Changing()
    prior: Widths = Widths()
    solver: AbstractSolver = field(default_factory=LevenbergMarquardt)
    engine: AbstractProgram | None = None
    """The program whose energies the cost is made of; None: ForgeField itself."""
    starts: int = 1
    """Number of starts: the estimate, and points about it."""
    seed: int = 0
    """Of the further starts, and of the samples of a validation."""
    spread: float = 1.0
    """Standard deviation of the further starts about the estimate, in prior widths."""
    hessian_scale: float = 1.0
    charges: str | None = None
    """Which kind of the references' charges is used; None: the first that all have."""
    skips: bool = False
    """Whether molecules that cannot be used are left out and listed; otherwise they are errors."""
    formats: tuple[Format, ...] = ()
    """In which the result is written, beside the native file."""
    all_formats: bool = True
    """Whether it is an error where one of these cannot hold the force field; otherwise it is a warning."""
    atom_types: AtomTypes | None = None
    """What numbers of types in Maestro files stand for; None: as `read_structures` has it."""
    name: str = "fit"
    text: str = ""
    """The FIT.toml that it was made of, of which a copy stands beside the results."""
    sources: Mapping[Path, bytes] = field(default_factory=dict)
    """SHA-256 of the files that it was made of."""

    @property
    def charged(self) -> bool:
        """Whether a generated force field gives atoms charges."""
        return isinstance(self.start, Generated) and self.start.charging is not None

    @property
    def engine_name(self) -> str:
        """What evaluates the force field, by its name in files."""
        return "forgefield" if self.engine is None else self.engine.name

    @property
    def compares_charges(self) -> bool:
        """Whether atomic charges are fitted to."""
        return any(isinstance(target, Charges) for target in self.targets)

    @property
    def identity(self) -> str:
        """Return words that differ where plans do; those of files count by their `sources`."""
        return self.text or _ADDRESS.sub("", repr(self))
