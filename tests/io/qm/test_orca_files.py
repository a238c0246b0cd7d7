"""ORCA's .engrad and property.txt, in their documented layouts."""

import re

import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.errors import InputError, InputWarning
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


def test_version_6_1_writes_other_letters(tmp_path):
    path = tmp_path / "n2.property.txt"
    text = PROPERTIES
    for old, new in {
        "VERSION": "version",
        "STATUS": "Status",
        "GRAD ": "grad ",
        "MULT": "Mult",
        "CHARGE": "Charge",
    }.items():
        text = text.replace(f"&{old}", f"&{new}")
    path.write_text(text.replace("CHARGE", "Charge").replace("] 0", "] 2"))

    (reference,) = read_reference([path])

    assert (reference.charge, reference.multiplicity) == (2, 1)
    np.testing.assert_allclose(known(reference.energy), -108.5 * units.HARTREE, rtol=1e-12)
    np.testing.assert_allclose(known(reference.gradient)[:, 2] / units.HARTREE_PER_BOHR, [-0.01, 0.01], rtol=1e-12)


SCF = """$SCF_Energy
   &GeometryIndex 2
   &SCF_ENERGY [&Type "Double"]      -1.0850000000000000e+02
$End
"""
BEYOND = """$MP2_Energies
   &GeometryIndex 2
   &TOTALENERGY [&Type "Double"]      -1.0870000000000000e+02
$End
"""


@pytest.mark.parametrize(("more", "energy"), [("", -108.5), (BEYOND, None)])
def test_version_6_0_has_the_energy_of_its_scf_alone(more, energy, tmp_path):
    path = tmp_path / "n2.property.txt"
    head, _, rest = PROPERTIES.rpartition("$Single_Point_Data")
    path.write_text(head + SCF + more + rest.partition("$End\n")[2])

    (reference,) = read_reference([path])

    found = None if reference.energy is None else round(reference.energy / units.HARTREE, 9)
    assert found == energy


def test_a_final_energy_among_excited_states_is_said(tmp_path):
    path = tmp_path / "n2.property.txt"
    path.write_text(PROPERTIES + "$Absorption_Spectrum\n   &GeometryIndex 2\n$End\n")

    with pytest.warns(InputWarning, match="excited states were computed"):
        read_reference([path])


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


RULE = "# " + 59 * "-"
OLD = f"""{61 * "-"}
----------------------- !PROPERTIES! ------------------------
{61 * "-"}
{RULE}
$ SCF_Energy
   description: The SCF energy
   geom. index: 1
   prop. index: 1
        SCF Energy:     -108.4000000000
{RULE}
$ Calculation_Info
   description: Details of the calculation
   geom. index: 1
   prop. index: 1
        Multiplicity:                                     1
        Charge:                                           0
        Number of atoms:                                  2
{RULE}
$ SCF_Energy
   description: The SCF energy
   geom. index: 2
   prop. index: 1
        SCF Energy:     -108.5000000000
{61 * "-"}
----------------------- !GEOMETRIES! ------------------------
{61 * "-"}
------------------------ !GEOMETRY! -------------------------
Number of atoms:     2
Geometry Index:     1
Coordinates:
               0 N      0.000000000000    0.000000000000    0.000000000000
               1 N      0.000000000000    0.000000000000    1.200000000000
------------------------ !GEOMETRY! -------------------------
Number of atoms:     2
Geometry Index:     2
Coordinates:
               0 N      0.000000000000    0.000000000000    0.000000000000
               1 N      0.000000000000    0.000000000000    1.100000000000
"""
OLDER = (
    re.sub(r"# -+\n\$ (\w+)", r"--- !PROPERTY! ---\n   name:        \1", OLD)
    .replace("               0 N", "N")
    .replace("               1 N", "N")
)


@pytest.mark.parametrize("text", [OLD, OLDER], ids=["5", "4"])
def test_property_files_of_old_versions_have_the_last_geometry_and_its_energy(text, tmp_path):
    path = tmp_path / "n2_property.txt"
    path.write_text(text)

    (reference,) = read_reference([path])

    assert reference.positions.tolist() == [[0.0, 0.0, 0.0], [0.0, 0.0, 1.1]]
    assert known(reference.energy) / units.HARTREE == pytest.approx(-108.5)
    assert (reference.charge, reference.multiplicity, reference.program) == (0, 1, "ORCA")


def test_an_energy_beyond_the_scf_is_not_read_of_an_old_property_file(tmp_path):
    path = tmp_path / "n2_property.txt"
    path.write_text(OLD.replace(f"{RULE}\n$ Calculation_Info", f"{RULE}\n$ MDCI_Energies\n{RULE}\n$ Calculation_Info"))

    with pytest.warns(InputWarning, match=r"more than that of the SCF \(MDCI_Energies\); no energy is read"):
        (reference,) = read_reference([path])
    assert reference.energy is None


def test_an_old_property_file_that_was_cut_is_refused(tmp_path):
    path = tmp_path / "n2_property.txt"
    path.write_text(OLD[: OLD.rindex("               1 N")])

    with pytest.raises(InputError, match="expected 2 atoms, found 1; the file is truncated"):
        read_reference([path])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            f"{24 * '-'} !GEOMETRY! {25 * '-'}\nNumber of atoms:     2\nGeometry Index:     1\n",
            "",
            "1 geometries, numbered 2",
        ),
        ("Geometry Index:     2", "Geometry Index:     1", "2 geometries, numbered 1, 1; the file is cut or damaged"),
        ("geom. index: 2", "geom. index: 3", "and properties of geometry 3; the file is cut or damaged"),
        ("-108.5000000000", "-1", "energy: '-1' has no decimals; the file is damaged"),
    ],
)
def test_an_old_property_file_that_contradicts_itself_is_refused(old, new, message, tmp_path):
    path = tmp_path / "n2_property.txt"
    path.write_text(OLD.replace(old, new))

    with pytest.raises(InputError, match=message):
        read_reference([path])


def scanned(step, length, converged=True):
    """Return what ORCA prints of a point of a scan about the bond of hydrogen peroxide."""
    rows = [
        "  H      0.000000    0.900000    0.300000",
        "  O      0.000000    0.000000    0.000000",
        f"  O      {length:.6f}    0.000000    0.000000",
        f"  H      {length:.6f}    0.900000   -0.300000",
    ]
    done = "         ***        THE OPTIMIZATION HAS CONVERGED     ***\n" if converged else ""
    return (
        f"         *               RELAXED SURFACE SCAN STEP   {step}               *\n"
        "         *   Dihedral (  3,   2,   1,   0)  : -36.86989765           *\n"
        + done
        + "CARTESIAN COORDINATES (ANGSTROEM)\n---------------------------------\n"
        + "\n".join(rows)
        + f"\n\nFINAL SINGLE POINT ENERGY      -150.{step}00000000\n"
    )


HEAD = """                                 * O   R   C   A *
                         Program Version 5.0.3 -  RELEASE  -
|  1> ! HF STO-3G Opt
 Total Charge           Charge          ....    0
 Multiplicity           Mult            ....    1
                        *    Relaxed Surface Scan    *
"""


def test_all_points_of_a_relaxed_scan_are_read_with_the_dihedral_that_was_held(tmp_path):
    path = tmp_path / "scan.out"
    path.write_text(
        HEAD + scanned(1, 1.40) + scanned(2, 1.45) + "                             ****ORCA TERMINATED NORMALLY****\n"
    )

    references = read_reference([path])

    assert [one.positions[2, 0] for one in references] == [1.40, 1.45]
    assert [known(one.energy) / units.HARTREE for one in references] == pytest.approx([-150.1, -150.2])
    assert [one.constraints[0].atoms for one in references] == [(3, 2, 1, 0)] * 2
    assert references[0].constraints[0].angle / units.DEGREE == pytest.approx(-36.87, abs=0.01)
    assert (references[0].level, references[0].stationary_order) == ("HF/STO-3G", None)


def test_points_of_a_scan_that_did_not_converge_are_left_out_with_a_word(tmp_path):
    path = tmp_path / "scan.out"
    path.write_text(HEAD + scanned(1, 1.40) + scanned(2, 1.45, converged=False))

    with pytest.warns(InputWarning, match="1 of 2 points of the scan were optimised; only these are read"):
        (reference,) = read_reference([path])
    assert reference.positions[2, 0] == 1.40


def test_an_old_property_file_without_sections_has_its_geometry_alone(tmp_path):
    path = tmp_path / "n2_property.txt"
    path.write_text(OLD[: OLD.index(RULE)] + OLD[OLD.index("----------------------- !GEOMETRIES!") :])

    (reference,) = read_reference([path])
    assert reference.energy is None
