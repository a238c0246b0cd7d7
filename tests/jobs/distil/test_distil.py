"""`forgefield distil`: the same student comes out whatever ends the process meanwhile."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from forgefield.cli.program import app
from forgefield.distil.deviations import deviations
from forgefield.errors import InputError
from forgefield.io.checkpoint import read_facts
from forgefield.io.datasets.data_set import append, begin_data_set, overview, read_records
from forgefield.io.datasets.records import Record, record_key
from forgefield.io.datasets.splits import read_split
from forgefield.io.forcefields.neural.painn_file import read_painn
from forgefield.io.rules import load
from forgefield.jobs.distil import labels, lessons
from forgefield.jobs.distil.distil_file import _pupils, distil_plan, read_distil_file
from forgefield.jobs.distil.distil_job import run_distil
from forgefield.jobs.distil.metrics import Row, read_rows
from forgefield.jobs.distil.plan import NewStudent
from forgefield.molecules.molecule import Molecule, Reference

WORDS = """
[data]
file = "springs.h5"
draw = {{ validation = 0.2, test = 0.2 }}
[student]
{student}
[training]
batch = 5
warmup = 2
{training}
[validation]
{validation}
"""
SMALL = "features = 8\nblocks = 1\nradial = 4\ncutoff = 3.0"
SHORT = "steps = 9\ncheck_every = 4"


def spring(generator: np.random.Generator, wrong: float = 0.0) -> Record:
    """A hydroxyl ion as a spring of 300 kcal/mol/Å², 1 Å long, at -100 kcal/mol; forces may be wrong."""
    x = np.array([[0.0, 0.0, 0.0], [1.0, 0.0, 0.0]]) + 0.05 * generator.normal(size=(2, 3))
    d = x[1] - x[0]
    r = float(np.linalg.norm(d))
    pull = 300.0 * (r - 1.0) * d / r + wrong
    molecule = Molecule("hydroxide", np.array([8, 1]), x, charge=-1)
    label = Reference(molecule.species, x, 150.0 * (r - 1.0) ** 2 - 100.0, np.array([-pull, pull]), charge=-1)
    return Record(molecule, label, "springs 1", "made", record_key("springs", molecule))


def settings(
    folder: Path, student: str = SMALL, training: str = SHORT, wrong: float = 0.0, validation: str = "run = false"
) -> Path:
    folder.mkdir(exist_ok=True)
    data = folder / "springs.h5"
    if not data.exists():
        generator = np.random.default_rng(0)
        begin_data_set(data)
        append(data, [spring(generator, wrong if k == 7 else 0.0) for k in range(30)])
    path = folder / "DISTIL.toml"
    path.write_text(WORDS.format(student=student, training=training, validation=validation))
    return path


def plan_of(folder: Path, **words):
    path = settings(folder, **words)
    return distil_plan(path, read_distil_file(path))


@pytest.mark.slow
@pytest.mark.parametrize(("force", "code"), [(1e-3, 1), (1e6, 0)])
def test_students_are_judged_at_the_end(tmp_path, force, code):
    validation = f"nve = 0.1\nmd = 0.1\nthresholds = {{ force = {force} }}"
    path = settings(tmp_path, validation=validation)

    found = CliRunner().invoke(app, ["distil", str(path), "-o", str(tmp_path / "run")])

    assert found.exit_code == code, found.output
    judged = json.loads((tmp_path / "run/validation/results.json").read_text())
    assert judged["accepted"] == (code == 0)
    assert judged["accuracy"]["n"] == 6
    assert (tmp_path / "run/validation/report.html").is_file()


def untimed(rows: list[Row]) -> list[Row]:
    return [replace(row, seconds=0.0, structures_per_s=0.0) for row in rows]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    found = CliRunner().invoke(app, ["distil", str(settings(folder)), "-o", str(folder / "run"), "--json"])
    assert found.exit_code == 0, found.output
    return folder / "run", json.loads(found.stdout)


@pytest.mark.slow
def test_the_command_writes_the_student_with_its_errors(whole):
    folder, told = whole
    student = read_painn(folder / "student.safetensors")
    parts, _ = read_split(folder.parent / "springs.h5", "default")
    test = [record.label for record in read_records(folder.parent / "springs.h5", np.flatnonzero(parts == 2))]

    found = deviations(student, test).errors

    assert told == json.loads((folder / "results.json").read_text())
    assert told["structures"] == {"training": 18, "validation": 6, "test": 6}
    (one,) = told["students"]
    np.testing.assert_allclose(one["test"]["force_mae"], found.force_mae, rtol=1e-5)
    np.testing.assert_allclose(one["test"]["energy_mae"], found.energy_mae, rtol=1e-4)
    np.testing.assert_allclose(one["test"]["energy_mae_per_atom"], found.energy_mae / 2, rtol=1e-4)
    assert (folder / "DISTIL.toml").read_text() == (folder.parent / "DISTIL.toml").read_text()


def test_the_folder_is_a_force_field(whole):
    folder, _ = whole

    model, _ = load(folder).lay([next(read_records(folder.parent / "springs.h5")).molecule])

    assert model.traits.elements == (1, 8)


def test_metrics_have_a_row_for_each_look(whole):
    folder, _ = whole

    rows = read_rows(folder / "metrics.csv")

    assert [(row.student, row.step) for row in rows] == [("small-0", 4), ("small-0", 8), ("small-0", 9)]
    # Eighteen structures, five at once: four steps are an epoch.
    assert [row.epoch for row in rows] == [1.0, 2.0, 2.25]
    assert all(
        row.better == (row.validation_loss <= min(r.validation_loss for r in rows[: k + 1]))
        for k, row in enumerate(rows)
    )


def test_energies_of_elements_add_up_from_the_start(whole):
    folder, _ = whole

    references = np.asarray(read_painn(folder / "student.safetensors").references)

    energies = overview(folder.parent / "springs.h5").energy
    assert energies.min() < references.sum() < energies.max()


@pytest.mark.parametrize("last", [4, 6])
def test_interrupted_and_resumed_it_comes_to_the_same(whole, tmp_path, monkeypatch, last):
    monkeypatch.setattr(lessons, "_TOLD_S", 0.0)

    def interrupt(stand):
        if stand.step == last:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_distil(plan_of(tmp_path), tmp_path / "run", tell=interrupt)
    assert not (tmp_path / "run/student.safetensors").exists()
    run_distil(plan_of(tmp_path), tmp_path / "run", resume=True)

    assert (tmp_path / "run/student.safetensors").read_bytes() == (whole[0] / "student.safetensors").read_bytes()
    assert untimed(read_rows(tmp_path / "run/metrics.csv")) == untimed(read_rows(whole[0] / "metrics.csv"))


def test_it_goes_on_from_the_last_checkpoint_before_a_look(whole, tmp_path, monkeypatch):
    def crash(*given, **named):
        raise RuntimeError

    # A checkpoint after each step; the first look never ends.
    monkeypatch.setattr(lessons.Lessons, "_row", crash)
    path = settings(tmp_path)
    path.write_text(path.read_text() + "[output]\ncheckpoint_minutes = 1e-9\n")
    plan = distil_plan(path, read_distil_file(path))
    with pytest.raises(RuntimeError):
        run_distil(plan, tmp_path / "run")
    monkeypatch.undo()

    run_distil(plan, tmp_path / "run", resume=True)

    assert (tmp_path / "run/student.safetensors").read_bytes() == (whole[0] / "student.safetensors").read_bytes()


@pytest.mark.slow
def test_interrupted_by_the_kernel_too_it_comes_to_the_same(tmp_path, monkeypatch):
    monkeypatch.setenv("FORGEFIELD_KERNEL", "native")
    wide = SMALL.replace("features = 8", "features = 16")
    plan = plan_of(tmp_path, student=wide)
    run_distil(plan, tmp_path / "whole")
    if read_facts(tmp_path / "whole/checkpoint.safetensors")["way"] != "native":
        pytest.skip("no kernel")
    told = []

    def stop(stand):
        told.append(stand)
        if len(told) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_distil(plan, tmp_path / "run", tell=stop)
    run_distil(plan, tmp_path / "run", resume=True)

    first, again = (tmp_path / name / "student.safetensors" for name in ("whole", "run"))
    assert first.read_bytes() == again.read_bytes()


@pytest.mark.parametrize(
    ("words", "cutoff"),
    [("", 1.2), ("core_cutoff = 0", None), ("core_cutoff = 1.5", 1.5), ('baseline = "start.fld"', None)],
)
def test_cores_repel_unless_they_are_left_out(words, cutoff, tmp_path):
    folder = settings(tmp_path, student=f"{SMALL}\n{words}").parent
    (folder / "start.fld").touch()

    (pupil,) = _pupils(folder / "DISTIL.toml", read_distil_file(folder / "DISTIL.toml").student)

    assert isinstance(pupil.start, NewStudent)
    assert pupil.start.core_cutoff == cutoff


@pytest.mark.parametrize("way", ["native", "xla"])
def test_it_goes_on_the_way_it_began(way, tmp_path, monkeypatch):
    def crash(*given, **named):
        raise RuntimeError

    begun = []
    monkeypatch.setattr(lessons, "fastest_to_train", lambda model, **_: model)
    monkeypatch.setattr(lessons, "way_of", lambda _: way)
    monkeypatch.setattr(lessons.Lessons, "_row", crash)
    with pytest.raises(RuntimeError):
        run_distil(plan_of(tmp_path), tmp_path / "run")
    monkeypatch.undo()
    monkeypatch.setattr(lessons, "fastest_to_train", lambda model, **given: begun.append(given) or model)

    run_distil(plan_of(tmp_path), tmp_path / "run", resume=True)

    assert begun == [{"begun": way}]


def test_a_finished_run_is_not_trained_again(whole, tmp_path):
    plan = plan_of(tmp_path)
    first = run_distil(plan, tmp_path / "run")

    def unwanted(stand):
        raise AssertionError(stand)

    again = run_distil(plan, tmp_path / "run", resume=True, tell=unwanted)

    assert again.results == first.results


def test_labels_that_stay_in_their_file_are_the_same(whole, tmp_path, monkeypatch):
    monkeypatch.setattr(labels, "_HELD", 0.0)

    run_distil(plan_of(tmp_path), tmp_path / "run")

    assert (tmp_path / "run/student.safetensors").read_bytes() == (whole[0] / "student.safetensors").read_bytes()


def test_nothing_is_replaced_unasked(whole, tmp_path):
    plan = plan_of(tmp_path)
    (tmp_path / "run").mkdir()
    (tmp_path / "run/student.safetensors").write_text("mine")

    with pytest.raises(InputError, match="there already"):
        run_distil(plan, tmp_path / "run")

    run_distil(plan, tmp_path / "run", overwrite=True)
    assert read_painn(tmp_path / "run/student.safetensors").design.elements == (1, 8)


def test_a_checkpoint_of_other_settings_is_refused(tmp_path):
    run_distil(plan_of(tmp_path), tmp_path / "run")

    with pytest.raises(InputError, match="belongs to other input"):
        run_distil(plan_of(tmp_path, training=SHORT + "\nlearning_rate = 1e-4"), tmp_path / "run", resume=True)


def test_several_seeds_are_a_committee(tmp_path):
    found = run_distil(plan_of(tmp_path, student=SMALL + "\nseeds = [0, 1]"), tmp_path / "run")

    names = [path.name for path in found.files]
    assert names == ["small-0.safetensors", "small-1.safetensors"]
    members = [one["test"]["force_rmse"] for one in found.results["students"]]
    committee = found.results["committee"]
    # What is common to the errors of two is their mean's, the rest their spread.
    together = np.mean(np.square(members))
    np.testing.assert_allclose(committee["test"]["force_rmse"] ** 2 + committee["force_spread"] ** 2 / 2, together)
    assert [row[0] for row in found.table.groups[0].rows] == ["small-0", "small-1", "mean of all"]


def test_a_trained_student_keeps_its_energies_of_elements(whole, tmp_path):
    start = f'start = "{whole[0] / "student.safetensors"}"'

    run_distil(plan_of(tmp_path, student=start), tmp_path / "run")

    first, further = (read_painn(folder / "student.safetensors") for folder in (whole[0], tmp_path / "run"))
    np.testing.assert_array_equal(further.references, first.references)
    assert not np.array_equal(further.embedding, first.embedding)


def test_outliers_of_the_training_set_are_named(tmp_path):
    # Hydroxide is shorter than the reach of cores, whose repulsion nine steps do not make up for.
    settings(tmp_path, student=f"{SMALL}\ncore_cutoff = 0", wrong=500.0)
    draw = "draw = { validation = 0.2, test = 0.2 }"
    path = tmp_path / "DISTIL.toml"
    path.write_text(path.read_text().replace(draw, 'draw = { by = "time", validation = 0.2, test = 0.2 }'))

    found = run_distil(distil_plan(path, read_distil_file(path)), tmp_path / "run")

    (one,) = found.results["outliers"]
    assert (one["record"], one["molecule"], one["origin"]) == (8, "hydroxide", "made")
    assert one["largest_force_error"] > 400.0


def test_a_limit_of_time_ends_training(tmp_path):
    found = run_distil(plan_of(tmp_path, training="steps = 1000000\nminutes = 1e-6"), tmp_path / "run")

    (one,) = found.results["students"]
    assert (one["steps"], one["out_of_time"]) == (1, True)
    assert (tmp_path / "run/student.safetensors").is_file()


def test_minutes_alone_say_how_many_steps_there_are(tmp_path):
    told = []

    run_distil(plan_of(tmp_path, training="minutes = 0.01"), tmp_path / "run", tell=told.append)

    assert told[-1].steps >= 100
    assert told[-1].steps % 100 != 1


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["f64", "bf16"])
def test_other_precisions(tmp_path, precision):
    run_distil(plan_of(tmp_path, training=f'{SHORT}\nprecision = "{precision}"'), tmp_path / "run")

    weights = read_painn(tmp_path / "run/student.safetensors").embedding
    assert weights.dtype == ("float64" if precision == "f64" else "float32")


@pytest.mark.parametrize(
    ("student", "training", "said"),
    [
        ("sze = 1", SHORT, "sze"),
        ('size = "huge"', SHORT, "tiny"),
        ("seeds = [1, 1]", SHORT, "seeds must be one or several different ones"),
        ('start = "none.safetensors"', SHORT, "there is no file"),
        ('start = "none.safetensors"\nsize = "tiny"', SHORT, "leave size out"),
        (SMALL, "steps = 3\nepochs = 2", "epochs and steps exclude each other"),
        (SMALL, f"{SHORT}\nloss = {{ product = 1.0 }}", "product: Hessian products; label with directions = 1 or more"),
        (SMALL, f"{SHORT}\nloss = {{ atomic_energy = 1.0 }}", "atomic_energy: energies of atoms"),
        (SMALL, f"{SHORT}\nloss = {{ energy = 0.0, force = 0.0 }}", "some error must weigh more than zero"),
    ],
)
def test_settings_that_make_no_sense_are_told(tmp_path, student, training, said):
    path = settings(tmp_path, student, training)

    found = CliRunner().invoke(app, ["distil", str(path)])

    assert found.exit_code == 2
    assert said in " ".join(found.stderr.split())


def test_a_split_that_was_drawn_otherwise_is_refused(whole, tmp_path):
    path = whole[0].parent / "OTHER.toml"
    path.write_text((whole[0].parent / "DISTIL.toml").read_text().replace("test = 0.2", "test = 0.3"))

    with pytest.raises(InputError, match="name another one in"):
        run_distil(distil_plan(path, read_distil_file(path)), tmp_path / "run")


def command(path: Path, *words: str, **variables: str) -> subprocess.Popen:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **variables}
    return subprocess.Popen(
        [sys.executable, "-m", "forgefield", "distil", str(path), "-o", str(path.parent / "run"), *words],
        env=environment,
        stderr=subprocess.DEVNULL,
    )


@pytest.mark.slow
def test_killed_again_and_again_it_comes_to_the_same(tmp_path):
    training = "steps = 1200\ncheck_every = 100"
    once, often = (settings(tmp_path / name, training=training) for name in ("once", "often"))
    for path in (once, often):
        path.write_text(path.read_text() + "[output]\ncheckpoint_minutes = 0.003\n")
    cache = {"FORGEFIELD_CACHE": str(tmp_path / "cache")}
    assert command(once, **cache).wait() == 0

    checkpoint, steps = often.parent / "run/checkpoint.safetensors", [0]
    for number in (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL):
        process = command(often, "--resume", **cache)
        wait_for_step(checkpoint, steps[-1] + 1)
        process.send_signal(number)
        process.wait()
        steps.append(read_facts(checkpoint)["step"])
    assert command(often, "--resume", **cache).wait() == 0

    assert 0 < steps[1] < steps[-1] < 1200
    first, again = ((path.parent / "run/student.safetensors").read_bytes() for path in (once, often))
    assert first == again
    first, again = (untimed(read_rows(path.parent / "run/metrics.csv")) for path in (once, often))
    assert first == again


def wait_for_step(checkpoint: Path, step: int) -> None:
    """Wait until a checkpoint has come to a step; a minute at most."""
    for _ in range(600):
        if checkpoint.exists() and read_facts(checkpoint)["step"] >= step:
            return
        time.sleep(0.1)
    raise TimeoutError


@pytest.mark.slow
def test_four_devices_have_the_losses_of_one(whole, tmp_path):
    flags = f"--xla_force_host_platform_device_count=4 {os.environ['XLA_FLAGS']}"

    assert command(settings(tmp_path), XLA_FLAGS=flags, FORGEFIELD_CACHE=str(tmp_path / "cache")).wait() == 0

    one, four = (read_rows(folder / "metrics.csv") for folder in (whole[0], tmp_path / "run"))
    for name in ("loss_energy", "loss_force", "validation_loss", "validation_force_mae"):
        np.testing.assert_allclose([getattr(row, name) for row in four], [getattr(row, name) for row in one], rtol=1e-4)
