"""How rows of an MM3* file are matched, rule by rule, on small molecules and a small file."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest

from certain import instance, known
from forgefield import units
from forgefield.assign.mm3.file import Mm3Row
from forgefield.assign.mm3.laid import assign_mm3, changed_columns
from forgefield.assign.mm3.selection import selected_lines
from forgefield.errors import InputError, MissingParameters
from forgefield.io.forcefields.mm3.fld import read_fld, write_fld
from forgefield.molecules.molecule import Molecule
from forgefield.properties.derivatives import energies
from samples import MM3_HEAD

HEADER = f"{MM3_HEAD} 1  CU  C1 C2\n"
SPECIES = {"C": 6, "H": 1, "O": 8, "N": 7, "R": 45}


def row(kind, names, *numbers, qualifiers=None):
    """A row of the main tables, names such as `C3 - H1`."""
    asked = " ".join(qualifiers or ["0000"] * len(names.split(" ")[::2]))
    return f" {kind}  {names:17s} " + "".join(f"{n:11.4f}" for n in numbers).ljust(33) + f"  {asked}\n"


def inner(kind, names, *numbers, label=" ", qualifiers=""):
    """A row of a substructure, names such as `1 2 C3`."""
    placed = "".join(f"{name:>2s}  " for name in names.split())
    return f"{label}{kind}  {placed:18s}" + "".join(f"{n:11.4f}" for n in numbers).ljust(33) + f"  {qualifiers}\n"


ATOMS = "".join(
    f"  {name}     1.9000     0.0500     0.0000{' ' * 35}0000\n" for name in ("C3", "C2", "H1", "O2", "O3", "Z0")
)
GENERAL = (
    row(1, "C0 * C0", 1.5, 4.5, 0.0)
    + row(1, "C0 - H1", 1.1, 4.7, 0.0)
    + row(1, "C2 = O2", 1.2, 10.0, -1.86)
    + row(2, "00 * 00 * 00", 110.0, 0.6, 0.0)
)


@pytest.fixture
def file(tmp_path):
    def file(main, substructures=()):
        path = tmp_path / "test.fld"
        blocks = "".join(f"-3\n C  {title}\n 9  {pattern}\n-2\n{rows}" for title, pattern, rows in substructures)
        path.write_text(f"{HEADER}-2\n{main}-6\n{ATOMS} END OF NONBONDED INTERACTIONS\n{blocks}-3\n")
        return read_fld(path)

    return file


def molecule(types, bonds, positions=None):
    """A molecule of these types and (i, j) or (i, j, order) bonds; zig-zag positions unless given."""
    names = types.split()
    zigzag = [[1.2 * i, 0.7 * (i % 2), 0.4 * (i % 3)] for i in range(len(names))]
    return Molecule(
        name="test",
        species=np.array([SPECIES[name[0]] for name in names]),
        positions=np.array(zigzag if positions is None else positions, dtype=np.float64),
        bonds=np.array([b[:2] for b in bonds]),
        orders=np.array([b[2] if len(b) > 2 else 1.0 for b in bonds], dtype=np.float64),
        types=tuple(names),
    )


def lines_of(assigned, kind):
    """The line of every interaction of a kind, by its atoms."""
    model, topology = assigned.assignment.model, assigned.assignment.topology
    n = {"stretch": 2, "bend": 3, "torsion": 4, "vdw": 2, "out_of_plane": 4}[kind]
    return {
        tuple(atoms[:n]): line
        for term, group, lines in zip(model.terms, topology.interactions, assigned.lines, strict=True)
        if term.kind == kind
        for atoms, line in zip(group.atoms.tolist(), lines.tolist(), strict=True)
    }


def at(fld, text):
    """The line on which a row stands."""
    return fld.lines.index(text.rstrip("\n")) + 1


ETHANE = molecule("C3 C3 H1", [(0, 1), (1, 2)])


def test_first_row_of_the_tables_that_fits_wins_in_either_direction(file):
    main = row(1, "H1 - C3", 1.0, 1.0, 0.0) + row(1, "C3 - H1", 2.0, 2.0, 0.0) + GENERAL

    assert lines_of(assign_mm3([ETHANE], file(main)), "stretch") == {(0, 1): 18, (1, 2): 16}


def test_row_asks_for_neighbours_outside_the_interaction(file):
    main = row(1, "C3 - C3", 1.4, 4.0, 0.0, qualifiers=["H1H1", "0000"]) + GENERAL
    ch2 = molecule("C3 C3 H1 H1", [(0, 1), (1, 2), (1, 3)])

    assert lines_of(assign_mm3([ETHANE], file(main)), "stretch")[0, 1] == 17
    assert lines_of(assign_mm3([ch2], file(main)), "stretch")[0, 1] == 16


def test_continuation_asks_what_the_neighbour_bears_and_gives_the_line(file):
    first = row(1, "C3 - C3", 1.4, 4.0, 0.0).replace("  0000 0000", " 1C200 0000")
    main = first + f" 1{'O200 0000':>64s}\n" + GENERAL
    ketone = molecule("C3 C3 C2 O2", [(0, 1), (1, 2), (2, 3, 2.0)])
    alkene = molecule("C3 C3 C2 C2", [(0, 1), (1, 2), (2, 3, 2.0)])

    assert lines_of(assign_mm3([ketone], file(main)), "stretch")[0, 1] == 17
    assert lines_of(assign_mm3([alkene], file(main)), "stretch")[0, 1] == 18


def test_star_fits_any_order_but_zero_which_needs_a_row_of_its_own(file):
    bridge = molecule("C3 C3 H1", [(0, 1), (1, 2), (0, 2, 0.0)])

    with pytest.raises(MissingParameters, match=r"stretch C3-H1: 1 \(first at atoms 1, 3 of test\)"):
        assign_mm3([bridge], file(GENERAL))


def test_all_stretches_and_bends_without_a_row_are_listed(file):
    main = row(1, "C3 - C3", 1.5, 4.5, 0.0)

    with pytest.raises(MissingParameters, match=r"(?s)2 kind\(s\).*stretch C3-H1: 1.*bend C3-C3-H1: 1"):
        assign_mm3([ETHANE], file(main))


def test_last_row_of_a_substructure_wins_and_precedes_the_tables(file):
    last = inner(1, "1 2", 1.4, 4.0)
    fld = file(GENERAL, [("pair", "C3-C3", inner(1, "1 2", 1.3, 4.0) + last)])

    assert lines_of(assign_mm3([ETHANE], fld), "stretch") == {(0, 1): at(fld, last), (1, 2): 17}


def test_of_the_places_of_a_substructure_the_last_one_with_a_row_supplies_it(file):
    propane = molecule("C3 C3 C3", [(0, 1), (1, 2)])
    within, out = inner(1, "1 2", 1.4, 4.0), inner(1, "1 C3", 1.5, 4.0)
    fld = file(GENERAL, [("pair", "C3-C3", within + out)])

    # Places in the order found: 0-1, 1-0, 1-2, 2-1. The last with a row for 0-1 is 1-2, from which 0 is outside.
    assert lines_of(assign_mm3([propane], fld), "stretch") == {(0, 1): at(fld, out), (1, 2): at(fld, within)}


def test_van_der_waals_row_of_a_substructure_is_that_of_its_last_place(file):
    first, second = inner(6, "1 00", 1.9, 0.04), inner(6, "2 00", 1.8, 0.03)
    fld = file(GENERAL, [("pair", "C3-C3", second + first)])

    lines = assign_mm3([molecule("C3 C3", [(0, 1)])], fld).nonbonded_lines

    # Places: 0-1, 1-0. In the last one atom 1 is the first.
    assert lines.tolist() == [at(fld, second), at(fld, first)]


def test_neighbours_that_a_row_asks_for_may_lie_in_the_substructure(file):
    propane = molecule("C3 C3 C3", [(0, 1), (1, 2)])
    asking = inner(1, "1 2", 1.4, 4.0, qualifiers="0000 C300")

    fld = file(GENERAL, [("chain", "C3-C3-C3", asking)])

    assert set(lines_of(assign_mm3([propane], fld), "stretch").values()) == {at(fld, asking)}


def test_substructure_that_stops_keeps_its_atoms_from_later_ones(file):
    earlier, later = inner(1, "1 2", 1.3, 4.0), inner(1, "1 2", 1.4, 4.0)
    pair, chain = ("one", "C2-C2", earlier), ("two", "C0-C0", later)
    fld = file(GENERAL, [pair, chain])
    stopping = replace(fld, substructures=(replace(fld.substructures[0], stops=True), fld.substructures[1]))
    carbons = molecule("C2 C2 C3 C3", [(0, 1), (1, 2), (2, 3)])

    assert set(lines_of(assign_mm3([carbons], fld), "stretch").values()) == {at(fld, later)}
    # 1-2 has no row left but that of the tables.
    lines = lines_of(assign_mm3([carbons], stopping), "stretch")
    assert lines == {(0, 1): at(fld, earlier), (1, 2): 16, (2, 3): at(fld, later)}


def test_rows_of_an_optional_branch_apply_where_it_is_there(file):
    within, branch = inner(1, "1 2", 1.4, 4.0), inner(1, "2 3", 1.5, 4.0)
    fld = file(GENERAL, [("pair", "C3-C3[-H1]", within + branch)])

    assert lines_of(assign_mm3([ETHANE], fld), "stretch") == {(0, 1): at(fld, within), (1, 2): at(fld, branch)}
    bare = molecule("C3 C3", [(0, 1)])
    assert lines_of(assign_mm3([bare], fld), "stretch") == {(0, 1): at(fld, within)}


@pytest.mark.parametrize(("angle", "taken"), [(65.0, "alternate"), (-65.0, "alternate"), (95.0, "plain")])
def test_condition_on_a_torsion_does_not_tell_mirror_images_apart(file, angle, taken):
    rows = {"alternate": inner(1, "1 2", 1.3, 4.0, label="a"), "plain": inner(1, "1 2", 1.4, 4.0)}
    condition = inner("T", "1 2 3 4", 60.0, 20.0, label="a")
    end = [1.5, np.cos(np.radians(angle)), np.sin(np.radians(angle))]
    chain = molecule("C3 C3 C3 H1", [(0, 1), (1, 2), (2, 3)], [[0, 1, 0], [0, 0, 0], [1.5, 0, 0], end])

    fld = file(GENERAL, [("chain", "C3-C3-C3-H1", condition + "".join(rows.values()))])

    assert lines_of(assign_mm3([chain], fld), "stretch")[0, 1] == at(fld, rows[taken])


def test_rows_whose_atoms_are_not_bonded_in_their_order_are_idle(file):
    fits, jumps = inner(1, "1 2", 1.4, 4.0), inner(4, "1 3 2 00", 0.0, 1.0, 0.0)
    fld = file(GENERAL, [("chain", "C3-C3-C3", fits + jumps)])
    propane = molecule("C3 C3 C3", [(0, 1), (1, 2)])
    ring = molecule("C3 C3 C3", [(0, 1), (1, 2), (0, 2)])

    assert assign_mm3([propane], fld).idle == (at(fld, jumps),)
    assert assign_mm3([propane, ring], fld).idle == ()
    assert assign_mm3([ETHANE], fld).idle == ()


def test_later_substructure_precedes_an_earlier_one(file):
    earlier, later = inner(1, "1 2", 1.3, 4.0), inner(1, "1 2", 1.4, 4.0)
    fld = file(GENERAL, [("one", "C3-C3", earlier), ("two", "C3-C3-H1", later)])

    assert lines_of(assign_mm3([ETHANE], fld), "stretch") == {(0, 1): at(fld, later), (1, 2): 17}


def test_type_name_in_a_substructure_row_fits_only_atoms_outside_and_00_any(file):
    propane = molecule("C3 C3 C3", [(0, 1), (1, 2)])
    named, any_atom = inner(2, "1 2 C3", 109.0, 0.5), inner(2, "1 2 00", 109.0, 0.5)

    lines = lines_of(assign_mm3([propane], file(GENERAL, [("chain", "C3-C3-C3", named)])), "bend")
    assert lines == {(0, 1, 2): 19}

    fld = file(GENERAL, [("chain", "C3-C3-C3", any_atom)])
    assert lines_of(assign_mm3([propane], fld), "bend") == {(0, 1, 2): at(fld, any_atom)}


@pytest.mark.parametrize(("angle", "taken"), [(170.0, "alternate"), (130.0, "plain")])
def test_alternate_beats_the_plain_row_only_where_its_condition_holds(file, angle, taken):
    rows = {"alternate": inner(1, "1 2", 1.3, 4.0, label="a"), "plain": inner(1, "1 2", 1.4, 4.0)}
    condition = inner("A", "1 2 3", 180.0, 45.0, label="a")
    bent = [[1.5, 0.0, 0.0], [0.0, 0.0, 0.0], [1.5 * np.cos(np.radians(angle)), 1.5 * np.sin(np.radians(angle)), 0.0]]
    chain = molecule("C3 C3 H1", [(0, 1), (1, 2)], bent)

    fld = file(GENERAL, [("chain", "C3-C3-H1", condition + "".join(rows.values()))])

    assert lines_of(assign_mm3([chain], fld), "stretch")[0, 1] == at(fld, rows[taken])


def test_torsion_of_a_substructure_between_wildcards_shares_its_constant_among_four(file):
    rows = inner(4, "00 2 3 00", 0.0, 8.0, 0.0)
    chain = molecule("C3 C3 C3 C3", [(0, 1), (1, 2), (2, 3)])

    assigned = assign_mm3([chain], file(GENERAL, [("chain", "C3-C3-C3-C3", rows)]))

    (group,) = [g for t, g in _terms(assigned) if t.kind == "torsion"]
    values = np.asarray(assigned.assignment.model.values)[group.parameters[0]]
    np.testing.assert_allclose(values, [0.0, 8.0, 0.0, 0.25], atol=1e-12)


def test_zero_torsion_of_a_substructure_switches_the_general_one_off_unless_it_is_trained(file):
    rows = inner(4, "1 2 3 4", 0.0, 0.0, 0.0)
    main = GENERAL + row(4, "00 - C3 - C3 - 00", 0.0, 0.0, 0.35)
    chain = molecule("C3 C3 C3 C3", [(0, 1), (1, 2), (2, 3)])
    fld = file(main, [("chain", "C3-C3-C3-C3", rows)])

    assert lines_of(assign_mm3([chain], fld), "torsion") == {}
    line = at(fld, rows)
    assert lines_of(assign_mm3([chain], fld, trained={line}), "torsion") == {(0, 1, 2, 3): line}


def test_substructure_bend_without_a_coupling_takes_that_of_the_tables(file):
    main = GENERAL.replace(row(2, "00 * 00 * 00", 110.0, 0.6, 0.0), row(2, "00 * 00 * 00", 110.0, 0.6, 0.24))
    centre = molecule("C3 H1 H1 H1", [(0, 1), (0, 2), (0, 3)])
    blank = file(main, [("centre", "C3-H1", inner(2, "2 1 H1", 105.0, 0.5))])

    (group,) = [g for t, g in _terms(assign_mm3([centre], blank)) if t.kind == "bend_bend"]

    values = np.asarray(assign_mm3([centre], blank).assignment.model.values)[group.parameters]
    np.testing.assert_allclose(np.degrees(values[:, 2:]), 110.0)
    np.testing.assert_allclose(values[:, 0] * values[:, 1], 71.94 * 0.24**2)


def test_charges_follow_from_moments_and_the_atom_named_first_is_positive(file):
    carbonyl = molecule("C2 O2", [(0, 1, 2.0)])

    assigned = assign_mm3([carbonyl], file(GENERAL))

    charges = np.asarray(assigned.assignment.model.charges(assigned.assignment.topology))
    np.testing.assert_allclose(charges, [-1.86 / (4.80298 * 1.2), 1.86 / (4.80298 * 1.2)])


def test_metal_takes_the_row_of_z0(file):
    metal = molecule("RH H1", [(0, 1)])
    main = row(1, "RH - H1", 1.6, 2.0, 0.0)

    assert assign_mm3([metal], file(main)).nonbonded_lines.tolist() == [23, 20]


def test_pairs_beyond_the_cutoff_are_left_out(file):
    chain = molecule("C3 C3 C3 C3 C3", [(0, 1), (1, 2), (2, 3), (3, 4)])

    assert set(lines_of(assign_mm3([chain], file(GENERAL)), "vdw")) == {(0, 3), (0, 4), (1, 4)}
    assert set(lines_of(assign_mm3([chain], file(GENERAL), cutoff=4.5), "vdw")) == {(0, 3), (1, 4)}


def test_van_der_waals_cutoff_scales_depths_down_as_macromodel_does(file):
    chain = molecule("C3 C3 C3 C3", [(0, 1), (1, 2), (2, 3)], [[0, 0, 0], [1.5, 0, 0], [3, 0, 0], [5, 0, 0]])

    def share(cutoff):
        assigned = assign_mm3([chain], file(GENERAL), vdw_cutoff=cutoff)
        values = np.asarray(assigned.assignment.model.values)
        return next((values[group.parameters[0, 4]] for term, group in _terms(assigned) if term.kind == "vdw"), 0.0)

    # From 4 to 6 Å, linear in r².
    assert [share(cutoff) for cutoff in (np.inf, 6.0, 5.0, 4.0)] == [1.0, 1.0, (36 - 25) / (36 - 16), 0.0]


def test_type_without_a_radius_has_no_van_der_waals_interactions(file):
    chain = molecule("C3 C3 C3 H1 C3", [(0, 1), (1, 2), (2, 3), (2, 4)])
    fld = file(GENERAL)
    blank = tuple(replace(r, radius=0.0, depth=0.0) if r.name == "H1" else r for r in fld.nonbonded)

    assert set(lines_of(assign_mm3([chain], replace(fld, nonbonded=blank)), "vdw")) == {(0, 4)}


def test_out_of_plane_angle_runs_as_the_row_names_the_neighbours(file):
    acid = molecule("C2 C3 O3 O2", [(0, 1), (0, 2), (0, 3, 2.0)])
    main = row(1, "C2 - O3", 1.35, 5.0, 0.0) + GENERAL + row(5, "C2 * O2 * 00 * 00", 0.0, 0.8)

    assert list(lines_of(assign_mm3([acid], file(main)), "out_of_plane")) == [(3, 0, 1, 2)]


# Numbers of the row, and what it adds to the energy in units of the header's factor.
PHI = np.radians(150.0)
SERIES = [
    pytest.param(5, "00", ((0.3, 0.4), ()), 0.3 * (1 + np.cos(PHI)) + 0.4 * (1 - np.cos(2 * PHI)), id="out of plane"),
    pytest.param(
        *(4, "C3", ((1.0, 0.0, 0.5), (0.1, 0.2, 0.3))),
        (1 + np.cos(PHI)) + 0.5 * (1 + np.cos(3 * PHI))
        + 0.1 * (1 - np.cos(4 * PHI)) + 0.2 * (1 + np.cos(5 * PHI)) + 0.3 * (1 - np.cos(6 * PHI)),
        id="torsion with a row 54",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "end", "numbers", "energy"), SERIES)
def test_rows_of_several_constants_give_the_energy_of_their_series(file, kind, end, numbers, energy):
    bonds = [(0, 1), (1, 2), (1, 3)] if kind == 5 else [(0, 1), (1, 2), (2, 3)]
    last = [1.0, np.cos(PHI), np.sin(PHI)]
    four = molecule("C3 C3 C3 C3", bonds, [[0, 1, 0], [0, 0, 0], [1.5, 0, 0], last])
    higher = "54" + " " * 20 + "".join(f"{n:11.4f}" for n in numbers[1]) + "\n" if numbers[1] else ""
    bare, full = file(GENERAL), file(GENERAL + row(kind, f"C3 * {end} * {end} * {end}", *numbers[0]) + higher)

    def total(fld):
        laid = assign_mm3([four], fld).assignment
        return float(energies(laid.model, laid.topology, jnp.asarray(four.positions))[0])

    factor = bare.factors["IMP" if kind == 5 else "TOR"] * units.KILOJOULE
    np.testing.assert_allclose(total(full) - total(bare), energy * factor, rtol=1e-9)


def test_row_of_a_pair_overrides_those_of_its_atoms(file):
    chain = molecule("C3 C3 C3 H1", [(0, 1), (1, 2), (2, 3)])
    special = row(6, "C3   H1", 3.56, 0.023)

    assert lines_of(assign_mm3([chain], file(GENERAL + special)), "vdw") == {(0, 3): 20}


def test_rows_of_hydrogen_bonds_take_no_part(file):
    chain = molecule("O2 C3 C3 C3 H1 H1", [(0, 1), (1, 2), (2, 3), (3, 4), (2, 5)])
    main = row(1, "C3 - O2", 1.4, 5.0, 0.0) + GENERAL

    without, bridged = (assign_mm3([chain], file(main + more)) for more in ("", row(7, "H1   O2", 42.5, 10.0)))

    assert [t.kind for t, _ in _terms(bridged)] == [t.kind for t, _ in _terms(without)]
    assert lines_of(bridged, "vdw") == lines_of(without, "vdw")


def test_atoms_without_types_are_refused(file):
    untyped = Molecule("bare", np.array([1]), np.zeros((1, 3)))

    with pytest.raises(InputError, match="no MacroModel atom types in bare"):
        assign_mm3([untyped], file(GENERAL))


def test_rows_are_chosen_by_substructure_line_kind_and_types(file):
    stretch, bend = inner(1, "1 2", 1.3, 4.0), inner(2, "1 2 H1", 109.0, 0.5)
    fld = file(GENERAL, [("Pair of carbons", "C3-C3", stretch + bend)])

    assert selected_lines(fld, ["substructure:Pair*"]) == {at(fld, stretch), at(fld, bend)}
    assert selected_lines(fld, ["bend:substructure:Pair*"]) == {at(fld, bend)}
    assert selected_lines(fld, ["line:16-17", "O2-C2", "H1-C0"]) == {16, 17, 18}
    with pytest.raises(InputError, match=r"'X9-\*' choose\(s\) no row"):
        selected_lines(fld, ["X9-*", "line:16"])


def test_trained_values_return_to_their_lines(file, tmp_path):
    assigned = assign_mm3([ETHANE], file(GENERAL))
    stretch = next(r for r in assigned.assignment.rows if r.line == 17 and r.term.kind == "stretch")
    values = np.asarray(assigned.assignment.model.values).copy()
    values[stretch.indices[1]] = 1.25

    write_fld(tmp_path / "new.fld", assigned.file, changed_columns(assigned, values))

    new = (tmp_path / "new.fld").read_text().split("\n")
    assert [n for n, (a, b) in enumerate(zip(assigned.file.lines, new, strict=True), 1) if a != b] == [17]
    assert instance(Mm3Row, read_fld(tmp_path / "new.fld").row_on(17)).columns[0] == 1.25


def test_rows_shared_by_molecules_stand_once_in_the_values(file):
    one, two = assign_mm3([ETHANE], file(GENERAL)), assign_mm3([ETHANE, ETHANE], file(GENERAL))

    assert one.assignment.model.values.shape == two.assignment.model.values.shape
    assert jnp.array_equal(one.assignment.model.values, two.assignment.model.values)


def _terms(assigned):
    return zip(assigned.assignment.model.terms, assigned.assignment.topology.interactions, strict=True)


def test_a_type_named_by_a_wildcard_has_no_formal_charge(file):
    # The metal takes the row of Z0, whatever charge that states; hydrogen the row of its own type.
    fld = file(row(1, "RH - H1", 1.6, 2.0, 0.0))
    charged = tuple(replace(r, charge={"Z0": 2.0, "H1": 1.0}.get(r.name)) for r in fld.nonbonded)

    assigned = assign_mm3([molecule("RH H1", [(0, 1)])], replace(fld, nonbonded=charged))

    np.testing.assert_array_equal(known(assigned.assignment.topology.charges).formal, [0.0, 1.0])
