"""What `forgefield md` says of a run: temperatures, what they are means of, masses, and files of replicas."""

import json
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import h5py
import numpy as np
import pytest

from certain import dataset, instance
from forgefield import units
from forgefield.jobs.estimate import estimate, write_estimated
from forgefield.jobs.md.dynamics import run_dynamics
from forgefield.jobs.md.dynamics_results import summary
from forgefield.jobs.md.dynamics_settings import DynamicsSettings

CH3F = Path(__file__).parents[3] / "examples/ch3f/ch3f.json"


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    """A force field of fluoromethane as `forgefield estimate` writes it."""
    path = tmp_path_factory.mktemp("field") / "ch3f.frcmod"
    write_estimated(path, estimate([CH3F], form="harmonic"))
    return path


@pytest.mark.parametrize(("ensemble", "shifts"), [("nvt", (-0.5, 0.5)), ("nve", (0.0,))])
def test_temperature_is_that_of_half_steps_under_the_thermostat_and_of_full_steps_else(
    field, tmp_path, ensemble, shifts
):
    settings = DynamicsSettings(60, ensemble, timestep=1.5, replicas=2, every=5)

    found = run_dynamics(field, CH3F, tmp_path / "md.h5", settings)

    with h5py.File(tmp_path / "md.h5") as file:
        force = dataset(file, "particles/replica-1/force/value")[:]
        velocity = dataset(file, "particles/replica-1/velocity/value")[:] / units.FEMTOSECOND
        m = dataset(file, "particles/replica-1/mass")[:]
        written = dataset(file, "observables/replica-1/temperature/value")[:]
    kicks = [velocity + shift * 1.5 * units.FEMTOSECOND * force / m[:, None] for shift in shifts]
    kinetic = np.mean([0.5 * np.einsum("a,fac->f", m, v**2) for v in kicks], axis=0)
    np.testing.assert_allclose(found.temperature[:, 0], 2.0 * kinetic / (12 * units.BOLTZMANN), rtol=1e-9)
    np.testing.assert_allclose(written, found.temperature[:, 0], rtol=1e-12)
    assert summary(found)["temperature_from"] == f"velocities at {'half' if len(shifts) == 2 else 'full'} steps"


def test_averages_begin_after_the_equilibration_which_the_output_states(forgefield, field, tmp_path):
    words = "md", field, CH3F, "--steps", 100, "--every", 10, "--ensemble", "nvt", "--json"
    shown = forgefield(*words, "-o", tmp_path / "a.h5")
    usual = json.loads(shown.stdout)
    longer = forgefield(*words, "-o", tmp_path / "b.h5", "--equilibration", 0.04)

    with h5py.File(tmp_path / "a.h5") as file:
        temperatures = dataset(file, "observables/replica-1/temperature/value")[:]
    told = json.loads(longer.stdout)
    assert (usual["equilibration_ps"], usual["frames_averaged"]) == (pytest.approx(0.025), 6)
    assert (told["equilibration_ps"], told["frames_averaged"]) == (0.04, 3)
    assert usual["temperature_mean_k"] == pytest.approx(temperatures[5:].mean())
    assert told["temperature_mean_k"] == pytest.approx(temperatures[8:].mean())
    assert told["temperature_std_k"] == pytest.approx(temperatures[8:].std())
    assert "temperature, half steps" in longer.stderr
    assert "averaged from" in longer.stderr
    assert "second half" in shown.stderr
    assert "second half" not in longer.stderr


def test_averages_of_a_continued_run_are_those_of_the_whole_run(field, tmp_path):
    settings = DynamicsSettings(120, replicas=2, every=5, seed=2)
    straight = summary(run_dynamics(field, CH3F, tmp_path / "a.h5", replace(settings, equilibration=0.02)))

    # Half of what was first asked for, and no more when the run grows.
    run_dynamics(field, CH3F, tmp_path / "b.h5", replace(settings, n_steps=80))
    continued = summary(run_dynamics(field, CH3F, tmp_path / "b.h5", settings, resume=True))

    assert continued["begun_at_step"] == 80
    names = ("equilibration_ps", "frames_averaged", "temperature_mean_k", "temperature_std_k", "temperatures_k")
    for name in (*names, "energy_drift_kcal_mol_atom_ps", "energy_fluctuation_kcal_mol_atom"):
        assert continued[name] == pytest.approx(straight[name], rel=1e-6), name


def test_equilibration_that_leaves_nothing_or_is_another_is_refused(forgefield, field, tmp_path):
    words = "md", field, CH3F, "-o", tmp_path / "md.xyz"

    nothing = forgefield(*words, "--steps", 10, "--equilibration", 0.005)
    forgefield(*words, "--steps", 10)
    other = forgefield(*words, "--steps", 20, "--resume", "--equilibration", 0.004)

    assert nothing.exit_code == other.exit_code == 2
    assert "an equilibration of 0.005 ps leaves nothing of a run of 0.005 ps to average" in nothing.stderr
    assert "the checkpoint is of a run with another equilibration" in other.stderr


@pytest.mark.parametrize(
    ("words", "carbon", "said"),
    [((), 12.011, "standard atomic weights"), (("--masses", "isotopes"), 12.0, "most abundant isotopes")],
)
def test_masses_are_atomic_weights_unless_isotopes_are_wanted(forgefield, field, tmp_path, words, carbon, said):
    result = forgefield("md", field, CH3F, "--steps", 2, "-o", tmp_path / "md.h5", "--json", *words)

    assert json.loads(result.stdout)["masses"] == said
    assert said in result.stderr
    with h5py.File(tmp_path / "md.h5") as file:
        assert dataset(file, "particles/replica-1/mass")[0] == carbon


def test_separate_files_hold_a_replica_each_and_are_continued(field, tmp_path):
    settings = DynamicsSettings(40, "nvt", replicas=2, every=10)
    run_dynamics(field, CH3F, tmp_path / "all.h5", settings)

    run_dynamics(field, CH3F, tmp_path / "md.h5", replace(settings, n_steps=20, separate=True))
    found = run_dynamics(field, CH3F, tmp_path / "md.h5", replace(settings, separate=True), resume=True)

    assert [path.name for path in found.files[:2]] == ["md-1.h5", "md-2.h5"]
    with h5py.File(tmp_path / "all.h5") as together:
        for k, path in enumerate(found.files[:2], start=1):
            with h5py.File(path) as alone:
                assert [list(instance(h5py.Group, alone[name])) for name in ("particles", "observables")] == 2 * [
                    [f"replica-{k}"]
                ]
                for name in ("position/step", "position/time", "position/value", "force/value"):
                    place = f"particles/replica-{k}/{name}"
                    np.testing.assert_array_equal(alone[place], together[place])
                assert alone["h5md/creator"].attrs["version"] == version("forgefield")
