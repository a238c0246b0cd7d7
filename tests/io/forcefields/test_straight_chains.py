"""Torsions about straight chains, and T-shaped centres: held where atoms are named, refused where they go by bonds."""

import importlib
from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from certain import instance
from forgefield.assign.rules import AbstractRowRules
from forgefield.errors import InputError
from forgefield.io.forcefields.amber.frcmod import write_frcmod
from forgefield.io.forcefields.amber.frcmod_writer import FRCMOD
from forgefield.io.forcefields.amber.prmtop_writer import PRMTOP
from forgefield.io.forcefields.charmm.writer import CHARMM
from forgefield.io.forcefields.gromacs.writer import TOP
from forgefield.io.forcefields.lammps.writer import LAMMPS
from forgefield.io.forcefields.mm3.generated_fld import write_generated_fld
from forgefield.io.forcefields.native import write_native
from forgefield.io.forcefields.openmm.openmm_xml import write_openmm_xml
from forgefield.io.forcefields.openmm.system.writer import write_laid_system
from forgefield.io.forcefields.openmm.templates_writer import TEMPLATES
from forgefield.io.forcefields.smirnoff.writer import SMIRNOFF
from forgefield.io.forcefields.tinker.writer import TINKER
from forgefield.io.rules import load
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import Molecule
from forgefield.properties.derivatives import energies
from forgefield.terms.bend import HARMONIC_BEND, MM3_BEND
from forgefield.terms.nonbonded import LENNARD_JONES
from forgefield.terms.out_of_plane import COSINE_OUT_OF_PLANE
from forgefield.terms.stretch import HARMONIC_STRETCH, MM3_STRETCH
from forgefield.terms.torsion import TORSION3

HARMONIC = HARMONIC_STRETCH, HARMONIC_BEND, TORSION3
END = [[0.93, 0, 0.56], [-0.93, 0, 0.56]]
"""Hydrogens at the upper end of a chain along z."""


def chain(name, heights, turned):
    """A chain of carbons at these heights [Å] with two hydrogens at either end, turned by so many degrees."""
    carbons = [[0.0, 0.0, z] for z in heights]
    c, s = np.cos(np.radians(turned)), np.sin(np.radians(turned))
    lower = np.array(END) * [1.0, 1.0, -1.0] @ np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])
    positions = np.vstack([carbons, np.array(END) + carbons[-1], lower + carbons[0]])
    species = np.array([6] * len(heights) + [1] * 4)
    return Molecule(name, species, positions, *perceive_bonds(species, positions))


ALLENE = chain("allene", [-1.31, 0.0, 1.31], 70.0)
BUTATRIENE = chain("butatriene", [-1.31, 0.0, 1.26, 2.57], 20.0)


T_SHAPE = Molecule(
    "t-shape",
    np.array([17, 9, 9, 9]),
    np.array([[0, 0, 0], [1.7, 0.17, 0], [-1.7, 0.17, 0], [0, 1.6, 0]]),
    np.array([[0, 1], [0, 2], [0, 3]]),
    np.ones(3),
)


@pytest.fixture
def moved(generator):
    """Allene bent and twisted at random."""
    return replace(ALLENE, positions=ALLENE.positions + generator.normal(0.0, 0.05, ALLENE.positions.shape))


def row_of(field):
    """The values of the one torsion of a force field."""
    (row,) = (row for row in field.rows if row.term.kind == "torsion")
    return row.name, np.asarray(field.model.values)[list(row.indices)]


def test_a_native_file_holds_them(random_field, generator, tmp_path):
    both = [ALLENE, BUTATRIENE]
    field = random_field(*HARMONIC, of=both)
    write_native(tmp_path / "a.json", field)

    again = instance(AbstractRowRules, load(tmp_path / "a.json")).assign(both)

    x = jnp.asarray(np.vstack([m.positions for m in both]) + generator.normal(0.0, 0.05, (15, 3)))
    assert {row.name for row in again.rows if row.term.kind == "torsion"} == {
        "torsion H1-C1@C2-C1@C2-H1",
        "torsion H1-C1@C2@C2-C1@C2@C2-H1",
    }
    np.testing.assert_allclose(
        energies(again.model, again.topology, x), energies(field.model, field.topology, x), rtol=1e-12
    )


@pytest.mark.openmm
def test_openmm_has_the_same_energy(random_field, moved, tmp_path):
    engine = importlib.import_module("forgefield.engines.openmm")
    field = random_field(*HARMONIC, of=[ALLENE])

    write_openmm_xml(tmp_path / "a.xml", field, [ALLENE])

    wanted = energies(field.model, field.topology, jnp.asarray(moved.positions))
    assert abs(row_of(field)[1]).min() > 1e-3
    np.testing.assert_allclose(engine.energy(tmp_path / "a.xml", moved), wanted[0], rtol=0, atol=1e-6)


@pytest.mark.openmm
def test_openmm_has_the_same_energy_of_a_t_shape(random_field, generator, tmp_path):
    engine = importlib.import_module("forgefield.engines.openmm")
    field = random_field(HARMONIC_STRETCH, HARMONIC_BEND, COSINE_OUT_OF_PLANE, of=[T_SHAPE])
    bent = replace(T_SHAPE, positions=T_SHAPE.positions + generator.normal(0.0, 0.03, (4, 3)))

    write_openmm_xml(tmp_path / "a.xml", field, [T_SHAPE])

    wanted = energies(field.model, field.topology, jnp.asarray(bent.positions))
    np.testing.assert_allclose(engine.energy(tmp_path / "a.xml", bent), wanted[0], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("write", "name", "bonded"),
    [
        (write_frcmod, "a.frcmod", (HARMONIC_STRETCH, HARMONIC_BEND)),
        (write_generated_fld, "a.fld", (MM3_STRETCH, MM3_BEND)),
    ],
    ids=["frcmod", "fld"],
)
def test_a_t_shape_is_refused_where_the_order_of_neighbours_is_lost(random_field, tmp_path, write, name, bonded):
    field = random_field(*bonded, COSINE_OUT_OF_PLANE, of=[T_SHAPE])

    with pytest.raises(InputError, match=r"does not keep the order of a centre's neighbours.*at atoms 2-1-4-3"):
        write(tmp_path / name, field, [T_SHAPE])


@pytest.mark.openmm
def test_a_script_that_holds_code_is_refused(random_field, tmp_path):
    write_openmm_xml(tmp_path / "a.xml", random_field(*HARMONIC, of=[ALLENE]), [ALLENE])
    written = (tmp_path / "a.xml").read_text()
    load(tmp_path / "a.xml")

    (tmp_path / "a.xml").write_text(written.replace("AXIAL = {", "AXIAL = print('here') or {"))

    with pytest.raises(InputError, match="holds Script, which OpenMM would execute"):
        load(tmp_path / "a.xml")


@pytest.mark.parametrize(
    ("write", "name", "beside"),
    [
        (PRMTOP.write_laid, "a.prmtop", ()),
        (TOP.write_laid, "a.top", ()),
        (LAMMPS.write_laid, "a.lmp", ()),
        (write_laid_system, "a.system.xml", ()),
        pytest.param(CHARMM.write_laid, "a.psf", ("a.prm", "a.rtf"), marks=pytest.mark.openmm),
    ],
    ids=["prmtop", "gromacs", "lammps", "openmm-system", "charmm"],
)
def test_files_of_one_molecule_hold_them(random_field, moved, tmp_path, write, name, beside):
    # With van der Waals energies, since AMBER ties those of the ends to torsions.
    field = random_field(*HARMONIC, of=[ALLENE], van_der_waals=LENNARD_JONES)

    write(tmp_path / name, field, [ALLENE])

    parts = "+".join(str(tmp_path / one) for one in (name, *beside))
    model, topology = load(parts).lay([ALLENE])
    x = jnp.asarray(moved.positions)
    wanted = energies(field.model, field.topology, x) - energies(
        field.model, field.topology, jnp.asarray(ALLENE.positions)
    )
    found = energies(model, topology, x) - energies(model, topology, jnp.asarray(ALLENE.positions))
    np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    ("write", "name", "terms"),
    [(write_frcmod, "a.frcmod", HARMONIC), (write_generated_fld, "a.fld", (MM3_STRETCH, MM3_BEND, TORSION3))],
    ids=["frcmod", "fld"],
)
def test_files_by_types_name_what_they_refuse(random_field, tmp_path, write, name, terms):
    with pytest.raises(
        InputError, match=r"about straight chains of atoms: torsion H1-C1@C2-C1@C2-H1 \(first at atoms 6-1-2-3-4\)"
    ):
        write(tmp_path / name, random_field(*terms, of=[ALLENE]), [ALLENE])

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("form", "name"),
    [(FRCMOD, "a.frcmod"), (TEMPLATES, "a.xml"), (SMIRNOFF, "a.offxml"), (TINKER, "a.key")],
    ids=["frcmod", "openmm-xml", "offxml", "tinker"],
)
def test_files_by_types_of_one_molecule_name_what_they_refuse(random_field, tmp_path, form, name):
    with pytest.raises(InputError, match=r"that its bonds and centres do not imply: .*(6-1-3-4|4-3-1-6)"):
        form.write_laid(tmp_path / name, random_field(*HARMONIC, of=[ALLENE]), [ALLENE])
