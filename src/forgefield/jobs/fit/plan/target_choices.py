"""What the keys of [targets] stand for: one row a target."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from forgefield.config import (
    ChargesTarget,
    CurvatureTarget,
    EigenmatrixTarget,
    EnergyTarget,
    FitFile,
    RelaxedTarget,
    Target,
    TargetsSection,
    fit_file,
)
from forgefield.fitting.targets.charges import Charges
from forgefield.fitting.targets.fixed import Diagonal, Energies, Forces, Frequencies, HessianElements, OffDiagonal
from forgefield.fitting.targets.relaxed import AtomPositions, AtRelaxed, BondAngles, BondLengths, Torsions
from forgefield.fitting.targets.target import AbstractTarget
from forgefield.toml.read import read_toml

_APART = 0.5
"""Tolerance of the off-diagonal elements that frequencies bring along, as a share of their own: with more, modes of the
model mix until they lie at the right places on average."""


@dataclass(frozen=True)
class Choice:
    """What a key of [targets] stands for."""

    usual: Target
    """Its table where nobody says otherwise; others hold the same keys."""
    says: str
    """What it means, with its unit in brackets."""
    make: Callable[[Any], list[AbstractTarget]]
    """Makes the targets of its table."""

    @property
    def section(self) -> type[Target]:
        """What may stand in its table."""
        return type(self.usual)


def _plain(kind: Callable[[float, float], AbstractTarget]) -> Callable[[Target], list[AbstractTarget]]:
    """Return the maker of a target that has no choice of structures."""
    return lambda entry: [kind(entry.tolerance, entry.weight)]


def _either(kind: Callable[[float, float], AbstractTarget]) -> Callable[[Any], list[AbstractTarget]]:
    """Return the maker of a target at the reference geometries or at relaxed structures."""
    return lambda entry: [_where(entry, kind(entry.tolerance, entry.weight))]


def _eigenmatrix(entry: EigenmatrixTarget) -> list[AbstractTarget]:
    diagonal = _where(entry, Diagonal(entry.tolerance, entry.weight))
    if entry.off_diagonal is None:
        return [diagonal]
    return [diagonal, _where(entry, OffDiagonal(entry.off_diagonal, entry.weight))]


def _frequencies(entry: CurvatureTarget) -> list[AbstractTarget]:
    """Return frequencies, and what keeps modes from mixing until frequencies are right."""
    apart = OffDiagonal(_APART * entry.tolerance, entry.weight)
    targets = Frequencies(entry.tolerance, entry.weight), apart
    return [_where(entry, target) for target in targets]


def _where(entry: CurvatureTarget | EnergyTarget, target: AbstractTarget) -> AbstractTarget:
    return AtRelaxed(target) if entry.at == "relaxed" else target


TARGETS: dict[str, Choice] = {
    "eigenmatrix": Choice(
        EigenmatrixTarget(tolerance=20.0, off_diagonal=15.0),
        "Diagonal of the Hessian in the modes of the reference, as deviations of frequencies [cm⁻¹].",
        _eigenmatrix,
    ),
    "frequencies": Choice(
        CurvatureTarget(tolerance=20.0),
        "Signed frequencies, by where the modes of the reference lie, and how these mix [cm⁻¹].",
        _frequencies,
    ),
    "hessian": Choice(
        CurvatureTarget(tolerance=10.0),
        "Elements of the Cartesian Hessian [kcal/mol/Å²].",
        _either(HessianElements),
    ),
    "forces": Choice(
        Target(tolerance=1.0),
        "Components of the forces on the atoms at the reference geometries [kcal/mol/Å].",
        _plain(Forces),
    ),
    "charges": Choice(
        ChargesTarget(tolerance=0.02),
        "Atomic charges [e].",
        _plain(Charges),
    ),
    "energy": Choice(
        EnergyTarget(tolerance=0.5),
        "Energies relative to the mean of their group [kcal/mol].",
        _either(Energies),
    ),
    "bond_length": Choice(
        RelaxedTarget(tolerance=0.01),
        "Lengths of bonds [Å].",
        _plain(BondLengths),
    ),
    "bond_angle": Choice(
        RelaxedTarget(tolerance=1.0),
        "Angles between bonds [degrees].",
        _plain(BondAngles),
    ),
    "torsion": Choice(
        RelaxedTarget(tolerance=3.0),
        "Dihedral angles, the shorter way round [degrees].",
        _plain(Torsions),
    ),
    "positions": Choice(
        RelaxedTarget(tolerance=0.05),
        "Positions of the atoms after superposition on the reference [Å].",
        _plain(AtomPositions),
    ),
}
"""In the order of the cost."""


def schema() -> type[FitFile]:
    """Return the schema of FIT.toml with all targets."""
    return fit_file(tuple((key, choice.section, choice.says) for key, choice in TARGETS.items()))


def read_fit_file(path: Path) -> FitFile:
    """Return a validated FIT.toml. Raises InputError that lists everything wrong with it."""
    return read_toml(path, schema())


def targets(section: TargetsSection) -> tuple[AbstractTarget, ...]:
    """Return the targets of a file in the order of the cost."""
    asked = [(choice, entry) for key, choice in TARGETS.items() if (entry := section.entry(key)) is not None]
    made = [target for choice, entry in asked for target in choice.make(entry)]
    # Of two that are the same, the first tells the tolerance.
    first = {target.name: target for target in reversed(made)}
    return tuple(target for target in made if first[target.name] is target)
