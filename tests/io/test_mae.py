import gzip

import numpy as np
import pytest

from forgefield.io.atom_types import read_atom_types
from forgefield.io.mae import read_mae

FORMYL = """{
 s_m_m2io_version
 :::
 2.0.0
}
f_m_ct {
 s_m_title
 s_m_entry_name
 :::
 "formyl \\"radical\\", {x}"  <>
 m_depend[1] {
  i_m_depend_dependency
  s_m_depend_property
  :::
  1 10 s_st_Chirality_1
  :::
 }
 m_atom[3] {
  # First column is atom index #
  i_m_mmod_type
  r_m_x_coord
  r_m_y_coord
  r_m_z_coord
  s_m_pdb_atom_name
  i_m_atomic_number
  i_m_formal_charge
  :::
  1 2 0.0 0.0 0.0 " C  " 6 <>
  2 15 1.2 0.0 0.0 "}" <> 0
  3 41 -0.6 0.9 0.0 <> 1 0
  :::
 }
 m_bond[2] {
  i_m_from
  i_m_to
  i_m_order
  :::
  1 3 1 1
  2 1 2 2
  :::
 }
}
"""
TYPE_250 = "250 ! 102.9055 RH 4 1.75 T F ! 1.50 T ! ! ! ! +1 NCA 1 !\n"


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "formyl.mae"
        path.write_text(text)
        return path

    return write


def test_atoms_types_and_name(written):
    (molecule,) = read_mae(written(FORMYL))

    assert molecule.name == 'formyl "radical", {x}'
    assert molecule.species.tolist() == [6, 8, 1]
    assert molecule.types == ("C2", "O2", "H1")
    np.testing.assert_array_equal(molecule.positions, [[0, 0, 0], [1.2, 0, 0], [-0.6, 0.9, 0]])


def test_bonds_keep_the_order_of_the_table(written):
    (molecule,) = read_mae(written(FORMYL))

    assert molecule.bonds.tolist() == [[2, 0], [0, 1]]
    assert molecule.orders.tolist() == [1.0, 2.0]


def test_bonds_listed_from_both_ends_count_once_at_their_first_place(written):
    twice = FORMYL.replace("m_bond[2]", "m_bond[4]").replace("2 1 2 2\n", "2 1 3 1\n 3 1 2 2\n 4 2 1 2\n")

    (molecule,) = read_mae(written(twice))

    assert molecule.bonds.tolist() == [[2, 0], [0, 1]]


def test_structures_follow_each_other(written):
    second = FORMYL[FORMYL.index("f_m_ct") :].replace('"formyl \\"radical\\", {x}"', "<>")

    first, other = read_mae(written(FORMYL + second))

    assert (first.n_atoms, other.n_atoms, other.name) == (3, 3, "formyl-2")


def test_compressed_file_is_read(tmp_path):
    path = tmp_path / "formyl.maegz"
    path.write_bytes(gzip.compress(FORMYL.encode()))

    assert read_mae(path)[0].types == ("C2", "O2", "H1")


def test_structure_without_bonds(written):
    (molecule,) = read_mae(written(FORMYL[: FORMYL.index(" m_bond")] + "}\n"))

    assert molecule.bonds.shape == (0, 2)


def test_own_types_are_found_beside_the_file(written, tmp_path):
    (tmp_path / "atom.typ").write_text(TYPE_250)

    (molecule,) = read_mae(written(FORMYL.replace("1 2 0.0 0.0 0.0", "1 250 0.0 0.0 0.0").replace("6 <>", "45 <>")))

    assert molecule.types == ("RH", "O2", "H1")
    assert molecule.formal_charges.tolist() == [1, 0, 0]
    assert molecule.charge == 1


def test_stated_formal_charge_precedes_that_of_the_type(written, tmp_path):
    oxide = FORMYL.replace("2 15 1.2", "2 18 1.2")

    assert read_mae(written(oxide))[0].charge == 0
    assert read_mae(written(oxide.replace("<> 0", "<> <>")))[0].charge == -1


def test_published_complexes(data):
    types = read_atom_types(data / "rh-enamide/forcefield/atom.typ")

    (molecule,) = read_mae(data / "rh-enamide/mae/1_ZDMP_from_JCTC_SI.mae", atom_types=types)

    assert (molecule.name, molecule.n_atoms, molecule.charge) == ("1 ZDMP from JCTC SI", 36, 1)
    assert molecule.types[:5] == ("RH", "O2", "C2", "N2", "C2")
    assert molecule.bonds[:6].tolist() == [[0, 12], [0, 17], [0, 16], [0, 13], [0, 1], [0, 4]]
    assert molecule.orders[:7].tolist() == [1, 1, 1, 1, 0, 0, 2]
