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
from ase import Atoms
from ase import units as ase_units
from ase.calculators.singlepoint import SinglePointCalculator

import forgefield as ff
from certain import dataset, instance, known
from forgefield import units
from forgefield.io.forcefields.neural.painn_file import write_painn
from forgefield.jobs.estimate import estimate, write_estimated
from forgefield.jobs.md import dynamics
from forgefield.jobs.md.dynamics import checkpoint_of, run_dynamics
from forgefield.jobs.md.dynamics_settings import DynamicsSettings
from forgefield.models.neural.painn import Design, Size, painn
from forgefield.models.neural.radial import QuinticEnvelope, SineBasis

EXAMPLES = Path(__file__).parents[3] / "examples"
CH3F = EXAMPLES / "ch3f/ch3f.json"


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """A force field of fluoromethane as `forgefield estimate` writes it."""
    path = tmp_path_factory.mktemp("field") / "ch3f.frcmod"
    write_estimated(path, estimate([CH3F], form="harmonic"))
    return path


def test_trajectory_holds_energy_forces_and_velocities_of_every_frame(forgefield, field, tmp_path):
    output = tmp_path / "md.xyz"

    words = "md", field, CH3F, "--steps", 100, "--every", 20, "-o", output
    result = forgefield(*words, "--equilibration", 0, "--json")

    told = json.loads(result.stdout)
    assert result.exit_code == 0
    frames = instance(list, ase.io.read(output, ":"))
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


def test_a_continued_run_is_computed_the_way_it_began(field, tmp_path, monkeypatch):
    begun = []
    monkeypatch.setattr(dynamics, "fastest", lambda model, **options: begun.append(options["begun"]) or model)
    monkeypatch.setattr(dynamics, "way_of", lambda _: "native")
    run_dynamics(field, CH3F, tmp_path / "md.xyz", DynamicsSettings(10, every=10))
    # A faster way found meanwhile changes nothing.
    monkeypatch.setattr(dynamics, "way_of", lambda _: "xla")

    run_dynamics(field, CH3F, tmp_path / "md.xyz", DynamicsSettings(20, every=10), resume=True)

    assert begun == [None, "native"]


def test_hdf5_holds_the_same_as_extended_xyz(field, tmp_path):
    settings = DynamicsSettings(60, "nvt", replicas=2, every=20)
    run_dynamics(field, CH3F, tmp_path / "md.xyz", settings)

    run_dynamics(field, CH3F, tmp_path / "md.h5", replace(settings, n_steps=30))
    run_dynamics(field, CH3F, tmp_path / "md.h5", settings, resume=True)

    frames = instance(list, ase.io.read(tmp_path / "md-2.xyz", ":"))
    with h5py.File(tmp_path / "md.h5") as file:
        position, velocity = "particles/replica-2/position", "particles/replica-2/velocity"
        assert dataset(file, f"{position}/step")[:].tolist() == [0, 20, 40, 60]
        assert dataset(file, f"{position}/time")[:].tolist() == [0.0, 10.0, 20.0, 30.0]
        assert file[f"{position}/value"].attrs["unit"] == "Angstrom"
        np.testing.assert_allclose(dataset(file, f"{position}/value")[:], [f.positions for f in frames], atol=1e-7)
        in_ase = np.array([f.get_velocities() for f in frames]) * ase_units.fs
        np.testing.assert_allclose(dataset(file, f"{velocity}/value")[:], in_ase, atol=1e-7)
        energies = np.array([f.get_potential_energy() for f in frames]) * units.ELECTRONVOLT
        stored = dataset(file, "observables/replica-2/potential_energy/value")
        np.testing.assert_allclose(stored[:], energies, atol=1e-4)


def test_constant_energy_is_told_with_drift_and_fluctuation(field, tmp_path):
    found = ff.md(field, CH3F, tmp_path / "md.xyz", ff.DynamicsSettings(2000, timestep=0.25, every=10))

    drift, fluctuation = found.conservation
    assert found.energy.shape == (201, 1)
    assert abs(known(drift)) < 0.01
    assert 0.0 < known(fluctuation) < 0.01
    assert found.steps_per_s is None or found.steps_per_s > 0.0


def test_run_that_blows_up_names_replica_and_step(forgefield, field, tmp_path):
    output = tmp_path / "md.xyz"

    result = forgefield("md", field, CH3F, "--steps", 500, "--timestep", 15, "--every", 1, "-o", output, "--json")

    told = json.loads(result.stdout)
    (blown,) = told["blown_up"]
    assert result.exit_code == 1
    assert 0 < blown["step"] < 500
    assert f"replica 1 blew up at step {blown['step']} ({15 * blown['step']} fs)" in result.stderr
    assert instance(Atoms, ase.io.read(output, -1)).info["step"] == blown["step"] - 1
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
    frames = instance(list, ase.io.read(tmp_path / "md.xyz", ":"))
    total = [frame.get_total_energy() for frame in frames]
    assert np.ptp(total) < 0.02 * frames[0].get_kinetic_energy()


@pytest.fixture
def short(forgefield, field):
    """Runs dynamics of two replicas to a step and returns what came of it."""

    def run(output, steps, *words):
        settings = "--replicas", 2, "--every", 10, "--steps", steps
        return forgefield("md", field, CH3F, *settings, "-o", output, *words)

    return run


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_runs_of_the_same_stem_have_checkpoints_of_their_own(short, tmp_path):
    for suffix in ("xyz", "extxyz", "h5"):
        assert short(tmp_path / f"run.{suffix}", 40).exit_code == 0

    resumed = [short(tmp_path / f"run.{suffix}", 80, "--resume") for suffix in ("xyz", "extxyz", "h5")]

    assert [result.exit_code for result in resumed] == [0, 0, 0]
    assert len(ase.io.read(tmp_path / "run-2.xyz", ":")) == 9
    assert (tmp_path / "run-2.xyz").read_bytes() == (tmp_path / "run-2.extxyz").read_bytes()
    with h5py.File(tmp_path / "run.h5") as file:
        assert dataset(file, "particles/replica-2/position/step")[:].tolist() == list(range(0, 90, 10))


def test_the_checkpoint_of_another_output_is_refused(short, tmp_path):
    short(tmp_path / "a.xyz", 40)
    for path in tmp_path.iterdir():
        path.rename(path.with_name(path.name.replace("a", "b", 1)))
    before = contents(tmp_path)

    result = short(tmp_path / "b.xyz", 80, "--resume")

    assert result.exit_code == 2
    assert "the checkpoint is of a run with another output" in result.stderr
    assert contents(tmp_path) == before


def shortened(path):
    path.write_bytes(path.read_bytes()[:-20])


def replaced(path):
    path.write_bytes(path.read_bytes()[::-1] + b"more")


def removed(path):
    path.unlink()


def other_frames(path):
    with h5py.File(path, "r+") as file:
        dataset(file, "particles/replica-2/position/value")[-1] += 1e-6


def fewer_frames(path):
    with h5py.File(path, "r+") as file:
        dataset(file, "particles/replica-2/force/step").resize(3, axis=0)


def other_atoms(path):
    with h5py.File(path, "r+") as file:
        dataset(file, "particles/replica-1/species")[0] = 17


def without_a_replica(path):
    with h5py.File(path, "r+") as file:
        del file["particles/replica-2"]


@pytest.mark.parametrize(
    ("output", "changed", "change", "message"),
    [
        ("run.xyz", "run-2.xyz", shortened, "run-2.xyz is shorter than it was"),
        ("run.xyz", "run-2.xyz", replaced, "run-2.xyz is another file than it was"),
        ("run.xyz", "run-1.xyz", removed, "run-1.xyz is missing"),
        ("run.h5", "run.h5", shortened, "run.h5 is shorter than it was, or another file"),
        ("run.h5", "run.h5", replaced, "run.h5 is shorter than it was, or another file"),
        ("run.h5", "run.h5", removed, "run.h5 is missing"),
        ("run.h5", "run.h5", other_frames, "run.h5 holds another replica 2"),
        ("run.h5", "run.h5", fewer_frames, "has 3 frames instead of 5"),
        ("run.h5", "run.h5", other_atoms, "run.h5 holds another replica 1"),
        ("run.h5", "run.h5", without_a_replica, "replica-2"),
    ],
)
def test_a_trajectory_that_is_not_what_it_was_is_refused_untouched(short, tmp_path, output, changed, change, message):
    short(tmp_path / output, 40)
    change(tmp_path / changed)
    before = contents(tmp_path)

    result = short(tmp_path / output, 80, "--resume")

    assert result.exit_code == 2
    assert message in result.stderr
    assert contents(tmp_path) == before


@pytest.mark.parametrize("there", ["run-1.xyz", "run.xyz.checkpoint.safetensors"])
def test_what_is_there_is_replaced_only_on_request(short, tmp_path, there):
    (tmp_path / there).write_text("precious")

    refused = short(tmp_path / "run.xyz", 10)
    kept = contents(tmp_path)
    done = short(tmp_path / "run.xyz", 10, "--overwrite")

    assert (refused.exit_code, done.exit_code) == (2, 0)
    assert f"{there}: there already" in refused.stderr
    assert kept == {there: b"precious"}
    assert len(ase.io.read(tmp_path / "run-1.xyz", ":")) == 2


def test_a_trajectory_does_not_replace_the_structure_it_starts_from(forgefield, field, tmp_path):
    (tmp_path / "ch3f.xyz").write_bytes((EXAMPLES / "ch3f/ch3f.xyz").read_bytes())
    (tmp_path / "other.xyz").hardlink_to(tmp_path / "ch3f.xyz")
    before = contents(tmp_path)

    result = forgefield("md", field, tmp_path / "ch3f.xyz", "--steps", 1, "-o", tmp_path / "other.xyz", "--overwrite")

    assert result.exit_code == 2
    assert "would be written over, but is read too" in result.stderr
    assert contents(tmp_path) == before


@pytest.mark.parametrize("output", ["run.xyz", "run.h5"])
def test_dynamics_on_a_full_disk_stay_valid_and_go_on_when_there_is_room(
    short, tmp_path, output, file_size_limit, forgefield, field
):
    begun = short(tmp_path / output, 10, "--every", 1)
    assert begun.exit_code == 0
    limit = max(path.stat().st_size for path in tmp_path.iterdir()) + 20_000

    with file_size_limit(limit):
        full = short(tmp_path / output, 600, "--every", 1, "--resume")
    name = tmp_path / output if output.endswith("h5") else tmp_path / "run-1.xyz"
    if output.endswith("h5"):
        with h5py.File(name) as file:
            assert dataset(file, "particles/replica-1/position/value").shape[0] >= 11
    else:
        assert len(ase.io.read(name, ":")) >= 11
    resumed = short(tmp_path / output, 600, "--every", 1, "--resume")

    assert (full.exit_code, resumed.exit_code) == (2, 0)
    assert "cannot be written (File too large)" in full.stderr
