"""The command line as a program of its own; what its commands do is tested with them."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from forgefield.cli import app

COMMANDS = sorted(command.callback.__name__.replace("_", "-") for command in app.registered_commands)


def test_program_lists_its_commands_on_stdout():
    done = subprocess.run([sys.executable, "-m", "forgefield", "--help"], capture_output=True, text=True, check=True)

    assert all(command in done.stdout for command in COMMANDS)
    assert done.stderr == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_has_an_example(command):
    result = CliRunner().invoke(app, [command, "--help"])

    assert result.exit_code == 0
    assert f"Example: forgefield {command}" in " ".join(result.stdout.split())


def test_unknown_option_is_bad_input():
    result = CliRunner().invoke(app, ["fit", "FIT.toml", "--outptu", "x"])

    assert result.exit_code == 2
    assert "--outptu" in result.output
