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


def test_a_geometry_that_psi4_optimised_by_finite_differences_is_refused(tmp_path):
    path = tmp_path / "h2.out"
    late = "  Using finite-differences of energies to determine gradients\n    Optimization is complete!\n"
    path.write_text(PSI4.format(call="optimize('fci')", potential="", printed=late))

    with pytest.raises(InputError, match="was optimised by finite differences"):
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
NWCHEM_JOBS = {
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
