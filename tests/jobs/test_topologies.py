"""Commands and fits that start from a topology of AMBER or GROMACS."""

import json
import re
import shutil

import numpy as np
import pytest

import forgefield as ff
from certain import instance
from forgefield import units
from forgefield.assign.explicit.rules import SystemRules
from forgefield.io.forcefields.amber.prmtop import read_prmtop
from forgefield.io.molecules import read_structures
from forgefield.io.structures.xyz import write_xyz
from forgefield.jobs.fit.fit_job import run_fit
from forgefield.jobs.fit.plan.prepare import prepare
from forgefield.molecules.molecule import Reference
from samples import TURNED, places_of, write_shifted

FIT = """
[forcefield]
start = "lig.prmtop"
train = ["smarts:[#1]-[#7]-[#6]=O"]
{more}
[[molecules]]
reference = "shifted.xyz"
[targets]
forces = {{ tolerance = 0.1 }}
[fit.prior]
strength = 1e-9
"""


@pytest.fixture(scope="module")
def amber(data, tmp_path_factory):
    """Topologies and coordinates in a folder that can be written to, with forces of a field whose torsions differ."""
    folder = tmp_path_factory.mktemp("amber")
    for suffix in ("prmtop", "inpcrd", "top", "gro"):
        for name in ("nmethylacetamide", "propionitrile"):
            shutil.copy(data / "programs" / "amber" / f"{name}.{suffix}", folder)
    shutil.copy(folder / "nmethylacetamide.prmtop", folder / "lig.prmtop")
    rules = read_prmtop(folder / "lig.prmtop")
    (molecule,) = read_structures(folder / "nmethylacetamide.inpcrd", system=rules.system)
    write_shifted(folder / "shifted.xyz", rules, molecule)
    return folder


@pytest.mark.parametrize(("topology", "structure"), [("prmtop", "inpcrd"), ("prmtop", "gro"), ("top", "gro")])
def test_evaluate_states_the_coulomb_constant(forgefield, amber, topology, structure):
    words = amber / f"propionitrile.{topology}", amber / f"propionitrile.{structure}"

    result = forgefield("evaluate", *words, "--json")

    assert result.exit_code == 0, result.output
    constant = {"prmtop": "332.05222", "top": "332.06371"}[topology]
    assert f"Coulomb constant {constant} kcal·Å/mol/e²" in result.stderr
    stated = {"prmtop": 25.013536, "top": 25.013481}[topology]
    (found,) = json.loads(result.stdout)["structures"]
    assert found["total"] * units.KILOJOULE == pytest.approx(stated, abs=1e-5)


def test_modes_have_the_masses_of_the_topology_where_the_structure_is_bare(forgefield, amber):
    result = forgefield("modes", amber / "propionitrile.prmtop", amber / "propionitrile.inpcrd", "--json")
    xyz = amber / "propionitrile.xyz"
    system = read_prmtop(amber / "propionitrile.prmtop").system
    (molecule,) = read_structures(amber / "propionitrile.inpcrd", system=system)
    write_xyz(xyz, [Reference(molecule.species, molecule.positions)])
    of_isotopes = forgefield("modes", amber / "propionitrile.prmtop", xyz, "--json")

    found, others = (json.loads(one.stdout)["frequencies_cm1"] for one in (result, of_isotopes))
    # Carbon weighs 12.01 there, hydrogen 1.008.
    assert 0.2 < others[-1] - found[-1] < 3.0


def test_the_native_file_holds_a_topology_to_the_last_digit(forgefield, amber, tmp_path):
    result = forgefield("convert", amber / "lig.prmtop", tmp_path / "lig.json")

    assert result.exit_code == 0, result.output
    before, after = (instance(SystemRules, ff.load(path)) for path in (amber / "lig.prmtop", tmp_path / "lig.json"))
    np.testing.assert_array_equal(before.rowed.values, after.rowed.values)
    assert before.rowed.rows == after.rowed.rows
    for one, other in zip(before.rowed.groups, after.rowed.groups, strict=True):
        np.testing.assert_array_equal(one.atoms, other.atoms)
        np.testing.assert_array_equal(one.parameters, other.parameters)
    same = forgefield("diff", amber / "lig.prmtop", tmp_path / "lig.json", "--json")
    assert json.loads(same.stdout) == {"differences": []}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"names": ["C1"]}, "names must have 12 entries, not 1"),
        ({"bonds": [[1, 13]]}, "atoms must be from 1 to 12"),
        ({"species": [0] * 12}, "species must be atomic numbers"),
    ],
)
def test_a_damaged_native_file_of_a_topology_is_refused(forgefield, amber, tmp_path, change, message):
    forgefield("convert", amber / "lig.prmtop", tmp_path / "lig.json")
    content = json.loads((tmp_path / "lig.json").read_text())
    content["system"] |= change
    (tmp_path / "lig.json").write_text(json.dumps(content))

    result = forgefield("evaluate", tmp_path / "lig.json", amber / "nmethylacetamide.inpcrd")

    assert result.exit_code == 2
    assert message in result.stderr


def test_fit_changes_the_rows_that_a_smarts_selects_and_nothing_else(amber, tmp_path):
    (amber / "FIT.toml").write_text(FIT.format(more=""))

    outcome = run_fit(prepare(amber / "FIT.toml"), tmp_path / "out")

    before = read_prmtop(amber / "lig.prmtop")
    fitted = instance(SystemRules, ff.load(tmp_path / "out"))
    moved = fitted.rowed.values - before.rowed.values
    places = [places_of(before)[name] for name in TURNED]
    np.testing.assert_allclose(moved[places], [1.0, -0.5], atol=1e-3)
    np.testing.assert_array_equal(np.delete(moved, places), 0.0)
    assert outcome.record.results["fit"]["converged"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('form = "harmonic"', "form: .*lig.prmtop has its own form"),
        ('nonbonded = "uff"', "nonbonded: .*lig.prmtop has its own; leave the key"),
        ('split = ["atoms:C9-*"]', 'split: "atoms:C9-\\*" selects no interaction of'),
    ],
)
def test_settings_that_contradict_a_topology_are_named(forgefield, amber, more, message):
    (amber / "FIT.toml").write_text(FIT.format(more=more))

    result = forgefield("fit", amber / "FIT.toml", "--check")

    assert result.exit_code == 2
    assert re.search(message, result.stderr)


def test_a_fit_of_a_topology_wants_to_know_what_changes(forgefield, amber):
    (amber / "FIT.toml").write_text(FIT.format(more="").replace('train = ["smarts:[#1]-[#7]-[#6]=O"]', ""))

    result = forgefield("fit", amber / "FIT.toml", "--check")

    assert result.exit_code == 2
    assert 'train names no rows: say which rows of the file change, such as ["torsion *"]' in result.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("propionitrile.prmtop", "nmethylacetamide.inpcrd"), "has 12 atoms, but "),
        (("propionitrile.prmtop", "nothing.inpcrd"), "nothing.inpcrd: there is no such file"),
        (("propionitrile.inpcrd", "propionitrile.inpcrd"), "no force field is read from '.inpcrd' files"),
        (
            ("propionitrile.prmtop", "propionitrile.inpcrd", "--cutoff", "9"),
            "only an MM3* force field is evaluated",
        ),
    ],
)
def test_what_does_not_go_together_ends_with_one_message(forgefield, amber, words, message):
    result = forgefield("evaluate", *(amber / word if "." in word else word for word in words))

    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_info_tells_what_topologies_and_coordinates_hold(forgefield, amber):
    result = forgefield("info", amber / "propionitrile.prmtop", amber / "propionitrile.gro", "--json")

    topology, positions = json.loads(result.stdout)["files"]
    assert topology["holds"][:3] == ["9 atoms of AMBER", "8 stretch", "13 bend"]
    assert positions["holds"] == ["positions of 9 atoms"]
    assert positions["lacks"][0].startswith("elements")


@pytest.mark.parametrize("target", ["lig.frcmod", "lig.offxml"])
def test_a_topology_is_the_same_as_rows_by_types_and_by_smarts(forgefield, amber, data, tmp_path, target):
    sdf = data / "programs" / "smirnoff" / "propionitrile.sdf"
    source = amber / "propionitrile.prmtop"

    result = forgefield("convert", source, tmp_path / target, "--over", sdf)

    assert result.exit_code == 0, result.output
    structure = tmp_path / "lig.mol2" if target == "lig.frcmod" else sdf
    before, after = (ff.evaluate(*words).energies for words in ((source, sdf), (tmp_path / target, structure)))
    # The mol2 file has six decimals of positions.
    np.testing.assert_allclose(after, before, atol=2e-4)


def test_what_is_lost_is_told_or_nothing_is_written(forgefield, amber, tmp_path):
    words = "convert", amber / "lig.prmtop", tmp_path / "lig.offxml"

    refused = forgefield(*words)
    assert not list(tmp_path.iterdir())
    kept = forgefield(*words, "--approximate")

    assert (refused.exit_code, kept.exit_code) == (2, 0)
    assert "SMIRNOFF cannot hold impropers in one order of their atoms (2" in " ".join(refused.stderr.split())
    assert "impropers in one order of their atoms (2" in " ".join(kept.stderr.split())
