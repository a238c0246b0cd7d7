import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.qm.gaussian.archive import surroundings
from forgefield.io.qm.gaussian.log import read_gaussian_log as read_all
from forgefield.io.references import read_reference


def read_gaussian_log(path):
    (part,) = read_all(path)
    return part


TRIANGLE = [f"{0.1 * i:.8f}" for i in range(1, 22)]
GRADIENT = ["0.00000000", "0.", "-0.20000000", "0.", "0.", "0.20000000"]
THERMOCHEMISTRY = """ Atom     1 has atomic number  1 and mass   1.00783
 Atom     2 has atomic number  1 and mass   2.01410
"""
TABLE = """                         {name} orientation:
 ---------------------------------------------------------------------
 Center     Atomic      Atomic             Coordinates (Angstroms)
 Number     Number       Type             X           Y           Z
 ---------------------------------------------------------------------
      1          1           0        0.000000    0.000000    0.000000
      2          1           0        0.000000    0.000000    {z}
 ---------------------------------------------------------------------
"""


def archive(kind="Freq", method="UHF", atoms=("H,0.,0.,0.", "H,0.,0.,0.75"), energies="HF=-1.117", separator="\\"):
    head = ["1", "1", "GINC-NODE", kind, method, "STO-3G", "H2", "ME", "01-Jan-2020", "0"]
    fields = [
        "\\".join(head),
        f"#P {method}/STO-3G FREQ" if kind == "Freq" else f"#P {method}/STO-3G",
        "hydrogen",
        "\\".join(["1,2", *atoms]),
        "\\".join(
            ["Version=ES64L-G16RevC.01", energies, "RMSD=0.", "PG=D*H" + ("\\NImag=0" if kind == "Freq" else "")]
        ),
        *([",".join(TRIANGLE), ",".join(GRADIENT)] if kind == "Freq" else []),
    ]
    record = "\\\\".join(fields) + ("\\\\\\@" if kind == "Freq" else "\\\\@")
    lines = [record[i : i + 70] for i in range(0, len(record), 70)]
    return "".join(f" {line}\n" for line in lines).replace("\\", separator)


def step(record, frequencies=" Frequencies --  4161.1663\n", energy="-1.117"):
    charge = " Charge =  1 Multiplicity = 2\n"
    return (
        f"{charge} SCF Done:  E(UHF) =  {energy}     A.U. after    7 cycles\n{frequencies}{THERMOCHEMISTRY}\n{record}\n"
        " Normal termination of Gaussian 16 at Wed Jan  1 00:00:00 2020.\n"
    )


@pytest.fixture
def written(tmp_path):
    def write(text):
        path = tmp_path / "h2.log"
        path.write_text(" Entering Gaussian System, Link 0=g16\n" + text)
        return path

    return write


def test_archive_gives_geometry_hessian_and_gradient_in_one_frame(written):
    part = read_gaussian_log(written(step(archive())))

    np.testing.assert_array_equal(part.positions, [[0, 0, 0], [0, 0, 0.75]])
    np.testing.assert_allclose(known(part.hessian)[2, :3] / units.HARTREE_PER_BOHR2, [0.4, 0.5, 0.6], rtol=1e-12)
    np.testing.assert_allclose(known(part.gradient)[1] / units.HARTREE_PER_BOHR, [0.0, 0.0, 0.2], rtol=1e-12)


def test_printed_values_of_the_same_step(written):
    part = read_gaussian_log(written(step(archive())))

    assert part.energy == pytest.approx(-1.117 * units.HARTREE, rel=1e-15)
    assert known(part.frequencies).tolist() == [4161.1663]
    assert (part.level, part.charge, part.multiplicity, part.stationary_order) == ("UHF/STO-3G", 1, 2, None)
    # The printed decimals of the usual isotope are completed, those of deuterium kept.
    assert known(part.masses).tolist() == [1.00782503223, 2.0141]


def test_archive_of_windows_reads_the_same(written):
    part = read_gaussian_log(written(step(archive(separator="|"))))

    np.testing.assert_allclose(known(part.hessian)[0, 0], 0.1 * units.HARTREE_PER_BOHR2, rtol=1e-12)


@pytest.mark.parametrize("name", ["Z-Matrix", "Input", "Standard"])
def test_geometry_is_the_printed_one_where_the_archive_holds_a_z_matrix(written, name):
    tables = TABLE.format(name=name, z="0.500000") + TABLE.format(name=name, z="0.750000")

    part = read_gaussian_log(written(tables + step(archive(atoms=("H", "H,1,R")))))

    assert known(part.positions)[1].tolist() == [0.0, 0.0, 0.75]


def test_frozen_flag_of_an_atom_is_not_a_coordinate(written):
    part = read_gaussian_log(written(step(archive(atoms=("H(Iso=2),-1,0.,0.,0.", "H,0,0.,0.,0.75")))))

    assert known(part.positions)[1].tolist() == [0.0, 0.0, 0.75]


def test_high_precision_modes_are_counted_once(written):
    twice = " Frequencies ---  4161.1663\n Frequencies --  4161.17\n"

    part = read_gaussian_log(written(step(archive(), frequencies=twice)))

    assert known(part.frequencies).tolist() == [4161.1663]


def test_correlated_energy_is_that_of_the_method(written):
    part = read_gaussian_log(written(step(archive(method="UMP2-FC", energies="HF=-1.1\\MP2=-1.13"))))

    assert part.energy == pytest.approx(-1.13 * units.HARTREE, rel=1e-15)


def test_optimisation_says_what_it_looked_for(written):
    search = " Search for a saddle point of order  1.\n"
    optimisation = (
        search + step(archive(kind="FTS"), frequencies="") + " Link1:  Proceeding to internal job step number  2.\n"
    )

    part = read_gaussian_log(written(optimisation + step(archive())))

    assert (part.stationary_order, known(part.frequencies).size) == (1, 1)


def test_optimisation_that_stopped_found_no_stationary_point(written):
    text = " Optimization stopped.\n    -- Number of steps exceeded,  NStep=  20\n"

    with pytest.warns(InputWarning, match="the optimisation did not converge"):
        part = read_gaussian_log(written(text + step(archive(kind="FOpt"), frequencies="")))

    assert part.stationary_order is None


FORCES = """ -------------------------------------------------------------------
 Center     Atomic                   Forces (Hartrees/Bohr)
 Number     Number              X              Y              Z
 -------------------------------------------------------------------
      1          1           0.000000000    0.000000000    0.003000000
      2          1           0.000000000    0.000000000   -0.003000000
 -------------------------------------------------------------------
"""


def test_printed_forces_are_read_where_they_are_those_of_the_archive(written):
    def job(force):
        return FORCES + step(archive(kind="Force", energies=f"HF=-1.117\\RMSF={force}"), frequencies="")

    part = read_gaussian_log(written(job("1.732e-03")))

    np.testing.assert_allclose(known(part.gradient)[0] / units.HARTREE_PER_BOHR, [0.0, 0.0, -0.003], atol=1e-12)
    with pytest.warns(InputWarning, match=r"root mean square is 1\.732e-03 .* last table, 1\.800e-03 in the archive"):
        assert read_gaussian_log(written(job("1.8e-03"))).gradient is None


def test_jobs_of_other_geometries_are_structures_of_their_own(written):
    longer = step(archive(kind="SP", atoms=("H,0.,0.,0.", "H,0.,0.,0.95")), frequencies="")
    on = archive().replace("#P UHF/STO-3G FREQ", "#P GEOM=ALLCHECK FREQ")

    parts = read_all(written(longer + step(archive())))
    assert [(part.name, known(part.positions)[1, 2]) for part in parts] == [("h2-1", 0.95), ("h2-2", 0.75)]
    assert [part.hessian is None for part in parts] == [True, False]
    # Where the second job goes on with the geometry of the first, its own is that of the whole.
    assert read_gaussian_log(written(longer + step(on))).hessian is not None
    # What is repeated at another level is of one structure, of which the job with a Hessian counts.
    again = step(archive(kind="SP", method="UMP2", energies="HF=-1.117\\MP2=-1.13"), frequencies="")
    assert read_gaussian_log(written(step(archive()) + again)).level == "UHF/STO-3G"


def test_jobs_of_other_molecules_are_structures_of_their_own(written):
    assert [known(part.species).tolist() for part in read_all(written(OTHER + step(archive())))] == [[1, 9], [1, 1]]


def test_jobs_of_kinds_that_are_not_read_are_left_out_with_a_word(written):
    path = step(archive(kind="IRC", atoms=("H,0.,0.,0.", "H,0.,0.,0.95")), frequencies="", energy="-1.117")

    with pytest.warns(InputWarning, match="jobs of the kinds irc are not read"):
        part = read_gaussian_log(written(path + step(archive())))
    assert part.hessian is not None


def rigid_scan(energies: str) -> str:
    points = "".join(
        TABLE.format(name="Input", z=z) + f" SCF Done:  E(UHF) =  {energy}     A.U.\n"
        for z, energy in (("0.700000", "-1.1"), ("0.800000", "-1.2"))
    )
    record = archive(kind="Scan", energies=energies, atoms=("H", "H,1,R"))
    return points + step(record, frequencies="", energy="-1.2")


def test_all_points_of_a_rigid_scan_are_read(written):
    references = read_reference([written(rigid_scan("HF=-1.1,-1.2"))])

    assert [one.positions[1, 2] for one in references] == [0.7, 0.8]
    assert [known(one.energy) / units.HARTREE for one in references] == pytest.approx([-1.1, -1.2])
    assert {(one.charge, one.multiplicity, one.level) for one in references} == {(1, 2, "UHF/STO-3G")}


def test_last_point_of_a_rigid_scan_is_read_and_others_are_told_of_where_they_are_not_all_there(written):
    with pytest.warns(InputWarning, match="is a rigid scan that did not print all its points; only the last is read"):
        (reference,) = read_reference([written(rigid_scan("HF=-1.0,-1.1,-1.2"))])

    assert reference.positions[1, 2] == 0.8
    assert known(reference.energy) == pytest.approx(-1.2 * units.HARTREE)


def test_atom_has_no_frequencies_to_miss(written):
    zeros, none = ",".join(6 * ["0."]), ",".join(3 * ["0."])
    record = archive(atoms=("He,0.,0.,0.",)).replace(" ", "").replace("\n", "")
    record = record.replace(",".join(TRIANGLE), zeros).replace(",".join(GRADIENT), none)
    text = step("").replace(THERMOCHEMISTRY, "").replace(" Frequencies --  4161.1663\n", "")

    part = read_gaussian_log(written(text.replace("\n\n", f"\n {record}\n", 1)))

    assert (part.frequencies, known(part.hessian).shape) == (None, (3, 3))


OTHER = step(archive(kind="FOpt", atoms=("H,0.,0.,0.", "F,0.,0.,0.9")), frequencies="").replace(THERMOCHEMISTRY, "")
ENDLESS = step(archive()) + " Link1:  Proceeding to internal job step number  2.\n SCF Done:  E(UHF) = -1.0 A.U."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the job did not end: there is no normal termination"),
        (" SCF Done:  E(UHF) = -1.0\n Error termination via Lnk1e", r"ends with 'Error termination via Lnk1e'\)"),
        (ENDLESS, "the job did not end"),
        (step(archive(), frequencies=""), "the job asked for frequencies, but none are there"),
        (step(archive().replace("2.10000000", "")), "Hessian has 20 force constants, 2 atoms need 21"),
        (step(archive().replace("2.10000000", "**********")), r"Hessian of the archive: '\*{10}' cannot be read"),
        (step(archive(atoms=("H,0.,0.,0.", "H,0.,0.,nan"))), "coordinates of the archive: 'nan' cannot be read"),
        (step(archive(), energy="****"), r"SCF energy: '\*\*\*\*' cannot be read"),
        (step(archive(), frequencies=" Frequencies -- ****\n"), r"frequencies: '\*\*\*\*' cannot be read"),
        (step(archive(atoms=("H", "H,1,R"))), "a job step holds no geometry"),
        (
            step(archive(energies="HF=-1.1")),
            r"SCF energy is -1\.1000000 Hartree in the archive, but none .* is -1\.117",
        ),
        (step(archive(kind="IRC")), "a job of the kind IRC, which is not read"),
        (step(archive(atoms=("C,0.,0.,0.", "O,0.,0.,1.1"))), "masses of the thermochemistry section are not those"),
    ],
)
def test_bad_files_are_refused(written, text, message):
    with pytest.raises(InputError, match=message):
        read_all(written(text))


@pytest.mark.parametrize(("name", "order", "energy"), [("GS", 0, -79.8304168919), ("TS", 1, -79.8259264529)])
def test_ethane(data, name, order, energy):
    part = read_gaussian_log(data / f"ethane/{name}.log")

    assert (part.stationary_order, part.level, len(known(part.frequencies))) == (order, "RB3LYP/6-31G(d)", 18)
    assert part.energy == pytest.approx(energy * units.HARTREE, rel=1e-15)
    assert (part.charge, part.multiplicity) == (0, 1)


FORCE_TABLE = """ Center     Atomic                   Forces (Hartrees/Bohr)
 Number     Number              X              Y              Z
 -------------------------------------------------------------------
      1        1           0.000000000    0.000000000    {z}
      2        1           0.000000000    0.000000000   -0.200000000
 -------------------------------------------------------------------
 Cartesian Forces:  Max     0.200000000 RMS     0.115470054
"""


def test_forces_have_the_largest_one_and_the_root_mean_square_below_their_table(written):
    assert read_gaussian_log(written(FORCE_TABLE.format(z="0.200000000") + step(archive()))).gradient is not None
    with pytest.raises(InputError, match=r"largest one of 0\.200000000 .* root mean square of 0\.1120"):
        read_gaussian_log(written(FORCE_TABLE.format(z="0.188000000") + step(archive())))


def test_the_gradient_of_the_archive_is_that_of_the_table_of_forces(written):
    table = FORCE_TABLE.format(z="0.200100000").partition(" Cartesian Forces")[0]

    with pytest.raises(
        InputError, match=r"gradient of atom 1 has a norm of 0\.2000000 .* and of 0\.2001000 in the table"
    ):
        read_gaussian_log(written(table + step(archive())))


def test_a_job_whose_end_is_damaged_is_told_of(written):
    single = step(archive(kind="SP", atoms=("H,0.,0.,0.", "H,0.,0.,0.95")), frequencies="")
    text = single.replace("Normal termination", "Nor al termination") + step(archive())

    with pytest.warns(InputWarning, match="holds 2 archives, but 1 ends of jobs"):
        read_all(written(text))


@pytest.mark.parametrize(
    ("routes", "expected"),
    [
        (["#P B3LYP/6-31G(D) OPT FREQ", "#N GEOM=ALLCHECK GUESS=TCHECK SCRF=CHECK GENCHK RB3LYP/6-31G(D) FREQ"], ""),
        (
            [
                "# OPT FREQ M062X EMPIRICALDISPERSION=GD3 SCRF=(SOLVENT=CHLOROFORM,SMD)",
                "#N GEOM=ALLCHECK SCRF=CHECK FREQ",
            ],
            " GD3 SMD(chloroform)",
        ),
        (["# HF/STO-3G SCRF"], " PCM(water)"),
        (["# HF/STO-3G SCRF=(CPCM,SOLVENT=THF)", "# HF/6-31G* GEOM=CHECK"], ""),
        (["# B3LYP/6-31G* EM=GD3BJ OPT", "# HF/6-31G* GEOM=CHECK"], ""),
        (["# B3LYP/6-31G* EM=GD3BJ"], " GD3BJ"),
    ],
)
def test_the_level_names_dispersion_and_solvent_of_the_step(routes, expected):
    assert surroundings(routes) == expected
