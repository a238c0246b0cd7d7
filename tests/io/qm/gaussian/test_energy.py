"""Which of the energies of a job is that of its method."""

from pathlib import Path

import pytest

from certain import known
from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.qm.gaussian.archive import Archive
from forgefield.io.qm.gaussian.energy import method_energy

SCF = " SCF Done:  E({label}) =  {energy}     A.U. after    7 cycles\n"
RHF = SCF.format(label="RHF", energy="-1.100000012")
LOG = Path("a.log")


def archive(method: str, energies: str, kind: str = "SP") -> Archive:
    return Archive(
        (f"1\\1\\HOST\\{kind}\\{method}\\6-31G(d)\\H2\\ME\\1\\0", "#", "title", "0,1\\H", f"V=1\\{energies}")
    )


RIGHT = {
    "RHF": ("HF=-1.1", RHF, -1.100000012),
    # Old versions print the parts of a functional.
    "RB3LYP": ("HF=-1.2", SCF.format(label="RB+HF-LYP", energy="-1.200000034"), -1.200000034),
    "RO3LYP": ("HF=-1.2", SCF.format(label="RO3LYP", energy="-1.200000034"), -1.200000034),
    "UMP2-FC": ("HF=-1.1\\MP2=-1.13", RHF, -1.13),
    "RMP5-FC": ("HF=-1.1\\MP2=-1.13\\MP5=-1.15", RHF, -1.15),
    "RBD(T)-FC": ("HF=-1.1\\BD=-1.15\\BD(T)=-1.16", RHF, -1.16),
    "RCCSD(T)-FU": ("HF=-1.1\\CCSD=-1.15\\CCSD(T)=-1.16", RHF, -1.16),
    "RTD-B3LYP-FC": (
        "HF=-1.2",
        SCF.format(label="RB3LYP", energy="-1.200000034") + " Total Energy, E(TD-HF/TD-KS) = -1.0500000001\n",
        -1.0500000001,
    ),
    "RPM6": ("HF=0.1", SCF.format(label="RPM6", energy="0.100000012"), 0.100000012),
    "UFF": ("HF=0.01", "", 0.01),
}


@pytest.mark.parametrize("method", RIGHT)
def test_energy_is_that_of_the_method(method):
    energies, text, right = RIGHT[method]

    assert method_energy(LOG, text, archive(method, energies)) == pytest.approx(right * units.HARTREE, rel=1e-14)


UNKNOWN = {
    "REOM-CCSD-FC": ("HF=-1.1\\CCSD=-1.15", RHF),
    "RCIS(D)-FC": ("HF=-1.1", RHF),
    "RMP4SDTQ-FC": ("HF=-1.1\\MP2=-1.13", RHF),
    "RB2PLYP-FC": ("HF=-1.1", RHF),
    "SOMETHING": ("HF=-1.1", RHF),
}


@pytest.mark.parametrize("method", UNKNOWN)
def test_of_a_method_whose_energy_is_not_known_there_is_none(method):
    energies, text = UNKNOWN[method]

    with pytest.warns(InputWarning, match=r"a\.log: the energy of .* is not read: it is not known which"):
        assert method_energy(LOG, text, archive(method, energies)) is None


def test_composite_method_has_the_energy_of_its_summary_where_that_is_not_archived():
    summary = " CBS-4 (0 K)=               -1.439921 CBS-4 Energy=                 -1.436908\n"
    record = archive("CBS-4M", "HF/3-21G=-1.1", kind="Mixed")

    assert method_energy(LOG, RHF + summary, record) == pytest.approx(-1.439921 * units.HARTREE, rel=1e-14)


def test_composite_method_whose_energy_is_nowhere_has_none():
    with pytest.warns(InputWarning, match="CBS-4M is not read: neither the archive nor the summary holds it"):
        assert method_energy(LOG, RHF, archive("CBS-4M", "HF/CBSB3=-1.1\\CBSQB3=-1.3", kind="Mixed")) is None


def test_numerical_hessian_is_at_the_geometry_that_the_archive_has_the_energy_of():
    displaced = SCF.format(label="RHF", energy="-1.099200012")

    assert method_energy(LOG, RHF + displaced, archive("RHF", "HF=-1.1", kind="Freq")) == -1.100000012 * units.HARTREE


def test_energy_of_a_dimer_is_the_one_corrected_for_superposition_not_that_of_its_last_fragment():
    text = RHF + " Counterpoise corrected energy =    -2.201234567890\n"

    assert method_energy(LOG, text, archive("RHF", "HF=-1.1")) == pytest.approx(-2.20123456789 * units.HARTREE)


def test_scan_archives_the_energies_of_all_points():
    text = SCF.format(label="RHF", energy="-1.000000012") + RHF

    assert method_energy(LOG, text, archive("RHF", "HF=-1.,-1.1", kind="Scan")) == -1.100000012 * units.HARTREE


def test_print_that_contradicts_the_archive_is_refused():
    with pytest.raises(
        InputError, match=r"SCF energy is -1\.1500000 Hartree in the archive, but none .* is -1\.1000000"
    ):
        method_energy(LOG, RHF, archive("RHF", "HF=-1.15"))


@pytest.mark.parametrize(
    "mark", [" E2 = -0.1D+00 EUMP2 = -0.3D+02", " Excited State   1:", " ONIOM: calculating energy."]
)
def test_without_an_archive_nothing_beyond_scf_is_guessed(mark):
    assert known(method_energy(LOG, RHF, None)) == -1.100000012 * units.HARTREE
    with pytest.warns(InputWarning, match="the energy of RHF is not read"):
        assert method_energy(LOG, f"{RHF}{mark}\n", None) is None
