"""Tasks in processes of their own: failures, deaths and interruptions."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import pytest

from forgefield.jobs.processes.pool import Done, Processes, ThisProcess


def work(given, task):
    """Does what the task says."""
    match task:
        case "raise":
            raise ValueError("no luck")
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "sleep":
            time.sleep(600.0)
        case "tell":
            (Path(os.environ["TOLD"]) / f"{os.getpid()}.pid").touch()
            time.sleep(600.0)
        case "settings":
            settings: Any = jax.config
            alone = {os.environ[name] for name in ("NPROC", "OMP_NUM_THREADS")} == {"1"}
            return alone, bool(settings.jax_enable_x64), os.getpid() != given
        case "precision":
            return str(given.dtype), str(jnp.asarray(given).dtype)
    return given, task


def ignore(n):
    pass


def children():
    """Return the processes that this one has started and that are not over."""
    return [pid for file in Path("/proc/self/task").glob("*/children") for pid in file.read_text().split()]


def in_two(given, tasks, tell=ignore) -> Done:
    """What comes of tasks in two processes."""
    with Processes() as processes:
        return processes.run(work, given, tasks, workers=2, tell=tell)


def test_in_this_process_a_failure_has_its_reason_and_the_others_their_results():
    told = []

    done = ThisProcess().run(work, "given", [1, "raise", 2], tell=told.append)

    assert done.results == {0: ("given", 1), 2: ("given", 2)}
    assert done.failures == {1: "no luck"}
    assert told == [1, 2, 3]
    assert not done.interrupted


def test_interruption_keeps_what_there_is():
    def interrupt(n):
        if n == 2:
            raise KeyboardInterrupt

    done = ThisProcess().run(work, None, [1, 2, 3], tell=interrupt)

    assert done.interrupted
    assert set(done.results) == {0, 1}


@pytest.mark.slow
def test_processes_compute_as_this_one_does_with_one_thread_each_and_leave_no_trace():
    before, there, main = dict(os.environ), children(), sys.modules["__main__"]

    done = in_two(os.getpid(), [1, "settings", "raise", 2])

    assert done.results == {0: (os.getpid(), 1), 1: (True, True, True), 3: (os.getpid(), 2)}
    assert done.failures == {2: "no luck"}
    assert dict(os.environ) == before
    assert sys.modules["__main__"] is main
    assert children() == there


@pytest.mark.slow
def test_process_computes_in_the_precision_of_the_call_that_started_it():
    with jax.enable_x64(False):
        done = in_two(os.getpid(), ["settings", "settings"])

    assert done.results == dict.fromkeys((0, 1), (True, False, True))


@pytest.mark.slow
def test_arrays_keep_double_precision_on_their_way_to_a_process():
    done = in_two(jnp.ones(3), ["precision", "precision"])

    assert done.results == dict.fromkeys((0, 1), ("float64", "float64"))


@pytest.mark.slow
def test_process_that_is_killed_fails_its_own_task_alone():
    done = in_two("given", [1, "die", 2, 3])

    assert done.results == {k: ("given", task) for k, task in ((0, 1), (2, 2), (3, 3))}
    assert list(done.failures) == [1]
    assert "ended without a result" in done.failures[1]


@pytest.mark.slow
def test_interrupted_processes_are_ended():
    def interrupt(n):
        raise KeyboardInterrupt

    there, began = children(), time.monotonic()
    done = in_two("given", [1, "sleep", "sleep"], interrupt)

    assert done.interrupted
    assert done.results == {0: ("given", 1)}
    # The tasks would sleep for 600 s.
    assert time.monotonic() - began < 500.0
    assert children() == there


PARENT = """
import sys
from tests_of_processes import ignore, work
from forgefield.jobs.processes.pool import Processes
with Processes() as processes:
    processes.run(work, None, ["tell", "tell"], workers=2, tell=ignore)
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_processes_end_with_the_one_that_started_them(tmp_path, number):
    (tmp_path / "tests_of_processes.py").write_text(Path(__file__).read_text())
    path = os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", "")))
    environment = {**os.environ, "PYTHONPATH": path, "TOLD": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", PARENT], env=environment)
    limit = time.monotonic() + 240.0
    while len(told := list(tmp_path.glob("*.pid"))) < 2:
        assert time.monotonic() < limit
        time.sleep(0.05)

    parent.send_signal(number)
    parent.wait()

    while any(Path(f"/proc/{file.stem}").exists() for file in told):
        assert time.monotonic() < limit
        time.sleep(0.05)
