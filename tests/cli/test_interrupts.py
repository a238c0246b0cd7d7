"""Ctrl-C where Python drops the exception that it raises."""

import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from forgefield.cli.interrupts import heard
from forgefield.jobs.estimate import estimate, write_estimated
from samples import fit_toml, molecule

CH3F = Path(__file__).parents[2] / "examples/ch3f/ch3f.json"

pytestmark = pytest.mark.usefixtures("listening")


def test_an_interrupt_that_is_dropped_is_raised_at_the_next_check():
    with heard() as interrupts:
        # As Python does with what is raised while it deletes an object or is called back.
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)

        with pytest.raises(KeyboardInterrupt):
            interrupts.check()


def test_an_interrupt_is_raised_at_once_as_well():
    with heard(), pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_nothing_is_raised_without_one():
    before = signal.getsignal(signal.SIGINT)

    with heard() as interrupts:
        interrupts.check()

    assert signal.getsignal(signal.SIGINT) is before


DROPPED = """
import signal
from contextlib import suppress

from forgefield.cli import main
from {module} import {name} as step
import {module} as job


def dropping(*given, **options):
    with suppress(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    return step(*given, **options)


job.{name} = dropping
main()
"""
"""The program, whose every step drops an interrupt."""
JOBS = {
    "fit": ("forgefield.jobs.fit.fit_job", "write_checkpoint", ["FIT.toml"]),
    "md": ("forgefield.jobs.md.dynamics", "_measured", ["ch3f.frcmod", "ch3f.json", "--steps", "1000"]),
}


@pytest.mark.slow
@pytest.mark.parametrize("command", JOBS)
def test_a_command_whose_job_drops_an_interrupt_ends_all_the_same(command, tmp_path):
    module, name, words = JOBS[command]
    shutil.copy(CH3F, tmp_path)
    (tmp_path / "FIT.toml").write_text(fit_toml(molecule("ch3f")))
    write_estimated(tmp_path / "ch3f.frcmod", estimate([CH3F], form="harmonic"))

    program = [sys.executable, "-c", DROPPED.format(module=module, name=name), command, *words]
    ended = subprocess.run(program, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert "interrupted" in ended.stderr
