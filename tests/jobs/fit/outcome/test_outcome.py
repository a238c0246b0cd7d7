"""What a fit returns: names, units, tables, and a force field that can be written elsewhere."""

import json
from dataclasses import replace

import pytest

import forgefield as ff
from certain import instance
from forgefield.assign.mm3.rules import Mm3Rules
from samples import BONDED, CH3F, fit_toml

FIT = fit_toml(CH3F, forcefield=BONDED, fit="max_steps = 3")


@pytest.fixture(scope="module")
def fitted(project):
    """The outcome of a short fit, and its folder."""
    path = project(FIT)
    return ff.fit(path, path.parent / "run"), path.parent / "run"


def test_outcome_says_in_one_line_how_the_fit_ended(fitted):
    outcome, _ = fitted
    final = outcome.record.results["metrics"]["final"]["frequency_rmsd_cm1"]

    assert not outcome.success
    assert repr(outcome).startswith("Outcome(not converged, 3 iterations, cost ")
    assert f"frequency RMSD 178.6 → {final:.1f} cm⁻¹, {len(outcome.warnings)} warnings)" in repr(outcome)
    assert "\n" not in repr(outcome)
    assert repr(replace(outcome, interrupted=True)).startswith("Outcome(interrupted, ")


def test_parameters_and_frequencies_are_those_of_the_results(fitted):
    outcome, folder = fitted
    results = json.loads((folder / "results.json").read_text())
    told = results["molecules"][0]["frequencies"]

    assert {p.name: (p.value, p.unit) for p in outcome.parameters} == {
        p["name"]: (p["value"], p["unit"]) for p in results["parameters"]
    }
    found = [(f.molecule, f.mode, f.reference, f.model) for f in outcome.frequencies]
    assert found == [("ch3f", k + 1, one["qm"], one["mm"]) for k, one in enumerate(told)]
    assert not any(f.is_reaction_mode for f in outcome.frequencies)


def test_metrics_have_the_names_of_the_results_and_units(fitted):
    outcome, _ = fitted
    (metric,) = (m for m in outcome.metrics if m.name == "frequency_rmsd_cm1")

    assert metric.unit == "cm⁻¹"
    assert metric.final < metric.start
    assert outcome._repr_html_().startswith(
        '<table><caption style="text-align: left">The fit did not succeed: it did not converge'
    )


def test_tables_print_what_they_hold(fitted):
    outcome, _ = fitted
    last = outcome.frequencies[-1]

    line = str(outcome.frequencies).splitlines()[-1].split()
    assert line == [str(last.mode), f"{last.reference:.1f}", f"{last.model:.1f}", f"{last.overlap:.2f}"]
    assert "harmonic stretch, kcal/mol/Å²" in str(outcome.parameters)
    assert "cm⁻¹" in outcome.frequencies._repr_html_()


@pytest.mark.parametrize("suffix", ["json", "xml", "frcmod"])
def test_force_field_of_a_fit_is_written_anywhere_as_in_its_folder(fitted, tmp_path, suffix):
    outcome, folder = fitted
    path = tmp_path / f"x.{suffix}"

    ff.write(path, outcome)

    # The head says by which name the file is loaded.
    assert path.read_text() == (folder / f"forcefield.{suffix}").read_text().replace("forcefield.xml", "x.xml")
    with pytest.raises(ff.InputError, match="--overwrite"):
        ff.write(path, outcome)


def made(folder, reference):
    """Write an MM3* file from a reference and return its path."""
    ff.write(folder / "made.fld", ff.estimate(reference))
    return folder / "made.fld"


def test_force_field_of_an_mm3_fit_is_written_as_its_file(fitted, tmp_path):
    outcome, folder = fitted
    of_mm3 = replace(outcome, force_field=ff.load(made(tmp_path, folder.parent / "ch3f.json")))

    ff.write(tmp_path / "x.fld", of_mm3)

    assert (tmp_path / "x.fld").read_bytes() == (tmp_path / "made.fld").read_bytes()
    ff.write(tmp_path / "x.json", of_mm3)
    assert _lines(ff.load(tmp_path / "x.json")) == _lines(of_mm3.force_field)
    with pytest.raises(ff.InputError, match=r"written as \.json or \.fld or \.system\.xml, not '\.xml'"):
        ff.write(tmp_path / "x.xml", of_mm3)


def test_a_format_that_cannot_hold_the_form_is_refused(fitted, tmp_path):
    with pytest.raises(ff.InputError, match=r"cannot hold the form harmonic, only \.json, \.frcmod, \.xml"):
        ff.write(tmp_path / "x.fld", fitted[0])


def test_no_input_of_a_fit_is_written_over(fitted, tmp_path):
    outcome, folder = fitted
    reference = folder.parent / "ch3f.json"
    of_mm3 = replace(outcome, force_field=ff.load(made(tmp_path, reference)))
    before = reference.read_bytes()

    for each in (outcome, of_mm3):
        with pytest.raises(ff.InputError, match="would be written over"):
            ff.write(reference, each, overwrite=True)

    assert reference.read_bytes() == before


def _lines(rules):
    return instance(Mm3Rules, rules).file.lines
