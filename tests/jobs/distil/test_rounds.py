"""Rounds of active learning: whatever ends the process meanwhile, the same students come out, and nothing is twice."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from forgefield.cli.program import app
from forgefield.engines.teachers.ase_teacher import AseTeacher
from forgefield.errors import InputError
from forgefield.io.datasets.data_set import overview, read_failures, read_records
from forgefield.io.datasets.splits import read_split
from forgefield.io.forcefields.neural.painn_file import read_painn
from forgefield.jobs.distil import lessons
from forgefield.jobs.distil.distil_file import distil_plan, read_distil_file
from forgefield.jobs.distil.rounds import collected
from forgefield.jobs.distil.rounds.rounds_job import RoundsTask, run_rounds
from forgefield.jobs.label.label_job import LabelPlan, run_label
from forgefield.jobs.label.structures import Distortions, sources_of
from forgefield.jobs.processes.pool import ThisProcess
from samples import WATER

# Each trains several times.
pytestmark = pytest.mark.slow

TEACHER = AseTeacher("calculators:made")
WORDS = """
[data]
file = "water.h5"
draw = { validation = 0.2, test = 0.2 }
[student]
features = 8
blocks = 1
radial = 4
cutoff = 3.0
seeds = [0, 1]
[training]
batch = 4
warmup = 2
steps = 6
[rounds]
number = 2
structures = 4
snapshots = 12
every = 2
steps = 4
teacher = { calculator = "calculators:made" }
[validation]
run = false
"""


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "engines" / "teachers"))
    monkeypatch.setattr(lessons, "_TOLD_S", 0.0)


def task_of(folder: Path, **told) -> RoundsTask:
    folder.mkdir(exist_ok=True)
    path, bonded = folder / "DISTIL.toml", replace(WATER, bonds=np.array([[0, 1], [0, 2]]), orders=np.ones(2))
    path.write_text(WORDS)
    if not (folder / "water.h5").exists():
        sources = tuple(sources_of([(bonded, "")], [Distortions(20, 0.04)], 0))
        run_label(LabelPlan(TEACHER, sources, folder / "water.h5", by=ThisProcess()))
    plan = distil_plan(path, read_distil_file(path))
    assert plan.rounds is not None
    return RoundsTask(plan, plan.rounds, TEACHER, folder / "run", ThisProcess(), **told)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The folder of a run that nothing disturbed, and what came of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[2] / "engines" / "teachers"))
        found = run_rounds(task_of(tmp_path_factory.mktemp("whole")))
    return found.folder, found.results


def outcome(folder: Path) -> dict[str, object]:
    """What must be the same whatever happened."""
    students = [(folder / f"students/small-{seed}.safetensors").read_bytes() for seed in (0, 1)]
    rounds = json.loads((folder / "results.json").read_text())["rounds"]
    return {"students": students, "rounds": rounds, "keys": overview(folder / "data.h5").key.tolist()}


def test_each_round_adds_to_the_training_alone(whole):
    folder, told = whole
    held = overview(folder / "data.h5")
    parts, _ = read_split(folder / "data.h5", "default")

    added = [[k for k in range(len(held)) if held.origins[held.origin[k]].startswith(f"round {n}, ")] for n in (1, 2)]

    assert [len(places) for places in added] == [4, 4]
    assert (parts[np.concatenate(added)] == 0).all()
    assert [one["training"] for one in told["rounds"]] == [12, 16, 20]
    assert len({key.tobytes() for key in held.key}) == 28
    assert len(overview(folder.parent / "water.h5")) == 20


def test_a_round_begins_with_the_students_of_the_one_before(whole):
    folder, told = whole
    first, second, last = (read_painn(folder / f"rounds/{n}/students/small-0.safetensors") for n in (0, 1, 2))

    assert (folder / "students/small-0.safetensors").read_bytes() == (
        folder / "rounds/2/students/small-0.safetensors"
    ).read_bytes()
    np.testing.assert_array_equal(first.references, last.references)
    assert not np.array_equal(first.embedding, second.embedding)
    # Of four steps each, not far from where it began.
    assert np.abs(first.embedding - last.embedding).max() < 0.1
    assert all(one["before"]["structures"] == 4 for one in told["rounds"][1:])
    assert [one["test"]["structures"] for one in told["rounds"]] == [4, 4, 4]


@pytest.mark.parametrize(
    ("phase", "at"), [("training", 2), ("structures", 1), ("labels", 1), ("training", 17), ("labels", 2)]
)
def test_interrupted_anywhere_it_comes_to_the_same(whole, tmp_path, phase, at):
    told = []

    def interrupt(stage: str) -> None:
        told.append(stage)
        if told.count(phase) == at and told[-1] == phase:
            raise KeyboardInterrupt

    task = task_of(
        tmp_path,
        tell=lambda stand: interrupt("training") if stand.row is None else None,
        tell_of_labels=lambda stage, *_: interrupt(stage),
    )
    with pytest.raises(KeyboardInterrupt):
        run_rounds(task)
    assert not (tmp_path / "run/results.json").exists()

    run_rounds(task_of(tmp_path), resume=True)

    assert outcome(tmp_path / "run") == outcome(whole[0])


def test_killed_between_labels_and_their_split_it_comes_to_the_same(whole, tmp_path, monkeypatch):
    def crash(*given):
        raise RuntimeError

    with monkeypatch.context() as patch:
        patch.setattr(collected, "extend_split", crash)
        with pytest.raises(RuntimeError):
            run_rounds(task_of(tmp_path))

    run_rounds(task_of(tmp_path), resume=True)

    assert outcome(tmp_path / "run") == outcome(whole[0])


def test_what_comes_to_grief_is_told_with_its_round(tmp_path):
    task = task_of(tmp_path)
    wild = replace(task.rounds, number=1, temperature=3000.0, every=1, timestep=15.0)

    found = run_rounds(replace(task, rounds=wild))

    (failure,) = found.results["rounds"][1]["failures"]
    assert "came" in failure["reason"]
    assert read_failures(tmp_path / "run/data.h5")[0].reason == failure["reason"]


@pytest.mark.slow
def test_the_command_shows_the_rounds(tmp_path, monkeypatch):
    task_of(tmp_path)
    path = tmp_path / "DISTIL.toml"
    validation = "nve = 0.1\nmd = 0.1"
    path.write_text(WORDS.replace("run = false", validation).replace("number = 2", "number = 1"))

    done = CliRunner().invoke(app, ["distil", str(path), "-o", str(tmp_path / "run")])

    assert done.exit_code == 0, done.output
    assert "forces of the added before" in " ".join(done.stderr.split())
    assert 'id="rounds"' in (tmp_path / "run/validation/report.html").read_text()
    assert [one["added"] for one in json.loads((tmp_path / "run/validation/results.json").read_text())["rounds"]] == [
        0,
        4,
    ]


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("seeds = [0, 1]", "seeds = 0", "take several students"),
        ('teacher = { calculator = "calculators:made" }', "", "say in [rounds.teacher]"),
        ("replay_ratio", "replay", "replay"),
        ("replay_ratio = 2.0", "replay_ratio = -1.0", "replay_ratio"),
    ],
)
def test_rounds_that_make_no_sense_are_told(tmp_path, before, after, said):
    task_of(tmp_path)
    path = tmp_path / "DISTIL.toml"
    path.write_text(WORDS.replace("[rounds]", "[rounds]\nreplay_ratio = 2.0").replace(before, after))

    done = CliRunner().invoke(app, ["distil", str(path), "-o", str(tmp_path / "run")])

    assert done.exit_code == 2
    assert said in " ".join(done.stderr.split())


def test_labels_of_another_teacher_are_refused(tmp_path):
    task = task_of(tmp_path)

    with pytest.raises(InputError, match="labels of another teacher"):
        run_rounds(replace(task, teacher=AseTeacher("calculators:made", {"fault": "curl"})))


def test_neither_other_settings_nor_other_data_are_resumed(whole, tmp_path):
    run_rounds(task := task_of(tmp_path))

    with pytest.raises(InputError, match="other settings"):
        run_rounds(replace(task, plan=replace(task.plan, text="other")), resume=True)

    (tmp_path / "water.h5").unlink()
    molecule = next(read_records(whole[0].parent / "water.h5")).molecule
    run_label(
        LabelPlan(TEACHER, tuple(sources_of([(molecule, "")], [Distortions(20, 0.03)], 1)), tmp_path / "water.h5")
    )
    with pytest.raises(InputError, match="has changed since the first round"):
        run_rounds(task, resume=True)
