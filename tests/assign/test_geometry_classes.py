"""Angles and bonds that types cannot tell apart have rows of their own: PF5, square-planar complexes, spiropentane."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from forgefield.assign.generated import generate
from forgefield.assign.geometry_classes import angle_classes
from forgefield.assign.told_by_types import told_by_types
from forgefield.assign.typed_rules import generated_rules
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.elements import atomic_number
from forgefield.molecules.molecule import Molecule
from forgefield.properties.derivatives import energies
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.cross import BEND_BEND, STRETCH_BEND, UREY_BRADLEY
from forgefield.terms.nonbonded import CHARGE_INCREMENT, LENNARD_JONES
from forgefield.terms.stretch import HARMONIC_STRETCH
from forgefield.terms.torsion import TORSION3

BONDED = HARMONIC_STRETCH, HARMONIC_BEND
PF5 = "P 0 0 0 F 0 0 1.58 F 0 0 -1.58 F 1.53 0 0 F -.765 1.325 0 F -.765 -1.325 0"
CIS = (
    "Pd 0 0 0 Cl 2.3 0 0 Cl 0 2.3 0 N -2.05 .05 0 N .05 -2.05 0 H -2.4 1 0 H -2.4 -.45 .82 H -2.4 -.45 -.82 "
    "H 1 -2.4 0 H -.45 -2.4 .82 H -.45 -2.4 -.82"
)
TRANS = "Pt 0 0 0 Cl {0} 0 0 Cl 0 {1} 0 Cl 0 -{1} 0 Br -2.4 0 0"
FLATTENED = "Cu 0 0 0 Cl 2 0 {0} Cl -2 0 {0} Cl 0 2 -{0} Cl 0 -2 -{0}"
SPIRO = "C 0 0 0 C .76 .0 1.27 C -.76 0 1.27 C 0 .76 -1.27 C 0 -.76 -1.27"


def molecule(text):
    words = text.split()
    species = np.array([atomic_number(s) for s in words[::4]])
    positions = np.array([[float(w) for w in words[i + 1 : i + 4]] for i in range(0, len(words), 4)])
    return Molecule(words[0], species, positions, *perceive_bonds(species, positions))


def names(made, kind):
    return [row.name for row in made.rows if row.term.kind == kind]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PF5, ["bend F1-P1@120-F1", "bend F1-P1@90-F1@F1", "bend F1@F1-P1@180-F1@F1"]),
        (PF5.replace("1.58", "1.53"), ["bend F1-P1@120-F1", "bend F1-P1@180-F1", "bend F1-P1@90-F1"]),
        (SPIRO, ["bend C1-C2-C2", "bend C2-C1@135-C2", "bend C2-C1@60-C2"]),
        (FLATTENED.format(0.9), ["bend Cl1-Cu1@100-Cl1", "bend Cl1-Cu1@130-Cl1"]),
        (FLATTENED.format(1.1), ["bend Cl1-Cu1-Cl1"]),
        ("O 0 0 0 H .96 0 0 H 0 .96 0", ["bend H1-O1-H1"]),
    ],
)
def test_angles_far_apart_have_rows_of_their_own(text, expected):
    made = generate([molecule(text)], BONDED)

    assert names(made, "bend") == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PF5, ["stretch F1-P1", "stretch F1-P1@F1"]),
        (TRANS.format(2.30, 2.32), ["stretch Cl1-Pt1@Br1", "stretch Cl1-Pt1@Cl1"]),
        (TRANS.format(2.30, 2.318), ["stretch Cl1-Pt1"]),
        ("O 0 0 0 H .96 0 0 H 0 1.06 0", ["stretch H1-O1"]),
    ],
    ids=["axial and equatorial", "trans", "alike", "nothing opposite"],
)
def test_bonds_whose_lengths_differ_by_what_is_opposite_have_rows_by_it(text, expected):
    made = generate([molecule(text)], BONDED)

    assert [name for name in names(made, "stretch") if "Br1-" not in name] == expected


def test_cis_and_trans_are_told_apart_where_ligands_are_equal_and_no_torsion_crosses_a_straight_angle():
    made = generate([molecule(CIS)], (*BONDED, TORSION3))

    about = [name for name in names(made, "bend") if name.split("-")[1].startswith("Pd1")]
    values = np.asarray(made.model.values)
    trans = next(row for row in made.rows if row.name == "bend Cl1-Pd1@180-N1")
    assert about == ["bend Cl1-Pd1-Cl1", "bend Cl1-Pd1@180-N1", "bend Cl1-Pd1@90-N1", "bend N1-Pd1-N1"]
    assert values[trans.indices[1]] == np.pi
    assert names(made, "torsion") == ["torsion Cl1-Pd1@90-N1-H1", "torsion H1-N1-Pd1-N1"]


@pytest.mark.parametrize(("gap", "n_classes"), [(14.0, 2), (16.0, 3)])
def test_classes_are_fifteen_degrees_apart(gap, n_classes):
    ring = np.radians(np.array([0.0, 90.0 - gap / 2.0, 180.0, 270.0 - gap / 2.0]))
    one = molecule("Pt 0 0 0 " + " ".join(f"F {1.9 * np.cos(a)} {1.9 * np.sin(a)} 0" for a in ring))

    (classes,) = angle_classes([one], ("Pt1", *["F1"] * 4), one.positions).values()

    # Cis angles of 90° less and more half the gap, and the trans ones of 180°.
    assert len(classes) == n_classes


@pytest.fixture
def random_field(generator):
    def make(molecules, terms, **others):
        made = generate(molecules, terms, **others)
        values = np.array(made.model.values)
        constants = [row.indices[0] for row in made.rows]
        values[constants] *= generator.uniform(0.8, 1.2, len(constants))
        values[values == 0.0] = generator.normal(size=int((values == 0.0).sum()))
        return replace(made, model=replace(made.model, values=jnp.asarray(values)))

    return make


TERMS = (*BONDED, TORSION3, STRETCH_BEND, UREY_BRADLEY, BEND_BEND)


@pytest.mark.parametrize("distance", [0.0, 0.1])
def test_classes_are_found_again_in_another_geometry_of_the_molecule(random_field, generator, distance):
    one = molecule(PF5)
    made = random_field([one], TERMS, van_der_waals=LENNARD_JONES)
    shaken = one.positions + generator.normal(0.0, distance / 2.0, one.positions.shape)
    other = replace(one, positions=shaken, types=None)

    model, topology = generated_rules(made).lay([other])

    x = jnp.asarray(one.positions + 0.1)
    np.testing.assert_allclose(energies(model, topology, x), energies(made.model, made.topology, x), rtol=1e-10)


def test_types_alone_give_the_same_energy(random_field, generator):
    molecules = [molecule(text) for text in (PF5, CIS, SPIRO)]
    made = random_field(molecules, TERMS, van_der_waals=LENNARD_JONES, charging=CHARGE_INCREMENT)

    told = told_by_types(made, molecules)

    positions = np.concatenate([m.positions for m in molecules])
    x = jnp.asarray(positions + generator.normal(0.0, 0.05, positions.shape))
    assert not told.classes
    # But for the ends that two angles have in common.
    assert "@" not in "".join(row.name for row in told.rows).replace("@both", "")
    np.testing.assert_allclose(
        energies(told.model, told.topology, x), energies(made.model, made.topology, x), rtol=1e-10
    )
    assert told.types[0] == ("P1", "F1.1", "F1.2", "F1.3", "F1.4", "F1.5")
    assert told.descriptions["F1.2"] == "F(P)/2"
    np.testing.assert_array_equal(told.types[1][5:], ["H1"] * 6)


def test_what_has_no_classes_is_left_as_it_is():
    made = generate([molecule("O 0 0 0 H .96 0 0 H 0 .96 0")], BONDED)

    assert told_by_types(made, [molecule("O 0 0 0 H .96 0 0 H 0 .96 0")]) is made
