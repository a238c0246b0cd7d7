"""Writing harmonic force fields as AMBER parameter files and reading them back."""

import re
from dataclasses import replace

import numpy as np
import pytest

from forgefield.assign.typed import assign_typed_rows
from forgefield.errors import InputError, MissingParameters
from forgefield.io.forcefields.amber.frcmod import frcmod_rules, write_frcmod
from forgefield.io.forcefields.generated import amber_types
from forgefield.io.structures.mol2 import read_mol2
from forgefield.molecules.molecule import Molecule
from forgefield.terms.bend import HARMONIC_BEND, MM3_BEND
from forgefield.terms.cross import STRETCH_BEND, UREY_BRADLEY
from forgefield.terms.nonbonded import CHARGE_INCREMENT, LENNARD_JONES
from forgefield.terms.out_of_plane import COSINE_OUT_OF_PLANE
from forgefield.terms.stretch import HARMONIC_STRETCH, MM3_STRETCH
from forgefield.terms.torsion import TORSION3, TORSION6

BONDED = (HARMONIC_STRETCH, HARMONIC_BEND)
HARMONIC = (*BONDED, TORSION3, COSINE_OUT_OF_PLANE)

WATER = """water by hand
MASS
OW 16.0
HW  1.0

BOND
OW-HW  553.0  0.9572   with a comment

ANGLE
HW-OW-HW  100.0  91.0

DIHE

NONBON
  OW  1.7683  0.1520
  HW  0.0     0.0
"""


def typed(molecules, field) -> list[Molecule]:
    names = amber_types(field)
    return [replace(m, types=tuple(names[t] for t in types)) for m, types in zip(molecules, field.types, strict=True)]


@pytest.fixture
def water() -> Molecule:
    positions = np.array([[0.0, 0.0, 0.0], [1.0572, 0.0, 0.0], [0.0, 0.9572, 0.0]])
    bonds = np.array([[0, 1], [0, 2]])
    return Molecule("water", np.array([8, 1, 1]), positions, bonds, np.ones(2), types=("OW", "HW", "HW"))


@pytest.fixture
def read(tmp_path):
    def read(content, *molecules):
        path = tmp_path / "test.frcmod"
        path.write_text(content)
        return frcmod_rules(path).assign(list(molecules))

    return read


@pytest.mark.slow
@pytest.mark.parametrize(
    ("torsion", "through_space"),
    [
        pytest.param(TORSION3, {"van_der_waals": LENNARD_JONES}, id="three"),
        pytest.param(TORSION6, {}, id="six, no van der Waals"),
        pytest.param(TORSION3, {"van_der_waals": LENNARD_JONES, "charging": CHARGE_INCREMENT}, id="charges"),
        pytest.param(TORSION3, {"charging": CHARGE_INCREMENT}, id="charges, no van der Waals"),
    ],
)
def test_every_molecule_has_the_same_energy_after_reading_back(
    molecules, random_field, displaced, energies, tmp_path, torsion, through_space
):
    field = random_field(*BONDED, torsion, COSINE_OUT_OF_PLANE, **through_space)

    write_frcmod(tmp_path / "out.frcmod", field, molecules)

    again = frcmod_rules(tmp_path / "out.frcmod").assign(typed(molecules, field))
    np.testing.assert_allclose(energies(again, displaced), energies(field, displaced), rtol=0, atol=1e-6)


def test_structures_beside_the_file_have_its_types_and_charges(molecules, random_field, tmp_path):
    with_conformer = [*molecules, molecules[0]]
    field = random_field(*BONDED, of=with_conformer, charging=CHARGE_INCREMENT)

    write_frcmod(tmp_path / "out.frcmod", field, with_conformer)

    charges = np.asarray(field.model.charges(field.topology))
    rows = [path.read_text().partition("ATOM\n")[2].partition("@")[0].split() for path in beside(tmp_path)]
    read = [one for path in beside(tmp_path) for one in read_mol2(path)]
    assert len(rows) == len(molecules)
    np.testing.assert_allclose(
        [float(q) for row in rows for q in row[8::9]], charges[: -molecules[0].n_atoms], rtol=0, atol=1e-10
    )
    for molecule, one, expected in zip(molecules, read, typed(with_conformer, field)[:-1], strict=True):
        assert one.types == expected.types
        assert one.charge == molecule.charge
        np.testing.assert_array_equal(one.species, molecule.species)
        np.testing.assert_array_equal(one.bonds, molecule.bonds)


def beside(folder):
    return sorted(folder.glob("*.mol2"))


def test_without_charges_structures_say_the_types_alone(molecules, random_field, tmp_path):
    field = random_field(*BONDED, of=molecules[:1])

    write_frcmod(tmp_path / "out.frcmod", field, molecules[:1])

    (path,) = beside(tmp_path)
    rows = path.read_text().partition("ATOM\n")[2].partition("@")[0].split()
    assert read_mol2(path)[0].types == typed(molecules[:1], field)[0].types
    assert [float(charge) for charge in rows[8::9]] == [0.0] * molecules[0].n_atoms


def test_increments_are_what_the_type_named_first_gains(read, water):
    field = read(WATER.replace("with a comment", "dq=-0.417 e"), water)

    np.testing.assert_allclose(field.model.charges(field.topology), [-0.834, 0.417, 0.417], rtol=0, atol=1e-15)


def test_energy_of_a_file_by_hand(read, water, energies):
    field = read(WATER, water)

    energy = energies(field, water.positions[None])

    # One bond is 0.1 Å too long, the angle 1° too small: 553·0.1² + 100·(π/180)².
    np.testing.assert_allclose(energy, [[5.53 + 100.0 * (np.pi / 180.0) ** 2]], rtol=1e-12)


def test_dihedral_rows_continue_by_negative_periodicities(molecules, random_field, tmp_path):
    ethane = molecules[1:2]
    field = random_field(*BONDED, TORSION3, of=ethane)
    (torsion,) = (row for row in field.rows if row.term is TORSION3)
    halves = 0.5 * np.asarray(field.model.values)[list(torsion.indices)]

    write_frcmod(tmp_path / "out.frcmod", field, ethane)

    rows = [line.split()[1:5] for line in (tmp_path / "out.frcmod").read_text().splitlines() if "SCNB" in line]
    assert [(float(r[2]), float(r[3])) for r in rows] == [(0.0, -1.0), (180.0, -2.0), (0.0, 3.0)]
    np.testing.assert_allclose([float(r[1]) for r in rows], halves, atol=1e-10)


def test_chains_without_a_torsion_row_keep_their_one_four_interactions_unscaled(molecules, random_field, tmp_path):
    write_frcmod(tmp_path / "out.frcmod", random_field(*BONDED, van_der_waals=LENNARD_JONES), molecules)

    rows = [line for line in (tmp_path / "out.frcmod").read_text().splitlines() if "SCNB=1.0" in line]

    # H-C-C-H of ethane, H-C-C-N of acetonitrile, and H-C-N-H and O-C-N-H of formamide.
    assert len(rows) == 4


@pytest.mark.parametrize(
    ("terms", "complaint"),
    [
        pytest.param((MM3_STRETCH, MM3_BEND), "mm3_stretch .*mm3_bend", id="mm3"),
        pytest.param((*BONDED, UREY_BRADLEY), "cannot hold urey_bradley", id="Urey-Bradley"),
        pytest.param((*BONDED, STRETCH_BEND), "cannot hold stretch_bend", id="stretch-bend"),
    ],
)
def test_terms_that_the_file_cannot_hold_are_named(molecules, random_field, tmp_path, terms, complaint):
    with pytest.raises(InputError, match=complaint):
        write_frcmod(tmp_path / "out.frcmod", random_field(*terms), molecules)


def test_torsion_next_to_a_straight_angle_is_named(molecules, random_field, tmp_path):
    bent = replace(molecules[1], positions=molecules[1].positions + 0.0)
    bent.positions[2] = bent.positions[0] + np.array([0.1, 0.0, 1.08])
    field = random_field(*BONDED, TORSION3, of=[molecules[1]])

    with pytest.raises(InputError, match=r"torsion H1-C1-C1-H1 \(first at atoms 3-1-2-6\); freeze"):
        write_frcmod(tmp_path / "out.frcmod", field, [bent])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        pytest.param(WATER.replace("553.0", "553,0"), "line 7: '553,0 0.9572' where 2 numbers", id="number"),
        pytest.param(WATER.replace("100.0  91.0", "100.0"), "line 10: '100.0' where 2 numbers", id="cut"),
        pytest.param(WATER.replace("OW-HW", "OW HW"), "line 7: 'OW HW' does not name 2", id="hyphen"),
        pytest.param(WATER.replace("BOND\n", "BOND\nOW-HW 1.0 1.0\n"), "line 8: a second row for HW-OW", id="twice"),
        pytest.param(WATER.replace("BOND\n", "BOND\nHW-OW 1.0 1.0\n"), "line 8: a second row for HW-OW", id="reversed"),
        pytest.param(WATER.replace("MASS\n", ""), "line 2: 'OW 16.0' stands in no section", id="section"),
        pytest.param(WATER.replace("DIHE\n", "DIHE\nX -OW-OW-X  1 1.0 0.0 3.0\n"), "wildcard X", id="wildcard"),
        pytest.param(WATER.replace("DIHE\n", "DIHE\nHW-OW-OW-HW 1 1.0 90.0 3.0\n"), "must have phase 0", id="phase"),
        pytest.param(WATER.replace("DIHE\n", "DIHE\nHW-OW-OW-HW 1 1.0 0.0 -3.0\n"), "negative period", id="open"),
        pytest.param(
            WATER.replace("DIHE\n", "DIHE\nHW-OW-OW-HW 1 1.0 0.0 3.0\n"), "SCNB=1.0 at .*HW-OW-OW-HW", id="1-4"
        ),
        pytest.param(WATER.replace("DIHE\n", "DIHE\nHW-OW-OW-HW 0 1.0 0.0 3.0\n"), "positive divider", id="divider"),
        pytest.param(WATER.replace("NONB", "IMPR\nHW-HW-OW-HW 1.0 0.0 2.0\nNONB"), "phase 180", id="improper"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(read, water, content, complaint):
    with pytest.raises(InputError, match=complaint):
        read(content, water)


def test_missing_rows_are_all_listed(read, water):
    without = WATER.replace("OW-HW  553", "OW-OW  553").replace("HW-OW-HW", "OW-OW-OW")

    with pytest.raises(MissingParameters, match="no parameters for stretch HW-OW, bend HW-OW-HW; add them to"):
        read(without, water)


def test_molecules_without_types_are_named(read, water):
    with pytest.raises(InputError, match=r"water: .*goes by atom types, which the molecule does not have"):
        read(WATER, replace(water, types=None))
    with pytest.raises(InputError, match="no atom types in water"):
        assign_typed_rows([replace(water, types=None)], {}, "")


@pytest.mark.parametrize(
    ("end", "missing"),
    [
        ("NONBON", "ends after section DIHE: IMPR, NONB are missing, so it is truncated"),
        ("DIHE", "ends after section ANGL: DIHE, IMPR, NONB are missing"),
        ("BOND", "ends after section MASS: BOND, ANGL, DIHE, IMPR, NONB are missing"),
        ("OW-HW", "ends after section BOND: ANGL, DIHE, IMPR, NONB are missing"),
    ],
)
def test_truncated_file_says_which_sections_are_missing(read, water, end, missing):
    with pytest.raises(InputError, match=rf"test\.frcmod: the file {missing}"):
        read(WATER[: WATER.index(end)], water)


def test_file_cut_in_its_last_section_is_refused(tmp_path, molecules, random_field, read):
    path = tmp_path / "whole.frcmod"
    write_frcmod(path, random_field(*BONDED, of=molecules[:1], van_der_waals=LENNARD_JONES), molecules[:1])
    whole = path.read_text()

    with pytest.raises(InputError, match=r"the file ends inside section NONB, whose end is a blank line"):
        read(whole[: whole.index("NONBON") + 40], molecules[0])


def test_number_with_an_underscore_is_refused(read, water):
    with pytest.raises(InputError, match=r"line 7: '5_53.0 0.9572' where 2 numbers are expected"):
        read(WATER.replace("553.0", "5_53.0"), water)


def test_types_are_names_that_no_force_field_of_amber_has(random_field, molecules):
    names = amber_types(random_field(*HARMONIC))

    assert len(set(names.values())) == len(names)
    # A digit and a small letter; GLYCAM has 6c and the like.
    assert all(re.fullmatch("[0-57-9][a-z]", name) for name in names.values())
    assert names["C1"] == "1c"
