"""Force fields generated from molecules: their types, rows, values and interactions."""

from dataclasses import replace

import jax.numpy as jnp
import numpy as np
import pytest
from rdkit import Chem
from rdkit.Chem.rdForceFieldHelpers import GetUFFVdWParams

from forgefield import units
from forgefield.assign.environments import environment_types, environments
from forgefield.assign.generated import generate
from forgefield.assign.instances import KINDS
from forgefield.assign.nonbonded import distant_pairs, type_parameters
from forgefield.assign.uff import uff_van_der_waals
from forgefield.errors import InputError
from forgefield.molecules.bonds import perceive_bonds
from forgefield.molecules.molecule import Molecule
from forgefield.properties.derivatives import energies
from forgefield.terms.bend import HARMONIC_BEND
from forgefield.terms.cross import BEND_BEND, STRETCH_BEND, STRETCH_STRETCH, STRETCH_STRETCH_13, UREY_BRADLEY
from forgefield.terms.nonbonded import LENNARD_JONES
from forgefield.terms.out_of_plane import COSINE_OUT_OF_PLANE
from forgefield.terms.stretch import HARMONIC_STRETCH
from forgefield.terms.torsion import TORSION3

BONDED = HARMONIC_STRETCH, HARMONIC_BEND
NUMBERS = {"H": 1, "C": 6, "N": 7, "O": 8, "F": 9}


def molecule(symbols, positions):
    species, positions = np.array([NUMBERS[s] for s in symbols]), np.array(positions, dtype=float)
    bonds, orders = perceive_bonds(species, positions)
    return Molecule(symbols, species, positions, bonds, orders)


@pytest.fixture
def water():
    """Bonds of 0.95 and 1.05 Å at a right angle."""
    return molecule("OHH", [[0, 0, 0], [0.95, 0, 0], [0, 1.05, 0]])


@pytest.fixture
def peroxide():
    return molecule("HOOH", [[0.9, 0.2, 0.3], [0.7, 0, -0.6], [-0.7, 0, -0.6], [-0.9, -0.2, 0.3]])


@pytest.fixture
def ethyl_fluoride():
    cis = [[1.1, 1.1, 0.3], [-1.9, 0.5, 0.3], [0.4, -0.6, 0.9], [0.4, -0.6, -0.9], [-0.9, -1.2, 0.0], [-0.9, 1.2, 0.5]]
    return Molecule(
        "C2H5F",
        np.array([6, 6, 9, 1, 1, 1, 1, 1]),
        np.array([[0, 0, 0], [-1.3, 0.1, 0], *cis]),
        bonds=np.array([[0, 1], [0, 2], [1, 3], [0, 4], [0, 5], [1, 6], [1, 7]]),
        orders=np.ones(7),
    )


@pytest.fixture
def carbon_dioxide():
    """Bent by half a degree, which counts as straight."""
    bent = np.radians(0.5)
    return molecule("COO", [[0, 0, 0], [1.16, 0, 0], [-1.16 * np.cos(bent), 1.16 * np.sin(bent), 0]])


def values(made, name):
    row = next(row for row in made.rows if row.name == name)
    return np.asarray(made.model.values)[list(row.indices)]


def test_depth_says_how_far_an_environment_reaches(ethyl_fluoride):
    assert environments(ethyl_fluoride, 0)[:3] == ["C", "C", "F"]
    assert environments(ethyl_fluoride, 1)[:3] == ["C(C,F,H,H)", "C(C,H,H,H)", "F(C)"]
    assert environments(ethyl_fluoride, 2)[3] == "H(C(C,H,H,H))"


def test_equivalent_atoms_share_a_type_in_all_molecules(ethyl_fluoride, water):
    types, meaning = environment_types([ethyl_fluoride, water], 2)

    assert types == [("C1", "C2", "F1", "H1", "H2", "H2", "H1", "H1"), ("O1", "H3", "H3")]
    assert meaning["H1"] == "H(C(C,H,H,H))"
    assert meaning["H3"] == "H(O(H,H))"


def ring(size):
    """A ring of carbon, the first of which has a fluorine on it."""
    corners = [(i, (i + 1) % size) for i in range(size)]
    at = 0.78 / np.sin(np.pi / size) * np.exp(2j * np.pi * np.arange(size + 1) / size)
    positions = np.stack([at.real, at.imag, np.append(np.zeros(size), 1.4)], axis=1)
    species = np.array([*[6] * size, 9])
    return Molecule("ring", species, positions, np.array([*corners, (0, size)]), np.ones(size + 1))


@pytest.mark.parametrize(("size", "mark"), [(3, ":3"), (4, ":4"), (5, "")])
def test_rings_of_three_and_four_make_other_environments_of_their_atoms_alone(size, mark):
    described = environments(ring(size), 1)

    assert described[:2] == [f"C{mark}(C,C,F)", f"C{mark}(C,C)"]
    assert described[-1] == "F(C)"
    assert environments(ring(size), 0)[0] == "C"


def test_a_bond_across_a_ring_of_four_makes_two_of_three():
    one = ring(4)
    crossed = Molecule("crossed", one.species, one.positions, np.array([*one.bonds, (1, 3)]), np.ones(6))

    assert [text[:3] for text in environments(crossed, 1)[:4]] == ["C:3"] * 4


def test_partial_bond_makes_another_environment(ethyl_fluoride):
    orders = np.where(np.arange(7) == 1, 0.5, 1.0)
    loose = Molecule(
        "loose", ethyl_fluoride.species, ethyl_fluoride.positions, bonds=ethyl_fluoride.bonds, orders=orders
    )

    assert environments(loose, 1)[:3] == ["C(C,H,H,~F)", "C(C,H,H,H)", "F(~C)"]


def test_each_combination_of_types_has_one_row_with_the_mean_geometry(water):
    made = generate([water], BONDED)

    assert [row.name for row in made.rows] == ["stretch H1-O1", "bend H1-O1-H1"]
    np.testing.assert_allclose(values(made, "stretch H1-O1"), [5.0 * units.MILLIDYNE_PER_ANGSTROM, 1.0])
    np.testing.assert_allclose(values(made, "bend H1-O1-H1"), [0.5 * units.MILLIDYNE_PER_ANGSTROM, np.pi / 2])


def test_interactions_of_one_row_share_its_values(water, peroxide):
    made = generate([water, peroxide], BONDED)

    stretches = made.topology.interactions[0]
    np.testing.assert_array_equal(np.sort(stretches.atoms, axis=1), [[0, 1], [0, 2], [3, 4], [4, 5], [5, 6]])
    assert [row.name for row in made.rows][:3] == ["stretch H1-O1", "stretch H1-O2", "stretch O2-O2"]
    assert [tuple(p) for p in stretches.parameters] == [(0, 1), (0, 1), (2, 3), (4, 5), (2, 3)]


@pytest.mark.parametrize(
    ("kind", "types", "canonical"),
    [
        ("stretch", ("H1", "C1"), ("C1", "H1")),
        ("bend", ("H1", "C1", "F1"), ("F1", "C1", "H1")),
        ("torsion", ("H1", "C1", "C2", "F1"), ("F1", "C2", "C1", "H1")),
        ("torsion", ("H1", "C2", "C1", "H1"), ("H1", "C1", "C2", "H1")),
        ("out_of_plane", ("O1", "C1", "H1", "F1"), ("F1", "C1", "H1", "O1")),
        ("bend_bend", ("C1", "H1", "F1", "F1", "F1"), ("C1", "F1", "F1", "F1", "H1")),
    ],
)
def test_types_in_any_equivalent_order_are_one_row(kind, types, canonical):
    assert KINDS[kind].canonical(types) == canonical


def test_pairs_of_angles_that_share_an_end_have_rows_of_their_own():
    x = np.array([[0.0, 0, 0], [0.63, 0.63, 0.63], [-0.63, -0.63, 0.63], [1.0, -1.0, -1.0], [-1.0, 1.0, -1.0]])
    bonds = np.array([[0, atom] for atom in range(1, 5)])
    molecule = Molecule("dichloromethane", np.array([6, 1, 1, 17, 17]), x, bonds, np.ones(4))

    made = generate([molecule], (*BONDED, BEND_BEND))

    # Of six angles, twelve pairs share an end and three do not.
    rows = {row.name.removeprefix("bend_bend C1-"): row.indices[0] for row in made.rows if row.term is BEND_BEND}
    number = np.bincount(np.asarray(made.topology.interactions[2].parameters)[:, 0])
    assert {name: number[place] for name, place in rows.items()} == {
        "Cl1-Cl1@both-Cl1@both-H1": 4,
        "Cl1@both-H1-Cl1@both-H1": 2,
        "Cl1-H1@both-Cl1-H1@both": 2,
        "Cl1-H1@both-H1-H1@both": 4,
        "Cl1-Cl1-H1-H1": 1,
        "Cl1-H1-Cl1-H1": 2,
    }


def test_nothing_is_coupled_to_a_straight_angle(carbon_dioxide, water):
    made = generate([carbon_dioxide, water], (*BONDED, STRETCH_BEND))

    assert [row.name for row in made.rows if row.term is STRETCH_BEND] == ["stretch_bend H1-O2-H1"]


def test_nothing_is_coupled_to_a_half_bond(water):
    half = replace(water, orders=np.array([1.0, 0.5]))

    made = generate([half], (*BONDED, STRETCH_BEND))

    assert [row.name for row in made.rows if row.term is STRETCH_BEND] == []


def test_two_half_bonds_are_coupled_as_the_reaction_couples_them(water):
    one, both = (replace(water, orders=np.array(orders)) for orders in ([1.0, 0.5], [0.5, 0.5]))

    kinds = [[row.term.kind for row in generate([m], (*BONDED, STRETCH_STRETCH)).rows] for m in (one, both)]

    assert [found.count("stretch_stretch") for found in kinds] == [0, 1]


@pytest.mark.parametrize(("halves", "n"), [([], 1), ([0], 0), ([0, 2], 1), ([1], 1)])
def test_bonds_that_a_third_joins_are_coupled_unless_one_of_them_is_half(peroxide, halves, n):
    # H-O, O-O and O-H.
    orders = np.where(np.isin(np.arange(3), halves), 0.5, 1.0)
    chain = replace(peroxide, bonds=np.array([[0, 1], [1, 2], [2, 3]]), orders=orders)

    made = generate([chain], (*BONDED, STRETCH_STRETCH_13))

    assert [row.term for row in made.rows].count(STRETCH_STRETCH_13) == n


def test_nearly_straight_angle_is_exactly_straight(carbon_dioxide):
    made = generate([carbon_dioxide], BONDED)

    assert values(made, "bend O1-C1-O1")[1] == np.pi


def test_cross_terms_start_from_zero_and_borrow_the_reference_values(water):
    made = generate([water], (*BONDED, STRETCH_BEND))

    row = next(row for row in made.rows if row.term is STRETCH_BEND)
    (borrowed,) = made.topology.interactions[2].parameters[:, row.term.n_own :]
    assert set(np.asarray(made.model.values)[list(row.indices)]) == {0.0}
    np.testing.assert_array_equal(borrowed, [1, 1, 3])


def test_urey_bradley_acts_between_the_ends_of_an_angle(water):
    made = generate([water], (*BONDED, UREY_BRADLEY))

    np.testing.assert_array_equal(np.sort(made.topology.interactions[2].atoms), [[1, 2]])
    np.testing.assert_allclose(values(made, "urey_bradley H1-O1-H1"), [0.0, np.hypot(0.95, 1.05)])


def test_terms_without_an_interaction_are_left_out(water):
    made = generate([water], (*BONDED, TORSION3, COSINE_OUT_OF_PLANE))

    assert made.model.terms == BONDED
    assert len(made.topology.interactions) == 2


def test_molecule_alone_has_no_energy_in_its_own_geometry(peroxide):
    made = generate([peroxide], BONDED)

    np.testing.assert_allclose(energies(made.model, made.topology, jnp.asarray(peroxide.positions)), 0.0, atol=1e-12)


def test_nonbonded_pairs_are_three_bonds_apart_or_more(ethyl_fluoride):
    pairs = {tuple(pair) for pair in distant_pairs(ethyl_fluoride).tolist()}

    vicinal = {(2, h) for h in (3, 6, 7)} | {tuple(sorted((a, b))) for a in (4, 5) for b in (3, 6, 7)}
    assert pairs == vicinal


def test_nonbonded_parameters_are_those_of_both_types_and_a_scale_of_one(ethyl_fluoride):
    made = generate([ethyl_fluoride], BONDED, van_der_waals=LENNARD_JONES)

    group = made.topology.interactions[-1]
    known = np.asarray(made.model.values)[group.parameters]
    fluorine = np.flatnonzero((group.atoms == 2).any(axis=1))[0]
    own, other = (known[fluorine, :2], known[fluorine, 2:4])
    np.testing.assert_allclose(sorted([tuple(own), tuple(other)]), [(1.443, 0.044), (1.682, 0.050)])
    np.testing.assert_array_equal(known[:, -1], 1.0)


@pytest.mark.parametrize(
    ("number", "smiles", "atom"),
    [
        *[(1, "C", 1), (6, "C", 0), (7, "N", 0), (8, "O", 0), (9, "F", 0), (14, "[SiH4]", 0), (15, "P", 0)],
        *[(16, "S", 0), (17, "Cl", 0), (35, "Br", 0), (53, "I", 0)],
    ],
)
def test_uff_parameters_are_those_of_rdkit(number, smiles, atom):
    hydride = Chem.AddHs(Chem.MolFromSmiles(smiles))

    distance, depth = GetUFFVdWParams(hydride, atom, atom)

    np.testing.assert_allclose(uff_van_der_waals(number), [distance / 2.0, depth], rtol=1e-6)


def test_hydrogens_that_all_lie_on_donors_are_smaller_than_those_of_uff(water):
    mixed = molecule("OHH", water.positions)
    methane = Molecule("methane", np.array([6, 1]), np.zeros((2, 3)), np.array([[0, 1]]), np.ones(1))

    polar = type_parameters([mixed], [("O", "H", "H")])
    shared = type_parameters([methane, mixed], [("C", "H"), ("O", "H", "H")])

    assert (polar["H"], shared["H"]) == ((0.6, 0.0157), uff_van_der_waals(1))
    assert polar["O"] == uff_van_der_waals(8)


def test_element_without_uff_parameters_is_named():
    with pytest.raises(InputError, match='no generic van der Waals parameters for La: use nonbonded = "none"'):
        uff_van_der_waals(57)


def test_molecule_in_two_pieces_is_refused_with_its_pieces(water):
    apart = molecule("OHHOHH", np.concatenate([water.positions, water.positions + 9.0]))

    with pytest.raises(InputError, match="the molecule is in 2 pieces: O1, H2, H3; O4, H5, H6"):
        generate([apart], BONDED)


FLAT = [[0, 0, 0], [1.1, 0, 0], [-0.55, 0.953, 0], [-0.55, -0.953, 0]]


@pytest.mark.parametrize(("height", "n_terms"), [(0.0, 3), (0.08, 3), (0.4, 2)])
def test_out_of_plane_terms_stand_at_planar_centres_alone(height, n_terms):
    # Bonds 4° off the plane leave 1.3° of 360°; 20° leave 31°.
    ammonia = molecule("NHHH", np.array(FLAT) - [[0, 0, height], [0, 0, 0], [0, 0, 0], [0, 0, 0]])

    assert len(generate([ammonia], (*BONDED, COSINE_OUT_OF_PLANE)).model.terms) == n_terms


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 3, 1, 2), (0, 2, 3, 1)])
def test_out_of_plane_terms_of_a_t_shape_are_not_along_its_bar(order):
    # The bar is bent to the one side where all three neighbours lie, so that angles add up to 337°.
    bar = 1.7 * np.array([np.sin(np.radians(84.3)), np.cos(np.radians(84.3)), 0.0])
    positions = np.array([[0, 0, 0], [0, 1.6, 0], bar, bar * [-1.0, 1.0, 1.0]])
    bonds = np.array([[0, 1], [0, 2], [0, 3]])
    shape = Molecule("ClF3", np.array([17, 9, 9, 9]), positions[list(order)], bonds, np.ones(3))

    laid = generate([shape], (*BONDED, COSINE_OUT_OF_PLANE))

    ((first, centre, second, third),) = np.array(order)[np.asarray(laid.topology.interactions[-1].atoms)].tolist()
    assert (centre, second, {first, third}) == (0, 1, {2, 3})


@pytest.mark.parametrize(
    ("length", "off_straight", "names"),
    [
        (1.31, 0.0, ["torsion H1-C2@C1-C2@C1-H1"]),
        (1.31, 15.0, ["torsion H1-C2@C1-C2@C1-H1"]),
        (1.46, 0.0, []),
        (1.31, 25.0, []),
    ],
    ids=["allene", "somewhat bent", "single bonds", "bent"],
)
def test_torsions_about_straight_chains_of_double_bonds_skip_the_chain(length, off_straight, names):
    bent = np.radians(off_straight)
    end = length * np.array([0.0, np.sin(bent), -np.cos(bent)])
    upper = [[0.93, 0, length + 0.56], [-0.93, 0, length + 0.56]]
    lower = end + np.array([[0, 0.93, -0.56], [0, -0.93, -0.56]])
    allene = molecule("CCCHHHH", [[0, 0, 0], [0, 0, length], end, *upper, *lower])

    found = [row.name for row in generate([allene], (*BONDED, TORSION3)).rows if row.term.kind == "torsion"]

    assert [name for name in found if "@" in name] == names


@pytest.mark.parametrize(("off_straight", "n_torsions"), [(0.0, 0), (9.0, 0), (11.0, 1)])
def test_no_torsion_runs_across_a_straight_angle(off_straight, n_torsions):
    bent = np.radians(off_straight)
    end = [1.2 - 1.06 * -np.cos(bent), 1.06 * np.sin(bent), 0]
    acetylene = molecule("CCHH", [[0, 0, 0], [1.2, 0, 0], [-0.3, 1.02, 0], end])

    kinds = [term.kind for term in generate([acetylene], (*BONDED, TORSION3)).model.terms]

    assert kinds.count("torsion") == n_torsions
