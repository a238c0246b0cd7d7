"""A comparison: what it writes, how it goes on after an interruption, and what becomes of pairs that fail."""

import csv
import json
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from forgefield.errors import InputError
from forgefield.jobs.bench import bench_job
from forgefield.jobs.bench.bench_job import FILES, How, run_bench
from forgefield.jobs.bench.pairs import Asked, settings_of
from forgefield.jobs.fit.plan.fit_toml import read_plan
from forgefield.jobs.processes.pool import ThisProcess
from forgefield.report.bench.results import ESTIMATE, Row, read_bench
from samples import BONDED, fit_toml, molecule

EXAMPLES = Path(__file__).parents[3] / "examples"
BOTH = Asked(solvers=("lm", "trf"))


@pytest.fixture(scope="module")
def water(project):
    return project(fit_toml(molecule("water"), forcefield=BONDED))


class Attempts:
    """Stands in for fits, which take seconds: notes what is asked for, and fails or is interrupted where it is told."""

    def __init__(self):
        self.solvers, self.fails, self.interrupted = [], {}, set()

    def __call__(self, conditions, pair):
        self.solvers.append(pair.solver)
        if pair.solver in self.interrupted:
            raise KeyboardInterrupt
        if pair.solver in self.fails:
            raise InputError(self.fails[pair.solver])
        stopped = conditions.limit_s if pair.solver == "trf" else None
        row = Row(pair, cost={"lm": 1.0, "trf": 1.25}.get(pair.solver, 9.0), stopped_s=stopped)
        return replace(row, compile_s=2.0, run_s=0.5) if conditions.is_timed else row


@pytest.fixture
def attempts(monkeypatch):
    found = Attempts()
    monkeypatch.setattr(bench_job, "attempt", found)
    monkeypatch.setattr(bench_job, "Processes", lambda *_: nullcontext(ThisProcess()))
    return found


def test_every_pair_is_a_row_of_each_file(attempts, water, tmp_path):
    found = run_bench(water, BOTH, tmp_path)

    assert [row.pair.solver for row in found.rows] == ["lm", "trf"]
    assert read_bench((tmp_path / "bench.json").read_text()) == found
    rows = list(csv.DictReader((tmp_path / "bench.csv").read_text().splitlines()))
    assert [(row["solver"], row["cost"], row["run_s"]) for row in rows] == [
        (ESTIMATE, "9.0", "0.5"),
        ("lm", "1.0", "0.5"),
        ("trf", "1.25", "0.5"),
    ]
    assert "Lowest cost: 1.00000 by lm" in (tmp_path / "bench.html").read_text()


def test_pair_that_fails_is_a_row_with_its_reason(attempts, water, tmp_path):
    attempts.fails = {"lm": "no such luck"}

    found = run_bench(water, BOTH, tmp_path)

    assert [(row.pair.solver, row.failure) for row in found.rows] == [("lm", "no such luck"), ("trf", "")]
    assert "no such luck" in (tmp_path / "bench.html").read_text()


def test_interrupted_comparison_keeps_its_pairs_and_goes_on(attempts, water, tmp_path):
    attempts.interrupted = {"trf"}
    stopped = run_bench(water, BOTH, tmp_path)
    kept = json.loads((tmp_path / "bench.json").read_text())
    attempts.interrupted, attempts.solvers = set(), []

    whole = run_bench(water, BOTH, tmp_path)

    assert [pair.solver for pair in stopped.waiting] == ["trf"]
    assert [row["pair"]["solver"] for row in kept["rows"]] == ["lm"]
    assert attempts.solvers == ["trf"]
    assert (len(whole.rows), whole.waiting) == (2, ())


def test_pair_that_failed_is_tried_again(attempts, water, tmp_path):
    attempts.fails = {"trf": "out of memory"}
    run_bench(water, BOTH, tmp_path)
    attempts.fails, attempts.solvers = {}, []

    again = run_bench(water, BOTH, tmp_path)

    assert attempts.solvers == ["trf"]
    assert not again.failed


def test_pair_that_was_stopped_is_tried_again_only_with_more_time(attempts, water, tmp_path):
    run_bench(water, BOTH, tmp_path, How(limit_s=10.0))
    attempts.solvers = []

    run_bench(water, BOTH, tmp_path, How(limit_s=5.0))
    shorter = list(attempts.solvers)
    run_bench(water, BOTH, tmp_path, How(limit_s=20.0))

    assert shorter == []
    assert attempts.solvers == ["trf"]


def test_pairs_side_by_side_have_no_times_until_they_run_alone(attempts, water, tmp_path):
    beside = run_bench(water, BOTH, tmp_path, How(workers=2))

    alone = run_bench(water, BOTH, tmp_path)

    assert not any(row.has_times for row in beside.rows)
    assert all(row.has_times for row in alone.rows)


def test_comparison_of_other_input_is_refused(attempts, water, tmp_path):
    run_bench(water, BOTH, tmp_path / "out")
    changed = water.with_name("CHANGED.toml")
    changed.write_text(water.read_text() + "# changed\n")

    with pytest.raises(InputError, match="the comparison is of other input"):
        run_bench(changed, BOTH, tmp_path / "out")
    run_bench(changed, BOTH, tmp_path / "out", overwrite=True)


def test_times_of_another_processor_are_refused(attempts, water, tmp_path):
    run_bench(water, BOTH, tmp_path)
    path = tmp_path / FILES[0]
    held = json.loads(path.read_text())
    held["machine"]["processor"] = "another one"
    path.write_text(json.dumps(held))

    with pytest.raises(InputError, match="another processor"):
        run_bench(water, BOTH, tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"rows": [{"pair": {}}]}'])
def test_other_content_of_the_file_is_refused(attempts, water, tmp_path, text):
    (tmp_path / FILES[0]).write_text(text)

    with pytest.raises(InputError, match="holds no comparison"):
        run_bench(water, BOTH, tmp_path)


@pytest.mark.slow
def test_command_compares_in_processes_of_their_own(forgefield, water, tmp_path):
    found = forgefield("bench", water, "--solvers", "lm", "--precision", "64,32", "-o", tmp_path, "--json")

    double, single = json.loads(found.stdout)["rows"]
    assert found.exit_code == 0
    assert [row["pair"]["precision"] for row in (double, single)] == [64, 32]
    assert double["converged"]
    assert single["cost"] == pytest.approx(double["cost"], rel=1e-3)
    assert all(row["compile_s"] > 0.0 and row["run_s"] > 0.0 for row in (double, single))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--solvers", "lm,guess"), "solver 'guess' (known: lm, trf"),
        (("--engines", "guess"), "engine 'guess' (known: forgefield"),
        (("--precision", "16"), "precision 16 (known: 64, 32)"),
        (("--starts", "1,few"), "--starts few: whole numbers"),
        (("--starts", "0"), "--starts 0: whole numbers"),
    ],
)
def test_words_that_mean_nothing_are_named(forgefield, water, tmp_path, words, said):
    found = forgefield("bench", water, "-o", tmp_path / "out", *words)

    assert found.exit_code == 2
    assert said in found.stderr
    assert not (tmp_path / "out").exists()


def test_missing_file_is_named(forgefield, tmp_path):
    found = forgefield("bench", tmp_path / "FIT.toml")

    assert found.exit_code == 2
    assert "there is no such file" in found.stderr


def test_settings_for_qm_results_are_written_once_and_never_over_others(tmp_path):
    results, folder = [EXAMPLES / "molecules" / "water.json"], tmp_path / "water-bench"

    path = settings_of(results, folder)
    written = path.read_bytes()

    assert len(read_plan(path).molecules) == 1
    assert settings_of([path], folder) == path
    assert settings_of(results, folder).read_bytes() == written
    path.write_text("# mine\n")
    with pytest.raises(InputError, match="there already"):
        settings_of(results, folder)
    assert settings_of(results, folder, overwrite=True).read_bytes() == written
