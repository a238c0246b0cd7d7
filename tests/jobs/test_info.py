"""`forgefield info`: each kind of file is known by its content and told with what it holds and lacks."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from forgefield.io.checkpoint import write_checkpoint
from forgefield.jobs.fit.fit_job import run_fit
from forgefield.jobs.fit.plan.prepare import prepare
from forgefield.jobs.info import info
from samples import CH3F, FORCES, fit_toml

EXAMPLES = Path(__file__).parents[2] / "examples"
WATER = "3\n\nO 0 0 0.12\nH 0 0.76 -0.47\nH 0 -0.76 -0.47\n"
SCAN = "".join(
    f"2\nenergy=-1.0 Properties=species:S:1:pos:R:3:forces:R:3\nN 0 0 0 0 0 {k}\nN 0 0 1.{k} 0 0 -{k}\n" for k in (1, 2)
)


@pytest.fixture(scope="module")
def folder(project) -> Path:
    """The folder of a fit of one step, with files of other kinds in it."""
    path = project(fit_toml(CH3F, targets=FORCES, fit="max_steps = 1"))
    run_fit(prepare(path), path.parent / "fit")
    folder = path.parent / "fit"
    shutil.copy(EXAMPLES / "ch3f/ch3f.json", folder)
    shutil.copy(EXAMPLES / "painn/ethanol.safetensors", folder)
    (folder / "water.xyz").write_text(WATER)
    (folder / "several.xyz").write_text(SCAN)
    (folder / "words.txt").write_text("nothing of the kind\n")
    (folder / "pwscf").write_text("Program PWSCF v.7.0 starts\n")
    (folder / "cut.log").write_text("Entering Gaussian System, Link 0=g16\n GradGradGrad\n")
    (folder / "energy.txt").write_text("# energy of CCSD(T)\n-76.4\n")
    (folder / "broken.xyz").write_text("3\n\nO 0 0 0\n")
    (folder / "listing.json").write_text('{"structures": [{"name": "a", "interactions": []}]}')
    (folder / "other.json").write_text('{"fit": {}, "metrics": {}, "provenance": {}}')
    write_checkpoint(folder / "md.checkpoint", np.zeros(3), {"output": "md.xyz"})
    with h5py.File(folder / "md.h5", "w") as file:
        file["particles/replica-1/position/value"] = np.zeros((7, 3, 3))
    return folder


ROWS = [
    ("ch3f.json", "QCSchema JSON", "Hessian", "charges (fit to charges)"),
    ("water.xyz", "xyz", "geometry", "QM results (fit, estimate"),
    ("several.xyz", "xyz", "gradient", "Hessian (estimate; fit to eigenmatrix"),
    ("smiles:CCO", "SMILES", "bonds", "QM results"),
    ("smiles:C[N+](=O)[O-]", "SMILES", "formal charges", "atom types (an MM3* .fld"),
    ("energy.txt", "energy", "energy", "geometry (any command alone"),
    ("forcefield.json", "ForgeField force field", "3 kinds of atoms", ""),
    ("forcefield.frcmod", "AMBER parameters", "2 stretch", ""),
    ("forcefield.xml", "OpenMM force field", "3 types", ""),
    ("ethanol.safetensors", "PaiNN", "ModelRules(a Painn)", ""),
    ("checkpoint.safetensors", "checkpoint", "state of an interrupted run, for --resume", ""),
    ("md.checkpoint", "checkpoint", "of md.xyz", ""),
    ("results.json", "results of a fit", "1 molecule(s)", ""),
    ("listing.json", "listing of interactions", "interactions of 1 structure(s)", ""),
    ("md.h5", "HDF5 trajectory", "7 frames", ""),
    ("report.html", "report of a fit", "open it in a browser", ""),
    ("fit.log", "log of a fit", "text", ""),
    ("FIT.toml", "settings of a fit", "targets forces", ""),
    (".", "folder of a fit", "3 kinds of atoms", ""),
]


@pytest.mark.parametrize(("name", "kind", "held", "lacking"), ROWS, ids=[row[0] for row in ROWS])
def test_each_kind_of_file_is_known_and_told(name, kind, held, lacking, folder, monkeypatch):
    monkeypatch.chdir(folder)

    (found,) = info([Path(name)])

    assert (found.kind, found.problem) == (kind, "")
    assert any(held in what for what in found.holds), found.holds
    assert any(lacking in what for what in found.lacks) if lacking else found.lacks == ()


PROBLEMS = [
    ("absent.xyz", "", "cannot be read (No such file", None),
    ("words.txt", "", "is neither frequencies nor energy", None),
    ("pwscf", "", "is Quantum ESPRESSO output, which is not read; give its frames", None),
    ("cut.log", "Gaussian output", "the job did not end", False),
    ("broken.xyz", "xyz", "line 1", None),
    ("other.json", "results of a fit", "of another version, or damaged", None),
    ("smiles:CX", "SMILES", "is no SMILES", None),
]


@pytest.mark.parametrize(("name", "kind", "told", "finished"), PROBLEMS, ids=[row[0] for row in PROBLEMS])
def test_what_cannot_be_used_has_its_reason(name, kind, told, finished, folder, monkeypatch):
    monkeypatch.chdir(folder)

    (found,) = info([Path(name)])

    assert (found.kind, found.finished) == (kind, finished)
    assert told in found.problem
    assert not found.problem.startswith(name)


def test_results_that_contradict_their_job_are_told_beside_what_the_file_holds(folder, tmp_path):
    content = json.loads((folder / "ch3f.json").read_text())
    content["extras"]["forgefield"]["frequencies_cm1"][0] += 50.0
    (tmp_path / "wrong.json").write_text(json.dumps(content))

    (found,) = info([tmp_path / "wrong.json"])

    assert any(what.startswith("Hessian (15 modes") for what in found.holds)
    assert "the Hessian contradicts the printed frequencies" in found.problem


def test_it_is_told_for_what_a_file_suffices(folder):
    found = info([str(folder / name) for name in ("ch3f.json", "several.xyz", "water.xyz", "energy.txt", "FIT.toml")])

    commands = ["; ".join(one.suffices) for one in found]
    assert "estimate" in commands[0]
    assert "fit to forces" in commands[1]
    assert "fit to energy" in commands[1]
    assert commands[2] == "reference, label, and with a force field evaluate, relax, md"
    assert commands[3:] == ["", ""]


def test_values_are_those_of_the_file(folder):
    (found,) = info([folder / "ch3f.json"])
    stated = json.loads((folder / "ch3f.json").read_text())["extras"]["forgefield"]["frequencies_cm1"]
    assert found.frequencies_cm1 == pytest.approx(stated)
    assert any(what == f"frequencies (9 from {min(stated):.1f} to {max(stated):.1f} cm⁻¹)" for what in found.holds)

    assert (found.atoms, found.formula, found.charge, found.multiplicity) == (5, "CH3F", 0, 1)
    assert found.energy_kcal_mol == pytest.approx(-87695.1295, abs=1e-4)
    assert (found.level, found.program.split()[0]) == ("B3LYP/6-31+G(d)", "PySCF")


def test_one_file_that_is_unknown_ends_with_exit_code_2_and_the_others_are_shown(forgefield, folder, monkeypatch):
    monkeypatch.chdir(folder)

    result = forgefield("info", "words.txt", "ch3f.json", "several.xyz")

    assert result.exit_code == 2
    assert "not usable: is neither frequencies nor" in result.stdout
    assert "B3LYP/6-31+G(d)" in result.stdout
    assert "2 of N2" in result.stdout
    assert forgefield("info", "ch3f.json").exit_code == 0


def test_what_is_found_is_printed_as_json_and_warnings_on_stderr(forgefield):
    result = forgefield("info", "smiles:CC(O)F", "--json")

    (found,) = json.loads(result.stdout)["files"]
    assert (found["kind"], found["formula"], found["structures"]) == ("SMILES", "C2H5FO", ["C2H5FO C2H5FO"])
    assert "stereo is not stated: C2" in result.stderr
    assert found["warnings"] == [line.removeprefix("Warning: ") for line in result.stderr.splitlines()]


def test_parameters_for_any_molecule_tell_how_many_rows_they_have(data):
    parameters, patterns = info(
        [
            data / "programs/amber/paracetamol.frcmod",
            data / "programs/smirnoff/openff_unconstrained-2.2.1.offxml",
        ]
    )

    assert parameters.holds[0] == "rows by types"
    assert any(said.endswith(" improper") for said in parameters.holds)
    assert {"rows by SMARTS", "90 Bonds"} <= {*patterns.holds}
    assert parameters.suffices == patterns.suffices == ("evaluate, modes, relax, md, convert", "fit on top of it, diff")


@pytest.mark.parametrize(
    ("name", "whole"), [("par.prm", "ligand.psf+par.prm+top.rtf"), ("ligand.itp", "the .top that includes it")]
)
def test_parts_of_force_fields_say_what_they_are_joined_to(tmp_path, name, whole):
    (tmp_path / name).write_text("BONDS\n")

    (found,) = info([tmp_path / name])

    assert whole in found.problem
