import gzip

import numpy as np
import pytest

from certain import known
from forgefield.errors import InputError, InputWarning
from forgefield.io.structures.atom_types import read_atom_types
from forgefield.io.structures.mae import read_mae

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
    assert known(molecule.formal_charges).tolist() == [1, 0, 0]
    assert molecule.charge == 1


@pytest.mark.filterwarnings("ignore:.*hydrogens look to be missing")
def test_stated_formal_charge_precedes_that_of_the_type(written, tmp_path):
    oxide = FORMYL.replace("2 15 1.2", "2 18 1.2")

    assert read_mae(written(oxide))[0].charge == 0
    assert read_mae(written(oxide.replace("<> 0", "<> <>")))[0].charge == -1


def test_published_complexes(data):
    types = read_atom_types(data / "rh-enamide/forcefield/atom.typ")

    (molecule,) = read_mae(data / "rh-enamide/mae/1_ZDMP_from_JCTC_SI.mae", atom_types=types)

    assert (molecule.name, molecule.n_atoms, molecule.charge) == ("1 ZDMP from JCTC SI", 36, 1)
    assert known(molecule.types)[:5] == ("RH", "O2", "C2", "N2", "C2")
    assert molecule.bonds[:6].tolist() == [[0, 12], [0, 17], [0, 16], [0, 13], [0, 1], [0, 4]]
    assert molecule.orders[:7].tolist() == [1, 1, 1, 1, 0, 0, 2]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("i_m_mmod_type", "i_m_color", "line 18: table m_atom has no column i_m_mmod_type; let MacroModel or Maestro"),
        ("r_m_y_coord\n", "r_m_w_coord\n", "line 18: table m_atom has no column r_m_y_coord"),
        (
            "2 15 1.2",
            "2 250 1.2",
            "line 29: unknown MacroModel atom type(s) 250, the first at atom 2; add a row such as `250 <atomic number>",
        ),
        ("1 2 0.0", "1 C2 0.0", "i_m_mmod_type of table m_atom is not an integer: 'C2' (line 28)"),
        ("1.2 0.0", "1.2 <>", "r_m_y_coord of table m_atom is not a finite number: <> (line 29)"),
        ("1.2 0.0", "inf 0.0", "r_m_x_coord of table m_atom is not a finite number: 'inf' (line 29)"),
        ("2 15 1.2", "15 1.2", "line 29: row 2 of table m_atom[3] begins with '15', expected its number"),
        ("m_atom[3]", "m_atom[4]", "line 31: table m_atom[4] of line 18 ends after 3 of its 4 rows"),
        ("m_atom[3]", "m_atom[2]", "line 30: table m_atom[2] of line 18 goes on after its 2 rows"),
        (
            "<> 1 0\n",
            "<> 1\n",
            "line 31: block m_atom[3] of line 18: found ':::' in place of i_m_formal_charge of row 3",
        ),
        ("1 3 1 1\n", "1 3 4 1\n", "bond 3-4: there is no atom 4 among the 3 atoms (line 38)"),
        ("1 3 1 1\n", "1 3 3 1\n", "atom 3 is bonded to itself (line 38)"),
        ("1 3 1 1\n", "1 3 1 5\n", "bond 3-1 has the order 5, expected 0 (coordinative), 1, 2 or 3 (line 38)"),
        ("2 1 2 2\n", "2 1 3 2\n", "bond 1-3 has the order 2, but 1 before (line 39)"),
        ("2 1 2 2\n", "2 3 1 1\n", "bond 3-1 is listed twice (line 39)"),
        ('" C  " 6', '" C  " 7', "atom 1 (line 28) has the atomic number 7, but its type C2 is C"),
        ("2 15 1.2", "2 62 1.2", "atom 2 (line 29) of type Z0 has no element; give it in the column i_m_atomic_number"),
        ("2 15 1.2", "2 61 1.2", "atom 2 (line 29) of type Du is a dummy atom or a lone pair; remove it"),
        ("f_m_ct", "p_m_ct", "line 6: holds a partial structure (p_m_ct)"),
        ("f_m_ct", "f_m_xx", "holds no structure (no block f_m_ct)"),
        ("  r_m_x_coord", "  x_coord", "line 21: block m_atom[3]: 'x_coord' is no property name"),
        ('" C  "', '" C  ', "line 28: a string begins with a quote that is never closed"),
        ("index #", "index", "line 19: a comment begins with # that is never closed by another"),
        ("m_bond[2] {", "m_bond[2]", "line 34: expected { after 'm_bond[2]', found 'i_m_from'"),
        ("r_m_y_coord\n", "r_m_x_coord\n", "line 22: block m_atom[3] names the property r_m_x_coord twice"),
        ("m_depend[1]", "m_bond[1]", "block f_m_ct has a second table m_bond"),
    ],
)
def test_what_cannot_be_used_is_named_by_line(written, old, new, message):
    with pytest.raises(InputError) as error:
        read_mae(written(FORMYL.replace(old, new, 1)))

    assert message in str(error.value)


def test_advised_rows_are_those_of_the_unknown_atoms_and_make_them_known(written, tmp_path):
    text = FORMYL.replace("2 15 1.2", "2 251 1.2").replace('"}" <> 0', '"}" 46 2').replace("3 41", "3 252")
    with pytest.warns(InputWarning, match="only an MM3\\* force field needs them") as said:
        (unnamed,) = read_mae(written(text))

    rows = str(said[0].message).split("`")[1::2]
    (tmp_path / "atom.typ").write_text("\n".join(rows))
    (molecule,) = read_mae(written(text), atom_types=read_atom_types(tmp_path / "atom.typ"))

    assert (unnamed.types, unnamed.species.tolist(), unnamed.charge) == (("C2", "251", "252"), [6, 46, 1], 2)
    assert molecule.species.tolist() == [6, 46, 1]
    assert (molecule.types, molecule.charge) == (("C2", "PD", "HX"), 2)


def test_truncated_file_names_the_block_that_is_cut(written):
    path = written(FORMYL[: FORMYL.index("3 41")])

    with pytest.raises(InputError, match=r"the file ends inside block m_atom\[3\] of line 18; it is truncated"):
        read_mae(path)


def test_unknown_type_names_the_file_to_extend(written, tmp_path):
    (tmp_path / "atom.typ").write_text(TYPE_250)

    with pytest.warns(
        InputWarning, match=r"unknown MacroModel atom type\(s\) 251.*atom.typ; numbers 201 to 300 are free"
    ):
        read_mae(written(FORMYL.replace("1 2 0.0", "1 251 0.0")))


def test_file_in_another_format_is_refused(written):
    with pytest.raises(
        InputError, match=r"line 1: expected a block such as `f_m_ct \{`, found '3'; is it a Maestro file"
    ):
        read_mae(written("3\nwater\nO 0 0 0\n"))


def test_damaged_compressed_file_is_refused(tmp_path):
    path = tmp_path / "formyl.maegz"
    path.write_bytes(gzip.compress(FORMYL.encode())[:-20])

    with pytest.raises(InputError, match="cannot be decompressed"):
        read_mae(path)


def test_compressed_file_that_unpacks_to_far_more_is_refused(tmp_path):
    path = tmp_path / "bomb.maegz"
    path.write_bytes(gzip.compress(FORMYL.encode() + b" " * 2**22))

    with pytest.raises(InputError, match=r"bomb\.maegz: unpacks to more than 1 MiB"):
        read_mae(path)
