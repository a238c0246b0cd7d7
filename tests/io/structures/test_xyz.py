import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.structures.xyz import read_xyz

WATER = """3
{comment}
O  0.0  0.0   0.1173
H  0.0  0.7572 -0.4692
8  0.0 -0.7572 -0.4692
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "water.xyz"
        path.write_text(text)
        return path

    return write


def test_elements_by_symbol_or_number_and_positions_in_angstrom(written):
    (frame,) = read_xyz(written(WATER.format(comment="")))

    assert known(frame.species).tolist() == [8, 1, 8]
    np.testing.assert_array_equal(known(frame.positions)[1], [0.0, 0.7572, -0.4692])
    assert (frame.name, frame.charge, frame.multiplicity) == ("water", None, None)


def test_comment_states_charge_and_multiplicity(written):
    (frame,) = read_xyz(written(WATER.format(comment="F- complex, charge=-2 Multiplicity=2")))

    assert (frame.charge, frame.multiplicity) == (-2, 2)


def test_frames_follow_each_other(written):
    first, second = read_xyz(written(WATER.format(comment="a") + WATER.format(comment="b") + "\n\n"))

    assert (first.name, second.name) == ("water-1", "water-2")


def test_extended_frames_hold_energy_and_forces_in_electronvolt(written):
    head = 'Properties=species:S:1:pos:R:3:forces:R:3 energy=-2.0 charge=1 multiplicity=2 pbc="F F F"'
    (frame,) = read_xyz(written(f"2\n{head}\nH 0 0 0 0.5 0 0\nH 0 0 0.74 -0.5 0 0\n"))

    assert frame.energy == pytest.approx(-2.0 * units.ELECTRONVOLT, rel=1e-15)
    np.testing.assert_allclose(
        known(frame.gradient), np.array([[-0.5, 0, 0], [0.5, 0, 0]]) * units.ELECTRONVOLT, rtol=1e-15
    )
    assert (frame.charge, frame.multiplicity) == (1, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the file is empty"),
        (WATER.format(comment="").rsplit("\n", 2)[0], "line 1: the frame has 3 atoms, but the file ends after 2"),
        ("3 water\n\n", "line 1: expected only the number of atoms, found '3 water'; is it a Tinker file"),
        ("x\n\n", "line 1: the number of atoms is 'x', expected an integer"),
        ("H 0 0 0\n", "line 1: expected the number of atoms, found 'H 0 0 0'; a frame of an xyz file begins with"),
        ("1\n\nH 0 0,5 0\n", r"'0,5' \(line 3\) .*; write decimal points instead of commas"),
        ("0\n\n", "line 1: the number of atoms is 0"),
        ("1\n\nH 0 0\n", r"line\(s\) 3: expected an element and three coordinates"),
        ("1\n\nQq 0 0 0\n", r"'Qq' \(line 3\) are no element symbols"),
        ("1\n\nH 0 **** nan\n", r"coordinates: '\*\*\*\*' \(line 3\), 'nan' \(line 3\) cannot be read as finite"),
        ("1\ncharge=one\nH 0 0 0\n", "line 2: charge is 'one', expected an integer"),
        ('1\nProperties=species:S:1:pos:R:3 pbc="T T T"\nH 0 0 0\n', "frame water is periodic"),
        ("1\nProperties=species:S:1:pos:R:3\nH 0 0\n", "is not a readable extended xyz file"),
        (
            "99999999999\nProperties=species:S:1:pos:R:3\nH 0 0 0\n",
            "the frame has 99999999999 atoms, but the file ends",
        ),
        ("1\nProperties=species:S:1:pos:R:3 energy=nan\nH 0 0 0\n", "energy of frame water: 'nan' cannot be read"),
    ],
)
def test_bad_files_are_refused(written, text, message):
    with pytest.raises(InputError, match=message):
        read_xyz(written(text))


@pytest.mark.parametrize(
    ("symbol", "number", "mass"),
    [("D", 1, 2.0141018), ("T", 1, 3.0160493), ("13C", 6, 13.0033548), ("18o", 8, 17.99916)],
)
@pytest.mark.parametrize("comment", ["", "Properties=species:S:1:pos:R:3 charge=1"])
def test_isotopes_are_their_elements_with_masses_of_their_own(written, symbol, number, mass, comment):
    (frame,) = read_xyz(written(f"2\n{comment}\nN 0 0 0\n{symbol} 0 0 1\n"))

    assert known(frame.species).tolist() == [7, number]
    np.testing.assert_allclose(known(frame.masses), [14.0030740, mass], atol=1e-5)


def test_a_column_of_masses_goes_before_the_isotope(written):
    (frame,) = read_xyz(written("2\nProperties=species:S:1:pos:R:3:masses:R:1\nD 0 0 0 2.5\nH 0 0 1 1.1\n"))

    assert known(frame.species).tolist() == [1, 1]
    np.testing.assert_allclose(known(frame.masses), [2.5, 1.1])


def test_elements_alone_state_no_masses(written):
    assert read_xyz(written(WATER.format(comment="")))[0].masses is None


@pytest.mark.parametrize("word", ["99C", "12Xx", "D2"])
def test_what_is_no_isotope_is_refused(written, word):
    with pytest.raises(InputError, match=f"'{word}' \\(line 4\\) are no element symbols"):
        read_xyz(written(f"2\n\nN 0 0 0\n{word} 0 0 1\n"))


def test_forces_that_do_not_add_up_to_zero_are_named_where_those_of_other_frames_do(tmp_path):
    frame = "2\nProperties=species:S:1:pos:R:3:forces:R:3\nN 0 0 0 0 0 {first}\nN 0 0 1.1 0 0 -1.0\n"
    path = tmp_path / "frames.extxyz"
    path.write_text(frame.format(first=1.0) + frame.format(first=7.0) + frame.format(first=1.0))

    with pytest.warns(InputWarning, match="frame frames-2: the gradients of all atoms add up to 138 kcal/mol/Å"):
        read_xyz(path)
    path.write_text(frame.format(first=7.0))
    assert len(read_xyz(path)) == 1
