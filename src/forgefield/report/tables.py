"""The summary of a fit for the terminal."""

from rich.console import Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from forgefield.report.content import ending, optima_table, verdict
from forgefield.report.folding import folded
from forgefield.report.quality import metrics_table
from forgefield.report.record import FitRecord
from forgefield.table import Table


def fit_summary(record: FitRecord) -> RenderableType:
    """Return how a fit ended, its metrics, distinct optima, warnings and files, for a `rich` console."""
    style = "bold green" if record.results["fit"]["success"] else "bold red"
    parts: list[RenderableType] = [Text(verdict(record), style), Text(ending(record))]
    validation = record.results.get("validation")
    if validation:
        parts += [Text(validation["verdict"], "bold")]
    for table in (metrics_table(record.results), optima_table(record)):
        parts += [Text(), grid(table.filled), Text()] if table else []
    parts += [_listed("Warning: ", warning, "yellow") for warning in folded(record.results["warnings"], "report.html")]
    parts += [_listed("Not for: ", sentence, "bold") for sentence in record.results["not_for"]]
    parts += [_listed("Written: ", ", ".join(record.files), "bold")] if record.files else []
    return Group(*parts)


def grid(table: Table) -> Grid:
    """Return a table for the terminal. Cells are taken as they are, not as markup."""
    heading = Text(table.title, "bold")
    drawn = Grid(title=heading, title_style="", title_justify="left", box=None, pad_edge=False, header_style="bold")
    for column in table.columns:
        drawn.add_column(Text(column.heading), justify="right" if column.numeric else "left")
    for group in table.groups:
        if group.title:
            drawn.add_row(Text(group.title, "bold"))
        for row in group.rows:
            drawn.add_row(*(Text(cell) for cell in row))
    return drawn


def _listed(label: str, text: str, style: str) -> Text:
    return Text.assemble((label, style), text)
