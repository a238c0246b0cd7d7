"""`forgefield fit` and `ff.fit` on QM results, without any settings."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import forgefield as ff
from forgefield.jobs.fit.plan.asked import asked
from forgefield.jobs.fit.plan.fit_toml import read_plan

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("molecules")
    shutil.copy(EXAMPLES / "ch3f/ch3f.json", path)
    (path / "empty.xyz").write_text("1\ncharge=0 multiplicity=2\nH 0 0 0\n")
    return path


@pytest.fixture(scope="module")
def done(forgefield, folder):
    return forgefield("fit", folder / "ch3f.json", "--json")


def test_file_alone_gives_a_physical_force_field_and_settings_to_edit(done, folder):
    results = json.loads(done.stdout)

    assert done.exit_code == 0
    assert results["fit"]["success"]
    before, after = (results["metrics"][when]["frequency_rmsd_cm1"] for when in ("start", "final"))
    assert after < 40.0 < before
    angles = [np.degrees(p["value"]) for p in results["parameters"] if p["name"].endswith("theta0")]
    assert all(105.0 < angle < 115.0 for angle in angles)
    names = {path.name for path in (folder / "ch3f").iterdir()}
    assert any(p["term"] == "stretch_bend" and p["value"] != 0.0 for p in results["parameters"])
    held = {"forcefield.json", "forcefield.fld", "forcefield.xml"}
    assert {"FIT.toml", "results.json", "report.html", *held} <= names
    assert f"forgefield fit {folder / 'ch3f/FIT.toml'}" in " ".join(done.stderr.split())


def test_settings_that_were_written_give_the_same_fit(forgefield, done, folder):
    again = forgefield("fit", folder / "ch3f/FIT.toml", "--json")

    first, second = (json.loads(one.stdout)["parameters"] for one in (done, again))
    assert (folder / "ch3f/FIT/report.html").is_file()
    assert [p["name"] for p in second] == [p["name"] for p in first]
    np.testing.assert_allclose([p["value"] for p in second], [p["value"] for p in first], rtol=1e-6)


def test_fit_that_is_there_is_resumed_or_overwritten_but_not_replaced_unasked(forgefield, done, folder):
    unasked = forgefield("fit", folder / "ch3f.json")
    resumed = forgefield("fit", folder / "ch3f.json", "--resume")

    assert done.exit_code == 0
    assert unasked.exit_code == 2
    assert "there already; name another output" in " ".join(unasked.stderr.split())
    assert resumed.exit_code == 0


def test_check_writes_nothing(forgefield, folder, tmp_path):
    shutil.copy(folder / "ch3f.json", tmp_path)

    result = forgefield("fit", tmp_path / "ch3f.json", "--check")

    assert result.exit_code == 0
    assert "eigenmatrix off-diagonal" in result.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["ch3f.json"]


def test_check_says_that_the_reaction_mode_of_a_transition_state_does_not_count(forgefield):
    result = forgefield("fit", EXAMPLES / "sn2/saddle.json", "--check")

    said = " ".join(result.stdout.split())
    assert 'transition_state "C": the negative eigenvalue (-463.8 cm⁻¹) was replaced' in said
    assert "Its mode is not fitted to (reaction_mode_weight = 0)." in said


def test_wrong_files_are_one_message(forgefield, folder):
    result = forgefield("fit", folder / "empty.xyz", folder / "ch3f.json")

    assert result.exit_code == 2
    assert result.stderr.count("forgefield:") == 1
    assert "a geometry without energy, forces or Hessian" in " ".join(result.stderr.split())


def test_python_takes_files_settings_and_plans(folder, tmp_path):
    outcomes = [
        ff.fit(folder / "ch3f.json", tmp_path / "one"),
        ff.fit([str(folder / "ch3f.json")], str(tmp_path / "list"), starts=1),
        ff.fit(tmp_path / "one/FIT.toml"),
        ff.fit(read_plan(tmp_path / "one/FIT.toml"), tmp_path / "plan"),
    ]

    for one in outcomes[1:]:
        np.testing.assert_allclose(one.values, outcomes[0].values, rtol=1e-6)
    assert (tmp_path / "one/FIT/results.json").is_file()


def test_folder_of_a_plan_is_its_name(folder, tmp_path, monkeypatch):
    plan, _ = asked([folder / "ch3f.json"])
    monkeypatch.chdir(tmp_path)

    ff.fit(replace(plan, name="named"))

    assert [path.name for path in tmp_path.iterdir()] == ["named"]


def test_outcome_plots_each_target(folder, tmp_path):
    plots = ff.fit(folder / "ch3f.json", tmp_path / "one").plot()

    page = plots._repr_html_()
    assert [figure.title for figure in plots.figures] == ["eigenmatrix", "forces", "frequencies"]
    assert repr(plots) == "Plots of eigenmatrix, forces, frequencies"
    assert page.count("<svg") == 3
    assert "body {" not in page
