"""Q-Chem's input as it is echoed, and what older versions print, in the layouts of its own output."""

import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.errors import InputError
from forgefield.io.references import read_reference

OLD = """
                  Welcome to Q-Chem
 Q-Chem, Version 3.1, Q-Chem, Inc., Pittsburgh, PA (2007).
$molecule
{molecule}
$end
$rem
{options}
$end
       Standard Nuclear Orientation (Angstroms)
    I     Atom         X            Y            Z
 ----------------------------------------------------
    1      O       0.000000     0.000000     0.000000
    2      O       0.000000     0.000000     1.210000
 ----------------------------------------------------
 There are        9 alpha and        7 beta electrons
 ---------------------------------------
  Cycle       Energy         DIIS Error
 ---------------------------------------
    1    -148.2306458938      2.80E-01
    2    -147.6339640000      3.05E-09 Convergence criterion met
 ---------------------------------------
        *  Thank you very much for using Q-Chem.  Have a nice day.  *
"""
OPTIONS = "jobtype            sp\nEXCHANGE           HF\nBASIS              sto-3g   Basis Set"


def written(tmp_path, molecule="0 3\nO 0 0 0\nO 0 0 1.21", options=OPTIONS):
    path = tmp_path / "o2.out"
    path.write_text(OLD.format(molecule=molecule, options=options))
    return path


@pytest.mark.parametrize("molecule", ["0 3\nO 0 0 0\nO 0 0 1.21", " read  other.xyz", "0\t3\nO 0 0 0\nO 0 0 1.21"])
def test_state_and_energy_are_read_where_an_old_version_prints_the_last_cycle_alone(tmp_path, molecule):
    (reference,) = read_reference([written(tmp_path, molecule)])

    np.testing.assert_allclose(known(reference.energy) / units.HARTREE, -147.633964, rtol=1e-12)
    assert (reference.charge, reference.multiplicity) == (0, 3)
    assert (reference.level, reference.program) == ("HF/STO-3G", "Q-Chem 3.1")


def test_options_may_be_set_apart_by_tabs(tmp_path):
    (reference,) = read_reference([written(tmp_path, options="METHOD\t\tHF\nBASIS\tdef2-TZVPD\n")])

    assert reference.level == "HF/DEF2-TZVPD"


def test_the_level_names_dispersion_and_solvent(tmp_path):
    options = "METHOD B3LYP\nBASIS def2-SVP\nDFT_D D3_BJ\nSOLVENT_METHOD = smd\n"

    (reference,) = read_reference([written(tmp_path, options=options)])

    assert reference.level == "B3LYP/DEF2-SVP D3_BJ SMD"


@pytest.mark.parametrize(("job", "what"), [("EDA", "an energy decomposition"), ("bsse", "a counterpoise correction")])
def test_jobs_of_several_fragments_are_refused_by_name(tmp_path, job, what):
    with pytest.raises(InputError, match=f"is {what}; give single points"):
        read_reference([written(tmp_path, options=f"JOBTYPE\t\t{job}\nMETHOD\tHF")])
