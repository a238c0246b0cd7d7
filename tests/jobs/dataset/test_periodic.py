"""Periodic structures: from the files of others into a data set, learned with their stresses, and judged by them."""

import json
from dataclasses import replace
from pathlib import Path

import ase.db
import h5py
import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from typer.testing import CliRunner

from forgefield.cli.program import app
from forgefield.engines.ase import ForgeFieldCalculator
from forgefield.errors import InputError
from forgefield.io.checkpoint import read_facts
from forgefield.io.datasets.data_set import append, begin_data_set, overview, read_records
from forgefield.io.datasets.importers import imported
from forgefield.io.datasets.splits import read_split
from forgefield.jobs.dataset.checks import check_data_set
from forgefield.jobs.dataset.dataset_job import import_files
from forgefield.units import ELECTRONVOLT


def crystals(n: int) -> list[Atoms]:
    """Cells of copper, strained and rattled, by the effective medium theory."""
    generator = np.random.default_rng(0)
    found = []
    for _ in range(n):
        atoms = bulk("Cu", cubic=True)
        atoms.set_cell(atoms.cell @ (np.eye(3) + 0.03 * generator.normal(size=(3, 3))), scale_atoms=True)
        atoms.positions += 0.05 * generator.normal(size=(4, 3))
        atoms.calc = EMT()
        atoms.get_potential_energy()
        atoms.get_stress()
        found.append(atoms)
    return found


def single(atoms: Atoms, **results) -> Atoms:
    plain = atoms.copy()
    plain.calc = SinglePointCalculator(plain, **results) if results else None
    return plain


def by_ase(path: Path, given: list[Atoms]) -> Path:
    write(path.with_suffix(".xyz"), given, format="extxyz")
    return path.with_suffix(".xyz")


def by_mace(path: Path, given: list[Atoms]) -> Path:
    plain = [single(one) for one in given]
    for one, atoms in zip(plain, given, strict=True):
        one.info |= {"REF_energy": atoms.get_potential_energy(), "REF_stress": atoms.get_stress(voigt=False).ravel()}
        one.arrays["REF_forces"] = atoms.get_forces()
    return by_ase(path, plain)


def by_virials(path: Path, given: list[Atoms]) -> Path:
    plain = [single(one, energy=one.get_potential_energy(), forces=one.get_forces()) for one in given]
    for one, atoms in zip(plain, given, strict=True):
        one.info["virial"] = -atoms.get_volume() * atoms.get_stress(voigt=False)
    return by_ase(path, plain)


def database(path: Path, given: list[Atoms]) -> Path:
    file = ase.db.connect(path.with_suffix(".db"))
    for one in given:
        file.write(one)
    return path.with_suffix(".db")


@pytest.mark.parametrize("made", [by_ase, by_mace, by_virials, database])
def test_cells_and_stresses_come_in_with_their_units(made, tmp_path):
    given = crystals(3)

    found = list(imported(made(tmp_path / "copper", given)))

    assert len({record.key for record in found}) == 3
    for record, atoms in zip(found, given, strict=True):
        lattice, stress, energy = record.label.lattice, record.label.stress, record.label.energy
        assert lattice is not None
        assert energy is not None
        assert stress is not None
        assert lattice.periodic == (True, True, True)
        np.testing.assert_allclose(lattice.vectors, atoms.cell, atol=1e-7)
        np.testing.assert_allclose(stress, atoms.get_stress(voigt=False) * ELECTRONVOLT, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(energy, atoms.get_potential_energy() * ELECTRONVOLT, rtol=1e-7)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"virial": np.eye(3)}, "contradict each other"),
        ({"REF_stress": np.arange(9.0)}, "is not symmetric"),
        ({"REF_stress": np.arange(5.0)}, "neither nine numbers nor six"),
    ],
)
def test_stresses_that_make_no_sense_are_refused(changed, said, tmp_path):
    (atoms,) = crystals(1)
    plain = single(atoms, energy=1.0, forces=atoms.get_forces(), stress=atoms.get_stress())
    plain.info |= changed

    with pytest.raises(InputError, match=said):
        list(imported(by_ase(tmp_path / "wrong", [plain])))


def test_equal_atoms_in_another_cell_are_another_structure(tmp_path):
    (atoms,) = crystals(1)
    wider = single(atoms, energy=atoms.get_potential_energy(), forces=atoms.get_forces(), stress=atoms.get_stress())
    wider.set_cell(np.asarray(atoms.cell) + np.diag([0.0, 0.0, 1.0]))

    assert import_files([by_ase(tmp_path / "two", [atoms, wider])], tmp_path / "set.h5") == (2, 0)
    assert not any(one.wrong for one in check_data_set(tmp_path / "set.h5"))


def test_a_set_of_the_first_version_takes_cells_too(tmp_path):
    first, second = imported(by_ase(tmp_path / "copper", crystals(2)))
    path = tmp_path / "set.h5"
    begin_data_set(path)
    append(path, [replace(first, label=replace(first.label, lattice=None, stress=None))])
    with h5py.File(path, "r+") as file:
        file.attrs["schema"] = 1
        for name in ("lattice", "periodic", "stress"):
            del file[f"records/{name}"]
    assert not overview(path).periodic.any()

    append(path, [second])

    old, new = read_records(path)
    assert (old.label.lattice, old.label.stress) == (None, None)
    assert new.label.lattice is not None
    np.testing.assert_array_equal(new.label.stress, second.label.stress)


SETTINGS = """
[data]
file = "copper.h5"
draw = { validation = 0.2, test = 0.3 }
[student]
features = 16
blocks = 1
radial = 4
cutoff = 3.5
[training]
batch = 4
warmup = 2
steps = 9
loss = { stress = 10.0 }
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a student of copper."""
    folder = tmp_path_factory.mktemp("copper")
    import_files([by_ase(folder / "copper", crystals(20))], folder / "copper.h5")
    (folder / "DISTIL.toml").write_text(SETTINGS)
    words, kernel = ["distil", str(folder / "DISTIL.toml"), "-o", str(folder / "run"), "--json"], "FORGEFIELD_KERNEL"
    found = CliRunner().invoke(app, words, env={kernel: "native"})
    assert found.exit_code == 0, found.output
    return folder, found


@pytest.mark.slow
def test_listed_neighbours_are_trained_by_xla(trained):
    folder, _ = trained

    assert read_facts(folder / "run/checkpoint.safetensors")["way"] == "xla"


@pytest.mark.slow
def test_errors_of_stresses_are_those_of_the_student_in_ase(trained):
    folder, _ = trained
    parts, _ = read_split(folder / "copper.h5", "default")
    records = list(read_records(folder / "copper.h5", np.flatnonzero(parts == 2)))
    calculator = ForgeFieldCalculator(folder / "run/student.safetensors")
    off = []
    for record in records:
        assert record.label.lattice is not None
        assert record.label.stress is not None
        atoms = Atoms(record.molecule.species, record.molecule.positions, cell=record.label.lattice.vectors, pbc=True)
        atoms.calc = calculator
        off.append(atoms.get_stress(voigt=False) * ELECTRONVOLT - record.label.stress)

    (one,) = json.loads((folder / "run/results.json").read_text())["students"]
    judged = json.loads((folder / "run/validation/results.json").read_text())

    np.testing.assert_allclose(one["test"]["stress_mae"], np.mean(np.abs(off)), rtol=1e-4)
    np.testing.assert_allclose(judged["accuracy"]["stress"]["total"]["mae"], np.mean(np.abs(off)), rtol=1e-4)


@pytest.mark.slow
def test_what_is_for_molecules_alone_is_said(trained):
    folder, found = trained

    assert "minima, frequencies, bonds, dynamics and speed are those of molecules alone" in " ".join(
        found.stderr.split()
    )
    assert "stress component" in found.stderr
    shown = CliRunner().invoke(app, ["dataset", "info", str(folder / "copper.h5")])
    assert "20 periodic, volumes of" in shown.stderr
    assert "20 with a stress" in shown.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [('kind = "harmonic"', "a classical student are for molecules"), ("seeds = [0, 1]", "[rounds] are for molecules")],
)
def test_what_knows_no_cells_refuses_them(tmp_path, words, said):
    import_files([by_ase(tmp_path / "copper", crystals(2))], tmp_path / "copper.h5")
    rounds = "" if "kind" in words else "[rounds]\nnumber = 1\nstructures = 1\nteacher = { method = 'gfn2' }\n"
    path = tmp_path / "DISTIL.toml"
    path.write_text(f'[data]\nfile = "copper.h5"\n[student]\n{words}\n{rounds}')

    done = CliRunner().invoke(app, ["distil", str(path), "-o", str(tmp_path / "run")])

    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())
