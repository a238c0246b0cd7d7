"""The structures of Gaussian's inputs, in the ways in which atoms are written there."""

import pytest

from forgefield.errors import InputError
from forgefield.io.molecules import read_structures

HEAD = "%chk=a.chk\n#p b3lyp/6-31g*\n  opt\n\ntitle\n\n"


@pytest.fixture
def read(tmp_path):
    def reader(text):
        path = tmp_path / "a.gjf"
        path.write_text(text)
        (molecule,) = read_structures(path)
        return molecule

    return reader


@pytest.mark.parametrize(
    "atoms",
    [
        "Cl 0.0 0.0 0.0\nH 0.0 0.0 1.3\n",
        "17 0.0 0.0 0.0\n1 0.0 0.0 1.3\n",
        "Cl1,0.0,0.0,0.0\nH2,0.0,0.0,1.3\n",
        "Cl(PDBName=CL,ResNum=1) -1 0.0 0.0 0.0\nH(Iso=2) 0 0.0 0.0 1.3\n",
        "Cl-CL--0.2 0.0 0.0 0.0\nH-HX-0.2 0.0 0.0 1.3 L H-HX 1\n",
    ],
)
def test_atoms_are_read_however_they_are_written(read, atoms):
    molecule = read(f"{HEAD}0 1\n{atoms}\n")

    assert molecule.symbols == ("Cl", "H")
    assert molecule.positions.tolist() == [[0.0, 0.0, 0.0], [0.0, 0.0, 1.3]]


def test_charge_and_multiplicity_are_those_of_the_file(read):
    molecule = read(f"{HEAD}-1,2\nCl 0.0 0.0 0.0\nH 0.0 0.0 1.3\n\n")

    assert (molecule.charge, molecule.multiplicity) == (-1, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"{HEAD}0 1\nCl\nH 1 1.3\n\n", "line 8: expected an atom .* a Z-matrix is not read"),
        ("#p b3lyp geom=check\n\ntitle\n\n", "no line of charge and multiplicity"),
        (f"{HEAD}0 1\n\n", "no atoms follow charge and multiplicity"),
    ],
)
def test_what_holds_no_cartesian_coordinates_is_refused(read, text, message):
    with pytest.raises(InputError, match=message):
        read(text)
