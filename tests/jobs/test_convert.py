"""`forgefield convert`: what comes back from a written file, and what is refused by name."""

import json
import shutil
from pathlib import Path
from warnings import catch_warnings, simplefilter

import jax.numpy as jnp
import numpy as np
import pytest

from certain import known
from forgefield.io.references import read_reference
from forgefield.io.rules import load
from forgefield.jobs.convert import read_with_results
from forgefield.jobs.estimate import estimate, write_estimated
from forgefield.properties.derivatives import energies

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


def test_what_a_file_held_and_what_of_it_is_written_is_said(forgefield, data, tmp_path):
    source, target = data / "ethane/GS.log", tmp_path / "GS.xyz"

    result = forgefield("convert", source, target, "--drop", "Hessian", "--drop", "frequencies")

    held = "energy, gradient, Hessian, frequencies, charges, at RB3LYP/6-31G(d)"
    assert f"{source} (Gaussian output): {held}" in " ".join(result.output.split())
    assert "(GS) without Hessian, frequencies" in " ".join(result.output.split())


def test_extended_xyz_keeps_energy_and_forces(forgefield, tmp_path):
    target = tmp_path / "ch3f.xyz"

    result = forgefield("convert", CH3F, target, "--drop", "Hessian", "--drop", "frequencies")

    assert result.exit_code == 0, result.output
    ((_, before),), ((_, after),) = read_with_results(CH3F), read_with_results(target)
    np.testing.assert_allclose(after.positions, before.positions, atol=1e-8)
    np.testing.assert_allclose(known(after.gradient), known(before.gradient), atol=1e-6)
    np.testing.assert_allclose(known(after.energy), known(before.energy), rtol=1e-12)
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
        (CH3F, "x.cif", (), "structures are written as .xyz, .extxyz, .json, .sdf, .mol, .sd, not '.cif'"),
        (CH3F, "x.json", ("--drop", "atoms"), "'atoms' cannot be dropped, only Hessian, bonds"),
        ("absent.xyz", "x.json", (), "absent.xyz: there is no such file"),
        ("two.xyz", "x.json", (), "a .json file cannot hold several structures\n"),
    ],
)
def test_what_cannot_be_done_is_one_clear_message(forgefield, source, target, options, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "two.xyz").write_text("1\n\nHe 0 0 0\n1\n\nHe 0 0 1\n")

    result = forgefield("convert", source, target, *options)

    assert result.exit_code == 2
    assert message in result.stderr
    assert not (tmp_path / target).exists()


@pytest.fixture
def native(tmp_path):
    """A native file of a force field of form harmonic, and the molecule that it was made from."""
    path = tmp_path / "made.json"
    found = estimate([CH3F], form="harmonic")
    write_estimated(path, found)
    return path, found.molecules[0]


@pytest.mark.parametrize(
    ("suffix", "rtol"), [("frcmod", 1e-6), ("json", 0.0), ("system.xml", 1e-12), ("prmtop", 1e-7), ("top", 1e-9)]
)
def test_native_force_field_is_the_same_in_another_format(forgefield, native, tmp_path, suffix, rtol):
    path, molecule = native
    over = () if suffix == "json" else ("--over", CH3F)

    result = forgefield("convert", path, tmp_path / f"out.{suffix}", *over)

    assert result.exit_code == 0, result.output
    x = jnp.asarray(molecule.positions + np.linspace(-0.1, 0.1, 15).reshape(5, 3))
    before, after = (energies(*load(file).lay([molecule]), x) for file in (path, tmp_path / f"out.{suffix}"))
    np.testing.assert_allclose(after, before, rtol=rtol)


def test_a_system_of_openmm_is_the_same_in_the_native_file_and_back(forgefield, native, tmp_path):
    assert forgefield("convert", native[0], tmp_path / "made.system.xml", "--over", CH3F).exit_code == 0
    assert forgefield("convert", tmp_path / "made.system.xml", tmp_path / "back.json").exit_code == 0

    result = forgefield("convert", tmp_path / "back.json", tmp_path / "back.system.xml")

    assert result.exit_code == 0, result.output
    back, made = ((tmp_path / f"{name}.system.xml").read_text() for name in ("back", "made"))
    assert back.partition("-->")[2] == made.partition("-->")[2]
    assert "Load it: openmm.XmlSerializer.deserialize(open('back.system.xml').read())" in back


def test_a_topology_goes_from_engine_to_engine_and_what_is_lost_is_told(forgefield, data, tmp_path):
    folder = data / "programs" / "amber"
    over = "--over", folder / "thiazole.inpcrd"
    assert forgefield("convert", folder / "thiazole.prmtop", tmp_path / "a.top", *over).exit_code == 0
    text = (tmp_path / "a.top").read_text()
    # A harmonic improper in place of the first periodic one.
    first = text.index(" 4 180 ")
    edited = f"{text[:first]} 2 0 40.0\n;{text[first:]}"
    (tmp_path / "a.top").write_text(edited)

    refused = forgefield("convert", tmp_path / "a.top", tmp_path / "b.prmtop", "--over", tmp_path / "a.gro")
    assert not (tmp_path / "b.prmtop").exists()
    kept = forgefield(
        "convert", tmp_path / "a.top", tmp_path / "b.prmtop", "--over", tmp_path / "a.gro", "--approximate"
    )

    assert (refused.exit_code, kept.exit_code) == (2, 0)
    assert f"{tmp_path}/b.prmtop: an AMBER topology cannot hold harmonic_improper (1)" in refused.stderr
    assert "left out, since an AMBER topology does not hold it: harmonic_improper (1)" in kept.stderr
    assert (tmp_path / "b.inpcrd").is_file()


def test_of_several_structures_one_is_written_which_is_said_and_other_molecules_are_refused(
    forgefield, data, tmp_path, monkeypatch
):
    folder = data / "programs" / "amber"
    monkeypatch.chdir(tmp_path)
    words = "convert", folder / "thiazole.prmtop", "a.top", "--over", folder / "thiazole.inpcrd"

    refused = forgefield(*words, "--over", CH3F)
    assert not list(tmp_path.iterdir())
    kept = forgefield(*words, "--over", folder / "thiazole.gro")

    assert (refused.exit_code, kept.exit_code) == (2, 0)
    assert "its atoms are CH3F, but those of" in refused.stderr
    assert "a.top holds one geometry: of 2 structures that of the first, thiazole, is written" in kept.stderr
    assert "forgefield: a.key: Tinker holds positions" in forgefield("convert", "a.top", "a.key").stderr


@pytest.mark.slow
def test_mm3_file_comes_back_byte_for_byte(forgefield, data, tmp_path):
    fld = data / "rh-enamide/forcefield/rh_hyd_enamide_start.fld"

    assert forgefield("convert", fld, tmp_path / "mm3.json").exit_code == 0
    assert forgefield("convert", tmp_path / "mm3.json", tmp_path / "mm3.fld").exit_code == 0

    assert (tmp_path / "mm3.fld").read_bytes() == fld.read_bytes()


def test_openmm_xml_holds_what_the_native_file_does(forgefield, native, tmp_path):
    result = forgefield("convert", native[0], tmp_path / "out.xml", "--over", CH3F)

    assert result.exit_code == 0, result.output
    assert "<HarmonicBondForce" in (tmp_path / "out.xml").read_text()


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("out.frcmod", (), "name structures that"),
        ("out.system.xml", (), "name structures that"),
        ("out.fld", ("--over", CH3F), "an MM3* file cannot hold harmonic_stretch"),
        ("out.json", ("--over", CH3F), "holds the force field as it is, without structures"),
        (
            "out.prm",
            (),
            "force fields are written as .json, .fld, .frcmod, .xml, .system.xml, .top, .prmtop, .parm7, .lmp, "
            ".offxml, .psf, .key, not '.prm'",
        ),
        ("out.safetensors", (), "force fields are written as .json"),
        ("out.lmp", (), "LAMMPS is of one molecule; name a structure"),
        ("out.frcmod", ("--over", CH3F, "--approximate"), "is not written approximately"),
        ("out.xml", ("--drop", "bonds"), "--drop belongs to structures"),
        ("made.json", (), "would be written over"),
    ],
)
def test_what_cannot_be_done_with_a_force_field_is_one_message(forgefield, native, tmp_path, target, options, message):
    before = native[0].read_bytes()

    result = forgefield("convert", native[0], tmp_path / target, *options)

    assert result.exit_code == 2
    assert message in result.stderr
    assert native[0].read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["made.json"]


def test_rows_of_an_mm3_file_are_no_amber_parameters(forgefield, data, tmp_path):
    fld = data / "rh-enamide/forcefield/rh_hyd_enamide_start.fld"

    result = forgefield("convert", fld, tmp_path / "out.frcmod", "--over", CH3F)

    assert result.exit_code == 2
    assert "AMBER parameters holds rows by types, which" in result.stderr


def test_rows_that_no_structure_uses_are_told(forgefield, native, tmp_path):
    (tmp_path / "hf.xyz").write_text("2\n\nF 0 0 0\nH 0 0 0.93\n")
    content = json.loads(native[0].read_text())
    content["types"] += [{"name": "A1", "environment": "F(H)"}, {"name": "A2", "environment": "H(F)"}]
    content["rows"].append({"term": "harmonic_stretch", "types": ["A1", "A2"], "values": {"k": 900.0, "r0": 0.92}})
    native[0].write_text(json.dumps(content))

    result = forgefield("convert", native[0], tmp_path / "out.frcmod", "--over", tmp_path / "hf.xyz")

    assert result.exit_code == 0, result.output
    assert "4 row(s) of" in result.stderr


def test_misspelt_column_is_told_of_on_stderr_once(forgefield, tmp_path):
    rows = "H 0 0 0 0.5 0 0\nF 0 0 0.9 -0.5 0 0\n"
    (tmp_path / "a.xyz").write_text(f"2\nProperties=species:S:1:pos:R:3:fnrces:R:3 energy=-2.0\n{rows}" * 2)

    with catch_warnings():
        simplefilter("default")
        result = forgefield("convert", tmp_path / "a.xyz", tmp_path / "b.xyz")

    assert result.exit_code == 0
    said = [line for line in result.stderr.splitlines() if "fnrces" in line]
    assert said == [f"Warning: {tmp_path}/a.xyz: the column 'fnrces' is not read; did you mean 'forces'?"]


def test_file_is_read_once(forgefield, tmp_path):
    (tmp_path / "hydroxyl.xyz").write_text("2\n\nO 0 0 0\nH 0 0 0.97\n")

    with catch_warnings():
        simplefilter("always")
        result = forgefield("convert", tmp_path / "hydroxyl.xyz", tmp_path / "b.xyz")

    assert result.exit_code == 0
    assert result.stderr.count("states neither charge nor multiplicity") == 1
