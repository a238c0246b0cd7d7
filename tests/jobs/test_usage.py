"""What the report says of how its files are used runs as it is printed."""

import json
import shlex
from pathlib import Path

import pytest

from forgefield.jobs.fit.fit_job import run_fit
from forgefield.jobs.fit.plan.prepare import prepare
from forgefield.report.usage import uses
from samples import CH3F, FORCES, fit_toml


@pytest.fixture(scope="module")
def folder(project) -> Path:
    """The folder of a fit of one step, beside the molecule that it was fitted to."""
    path = project(fit_toml(CH3F, targets=FORCES, fit="max_steps = 1"))
    run_fit(prepare(path), path.parent / "fit")
    return path.parent / "fit"


def text(title: str, folder: Path) -> str:
    files = [path.name for path in folder.iterdir()]
    return next(use.text for use in uses(files, "../ch3f.json", alone=True) if use.title == title)


def test_script_for_ase_runs(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)

    exec(text("ASE", folder), {})

    assert float(capsys.readouterr().out.split()[-1]) == pytest.approx(0.0, abs=1.0)


@pytest.mark.openmm
def test_script_for_openmm_runs(folder, monkeypatch, capsys):
    pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")
    monkeypatch.chdir(folder)

    exec(text("OpenMM", folder), {})

    assert capsys.readouterr().out.endswith("kJ/mol\n")


@pytest.mark.parametrize("line", [0, pytest.param(1, marks=pytest.mark.slow), 2])
def test_commands_run(line, forgefield, folder, monkeypatch):
    monkeypatch.chdir(folder)
    program, *words = shlex.split(text("Command line", folder).splitlines()[line])

    result = forgefield(*["200" if word == "20000" else word for word in words])

    assert (program, result.exit_code) == ("forgefield", 0), result.stderr


def test_each_file_has_its_own_way_and_names_are_quoted():
    files = ["forcefield.frcmod", "forcefield.mol2", "results.json"]

    told = {use.title: use for use in uses(files, "a b's.fchk", alone=False)}

    assert list(told) == ["ASE", "AMBER"]
    assert json.dumps("a b's.fchk") in told["ASE"].text
    assert "loadMol2 forcefield.mol2" in told["AMBER"].text
    assert (
        "'a b'\"'\"'s.fchk'" in {use.title: use for use in uses(files, "a b's.fchk", alone=True)}["Command line"].text
    )
    assert uses(["results.json"], "a.xyz", alone=True) == []
    assert uses(files, "", alone=True) == []
