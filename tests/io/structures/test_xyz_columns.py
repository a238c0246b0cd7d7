"""Columns and keys of xyz files that are not read are told of, and rows must hold what is named."""

import warnings

import pytest

from forgefield.errors import InputError, InputWarning
from forgefield.io.structures.xyz import read_xyz

FRAME = """2
Properties=species:S:1:pos:R:3:forces:R:3 energy=-2.0 level=HF
H 0.0 0.0 0.0 0.5 0.0 0.0
F 0.0 0.0 0.9 -0.5 0.0 0.0
"""
PLAIN = "2\n{comment}\nH 0.0 0.0 0.0\nF 0.0 0.0 0.9\n"


@pytest.fixture
def warned(tmp_path):
    """Reads a text and returns what was said of it, without the folder."""

    def of(text):
        path = tmp_path / "a.extxyz"
        path.write_text(text)
        with warnings.catch_warnings(record=True) as raised:
            warnings.simplefilter("always")
            read_xyz(path)
        assert all(one.category is InputWarning for one in raised)
        return [str(one.message).replace(f"{tmp_path}/", "") for one in raised]

    return of


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("forces", "fnrces", "a.extxyz: the column 'fnrces' is not read; did you mean 'forces'?"),
        ("forces", "ref_force", "a.extxyz: the column 'ref_force' is not read; did you mean 'REF_forces'?"),
        ("energy", "enrgy", "a.extxyz: the key 'enrgy' is not read; did you mean 'energy'?"),
        ("energy", "energ?y", "a.extxyz: the key 'energ?y' is not read; did you mean 'energy'?"),
        ("energy", "energy_Hartre", "a.extxyz: the key 'energy_Hartre' is not read; did you mean 'energy_hartree'?"),
        ("energy", "totalcharge", "a.extxyz: the key 'totalcharge' is not read; did you mean 'total_charge'?"),
        ("energy", "spins", "a.extxyz: the key 'spins' is not read; did you mean 'spin'?"),
    ],
)
def test_misspelt_result_is_told_of_once(warned, old, new, said):
    text = FRAME.replace(old, new)

    (message,) = warned(text + text)

    assert message.startswith(said)


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        ("energy=-1.0", "the key 'energy' is not read"),
        ("mulitplicity=2", "the key 'mulitplicity' is not read; did you mean 'multiplicity'"),
        ("E = -100.51 after 9 steps", "the energy in a comment is not read, since its unit is not known"),
        ("        -5.07054444", "the energy in a comment is not read, since its unit is not known"),
        ("Propertes=species:S:1:pos:R:3", "the key 'Propertes' is not read; did you mean 'Properties'"),
    ],
)
def test_key_of_a_plain_comment_that_looks_like_a_result_is_told_of(warned, comment, said):
    (message,) = warned(PLAIN.format(comment=comment))

    assert said in message


def test_nothing_is_said_of_what_is_read_or_nobody_misses(warned):
    keys = 'charge=0 multiplicity=1 step=3 time_fs=0.5 free_energy=-2.0 Lattice="9 0 0 0 9 0 0 0 9" pbc="F F F"'
    text = FRAME.replace("level=HF", keys).replace("forces:R:3", "forces:R:3:momenta:R:3:tags:I:1:esp_charges:R:1")
    text = text.replace("0.5 0.0 0.0", "0.5 0 0 1 1 1 0 0.1").replace("-0.5 0.0 0.0", "-0.5 0 0 1 1 1 0 -0.1")

    assert warned(text) == []
    assert warned(PLAIN.format(comment="made by hand, charge=1 a=b")) == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("forces:R:3", "forces:R:123456789", "line 2: the column forces:R:123456789 must be forces:R:3"),
        ("forces:R:3", "other:R:123456789", r"columns of 123456793 words in all, but line 3 has 7, line 4 has 7"),
        ("forces:R:3", "other:R:" + "9" * 20, "line 2: the column other:R:9+ has no type"),
        ("forces:R:3", "forces:R:1", "line 2: the column forces:R:1 must be forces:R:3"),
        (":forces:R:3", "", r"columns of 4 words in all, but line 3 has 7"),
        ("pos:R:3", "positon:R:3", "must name `species` and `pos`"),
        ("forces:R:3", "forces:R", "is not made of name:type:count"),
        ("forces:R:3", "pos:R:3", "must name `species` and `pos`, and each column once"),
        ("0.5 0.0", "1_0 0.0", r"column forces: '1_0' \(line 3\) cannot be read"),
        ("energy=-2.0", "energy=-2_0", "line 2: energy is '-2_0', expected plain numbers"),
        ("energy=", "ene[gy=", r"line 2: \[ in the comment is never closed"),
        ("level=HF", 'level="HF', 'line 2: " in the comment is never closed'),
        ("level=HF", "ch'rge=1", "line 2: ' in the comment is never closed"),
        ("level=HF", "charge=١", "line 2: charge is '١', expected plain numbers"),
    ],
)
def test_rows_that_do_not_hold_the_columns_are_refused_at_once(tmp_path, old, new, message):
    (tmp_path / "a.extxyz").write_text(FRAME.replace(old, new, 1), encoding="utf-8")

    with pytest.raises(InputError, match=message):
        read_xyz(tmp_path / "a.extxyz")


def test_real_files_that_were_misread_are_refused_or_told_of(data):
    folder = data / "cases" / "rel"
    with pytest.raises(InputError, match=r"forces:R:123456789 must be forces:R:3"):
        read_xyz(folder / "extxyz-huge-forces-column.extxyz")
    with pytest.raises(InputError, match=r"coordinates: .* \(line 6\) cannot be read"):
        read_xyz(folder / "xyz-arabic-or-underscore-number.xyz")
    with pytest.warns(InputWarning, match=r"the column 'fnrces' is not read; did you mean 'forces'\?"):
        read_xyz(folder / "extxyz-misspelt-forces.extxyz")
