"""Inputs that ORCA echoes: several jobs of one file, and states that are printed nowhere else."""

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
