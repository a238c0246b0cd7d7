"""The report of a comparison: one self-contained page."""

from typing import Any

from markupsafe import Markup

from forgefield.report.bench.bench_tables import bench_table, extent, failed_table, notes, verdict
from forgefield.report.bench.pareto import pareto_figure
from forgefield.report.bench.results import Bench
from forgefield.report.fit_report import style, template
from forgefield.report.scripts import scripts


def bench_report(bench: Bench) -> str:
    """Return the HTML page that shows how solvers and engines compare."""
    return template("bench_report.html").render(
        style=Markup(style()),
        scripts=scripts(draws=False),
        kind="comparison of solvers and engines",
        title=bench.title,
        success=bool(bench.done) and not bench.waiting,
        verdict=verdict(bench),
        ending=extent(bench),
        table=bench_table(bench),
        notes=notes(bench),
        failed=failed_table(bench),
        figure=pareto_figure(bench),
        provenance=_provenance(bench.machine, bench),
    )


def _provenance(machine: dict[str, Any], bench: Bench) -> list[tuple[str, str]]:
    return [
        ("Processor", f"{machine['processor']}, {machine['cores']} core(s)"),
        ("Vectors", f"{machine['vector_bits']} bits"),
        *([("Flags of XLA", machine["xla_flags"])] if machine["xla_flags"] else []),
        ("ForgeField", bench.version),
        ("Input SHA-256", bench.input_sha256),
    ]
