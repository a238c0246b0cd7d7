"""ORCA's .engrad and property.txt, in their documented layouts."""

import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.errors import InputError
from forgefield.io.formats import format_of
from forgefield.io.references import read_reference

ENGRAD = """#
# Number of atoms
#
 2
#
# The current total energy in Eh
#
   -108.500000000000
#
# The current gradient in Eh/bohr
#
       0.000000000000
       0.000000000000
      -0.010000000000
       0.000000000000
       0.000000000000
       0.010000000000
#
# The atomic numbers and current coordinates in Bohr
#
   7     0.0000000    0.0000000    0.0000000
   7     0.0000000    0.0000000    2.1000000
"""
STARS = "*" * 49
GEOMETRY = """$Geometry
   &GeometryIndex %d
   &NATOMS [&Type "Integer"] 2
   &CartesianCoordinates [&Type "Coordinates", &Dim(2,4), &Units "Bohr"]
              N      0.000000000000    0.000000000000    0.000000000000
              N      0.000000000000    0.000000000000    %.12f
$End
"""
PROPERTIES = f"""{STARS}
******************* ORCA 6.0.0 ******************
{STARS}
$Calculation_Status
   &GeometryIndex 2
   &ListStatus       OUT
   &VERSION [&Type "String"] "6.0.0"
   &STATUS [&Type "String"] "NORMAL TERMINATION"
$End
{GEOMETRY % (1, 2.0)}$Calculation_Info
   &GeometryIndex 1
   &MULT [&Type "Integer"] 1
   &CHARGE [&Type "Integer"] 0
$End
$Single_Point_Data
   &GeometryIndex 1
   &FinalEnergy [&Type "Double"]      -1.0840000000000000e+02
$End
{GEOMETRY % (2, 2.1)}$Single_Point_Data
   &GeometryIndex 2
   &FinalEnergy [&Type "Double"]      -1.0850000000000000e+02  "Final energy"
$End
$SCF_Nuc_Gradient
   &GeometryIndex 2
   &NATOMS [&Type "Integer"] 2
   &GRAD [&Type "ArrayOfDoubles", &Dim(6,1)]
                                                   0
0                                 0.0000000000000000e+00
1                                 0.0000000000000000e+00
2                                -1.0000000000000000e-02
3                                 0.0000000000000000e+00
4                                 0.0000000000000000e+00
5                                 1.0000000000000000e-02
$End
"""
FILES = {"n2.engrad": ENGRAD, "n2.property.txt": PROPERTIES}


@pytest.mark.parametrize("name", FILES)
def test_last_geometry_comes_with_its_energy_and_gradient(name, tmp_path):
    path = tmp_path / name
    path.write_text(FILES[name])

    (reference,) = read_reference([path])

    np.testing.assert_allclose(reference.positions[1, 2], 2.1 * units.BOHR, rtol=1e-12)
    np.testing.assert_allclose(known(reference.energy), -108.5 * units.HARTREE, rtol=1e-12)
    np.testing.assert_allclose(known(reference.gradient)[:, 2] / units.HARTREE_PER_BOHR, [-0.01, 0.01], rtol=1e-12)


def test_both_files_of_one_job_are_merged(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)

    (reference,) = read_reference([tmp_path / name for name in FILES])

    assert (reference.program, reference.charge, reference.multiplicity) == ("ORCA 6.0.0", 0, 1)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("n2.engrad", ENGRAD[:-70], "2 atoms need 10 rows, there are 9"),
        ("n2.property.txt", PROPERTIES.replace("NORMAL TERMINATION", "ERROR"), "the job did not end"),
    ],
)
def test_files_that_were_cut_are_refused(name, text, message, tmp_path):
    (tmp_path / name).write_text(text)

    with pytest.raises(InputError, match=message):
        read_reference([tmp_path / name])


def test_older_property_files_are_named_with_the_way_round(tmp_path):
    path = tmp_path / "n2_property.txt"
    path.write_text("-----\n------ !PROPERTIES! ------\n")

    with pytest.raises(InputError, match="is a property file of ORCA before 6, which is not read"):
        format_of(path)
