import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.qm.jaguar import read_jaguar_input, read_jaguar_output

INPUT = """MAEFILE: h2.mae
&gen
molchg=1 multip=2
dftname=b3lyp basis=lacvp**
igeopt=2
&
&zmat
 H1    0.0  0.0  0.0#
 h2    0.0  0.0  0.75
&
&hess
   1
   1  1.0E+00
   2  2.0E+00  3.0E+00
   3  4.0E+00  5.0E+00  6.0E+00
   4  7.0E+00  8.0E+00  9.0E+00  1.0E+01
   5  1.1E+01  1.2E+01  1.3E+01  1.4E+01  1.5E+01
   6  1.6E+01  1.7E+01  1.8E+01  1.9E+01  2.0E+01
   6
   6  2.1E+01
&
"""
OUTPUT = """Job h2 started on node at Wed Oct 18 10:21:03 2023
  |  Jaguar version 10.6, release  12  |
&gen
dftname=B3LYP basis=STO-3G ifreq=1
&
  net molecular charge:    1
  multiplicity:            2
 Input geometry:
                                   angstroms
  atom               x                 y                 z
  H1            0.0000000000      0.0000000000      0.0000000000
  H2            0.0000000000      0.0000000000      0.7500000000

 SCFE: SCF energy: DFT(b3lyp)     -1.16000000000 hartrees   iterations:  11
  Number of frequencies:   1
  frequencies      -705.89
  intensities        23.11
Job h2 completed on node at Wed Oct 18 10:49:51 2023
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "h2.txt"
        path.write_text(text)
        return path

    return write


def test_input_gives_geometry_and_hessian(written):
    part = read_jaguar_input(written(INPUT))

    assert known(part.species).tolist() == [1, 1]
    assert known(part.positions)[1].tolist() == [0.0, 0.0, 0.75]
    lower = known(part.hessian)[np.tril_indices(6)] / units.HARTREE_PER_BOHR2
    np.testing.assert_allclose(lower, np.arange(1.0, 22.0), rtol=1e-15)
    np.testing.assert_array_equal(part.hessian, known(part.hessian).T)


def test_input_states_charge_multiplicity_level_and_search(written):
    part = read_jaguar_input(written(INPUT))

    assert (part.charge, part.multiplicity, part.level) == (1, 2, "B3LYP/LACVP**")
    assert part.stationary_order == 1


def test_output_gives_energy_frequencies_and_geometry(written):
    part = read_jaguar_output(written(OUTPUT))

    assert part.energy == pytest.approx(-1.16 * units.HARTREE, rel=1e-15)
    assert known(part.frequencies).tolist() == [-705.89]
    assert known(part.positions)[1].tolist() == [0.0, 0.0, 0.75]
    assert (part.charge, part.multiplicity, part.level) == (1, 2, "B3LYP/STO-3G")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (INPUT, "nothing", "has no &zmat section"),
        ("   6\n   6  2.1E+01\n&\n", "", "section &hess is not closed; the file is truncated"),
        ("   6  2.1E+01\n", "", "the Hessian ends before the row or block of coordinate 6"),
        (
            "   6\n   6  2.1E+01\n",
            "   6\n   6  2.1E+01\n   7\n",
            "line 21: the Hessian goes on after the 6 coordinates",
        ),
        (
            "   2  2.0E+00  3.0E+00\n",
            "",
            "line 14: expected coordinate 2 and 2 force constants of the Hessian, found '3",
        ),
        ("1.5E+01", "****", r"Hessian: '\*\*\*\*' \(line 17\) cannot be read"),
        (" h2    0.0  0.0  0.75", " h2    1  0.75", "line 9: expected a label and three Cartesian coordinates"),
        (" h2 ", " Qq2 ", "line 9: 'Qq2' names no element"),
        ("multip=2", "multip=x", "multip is 'x', expected an integer"),
        ("igeopt=2", "iunit=0", "iunit=0 is not supported"),
        ("&hess", "&atomic\natom mass\nH1 2.0\n&\n&hess", "&atomic sets masses"),
        ("&zmat\n", "zmat\n", "line 10: '&' does not fit"),
        (" H1 ", " H1\n H1 ", "line 8: the geometry is a Z-matrix, which is not read; give the input that"),
    ],
)
def test_bad_inputs_are_refused(written, old, new, message):
    assert old in INPUT

    with pytest.raises(InputError, match=message):
        read_jaguar_input(written(INPUT.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (OUTPUT, "nothing", "does not name its Jaguar version"),
        (
            "Number of frequencies:   1",
            "Number of frequencies:   2",
            "line 15: 2 frequencies are announced, 1 are there",
        ),
        ("-705.89", "*******", r"frequencies: '\*{7}' \(line 16\)"),
        (OUTPUT[OUTPUT.index("  Number of") :], "", "the job did not end"),
        (OUTPUT[OUTPUT.index("  Number of") : OUTPUT.index("Job h2 comp")], "", r"asked for frequencies \(ifreq\)"),
        ("angstroms", "bohr", "line 9: expected a geometry in angstroms, found 'bohr'"),
        ("SCFE: SCF", "SCF", "holds no SCF energy"),
    ],
)
def test_bad_outputs_are_refused(written, old, new, message):
    assert old in OUTPUT

    with pytest.raises(InputError, match=message):
        read_jaguar_output(written(OUTPUT.replace(old, new)))


LATER = """ new geometry:
                                   angstroms
  atom               x                 y                 z
  H1            0.0000000000      0.0000000000      0.0000000000
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("  H2      ", "  H2 (    ", r"line 12: expected a label and three Cartesian coordinates, found '  H2 \("),
        ("  H2            0.0000000000", "  H2", "line 12: expected a label and three Cartesian"),
        ("  H2    ", "  x     ", "line 12: 'x' names no element"),
        (
            "Job h2 completed",
            LATER + "\nJob h2 completed",
            r"different sizes \(2 atoms on line 8, 1 atoms on line 18\)",
        ),
        (OUTPUT[OUTPUT.index("Job h2 completed") :], LATER, "line 18: the file ends inside this geometry"),
        ("frequencies:   1\n  frequencies      -705.89", "frequencies:   0\n", "2 atoms have 1 vibrations, but there"),
        ("SCFE: SCF energy", "SCFE: SCF enrgy", "line 14: expected the SCF energy, found 'SCFE: SCF enrgy"),
    ],
)
def test_atoms_and_energies_are_not_lost_at_an_odd_row(written, old, new, message):
    assert old in OUTPUT

    with pytest.raises(InputError, match=message):
        read_jaguar_output(written(OUTPUT.replace(old, new)))


@pytest.mark.parametrize("name", ["damaged-geometry-row", "cut-last-geometry"])
def test_real_output_that_has_lost_atoms_is_refused(data, name):
    with pytest.raises(InputError, match=rf"(?s)jaguar-{name}\.out.* line (137|172): "):
        read_jaguar_output(data / "cases" / "rel" / f"jaguar-{name}.out")


def test_energy_of_a_method_beyond_scf_that_is_not_known_is_left_out(written):
    text = OUTPUT.replace("  multiplicity: ", " Post-SCF correlation type: RCI\n  multiplicity: ", 1)

    with pytest.warns(InputWarning, match="the energy of RCI is not read; only LMP2 is beyond SCF"):
        assert read_jaguar_output(written(text)).energy is None
