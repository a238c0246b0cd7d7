"""TeraChem, geomeTRIC and ForceBalance, in the layouts of their own writers."""

import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.qm.programs.geometric import read_qdata, read_terachem, read_vdata
from forgefield.io.references import read_reference

XYZ = """2
N2
N 0.0 0.0 0.0
N 0.0 0.0 1.1
"""
QDATA = """JOB 0
COORDS 0.0 0.0 0.0 0.0 0.0 1.1
ENERGY -1.090000000000e+02
FORCES 0.0 0.0 -0.01 0.0 0.0 0.01

JOB 1
COORDS 0.0 0.0 0.0 0.0 0.0 1.2
ENERGY -1.089000000000e+02
GRADIENT 0.0 0.0 -0.02 0.0 0.0 0.02
"""
VDATA = """# a remark
2
N2
N 0.0 0.0 0.0
N 0.0 0.0 1.1

2350.0
0.0 0.0 {0}
0.0 0.0 -0.707107
"""
TERACHEM = """
       *                    TeraChem v1.9-2018.07-dev            *
       * a valid license from PetaChem, LLC. Use of this program *
Using basis set: 6-31gs
Method: B3LYP
****** QM coordinates ******
O         1.1969932100        -0.0608050200         0.0943614900
C        -0.0042903600         0.0001433900        -0.0003642300
H        -0.5496313100         0.9668270400        -0.0338577100
H        -0.6430715500        -0.9061654200        -0.0601395500

Total charge:    0
Spin multiplicity: 1
FINAL ENERGY: -114.5008455547 a.u.

Gradient units are Hartree/Bohr
---------------------------------------------------
        dE/dX            dE/dY            dE/dZ
    0.0003210060     0.0009364202    -0.0004819049
   -0.0005582469    -0.0008839443     0.0004627821
    0.0000564153    -0.0004128919    -0.0000458769
    0.0001808263     0.0003604173     0.0000649997
---------------------------------------------------
*** Displacement 1 ***
FINAL ENERGY: -114.5008327180 a.u.
Mode      Eigenvalue(AU)      Frequency(cm-1)    Intensity(km/mol)          Vib.Temp(K)              ZPE(AU)
  1         0.2331755330      1198.6352080688         1.3259362554      1724.5046104761         0.0027306920
  2         0.2482643632      1276.1991058236        12.2124856548      1836.0976109021         0.0029073956
  3         0.3041790321      1563.6275932117         5.3143434351      2249.6277227712         0.0035622059
  4         0.3683007086      1893.2440764611        96.1337286438      2723.8546946023         0.0043131275
  5         0.5673379163      2916.3917533427        60.0402362709      4195.8812745849         0.0066440295
  6         0.5769628150      2965.8683955874       167.7267339991      4267.0644811914         0.0067567456

 Job finished: Sun Oct 20 14:09:18 2019
"""


@pytest.fixture
def target(tmp_path):
    (tmp_path / "scan.xyz").write_text(XYZ)

    def write(name, text):
        (tmp_path / name).write_text(text)
        return tmp_path / name

    return write


def test_frames_of_a_target_have_the_elements_of_its_xyz_file(target):
    first, second = read_qdata(target("qdata.txt", QDATA))

    assert known(first.species).tolist() == [7, 7]
    np.testing.assert_allclose(known(second.energy), -108.9 * units.HARTREE, rtol=1e-12)
    # Under the old name the numbers are those of a gradient too.
    np.testing.assert_allclose(known(first.gradient)[1, 2], 0.01 * units.HARTREE_PER_BOHR, rtol=1e-12)
    np.testing.assert_allclose(known(second.gradient)[1, 2], 0.02 * units.HARTREE_PER_BOHR, rtol=1e-12)


def test_frames_without_an_xyz_file_are_refused(tmp_path):
    (tmp_path / "qdata.txt").write_text(QDATA)

    with pytest.raises(InputError, match="holds no elements, and no xyz file of 2 atoms is beside it"):
        read_qdata(tmp_path / "qdata.txt")


FRAMES = XYZ + XYZ.replace("1.1", "1.2")
"""The geometries of the jobs."""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("JOB 1", "JOB 2", "jobs are not numbered 0 to 1"),
        ("FORCES", "FURCES", "FURCES is no known key, GRADIENT is in 1 of 2 jobs"),
        ("ENERGY -1.089000000000e+02\n", "", "ENERGY is in 1 of 2 jobs"),
        ("FORCES 0.0", "FORCES 0.9", r"frame .*-1: the gradients of all atoms add up to .* and not to zero"),
        ("0.0 1.2", "0.4 1.2", r"coordinates of job\(s\) 1 \(0\.4 Å\) are not those of scan\.xyz beside it"),
    ],
)
def test_damage_of_a_target_is_told(target, old, new, message):
    target("scan.xyz", FRAMES)

    with pytest.warns(InputWarning, match=message):
        read_qdata(target("qdata.txt", QDATA.replace(old, new)))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("JOB 0\n", "", r"'COORDS 0\.0 0\.0 0\.0 0\.0 0\.0 1\.1' \(line 1\)"),
        ("JOB 1\n", "", r"'COORDS .*' \(line 6\), 'ENERGY .*' \(line 7\)"),
        ("COORDS 0.0 0.0 0.0 0.0 0.0 1.2\n", "", "job 1 without COORDS"),
        ("ENERGY -1.09", "Y -1.09", r"'Y -1\.09.*' \(line 3\): each job is JOB with its number"),
    ],
)
def test_a_target_with_lines_of_no_job_is_refused(target, old, new, message):
    with pytest.raises(InputError, match=message):
        read_qdata(target("qdata.txt", QDATA.replace(old, new)))


def test_modes_of_a_target_make_a_hessian(target):
    (reference,) = read_reference([target("vdata.txt", VDATA.format(0.707107))])

    hessian = known(reference.hessian)
    mass = 14.0030740048
    expected = mass / 2.0 * (2350.0 / units.WAVENUMBER) ** 2
    np.testing.assert_allclose([hessian[2, 2], hessian[2, 5]], [expected, -expected], rtol=1e-5)


def test_modes_that_overlap_make_none(target):
    text = VDATA.format(0.707107) + VDATA.format(0.5).partition("\n\n")[2]

    with pytest.warns(InputWarning, match="the modes overlap by"), pytest.raises(InputError, match="atoms have 1 vib"):
        read_vdata(target("vdata.txt", text))


def test_geometric_hessian_belongs_to_the_geometry_beside_it(target, tmp_path):
    stretch = np.diag([0.0, 0.0, 1.5])
    np.savetxt(tmp_path / "hessian.txt", np.block([[stretch, -stretch], [-stretch, stretch]]))

    (reference,) = read_reference([tmp_path / "scan.xyz", tmp_path / "hessian.txt"])

    np.testing.assert_allclose(known(reference.hessian)[2, 5], -1.5 * units.HARTREE_PER_BOHR2, rtol=1e-12)


def test_terachem_that_prints_no_coordinates_takes_those_of_an_xyz_file_of_the_job(target):
    head, _, rest = TERACHEM.partition("****** QM coordinates ******\n")
    rows, _, rest = rest.partition("\n\n")
    bare = target("tera.out", head + rest)

    with pytest.raises(InputError, match="holds a geometry; add one that does"):
        read_reference([bare])
    (reference,) = read_reference([bare, target("tera.xyz", f"4\nformaldehyde\n{rows}\n")])

    np.testing.assert_allclose(known(reference.energy) / units.HARTREE, -114.5008455547, rtol=1e-14)
    np.testing.assert_allclose(known(reference.gradient)[0, 1] / units.HARTREE_PER_BOHR, 0.0009364202, rtol=1e-12)


@pytest.mark.parametrize(
    ("head", "job"),
    [
        ("******* RUNNING GEOMETRY OPTMIZATION *******", "an optimisation"),
        ("******* RUNNING AB INITIO MOLECULAR DYNAMICS *******", "molecular dynamics"),
    ],
)
def test_terachem_jobs_that_move_the_atoms_are_refused_since_their_geometries_are_elsewhere(target, head, job):
    with pytest.raises(InputError, match=f"is {job}, whose geometries .* elsewhere; give scr"):
        read_terachem(target("tera.out", f"{head}\n{TERACHEM}"))


def test_terachem_gives_the_undisplaced_geometry_with_its_energy(target):
    part = read_terachem(target("tera.out", TERACHEM))

    np.testing.assert_allclose(known(part.energy) / units.HARTREE, -114.5008455547, rtol=1e-14)
    np.testing.assert_allclose(known(part.gradient)[0, 1] / units.HARTREE_PER_BOHR, 0.0009364202, rtol=1e-12)
    np.testing.assert_allclose(known(part.frequencies)[[0, 5]], [1198.6352080688, 2965.8683955874], rtol=1e-12)
    assert (part.level, part.program, part.charge, part.multiplicity) == (
        "B3LYP/6-31gs",
        "TeraChem 1.9-2018.07-dev",
        0,
        1,
    )
