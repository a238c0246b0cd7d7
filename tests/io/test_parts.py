import numpy as np
import pytest

from forgefield.errors import InputError
from forgefield.io.parts import Part


@pytest.mark.parametrize("mass", [0.0, -1.008, 0.0999, np.nan])
def test_masses_of_no_atom_are_refused(mass):
    with pytest.raises(InputError, match=r"h\.log: masses must be 0\.1 amu or more; found"):
        Part(source="h.log", masses=np.array([12.0, mass]))


def test_muonium_is_an_atom():
    # A muon has 206.768 masses of an electron of 5.4858e-4 amu, 0.1134 amu with its electron 0.1140.
    assert Part(source="mu.log", masses=np.array([0.114])).masses is not None
