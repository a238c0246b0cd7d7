"""Writing generated force fields as OpenMM XML."""

import importlib
from dataclasses import replace
from xml.etree.ElementTree import fromstring

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.io.forcefields.openmm.openmm_xml import write_openmm_xml
from forgefield.molecules.molecule import Molecule
from forgefield.terms.bend import HARMONIC_BEND, MM3_BEND
from forgefield.terms.cross import BEND_BEND, COUPLINGS, STRETCH_BEND, STRETCH_STRETCH, UREY_BRADLEY
from forgefield.terms.mm3 import BOND_MOMENT
from forgefield.terms.nonbonded import CHARGE_INCREMENT, EXP6, LENNARD_JONES
from forgefield.terms.out_of_plane import COSINE_OUT_OF_PLANE
from forgefield.terms.stretch import HARMONIC_STRETCH, MM3_STRETCH
from forgefield.terms.torsion import TORSION3

HARMONIC = (HARMONIC_STRETCH, HARMONIC_BEND)
MM3 = (MM3_STRETCH, MM3_BEND)
FORCE_FIELDS = {
    "harmonic": ((*HARMONIC, TORSION3, COSINE_OUT_OF_PLANE, UREY_BRADLEY), LENNARD_JONES, CHARGE_INCREMENT),
    "harmonic, coupled": ((*HARMONIC, *COUPLINGS), None, None),
    "harmonic, with charges alone": (HARMONIC, None, CHARGE_INCREMENT),
    "mm3": ((*MM3, TORSION3, COSINE_OUT_OF_PLANE), EXP6, BOND_MOMENT),
    "mm3, coupled": ((*MM3, *COUPLINGS, UREY_BRADLEY, COSINE_OUT_OF_PLANE), EXP6, None),
}


@pytest.fixture
def engine():
    pytest.importorskip("openmm", reason="OpenMM is not installed (extra openmm)")
    return importlib.import_module("forgefield.engines.openmm")


def at(molecules, positions):
    """The molecules at these positions of all their atoms."""
    parts = np.split(positions, np.cumsum([m.n_atoms for m in molecules])[:-1])
    return [replace(m, positions=x) for m, x in zip(molecules, parts, strict=True)]


@pytest.mark.slow
@pytest.mark.openmm
@pytest.mark.parametrize("form", FORCE_FIELDS)
def test_openmm_has_the_same_energy_of_every_molecule(
    molecules, random_field, displaced, energies, tmp_path, engine, form
):
    terms, van_der_waals, charging = FORCE_FIELDS[form]
    field = random_field(*terms, van_der_waals=van_der_waals, charging=charging)

    write_openmm_xml(tmp_path / "out.xml", field, molecules)

    found = [[engine.energy(tmp_path / "out.xml", m) for m in at(molecules, x)] for x in displaced]
    np.testing.assert_allclose(found, energies(field, displaced), rtol=0, atol=1e-6)


@pytest.mark.openmm
def test_openmm_has_the_same_energy_where_angles_are_of_classes(random_field, energies, tmp_path, engine, generator):
    around = 1.56 * np.array([[1.0, 0, 0], [-1.0, 0, 0], [0, 1.0, 0], [0, -1.0, 0], [0, 0, 1.0], [0, 0, -1.0]])
    bonds = np.array([[0, atom] for atom in range(1, 7)])
    sf6 = Molecule("sf6", np.array([16, *[9] * 6]), np.vstack([np.zeros(3), around]), bonds, np.ones(6))
    field = random_field(*MM3, STRETCH_STRETCH, BEND_BEND, of=[sf6])
    x = sf6.positions + generator.normal(0.0, 0.04, sf6.positions.shape)

    write_openmm_xml(tmp_path / "out.xml", field, [sf6])

    assert {row.name for row in field.rows} >= {"stretch F1-S1", "bend F1-S1@90-F1", "bend F1-S1@180-F1"}
    found = engine.energy(tmp_path / "out.xml", replace(sf6, positions=x))
    np.testing.assert_allclose(found, energies(field, x[None])[0, 0], rtol=0, atol=1e-6)


@pytest.mark.openmm
def test_openmm_has_the_same_forces_at_a_straight_angle(molecules, random_field, tmp_path, engine):
    saddle = molecules[2]
    field = random_field(*MM3, of=[saddle])

    write_openmm_xml(tmp_path / "out.xml", field, [saddle])

    gradient = jax.jit(jax.grad(lambda x: jnp.sum(field.model.energy(field.topology, x))))(saddle.positions)
    np.testing.assert_allclose(engine.forces(tmp_path / "out.xml", saddle), -np.asarray(gradient), rtol=0, atol=1e-6)


@pytest.mark.openmm
def test_atoms_too_close_meet_the_same_wall(molecules, random_field, energies, tmp_path, engine):
    ethane = molecules[1]
    field = random_field(*MM3, of=[ethane], van_der_waals=EXP6)
    squeezed = ethane.positions * np.array([0.45, 0.45, 0.2])

    write_openmm_xml(tmp_path / "out.xml", field, [ethane])

    found = engine.energy(tmp_path / "out.xml", replace(ethane, positions=squeezed))
    np.testing.assert_allclose(found, energies(field, squeezed[None])[0, 0], rtol=1e-11)


@pytest.mark.openmm
def test_equivalent_neighbours_of_a_bent_centre_keep_their_order(random_field, energies, tmp_path, engine):
    positions = np.array([[0.9, -0.6, 0.3], [-0.95, -0.5, 0.1], [0.0, 1.2, 0.2], [0.0, 0.0, 0.0]])
    bonds = np.array([[3, 2], [3, 1], [3, 0]])
    formaldehyde = Molecule("formaldehyde", np.array([1, 1, 8, 6]), positions, bonds, np.ones(3))
    field = random_field(*HARMONIC, COSINE_OUT_OF_PLANE, of=[formaldehyde])

    write_openmm_xml(tmp_path / "out.xml", field, [formaldehyde])

    expected = energies(field, positions[None])[0, 0]
    np.testing.assert_allclose(engine.energy(tmp_path / "out.xml", formaldehyde), expected, rtol=0, atol=1e-6)


@pytest.mark.openmm
def test_conformers_share_a_template(molecules, random_field, energies, tmp_path, engine):
    formamide = molecules[4]
    twisted = replace(formamide, name="twisted", positions=formamide.positions - np.eye(6, 3) * 0.1)
    field = random_field(*HARMONIC, COSINE_OUT_OF_PLANE, of=[formamide, twisted])

    write_openmm_xml(tmp_path / "out.xml", field, [formamide, twisted])

    names = [residue.get("name") for residue in fromstring((tmp_path / "out.xml").read_text()).iter("Residue")]
    expected = energies(field, np.concatenate([formamide.positions, twisted.positions])[None])
    assert names == ["formamide"]
    np.testing.assert_allclose(engine.energy(tmp_path / "out.xml", twisted), expected[0, 1], rtol=0, atol=1e-6)


def test_molecules_of_one_name_get_templates_of_their_own(molecules, random_field, tmp_path):
    same = [replace(m, name="same") for m in molecules[:3]]

    write_openmm_xml(tmp_path / "out.xml", random_field(*MM3, of=same), same)

    root = fromstring((tmp_path / "out.xml").read_text())
    assert [residue.get("name") for residue in root.iter("Residue")] == ["same", "same-2", "same-3"]


@pytest.mark.openmm
def test_couplings_that_hold_code_are_refused(molecules, random_field, tmp_path, engine):
    path = tmp_path / "out.xml"
    write_openmm_xml(path, random_field(*MM3, STRETCH_BEND, of=[molecules[1]]), [molecules[1]])

    path.write_text(path.read_text().replace("COUPLINGS = [", "COUPLINGS = print() or ["))

    with pytest.raises(InputError, match="holds Script, which OpenMM would execute"):
        engine.energy(path, molecules[1])
