"""What Molden files without modes tell: the state, by the occupations of the orbitals."""

import pytest

from forgefield.errors import InputError
from forgefield.io.references import read_reference

HEAD = """[Molden Format]
[Atoms] Angs
 C   1   6   0.000000   0.000000   0.000000
 H   2   1   0.000000   0.800000   0.700000
 H   3   1   0.000000  -0.800000   0.700000
[GTO]
[MO]
"""
ORBITAL = " Sym=     1a\n Ene= -1.0E+00\n Spin= {spin}\n Occup= {occupation:.6f}\n  1  1.0\n"


def read(tmp_path, *orbitals):
    path = tmp_path / "ch2.molden"
    path.write_text(HEAD + "".join(ORBITAL.format(spin=spin, occupation=n) for spin, n in orbitals))
    (reference,) = read_reference([path])
    return reference.charge, reference.multiplicity


ALPHA, BETA, PAIR = ("Alpha", 1.0), ("Beta", 1.0), ("Alpha", 2.0)


def test_occupations_tell_charge_and_multiplicity(tmp_path):
    assert read(tmp_path, *[PAIR] * 4) == (0, 1)
    assert read(tmp_path, *[ALPHA] * 5, *[BETA] * 3, ("Beta", 0.0)) == (0, 3)
    assert read(tmp_path, *[PAIR] * 3, ALPHA, ALPHA) == (0, 3)
    assert read(tmp_path, *[ALPHA] * 4, *[BETA] * 3) == (1, 2)


def test_occupations_of_natural_orbitals_tell_the_charge(tmp_path):
    assert read(tmp_path, *[PAIR] * 2, ("Alpha", 1.97), ("Alpha", 0.03)) == (2, 1)


def test_electrons_that_a_potential_stands_for_are_no_charge(tmp_path):
    assert read(tmp_path, *[PAIR] * 2) == (0, 1)


def test_a_file_of_geometries_alone_says_so(tmp_path):
    path = tmp_path / "opt.molden"
    path.write_text("[Molden Format]\n[GEOMETRIES] (XYZ)\n 1\n -1.0\n H 0.0 0.0 0.0\n")

    with pytest.raises(InputError, match=r"holds \[GEOMETRIES\] without results"):
        read_reference([path])
