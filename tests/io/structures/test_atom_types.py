import pytest

from forgefield.errors import InputError
from forgefield.io.structures.atom_types import AtomType, find_atom_types, read_atom_types, standard_atom_types

RH = "250 ! 102.9055 RH 4 1.75 T F ! 1.50 T ! ! ! ! +1 NCA 1 !"


def test_standard_types_by_number():
    types = standard_atom_types()

    assert types.find(41) == AtomType(41, "H1", 1, 0)
    assert types.find(18) == AtomType(18, "OM", 8, -1)
    assert types.find(250) is None


def test_names_of_standard_types_are_unique():
    types = standard_atom_types().types.values()

    assert len({t.name for t in types}) == len(types)


def test_file_adds_to_the_standard_types(tmp_path):
    path = tmp_path / "atom.typ"
    path.write_text(f"# types\n\n#&rhodium\n{RH} # a comment\n")

    types = read_atom_types(path)

    assert types.find(250) == AtomType(250, "RH", 0, 1)
    assert types.find(41) == AtomType(41, "H1", 1, 0)


def test_number_without_a_name_is_no_type(tmp_path):
    path = tmp_path / "atom.typ"
    path.write_text(RH.replace("RH", "!"))

    assert read_atom_types(path).find(250) is None


def test_file_beside_the_first_that_has_one_is_found(tmp_path):
    (tmp_path / "forcefield").mkdir()
    (tmp_path / "forcefield/atom.typ").write_text(RH)

    types = find_atom_types([tmp_path / "structure.mae", tmp_path / "forcefield/mm3.fld"])

    assert types.source == str(tmp_path / "forcefield/atom.typ")


def test_published_file(data):
    types = read_atom_types(data / "rh-enamide/forcefield/atom.typ")

    assert types.find(250) == AtomType(250, "RH", 0, 1)
    assert types.find(201) == AtomType(201, "Pd", 46, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("250 ! 102.9 RH", "line 1: a row has at least 16 columns, this one 4"),
        (RH.replace("RH", "RHO"), "line 1: the name of a type has two characters, not 'RHO'"),
        (RH.replace("+1", "+x"), "line 1: the formal charge (column 16) is '+x', expected an integer"),
        (f"{RH}\n{RH}", "line 2: type 250 is defined a second time"),
        ("# nothing", "holds no atom type"),
    ],
)
def test_row_that_cannot_be_read_is_named(tmp_path, text, message):
    path = tmp_path / "atom.typ"
    path.write_text(text)

    with pytest.raises(InputError) as error:
        read_atom_types(path)

    assert message in str(error.value)
