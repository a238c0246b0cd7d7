"""`forgefield modes` and `evaluate` with a force field of every kind, by the same laying as `md` and `relax`."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import forgefield as ff
from forgefield import units
from forgefield.jobs.estimate import estimate, write_estimated

EXAMPLES = Path(__file__).parents[2] / "examples"
CH3F, ETHANOL = EXAMPLES / "ch3f", EXAMPLES / "painn"
KINDS = ["ch3f.fld", "ch3f.frcmod", "folder", "ethanol.safetensors"]


@pytest.fixture(scope="module")
def fields(tmp_path_factory):
    """Force fields in files, and in a folder as a fit leaves it, with a structure for each."""
    folder = tmp_path_factory.mktemp("kinds")
    (folder / "folder").mkdir()
    for name, form in (("ch3f.fld", "mm3"), ("ch3f.frcmod", "harmonic"), ("folder/forcefield.frcmod", "harmonic")):
        write_estimated(folder / name, estimate([CH3F / "ch3f.json"], form=form))
    for structure in (CH3F / "ch3f.xyz", ETHANOL / "ethanol.xyz", ETHANOL / "ethanol.safetensors"):
        shutil.copy(structure, folder)
    return folder


def structure_of(fields, kind):
    return fields / ("ethanol.xyz" if kind.startswith("ethanol") else "ch3f.xyz")


@pytest.mark.parametrize("kind", KINDS)
def test_modes_takes_every_force_field(forgefield, fields, kind):
    result = forgefield("modes", fields / kind, structure_of(fields, kind), "--json")

    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)["frequencies_cm1"]
    assert len(found) == {"ethanol.safetensors": 21}.get(kind, 9)
    assert 2500.0 < max(found) < 4000.0


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_evaluate_gives_the_energy_that_the_ase_calculator_gives(fields, kind):
    ase_io = pytest.importorskip("ase.io")
    atoms = ase_io.read(structure_of(fields, kind))
    atoms.calc = ff.ForgeFieldCalculator(ff.load(fields / kind))

    found = ff.evaluate(fields / kind, [structure_of(fields, kind)])

    expected = atoms.get_potential_energy() * units.ELECTRONVOLT
    np.testing.assert_allclose(found.energies, [expected], rtol=1e-9, atol=1e-6)
    np.testing.assert_allclose([t["total"] * units.KILOJOULE for t in found.totals_kj_mol], found.energies)


def test_listing_of_amber_rows_states_the_units_of_its_parameters(forgefield, fields, tmp_path):
    words = "evaluate", fields / "folder", fields / "ch3f.xyz", "--listing", tmp_path / "all.json"

    result = forgefield(*words)

    assert result.exit_code == 0, result.output
    (structure,) = json.loads((tmp_path / "all.json").read_text())["structures"]
    assert structure["parameter_units"]["stretch"] == {"k": "kcal/mol/Å²", "r0": "Å"}
    assert [i["kind"] for i in structure["interactions"]] == ["stretch"] * 4 + ["bend"] * 6
    for one in structure["interactions"]:
        k, reference = one["parameters"].values()
        unit = 1.0 if one["kind"] == "stretch" else units.DEGREE
        energy = 0.5 * k * (one["value"] * unit - reference) ** 2 / units.KILOJOULE
        assert one["energy_kj_mol"] == pytest.approx(energy, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("kind", "words", "message"),
    [
        ("ethanol.safetensors", ("--listing", "all.json"), "a neural model has no interactions to list"),
        ("ethanol.safetensors", ("--cutoff", 5.0), "or the topology of one system, is evaluated with a cutoff"),
        ("ch3f.frcmod", ("--cutoff", 5.0), "or the topology of one system, is evaluated with a cutoff"),
        ("ch3f.frcmod", ("--compare", "one.mmo"), "a MacroModel listing is compared with an MM3* force field"),
    ],
)
def test_what_a_kind_has_not_is_refused(forgefield, fields, tmp_path, monkeypatch, kind, words, message):
    monkeypatch.chdir(tmp_path)

    result = forgefield("evaluate", fields / kind, structure_of(fields, kind), *words)

    assert result.exit_code == 2
    assert message in result.stderr
    assert list(tmp_path.iterdir()) == []
