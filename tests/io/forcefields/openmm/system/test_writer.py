"""Writing Systems of OpenMM, held against OpenMM itself."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.assign.explicit.system import Stated, ThroughSpace
from forgefield.errors import InputError
from forgefield.io.forcefields.amber.prmtop import read_prmtop
from forgefield.io.forcefields.laid.flat import FlatSystem, of_rules
from forgefield.io.forcefields.openmm.system.reader import read_system, rules_of_xml
from forgefield.io.forcefields.openmm.system.writer import write_laid_system, write_system, xml_of
from forgefield.io.molecules import read_structures
from forgefield.terms import bend, cross, nonbonded, out_of_plane, periodic, stretch, torsion
from forgefield.terms.cmap import correction_map
from forgefield.terms.expressions.custom import custom_term
from forgefield.terms.mm3 import BEND_BEND_PRODUCT
from forgefield.terms.shifted import scaled, shifted, shifted_stretch

pytestmark = pytest.mark.openmm

BETWEEN = ("lennard_jones", "lennard_jones_geometric", "exp6", "coulomb", "charge_increment")
MAP = correction_map(tuple(tuple(float((3 * i + 5 * j) % 7) for j in range(5)) for i in range(5)))
TERMS = [
    term
    for module in (stretch, bend, cross, torsion, out_of_plane, periodic, nonbonded)
    for term in vars(module).values()
    if type(term) is type(MAP) and term.name not in BETWEEN
] + [
    MAP,
    custom_term("k*exp(-c*distance(p1,p2))", "compound", 2, ("k",), (("c", 2.0),)),
    BEND_BEND_PRODUCT,
    scaled(torsion.TORSION3),
    shifted(nonbonded.EXP6_PAIR, (0, 1)),
    shifted_stretch(stretch.MM3_STRETCH, (0,)),
]
ALONE = ThroughSpace(
    nonbonded.LENNARD_JONES, np.zeros((5, 2)), np.zeros(5), 332.0, np.zeros((0, 2), dtype=np.int64), np.zeros((0, 2))
)
CROOKED = np.array([[1.1, 0.2, 0.1], [0.0, 0.1, 0.0], [0.1, 0.2, 1.5], [-0.6, 0.8, 1.8], [-0.4, 0.9, 3.2]])


def flat(term, values):
    atoms = np.arange(term.order)[None]
    return FlatSystem(np.full(5, 12.0), (Stated(term, atoms, np.array([values])),), ALONE)


@pytest.mark.slow
@pytest.mark.parametrize("term", TERMS, ids=lambda term: term.name)
def test_every_term_has_the_same_energy_and_forces_in_openmm(term, in_openmm):
    values = [3.0 if parameter.name == "n" else 0.9 + 0.1 * k for k, parameter in enumerate(term.parameters)]

    energy, forces = in_openmm(xml_of(flat(term, values), "x.xml"), CROOKED)

    own, slope = jax.value_and_grad(lambda x: term.energy(x[: term.order], *values))(jnp.asarray(CROOKED))
    np.testing.assert_allclose(energy, own, rtol=1e-9)
    np.testing.assert_allclose(forces, -slope, rtol=0, atol=1e-7 * np.abs(slope).max())


# Those between shifted centres are not read.
@pytest.mark.parametrize("term", TERMS[:-2], ids=lambda term: term.name)
def test_every_term_is_read_back_with_all_its_values_its_own(term):
    values = [3.0 if parameter.name == "n" else 0.9 + 0.1 * k for k, parameter in enumerate(term.parameters)]

    read = rules_of_xml(xml_of(flat(term, values), "x.xml").replace("12.0", "12.011"), "x.xml").system.interactions

    each = [(one.term, atoms, its) for one in read for atoms, its in zip(one.atoms, one.values, strict=True)]
    assert [one.n_own for one, _, _ in each] == [len(its) for _, _, its in each]
    energy = sum(float(one.energy(jnp.asarray(CROOKED)[atoms], *its)) for one, atoms, its in each)
    np.testing.assert_allclose(energy, term.energy(jnp.asarray(CROOKED)[: term.order], *values), rtol=1e-9)


@pytest.mark.parametrize(
    ("van_der_waals", "charging"),
    [
        (nonbonded.LENNARD_JONES, nonbonded.CHARGE_INCREMENT),
        (nonbonded.EXP6, None),
        (None, nonbonded.CHARGE_INCREMENT),
        (None, None),
    ],
)
def test_a_field_laid_over_a_molecule_has_the_same_energy_in_openmm(
    van_der_waals, charging, molecules, random_field, energies, in_openmm, tmp_path
):
    ethane = molecules[1]
    bonded = (stretch.MM3_STRETCH, bend.MM3_BEND, torsion.TORSION3)
    field = random_field(*bonded, of=[ethane], van_der_waals=van_der_waals, charging=charging)

    write_laid_system(tmp_path / "out.xml", field, [ethane])

    found, _ = in_openmm((tmp_path / "out.xml").read_text(), ethane.positions)
    np.testing.assert_allclose(found, energies(field, ethane.positions[None])[0, 0], rtol=1e-9)


@pytest.mark.parametrize("term", [nonbonded.LENNARD_JONES, nonbonded.LENNARD_JONES_GEOMETRIC, nonbonded.EXP6])
def test_scaled_pairs_and_another_coulomb_constant_keep_their_energies(term, in_openmm, tmp_path):
    special, scales = np.array([[0, 1], [1, 2]]), np.array([[0.0, 0.0], [0.5, 0.8]])
    parameters = np.array([[1.0, 0.2], [1.3, 0.1], [0.8, 0.3]])
    charges = np.array([0.4, -0.3, 0.5])
    space = ThroughSpace(term, parameters, charges, 330.0, special, scales)
    x = np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 2.1], [0.0, 3.0, 0.4]])

    written = xml_of(FlatSystem(np.full(3, 12.011), (), space), "x.xml")

    expected = 0.0
    for i, j, vdw, coulomb in ((0, 2, 1.0, 1.0), (1, 2, 0.5, 0.8)):
        pair = jnp.asarray(x[[i, j]])
        expected += term.energy(pair, *parameters[i], *parameters[j], vdw)
        expected += coulomb * 330.0 * charges[i] * charges[j] / np.linalg.norm(x[j] - x[i])
    np.testing.assert_allclose(in_openmm(written, x)[0], expected, rtol=1e-9)


def test_a_topology_of_amber_keeps_its_energy_in_openmm(data, in_openmm):
    folder = data / "programs" / "amber"
    rules = read_prmtop(folder / "nmethylacetamide.prmtop")
    (molecule,) = read_structures(folder / "nmethylacetamide.inpcrd", system=rules.system)

    energy, _ = in_openmm(xml_of(of_rules(rules), "x.xml"), molecule.positions)

    stated = json.loads((folder / "energies.json").read_text())["nmethylacetamide"]["sander"]["total"]
    assert energy == pytest.approx(stated, abs=2e-5)


def test_what_openmm_cannot_hold_and_other_molecules_are_named(molecules, random_field, tmp_path):
    term = scaled(stretch.HARMONIC_STRETCH)
    with pytest.raises(InputError, match=rf"x.xml: .* cannot hold {term.name} \(1 interactions\)"):
        xml_of(flat(term, [1.0] * len(term.parameters)), "x.xml")
    two = molecules[:2]
    with pytest.raises(InputError, match=f"but {two[0].name} and {two[1].name} are two"):
        write_laid_system(tmp_path / "out.xml", random_field(stretch.MM3_STRETCH, of=two), two)

    assert not (tmp_path / "out.xml").exists()


def test_a_system_that_was_read_is_written_as_it_is_and_with_other_values(molecules, tmp_path):
    term = stretch.HARMONIC_STRETCH
    rules = rules_of_xml(xml_of(flat(term, [800.0, 1.5]), "x.xml").replace("12.0", "12.011"), "x.xml")
    stronger = rules.with_values(np.where(rules.rowed.values == 800.0, 900.0, rules.rowed.values))

    write_system(tmp_path / "x.system.xml", stronger)

    (found,) = read_system(tmp_path / "x.system.xml").system.interactions
    np.testing.assert_allclose(found.values, [[900.0, 1.5]], rtol=1e-14)
