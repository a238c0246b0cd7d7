"""Running force-field XML in OpenMM."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")

from forgefield.engines.openmm import energy, forces
from forgefield.errors import InputError
from forgefield.io.molecules import read_structures
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import Molecule

pytestmark = pytest.mark.openmm

EXAMPLE = Path(__file__).parents[2] / "examples" / "ch3f" / "ch3f.json"

XML = """<ForceField>
  <AtomTypes>
    <Type name="H" class="H" element="H" mass="1.0"/>
  </AtomTypes>
  <Residues>
    <Residue name="hydrogen">
      <Atom name="H1" type="H"/> <Atom name="H2" type="H"/> <Bond atomName1="H1" atomName2="H2"/>
    </Residue>
  </Residues>
  <HarmonicBondForce>
    <Bond class1="H" class2="H" length="0.07" k="418400.0"/>
  </HarmonicBondForce>
</ForceField>
"""

CUSTOM = """<CustomBondForce energy="{}">
  <PerBondParameter name="k"/><Bond class1="H" class2="H" k="1"/>
</CustomBondForce>
"""


def custom(expression):
    return XML.replace("</For", CUSTOM.format(expression) + "</For")


@pytest.fixture
def hydrogen() -> Molecule:
    positions = np.array([[0.0, 0.0, 0.0], [0.8, 0.0, 0.0]])
    return Molecule("hydrogen", np.array([1, 1]), positions, np.array([[0, 1]]), np.ones(1))


@pytest.fixture
def write(tmp_path):
    def write(content):
        path = tmp_path / "test.xml"
        path.write_text(content)
        return path

    return write


def test_energy_and_forces_of_a_bond_by_hand(write, hydrogen):
    path = write(XML)

    # 418400 kJ/mol/nm² is 1000 kcal/mol/Å², and the bond 0.1 Å too long.
    np.testing.assert_allclose(energy(path, hydrogen), 5.0, rtol=1e-12)
    np.testing.assert_allclose(forces(path, hydrogen), [[100.0, 0.0, 0.0], [-100.0, 0.0, 0.0]], rtol=1e-12)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(XML.replace("</For", "<Script>1/0</Script></For"), "holds Script", id="script"),
        pytest.param(
            XML.replace("</For", '<NonbondedForce useDispersionCorrection="print()"/></For'),
            "holds useDispersionCorrection, which OpenMM would execute",
            id="eval",
        ),
        pytest.param(XML.replace("</For", '<Include file="other.xml"/></For'), "holds Include, which", id="include"),
        pytest.param(
            XML.replace("</For", "<InitializationScript>1/0</InitializationScript></For"),
            "holds InitializationScript, which",
            id="initialization script",
        ),
        pytest.param('<!DOCTYPE f [<!ENTITY e "e">]><f>&e;</f>', "cannot be read as XML", id="entity"),
        pytest.param(XML[:50], "cannot be read as XML", id="cut"),
        pytest.param(custom("k*r+unknown"), "test.xml: OpenMM .*unknown", id="name"),
        pytest.param(custom("k*(r"), "test.xml: OpenMM cannot apply", id="paren"),
        pytest.param(custom(""), "test.xml: OpenMM cannot apply", id="nothing"),
        pytest.param(custom("f(r)"), "test.xml: OpenMM .*f", id="function"),
        pytest.param(XML.replace('element="H"', 'element="He"'), "cannot apply it to hydrogen", id="no template"),
    ],
)
def test_what_cannot_be_run_is_refused(write, hydrogen, content, complaint):
    with pytest.raises(InputError, match=complaint):
        energy(write(content), hydrogen)


def test_missing_file_is_named(tmp_path, hydrogen):
    with pytest.raises(InputError, match=r"none\.xml: there is no such file"):
        energy(tmp_path / "none.xml", hydrogen)


def test_real_file_with_an_unknown_variable_is_refused(data):
    (molecule,) = read_structures(EXAMPLE)
    bonds, orders = perceive_bonds(molecule.species, molecule.positions)

    with pytest.raises(InputError, match=r"openmm-unknown-variable\.xml: OpenMM cannot apply it to ch3f: .*variable"):
        energy(data / "cases" / "rel" / "openmm-unknown-variable.xml", replace(molecule, bonds=bonds, orders=orders))
