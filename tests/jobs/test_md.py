"""`forgefield md`: trajectories, exact continuation, blow-ups and what is refused."""

import json
from dataclasses import replace
from pathlib import Path

import ase.io
import h5py
import jax
import jax.random as jr
import numpy as np
import pytest
from ase import units as ase_units
from ase.calculators.singlepoint import SinglePointCalculator

import forgefield as ff
from forgefield import units
from forgefield.io.forcefields.neural.painn_file import write_painn
from forgefield.jobs.estimate import estimate, write_estimated
from forgefield.jobs.md import DynamicsSettings, checkpoint_of, run_dynamics
from forgefield.models.painn import Design, Size, painn
from forgefield.models.radial import QuinticEnvelope, SineBasis

EXAMPLES = Path(__file__).parents[2] / "examples"
CH3F = EXAMPLES / "ch3f/ch3f.json"


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """A force field of fluoromethane as `forgefield estimate` writes it."""
    path = tmp_path_factory.mktemp("field") / "ch3f.frcmod"
    write_estimated(path, estimate([CH3F], form="harmonic"))
    return path


def test_trajectory_holds_energy_forces_and_velocities_of_every_frame(forgefield, field, tmp_path):
    output = tmp_path / "md.xyz"

    result = forgefield("md", field, CH3F, "--steps", 100, "--every", 20, "-o", output, "--json")

    told = json.loads(result.stdout)
    assert result.exit_code == 0
    frames = ase.io.read(output, ":")
    assert [frame.info["step"] for frame in frames] == [0, 20, 40, 60, 80, 100]
    assert frames[-1].info["time_fs"] == pytest.approx(50.0)
    calculator = ff.ForgeFieldCalculator(field)
    for frame in frames:
        stored, frame.calc = frame.calc, calculator
        assert isinstance(stored, SinglePointCalculator)
        assert stored.results["energy"] == pytest.approx(frame.get_potential_energy(), abs=1e-6)
        np.testing.assert_allclose(stored.results["forces"], frame.get_forces(), atol=1e-5)
    warmth = [frame.get_kinetic_energy() / (1.5 * 4 * ase_units.kB) for frame in frames]
    assert told["temperature_mean_k"] == pytest.approx(np.mean(warmth), rel=1e-5)
    assert (told["steps"], told["frames"], told["blown_up"]) == (100, 6, [])
    assert told["files"] == [str(output), str(checkpoint_of(output))]


@pytest.mark.slow
def test_interrupted_run_continues_as_if_there_had_been_no_interruption(field, tmp_path):
    settings = DynamicsSettings(200, "nvt", replicas=2, every=10, seed=4)
    whole, parts = tmp_path / "whole.xyz", tmp_path / "parts.xyz"
    straight = run_dynamics(field, CH3F, whole, settings)

    run_dynamics(field, CH3F, parts, replace(settings, n_steps=130))
    # What was written after the checkpoint is written again.
    with (tmp_path / "parts-1.xyz").open("a") as file:
        file.write("5\nhalf a fra")
    continued = run_dynamics(field, CH3F, parts, settings, resume=True)

    pairs = zip(jax.tree.leaves(straight.motion), jax.tree.leaves(continued.motion), strict=True)
    assert all(np.array_equal(a, b) for a, b in pairs)
    assert continued.begun_at == 130
    for k in (1, 2):
        assert (tmp_path / f"parts-{k}.xyz").read_bytes() == (tmp_path / f"whole-{k}.xyz").read_bytes()


def test_hdf5_holds_the_same_as_extended_xyz(field, tmp_path):
    settings = DynamicsSettings(60, "nvt", replicas=2, every=20)
    run_dynamics(field, CH3F, tmp_path / "md.xyz", settings)

    run_dynamics(field, CH3F, tmp_path / "md.h5", replace(settings, n_steps=30))
    run_dynamics(field, CH3F, tmp_path / "md.h5", settings, resume=True)

    frames = ase.io.read(tmp_path / "md-2.xyz", ":")
    with h5py.File(tmp_path / "md.h5") as file:
        particles, observables = file["particles/replica-2"], file["observables/replica-2"]
        position, velocity = particles["position"], particles["velocity"]
        assert position["step"][:].tolist() == [0, 20, 40, 60]
        assert position["time"][:].tolist() == [0.0, 10.0, 20.0, 30.0]
        assert position["value"].attrs["unit"] == "Angstrom"
        np.testing.assert_allclose(position["value"], [f.positions for f in frames], atol=1e-7)
        in_ase = np.array([f.get_velocities() for f in frames]) * ase_units.fs
        np.testing.assert_allclose(velocity["value"], in_ase, atol=1e-7)
        energies = np.array([f.get_potential_energy() for f in frames]) * units.ELECTRONVOLT
        np.testing.assert_allclose(observables["potential_energy/value"], energies, atol=1e-4)


def test_constant_energy_is_told_with_drift_and_fluctuation(field, tmp_path):
    found = ff.md(field, CH3F, tmp_path / "md.xyz", ff.DynamicsSettings(2000, timestep=0.25, every=10))

    drift, fluctuation = found.conservation
    assert found.energy.shape == (201, 1)
    assert abs(drift) < 0.01
    assert 0.0 < fluctuation < 0.01
    assert found.steps_per_s is None or found.steps_per_s > 0.0


def test_run_that_blows_up_names_replica_and_step(forgefield, field, tmp_path):
    output = tmp_path / "md.xyz"

    result = forgefield("md", field, CH3F, "--steps", 500, "--timestep", 15, "--every", 1, "-o", output, "--json")

    told = json.loads(result.stdout)
    (blown,) = told["blown_up"]
    assert result.exit_code == 1
    assert 0 < blown["step"] < 500
    assert f"replica 1 blew up at step {blown['step']} ({15 * blown['step']} fs)" in result.stderr
    assert ase.io.read(output, "-1").info["step"] == blown["step"] - 1
    again = forgefield("md", field, CH3F, "--steps", 500, "--timestep", 15, "--every", 1, "-o", output, "--resume")
    assert again.exit_code == 2
    assert "every replica has blown up" in again.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--ensemble", "npt"), "ensemble 'npt' is not one of nve, nvt"),
        (("--timestep", "-1", "--replicas", "0"), "replicas must be 1 or more, not 0; timestep must be positive"),
        (("--temperature", "nan"), "temperature must not be negative, not nan K"),
        (("--seed", "-3"), "seed must be between 0 and 4294967295"),
        (("-o", "md.dcd"), "trajectories are written as .xyz, .extxyz, .h5, .hdf5 or .h5md, not '.dcd'"),
        (("-o", "none/md.xyz"), "none/md.xyz: cannot be written (No such file or directory)"),
        (("--resume",), "there is no checkpoint to resume from; run without --resume"),
    ],
)
def test_what_cannot_be_done_is_one_clear_message(forgefield, field, words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    result = forgefield("md", field, CH3F, "--steps", 10, *words)

    assert result.exit_code == 2
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_checkpoint_of_another_run_is_refused(forgefield, field, tmp_path):
    output = tmp_path / "md.xyz"
    forgefield("md", field, CH3F, "--steps", 10, "-o", output)

    words = ("md", field, CH3F, "-o", output, "--resume")
    other_seed = forgefield(*words, "--steps", 20, "--seed", 7)
    no_more = forgefield(*words, "--steps", 10)

    assert other_seed.exit_code == no_more.exit_code == 2
    assert "the checkpoint is of a run with another seed" in other_seed.stderr
    assert "the run has done 10 steps already; ask for more than that" in no_more.stderr


def test_force_field_without_the_molecule_is_told(forgefield, field, tmp_path):
    (tmp_path / "ethane.xyz").write_bytes((EXAMPLES / "ethane/staggered.xyz").read_bytes())
    (tmp_path / "atom.xyz").write_text("1\n\nHe 0 0 0\n")

    other = forgefield("md", field, tmp_path / "ethane.xyz", "--steps", 10)
    absent = forgefield("md", tmp_path / "no.fld", CH3F, "--steps", 10)

    assert other.exit_code == absent.exit_code == 2
    assert "ch3f.frcmod has no types for atoms such as C(C,H,H,H); it has those of C(F,H,H,H)" in other.stderr
    assert "no.fld: there is no such file" in absent.stderr


@pytest.mark.slow
def test_neural_model_of_a_file_moves_molecules_too(forgefield, tmp_path):
    design = Design((1, 6, 9), SineBasis(6, 4.0), QuinticEnvelope(), 0.01 * units.ELECTRONVOLT)
    write_painn(tmp_path / "model.safetensors", painn(jr.key(0), design, Size(8, 1, 6)))

    words = "md", tmp_path / "model.safetensors", CH3F, "--steps", 40, "-o", tmp_path / "md.xyz", "--json"
    result = forgefield(*words)

    assert result.exit_code == 0
    assert json.loads(result.stdout)["steps"] == 40
    frames = ase.io.read(tmp_path / "md.xyz", ":")
    total = [frame.get_total_energy() for frame in frames]
    assert np.ptp(total) < 0.02 * frames[0].get_kinetic_energy()
