"""Tasks in processes of their own: failures, deaths and interruptions."""

import multiprocessing
import os
import signal
import time

import jax
import jax.numpy as jnp
import pytest

from forgefield.jobs.fit.run.processes import run_tasks


def work(given, task):
    """Does what the task says."""
    match task:
        case "raise":
            raise ValueError("no luck")
        case "die":
            os.kill(os.getpid(), signal.SIGKILL)
        case "sleep":
            time.sleep(600.0)
        case "settings":
            alone = {os.environ[name] for name in ("NPROC", "OMP_NUM_THREADS")} == {"1"}
            return alone, bool(jax.config.jax_enable_x64), multiprocessing.current_process().name != "MainProcess"
        case "precision":
            return str(given.dtype), str(jnp.asarray(given).dtype)
    return given, task


def ignore(n):
    pass


def test_in_this_process_a_failure_has_its_reason_and_the_others_their_results():
    told = []

    done = run_tasks(work, "given", [1, "raise", 2], workers=1, tell=told.append)

    assert done.results == {0: ("given", 1), 2: ("given", 2)}
    assert done.failures == {1: "no luck"}
    assert told == [1, 2, 3]
    assert not done.interrupted


def test_interruption_keeps_what_there_is():
    def interrupt(n):
        if n == 2:
            raise KeyboardInterrupt

    done = run_tasks(work, None, [1, 2, 3], workers=1, tell=interrupt)

    assert done.interrupted
    assert set(done.results) == {0, 1}


@pytest.mark.slow
def test_processes_compute_as_this_one_does_with_one_thread_each_and_leave_no_trace():
    before = dict(os.environ)

    done = run_tasks(work, "given", [1, "settings", "raise", 2], workers=2, tell=ignore)

    assert done.results == {0: ("given", 1), 1: (True, True, True), 3: ("given", 2)}
    assert done.failures == {2: "no luck"}
    assert dict(os.environ) == before
    assert multiprocessing.active_children() == []


@pytest.mark.slow
def test_arrays_keep_double_precision_on_their_way_to_a_process():
    done = run_tasks(work, jnp.ones(3), ["precision", "precision"], workers=2, tell=ignore)

    assert done.results == dict.fromkeys((0, 1), ("float64", "float64"))


@pytest.mark.slow
def test_process_that_is_killed_fails_its_own_task_alone():
    done = run_tasks(work, "given", [1, "die", 2, 3], workers=2, tell=ignore)

    assert done.results == {k: ("given", task) for k, task in ((0, 1), (2, 2), (3, 3))}
    assert list(done.failures) == [1]
    assert "ended without a result" in done.failures[1]


@pytest.mark.slow
def test_interrupted_processes_are_ended():
    def interrupt(n):
        raise KeyboardInterrupt

    began = time.monotonic()
    done = run_tasks(work, "given", [1, "sleep", "sleep"], workers=2, tell=interrupt)

    assert done.interrupted
    assert done.results == {0: ("given", 1)}
    assert time.monotonic() - began < 120.0
    limit = time.monotonic() + 30.0
    while multiprocessing.active_children():
        assert time.monotonic() < limit
        time.sleep(0.05)
