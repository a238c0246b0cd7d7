"""The summary on the terminal."""

import io

from rich.console import Console

from forgefield.report.tables import fit_summary


def printed(record) -> str:
    told = io.StringIO()
    Console(file=told, width=100).print(fit_summary(record))
    return " ".join(told.getvalue().split())


def test_summary_tells_metrics_warnings_and_files(record):
    text = printed(record)

    assert "The fit succeeded, with 3 warnings" in text
    assert "Frequency RMSD, matched modes 214.4 32.6 cm⁻¹" in text
    assert all(warning in text for warning in record.results["warnings"])
    assert "forcefield.fld, results.json, fit.log" in text


def test_summary_takes_brackets_as_text(record):
    record.results["warnings"] = ["row [bold]7[/bold] is odd"]

    assert "row [bold]7[/bold] is odd" in printed(record)


def test_summary_of_a_failure(bare_record):
    assert printed(bare_record).startswith("The fit did not succeed.")


def test_summary_counts_warnings_of_one_kind(record):
    record.results["warnings"] = [f"molecule{k}: no gradient in the file; zero forces are assumed" for k in range(5)]

    assert "Warning: … and 2 more like the 3 above: see report.html" in printed(record)
