import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.io.assemble.single import single
from forgefield.molecules.molecule import Molecule


def helium(name):
    return Molecule(name, np.array([2]), np.zeros((1, 3)), source="pair.mae")


def test_the_only_structure_is_returned():
    only = helium("one")

    assert single([only]) is only


def test_two_structures_are_refused_by_name():
    with pytest.raises(InputError, match=r"pair.mae: holds 2 structures \('one', 'two'\) where one is expected"):
        single([helium("one"), helium("two")])


def test_no_structure_is_refused():
    with pytest.raises(InputError, match="there is no structure where one is expected"):
        single([])
