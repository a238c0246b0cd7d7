"""`forgefield dataset`: files of others come in with their units, faults are found, splits are kept."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import ase.db
import h5py
import numpy as np
import pytest
from ase import Atoms
from ase.calculators.singlepoint import SinglePointCalculator
from ase.io import write
from typer.testing import CliRunner

from forgefield import units
from forgefield.cli.program import app
from forgefield.errors import InputError
from forgefield.io.datasets.data_set import append, begin_data_set, overview, read_records
from forgefield.io.datasets.importers import imported
from forgefield.io.datasets.records import Record, record_key
from forgefield.io.datasets.splits import read_split
from forgefield.jobs.dataset.checks import check_data_set
from forgefield.jobs.dataset.dataset_job import import_files, merge, scaffold, split
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import Molecule, Reference
from samples import WATER

STIFFNESS = 300.0
"""kcal/mol/Å² of every coordinate of a made-up water."""


def labelled(positions: np.ndarray, *, energy_unit: float = 1.0, sign: float = 1.0, base: Molecule = WATER) -> Record:
    """A structure of a harmonic molecule, whose energies may be in another unit, or forces of the wrong sign."""
    moved = positions - base.positions
    molecule = replace(base, positions=positions)
    label = Reference(
        species=base.species,
        positions=positions,
        energy=(0.5 * STIFFNESS * float(np.sum(moved**2)) - 1000.0) / energy_unit,
        gradient=sign * STIFFNESS * (moved - moved.mean(axis=0)),
    )
    return Record(molecule, label, "a teacher", "by hand", record_key("a teacher", molecule))


def structures(n: int = 40, scale: float = 0.03, base: Molecule = WATER) -> list[np.ndarray]:
    draw = np.random.default_rng(5)
    shifts = draw.normal(scale=scale, size=(n, base.n_atoms, 3))
    return [base.positions + shift - shift.mean(axis=0) for shift in shifts]


def energy(record: Record) -> float:
    assert record.label.energy is not None
    return record.label.energy


def gradient(record: Record) -> np.ndarray:
    assert record.label.gradient is not None
    return record.label.gradient


@pytest.fixture
def water(tmp_path) -> Path:
    path = tmp_path / "water.h5"
    begin_data_set(path)
    append(path, [labelled(x) for x in structures()])
    return path


def npz(path: Path, records: list[Record]) -> Path:
    path = path.with_suffix(".npz")
    np.savez(
        path,
        nuclear_charges=WATER.species.astype(np.uint8),
        coords=[r.molecule.positions for r in records],
        energies=[energy(r) for r in records],
        forces=[-gradient(r) for r in records],
    )
    return path


def spice(path: Path, records: list[Record]) -> Path:
    path = path.with_suffix(".hdf5")
    with h5py.File(path, "w") as file:
        group = file.create_group("water")
        group["atomic_numbers"] = WATER.species
        group["conformations"] = np.array([r.molecule.positions for r in records]) / units.BOHR
        group["dft_total_energy"] = np.array([energy(r) for r in records]) / units.HARTREE
        group["dft_total_gradient"] = np.array([gradient(r) for r in records]) / units.HARTREE_PER_BOHR
    return path


def ani(path: Path, records: list[Record]) -> Path:
    path = path.with_suffix(".h5")
    with h5py.File(path, "w") as file:
        group = file.create_group("H2O")
        group["atomic_numbers"] = WATER.species
        group["coordinates"] = np.array([r.molecule.positions for r in records])
        group["wb97x_dz.energy"] = np.array([energy(r) for r in records]) / units.HARTREE
        group["wb97x_dz.forces"] = -np.array([gradient(r) for r in records]) / units.HARTREE
    return path


def atoms(record: Record) -> Atoms:
    made = Atoms(WATER.species, record.molecule.positions)
    results = {"energy": energy(record) / units.ELECTRONVOLT, "forces": -gradient(record) / units.ELECTRONVOLT}
    made.calc = SinglePointCalculator(made, **results)
    return made


def extxyz(path: Path, records: list[Record]) -> Path:
    path = path.with_suffix(".extxyz")
    write(path, [atoms(record) for record in records])
    return path


def database(path: Path, records: list[Record]) -> Path:
    path = path.with_suffix(".db")
    file = ase.db.connect(path)
    for record in records:
        file.write(atoms(record))
    return path


def single_point(record: Record) -> dict[str, Any]:
    return {
        "schema_name": "qcschema_output",
        "molecule": {"symbols": ["O", "H", "H"], "geometry": (record.molecule.positions / units.BOHR).ravel().tolist()},
        "driver": "gradient",
        "model": {"method": "b3lyp", "basis": "def2-svp"},
        "properties": {"return_energy": energy(record) / units.HARTREE},
        "return_result": (gradient(record) / units.HARTREE_PER_BOHR).ravel().tolist(),
        "success": True,
    }


def qcschema(path: Path, records: list[Record]) -> Path:
    path = path.with_suffix(".json")
    path.write_text(json.dumps([single_point(record) for record in records]))
    return path


def optimisation(path: Path, records: list[Record]) -> Path:
    path = path.with_suffix(".json")
    steps = [single_point(record) for record in records]
    content = {
        "schema_name": "qcschema_optimization_output",
        "final_molecule": steps[-1]["molecule"],
        "energies": [step["properties"]["return_energy"] for step in steps],
        "trajectory": steps,
    }
    path.write_text(json.dumps(content))
    return path


def archive(path: Path, records: list[Record]) -> Path:
    """An optimisation as QCPortal keeps it, with records of its steps."""
    path = path.with_suffix(".json")
    steps = [single_point(record) for record in records]
    kept = [
        {
            "record_type": "singlepoint",
            "status": "complete",
            "molecule": step["molecule"],
            "specification": {"program": "psi4", "driver": "gradient", "method": "b3lyp", "basis": "def2-svp"},
            "properties": step["properties"] | {"return_result": step["return_result"]},
        }
        for step in steps
    ]
    whole = {"record_type": "optimization", "status": "complete", "final_molecule": steps[-1]["molecule"]}
    path.write_text(json.dumps(whole | {"energies": [1.0], "trajectory": kept}))
    return path


def named(energy_name: str, forces_name: str):
    def made(path: Path, records: list[Record]) -> Path:
        path = path.with_suffix(".extxyz")
        lines = []
        for record in records:
            rows = np.hstack([record.molecule.positions, -gradient(record) / units.ELECTRONVOLT])
            told = f"{energy_name}={energy(record) / units.ELECTRONVOLT:.12f} charge=0 spin=1"
            lines += ["3", f"Properties=species:S:1:pos:R:3:{forces_name}:R:3 {told}"]
            lines += [f"{name} " + " ".join(f"{x:.12f}" for x in row) for name, row in zip("OHH", rows, strict=True)]
        path.write_text("\n".join(lines) + "\n")
        return path

    made.__name__ = energy_name
    return made


@pytest.mark.parametrize(
    "made",
    [
        npz,
        spice,
        ani,
        extxyz,
        database,
        qcschema,
        optimisation,
        archive,
        named("REF_energy", "REF_forces"),
        named("energy", "forces"),
        named("dft_energy", "dft_forces"),
    ],
    ids=lambda made: made.__name__,
)
def test_files_of_others_come_in_with_their_units(made, tmp_path):
    # So near the minimum that its forces, which hold each atom in place, hardly turn the molecule.
    records = [labelled(x) for x in structures(3, scale=0.01)]

    found = list(imported(made(tmp_path / "water", records)))

    assert len(found) == 3
    for one, given in zip(found, records, strict=True):
        np.testing.assert_allclose(one.molecule.positions, given.molecule.positions, atol=1e-7)
        np.testing.assert_allclose(energy(one), energy(given), atol=1e-6)
        np.testing.assert_allclose(gradient(one), gradient(given), atol=1e-5)


def test_what_is_there_twice_is_written_once(tmp_path):
    records = [labelled(x) for x in structures(4)]
    files = [npz(tmp_path / "one", records), npz(tmp_path / "two", records[:2])]

    assert import_files(files, tmp_path / "set.h5") == (4, 2)
    assert len(overview(tmp_path / "set.h5")) == 4
    with pytest.raises(InputError, match="there already"):
        import_files(files, tmp_path / "set.h5")


def test_what_holds_no_labels_is_refused_and_nothing_is_written(tmp_path):
    bare, wrong = tmp_path / "bare.xyz", tmp_path / "wrong.npz"
    bare.write_text("1\n\nHe 0 0 0\n")
    np.savez(wrong, z=[1, 1], R=np.zeros((2, 3, 3)), E=np.zeros(2), F=np.zeros((2, 3, 3)))

    for path, said in ((bare, "no energy with forces"), (wrong, "2 atoms and 2 energies, but coordinates")):
        with pytest.raises(InputError, match=said):
            import_files([path], tmp_path / "set.h5")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bare.xyz", "wrong.npz"]


def test_a_sound_set_has_no_faults(water):
    assert [one.what for one in check_data_set(water) if one.wrong] == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"energy_unit": units.ELECTRONVOLT}, "energies rise by 0.04336 times"),
        ({"sign": -1.0}, "energies rise by -1 times"),
    ],
)
def test_energies_that_do_not_rise_as_forces_say_are_found(changed, said, tmp_path):
    path = tmp_path / "set.h5"
    begin_data_set(path)
    append(path, [labelled(x, **changed) for x in structures()])

    assert any(said in one.what for one in check_data_set(path) if one.wrong)


def test_structures_twice_outliers_and_lost_hydrogens_are_found(water):
    again = replace(labelled(structures()[3]), key=b"x" * 32)
    far = labelled(structures()[4] + np.array([[3.0, 0.0, 0.0], [-3.0, 0.0, 0.0], [0.0, 0.0, 0.0]]))
    lone = Molecule("lone", np.array([6, 8]), np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 3.0]]))
    append(water, [again, far, labelled(lone.positions, base=lone)])

    found = {one.text for one in check_data_set(water)}

    assert "water: structures that are there already (records 41)" in found
    assert any("per atom off the others (records 42" in text for text in found)
    assert any("nothing is bonded to C1; are hydrogens missing?" in text for text in found)


def test_a_split_has_its_shares_and_is_kept(water):
    sizes = split(water, "default", "structure", (0.1, 0.2), 7)

    parts, how = read_split(water, "default")
    assert sizes == {"training": 28, "validation": 4, "test": 8}
    assert np.bincount(parts).tolist() == [28, 4, 8]
    assert how == {"by": "structure", "seed": 7, "validation": 0.1, "test": 0.2}
    split(water, "again", "structure", (0.1, 0.2), 7)
    np.testing.assert_array_equal(read_split(water, "again")[0], parts)
    split(water, "another", "structure", (0.1, 0.2), 8)
    assert not np.array_equal(read_split(water, "another")[0], parts)


def test_a_split_by_time_keeps_the_last_for_the_test(water):
    split(water, "default", "time", (0.25, 0.25), 0)

    assert read_split(water, "default")[0].tolist() == [0] * 20 + [1] * 10 + [2] * 10


def test_a_split_by_molecule_keeps_molecules_together(water):
    others = [replace(WATER, name=f"water {k}") for k in range(9)]
    append(water, [labelled(x, base=base) for base in others for x in structures(20, base=base)])

    split(water, "default", "molecule", (0.2, 0.2), 3)

    found, (parts, _) = overview(water), read_split(water, "default")
    assert all(len(np.unique(parts[found.molecule == k])) == 1 for k in range(10))
    assert set(parts.tolist()) == {0, 1, 2}


def test_a_split_that_leaves_a_part_empty_is_refused(water):
    with pytest.raises(InputError, match="nothing is left for validation and test"):
        split(water, "default", "molecule", (0.1, 0.1), 0)
    with pytest.raises(InputError, match="leave nothing"):
        split(water, "default", "structure", (0.5, 0.5), 0)


def test_a_split_does_not_fit_records_that_come_later(water):
    split(water, "default", "structure", (0.1, 0.1), 0)
    append(water, [labelled(structures(41)[40])])

    with pytest.raises(InputError, match="1 records have come since"):
        read_split(water, "default")


def test_a_scaffold_is_what_remains_without_side_chains():
    def ring(tail: int) -> Molecule:
        angles = np.arange(6) * np.pi / 3.0
        positions = np.column_stack([1.4 * np.cos(angles), 1.4 * np.sin(angles), np.zeros(6)])
        chain = np.array([[2.9 + 1.5 * k, 0.0, 0.0] for k in range(tail)]).reshape(-1, 3)
        positions = np.concatenate([positions, chain])
        species = np.full(len(positions), 6)
        return Molecule("ring", species, positions, *perceive_bonds(species, positions))

    assert scaffold(ring(0)) == scaffold(ring(2)) != scaffold(WATER)


def test_merged_sets_hold_the_records_of_both(water, tmp_path):
    other = tmp_path / "other.h5"
    begin_data_set(other)
    append(other, [labelled(x) for x in structures(45)[38:]])

    assert merge([water, other], tmp_path / "both.h5") == (45, 2)
    assert len(list(read_records(tmp_path / "both.h5"))) == 45


def test_labels_of_two_teachers_are_not_merged(water, tmp_path):
    other = tmp_path / "other.h5"
    begin_data_set(other)
    append(other, [replace(labelled(structures(1)[0]), teacher="another")])

    with pytest.raises(InputError, match="labels of 2 teachers: a teacher; another"):
        merge([water, other], tmp_path / "both.h5")


def test_the_commands_say_what_they_found(water):
    run = CliRunner().invoke

    told = json.loads(run(app, ["dataset", "info", str(water), "--json"]).stdout)
    checked = run(app, ["dataset", "check", str(water)])
    drawn = run(app, ["dataset", "split", str(water), "--json"])

    assert told == {"structures": 40, "molecules": 1, "failed": 0, "teachers": ["a teacher"], "splits": {}}
    assert checked.exit_code == 0
    assert json.loads(drawn.stdout) == {"split": "default", "training": 32, "validation": 4, "test": 4}
    assert "40 structures of 1 molecules" in run(app, ["dataset", "info", str(water)]).output
    assert run(app, ["dataset", "info", "none.h5"]).exit_code == 2
