"""ForceField XML through OpenMM, and Systems as objects."""

import re

import jax.numpy as jnp
import numpy as np
import pytest

import forgefield as ff
from forgefield.errors import InputError
from forgefield.io.forcefields.openmm.openmm_xml import write_openmm_xml
from forgefield.io.forcefields.openmm.system.templates import read_templates
from forgefield.io.molecules import read_structures
from forgefield.properties.derivatives import energies as energies_of
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.nonbonded import CHARGE_INCREMENT, LENNARD_JONES
from forgefield.terms.stretch import HARMONIC_STRETCH

openmm = pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")
pytestmark = pytest.mark.openmm

WATER = """HETATM    1  O   HOH A   1       0.000   0.000   0.120  1.00  0.00           O
HETATM    2  H1  HOH A   1       0.000   0.760  -0.470  1.00  0.00           H
HETATM    3  H2  HOH A   1       0.000  -0.760  -0.470  1.00  0.00           H
END
"""
TEMPLATES = """<ForceField>
  <AtomTypes>
    <Type name="spc-O" class="OW" element="O" mass="15.999"/> <Type name="spc-H" class="HW" element="H" mass="1.008"/>
  </AtomTypes>
  <Residues><Residue name="HOH">
    <Atom name="O" type="spc-O"/> <Atom name="H1" type="spc-H"/> <Atom name="H2" type="spc-H"/>
    <Bond atomName1="O" atomName2="H1"/> <Bond atomName1="O" atomName2="H2"/>
  </Residue></Residues>
</ForceField>
"""
FORCES = """<ForceField>
  <HarmonicBondForce><Bond class1="OW" class2="HW" length="0.1" k="345000"/></HarmonicBondForce>
</ForceField>
"""


@pytest.fixture
def water(tmp_path):
    (tmp_path / "water.pdb").write_text(WATER)
    (tmp_path / "forces.xml").write_text(FORCES)
    (tmp_path / "water.xml").write_text(TEMPLATES.replace("<Atom", '<Include file="forces.xml"/><Atom', 1))
    return tmp_path


@pytest.mark.filterwarnings("ignore:.*states no charges")
def test_templates_are_laid_over_the_residues_of_a_file_and_rows_go_by_their_types(water):
    laid = read_templates(water / "water.xml").assign(read_structures(water / "water.pdb"))

    assert [row.name for row in laid.rows if row.term is HARMONIC_STRETCH] == ["stretch spc-H-spc-O"]
    assert laid.types == (("spc-O", "spc-H", "spc-H"),)
    found = energies_of(laid.model, laid.topology, jnp.asarray(read_structures(water / "water.pdb")[0].positions))
    stretched = np.hypot(0.76, 0.59) - 1.0
    np.testing.assert_allclose(found, [345000 / 418.4 * stretched**2], rtol=1e-12)


def test_a_generated_field_is_read_back_through_openmm(molecules, random_field, energies, tmp_path):
    ethane = molecules[1]
    terms = HARMONIC_STRETCH, HARMONIC_BEND
    field = random_field(*terms, of=[ethane], van_der_waals=LENNARD_JONES, charging=CHARGE_INCREMENT)
    write_openmm_xml(tmp_path / "out.xml", field, [ethane])

    laid = ff.load(tmp_path / "out.xml").lay([ethane])

    found = energies_of(*laid, jnp.asarray(ethane.positions))
    np.testing.assert_allclose(found, energies(field, ethane.positions[None])[0], rtol=1e-9)


def test_an_object_is_a_force_field(molecules):
    hydrogen = openmm.System()
    force = openmm.HarmonicBondForce()
    force.addBond(0, 1, 0.07, 418400.0)
    for _ in range(2):
        hydrogen.addParticle(1.008)
    hydrogen.addForce(force)
    molecule = ff.Molecule("hydrogen", np.array([1, 1]), np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 0.8]]))

    model, topology = ff.load(hydrogen).lay([molecule])

    np.testing.assert_allclose(
        model.energy(topology, jnp.asarray(molecule.positions)), [0.5 * 1000.0 * 0.1**2], rtol=1e-12
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("</ForceField>", "<Script>import os</Script></ForceField>", "holds Script, which OpenMM would execute"),
        ("<Residues>", '<X useDispersionCorrection="f()"/><Residues>', "holds useDispersionCorrection"),
        ("forces.xml", "none.xml", "none.xml, and there is no such file"),
        ("forces.xml", "water.xml", "includes more than 50 files"),
        ("</ForceField>", "", "cannot be read as XML"),
        ('name="H2"', 'name="H1"', "OpenMM cannot apply it to water"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*states no charges")
def test_what_cannot_be_laid_or_would_run_as_code_is_refused(water, old, new, message):
    path = water / "water.xml"
    path.write_text(path.read_text().replace(old, new))
    molecules = read_structures(water / "water.pdb")

    with pytest.raises(InputError, match=re.escape(message)):
        read_templates(path).assign(molecules)
