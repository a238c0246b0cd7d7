"""The TOML file that says what a student must reach."""

from pathlib import Path

from pydantic import Field

from forgefield.config import Real, Section, Whole
from forgefield.errors import InputError
from forgefield.jobs.validate.verdict import Thresholds
from forgefield.toml.read import read_toml


class ThresholdsSection(Section):
    """What must be reached; a key that is left out is not asked for."""

    energy: Real | None = Field(default=None, gt=0.0)
    """Mean error of energies for each atom, those of each composition from a common zero [meV]."""
    force: Real | None = Field(default=None, gt=0.0)
    """Mean error of the components of forces [meV/Å]."""
    product: Real | None = Field(default=None, gt=0.0)
    """Mean error of Hessian products along directions of the length of one for each coordinate [kcal/mol/Å²]."""
    stress: Real | None = Field(default=None, gt=0.0)
    """Mean error of the components of the stresses of periodic systems [meV/Å³]."""
    angle: Real | None = Field(default=None, gt=0.0)
    """Mean angle between forces of teacher and student, in degrees."""
    rmsd: Real | None = Field(default=None, gt=0.0)
    """Largest deviation of a minimum from the teacher's [Å]."""
    frequency: Real | None = Field(default=None, gt=0.0)
    """Largest mean error of the frequencies of a molecule, in cm⁻¹."""
    kinks: Whole | None = Field(default=None, ge=0)
    """How many bonds may have a kink between 0.7 and 1.5 times their length."""
    hills: Whole | None = Field(default=None, ge=0)
    """How many bonds may go over a hill there."""
    drift: Real | None = Field(default=None, gt=0.0)
    """Largest drift of the energy for each atom and ps, in meV."""
    stability: Real | None = Field(default=None, gt=0.0, le=1.0)
    """Least share of the time that dynamics last at every temperature."""
    overlap: Real | None = Field(default=None, gt=0.0, le=1.0)
    """Least overlap of a distribution of distances or torsions, as a share of what is attainable."""
    speed_up: Real | None = Field(default=None, gt=0.0)
    """Least factor by which the student is faster than the teacher."""


class ThresholdsFile(Section):
    """A whole file."""

    thresholds: ThresholdsSection


def read_thresholds(path: Path) -> Thresholds:
    """Return what a file asks for. Raises InputError that lists everything wrong with it."""
    found = thresholds_of(read_toml(path, ThresholdsFile).thresholds)
    if not found.any:
        raise InputError(f"{path}: [thresholds] asks for nothing")
    return found


def thresholds_of(said: ThresholdsSection) -> Thresholds:
    """Return what a table asks for."""
    return Thresholds(**said.model_dump())
