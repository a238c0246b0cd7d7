"""Digits of outputs that were changed where the program prints what they say a second time."""

import gzip
from pathlib import Path

import pytest

from forgefield.errors import InputError
from forgefield.io.references import read_reference

GOLDEN = Path(__file__).parent / "golden"
REPULSION = (
    r"line \d+: the nuclei of the geometry that begins here repel each other by \d+\.\d+ Hartree, printed is \d+\."
)
ENERGY = r"the energy is -\d+\.\d+ Hartree, and where it is printed again -\d+\.\d+; the file is damaged"
DAMAGES = {
    "nwchem/n2-mp2-gradient.out": ("0.55000000\n    2 N", "0.55900000\n    2 N", REPULSION),
    "psi4/oh-gradient.out": ("0.912503955169", "0.921503955169", REPULSION),
    "psi4/h2co-ccsd-t.out": ("Total Energy =                       -112.35", "Total Energy =  -112.53", ENERGY),
    "xtb/water-ohess.xtb.out": ("TOTAL ENERGY               -5.070", "TOTAL ENERGY               -5.007", ENERGY),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_digit_that_contradicts_what_is_printed_again_is_found(name, tmp_path):
    old, new, message = DAMAGES[name]
    text = gzip.decompress((GOLDEN / f"{name}.gz").read_bytes()).decode()
    assert old in text
    path = tmp_path / Path(name).name
    path.write_text(text.replace(old, new))

    with pytest.raises(InputError, match=message):
        read_reference([path])


def test_effective_charges_of_nuclei_are_no_damage(tmp_path):
    text = gzip.decompress((GOLDEN / "nwchem/n2-mp2-gradient.out.gz").read_bytes()).decode()
    path = tmp_path / "ecp.out"
    path.write_text(text.replace(" 23.57244109", " 11.57244109") + " ECP\n")

    assert read_reference([path])
