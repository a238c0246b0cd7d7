"""Numbers that are written unlike all others of their table."""

import warnings

import pytest

from forgefield.errors import InputWarning
from forgefield.io.assemble.digits import tell_odd_digits
from forgefield.io.molecules import read_structures

COORDINATES = [f"{0.1317 * k - 0.91:.4f}" for k in range(1, 19)]
"""One of them ends in a zero."""


def told(words):
    """What is said of numbers on lines 1, 2, …"""
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        tell_odd_digits("a.xyz", list(enumerate(words, 1)), "coordinates")
    return [str(one.message) for one in given]


def put(word, at=4, words=COORDINATES):
    return [*words[:at], word, *words[at + 1 :]]


@pytest.mark.parametrize("word", ["0.12345", "0.123", "1234", "1.2345E", "0.", "-0.25000"])
def test_another_number_of_decimals_is_told(word):
    expected = [] if word == "1.2345E" else [f"{word} (line 5), and all others have 4 decimals"]

    assert [one.partition(": ")[2].partition(": ")[2].partition(";")[0] for one in told(put(word))] == expected


def test_digits_where_all_others_end_in_zeros_are_told():
    padded = [f"{word}00" for word in COORDINATES]

    assert told(padded) == []
    (said,) = told(put("0.123450", words=padded))
    assert "0.123450 (line 5), and all others end in zeros from decimal 5 on" in said


@pytest.mark.parametrize(
    "words",
    [
        COORDINATES,
        COORDINATES[:14],
        put("0.12", words=COORDINATES[:14]),
        # Zeros are cut off, as many programs do; a second odd number is another way of writing.
        [word.rstrip("0") for word in COORDINATES],
        put("0.1", 9, put("0.2")),
        # A molecule on the axes: zeros tell nothing of how many digits there are.
        [*["0.000000"] * 16, "1.101234", "-0.512345"],
        [*["0"] * 20],
    ],
)
def test_nothing_is_told_without_a_rule(words):
    assert told(words) == []


def test_of_many_numbers_a_few_may_be_odd():
    many = COORDINATES * 10

    assert len(told(put("0.12", 90, put("0.123", words=many)))) == 1
    assert told(put("0.12", 100, put("0.12", 90, put("0.123", words=many)))) == []


MOL2 = "@<TRIPOS>MOLECULE\nx\n 5 4\nSMALL\nNO_CHARGES\n@<TRIPOS>ATOM\n{}@<TRIPOS>BOND\n{}"
METHANE = [(0.0, 0.0, 0.0), (0.6291, 0.6291, 0.6291), (-0.6291, -0.6291, 0.6291)]
METHANE += [(-0.6291, 0.6291, -0.6291), (0.6291, -0.6291, -0.6291)]
ROWS = [(element, [f"{x:.4f}" for x in place]) for element, place in zip("CHHHH", METHANE, strict=True)]


def mol2(rows):
    atoms = "".join(f"{k} {e}{k} {' '.join(x)} {'C.3' if e == 'C' else 'H'}\n" for k, (e, x) in enumerate(rows, 1))
    return MOL2.format(atoms, "".join(f"{k} 1 {k + 1} 1\n" for k in range(1, 5)))


def listed(rows):
    return "".join(f"{element} {' '.join(place)}\n" for element, place in rows)


def xyz(rows):
    return f"5\nmethane\n{listed(rows)}"


def extended(rows):
    return xyz(rows).replace("methane", "Properties=species:S:1:pos:R:3")


def gaussian(rows):
    return f"# hf\n\nmethane\n\n0 1\n{listed(rows)}\n"


def pdb(rows):
    atoms = [
        f"HETATM{k:5d}  {e:<3} MOL     1    {''.join(f'{word[:-1]:>8}' for word in x)}  1.00  0.00          {e:>2}0+\n"
        for k, (e, x) in enumerate(rows, 1)
    ]
    return "".join([*atoms, "END\n"])


def molfile(rows):
    atoms = [f"{''.join(f'{word:>10}' for word in x)} {e}   0  0\n" for e, x in rows]
    bonds = [f"  1  {k}  1  0\n" for k in range(2, 6)]
    return "".join(
        ["methane\n  x                 3D\n\n  5  4  0  0  0  0  0  0  0  0999 V2000\n", *atoms, *bonds, "M  END\n"]
    )


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a.mol2", mol2),
        ("a.xyz", xyz),
        ("a.extxyz", extended),
        ("a.gjf", gaussian),
        ("a.pdb", pdb),
        ("a.mol", molfile),
    ],
)
def test_readers_of_structures_tell_of_a_number_with_a_digit_less(tmp_path, name, written):
    path = tmp_path / name
    path.write_text(written(ROWS))
    read_structures(path)
    path.write_text(written([*ROWS[:4], ("H", ["0.6291", "-0.629", "-0.6291"])]))

    with pytest.warns(InputWarning, match="was a digit lost, added or changed"):
        read_structures(path)
