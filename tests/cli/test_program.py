"""The command line as a program of its own; what its commands do is tested with them."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command
from typer.testing import CliRunner

import forgefield as ff
from certain import instance, known
from forgefield.cli import app

EXAMPLES = Path(__file__).parents[2] / "examples"
COMMANDS = sorted(known(command.callback).__name__.replace("_", "-") for command in app.registered_commands)


def test_program_lists_its_commands_on_stdout():
    done = subprocess.run([sys.executable, "-m", "forgefield", "--help"], capture_output=True, text=True, check=True)

    assert all(command in done.stdout for command in COMMANDS)
    assert done.stderr == ""


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_has_an_example(command):
    result = CliRunner().invoke(app, [command, "--help"])

    assert result.exit_code == 0
    assert f"Example: forgefield {command}" in " ".join(result.stdout.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_help_says_all_that_stands_in_the_source(command):
    (found,) = (one for name, one in instance(TyperGroup, get_command(app)).commands.items() if name == command)
    told = (getattr(option, "help", None) for option in found.params if option.name != "help")
    written = [found.help, *told]

    # Wide enough that no word is broken.
    shown = CliRunner().invoke(app, [command, "--help"], env={"TERMINAL_WIDTH": "200"}).stdout

    seen = {*re.sub("[│╭╮╰╯─]", " ", shown).split()}
    assert [word for word in " ".join(filter(None, written)).split() if word not in seen] == []


IMPORTED = """
import sys
from forgefield.cli import main

try:
    main()
finally:
    print(*sys.modules, file=sys.stderr)
"""
HEAVY = {"ase", "equinox", "h5py", "jax", "jaxlib", "jinja2", "numpy", "optax", "rdkit", "safetensors", "scipy"}
WRONG = ["fit", "FIT.toml", "--outptu", "x"]


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["md", "--help"], WRONG], ids=" ".join)
def test_what_runs_no_command_imports_nothing_that_commands_need(words):
    ended = subprocess.run([sys.executable, "-c", IMPORTED, *words], capture_output=True, text=True, check=False)

    modules = ended.stderr.splitlines()[-1].split()
    ours = [name for name in modules if name.startswith("forgefield.") and not name.startswith("forgefield.cli")]
    assert HEAVY & set(modules) == set()
    assert ours == ["forgefield.errors"]
    assert len(modules) < 600


@pytest.mark.parametrize("name", ["forgefield", "forgefield.cli"])
def test_module_says_its_version(name):
    words = [sys.executable, "-m", name, "--version"]

    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout == f"forgefield {ff.__version__}\n"


def test_shells_complete_commands_and_options():
    asked = {"_FORGEFIELD_COMPLETE": "complete_bash", "COMP_WORDS": "forgefield relax --sad", "COMP_CWORD": "2"}

    result = CliRunner().invoke(app, [], prog_name="forgefield", env=asked)

    assert result.stdout.split() == ["--saddle"]


def test_unknown_option_is_bad_input():
    result = CliRunner().invoke(app, WRONG)

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
