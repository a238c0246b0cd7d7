"""What a fit returns: its force field, and what came of it as tables with names and units."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from forgefield.assign.assignment import Assignment
from forgefield.assign.rules import AbstractRules
from forgefield.jobs.fit.run.passes import Passed
from forgefield.molecules.molecule import Molecule
from forgefield.report.content import parameters_table, verdict
from forgefield.report.fit_report import Plots, plots
from forgefield.report.numerals import UNKNOWN, fixed, plural, significant
from forgefield.report.quality import METRICS, metrics_table
from forgefield.report.record import FitRecord
from forgefield.report.results import ParameterResult
from forgefield.table import AbstractTabled, Column, Group, Records, Table


@dataclass(frozen=True)
class Metric:
    """How well the force field does by one measure, for all molecules together; None where it does not apply."""

    name: str
    """As results.json has it."""
    label: str
    unit: str
    start: float | None
    """At the estimate that the fit started from."""
    final: float | None


@dataclass(frozen=True)
class ComparedFrequency:
    """A mode of a molecule's reference beside that of the fitted force field which matches it."""

    molecule: str
    mode: int
    """From 1, in ascending order of the reference's frequencies."""
    reference: float
    """cm⁻¹, imaginary ones negative, after the policy for transition states."""
    model: float
    """cm⁻¹"""
    overlap: float
    """Square of the scalar product of the two modes."""
    is_reaction_mode: bool
    """Whether metrics leave it out."""


@dataclass(frozen=True, eq=False, repr=False)
class Outcome(AbstractTabled):
    """A finished fit: every pass, and what was written about the last."""

    passes: list[Passed]
    record: FitRecord
    values: Float[np.ndarray, " values"]
    force_field: AbstractRules
    """What was fitted, to be laid over any molecules; over those of the fit alone where no .fld could hold it."""
    assignment: Assignment
    """The force field laid over the molecules of the fit."""
    molecules: list[Molecule]
    """These molecules, in the geometry of their references."""
    sources: tuple[Path, ...]
    """Every file that the fit was made from."""
    interrupted: bool = False
    """Whether Ctrl-C came before all that was asked for was done."""

    @property
    def success(self) -> bool:
        """Whether the fit converged, no target ended worse, no row is unphysical, and nothing interrupted it."""
        return self.record.results["fit"]["success"] and not self.interrupted

    @property
    def warnings(self) -> list[str]:
        """What to read before the force field is used."""
        return list(self.record.results["warnings"])

    @property
    def parameters(self) -> Records[ParameterResult]:
        """Every parameter of the force field, in internal units; the table shows angles in degrees."""
        found = self.record.results["parameters"]
        return Records([ParameterResult(**one) for one in found], parameters_table(found, "Parameters"))

    @property
    def frequencies(self) -> Records[ComparedFrequency]:
        """Every mode of every molecule that has a Hessian."""
        found = [
            ComparedFrequency(m["name"], k + 1, f["qm"], f["mm"], f["overlap"], k == m["reaction_mode"])
            for m in self.record.results["molecules"]
            for k, f in enumerate(m["frequencies"])
        ]
        return Records(found, _frequencies_table(found))

    @property
    def metrics(self) -> Records[Metric]:
        """How well the force field does, before and after the fit."""
        both = self.record.results["metrics"]
        found = [
            Metric(name, one.label, one.unit, both["start"].get(name), both["final"].get(name))
            for name, one in METRICS.items()
        ]
        return Records(found, metrics_table(self.record.results))

    def plot(self) -> Plots:
        """Return torsion profiles and figures of reference against model, one a target, which notebooks show."""
        return plots(self.record)

    @property
    def table(self) -> Table:
        """How the fit ended, and its metrics."""
        shown = self.metrics.table
        return Table(verdict(self.record), shown.columns, shown.groups, shown.note)

    def __repr__(self) -> str:
        fit = self.record.results["fit"]
        ended = "interrupted" if self.interrupted else "converged" if fit["converged"] else "not converged"
        ended += "" if fit["success"] or not fit["converged"] else ", but no success"
        said = [ended, plural(fit["iterations"], "iteration"), f"cost {significant(fit['cost'], 4)}"]
        before, after = (self.record.results["metrics"][when]["frequency_rmsd_cm1"] for when in ("start", "final"))
        said += [] if after is None else [f"frequency RMSD {fixed(before, 1)} → {fixed(after, 1)} cm⁻¹"]
        said += [plural(len(self.warnings), "warning")] if self.warnings else []
        return f"Outcome({', '.join(said)})"


def _frequencies_table(frequencies: list[ComparedFrequency]) -> Table:
    """Return modes beside those of the reference, by molecule."""
    columns = (
        Column("mode"),
        Column("QM", "cm⁻¹"),
        Column("MM", "cm⁻¹"),
        Column("overlap"),
        Column("", numeric=False),
    )
    groups = [
        Group(
            name,
            tuple(
                (
                    str(f.mode),
                    fixed(f.reference, 1),
                    fixed(f.model, 1),
                    fixed(f.overlap, 2),
                    "reaction mode" if f.is_reaction_mode else "",
                )
                for f in frequencies
                if f.molecule == name
            ),
        )
        for name in dict.fromkeys(f.molecule for f in frequencies)
    ]
    return Table("Frequencies" if groups else f"Frequencies: {UNKNOWN}", columns, tuple(groups))
