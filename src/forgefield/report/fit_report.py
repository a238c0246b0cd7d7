"""The report of a fit: one self-contained page."""

from dataclasses import dataclass
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from forgefield.report import content, figures, statistics, trade_off
from forgefield.report.record import FitRecord
from forgefield.report.structures import rows_table, structures_section

_FEW_MODES = 40
"""Tables of modes are open on a page that has no more of them."""


@dataclass(frozen=True)
class Plots:
    """Figures of a report, which notebooks show side by side."""

    figures: tuple[figures.Figure, ...]

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
            f"<div class='forgefield-plots' style='display: flex; flex-wrap: wrap; gap: 1rem'>"
            f"<style>.forgefield-plots {{ {_style_of_figures()} }}</style>{shown}</div>"
        )


def _style_of_figures() -> str:
    """Return what the styles of the report say of drawings, and the colours that they name."""
    style = _style()
    colours = style[style.index("{") + 1 : style.index("}")]
    return " ".join([colours, *(line for line in style.splitlines() if line.startswith("svg "))])


def fit_report(record: FitRecord) -> str:
    """Return the HTML page that tells what was fitted, how it ended and how good the result is."""
    results = record.results
    molecules = results["molecules"]
    parameters = results["parameters"]
    trained = [p for p in parameters if p["trained"]]
    kept = [p for p in parameters if not p["trained"]]
    modes = [(content.modes_table(m), figures.modes_figure(m)) for m in molecules]
    return _template().render(
        style=Markup(_style()),
        record=record,
        success=results["fit"]["success"],
        verdict=content.verdict(record),
        ending=content.ending(record),
        warnings=results["warnings"],
        metrics=content.metrics_table(results),
        each=content.molecules_table(results),
        strain=content.strain_table(molecules),
        shapes=content.row_geometry_table(results["row_geometry"]),
        not_for=results["not_for"],
        modes=[(m["name"], table, figure) for m, (table, figure) in zip(molecules, modes, strict=True) if table],
        without_modes=[m["name"] for m, (table, _) in zip(molecules, modes, strict=True) if table is None],
        open_modes=sum(table.n_rows for table, _ in modes if table) <= _FEW_MODES,
        reaction_modes=content.reaction_modes_table(molecules),
        parities=parity_plots(record).figures,
        targets=content.targets_table(results["targets"]),
        cost=figures.cost_figure(record.costs),
        contributions=content.contributions_table(record.contributions),
        contributions_figure=figures.contributions_figure(record.contributions),
        opposition=trade_off.opposition_table(results),
        gradients=trade_off.gradients_table(results),
        trade_offs=trade_off.trade_off_sections(results),
        optima=content.optima_table(record),
        coverage=content.coverage_table(record),
        structures=structures_section(record.structures),
        rows=rows_table(results),
        trained=content.parameters_table(trained, "Trained parameters"),
        kept=content.parameters_table(kept, "Parameters kept at their starting values"),
        types=content.types_table(record.types),
        identifiability=statistics.identifiability_tables(results),
        validation=results.get("validation"),
        validated=statistics.validation_tables(results),
        jackknife=statistics.jackknife_table(results),
        provenance=content.provenance_rows(results["provenance"]),
    )


def _style() -> str:
    return resources.files("forgefield.report").joinpath("fit_report.css").read_text(encoding="utf-8")


def parity_plots(record: FitRecord) -> Plots:
    """Return a figure of reference against model for each target that has finite values."""
    return Plots(tuple(figure for figure in map(figures.parity_figure, record.parities) if figure))


def _template():
    # Undefined names are errors: a page must not lose a section in silence.
    environment = Environment(
        loader=PackageLoader("forgefield", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["drawn"] = Markup
    return environment.get_template("fit_report.html")
