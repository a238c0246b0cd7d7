"""Every command that writes: no input is lost, and nothing that was there but on request."""

import shutil
from pathlib import Path

import pytest

import forgefield as ff
from forgefield.errors import InputError
from forgefield.jobs.estimate import estimate, write_estimated

EXAMPLES = Path(__file__).parents[2] / "examples"
DROPPED = "--drop", "bonds", "--drop", "Hessian", "--drop", "frequencies"


@pytest.fixture
def folder(tmp_path):
    """A folder with inputs of all commands."""
    for file in ("ch3f/ch3f.json", "ch3f/ch3f.xyz"):
        shutil.copy(EXAMPLES / file, tmp_path)
    write_estimated(tmp_path / "ch3f.frcmod", estimate([EXAMPLES / "ch3f/ch3f.json"], form="harmonic"))
    return tmp_path


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


OVER_INPUTS = [
    pytest.param(("convert", "ch3f.json", "ch3f.json", *DROPPED), id="convert"),
    pytest.param(("relax", "ch3f.frcmod", "ch3f.xyz", "-o", "."), id="relax"),
    pytest.param(("reference", "ch3f.xyz", "--method", "gfn2", "-o", "ch3f.xyz"), id="reference"),
    pytest.param(
        ("reference", "ch3f.xyz", "--method", "gfn2", "--scan", "1-2-3-4", "--points", 1, "-o", "ch3f.xyz"), id="scan"
    ),
    pytest.param(("estimate", "ch3f.frcmod", "-o", "ch3f.frcmod"), id="estimate"),
]


@pytest.mark.parametrize("words", OVER_INPUTS)
def test_no_command_writes_over_its_input(forgefield, folder, monkeypatch, words):
    monkeypatch.chdir(folder)
    before = contents(folder)

    result = forgefield(*words, "--overwrite")

    assert result.exit_code == 2
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("words", "output"),
    [
        pytest.param(("convert", "ch3f.json", "made.xyz", *DROPPED), "made.xyz", id="convert"),
        pytest.param(("relax", "ch3f.frcmod", "ch3f.json", "-o", "made"), "made/ch3f.xyz", id="relax"),
        pytest.param(
            ("relax", "ch3f.frcmod", "ch3f.json", "-o", "made"), "made/ch3f.unconverged.xyz", id="relax, unconverged"
        ),
        pytest.param(("reference", "ch3f.xyz", "--method", "gfn2", "-o", "made.json"), "made.json", id="reference"),
        pytest.param(("estimate", "ch3f.json", "-o", "made.frcmod"), "made.frcmod", id="estimate"),
        pytest.param(("estimate", "ch3f.json", "-o", "made.fld"), "made.typ", id="estimate, beside"),
    ],
)
def test_what_is_there_is_replaced_only_on_request(forgefield, folder, monkeypatch, words, output):
    if words[0] == "reference":
        pytest.importorskip("tblite", reason="the extra qm is not installed")
    monkeypatch.chdir(folder)
    (folder / output).parent.mkdir(exist_ok=True)
    (folder / output).write_text("precious")
    before = contents(folder)

    refused = forgefield(*words)
    kept = contents(folder)
    done = forgefield(*words, "--overwrite")

    assert (refused.exit_code, done.exit_code) == (2, 0)
    assert f"{output}: there already" in refused.stderr
    assert kept == before
    assert not (folder / output).exists() or (folder / output).read_text() != "precious"


def test_python_replaces_files_only_on_request_too(folder):
    made = ff.estimate([folder / "ch3f.json"], form="harmonic")
    before = contents(folder)

    with pytest.raises(InputError, match="there already"):
        ff.write(folder / "ch3f.frcmod", made)
    with pytest.raises(InputError, match="is read too"):
        ff.write(folder / "ch3f.json", ff.read(folder / "ch3f.json"), drop=["types", "formal charges"], overwrite=True)
    assert contents(folder) == before

    ff.write(folder / "ch3f.frcmod", made, overwrite=True)
