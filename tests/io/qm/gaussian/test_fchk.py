import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.qm.gaussian.fchk import read_fchk
from forgefield.molecules.molecule import standard_masses
from forgefield.properties.modes import vibrations

HYDROGEN = """Hydrogen molecule
FOpt      UHF                           STO-3G
Number of atoms                            I                2
Charge                                     I                1
Multiplicity                               I                2
Atomic numbers                             I   N=           2
           1           1
Current cartesian coordinates              R   N=           6
  0.00000000E+00  0.00000000E+00  0.00000000E+00  0.00000000E+00  0.00000000E+00
  1.40000000E+00
SCF Energy                                 R     -1.000000000000000E+00
Total Energy                               R     -1.500000000000000E+00
Real atomic weights                        R   N=           2
  1.00782504E+00  2.01410178E+00
Cartesian Gradient                         R   N=           6
  0.00000000E+00  0.00000000E+00 -2.00000000E-01  0.00000000E+00  1.00000000-100
  2.00000000E-01
Cartesian Force Constants                  R   N=          21
  1.00000000E+00  2.00000000E+00  3.00000000E+00  4.00000000E+00  5.00000000E+00
  6.00000000E+00  7.00000000E+00  8.00000000E+00  9.00000000E+00  1.00000000E+01
  1.10000000E+01  1.20000000E+01  1.30000000E+01  1.40000000E+01  1.50000000E+01
  1.60000000E+01  1.70000000E+01  1.80000000E+01  1.90000000E+01  2.00000000E+01
  2.10000000E+01
"""


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "h2.fchk"
        path.write_text(text)
        return path

    return write


def test_every_field_enters_in_internal_units(written):
    part = read_fchk(written(HYDROGEN))

    assert known(part.species).tolist() == [1, 1]
    assert known(part.positions)[1, 2] == pytest.approx(1.4 * 0.529177210544, rel=1e-15)
    assert part.energy == -1.5 * units.HARTREE
    assert known(part.gradient)[1, 2] == pytest.approx(0.2 * 627.5094740631 / 0.529177210544, rel=1e-12)
    np.testing.assert_array_equal(part.masses, [1.00782504, 2.01410178])
    assert (part.charge, part.multiplicity, part.stationary_order) == (1, 2, 0)
    assert (part.level, part.program) == ("UHF/STO-3G", "Gaussian")


def test_a_reaction_path_is_refused_since_its_results_are_of_different_points(written):
    point = "IRC point       1 Geometries               R   N=           1\n  0.00000000E+00\n"

    with pytest.raises(InputError, match="is of a reaction path"):
        read_fchk(written(HYDROGEN + point))


def test_qchem_that_names_no_functional_gives_the_basis_alone(written):
    dipole = "Dipole_Data                                R   N=           1\n  0.00000000E+00\n"
    head, kind, rest = HYDROGEN.split("\n", 2)

    part = read_fchk(written("\n".join([head, kind.replace("UHF", "U  "), rest + dipole])))

    assert (part.level, part.program) == ("STO-3G", "Q-Chem")


def test_hessian_is_the_lower_triangle_by_rows(written):
    hessian = known(read_fchk(written(HYDROGEN)).hessian) / units.HARTREE_PER_BOHR2

    np.testing.assert_allclose(hessian[3, :4], [7.0, 8.0, 9.0, 10.0], rtol=1e-15)
    np.testing.assert_array_equal(hessian, hessian.T)


@pytest.mark.parametrize(("name", "lowest"), [("GS", 312.9189), ("TS", -304.8914)])
def test_ethane_has_the_frequencies_of_its_job(data, name, lowest):
    part = read_fchk(data / f"ethane/{name}.fchk")

    frequencies = vibrations(
        known(part.hessian), known(part.positions), standard_masses(known(part.species))
    ).frequencies

    assert frequencies[0] == pytest.approx(lowest, abs=3e-4)


def test_forces_of_gaussian_94_are_a_gradient(data):
    # The log of this job prints the force on the first atom as (1.336, -1.606, -0.446)e-6 Hartree/Bohr.
    gradient = known(read_fchk(data / "ethane/GS.fchk").gradient) / units.HARTREE_PER_BOHR

    np.testing.assert_allclose(gradient[0], [-1.336e-6, 1.606e-6, 0.446e-6], atol=1e-9)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (HYDROGEN, "  \n", "the file is empty"),
        ("Atomic numbers ", "Atomic number  ", "is it a formatted checkpoint"),
        ("N=          21", "N=          28", "line 18: 'Cartesian Force Constants' has 21 numbers, its head says 28"),
        (
            "  2.10000000E+01\n",
            "",
            "'Cartesian Force Constants' has 20 numbers, its head says 21; is the file truncated",
        ),
        ("  1.40000000E+00\n", "  ****************\n", r"'\*{16}' \(line 10\) cannot be read as finite numbers"),
        ("  1.40000000E+00\n", "             NaN\n", r"'NaN' \(line 10\)"),
        ("N=          21\n  1.00000000E+00", "N=          20\n", "has 20 force constants, 2 atoms need 21"),
        ("I                2\nAtomic", "I                0\nAtomic", "multiplicity 0 is not positive"),
        ("           1           1", "           1           0", "0 are no atomic numbers"),
    ],
)
def test_bad_files_are_refused(written, old, new, message):
    assert old in HYDROGEN

    with pytest.raises(InputError, match=message):
        read_fchk(written(HYDROGEN.replace(old, new)))


@pytest.mark.parametrize(
    ("kind", "end", "missing"),
    [
        ("FOpt", "SCF Energy", "holds no `Total Energy` or `SCF Energy`; its last entry is `Current cartesian coord"),
        ("Freq", "Cartesian Force", "holds no `Cartesian Force Constants`; its last entry is `Cartesian Gradient`"),
        ("Force", "Cartesian Gradient", "holds no `Cartesian Gradient` or `Cartesian Forces`; its last entry is"),
        ("SP  ", "Current", "holds no `Current cartesian coordinates` and no `Total Energy` or `SCF Energy`; its last"),
        (
            "FOpt",
            "Charge  ",
            "holds no `Atomic numbers` and no .* its last entry is `Number of atoms` on line 3",
        ),
        ("FOpt", "Number of", "no `Atomic numbers` and no other entry; is it a formatted checkpoint"),
    ],
)
def test_truncated_file_says_what_is_missing(written, kind, end, missing):
    text = HYDROGEN.replace("FOpt", kind)

    with pytest.raises(InputError, match=missing):
        read_fchk(written(text[: text.index(end)]))


def test_optimisation_that_did_not_converge_found_no_stationary_point(written):
    status = f"{'Job Status':<43}I{3:>17}\n"

    with pytest.warns(InputWarning, match=r"the optimisation did not converge \(Job Status 3\)"):
        assert read_fchk(written(HYDROGEN + status)).stationary_order is None
    assert read_fchk(written(HYDROGEN + status.replace("3\n", "1\n"))).stationary_order == 0


def test_frequencies_that_are_kept_come_with_the_masses_they_are_of(written):
    modes = f"{'Number of Normal Modes':<43}I{1:>17}\n{'Vib-AtMass':<43}R   N={2:>12}\n  2.0141  2.0141\n"
    kept = f"{'Vib-E2':<43}R   N={14:>12}\n  4401.5 {' '.join(13 * ['0.5'])}\n"

    part = read_fchk(written(HYDROGEN + modes + kept))

    assert known(part.frequencies).tolist() == [4401.5]
    assert known(part.masses).tolist() == [2.0141, 2.0141]
    with pytest.raises(InputError, match="Vib-E2 holds 14 numbers, fewer than the 15 normal modes"):
        read_fchk(written(HYDROGEN + modes.replace("                1\n", "               15\n") + kept))


def test_a_charge_that_contradicts_the_electrons_is_refused(data, tmp_path):
    text = (data / "ethane" / "GS.fchk").read_text()
    path = tmp_path / "GS.fchk"
    path.write_text(text.replace(f"{'Charge':<43}I                0", f"{'Charge':<43}I                4"))

    with pytest.raises(
        InputError, match="charge 4 and multiplicity 1 contradict 18 electrons, 9 alpha and 9 beta, and"
    ):
        read_fchk(path)
