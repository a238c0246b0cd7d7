"""The report of a validation: one self-contained page."""

from markupsafe import Markup

from forgefield.report.fit_report import style, template
from forgefield.report.scripts import scripts
from forgefield.report.student import student_figures as figures
from forgefield.report.student import student_tables as tables
from forgefield.report.student.findings import Findings


def student_report(found: Findings) -> str:
    """Return the HTML page that tells how good a student is."""
    spectra = [figures.frequencies_figure(one) for one in found.minima]
    return template("student_report.html").render(
        style=Markup(style()),
        scripts=scripts(draws=False),
        kind="validation of a student",
        title=found.student,
        success=found.accepted,
        verdict=found.verdict,
        ending=f"Data set {found.data}: {found.part}."
        + ("" if found.teacher_runs else " The teacher was not run here."),
        provenance=found.provenance,
        notes=found.notes,
        criteria=tables.criteria_table(found),
        rounds=tables.rounds_table(found.rounds),
        errors=tables.errors_table(found),
        parities=figures.parities(found),
        divided=[
            one
            for one in (tables.energy_table(found), tables.force_table(found), tables.product_table(found))
            if one is not None
        ],
        offsets=tables.offsets_table(found),
        committee=tables.committee_table(found),
        calibration=figures.committee_figure(found.committee),
        minima=tables.minima_table(found),
        spectra=[one for one in spectra if one is not None],
        scans=tables.scans_table(found),
        scanned=figures.worst_scans(found),
        dynamics=tables.dynamics_table(found),
        distributions=tables.distributions_table(found),
        distributed=[figures.distribution_figure(one) for one in found.distributions],
        speed=tables.speed_table(found),
    )
