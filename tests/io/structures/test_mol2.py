import numpy as np
import pytest

from certain import known
from forgefield.errors import InputError
from forgefield.io.structures.mol2 import read_mol2
from forgefield.molecules.molecule import AROMATIC, ZERO_ORDER

HEAD = "@<TRIPOS>MOLECULE\n{name}\n {n_atoms} {n_bonds}\nSMALL\nUSER_CHARGES\n\n"


@pytest.fixture
def written(tmp_path):
    def write(atoms, bonds=(), name="thing", tail=""):
        """Atoms are (name, type) or (name, type, charge), bonds (i, j, type)."""
        rows = [
            f"{i} {a[0]} {i}.5 0.0 -1.25 {a[1]} 1 UNL {a[2] if len(a) > 2 else 0.0}" for i, a in enumerate(atoms, 1)
        ]
        rows += ["@<TRIPOS>BOND", *(f"{i} {' '.join(map(str, b))} BACKBONE" for i, b in enumerate(bonds, 1))]
        path = tmp_path / "thing.mol2"
        head = HEAD.format(name=name, n_atoms=len(atoms), n_bonds=len(bonds))
        path.write_text(head + "@<TRIPOS>ATOM\n" + "\n".join(rows) + "\n" + tail)
        return path

    return write


@pytest.mark.filterwarnings("ignore:.*hydrogens look to be missing")
def test_atoms_bonds_and_name(written):
    (molecule,) = read_mol2(written([("C1", "C.2"), ("O1", "O.2")], [(2, 1, "2")], name="formyl (E)"))

    assert (molecule.name, molecule.types, molecule.symbols) == ("formyl (E)", ("C.2", "O.2"), ("C", "O"))
    np.testing.assert_array_equal(molecule.positions, [[1.5, 0.0, -1.25], [2.5, 0.0, -1.25]])
    assert molecule.bonds.tolist() == [[1, 0]]


@pytest.mark.filterwarnings("ignore:.*impossible lengths")
def test_bond_types(written):
    kinds = ["1", "2", "3", "ar", "am", "nc", "un", "du", "0"]

    (molecule,) = read_mol2(written([("C", "C.3")] * 10, [(1, i + 2, kind) for i, kind in enumerate(kinds)]))

    assert molecule.orders.tolist() == [1, 2, 3, AROMATIC, 1, ZERO_ORDER, 1, 1, ZERO_ORDER]


@pytest.mark.parametrize(
    ("name", "kind", "element"),
    [
        ("CA", "C.ar", "C"),
        ("CA", "Ca", "Ca"),
        ("N1", "NA", "N"),
        ("RH", "RH", "Rh"),
        ("H", "HC", "H"),
        ("O3", "OS", "O"),
        ("CL1", "cl", "Cl"),
        ("1HB", "hc", "H"),
        ("C7", "ca", "C"),
        ("C15", "QC", "C"),
        ("H21", "BH", "H"),
        ("Pd1", "QX", "Pd"),
        ("PD", "Pd", "Pd"),
        ("PT1", "Pt", "Pt"),
        ("NI", "Ni", "Ni"),
        ("OS1", "Os", "Os"),
        ("H19", "AH", "H"),
    ],
)
def test_element_follows_from_type_and_name(written, name, kind, element):
    (molecule,) = read_mol2(written([(name, kind)]))

    assert molecule.symbols == (element,)


def test_published_types_of_a_transition_state_leave_the_elements_to_the_names(data):
    (molecule,) = read_mol2(data / "cases/mm3/amber-mol2/thiohemiacetal.mol2")

    assert molecule.symbols[35:46] == ("C", "H", "H", "C", "H", "O", "H", "O", "H", "S", "C")
    assert known(molecule.types)[35] == "QC"


def test_plain_hydrogen_among_macromodel_types_is_h1(written):
    (molecule,) = read_mol2(written([("RH", "RH"), ("H", "H"), ("C", "C2")]))

    assert molecule.types == ("RH", "H1", "C2")


def test_plain_hydrogen_among_other_types_stays(written):
    (molecule,) = read_mol2(written([("N", "N"), ("H", "H"), ("C", "C")]))

    assert molecule.types == ("N", "H", "C")


def test_charges_that_add_up_to_an_integer_are_the_charge(written):
    assert read_mol2(written([("O", "O.3", -1.2), ("H", "H", 0.2)]))[0].charge == -1
    assert read_mol2(written([("O", "O.3", -1.2), ("H", "H", 0.5)]))[0].charge == 0


def test_molecules_follow_each_other_and_unnamed_ones_are_called_after_the_file(written):
    path = written([("O", "O.3")], name="****", tail="# next\n")
    path.write_text(path.read_text() * 2)

    assert [molecule.name for molecule in read_mol2(path)] == ["thing", "thing-2"]


@pytest.mark.parametrize(
    ("atoms", "bonds", "message"),
    [
        ([("C", "C.3"), ("D", "Du")], [], "atom 2 (line 9, name D, type Du) is a dummy atom"),
        ([("X1", "QX")], [], "atom 1 (line 8, name X1, type QX) could be no element"),
        ([("CA", "ca")], [], "atom 1 (line 8, name CA, type ca) could be Ca or C; remove dummy atoms, and name"),
        ([("C", "C.3")], [(1, 2, "1")], "bond 1-2: there is no atom 2 among the 1 atoms (line 10)"),
        ([("C", "C.3")], [(1, 1, "1")], "atom 1 is bonded to itself (line 10)"),
        ([("C", "C.3")] * 2, [(1, 2, "4")], "bond 1-2 has the type '4', expected one of 1, 2, 3, ar"),
        ([("C", "C.3")] * 2, [(1, 2, "1"), (2, 1, "2")], "bond 2-1 is listed twice (line 12)"),
    ],
)
def test_what_cannot_be_used_is_named(written, atoms, bonds, message):
    with pytest.raises(InputError) as error:
        read_mol2(written(atoms, bonds))

    assert message in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (" 1 0\n", " 2 0\n", "line 1: the molecule announces 2 rows of ATOM, 1 follow"),
        (" 1 0\n", " 1 3\n", "line 1: the molecule announces 3 rows of BOND, 0 follow"),
        (" 1 0\n", " x 0\n", "line 3: the number of atoms is 'x', expected an integer"),
        (" 1 0\n", " 0 0\n", "line 3: 0 atoms and 0 bonds make no molecule"),
        ("-1.25", "-1.25x", "coordinates: '-1.25x' (line 8) cannot be read as finite numbers"),
        (" C.3 1 UNL 0.0", "", "line(s) 8: a row of ATOM has at least 6 columns"),
        ("@<TRIPOS>BOND", "@<TRIPOS>ATOM", "line 9: the molecule of line 1 has a second section ATOM"),
        ("@<TRIPOS>MOLECULE", "molecule", "section ATOM stands before the first @<TRIPOS>MOLECULE"),
    ],
)
def test_damaged_file_is_refused_by_line(written, old, new, message):
    path = written([("C", "C.3")])
    path.write_text(path.read_text().replace(old, new))

    with pytest.raises(InputError) as error:
        read_mol2(path)

    assert message in str(error.value)


def test_published_complexes_have_coordinative_and_aromatic_bonds(data):
    (molecule,) = read_mol2(data / "rh-enamide/mol2/4__R_R_-Me-DuPHOS_pro-R_from_JCTC_SI.mol2")

    assert (molecule.n_atoms, len(molecule.bonds), known(molecule.types)[0]) == (62, 67, "RH")
    assert np.count_nonzero(molecule.orders == ZERO_ORDER) == 3
    assert np.count_nonzero(molecule.orders == AROMATIC) == 6
