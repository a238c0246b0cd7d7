import json
from dataclasses import replace

import numpy as np
import pytest

from forgefield.assign.instances import KINDS as FOUND
from forgefield.errors import InputError
from forgefield.io.listings.listing import (
    KINDS,
    OTHER_KINDS,
    Interaction,
    Listing,
    compare,
    interactions,
    totals,
    write_listings,
)
from forgefield.io.listings.mmo import read_mmo

STRETCH = Interaction("stretch", (1, 2), {"k": 4.74, "r0": 1.112}, 1.1, 0.25, 81)
BEND = Interaction("bend", (1, 2, 3), {"k": 0.59, "theta0": 109.8}, 111.0, 0.08, 120)
BEND_BEND = Interaction("bend_bend", (2, 1, 3, 1, 4), {"k": 0.09}, None, 0.01)
TORSION = Interaction("torsion", (1, 2, 3, 4), {"v1": 0.0, "v2": 0.0, "v3": 0.35}, -179.9, 0.1, 990)
VDW = Interaction("vdw", (1, 4), {"radius": 3.62, "epsilon": 0.1122}, 3.9, -0.4)


def listing(*listed, types=("C3", "H1", "H1", "H1"), positions=None):
    return Listing("methyl", "methyl.mae", types, np.zeros(4), totals(listed), listed, positions)


def term(comparison, kind):
    return next(t for t in comparison.terms if t.kind == kind)


def test_every_kind_that_molecules_have_is_listed():
    assert {*FOUND} <= {*KINDS, *OTHER_KINDS}


def test_arrays_become_interactions_with_atoms_from_one():
    made = interactions(
        "stretch",
        np.array([[0, 1], [0, 2]]),
        {"k": np.array([4.74, 4.74]), "r0": np.array([1.112, 1.112])},
        np.array([1.1, 1.2]),
        np.array([0.25, 0.5]),
        [81, None],
    )

    assert made == (STRETCH, Interaction("stretch", (1, 3), {"k": 4.74, "r0": 1.112}, 1.2, 0.5, None))


def test_unknown_kind_is_refused():
    with pytest.raises(InputError, match="'bond' is no kind of interaction; the kinds are stretch, bend"):
        interactions("bond", np.zeros((0, 2), dtype=int), {}, None, np.zeros(0), [])


def test_written_listing_has_the_documented_keys(tmp_path):
    write_listings(tmp_path / "out.json", [listing(STRETCH, BEND_BEND)])

    (structure,) = json.loads((tmp_path / "out.json").read_text())["structures"]
    assert list(structure) == ["name", "file", "atoms", "totals_kj_mol", "interactions"]
    assert structure["atoms"][0] == {"index": 1, "type": "C3", "charge_e": 0.0}
    assert list(structure["totals_kj_mol"]) == [*KINDS, "total"]
    assert structure["interactions"][1] == {
        "kind": "bend_bend",
        "atoms": [2, 1, 3, 1, 4],
        "parameters": {"k": 0.09},
        "value": None,
        "energy_kj_mol": 0.01,
        "line": None,
    }


def mismatches(comparison):
    """Return how many interactions are missing or extra, or have another line or other parameters."""
    return sum(t.missing + t.extra + t.line_mismatches + t.parameter_mismatches for t in comparison.terms)


def test_interactions_match_in_either_direction():
    reversed_ones = [replace(i, atoms=i.atoms[::-1]) for i in (STRETCH, BEND, TORSION, VDW)]

    comparison = compare(listing(STRETCH, BEND, TORSION, VDW), listing(*reversed_ones))

    assert mismatches(comparison) == 0
    assert all((t.missing, t.extra) == (0, 0) for t in comparison.terms)


@pytest.mark.parametrize("atoms", [(2, 4, 1, 3, 1), (2, 1, 3, 4, 1), (2, 3, 1, 1, 4)])
def test_two_angles_match_in_any_order(atoms):
    assert mismatches(compare(listing(BEND_BEND), listing(replace(BEND_BEND, atoms=atoms)))) == 0


def test_other_two_angles_of_the_centre_do_not_match():
    other = replace(BEND_BEND, atoms=(2, 1, 3, 3, 4))

    comparison = compare(listing(BEND_BEND), listing(other))

    assert (term(comparison, "bend_bend").missing, term(comparison, "bend_bend").extra) == (1, 1)


def test_deviations_are_counted_by_kind():
    other_line, other_k = replace(STRETCH, line=82), replace(BEND, parameters={"k": 0.5906, "theta0": 109.8})
    comparison = compare(listing(STRETCH, BEND), listing(other_line, replace(other_k, energy_kj_mol=0.1), TORSION))

    assert term(comparison, "stretch").line_mismatches == 1
    assert term(comparison, "bend").parameter_mismatches == 1
    assert term(comparison, "bend").max_energy_deviation_kj_mol == pytest.approx(0.02)
    assert (term(comparison, "torsion").missing, term(comparison, "torsion").n_reference) == (1, 1)
    assert mismatches(comparison) == 3


def test_parameters_that_print_alike_do_not_differ():
    printed = replace(BEND, parameters={"k": 0.5904, "theta0": 109.8})

    assert mismatches(compare(listing(BEND), listing(printed))) == 0


def test_interactions_without_constants_may_be_absent():
    idle = replace(TORSION, parameters={"v1": 0.0, "v2": 0.0, "v3": 0.0}, energy_kj_mol=0.0)

    assert compare(listing(idle), listing()).pairs == ()
    assert compare(listing(), listing(idle)).pairs == ()


def test_pairs_beyond_the_limit_are_left_out():
    far = replace(VDW, value=5.7, energy_kj_mol=9.0)

    assert compare(listing(), listing(far)).pairs == ()
    assert term(compare(listing(), listing(far), below=6.0), "vdw").missing == 1


def test_dihedrals_are_compared_on_the_short_way_round():
    comparison = compare(listing(TORSION), listing(replace(TORSION, value=179.9)))

    assert term(comparison, "torsion").max_value_deviation == pytest.approx(0.2)


def test_worst_interactions_come_first_and_missing_ones_count_fully():
    comparison = compare(listing(STRETCH, BEND), listing(replace(STRETCH, energy_kj_mol=0.3), BEND, VDW))

    assert [pair.either.kind for pair in comparison.worst(2)] == ["vdw", "stretch"]


def test_published_listing_agrees_with_itself(data):
    read = read_mmo(data / "rh-enamide/mmo/2.mmo")

    comparison = compare(read, read)

    assert mismatches(comparison) == 0
    assert comparison.max_charge_deviation == 0.0
    assert term(comparison, "vdw").n < term(comparison, "vdw").n_reference + 1 < 577


def test_listing_of_another_molecule_is_refused(data):
    first, second, third = (read_mmo(data / f"rh-enamide/mmo/{i}.mmo") for i in (1, 2, 3))

    with pytest.raises(InputError, match=r"2.mmo: has 38 atoms, .*1.mmo has 36; it is the listing of another molecule"):
        compare(first, second)
    with pytest.raises(
        InputError, match=r"3.mmo: is not the listing of .*2.mmo: atom 2 is 0.002 Å away, .* and 32 more"
    ):
        compare(second, third)
    with pytest.raises(InputError, match=r"2.mmo: is not the listing of methyl.mae: atom 1 is RH, not C3"):
        compare(listing(types=("C3", *second.types[1:])), second)
