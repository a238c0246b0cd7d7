"""MM3* on real structures, against MacroModel's own listings: same rows, parameters, energies and charges."""

import numpy as np
import pytest

from forgefield.assign.mm3.laid import assign_mm3
from forgefield.io.forcefields.mm3.fld import read_fld
from forgefield.io.listings.listing import COMPARED_BELOW, compare
from forgefield.io.listings.mm3_listing import mm3_listings
from forgefield.io.listings.mmo import read_mmo
from forgefield.io.structures.atom_types import read_atom_types
from forgefield.io.structures.mae import read_mae

LISTED = [1, 2, 3, 4, 5]
# The listings scale van der Waals energies down from 5.8 Å on, and cut charges off at 12 Å.
SAME_TOTAL = {"vdw": 1.5, "electrostatic": 0.5}


@pytest.fixture(scope="module")
def folder(data):
    return data / "rh-enamide"


@pytest.fixture(scope="module")
def file(folder):
    return read_fld(folder / "forcefield/mm3.fld")


@pytest.fixture(scope="module")
def molecules(folder):
    types = read_atom_types(folder / "forcefield/atom.typ")
    return [m for path in sorted((folder / "mae").glob("*.mae")) for m in read_mae(path, atom_types=types)]


@pytest.fixture(scope="module")
def comparisons(folder, file, molecules):
    chosen = molecules[: len(LISTED)]
    listings = mm3_listings(chosen, assign_mm3(chosen, file))
    return {n: compare(listings[n - 1], read_mmo(folder / f"mmo/{n}.mmo")) for n in LISTED}


@pytest.mark.slow
@pytest.mark.parametrize("number", LISTED)
def test_interactions_rows_and_parameters_are_macromodels(comparisons, number):
    terms = comparisons[number].terms

    assert {t.kind: (t.missing, t.extra, t.line_mismatches) for t in terms} == dict.fromkeys(
        (t.kind for t in terms), (0, 0, 0)
    )
    # MacroModel rounds charges to five digits, which can turn the fourth digit of a product.
    assert all(t.parameter_mismatches == 0 for t in terms if t.kind != "electrostatic")
    assert sum(t.n_reference for t in terms) > 500


@pytest.mark.parametrize("number", LISTED)
def test_each_energy_agrees_with_macromodel(comparisons, number):
    terms = {t.kind: t.max_energy_deviation_kj_mol for t in comparisons[number].terms}

    assert terms.pop("electrostatic") < 0.003
    assert max(terms.values()) < 0.00051
    assert comparisons[number].max_charge_deviation < 0.0006


@pytest.mark.parametrize("number", LISTED)
def test_totals_agree_with_macromodel(comparisons, number):
    for term in comparisons[number].terms:
        assert abs(term.total_kj_mol - term.reference_total_kj_mol) < SAME_TOTAL.get(term.kind, 0.0002), term.kind


@pytest.mark.parametrize("number", LISTED)
def test_difference_of_the_van_der_waals_totals_is_all_in_pairs_beyond_the_cutoff(comparisons, number):
    pairs = [p for p in comparisons[number].pairs if p.either.kind == "vdw"]

    assert all(p.either.value < COMPARED_BELOW for p in pairs)
    assert abs(sum(p.energy_deviation for p in pairs)) < 0.02


@pytest.mark.slow
def test_van_der_waals_pairs_end_where_macromodels_do(folder, file, molecules):
    number = 4
    (listing,) = mm3_listings([molecules[number - 1]], assign_mm3([molecules[number - 1]], file, vdw_cutoff=7.0))
    reference = read_mmo(folder / f"mmo/{number}.mmo")

    found, listed = (
        {frozenset(i.atoms): i.parameters["epsilon"] for i in one.interactions if i.kind == "vdw"}
        for one in (listing, reference)
    )

    pairs = {*found, *listed}
    depths = [[depth.get(pair, 0.0) for pair in pairs] for depth in (found, listed)]
    # Printed with four digits.
    np.testing.assert_allclose(*depths, rtol=6e-4, atol=2e-5)
    assert listing.totals_kj_mol["vdw"] == pytest.approx(reference.totals_kj_mol["vdw"], abs=0.005)


@pytest.mark.slow
def test_structures_without_a_listing_use_no_row_that_those_with_one_did_not(file, molecules):
    listed = assign_mm3(molecules[: len(LISTED)], file)
    all_nine = assign_mm3(molecules, file)

    stretches = {row.line for row in listed.assignment.rows if row.term.kind == "stretch"}

    assert {row.line for row in all_nine.assignment.rows if row.term.kind == "stretch"} <= stretches
    assert all(c.uncovered == 0 for c in all_nine.coverage if c.kind in ("stretch", "bend", "van_der_waals"))
