"""Commands take structures as chemists draw them: SMILES, molfiles, PDB."""

import json
from pathlib import Path

import numpy as np
import pytest

import forgefield as ff
from certain import known
from forgefield.jobs.estimate import estimate, write_estimated

EXAMPLES = Path(__file__).parents[2] / "examples"
DRAWN = ["smiles:CF fluoromethane", "ch3f.sdf", "ch3f.mol", "ch3f.pdb"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory, forgefield) -> Path:
    """A force field of fluoromethane, and the molecule in several formats."""
    folder = tmp_path_factory.mktemp("drawn")
    write_estimated(folder / "ch3f.json", estimate([EXAMPLES / "ch3f/ch3f.json"], form="harmonic"))
    for suffix in ("sdf", "mol"):
        assert forgefield("convert", "smiles:CF", folder / f"ch3f.{suffix}").exit_code == 0
    ((molecule, _),) = ff.read(folder / "ch3f.sdf")
    rows = [
        f"HETATM{k:5d}  {element:<3} CH3F    1    {x:8.3f}{y:8.3f}{z:8.3f}  1.00  0.00          {element:>2}0+"
        for k, (element, (x, y, z)) in enumerate(zip(molecule.symbols, molecule.positions, strict=True), start=1)
    ]
    (folder / "ch3f.pdb").write_text("\n".join([*rows, "END", ""]))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("drawn", DRAWN)
def test_every_command_that_takes_structures_takes_it(drawn, folder, forgefield, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)

    evaluated = forgefield("evaluate", "ch3f.json", drawn, "--json")
    relaxed = forgefield("relax", "ch3f.json", drawn, "-o", tmp_path / "relaxed", "--json")
    modes = forgefield("modes", "ch3f.json", drawn, "--relax", "--json")
    moved = forgefield("md", "ch3f.json", drawn, "--steps", 10, "-o", tmp_path / "md.xyz")

    assert [one.exit_code for one in (evaluated, relaxed, modes, moved)] == [0, 0, 0, 0], evaluated.stderr
    assert json.loads(evaluated.stdout)["structures"][0]["total"] > 0.0
    assert len(json.loads(modes.stdout)["frequencies_cm1"]) == 9
    assert ff.ForgeFieldCalculator("ch3f.json", structure=drawn).results == {}


def test_a_name_that_no_file_can_have_is_cut(folder, forgefield, tmp_path, monkeypatch):
    monkeypatch.chdir(folder)
    long = "smiles:CF a/b " + "x" * 300

    result = forgefield("relax", "ch3f.json", long, "-o", tmp_path / "relaxed")

    assert result.exit_code == 0, result.stderr
    (written,) = (tmp_path / "relaxed").glob("*.xyz")
    assert written.name.startswith("a_b_xxx")
    assert len(written.stem) == 80


def test_quantum_chemistry_of_a_smiles_is_that_of_its_optimised_conformer(forgefield, tmp_path, monkeypatch):
    pytest.importorskip("tblite", reason="the extra qm is not installed")
    monkeypatch.chdir(tmp_path)

    result = forgefield("reference", "smiles:[2H]O heavy water", "--method", "gfn2")

    assert result.exit_code == 0, result.stderr
    assert "the conformer made for it is optimised first" in result.stderr
    ((molecule, found),) = ff.read("heavy_water.json")
    assert molecule.bonds.tolist() == [[0, 1], [1, 2]]
    np.testing.assert_allclose(known(found.masses), [2.0141, 15.9949, 1.0078], atol=1e-4)
    assert np.abs(known(found.gradient)).max() < 0.05


def test_each_structure_of_a_file_is_computed_and_written_by_its_name(forgefield, tmp_path, monkeypatch):
    pytest.importorskip("tblite", reason="the extra qm is not installed")
    monkeypatch.chdir(tmp_path)
    Path("two.smi").write_text("[H][H] one\nF one\n")

    result = forgefield("reference", "two.smi", "--method", "gfn2", "--json")

    assert result.exit_code == 0, result.stderr
    assert [one["file"] for one in json.loads(result.stdout)["structures"]] == ["one.json", "one-2.json"]
    assert [molecule.formula for name in ("one", "one-2") for molecule, _ in ff.read(f"{name}.json")] == ["H2", "FH"]
    refused = forgefield("reference", "two.smi", "--method", "gfn2", "-o", "three.json")
    assert (refused.exit_code, "leave --output out" in refused.stderr.replace("\n", " ")) == (2, True)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("reference", "smiles:CF", "--method", "gfn2", "-o", "cf.xyz"), "cf.xyz: is written as QCSchema JSON"),
        (("reference", ".", "--method", "gfn2"), ".: is a folder; name the files in it"),
        (("fit", "smiles:CF"), "holds no QM results; first run: forgefield reference 'smiles:CF'"),
        (
            ("estimate", "smiles:CF", "-o", "x.fld"),
            "force constants are estimated from Hessians; there is none in smiles:CF",
        ),
        (("convert", EXAMPLES / "ch3f/ch3f.json", "x.sdf"), "a .sdf file cannot hold energy, gradient, Hessian, freq"),
        (("convert", "smiles:CF", "x.fld"), "structures are written as"),
        (("evaluate", "ch3f.json", "smiles:C[F"), "smiles:C[F: is no SMILES; in a shell, put it in single quotes"),
    ],
)
def test_what_it_is_not_for_is_one_message(words, told, folder, forgefield, monkeypatch):
    monkeypatch.chdir(folder)

    result = forgefield(*words)

    assert result.exit_code == 2
    assert told in result.stderr
