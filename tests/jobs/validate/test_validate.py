"""`forgefield validate`: a student that is its own teacher is accepted, one that is not is told why."""

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forgefield.cli.students.teachers import teacher_again
from forgefield.engines.teachers.model_teacher import teacher_of_file
from forgefield.engines.teachers.teacher import Identity, key_of, random_directions
from forgefield.io.datasets.data_set import append, begin_data_set
from forgefield.io.datasets.records import Record
from forgefield.io.molecules import read_structures
from forgefield.jobs.estimate import estimate, write_estimated
from forgefield.jobs.validate.members import students
from forgefield.jobs.validate.motion import Frames, first_end
from forgefield.molecules.bonds import perceive_bonds
from forgefield.simulate.motion import NEVER

# A student is trained first.
pytestmark = pytest.mark.slow

CH3F = Path(__file__).parents[3] / "examples/ch3f/ch3f.json"
NETWORK = Path(__file__).parents[3] / "examples/painn/ethanol.safetensors"
QUICK = ("--nve", "2", "--md", "0.5", "--temperature", "300")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Holds a force field, another one, and a data set that the first has labelled, with dynamics."""
    folder = tmp_path_factory.mktemp("validate")
    write_estimated(folder / "teacher.frcmod", estimate([CH3F], form="harmonic", method="seminario"))
    text = (folder / "teacher.frcmod").read_text()
    (folder / "other.frcmod").write_text(re.sub(r"^(1c-1h +)[\d.]+", r"\g<1>250.0000000000", text, flags=re.MULTILINE))
    teacher = teacher_of_file(folder / "teacher.frcmod")
    molecule = read_structures(CH3F)[0]
    generator = np.random.default_rng(0)
    records = []
    for k in range(60):
        moved = replace(molecule, positions=molecule.positions + generator.normal(scale=0.03, size=(5, 3)))
        key = key_of(teacher.identity, moved)
        label = teacher.label(moved, random_directions(key, 1, 5) if k < 10 else None)
        records.append(
            Record(moved, label, teacher.identity.text, "conformer 1 (ETKDG, seed 0), dynamics at 300 K, seed 0", key)
        )
    begin_data_set(folder / "set.h5")
    append(folder / "set.h5", records)
    return folder


def validated(forgefield, folder, student, *words):
    return forgefield("validate", folder / student, folder / "set.h5", *QUICK, "--records", "12", "--overwrite", *words)


@pytest.fixture(scope="module")
def own(forgefield, folder):
    """Its own student."""
    words = ("--teacher", folder / "teacher.frcmod", "-o", folder / "own", "--json")
    return validated(forgefield, folder, "teacher.frcmod", *words)


def test_its_own_student_is_accepted_in_everything(own):
    told = json.loads(own.stdout)

    assert own.exit_code == 0, own.output
    assert told["accepted"]
    assert told["accuracy"]["force"]["total"]["largest"] < 1e-9
    assert told["accuracy"]["product"]["total"]["largest"] < 1e-7
    (minimum,) = told["minima"]
    assert minimum["rmsd"] < 1e-6
    assert minimum["errors"]["largest"] < 1e-3
    assert len(minimum["student"]) == 9
    assert all(scan["smooth"] and scan["sound"] for scan in told["scans"])
    np.testing.assert_allclose(told["scans"][0]["student"][::4], told["scans"][0]["reference"][::4], atol=1e-6)
    assert abs(told["drifts"][0]["drift"]) < 1e-2
    assert [run["stable"] for run in told["stabilities"]] == [0.5]
    assert {one["name"] for one in told["distributions"]} == {"H–H", "C–H", "F–H", "C–F"}


def test_the_page_tells_what_was_found(own, folder):
    page = (folder / "own/report.html").read_text()

    assert "Accepted: all 5 thresholds are met." in page
    assert page.count('role="img"') > 10
    assert json.loads((folder / "own/results.json").read_text())["units"]["force"] == "kcal/mol/Å"


def test_another_force_field_fails_what_is_asked_and_says_which(forgefield, folder):
    (folder / "thresholds.toml").write_text("[thresholds]\nforce = 1.0\nfrequency = 1.0\nkinks = 0\n")

    done = validated(forgefield, folder, "other.frcmod", "--thresholds", folder / "thresholds.toml", "-o", folder / "b")

    assert done.exit_code == 1
    assert "Not accepted: 2 of 3 thresholds not met (force, frequency)." in done.stderr
    # The data set names a force field as its teacher, which is nowhere to be found.
    assert "The teacher was not run" in done.stderr
    assert "not known" in done.stderr


def test_a_teacher_that_says_something_else_is_not_run(forgefield, folder):
    done = validated(forgefield, folder, "teacher.frcmod", "--teacher", folder / "other.frcmod", "-o", folder / "c")

    assert "so that it is not the one which labelled it" in done.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--split", "default"), "has no split 'default'"),
        (("--split", "default:tests"), "'tests' is not one of training, validation, test"),
        (("--records", "0"), "records must be 1 or more"),
        (("--nve", "0"), "nve must be from 0.1"),
    ],
)
def test_bad_options_are_one_message(forgefield, folder, words, said):
    done = validated(forgefield, folder, "teacher.frcmod", *words)

    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())


def test_a_folder_of_networks_is_a_committee(tmp_path):
    for name in ("a.safetensors", "b.safetensors", "b.checkpoint.safetensors"):
        (tmp_path / name).write_bytes(NETWORK.read_bytes())

    assert [file.name for file in students([tmp_path]).files] == ["a.safetensors", "b.safetensors"]


def test_the_students_of_a_run_are_a_committee_and_its_checkpoints_are_not(tmp_path):
    (tmp_path / "students").mkdir()
    for name in ("students/small-0", "students/small-1", "checkpoint-small-0", "checkpoint-small-1"):
        (tmp_path / f"{name}.safetensors").write_bytes(NETWORK.read_bytes())

    assert [file.name for file in students([tmp_path]).files] == ["small-0.safetensors", "small-1.safetensors"]


@pytest.mark.parametrize(
    ("name", "options", "method"),
    [("GFN2-xTB", {"difference_step": 0.002}, "GFN2-xTB"), ("b3lyp/6-31G*", {"difference_step": 0.01}, "b3lyp/6-31G*")],
)
def test_a_method_that_a_data_set_names_is_its_teacher(name, options, method):
    again = teacher_again(Identity(name, "any", options).text)

    assert again is not None
    assert again.identity.name.lower() == method.lower()
    assert again.identity.options == options


@pytest.mark.parametrize("text", ["no JSON", "{}", Identity("mace.calculators:mace_mp", "1", {}).text])
def test_what_would_be_imported_is_taken_from_no_data_set(text):
    assert teacher_again(text) is None


@pytest.mark.parametrize(("factor", "what"), [(1.7, "is torn"), (0.5, "is pressed")])
def test_dynamics_end_where_a_bond_is_lost(factor, what):
    bare = read_structures(CH3F)[0]
    bonds, orders = perceive_bonds(bare.species, bare.positions)
    molecule = replace(bare, bonds=bonds, orders=orders)
    i, j = molecule.bonds[0]
    x = np.repeat(molecule.positions[None, None], 4, axis=0)
    x[2:, 0, j] = x[0, 0, i] + factor * (x[0, 0, j] - x[0, 0, i])

    ps, said = first_end(molecule, Frames(np.arange(4.0), x, np.zeros((4, 1)), np.array([NEVER])), 0)

    assert ps == 2.0
    assert what in said
