"""`forgefield validate` of committees, and what else is done with a network on a classical baseline."""

import json
from dataclasses import replace
from pathlib import Path

import jax.random as jr
import numpy as np
import pytest
from ase import Atoms
from ase.io import read

from forgefield.assign.rules import AbstractRowRules
from forgefield.engines.ase import ForgeFieldCalculator
from forgefield.engines.teachers.model_teacher import teacher_of_file
from forgefield.engines.teachers.teacher import key_of
from forgefield.io.datasets.data_set import append, begin_data_set, read_records
from forgefield.io.datasets.records import Record
from forgefield.io.forcefields.neural.painn_file import write_painn
from forgefield.io.molecules import read_structures
from forgefield.io.rules import load
from forgefield.io.structures.xyz import write_xyz
from forgefield.jobs.estimate import estimate, write_estimated
from forgefield.models.neural.painn import Design, Painn, Size, painn
from forgefield.models.neural.radial import QuinticEnvelope, SineBasis
from forgefield.models.summed import Summed
from forgefield.molecules.molecule import Molecule, Reference
from forgefield.units import ELECTRONVOLT, KILOJOULE

CH3F = Path(__file__).parents[3] / "examples/ch3f/ch3f.json"
PARTS = ("baseline.frcmod", "network.safetensors")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Holds two small networks, each on a classical baseline, and a data set that the baseline has labelled."""
    folder = tmp_path_factory.mktemp("kinds")
    write_estimated(folder / "baseline.frcmod", estimate([CH3F], form="harmonic", method="seminario"))
    design = Design((1, 6, 9), SineBasis(4, 3.0), QuinticEnvelope(), 0.05 * ELECTRONVOLT)
    for k in range(2):
        rules = load(folder / "baseline.frcmod")
        assert isinstance(rules, AbstractRowRules)
        write_painn(folder / f"sum-{k}.safetensors", painn(jr.key(k), design, Size(8, 1, 4)), baseline=rules)
    teacher = teacher_of_file(folder / "baseline.frcmod")
    molecule, generator = read_structures(CH3F)[0], np.random.default_rng(0)
    begin_data_set(folder / "set.h5")
    for _ in range(12):
        moved = replace(molecule, positions=molecule.positions + generator.normal(scale=0.03, size=(5, 3)))
        key = key_of(teacher.identity, moved)
        append(folder / "set.h5", [Record(moved, teacher.label(moved), teacher.identity.text, "made", key)])
    return folder


def said(file: Path, molecule: Molecule) -> tuple[float, np.ndarray]:
    """Energy [kcal/mol] and gradient [kcal/mol/Å] of a force field."""
    found = teacher_of_file(file).label(molecule)
    assert found.energy is not None
    assert found.gradient is not None
    return found.energy, found.gradient


@pytest.mark.slow
def test_files_on_the_command_line_are_a_committee(forgefield, folder):
    files = [folder / f"sum-{k}.safetensors" for k in range(2)]
    words = ("--teacher", folder / "baseline.frcmod", "--nve", "0.1", "--md", "0.1", "--temperature", "300", "--json")

    done = forgefield("validate", *files, folder / "set.h5", *words, "-o", folder / "committee")

    assert done.exit_code in (0, 1), done.output
    told = json.loads(done.stdout)
    records = list(read_records(folder / "set.h5"))
    each = np.array([[said(file, r.molecule)[1] for r in records] for file in files])
    off = each.mean(axis=0) - np.array([r.label.gradient for r in records])
    assert told["n_members"] == 2
    assert told["student"] == "sum-0.safetensors, sum-1.safetensors"
    np.testing.assert_allclose(told["accuracy"]["force"]["total"]["mae"], np.abs(off).mean(), rtol=1e-4)
    np.testing.assert_allclose(told["committee"]["spread"], np.sqrt(np.mean(each.var(axis=0, ddof=1))), rtol=1e-4)
    assert "are those of sum-0.safetensors, the first student" in " ".join(done.stderr.split())


@pytest.fixture(scope="module")
def moved(folder):
    """A structure, and what baseline and network say of it one by one: energy [kcal/mol] and gradient [kcal/mol/Å]."""
    molecule = next(read_records(folder / "set.h5")).molecule
    both, _ = load(folder / "sum-0.safetensors").lay([molecule])
    assert isinstance(both, Summed)
    assert isinstance(both.correction, Painn)
    write_painn(folder / "network.safetensors", both.correction)
    first, second = (said(folder / name, molecule) for name in PARTS)
    write_xyz(folder / "moved.xyz", [Reference(molecule.species, molecule.positions)])
    assert np.abs(second[1]).max() > 0.01
    return molecule, first[0] + second[0], first[1] + second[1]


def test_evaluate_adds_network_and_baseline(forgefield, folder, moved):
    done = forgefield("evaluate", folder / "sum-0.safetensors", folder / "moved.xyz", "--forces", "--json")

    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    # Totals are in kJ/mol.
    np.testing.assert_allclose(told["structures"][0]["total"] * KILOJOULE, moved[1], atol=1e-4)
    np.testing.assert_allclose(told["forces_kcal_mol_a"][0], -moved[2], atol=1e-4)


def test_ase_adds_network_and_baseline(folder, moved):
    molecule, energy, gradient = moved
    atoms = Atoms(molecule.symbols, molecule.positions, calculator=ForgeFieldCalculator(folder / "sum-0.safetensors"))

    np.testing.assert_allclose(atoms.get_potential_energy() * ELECTRONVOLT, energy, atol=1e-4)
    np.testing.assert_allclose(atoms.get_forces() * ELECTRONVOLT, -gradient, atol=1e-4)


@pytest.mark.slow
def test_a_sum_relaxes_to_where_both_together_have_no_force(forgefield, folder, moved):
    done = forgefield("relax", folder / "sum-0.safetensors", folder / "moved.xyz", "-o", folder / "relaxed")

    assert done.exit_code == 0, done.output
    (file,) = (folder / "relaxed").glob("*.xyz")
    there = replace(moved[0], positions=read_structures(file)[0].positions)
    first, second = (said(folder / name, there)[1] for name in PARTS)
    np.testing.assert_allclose(first + second, 0.0, atol=2e-3)
    assert np.abs(first).max() > 0.05


def test_dynamics_of_a_sum_keep_the_energy_of_both(forgefield, folder, moved):
    words = ("--steps", "200", "--every", "20", "--timestep", "0.25", "--temperature", "300")

    done = forgefield(
        "md", folder / "sum-0.safetensors", folder / "moved.xyz", *words, "-o", folder / "run.xyz", "--json"
    )

    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["energy_fluctuation_kcal_mol_atom"] < 0.01
    last = read(folder / "run.xyz", -1)
    assert isinstance(last, Atoms)
    there = replace(moved[0], positions=last.positions)
    both = sum(said(folder / name, there)[0] for name in PARTS)
    np.testing.assert_allclose(last.get_potential_energy() * ELECTRONVOLT, both, atol=1e-3)
