"""`forgefield label`: what is asked for is labelled once, whatever ends the process meanwhile."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from forgefield.cli.program import app
from forgefield.engines.teachers.ase_teacher import AseTeacher
from forgefield.errors import InputError
from forgefield.io.datasets import data_set
from forgefield.io.datasets.data_set import overview, read_failures, read_records
from forgefield.jobs.label import label_job
from forgefield.jobs.label.label_file import label_plan, read_label_file
from forgefield.jobs.label.label_job import LabelPlan, planned_of, run_label
from forgefield.jobs.label.structures import AsGiven, Distortions, Dynamics, Modes, Stretches, Turns, sources_of
from forgefield.molecules.molecule import Molecule
from samples import WATER

CALCULATORS = Path(__file__).parents[2] / "engines" / "teachers"
WORDS = """
[teacher]
calculator = "calculators:made"
[[structures]]
files = "water.xyz"
distortions = {{ number = {number}, scale = 0.05 }}
[label]
directions = 1
workers = {workers}
"""
PEROXIDE = "4\n\nO 0.0 0.75 0.0\nO 0.0 -0.75 0.0\nH 0.9 0.9 0.3\nH -0.9 -0.9 0.3\n"
XYZ = "3\n\nO 0.0 0.0 0.12\nH 0.0 0.76 -0.47\nH 0.0 -0.76 -0.47\n"


@pytest.fixture(autouse=True)
def _importable(monkeypatch):
    monkeypatch.syspath_prepend(str(CALCULATORS))
    yield
    sys.modules.pop("calculators", None)


def plan_of(folder: Path, fault: str = "", number: int = 12, **asked) -> LabelPlan:
    sources = sources_of([(WATER, "")], [AsGiven(), Distortions(number, 0.05)], seed=1)
    return LabelPlan(AseTeacher("calculators:made", {"fault": fault}), tuple(sources), folder / "set.h5", **asked)


def test_labels_what_is_asked_for_once(tmp_path):
    found = run_label(plan_of(tmp_path, directions=2))
    again = run_label(plan_of(tmp_path, directions=2))

    assert (found.n_before, found.n_new, found.failures) == (0, 13, ())
    assert (again.n_before, again.n_new) == (13, 0)
    records = list(read_records(tmp_path / "set.h5"))
    assert [record.origin for record in records].count("displaced by 0.05 Å, seed 1") == 12
    assert overview(tmp_path / "set.h5").n_directions.tolist() == [2] * 13
    assert not planned_of(tmp_path / "set.h5").exists()


@pytest.mark.slow
def test_more_structures_are_added_to_those_that_are_there(tmp_path):
    run_label(plan_of(tmp_path))

    found = run_label(plan_of(tmp_path, number=20))

    # The structure as it is given is known; displacements of another number are others.
    assert (found.n_before, found.n_new) == (13, 20)


@pytest.mark.slow
def test_a_structure_that_ends_its_process_is_named_and_the_others_go_on(tmp_path):
    found = run_label(plan_of(tmp_path, "deadly", number=20))
    again = run_label(plan_of(tmp_path, "deadly", number=20))

    assert 0 < len(found.failures) < 20
    assert found.n_new == 21 - len(found.failures)
    assert all("ended without a result" in reason for _, reason in found.failures)
    assert again.n_new == 0
    assert len(read_failures(tmp_path / "set.h5")) == len(found.failures)


def test_a_structure_without_a_label_is_kept_with_the_reason(tmp_path):
    found = run_label(plan_of(tmp_path, "choosy", number=20))

    assert 0 < len(found.failures) < 20
    failures = read_failures(tmp_path / "set.h5")
    assert {failure.reason for failure in failures} == {"water: calculators:made failed: the oxygen is too low"}
    assert len(overview(tmp_path / "set.h5")) == found.n_new == 21 - len(failures)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("scaled", "not the slope of this energy"),
        ("curl", "the forces have no energy"),
        ("order", "do not follow their atoms"),
        ("nan", "no finite energy and forces"),
    ],
)
def test_an_unsound_teacher_is_refused(fault, said, tmp_path):
    with pytest.raises(InputError, match=said):
        run_label(plan_of(tmp_path, fault))


def test_a_data_set_says_that_its_forces_may_have_no_energy(tmp_path):
    path = settings(tmp_path, number=2)
    words = WORDS.format(number=2, workers=1).replace(
        "[[", 'arguments.fault = "curl"\nallow_nonconservative = true\n[['
    )
    path.write_text(words)

    found = CliRunner().invoke(app, ["label", str(path)])

    assert found.exit_code == 0, found.output
    assert "no slope of an energy" in found.stderr
    told = CliRunner().invoke(app, ["dataset", "info", str(tmp_path / "LABEL.h5")]).output
    assert "forces were allowed to be no slope of an energy" in told
    assert all('"allow_nonconservative": true' in record.teacher for record in read_records(tmp_path / "LABEL.h5"))


@pytest.mark.slow
def test_another_teacher_is_refused_until_the_set_is_replaced(tmp_path):
    run_label(plan_of(tmp_path))

    with pytest.raises(InputError, match="labels of another teacher"):
        run_label(plan_of(tmp_path, "charge"))

    assert run_label(plan_of(tmp_path, "charge"), overwrite=True).n_new == 13


@pytest.mark.parametrize(
    "sampler", [Modes(5, 300.0), Dynamics(5, 300.0, 4, 0.5), Turns(4), Stretches(4, 0.9, 1.2), Distortions(5, 0.03)]
)
def test_structures_follow_from_the_seed(sampler):
    teacher = AseTeacher("calculators:made")
    one, same, other = (sources_of([(WATER, "")], [sampler], seed)[0].made(teacher) for seed in (1, 1, 2))

    np.testing.assert_array_equal(one, same)
    assert isinstance(sampler, Turns | Stretches) or not np.allclose(one, other)


def test_a_source_that_cannot_be_made_does_not_stop_the_others(tmp_path):
    lone = Molecule("far", WATER.species, WATER.positions * 8.0)
    sources = (*sources_of([(WATER, "")], [AsGiven()], 0), *sources_of([(lone, "")], [Modes(3, 300.0)], 0))
    plan = LabelPlan(AseTeacher("calculators:made", {"fault": "choosy-far"}), sources, tmp_path / "set.h5")

    found = run_label(plan)

    assert found.n_new == 1
    assert [where for where, _ in found.failures] == ["far, normal modes at 300 K, seed 0"]


def test_interrupted_it_keeps_what_it_has(tmp_path, monkeypatch):
    def tell(stage: str, done: int, n: int) -> None:
        if stage == "labels" and done >= 8:
            raise KeyboardInterrupt

    monkeypatch.setattr(label_job, "_AT_ONCE", 2)
    with pytest.raises(KeyboardInterrupt):
        run_label(plan_of(tmp_path, number=30), tell=tell)

    n = len(overview(tmp_path / "set.h5"))
    assert 8 <= n < 31
    assert run_label(plan_of(tmp_path, number=30)).n_new == 31 - n


@pytest.mark.slow
@pytest.mark.parametrize("added", [False, True])
def test_interrupted_while_it_adds_to_the_file_it_adds_once(tmp_path, monkeypatch, added):
    interruptions = [KeyboardInterrupt]

    def append(*given):
        if added or not interruptions:
            data_set.append(*given)
        if interruptions:
            raise interruptions.pop()

    monkeypatch.setattr(label_job, "append", append)
    monkeypatch.setattr(label_job, "_SAVE_S", 0.0)
    with pytest.raises(KeyboardInterrupt):
        run_label(plan_of(tmp_path, "choosy"))
    run_label(plan_of(tmp_path, "choosy"))

    keys = [record.key for record in read_records(tmp_path / "set.h5")]
    keys += [failure.key for failure in read_failures(tmp_path / "set.h5")]
    assert len(keys) == len(set(keys)) == 13


def settings(folder: Path, number: int = 10, workers: int = 1) -> Path:
    (folder / "water.xyz").write_text(XYZ)
    path = folder / "LABEL.toml"
    path.write_text(WORDS.format(number=number, workers=workers))
    return path


def test_conformers_are_what_a_table_begins_from(tmp_path):
    path = tmp_path / "LABEL.toml"
    path.write_text("""
        [teacher]
        calculator = "calculators:made"
        [[structures]]
        files = "smiles:OCCO"
        conformers = { number = 4, apart = 0.2 }
        distortions = { number = 2 }
        [label]
        seed = 5
    """)

    said = read_label_file(path)
    plan, again = (label_plan(path, said, AseTeacher("calculators:made"), 1) for _ in range(2))

    starts = [source.molecule for source in plan.sources[::2]]
    assert [source.words for source in plan.sources[:2]] == [
        "conformer 1 (ETKDG, seed 5), as given",
        "conformer 1 (ETKDG, seed 5), displaced by 0.05 Å, seed 5",
    ]
    assert 1 < len(starts) <= 4
    assert len({source.digest for source in plan.sources}) == 2 * len(starts)
    assert [source.digest for source in plan.sources] == [source.digest for source in again.sources]


@pytest.mark.parametrize("relaxed", [False, True])
def test_turns_and_stretches_begin_from_what_is_relaxed_where_that_is_asked_for(relaxed, tmp_path):
    pytest.importorskip("tblite", reason="the extra qm is not installed")
    (tmp_path / "peroxide.xyz").write_text(PEROXIDE)
    path = tmp_path / "LABEL.toml"
    path.write_text(f"""
        [teacher]
        calculator = "calculators:made"
        [[structures]]
        files = "peroxide.xyz"
        as_given = false
        relaxed = {str(relaxed).lower()}
        turns = {{ points = 2 }}
        stretches = {{ points = 3, shortest = 0.9, longest = 1.1 }}
    """)
    teacher = AseTeacher("tblite.ase:TBLite", {"method": "GFN2-xTB", "verbosity": 0})

    *others, turns, stretches = label_plan(path, read_label_file(path), teacher, 1).sources

    start = others[0].made(teacher)[0] if relaxed else turns.molecule.positions
    apart = [np.linalg.norm(x[1] - x[0]) for x in (start, turns.made(teacher)[0], stretches.made(teacher)[1])]
    np.testing.assert_allclose(apart, apart[0], atol=1e-9)
    assert turns.words.startswith("relaxed") == stretches.words.startswith("relaxed") == relaxed
    assert (
        not relaxed or abs(apart[0] - np.linalg.norm(turns.molecule.positions[1] - turns.molecule.positions[0])) > 0.01
    )


def test_the_command_tells_what_it_did(tmp_path):
    found = CliRunner().invoke(app, ["label", str(settings(tmp_path)), "--json"])

    assert found.exit_code == 0, found.output
    told = json.loads(found.stdout)
    assert (told["new"], told["before"], told["failed"]) == (11, 0, 0)
    assert told["data"] == str(tmp_path / "LABEL.h5")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ('[teacher]\nmethod = "gfn2"\ncalculator = "a:b"\n', "name one of method, calculator and force_field"),
        ("[teacher]\n", "name one of method, calculator and force_field"),
        ('[teacher]\nmethod = "gfn2"\nmember = 1\n', 'member is for method = "ani1x"'),
        ('[teacher]\nmethod = "gfn2"\nallow_nonconservative = true\n', "allow_nonconservative is for a calculator"),
        ('[teacher]\nmethd = "gfn2"\n', "method"),
        ('[teacher]\nforce_field = "none.json"\n[[structures]]\nfiles = "water.xyz"\n', "there is no such force field"),
        ('[teacher]\nmethod = "gfn2"\n[[structures]]\nfiles = "no.xyz"\n', "matches no file"),
        ('[teacher]\nmethod = "gfn2"\n[[structures]]\nfiles = "water.xyz"\nas_given = false\n', "nothing is asked for"),
    ],
)
def test_settings_that_make_no_sense_are_told(tmp_path, words, said):
    path = settings(tmp_path)
    path.write_text(words)

    found = CliRunner().invoke(app, ["label", str(path)])

    assert found.exit_code == 2
    assert said in " ".join(found.stderr.split())


@pytest.mark.slow
def test_killed_again_and_again_it_loses_and_doubles_nothing(tmp_path):
    path = settings(tmp_path, number=400, workers=2)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(CALCULATORS), *sys.path])}
    words = [sys.executable, "-m", "forgefield", "label", str(path)]
    draw = np.random.default_rng(0)

    for _ in range(2):
        process = subprocess.Popen(words, env=environment, stderr=subprocess.DEVNULL)
        time.sleep(float(draw.uniform(4.0, 9.0)))
        process.send_signal(signal.SIGKILL)
        process.wait()
    subprocess.run(words, env=environment, check=True, stderr=subprocess.DEVNULL)

    keys = [record.key for record in read_records(tmp_path / "LABEL.h5")]
    assert len(keys) == len({*keys}) == 401
