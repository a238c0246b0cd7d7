"""`forgefield fit` as users type it: exit codes, messages and output."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from forgefield.io.outputs import owned
from samples import BONDED, CH3F, FORCES, FREQUENCIES, STAGGERED, fit_toml, molecule

SEVERAL_PASSES = fit_toml(molecule("saddle", "E"), forcefield=BONDED, targets=FREQUENCIES + FORCES)
THREE = fit_toml(CH3F, STAGGERED, molecule("eclipsed", "C"), forcefield=BONDED)


def text(molecules=CH3F, max_steps=200, starts=1):
    return fit_toml(molecules, targets=FREQUENCIES + FORCES, fit=f"max_steps = {max_steps}\nstarts = {starts}")


def test_fit_prints_json_on_stdout_and_the_rest_on_stderr(forgefield, project):
    path = project(text())

    result = forgefield("fit", path, "--json")

    assert result.exit_code == 0
    assert json.loads(result.stdout)["fit"]["success"] is True
    assert "The fit succeeded" in result.stderr
    assert (path.parent / "FIT/report.html").is_file()


def test_fit_that_does_not_converge_exits_with_one(forgefield, project):
    path = project(text(max_steps=1))

    result = forgefield("fit", path, "--output", path.parent / "out")

    assert result.exit_code == 1
    assert "1 iterations were not enough" in " ".join(result.stderr.split())
    assert json.loads((path.parent / "out/results.json").read_text())["fit"]["success"] is False


def test_check_shows_pairing_targets_and_parameters_and_writes_nothing(forgefield, project):
    path = project(text())
    before = sorted(path.parent.iterdir())

    result = forgefield("fit", path, "--check")

    assert result.exit_code == 0
    assert all(word in result.stdout for word in ("ch3f", "frequencies", "forces", "stretch C1-F1 k", "trained"))
    assert "8 free variables stand for 8 trained parameters" in result.stdout
    assert sorted(path.parent.iterdir()) == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (text() + "strats = 3", "unknown key 'fit.strats'; did you mean 'starts'?"),
        (text(molecule("nowhere")), "nowhere.json"),
        (text(molecule("saddle")), "the Hessian has a negative eigenvalue"),
        ("[[molecules", "not valid TOML"),
    ],
)
def test_bad_input_is_one_message_and_exits_with_two(forgefield, project, content, said):
    result = forgefield("fit", project(content))

    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.output
    assert result.stdout == ""


def test_missing_file_exits_with_two(forgefield, tmp_path):
    result = forgefield("fit", tmp_path / "nowhere.toml")

    assert result.exit_code == 2
    assert "nowhere.toml: there is no such file" in result.stderr


@pytest.fixture
def in_a_process(project):
    """Starts a fit with many starts in a process of its own, which is killed at the end."""
    started = []

    def start(*words, program=("-m", "forgefield")):
        command = [sys.executable, *program, "fit", *map(str, words)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ)))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.communicate()


def wait_for(file, process, seconds=240):
    limit = time.monotonic() + seconds
    while not file.is_file():
        assert process.poll() is None, process.stderr.read().decode()
        assert time.monotonic() < limit
        time.sleep(0.01)


def values_in(folder):
    return [p["value"] for p in json.loads((folder / "results.json").read_text())["parameters"]]


def kill_at_random(process, output, generator):
    """Kills a fit somewhere between its first checkpoint and its end, wherever it then is."""
    wait_for(output / "checkpoint.safetensors", process)
    time.sleep(generator.uniform(0.0, 0.5))
    process.send_signal(signal.SIGKILL)
    process.wait()


def kill_in_writing(process, output, generator):
    """Kills a fit while it writes a checkpoint, as soon as the new one has begun to appear."""
    skipped = int(generator.integers(1, 6))
    while process.poll() is None and skipped:
        skipped -= any(output.glob(".checkpoint.safetensors.*.new"))
    process.send_signal(signal.SIGKILL)
    process.wait()


def kill_before_the_first(process, output, generator):
    """Kills a fit that has not written any checkpoint."""
    time.sleep(generator.uniform(0.0, 3.0))
    process.send_signal(signal.SIGKILL)
    process.wait()


@pytest.fixture(scope="module")
def uninterrupted(project):
    """The values that a fit in a process of its own ends with when nothing happens to it."""
    known = {}

    def values(content):
        if content not in known:
            path = project(content)
            command = [sys.executable, "-m", "forgefield", "fit", path, "--output", path.parent / "whole"]
            subprocess.run(list(map(str, command)), check=True, capture_output=True, timeout=300)
            known[content] = values_in(path.parent / "whole")
        return known[content]

    return values


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kill", "starts"),
    # Before the first checkpoint the number of starts makes no difference.
    [
        (kill_before_the_first, 1),
        (kill_at_random, 1),
        (kill_at_random, 64),
        (kill_in_writing, 1),
        (kill_in_writing, 64),
    ],
)
def test_fit_killed_again_and_again_resumes_to_the_same_values(in_a_process, project, uninterrupted, kill, starts):
    path, generator = project(text(starts=starts)), np.random.default_rng()
    output = path.parent / "killed"

    for _ in range(2):
        kill(in_a_process(path, "--output", output, "--resume"), output, generator)
    code = in_a_process(path, "--output", output, "--resume").wait(300)

    assert code == 0
    np.testing.assert_allclose(values_in(output), uninterrupted(text(starts=starts)), rtol=1e-12)


@pytest.mark.slow
def test_fit_of_several_passes_killed_in_the_later_ones_resumes_to_the_same_values(
    in_a_process, project, uninterrupted
):
    content = SEVERAL_PASSES
    path, generator = project(content), np.random.default_rng()
    output = path.parent / "killed"

    for _ in range(3):
        kill_in_writing(in_a_process(path, "--output", output, "--resume"), output, generator)
    code = in_a_process(path, "--output", output, "--resume").wait(300)

    assert code == 0
    np.testing.assert_allclose(values_in(output), uninterrupted(content), rtol=1e-12)


@pytest.mark.slow
def test_fit_validates_in_processes_as_in_this_one(in_a_process, project):
    path = project(THREE)
    outputs = path.parent / "here", path.parent / "there"

    for output, workers in zip(outputs, (1, 2), strict=True):
        words = ("--output", output, "--validate", "--bootstrap", 2, "--workers", workers)
        code = in_a_process(path, *words).wait(300)
        fit = json.loads((output / "results.json").read_text())["fit"]
        assert fit["converged"]
        assert code == (0 if fit["success"] else 1)

    here, there = (json.loads((o / "results.json").read_text())["validation"] for o in outputs)
    assert there["message"] == "5 of 5 refits came to an end."
    for kind in ("fitted", "left_out", "out_of_bag"):
        found = [one["improvement"]["cost"][kind]["value"] for one in (here, there)]
        # A refit ends where a step would lower its own cost by 1e-9 of it, which is not the same to the last digit.
        np.testing.assert_allclose(*(np.nan if value is None else value for value in found), atol=1e-4)


SLOWLY = """
import time
from pathlib import Path

from forgefield.cli import main
from forgefield.fitting.solve.solver import Course

note = Course.note


def rest(course, *given):
    if course.progress.n_iterations:
        Path({mark!r}).touch()
        time.sleep(60.0)
    note(course, *given)


Course.note = rest
main()
"""
"""The program, whose fits rest after their first iteration, which they mark, and can be interrupted there."""


@pytest.mark.slow
@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_writes_the_best_so_far_and_exits_with_one(in_a_process, project, number):
    path = project(text())
    output = path.parent / "out"
    resting = path.parent / "resting"
    process = in_a_process(path, "--output", output, program=("-c", SLOWLY.format(mark=str(resting))))
    wait_for(resting, process)

    process.send_signal(number)

    assert process.wait(300) == 1
    told = json.loads((output / "results.json").read_text())
    assert "interrupted" in told["fit"]["message"]
    assert (output / "report.html").is_file()


@pytest.mark.slow
def test_an_earlier_fit_is_replaced_only_on_request(forgefield, project):
    path = project(text())
    forgefield("fit", path)
    first = (path.parent / "FIT/results.json").stat().st_mtime_ns

    again = forgefield("fit", path)
    both = forgefield("fit", path, "--resume", "--overwrite")
    kept = (path.parent / "FIT/results.json").stat().st_mtime_ns
    replaced = forgefield("fit", path, "--overwrite")

    assert (again.exit_code, both.exit_code, replaced.exit_code) == (2, 2, 0)
    assert "results.json" in again.stderr
    assert "there already; name another output, or overwrite it (--overwrite)" in again.stderr
    assert "exclude each other" in both.stderr
    assert kept == first != (path.parent / "FIT/results.json").stat().st_mtime_ns


def test_results_do_not_replace_the_file_they_are_made_from(forgefield, project):
    path = project(text())

    result = forgefield("fit", path, "--output", path.parent, "--overwrite")

    assert result.exit_code == 2
    assert "FIT.toml (read as" in result.stderr
    assert path.read_text() == text()


def test_results_without_a_checkpoint_cannot_be_resumed(forgefield, project):
    path = project(text())
    (path.parent / "FIT").mkdir()
    (path.parent / "FIT/results.json").write_text("{}")

    result = forgefield("fit", path, "--resume")

    assert result.exit_code == 2
    assert "there is no checkpoint to resume from, but results" in result.stderr
    assert (path.parent / "FIT/results.json").read_text() == "{}"


def test_two_fits_do_not_share_a_folder(forgefield, project):
    path = project(text())
    (path.parent / "FIT").mkdir()

    with owned(path.parent / "FIT"):
        result = forgefield("fit", path)

    assert result.exit_code == 2
    assert f"FIT: process {os.getpid()} on" in result.stderr
    assert list((path.parent / "FIT").iterdir()) == []


@pytest.mark.slow
def test_a_full_disk_is_one_message_and_the_fit_goes_on_when_there_is_room(forgefield, project, file_size_limit):
    path = project(text())

    with file_size_limit(60_000):
        result = forgefield("fit", path)

    assert result.exit_code == 2
    assert "cannot be written (File too large)" in result.stderr
    assert (path.parent / "FIT/checkpoint.safetensors").is_file()
    assert forgefield("fit", path, "--resume").exit_code == 0


def test_check_counts_what_counts_and_says_what_is_independent(forgefield, project):
    # The saddle has 12 modes, of which the reaction mode does not count, and 55 pairs of the other 11.
    path = project(
        '[forcefield]\nform = "harmonic"\n[[molecules]]\nreference = "saddle.json"\ntransition_state = "C"\n'
        "reaction_mode_weight = 0.0\n[targets]\neigenmatrix = { tolerance = 40.0, off_diagonal = 100.0 }\n"
        "forces = { tolerance = 5.0 }\n"
    )

    result = forgefield("fit", path, "--check")

    told = {line[:26].strip(): " ".join(line[26:].split()) for line in result.stdout.splitlines()}
    assert told["eigenmatrix"].startswith("11 40 cm⁻¹")
    assert told["eigenmatrix off-diagonal"].startswith("55 100 cm⁻¹")
    assert told["forces"].startswith("18 5 kcal/mol/Å")
