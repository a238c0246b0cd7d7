"""Inputs that ORCA echoes: several jobs of one file, and states that are printed nowhere else."""

import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.errors import InputError
from forgefield.io.references import read_reference

OUTPUT = """
                                 * O   R   C   A *
                         Program Version 6.1.0  -   RELEASE
================================================================================
                                       INPUT FILE
================================================================================
NAME = job.inp
{echo}
                         ****END OF INPUT****
---------------------------------
CARTESIAN COORDINATES (ANGSTROEM)
---------------------------------
  H      0.000000    0.000000   -0.370000
  H      0.000000    0.000000    0.370000

FINAL SINGLE POINT ENERGY        -0.600000000000
                             ****ORCA TERMINATED NORMALLY****
"""
ONE = "|  1> ! xtb Opt\n|  2> * xyzfile 1 2 geometry.xyz\n|  3>"
TWO = (
    "|  1> ! B3LYP def2-SVP Opt\n|  2> * xyz 0 1\n|  3> H 0 0 0\n|  4> H 0 0 0.74\n|  5> *\n|  6> $New_Job\n"
    "|  7> ! HF def2-TZVP\n|  8> * xyzfile 1 2\n|  9>"
)


def read(tmp_path, echo):
    path = tmp_path / "h2.out"
    path.write_text(OUTPUT.format(echo=echo))
    (reference,) = read_reference([path])
    return reference


def test_charge_and_multiplicity_are_those_of_the_input_where_another_program_computed(tmp_path):
    reference = read(tmp_path, ONE)

    assert (reference.charge, reference.multiplicity, reference.level) == (1, 2, "xtb")


def test_the_level_is_that_of_the_last_of_several_jobs(tmp_path):
    reference = read(tmp_path, TWO)

    assert (reference.charge, reference.multiplicity, reference.level) == (1, 2, "HF/def2-TZVP")


MINI = """| 1> ! HF def2-SVP MiniPrint{more}
| 2> * xyz 0 1
| 3>  H   0.00000000   0.00000000   {below:.8f}
| 4>  H(1)   0.00000000   0.00000000   {above:.8f}
| 5> *
| 6>"""
REPULSION = " Nuclear Repulsion      ENuc            ....      {:.10f} Eh\n"


@pytest.mark.parametrize(("more", "unit"), [("", 1.0), (" Bohrs", units.BOHR)])
def test_a_small_print_level_leaves_the_geometry_of_the_input(tmp_path, more, unit):
    path = tmp_path / "h2.out"
    text = OUTPUT.format(echo=MINI.format(more=more, below=-0.37, above=0.37).replace("(1)", ""))
    head, _, rest = text.partition("---------------------------------\nCART")
    path.write_text(head + REPULSION.format(units.BOHR / (0.74 * unit)) + rest[rest.index("\nFINAL") :])

    (reference,) = read_reference([path])

    np.testing.assert_allclose(reference.positions[:, 2], [-0.37 * unit, 0.37 * unit], rtol=1e-12)
    np.testing.assert_allclose(known(reference.energy) / units.HARTREE, -0.6, rtol=1e-12)


def test_rows_of_the_input_that_are_no_plain_atoms_are_refused(tmp_path):
    path = tmp_path / "h2.out"
    text = OUTPUT.format(echo=MINI.format(more="", below=-0.37, above=0.37))
    head, _, rest = text.partition("---------------------------------\nCART")
    path.write_text(head + rest[rest.index("\nFINAL") :])

    with pytest.raises(InputError, match="rows that are not read"):
        read_reference([path])
