"""`forgefield convert`: what comes back from a written file, and what is refused by name."""

import shutil
from pathlib import Path
from warnings import catch_warnings, simplefilter

import numpy as np
import pytest

from forgefield.io.references import read_reference
from forgefield.jobs.convert import read_with_results

EXAMPLES = Path(__file__).parents[2] / "examples"
CH3F = EXAMPLES / "ch3f/ch3f.json"


def test_qcschema_keeps_everything_that_a_checkpoint_holds(forgefield, data, tmp_path):
    source, target = data / "ethane/GS.fchk", tmp_path / "ethane.json"

    result = forgefield("convert", source, target)

    assert result.exit_code == 0, result.output
    (before,), (after,) = read_reference([source]), read_reference([target])
    for what in ("species", "positions", "energy", "gradient", "hessian"):
        np.testing.assert_allclose(getattr(after, what), getattr(before, what), rtol=1e-12, atol=1e-12)
    assert (after.level, after.charge, after.multiplicity) == (before.level, before.charge, before.multiplicity)


def test_extended_xyz_keeps_energy_and_forces(forgefield, tmp_path):
    target = tmp_path / "ch3f.xyz"

    result = forgefield("convert", CH3F, target, "--drop", "Hessian", "--drop", "frequencies")

    assert result.exit_code == 0, result.output
    ((_, before),), ((_, after),) = read_with_results(CH3F), read_with_results(target)
    np.testing.assert_allclose(after.positions, before.positions, atol=1e-8)
    np.testing.assert_allclose(after.gradient, before.gradient, atol=1e-6)
    np.testing.assert_allclose(after.energy, before.energy, rtol=1e-12)
    assert (after.charge, after.multiplicity) == (before.charge, before.multiplicity)


def test_frames_of_an_xyz_file_stay_apart(forgefield, tmp_path):
    frames = [(EXAMPLES / f"ethane/{name}.xyz").read_text() for name in ("staggered", "eclipsed")]
    source, target = tmp_path / "both.xyz", tmp_path / "both.extxyz"
    source.write_text("".join(text if text.endswith("\n") else text + "\n" for text in frames))

    assert forgefield("convert", source, target).exit_code == 0

    before, after = read_with_results(source), read_with_results(target)
    assert len(before) == len(after) == 2
    for (_, one), (_, other) in zip(before, after, strict=True):
        np.testing.assert_allclose(other.positions, one.positions, atol=1e-8)


def test_bonds_and_types_of_a_maestro_file_are_lost_only_when_named(forgefield, data, tmp_path):
    folder = data / "rh-enamide"
    source = tmp_path / "one.mae"
    shutil.copy(sorted((folder / "mae").glob("*.mae"))[0], source)
    shutil.copy(folder / "forcefield/atom.typ", tmp_path)
    target = tmp_path / "one.xyz"

    refused = forgefield("convert", source, target)
    done = forgefield("convert", source, target, "--drop", "bonds", "--drop", "types", "--drop", "formal charges")

    assert refused.exit_code == 2
    assert "a .xyz file cannot hold bonds, types, formal charges; leave out what can be with --drop" in refused.stderr
    assert done.exit_code == 0, done.output
    assert read_with_results(target)[0][0].n_atoms == 36


@pytest.mark.parametrize(
    ("source", "target", "options", "message"),
    [
        (CH3F, "x.xyz", (), "a .xyz file cannot hold Hessian, frequencies; leave out what can be with --drop Hessian"),
        (CH3F, "x.cif", (), "structures are written as .xyz, .extxyz, .json, not '.cif'"),
        (CH3F, "x.json", ("--drop", "atoms"), "'atoms' cannot be dropped, only Hessian, bonds"),
        ("absent.xyz", "x.json", (), "absent.xyz: there is no such file"),
        ("two.xyz", "x.json", (), "a .json file cannot hold several structures\n"),
    ],
)
def test_what_cannot_be_done_is_one_clear_message(forgefield, source, target, options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two.xyz").write_text("1\n\nH 0 0 0\n1\n\nH 0 0 1\n")

    result = forgefield("convert", source, target, *options)

    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / target).exists()


def test_misspelt_column_is_told_of_on_stderr_once(forgefield, tmp_path):
    rows = "H 0 0 0 0.5 0 0\nF 0 0 0.9 -0.5 0 0\n"
    (tmp_path / "a.xyz").write_text(f"2\nProperties=species:S:1:pos:R:3:fnrces:R:3 energy=-2.0\n{rows}" * 2)

    with catch_warnings():
        simplefilter("default")
        result = forgefield("convert", tmp_path / "a.xyz", tmp_path / "b.xyz")

    assert result.exit_code == 0
    said = [line for line in result.stderr.splitlines() if "fnrces" in line]
    assert said == [f"Warning: {tmp_path}/a.xyz: the column 'fnrces' is not read; did you mean 'forces'?"]
