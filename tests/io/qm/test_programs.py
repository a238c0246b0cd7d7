"""What is read of the files of QM programs, on real ones: each prints the values that are compared."""

import shutil
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.assemble.consistency import check_frequencies
from forgefield.io.formats import format_of
from forgefield.io.references import read_reference

PUBLIC = "public-qm"
OWN = "programs/qm"


class Case(NamedTuple):
    """Files of one job and what they print."""

    files: tuple[str, ...]
    energy: float | None
    """Hartree; kcal/mol where the program gives a heat of formation."""
    first: float
    """Lowest printed vibration [cm⁻¹]."""
    last: float
    level: str
    program: str
    charge: int = 0
    has_hessian: bool = True
    unit: float = units.HARTREE


CASES = {
    "ORCA 4 saddle": Case(
        (f"{PUBLIC}/orca-ts.out", f"{PUBLIC}/orca-ts.hess"),
        -33.865407694733,
        -503.24,
        3187.08,
        "PM3",
        "ORCA 4.0.1.2",
        -1,
    ),
    "ORCA 5": Case(
        (f"{PUBLIC}/orca5-dvb_ir.out",), -382.055108614160, 45.66, 3546.0, "b3lyp/sto-3g", "ORCA 5.0.1", 0, False
    ),
    "xTB 6.5": Case(
        tuple(
            f"{OWN}/xtb/{name}" for name in ("xtb.out", "hessian", "g98.out", "vibspectrum", "charges", "xtbout.json")
        ),
        -7.175648091769,
        1085.36,
        2838.47,
        "GFN2-xTB",
        "xTB 6.5.1",
    ),
    "xTB 6.6": Case(
        tuple(f"{PUBLIC}/xtb661-dvb_ir/{name}" for name in ("dvb_ir.out", "hessian", "g98.out")),
        -26.438242468338,
        26.15,
        3131.43,
        "GFN2-xTB",
        "xTB 6.6.1",
    ),
    "xTB Hessian on an xyz": Case(
        tuple(f"{PUBLIC}/xtb661-dvb_ir/{name}" for name in ("dvb_ir.xyz", "hessian", "vibspectrum")),
        -26.438242468348,
        26.15,
        3131.43,
        "",
        "",
    ),
    "Psi4 1.3": Case(
        (f"{OWN}/psi4/h2co.out", f"{OWN}/psi4/h2co.hess"),
        -114.5004488331106,
        1197.8194,
        2967.7950,
        "b3lyp/6-31G*",
        "Psi4 1.3.2",
    ),
    "Psi4 displaced": Case(
        (f"{PUBLIC}/psi4-131-dvb_ir_rhf.out",),
        -379.7701115140728,
        137.2532,
        3680.4335,
        "scf/STO-3G",
        "Psi4 1.3.1",
        has_hessian=False,
    ),
    "NWChem": Case(
        (f"{OWN}/nwchem/h2co.out", f"{OWN}/nwchem/h2co.hess"),
        -114.498216968809,
        1198.09,
        2967.75,
        "B3LYP/6-31G*",
        "NWChem 7.0.2",
    ),
    "NWChem Hessian of the output": Case(
        (f"{PUBLIC}/nwchem7-dvb_ir.out",), -382.308240734642, 49.01, 3546.62, "B3LYP/sto-3g", "NWChem 7.0.2"
    ),
    "Q-Chem": Case((f"{PUBLIC}/qchem51-dvb_ir.out",), -382.3082745769, 47.24, 3552.26, "B3LYP/STO-3G", "Q-Chem 5.1"),
    "Turbomole control": Case((f"{PUBLIC}/turbomole59-dvb_ir/control",), None, 53.33, 3474.67, "b-p/sto-3g", ""),
    "Turbomole files": Case(
        tuple(f"{PUBLIC}/turbomole59-dvb_ir/{name}" for name in ("coord", "aoforce.out")),
        None,
        53.33,
        3474.67,
        "",
        "Turbomole 5-9-0",
        has_hessian=False,
    ),
    "GAMESS": Case(
        (f"{PUBLIC}/gamess-us2018-dvb_ir.out", f"{PUBLIC}/gamess-us2018-dvb_ir.dat"),
        -382.0506353313,
        47.87,
        3546.79,
        "B3LYP/STO-3G",
        "GAMESS 30 SEP 2018 (R3)",
    ),
    "Molpro": Case(
        (f"{PUBLIC}/molpro2018-dvb_ir.out",), -382.050772417363, 55.87, 3546.16, "B3LYP/STO-3G", "Molpro 2018.2"
    ),
    "Molden modes of Psi4": Case(
        (f"{OWN}/psi4/h2co.molden_normal_modes", f"{OWN}/psi4/h2co.hess"), None, 1197.8194, 2967.7950, "", "Psi4"
    ),
    "ADF": Case((f"{PUBLIC}/adf2013-dvb_ir.adfout",), None, 82.43, 3436.36, "", "ADF 2013.01", has_hessian=False),
    "DALTON": Case(
        (f"{PUBLIC}/dalton2015-dvb_ir.out",), -382.050713049459, 46.75, 3546.72, "B3LYP/STO-3G", "DALTON 2015.0"
    ),
    "Molcas": Case(
        (f"{PUBLIC}/openmolcas18-dvb_ir.out",),
        -382.3002322193,
        -60.14,
        3518.22,
        "B3LYP/STO-3G",
        "Molcas 18.0",
        has_hessian=False,
    ),
    "CFOUR": Case(
        (f"{PUBLIC}/cfour21-dvb_ir.c4",),
        -379.777955473628651,
        39.6075,
        3816.2118,
        "SCF/STO-3G",
        "CFOUR 2.1",
        has_hessian=False,
    ),
    "MOPAC output": Case(
        (f"{OWN}/mopac/opt.out",), -20.698053, 1100.59, 2667.08, "PM6", "MOPAC 22.0.6", has_hessian=False, unit=1.0
    ),
    "MOPAC PM7": Case(
        (f"{PUBLIC}/mopac-h2o-force.aux",), -57.7990, 1397.86, 2857.09, "PM7", "MOPAC 2016.16.093M", unit=1.0
    ),
    "MOPAC PM6": Case((f"{OWN}/mopac/opt.aux",), -20.6980534026570, 1100.59, 2667.08, "PM6", "MOPAC 22.0.6", unit=1.0),
}


@pytest.fixture(params=CASES.values(), ids=list(CASES))
def case(request) -> Case:
    return request.param


def test_values_are_those_that_the_program_prints(data, case):
    (reference,) = read_reference([data / name for name in case.files])

    energy = None if reference.energy is None else reference.energy / case.unit
    assert (energy is None) == (case.energy is None)
    np.testing.assert_allclose(energy or 0.0, case.energy or 0.0, rtol=0, atol=2e-10)
    printed = np.sort(known(reference.frequencies))
    np.testing.assert_allclose(printed[[0, -1]], [case.first, case.last], rtol=0, atol=0.0051)
    assert len(printed) == 3 * len(reference.species) - 6
    assert (reference.level, reference.program, reference.charge) == (case.level, case.program, case.charge)
    assert (reference.hessian is not None) == case.has_hessian


def test_hessian_gives_the_printed_frequencies(data, case):
    (reference,) = read_reference([data / name for name in case.files])

    check = check_frequencies(reference)

    assert check is None or check.deviation < 0.1
    assert (check is not None) == case.has_hessian


def test_a_file_is_known_by_its_content(data, case, tmp_path):
    for name in case.files:
        original = data / name
        if original.suffix == ".xyz" or original.name == "charges" or "nwchem/h2co.hess" in name:
            continue
        copy = tmp_path / "renamed.abc"
        shutil.copyfile(original, copy)

        assert format_of(copy) is format_of(original)


CHARGES = {
    f"{PUBLIC}/orca-ts.out": ("mulliken", 1, -0.611382),
    f"{PUBLIC}/qchem51-dvb_ir.out": ("mulliken", 2, -0.076752),
    f"{PUBLIC}/gamess-us2018-dvb_ir.out": ("mulliken", 2, -0.076582),
    f"{OWN}/xtb/charges": ("mulliken", 1, -0.26788214),
    f"{OWN}/xtb/xtbout.json": ("mulliken", 1, -0.26788214),
    f"{OWN}/mopac/opt.aux": ("mulliken", 1, -0.4224967),
}


@pytest.mark.parametrize("name", CHARGES)
def test_charges_are_those_that_the_program_prints(data, name):
    kind, atom, value = CHARGES[name]

    part = known(format_of(data / name).part)(data / name)

    (charges,) = [one.values for one in part.charges if one.kind == kind]
    np.testing.assert_allclose(charges[atom], value, rtol=0, atol=1e-5)


GRADIENTS = {
    f"{PUBLIC}/gamess-us2018-dvb_ir.out": (2, (0.001169243, -0.000251140, 0.0)),
    f"{PUBLIC}/gamess-us2018-dvb_ir.dat": (2, (1.1692428707e-03, -2.5114034772e-04, 0.0)),
    f"{OWN}/psi4/h2co.out": (2, (0.0, 0.000001933950, -0.000006518682)),
    f"{PUBLIC}/dalton2015-dvb_ir.out": (2, (-0.0011867494, 0.0002103741, 0.0)),
    f"{PUBLIC}/openmolcas18-dvb_ir.out": (2, (-0.01987297, 0.00145407, 0.0)),
}


@pytest.mark.parametrize("name", GRADIENTS)
def test_gradient_is_that_of_the_last_geometry(data, name):
    atom, printed = GRADIENTS[name]

    part = known(format_of(data / name).part)(data / name)

    gradient = known(part.gradient) / units.HARTREE_PER_BOHR
    np.testing.assert_allclose(gradient[atom], printed, rtol=0, atol=1e-10)
    np.testing.assert_allclose(gradient.sum(axis=0), 0.0, atol=1e-4)


ENDS = (
    f"{PUBLIC}/orca5-dvb_ir.out",
    f"{PUBLIC}/orca-ts.hess",
    f"{OWN}/xtb/xtb.out",
    f"{OWN}/xtb/hessian",
    f"{OWN}/psi4/h2co.out",
    f"{OWN}/psi4/h2co.hess",
    f"{PUBLIC}/nwchem7-dvb_ir.out",
    f"{OWN}/nwchem/h2co.hess",
    f"{PUBLIC}/qchem51-dvb_ir.out",
    f"{PUBLIC}/turbomole59-dvb_ir/aoforce.out",
    f"{PUBLIC}/gamess-us2018-dvb_ir.out",
    f"{PUBLIC}/molpro2018-dvb_ir.out",
    f"{PUBLIC}/dalton2015-dvb_ir.out",
    f"{PUBLIC}/openmolcas18-dvb_ir.out",
    f"{PUBLIC}/cfour21-dvb_ir.c4",
    f"{OWN}/mopac/opt.aux",
)


@pytest.mark.parametrize("name", ENDS)
def test_a_job_that_was_cut_is_refused(data, name, tmp_path):
    text = (data / name).read_text()
    path = tmp_path / Path(name).name
    path.write_text(text[: int(0.7 * len(text))])

    with pytest.raises(InputError, match=r"did not end|truncated|cut|expected"):
        read_reference([path])


def test_a_ghost_atom_is_not_passed_over(data, tmp_path):
    text = (data / PUBLIC / "orca5-dvb_ir.out").read_text()
    path = tmp_path / "ghost.out"
    path.write_text(
        text.replace("  H     -4.931645   -0.071105    0.000000", "  H :   -4.931645   -0.071105    0.000000")
    )

    with pytest.raises(InputError, match=r"line \d+: 'H :' is a ghost"):
        read_reference([path])


def test_energy_of_excited_states_is_left_out_with_a_word(data, tmp_path):
    text = (data / PUBLIC / "orca5-dvb_ir.out").read_text()
    path = tmp_path / "excited.out"
    path.write_text(text.replace("****ORCA TERM", "ORCA TD-DFT/TDA CALCULATION\n****ORCA TERM"))

    with pytest.warns(InputWarning, match="excited states were computed"):
        (reference,) = read_reference([path])

    assert reference.energy is None


def test_an_optimisation_of_mopac_has_charges(data, tmp_path):
    first, mark, _ = (
        (data / OWN / "mopac" / "opt.out").read_text().rpartition(" JOB ENDED NORMALLY")[0].partition("OLDGEO")
    )
    assert mark
    path = tmp_path / "first.out"
    path.write_text(f"{first[: first.rindex('CALCULATION RESULTS') - 40]}\n == MOPAC DONE ==\n")

    (reference,) = read_reference([path])

    assert reference.stationary_order == 0
    np.testing.assert_allclose(known(reference.energy), -20.69805)
    np.testing.assert_allclose(reference.charges[0].values, [0.236569, -0.422498, 0.092964, 0.092964])


def test_energy_of_an_excited_state_of_orca_is_named(data, tmp_path):
    text = (data / PUBLIC / "orca5-dvb_ir.out").read_text()
    path = tmp_path / "root.out"
    state = "ORCA TD-DFT/TDA CALCULATION\n    DE(CIS) =  0.1 Eh (Root  2)\n    E(tot)  =  -382.055108614 Eh\n"
    path.write_text(text.replace("****ORCA TERM", f"{state}****ORCA TERM"))

    with pytest.warns(InputWarning, match="the energy is that of excited state 2"):
        (reference,) = read_reference([path])

    np.testing.assert_allclose(known(reference.energy) / units.HARTREE, -382.05510861416, atol=1e-9)


UNREAD = {
    "molpro2018-dvb_ir.log": "is the log file of Molpro, which is not read; give its .out file",
}


@pytest.mark.parametrize("name", UNREAD)
def test_a_program_that_is_not_read_is_named_with_the_way_round(data, name):
    with pytest.raises(InputError, match=UNREAD[name]):
        format_of(data / PUBLIC / name)


def test_a_gradient_of_turbomole_may_have_a_remark_in_its_head(tmp_path):
    atoms = ["0.0 0.0 0.0 n", "0.0 0.0 2.1 n", ".00D+00 .00D+00 -.10D-01", ".00D+00 .00D+00 .10D-01"]
    cycle = "  cycle =      1    SCF energy =     -108.5000000000   |dE/dxyz| =  0.014142"
    (tmp_path / "gradient").write_text("\n".join(["$grad          cartesian gradients", cycle, *atoms, "$end", ""]))

    (reference,) = read_reference([tmp_path / "gradient"])

    np.testing.assert_allclose(known(reference.energy) / units.HARTREE, -108.5, rtol=1e-12)
    np.testing.assert_allclose(known(reference.gradient)[:, 2] / units.HARTREE_PER_BOHR, [-0.01, 0.01], rtol=1e-12)


def test_a_gradient_of_turbomole_has_the_norm_in_its_head(tmp_path):
    atoms = ["0.0 0.0 0.0 n", "0.0 0.0 2.1 n", ".00D+00 .00D+00 -.10D-01", ".00D+00 .00D+00 .13D-01"]
    cycle = "  cycle =      1    SCF energy =     -108.5000000000   |dE/dxyz| =  0.014142"
    (tmp_path / "gradient").write_text("\n".join(["$grad", cycle, *atoms, "$end", ""]))

    with pytest.raises(
        InputError, match=r"norm of the gradient is 0\.016401, and the head of the cycle states 0\.014142"
    ):
        read_reference([tmp_path / "gradient"])
