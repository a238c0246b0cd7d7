"""Small jobs of real programs (`golden/make_runs.py`): what is read of each is what its files print."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.errors import InputError
from forgefield.io.assemble.consistency import check_frequencies
from forgefield.io.references import read_reference
from forgefield.molecules.molecule import Reference, standard_masses
from forgefield.properties.modes import frequencies

GOLDEN = Path(__file__).parent / "golden"


class Run(NamedTuple):
    """A job and what it prints."""

    files: str
    """Suffixes."""
    energy: float
    """Hartree; of MOPAC the heat of formation [kcal/mol]."""
    level: str
    frequencies: tuple[int, float, float] | None = None
    """Number, lowest and highest [cm⁻¹]."""
    has_hessian: bool = False
    gradient: float | None = None
    """Largest component [Hartree/Bohr], of MOPAC [kcal/mol/Å]."""
    state: tuple[int, int] = (0, 1)
    """Charge and multiplicity."""
    stationary: int | None = None
    masses: float | None = None
    """Of the first atom [amu]."""
    charge: float | None = None
    """Atomic charge of the first atom [e]."""


_XTB = "xtb.out hessian g98.out vibspectrum xtbout.json charges"
_WHOLE = "xtb.out xtbopt.xyz hessian g98.out vibspectrum xtbout.json charges"
RUNS = {
    "xtb/water-ohess": Run(
        _XTB, -5.070544134493, "GFN2-xTB", (3, 1540.99, 3646.08), True, stationary=0, charge=-0.56460
    ),
    "xtb/mecn-ohess": Run(_WHOLE, -8.688500684537, "GFN2-xTB", (12, 388.00, 3022.33), True, stationary=0),
    "xtb/ch3-ohess": Run(_XTB, -3.562970363732, "GFN2-xTB", (6, 492.39, 3244.95), True, state=(0, 2), stationary=0),
    "xtb/nh4-ohess": Run(_XTB, -4.494876774171, "GFN2-xTB", (9, 1339.44, 3308.98), True, state=(1, 1), stationary=0),
    "xtb/co2-ohess": Run("in.xyz vibspectrum xtbout.json charges", -10.30845227, "GFN2-xTB", (4, 600.04, 2593.78)),
    "xtb/oh-ohess": Run(
        "in.xyz vibspectrum xtbout.json", -4.68167019, "GFN2-xTB", (1, 3398.87, 3398.87), state=(-1, 1)
    ),
    "xtb/nh3-planar-hess": Run("in.xyz " + _XTB, -4.416369156876, "GFN2-xTB", (6, -928.12, 3624.46), True),
    "xtb/h2co-alpb-hess": Run("in.xyz " + _XTB, -7.176691535226, "GFN2-xTB(water)", (6, 1102.79, 2776.90), True),
    "xtb/h2co-gradient": Run("xtb.out engrad gradient charges", -7.175268135637, "GFN2-xTB", gradient=0.023256),
    "xtb/h2co-gfn1-opt": Run("xtb.out xtbopt.xyz xtbout.json", -7.846572934708, "GFN1-xTB", stationary=0),
    "psi4/water-opt-freq": Run(
        "out hess", -74.96598999, "scf/STO-3G", (3, 2171.0263, 4388.9746), True, stationary=0, masses=15.99491462
    ),
    "psi4/mecn-opt": Run("out", -130.2719074426257, "scf/STO-3G", gradient=0.000056, stationary=0),
    "psi4/co2-opt-freq": Run("out hess", -185.0686095859, "scf/STO-3G", (4, 566.2433, 2535.0860), True, stationary=0),
    "psi4/n2-opt-freq-mp2": Run(
        "out hess", -107.684570626, "mp2/STO-3G", (1, 1670.0677, 1670.0677), True, stationary=0
    ),
    "psi4/ch3-opt-freq-uhf": Run(
        "out hess", -39.076845601, "scf/STO-3G", (6, -429.3032, 3842.6592), True, state=(0, 2), stationary=0
    ),
    "psi4/o2-opt-uks": Run("out", -148.1529959760544, "pbe/STO-3G", state=(0, 3), stationary=0),
    "psi4/nh4-opt-freq": Run(
        "out hess", -55.8689860744, "scf/STO-3G", (9, 1686.3344, 3997.4742), True, state=(1, 1), stationary=0
    ),
    "psi4/oh-gradient": Run("out", -75.3116412853479602, "scf/6-31G", gradient=0.009098, state=(-1, 1)),
    "psi4/nh3-planar-freq": Run(
        "out hess", -55.43780107562, "scf/STO-3G", (6, -1081.4241, 4363.0757), True, stationary=0
    ),
    "psi4/h2co-hf": Run("out hess", -113.8648982242656, "scf/6-31G*", (9, 263.2633, 3073.3495), True, masses=12.0),
    "psi4/h2co-ccsd-t": Run("out", -112.497825885423794, "ccsd(t)/STO-3G"),
    "nwchem/water-opt-freq": Run(
        "out hess", -74.965901192, "HF/sto-3g", (3, 2170.05, 4391.07), True, stationary=0, masses=15.99491
    ),
    "nwchem/mecn-opt-freq": Run("out hess", -130.271542412, "HF/sto-3g", (12, 438.10, 3743.53), True, stationary=0),
    "nwchem/co2-opt-freq": Run("out hess", -185.068390467, "HF/sto-3g", (4, 566.12, 2536.03), True, stationary=0),
    "nwchem/n2-mp2-gradient": Run("out", -107.651421328230, "MP2/sto-3g", gradient=0.326153),
    "nwchem/ch3-uhf-opt-freq": Run(
        "out hess", -39.076710539, "HF/sto-3g", (6, -429.71, 3843.90), True, state=(0, 2), stationary=0
    ),
    "nwchem/o2-opt-freq": Run(
        "out hess", -148.159934934, "PBE0/sto-3g", (1, 1755.68, 1755.68), True, state=(0, 3), stationary=0
    ),
    "nwchem/nh4-opt": Run("out", -55.868845459, "HF/sto-3g", state=(1, 1), stationary=0),
    "nwchem/oh-opt-freq": Run(
        "out hess", -75.311753283, "HF/6-31g", (1, 3471.45, 3471.45), True, state=(-1, 1), stationary=0
    ),
    "nwchem/nh3-planar-saddle": Run("out hess", -55.437665267, "HF/sto-3g", (6, -1081.45, 4364.36), True, stationary=0),
    "nwchem/h2co-ccsd-t": Run("out", -112.497825762046162, "CCSD(T)/sto-3g"),
    "mopac/water-opt-force": Run(
        "aux", -57.7998590698799, "PM7", (3, 1394.34, 2856.49), True, masses=15.9994, charge=-0.64936
    ),
    "mopac/mecn-force": Run("aux", 18.2085643283099, "PM7", (12, 434.15, 2773.86), True),
    "mopac/co2-force": Run("aux", -84.8122495561365, "PM6", (4, 537.93, 2319.83), True),
    "mopac/ch3-uhf-force": Run("aux", 27.9696579526849, "PM7", (6, 921.66, 2793.03), True, state=(0, 2)),
    "mopac/o2-triplet-opt": Run("aux", -9.17155322977487, "PM7", state=(0, 3)),
    "mopac/nh4-force": Run("aux", 154.806452037365, "PM7", (9, 1540.80, 2719.03), True, state=(1, 1)),
    "mopac/oh-opt": Run("aux", -14.1201151969954, "AM1", state=(-1, 1)),
    "mopac/nh3-planar-force": Run(
        "aux", 0.340128499162347, "PM7", (6, -741.82, 2776.55), True, charge=-0.90610401540631
    ),
    "mopac/nh4-force printed": Run("out", 154.806452, "PM7", (9, 1540.80, 2719.03), state=(1, 1)),
    "mopac/ch3-uhf-force printed": Run("out", 27.969658, "PM7", (6, 921.66, 2793.03), state=(0, 2)),
    "mopac/co2-force printed": Run("out", -84.812250, "PM6", (4, 537.93, 2319.83)),
    "mopac/h2co-gradients": Run("aux", -25.2748994252015, "PM7", gradient=10.34434),
}


def read(job: str, files: str) -> list[Reference]:
    return read_reference([GOLDEN / f"{job.removesuffix(' printed')}.{suffix}.gz" for suffix in files.split()])


@pytest.fixture(params=RUNS, ids=list(RUNS))
def job(request) -> str:
    return request.param


def test_values_are_those_that_the_files_print(job):
    run = RUNS[job]
    is_mopac = job.startswith("mopac")

    (reference,) = read(job, run.files)

    energy = known(reference.energy) / (1.0 if is_mopac else units.HARTREE)
    np.testing.assert_allclose(energy, run.energy, rtol=0, atol=6e-9 if len(f"{run.energy}") < 15 else 1e-10)
    assert (reference.charge, reference.multiplicity) == run.state
    assert (reference.level, reference.stationary_order) == (run.level, run.stationary)
    assert reference.program.split()[0].lower() == job.partition("/")[0]
    if run.gradient is not None:
        unit = 1.0 if is_mopac else units.HARTREE_PER_BOHR
        np.testing.assert_allclose(np.abs(known(reference.gradient)).max() / unit, run.gradient, rtol=0, atol=5.1e-6)
    if run.masses is not None:
        np.testing.assert_allclose(known(reference.masses)[0], run.masses, rtol=0, atol=1e-8)
    if run.charge is not None:
        np.testing.assert_allclose(reference.charges[0].values[0], run.charge, rtol=0, atol=5.1e-5)


def test_hessian_gives_the_frequencies_that_the_files_print(job):
    run = RUNS[job]

    (reference,) = read(job, run.files)

    assert (reference.hessian is not None) == run.has_hessian
    assert (reference.frequencies is None) == (run.frequencies is None)
    if run.frequencies is not None:
        n, lowest, highest = run.frequencies
        printed = np.sort(known(reference.frequencies))
        assert len(printed) == n
        np.testing.assert_allclose(printed[[0, -1]], [lowest, highest], rtol=0, atol=0.0051)
    if run.has_hessian:
        assert known(check_frequencies(reference)).deviation < 0.2


REFUSED = {
    "xtb/oh-ohess.xtb.out": "the job did not end",
    "xtb/mecn-unconverged.xtb.out": "the optimisation did not converge",
    "xtb/h2o2-scan.xtb.out": "is a relaxed scan, .* give xtbscan.log",
    "psi4/h2co-unconverged.out": "the job did not end",
    "nwchem/h2co-unconverged.out": "did not (?:end|converge)",
    "mopac/h2co-unconverged.aux": 'the job failed: "EXCESS NUMBER OF OPTIMIZATION CYCLES"',
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_job_that_failed_is_refused(name):
    with pytest.raises(InputError, match=REFUSED[name]):
        read_reference([GOLDEN / f"{name}.gz"])


def test_a_scan_of_psi4_gives_the_energies_at_dihedrals_that_were_held():
    frames = read_reference([GOLDEN / "psi4/h2o2-scan.out.gz"])

    angles = [frame.constraints[0].angle / units.DEGREE for frame in frames]
    np.testing.assert_allclose(np.abs(angles), [90.0, 120.0, 180.0], atol=0.01)
    assert [frame.constraints[0].atoms for frame in frames] == [(2, 0, 1, 3)] * 3
    energies = [known(frame.energy) / units.HARTREE for frame in frames]
    np.testing.assert_allclose(energies[::2], [-148.7640346153506, -148.7648829827595], rtol=0, atol=1e-11)
    assert [frame.stationary_order for frame in frames] == [None] * 3


def test_frames_of_a_scan_of_xtb_have_its_energies():
    frames = read_reference([GOLDEN / "xtb/h2o2-scan.xtbscan.log.gz"])

    energies = [known(frame.energy) / units.HARTREE for frame in frames]
    assert len(energies) == 5
    np.testing.assert_allclose(energies[:2], [-9.047718480913, -9.051212586508], rtol=0, atol=1e-12)


AGREEMENT = {"h2co-hf": (2e-8, 1e-6, 2e-6, 0.001), "h2co-b3lyp": (5e-8, 1e-6, 7e-4, 0.5)}
"""Largest differences in energy, gradient [Hartree/Bohr], Hessian [Hartree/Bohr²] and frequencies [cm⁻¹]; functionals
are integrated on different grids."""


@pytest.mark.parametrize("job", AGREEMENT)
def test_three_programs_agree_on_one_molecule(job):
    energy, gradient, hessian, wavenumbers = AGREEMENT[job]
    first, *others = (
        read(f"{program}/{job}", files)[0]
        for program, files in (("pyscf", "json"), ("psi4", "out hess"), ("nwchem", "out hess"))
    )

    for other in others:
        np.testing.assert_allclose(other.positions, first.positions, rtol=0, atol=1e-7)
        assert abs(known(other.energy) - known(first.energy)) < energy * units.HARTREE
        if other.gradient is not None:
            apart = np.abs(other.gradient - known(first.gradient)).max()
            assert apart < gradient * units.HARTREE_PER_BOHR
        apart = np.abs(known(other.hessian) - known(first.hessian)).max()
        assert apart < hessian * units.HARTREE_PER_BOHR2
        np.testing.assert_allclose(spectrum(other), spectrum(first), rtol=0, atol=wavenumbers)


def spectrum(reference: Reference) -> np.ndarray:
    """Frequencies with the masses of isotopes, translations and rotations projected out."""
    return frequencies(known(reference.hessian), reference.positions, standard_masses(reference.species))
