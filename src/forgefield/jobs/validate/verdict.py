"""What a student must reach, and whether it does."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np

from forgefield import units
from forgefield.report.student.findings import Criterion, Findings

_MEV = 0.001 * units.ELECTRONVOLT


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """What is asked of a student; None is not asked."""

    energy: float | None = None
    """meV for each atom."""
    force: float | None = None
    """meV/Å"""
    product: float | None = None
    """kcal/mol/Å²"""
    stress: float | None = None
    """meV/Å³"""
    angle: float | None = None
    """Degrees."""
    rmsd: float | None = None
    """Å"""
    frequency: float | None = None
    """cm⁻¹"""
    kinks: int | None = None
    hills: int | None = None
    drift: float | None = None
    """meV for each atom and ps."""
    stability: float | None = None
    """Share of the time asked for."""
    overlap: float | None = None
    """Share of what two halves of the teacher's dynamics reach."""
    speed_up: float | None = None

    @property
    def any(self) -> bool:
        """Whether something is asked."""
        return any(getattr(self, one.name) is not None for one in fields(self))


USUAL = Thresholds(energy=1.0, force=43.0, kinks=0, drift=0.1, stability=1.0)
"""Where nothing is asked: forces within 1 kcal/mol/Å, and dynamics that last."""
USUAL_IN_CELLS = Thresholds(energy=1.0, force=43.0)
"""Where nothing is asked and no structure is a molecule."""


@dataclass(frozen=True)
class _Asked:
    """How a threshold is told and found."""

    meaning: str
    unit: str
    value: Callable[[Findings], float]
    upwards: bool = False


_ASKED = {
    "energy": _Asked("mean error of relative energies by atom", "meV", lambda f: f.accuracy.per_atom.mae / _MEV),
    "force": _Asked("mean error of force components", "meV/Å", lambda f: f.accuracy.force.total.mae / _MEV),
    "product": _Asked(
        "mean error of Hessian products",
        "kcal/mol/Å²",
        lambda f: np.nan if f.accuracy.product is None else f.accuracy.product.total.mae,
    ),
    "stress": _Asked(
        "mean error of stress components",
        "meV/Å³",
        lambda f: np.nan if f.accuracy.stress is None else f.accuracy.stress.total.mae / _MEV,
    ),
    "angle": _Asked("mean angle between forces", "°", lambda f: f.accuracy.angles.mean),
    "rmsd": _Asked("largest deviation of a minimum", "Å", lambda f: _worst([one.rmsd for one in f.minima])),
    "frequency": _Asked(
        "largest mean error of a molecule's frequencies",
        "cm⁻¹",
        lambda f: _worst([one.errors.mae for one in f.minima]),
    ),
    "kinks": _Asked("bonds whose scan has a kink", "", lambda f: _count([not one.smooth for one in f.scans])),
    "hills": _Asked("bonds whose scan goes over a hill", "", lambda f: _count([not one.sound for one in f.scans])),
    "drift": _Asked(
        "largest drift of the energy by atom and ps",
        "meV",
        lambda f: _worst([abs(one.drift) / _MEV for one in f.drifts]),
    ),
    "stability": _Asked(
        "least share of the time that dynamics last",
        "",
        lambda f: -_worst([-one.stable / one.ps for one in f.stabilities]),
        upwards=True,
    ),
    "overlap": _Asked(
        "least overlap of a distribution, as a share of what is attainable",
        "",
        lambda f: -_worst([-one.overlap / one.attainable for one in f.distributions]),
        upwards=True,
    ),
    "speed_up": _Asked(
        "least factor by which the student is faster",
        "",
        lambda f: -_worst([-one.factor for one in f.speeds]),
        upwards=True,
    ),
}


def criteria(found: Findings, thresholds: Thresholds) -> tuple[Criterion, ...]:
    """Return each threshold that is asked with what was found; a value that is not known is NaN, and meets none."""
    return tuple(
        Criterion(key, asked.meaning, float(limit), float(asked.value(found)), asked.unit, asked.upwards)
        for key, asked in _ASKED.items()
        if (limit := getattr(thresholds, key)) is not None
    )


def _worst(values: list[float]) -> float:
    """Return the largest value; NaN where one is not known, or none is there."""
    return float(np.max(values)) if values else np.nan


def _count(faults: list[bool]) -> float:
    return float(sum(faults)) if faults else np.nan
