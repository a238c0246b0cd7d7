"""What all commands share: exit codes, signals, and outputs that cannot be written."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from forgefield.cli.command import command
from forgefield.errors import ConvergenceError, InputError, MissingParameters, WriteError

PRINTS = "from forgefield.cli.command import run_app; run_app(lambda: print({what}))"


def run(function):
    """Run a function as a command."""
    app = typer.Typer()
    app.command()(command(function))
    return CliRunner().invoke(app, [])


def raising(error):
    def function():
        raise error

    return function


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConvergenceError("the SCF did not converge"), 1),
        (InputError("no such file"), 2),
        (WriteError("no room"), 2),
        (MissingParameters("no row"), 2),
        (KeyboardInterrupt(), 1),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_kind_of_failure_has_its_exit_code_and_one_message(error, code):
    result = run(raising(error))

    assert result.exit_code == code
    assert result.stderr.startswith(f"forgefield: {error or 'interrupted; what is written stays'}")
    assert "Traceback" not in result.output


@pytest.mark.usefixtures("listening")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_end_of_a_job_or_of_a_terminal_is_heard_like_ctrl_c(number):
    result = run(lambda: signal.raise_signal(number))

    assert result.exit_code == 1
    assert "forgefield: interrupted" in result.stderr
    assert signal.getsignal(number) is signal.SIG_DFL


def test_a_signal_that_is_ignored_on_purpose_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        result = run(lambda: signal.raise_signal(signal.SIGHUP))
    finally:
        signal.signal(signal.SIGHUP, before)

    assert result.exit_code == 0


@pytest.mark.parametrize("what", ["'word'", "'word' * 100_000"], ids=["little", "much"])
def test_a_full_disk_behind_stdout_is_one_message(what):
    with Path("/dev/full").open("w") as full:
        words = [sys.executable, "-c", PRINTS.format(what=what)]
        ended = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert ended.returncode == 2
    assert ended.stderr == "forgefield: the output: No space left on device\n"


def test_a_reader_that_goes_away_is_no_trouble():
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-c", PRINTS.format(what="'word' * 100_000")]
    ended = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)

    assert ended.returncode == 1
    assert ended.stderr == ""


def test_without_stdout_files_do_not_take_its_place():
    script = (
        "from forgefield.cli.command import run_app; import os; run_app(lambda: os._exit(os.open('/', os.O_RDONLY)))"
    )
    ended = subprocess.run(["sh", "-c", f'"{sys.executable}" -c "{script}" >&- 2>&-'], check=False)

    assert ended.returncode > 2
