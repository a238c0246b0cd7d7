"""Commands and fits that start from a topology of AMBER or GROMACS."""

import json
import re
import shutil

import jax.numpy as jnp
import numpy as np
import pytest

import forgefield as ff
from certain import instance
from forgefield import units
from forgefield.assign.explicit.rules import SystemRules
from forgefield.assign.explicit.several import SeveralSystemsRules
from forgefield.io.forcefields.amber.prmtop import read_prmtop
from forgefield.io.molecules import read_structures
from forgefield.io.structures.xyz import write_xyz
from forgefield.jobs.fit.fit_job import run_fit
from forgefield.jobs.fit.plan.prepare import prepare
from forgefield.molecules.molecule import Reference
from forgefield.properties.derivatives import hessians
from forgefield.properties.modes import unprojected_frequencies
from samples import TURNED, WATER, places_of, write_shifted

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
    assert json.loads(same.stdout)["differences"] == []


@pytest.mark.parametrize(
    "suffix", ["prmtop", "top", "lmp", "frcmod", "psf", "key", "xml", "offxml", "json", "system.xml"]
)
def test_a_conversion_names_all_files_that_it_wrote(forgefield, amber, tmp_path, suffix):
    target = tmp_path / f"out.{suffix}"
    over = [] if suffix in ("json", "system.xml") else ["--over", amber / "nmethylacetamide.inpcrd"]
    more = ["--approximate"] if suffix == "offxml" else []

    result = forgefield("convert", amber / "lig.prmtop", target, *over, *more, "--json")

    assert result.exit_code == 0, result.output
    files = json.loads(result.stdout)["files"]
    assert files[0] == str(target)
    assert sorted(files) == sorted(map(str, tmp_path.iterdir()))
    assert f"Written: {', '.join(files)}" in result.stderr


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


@pytest.mark.slow
def test_warnings_tell_rows_that_are_kept_from_those_that_are_fitted(amber, tmp_path):
    system = read_prmtop(amber / "lig.prmtop").system
    (molecule,) = read_structures(amber / "nmethylacetamide.inpcrd", system=system)
    oxygen = int(np.flatnonzero(molecule.species == 8)[0])
    carbon = next(a for bond in system.bonds.tolist() if oxygen in bond for a in bond if a != oxygen)
    stretched = molecule.positions.copy()
    stretched[oxygen] += 0.3 * (stretched[oxygen] - stretched[carbon])
    write_xyz(amber / "long.xyz", [Reference(molecule.species, stretched, gradient=np.zeros((12, 3)))])
    (amber / "FIT.toml").write_text(FIT.format(more="").replace("shifted.xyz", "long.xyz").replace("1e-9", "1.0"))

    warnings = run_fit(prepare(amber / "FIT.toml"), tmp_path / "out").warnings

    (said,) = [one for one in warnings if "Rows that are kept" in one]
    assert re.search(r"off by up to \d+\.\d kcal/mol/Å, most of it by stretch c-o \d+", said)
    assert 'add "stretch c-o"' in said
    assert not any("This solution is unphysical" in one for one in warnings)


@pytest.mark.slow
def test_what_is_learnt_of_one_topology_reaches_the_other_where_types_are_the_same(data, amber, tmp_path):
    paracetamol = data / "programs" / "amber" / "paracetamol.prmtop"
    both = FIT.format(more='write = ["gromacs", "openmm-system"]').replace(
        '"lig.prmtop"', f'["lig.prmtop", "{paracetamol}"]'
    )
    (other,) = read_structures(paracetamol.with_suffix(".inpcrd"), system=read_prmtop(paracetamol).system)
    write_xyz(amber / "other.xyz", [Reference(other.species, other.positions, gradient=np.zeros((20, 3)))])
    second = '[[molecules]]\nreference = "other.xyz"\nweight = 0.0\n[targets]'
    (amber / "FIT.toml").write_text(
        both.replace("[targets]", second).replace("smarts:[#1]-[#7]-[#6]=O", "torsion hn-ns-c-o*")
    )

    run_fit(prepare(amber / "FIT.toml"), tmp_path / "out")

    fitted = instance(SeveralSystemsRules, ff.load(tmp_path / "out"))
    for topology, one in zip((amber / "lig.prmtop", paracetamol), fitted.each, strict=True):
        before = read_prmtop(topology)
        moved = one.rowed.values - before.rowed.values
        np.testing.assert_allclose(moved[[places_of(before)[name] for name in TURNED]], [1.0, -0.5], atol=1e-3)
    for name, structure in (("shifted", amber / "nmethylacetamide.inpcrd"), ("other", amber / "other.xyz")):
        native = ff.evaluate(tmp_path / "out", structure)
        for suffix in ("top", "system.xml"):
            written = ff.evaluate(tmp_path / "out" / f"forcefield-{name}.{suffix}", structure)
            np.testing.assert_allclose(written.energies, native.energies, atol=1e-5)


def test_several_topologies_in_one_command(forgefield, amber):
    both = f"{amber / 'lig.prmtop'}+{amber / 'propionitrile.prmtop'}"
    files = amber / "propionitrile.inpcrd", amber / "nmethylacetamide.inpcrd"

    together = forgefield("evaluate", both, *files, "--json")
    alone = forgefield("evaluate", amber / "lig.prmtop", files[1], "--json")

    assert together.exit_code == 0, together.output
    first, second = json.loads(together.stdout)["structures"]
    assert first["total"] * units.KILOJOULE == pytest.approx(25.013536, abs=1e-5)
    assert second["total"] == pytest.approx(json.loads(alone.stdout)["structures"][0]["total"], abs=1e-9)


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ("lig.prmtop+propionitrile.prmtop", "its atoms are H2O, which is none of"),
        ("lig.prmtop+nmethylacetamide.prmtop", "does not tell which of"),
        ("lig.prmtop+gaff2.dat", "gaff2.dat: is no topology, and stands together with"),
    ],
)
def test_topologies_that_do_not_go_together_are_named(forgefield, amber, start, message):
    write_xyz(amber / "water.xyz", [Reference(WATER.species, WATER.positions)])
    (amber / "gaff2.dat").write_text("title\n\nMOD4      RE\n")
    structure = "nmethylacetamide.gro" if "nmethyl" in start else "water.xyz"

    result = forgefield("evaluate", "+".join(str(amber / name) for name in start.split("+")), amber / structure)

    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ('form = "harmonic"', "form: .*lig.prmtop has its own form"),
        ('nonbonded = "uff"', "nonbonded: .*lig.prmtop has its own; leave the key"),
        ('write = ["psf"]', "psf cannot hold a topology; it can be written as .*; psf is charmm"),
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


def test_modes_of_some_atoms_are_those_of_their_part_of_the_hessian(forgefield, amber):
    files = amber / "propionitrile.prmtop", amber / "propionitrile.inpcrd"
    system = read_prmtop(files[0]).system
    (molecule,) = read_structures(files[1], system=system)
    model, topology = ff.load(files[0]).lay([molecule])

    result = forgefield("modes", *files, "--atoms", "1-2,9", "--json")
    refused = forgefield("modes", *files, "--atoms", "3-10")

    own = np.r_[0:6, 24:27]
    part = np.asarray(hessians(model, topology, jnp.asarray(molecule.positions)))[0][np.ix_(own, own)]
    expected = unprojected_frequencies(part, system.masses[[0, 1, 8]])
    np.testing.assert_allclose(json.loads(result.stdout)["frequencies_cm1"], expected, atol=1e-6)
    assert refused.exit_code == 2
    assert '--atoms "3-10": numbers from 1 to 9 are expected, such as "1-40,52"' in refused.stderr


@pytest.mark.parametrize(
    ("source", "target", "message"),
    [
        (
            "gaff2.dat",
            "out.json",
            "gaff2.dat has rows for any molecule; name a structure that it is laid over (--over)",
        ),
        ("gaff2.dat", "out.top", "gaff2.dat has rows for any molecule; name a structure that it is laid over (--over)"),
        ("lig.prmtop", "out.fld", "MM3* holds no such force field as "),
    ],
)
def test_what_a_conversion_lacks_is_one_message(forgefield, amber, tmp_path, source, target, message):
    (amber / "gaff2.dat").write_text("title\n\nMOD4      RE\n")

    result = forgefield("convert", amber / source, tmp_path / target)

    assert result.exit_code == 2
    assert message in result.stderr.replace(f"{amber}/", "")
    assert not any(tmp_path.iterdir())


def test_a_check_shows_angles_in_degrees(forgefield, amber):
    (amber / "FIT.toml").write_text(FIT.format(more=""))

    result = forgefield("fit", amber / "FIT.toml", "--check")

    (line,) = [line.split() for line in result.stdout.splitlines() if "bend c-ns-hn theta0" in line]
    assert line[-2] == "°"
    assert 90.0 < float(line[-3]) < 150.0


def test_charges_that_are_trained_are_told_to_keep_no_sum(forgefield, amber):
    (amber / "FIT.toml").write_text(FIT.format(more="").replace('"smarts:[#1]-[#7]-[#6]=O"', '"electrostatic C?"'))

    result = forgefield("fit", amber / "FIT.toml", "--check")

    assert result.exit_code == 0, result.output
    assert "nothing keeps their sum" in " ".join(result.output.split())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("propionitrile.prmtop", "nmethylacetamide.inpcrd"), "has 12 atoms, but "),
        (("propionitrile.prmtop", "nothing.inpcrd"), "nothing.inpcrd: there is no such file"),
        (("propionitrile.inpcrd", "propionitrile.inpcrd"), "no force field is read from '.inpcrd' files"),
        (
            ("propionitrile.prmtop", "propionitrile.inpcrd", "--cutoff", "7", "--switch", "8"),
            "van der Waals energies are switched off from 8 Å on: give a larger --cutoff",
        ),
        (
            ("lig.prmtop+propionitrile.prmtop", "propionitrile.inpcrd", "--cutoff", "9"),
            "only an MM3* force field, or the topology of one system, is evaluated with a cutoff",
        ),
    ],
)
def test_what_does_not_go_together_ends_with_one_message(forgefield, amber, words, message):
    paths = ("+".join(str(amber / part) for part in word.split("+")) if "." in word else word for word in words)
    result = forgefield("evaluate", *paths)

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
    (tmp_path / "lig.offxml").unlink()
    (amber / "FIT.toml").write_text(FIT.format(more='write = ["gromacs", "offxml"]'))
    asked = forgefield("fit", amber / "FIT.toml", "-o", tmp_path / "out")
    assert asked.exit_code == 2
    assert '[forcefield] write = "offxml": forcefield.offxml: SMIRNOFF cannot hold impropers' in " ".join(
        asked.stderr.split()
    )
    assert not list(tmp_path.glob("out/*"))
    assert "SMIRNOFF cannot hold impropers in one order of their atoms (2" in " ".join(refused.stderr.split())
    said = " ".join(kept.stderr.split())
    assert "changed, since SMIRNOFF does not hold it as it is: impropers in one order of their atoms (2" in said
