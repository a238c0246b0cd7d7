"""Which energy of a correlated, composite or excited job counts, in the words of Psi4, NWChem and DALTON."""

import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.references import read_reference

PSI4 = """
          Psi4: An Open-Source Ab Initio Electronic Structure Package
                               Psi4 1.3.2
{call}
    Geometry (in Angstrom), charge = 0, multiplicity = 1:

       Center              X                  Y                   Z               Mass
    ------------   -----------------  -----------------  -----------------  -----------------
           H          0.000000000000     0.000000000000    -0.370000000000     1.007825032070
           H          0.000000000000     0.000000000000     0.370000000000     1.007825032070

{potential}
    Total Energy =                         -1.1000000000000000
{printed}
*** Psi4 exiting successfully. Buy a developer a beer!
"""
CLUSTER = "\t* CCSD total energy                     =   -1.150\n      * CCSD(T) total energy   =   -1.160\n"
OCC = "\tSCS-MP2 Total Energy (a.u.)        :    -1.125\n\tDF-MP2 Total Energy (a.u.)         :    -1.130\n"
MP3 = OCC + "\tMP2.5 Total Energy (a.u.)          :    -1.135\n\tMP3 Total Energy (a.u.)            :    -1.140\n"
DFMP2 = "\t Total Energy              =      -1.1310000000000000 [Eh]\n"
HYBRID = "    @Final double-hybrid DFT total energy  =       -1.170\n"
FUNCTIONAL = "  ==> DFT Potential <==\n"
PSI4_JOBS = {
    "Hartree-Fock": ("energy('scf')", "", "", -1.1),
    "functional": ("energy('b3lyp-d3')", FUNCTIONAL, "", -1.1),
    "MP2 of OCC": ("energy('mp2')", "", OCC, -1.13),
    "MP2 of DFMP2": ("energy('mp2')", "", DFMP2, -1.131),
    "MP2.5": ("gradient('mp2.5')", "", MP3, -1.135),
    "CCSD": ("energy('ccsd')", "", OCC + CLUSTER, -1.15),
    "CCSD(T)": ("optimize('ccsd(t)')", "", OCC + CLUSTER, -1.16),
    "double hybrid": ("energy('b2plyp')", FUNCTIONAL, HYBRID, -1.17),
    "of a variable": ("energy(method)", "", "", -1.1),
}


@pytest.mark.parametrize("job", PSI4_JOBS)
def test_psi4_gives_the_energy_of_the_method_that_was_called(job, tmp_path):
    call, potential, printed, energy = PSI4_JOBS[job]
    path = tmp_path / "h2.out"
    path.write_text(PSI4.format(call=call, potential=potential, printed=printed))

    (reference,) = read_reference([path])

    np.testing.assert_allclose(known(reference.energy) / units.HARTREE, energy, rtol=1e-12)


@pytest.mark.parametrize(
    ("call", "potential", "level"),
    [
        ("", "", "HF"),
        ("", f"{FUNCTIONAL}\n   => Composite Functional: PBE0 <= \n", "PBE0"),
        ("energy('scf')", f"{FUNCTIONAL}\n   => B3LYP Composite Functional <= \n", "B3LYP"),
        ("energy('b3lyp-d3')", f"{FUNCTIONAL}\n   => Composite Functional: B3LYP <= \n", "b3lyp-d3"),
    ],
)
def test_psi4_names_the_functional_where_the_call_does_not(call, potential, level, tmp_path):
    path = tmp_path / "h2.out"
    path.write_text(PSI4.format(call=call, potential=potential, printed=""))

    (reference,) = read_reference([path])

    assert reference.level == level


def test_betas_of_psi4_have_no_masses_and_another_head(tmp_path):
    path = tmp_path / "h2.out"
    text = PSI4.format(call="energy('mp2')", potential="", printed=OCC).replace("     1.007825032070", "")
    text = (
        text.replace("Psi4: An", "PSI4: An")
        .replace("*** Psi4 ex", "*** PSI4 ex")
        .replace("Psi4 1.3.2", "PSI 4.0.0-beta5")
    )
    path.write_text(text)

    (reference,) = read_reference([path])

    assert reference.program == "Psi4 4.0.0-beta5"
    assert reference.masses is None
    np.testing.assert_allclose(known(reference.energy) / units.HARTREE, -1.13, rtol=1e-12)


def test_psi4_gives_the_charges_that_it_printed(tmp_path):
    printed = """
  Mulliken Charges: (a.u.)
   Center  Symbol    Alpha    Beta     Spin     Total
       1     H     0.38167  0.48973 -0.10806  0.12860
       2     H     0.61833  0.51027  0.10806 -0.12860

"""
    path = tmp_path / "h2.out"
    path.write_text(PSI4.format(call="energy('scf')", potential="", printed=printed))

    (reference,) = read_reference([path])

    assert [one.kind for one in reference.charges] == ["mulliken"]
    np.testing.assert_allclose(reference.charges[0].values, [0.1286, -0.1286])


@pytest.mark.parametrize(
    ("call", "potential", "printed"),
    [
        ("energy('eom-ccsd')", "", CLUSTER),
        ("energy('MP2/cc-pv[dt]z')", "", DFMP2),
        ("energy('td-b3lyp')", FUNCTIONAL, ""),
        ("energy('qcisd(t)')", "", OCC),
        ("energy(method)", "", OCC),
    ],
)
def test_psi4_gives_none_where_it_is_not_told(call, potential, printed, tmp_path):
    path = tmp_path / "h2.out"
    path.write_text(PSI4.format(call=call, potential=potential, printed=printed))

    with pytest.warns(InputWarning, match="no energy is read"):
        (reference,) = read_reference([path])

    assert reference.energy is None


DISPLACED = """
  //    Loading displacement {number} of 2    //
    Geometry (in Angstrom), charge = 0, multiplicity = 1:

       Center              X                  Y                   Z               Mass
    ------------   -----------------  -----------------  -----------------  -----------------
           H          0.000000000000     0.000000000000    -{z:.12f}     1.007825032070
           H          0.000000000000     0.000000000000     {z:.12f}     1.007825032070

    Total Energy =                         {energy:.12f}
"""


@pytest.mark.parametrize(("version", "number"), [("1.3.2", 1), ("1.1rc3.dev5", 2)])
def test_a_job_of_psi4_of_frequencies_alone_has_the_geometry_of_its_reference(version, number, tmp_path):
    path = tmp_path / "h2.out"
    points = [DISPLACED.format(number=k, z=0.37 if k == number else 0.38, energy=-1.0 - 0.1 * k) for k in (1, 2)]
    head = f"          Psi4: An Open-Source Ab Initio\n      Psi4 {version}\nfrequency('scf')\n"
    found = "  Using finite-differences of gradients to determine vibrational frequencies\n"
    path.write_text(f"{head}{found}{''.join(points)}  Freq [cm^-1]   4400.0\n*** Psi4 exiting successfully.\n")

    (reference,) = read_reference([path])

    np.testing.assert_allclose(reference.positions[1, 2], 0.37)
    np.testing.assert_allclose(known(reference.energy) / units.HARTREE, -1.0 - 0.1 * number)
    np.testing.assert_allclose(known(reference.frequencies), [4400.0])


def test_a_geometry_that_psi4_optimised_by_finite_differences_is_refused(tmp_path):
    path = tmp_path / "h2.out"
    late = "  Using finite-differences of energies to determine gradients\n    Optimization is complete!\n"
    path.write_text(PSI4.format(call="optimize('fci')", potential="", printed=late))

    with pytest.raises(InputError, match="energies of finite differences alone"):
        read_reference([path])


GEOMETRY = """
 Output coordinates in angstroms (scale by  1.889725989 to convert to a.u.)

  No.       Tag          Charge          X              Y              Z
 ---- ---------------- ---------- -------------- -------------- --------------
    1 He                   2.0000     0.00000000     0.00000000    -1.50000000
    2 He                   2.0000     0.00000000     0.00000000     1.50000000

"""
NWCHEM = f"""
 Northwest Computational Chemistry Package (NWChem) 6.8
{GEOMETRY}{{printed}}
 Total times  cpu:        0.1s     wall:        0.1s
"""
SCF = """
  alpha electrons =     2
  beta  electrons =     1
  charge          =   1.00

         Total SCF energy =     -4.9
"""
TCE = "                    NWChem Extensible Many-Electron Theory Module\n"
PARTS = """
              XC Information
              --------------
                     Hartree-Fock (Exact) Exchange  0.250
             PerdewBurkeErnzerhof Exchange Functional  0.750 non-local
             Perdew 1991 LDA Correlation Functional  1.000 local

"""
NWCHEM_JOBS = {
    "DFT": (
        SCF + PARTS + "         Total DFT energy =     -4.95\n",
        -4.95,
        "0.25 Hartree-Fock+0.75 PerdewBurkeErnzerhof+Perdew 1991 LDA",
    ),
    "SCF": (SCF, -4.9, "HF"),
    "MP2": (SCF + "          Total MP2 energy            -4.910\n", -4.91, "MP2"),
    "MCSCF": (SCF + "       Total MCSCF energy =     -4.920\n", -4.92, "MCSCF"),
    "TCE": (
        SCF + TCE + " CCSD total energy / hartree       =        -4.930\n CCSD[T] total energy / hartree    =  -4.939\n"
        " CCSD(T) total energy / hartree    =        -4.940\n",
        -4.94,
        "CCSD(T)",
    ),
}


@pytest.mark.parametrize("job", NWCHEM_JOBS)
def test_nwchem_gives_what_its_last_module_computed_for_the_charge_of_the_scf(job, tmp_path):
    printed, energy, level = NWCHEM_JOBS[job]
    path = tmp_path / "he2.out"
    path.write_text(NWCHEM.format(printed=printed))

    (reference,) = read_reference([path])

    np.testing.assert_allclose(known(reference.energy) / units.HARTREE, energy, rtol=1e-12)
    assert (reference.level, reference.charge, reference.multiplicity) == (level, 1, 2)


@pytest.mark.parametrize("printed", [SCF + TCE, SCF + "   NWChem TDDFT Module\n"])
def test_nwchem_gives_none_where_a_module_prints_none_that_is_known(printed, tmp_path):
    path = tmp_path / "he2.out"
    path.write_text(NWCHEM.format(printed=printed))

    with pytest.warns(InputWarning, match="no energy is read"):
        (reference,) = read_reference([path])

    assert reference.energy is None


@pytest.mark.parametrize(
    ("printed", "message"),
    [
        (SCF + GEOMETRY, "no energy follows the last geometry"),
        (SCF + "   NWChem QMD Module\n", "is molecular dynamics"),
        (GEOMETRY.replace("2 He", "2 bqHe") + SCF, "'bqHe' is a ghost or dummy atom"),
    ],
)
def test_nwchem_outputs_without_one_last_geometry_are_refused(printed, message, tmp_path):
    path = tmp_path / "he2.out"
    path.write_text(NWCHEM.format(printed=printed))

    with pytest.raises(InputError, match=message):
        read_reference([path])


QCHEM = """
                  Welcome to Q-Chem
 Q-Chem 5.4.0 for Intel X86 EM64T Linux
$rem
method = {method}
basis = sto-3g
$end
$molecule
0 1
He 0 0 0
$end
             Standard Nuclear Orientation (Angstroms)
    I     Atom           X                Y                Z
 ----------------------------------------------------------------
    1      He      0.0000000000     0.0000000000     0.0000000000
 ----------------------------------------------------------------
 Total energy in the final basis set = -2.8000000000
EMP2                   =   -2.82
EMP3                   =   -2.83
EMP4SDQ                =   -2.84
EMP4                   =   -2.85
 CCD total energy      =   -2.86
        *  Thank you very much for using Q-Chem.  Have a nice day.  *
"""


@pytest.mark.parametrize(("method", "energy"), [("mp3", -2.83), ("mp4sdq", -2.84), ("mp4", -2.85), ("ccd", -2.86)])
def test_qchem_gives_the_energy_of_the_method_that_was_asked_for(method, energy, tmp_path):
    path = tmp_path / "he.out"
    path.write_text(QCHEM.format(method=method))

    (reference,) = read_reference([path])

    np.testing.assert_allclose(known(reference.energy) / units.HARTREE, energy, rtol=1e-12)


def test_qchem_gives_that_of_the_scf_where_nothing_more_was_computed(tmp_path):
    path = tmp_path / "he.out"
    path.write_text("".join(line for line in QCHEM.format(method="hf").splitlines(True) if "MP" not in line))

    (reference,) = read_reference([path])

    np.testing.assert_allclose(known(reference.energy) / units.HARTREE, -2.8, rtol=1e-12)


@pytest.mark.parametrize("method", ["cis", "cis(d)", "eom-ccsd", "adc(2)", "wb97x-2", "sos-mp2"])
def test_qchem_gives_none_for_methods_beyond_scf_that_are_not_known(method, tmp_path):
    path = tmp_path / "he.out"
    path.write_text(QCHEM.format(method=method))

    with pytest.warns(InputWarning, match="no energy is read"):
        (reference,) = read_reference([path])

    assert reference.energy is None


TURBOMOLE = """
 dscf (node) : TURBOMOLE V7.5 ( 123456 ) 1 Jan 2021
              +--------------------------------------------------+
              | Atomic coordinate, charge and isotop information |
              +--------------------------------------------------+
                    atomic coordinates            atom    charge  isotop
          0.00000000    0.00000000    0.00000000    he     2.000     0

                 |  total energy      =     -2.85000000000  |
{printed}
    dscf : all done
"""


def test_turbomole_gives_the_energy_of_its_scf_or_of_what_went_on_from_it(tmp_path):
    path = tmp_path / "job.last"
    printed = " ricc2 (node) : TURBOMOLE V7.5\n *   Final {}:    -2.89 *\n"
    found = {}
    for name, text in {
        "SCF": "",
        "CC2": printed.format("CC2 energy                        "),
        "MP2": "     Method          :  MP2\n     Total Energy    :    -2.89\n",
    }.items():
        path.write_text(TURBOMOLE.format(printed=text))
        (reference,) = read_reference([path])
        found[name] = (round(known(reference.energy) / units.HARTREE, 9), reference.level, reference.program)

    assert found == {
        "SCF": (-2.85, "HF", "Turbomole 7.5"),
        "CC2": (-2.89, "CC2", "Turbomole 7.5"),
        "MP2": (-2.89, "MP2", "Turbomole 7.5"),
    }


def test_turbomole_gives_none_where_excited_states_were_computed(tmp_path):
    path = tmp_path / "job.last"
    path.write_text(TURBOMOLE.format(printed=" escf (node) : TURBOMOLE V7.5\n"))

    with pytest.warns(InputWarning, match="no energy is read"):
        (reference,) = read_reference([path])

    assert reference.energy is None


GAMESS = """
          *         GAMESS VERSION = 30 SEP 2018 (R3)          *
          *             FROM IOWA STATE UNIVERSITY             *
 $CONTRL OPTIONS
 SCFTYP=RHF          RUNTYP=ENERGY       EXETYP=RUN
 MPLEVL=       {mp} CITYP =NONE         CCTYP ={cc}  VBTYP =NONE
 DFTTYP=NONE         TDDFT =NONE
 ATOM      ATOMIC                      COORDINATES (BOHR)
           CHARGE         X                   Y                   Z
 HE          2.0     0.0000000000        0.0000000000        0.0000000000

 FINAL RHF ENERGY IS       -2.8500000000 AFTER   5 ITERATIONS
{printed}
 EXECUTION OF GAMESS TERMINATED NORMALLY
"""
CC = "        CCSD    ENERGY:       -2.8700000000 CORR.E=  -0.02\n        CCSD(T) ENERGY:       -2.8800000000 CORR.E=\n"


@pytest.mark.parametrize(
    ("mp", "cc", "printed", "energy"),
    [
        (0, "NONE", "", -2.85),
        (2, "NONE", "                         E(MP2)=        -2.8600000000\n", -2.86),
        (0, "CCSD", CC, -2.87),
        (0, "CCSD(T)", CC, -2.88),
        (0, "CR-CCL", CC, None),
        (4, "NONE", "", None),
    ],
)
@pytest.mark.filterwarnings("ignore::forgefield.errors.InputWarning")
def test_gamess_gives_the_energy_of_the_method_of_its_options(mp, cc, printed, energy, tmp_path):
    path = tmp_path / "he.out"
    path.write_text(GAMESS.format(mp=mp, cc=f"{cc:<8}", printed=printed))

    (reference,) = read_reference([path])

    found = None if reference.energy is None else round(reference.energy / units.HARTREE, 9)
    assert found == energy
