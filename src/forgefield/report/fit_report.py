"""The report of a fit: one self-contained page."""

from dataclasses import dataclass
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup, escape

from forgefield.report import content, quality, statistics, trade_off
from forgefield.report.figures.cost import contributions_figure, cost_figure
from forgefield.report.figures.figure import Figure
from forgefield.report.figures.modes import modes_figure, spectrum_figure
from forgefield.report.figures.parity import parity_figure
from forgefield.report.figures.profiles import scan_figures
from forgefield.report.folding import kinds, short
from forgefield.report.record import FitRecord
from forgefield.report.scripts import scripts
from forgefield.report.structures import rows_table, shown_structures
from forgefield.report.usage import uses
from forgefield.table import Table

_FEW_MODES = 40
"""Tables of modes are open on a page that has no more of them."""
_FEW_ROWS = 60
"""Tables of parameters likewise."""


@dataclass(frozen=True)
class Plots:
    """Figures of a report, which notebooks show side by side."""

    figures: tuple[Figure, ...]

    def __repr__(self) -> str:
        return f"Plots of {', '.join(figure.title for figure in self.figures) or 'nothing'}"

    def _repr_html_(self) -> str:
        shown = "".join(
            f"<figure style='width: 22rem; margin: 0'><b>{escape(one.title)}</b>{one.svg}"
            f"<figcaption>{escape(one.caption)}</figcaption></figure>"
            for one in self.figures
        )
        # A page of another's has styles of its own, which those of the report must not touch.
        return (
            f"<div class='forgefield-plots' style='display: flex; flex-wrap: wrap; gap: 1rem; "
            f"padding: 1rem; color: var(--ink); background: var(--ground)'>"
            f"<style>.forgefield-plots {{ {_style_of_figures()} }}</style>{shown}</div>"
        )


def _style_of_figures() -> str:
    """Return what the styles of the report say of drawings, and the colours that they name."""
    whole = style()
    colours = whole[whole.index("{") + 1 : whole.index("}")]
    return " ".join([colours, *(line for line in whole.splitlines() if line.startswith("svg "))])


@dataclass(frozen=True)
class _Molecule:
    """What the page shows of the modes of a molecule."""

    name: str
    left_out: bool
    spectrum: Figure | None
    deviations: Figure | None
    table: Table


def fit_report(record: FitRecord) -> str:
    """Return the HTML page that tells what was fitted, how it ended and how good the result is."""
    results = record.results
    molecules, parameters = results["molecules"], results["parameters"]
    trained = [p for p in parameters if p["trained"]]
    kept = [p for p in parameters if not p["trained"]]
    modes = _modes(record)
    structures = shown_structures(record.structures, record.vibrations, molecules)
    return template("fit_report.html").render(
        style=Markup(style()),
        scripts=scripts(draws=bool(structures)),
        kind="report of a fit",
        title=record.title,
        record=record,
        success=results["fit"]["success"],
        verdict=content.verdict(record),
        ending=content.ending(record),
        warnings=kinds(results["warnings"]),
        n_warnings=len(results["warnings"]),
        metrics=quality.metrics_table(results),
        each=quality.molecules_table(results),
        strain=content.strain_table(molecules),
        shapes=content.row_geometry_table(results["row_geometry"]),
        not_for=results["not_for"],
        scans=[figure for scan in results["scans"] for figure in scan_figures(scan)],
        relaxed_scans=any(scan["relaxed"] for scan in results["scans"]),
        modes=modes,
        without_modes=[m["name"] for m in molecules if not m["frequencies"]],
        open_modes=sum(one.table.n_rows for one in modes) <= _FEW_MODES,
        reaction_modes=content.reaction_modes_table(molecules),
        parities=[figure for figure in map(parity_figure, record.parities) if figure],
        left_out=any(not parity.fitted.all() for parity in record.parities),
        targets=quality.targets_table(results["targets"]),
        cost=cost_figure(record.costs, record.costs_of_estimate),
        contributions=content.contributions_table(record.contributions),
        contributions_figure=contributions_figure(record.contributions),
        opposition=trade_off.opposition_table(results),
        gradients=trade_off.gradients_table(results),
        trade_offs=trade_off.trade_off_sections(results),
        optima=content.optima_table(record),
        coverage=content.coverage_table(record),
        structures=structures,
        drawings=[shown.drawing | {"name": shown.name} for shown in structures],
        rows=rows_table(results),
        trained=content.parameters_table(trained, "Trained parameters"),
        kept=content.parameters_table(kept, "Parameters kept at their starting values"),
        few_rows=_FEW_ROWS,
        types=content.types_table(record.types),
        identifiability=statistics.identifiability_tables(results),
        validation=results.get("validation"),
        validated=statistics.validation_tables(results),
        jackknife=statistics.jackknife_table(results),
        uses=uses(record.files, record.structure, alone=record.structure_is_alone),
        citations=results["citations"],
        provenance=content.provenance_rows(results["provenance"]),
    )


def _modes(record: FitRecord) -> list[_Molecule]:
    """Return the molecules that have modes besides a reaction mode."""
    targets = record.results["targets"]
    allowed = quality.tolerance_of("frequencies", targets) or quality.tolerance_of("eigenmatrix", targets) or 0.0
    tables = [(m, content.modes_table(m)) for m in record.results["molecules"]]
    return [
        _Molecule(m["name"], m["weight"] == 0.0, spectrum_figure(m), modes_figure(m, allowed), table)
        for m, table in tables
        if table
    ]


def style() -> str:
    """Return the style sheet of all reports."""
    return resources.files("forgefield.report").joinpath("fit_report.css").read_text(encoding="utf-8")


def plots(record: FitRecord) -> Plots:
    """Return torsion profiles, and a figure of reference against model for each target that has finite values."""
    profiles = [figure for scan in record.results["scans"] for figure in scan_figures(scan)]
    return Plots((*profiles, *(figure for figure in map(parity_figure, record.parities) if figure)))


def template(name: str) -> Template:
    """Return the template of a page."""
    # Undefined names are errors: a page must not lose a section in silence.
    environment = Environment(
        loader=PackageLoader("forgefield", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["drawn"] = Markup
    environment.filters["short"] = short
    return environment.get_template(name)
