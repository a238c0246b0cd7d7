"""`forgefield fit` as users type it: exit codes, messages and output."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

CH3F = """
[forcefield]
form = "harmonic"
[[molecules]]
reference = "{reference}"
[targets]
frequencies = {{ tolerance = 20.0 }}
forces = {{ tolerance = 1.0 }}
[fit]
max_steps = {max_steps}
starts = {starts}
"""


def text(reference="ch3f.json", max_steps=200, starts=1):
    return CH3F.format(reference=reference, max_steps=max_steps, starts=starts)


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
        (text("nowhere.json"), "nowhere.json"),
        (text("saddle.json"), "the Hessian has a negative eigenvalue"),
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

    def start(*words):
        command = [sys.executable, "-m", "forgefield", "fit", *map(str, words)]
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


@pytest.mark.slow
def test_killed_fit_resumes_to_the_same_values(in_a_process, project):
    path = project(text(starts=64))
    whole, killed = path.parent / "whole", path.parent / "killed"
    assert in_a_process(path, "--output", whole).wait(300) == 0
    victim = in_a_process(path, "--output", killed)
    wait_for(killed / "checkpoint.safetensors", victim)
    time.sleep(np.random.default_rng().uniform(0.0, 0.2))

    victim.send_signal(signal.SIGKILL)
    victim.wait()
    code = in_a_process(path, "--output", killed, "--resume").wait(300)

    values = [
        [p["value"] for p in json.loads((folder / "results.json").read_text())["parameters"]]
        for folder in (whole, killed)
    ]
    assert code == 0
    np.testing.assert_allclose(values[1], values[0], rtol=1e-12)


@pytest.mark.slow
def test_sigint_writes_the_best_so_far_and_exits_with_one(in_a_process, project):
    path = project(text(starts=2000))
    output = path.parent / "out"
    process = in_a_process(path, "--output", output)
    wait_for(output / "checkpoint.safetensors", process)

    process.send_signal(signal.SIGINT)

    assert process.wait(300) == 1
    told = json.loads((output / "results.json").read_text())
    assert "interrupted" in told["fit"]["message"]
    assert (output / "report.html").is_file()
