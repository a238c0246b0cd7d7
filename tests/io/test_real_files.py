"""Files of real programs, and of their layouts, each with what is right (how it is known says the README there)."""

import warnings
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np
import pytest

from certain import known
from forgefield import units
from forgefield.errors import InputError, InputWarning
from forgefield.io.molecules import read_structures
from forgefield.io.references import read_reference


@dataclass(frozen=True)
class Right:
    """What a reading of files must give; None: is not looked at."""

    energy: float | None = None
    """Hartree, to all digits that are given; nan: there is none."""
    frequencies: tuple[int, float, float] | None = None
    """Number, lowest and highest [cm⁻¹], which the Hessian gives too."""
    gradient: float | None = None
    """z of the first atom [Hartree/Bohr]."""
    hessian: bool | None = None
    state: tuple[int, int] | None = None
    """Charge and multiplicity."""
    level: str | None = None
    says: str | None = None
    """What is warned of; None: nothing is."""


CASES = {
    "composite-cbsqb3.log": Right(
        -78.4166409,
        (12, 834.4965, 3220.9589),
        hessian=True,
        level="CBS-QB3//RB3LYP/CBSB7",
        says="energy of CBS-QB3 includes the zero-point energy",
    ),
    "composite-g3.out": Right(
        np.nan,
        (21, 535.06, 3921.32),
        hessian=True,
        level="RHF/6-31G(d)",
        says="energy of G3 is left out: .* 0\\.029 Å apart",
    ),
    "oniom-opt.log": Right(-749.305086117981),
    "excited-cis.log": Right(-74.5903204949, level="RCIS-FC/STO-3G"),
    "excited-cis.log excited-cis.fchk": Right(-74.5903204949, level="RCIS-FC/STO-3G"),
    "excited-td.log": Right(-113.005398103),
    "energy-only-in-archive-am1.out": Right(0.172272),
    "energy-only-in-archive-casscf.log": Right(-75.9976407),
    "double-hybrid-freq.out": Right(-79.100738005622, (15, 115.8393, 3278.3356), hessian=True),
    "double-hybrid-sp.log": Right(-40.217794572194),
    "method-ccd.log": Right(-75.017378),
    "forces-opt.out": Right(-111.879290191, gradient=-0.000039952),
    "freq-projected.log": Right(-958.6139793, (11, 203.41, 3632.48), hessian=True),
    "near-linear.log": Right(-76.6066108, (3, 500.57, 3528.26), hessian=True),
    "linear-co.log": Right(-113.18788, (1, 2235.8648, 2235.8648), hessian=True),
    "linear-n2.fchk": Right(-109.5207191183505, hessian=True),
    "nonstationary-no-gradient.fchk": Right(hessian=True),
    "archive-pdbname-standard-only.log": Right(-139.7510845, hessian=True),
    "jaguar-lmp2.out": Right(-76.11256280977, level="LMP2/6-31G"),
    "jaguar78-h2-freq.out": Right(frequencies=(1, 4354.66, 4354.66)),
    "plain.xyz hessian-4d.npy": Right(hessian=True),
    "extxyz-REF-keys.xyz": Right(-3.674932218, gradient=-0.005834071),
    "extxyz-total_charge.xyz": Right(state=(-1, 2)),
    "xyz-comment-autode.xyz": Right(-139.7359, state=(-1, 2)),
    "qc_schema_output-gradient.json": Right(-76.02141836717794, gradient=-0.05958554087087453),
    "optimization-output-v1.json": Right(-139.7510845),
    "record-singlepoint-gradient.json": Right(-75.31289065940899, gradient=-0.10751401735814711),
    "hessian-scf_total_energy-only.json": Right(-139.7510845, hessian=True),
}
REFUSED = {
    "frozen-atoms-freq.log": r"the Hessian is zero for atom\(s\) C1, F2: they were frozen",
    "plain.xyz hessian-kcal.npy": r"frequency of 14887[12] cm⁻¹.* most likely in kcal/mol/Å\^2; .*hessian_unit",
    "bomd.out": "is a job of the kind BOMD, which is not read",
}


def same_digits(value: float, stated: float) -> bool:
    """Whether a value rounds to one that is stated with fewer digits."""
    digits = len(repr(stated).partition(".")[2])
    return abs(value - stated) <= 0.5000001 * 10.0**-digits


@pytest.mark.parametrize("names", CASES)
def test_a_file_gives_what_is_right(data, names):
    right = CASES[names]

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        (reference,) = read_reference([data / "cases" / "qmfiles" / name for name in names.split()])

    if right.energy is not None and np.isnan(right.energy):
        assert reference.energy is None
    elif right.energy is not None:
        assert same_digits(known(reference.energy) / units.HARTREE, right.energy)
    if right.frequencies is not None:
        number, lowest, highest = right.frequencies
        assert len(known(reference.frequencies)) == number
        assert same_digits(known(reference.frequencies).min(), lowest)
        assert same_digits(known(reference.frequencies).max(), highest)
    if right.gradient is not None:
        assert same_digits(known(reference.gradient)[0, 2] / units.HARTREE_PER_BOHR, right.gradient)
    assert right.hessian in (None, reference.hessian is not None)
    assert right.state in (None, (reference.charge, reference.multiplicity))
    assert right.level in (None, reference.level)
    assert [one.category for one in said] == ([] if right.says is None else [InputWarning])
    if right.says is not None:
        with pytest.warns(InputWarning, match=right.says):
            warnings.warn_explicit(said[0].message, InputWarning, __file__, 1)


@pytest.mark.parametrize("names", REFUSED)
def test_a_file_that_cannot_be_read_rightly_is_refused(data, names):
    with pytest.raises(InputError, match=REFUSED[names]):
        read_reference([data / "cases" / "qmfiles" / name for name in names.split()])


def test_a_stated_unit_makes_a_hessian_what_it_is(data):
    files = [data / "cases" / "qmfiles" / name for name in ("plain.xyz", "hessian-kcal.npy")]

    (stated,) = read_reference(files, hessian_unit=1.0)

    (other,) = read_reference([files[0], files[1].with_name("hessian-4d.npy")])
    np.testing.assert_allclose(known(stated.hessian), known(other.hessian), rtol=1e-6, atol=1e-6)


STRUCTURES = {
    "mol2-type-Pd.mol2": (46, None),
    "mae-custom-type.mae": (46, r"unknown MacroModel atom type\(s\) 201.*`201 46 106.4200 PD"),
    "jaguar-end-terminator.in": (6, None),
}
"""The atomic number of the first atom, and what is said."""


@pytest.mark.parametrize("name", STRUCTURES)
def test_a_structure_has_its_elements(data, name):
    number, said = STRUCTURES[name]

    with nullcontext() if said is None else pytest.warns(InputWarning, match=said):
        (molecule,) = read_structures(data / "cases" / "qmfiles" / name)

    assert molecule.species[0] == number
