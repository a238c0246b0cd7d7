"""The command line as a program of its own; what its commands do is tested with them."""

import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from forgefield.cli import app

EXAMPLES = Path(__file__).parents[1] / "examples"
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


def test_a_table_that_cannot_be_written_is_one_message(tmp_path):
    (tmp_path / "ch3f.json").write_bytes((EXAMPLES / "ch3f/ch3f.json").read_bytes())
    words = [sys.executable, "-m", "forgefield", "estimate", "ch3f.json", "-o", "ch3f.fld", "--json"]

    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(words, cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False)

    assert ended.returncode == 2
    assert ended.stderr.endswith("forgefield: the output: No space left on device\n")
    assert "Traceback" not in ended.stderr
